//! The threads of whoever calls: work in parts, done by as many of them as are free.
//!
//! In memory they are those of the current rayon pool; a run over files has workers of its own.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

/// Threads that do work together.
pub trait Threads: Sync {
    /// Calls `work` once for every number below `parts`, and comes back when all are done.
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync));
}

/// The current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool;

impl Threads for Pool {
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..parts).into_par_iter().with_max_len(1).for_each(work);
    }
}

/// What `make` makes of every number below `count`, in order; `grain` numbers that follow each other are a part.
pub fn map<T: Send>(
    threads: &dyn Threads,
    count: usize,
    grain: usize,
    make: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    if count <= grain {
        return (0..count).map(make).collect();
    }
    let parts: Vec<Mutex<Vec<T>>> = (0..count.div_ceil(grain)).map(|_| Mutex::default()).collect();
    threads.each(parts.len(), &|part| {
        let start = part * grain;
        let made = (start..count.min(start + grain)).map(&make).collect();
        *parts[part].lock().unwrap_or_else(PoisonError::into_inner) = made;
    });
    parts.into_iter().flat_map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_made_once_and_in_order() {
        for (count, grain) in [(0, 1), (1, 1), (7, 3), (9, 3), (100, 1), (5, 10)] {
            assert_eq!(
                map(&Pool, count, grain, |at| 2 * at),
                (0..count).map(|at| 2 * at).collect::<Vec<_>>()
            );
        }
    }
}
