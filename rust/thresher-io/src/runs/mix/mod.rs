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

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use thresher_core::json::Fields;
use thresher_tokens::mixing::Wishes;

pub use config::{MixPhase, MixRun, MixSource, MixStep};
pub use report::MixReport;
pub use table::{MixTable, PhaseTable, ShareLine, SourceLine, ValueLine};

use self::columns::MixColumns;
use self::config::Divided;
use self::inputs::InputsOf;
use self::look::Look;
use self::measure::Measure;
use self::settle::{Settled, Settling};
use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::runs::books::{Accounting, Count, InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::exchange::census::CensusOf;
use crate::runs::exchange::{Exchange, PlaceColumns, Spilled, shards};
use crate::runs::ledger::{Ledger, LedgerWriter};
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::output::{Marker, RunOutput};
use crate::runs::parameters::Step;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::{self, Identity};
use crate::runs::rows::RowsReport;
use crate::runs::source::Source;
use crate::runs::space;
use crate::runs::steps::evidence::{self, Place, StepDone};
use crate::runs::survey::surveyed;
use crate::runs::worksite::in_worksite;
use crate::runs::writing::write_seen;

/// Parts of the folder of temporary files.
const LEDGER: &str = "ledger";
const NUMBERS: &str = "numbers";
const ROWS: &str = "rows";
/// Says that a row could not be copied, so all are looked at first.
const THOROUGH: &str = "thorough";
/// The reason in the books of rows that are not in the mix.
const NOT_TAKEN: &str = "not_taken";

/// Mixes the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand and for wishes that the sources cannot meet, `Error::Io` for what the
/// system refuses, `Error::Data` in strict mode, for rows that cannot lie in one file, or for files that change meanwhile, `Error::Busy`,
/// `Error::Cancelled`.
pub fn run(config: &MixRun, progress: &Progress) -> Result<MixReport> {
    let started = Instant::now();
    let (step, options) = (&config.step, &config.options);
    options.check()?;
    let memory = Memory::of(options)?;
    progress.begin(0, 0);
    let sized = step.sized()?;
    let (wishes, divided) = step.wishes()?;
    // A mistake is told before the rows are read.
    shards::cut(0, step.shards, step.rows_per_shard, 1)?;
    let files = InputsOf::find(&step.sources)?;
    let mut plan = Plan::new(options.reading(&files.names, None), &Fields::default(), progress)?;
    let of_inputs = files.of(&plan.sources)?;
    plan.check_rows()?;
    plan.single_format("a mix", "bring all of them into one first")?;
    let name = config.output()?;
    plan.notes.extend(space::note(name, &plan));
    let output = RunOutput::open(name, options.overwrite, &plan, true)?;
    if output.is_single() && (step.shards.is_some() || step.rows_per_shard.is_some()) {
        return Err(Error::Parameter(format!(
            "output `{name}` is a single file, but shards or rows_per_shard asks for several; name a folder, or leave them out"
        )));
    }
    plan.join()?;
    plan.sources.iter_mut().try_for_each(Source::copy_by_types)?;
    let look = Look::new(&sized, &divided)?;
    let memory = memory.without(look.resident_bytes(options.threads()))?;
    let identity = plan.is_repeatable().then(|| Identity::of(config, &plan, false)).transpose()?;
    let named = || step.tokenizer.iter().map(PathBuf::from);
    let identity = identity.map(|identity| identity.with_files(named())).transpose()?;
    let has_done = |folder: &Path| folder.join(LEDGER).exists();
    in_worksite(Some(&output), options, options.tmp.as_deref(), identity, has_done, |folder| {
        let crew = Crew::new(options.threads());
        let mut mix = Mix {
            config,
            wishes: &wishes,
            divided: &divided,
            look: &look,
            of_inputs: &of_inputs,
            plan,
            output: &output,
            crew,
            memory,
            progress,
        };
        let mut report = mix.run(folder, started)?;
        output.publish(&mut report)?;
        Ok(report)
    })
}

/// A mix on its way.
struct Mix<'m> {
    config: &'m MixRun,
    wishes: &'m Wishes,
    divided: &'m [Divided],
    look: &'m Look,
    of_inputs: &'m [usize],
    plan: Plan,
    output: &'m RunOutput,
    crew: Arc<Crew>,
    memory: Memory,
    progress: &'m Progress,
}

