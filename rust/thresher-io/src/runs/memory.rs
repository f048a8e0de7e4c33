//! How much memory a run may hold, and how it is shared out.
//!
//! The limit is on the peak of the whole process (`VmHWM`), so what a run cannot plan comes off first: the program itself, and
//! for each thread the units that it works on. The rest is shared among the tables of the run, each of which goes to disk
//! when its share is used up. No result depends on it.

use crate::error::{Error, Result};
use crate::runs::options::RunOptions;

/// The program, its libraries, and what the allocator holds back.
const BASE: u64 = 96 << 20;
/// Units on their way, buffers of readers and writers, for each thread.
const THREAD: u64 = 32 << 20;
/// What the tables of a run need at least.
const TABLES: u64 = 96 << 20;

/// Shingle sets that are held at most, however much memory there is: the page cache has the others.
const SETS: u64 = 256 << 20;

/// The memory of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    limit: u64,
    threads: u64,
}

impl Memory {
    /// The limit that was asked for, or the default.
    ///
    /// # Errors
    /// `Error::Parameter` for less than a run of so many threads needs.
    pub(crate) fn of(options: &RunOptions) -> Result<Self> {
        let threads = options.threads() as u64;
        let least = BASE + THREAD * threads + TABLES;
        match options.memory {
            Some(limit) if limit < least => Err(Error::Parameter(format!(
                "memory is `{limit}` bytes, but a run of {threads} threads needs at least {least} ({} MB); raise `memory`, or \
                 use fewer `threads`",
                least.div_ceil(1_000_000)
            ))),
            _ => Ok(Self { limit: options.memory().max(least), threads }),
        }
    }

    /// What is left beside so many bytes that are held all the time, such as a model.
    ///
    /// # Errors
    /// `Error::Parameter` if that is less than a run needs.
    pub(crate) fn without(self, bytes: u64) -> Result<Self> {
        let left = self.limit.saturating_sub(bytes);
        let least = BASE + THREAD * self.threads + TABLES;
        if bytes > 0 && left < least {
            return Err(Error::Parameter(format!(
                "memory is `{}` bytes, but the models of the run take {bytes} and the rest at least {least}; raise `memory`, or use \
                 fewer `threads`",
                self.limit
            )));
        }
        Ok(Self { limit: left, ..self })
    }

    /// Bytes of units that a pass has in flight.
    pub(crate) fn in_flight(self) -> u64 {
        (self.tables() / 8).clamp(THREAD / 2 * self.threads, 2 * THREAD * self.threads)
    }

    /// Bytes for an output under construction. When there is one, half of the tables are done with.
    pub(crate) fn output(self) -> u64 {
        self.part(2)
    }

    /// Bytes for the shingle sets that later documents are compared with.
    pub(crate) fn sets(self) -> u64 {
        self.part(16).min(SETS)
    }

    /// Memory for tables of so many bytes.
    #[cfg(test)]
    pub(crate) fn of_tables(bytes: u64) -> Self {
        Self { limit: BASE + THREAD + bytes, threads: 1 }
    }

    /// Bytes for the tables of the run, all together.
    pub(crate) fn tables(self) -> u64 {
        self.limit - BASE - THREAD * self.threads
    }

    /// One of `parts` equal parts of that.
    pub(crate) fn part(self, parts: u64) -> u64 {
        self.tables() / parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_refused_with_the_number_that_is_needed() {
        let of = |memory| Memory::of(&RunOptions { memory, threads: Some(2), ..RunOptions::default() });
        let said = of(Some(1 << 20)).unwrap_err().to_string();
        assert!(said.contains("memory is `1048576` bytes") && said.contains("at least 268435456"), "{said}");
        assert_eq!(of(Some(256 << 20)).unwrap().tables(), TABLES);
        assert!(of(None).unwrap().tables() >= TABLES);
    }
}
