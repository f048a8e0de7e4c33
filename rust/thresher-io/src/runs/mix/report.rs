//! The report of a mix.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::MixRun;
use super::table::MixTable;
use crate::exhibits::Exhibits;
use crate::runs::evidence::Reported;
use crate::runs::output::{Files, Marker};
use crate::runs::rows::RowsReport;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct MixReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: MixRun,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// What was asked for against what came out.
    pub mix: MixTable,
    /// Bytes of rows that lay on disk between the passes.
    pub spilled_bytes: u64,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for MixReport {
    fn verb(&self) -> &'static str {
        "mix"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}
