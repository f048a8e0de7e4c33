//! Near-duplicate search over texts in memory.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{BooleanArray, DictionaryArray, Float32Array, Int8Array, Int64Array, StringArray};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use thresher_core::dedup as search;
use thresher_core::{Banding, DedupConfig, Evidence, Outcome, RemovalReason, Summary, Tally, Threshold};

use crate::arrow_out::ArrowArray;
use crate::params::{core, keep as checked_keep, num_hashes as checked_num_hashes, shingle_spec};
use crate::ranks;
use crate::texts::{little_bytes, with_texts};

/// What a search found: one entry a document, in input order.
#[pyclass(frozen, get_all, module = "thresher._core.dedup")]
pub(crate) struct DedupOutcome {
    /// bool: whether the document stays.
    keep: Py<ArrowArray>,
    /// int64, null for kept ones: the kept document that this one duplicates.
    duplicate_of: Py<ArrowArray>,
    /// float32, null for kept ones: exact Jaccard similarity with that document.
    similarity: Py<ArrowArray>,
    /// dictionary of string, null for kept ones: "exact" or "near".
    reason: Py<ArrowArray>,
    /// The books, the banding and the timings.
    summary: Py<PyDict>,
}

/// The columns of a result.
struct Columns {
    keep: BooleanArray,
    duplicate_of: Int64Array,
    similarity: Float32Array,
    reason: DictionaryArray<Int8Type>,
    summary: Summary,
}

impl Columns {
    fn new(outcome: &Outcome) -> Self {
        let evidence = &outcome.evidence;
        let name = |evidence: &Evidence| i8::from(evidence.reason == RemovalReason::Near);
        let keys: Int8Array = evidence.iter().map(|e| e.as_ref().map(name)).collect();
        // SAFETY: the keys are 0 and 1, and there are two names.
        let reason = unsafe {
            DictionaryArray::new_unchecked(keys, Arc::new(StringArray::from(vec!["exact", "near"])))
        };
        Self {
            keep: evidence.iter().map(|e| Some(e.is_none())).collect(),
            duplicate_of: evidence.iter().map(|e| e.map(|e| i64::from(e.duplicate_of))).collect(),
            similarity: evidence.iter().map(|e| e.map(|e| e.similarity_f32())).collect(),
            reason,
            summary: outcome.summary,
        }
    }
}

/// Removes near-duplicates.
#[pyfunction]
#[pyo3(signature = (texts, *, threshold, num_hashes, ngram, unit, seed, recall, keep, ranks, exact_only, threads))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are the parameters of the search; in Python each has a name"
)]
pub(crate) fn dedup(
    texts: &Bound<'_, PyAny>,
    threshold: f64,
    num_hashes: i64,
    ngram: i64,
    unit: &str,
    seed: u64,
    recall: f64,
    keep: &str,
    ranks: Option<&Bound<'_, PyAny>>,
    exact_only: bool,
    threads: Option<i64>,
) -> PyResult<DedupOutcome> {
    let py = texts.py();
    let (spec, lanes) = (shingle_spec(ngram, unit)?, checked_num_hashes(num_hashes)?);
    let config = core(DedupConfig::with_recall(core(Threshold::try_new(threshold))?, spec, lanes, recall))?;
    let config = DedupConfig { seed, keep: checked_keep(keep)?, exact_only, ..config };
    let ranks = ranks.map(ranks::read).transpose()?.unwrap_or_default();
    let columns = with_texts(texts, threads, little_bytes(lanes), |texts, stop| {
        let secret = thresher_io::secret::draw()?;
        Ok(Columns::new(&search(texts, &ranks, &config, &secret, stop)?))
    })?;
    Ok(DedupOutcome {
        keep: Py::new(py, ArrowArray(Arc::new(columns.keep)))?,
        duplicate_of: Py::new(py, ArrowArray(Arc::new(columns.duplicate_of)))?,
        similarity: Py::new(py, ArrowArray(Arc::new(columns.similarity)))?,
        reason: Py::new(py, ArrowArray(Arc::new(columns.reason)))?,
        summary: summary(py, &columns.summary, &config)?.unbind(),
    })
}

/// The banding for a threshold, as (bands, rows, recall at the threshold).
#[pyfunction]
pub(crate) fn choose_banding(threshold: f64, num_hashes: i64, recall: f64) -> PyResult<(usize, usize, f64)> {
    let threshold = core(Threshold::try_new(threshold))?;
    let banding = core(Banding::choose(threshold, checked_num_hashes(num_hashes)?, recall))?;
    Ok((banding.bands(), banding.rows(), banding.recall_at(threshold.get())))
}

fn summary<'py>(py: Python<'py>, summary: &Summary, config: &DedupConfig) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let tally = |tally: Tally| (tally.docs, tally.bytes);
    for (name, value) in [
        ("documents", tally(summary.documents)),
        ("kept", tally(summary.kept)),
        ("exact", tally(summary.exact)),
        ("near", tally(summary.near)),
    ] {
        dict.set_item(name, value)?;
    }
    for (name, count) in [
        ("null", summary.null),
        ("candidates", summary.candidates),
        ("checks", summary.checks),
        ("capped", summary.capped),
        ("clusters", summary.clusters),
        ("bands", config.banding.bands() as u64),
        ("rows", config.banding.rows() as u64),
    ] {
        dict.set_item(name, count)?;
    }
    let unchecked = PyDict::new(py);
    for (tenths, pairs) in summary.unchecked.steps() {
        unchecked.set_item(format!("0.{tenths}"), pairs)?;
    }
    dict.set_item("unchecked", unchecked)?;
    dict.set_item("recall_at_threshold", config.banding.recall_at(config.threshold.get()))?;
    let timings = PyDict::new(py);
    for (step, seconds) in [
        ("exact", summary.timings.exact_s),
        ("sign", summary.timings.sign_s),
        ("group", summary.timings.group_s),
        ("verify", summary.timings.verify_s),
    ] {
        timings.set_item(step, seconds.into_py_any(py)?)?;
    }
    dict.set_item("timings", timings)?;
    Ok(dict)
}
