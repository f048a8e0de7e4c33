//! The report of a mix.

use serde::Serialize;

use super::config::MixStep;
use super::table::MixTable;
use crate::runs::gather::GatherReport;

/// The contents of `run.json`.
pub type MixReport = GatherReport<MixStep, MixSaid>;

/// What a mix says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct MixSaid {
    /// What was asked for against what came out.
    pub mix: MixTable,
    /// Bytes of rows that lay on disk between the passes.
    pub spilled_bytes: u64,
}
