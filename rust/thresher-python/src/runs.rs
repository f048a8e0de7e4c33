//! Runs over files: a configuration in, progress on the way, a report out, the first and the last as JSON.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thresher_io::runs::dedup::{self, DedupStep};
use thresher_io::runs::estimate::PlanStep;
use thresher_io::runs::flow::{self, FlowRun};
use thresher_io::runs::mix::{self, MixPhase, MixSource, MixStep};
use thresher_io::runs::pack::{self, PackStep};
use thresher_io::runs::parameters::{Step, describe};
use thresher_io::runs::quality::{self as quality_train, QualityTrainStep};
use thresher_io::runs::rows::convert::{self, ConvertStep};
use thresher_io::runs::rows::decontaminate::{self, DecontaminateStep};
use thresher_io::runs::rows::filter::{self, FilterStep};
use thresher_io::runs::rows::language::{self, LanguageStep};
use thresher_io::runs::rows::pii::{self, PiiStep};
use thresher_io::runs::rows::quality::{self, QualityStep};
use thresher_io::runs::rows::render::{self, RenderStep};
use thresher_io::runs::rows::tokenize::{self, TokenizeStep};
use thresher_io::runs::rows::validate::{self, ValidateStep};
use thresher_io::runs::shuffle::{self, ShuffleStep};
use thresher_io::runs::train::{self, TrainStep};
use thresher_io::runs::{Config, Progress, RunOptions};
use thresher_io::{Error, Result};

use crate::boundary::watch;
use crate::errors::{parameter, to_py};

/// How often progress is reported at most.
const EVERY: Duration = Duration::from_millis(100);

/// Removes near-duplicates from files.
#[pyfunction]
#[pyo3(name = "dedup")]
pub(crate) fn dedup_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, dedup::run)
}

/// Texts of files by rules.
#[pyfunction]
#[pyo3(name = "filter")]
pub(crate) fn filter_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, filter::run)
}

/// Rows of files in another chat format.
#[pyfunction]
#[pyo3(name = "convert")]
pub(crate) fn convert_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, convert::run)
}

/// Rows of files as texts of a template.
#[pyfunction]
#[pyo3(name = "render")]
pub(crate) fn render_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, render::run)
}

/// What is wrong with the rows of files.
#[pyfunction]
#[pyo3(name = "validate")]
pub(crate) fn validate_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, validate::run)
}

/// Rows of files without what benchmarks hold.
#[pyfunction]
#[pyo3(name = "decontaminate")]
pub(crate) fn decontaminate_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, decontaminate::run)
}

/// Languages of the texts of files.
#[pyfunction]
#[pyo3(name = "language")]
pub(crate) fn language_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, language::run)
}

/// Scores of the texts of files by a classifier.
#[pyfunction]
#[pyo3(name = "quality")]
pub(crate) fn quality_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, quality::run)
}

/// A classifier trained on files.
#[pyfunction]
#[pyo3(name = "quality_train")]
pub(crate) fn quality_train_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, quality_train::run)
}

/// Rows of files in a random order.
#[pyfunction]
#[pyo3(name = "shuffle")]
pub(crate) fn shuffle_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, shuffle::run)
}

/// Texts of files as ids of tokens.
#[pyfunction]
#[pyo3(name = "tokenize")]
pub(crate) fn tokenize_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, tokenize::run)
}

/// Rows of several sources in one mix.
#[pyfunction]
#[pyo3(name = "mix")]
pub(crate) fn mix_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, mix::run)
}

/// A tokenizer trained on files.
#[pyfunction]
#[pyo3(name = "train")]
pub(crate) fn train_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, train::run)
}

/// Personal data in the texts of files.
#[pyfunction]
#[pyo3(name = "pii")]
pub(crate) fn pii_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, pii::run)
}

/// Rows of tokens of files, packed into bins.
#[pyfunction]
#[pyo3(name = "pack")]
pub(crate) fn pack_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, bound, pack::run)
}

