//! The pool against one that computes every F from the definition.

use proptest::prelude::*;
use thresher_core::{Error, Observer, Unobserved};

use super::*;

/// Tokens by the definition of rouge-score: the text in lower case, and what is between other characters.
fn naive_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The table of the definition, a row at a time.
pub(super) fn lcs_by_definition<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut above = vec![0; b.len() + 1];
    for x in a {
        let mut row = vec![0; b.len() + 1];
        for (at, y) in b.iter().enumerate() {
            row[at + 1] = if x == y { above[at] + 1 } else { above[at + 1].max(row[at]) };
        }
        above = row;
    }
    above[b.len()]
}

fn naive_f(a: &str, b: &str) -> f64 {
    let (a, b) = (naive_tokens(a), naive_tokens(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let lcs = lcs_by_definition(&a, &b) as f64;
    let (precision, recall) = (lcs / b.len() as f64, lcs / a.len() as f64);
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// Numbered words in a row.
fn numbered(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
}

/// All texts by their F, the first of equal ones first.
fn naive_order(pool: &[String], text: &str) -> Vec<Similar> {
    let score = |(index, member): (usize, &String)| Similar { index, f: naive_f(text, member) };
    let mut all: Vec<Similar> = pool.iter().enumerate().map(score).collect();
    all.sort_by(|a, b| b.f.partial_cmp(&a.f).unwrap());
    all
}

/// Texts of few words, so that many are alike, some of them longer than a word of bits; and near-copies of each other.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![4 => "[a-f]", 2 => "[a-d][a-d]", 1 => Just("the".to_owned()), 1 => Just("\u{212A}é".to_owned())];
    let text = prop_oneof![
        8 => prop::collection::vec(word.clone(), 0..14),
        1 => prop::collection::vec(word.clone(), 50..140),
        1 => (word.clone(), 1..90usize).prop_map(|(word, count)| vec![word; count]),
    ];
    let edit =
        (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), word), 0..5));
    (prop::collection::vec(text, 1..12), prop::collection::vec(edit, 0..14)).prop_map(|(mut texts, edits)| {
        for (of, words) in edits {
            let mut copy = texts[of.index(texts.len())].clone();
            for (at, word) in words {
                if copy.is_empty() || word.len() == 1 {
                    copy.insert(at.index(copy.len() + 1), word);
                } else {
                    let at = at.index(copy.len());
                    copy[at] = word;
                }
            }
            texts.push(copy);
        }
        texts.into_iter().map(|words| words.join(" ")).collect()
    })
}

fn thresholds() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(0.7), 1 => prop::sample::select(vec![0.0, 0.2, 0.5, 0.6, 0.75, 0.9, 1.0]), 1 => 0.0..1.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn decisions_are_those_of_all_comparisons(
        texts in texts(),
        seeds in 0..4usize,
        threshold in thresholds(),
    ) {
        let mut pool = Pool::try_new(threshold, Tokens::Rouge).unwrap();
        let mut members: Vec<String> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            if at < seeds {
                pool.add(text).unwrap();
                members.push(text.clone());
                continue;
            }
            let order = naive_order(&members, text);
            let expected = order.first().copied().filter(|first| first.f > threshold);
            prop_assert_eq!(pool.check(text, &Unobserved).unwrap(), expected, "{:?} in {:?}", text, &members);
            for count in [1, 3, members.len() + 1] {
                let nearest = pool.nearest(text, count, &Unobserved).unwrap();
                prop_assert_eq!(&nearest[..], &order[..count.min(members.len())]);
            }
            if expected.is_none() {
                pool.add(text).unwrap();
                members.push(text.clone());
            }
            prop_assert_eq!(pool.len(), members.len());
        }
    }

    #[test]
    fn many_texts_at_once_are_decided_as_one_by_one(texts in texts(), threshold in thresholds()) {
        let mut one_by_one = Pool::try_new(threshold, Tokens::Word).unwrap();
        let mut verdicts = Vec::new();
        for text in &texts {
            let similar = one_by_one.check(text, &Unobserved).unwrap();
            if similar.is_none() {
                one_by_one.add(text).unwrap();
            }
            verdicts.push(similar.map_or(Verdict::Novel, Verdict::Similar));
        }
        let mut pool = Pool::try_new(threshold, Tokens::Word).unwrap();
        let given: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        prop_assert_eq!(pool.offer(&given, &Unobserved).unwrap(), verdicts);
        prop_assert_eq!(pool.len(), one_by_one.len());
    }

    #[test]
    fn a_pair_is_scored_by_the_definition(texts in texts()) {
        for text in &texts {
            let f = rouge_l(&texts[0], text, Tokens::Rouge, &Unobserved).unwrap();
            prop_assert_eq!(f.to_bits(), naive_f(&texts[0], text).to_bits());
            prop_assert_eq!(f.to_bits(), rouge_l(text, &texts[0], Tokens::Rouge, &Unobserved).unwrap().to_bits());
        }
    }
}

