//! Conversion of chat data over files.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use thresher_chat::{Converter, Losses, NAMES, RowLosses};
use thresher_core::json::Json;

use super::format::format_of;
use super::{Refusal, RowWork, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, parameters};
use crate::runs::progress::Progress;

parameters! {
    /// What a conversion is asked for.
    pub struct ConvertStep is "convert" {
        /// The format to write.
        to: Value = Value::Null => Kind::Choice(|| NAMES.to_vec()), required;
        /// The format to read: a name or a mapping of fields. Default: found out from the rows.
        from_format: Option<Value> = None => Kind::Format;
    }
}

/// The parameters of a run.
pub type ConvertRun = Config<ConvertStep>;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct ConvertReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: ConvertRun,
    /// The format that was read.
    pub from: String,
    /// The format that was written.
    pub to: String,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// What the format could not carry, by input.
    pub losses: Vec<InputLosses>,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for ConvertReport {
    const VERB: &'static str = "convert";

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// What the rows of one input lost. Rows count from 0 in their input.
#[derive(Clone, Debug, Serialize)]
pub struct InputLosses {
    /// The name of the input.
    pub input: String,
    /// Fields and what became of them.
    pub losses: Losses,
}

/// Converts the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &ConvertRun, progress: &Progress) -> Result<ConvertReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let to = format_of(&config.step.to)?;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: false,
        format: config.step.from_format.as_ref(),
        strict: config.options.strict,
        options: &config.options,
        passed: &config.passed,
    };
    let (rows_run, from) = RowsRun::open(setup, progress)?;
    let names = rows_run.names();
    let work = Conversion(Converter { from, to });
    let none = || vec![Losses::default(); names.len()];
    let (rows, losses) = clock.time("rows", || {
        rows_run.run(&work, none, |losses, input, first_row, found: Losses| {
            if config.options.strict
                && let Some((field, outcome, loss)) = found.iter().next()
            {
                let row = first_row + loss.examples.first().copied().unwrap_or_default();
                let path = rows_run.plan.sources[input].input().path();
                let lost =
                    format!("row {row} would lose `{field}` ({outcome}); without --strict it is reported");
                return Err(Error::data(path, lost));
            }
            losses[input].merge(&found, first_row);
            Ok(())
        })
    })?;
    clock.total(started);
    let losses = names.into_iter().zip(losses).filter(|(_, losses)| !losses.is_empty());
    let mut report = ConvertReport {
        marker: Marker::default(),
        config: config.clone(),
        from: work.0.from.name().to_owned(),
        to: work.0.to.name().to_owned(),
        rows,
        losses: losses.map(|(input, losses)| InputLosses { input, losses }).collect(),
        timings: clock.seconds.into_iter().collect(),
        peak_rss_bytes: peak_rss_bytes(),
        threads: config.options.threads(),
    };
    rows_run.finish(&mut report)?;
    Ok(report)
}

struct Conversion(Converter);

impl RowWork for Conversion {
    type State = RowLosses;
    type Found = Losses;

    fn state(&self) -> RowLosses {
        RowLosses::default()
    }

    fn found(&self) -> Losses {
        Losses::default()
    }

    fn row(
        &self,
        state: &mut RowLosses,
        found: &mut Losses,
        slot: u64,
        row: Json<'_>,
        out: &mut String,
    ) -> std::result::Result<(), Refusal> {
        self.0.convert(row, out, state)?;
        found.add(slot, state);
        Ok(())
    }
}
