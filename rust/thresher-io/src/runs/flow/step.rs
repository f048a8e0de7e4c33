//! One step of a pipeline: which verb, its parameters, and its run.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::input::Written;
use crate::runs::books::InputReport;
use crate::runs::dedup::{self, DedupStep};
use crate::runs::options::{Config, RunOptions};
use crate::runs::parameters::Step;
use crate::runs::passed::{Passed, Rows};
use crate::runs::progress::Progress;
use crate::runs::rows::convert::{self, ConvertStep};
use crate::runs::rows::render::{self, RenderStep};
use crate::runs::rows::validate::{self, ValidateStep};
use crate::suggest::nearest;

/// One step, as its verb and the parameters of that.
#[derive(Clone, Debug)]
pub enum FlowStep {
    /// Near-duplicates go.
    Dedup(DedupStep),
    /// Rows of chat data in another format.
    Convert(ConvertStep),
    /// Rows with an error go.
    Validate(ValidateStep),
    /// Rows as texts of a template.
    Render(RenderStep),
}

/// What a step reads and where it writes.
pub(super) struct Task {
    pub(super) inputs: Vec<String>,
    pub(super) output: String,
    pub(super) options: RunOptions,
}

/// What a step did.
pub(super) struct Done {
    pub(super) inputs: Vec<InputReport>,
    pub(super) outputs: Vec<Written>,
    pub(super) report: Value,
    /// The rows of each input that it passed on.
    pub(super) passed: Vec<Rows>,
    /// Whether the ids in its evidence come from a field, rather than from the places of rows.
    pub(super) has_ids: bool,
}

impl FlowStep {
    /// The step at `index` of a pipeline: an object of one verb and its parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for a verb or a parameter that there is not, or a value of a wrong type.
    pub(super) fn parse(index: usize, step: &Map<String, Value>) -> Result<Self> {
        let mut members = step.iter();
        let (Some((verb, given)), None) = (members.next(), members.next()) else {
            return Err(Error::Parameter(format!("step {} is not one verb with its parameters", index + 1)));
        };
        match verb.as_str() {
            DedupStep::NAME => parameters(index, given).map(Self::Dedup),
            ConvertStep::NAME => parameters(index, given).map(Self::Convert),
            ValidateStep::NAME => parameters(index, given).map(Self::Validate),
            RenderStep::NAME => parameters(index, given).map(Self::Render),
            other => {
                let verbs = [DedupStep::NAME, ConvertStep::NAME, ValidateStep::NAME, RenderStep::NAME];
                let names: Vec<String> = verbs.map(str::to_owned).to_vec();
                Err(Error::Parameter(format!(
                    "step {} is `{other}`, but there is no such step; {}the steps are {}",
                    index + 1,
                    nearest(other, &names),
                    verbs.join(", ")
                )))
            }
        }
    }

    /// The name of its verb.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Dedup(_) => DedupStep::NAME,
            Self::Convert(_) => ConvertStep::NAME,
            Self::Validate(_) => ValidateStep::NAME,
            Self::Render(_) => RenderStep::NAME,
        }
    }

    /// Does the step.
    pub(super) fn run(&self, task: &Task, progress: &Progress) -> Result<Done> {
        match self {
            Self::Dedup(step) => done(task, step, progress, dedup::run, |report| {
                (report.inputs.clone(), report.outputs.clone())
            })
            .map(|done| Done { has_ids: step.id.is_some(), ..done }),
            Self::Convert(step) => done(task, step, progress, convert::run, |report| {
                (report.rows.inputs.clone(), report.rows.outputs.clone())
            }),
            Self::Validate(step) => done(task, step, progress, validate::run, |report| {
                (report.rows.inputs.clone(), report.rows.outputs.clone())
            }),
            Self::Render(step) => done(task, step, progress, render::run, |report| {
                (report.rows.inputs.clone(), report.rows.outputs.clone())
            }),
        }
    }
}

fn parameters<P: Step>(index: usize, given: &Value) -> Result<P> {
    let place = format!("step {} ({})", index + 1, P::NAME);
    let fields = match given {
        Value::Null => Map::new(),
        Value::Object(fields) => fields.clone(),
        _ => return Err(Error::Parameter(format!("{place} has parameters by name, or none"))),
    };
    let known: Vec<String> = P::parameters().iter().map(|one| one.name.to_owned()).collect();
    if let Some(name) = fields.keys().find(|name| !known.contains(name)) {
        let near = nearest(name, &known);
        return Err(Error::Parameter(format!(
            "{place} has no parameter `{name}`; {near}it has {}",
            known.join(", ")
        )));
    }
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Error::Parameter(format!("{place}: {error}")))
}

fn done<P: Step, R: Serialize>(
    task: &Task,
    step: &P,
    progress: &Progress,
    run: impl FnOnce(&Config<P>, &Progress) -> Result<R>,
    files: impl FnOnce(&R) -> (Vec<InputReport>, Vec<Written>),
) -> Result<Done> {
    let passed = Passed::noted();
    let config = Config {
        inputs: task.inputs.clone(),
        output: Some(task.output.clone()),
        step: step.clone(),
        options: task.options.clone(),
        passed: passed.clone(),
    };
    let report = run(&config, progress)?;
    let (inputs, outputs) = files(&report);
    drop(config);
    let report = serde_json::to_value(&report).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Done { inputs, outputs, report, passed: passed.take(), has_ids: false })
}
