//! The stages of a pipeline, one after the other: row steps that follow each other are one, every other step is one by itself.
//!
//! ```text
//! STEPS/1.filter.done     what the stage did; a stage whose file is there is not done again
//! STEPS/1.filter.ledger/  what it decided, task by task
//! STEPS/1.filter/         its evidence
//! STEPS/1.convert.data/   the new rows of a reshape, or those of a step that takes all and makes new files
//! STEPS/1.shuffle.work/   the temporary files of such a step, while it runs
//! ```

mod dedup;
mod gather;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thresher_core::json::Fields;

use super::FlowRun;
use super::evidence::{Footprint, SIGNALS, Trail};
use super::remade::Remade;
use super::verbs::{FlowStep, Kind, Opening};
use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::quarantine::Quarantine;
use crate::runs::books::{Count, InputReport};
use crate::runs::ledger::Ledger;
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::output::RunOutput;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume;
use crate::runs::rows::{AllMade, NamedReshape, RowsRun};
use crate::runs::source::Source;
use crate::runs::steps::evidence::{self, Place, StepDone, Steps};
use crate::runs::steps::fused::{Fused, NamedStep};
use crate::runs::steps::pass::RowPass;
use crate::runs::writing::write_seen;

/// The folder of the stages.
pub(super) const STEPS: &str = "steps";

/// A pipeline on its way.
pub(super) struct Flow<'f> {
    config: &'f FlowRun,
    steps: &'f [FlowStep],
    output: Arc<RunOutput>,
    crew: Arc<Crew>,
    memory: Memory,
    progress: &'f Progress,
    place: PathBuf,
    /// What the next stage reads, and through what.
    inputs: Vec<String>,
    lens: Lens,
    pub(super) trail: Trail,
    pub(super) reports: Vec<Value>,
    pub(super) timings: BTreeMap<String, f64>,
    /// What the user should know: what an earlier run has done, and room on the disk.
    pub(super) notes: Vec<String>,
    /// Data of the last stage.
    data: Vec<Written>,
}

/// What a stage did.
#[derive(Serialize, Deserialize)]
struct Done {
    inputs: Vec<InputReport>,
    outputs: Vec<Written>,
    /// The report of each of its steps.
    reports: Vec<Value>,
    seconds: f64,
}

