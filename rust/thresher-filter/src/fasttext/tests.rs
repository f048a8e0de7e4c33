//! Small models written byte by byte; what fastText itself says of its own files is in `tests/golden_fasttext.rs`.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;

/// What the bytes of a model are made of.
#[derive(Clone)]
struct Plan {
    words: Vec<(&'static str, i64)>,
    labels: Vec<(&'static str, i64)>,
    dim: i32,
    loss: i32,
    word_ngrams: i32,
    bucket: i32,
    minn: i32,
    maxn: i32,
    pruned: Option<Vec<(i32, i32)>>,
    input: Vec<Vec<f32>>,
    output: Vec<Vec<f32>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            words: vec![("</s>", 9), ("good", 5), ("bad", 4)],
            labels: vec![("__label__yes", 3), ("__label__no", 2)],
            dim: 2,
            loss: 3,
            word_ngrams: 1,
            bucket: 0,
            minn: 0,
            maxn: 0,
            pruned: None,
            input: vec![vec![0.0, 0.0], vec![4.0, 0.0], vec![0.0, 4.0]],
            output: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
        }
    }
}

impl Plan {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut int = |value: i32| bytes.extend(value.to_le_bytes());
        int(MAGIC);
        int(VERSION);
        let tail = [self.word_ngrams, self.loss, 3, self.bucket, self.minn, self.maxn, 100];
        [self.dim, 5, 5, 1, 5].into_iter().chain(tail).for_each(&mut int);
        bytes.extend(1e-4f64.to_le_bytes());
        let sizes = [self.words.len() + self.labels.len(), self.words.len(), self.labels.len()];
        bytes.extend(sizes.iter().flat_map(|size| (*size as i32).to_le_bytes()));
        bytes.extend(20i64.to_le_bytes());
        bytes.extend(self.pruned.as_ref().map_or(-1, |pruned| pruned.len() as i64).to_le_bytes());
        for (kind, entries) in [(0, &self.words), (1, &self.labels)] {
            for (name, count) in entries {
                bytes.extend(name.bytes().chain([0]));
                bytes.extend(count.to_le_bytes());
                bytes.push(kind);
            }
        }
        for (of, row) in self.pruned.iter().flatten() {
            bytes.extend(of.to_le_bytes());
            bytes.extend(row.to_le_bytes());
        }
        for matrix in [&self.input, &self.output] {
            bytes.push(0);
            bytes.extend((matrix.len() as i64).to_le_bytes());
            bytes.extend(i64::from(self.dim).to_le_bytes());
            bytes.extend(matrix.iter().flatten().flat_map(|value| value.to_le_bytes()));
        }
        bytes
    }

    fn read(&self) -> Model {
        read(&self.bytes()).unwrap()
    }

    fn refused(&self) -> String {
        read(&self.bytes()).unwrap_err().to_string()
    }
}

fn read(bytes: &[u8]) -> Result<Model> {
    Model::read(&mut &*bytes, bytes.len() as u64)
}

/// The rows that a text has in a model of two columns whose row r is (r, 1).
fn rows(plan: &Plan, text: &str) -> Vec<usize> {
    let model = plan.read();
    let mut found = Vec::new();
    model.dictionary.rows(text, &mut Buffers::default(), |row| found.push(row));
    found
}

#[test]
fn the_average_of_the_words_decides() {
    let model = Plan::default().read();
    assert_eq!(model.labels(), ["yes", "no"]);
    let mut predictor = model.predictor();
    let found: Vec<_> = predictor.predict("good\ngood bad unheard", 5).collect();
    // The rows are good, good, bad and the end of the line: (8, 4) / 4.
    let first = 2f32.exp() / (2f32.exp() + 1f32.exp());
    assert_eq!(found.iter().map(|one| one.label).collect::<Vec<_>>(), ["yes", "no"]);
    assert!((found[0].probability - first - 1e-5).abs() < 1e-6);
    assert!((found[1].probability - (1.0 - first) - 1e-5).abs() < 1e-6);
    assert_eq!(predictor.label("bad").map(|found| found.label), Some("no"));
    assert!((predictor.probability("bad", 0) + predictor.probability("bad", 1) - 1.0).abs() < 1e-4);
}

