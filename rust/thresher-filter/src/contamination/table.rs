//! From an n-gram to where the references have it: a filter that stays in cache in front of a table.
//!
//! ```text
//! words     w0 w1 w2 w3 ...
//! prefix    0, w0, w0 K + w1, ...            a polynomial at a secret base K, modulo 2^64
//! n-gram    prefix[p + n] - prefix[p] K^n    of any length from the one array, and no turn waits for another
//! filter    two bits in one of up to 2^18 words of 64 bits: 2 MB, the second-level cache
//! table     32 bits of the hash and the first place in the references, open addressing, half empty
//! ```
//!
//! What the table proposes is compared word by word, so that neither the filter nor the polynomial decides anything: two
//! n-grams are one if the keyed 64-bit hashes of all their words are. Other places of the same n-gram are a chain behind the first one.

use thresher_core::hash::Keys;
use thresher_core::prefetch::prefetch_line;

/// No place.
pub(crate) const NONE: u32 = u32::MAX;
/// The place of an n-gram that counts for nothing any more.
const GONE: u32 = u32::MAX - 1;
/// Places that there may be.
pub(crate) const MAX_PLACES: usize = GONE as usize;
/// Words of the largest filter, as a power of two.
const MAX_FILTER_BITS: u32 = 18;
/// Bits of the filter for each n-gram, where that many fit.
const FILTER_BITS: usize = 16;
/// N-grams whose place in the table is asked for before the first is looked at.
const AHEAD: usize = 16;

/// Hashes n-grams of the hashes of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    base: u64,
    fold: u64,
}

/// What belongs to one length of n-grams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Width {
    pub(crate) words: usize,
    /// The base to that power.
    power: u64,
    salt: u64,
}

impl Hasher {
    /// A hasher that belongs to the keys of words.
    pub(crate) fn new(keys: &Keys) -> Self {
        Self { base: keys.word_hash(b"base of n-grams") | 1, fold: keys.word_hash(b"fold of n-grams") | 1 }
    }

    /// N-grams of so many words.
    pub(crate) fn width(self, words: usize) -> Width {
        let power = (0..words).fold(1, |power: u64, _| power.wrapping_mul(self.base));
        Width { words, power, salt: (words as u64).wrapping_mul(self.fold).rotate_left(32) }
    }

    /// The prefix with one word more.
    #[inline(always)]
    pub(crate) fn extend(self, prefix: u64, word: u64) -> u64 {
        prefix.wrapping_mul(self.base).wrapping_add(word)
    }

    /// The hash of the words between two prefixes.
    #[inline(always)]
    pub(crate) fn between(self, width: Width, here: u64, ahead: u64) -> u64 {
        let value = ahead.wrapping_sub(here.wrapping_mul(width.power)) ^ width.salt;
        let product = u128::from(value) * u128::from(self.fold);
        product as u64 ^ (product >> 64) as u64
    }

    /// The hash of some words.
    pub(crate) fn of(self, words: &[u64]) -> u64 {
        let prefix = words.iter().fold(0, |prefix, &word| self.extend(prefix, word));
        self.between(self.width(words.len()), 0, prefix)
    }
}

/// Says of nearly every n-gram that is not there that it is not.
#[derive(Debug)]
struct Filter {
    words: Box<[u64]>,
    shift: u32,
}

impl Filter {
    fn new(entries: usize) -> Self {
        let bits = (entries * FILTER_BITS / 64).max(1).next_power_of_two().ilog2().min(MAX_FILTER_BITS);
        Self { words: vec![0; 1 << bits].into_boxed_slice(), shift: 64 - bits }
    }

    /// The word of a hash, and its bits in it. A shift by 64 for one word is none.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u64) {
        let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63);
        ((hash >> 1 >> (self.shift - 1)) as usize, bits)
    }

    fn add(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        self.words[word] |= bits;
    }

    #[inline(always)]
    fn may_have(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.words[word] & bits == bits
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    place: u32,
}

/// Where n-grams are.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[Slot]>,
    shift: u32,
    filter: Filter,
    len: usize,
}

impl Table {
    /// A table for so many n-grams.
    pub(crate) fn with_room(entries: usize) -> Self {
        let bits = (2 * entries).max(2).next_power_of_two().ilog2();
        let slots = vec![Slot { tag: 0, place: NONE }; 1 << bits].into_boxed_slice();
        Self { slots, shift: 64 - bits, filter: Filter::new(0), len: 0 }
    }

