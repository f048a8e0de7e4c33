//! The trainer against one that counts all pairs anew for every merge, as the definition says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use thresher_core::parallel::Pool;
use thresher_core::{Secret, Unobserved};

use super::*;

fn counted(words: &[(Vec<u8>, u64)]) -> Counts {
    let mut counts = Counts::new(&Secret::new(&[3; Secret::LEN]));
    for (word, times) in words {
        counts.add(word, *times);
    }
    counts
}

fn trained(words: &[(Vec<u8>, u64)], options: &BpeOptions) -> Bpe {
    train(counted(words), options, &Pool, &Unobserved).unwrap()
}

/// The same by the definition.
fn by_definition(words: &[(Vec<u8>, u64)], options: &BpeOptions) -> Bpe {
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (word, times) in words.iter().filter(|(word, _)| !word.is_empty()) {
        *counts.entry(word.clone()).or_default() += times;
    }
    let special = &options.special_tokens;
    let mut tokens = special.clone();
    for byte in alphabet::bytes_in_order() {
        let written = alphabet::written(&[byte]);
        if !tokens.contains(&written) {
            tokens.push(written);
        }
    }
    let id_of = |tokens: &[String], token: &str| tokens.iter().position(|other| other == token);
    let mut split: Vec<(Vec<usize>, u64)> = counts
        .iter()
        .map(|(word, times)| {
            let ids = word.iter().map(|byte| id_of(&tokens, &alphabet::written(&[*byte])).unwrap());
            (ids.collect(), *times)
        })
        .collect();
    // Symbols in bytes; a special token is as long as what it spells.
    let length = |token: &str| token.chars().count();
    let mut merges = Vec::new();
    while tokens.len() < options.vocab_size as usize {
        let mut pairs: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (ids, times) in &split {
            for pair in ids.windows(2) {
                *pairs.entry((pair[0], pair[1])).or_default() += times;
            }
        }
        let longest = options.max_token_length.map_or(usize::MAX, |length| length as usize);
        pairs.retain(|(left, right), count| {
            *count >= options.min_frequency.max(1)
                && length(&tokens[*left]) + length(&tokens[*right]) <= longest
        });
        // The first of the greatest, in the order of ids.
        let Some((&(left, right), _)) = pairs.iter().rev().max_by_key(|(_, count)| **count) else { break };
        let joined = format!("{}{}", tokens[left], tokens[right]);
        let new = id_of(&tokens, &joined).unwrap_or_else(|| {
            tokens.push(joined);
            tokens.len() - 1
        });
        merges.push((left as u32, right as u32, new as u32));
        for (ids, _) in &mut split {
            let mut at = 0;
            while at + 1 < ids.len() {
                if (ids[at], ids[at + 1]) == (left, right) {
                    ids.splice(at..at + 2, [new]);
                }
                at += 1;
            }
        }
    }
    let mut occurrences = vec![0; tokens.len()];
    for (ids, times) in split {
        for id in ids {
            occurrences[id] += times;
        }
    }
    Bpe { tokens, special_tokens: special.len(), merges, occurrences, words: counts.len() as u64 }
}

fn options(vocab_size: u32) -> BpeOptions {
    BpeOptions { vocab_size, ..BpeOptions::default() }
}

/// Words of few letters, so that pairs overlap, tie and repeat.
fn words() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    let word = prop::collection::vec(prop::sample::select(b"ab\x00c ".to_vec()), 1..24);
    prop::collection::vec((word, prop_oneof![1u64..4, 1u64..2000]), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merges_are_those_of_the_definition(
        words in words(),
        merges in 0u32..80,
        min_frequency in prop_oneof![Just(0u64), 1u64..50],
        max_token_length in prop_oneof![Just(None), (1u32..9).prop_map(Some)],
        special_tokens in prop_oneof![Just(vec![]), Just(vec!["ab".to_owned(), "<s>".to_owned(), "c".to_owned(), "é".to_owned()])],
    ) {
        let options = BpeOptions { vocab_size: 260 + merges, special_tokens, min_frequency, max_token_length };
        prop_assert_eq!(trained(&words, &options), by_definition(&words, &options));
    }
}

#[test]
fn one_repeated_letter_is_paired_from_the_left() {
    for length in 1..70 {
        let words = [(vec![b'a'; length], 1), (vec![b'a'; length / 2], 7)];
        assert_eq!(trained(&words, &options(264)), by_definition(&words, &options(264)), "{length}");
    }
}

#[test]
fn one_word_of_16_mb_takes_linear_time() {
    let word: Vec<u8> = (0..16 << 20)
        .map(|at: u64| b'a' + (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8 % 7)
        .collect();
    let bpe = trained(&[(word.clone(), 1), (vec![b'z'; 1 << 20], 3)], &options(1000));
    assert_eq!(bpe.merges.len(), 744);
    let bytes: u64 = bpe
        .tokens
        .iter()
        .zip(&bpe.occurrences)
        .map(|(token, count)| token.chars().count() as u64 * count)
        .sum();
    assert_eq!(bytes, (16 << 20) + (3 << 20));
}

#[test]
fn an_empty_corpus_gives_the_bytes_alone() {
    let bpe = trained(&[], &options(1000));
    assert_eq!((bpe.tokens.len(), bpe.merges.len()), (256, 0));
    assert_eq!(bpe.tokens[0], "!");
}

#[test]
fn a_frequency_that_nothing_reaches_leaves_the_bytes() {
    let options = BpeOptions { vocab_size: 1000, min_frequency: 10, ..BpeOptions::default() };
    assert_eq!(trained(&[(b"abab".to_vec(), 4)], &options).merges, []);
}

#[test]
fn options_that_cannot_be_met_are_refused_by_their_values() {
    let special = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let refused = |options: &BpeOptions| check(options).unwrap_err().to_string();
    let small = BpeOptions { vocab_size: 257, special_tokens: special(&["<s>", "</s>"]), ..options(0) };
    assert!(refused(&small).contains("`257`") && refused(&small).contains("258"), "{}", refused(&small));
    let twice = BpeOptions { vocab_size: 999, special_tokens: special(&["<s>", "<s>"]), ..options(0) };
    assert!(refused(&twice).contains("has `<s>` twice"));
    let empty = BpeOptions { vocab_size: 999, special_tokens: special(&[""]), ..options(0) };
    assert!(refused(&empty).contains("at least one character"));
    // One that is a byte takes no second place.
    assert_eq!(check(&BpeOptions { vocab_size: 256, special_tokens: special(&["a"]), ..options(0) }), Ok(()));
}