#[test]
fn a_text_of_which_nothing_is_known_has_no_label() {
    let mut plan = Plan::default();
    plan.words[0].0 = "other";
    let model = plan.read();
    let mut predictor = model.predictor();
    assert_eq!(predictor.label(""), None);
    assert_eq!(predictor.label("unheard of"), None);
    assert!(predictor.probability("", 1) <= 0.0);
}

#[test]
fn labels_and_the_end_of_a_line_within_a_text_are_nothing_special() {
    let plan = Plan::default();
    assert_eq!(rows(&plan, "good __label__yes __label__new </s> bad"), [1, 0, 2, 0]);
    assert_eq!(rows(&plan, "\u{0} good\t\u{b}bad\r\n"), [1, 2, 0]);
}

/// FNV-1a over signed bytes, as fastText has it.
fn hash(text: &str) -> u32 {
    text.bytes().fold(2_166_136_261u32, |hash, byte| (hash ^ byte as i8 as u32).wrapping_mul(16_777_619))
}

#[test]
fn n_grams_of_characters_and_words_have_the_rows_of_their_hashes() {
    let bucket = 50;
    let wide =
        Plan { bucket, minn: 1, maxn: 3, word_ngrams: 3, input: vec![vec![0.0; 2]; 53], ..Plan::default() };
    let gram = |text: &str| 3 + (hash(text) % bucket as u32) as usize;
    let mut wanted = Vec::new();
    for gram_of in ["<g", "<gé", "g", "gé", "gé>", "é", "é>"] {
        wanted.push(gram(gram_of));
    }
    // The words are `gé`, which is unknown, `bad` and the end.
    wanted.push(2);
    for gram_of in ["<b", "<ba", "b", "ba", "bad", "a", "ad", "ad>", "d", "d>"] {
        wanted.push(gram(gram_of));
    }
    wanted.push(0);
    let signed = |text: &str| hash(text) as i32 as i64 as u64;
    let join = |joined: u64, next: &str| joined.wrapping_mul(116_049_371).wrapping_add(signed(next));
    for run in [&["gé", "bad"][..], &["gé", "bad", "</s>"], &["bad", "</s>"]] {
        let joined = run[1..].iter().fold(signed(run[0]), |joined, next| join(joined, next));
        wanted.push(3 + (joined % bucket as u64) as usize);
    }
    assert_eq!(rows(&wide, "gé bad"), wanted);
    // A pruned model has rows for some of the buckets, in any order.
    let kept: Vec<(i32, i32)> = (0..bucket).filter(|of| of % 3 == 1).map(|of| (of, of / 3)).collect();
    let pruned = Plan {
        pruned: Some(kept.iter().rev().copied().collect()),
        input: vec![vec![0.0; 2]; 3 + kept.len()],
        ..wide
    };
    let wanted: Vec<usize> = wanted
        .into_iter()
        .filter_map(|row| if row < 3 { Some(row) } else { (row % 3 == 1).then_some(3 + (row - 3) / 3) })
        .collect();
    // Behind the three words a bucket is its row less 3, whose remainder by 3 is that of the row.
    assert_eq!(rows(&pruned, "gé bad"), wanted);
}

#[test]
fn a_tree_gives_the_best_labels_of_all() {
    let names = ["__label__a", "__label__b", "__label__c", "__label__d", "__label__e"];
    let plan = Plan {
        labels: names.iter().zip([50, 20, 15, 10, 5]).map(|(name, count)| (*name, count)).collect(),
        loss: 1,
        output: vec![vec![0.3, -0.2], vec![-0.4, 0.1], vec![0.2, 0.2], vec![-0.1, -0.3], vec![9.0, 9.0]],
        ..Plan::default()
    };
    let model = plan.read();
    let mut predictor = model.predictor();
    let all: Vec<_> =
        predictor.predict("good bad", 5).map(|found| (found.index, found.probability)).collect();
    let sum: f32 = all.iter().map(|(_, probability)| probability).sum();
    assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    for most in 1..5 {
        let best: Vec<_> =
            predictor.predict("good bad", most).map(|found| (found.index, found.probability)).collect();
        assert_eq!(best, all[..most]);
    }
}