    /// Notes a place of an n-gram; gives the place that it was known by, if it was. `same` says whether the n-gram at a place
    /// is this one.
    pub(crate) fn insert(&mut self, hash: u64, place: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = &mut self.slots[at];
            if slot.place == NONE {
                *slot = Slot { tag: hash as u32, place };
                self.len += 1;
                return None;
            }
            if slot.tag == hash as u32 && same(slot.place) {
                return Some(std::mem::replace(&mut slot.place, place));
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Takes out every n-gram of which `keeps` does not approve by its first place, and makes the filter of the others, whose
    /// hashes `hash_of` tells.
    pub(crate) fn settle(&mut self, mut keeps: impl FnMut(u32) -> bool, hash_of: impl Fn(u32) -> u64) {
        self.filter = Filter::new(self.len);
        for slot in &mut self.slots {
            if slot.place == NONE {
                continue;
            }
            if keeps(slot.place) {
                self.filter.add(hash_of(slot.place));
            } else {
                slot.place = GONE;
                self.len -= 1;
            }
        }
    }

    /// N-grams in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.filter.words)
    }

    /// Notes in `found` each of the n-grams at `from..to` that may be there, with its hash.
    #[inline]
    pub(crate) fn sift(
        &self,
        hasher: Hasher,
        width: Width,
        prefix: &[u64],
        from: usize,
        to: usize,
        found: &mut Vec<(u32, u64)>,
    ) {
        found.clear();
        if from >= to || self.len == 0 {
            return;
        }
        found.resize(to - from, (0, 0));
        let mut count = 0;
        let (here, ahead) = (&prefix[from..to], &prefix[from + width.words..to + width.words]);
        for (at, (&here, &ahead)) in here.iter().zip(ahead).enumerate() {
            let hash = hasher.between(width, here, ahead);
            // Written whether or not it counts: a branch would be guessed wrong for each that does.
            found[count] = ((from + at) as u32, hash);
            count += usize::from(self.filter.may_have(hash));
        }
        found.truncate(count);
    }

    /// Calls `take` with each of the n-grams that were sifted out and its first place in the references, if `same` says that
    /// it is there.
    #[inline]
    pub(crate) fn look_up(
        &self,
        sifted: &[(u32, u64)],
        same: impl Fn(u32, u32) -> bool,
        mut take: impl FnMut(u32, u32),
    ) {
        for some in sifted.chunks(AHEAD) {
            for &(_, hash) in some {
                prefetch_line(&raw const self.slots[(hash >> self.shift) as usize]);
            }
            for &(at, hash) in some {
                if let Some(place) = self.find(hash, |place| same(at, place)) {
                    take(at, place);
                }
            }
        }
    }

    /// The first place of an n-gram.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let Slot { tag, place } = self.slots[at];
            if place == NONE {
                return None;
            }
            if tag == hash as u32 && place != GONE && same(place) {
                return Some(place);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(&Keys::from_seed(3))
    }

    #[test]
    fn a_hash_between_prefixes_is_that_of_the_words() {
        let words: Vec<u64> = (0..40u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let mut prefix = vec![0];
        for &word in &words {
            prefix.push(hasher().extend(prefix[prefix.len() - 1], word));
        }
        for n in [1, 5, 13, 40] {
            let width = hasher().width(n);
            for at in 0..=words.len() - n {
                let hash = hasher().between(width, prefix[at], prefix[at + n]);
                assert_eq!(hash, hasher().of(&words[at..at + n]));
            }
        }
        assert_ne!(hasher().of(&[0, 0]), hasher().of(&[0, 0, 0]));
    }

    #[test]
    fn hashes_of_one_place_are_told_apart_by_what_is_there() {
        // All of one slot and one tag, as only someone who knew the key could make them.
        let mut table = Table::with_room(100);
        for place in 0..100 {
            assert_eq!(table.insert(7, place, |other| other == place), None);
        }
        assert_eq!(table.insert(7, 200, |other| other == 31), Some(31));
        table.settle(|place| place != 50, |_| 7);
        assert_eq!(table.len(), 99);
        assert_eq!(table.find(7, |place| place == 200), Some(200));
        assert_eq!(table.find(7, |place| place == 50), None);
        assert_eq!(table.find(8, |_| true), None);
    }

    #[test]
    fn the_filter_passes_what_is_there_and_little_else() {
        let entries = 10_000u64;
        let hash = |n: u64| hasher().of(&[n, n + 1]);
        let mut table = Table::with_room(entries as usize);
        for n in 0..entries {
            table.insert(hash(n), n as u32, |other| u64::from(other) == n);
        }
        table.settle(|_| true, |place| hash(u64::from(place)));
        assert!((0..entries).all(|n| table.filter.may_have(hash(n))));
        let passed = (entries..20 * entries).filter(|&n| table.filter.may_have(hash(n))).count();
        assert!(passed < 19 * entries as usize / 20, "{passed}");
    }
}
