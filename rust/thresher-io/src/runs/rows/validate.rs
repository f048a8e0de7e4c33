//! Validation of chat data over files: what is wrong with each row, and, if asked, the rows without an error as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use thresher_chat::validate::{CODES, Options, Reasoning, Report, Severity, TARGETS, Validator};
use thresher_chat::{Format, Problem};
use thresher_core::json::Json;

use super::{Refusal, RowWork, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::record::Reason;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, parameters};
use crate::runs::progress::Progress;

parameters! {
    /// What a validation is asked for.
    pub struct ValidateStep is "validate" {
        /// The format of the rows: a name or a mapping of fields. Default: found out from the rows.
        format: Option<Value> = None => Kind::Format;
        /// Whose order of roles counts.
        target: String = Options::default().target => Kind::Choice(targets);
        /// Reasoning that the last assistant turn must have (keep), that no turn may have (strip), or any.
        reasoning: Reasoning = Reasoning::Any => Kind::Choice(|| vec!["keep", "strip", "any"]);
        /// Checks to leave out.
        ignore: Vec<String> = Vec::new() => Kind::Choices("CODE", codes);
        /// Problems to list for each input; all are counted.
        max_problems: usize = 1000 => Kind::Whole { least: 0, most: u32::MAX as u64 };
    }
}

fn targets() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}

fn codes() -> Vec<&'static str> {
    CODES.iter().map(|code| code.name()).collect()
}

/// The parameters of a run.
pub type ValidateRun = Config<ValidateStep>;

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

impl Reported for ValidateReport {
    const VERB: &'static str = "validate";

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
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
    let step = &config.step;
    let options = Options {
        target: step.target.clone(),
        reasoning: step.reasoning,
        ignore: step.ignore.clone(),
        strict: config.options.strict,
    };
    Validator::try_new(&options).map_err(|error| Error::Parameter(error.to_string()))?;
    let setup = Setup {
        inputs: &config.inputs,
        output: config.output.as_deref(),
        keeps_format: true,
        format: step.format.as_ref(),
        strict: false,
        options: &config.options,
        passed: &config.passed,
    };
    let (rows_run, format) = RowsRun::open(setup, progress)?;
    let names = rows_run.names();
    let work = Validation { options, max_problems: step.max_problems, format };
    let none = || vec![Report::new(step.max_problems); names.len()];
    let (rows, found) = clock.time("rows", || {
        rows_run.run(&work, none, |found, input, first_row, unit| {
            found[input].merge(unit, first_row);
            Ok(())
        })
    })?;
    clock.total(started);
    let found = names.into_iter().zip(found).map(|(input, report)| InputFindings { input, report });
    let mut report = ValidateReport {
        marker: Marker::default(),
        config: config.clone(),
        from: work.format.name().to_owned(),
        rows,
        found: found.collect(),
        timings: clock.seconds.into_iter().collect(),
        peak_rss_bytes: peak_rss_bytes(),
        threads: config.options.threads(),
    };
    rows_run.finish(&mut report)?;
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
