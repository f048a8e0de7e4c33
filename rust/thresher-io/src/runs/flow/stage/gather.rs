//! The stage of a step that takes all rows and makes new files: those of the result, or the inputs of the next stage.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use super::{Done, Flow, of_step};
use crate::error::{Error, Result};
use crate::runs::flow::remade::Remade;
use crate::runs::flow::verbs::Kind;
use crate::runs::gather::{Gathered, Gathering};
use crate::runs::ledger::Ledger;
use crate::runs::output::RunOutput;
use crate::runs::source::Source;
use crate::runs::steps::evidence::Steps;

impl Flow<'_> {
    /// A step that takes all rows and makes new files of them.
    pub(super) fn gather(&mut self, at: usize) -> Result<()> {
        let (name, is_last) = (self.name(at), self.is_last(at));
        let Kind::Gather(step) = &self.steps[at].kind else {
            return Err(Error::Internal("a step takes rows one by one".into()));
        };
        let told = |error: Error| of_step(&name, error);
        let mut plan = self.plan(step.keeps_rows()).map_err(told)?;
        step.check_inputs(&plan).map_err(told)?;
        let folder = self.place.join(format!("{name}.work"));
        let (done, earlier) = if let Some(done) = self.done(at).filter(|_| !is_last) {
            done
        } else {
            let began = Instant::now();
            let between = self.place.join(format!("{name}.data"));
            let output =
                if is_last { self.output.clone() } else { Arc::new(RunOutput::between(&between, &plan)?) };
            step.check_output(output.is_single().then_some(&self.config.output)).map_err(told)?;
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
            let evidence = |ledger: &Ledger, steps: &dyn Steps, sources: &[Source]| {
                let mut done = self.evidence(at, ledger, steps, sources)?;
                done.pop().ok_or_else(|| Error::Internal("a stage has no step".into()))
            };
            let notes = plan.notes.clone();
            let gathered = step.gather(Gathering {
                name: &name,
                plan: &mut plan,
                lens: &self.lens,
                output: &output,
                crew: &self.crew,
                memory: self.memory,
                options: &self.config.options,
                progress: self.progress,
                ledger: &self.ledger(at),
                folder: &folder,
                evidence: &evidence,
                names: &|input, source, row| self.trail.name(input, source, row),
            });
            let Gathered { inputs, written, mut done, said, earlier, .. } = gathered.map_err(told)?;
            plan.check_unchanged()?;
            plan.notes = notes;
            done.summary = said;
            let reports = vec![self.report(at, &done, &plan, &inputs)];
            let outputs = if is_last { written } else { output.keep_data(written)? };
            let done = Done { inputs, outputs, reports, seconds: began.elapsed().as_secs_f64() };
            if !is_last {
                self.note(at, &done)?;
                output.keep_work(false);
            }
            (done, earlier)
        };
        if is_last {
            self.take(at, &done, earlier, false);
            self.data = done.outputs;
            return Ok(());
        }
        // What is spilled is in the data.
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &folder)(error));
            }
            _ => {}
        }
        let remade = if step.row_at(0).is_some() {
            let ledger = self.finished_ledger(at)?;
            Remade::moved(&ledger, done.inputs.len(), &done.outputs, |rows| {
                step.row_at(rows).unwrap_or_else(|| Box::new(|_| None))
            })?
        } else {
            Remade::anew(&name, &done.outputs)
        };
        self.take(at, &done, earlier, false);
        self.trail.remake(remade);
        self.reads(&done.outputs);
        Ok(())
    }
}
