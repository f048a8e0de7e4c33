//! The detector against one that takes the rules as they are defined, and against texts that were written to hurt it.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use proptest::prelude::*;
use thresher_core::words::for_each_word_at;
use thresher_core::{Secret, Unobserved};

use super::*;

fn secret(byte: u8) -> Secret {
    Secret::new(&std::array::from_fn(|at| byte.wrapping_mul(31).wrapping_add((at * at % 251) as u8)))
}

fn options(rule: &str, threshold: Option<f64>, fuzzy: bool) -> Options {
    Options { rule: Rule::named(rule, threshold).unwrap(), fuzzy, common: 10 }
}

/// A benchmark of items, each a list of fields.
fn benchmark<T: AsRef<str>>(items: &[Vec<(Side, T)>]) -> Benchmark {
    let field = |(at, (side, text)): (usize, &(Side, T))| Field {
        name: format!("f{at}"),
        side: *side,
        text: text.as_ref().to_owned(),
    };
    let item = |(row, fields): (usize, &Vec<(Side, T)>)| Item {
        row: row as u64,
        fields: fields.iter().enumerate().map(field).collect(),
    };
    Benchmark { name: "b".into(), items: items.iter().enumerate().map(item).collect() }
}

fn index_of<T: AsRef<str>>(items: &[Vec<(Side, T)>], options: Options) -> Index {
    Index::build(&[benchmark(items)], options, &secret(1)).unwrap()
}

/// An index of prompts, one an item.
fn prompts(texts: &[&str], options: Options) -> Index {
    index_of(&texts.iter().map(|&text| vec![(Side::Prompt, text)]).collect::<Vec<_>>(), options)
}

fn check(index: &Index, text: &str) -> Option<Verdict> {
    Detector::new(index).check(text)
}

fn rows(index: &Index, text: &str) -> Vec<u32> {
    check(index, text).map_or(vec![], |verdict| verdict.matches.iter().map(|found| found.row).collect())
}

fn words_of(text: &str) -> Vec<(Range<usize>, String)> {
    let mut words = Vec::new();
    for_each_word_at(text, |place, word| words.push((place, word.to_owned())));
    words
}

fn differs(gram: &[String]) -> bool {
    gram.iter().filter(|word| word.len() > 1).collect::<HashSet<_>>().len() >= 3
}

/// What a rule says, from its definition: the overlap of each row whose prompt is found, and the bytes of its words.
fn naive(
    rule: &str,
    share: f64,
    ngram: usize,
    fields: &[String],
    text: &str,
) -> (BTreeMap<u32, f64>, Vec<bool>) {
    let words = words_of(text);
    let plain: Vec<String> = words.iter().map(|(_, word)| word.clone()).collect();
    let of_text: HashSet<&[String]> = plain.windows(ngram).collect();
    let mut found = BTreeMap::new();
    let mut held = vec![false; words.len()];
    for (row, field) in fields.iter().enumerate() {
        let field: Vec<String> = words_of(field).into_iter().map(|(_, word)| word).collect();
        let grams: Vec<(usize, &[String])> =
            field.windows(ngram).enumerate().filter(|(_, gram)| differs(gram)).collect();
        let shared: Vec<&(usize, &[String])> =
            grams.iter().filter(|(_, gram)| of_text.contains(gram)).collect();
        let covered = |grams: &mut dyn Iterator<Item = usize>| {
            grams.flat_map(|at| at..at + ngram).collect::<HashSet<_>>().len() as f64
        };
        let overlap = if rule == "llama3-8" {
            covered(&mut shared.iter().map(|gram| gram.0)) / covered(&mut grams.iter().map(|gram| gram.0))
        } else {
            shared.len() as f64 / grams.len() as f64
        };
        let enough = if rule.starts_with("ngram") { !shared.is_empty() } else { overlap >= share };
        if !enough || grams.is_empty() {
            continue;
        }
        found.insert(row as u32, overlap);
        let shared: HashSet<&[String]> = shared.iter().map(|gram| gram.1).collect();
        for (at, gram) in plain.windows(ngram).enumerate() {
            if shared.contains(gram) {
                held[at..at + ngram].fill(true);
            }
        }
    }
    let mut marked = vec![false; text.len()];
    for at in (0..words.len()).filter(|&at| held[at]) {
        let start = if at > 0 && held[at - 1] { words[at - 1].0.end } else { words[at].0.start };
        marked[start..words[at].0.end].fill(true);
    }
    (found, marked)
}

