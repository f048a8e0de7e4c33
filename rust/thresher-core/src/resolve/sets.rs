//! How many shingles two sets share, by the stretches that they have in common and a small hash table of the rest.
//!
//! Sets come in the order of their texts, and similar texts are equal for long stretches. So a few shingles of one set, chosen by
//! their value, are noted with their places ([`Compared`]). Where the other set has one of these, both are compared
//! from there on in either direction, many shingles at a time. What no stretch covers is looked up in a hash table. Shingles of a
//! set are distinct, so nothing is counted twice, and the result is exact in whatever order they come.
//!
//! Shingles are hashes keyed by the secret of the run, so nobody can make them fall on one place.

use crate::params::{Threshold, jaccard};

/// Shingles of a set that are looked up before the misses are counted.
const STEP: usize = 64;
/// Spreads numbers that are no hashes, as tests have them (2^64 divided by the golden ratio).
const SPREAD: u64 = crate::hash::K0;
/// One shingle in so many is noted with its place.
const SAMPLE: u64 = 8;
/// Sets that one is compared with from which on a table of all its shingles pays: most of so many are not similar, which
/// few shingles tell.
const MANY: usize = 8;
/// Shingles that are compared at a time.
const LANES: usize = 8;

/// A set to compare others with. Holds its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Open addressing: one and the place of each sample in the set, 0 where free. At most a quarter full.
    samples: Vec<u32>,
    shift: u32,
    /// The samples in order, each plus one.
    chosen: Vec<u32>,
    /// All shingles, if there are many sets to compare them with.
    table: SetTable,
    is_full: bool,
}

/// The buffers of one comparison.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Stretches of the own set that the other one has too.
    covered: Vec<(u32, u32)>,
    own: Vec<u64>,
    others: Vec<u64>,
    table: SetTable,
}

impl Compared {
    /// Takes a set of distinct shingles instead of the one before, to be compared with so many others.
    pub(super) fn fill(&mut self, own: &[u64], comparisons: usize) {
        self.is_full = comparisons >= MANY;
        if self.is_full {
            self.table.fill(own);
            return;
        }
        let places = (4 * own.len() / SAMPLE as usize).next_power_of_two().max(4);
        self.samples.clear();
        self.samples.resize(places, 0);
        self.shift = u64::BITS - places.trailing_zeros();
        self.chosen.clear();
        self.chosen.resize(own.len() + 1, 0);
        let mut count = 0;
        for (at, &shingle) in (1..).zip(own) {
            // Written in any case, and left there if it is one: whether it is cannot be foreseen.
            self.chosen[count] = at;
            count += usize::from(is_sample(shingle));
        }
        // Numbers that are no hashes may be chosen more often; then the first ones have to do.
        for &at in &self.chosen[..count.min(places / 2)] {
            let mut place = self.place_of(own[at as usize - 1]);
            while self.samples[place] != 0 {
                place = (place + 1) & (places - 1);
            }
            self.samples[place] = at;
        }
    }

    #[inline]
    fn place_of(&self, shingle: u64) -> usize {
        (shingle.wrapping_mul(SPREAD) >> self.shift) as usize
    }

    /// The place of a sample in the own set.
    #[inline]
    fn find(&self, own: &[u64], shingle: u64) -> Option<usize> {
        let mut place = self.place_of(shingle);
        loop {
            match self.samples[place] {
                0 => return None,
                at if own[at as usize - 1] == shingle => return Some(at as usize - 1),
                _ => place = (place + 1) & (self.samples.len() - 1),
            }
        }
    }

    /// The similarity of `own`, the set that was taken last, with another set of distinct shingles, or none if it is less than
    /// `least`.
    pub(super) fn similarity(
        &self,
        own: &[u64],
        others: &[u64],
        least: Threshold,
        rest: &mut Rest,
    ) -> Option<f64> {
        let shared = self.shared(own, others, least.least_shared(own.len(), others.len()), rest)?;
        Some(jaccard(shared, own.len(), others.len()))
    }

    /// How many shingles both sets have, or none if they are fewer than `least`.
    fn shared(&self, own: &[u64], others: &[u64], least: usize, rest: &mut Rest) -> Option<usize> {
        if self.is_full {
            return self.table.shared(others, least);
        }
        let covered = self.cover(own, others, rest);
        let left = own.len() - covered;
        let wanted = least.saturating_sub(covered);
        if wanted > left.min(rest.others.len()) {
            return None;
        }
        if left == 0 || rest.others.is_empty() {
            return Some(covered);
        }
        rest.covered.sort_unstable();
        rest.own.clear();
        let mut start = 0;
        for &(from, to) in &rest.covered {
            rest.own.extend_from_slice(&own[start..from as usize]);
            start = to as usize;
        }
        rest.own.extend_from_slice(&own[start..]);
        rest.table.fill(&rest.own);
        Some(covered + rest.table.shared(&rest.others, wanted)?)
    }

