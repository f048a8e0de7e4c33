//! Runs that look at every row by itself, once, and stream: conversion, validation, rendering of chat data.
//!
//! ```text
//! unit ──> rows as JSON ──> work (any thread): a new row, or why there is none ──> lines ──> output, in order
//!                                              └─> what was found, merged in order
//! ```
//!
//! Memory is a few units, whatever the inputs. A columnar output has one type a column, which only all rows together
//! tell; then the rows are worked on twice, first for their shape (see [`shape`]).

pub mod convert;
pub mod format;
pub mod render;
mod sample;
mod shape;
pub mod validate;
mod worked;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use thresher_chat::{Format, RowError};
use thresher_core::Observer;
use thresher_core::json::{Fields, Json};

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::{Piece, Scratch, Unit, Written};
use crate::quarantine::{Quarantine, QuarantineReport};
use crate::record::Reason;
use crate::runs::aside::{check_bulk, set_aside};
use crate::runs::books::{Accounting, Count, InputReport, by_name};
use crate::runs::evidence::Reported;
use crate::runs::fields::FormatWatch;
use crate::runs::memory::Memory;
use crate::runs::options::RunOptions;
use crate::runs::output::{DataFiles, Files, RunOutput};
use crate::runs::passed::Passed;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::{survey, surveyed};
use crate::writers::Means;
use format::{detected, format_of};
pub(crate) use sample::sample;
use shape::Shape;
use worked::Worked;
use write::Forms;

/// Steps of the progress.
const SHAPE: usize = 4;
const ROWS: usize = 5;

/// What is done with each row.
pub(crate) trait RowWork: Sync {
    /// Buffers of one thread.
    type State;
    /// What is found beside the rows of a unit.
    type Found: Send;
    /// Whether rows pass as they are, or not at all, instead of becoming new ones.
    const SELECTS: bool = false;

    /// The buffers.
    fn state(&self) -> Self::State;

    /// What is found before the first row of a unit.
    fn found(&self) -> Self::Found;

    /// Appends what becomes of `row` (row `slot` of its unit) to `out`, without a line end.
    ///
    /// # Errors
    /// Why nothing does; what was appended then means nothing.
    fn row(
        &self,
        state: &mut Self::State,
        found: &mut Self::Found,
        slot: u64,
        row: Json<'_>,
        out: &mut String,
    ) -> std::result::Result<(), Refusal>;
}

/// Why nothing becomes of a row.
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl From<RowError> for Refusal {
    fn from(error: RowError) -> Self {
        Self { reason: Reason::Chat(error.reason), detail: error.detail }
    }
}

/// A run over rows.
pub(crate) struct RowsRun<'r> {
    plan: Plan,
    /// Where the rows go; without it they are only looked at.
    output: Option<RunOutput>,
    /// The output is standard output.
    is_streaming: bool,
    crew: Arc<Crew>,
    memory: Memory,
    strict: bool,
    max_quarantine: f64,
    progress: &'r Progress,
    /// The name of the chat format of the rows.
    format: String,
    passed: Passed,
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
    /// The first bad row ends the run, which need not be what the option of that name means.
    pub(crate) strict: bool,
    pub(crate) options: &'s RunOptions,
    pub(crate) passed: &'s Passed,
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