#[test]
fn a_pool_of_copies_costs_one_comparison_and_names_the_first() {
    let mut pool = Pool::try_new(0.7, Tokens::Rouge).unwrap();
    pool.add("something else").unwrap();
    for _ in 0..20_000 {
        pool.add("Write a poem about the sea!").unwrap();
        pool.add("").unwrap();
    }
    let verdicts = pool.offer(&vec![Some("write a poem about the old sea"); 2_000], &Unobserved).unwrap();
    let f = naive_f("write a poem about the sea", "write a poem about the old sea");
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Similar(Similar { index: 1, f })));
    let same = pool.check("WRITE a poem about the sea", &Unobserved).unwrap();
    assert_eq!(same, Some(Similar { index: 1, f: 1.0 }));
    let nearest = pool.nearest("a poem about the sea", 3, &Unobserved).unwrap();
    assert_eq!(nearest.iter().map(|similar| similar.index).collect::<Vec<_>>(), [1, 3, 5]);
    assert_eq!(pool.nearest("zebra", 2, &Unobserved).unwrap(), [0, 1].map(|index| Similar { index, f: 0.0 }));
    assert_eq!(pool.len(), 40_001);
}

#[test]
fn texts_of_one_token_and_texts_without_one() {
    let mut pool = Pool::try_new(0.7, Tokens::Rouge).unwrap();
    let text = |count: usize| "ha ".repeat(count);
    for count in 1..=2_000 {
        pool.add(&text(count)).unwrap();
    }
    assert_eq!(pool.check(&text(5_000), &Unobserved).unwrap(), None);
    let similar = pool.check(&text(2_400), &Unobserved).unwrap().unwrap();
    assert_eq!(similar, Similar { index: 1_999, f: f_measure(2_000, 2_400, 2_000) });
    for empty in ["", "?!", "数据"] {
        assert_eq!(pool.check(empty, &Unobserved).unwrap(), None);
        assert_eq!(
            pool.offer(&[Some(empty), None], &Unobserved).unwrap(),
            [Verdict::Novel, Verdict::Missing]
        );
    }
    assert_eq!(pool.nearest("", 1, &Unobserved).unwrap(), [Similar { index: 0, f: 0.0 }]);
}

#[test]
fn texts_of_megabytes_are_decided() {
    let long = numbered(0..300_000);
    let mut pool = Pool::try_new(0.7, Tokens::Rouge).unwrap();
    pool.add("a short one").unwrap();
    pool.add(&long).unwrap();
    let edited = long.replacen("w77 ", "", 1);
    let f = f_measure(299_999, 300_000, 299_999);
    assert_eq!(pool.check(&edited, &Unobserved).unwrap(), Some(Similar { index: 1, f }));
    let nearest = pool.nearest(&edited, 3, &Unobserved).unwrap();
    assert_eq!(nearest, [Similar { index: 1, f }, Similar { index: 0, f: 0.0 }]);
    assert_eq!(pool.check(&"na ".repeat(3_000_000), &Unobserved).unwrap(), None);
}

/// Agrees to go on a few times.
struct Stops(std::sync::atomic::AtomicUsize);

impl Observer for Stops {
    fn cancelled(&self) -> bool {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 3
    }
}

#[test]
fn who_wants_to_stop_is_heard_and_the_pool_stays_usable() {
    let long = numbered((0..2_000).map(|at| at % 90));
    let other = numbered((0..2_000).map(|at| at * 7 % 91));
    let mut pool = Pool::try_new(0.0, Tokens::Rouge).unwrap();
    pool.add(&long).unwrap();
    let stops = || Stops(0.into());
    assert_eq!(pool.check(&other, &stops()), Err(Error::Cancelled));
    assert_eq!(pool.nearest(&other, 1, &stops()), Err(Error::Cancelled));
    assert_eq!(rouge_l(&other, &long, Tokens::Rouge, &stops()), Err(Error::Cancelled));
    let verdicts = pool.offer(&[Some("one"), Some("two"), Some("three"), Some("four")], &stops());
    assert_eq!(verdicts, Err(Error::Cancelled));
    assert_eq!(pool.len(), 4);
    let expected = [Similar { index: 0, f: naive_f(&other, &long) }];
    assert_eq!(pool.nearest(&other, 1, &Unobserved).unwrap(), expected);
    assert_eq!(pool.check(&other, &Unobserved).unwrap(), Some(expected[0]));
}

#[test]
fn thresholds_outside_of_the_range_are_refused_with_it() {
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let message = Pool::try_new(bad, Tokens::Rouge).unwrap_err().to_string();
        assert!(message.contains(&format!("`{bad}`")) && message.contains("[0, 1]"), "{message}");
    }
}
