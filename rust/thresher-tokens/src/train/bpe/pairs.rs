//! Which pairs of neighbours occur at least so often, and where.
//!
//! Most of the pairs of a corpus are rare, and most of those are never merged. So an *index* lists the places of pairs from a
//! floor on, and a lower floor is asked for when all of those are merged. Places are put in order of their left symbol
//! first; the pairs of one left symbol are then counted in an array by their right one. Left symbols are shared out among threads.

use std::ops::Range;

use thresher_core::parallel::{Threads, map};

use super::corpus::{Corpus, END};

/// Parts that the left symbols are cut into, of about equally many places.
const PARTS: usize = 32;

/// One pair of neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) left: u32,
    pub(super) right: u32,
    /// Occurrences, each as often as its word.
    pub(super) count: u64,
    /// Where its left symbol begins, in rising order. Some of these may be gone.
    pub(super) places: Vec<u32>,
}

/// The places of a corpus by their left symbols.
struct ByLeft {
    places: Vec<u32>,
    /// Where the places of each symbol begin; one more at the end.
    starts: Vec<usize>,
}

impl ByLeft {
    fn new(corpus: &Corpus) -> Self {
        let symbols = corpus.lengths.len();
        let mut starts = vec![0; symbols + 1];
        let lefts =
            || corpus.slots.windows(2).enumerate().filter(|(_, pair)| pair[0] != END && pair[1] != END);
        for (_, pair) in lefts() {
            starts[pair[0] as usize + 1] += 1;
        }
        for symbol in 0..symbols {
            starts[symbol + 1] += starts[symbol];
        }
        let mut free = starts.clone();
        let mut places = vec![0; starts[symbols]];
        for (place, pair) in lefts() {
            let at = &mut free[pair[0] as usize];
            places[*at] = place as u32;
            *at += 1;
        }
        Self { places, starts }
    }

    fn of(&self, left: u32) -> &[u32] {
        &self.places[self.starts[left as usize]..self.starts[left as usize + 1]]
    }

    /// Left symbols in parts of about equally many places.
    fn parts(&self) -> Vec<Range<u32>> {
        let symbols = self.starts.len() as u32 - 1;
        let a_part = self.places.len() / PARTS + 1;
        let mut parts = Vec::new();
        let mut first = 0;
        for symbol in 0..symbols {
            if self.starts[symbol as usize + 1] - self.starts[first as usize] >= a_part {
                parts.push(first..symbol + 1);
                first = symbol + 1;
            }
        }
        parts.push(first..symbols);
        parts
    }
}

/// Counts of right symbols, of one left symbol at a time.
struct Rights {
    counts: Vec<u64>,
    places: Vec<u32>,
    seen: Vec<u32>,
}

impl Rights {
    fn new(symbols: usize) -> Self {
        Self { counts: vec![0; symbols], places: vec![0; symbols], seen: Vec::new() }
    }

    fn count(&mut self, corpus: &Corpus, places: &[u32]) {
        for right in self.seen.drain(..) {
            self.counts[right as usize] = 0;
            self.places[right as usize] = 0;
        }
        let mut weights = corpus.weights();
        for &place in places {
            let right = corpus.slots[place as usize + 1];
            if self.places[right as usize] == 0 {
                self.seen.push(right);
            }
            self.places[right as usize] += 1;
            self.counts[right as usize] += weights.at(place);
        }
    }
}

/// The places of a compact corpus, ready to be counted.
pub(super) struct Index<'c> {
    corpus: &'c Corpus,
    by_left: ByLeft,
    parts: Vec<Range<u32>>,
}

impl<'c> Index<'c> {
    pub(super) fn new(corpus: &'c Corpus) -> Self {
        let by_left = ByLeft::new(corpus);
        let parts = by_left.parts();
        Self { corpus, by_left, parts }
    }

    /// The count of the most frequent pair; 0 if there is none.
    pub(super) fn most(&self, threads: &dyn Threads) -> u64 {
        let most = map(threads, self.parts.len(), 1, |part| {
            let mut rights = Rights::new(self.corpus.lengths.len());
            let mut most = 0;
            for left in self.parts[part].clone() {
                rights.count(self.corpus, self.by_left.of(left));
                most = rights.seen.iter().map(|&right| rights.counts[right as usize]).fold(most, u64::max);
            }
            most
        });
        most.into_iter().max().unwrap_or(0)
    }

    /// Every pair that occurs at least `floor` times.
    pub(super) fn from(&self, floor: u64, threads: &dyn Threads) -> Vec<Pair> {
        map(threads, self.parts.len(), 1, |part| self.part(part, floor)).into_iter().flatten().collect()
    }

    fn part(&self, part: usize, floor: u64) -> Vec<Pair> {
        let mut rights = Rights::new(self.corpus.lengths.len());
        let mut pair_of = vec![u32::MAX; self.corpus.lengths.len()];
        let mut pairs: Vec<Pair> = Vec::new();
        for left in self.parts[part].clone() {
            let places = self.by_left.of(left);
            rights.count(self.corpus, places);
            let first = pairs.len();
            for &right in &rights.seen {
                let count = rights.counts[right as usize];
                if count >= floor {
                    pair_of[right as usize] = pairs.len() as u32;
                    let places = Vec::with_capacity(rights.places[right as usize] as usize);
                    pairs.push(Pair { left, right, count, places });
                }
            }
            if pairs.len() == first {
                continue;
            }
            for &place in places {
                let right = self.corpus.slots[place as usize + 1];
                if let Some(pair) = pairs.get_mut(pair_of[right as usize] as usize) {
                    pair.places.push(place);
                }
            }
            for pair in &pairs[first..] {
                pair_of[pair.right as usize] = u32::MAX;
            }
        }
        pairs
    }
}
