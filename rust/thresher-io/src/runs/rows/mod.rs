//! Runs of one step that looks at every row by itself: validation, decontamination, conversion, rendering.
//!
//! ```text
//! validate          rows ──> steps ──> ledger ──> evidence, books        and, with an output, one more pass that writes
//! convert, render   rows ──> new rows ──> output, in order
//!                            └─> ledger ──> evidence, books
//! ```
//!
//! Memory is a few units, whatever the inputs. A columnar output has one type a column, which only all rows together
//! tell; then the rows are worked on twice, first for their shape (see [`shape`]).

pub mod convert;
pub mod decontaminate;
pub mod filter;
pub mod format;
pub mod language;
pub mod pii;
pub mod quality;
pub mod render;
mod reshape;
mod sample;
mod shape;
pub mod tokenize;
pub mod validate;
mod write;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use thresher_chat::Format;
use thresher_core::json::Fields;

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::{Quarantine, QuarantineReport};
use crate::runs::books::{Accounting, InputReport};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::gather::NameOf;
use crate::runs::ledger::Ledger;
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::options::{Config, RunOptions};
use crate::runs::output::{Files, RunOutput};
use crate::runs::parameters::{Step, named_by};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::{self, Identity};
use crate::runs::source::Source;
use crate::runs::space;
use crate::runs::steps::RowStep;
use crate::runs::steps::evidence::{self, Place, StepDone};
use crate::runs::steps::fused::{Fused, NamedStep};
use crate::runs::steps::pass::RowPass;
use crate::runs::survey::surveyed;
use crate::runs::worksite::in_worksite;
use crate::runs::writing::write_seen;
use format::{detected, format_of};
pub(crate) use reshape::{AllMade, NamedReshape};
pub use reshape::{NewRows, Reshape, ReshapeWorker};
pub(crate) use sample::sample;
pub use write::{KnownColumns, KnownFormat};

/// The folder of the ledger, within that of the temporary files of a run.
const LEDGER: &str = "ledger";

/// A run over rows.
pub(crate) struct RowsRun<'r> {
    plan: Plan,
    /// Where the rows go; without it they are only looked at.
    output: Option<Arc<RunOutput>>,
    crew: Arc<Crew>,
    memory: Memory,
    options: &'r RunOptions,
    progress: &'r Progress,
    /// The name of a row that has no id.
    names: Box<NameOf<'r>>,
}

/// What every run over rows is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'s> {
    pub(crate) inputs: &'s [String],
    pub(crate) output: Option<&'s str>,
    /// Rows are written in the format of their input.
    pub(crate) keeps_format: bool,
    /// The chat format of the rows; found out from them if not given.
    pub(crate) format: Option<&'s serde_json::Value>,
    pub(crate) options: &'s RunOptions,
}

/// What every run over rows reports.
#[derive(Clone, Debug, Serialize)]
pub struct RowsReport {
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Every file of the result.
    pub files: Files,
    /// What the user should know about the inputs.
    pub notes: Vec<String>,
    /// Where every row and byte went; bytes are those of the inputs.
    pub accounting: Accounting,
    /// How many of the rows set aside are in quarantine.
    pub quarantine: QuarantineReport,
    /// What the page shows of the rows.
    #[serde(skip)]
    pub(crate) exhibits: Exhibits,
}

/// The chat format of rows: the one asked for, or the one that some of them are of.
///
/// # Errors
/// `Error::Parameter` for a format that there is not, or rows of none or several.
pub(crate) fn chat_format(
    asked: Option<&serde_json::Value>,
    sources: &[Source],
    threads: usize,
    progress: &Progress,
) -> Result<Format> {
    match asked {
        Some(format) => format_of(format),
        None => detected(&surveyed(sources, threads, progress, || sample(sources, &|| progress.check()))?),
    }
}

/// Rows are called by their place in what is read.
fn as_read<'n>() -> Box<NameOf<'n>> {
    Box::new(|_, source, row| Ok(source.name_row(row)))
}

impl<'r> RowsRun<'r> {
    /// Opens inputs and output, and says which chat format the rows have.
    ///
    /// # Errors
    /// `Error::Parameter` for what can be known to be wrong beforehand, and those of opening files.
    pub(crate) fn open(setup: Setup<'r>, progress: &'r Progress) -> Result<(Self, Format)> {
        let run = Self::over_fields(setup, &Fields::default(), progress)?;
        let format = chat_format(setup.format, &run.plan.sources, setup.options.threads(), progress)?;
        Ok((run, format))
    }

