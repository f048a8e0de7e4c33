//! Every instruction set that this processor has, against the scalar twin.

use proptest::prelude::*;

use super::{BLOCK, Classes, InstructionSet, PermutedLane, Vector};

#[inline(always)]
fn classify_with<V: Vector>(from: &[u8; BLOCK], to: &mut [u8; BLOCK]) -> Classes {
    // SAFETY: both sides are 64 bytes long; `multiversion!` enables the instruction set.
    unsafe { V::classify(from.as_ptr(), to.as_mut_ptr()) }
}

#[inline(always)]
fn lower_with<V: Vector>(lanes: &mut [PermutedLane], shingles: &[u64]) {
    // SAFETY: `multiversion!` enables the instruction set.
    unsafe { V::lower(lanes, shingles) }
}

#[inline(always)]
fn expand_with<V: Vector>(mask: u64, base: u16, to: &mut [u16; 72]) {
    // SAFETY: 64 bits and eight more places; `multiversion!` enables the instruction set.
    unsafe { V::expand(mask, base, to.as_mut_ptr()) }
}

#[inline(always)]
fn accumulate_with<V: Vector>(state: &mut [u64; 8], text: &[u8], stripes: usize, secret: &[u8]) {
    assert!(text.len() >= 64 * stripes && secret.len() >= 56 + 8 * stripes);
    // SAFETY: as just checked; `multiversion!` enables the instruction set.
    unsafe { V::accumulate(state, text.as_ptr(), stripes, secret.as_ptr()) }
}

multiversion! {
    fn accumulate(state: &mut [u64; 8], text: &[u8], stripes: usize, secret: &[u8]) = self::accumulate_with;
}
multiversion! {
    fn expand(mask: u64, base: u16, to: &mut [u16; 72]) = self::expand_with;
}
multiversion! {
    fn classify(from: &[u8; BLOCK], to: &mut [u8; BLOCK]) -> Classes = self::classify_with;
}
multiversion! {
    fn lower(lanes: &mut [PermutedLane], shingles: &[u64]) = self::lower_with;
}

/// What a reader of `classify` may look at: word bits and word bytes of ASCII, and the non-ASCII bits.
fn seen(set: InstructionSet, from: &[u8; BLOCK]) -> (u64, u64, Vec<u8>) {
    let mut to = [0; BLOCK];
    let classes = classify(set, from, &mut to);
    let word = classes.word & !classes.non_ascii;
    (word, classes.non_ascii, (0..BLOCK).filter(|i| word >> i & 1 == 1).map(|i| to[i]).collect())
}

#[test]
fn every_byte_is_classified_as_the_standard_library_says() {
    for set in InstructionSet::available() {
        for byte in 0..=255u8 {
            let (word, wide, text) = seen(set, &[byte; BLOCK]);
            assert_eq!(word != 0, byte.is_ascii_alphanumeric(), "{set:?} {byte}");
            assert_eq!(wide != 0, !byte.is_ascii(), "{set:?} {byte}");
            assert!(text.iter().all(|&b| b == byte.to_ascii_lowercase()), "{set:?} {byte}");
        }
    }
}

proptest! {
    #[test]
    fn twins_classify_alike(bytes in prop::array::uniform32(any::<[u8; 2]>())) {
        let block: [u8; BLOCK] = bytes.as_flattened().try_into().unwrap();
        for set in InstructionSet::available() {
            prop_assert_eq!(seen(set, &block), seen(InstructionSet::Scalar, &block));
        }
    }

    #[test]
    fn twins_expand_alike(mask: u64, base in 0..5000u16) {
        let count = mask.count_ones() as usize;
        let expected: Vec<u16> = (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| base + bit).collect();
        for set in InstructionSet::available() {
            let mut to = [0; 72];
            expand(set, mask, base, &mut to);
            prop_assert_eq!(&to[..count], &expected[..]);
        }
    }

    #[test]
    fn twins_find_the_same_minima(
        shingles in prop::collection::vec(any::<u64>(), 0..100),
        permutations in prop::collection::vec(any::<[u32; 3]>(), 0..150),
    ) {
        let lanes: Vec<PermutedLane> =
            permutations.iter().map(|&[a, b, least]| PermutedLane { index: 0, a, b, least }).collect();
        let lowered = |set| {
            let mut lanes = lanes.clone();
            lower(set, &mut lanes, &shingles);
            lanes
        };
        for set in InstructionSet::available() {
            prop_assert_eq!(lowered(set), lowered(InstructionSet::Scalar));
        }
    }

    #[test]
    fn twins_accumulate_alike(state: [u64; 8], text in prop::collection::vec(any::<u8>(), 64 * 16), key in prop::collection::vec(any::<u8>(), 56 + 8 * 16), stripes in 0..=16usize) {
        let accumulated = |set| {
            let mut state = state;
            accumulate(set, &mut state, &text, stripes, &key);
            state
        };
        for set in InstructionSet::available() {
            prop_assert_eq!(accumulated(set), accumulated(InstructionSet::Scalar));
        }
    }
}
