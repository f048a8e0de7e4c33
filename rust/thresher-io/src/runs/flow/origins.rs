//! Where the rows of a step that makes new ones came from: for each row of an input, how many it became, in little more than a
//! bit each.
//!
//! A row that became `n` rows is `n` ones and a zero. So the place of the `i`-th one, less `i`, is the row of the `i`-th new one.

/// Bits in a word.
const WORD: u64 = 64;
/// Words between two sums: to find a row, that many are looked at.
const STRIDE: usize = 64;

/// The rows of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origins {
    words: Vec<u64>,
    /// New rows before each stretch of [`STRIDE`] words.
    before: Vec<u64>,
    len: u64,
    made: u64,
}

/// A row, and which of the rows that it became: none where it became one.
pub(super) type Origin = (u64, Option<u64>);

impl Origins {
    /// The next row became so many.
    pub(super) fn push(&mut self, made: u32) {
        (0..made).for_each(|_| self.bit(true));
        self.bit(false);
    }

    fn bit(&mut self, one: bool) {
        let bit = self.len % WORD;
        if bit == 0 {
            if self.words.len().is_multiple_of(STRIDE) {
                self.before.push(self.made);
            }
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(one) << bit;
        }
        self.len += 1;
        self.made += u64::from(one);
    }

    fn is_one(&self, place: u64) -> bool {
        self.words.get((place / WORD) as usize).is_some_and(|word| word >> (place % WORD) & 1 == 1)
    }

    /// How many new rows there are.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Where the `nth` new row came from, from 0.
    pub(super) fn of(&self, nth: u64) -> Option<Origin> {
        let place = self.place(nth)?;
        let before = (0..place).rev().take_while(|&place| self.is_one(place)).count() as u64;
        let is_alone = before == 0 && !self.is_one(place + 1);
        Some((place - nth, (!is_alone).then_some(before)))
    }

    /// The place of the `nth` one.
    fn place(&self, nth: u64) -> Option<u64> {
        let stretch = self.before.partition_point(|&before| before <= nth).checked_sub(1)?;
        let mut left = nth - self.before[stretch];
        for (index, &word) in self.words.iter().enumerate().skip(stretch * STRIDE) {
            let ones = u64::from(word.count_ones());
            if left < ones {
                let mut word = word;
                for _ in 0..left {
                    word &= word - 1;
                }
                return Some(index as u64 * WORD + u64::from(word.trailing_zeros()));
            }
            left -= ones;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_new_row_is_traced_to_its_row_and_part(
            made in proptest::collection::vec(prop_oneof![4 => Just(1u32), 2 => Just(0), 1 => 2u32..9], 0..5_000),
        ) {
            let mut origins = Origins::default();
            for &made in &made {
                origins.push(made);
            }
            let mut nth = 0;
            for (row, &made) in (0..).zip(&made) {
                for part in 0..u64::from(made) {
                    prop_assert_eq!(origins.of(nth), Some((row, (made > 1).then_some(part))));
                    nth += 1;
                }
            }
            prop_assert_eq!(origins.of(nth), None);
        }
    }
}
