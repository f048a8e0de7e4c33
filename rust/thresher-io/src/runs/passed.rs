//! Which rows a run has passed on: one bit a row of each input, so that a later step can say where its rows came from.

use std::sync::{Arc, Mutex, PoisonError};

/// Bits in a word.
const WORD: u64 = 64;
/// Words between two sums: to find a row, that many are looked at.
const STRIDE: usize = 64;

/// Where a run notes what it passes on; nowhere, unless somebody asked.
#[derive(Clone, Debug, Default)]
pub struct Passed(Option<Arc<Mutex<Vec<Rows>>>>);

/// The rows of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    words: Vec<u64>,
    /// Rows passed on before each stretch of [`STRIDE`] words.
    before: Vec<u64>,
    len: u64,
    passed: u64,
}

impl Passed {
    /// A place to note.
    pub(crate) fn noted() -> Self {
        Self(Some(Arc::default()))
    }

    /// A pass begins.
    pub(crate) fn begin(&self) {
        if let Some(inputs) = &self.0 {
            inputs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// The next rows of an input: whether each was passed on.
    pub(crate) fn add(&self, input: usize, keep: &[bool]) {
        let Some(inputs) = &self.0 else { return };
        let mut inputs = inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if inputs.len() <= input {
            inputs.resize_with(input + 1, Rows::default);
        }
        for &keep in keep {
            inputs[input].push(keep);
        }
    }

    /// What was noted, by input.
    pub(crate) fn take(self) -> Vec<Rows> {
        self.0.map_or_else(Vec::new, |inputs| {
            std::mem::take(&mut *inputs.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

impl Rows {
    fn push(&mut self, keep: bool) {
        let bit = self.len % WORD;
        if bit == 0 {
            if self.words.len().is_multiple_of(STRIDE) {
                self.before.push(self.passed);
            }
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(keep) << bit;
        }
        self.len += 1;
        self.passed += u64::from(keep);
    }

    /// The row that was passed on as the `nth`, from 0.
    pub(crate) fn origin(&self, nth: u64) -> Option<u64> {
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
        fn the_nth_row_passed_on_is_the_nth_that_was_kept(
            keep in proptest::collection::vec(any::<bool>(), 0..20_000),
            cut in 1_usize..500,
        ) {
            let passed = Passed::noted();
            passed.add(1, &[true]);
            passed.begin();
            for part in keep.chunks(cut) {
                passed.add(1, part);
            }
            let noted = passed.take();
            let rows = noted.get(1).cloned().unwrap_or_default();
            let kept: Vec<u64> = (0..).zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| row).collect();
            for (nth, row) in (0..).zip(&kept) {
                prop_assert_eq!(rows.origin(nth), Some(*row));
            }
            prop_assert_eq!(rows.origin(kept.len() as u64), None);
        }
    }

    #[test]
    fn nothing_is_noted_unless_asked_for() {
        let passed = Passed::default();
        passed.add(0, &[true, false]);
        assert!(passed.take().is_empty());
    }
}