    /// Finds the stretches that both sets have, and leaves what is not in them in `rest`. Gives how many shingles they have.
    fn cover(&self, own: &[u64], others: &[u64], rest: &mut Rest) -> usize {
        rest.covered.clear();
        rest.others.clear();
        // The shingles from `open` on are not covered, and `at` is the next one to be looked at.
        let (mut at, mut open, mut covered) = (0, 0, 0);
        while let Some(next) = others[at..].iter().position(|&shingle| is_sample(shingle)) {
            at += next;
            let Some(place) = self.find(own, others[at]) else {
                at += 1;
                continue;
            };
            let before = common_suffix(&own[..place], &others[open..at]);
            let behind = common_prefix(&own[place..], &others[at..]);
            rest.others.extend_from_slice(&others[open..at - before]);
            rest.covered.push(((place - before) as u32, (place + behind) as u32));
            covered += before + behind;
            at += behind;
            open = at;
        }
        rest.others.extend_from_slice(&others[open..]);
        covered
    }
}

#[inline]
fn is_sample(shingle: u64) -> bool {
    shingle.is_multiple_of(SAMPLE)
}

fn common_prefix(a: &[u64], b: &[u64]) -> usize {
    let differ = |a: &[u64; LANES], b: &[u64; LANES]| a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    let blocks = a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0);
    let equal = LANES * blocks.take_while(|(a, b)| differ(a, b) == 0).count();
    equal + a[equal..].iter().zip(&b[equal..]).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u64], b: &[u64]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// The shingles of a set by their values.
#[derive(Debug, Default)]
struct SetTable {
    /// Open addressing: shingles, 0 where free. A power of two long, at most half full.
    slots: Vec<u64>,
    shift: u32,
    has_zero: bool,
}

impl SetTable {
    /// Takes a set of distinct shingles instead of the one before.
    fn fill(&mut self, shingles: &[u64]) {
        let places = (2 * shingles.len()).next_power_of_two().max(4);
        self.slots.clear();
        self.slots.resize(places, 0);
        self.shift = u64::BITS - places.trailing_zeros();
        self.has_zero = false;
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
    fn shared(&self, others: &[u64], least: usize) -> Option<usize> {
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
            numbers in prop::collection::btree_set(0..2_000u64, 0..400), spread: u64, moved in 0..400usize,
            edits in prop::collection::vec((0..400usize, 0..3u8), 0..60), comparisons in 1..12usize, threshold in 0.01..1.0f64,
        ) {
            // Hashes, or numbers that are none and all chosen; the other set is this one with edits, and from another place on.
            let spread = if spread.is_multiple_of(3) { SAMPLE } else { spread | 1 };
            let own: Vec<u64> = numbers.into_iter().map(|number| number.wrapping_mul(spread)).collect();
            let mut others = own.clone();
            others.rotate_left(moved.min(own.len()));
            for (new, (at, edit)) in (10_000u64..).zip(edits) {
                let at = at.min(others.len());
                match edit {
                    0 => others.insert(at, new.wrapping_mul(spread)),
                    1 if at < others.len() => others[at] = new.wrapping_mul(spread),
                    _ => drop(others.drain(at..others.len().min(at + 5))),
                }
            }
            let of_both: BTreeSet<&u64> = own.iter().collect();
            let shared = others.iter().filter(|shingle| of_both.contains(shingle)).count();
            let (mut compared, mut rest) = (Compared::default(), Rest::default());
            // What was there before is forgotten.
            compared.fill(&(300..500).collect::<Vec<_>>(), comparisons);
            compared.fill(&own, comparisons);
            compared.similarity(&own, &[1, 2, 3], Threshold::default(), &mut rest);
            let threshold = Threshold::try_new(threshold).unwrap();
            let expected = jaccard(shared, own.len(), others.len());
            let found = compared.similarity(&own, &others, threshold, &mut rest);
            prop_assert_eq!(found, (expected >= threshold.get()).then_some(expected));
            let mut filter = Filter::default();
            filter.fill(&own);
            prop_assert!(filter.may_share(&others, shared), "nothing that is shared is ruled out");
            prop_assert!(!filter.may_share(&others, others.len() + 1));
        }
    }
}
