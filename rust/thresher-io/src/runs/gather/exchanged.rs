//! Rows that stay what they are and get new places: how a shuffle and a mix look at them, spill them and write them.
//!
//! ```text
//! rows ─ look ─> ledger ─ settle: the order ─ exchange: rows go to their places ─> shards
//! ```
//!
//! The inputs are read twice: what there is has to be known before the first row gets its place.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Gathering;
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::runs::books::{Count, InputReport};
use crate::runs::clock::Clock;
use crate::runs::exchange::census::CensusOf;
use crate::runs::exchange::{Exchange, Order, PlaceColumns, Spilled, shards};
use crate::runs::ledger::{Ledger, LedgerWriter};
use crate::runs::plan::Plan;
use crate::runs::source::Source;
use crate::runs::steps::evidence::StepDone;
use crate::runs::survey::surveyed;
use crate::runs::writing::write_seen;

/// Parts of the folder of temporary files.
const ROWS: &str = "rows";
/// Says that a row could not be copied, so all are looked at first.
const THOROUGH: &str = "thorough";

/// What a step asks of an exchange.
pub(crate) trait Exchanging {
    type Order: Order;

    /// The first pass: which rows there are, in a ledger; and how much of that an earlier run had done. A `thorough` one finds rows
    /// that cannot be copied.
    ///
    /// # Errors
    /// I/O failures, the first bad row of a strict run, and the wish to stop.
    fn look(&self, work: &Gathering<'_>, thorough: bool) -> Result<(Ledger, Count)>;

    /// The order of the rows of a ledger, and about the bytes of all places.
    ///
    /// # Errors
    /// `Error::Parameter` for an order that these rows cannot have, and I/O failures.
    fn settle(&self, work: &Gathering<'_>, ledger: &Ledger) -> Result<(Self::Order, u64)>;
}

/// Rows that are spilled.
pub(crate) struct Exchanged<O> {
    pub(crate) order: O,
    pub(crate) spilled: Spilled,
    pub(crate) done: StepDone,
    pub(crate) inputs: Vec<InputReport>,
    pub(crate) earlier: Count,
    pub(crate) clock: Clock,
}

/// The files that the places go to.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) shards: Option<u64>,
    pub(crate) rows_per_shard: Option<u64>,
}

impl Cut {
    /// A mistake is told before the rows are counted.
    ///
    /// # Errors
    /// `Error::Parameter` for shards that cannot be.
    pub(crate) fn check(self) -> Result<()> {
        shards::cut(0, self.shards, self.rows_per_shard, 1).map(drop)
    }

    /// Makes sure that one file, if that is what was asked for, is not to be several.
    ///
    /// # Errors
    /// `Error::Parameter` if it is.
    pub(crate) fn check_output(self, single: Option<&str>) -> Result<()> {
        match single.filter(|_| self.shards.is_some() || self.rows_per_shard.is_some()) {
            None => Ok(()),
            Some(name) => Err(Error::Parameter(format!(
                "output `{name}` is a single file, but shards or rows_per_shard asks for several; name a folder, or leave them out"
            ))),
        }
    }
}

/// Looks at all rows, settles their order, and spills them by their places.
///
/// # Errors
/// Those of the passes.
pub(crate) fn exchange<E: Exchanging>(asked: &E, work: &mut Gathering<'_>) -> Result<Exchanged<E::Order>> {
    let mut clock = Clock::default();
    let inputs = work.plan.sources.len();
    loop {
        let thorough = work.folder.join(THOROUGH).exists();
        let (ledger, looked) = clock.time("rows", || asked.look(work, thorough))?;
        work.plan.check_unchanged()?;
        let (order, bytes) = clock.time("plan", || asked.settle(work, &ledger))?;
        let done = (work.evidence)(&ledger, &CensusOf(work.name), &work.plan.sources)?;
        let rows = ledger.input_rows(inputs)?;
        match clock.time("spill", || spill(work, ledger, &order, bytes)) {
            Err(Error::Uncopyable { .. }) if !thorough => {
                commit_bytes(&work.folder.join(THOROUGH), b"")?;
                LedgerWriter::start_over(work.ledger)?;
                remove(&work.folder.join(ROWS))?;
                work.progress.forget_quarantined();
            }
            spilled => {
                let spilled = spilled?;
                work.plan.check_unchanged()?;
                let earlier = if spilled.earlier.is_none() { looked } else { spilled.earlier };
                let inputs = work.plan.sources.iter().zip(rows);
                let inputs = inputs.map(|(source, rows)| InputReport::new(source, rows)).collect();
                return Ok(Exchanged { order, spilled, done, inputs, earlier, clock });
            }
        }
    }
}

/// Spills the rows that a ledger keeps; the sources are as they were behind it.
fn spill(work: &mut Gathering<'_>, ledger: Ledger, order: &dyn Order, bytes: u64) -> Result<Spilled> {
    let mut lens = work.lens.clone();
    lens.push(ledger, None, &[]);
    let seen = lens.over(stored(work.plan))?;
    let form = seen.first().map(|source| work.output.form(source));
    let exchange = Exchange {
        sources: &seen,
        order,
        crew: work.crew,
        memory: work.memory,
        progress: work.progress,
        elements: form.is_some_and(|form| form.is_array),
        bytes,
    };
    let folder = work.folder.join(ROWS);
    let spilled = surveyed(&seen, work.crew.threads(), work.progress, || exchange.spill(&folder));
    work.plan.sources = work.lens.over(seen.into_iter().map(Source::into_stored).collect())?;
    spilled
}

/// Writes the rows in their order, with columns that are known from their places.
///
/// # Errors
/// I/O failures, and the wish to stop.
pub(crate) fn write(
    work: &mut Gathering<'_>,
    spilled: Spilled,
    Cut { shards, rows_per_shard }: Cut,
    columns: Option<&Arc<dyn PlaceColumns>>,
) -> Result<Vec<Written>> {
    let (places, inputs) = (spilled.places(), work.plan.sources.len() as u64);
    let shards = if work.output.is_single() {
        shards::cut(places, None, None, 1)?
    } else {
        shards::cut(places, shards, rows_per_shard, inputs)?
    };
    // What is spilled does not depend on the inputs any more.
    let mut sources = std::mem::take(&mut work.plan.sources);
    let like = sources.iter().position(Source::is_readable).unwrap_or_default();
    let placed = spilled.into_sources(shards, sources.swap_remove(like), columns);
    write_seen(&placed, work.output, work.crew, work.memory, work.progress)
}

fn stored(plan: &mut Plan) -> Vec<Source> {
    std::mem::take(&mut plan.sources).into_iter().map(Source::into_stored).collect()
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}
