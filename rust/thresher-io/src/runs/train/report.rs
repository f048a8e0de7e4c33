//! What a training reports, in `run.json` and to people.

use std::collections::BTreeMap;

use serde::Serialize;
use thresher_tokens::train::Findings;

use super::config::TrainRun;
use super::groups::Fit;
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::runs::books::{Accounting, InputReport};
use crate::runs::evidence::Reported;
use crate::runs::output::{Files, Marker};

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: TrainRun,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Every file of the result.
    pub files: Files,
    /// What the user should know about the inputs and the vocabulary.
    pub notes: Vec<String>,
    /// Where every record went: kept are those that were trained on.
    pub accounting: Accounting,
    /// How many of those set aside are in quarantine.
    pub quarantine: QuarantineReport,
    /// Figures of the vocabulary over all of its words.
    pub vocabulary: Findings,
    /// What encodes with it.
    pub encoder: String,
    /// How well it fits each source; of the first thousand.
    pub sources: Vec<Fit>,
    /// How well it fits the texts of each value of `by`.
    pub by: Vec<Fit>,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
    /// What the page shows of the records.
    #[serde(skip)]
    pub(crate) exhibits: Exhibits,
}

impl Reported for TrainReport {
    fn verb(&self) -> &'static str {
        "tokenizer train"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
}