/// Several steps over files.
#[pyfunction]
#[pyo3(name = "pipeline")]
pub(crate) fn pipeline_files(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |config: &FlowRun| config.options.memory(), flow::run)
}

/// What there is to ask a verb for, or of `options` every run, as a list of descriptions in JSON.
#[pyfunction]
pub(crate) fn parameters(verb: &str) -> PyResult<String> {
    let described = match verb {
        RunOptions::NAME => describe::<RunOptions>(),
        DedupStep::NAME => describe::<DedupStep>(),
        PlanStep::NAME => describe::<PlanStep>(),
        FilterStep::NAME => describe::<FilterStep>(),
        ConvertStep::NAME => describe::<ConvertStep>(),
        DecontaminateStep::NAME => describe::<DecontaminateStep>(),
        LanguageStep::NAME => describe::<LanguageStep>(),
        PackStep::NAME => describe::<PackStep>(),
        QualityStep::NAME => describe::<QualityStep>(),
        QualityTrainStep::NAME => describe::<QualityTrainStep>(),
        PiiStep::NAME => describe::<PiiStep>(),
        RenderStep::NAME => describe::<RenderStep>(),
        TokenizeStep::NAME => describe::<TokenizeStep>(),
        TrainStep::NAME => describe::<TrainStep>(),
        MixStep::NAME => describe::<MixStep>(),
        MixSource::NAME => describe::<MixSource>(),
        MixPhase::NAME => describe::<MixPhase>(),
        ValidateStep::NAME => describe::<ValidateStep>(),
        ShuffleStep::NAME => describe::<ShuffleStep>(),
        other => return Err(to_py(parameter(format!("there is no verb `{other}`")))),
    };
    Ok(Value::from(described).to_string())
}

/// The bound on the memory of a run.
fn bound<P>(config: &Config<P>) -> u64 {
    config.options.memory()
}

/// Does a run with the configuration in `config_json`; the report comes back as JSON. `bound` says how much memory the
/// process is to hold.
pub(crate) fn over_files<C: DeserializeOwned + Sync, R: Serialize>(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
    bound: impl FnOnce(&C) -> u64,
    run: impl FnOnce(&C, &Progress) -> Result<R> + Send,
) -> PyResult<String> {
    // By way of a value, so that no message names a line and column of a text that the user has not written.
    let config: C = serde_json::from_str(config_json)
        .and_then(serde_json::from_value::<C>)
        .map_err(|error| to_py(parameter(format!("a parameter of the run: {error}"))))?;
    let watched = Progress::default();
    let memory = bound(&config);
    let started = Instant::now();
    let mut reported: Option<Instant> = None;
    let tick = |py: Python<'_>| -> PyResult<()> {
        let Some(callback) = progress else { return Ok(()) };
        if reported.is_some_and(|reported| reported.elapsed() < EVERY) {
            return Ok(());
        }
        reported = Some(Instant::now());
        callback.call1((moment(py, &watched, started, memory)?,)).map(drop)
    };
    watch(py, &|| watched.cancel(), tick, || {
        let report = run(&config, &watched)?;
        serde_json::to_string(&report).map_err(|error| Error::Internal(format!("the report: {error}")))
    })
}

/// What there is to show now.
fn moment<'py>(
    py: Python<'py>,
    progress: &Progress,
    started: Instant,
    memory_bytes: u64,
) -> PyResult<Bound<'py, PyDict>> {
    let now = progress.moment();
    let dict = PyDict::new(py);
    dict.set_item("step", now.step)?;
    dict.set_item("docs", now.docs)?;
    dict.set_item("bytes", now.bytes)?;
    dict.set_item("total_bytes", now.total_bytes)?;
    dict.set_item("quarantined", now.quarantined)?;
    dict.set_item("elapsed_s", started.elapsed().as_secs_f64())?;
    dict.set_item("rss_bytes", rss_bytes())?;
    dict.set_item("memory_bytes", memory_bytes)?;
    Ok(dict)
}

/// The memory that this process holds, from the system; 0 where it does not say.
fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
