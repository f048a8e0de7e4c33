//! A random order of `n` rows that is computed, not stored: any place of it by itself, in a few words of memory.
//!
//! ```text
//! row ─> (row / width, row % width) ─ 12 rounds: one half += mix(other half ^ key) ─> place     again while place >= n
//! ```
//!
//! A number below `height * width >= n` is two halves, and a round adds a keyed function of one half to the other: a Feistel
//! network over a product of two ranges. What comes out at `n` or above is put in again until it is below (cycle walking).
//! Both are from Black and Rogaway, *Ciphers with Arbitrary Finite Domains*, CT-RSA 2002. With `height` the root of `n`, some
//! two numbers in `height` walk. The swap-or-not network of Hoang, Morris and Rogaway (CRYPTO 2012) has better
//! proofs and needs some 6 rounds for every bit of `n`, which is ten times the time.
//!
//! This spreads rows; it hides nothing: the keys come from a seed by `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
//! The order of `(n, seed, epoch)` is a promise to whoever stored it: `tests/golden/permutations.jsonl` holds it fast.

use std::ops::Range;

use thresher_core::hash::finalise;

/// Fewer are uneven for small `n`; more show nothing in the tests of this file.
const ROUNDS: usize = 12;
/// 2^64 divided by the golden ratio: the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// An order of the numbers below `n`, drawn by a seed and the number of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    len: u64,
    /// The halves of a number are below these.
    height: u64,
    width: u64,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The order of `len` rows for a seed and an epoch. Another epoch is another order, as is another seed or length.
    #[must_use]
    pub fn new(len: u64, seed: u64, epoch: u64) -> Self {
        let height = if len == 0 { 1 } else { (len - 1).isqrt() + 1 };
        // An odd width would leave out every order that is an odd number of exchanges away, where nothing walks.
        let width = len.div_ceil(height).next_multiple_of(2).max(2);
        let start = finalise(finalise(finalise(seed) ^ epoch) ^ len);
        let key = |round: u64| finalise(start.wrapping_add((round + 1).wrapping_mul(GOLDEN)));
        let mut keys = [0; ROUNDS];
        keys.iter_mut().zip(0..).for_each(|(slot, round)| *slot = key(round));
        Self { len, height, width, keys }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place of a row; none for a number that is no row.
    #[must_use]
    pub fn place(&self, row: u64) -> Option<u64> {
        (row < self.len).then(|| self.forth(row))
    }

    /// The row at a place; none for a number that is no place.
    #[must_use]
    pub fn row(&self, place: u64) -> Option<u64> {
        (place < self.len).then(|| self.back(place))
    }

    /// The places of consecutive rows, as far as there are any.
    #[must_use]
    pub fn places(&self, rows: Range<u64>) -> impl ExactSizeIterator<Item = u64> + '_ {
        Numbers { next: rows.start, end: rows.end.min(self.len).max(rows.start) }.map(|row| self.forth(row))
    }

    /// The rows at consecutive places, as far as there are any.
    #[must_use]
    pub fn rows(&self, places: Range<u64>) -> impl ExactSizeIterator<Item = u64> + '_ {
        Numbers { next: places.start, end: places.end.min(self.len).max(places.start) }
            .map(|place| self.back(place))
    }

    /// The place of a number below `len`, from which walking comes back below it.
    fn forth(&self, mut number: u64) -> u64 {
        loop {
            let (mut high, mut low) = (number / self.width, number % self.width);
            for keys in self.keys.chunks_exact(2) {
                high = sum(high, part(low ^ keys[0], self.height), self.height);
                low = sum(low, part(high ^ keys[1], self.width), self.width);
            }
            number = high * self.width + low;
            if number < self.len {
                return number;
            }
        }
    }

    /// The inverse.
    fn back(&self, mut number: u64) -> u64 {
        loop {
            let (mut high, mut low) = (number / self.width, number % self.width);
            for keys in self.keys.rchunks_exact(2) {
                low = sum(low, self.width - part(high ^ keys[1], self.width), self.width);
                high = sum(high, self.height - part(low ^ keys[0], self.height), self.height);
            }
            number = high * self.width + low;
            if number < self.len {
                return number;
            }
        }
    }
}

/// A range of numbers that knows how many they are.
struct Numbers {
    next: u64,
    end: u64,
}

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        (self.next < self.end).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Numbers {}

/// A number below `bound` made of all bits of another.
#[inline]
const fn part(number: u64, bound: u64) -> u64 {
    ((finalise(number) as u128 * bound as u128) >> 64) as u64
}

