//! What a filter would keep with other thresholds, from the signals that it has kept of every record: no text is read.
//!
//! ```text
//! run.json: rules and thresholds ─┐
//! signals/STEP.parquet ───────────┴─> before and after: how many stay, and by rule how many fail it, first, and alone
//! ```
//!
//! The table is streamed; memory does not depend on the number of records. What was counted by the run is counted again, so signals of
//! another run are noticed.

mod curve;
mod rules;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, Float64Array};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::curve::Curving;
pub use self::curve::{Curve, Point};
use self::rules::Table;
pub use self::rules::{RuleChange, Tally};
use crate::error::{Error, Result};
use crate::runs::output::verify::{part_of, place_of, read_run};
use crate::runs::progress::Progress;
use crate::runs::rows::filter::counts::RuleCount;

/// The step of the progress.
const STEP: usize = 2;

/// What to look at, and what to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIfRun {
    /// The output of a run that has filtered: its folder or data file, or its `run.json`.
    pub output: String,
    /// Which step of a pipeline, if it has filtered several times, as `2.filter`.
    pub step: Option<String>,
    /// Thresholds by rule; null leaves the rule out.
    pub set: Map<String, Value>,
    /// A rule of which a table of thresholds is made.
    pub curve: Option<String>,
}

/// What would be.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// The output as it was named.
    pub output: String,
    /// The step that filtered.
    pub step: String,
    /// Records that it saw.
    pub documents: u64,
    /// Those that fail no rule as the run had them.
    pub kept_before: u64,
    /// Those that would fail none.
    pub kept_after: u64,
    /// Those that would stay and did not.
    pub newly_kept: u64,
    /// Those that would go and did not.
    pub newly_removed: u64,
    /// Every rule, in its order.
    pub rules: Vec<RuleChange>,
    /// What other thresholds of one rule would do.
    pub curve: Option<Curve>,
}

/// Applies other thresholds to the signals of a result.
///
/// # Errors
/// `Error::Parameter` for a rule or a step that there is not, or a result without signals; `Error::Io` and `Error::Data` if it is no
/// result or cannot be read; `Error::Cancelled`.
pub fn run(config: &WhatIfRun, progress: &Progress) -> Result<WhatIf> {
    rules::check(&config.set, config.curve.as_deref())?;
    let place = place_of(Path::new(&config.output))?;
    let (path, json) = read_run(&place)?;
    let run: Value = serde_json::from_slice(&json)
        .map_err(|_| Error::data(&path, "the file is no run.json of thresher"))?;
    let (step, before) = filter_of(&run, config.step.as_deref(), &config.output)?;
    let signals = part_of(&place, "signals").map(|folder| folder.join(format!("{step}.parquet")));
    let signals = signals.filter(|signals| signals.exists()).ok_or_else(|| {
        Error::Parameter(format!(
            "output `{}` has no signals of step {step}; filter again with keep_signals, which is the default, into a folder or a file",
            config.output
        ))
    })?;
    let reader = Signals { path: signals };
    let names = reader.names()?;
    let mut table = Table::new(&before, &config.set, &names)?;
    let mut curve = match &config.curve {
        Some(rule) => {
            let rule = table.rule(rule)?;
            Some(Curving::new(rule, &reader.sample(rule.signal.name(), progress)?))
        }
        None => None,
    };
    progress.begin(STEP, 0);
    let columns = table.signals();
    let (name, place) =
        (curve.as_ref().map(Curving::name), curve.as_ref().map_or(0, |curve| table.place(curve.name())));
    reader.each(&columns, progress, |batch| {
        for row in 0..batch.first().map_or(0, Array::len) {
            let value = |column: usize| {
                let column = &batch[column];
                if column.is_valid(row) { column.value(row) } else { f64::NAN }
            };
            let others_allow = table.add(value, name);
            if let Some(curve) = &mut curve {
                curve.add(value(place), others_allow);
            }
        }
    })?;
    table.check(&before, &reader.path)?;
    Ok(WhatIf {
        output: config.output.clone(),
        step,
        documents: table.documents,
        kept_before: table.kept_before,
        kept_after: table.kept_after,
        newly_kept: table.newly_kept,
        newly_removed: table.newly_removed,
        curve: curve.map(Curving::done),
        rules: table.changes(),
    })
}

/// The step that filtered, and its rules.
fn filter_of(run: &Value, asked: Option<&str>, output: &str) -> Result<(String, Vec<RuleCount>)> {
    let rules = |report: &Value| serde_json::from_value::<Vec<RuleCount>>(report.get("rules")?.clone()).ok();
    let mut found: Vec<(String, Vec<RuleCount>)> = Vec::new();
    found.extend(rules(run).map(|rules| ("filter".to_owned(), rules)));
    for step in run.get("steps").and_then(Value::as_array).into_iter().flatten() {
        let name = step.get("step").and_then(Value::as_str).unwrap_or_default();
        found.extend(rules(step).map(|rules| (name.to_owned(), rules)));
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return Err(Error::Parameter(format!("output `{output}` is not of a run that has filtered")));
    }
    let place = match asked {
        None if names.len() == 1 => 0,
        None => {
            let message = format!("the run has filtered in {}; name one of these as step", names.join(", "));
            return Err(Error::Parameter(message));
        }
        Some(asked) => names.iter().position(|name| *name == asked).ok_or_else(|| {
            Error::Parameter(format!("step is `{asked}`, but the run has filtered in {}", names.join(", ")))
        })?,
    };
    Ok(found.swap_remove(place))
}

/// The table of the signals of a step.
struct Signals {
    path: PathBuf,
}

impl Signals {
    fn open(&self) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, error: &dyn std::fmt::Display) -> Error {
        let hint = "`thresher verify` tells what is wrong with a result";
        Error::data(&self.path, format!("the signals cannot be read: {error}; {hint}"))
    }

    /// The names of its signals.
    fn names(&self) -> Result<Vec<String>> {
        let keys = crate::signals::KEYS;
        let fields = self.open()?.schema().fields().clone();
        let names = fields.iter().map(|field| field.name().clone());
        Ok(names.filter(|name| !keys.contains(&name.as_str())).collect())
    }

    /// Calls `see` with batches of these columns.
    fn each(&self, names: &[&str], progress: &Progress, mut see: impl FnMut(&[Float64Array])) -> Result<()> {
        let builder = self.open()?;
        let place = |name: &&str| builder.schema().index_of(name).map_err(|error| self.damaged(&error));
        let places = names.iter().map(place).collect::<Result<Vec<_>>>()?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let reader = builder.with_projection(mask).build().map_err(|error| self.damaged(&error))?;
        for batch in reader {
            progress.check()?;
            let batch = batch.map_err(|error| self.damaged(&error))?;
            let column = |name: &&str| {
                let column =
                    batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
                column.cloned().ok_or_else(|| self.damaged(&format!("`{name}` is no column of doubles")))
            };
            see(&names.iter().map(column).collect::<Result<Vec<_>>>()?);
        }
        Ok(())
    }

    /// Values of a signal at even distances among all.
    fn sample(&self, name: &str, progress: &Progress) -> Result<Vec<f64>> {
        let mut sample = curve::Sample::default();
        self.each(&[name], progress, |batch| {
            for value in batch.iter().flatten().flatten() {
                sample.add(value);
            }
        })?;
        Ok(sample.values())
    }
}

#[cfg(test)]
mod tests;