impl<'f> Flow<'f> {
    /// A pipeline whose state lies in `folder`.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn new(
        config: &'f FlowRun,
        steps: &'f [FlowStep],
        output: Arc<RunOutput>,
        crew: Arc<Crew>,
        memory: Memory,
        progress: &'f Progress,
        folder: &Path,
    ) -> Result<Self> {
        let place = folder.join(STEPS);
        fs::create_dir_all(&place).map_err(Error::io("make the folder", &place))?;
        Ok(Self {
            config,
            steps,
            output,
            crew,
            memory,
            progress,
            place,
            inputs: config.inputs.clone(),
            lens: Lens::default(),
            trail: Trail::default(),
            reports: Vec::new(),
            timings: BTreeMap::new(),
            notes: Vec::new(),
            data: Vec::new(),
        })
    }

    /// Does all stages.
    ///
    /// # Errors
    /// Those of the stages.
    pub(super) fn run(&mut self) -> Result<()> {
        let mut at = 0;
        while at < self.steps.len() {
            let end = match self.steps[at].kind {
                Kind::Rows(..) => {
                    let rows = self.steps[at..].iter().take_while(|step| matches!(step.kind, Kind::Rows(..)));
                    at + rows.count()
                }
                _ => at + 1,
            };
            match &self.steps[at].kind {
                Kind::Rows(..) => self.rows(at..end)?,
                Kind::Reshape(_) => self.reshape(at)?,
                Kind::Dedup(_) => self.dedup(at)?,
                Kind::Gather(_) => self.gather(at)?,
            }
            at = end;
        }
        Ok(())
    }

    /// The data, staged, and the evidence of all steps.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn results(&mut self) -> Result<(Vec<Written>, Vec<Written>)> {
        let evidence = if self.output.is_stream() {
            Vec::new()
        } else {
            self.trail.write(&self.output, self.progress)?
        };
        Ok((std::mem::take(&mut self.data), evidence))
    }

    /// The name of a step in the evidence.
    fn name(&self, at: usize) -> String {
        format!("{}.{}", at + 1, self.steps[at].verb)
    }

    fn is_last(&self, at: usize) -> bool {
        at + 1 == self.steps.len()
    }

    /// The inputs of a stage, as the stages before it have left them; `joined` ones are prepared for one output of all.
    fn plan(&self, joined: bool) -> Result<Plan> {
        let reading = self.config.options.reading(&self.inputs, None);
        let mut plan = Plan::new(reading, &Fields::default(), self.progress)?;
        if joined {
            plan.join()?;
        }
        plan.sources = self.lens.over(std::mem::take(&mut plan.sources))?;
        Ok(plan)
    }

    fn opening<'o>(&'o self, sources: &'o [Source]) -> Opening<'o> {
        let (threads, strict) = (self.crew.threads(), self.config.options.strict);
        Opening { sources, threads, progress: self.progress, strict }
    }

    /// What an earlier run has noted of the stage that begins at a step.
    fn done(&self, at: usize) -> Option<(Done, Count)> {
        let noted = fs::read(self.place.join(format!("{}.done", self.name(at)))).ok()?;
        let done: Done = serde_json::from_slice(&noted).ok()?;
        let read = done.reports.first()?.pointer("/accounting/in")?.clone();
        Some((done, serde_json::from_value(read).ok()?))
    }

    /// Notes what the stage that begins at a step did.
    fn note(&self, at: usize, done: &Done) -> Result<()> {
        let json = serde_json::to_vec(done).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(&self.place.join(format!("{}.done", self.name(at))), &json).map(drop)
    }

    fn ledger(&self, at: usize) -> PathBuf {
        self.place.join(format!("{}.ledger", self.name(at)))
    }

    /// What the stage that begins at a step, and is done, has decided.
    fn finished_ledger(&self, at: usize) -> Result<Ledger> {
        let folder = self.ledger(at);
        let lost = || Error::Internal(format!("the ledger `{}` is not whole", folder.display()));
        Ledger::load(&folder)?.ok_or_else(lost)
    }

    /// Takes over what a stage did, and how much of that an earlier run did.
    fn take(&mut self, at: usize, done: &Done, earlier: Count, has_ids: bool) {
        // Steps of one pass have one time.
        let names: Vec<String> = (at..at + done.reports.len()).map(|step| self.name(step)).collect();
        let joined = names.join("+");
        self.notes.extend(resume::note(earlier).map(|note| format!("step {joined}: {note}")));
        self.timings.insert(joined, done.seconds);
        for (name, report) in names.into_iter().zip(&done.reports) {
            let footprint = Footprint { output: self.place.join(&name), has_ids, name };
            self.trail.add(footprint, &done.inputs);
            self.reports.push(report.clone());
        }
    }

    /// Row steps, in one pass; if they are the last ones, their rows are written.
    fn rows(&mut self, steps: std::ops::Range<usize>) -> Result<()> {
        let (at, is_last) = (steps.start, steps.end == self.steps.len());
        let mut plan = self.plan(is_last && self.output.is_single())?;
        let open = |step: usize| match &self.steps[step].kind {
            Kind::Rows(open, _) => {
                let name = self.name(step);
                let step = open(&self.opening(&plan.sources)).map_err(|error| of_step(&name, error))?;
                Ok(NamedStep { name, step })
            }
            _ => Err(Error::Internal("a step is no row step".into())),
        };
        let fused = Fused::new(steps.map(open).collect::<Result<_>>()?)?;
        self.lens.check(&self.name(at), fused.edited())?;
        if fused.edited().is_some() || !fused.columns().is_empty() {
            // What cannot be written beside a change is told before the first row.
            plan.sources.iter_mut().try_for_each(Source::copy_by_types)?;
        }
        let has_ids = fused.fields().id.is_some();
        let folder = self.ledger(at);
        let (done, earlier) = if let Some(done) = self.done(at) {
            done
        } else {
            let began = Instant::now();
            let pass = RowPass {
                sources: &plan.sources,
                crew: &self.crew,
                memory: self.memory.without(fused.resident_bytes())?,
                progress: self.progress,
                strict: self.config.options.strict,
            };
            let (ledger, earlier) =
                pass.run(&fused, &folder).map_err(|error| of_step(&self.name(at), error))?;
            plan.check_unchanged()?;
            let found = self.evidence(at, &ledger, &fused, &plan.sources)?;
            let inputs = inputs(&ledger, &plan.sources)?;
            let reports = (at..).zip(&found).map(|(step, found)| self.report(step, found, &plan, &inputs));
            let reports = reports.collect();
            let done = Done { inputs, outputs: Vec::new(), reports, seconds: began.elapsed().as_secs_f64() };
            self.note(at, &done)?;
            (done, earlier)
        };
        self.take(at, &done, earlier, has_ids);
        let ledger = self.finished_ledger(at)?;
        self.lens.push(ledger, fused.edited(), fused.columns());
        if is_last {
            let began = Instant::now();
            let sources = std::mem::take(&mut plan.sources).into_iter().map(Source::into_stored).collect();
            plan.sources = self.lens.over(sources)?;
            self.data = write_seen(&plan.sources, &self.output, &self.crew, self.memory, self.progress)?;
            plan.check_unchanged()?;
            self.timings.insert("write".into(), began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// A step that makes new rows, which are stored, or written if it is the last one.
    fn reshape(&mut self, at: usize) -> Result<()> {
        let (name, is_last) = (self.name(at), self.is_last(at));
        let plan = self.plan(is_last && self.output.is_single())?;
        let Kind::Reshape(open) = &self.steps[at].kind else {
            return Err(Error::Internal("a step makes no new rows".into()));
        };
        let reshape = open(&self.opening(&plan.sources)).map_err(|error| of_step(&name, error))?;
        if let Some(format) = reshape.columns().and_then(|columns| columns.format)
            && !(is_last || format.is_rows())
        {
            return Err(Error::Parameter(format!(
                "step {name}: format is `{}`, which has no rows for the next step; it is for the last step only",
                format.name()
            )));
        }
        let named = NamedReshape { name: &name, reshape: &*reshape };
        let folder = self.ledger(at);
        let (done, earlier) = if let Some(done) = self.done(at).filter(|_| !is_last) {
            done
        } else {
            let began = Instant::now();
            let to = self.place.join(format!("{name}.data"));
            let output =
                if is_last { self.output.clone() } else { Arc::new(RunOutput::between(&to, &plan)?) };
            let run = RowsRun::over(
                plan,
                output.clone(),
                self.crew.clone(),
                self.memory,
                &self.config.options,
                self.progress,
            )
            .naming(|input, source, row| self.trail.name(input, source, row));
            let AllMade { ledger, written, earlier } =
                run.make_all(&named, &folder).map_err(|error| of_step(&name, error))?;
            let found = self.evidence(at, &ledger, &named, &run.plan().sources)?;
            let inputs = inputs(&ledger, &run.plan().sources)?;
            let reports = found.iter().map(|found| self.report(at, found, run.plan(), &inputs));
            let reports = reports.collect();
            let outputs = if is_last { written } else { output.keep_data(written)? };
            let done = Done { inputs, outputs, reports, seconds: began.elapsed().as_secs_f64() };
            if !is_last {
                self.note(at, &done)?;
                output.keep_work(false);
            }
            (done, earlier)
        };
        self.take(at, &done, earlier, false);
        if is_last {
            self.data = done.outputs;
        } else {
            let ledger = self.finished_ledger(at)?;
            self.trail.remake(Remade::each(&ledger, done.inputs.len())?);
            self.reads(&done.outputs);
        }
        Ok(())
    }

    /// The next stage reads these files, as they are.
    fn reads(&mut self, files: &[Written]) {
        self.inputs = files.iter().map(|file| file.path.to_string_lossy().into_owned()).collect();
        self.lens = Lens::default();
    }

    /// The evidence of the steps of a ledger, each in its folder.
    fn evidence(
        &self,
        at: usize,
        ledger: &Ledger,
        steps: &dyn Steps,
        sources: &[Source],
    ) -> Result<Vec<StepDone>> {
        let names = steps.names();
        let folders: Vec<PathBuf> = names.iter().map(|name| self.place.join(name)).collect();
        for folder in &folders {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        let removed: Vec<PathBuf> = folders.iter().map(|folder| folder.join("removed.parquet")).collect();
        let signals: Vec<PathBuf> = folders.iter().map(|folder| folder.join(SIGNALS)).collect();
        let is_stream = self.output.is_stream();
        let place = |step: usize| Place {
            removed: (!is_stream && steps.removes(step)).then(|| &*removed[step]),
            signals: (!is_stream).then(|| &*signals[step]),
            quarantine: if is_stream {
                Quarantine::counting()
            } else {
                Quarantine::create(&folders[step].join("quarantine"))
            },
        };
        let places = (0..names.len()).map(place).collect();
        let most = self.config.options.max_quarantine;
        match evidence::write(ledger, steps, sources, places, most, self.progress)? {
            Ok(done) => Ok(done),
            Err(rejected) => {
                let name = self.name(at + rejected.step);
                let kept = rejected.quarantine.finish()?.map(|kept| kept.path);
                let to = kept.and_then(|kept| self.output.adopt_quarantine(kept.parent()?));
                Err(of_step(
                    &name,
                    match (rejected.error, to) {
                        (Error::Data { path, message }, Some(to)) => Error::Data {
                            path,
                            message: format!("{message}. They are in `{}`", to.display()),
                        },
                        (error, _) => error,
                    },
                ))
            }
        }
    }

    /// The report of a step: its books, and what it says of itself.
    fn report(&self, at: usize, found: &StepDone, plan: &Plan, inputs: &[InputReport]) -> Value {
        let notes = if self.reports.is_empty() && at == 0 { &plan.notes[..] } else { &[] };
        let mut report = json!({
            "step": self.name(at),
            "verb": self.steps[at].verb,
            "parameters": self.steps[at].parameters,
            "inputs": inputs,
            "accounting": found.accounting,
            "quarantine": found.quarantine,
            "notes": notes,
        });
        if let (Some(report), Value::Object(summary)) = (report.as_object_mut(), &found.summary) {
            let more: Map<String, Value> = summary.clone();
            report.extend(more);
        }
        report
    }
}

/// The inputs of a ledger, with their rows.
fn inputs(ledger: &Ledger, sources: &[Source]) -> Result<Vec<InputReport>> {
    let rows = ledger.input_rows(sources.len())?;
    Ok(sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect())
}

/// An error with the step that it comes from, where it is about what was asked for or about the data.
fn of_step(name: &str, error: Error) -> Error {
    match error {
        Error::Parameter(said) => Error::Parameter(format!("step {name}: {said}")),
        Error::Data { path, message } => Error::Data { path, message: format!("step {name}: {message}") },
        other => other,
    }
}
