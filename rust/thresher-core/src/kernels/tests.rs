//! Every instruction set that this processor has, against the scalar twin.

use proptest::prelude::*;

use super::{BLOCK, Characters, Classes, InstructionSet, PermutedLane, Vector};
use crate::text::pages::{Pages, Recent};

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
fn expand_with<V: Vector>(mask: u64, base: u16, to: &mut [u16; 192]) {
    // SAFETY: 128 bits at most and 64 more places; `multiversion!` enables the instruction set.
    unsafe { V::expand(mask, base, to.as_mut_ptr()) }
}

#[inline(always)]
fn expand_both_with<V: Vector>(starts: u64, ends: u64, base: u16, to: &mut [u16; 192]) {
    // SAFETY: 128 bits at most and 64 more places; `multiversion!` enables the instruction set.
    unsafe { V::expand_both(starts, ends, base, to.as_mut_ptr()) }
}

#[inline(always)]
fn characters_with<V: Vector>(from: &[u8; BLOCK], to: &mut [u8; BLOCK]) -> Characters {
    // SAFETY: both sides are 64 bytes long, of text; `multiversion!` enables the instruction set.
    unsafe {
        let classes = V::classify(from.as_ptr(), to.as_mut_ptr());
        // Twice: the second time all pages are known.
        let mut recent = Recent::default();
        let first = V::characters(Pages::get(), &mut recent, from.as_ptr(), to.as_mut_ptr(), classes);
        V::classify(from.as_ptr(), to.as_mut_ptr());
        let second = V::characters(Pages::get(), &mut recent, from.as_ptr(), to.as_mut_ptr(), classes);
        assert_eq!(first, second);
        second
    }
}

multiversion! {
    fn expand(mask: u64, base: u16, to: &mut [u16; 192]) = self::expand_with;
}
multiversion! {
    fn expand_both(starts: u64, ends: u64, base: u16, to: &mut [u16; 192]) = self::expand_both_with;
}
multiversion! {
    fn characters(from: &[u8; BLOCK], to: &mut [u8; BLOCK]) -> Characters = self::characters_with;
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
            let mut to = [0; 192];
            expand(set, mask, base, &mut to);
            prop_assert_eq!(&to[..count], &expected[..]);
        }
    }

    #[test]
    fn twins_expand_both_alike(starts: u64, ends: u64, base in 0..5000u16) {
        let bit = |mask: u64, bit: u16| (mask >> bit & 1 == 1).then_some(base + bit);
        let expected: Vec<u16> = (0..64).flat_map(|at| bit(ends, at).into_iter().chain(bit(starts, at))).collect();
        for set in InstructionSet::available() {
            let mut to = [0; 192];
            expand_both(set, starts, ends, base, &mut to);
            prop_assert_eq!(&to[..expected.len()], &expected[..]);
        }
    }

    #[test]
    fn twins_find_the_same_characters(
        lead in "[ -~]{0,5}",
        text in prop::collection::vec(
            prop_oneof![
                4 => prop::char::range('\u{80}', '\u{7FF}'),
                4 => prop::char::range('\u{800}', '\u{FFFF}'),
                1 => any::<char>(),
                2 => prop::char::range('!', '~'),
                2 => prop::sample::select(vec!['Ж', 'é', '漢', '힣', 'ก', 'İ', 'Ế', '“', '\u{A0}', '㐀', 'ᾳ', '一', '\u{9FFF}', '가', '\u{D7A3}']),
            ],
            64,
        ),
    ) {
        let text = lead + &String::from_iter(text);
        let block: [u8; BLOCK] = text.as_bytes()[..BLOCK].try_into().unwrap();
        let found = |set| {
            let mut to = [0; BLOCK];
            let found = characters(set, &block, &mut to);
            let bytes = found.word | found.solo | found.solo << 1 | found.solo << 2;
            (found, (0..BLOCK).filter(|i| bytes >> i & 1 == 1).map(|i| to[i]).collect::<Vec<_>>())
        };
        for set in InstructionSet::available() {
            prop_assert_eq!(found(set), found(InstructionSet::Scalar), "{:?}", set);
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
}
