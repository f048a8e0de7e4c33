//! How often each pre-token occurs: a table of bytes to counts.
//!
//! Nearly every pre-token has at most 15 bytes. Those are kept within their slot, 24 bytes with the count, so a
//! pre-token that is met again costs one comparison of two numbers and no other place in memory. Longer ones lie in a pile
//! beside the slots. The table is cut into shelves by the first bits of the hash: each grows by itself, so growing
//! never holds two whole tables, and the tables of several threads are joined shelf by shelf.
//!
//! The hash is keyed by a secret: no text can be made whose pre-tokens all fall on one place.

use std::sync::{Mutex, PoisonError};

use thresher_core::Secret;
use thresher_core::hash::Keys;
use thresher_core::parallel::Threads;

/// Shelves of a table, as bits.
const SHELF_BITS: u32 = 6;
const SHELVES: usize = 1 << SHELF_BITS;
/// The longest word within a slot.
const SHORT: usize = 15;
/// The length of a word lies in the last byte of its second number; of one in the pile it is this.
const PILED: u64 = 0xFF;
const LAST_BYTE: u32 = 56;

/// One word and its count; free if the count is 0.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// Bytes 0 to 7 of a short word; the hash of one in the pile.
    low: u64,
    /// Bytes 8 to 14 and the length; the place in the pile and [`PILED`].
    high: u64,
    count: u64,
}

/// The words whose hashes begin alike.
#[derive(Clone, Default)]
struct Shelf {
    slots: Vec<Slot>,
    used: usize,
    /// Long words, each behind its length in 8 bytes.
    pile: Vec<u8>,
}

/// Counts of byte strings.
#[derive(Clone)]
pub struct Counts {
    keys: Keys,
    /// Offsets of the two numbers of a short word, and the odd factor by which their product is folded.
    short_keys: [u64; 3],
    shelves: Vec<Shelf>,
}

impl Counts {
    /// An empty table. Tables that are to be joined have the same secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let (numbers, _) = secret.as_bytes().as_chunks::<8>();
        let number = |at: usize| u64::from_le_bytes(numbers[at]);
        Self {
            keys: secret.keys(),
            short_keys: [number(0), number(1), number(2) | 1],
            shelves: vec![Shelf::default(); SHELVES],
        }
    }

    /// Counts `word` so many times more. An empty word is no word.
    pub fn add(&mut self, word: &[u8], times: u64) {
        if word.len() > SHORT {
            return self.add_long(word, times);
        }
        let mut padded = [0; 16];
        padded[..word.len()].copy_from_slice(word);
        self.add_short(u128::from_le_bytes(padded), word.len(), times);
    }

    /// Counts the word `text[start..end]` once more; faster than [`Counts::add`] where text follows.
    #[inline]
    pub fn add_within(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        match text.get(start..start + 16).and_then(<[u8]>::first_chunk) {
            Some(block) if length <= SHORT => {
                let word = u128::from_le_bytes(*block) & ((1 << (8 * length)) - 1);
                self.add_short(word, length, 1);
            }
            _ => self.add(&text[start..end], 1),
        }
    }

    #[inline]
    fn add_short(&mut self, word: u128, length: usize, times: u64) {
        if length == 0 || times == 0 {
            return;
        }
        let (low, high) = (word as u64, (word >> 64) as u64 | (length as u64) << LAST_BYTE);
        let hash = self.hash_short(low, high);
        let shelf = &mut self.shelves[(hash >> (64 - SHELF_BITS)) as usize];
        let short_keys = self.short_keys;
        shelf.count(hash, Slot { low, high, count: times }, &|slot| fold(short_keys, slot), |_| true);
    }

    fn add_long(&mut self, word: &[u8], times: u64) {
        if times == 0 {
            return;
        }
        let hash = self.keys.word_hash(word);
        let shelf = &mut self.shelves[(hash >> (64 - SHELF_BITS)) as usize];
        shelf.count_long(hash, word, times, self.short_keys);
    }

    fn hash_short(&self, low: u64, high: u64) -> u64 {
        fold(self.short_keys, Slot { low, high, count: 0 })
    }

    /// Different words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.used).sum()
    }

    /// Whether no word was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the table takes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.shelves.iter().map(Shelf::resident_bytes).sum()
    }

    /// Calls `see` with every word and its count, in no order that means anything.
    pub fn for_each(&self, mut see: impl FnMut(&[u8], u64)) {
        for shelf in &self.shelves {
            for slot in shelf.slots.iter().filter(|slot| slot.count > 0) {
                let mut room = [0; 16];
                see(shelf.word(slot, &mut room), slot.count);
            }
        }
    }

    /// One table of several that have the same secret, joined by `threads`.
    #[must_use]
    pub fn join(tables: Vec<Self>, threads: &dyn Threads) -> Option<Self> {
        let first = tables.first()?;
        let (keys, short_keys) = (first.keys, first.short_keys);
        let mut columns: Vec<Vec<Shelf>> = (0..SHELVES).map(|_| Vec::with_capacity(tables.len())).collect();
        for table in tables {
            for (column, shelf) in columns.iter_mut().zip(table.shelves) {
                column.push(shelf);
            }
        }
        let columns: Vec<Mutex<Vec<Shelf>>> = columns.into_iter().map(Mutex::new).collect();
        threads.each(SHELVES, &|at| {
            let mut column = columns[at].lock().unwrap_or_else(PoisonError::into_inner);
            // The fullest takes the others.
            column.sort_by_key(|shelf| std::cmp::Reverse(shelf.used));
            while column.len() > 1
                && let Some(other) = column.pop()
            {
                column[0].absorb(&other, short_keys);
            }
        });
        let shelves = columns
            .into_iter()
            .map(|column| {
                let mut column = column.into_inner().unwrap_or_else(PoisonError::into_inner);
                column.pop().unwrap_or_default()
            })
            .collect();
        Some(Self { keys, short_keys, shelves })
    }
}

