//! The stage of a deduplication: a run of its own, with its state beside those of the other stages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use super::{Done, Flow, of_step};
use crate::error::{Error, Result};
use crate::input::Written;
use crate::runs::books::{Count, InputReport};
use crate::runs::flow::verbs::Kind;
use crate::runs::options::Config;
use crate::runs::within::Within;

impl Flow<'_> {
    /// A deduplication, which decides; if it is the last step, it writes.
    pub(super) fn dedup(&mut self, at: usize) -> Result<()> {
        let (name, is_last) = (self.name(at), self.is_last(at));
        let has_ids = matches!(&self.steps[at].kind, Kind::Dedup(step) if step.id.is_some());
        let folder = self.ledger(at);
        let to = if is_last { self.last(&name) } else { self.place.join(&name) };
        let (mut done, earlier) = if let Some(done) = self.done(at).filter(|_| !is_last) {
            done
        } else {
            let began = Instant::now();
            let mut options = self.config.options.clone();
            options.overwrite = true;
            let config = Config {
                inputs: self.inputs.clone(),
                output: Some(to.to_string_lossy().into_owned()),
                step: Value::Null,
                options,
                within: Within { lens: self.lens.clone(), ledger: (!is_last).then(|| folder.clone()) },
            };
            let run = self.steps[at].alone(&config, self.progress);
            let run = run.ok_or_else(|| Error::Internal("a deduplication does not run by itself".into()))?;
            let mut report =
                run.map_err(|error| of_rejected(&name, self.output.adopt_rejected(&to), error))?;
            let inputs: Vec<InputReport> = part(&mut report, "inputs")?;
            let outputs: Vec<Written> = part(&mut report, "outputs")?;
            if let Some(report) = report.as_object_mut() {
                report.insert("step".into(), name.clone().into());
            }
            let seconds = began.elapsed().as_secs_f64();
            let done = Done { inputs, outputs, reports: vec![report], seconds };
            if !is_last {
                self.note(at, &done)?;
            }
            (done, Count::default())
        };
        let references = done.reports[0].get("num_references").and_then(Value::as_u64).unwrap_or(0) as usize;
        done.inputs.drain(..references.min(done.inputs.len()));
        self.take(at, &done, earlier, has_ids);
        if is_last {
            self.data = if self.output.is_stream() { done.outputs } else { self.adopt(done.outputs)? };
            self.trail.moved(to);
        } else {
            let ledger = self.finished_ledger(at)?;
            self.lens.push(ledger, None, &[]);
        }
        Ok(())
    }

    /// Where a deduplication writes that is the last step: a folder, or a file whose name says the format, as the output of the
    /// pipeline is.
    fn last(&self, name: &str) -> PathBuf {
        let output = &self.config.output;
        if output == "-" {
            return PathBuf::from("-");
        }
        let folder = self.place.join(name);
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
    fn adopt(&self, data: Vec<Written>) -> Result<Vec<Written>> {
        let mut adopted = Vec::with_capacity(data.len());
        for mut file in data {
            let to = self.output.adopted_path(&self.place, &file.path)?;
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

/// A part of a report in its type.
fn part<T: for<'de> Deserialize<'de>>(report: &mut Value, name: &str) -> Result<T> {
    let value = report.get(name).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Error::Internal(format!("{name} of a report: {error}")))
}

/// The error of a step of which what was set aside has moved.
fn of_rejected(name: &str, moved: Option<(PathBuf, PathBuf)>, error: Error) -> Error {
    match (of_step(name, error), moved) {
        (Error::Data { path, message }, Some((from, to))) => {
            Error::Data { path, message: message.replace(&*from.to_string_lossy(), &to.to_string_lossy()) }
        }
        (error, _) => error,
    }
}
