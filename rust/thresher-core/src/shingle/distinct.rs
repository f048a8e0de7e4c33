//! The distinct ones of many hashes, each in its first place.

/// Bits of a filter for each number, and places of the table for each number that may be a repetition.
const BITS_A_NUMBER: usize = 16;
const PLACES_A_SUSPECT: usize = 4;

/// Tells which numbers come for the first time. Most come once, which two filters of bits tell; the others are
/// looked up in a small table.
#[derive(Debug, Default)]
pub(super) struct DistinctTable {
    /// The bits of all numbers; those that several numbers set, or one that came again.
    once: Vec<u64>,
    again: Vec<u64>,
    /// Open addressing: numbers whose bit is among the latter, 0 where free. A power of two long.
    slots: Vec<u64>,
}

impl DistinctTable {
    /// Leaves each number from `start` on once, in its first place. They are hashes, so their bits place them.
    pub(super) fn keep_first(&mut self, numbers: &mut Vec<u64>, start: usize) {
        let words = (BITS_A_NUMBER * (numbers.len() - start)).div_ceil(64).next_power_of_two();
        for filter in [&mut self.once, &mut self.again] {
            filter.clear();
            filter.resize(words, 0);
        }
        // Slices of known lengths are looked at without asking where they are again and again.
        let (once, again) = (&mut self.once[..words], &mut self.again[..words]);
        let place_of = |number: u64| ((number >> 6) as usize & (words - 1), 1 << (number % 64));
        let mut suspects = 0;
        for &number in &numbers[start..] {
            let (word, bit) = place_of(number);
            let twice = once[word] & bit;
            once[word] |= bit;
            again[word] |= twice;
            suspects += usize::from(twice != 0);
        }
        if suspects == 0 {
            return;
        }
        // Each of them shares its bit with one before it, so they are at most twice as many.
        let places = (2 * PLACES_A_SUSPECT * suspects).next_power_of_two();
        self.slots.clear();
        self.slots.resize(places, 0);
        let slots = &mut self.slots[..places];
        let is_suspect = |&number: &u64| {
            let (word, bit) = place_of(number);
            again[word] & bit != 0
        };
        let (mut has_zero, mut kept) = (false, start);
        let mut rest = start;
        while let Some(run) = numbers[rest..].iter().position(is_suspect) {
            numbers.copy_within(rest..rest + run, kept);
            kept += run;
            rest += run + 1;
            let number = numbers[rest - 1];
            let is_known = if number == 0 {
                std::mem::replace(&mut has_zero, true)
            } else {
                // The upper bits: those with a bit in common share the lower ones.
                let mut place = (number >> 32) as usize & (places - 1);
                while slots[place] != 0 && slots[place] != number {
                    place = (place + 1) & (places - 1);
                }
                std::mem::replace(&mut slots[place], number) == number
            };
            numbers[kept] = number;
            kept += usize::from(!is_known);
        }
        let end = numbers.len();
        numbers.copy_within(rest..end, kept);
        kept += end - rest;
        numbers.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_stays_in_its_first_place(
            numbers in prop::collection::vec(0..300u64, 0..400), spread: u64, before in prop::collection::vec(any::<u64>(), 0..9),
        ) {
            let hashes: Vec<u64> = numbers.iter().map(|number| number.wrapping_mul(spread | 1)).collect();
            let mut table = DistinctTable::default();
            // What was there before is forgotten.
            table.keep_first(&mut vec![0, 1, 0, 1, 2, 3], 0);
            let mut found = [before.clone(), hashes.clone()].concat();
            table.keep_first(&mut found, before.len());
            let mut seen = BTreeSet::new();
            let first: Vec<u64> = hashes.into_iter().filter(|&hash| seen.insert(hash)).collect();
            prop_assert_eq!(found, [before, first].concat());
        }
    }
}
