//! What is done with the result of an earlier run, or before one: a configuration in, a report out, both as JSON.

use pyo3::prelude::*;
use thresher_io::machine::default_memory;
use thresher_io::runs::estimate::PlanRun;
use thresher_io::runs::{estimate, explain as explanation, verify as verification, what_if as thresholds};

use crate::runs::over_files;

/// Compares a result with what its `run.json` says of it.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |_| default_memory(), verification::run)
}

/// Says what became of one document of a result.
#[pyfunction]
pub(crate) fn explain(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |_| default_memory(), explanation::run)
}

/// Says what a filter would keep with other thresholds.
#[pyfunction]
pub(crate) fn what_if(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |_| default_memory(), thresholds::run)
}

/// Estimates what a deduplication would take.
#[pyfunction]
pub(crate) fn plan(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |config: &PlanRun| config.run.options.memory(), estimate::run)
}
