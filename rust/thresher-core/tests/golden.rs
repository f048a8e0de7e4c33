//! Hash scheme 2 against `tests/golden/scheme2.json`, which the readable twin in Python computed.
//!
//! Users store signatures for years: a difference here is a bug in the code, never in the file. Only the public
//! API is used, so what is proven is what callers get.

#![expect(clippy::unwrap_used, reason = "a golden file that cannot be read is a failure")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use thresher_core::hash::SCHEME_VERSION;
use thresher_core::words::for_each_word;
use thresher_core::{Banding, NumHashes, ShingleSpec, ShingleUnit, Shingler, Signer};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/scheme2.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Calls `test` with the name, the text and the whole entry of each document.
fn for_each_document(mut test: impl FnMut(&str, &str, &Value)) {
    let golden = golden();
    let documents = golden["documents"].as_array().unwrap();
    assert!(documents.len() >= 77, "documents are added, never taken away");
    for document in documents {
        test(document["name"].as_str().unwrap(), document["text"].as_str().unwrap(), document);
    }
}

fn hex64(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

fn shingles(unit: ShingleUnit, ngram: usize, text: &str) -> Vec<u64> {
    let mut shingles = Vec::new();
    Shingler::new(ShingleSpec::try_new(unit, ngram).unwrap()).shingles_into(text, &mut shingles);
    shingles
}

#[test]
fn the_file_is_of_this_scheme() {
    assert_eq!(golden()["scheme"], SCHEME_VERSION);
}

#[test]
fn words_are_cut_and_lower_cased_as_written() {
    // A shingle of one word stands for the word: it is a bijection of the word's hash but for collisions.
    for_each_document(|name, text, document| {
        let words = document["words"].as_array().unwrap();
        let expected: Vec<u64> = words
            .iter()
            .flat_map(|word| {
                let alone = shingles(ShingleUnit::Word, 1, word.as_str().unwrap());
                assert_eq!(alone.len(), 1, "{name}: {word} is one word");
                alone
            })
            .collect();
        assert_eq!(shingles(ShingleUnit::Word, 1, text), expected, "{name}");
    });
}

#[test]
fn words_as_strings_are_those_of_the_file() {
    for_each_document(|name, text, document| {
        let mut words = Vec::new();
        for_each_word(text, |word| words.push(word.to_owned()));
        assert_eq!(&Value::from(words), &document["words"], "{name}");
    });
}

#[test]
fn shingles_are_those_of_the_file() {
    for_each_document(|name, text, document| {
        for (key, unit, ngram) in [("word5", ShingleUnit::Word, 5), ("char3", ShingleUnit::Char, 3)] {
            let found: BTreeSet<u64> = shingles(unit, ngram, text).into_iter().collect();
            let expected = &document["shingles"][key];
            if let Some(hashes) = expected["hashes"].as_array() {
                let hashes: Vec<u64> = hashes.iter().map(hex64).collect();
                assert_eq!(found.into_iter().collect::<Vec<_>>(), hashes, "{name}, {key}");
            } else {
                assert_eq!(found.len() as u64, expected["count"], "{name}, {key}");
                assert_eq!(found.iter().fold(0, |x, y| x ^ y), hex64(&expected["xor"]), "{name}, {key}");
                let sum = found.iter().fold(0u64, |x, &y| x.wrapping_add(y));
                assert_eq!(sum, hex64(&expected["sum"]), "{name}, {key}");
            }
        }
    });
}

#[test]
fn signatures_are_those_of_the_file() {
    for_each_document(|name, text, document| {
        for (lanes, expected) in document["signatures"].as_object().unwrap() {
            let num_hashes = NumHashes::try_new(lanes.parse().unwrap()).unwrap();
            let expected: Vec<u32> = expected
                .as_str()
                .unwrap()
                .as_bytes()
                .chunks(8)
                .map(|lane| u32::from_str_radix(std::str::from_utf8(lane).unwrap(), 16).unwrap())
                .collect();
            let mut signer = Signer::new(ShingleSpec::default(), num_hashes);
            match signer.sign(text) {
                Some(signature) => assert_eq!(signature, expected, "{name}, {lanes} lanes"),
                None => assert_eq!(vec![u32::MAX; num_hashes.get()], expected, "{name}, {lanes} lanes"),
            }
        }
    });
}

#[test]
fn band_keys_are_those_of_the_file() {
    let banding = Banding::try_new(21, 6, NumHashes::default()).unwrap();
    let wordless = [u32::MAX; 128];
    for_each_document(|name, text, document| {
        let expected: Vec<u64> = document["band_keys_21x6"].as_array().unwrap().iter().map(hex64).collect();
        let mut signer = Signer::new(ShingleSpec::default(), NumHashes::default());
        let mut keys = [0; 21];
        banding.keys_into(signer.sign(text).unwrap_or(&wordless), &mut keys);
        assert_eq!(keys[..], expected, "{name}");
    });
}