#[test]
fn a_tree_as_deep_as_its_labels_is_walked_without_recursion() {
    // Counts that fall by half make a chain; most of them are zero here.
    let count = |place: usize| if place < 40 { 1i64 << (40 - place) } else { 0 };
    let labels: Vec<(String, i64)> =
        (0..20_000).map(|place| (format!("__label__{place}"), count(place))).collect();
    let labels: Vec<(&'static str, i64)> =
        labels.into_iter().map(|(name, count)| (&*name.leak(), count)).collect();
    let plan = Plan { output: vec![vec![1.0, 1.0]; labels.len()], labels, loss: 1, ..Plan::default() };
    let model = plan.read();
    assert_eq!(model.predictor().predict("good", 20_000).count(), 20_000);
}

#[test]
fn a_file_that_lies_is_refused_with_what_it_says() {
    let plan = Plan::default();
    let with = |change: fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan.refused()
    };
    assert!(with(|plan| plan.dim = 1 << 30).contains("damaged"));
    assert!(with(|plan| plan.dim = -1).contains("dim is `-1`"));
    assert!(with(|plan| plan.loss = 9).contains("the loss is `9`"));
    assert!(with(|plan| plan.maxn = 1000).contains("maxn is `1000`"));
    assert!(with(|plan| (plan.maxn, plan.bucket) = (3, i32::MAX)).contains("the model needs 2147483650"));
    assert!(
        with(|plan| (plan.maxn, plan.bucket, plan.pruned) = (3, i32::MAX, Some(vec![(1, 1)])))
            .contains("buckets")
    );
    assert!(
        with(|plan| (plan.maxn, plan.bucket, plan.pruned) = (3, 9, Some(vec![(9, 0)])))
            .contains("bucket `9`")
    );
    assert!(
        with(|plan| (plan.maxn, plan.bucket, plan.pruned) = (3, 9, Some(vec![(1, 0), (1, 1)])))
            .contains("two rows")
    );
    assert!(
        with(|plan| (plan.maxn, plan.bucket, plan.pruned) = (3, 9, Some(vec![(1, 7)]))).contains("needs 11")
    );
    assert!(with(|plan| plan.words[1].0 = "bad").contains("is there twice"));
    assert!(with(|plan| plan.input[0][0] = f32::NAN).contains("`NaN`"));
    assert!(with(|plan| plan.output.truncate(1)).contains("output matrix has 1 rows"));
    assert!(with(|plan| (plan.labels.clear(), plan.output.clear()).1).contains("`0` labels"));
    assert!(with(|plan| (plan.loss, plan.labels[0].1) = (1, 1)).contains("order of their counts"));
}

#[test]
fn counts_of_the_head_that_the_file_cannot_hold_take_no_memory() {
    let whole = Plan::default().bytes();
    // Where the numbers of entries, of n-grams kept, and the sides of the matrices stand.
    let head = 8 + 12 * 4 + 8;
    let matrix = whole.len() - 2 * (1 + 16) - 4 * 4 - 6 * 4;
    for (place, width) in
        [(head, 4), (head + 4, 4), (head + 8, 4), (head + 20, 8), (matrix + 1, 8), (matrix + 9, 8)]
    {
        for value in [i64::MAX, i64::from(i32::MAX), -2, 1 << 31] {
            let mut bytes = whole.clone();
            bytes[place..place + width].copy_from_slice(&value.to_le_bytes()[..width]);
            let error = read(&bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{place} {value} {error}");
        }
    }
}

proptest! {
    #[test]
    fn a_file_cut_off_anywhere_is_refused(share in 0.0..1.0f64) {
        let whole = Plan::default().bytes();
        let length = (whole.len() as f64 * share) as usize;
        prop_assert!(read(&whole[..length]).is_err());
        // The file may also grow shorter while it is read.
        let shorter = Model::read(&mut &whole[..length], whole.len() as u64);
        prop_assert!(shorter.is_err());
    }

    #[test]
    fn a_file_with_any_byte_changed_is_refused_or_answers(
        place in 0usize..400, value in any::<u8>(), text in "[a-d ]{0,20}", loss in 1i32..5
    ) {
        let plan = Plan { loss, maxn: 2, bucket: 5, input: vec![vec![0.5; 2]; 8], word_ngrams: 2, ..Plan::default() };
        let mut bytes = plan.bytes();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok(model) = read(&bytes) {
            for found in model.predictor().predict(&text, 3) {
                prop_assert!(found.probability >= 0.0 && found.probability.is_finite());
            }
        }
    }
}