impl<'r> RowsRun<'r> {
    /// Opens inputs and output, and says which chat format the rows have.
    ///
    /// # Errors
    /// `Error::Parameter` for what can be known to be wrong beforehand, and those of opening files.
    pub(crate) fn open(setup: Setup<'_>, progress: &'r Progress) -> Result<(Self, Format)> {
        let Setup { inputs, output, keeps_format, format, strict, options, passed } = setup;
        options.check()?;
        let memory = Memory::of(options)?;
        progress.begin(0, 0);
        let threads = options.threads();
        let mut plan = Plan::new(options.reading(inputs, None), &Fields::default(), progress)?;
        plan.check_rows()?;
        let format = match format {
            Some(format) => format_of(format)?,
            None => detected(&surveyed(&plan.sources, threads, progress, || {
                sample(&plan.sources, &|| progress.check())
            })?)?,
        };
        let is_streaming = output == Some("-");
        let output = output
            .map(|output| RunOutput::open(output, options.overwrite, &plan, keeps_format))
            .transpose()?;
        if output.as_ref().is_some_and(RunOutput::is_single) {
            plan.join()?;
        }
        let crew = Crew::new(threads);
        let (max_quarantine, name) = (options.max_quarantine, format.name().to_owned());
        let passed = passed.clone();
        let run = Self {
            plan,
            output,
            is_streaming,
            crew,
            memory,
            strict,
            max_quarantine,
            progress,
            format: name,
            passed,
        };
        Ok((run, format))
    }

    /// Publishes the result with its report.
    ///
    /// # Errors
    /// As [`RunOutput::publish`].
    pub(crate) fn finish(self, report: &mut impl Reported) -> Result<()> {
        self.output.map_or(Ok(()), |output| output.publish(report))
    }

    /// The names of the inputs.
    pub(crate) fn names(&self) -> Vec<String> {
        self.plan.sources.iter().map(|source| source.input().name().to_owned()).collect()
    }

    /// Does the work on every row, writes what becomes of it, and merges what was found into a value from `init`, in
    /// order; `merge` gets the input and the row at which the unit begins, too.
    ///
    /// # Errors
    /// Of reading, writing and `merge`, and for the first bad row of a strict run.
    pub(crate) fn run<W: RowWork, A: Send>(
        &self,
        work: &W,
        init: impl Fn() -> A,
        merge: impl Fn(&mut A, usize, u64, W::Found) -> Result<()> + Sync,
    ) -> Result<(RowsReport, A)> {
        if self.is_streaming {
            // What went to standard output cannot be taken back.
            survey(&self.plan.sources, self.crew.threads(), self.progress)?;
        }
        let mut begun = false;
        surveyed(&self.plan.sources, self.crew.threads(), self.progress, || {
            if let Some(output) = self.output.as_ref().filter(|_| std::mem::replace(&mut begun, true)) {
                output.start_over()?;
            }
            let mut all = init();
            let report = self.pass(work, |input, row, found| merge(&mut all, input, row, found))?;
            Ok((report, all))
        })
    }

