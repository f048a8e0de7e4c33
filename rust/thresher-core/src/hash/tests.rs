//! The laws of the hash scheme, and how often its mixer collides.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn keys() -> impl Strategy<Value = Keys> {
    prop_oneof![
        Just(Keys::PUBLIC),
        any::<u64>().prop_map(Keys::from_seed),
        prop::array::uniform21(any::<u64>()).prop_map(|numbers| Keys::from_numbers(&numbers)),
    ]
}

proptest! {
    #[test]
    fn a_word_hashed_in_pieces_of_16_bytes_keeps_its_hash(
        keys in keys(), word in prop::collection::vec(1..=255u8, 1..200), cut: prop::sample::Index,
    ) {
        let (front, back) = word.split_at(cut.index(word.len()) / 16 * 16);
        let state = keys.word_hash_from(0, front);
        prop_assert_eq!(keys.word_hash_from(state, back), keys.word_hash(&word));
    }

    #[test]
    fn no_block_vanishes_whatever_the_state(keys in keys(), state: u64, other: u64, block: u64, another: u64) {
        // A step is a bijection of the state and one of what the block contributes.
        let hasher = keys.word_hasher(Plain);
        let step = hasher.chain(state, block);
        prop_assert_eq!(step == hasher.chain(other, block), state == other);
        prop_assert_eq!(step == hasher.chain(state, another), block == another);
        let inverse = (0..6).fold(keys.chain, |x, _| x.wrapping_mul(2u64.wrapping_sub(keys.chain.wrapping_mul(x))));
        prop_assert_eq!(step.wrapping_sub(block).wrapping_mul(inverse).rotate_right(29), state);
    }

    #[test]
    fn no_text_zeroes_a_factor(seed: u64, block in "\\PC{1,16}") {
        let keys = Keys::from_seed(seed);
        for half in block.as_bytes().chunks(8) {
            let lowest = u64::from(half[0]);
            prop_assert!(keys.word.iter().all(|key| key & 0xFF != lowest && key & 0xFF != 0));
        }
    }

    #[test]
    fn blocks_that_are_swapped_or_repeated_do_not_cancel(
        keys in keys(), blocks in prop::collection::vec(prop::array::uniform16(1..=255u8), 2..6), i: prop::sample::Index,
        j: prop::sample::Index,
    ) {
        let (i, j) = (i.index(blocks.len()), j.index(blocks.len()));
        let mut swapped = blocks.clone();
        swapped.swap(i, j);
        prop_assert_eq!(keys.word_hash(&blocks.concat()) == keys.word_hash(&swapped.concat()), blocks == swapped);
        let mut repeated = blocks.clone();
        repeated.extend([blocks[i], blocks[i]]);
        prop_assert_ne!(keys.word_hash(&blocks.concat()), keys.word_hash(&repeated.concat()));
    }
}

#[test]
fn no_tail_of_a_long_word_vanishes_where_scheme_1_lost_it() {
    // In scheme 1 a front whose state equalled `lo ^ k0` of the next block swallowed all that followed. Here the block is
    // made to fit the state of any front, which is what an attacker would search for.
    let hasher = Keys::PUBLIC.word_hasher(Plain);
    for front in 0..2_000u64 {
        let state = Keys::PUBLIC.word_hash(format!("{front:016}").as_bytes());
        let lo = state ^ Keys::PUBLIC.word[0];
        let tails: HashSet<u64> = (0..4).map(|hi| hasher.chain(state, hasher.block(lo, hi))).collect();
        assert!(tails.len() == 4 || lo == Keys::PUBLIC.word[0]);
    }
}

#[test]
fn every_length_has_its_own_hash() {
    let hashes: HashSet<u64> = (0..200).map(|n| Keys::PUBLIC.word_hash(&vec![b'a'; n])).collect();
    assert_eq!(hashes.len(), 200);
}

#[test]
fn a_flipped_bit_changes_about_half_of_the_bits() {
    let text = b"The quick brown fox jumps over the lazy dog and then some more".map(|byte| byte | 1);
    for length in [1, 3, 8, 9, 16, 17, 32, 33, 62] {
        let word = &text[..length];
        let mut changed = 0;
        for bit in 0..8 * length {
            let mut flipped = word.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let [one, other] = [word, &flipped].map(|word| finalise(Keys::PUBLIC.word_hash(word)));
            changed += (one ^ other).count_ones() as usize;
        }
        let share = changed as f64 / (64 * 8 * length) as f64;
        assert!((0.4..0.6).contains(&share), "{length} bytes: {share}");
    }
}

#[test]
fn families_of_different_seeds_share_no_key() {
    let numbers: Vec<u64> = (0..100)
        .flat_map(|seed| {
            let keys = Keys::from_seed(seed);
            let Way::Polynomial { base } = keys.way else { panic!("a seed names a family like the scheme") };
            [keys.word[0], keys.word[1], keys.chain, base, keys.lanes]
        })
        .collect();
    assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
}

#[test]
fn the_join_of_a_shingle_is_that_of_the_largest_power_of_two_below_its_words() {
    let joins = [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (8, 2), (9, 3), (128, 6), (129, 7), (256, 7)];
    for (ngram, level) in joins {
        assert_eq!(last_join(ngram), level, "{ngram} words");
        assert!(level < JOINS);
    }
}

/// Over all pairs of keys of `bits` bits, how many give the same to two inputs that differ by `dx` and `dy`: the most for
/// any difference. Keys are added bit by bit, so nothing but the difference of the inputs matters.
fn most_colliding_keys(bits: u32, fold: u32) -> u32 {
    let all = 1u32 << bits;
    let mixed: Vec<u32> = (0..all * all)
        .map(|keyed| {
            let product = (keyed % all) * (keyed / all);
            (product % all) ^ ((product / all * fold) % all)
        })
        .collect();
    let colliding = |d: u32| (0..all * all).filter(|k| mixed[*k as usize] == mixed[(k ^ d) as usize]).count();
    (1..all * all).map(colliding).max().unwrap_or_default() as u32
}

#[test]
fn collisions_of_the_mixer() {
    // For a random function 2^bits of all 2^(2 bits) pairs of keys collide.
    for bits in [4, 5, 6] {
        for fold in [0b10_1101, 0b01_1011, 0b11_0101] {
            let worst = most_colliding_keys(bits, fold % (1 << bits));
            assert!(worst <= 4 << bits, "{bits} bits, {fold}: {worst}");
        }
        // The plain fold gets worse and worse.
        let plain = most_colliding_keys(bits, 1);
        assert!(plain > bits << bits, "{bits} bits: {plain}");
    }
}
