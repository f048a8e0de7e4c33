//! What is done with the result of an earlier run: a configuration in, a report out, both as JSON.

use pyo3::prelude::*;
use thresher_io::runs::verify;

use crate::files::over_files;

/// Compares a result with what its `run.json` says of it.
#[pyfunction]
pub(crate) fn verify_result(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, verify::run)
}
