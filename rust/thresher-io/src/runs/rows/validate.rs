//! Validation of chat data over files: what is wrong with each row, and, if asked, the rows without an error as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thresher_chat::validate::{CODES, Options, Reasoning, Report, Severity, TARGETS, Validator};
use thresher_chat::{Format, Problem};
use thresher_core::json::Json;

use super::{RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::record::Reason;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees};

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
    fn verb(&self) -> &'static str {
        "validate"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// What was found in one input. Rows count from 0 in their input; those that are no JSON object are in the books alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    let strict = config.options.strict;
    step.options(strict)?;
    let setup = Setup {
        inputs: &config.inputs,
        output: config.output.as_deref(),
        keeps_format: true,
        format: step.format.as_ref(),
        options: &config.options,
    };
    let (rows_run, format) = RowsRun::open(setup, progress)?;
    let from = format.name().to_owned();
    let validation = step.open(format, strict)?;
    rows_run.publish(config, |run, place| {
        let (rows, mut summary) = run.examine(ValidateStep::NAME, Box::new(validation), place, &mut clock)?;
        let broken = |error: serde_json::Error| Error::Internal(format!("findings of a validation: {error}"));
        clock.total(started);
        Ok(ValidateReport {
            marker: Marker::default(),
            config: config.clone(),
            from,
            rows,
            found: serde_json::from_value(summary["found"].take()).map_err(broken)?,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

/// The check of every row.
pub(crate) struct Validation {
    options: Options,
    max_problems: usize,
    format: Format,
}

impl ValidateStep {
    /// The step over rows of a format; a warning counts as an error if `strict`.
    ///
    /// # Errors
    /// `Error::Parameter` for a target or a code that there is not.
    pub(crate) fn open(&self, format: Format, strict: bool) -> Result<Validation> {
        let options = self.options(strict)?;
        Ok(Validation { options, max_problems: self.max_problems, format })
    }

    fn options(&self, strict: bool) -> Result<Options> {
        let (target, reasoning, ignore) = (self.target.clone(), self.reasoning, self.ignore.clone());
        let options = Options { target, reasoning, ignore, strict };
        Validator::try_new(&options).map_err(|error| Error::Parameter(error.to_string()))?;
        Ok(options)
    }
}

/// One thread of it; there is a validator unless the options are wrong, which was checked before.
struct Worker<'v> {
    validation: &'v Validation,
    validator: Option<Validator>,
    problems: Vec<Problem>,
    report: Report,
}

impl RowStep for Validation {
    fn sees(&self) -> Sees {
        Sees::Row
    }

    fn format(&self) -> Option<&str> {
        Some(self.format.name())
    }

    fn removes(&self) -> bool {
        false
    }

    fn is_strict(&self) -> bool {
        // To find such rows is what it is for; a warning counts as an error then.
        false
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let validator = Validator::try_new(&self.options).ok();
        let report = Report::new(self.max_problems);
        Box::new(Worker { validation: self, validator, problems: Vec::new(), report })
    }

    fn summary(&self, inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        let broken = |error: serde_json::Error| Error::Internal(format!("findings of a validation: {error}"));
        let mut all = vec![Report::new(self.max_problems); inputs.len()];
        for unit in found {
            let Found { input, first_row, found } = unit?;
            all[input].merge(serde_json::from_str(&found).map_err(broken)?, first_row);
        }
        let found = inputs.iter().cloned().zip(all).map(|(input, report)| InputFindings { input, report });
        let found = serde_json::to_value(found.collect::<Vec<_>>()).map_err(broken)?;
        Ok(json!({"from": self.format.name(), "found": found}))
    }
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, row: &str, marks: &mut Marks) {
        if let Some(validator) = &mut self.validator {
            validator.check(Json::checked(row), &self.validation.format, &mut self.problems);
        }
        if let Some(worst) = self.problems.iter().find(|problem| problem.severity == Severity::Error) {
            marks.set_aside(Reason::Check(worst.code), at(worst));
        }
        self.report.add(u64::from(marks.slot()), &mut self.problems);
    }

    fn found(&mut self) -> String {
        let report = std::mem::replace(&mut self.report, Report::new(self.validation.max_problems));
        // A report has a JSON.
        serde_json::to_string(&report).unwrap_or_default()
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
