//! The trainer on small corpora: laws that any vocabulary has, and what is learned where the answer is known.

use std::collections::BTreeMap;

use proptest::prelude::*;
use thresher_core::parallel::{Pool, Threads};
use thresher_core::{Secret, Unobserved};

use super::*;

struct OneThread;

impl Threads for OneThread {
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..parts).for_each(work);
    }
}

fn counted(words: &[(String, u64)]) -> Counts {
    let mut counts = Counts::new(&Secret::new(&[5; Secret::LEN]));
    for (word, times) in words {
        counts.add(word.as_bytes(), *times);
    }
    counts
}

fn options(pieces: u32) -> UnigramOptions {
    UnigramOptions { vocab_size: 257 + pieces, ..UnigramOptions::default() }
}

fn trained(words: &[(String, u64)], options: &UnigramOptions, threads: &dyn Threads) -> Unigram {
    train(counted(words), options, threads, &Unobserved).unwrap()
}

fn words() -> impl Strategy<Value = Vec<(String, u64)>> {
    let word = "[ ]?[abé東\u{0}]{1,40}";
    prop::collection::vec((word, prop_oneof![1u64..4, 1u64..5000]), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_vocabulary_is_of_the_size_asked_for_and_covers_every_word(words in words(), pieces in 6u32..60) {
        let unigram = trained(&words, &options(pieces), &Pool);
        prop_assert!(unigram.pieces.len() <= pieces as usize);
        prop_assert_eq!(&unigram.special_tokens, &[UNKNOWN]);
        let known: BTreeMap<&str, f64> = unigram.pieces.iter().map(|(piece, score)| (piece.as_str(), *score)).collect();
        prop_assert_eq!(known.len(), unigram.pieces.len());
        for (word, _) in &words {
            for c in word.chars() {
                prop_assert!(known.contains_key(c.to_string().as_str()), "{c:?}");
            }
        }
        prop_assert!(unigram.pieces.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        prop_assert!(unigram.pieces.iter().all(|(_, score)| score.is_finite() && *score <= 0.0));
        let digits = |score: &f64| score.to_string().bytes().filter(u8::is_ascii_digit).count();
        prop_assert!(unigram.pieces.iter().all(|(_, score)| digits(score) <= 15));
        // Nothing is lost: the pieces of the most likely cuts are the texts.
        let mut distinct: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, times) in &words {
            *distinct.entry(word).or_default() += times;
        }
        let bytes: u64 = distinct.iter().map(|(word, times)| word.len() as u64 * times).sum();
        prop_assert_eq!(unigram.findings().bytes, bytes);
    }

    #[test]
    fn threads_change_nothing(words in words()) {
        prop_assert_eq!(trained(&words, &options(30), &OneThread), trained(&words, &options(30), &Pool));
    }
}

#[test]
fn seeds_are_the_repeated_substrings_with_their_counts() {
    let words = [
        (" low".to_owned(), 5),
        (" lower".to_owned(), 2),
        ("newest".to_owned(), 6),
        ("widest".to_owned(), 3),
    ];
    let stretches = Words::new(&counted(&words), None).unwrap();
    let found: BTreeMap<String, u64> =
        seeds(&stretches, 1000, &Pool).into_iter().map(|seed| (seed.piece, seed.count)).collect();
    assert_eq!((found[" low"], found["est"], found["newest"], found[" lower"]), (7, 9, 6, 2));
    for (piece, count) in &found {
        let plain: u64 =
            words.iter().map(|(word, times)| word.matches(piece.as_str()).count() as u64 * times).sum();
        assert_eq!(plain, *count, "{piece:?}");
    }
}

#[test]
fn frequent_words_become_pieces() {
    let words: Vec<(String, u64)> = [" the", " of", " and", " house", " houses", " mouse", " louse"]
        .into_iter()
        .zip([900, 800, 700, 60, 50, 40, 30])
        .map(|(word, times)| (word.to_owned(), times))
        .collect();
    let unigram = trained(&words, &options(26), &Pool);
    for word in [" the", " of", " and"] {
        assert!(unigram.pieces[..5].iter().any(|(piece, _)| piece == word), "{word} {:?}", unigram.pieces);
    }
}

#[test]
fn characters_beyond_the_limit_have_no_piece() {
    let words = [("aab".to_owned(), 9), ("abc".to_owned(), 1)];
    let limited = UnigramOptions { limit_alphabet: Some(2), ..options(20) };
    let unigram = trained(&words, &limited, &Pool);
    assert!(unigram.pieces.iter().all(|(piece, _)| !piece.contains('c')), "{:?}", unigram.pieces);
}

#[test]
fn one_repeated_letter_and_an_empty_corpus_are_trained_on() {
    let unigram = trained(&[("a".repeat(100_000), 3)], &options(40), &Pool);
    assert!(unigram.pieces.iter().any(|(piece, _)| piece == "a"));
    assert_eq!(trained(&[], &options(5), &Pool).pieces, []);
}

#[test]
fn options_that_cannot_be_met_are_refused_by_their_values() {
    let said = check(&UnigramOptions { vocab_size: 257, ..options(0) }).unwrap_err().to_string();
    assert!(said.contains("`257`") && said.contains("258"), "{said}");
    let words = [("abcdefghij".to_owned(), 1)];
    let said = train(counted(&words), &options(9), &Pool, &Unobserved).unwrap_err().to_string();
    assert!(said.contains("room for 9 pieces, but the texts have 10 characters"), "{said}");
}

#[test]
fn digamma_is_the_derivative_of_the_logarithm_of_gamma() {
    // digamma(1) = -gamma, digamma(n + 1) = digamma(n) + 1 / n.
    assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-9);
    assert!((digamma(8.5) - digamma(7.5) - 1.0 / 7.5).abs() < 1e-9);
}
