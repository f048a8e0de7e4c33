//! Pipelines: several steps over files, one result.
//!
//! ```text
//! inputs ─ step 1 ─> STATE/steps/1/data ─ step 2 ─> STATE/steps/2/data ─ ... ─> evidence of all ─ publish ─> OUT
//! ```
//!
//! A pipeline of one step is the run of its verb. Of several, each is a run of its own whose result lies in the state folder
//! of the output; the next one reads its data. The rows that a step passes on are noted (`runs/passed.rs`), so that the
//! evidence of every step names the rows of the inputs. At the end the data of the last step and the evidence of all are put
//! together in the state folder and published at once. If a step fails, what was there before stays as it was.
//!
//! This is the seam for fusing steps: row steps that follow each other can become one pass behind [`run`], with ledgers in the
//! place of data between the steps, and nothing outside of this module changes.

mod books;
mod evidence;
mod step;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thresher_core::json::Fields;

pub use books::Books;
pub use step::FlowStep;

use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::runs::books::{InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::RunOptions;
use crate::runs::output::{Files, Marker, RunOutput};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::stdin::pipe_of;
use evidence::Trail;
use step::{Done, Task};

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
    /// Seconds of each step, and of all.
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
    const VERB: &'static str = "run";

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
}

impl FlowRun {
    /// The steps, with every name in them known.
    fn steps(&self) -> Result<Vec<FlowStep>> {
        if self.steps.is_empty() {
            return Err(Error::Parameter("a pipeline has at least one step, but steps is empty".into()));
        }
        self.options.check()?;
        self.steps.iter().enumerate().map(|(index, step)| FlowStep::parse(index, step)).collect()
    }
}

/// Runs a pipeline, and gives the report that it also writes: that of the verb if there is one step.
///
/// # Errors
/// Those of its steps, whose messages say which one it was.
pub fn run(config: &FlowRun, progress: &Progress) -> Result<Value> {
    let steps = config.steps()?;
    if let [only] = &steps[..] {
        let task = Task {
            inputs: config.inputs.clone(),
            output: config.output.clone(),
            options: config.options.clone(),
        };
        return only.run(&task, progress).map(|done| done.report);
    }
    let started = Instant::now();
    for input in &config.inputs {
        if pipe_of(input)?.is_some() {
            return Err(Error::Parameter(format!(
                "input `{input}` is a pipe, which a pipeline of several steps does not read; write it to a file first"
            )));
        }
    }
    let plan = Plan::new(config.options.reading(&config.inputs, None), &Fields::default(), progress)?;
    plan.check_rows()?;
    let output = RunOutput::open(&config.output, config.options.overwrite, &plan, false)?;
    let num_inputs = plan.sources.len();
    drop(plan);
    let mut count = num_inputs;
    let place = Work::new(&output, &config.options)?;
    let mut clock = Clock::default();
    let mut trail = Trail::default();
    let mut reports = Vec::new();
    let mut timings = BTreeMap::new();
    let mut inputs = config.inputs.clone();
    let mut last: Option<Done> = None;
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        let name = format!("{}.{}", index + 1, step.verb());
        let to = if is_last { place.last(&name, &config.output) } else { place.folder.join(&name) };
        let mut options = config.options.clone();
        options.overwrite = true;
        let task = Task { inputs, output: to.to_string_lossy().into_owned(), options };
        let began = Instant::now();
        let mut done =
            step.run(&task, progress).map_err(|error| of_step(&name, output.adopt_rejected(&to), error))?;
        timings.insert(name.clone(), began.elapsed().as_secs_f64());
        inputs = done.outputs.iter().map(|output| output.path.to_string_lossy().into_owned()).collect();
        if let Some(report) = done.report.as_object_mut() {
            report.insert("step".into(), name.clone().into());
        }
        reports.push(done.report.clone());
        trail.add(&name, &to, count, &mut done)?;
        count = done.outputs.len();
        last = Some(done);
    }
    let outputs = last.map(|done| done.outputs).unwrap_or_default();
    let (written, evidence) = if output.is_stream() {
        (outputs, Vec::new())
    } else {
        (place.adopt(&output, outputs)?, trail.write(&output, progress)?)
    };
    let (outputs, files) = output.settle(written, evidence)?;
    clock.total(started);
    timings.extend(clock.seconds.into_iter().map(|(name, seconds)| (name.to_owned(), seconds)));
    let mut report = FlowReport {
        marker: Marker::default(),
        config: config.clone(),
        inputs: trail.inputs,
        outputs,
        files,
        notes: reports.iter().flat_map(books::notes).collect(),
        accounting: Books::of(&reports)?,
        quarantine: books::quarantine(&reports),
        steps: reports,
        timings,
        peak_rss_bytes: peak_rss_bytes(),
        threads: config.options.threads(),
        exhibits: Exhibits::default(),
    };
    drop(place);
    output.publish(&mut report)?;
    serde_json::to_value(&report).map_err(|error| Error::Internal(error.to_string()))
}

/// An error with the step that it comes from, where it is about what was asked for or about the data; what was kept of the
/// step's result has moved.
fn of_step(name: &str, moved: Option<(PathBuf, PathBuf)>, error: Error) -> Error {
    match error {
        Error::Parameter(said) => Error::Parameter(format!("step {name}: {said}")),
        Error::Data { path, message } => {
            let message = match moved {
                Some((from, to)) => message.replace(&*from.to_string_lossy(), &to.to_string_lossy()),
                None => message,
            };
            Error::Data { path, message: format!("step {name}: {message}") }
        }
        other => other,
    }
}

/// The folder of what lies between the steps, which goes with it.
struct Work {
    folder: PathBuf,
    /// With standard output, which has no state folder.
    _temporary: Option<tempfile::TempDir>,
}

impl Work {
    fn new(output: &RunOutput, options: &RunOptions) -> Result<Self> {
        if let Some(folder) = output.steps_folder() {
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
            return Ok(Self { folder, _temporary: None });
        }
        let parent = options.tmp.as_ref().map_or_else(std::env::temp_dir, PathBuf::from);
        let temporary = tempfile::tempdir_in(&parent).map_err(Error::io("make a folder in", &parent))?;
        Ok(Self { folder: temporary.path().to_path_buf(), _temporary: Some(temporary) })
    }

    /// Where the last step writes: a folder, or a file whose name says the format, as the output of the pipeline is.
    fn last(&self, name: &str, output: &str) -> PathBuf {
        if output == "-" {
            return PathBuf::from("-");
        }
        let folder = self.folder.join(name);
        match Path::new(output).file_name() {
            Some(file)
                if !Path::new(output).is_dir()
                    && crate::codec::split_suffix(&file.to_string_lossy()).is_some() =>
            {
                folder.join(file)
            }
            _ => folder,
        }
    }

    /// Moves the data of the last step to where the new result is made.
    fn adopt(&self, output: &RunOutput, data: Vec<Written>) -> Result<Vec<Written>> {
        let mut adopted = Vec::with_capacity(data.len());
        for mut file in data {
            let to = output.adopted_path(&self.folder, &file.path)?;
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
            }
            fs::rename(&file.path, &to).map_err(Error::io("move", &file.path))?;
            file.path = to;
            adopted.push(file);
        }
        Ok(adopted)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the next run on this output removes what stays.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
