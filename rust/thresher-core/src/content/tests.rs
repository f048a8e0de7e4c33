//! The hash of texts against its definition, and texts made to collide elsewhere.

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::hash::splitmix64;

fn secret(seed: u64) -> Secret {
    Secret::new(&std::array::from_fn(|at| splitmix64(splitmix64(seed).wrapping_add(at as u64)) as u8))
}

/// `a * b` in the field, one bit at a time.
fn naive_product(a: u128, b: u128) -> u128 {
    (0..127).rev().fold(0, |sum, bit| (2 * sum % P + if b >> bit & 1 == 1 { a % P } else { 0 }) % P)
}

/// The definition, on numbers that are as long as they have to be.
fn naive(hasher: &TextHasher, text: &[u8]) -> u128 {
    let mut coefficients = vec![1];
    for block in text.chunks(BLOCK) {
        let mut padded = block.to_vec();
        padded.resize(block.len().next_multiple_of(16), 0);
        let words: Vec<u64> =
            padded.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        for shift in [0, SHIFT] {
            let keyed = |at: usize| u128::from(words[at].wrapping_add(hasher.keys[at + shift]));
            let sum = (0..words.len())
                .step_by(2)
                .fold(0u128, |sum, at| sum.wrapping_add(keyed(at) * keyed(at + 1)));
            coefficients.extend([sum & u128::from(u64::MAX), sum >> 64]);
        }
    }
    coefficients.push(text.len() as u128);
    coefficients.iter().fold(0, |value, coefficient| (naive_product(value, hasher.point) + coefficient) % P)
}

proptest! {
    #[test]
    fn a_text_has_the_hash_of_the_definition(text in prop::collection::vec(any::<u8>(), 0..3000), seed: u64) {
        let hasher = TextHasher::new(&secret(seed));
        prop_assert_eq!(hasher.hash(&text), naive(&hasher, &text));
    }

    #[test]
    fn a_changed_byte_changes_the_hash(
        text in prop::collection::vec(any::<u8>(), 1..3000), at: prop::sample::Index, flip in 1..=255u8, seed: u64,
    ) {
        let hasher = TextHasher::new(&secret(seed));
        let mut other = text.clone();
        other[at.index(text.len())] ^= flip;
        prop_assert_ne!(hasher.hash(&text), hasher.hash(&other));
    }
}

#[test]
fn extreme_numbers_stay_in_the_field() {
    let hasher = TextHasher::new(&Secret::new(&[0xFF; Secret::LEN]));
    for text in [vec![0u8; 4096], vec![0xFF; 4096], vec![1; 4097]] {
        assert_eq!(hasher.hash(&text), naive(&hasher, &text));
    }
    assert!(hasher.hash(&[0xFF; 5000]) < P);
}

#[test]
fn zeros_at_the_end_count() {
    let hasher = TextHasher::new(&secret(1));
    let zeros = vec![0u8; 3000];
    let hashes: std::collections::HashSet<u128> = (0..3000).map(|len| hasher.hash(&zeros[..len])).collect();
    assert_eq!(hashes.len(), 3000);
}

#[test]
fn another_secret_gives_other_hashes() {
    let [one, other] = [1, 2].map(|seed| TextHasher::new(&secret(seed)));
    assert_ne!(one.hash(b""), other.hash(b""));
    assert_ne!(one.hash(b"text"), other.hash(b"text"));
}

/// The 4 bytes of XXH3's public secret that key one half of a word, where each of two stripes of a block uses it.
const KEYED_HALVES: [([u8; 4], usize); 2] = [([0xb8, 0x08, 0x46, 0x74], 6), ([0xc8, 0x9f, 0x7e, 0xc9], 15)];

#[test]
fn texts_that_the_public_secret_of_xxh3_does_not_tell_apart_differ() {
    // Where a half equals its key the product is zero, whatever the other half is; the plain sums of two stripes cancel.
    let forged = |change: u8| {
        let mut text = vec![b'a'; 1224];
        for (stripe, sign) in KEYED_HALVES.iter().zip([change, change.wrapping_neg()]) {
            let ((key, stripe), sign) = (stripe, sign);
            let at = 64 * stripe;
            text[at..at + 4].copy_from_slice(key);
            text[at + 5] = 100u8.wrapping_add(sign);
        }
        text
    };
    let (one, other) = (forged(0), forged(5));
    assert_eq!(xxh3_128(&one), xxh3_128(&other), "the forgery works where the secret is known");
    let hasher = TextHasher::new(&secret(3));
    assert_ne!(hasher.hash(&one), hasher.hash(&other));
}