/// Texts of few words, so that n-grams come again, with punctuation, capitals and other scripts between them.
fn text(words: Range<usize>) -> impl Strategy<Value = String> {
    let word = prop_oneof![6 => "[a-c]z", 2 => "[A-C][a-b]", 1 => "[a-b0-1]", 1 => Just("Éa".to_owned()), 1 => Just("数".to_owned())];
    let blank = prop_oneof![5 => Just(" "), 1 => Just(", "), 1 => Just("\n\n"), 1 => Just(" — ")];
    prop::collection::vec((word, blank), words)
        .prop_map(|parts| parts.into_iter().map(|(word, blank)| word + blank).collect())
}

proptest! {
    #[test]
    fn rules_find_what_their_definition_finds(
        fields in prop::collection::vec(text(8..30), 1..6),
        before in text(0..40),
        after in text(0..40),
        leak in any::<prop::sample::Index>(),
        (rule, share) in prop_oneof![
            Just(("ngram:5", 0.0)), Just(("ngram:8", 0.0)), Just(("palm-70", 0.7)), Just(("palm-70", 0.2)),
            Just(("llama3-8", 0.8)), Just(("llama3-8", 0.3)),
        ],
    ) {
        // Equal fields are one item, which has the first row.
        let mut fields = fields;
        let mut seen = HashSet::new();
        fields.retain(|field| seen.insert(field.clone()));
        let threshold = (share > 0.0).then_some(share);
        let index = prompts(&fields.iter().map(String::as_str).collect::<Vec<_>>(), options(rule, threshold, false));
        let text = before + &fields[leak.index(fields.len())] + &after;
        let (found, marked) = naive(rule, share, index.options().rule.ngram(), &fields, &text);
        let verdict = check(&index, &text);
        let ours: BTreeMap<u32, f64> =
            verdict.iter().flat_map(|verdict| &verdict.matches).map(|one| (one.row, one.overlap)).collect();
        prop_assert_eq!(&ours, &found);
        let mut spans = vec![false; text.len()];
        for span in verdict.iter().flat_map(|verdict| &verdict.spans) {
            prop_assert!(!spans[span.start], "spans lie apart");
            spans[span.clone()].fill(true);
        }
        prop_assert_eq!(spans, marked);
        for found in verdict.iter().flat_map(|verdict| &verdict.matches) {
            prop_assert!(verdict.as_ref().unwrap().spans.iter().any(|span| span.start <= found.span.start && found.span.end <= span.end));
        }
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_secret_or_the_threads(
        fields in prop::collection::vec(text(5..40), 1..6),
        texts in prop::collection::vec(text(0..60), 0..6),
        key in 2..200u8,
        fuzzy in any::<bool>(),
    ) {
        let items: Vec<Vec<(Side, String)>> = fields.into_iter().map(|field| vec![(Side::Prompt, field)]).collect();
        let options = options("ngram:6", None, fuzzy);
        let (one, other) = (index_of(&items, options), Index::build(&[benchmark(&items)], options, &secret(key)).unwrap());
        let borrowed: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        let all = check_all(&borrowed, &other, &Unobserved).unwrap();
        let by_one: Vec<Option<Verdict>> = texts.iter().map(|text| check(&one, text)).collect();
        prop_assert_eq!(all, by_one);
    }
}

const QUESTION: &str =
    "Weng earns twelve dollars an hour for babysitting, and yesterday she just did fifty minutes of it.";

#[test]
fn a_leak_is_found_wherever_it_stands_in_a_long_text() {
    let words = words_of(QUESTION).len();
    for fuzzy in [false, true] {
        let index = prompts(&[QUESTION], options("gpt3-13", None, fuzzy));
        // Around the ends of chunks of the scanner, of what is held, and of segments.
        for filler in
            (0..40).chain(790..840).chain((4060..4110).step_by(3)).chain((32_200..32_800).step_by(41))
        {
            let before = "filler ".repeat(filler);
            let text = format!("{before}{QUESTION} {}", "more ".repeat(filler % 7));
            let verdict = check(&index, &text).unwrap_or_else(|| panic!("behind {filler} words"));
            let place = before.len()..before.len() + QUESTION.len() - 1;
            assert!(matches!(&verdict.spans[..], [only] if *only == place), "behind {filler} words");
            let [only] = &verdict.matches[..] else { panic!("{verdict:?}") };
            assert_eq!((only.row, only.overlap, only.edited), (0, 1.0, false));
            assert_eq!(only.span, verdict.spans[0]);
        }
        // One word less than an n-gram is nothing, however often.
        let part: Vec<&str> = QUESTION.split(' ').take(12).collect();
        assert!(words > 13);
        let exact = prompts(&[QUESTION], options("gpt3-13", None, false));
        assert_eq!(check(&exact, &(part.join(" ") + " and ").repeat(500)), None);
    }
}

#[test]
fn short_answers_count_behind_their_prompts_and_never_alone() {
    let long = vec![(Side::Prompt, QUESTION), (Side::Answer, "10")];
    let short = vec![(Side::Prompt, "Who wrote the play Hamlet?"), (Side::Answer, "William Shakespeare")];
    let index = index_of(&[long, short], options("gpt3-13", None, false));
    let of = |text: &str| -> Vec<(u32, &'static str)> {
        let matches = check(&index, text).map_or(vec![], |verdict| verdict.matches);
        matches.iter().map(|found| (found.row, found.side.name())).collect()
    };
    assert_eq!(of("She was 10. William Shakespeare and the play Hamlet; who wrote the play Hamlet?"), []);
    assert_eq!(of(&format!("{QUESTION}\nAnswer: 10")), [(0, "prompt"), (0, "answer")]);
    assert_eq!(of(&format!("{QUESTION} Answer: 11")), [(0, "prompt")]);
    for between in ["", "A:", "Answer:", "The answer is"] {
        assert_eq!(
            of(&format!("1. Who wrote the play Hamlet? {between} William Shakespeare.")),
            [(1, "answer")]
        );
    }
    assert_eq!(of("Who wrote the play Hamlet? Not William Shakespeare."), []);
}

#[test]
fn what_frames_many_items_identifies_none() {
    let frame = "Answer the following question with a single letter and give no other explanation of it";
    let items: Vec<String> =
        (0..12).map(|n| format!("{frame}. Number {n} of {} is {}?", n * 3 + 1, n * 7)).collect();
    let texts: Vec<&str> = items.iter().map(String::as_str).collect();
    let index = prompts(&texts, options("gpt3-13", None, false));
    assert_eq!(rows(&index, frame), []);
    assert_eq!(rows(&index, &format!("say {}", items[4])), [4]);
    let few = prompts(&texts[..10], options("gpt3-13", None, false));
    assert_eq!(rows(&few, frame).len(), 10);
    // An item that a benchmark repeats is one item.
    let repeated = prompts(&[texts[3]; 50], options("gpt3-13", None, false));
    assert_eq!(rows(&repeated, texts[3]), [0]);
    assert_eq!((repeated.benchmarks()[0].items, repeated.benchmarks()[0].repeated), (50, 49));
    // Nothing is left of an item that is nothing but the frame; the report says so.
    let only = prompts(&[frame, QUESTION], Options { common: 0, ..options("gpt3-13", None, false) });
    assert_eq!((rows(&only, QUESTION).len(), only.benchmarks()[0].unfindable), (0, 2));
}

#[test]
fn rows_of_tables_and_counting_identify_nothing() {
    let index = prompts(&["0 1 0 0 1 0 1 0 0 0 1 0 0 0 0 1", QUESTION], options("gpt3-13", None, true));
    assert_eq!(rows(&index, &"0 1 0 0 1 0 1 0 0 0 1 0 0 0 0 1".repeat(20)), []);
    assert_eq!(index.benchmarks()[0].unfindable, 1);
    let count =
        "Return the digits 0 1 2 3 4 5 6 7 8 9 a b c d e f in the order in which they were given to it";
    let index = prompts(&[count], options("gpt3-13", None, false));
    assert_eq!(rows(&index, "0 1 2 3 4 5 6 7 8 9 A B C D E F and so on"), []);
    assert_eq!(rows(&index, count), [0]);
}

/// Numbers that look like chance.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    /// Words of a vocabulary in which few are frequent.
    fn words(&mut self, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| format!("w{}", self.below(40).pow(2) + self.below(1 + self.0 as usize % 40)))
            .collect()
    }

    /// A word in each ten inserted, deleted or changed.
    fn edited(&mut self, words: &[String]) -> Vec<String> {
        let mut edited = Vec::new();
        for ten in words.chunks(10) {
            let place = if ten.len() == 10 { self.below(10) } else { usize::MAX };
            let kind = self.below(3);
            for (at, word) in ten.iter().enumerate() {
                if at != place || kind == 0 {
                    edited.push(word.clone());
                }
                if at == place && kind < 2 {
                    edited.push(format!("edit{}", self.below(1000)));
                }
            }
        }
        edited
    }
}

