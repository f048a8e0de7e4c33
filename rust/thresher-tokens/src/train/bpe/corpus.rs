//! The different words of a corpus as one array of symbols, in which merging two neighbours costs constant time.
//!
//! ```text
//!         t  h  e  |  t  h  e  n  |          th = 300         th  th e  |  th  th e  n  |
//!  slots  84 72 69 E  84 72 69 78 E   ───────────────────>   300 300 69 E 300 300 69 78 E
//! ```
//!
//! A symbol that covers several slots stands in its first and its last one; those between are empty. So the symbol before
//! a place is found in the slot before it, and the one behind by the length of the symbol. No links are stored, and what a
//! merge leaves behind can never be taken for a symbol: a place that waits in a list is looked at again before it is merged.
//!
//! Words lie in order of their counts, so the count of a word is that of its *region*, and is found by its place.
//! [`Corpus::compact`] moves what is left together and drops words that have become one symbol, which have no pairs any more.

use std::collections::HashMap;

use crate::train::Counts;
use crate::{Error, Result};

/// Ends a word, and stands before the first one.
pub(super) const END: u32 = u32::MAX;
/// Inside a symbol of several slots.
pub(super) const EMPTY: u32 = u32::MAX - 1;
/// More slots than a place can name.
const MOST_SLOTS: u64 = u32::MAX as u64 - 16;

/// Words of one count, up to the next region.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u32,
    weight: u64,
}

/// The words that still have pairs.
pub(super) struct Corpus {
    pub(super) slots: Vec<u32>,
    /// Slots that each symbol covers.
    pub(super) lengths: Vec<u32>,
    regions: Vec<Region>,
    /// How often each symbol occurs in words that were dropped.
    settled: Vec<u64>,
}

impl Corpus {
    /// The words of `counts`, each byte as the symbol that `symbol_of` gives it; `symbols` of them are known.
    ///
    /// # Errors
    /// `Error::Parameter` for more text than 32 bits can address.
    pub(super) fn new(counts: &Counts, symbol_of: &[u32; 256], symbols: usize) -> Result<Self> {
        // How many slots each count needs, and then where its region begins.
        let mut needed: HashMap<u64, u64> = HashMap::new();
        counts.for_each(|word, count| {
            if word.len() > 1 {
                *needed.entry(count).or_default() += word.len() as u64 + 1;
            }
        });
        let total = 1 + needed.values().sum::<u64>();
        if total > MOST_SLOTS {
            return Err(Error::Parameter(format!(
                "the different words have {total} bytes, but at most {MOST_SLOTS} can be trained on; take a sample of \
                 the texts"
            )));
        }
        let mut order: Vec<(u64, u64)> = needed.into_iter().collect();
        order.sort_unstable_by_key(|&(count, _)| std::cmp::Reverse(count));
        let mut regions = Vec::with_capacity(order.len());
        let mut free: HashMap<u64, usize> = HashMap::with_capacity(order.len());
        let mut start = 1;
        for (weight, slots) in order {
            regions.push(Region { start: start as u32, weight });
            free.insert(weight, start as usize);
            start += slots;
        }
        let mut slots = vec![END; total as usize];
        let mut settled = vec![0; symbols];
        counts.for_each(|word, count| {
            if let [byte] = *word {
                settled[symbol_of[byte as usize] as usize] += count;
            } else if let Some(at) = free.get_mut(&count) {
                for (slot, byte) in slots[*at..].iter_mut().zip(word) {
                    *slot = symbol_of[*byte as usize];
                }
                *at += word.len() + 1;
            }
        });
        Ok(Self { slots, lengths: vec![1; symbols], regions, settled })
    }

    /// Room for one more symbol, of so many slots.
    pub(super) fn add_symbol(&mut self, symbol: u32, length: u32) {
        if symbol as usize == self.lengths.len() {
            self.lengths.push(length);
            self.settled.push(0);
        } else {
            self.lengths[symbol as usize] = length;
        }
    }

    /// What a merge changes, and what it reads meanwhile.
    pub(super) fn parts(&mut self) -> (&mut [u32], &[u32], Weights<'_>) {
        (&mut self.slots, &self.lengths, Weights { regions: &self.regions, at: 0 })
    }

    /// What finds the counts of places that rise.
    pub(super) fn weights(&self) -> Weights<'_> {
        Weights { regions: &self.regions, at: 0 }
    }

    /// Moves all symbols together, so that each covers one slot again, and drops the words of one symbol.
    pub(super) fn compact(&mut self) {
        let (mut from, mut to, mut region) = (1, 1, 0);
        let mut kept = Vec::with_capacity(self.regions.len());
        while from < self.slots.len() {
            while self.regions.get(region + 1).is_some_and(|next| next.start as usize <= from) {
                region += 1;
            }
            let weight = self.regions[region].weight;
            let start = to;
            while self.slots[from] != END {
                let symbol = self.slots[from];
                self.slots[to] = symbol;
                to += 1;
                from += self.lengths[symbol as usize] as usize;
            }
            from += 1;
            if to == start + 1 {
                to = start;
                self.settled[self.slots[start] as usize] += weight;
                continue;
            }
            self.slots[to] = END;
            to += 1;
            if kept.last().is_none_or(|last: &Region| last.weight != weight) {
                kept.push(Region { start: start as u32, weight });
            }
        }
        self.slots.truncate(to);
        self.slots.shrink_to(to + to / 8);
        self.regions = kept;
        self.lengths.fill(1);
    }

    /// How often each symbol occurs, everywhere; the corpus is compact.
    pub(super) fn occurrences(&self) -> Vec<u64> {
        let mut counts = self.settled.clone();
        let mut weights = self.weights();
        for (place, &symbol) in self.slots.iter().enumerate().skip(1) {
            if symbol != END {
                counts[symbol as usize] += weights.at(place as u32);
            }
        }
        counts
    }
}

/// Finds the counts of words by places that rise.
#[derive(Clone)]
pub(super) struct Weights<'c> {
    regions: &'c [Region],
    at: usize,
}

impl Weights<'_> {
    /// The count of the word at `place`, which is at or behind the one before.
    #[inline]
    pub(super) fn at(&mut self, place: u32) -> u64 {
        if self.regions.get(self.at + 1).is_some_and(|next| next.start <= place) {
            self.skip(place);
        }
        self.regions[self.at].weight
    }

    /// Goes to the region of `place`, in steps that double, then by halves.
    fn skip(&mut self, place: u32) {
        let rest = &self.regions[self.at..];
        let mut step = 1;
        while rest.get(step).is_some_and(|region| region.start <= place) {
            step *= 2;
        }
        let end = step.min(rest.len());
        self.at += step / 2 + rest[step / 2..end].partition_point(|region| region.start <= place) - 1;
    }
}
