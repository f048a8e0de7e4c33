//! Rows of files in a random order that is exact, and that a seed decides.
//!
//! ```text
//! rows ─ census ─> ledger: which rows there are ─ exchange: row i goes to place P(i) ─> shards
//! ```
//!
//! `P` is the order of [`Permutation`] for the number of good rows, the seed and the epoch, so the k-th row of the output is the
//! input's row `Permutation(n, seed, epoch)[k]`, and every order of the rows may come out. The inputs are read twice: the
//! number of rows has to be known before the first one gets its place.

use serde::Serialize;
use thresher_tokens::permute::Permutation;

use crate::error::{Error, Result};
use crate::runs::books::Count;
use crate::runs::exchange::census::{Census, kept};
use crate::runs::exchange::{Order, RowNumber};
use crate::runs::gather::exchanged::{self, Cut, Exchanged, Exchanging, exchange};
use crate::runs::gather::{self, Gather, GatherReport, Gathered, Gathering, LEDGER};
use crate::runs::ledger::Ledger;
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;

parameters! {
    /// What a shuffle is asked for.
    pub struct ShuffleStep is "shuffle" {
        /// Names the order, 0 to 2^64 - 1. The same rows and the same seed come out in the same order, whatever the threads and the memory.
        seed: u64 = 0 => Kind::Whole { least: 0, most: u64::MAX };
        /// Number of the epoch, 0 to 2^64 - 1: another epoch is another order of the same seed.
        epoch: u64 = 0 => Kind::Whole { least: 0, most: u64::MAX };
        /// Files in the output folder, whose rows differ by one at most. Default: as many as there are inputs.
        shards: Option<u64> = None => Kind::Whole { least: 1, most: 100_000 };
        /// Rows of a file in the output folder; the last one may have fewer.
        rows_per_shard: Option<u64> = None => Kind::Whole { least: 1, most: i64::MAX as u64 };
    }
}

/// The parameters of a run.
pub type ShuffleRun = Config<ShuffleStep>;

/// The contents of `run.json`.
pub type ShuffleReport = GatherReport<ShuffleStep, ShuffleSaid>;

/// What a shuffle says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct ShuffleSaid {
    /// Bytes of temporary files that held rows.
    pub spilled_bytes: u64,
    /// Tokens of the rows, if they have a column of lists of ids as a tokenisation writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffled_tokens: Option<u64>,
}

/// Every row to its place in a random order.
pub(crate) struct Shuffled(Permutation);

impl Order for Shuffled {
    fn places(&self) -> u64 {
        self.0.len()
    }

    fn of(&self, row: RowNumber, places: &mut Vec<u64>) -> Result<()> {
        places.extend(self.0.place(row.of_all));
        Ok(())
    }
}

/// Shuffles the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses, `Error::Data` in
/// strict mode, for rows that cannot lie in one file, or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &ShuffleRun, progress: &Progress) -> Result<ShuffleReport> {
    gather::run(config, progress)
}

impl ShuffleStep {
    fn cut(&self) -> Cut {
        Cut { shards: self.shards, rows_per_shard: self.rows_per_shard }
    }

    fn order(&self, rows: u64) -> Permutation {
        Permutation::new(rows, self.seed, self.epoch)
    }
}

impl Gather for ShuffleStep {
    type Said = ShuffleSaid;
    const KEEPS_ROWS: bool = true;
    const DONE: &'static str = LEDGER;

    fn check(&self) -> Result<()> {
        self.cut().check()
    }

    fn check_inputs(&self, plan: &Plan) -> Result<()> {
        plan.single_format("a shuffle", "bring all of them into one first").map(drop)
    }

    fn check_output(&self, single: Option<&str>) -> Result<()> {
        self.cut().check_output(single)
    }

    fn gather(&self, mut work: Gathering<'_>) -> Result<Gathered<ShuffleSaid>> {
        let Exchanged { spilled, done, inputs, earlier, mut clock, .. } = exchange(self, &mut work)?;
        if spilled.left_out > 0 {
            return Err(Error::Internal(format!("{} rows have no place", spilled.left_out)));
        }
        let shuffled_tokens = Some(spilled.tokens).filter(|tokens| *tokens > 0);
        let said = ShuffleSaid { spilled_bytes: spilled.bytes(), shuffled_tokens };
        let written = clock.time("write", || exchanged::write(&mut work, spilled, self.cut(), None))?;
        Ok(Gathered { inputs, written, done, said, earlier, clock })
    }

    fn row_at(&self, rows: u64) -> Option<Box<dyn Fn(u64) -> Option<u64> + Send + Sync>> {
        let order = self.order(rows);
        Some(Box::new(move |place| order.row(place)))
    }
}

impl Exchanging for ShuffleStep {
    type Order = Shuffled;

    fn look(&self, work: &Gathering<'_>, thorough: bool) -> Result<(Ledger, Count)> {
        let census = Census {
            sources: &work.plan.sources,
            crew: work.crew,
            memory: work.memory,
            progress: work.progress,
            strict: work.options.strict,
            thorough,
        };
        census.run(work.ledger)
    }

    fn settle(&self, _: &Gathering<'_>, ledger: &Ledger) -> Result<(Shuffled, u64)> {
        let there = kept(ledger)?;
        Ok((Shuffled(self.order(there.docs)), there.bytes))
    }
}

#[cfg(test)]
mod tests;