#[test]
fn edited_items_are_found_and_clean_texts_are_not() {
    let mut draw = Draw(5);
    let lengths: Vec<usize> =
        (0..600).map(|_| if draw.below(9) == 0 { 700 } else { 13 + draw.below(90) }).collect();
    let items: Vec<Vec<String>> = lengths.iter().map(|&length| draw.words(length)).collect();
    let texts: Vec<String> = items.iter().map(|words| words.join(" ")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let index = prompts(&texts, options("gpt3-13", None, true));
    let mut missed = Vec::new();
    for (row, item) in items.iter().enumerate() {
        let (before, after) = (draw.below(300), draw.below(300));
        let text = [draw.words(before), draw.edited(item), draw.words(after)].concat().join(" ");
        match check(&index, &text) {
            None => missed.push(item.len()),
            Some(verdict) => {
                let found: HashSet<u32> = verdict.matches.iter().map(|found| found.row).collect();
                assert_eq!(found, HashSet::from([row as u32]), "nothing else is in the text");
            }
        }
    }
    assert!(missed.len() <= 30, "missed {} of 600: {missed:?}", missed.len());
    for _ in 0..300 {
        assert_eq!(check(&index, &draw.words(2_000).join(" ")), None);
    }
}

#[test]
fn an_edited_item_that_two_segments_share_is_found_once() {
    let mut draw = Draw(9);
    for (words, step) in [(120, 50), (24, 5)] {
        let item = draw.words(words);
        let index = prompts(&[item.join(" ").as_str()], options("ngram:64", None, true));
        let edited = draw.edited(&item).join(" ");
        for before in (32_600..33_400).step_by(step) {
            let text = format!("{}{edited} end", "filler ".repeat(before));
            let verdict = check(&index, &text).unwrap_or_else(|| panic!("behind {before} words"));
            assert_eq!(verdict.matches.len(), 1);
            assert!(verdict.matches[0].edited && verdict.matches[0].overlap >= 0.8);
            let [span] = &verdict.spans[..] else { panic!("{:?}", verdict.spans) };
            let (start, end) = (7 * before, 7 * before + edited.len());
            // An edit at either end may take a word beside the item for one of it.
            let is_whole = span.start.abs_diff(start) <= 40 && span.end.abs_diff(end) <= 40;
            assert!(is_whole, "{span:?} in {start}..{end}");
        }
    }
}

#[test]
fn texts_and_references_of_one_word_or_of_seeds_alone_cost_linear_time() {
    let many = "aa bb cc ".repeat(200_000);
    let index = prompts(&[many.as_str(), QUESTION], options("gpt3-13", None, true));
    assert_eq!(rows(&index, &many), [0]);
    assert_eq!(rows(&index, &"a ".repeat(1_000_000)), []);
    let mut draw = Draw(3);
    let items: Vec<String> = (0..400).map(|_| draw.words(60).join(" ")).collect();
    let texts: Vec<&str> = items.iter().map(String::as_str).collect();
    let index = prompts(&texts, options("gpt3-13", None, true));
    let seeds: Vec<String> = (0..60_000)
        .map(|_| {
            let words: Vec<&str> = texts[draw.below(400)].split(' ').collect();
            let start = draw.below(50);
            words[start..start + 6].join(" ")
        })
        .collect();
    check(&index, &seeds.join(" x "));
    assert_eq!(check(&index, ""), None);
    assert_eq!(check(&index, "...\u{0}\u{feff} — \n"), None);
    assert_eq!(check(&index, &"x".repeat(3_000_000)), None);
}

#[test]
fn references_without_words_find_nothing() {
    for items in [vec![], vec![vec![]], vec![vec![(Side::Prompt, "")]], vec![vec![(Side::Answer, "!!")]]] {
        for fuzzy in [false, true] {
            let index = index_of::<&str>(&items, options("palm-70", None, fuzzy));
            assert_eq!(check(&index, QUESTION), None);
            assert_eq!(index.ngrams(), 0);
            assert_eq!(index.benchmarks()[0].unfindable, items.len() as u64);
        }
    }
    let index = Index::build(&[], options("palm-70", None, true), &secret(1)).unwrap();
    assert_eq!(check(&index, QUESTION), None);
}

#[test]
fn findings_count_documents_and_items_of_each_benchmark() {
    let names = |name: &str, text: &str| Benchmark {
        name: name.into(),
        ..benchmark(&[vec![(Side::Prompt, text.to_owned())]])
    };
    let other = "The quick brown fox jumps over the lazy dog while a large cat looks at both of them";
    let index = Index::build(
        &[names("one", QUESTION), names("two", other)],
        options("gpt3-13", None, false),
        &secret(1),
    )
    .unwrap();
    let mut findings = Findings::default();
    for text in [format!("{QUESTION} {other}"), format!("{other} {other}"), "clean".into()] {
        if let Some(verdict) = check(&index, &text) {
            findings.add(&verdict);
        }
    }
    assert_eq!((findings.documents(0), findings.documents(1)), (1, 2));
    assert_eq!(findings.items(1).collect::<Vec<_>>(), [(0, 2)]);
    assert_eq!(findings.items(7).count(), 0);
}
