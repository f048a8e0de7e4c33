//! How many shingles two sets share, by a small hash table of one of them.
//!
//! Shingles are hashes keyed by the secret of the run, so nobody can make them fall on one place.

use crate::params::{Threshold, jaccard};

/// Shingles of a set that are looked up before the misses are counted.
const STEP: usize = 64;
/// Spreads numbers that are no hashes, as tests have them (2^64 divided by the golden ratio).
const SPREAD: u64 = crate::hash::K0;

/// A set of shingles to compare others with. Holds its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct SetTable {
    /// Open addressing: shingles, 0 where free. A power of two long, at most half full.
    slots: Vec<u64>,
    shift: u32,
    has_zero: bool,
    len: usize,
}

impl SetTable {
    /// Takes a set of distinct shingles instead of the one before.
    pub(super) fn fill(&mut self, shingles: &[u64]) {
        let places = (2 * shingles.len()).next_power_of_two().max(4);
        self.slots.clear();
        self.slots.resize(places, 0);
        self.shift = u64::BITS - places.trailing_zeros();
        self.has_zero = false;
        self.len = shingles.len();
        for &shingle in shingles {
            if shingle == 0 {
                self.has_zero = true;
                continue;
            }
            let mut place = self.place_of(shingle);
            while self.slots[place] != 0 {
                place = (place + 1) & (places - 1);
            }
            self.slots[place] = shingle;
        }
    }

    #[inline]
    fn place_of(&self, shingle: u64) -> usize {
        (shingle.wrapping_mul(SPREAD) >> self.shift) as usize
    }

    #[inline]
    fn contains(&self, shingle: u64) -> bool {
        if shingle == 0 {
            return self.has_zero;
        }
        let mut place = self.place_of(shingle);
        loop {
            match self.slots[place] {
                0 => return false,
                known if known == shingle => return true,
                _ => place = (place + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// How many of `others`, which are distinct, are in the set, or none if they are fewer than `least`.
    pub(super) fn shared(&self, others: &[u64], least: usize) -> Option<usize> {
        let misses_allowed = others.len().checked_sub(least)?;
        let mut misses = 0;
        for some in others.chunks(STEP) {
            misses += some.iter().map(|&shingle| usize::from(!self.contains(shingle))).sum::<usize>();
            if misses > misses_allowed {
                return None;
            }
        }
        Some(others.len() - misses)
    }

    /// The similarity with another set of distinct shingles, or none if it is less than `least`.
    pub(super) fn similarity(&self, others: &[u64], least: Threshold) -> Option<f64> {
        let shared = self.shared(others, least.least_shared(self.len, others.len()))?;
        Some(jaccard(shared, self.len, others.len()))
    }
}

/// Bits of a filter for each shingle of its set.
const FILTER_BITS: usize = 16;

/// A set of shingles as bits, one for each: it tells how many it shares with others at most, at a fraction of the cost.
#[derive(Debug, Default)]
pub(super) struct Filter {
    words: Vec<u64>,
    shift: u32,
}

impl Filter {
    /// Takes a set instead of the one before.
    pub(super) fn fill(&mut self, shingles: &[u64]) {
        let bits = (FILTER_BITS * shingles.len()).next_power_of_two().max(64);
        self.words.clear();
        self.words.resize(bits / 64, 0);
        self.shift = u64::BITS - bits.trailing_zeros();
        for &shingle in shingles {
            let place = shingle.wrapping_mul(SPREAD) >> self.shift;
            self.words[place as usize / 64] |= 1 << (place % 64);
        }
    }

    /// Whether `least` of `others`, which are distinct, may be in the set.
    pub(super) fn may_share(&self, others: &[u64], least: usize) -> bool {
        let Some(misses_allowed) = others.len().checked_sub(least) else { return false };
        let mut misses = 0;
        for some in others.chunks(STEP) {
            let misses_of = |&shingle: &u64| {
                let place = shingle.wrapping_mul(SPREAD) >> self.shift;
                !(self.words[place as usize / 64] >> (place % 64)) & 1
            };
            misses += some.iter().map(misses_of).sum::<u64>() as usize;
            if misses > misses_allowed {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_two_sets_share_is_what_they_share(
            a in prop::collection::btree_set(0..300u64, 0..200), b in prop::collection::btree_set(0..300u64, 0..200),
            keep: bool, threshold in 0.01..1.0f64,
        ) {
            let b: BTreeSet<u64> = if keep { a.iter().chain(b.iter().take(20)).copied().collect() } else { b };
            let mut table = SetTable::default();
            // What was there before is forgotten.
            table.fill(&(300..500).collect::<Vec<_>>());
            table.fill(&a.iter().copied().collect::<Vec<_>>());
            let threshold = Threshold::try_new(threshold).unwrap();
            let expected = jaccard(a.intersection(&b).count(), a.len(), b.len());
            let mut filter = Filter::default();
            filter.fill(&a.iter().copied().collect::<Vec<_>>());
            let shared = a.intersection(&b).count();
            let others: Vec<u64> = b.into_iter().collect();
            prop_assert!(filter.may_share(&others, shared), "nothing that is shared is ruled out");
            prop_assert!(!filter.may_share(&others, others.len() + 1));
            prop_assert_eq!(table.similarity(&others, threshold), (expected >= threshold.get()).then_some(expected));
        }
    }
}
