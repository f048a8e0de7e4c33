//! Validation of chat data over files: what is wrong with each row, and, if asked, the rows without an error as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use thresher_chat::validate::{Options, Report, Severity, Validator};
use thresher_chat::{Format, Problem};
use thresher_core::json::Json;

use super::{Refusal, RowWork, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::record::Reason;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::output::Marker;
use crate::runs::progress::Progress;

/// The parameters of a validation. Written to `run.json` as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateRun {
    /// Files and patterns to read, or `-`.
    pub inputs: Vec<String>,
    /// Where the rows without an error go: a folder, a data file, or `-`; nowhere if not given.
    pub output: Option<String>,
    /// Whether a finished result may be replaced.
    pub overwrite: bool,
    /// The format of the inputs: a name or a mapping of fields; found out from the rows if not given.
    pub format: Option<serde_json::Value>,
    /// What is looked for.
    pub options: Options,
    /// Problems that the report lists; all are counted.
    pub max_problems: usize,
    /// Threads to use.
    pub threads: usize,
    /// Folder for temporary files.
    pub tmp: Option<String>,
    /// Whether a warning is an error.
    pub strict: bool,
    /// Share of the rows, from 0 to 1, of which more may not be set aside.
    pub max_quarantine: f64,
    /// Longest row, in bytes; a longer one is set aside.
    pub max_record_bytes: u64,
    /// Bytes of input that a thread works on at a time; the output does not depend on it.
    pub batch_bytes: u64,
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct ValidateReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: ValidateRun,
    /// The format that was read.
    pub from: String,
    /// Inputs, outputs and books: kept are the rows without an error.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// What was found, by input.
    pub found: Vec<InputFindings>,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

/// What was found in one input. Rows count from 0 in their input; those that are no JSON object are in the books alone.
#[derive(Clone, Debug, Serialize)]
pub struct InputFindings {
    /// The name of the input.
    pub input: String,
    /// Rows, codes and problems.
    #[serde(flatten)]
    pub report: Report,
}

/// Checks the rows of files, and gives the report that it also writes beside the output, if there is one.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &ValidateRun, progress: &Progress) -> Result<ValidateReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let options = Options { strict: config.strict, ..config.options.clone() };
    Validator::try_new(&options).map_err(|error| Error::Parameter(error.to_string()))?;
    let setup = Setup {
        inputs: &config.inputs,
        output: config.output.as_deref(),
        overwrite: config.overwrite,
        keeps_format: true,
        format: config.format.as_ref(),
        threads: config.threads,
        tmp: config.tmp.as_deref(),
        strict: false,
        max_quarantine: config.max_quarantine,
        max_record_bytes: config.max_record_bytes,
        batch_bytes: config.batch_bytes,
    };
    let (rows_run, format) = RowsRun::open(setup, progress)?;
    let names = rows_run.names();
    let work = Validation { options, max_problems: config.max_problems, format };
    let none = || vec![Report::new(config.max_problems); names.len()];
    let (rows, found) = clock.time("rows", || {
        rows_run.run(&work, none, |found, input, first_row, unit| {
            found[input].merge(unit, first_row);
            Ok(())
        })
    })?;
    clock.total(started);
    let found = names.into_iter().zip(found).map(|(input, report)| InputFindings { input, report });
    let report = ValidateReport {
        marker: Marker::default(),
        config: config.clone(),
        from: work.format.name().to_owned(),
        rows,
        found: found.collect(),
        timings: clock.seconds.into_iter().collect(),
        peak_rss_bytes: peak_rss_bytes(),
        threads: config.threads,
    };
    rows_run.finish(&report)?;
    Ok(report)
}

struct Validation {
    options: Options,
    max_problems: usize,
    format: Format,
}

/// The buffers of one thread; there is a validator unless the options are wrong, which was checked before.
struct State {
    validator: Option<Validator>,
    problems: Vec<Problem>,
}

impl RowWork for Validation {
    type State = State;
    type Found = Report;
    const SELECTS: bool = true;

    fn state(&self) -> State {
        State { validator: Validator::try_new(&self.options).ok(), problems: Vec::new() }
    }

    fn found(&self) -> Report {
        Report::new(self.max_problems)
    }

    fn row(
        &self,
        state: &mut State,
        found: &mut Report,
        slot: u64,
        row: Json<'_>,
        _: &mut String,
    ) -> std::result::Result<(), Refusal> {
        if let Some(validator) = &mut state.validator {
            validator.check(row, &self.format, &mut state.problems);
        }
        let worst = state.problems.iter().find(|problem| problem.severity == Severity::Error);
        let verdict = worst.map_or(Ok(()), |problem| {
            Err(Refusal { reason: Reason::Check(problem.code), detail: at(problem) })
        });
        found.add(slot, &mut state.problems);
        verdict
    }
}

/// A problem with its place.
fn at(problem: &Problem) -> String {
    if problem.path.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.path, problem.message)
    }
}
