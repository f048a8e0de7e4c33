//! Runs over files: a configuration in, progress on the way, a report out, the first and the last as JSON.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thresher_io::runs::rows::{convert, render, validate};
use thresher_io::runs::{Progress, dedup};
use thresher_io::{Error, Result};

use crate::boundary::watch;
use crate::errors::{parameter, to_py};

/// How often progress is reported at most.
const EVERY: Duration = Duration::from_millis(100);

/// Removes near-duplicates from files.
#[pyfunction]
pub(crate) fn dedup_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, dedup::run)
}

/// Rows of files in another chat format.
#[pyfunction]
pub(crate) fn chat_convert_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, convert::run)
}

/// Rows of files as texts of a template.
#[pyfunction]
pub(crate) fn chat_render_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, render::run)
}

/// What is wrong with the rows of files.
#[pyfunction]
pub(crate) fn chat_validate_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, validate::run)
}

/// Does a run with the configuration in `config_json`; the report comes back as JSON.
pub(crate) fn over_files<C: DeserializeOwned + Sync, R: Serialize>(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
    run: impl FnOnce(&C, &Progress) -> Result<R> + Send,
) -> PyResult<String> {
    // By way of a value, so that no message names a line and column of a text that the user has not written.
    let config: C = serde_json::from_str(config_json)
        .and_then(serde_json::from_value::<C>)
        .map_err(|error| to_py(parameter(format!("a parameter of the run: {error}"))))?;
    let watched = Progress::default();
    let started = Instant::now();
    let mut reported: Option<Instant> = None;
    let tick = |py: Python<'_>| -> PyResult<()> {
        let Some(callback) = progress else { return Ok(()) };
        if reported.is_some_and(|reported| reported.elapsed() < EVERY) {
            return Ok(());
        }
        reported = Some(Instant::now());
        callback.call1((moment(py, &watched, started)?,)).map(drop)
    };
    watch(py, &|| watched.cancel(), tick, || {
        let report = run(&config, &watched)?;
        serde_json::to_string(&report).map_err(|error| Error::Internal(format!("the report: {error}")))
    })
}

/// What there is to show now.
fn moment<'py>(py: Python<'py>, progress: &Progress, started: Instant) -> PyResult<Bound<'py, PyDict>> {
    let now = progress.moment();
    let dict = PyDict::new(py);
    dict.set_item("step", now.step)?;
    dict.set_item("docs", now.docs)?;
    dict.set_item("bytes", now.bytes)?;
    dict.set_item("total_bytes", now.total_bytes)?;
    dict.set_item("quarantined", now.quarantined)?;
    dict.set_item("elapsed_s", started.elapsed().as_secs_f64())?;
    dict.set_item("rss_bytes", rss_bytes())?;
    Ok(dict)
}

/// The memory that this process holds, from the system; 0 where it does not say.
fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