    fn pass<W: RowWork>(
        &self,
        work: &W,
        mut merge: impl FnMut(usize, u64, W::Found) -> Result<()> + Send,
    ) -> Result<RowsReport> {
        let sources = &self.plan.sources;
        let forms = match &self.output {
            Some(output) if !W::SELECTS => Some(self.forms(work, output)?),
            _ => None,
        };
        self.begin(ROWS);
        self.passed.begin();
        let mut outputs = self.output.as_ref().map(|to| {
            let means = Means { memory: self.memory.output(), ..Means::new(&self.crew) };
            let forms = forms.as_ref();
            DataFiles::new(sources.len(), to.is_single(), move |input| match forms {
                Some(forms) => forms.create(to, sources, input, &means).map(Some),
                None => to.create_like(&sources[input], &means),
            })
        });
        let mut quarantine = self.output.as_ref().map_or_else(Quarantine::counting, RunOutput::quarantine);
        let mut rows = vec![0; sources.len()];
        let (mut read, mut kept, mut blank_bytes) = (Count::default(), Count::default(), 0);
        let mut watch = FormatWatch::new(sources);
        for_each_unit(
            Pass::new(sources, &self.crew, self.progress, self.memory),
            || (work.state(), Scratch::default()),
            |(state, scratch), input, unit| {
                let columnar = forms.as_ref().is_some_and(|forms| forms.is_columnar(input));
                let mut done = self.work(work, state, scratch, columnar, input, &unit)?;
                let piece = match (&forms, &self.output) {
                    (Some(forms), _) => Some(forms.piece(input, std::mem::take(&mut done.lines))?),
                    (None, Some(_)) => Some(sources[input].input().copy(unit, &done.keep, scratch)?),
                    (None, None) => None,
                };
                Ok((done, piece))
            },
            |input, (unit, piece): (Worked<W::Found>, Option<Piece>)| {
                let source = sources[input].input();
                watch.see(&self.format, unit.good.docs, &unit.bad)?;
                set_aside(&mut quarantine, self.progress, self.strict, source, rows[input], &unit.bad)?;
                if let (Some(outputs), Some(piece)) = (&mut outputs, piece) {
                    outputs.write(input, piece, unit.good.docs)?;
                    self.passed.add(input, &unit.keep);
                }
                merge(input, rows[input], unit.found)?;
                rows[input] += unit.slots;
                read.add(unit.slots, unit.read_bytes);
                kept.add(unit.good.docs, unit.good.bytes);
                blank_bytes += unit.blank_bytes;
                Ok(())
            },
        )?;
        self.plan.check_unchanged()?;
        watch.end(&self.format)?;
        // A run that only looks has nothing to withhold.
        if let Some(output) = &self.output {
            let first = sources.first().map(Source::input);
            if let Err(error) = check_bulk(&quarantine, read.docs, self.max_quarantine, first) {
                return Err(output.reject(quarantine, error));
            }
        }
        let written = outputs.map_or(Ok(Vec::new()), DataFiles::finish)?;
        let quarantined = by_name(quarantine.tallies());
        let accounting = Accounting {
            read,
            kept,
            removed: BTreeMap::new(),
            references: Count::default(),
            quarantined,
            blank_bytes,
        };
        accounting.check()?;
        let set_aside = quarantine.report();
        let exhibits = Exhibits { bad: quarantine.exhibits(), ..Exhibits::default() };
        let evidence = quarantine.finish()?;
        let (outputs, files) = match &self.output {
            Some(output) => output.settle(written, evidence)?,
            None => Default::default(),
        };
        let inputs = sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect();
        let notes = self.plan.notes.clone();
        Ok(RowsReport { inputs, outputs, files, notes, accounting, quarantine: set_aside, exhibits })
    }

    fn begin(&self, step: usize) {
        self.progress.begin(step, self.plan.sources.iter().map(|source| source.input().size_on_disk()).sum());
    }

    fn work<W: RowWork>(
        &self,
        work: &W,
        state: &mut W::State,
        scratch: &mut Scratch,
        columnar: bool,
        input: usize,
        unit: &Unit,
    ) -> Result<Worked<W::Found>> {
        let done = Worked::of(work, state, scratch, columnar, self.plan.sources[input].input(), unit)?;
        self.progress.advance(done.slots, done.bytes());
        Ok(done)
    }

    /// The formats of the outputs; for columns, all rows are worked on once.
    fn forms<W: RowWork>(&self, work: &W, output: &RunOutput) -> Result<Forms> {
        let mut forms = Forms::new(output, &self.plan.sources);
        if !forms.have_columns() {
            return Ok(forms);
        }
        self.begin(SHAPE);
        let mixed = |input: usize, what: String| {
            let detail = format!("a column has one type, but `{what}`; write JSONL instead");
            Error::data(self.plan.sources[input].input().path(), detail)
        };
        for_each_unit(
            Pass::new(&self.plan.sources, &self.crew, self.progress, self.memory),
            || (work.state(), Scratch::default()),
            |(state, scratch), input, unit| {
                let done = self.work(work, state, scratch, true, input, &unit)?;
                let mut shape = Shape::default();
                for line in done.lines.lines() {
                    let row = Shape::of(Json::checked(line)).and_then(|row| shape.merge(row));
                    row.map_err(|what| mixed(input, what))?;
                }
                Ok(shape)
            },
            |input, shape| forms.widen(input, shape).map_err(|what| mixed(input, what)),
        )?;
        forms.settle().map_err(|what| mixed(0, what))?;
        Ok(forms)
    }
}
