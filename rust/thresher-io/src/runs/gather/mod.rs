//! Steps that take all rows and make new files of them: a shuffle, a mix, a packing.
//!
//! ```text
//! inputs ─ as earlier steps have left them ─ gather ─> new files, books, evidence
//!          by itself: published with a report │ in a pipeline: the result, or the inputs of the next step
//! ```
//!
//! A step is one implementation of [`Gather`], which knows nothing of where it stands. [`run`] is the run of such a step by itself; a
//! pipeline does the same between its other stages (`runs/flow/stage/gather.rs`).

pub(crate) mod exchanged;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use thresher_core::json::Fields;

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::Quarantine;
use crate::runs::books::{Count, InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::ledger::Ledger;
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::options::{Config, RunOptions};
use crate::runs::output::{Files, Marker, RunOutput};
use crate::runs::parameters::{Step, named_by};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::{self, Identity};
use crate::runs::rows::RowsReport;
use crate::runs::source::Source;
use crate::runs::space;
use crate::runs::steps::evidence::{self, Place, StepDone, Steps};
use crate::runs::worksite::in_worksite;

/// The ledger of a step, within the folder of the temporary files of its run.
pub(crate) const LEDGER: &str = "ledger";

/// A step that takes all rows and makes new files of them.
pub(crate) trait Gather: Step {
    /// What it reports beside its books.
    type Said: Clone + Debug + Serialize;

    /// The rows stay rows of the one format of all inputs. Else the step makes rows of its own.
    const KEEPS_ROWS: bool;

    /// What lies in the folder of the temporary files as soon as they are worth going on with.
    const DONE: &'static str;

    /// The inputs, where the step names them itself.
    ///
    /// # Errors
    /// `Error::Parameter` for inputs that cannot be; those of finding files.
    fn inputs(&self, given: &[String]) -> Result<Vec<String>> {
        Ok(given.to_vec())
    }

    /// Makes sure that the parameters go together; nothing is read for that.
    ///
    /// # Errors
    /// `Error::Parameter` if they do not.
    fn check(&self) -> Result<()>;

    /// Makes sure that the step can be done with these inputs, which are opened, and with this output.
    ///
    /// # Errors
    /// `Error::Parameter` if it cannot.
    fn check_inputs(&self, plan: &Plan) -> Result<()>;

    /// The same of an output; `single` is its name if it is one file.
    ///
    /// # Errors
    /// `Error::Parameter` if it cannot.
    fn check_output(&self, single: Option<&str>) -> Result<()> {
        let _ = single;
        Ok(())
    }

    /// Does it.
    ///
    /// # Errors
    /// I/O failures, data that the step cannot take, and the wish to stop.
    fn gather(&self, work: Gathering<'_>) -> Result<Gathered<Self::Said>>;

    /// The number of the row, of all that it took, that it has put at a place. None if a place has no single row.
    fn row_at(&self, rows: u64) -> Option<Box<dyn Fn(u64) -> Option<u64> + Send + Sync>> {
        let _ = rows;
        None
    }
}

/// What such a step works with.
pub(crate) struct Gathering<'g> {
    /// The name of the step in the evidence.
    pub(crate) name: &'g str,
    /// The inputs, seen through `lens`; those of a step that keeps rows are prepared for one output of all of them.
    pub(crate) plan: &'g mut Plan,
    pub(crate) lens: &'g Lens,
    pub(crate) output: &'g RunOutput,
    pub(crate) crew: &'g Arc<Crew>,
    pub(crate) memory: Memory,
    pub(crate) options: &'g RunOptions,
    pub(crate) progress: &'g Progress,
    /// Where the ledger of the step lies, and its temporary files: both outlive a kill.
    pub(crate) ledger: &'g Path,
    pub(crate) folder: &'g Path,
    /// Makes evidence of a ledger, and books.
    pub(crate) evidence: &'g EvidenceOf<'g>,
    /// The name of a row of an input that has none: that of the row of the first inputs that it comes from.
    pub(crate) names: &'g NameOf<'g>,
}

/// Evidence and books from the ledger of a step over these sources.
pub(crate) type EvidenceOf<'e> = dyn Fn(&Ledger, &dyn Steps, &[Source]) -> Result<StepDone> + 'e;
/// The name of the row at a slot of an input, which has a place among the others.
pub(crate) type NameOf<'n> = dyn Fn(usize, &Source, u64) -> Result<String> + Send + Sync + 'n;

/// What such a step has done.
pub(crate) struct Gathered<S> {
    pub(crate) inputs: Vec<InputReport>,
    pub(crate) written: Vec<Written>,
    pub(crate) done: StepDone,
    pub(crate) said: S,
    /// What an earlier run had done of it.
    pub(crate) earlier: Count,
    pub(crate) clock: Clock,
}

/// A step by what a pipeline asks of it.
pub(crate) trait AnyGather: Send + Sync {
    fn keeps_rows(&self) -> bool;
    fn check(&self) -> Result<()>;
    fn check_inputs(&self, plan: &Plan) -> Result<()>;
    fn check_output(&self, single: Option<&str>) -> Result<()>;
    fn gather(&self, work: Gathering<'_>) -> Result<Gathered<Value>>;
    fn row_at(&self, rows: u64) -> Option<Box<dyn Fn(u64) -> Option<u64> + Send + Sync>>;
}

impl<G: Gather> AnyGather for G {
    fn keeps_rows(&self) -> bool {
        G::KEEPS_ROWS
    }

    fn check(&self) -> Result<()> {
        G::check(self)
    }

    fn check_inputs(&self, plan: &Plan) -> Result<()> {
        G::check_inputs(self, plan)
    }

    fn check_output(&self, single: Option<&str>) -> Result<()> {
        G::check_output(self, single)
    }

    fn gather(&self, work: Gathering<'_>) -> Result<Gathered<Value>> {
        let Gathered { inputs, written, done, said, earlier, clock } = G::gather(self, work)?;
        let said = serde_json::to_value(said).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Gathered { inputs, written, done, said, earlier, clock })
    }

    fn row_at(&self, rows: u64) -> Option<Box<dyn Fn(u64) -> Option<u64> + Send + Sync>> {
        G::row_at(self, rows)
    }
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct GatherReport<P, S> {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: Config<P>,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// What the step says of what it made.
    #[serde(flatten)]
    pub said: S,
    /// Seconds of each part.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl<P: Step, S: Serialize> Reported for GatherReport<P, S> {
    fn verb(&self) -> &'static str {
        P::NAME
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Runs a step by itself over files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, those of the step, `Error::Data` for files that change meanwhile,
/// `Error::Busy`, `Error::Cancelled`.
pub(crate) fn run<G: Gather>(config: &Config<G>, progress: &Progress) -> Result<GatherReport<G, G::Said>> {
    let started = Instant::now();
    let (step, options) = (&config.step, &config.options);
    options.check()?;
    let memory = Memory::of(options)?;
    progress.begin(0, 0);
    step.check()?;
    let inputs = step.inputs(&config.inputs)?;
    let mut plan = Plan::new(options.reading(&inputs, None), &Fields::default(), progress)?;
    plan.check_rows()?;
    step.check_inputs(&plan)?;
    let name = config.output()?;
    plan.notes.extend(space::note(name, &plan));
    let output = RunOutput::open(name, options.overwrite, &plan, G::KEEPS_ROWS)?;
    step.check_output(output.is_single().then_some(name))?;
    if G::KEEPS_ROWS {
        plan.join()?;
    }
    let identity = plan.is_repeatable().then(|| Identity::of(config, &plan, false)).transpose()?;
    let parameters = serde_json::to_value(step).map_err(|error| Error::Internal(error.to_string()))?;
    let identity = identity.map(|identity| identity.with_named(named_by::<G>(&parameters))).transpose()?;
    let has_done = |folder: &Path| folder.join(G::DONE).exists();
    in_worksite(Some(&output), options, options.tmp.as_deref(), identity, has_done, |folder| {
        let crew = Crew::new(options.threads());
        let evidence = |ledger: &Ledger, steps: &dyn Steps, sources: &[Source]| {
            evidence_of_one(ledger, steps, sources, &output, options.max_quarantine, progress)
        };
        let ledger: PathBuf = folder.join(LEDGER);
        let gathered = step.gather(Gathering {
            name: G::NAME,
            plan: &mut plan,
            lens: &Lens::default(),
            output: &output,
            crew: &crew,
            memory,
            options,
            progress,
            ledger: &ledger,
            folder,
            evidence: &evidence,
            names: &|_, source, slot| Ok(source.name_row(slot)),
        })?;
        let Gathered { inputs, written, done, said, earlier, mut clock } = gathered;
        plan.check_unchanged()?;
        plan.notes.extend(resume::note(earlier));
        let StepDone { accounting, quarantine, exhibits, evidence, .. } = done;
        let (outputs, files) = output.settle(written, evidence)?;
        clock.total(started);
        let notes = std::mem::take(&mut plan.notes);
        let mut report = GatherReport {
            marker: Marker::default(),
            config: config.clone(),
            rows: RowsReport { inputs, outputs, files, notes, accounting, quarantine, exhibits },
            said,
            timings: clock.seconds.into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: options.threads(),
        };
        output.publish(&mut report)?;
        Ok(report)
    })
}

/// The evidence of a run of one step: the bad rows go to the quarantine of its output.
fn evidence_of_one(
    ledger: &Ledger,
    steps: &dyn Steps,
    sources: &[Source],
    output: &RunOutput,
    max_quarantine: f64,
    progress: &Progress,
) -> Result<StepDone> {
    let quarantine: Quarantine = output.quarantine();
    let place = Place { removed: None, signals: None, quarantine };
    match evidence::write(ledger, steps, sources, vec![place], max_quarantine, progress)? {
        Ok(mut done) => done.pop().ok_or_else(|| Error::Internal("a run has no step".into())),
        Err(rejected) => Err(output.reject(rejected.quarantine, rejected.error)),
    }
}

#[cfg(test)]
mod tests;
