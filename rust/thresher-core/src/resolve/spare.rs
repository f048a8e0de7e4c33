//! Buffers that are lent to whoever works, and kept for the next one.

use std::sync::{Mutex, PoisonError};

/// As many of a thing as were ever lent at a time.
#[derive(Debug)]
pub(crate) struct Spare<T>(Mutex<Vec<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Spare<T> {
    /// Calls `work` with one that nobody else has, a `new` one if all are lent.
    pub(crate) fn lend<R>(&self, new: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lent = spare.unwrap_or_else(new);
        let result = work(&mut lent);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lent);
        result
    }
}