/// The sum of a number below `bound` and one up to it, modulo `bound`. Bounds have at most 33 bits.
#[inline]
const fn sum(a: u64, b: u64, bound: u64) -> u64 {
    let sum = a + b;
    if sum < bound { sum } else { sum - bound }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_place_is_taken_once_for_every_small_length() {
        for len in 0..700 {
            for (seed, epoch) in [(0, 0), (0, 1), (u64::MAX, 7)] {
                let order = Permutation::new(len, seed, epoch);
                let mut taken = vec![false; len as usize];
                for (row, place) in order.places(0..len).enumerate() {
                    assert!(!std::mem::replace(&mut taken[place as usize], true), "{len}: {place} twice");
                    assert_eq!(order.place(row as u64), Some(place));
                    assert_eq!(order.row(place), Some(row as u64));
                }
                assert!(taken.into_iter().all(|taken| taken));
                assert_eq!((order.place(len), order.row(len)), (None, None));
                assert!(order.rows(0..len).eq((0..len).filter_map(|place| order.row(place))));
            }
        }
    }

    #[test]
    fn what_is_outside_has_no_place() {
        let order = Permutation::new(10, 0, 0);
        assert_eq!(
            (order.places(8..30).len(), order.places(10..30).len(), order.places(40..50).len()),
            (2, 0, 0)
        );
        assert_eq!(Permutation::new(0, 0, 0).places(0..9).len(), 0);
        assert_eq!(order.places(Range { start: 5, end: 3 }).len(), 0);
    }

    proptest! {
        #[test]
        fn there_and_back_again(len in 1..=u64::MAX, seed: u64, epoch: u64, at: u64) {
            let order = Permutation::new(len, seed, epoch);
            let row = at % len;
            let place = order.place(row).unwrap();
            prop_assert!(place < len);
            prop_assert_eq!(order.row(place), Some(row));
        }
    }

    /// The largest and the smallest lengths where halves change their size.
    #[test]
    fn borders_of_the_halves_go_there_and_back() {
        let roots = [1_u64, 2, 3, 65_535, 65_536, u64::from(u32::MAX), 1 << 32];
        let lengths = roots.iter().flat_map(|&root| {
            let square = root.wrapping_mul(root);
            [square.wrapping_sub(1), square, square.wrapping_add(1), root]
        });
        for len in lengths.chain([u64::MAX]).filter(|&len| len > 0) {
            let order = Permutation::new(len, 5, 5);
            for row in [0, len / 2, len - 1] {
                assert_eq!(order.row(order.place(row).unwrap()), Some(row), "{len}");
            }
        }
    }

    /// Chi-square of counts that should be alike, in standard deviations from its mean.
    fn deviation(counts: &[u64]) -> f64 {
        let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let chi: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2) / mean).sum();
        let free = counts.len() as f64 - 1.0;
        (chi - free) / (2.0 * free).sqrt()
    }

    #[test]
    fn all_orders_of_few_rows_are_as_frequent() {
        for len in 2..=5 {
            let mut counts: HashMap<Vec<u64>, u64> = HashMap::new();
            for seed in 0..60_000 {
                *counts.entry(Permutation::new(len, seed, 0).places(0..len).collect()).or_default() += 1;
            }
            let orders: u64 = (1..=len).product();
            assert_eq!(counts.len() as u64, orders);
            let counts: Vec<u64> = counts.into_values().collect();
            assert!(deviation(&counts).abs() < 4.0, "{len}: {}", deviation(&counts));
        }
    }

    #[test]
    fn a_row_goes_to_every_place_and_a_pair_to_every_pair_as_often() {
        for len in [9_u64, 16, 25, 30] {
            let (mut singles, mut pairs) = (vec![0; (len * len) as usize], vec![0; (len * len) as usize]);
            for epoch in 0..40_000 {
                let order = Permutation::new(len, 1, epoch);
                let places: Vec<u64> = order.places(0..len).collect();
                places.iter().zip(0..).for_each(|(place, row)| singles[(row * len + place) as usize] += 1);
                pairs[(places[0] * len + places[1]) as usize] += 1;
            }
            // A column and a row of each table are given by the others.
            assert!(deviation(&singles).abs() < 6.0, "{len}: {}", deviation(&singles));
            let apart: Vec<u64> = pairs
                .iter()
                .zip(0..)
                .filter(|(_, at)| at / len != at % len)
                .map(|(count, _)| *count)
                .collect();
            assert!(deviation(&apart).abs() < 4.0, "{len}: {}", deviation(&apart));
        }
    }

    #[test]
    fn neighbours_of_a_long_order_end_up_anywhere() {
        let len = 1_000_000;
        let order = Permutation::new(len, 3, 0);
        let places: Vec<u64> = order.places(0..len).collect();
        // Where rows of each hundredth go, and how far apart neighbours land.
        let (mut blocks, mut steps) = (vec![0; 10_000], vec![0; 100]);
        for (row, place) in places.iter().enumerate() {
            blocks[row / 10_000 * 100 + (place / 10_000) as usize] += 1;
        }
        for pair in places.windows(2) {
            steps[((pair[1] + len - pair[0]) % len / 10_000) as usize] += 1;
        }
        assert!(deviation(&blocks).abs() < 6.0 && deviation(&steps).abs() < 4.0);
        let epochs = Permutation::new(len, 3, 1);
        let same = places.iter().zip(epochs.places(0..len)).filter(|(one, other)| **one == *other).count();
        assert!(same < 12, "{same} rows stay in their places");
    }
}