/// The hash of a word, from its slot.
#[inline]
fn fold(keys: [u64; 3], slot: Slot) -> u64 {
    if slot.high >> LAST_BYTE == PILED {
        return slot.low;
    }
    let product = u128::from(slot.low ^ keys[0]) * u128::from(slot.high ^ keys[1]);
    (product as u64) ^ ((product >> 64) as u64).wrapping_mul(keys[2])
}

impl Shelf {
    fn resident_bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<Slot>() + self.pile.capacity()) as u64
    }

    /// The place where the search for a hash begins. Its first bits chose the shelf.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash << SHELF_BITS) * self.slots.len() as u128) >> 64) as usize
    }

    /// Adds the count of a slot to that of its word, which is met where both numbers are equal and `is_it` agrees.
    #[inline]
    fn count(
        &mut self,
        hash: u64,
        new: Slot,
        hash_of: &impl Fn(Slot) -> u64,
        is_it: impl Fn(&Slot) -> bool,
    ) -> bool {
        if 5 * (self.used + 1) > 4 * self.slots.len() {
            self.grow(hash_of);
        }
        let mut at = self.home(hash);
        loop {
            let slot = &mut self.slots[at];
            if slot.count == 0 {
                *slot = new;
                self.used += 1;
                return true;
            }
            if slot.low == new.low && slot.high == new.high && is_it(slot) {
                slot.count = slot.count.saturating_add(new.count);
                return false;
            }
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
    }

    #[cold]
    fn grow(&mut self, hash_of: &impl Fn(Slot) -> u64) {
        let room = self.slots.len() + self.slots.len() / 2 + 16;
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); room]);
        for slot in old.into_iter().filter(|slot| slot.count > 0) {
            let mut at = self.home(hash_of(slot));
            while self.slots[at].count > 0 {
                at = (at + 1) % room;
            }
            self.slots[at] = slot;
        }
    }

    fn count_long(&mut self, hash: u64, word: &[u8], times: u64, keys: [u64; 3]) {
        // Words of one hash lie behind each other; which of them it is, their bytes say.
        let mut at = if self.slots.is_empty() { 0 } else { self.home(hash) };
        while let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.count > 0) {
            if slot.low == hash && slot.high >> LAST_BYTE == PILED && piled(&self.pile, slot.high) == word {
                slot.count = slot.count.saturating_add(times);
                return;
            }
            at = (at + 1) % self.slots.len();
        }
        let place = self.pile.len() as u64;
        self.pile.extend_from_slice(&(word.len() as u64).to_le_bytes());
        self.pile.extend_from_slice(word);
        let new = Slot { low: hash, high: place | PILED << LAST_BYTE, count: times };
        self.count(hash, new, &|slot| fold(keys, slot), |_| false);
    }

    /// The bytes of a word.
    fn word<'a>(&'a self, slot: &Slot, room: &'a mut [u8; 16]) -> &'a [u8] {
        let length = slot.high >> LAST_BYTE;
        if length == PILED {
            return piled(&self.pile, slot.high);
        }
        room[..8].copy_from_slice(&slot.low.to_le_bytes());
        room[8..].copy_from_slice(&slot.high.to_le_bytes());
        &room[..length as usize]
    }

    fn absorb(&mut self, other: &Self, keys: [u64; 3]) {
        for &slot in other.slots.iter().filter(|slot| slot.count > 0) {
            if slot.high >> LAST_BYTE == PILED {
                self.count_long(slot.low, piled(&other.pile, slot.high), slot.count, keys);
            } else {
                self.count(fold(keys, slot), slot, &|slot| fold(keys, slot), |_| true);
            }
        }
    }
}

