//! Rows of files in a random order that is exact, and that a seed decides.
//!
//! ```text
//! rows ─ census ─> ledger: which rows there are ─ exchange: row i goes to place P(i) ─> shards
//! ```
//!
//! `P` is the order of [`Permutation`] for the number of good rows, the seed and the epoch, so the k-th row of the output is the
//! input's row `Permutation(n, seed, epoch)[k]`, and every order of the rows may come out. The inputs are read twice: the
//! number of rows has to be known before the first one gets its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use thresher_core::json::Fields;
use thresher_tokens::permute::Permutation;

use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::runs::books::{Count, InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::exchange::census::{Census, CensusOf, kept};
use crate::runs::exchange::{Exchange, Order, RowNumber, Spilled, shards};
use crate::runs::ledger::{Ledger, LedgerWriter};
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker, RunOutput};
use crate::runs::parameters::{Kind, Step, parameters};
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
const ROWS: &str = "rows";
/// Says that a row could not be copied, so all are looked at first.
const THOROUGH: &str = "thorough";

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
#[derive(Clone, Debug, Serialize)]
pub struct ShuffleReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: ShuffleRun,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// Bytes of temporary files that held rows.
    pub spilled_bytes: u64,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for ShuffleReport {
    fn verb(&self) -> &'static str {
        "shuffle"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Every row to its place in a random order.
struct Shuffled(Permutation);

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
    let started = Instant::now();
    let (step, options) = (&config.step, &config.options);
    options.check()?;
    let memory = Memory::of(options)?;
    progress.begin(0, 0);
    let mut plan = Plan::new(options.reading(&config.inputs, None), &Fields::default(), progress)?;
    plan.check_rows()?;
    plan.single_format("a shuffle", "bring all of them into one first")?;
    let name = config.output()?;
    plan.notes.extend(space::note(name, &plan));
    let output = RunOutput::open(name, options.overwrite, &plan, true)?;
    if output.is_single() && (step.shards.is_some() || step.rows_per_shard.is_some()) {
        return Err(Error::Parameter(format!(
            "output `{name}` is a single file, but shards or rows_per_shard asks for several; name a folder, or leave them out"
        )));
    }
    // A mistake is told before the rows are counted.
    shards::cut(0, step.shards, step.rows_per_shard, 1)?;
    plan.join()?;
    let identity = plan.is_repeatable().then(|| Identity::of(config, &plan, false)).transpose()?;
    let has_done = |folder: &Path| folder.join(LEDGER).exists();
    in_worksite(Some(&output), options, options.tmp.as_deref(), identity, has_done, |folder| {
        let crew = Crew::new(options.threads());
        let mut shuffle = Shuffle { config, plan, output: &output, crew, memory, progress };
        let mut report = shuffle.run(folder, started)?;
        output.publish(&mut report)?;
        Ok(report)
    })
}

/// A shuffle on its way.
struct Shuffle<'s> {
    config: &'s ShuffleRun,
    plan: Plan,
    output: &'s RunOutput,
    crew: Arc<Crew>,
    memory: Memory,
    progress: &'s Progress,
}

impl Shuffle<'_> {
    fn run(&mut self, folder: &Path, started: Instant) -> Result<ShuffleReport> {
        let mut clock = Clock::default();
        let inputs = self.plan.sources.len();
        let (spilled, done, rows) = loop {
            let thorough = folder.join(THOROUGH).exists();
            let (ledger, earlier) = clock.time("rows", || self.census(thorough).run(&folder.join(LEDGER)))?;
            self.plan.check_unchanged()?;
            let done = self.evidence(&ledger)?;
            let (there, rows) = (kept(&ledger)?, ledger.input_rows(inputs)?);
            match clock.time("spill", || self.spill(ledger, there, &folder.join(ROWS))) {
                Err(Error::Uncopyable { .. }) if !thorough => {
                    commit_bytes(&folder.join(THOROUGH), b"")?;
                    LedgerWriter::start_over(&folder.join(LEDGER))?;
                    remove(&folder.join(ROWS))?;
                    self.progress.forget_quarantined();
                }
                spilled => {
                    let spilled = spilled?;
                    if spilled.left_out > 0 {
                        return Err(Error::Internal(format!("{} rows have no place", spilled.left_out)));
                    }
                    let earlier = if spilled.earlier.is_none() { earlier } else { spilled.earlier };
                    self.plan.notes.extend(resume::note(earlier));
                    break (spilled, done, rows);
                }
            }
        };
        self.plan.check_unchanged()?;
        let sources = std::mem::take(&mut self.plan.sources);
        let reports = sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect();
        let spilled_bytes = spilled.bytes();
        let written = clock.time("write", || self.write(spilled, sources))?;
        let StepDone { accounting, quarantine, exhibits, evidence, .. } = done;
        let (outputs, files) = self.output.settle(written, evidence)?;
        clock.total(started);
        Ok(ShuffleReport {
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
            spilled_bytes,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: self.crew.threads(),
        })
    }

    fn census(&self, thorough: bool) -> Census<'_> {
        Census {
            sources: &self.plan.sources,
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
        let step = CensusOf(ShuffleStep::NAME);
        match evidence::write(ledger, &step, &self.plan.sources, vec![place], most, self.progress)? {
            Ok(mut done) => done.pop().ok_or_else(|| Error::Internal("a run has no step".into())),
            Err(rejected) => Err(self.output.reject(rejected.quarantine, rejected.error)),
        }
    }

    /// Spills the rows that a ledger keeps; the sources are as they were behind it.
    fn spill(&mut self, ledger: Ledger, there: Count, folder: &Path) -> Result<Spilled> {
        let ShuffleStep { seed, epoch, .. } = self.config.step;
        let order = Shuffled(Permutation::new(there.docs, seed, epoch));
        let mut lens = Lens::default();
        lens.push(ledger, None, &[]);
        let seen = lens.over(std::mem::take(&mut self.plan.sources))?;
        let form = seen.first().map(|source| self.output.form(source));
        let exchange = Exchange {
            sources: &seen,
            order: &order,
            crew: &self.crew,
            memory: self.memory,
            progress: self.progress,
            elements: form.is_some_and(|form| form.is_array),
            bytes: there.bytes,
        };
        let spilled = surveyed(&seen, self.crew.threads(), self.progress, || exchange.spill(folder));
        self.plan.sources = seen.into_iter().map(Source::into_stored).collect();
        spilled
    }

    /// Writes the rows in their order.
    fn write(&self, spilled: Spilled, mut sources: Vec<Source>) -> Result<Vec<Written>> {
        let ShuffleStep { shards, rows_per_shard, .. } = self.config.step;
        let (places, inputs) = (spilled.places(), sources.len() as u64);
        let shards = if self.output.is_single() {
            shards::cut(places, None, None, 1)?
        } else {
            shards::cut(places, shards, rows_per_shard, inputs)?
        };
        let like = sources.iter().position(Source::is_readable).unwrap_or_default();
        let placed = spilled.into_sources(shards, sources.swap_remove(like), None);
        write_seen(&placed, self.output, &self.crew, self.memory, self.progress)
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
