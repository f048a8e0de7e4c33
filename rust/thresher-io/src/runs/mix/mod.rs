//! Rows of several sources in one mix, in the proportions and to the size that were asked for.
//!
//! ```text
//! rows ─ measure ─> ledger: cell and size of each ─ settle: plan, cuts, order ─ exchange: copies go to their places ─> shards
//! ```
//!
//! A *cell* is the rows of a source with the same values of the fields that have floors or ceilings. The plan says how much of each cell
//! is taken ([`thresher_tokens::mixing`]); which rows that are, and where each copy goes, is computed from a row's number in its cell, so
//! nothing is held by row. The inputs are read twice: sizes have to be known before the first row gets its place.
//!
//! Books: a row that is not taken is removed with the reason `not_taken`; copies beyond the first are made.

mod columns;
mod config;
mod inputs;
mod look;
mod measure;
mod numbers;
mod report;
mod settle;
mod table;

use std::sync::Arc;

use thresher_tokens::mixing::Wishes;

pub use config::{MixPhase, MixRun, MixSource, MixStep};
pub use report::{MixReport, MixSaid};
pub use table::{MixTable, PhaseTable, ShareLine, SourceLine, ValueLine};

use self::columns::MixColumns;
use self::config::Divided;
use self::inputs::InputsOf;
use self::look::Look;
use self::measure::Measure;
use self::settle::{Settled, Settling};
use crate::error::Result;
use crate::runs::books::{Accounting, Count};
use crate::runs::exchange::PlaceColumns;
use crate::runs::gather::exchanged::{self, Cut, Exchanged, Exchanging, exchange};
use crate::runs::gather::{self, Gather, Gathered, Gathering, LEDGER};
use crate::runs::ledger::Ledger;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Part of the folder of temporary files.
const NUMBERS: &str = "numbers";
/// The reason in the books of rows that are not in the mix.
const NOT_TAKEN: &str = "not_taken";

/// Mixes the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand and for wishes that the sources cannot meet, `Error::Io` for what the
/// system refuses, `Error::Data` in strict mode, for rows that cannot lie in one file, or for files that change meanwhile, `Error::Busy`,
/// `Error::Cancelled`.
pub fn run(config: &MixRun, progress: &Progress) -> Result<MixReport> {
    gather::run(config, progress)
}

impl MixStep {
    fn cut(&self) -> Cut {
        Cut { shards: self.shards, rows_per_shard: self.rows_per_shard }
    }
}

impl Gather for MixStep {
    type Said = MixSaid;
    const KEEPS_ROWS: bool = true;
    const DONE: &'static str = LEDGER;

    fn inputs(&self, _: &[String]) -> Result<Vec<String>> {
        Ok(InputsOf::find(&self.sources)?.names)
    }

    fn check(&self) -> Result<()> {
        self.sized()?;
        self.wishes()?;
        self.cut().check()
    }

    fn check_inputs(&self, plan: &Plan) -> Result<()> {
        plan.single_format("a mix", "bring all of them into one first")?;
        // A tokenizer that cannot be used is told before the output is taken.
        Look::new(&self.sized()?, &self.wishes()?.1).map(drop)
    }

    fn check_output(&self, single: Option<&str>) -> Result<()> {
        self.cut().check_output(single)
    }

    fn gather(&self, mut work: Gathering<'_>) -> Result<Gathered<MixSaid>> {
        let (wishes, divided) = self.wishes()?;
        let look = Look::new(&self.sized()?, &divided)?;
        work.memory = work.memory.without(look.resident_bytes(work.crew.threads()))?;
        work.plan.sources.iter_mut().try_for_each(Source::copy_by_types)?;
        let of_inputs = InputsOf::find(&self.sources)?.of(&work.plan.sources)?;
        let mix = Mix { step: self, wishes: &wishes, divided: &divided, look: &look, of_inputs: &of_inputs };
        let Exchanged { order: settled, spilled, mut done, inputs, earlier, mut clock } =
            exchange(&mix, &mut work)?;
        done.accounting = booked(done.accounting, &settled)?;
        let table = table::table(&wishes, &settled.cells, &settled.plan, &settled.achieved);
        let said = MixSaid { mix: table, spilled_bytes: spilled.bytes() };
        let columns = mix.columns(settled);
        let written =
            clock.time("write", || exchanged::write(&mut work, spilled, self.cut(), Some(&columns)))?;
        Ok(Gathered { inputs, written, done, said, earlier, clock })
    }
}

/// A mix on its way.
struct Mix<'m> {
    step: &'m MixStep,
    wishes: &'m Wishes,
    divided: &'m [Divided],
    look: &'m Look,
    /// The source of the mix that each input belongs to.
    of_inputs: &'m [usize],
}

impl Exchanging for Mix<'_> {
    type Order = Settled;

    fn look(&self, work: &Gathering<'_>, thorough: bool) -> Result<(Ledger, Count)> {
        let measure = Measure {
            sources: &work.plan.sources,
            of_inputs: self.of_inputs,
            look: self.look,
            crew: work.crew,
            memory: work.memory,
            progress: work.progress,
            strict: work.options.strict,
            thorough,
        };
        measure.run(work.ledger)
    }

    fn settle(&self, work: &Gathering<'_>, ledger: &Ledger) -> Result<(Settled, u64)> {
        let Self { step, wishes, divided, look, .. } = *self;
        let settling = Settling { step, wishes, divided, look, progress: work.progress };
        let settled = settling.settle(ledger, &work.folder.join(NUMBERS))?;
        let bytes = settled.bytes();
        Ok((settled, bytes))
    }
}

impl Mix<'_> {
    /// The columns that say where each copy comes from.
    fn columns(&self, settled: Settled) -> Arc<dyn PlaceColumns> {
        let name = |place: usize| self.wishes.sources[place].name.clone();
        let names = settled.cells.iter().map(|cell| name(cell.source)).collect();
        let phases: Vec<String> = self.wishes.phases.iter().map(|phase| phase.name.clone()).collect();
        let phases = (!phases.is_empty()).then_some(phases);
        Arc::new(MixColumns::new(settled.order, names, phases, self.step.epochs))
    }
}

/// Books with what the mix left out and what it took several times.
fn booked(mut books: Accounting, settled: &Settled) -> Result<Accounting> {
    let (used, unused) = (settled.achieved.used, settled.achieved.unused);
    if !unused.is_none() {
        books.removed.insert(NOT_TAKEN.into(), unused);
    }
    books.made = settled.order.len() - used.docs;
    books.kept = Count { docs: settled.order.len(), bytes: used.bytes };
    books.check()?;
    Ok(books)
}

#[cfg(test)]
mod tests;