/// The word at a place of the pile.
fn piled(pile: &[u8], high: u64) -> &[u8] {
    let place = (high & ((1 << LAST_BYTE) - 1)) as usize;
    let Some((length, word)) = pile[place..].split_first_chunk::<8>() else { return &[] };
    &word[..u64::from_le_bytes(*length) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use thresher_core::parallel::Pool;

    use super::*;

    fn secret() -> Secret {
        Secret::new(&std::array::from_fn(|at| (at * 37 % 251) as u8))
    }

    fn listed(counts: &Counts) -> BTreeMap<Vec<u8>, u64> {
        let mut list = BTreeMap::new();
        counts.for_each(|word, count| assert!(list.insert(word.to_vec(), count).is_none(), "{word:?} twice"));
        list
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_plain_map(words in prop::collection::vec((prop::collection::vec(0u8..3, 0..20), 1u64..5), 0..400), cut in 0usize..400) {
            let (mut first, mut second) = (Counts::new(&secret()), Counts::new(&secret()));
            let mut plain = BTreeMap::new();
            for (at, (word, times)) in words.iter().enumerate() {
                if at < cut { first.add(word, *times) } else { second.add(word, *times) }
                if !word.is_empty() {
                    *plain.entry(word.clone()).or_insert(0) += times;
                }
            }
            let joined = Counts::join(vec![first, second], &Pool).unwrap();
            prop_assert_eq!(joined.len(), plain.len());
            prop_assert_eq!(listed(&joined), plain);
        }

        #[test]
        fn a_word_within_a_text_is_the_same_word(text in prop::collection::vec(any::<u8>(), 1..60), start in 0usize..60, length in 1usize..20) {
            let start = start.min(text.len() - 1);
            let end = (start + length).min(text.len());
            let (mut within, mut alone) = (Counts::new(&secret()), Counts::new(&secret()));
            within.add_within(&text, start, end);
            alone.add(&text[start..end], 1);
            prop_assert_eq!(listed(&within), listed(&alone));
        }
    }

    #[test]
    fn words_that_differ_in_zeros_at_their_end_are_different() {
        let mut counts = Counts::new(&secret());
        for length in 1..40 {
            counts.add(&vec![0; length], length as u64);
        }
        assert_eq!(counts.len(), 39);
        assert!(listed(&counts).iter().all(|(word, count)| word.len() as u64 == *count));
    }

    #[test]
    fn many_words_of_every_length_are_found_again() {
        let mut counts = Counts::new(&secret());
        let word = |at: u32| at.to_string().repeat(1 + at as usize % 4);
        for _ in 0..2 {
            for at in 0..50_000 {
                counts.add(word(at).as_bytes(), 1);
            }
        }
        assert_eq!(counts.len(), (0..50_000).map(word).collect::<std::collections::BTreeSet<_>>().len());
        assert!(counts.resident_bytes() < 50_000 * 80, "{}", counts.resident_bytes());
    }
}
