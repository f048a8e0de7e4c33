//! Conversion of chat data over files.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thresher_chat::{Converter, Format, Losses, NAMES, RowLosses};
use thresher_core::json::Json;

use super::format::format_of;
use super::{NamedReshape, NewRows, Reshape, ReshapeWorker, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::record::Record;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Refusal};

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
    fn verb(&self) -> &'static str {
        "convert"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// What the rows of one input lost. Rows count from 0 in their input.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: false,
        format: config.step.from_format.as_ref(),
        options: &config.options,
    };
    format_of(&config.step.to)?;
    let (rows_run, from) = RowsRun::open(setup, progress)?;
    let conversion = config.step.open(from, config.options.strict)?;
    rows_run.publish(config, |run, place| {
        let named = NamedReshape { name: ConvertStep::NAME, reshape: &conversion };
        let (rows, mut summary) = clock.time("rows", || run.reshape(&named, place))?;
        clock.total(started);
        Ok(ConvertReport {
            marker: Marker::default(),
            config: config.clone(),
            from: conversion.converter.from.name().to_owned(),
            to: conversion.converter.to.name().to_owned(),
            rows,
            losses: serde_json::from_value(summary["losses"].take()).map_err(broken)?,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: serde_json::Error) -> Error {
    Error::Internal(format!("losses of a conversion: {error}"))
}

/// The conversion of every row.
pub(crate) struct Conversion {
    converter: Converter,
    /// The first loss ends the run.
    strict: bool,
}

impl ConvertStep {
    /// The step over rows of a format; the first loss ends the run if `strict`.
    ///
    /// # Errors
    /// `Error::Parameter` for a format that there is not.
    pub(crate) fn open(&self, from: Format, strict: bool) -> Result<Conversion> {
        Ok(Conversion { converter: Converter { from, to: format_of(&self.to)? }, strict })
    }
}

/// One thread of it.
struct Worker<'c> {
    conversion: &'c Conversion,
    of_row: RowLosses,
    losses: Losses,
}

impl Reshape for Conversion {
    fn format(&self) -> Option<&str> {
        Some(self.converter.from.name())
    }

    fn worker(&self) -> Box<dyn ReshapeWorker + '_> {
        Box::new(Worker { conversion: self, of_row: RowLosses::default(), losses: Losses::default() })
    }

    fn summary(&self, inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        let mut all = vec![Losses::default(); inputs.len()];
        for unit in found {
            let Found { input, first_row, found } = unit?;
            all[input].merge(&serde_json::from_str(&found).map_err(broken)?, first_row);
        }
        let lossy = inputs.iter().cloned().zip(all).filter(|(_, losses)| !losses.is_empty());
        let losses = lossy.map(|(input, losses)| InputLosses { input, losses }).collect::<Vec<_>>();
        let losses = serde_json::to_value(losses).map_err(broken)?;
        Ok(json!({"from": self.converter.from.name(), "to": self.converter.to.name(), "losses": losses}))
    }
}

impl ReshapeWorker for Worker<'_> {
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal> {
        let whole = Json::checked(row.text);
        self.conversion.converter.convert(whole, new.text(), &mut self.of_row)?;
        new.end();
        if self.conversion.strict
            && let Some((field, outcome)) = self.of_row.iter().next()
        {
            new.stop(format!("would lose `{field}` ({outcome}); without --strict it is reported"));
        }
        self.losses.add(u64::from(row.slot), &self.of_row);
        Ok(())
    }

    fn found(&mut self) -> String {
        // Losses have a JSON.
        serde_json::to_string(&std::mem::take(&mut self.losses)).unwrap_or_default()
    }
}
