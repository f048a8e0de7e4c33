//! Pipelines: several steps over files, one result.
//!
//! ```text
//! inputs ─ row steps, in one pass ─> ledger ─ dedup ─> ledger ─ row steps ─> ledger ─ one last pass writes ─> OUT
//!                                                 └ reshape, gather: new rows are stored, and are the inputs of what follows
//! ```
//!
//! Decisions move, records do not: a stage reads the inputs through the ledgers of the stages before it (`runs/lens.rs`), and
//! leaves one of its own. Rows are stored between stages only where a step makes new ones, or puts them elsewhere. All of that lies in the state folder
//! of the output, each stage complete or to be gone on with, so the same command goes on where an earlier one was stopped. At
//! the end the evidence of all steps, which names rows of the inputs, and the data are published at once.

mod books;
mod evidence;
mod origins;
mod remade;
mod stage;
mod verbs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thresher_core::json::Fields;

pub use books::Books;
pub use verbs::{Opening, ReshapeVerb, RowVerb, Verbs};

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::runs::books::{InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::memory::Memory;
use crate::runs::options::{Config, RunOptions};
use crate::runs::output::{Files, Marker, RunOutput};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::Identity;
use crate::runs::space;
use crate::runs::stdin::pipe_of;
use crate::runs::within::Within;
use crate::runs::worksite::in_worksite;
use stage::Flow;
use verbs::FlowStep;

/// What a pipeline is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRun {
    /// Files, patterns and folders to read, or `-`.
    pub inputs: Vec<String>,
    /// A folder, a data file, or `-`.
    pub output: String,
    /// What is done, in order.
    pub steps: Vec<Map<String, Value>>,
    /// The options of every step.
    #[serde(flatten)]
    pub options: RunOptions,
}

/// The contents of `run.json` of a pipeline of several steps.
#[derive(Clone, Debug, Serialize)]
pub struct FlowReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: FlowRun,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Every file of the result.
    pub files: Files,
    /// What the user should know about the inputs.
    pub notes: Vec<String>,
    /// Where every document went, by step and reason. Bytes are those that the step saw.
    pub accounting: Books,
    /// How many of the rows set aside are in quarantine.
    pub quarantine: QuarantineReport,
    /// The report of each step: its verb, its books and all that it says of itself.
    pub steps: Vec<Value>,
    /// Seconds of each pass by the names of its steps, such as `1.filter+2.pii`, and of all.
    pub timings: BTreeMap<String, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
    /// The page shows no records: they lie in the evidence of their steps.
    #[serde(skip)]
    exhibits: Exhibits,
}

impl Reported for FlowReport {
    fn verb(&self) -> &'static str {
        "run"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
}

impl FlowRun {
    /// The steps, with every name in them known.
    fn steps(&self, verbs: &Verbs) -> Result<Vec<FlowStep>> {
        if self.steps.is_empty() {
            return Err(Error::Parameter("a pipeline has at least one step, but steps is empty".into()));
        }
        self.options.check()?;
        self.steps.iter().enumerate().map(|(index, step)| verbs.parse(index, step)).collect()
    }
}

/// Runs a pipeline, and gives the report that it also writes: that of the verb if there is one step.
///
/// # Errors
/// Those of its steps, whose messages say which one it was.
pub fn run(config: &FlowRun, progress: &Progress) -> Result<Value> {
    run_with(config, &Verbs::default(), progress)
}

/// Runs a pipeline of these verbs.
///
/// # Errors
/// As [`run`].
pub fn run_with(config: &FlowRun, verbs: &Verbs, progress: &Progress) -> Result<Value> {
    let steps = config.steps(verbs)?;
    if let [only] = &steps[..] {
        let alone = Config {
            inputs: config.inputs.clone(),
            output: Some(config.output.clone()),
            step: Value::Null,
            options: config.options.clone(),
            within: Within::default(),
        };
        if let Some(report) = only.alone(&alone, progress) {
            return report;
        }
    }
    let started = Instant::now();
    let memory = Memory::of(&config.options)?;
    for input in &config.inputs {
        if pipe_of(input)?.is_some() {
            return Err(Error::Parameter(format!(
                "input `{input}` is a pipe, which a pipeline of several steps does not read; write it to a file first"
            )));
        }
    }
    progress.begin(0, 0);
    let plan = Plan::new(config.options.reading(&config.inputs, None), &Fields::default(), progress)?;
    plan.check_rows()?;
    let output = Arc::new(RunOutput::open(&config.output, config.options.overwrite, &plan, false)?);
    let named = steps.iter().flat_map(|step| step.named.clone());
    let identity = Identity::of(config, &plan, false)?.with_named(named)?;
    let space = space::note(&config.output, &plan);
    drop(plan);
    let has_done = |folder: &Path| folder.join(stage::STEPS).exists();
    // What lies between the stages stays beside the output, where its data can be moved from.
    in_worksite(Some(&output), &config.options, None, Some(identity), has_done, |folder| {
        let crew = Crew::new(config.options.threads());
        let mut flow = Flow::new(config, &steps, output.clone(), crew, memory, progress, folder)?;
        flow.notes.extend(space.clone());
        flow.run()?;
        let (outputs, evidence) = flow.results()?;
        let (outputs, files) = output.settle(outputs, evidence)?;
        let mut clock = Clock::default();
        clock.total(started);
        let Flow { trail, reports, mut timings, notes, .. } = flow;
        timings.extend(clock.seconds.into_iter().map(|(name, seconds)| (name.to_owned(), seconds)));
        let mut report = FlowReport {
            marker: Marker::default(),
            config: config.clone(),
            inputs: trail.inputs,
            outputs,
            files,
            notes: reports.iter().flat_map(books::notes).chain(notes).collect(),
            accounting: Books::of(&reports)?,
            quarantine: books::quarantine(&reports),
            steps: reports,
            timings,
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
            exhibits: Exhibits::default(),
        };
        output.publish(&mut report)?;
        serde_json::to_value(&report).map_err(|error| Error::Internal(error.to_string()))
    })
}