impl Mix<'_> {
    fn run(&mut self, folder: &Path, started: Instant) -> Result<MixReport> {
        let mut clock = Clock::default();
        let inputs = self.plan.sources.len();
        let (settled, spilled, done, rows) = loop {
            let thorough = folder.join(THOROUGH).exists();
            let (ledger, earlier) =
                clock.time("rows", || self.measure(thorough).run(&folder.join(LEDGER)))?;
            self.plan.check_unchanged()?;
            let settling = Settling {
                step: &self.config.step,
                wishes: self.wishes,
                divided: self.divided,
                look: self.look,
                progress: self.progress,
            };
            let settled = clock.time("plan", || settling.settle(&ledger, &folder.join(NUMBERS)))?;
            let done = self.evidence(&ledger)?;
            let rows = ledger.input_rows(inputs)?;
            match clock.time("spill", || self.spill(ledger, &settled, &folder.join(ROWS))) {
                Err(Error::Uncopyable { .. }) if !thorough => {
                    commit_bytes(&folder.join(THOROUGH), b"")?;
                    LedgerWriter::start_over(&folder.join(LEDGER))?;
                    remove(&folder.join(ROWS))?;
                    self.progress.forget_quarantined();
                }
                spilled => {
                    let spilled = spilled?;
                    let count = |count: Count| (count.docs, count.bytes);
                    self.plan.notes.extend(resume::note(if count(spilled.earlier) > (0, 0) {
                        spilled.earlier
                    } else {
                        earlier
                    }));
                    break (settled, spilled, done, rows);
                }
            }
        };
        self.plan.check_unchanged()?;
        let sources = std::mem::take(&mut self.plan.sources);
        let reports = sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect();
        let spilled_bytes = spilled.bytes();
        let StepDone { accounting, quarantine, exhibits, evidence, .. } = done;
        let accounting = booked(accounting, &settled)?;
        let mix = table::table(self.wishes, &settled.cells, &settled.plan, &settled.achieved);
        let written = clock.time("write", || self.write(spilled, settled, sources))?;
        let (outputs, files) = self.output.settle(written, evidence)?;
        clock.total(started);
        Ok(MixReport {
            marker: Marker::default(),
            config: self.config.clone(),
            rows: RowsReport {
                inputs: reports,
                outputs,
                files,
                notes: self.plan.notes.clone(),
                accounting,
                quarantine,
                exhibits,
            },
            mix,
            spilled_bytes,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: self.crew.threads(),
        })
    }

    fn measure(&self, thorough: bool) -> Measure<'_> {
        Measure {
            sources: &self.plan.sources,
            of_inputs: self.of_inputs,
            look: self.look,
            crew: &self.crew,
            memory: self.memory,
            progress: self.progress,
            strict: self.config.options.strict,
            thorough,
        }
    }

    /// The bad rows go to quarantine.
    fn evidence(&self, ledger: &Ledger) -> Result<StepDone> {
        let place = Place { removed: None, quarantine: self.output.quarantine() };
        let most = self.config.options.max_quarantine;
        let step = CensusOf(MixStep::NAME);
        match evidence::write(ledger, &step, &self.plan.sources, vec![place], most, self.progress)? {
            Ok(mut done) => done.pop().ok_or_else(|| Error::Internal("a run has no step".into())),
            Err(rejected) => Err(self.output.reject(rejected.quarantine, rejected.error)),
        }
    }

    /// Spills the copies of the rows that a ledger keeps; the sources are as they were behind it.
    fn spill(&mut self, ledger: Ledger, settled: &Settled, folder: &Path) -> Result<Spilled> {
        let mut lens = Lens::default();
        lens.push(ledger, None, &[]);
        let seen = lens.over(std::mem::take(&mut self.plan.sources))?;
        let form = seen.first().map(|source| self.output.form(source));
        let exchange = Exchange {
            sources: &seen,
            order: settled,
            crew: &self.crew,
            memory: self.memory,
            progress: self.progress,
            elements: form.is_some_and(|form| form.is_array),
            bytes: settled.bytes(),
        };
        let spilled = surveyed(&seen, self.crew.threads(), self.progress, || exchange.spill(folder));
        self.plan.sources = seen.into_iter().map(Source::into_stored).collect();
        spilled
    }

    /// Writes the copies in their order, with the columns that say where each comes from.
    fn write(&self, spilled: Spilled, settled: Settled, mut sources: Vec<Source>) -> Result<Vec<Written>> {
        let MixStep { shards, rows_per_shard, epochs, .. } = self.config.step;
        let (places, inputs) = (spilled.places(), sources.len() as u64);
        let shards = if self.output.is_single() {
            shards::cut(places, None, None, 1)?
        } else {
            shards::cut(places, shards, rows_per_shard, inputs)?
        };
        let name = |place: usize| self.wishes.sources[place].name.clone();
        let names = settled.cells.iter().map(|cell| name(cell.source)).collect();
        let phases: Vec<String> = self.wishes.phases.iter().map(|phase| phase.name.clone()).collect();
        let phases = (!phases.is_empty()).then_some(phases);
        let columns: Arc<dyn PlaceColumns> = Arc::new(MixColumns::new(settled.order, names, phases, epochs));
        let like = sources.iter().position(Source::is_readable).unwrap_or_default();
        let placed = spilled.into_sources(shards, sources.swap_remove(like), Some(&columns));
        write_seen(&placed, self.output, &self.crew, self.memory, self.progress)
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

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
