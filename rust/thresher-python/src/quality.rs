//! Scores of texts by a classifier.

use std::sync::Arc;

use arrow_array::Float32Array;
use pyo3::prelude::*;
use thresher_core::parallel::Pool;
use thresher_filter::fasttext::Model;
use thresher_filter::quality::score_all;
use thresher_io::runs::rows::quality::model;

use crate::arrow_out::ArrowArray;
use crate::boundary::compute;
use crate::texts::with_texts;

/// Bytes of text that one thread scores about as fast as a second one starts.
const LITTLE_BYTES: usize = 16 << 10;

/// A model of fastText and one of its labels.
#[pyclass(frozen, module = "thresher._core.filter")]
pub(crate) struct Classifier(Model, usize);

#[pymethods]
impl Classifier {
    /// Loads a model.
    #[new]
    fn new(py: Python<'_>, path: &str, label: &str) -> PyResult<Self> {
        compute(py, |_| model(path, label).map(|(model, label)| Self(model, label)))
    }

    /// The labels, in the order of the model.
    #[getter]
    fn labels(&self) -> Vec<&str> {
        self.0.labels().iter().map(String::as_str).collect()
    }

    /// The probability of the label for each text.
    fn score(&self, texts: &Bound<'_, PyAny>, threads: Option<i64>) -> PyResult<ArrowArray> {
        with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
            let scores: Float32Array = score_all(&self.0, self.1, texts, &Pool, stop)?.into_iter().collect();
            Ok(ArrowArray(Arc::new(scores)))
        })
    }
}