    /// Opens inputs that have these fields, and output. Without a field of texts, or to keep their format, they have to be rows.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn over_fields(setup: Setup<'r>, fields: &Fields, progress: &'r Progress) -> Result<Self> {
        let Setup { inputs, output, keeps_format, format: _, options } = setup;
        options.check()?;
        let memory = Memory::of(options)?;
        progress.begin(0, 0);
        let mut plan = Plan::new(options.reading(inputs, None), fields, progress)?;
        if fields.text.is_none() || keeps_format {
            plan.check_rows()?;
        }
        plan.notes.extend(output.and_then(|output| space::note(output, &plan)));
        let output = output
            .map(|output| RunOutput::open(output, options.overwrite, &plan, keeps_format).map(Arc::new))
            .transpose()?;
        if output.as_ref().is_some_and(|output| output.is_single()) {
            plan.join()?;
        }
        let crew = Crew::new(options.threads());
        Ok(Self { plan, output, crew, memory, options, progress, names: as_read() })
    }

    /// A run over what is open already.
    pub(crate) fn over(
        plan: Plan,
        output: Arc<RunOutput>,
        crew: Arc<Crew>,
        memory: Memory,
        options: &'r RunOptions,
        progress: &'r Progress,
    ) -> Self {
        Self { plan, output: Some(output), crew, memory, options, progress, names: as_read() }
    }

    /// Rows without an id are called so, by the place of their input and their own.
    pub(crate) fn naming(
        mut self,
        names: impl Fn(usize, &Source, u64) -> Result<String> + Sync + Send + 'r,
    ) -> Self {
        self.names = Box::new(names);
        self
    }

    /// The inputs.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Does the `work` of the run in the folder of its temporary files, and publishes the result with the report. What an
    /// interrupted run of the same command left there is gone on with.
    ///
    /// # Errors
    /// Those of the work and of publishing; `Error::Parameter` if another run has left its state.
    pub(crate) fn publish<P: Step, R: Reported>(
        mut self,
        config: &Config<P>,
        work: impl FnOnce(&mut Self, &Path) -> Result<R>,
    ) -> Result<R> {
        let identity =
            self.plan.is_repeatable().then(|| Identity::of(config, &self.plan, false)).transpose()?;
        let parameters =
            serde_json::to_value(&config.step).map_err(|error| Error::Internal(error.to_string()))?;
        let identity =
            identity.map(|identity| identity.with_named(named_by::<P>(&parameters))).transpose()?;
        let (output, options) = (self.output.clone(), self.options);
        let has_done = |folder: &Path| folder.join(LEDGER).exists();
        in_worksite(output.as_deref(), options, options.tmp.as_deref(), identity, has_done, |folder| {
            let mut report = work(&mut self, folder)?;
            output.as_ref().map_or(Ok(()), |output| output.publish(&mut report))?;
            Ok(report)
        })
    }

    /// Takes every row through a step, and writes those that it leaves, if there is an output.
    ///
    /// # Errors
    /// Those of the passes.
    pub(crate) fn examine(
        &mut self,
        name: &str,
        step: Box<dyn RowStep>,
        folder: &Path,
        clock: &mut Clock,
    ) -> Result<(RowsReport, serde_json::Value)> {
        let fused = Fused::new(vec![NamedStep { name: name.to_owned(), step }])?;
        if fused.edited().is_some() || !fused.columns().is_empty() {
            // What cannot be written beside a change is told before the first row.
            self.plan.sources.iter_mut().try_for_each(Source::copy_by_types)?;
        }
        let pass = RowPass {
            sources: &self.plan.sources,
            crew: &self.crew,
            memory: self.memory.without(fused.resident_bytes())?,
            progress: self.progress,
            strict: self.options.strict,
        };
        let (ledger, earlier) = clock.time("rows", || pass.run(&fused, &folder.join(LEDGER)))?;
        self.plan.notes.extend(resume::note(earlier));
        self.plan.check_unchanged()?;
        let done = self.evidence(&ledger, &fused)?;
        let rows = ledger.input_rows(self.plan.sources.len())?;
        let written = match &self.output {
            None => Vec::new(),
            Some(output) => clock.time("write", || {
                let mut lens = Lens::default();
                lens.push(ledger, fused.edited(), fused.columns());
                self.plan.sources = lens.over(std::mem::take(&mut self.plan.sources))?;
                write_seen(&self.plan.sources, output, &self.crew, self.memory, self.progress)
            })?,
        };
        self.plan.check_unchanged()?;
        let summary = done.summary.clone();
        Ok((self.report(done, rows, written)?, summary))
    }

    /// The evidence of the one step of a ledger.
    fn evidence(&self, ledger: &Ledger, fused: &dyn evidence::Steps) -> Result<StepDone> {
        let output = self.output.as_deref();
        let removed = output.and_then(RunOutput::removed_path).filter(|_| fused.removes(0));
        let keeps = !fused.signals(0).is_empty();
        let names = fused.names();
        let signals = names.first().and_then(|name| output?.signals_path(name)).filter(|_| keeps);
        let quarantine = self.output.as_ref().map_or_else(Quarantine::counting, |output| output.quarantine());
        let place = Place { removed: removed.as_deref(), signals: signals.as_deref(), quarantine };
        // A run that only looks has nothing to withhold.
        let most = if self.output.is_some() { self.options.max_quarantine } else { 1.0 };
        let done = evidence::write(ledger, fused, &self.plan.sources, vec![place], most, self.progress)?;
        match (done, &self.output) {
            (Ok(mut done), _) => done.pop().ok_or_else(|| Error::Internal("a run has no step".into())),
            (Err(rejected), Some(output)) => Err(output.reject(rejected.quarantine, rejected.error)),
            (Err(rejected), None) => Err(rejected.error),
        }
    }

    fn report(&self, done: StepDone, rows: Vec<u64>, written: Vec<Written>) -> Result<RowsReport> {
        let StepDone { accounting, quarantine, exhibits, evidence, .. } = done;
        let (outputs, files) = match &self.output {
            Some(output) => output.settle(written, evidence)?,
            None => Default::default(),
        };
        let sources = &self.plan.sources;
        let inputs = sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect();
        Ok(RowsReport {
            inputs,
            outputs,
            files,
            notes: self.plan.notes.clone(),
            accounting,
            quarantine,
            exhibits,
        })
    }
}

#[cfg(test)]
mod resume_tests;
