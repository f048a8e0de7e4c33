//! The languages of texts.

use std::sync::Arc;

use arrow_array::{Float32Array, StringArray};
use pyo3::prelude::*;
use thresher_core::parallel::Pool;
use thresher_filter::language::{Detector, detect_all};
use thresher_io::runs::rows::language::detector;

use crate::arrow_out::ArrowArray;
use crate::boundary::compute;
use crate::params::count;
use crate::texts::with_texts;

/// Bytes of text that one thread reads about as fast as a second one starts.
const LITTLE_BYTES: usize = 16 << 10;

/// A detector, loaded.
#[pyclass(frozen, module = "thresher._core.filter")]
pub(crate) struct LanguageDetector(Detector);

#[pymethods]
impl LanguageDetector {
    /// The detector of the package, or a model of fastText by its path.
    #[new]
    fn new(py: Python<'_>, model: Option<&str>, sample_bytes: i64) -> PyResult<Self> {
        let sample_bytes = count("sample_bytes", sample_bytes)?;
        compute(py, |_| detector(model, sample_bytes).map(Self))
    }

    /// The languages that it can find, sorted.
    #[getter]
    fn languages(&self) -> Vec<&str> {
        let mut languages = self.0.languages();
        languages.sort_unstable();
        languages
    }

    /// The language of each text, and its score.
    fn detect(&self, texts: &Bound<'_, PyAny>, threads: Option<i64>) -> PyResult<(ArrowArray, ArrowArray)> {
        with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
            let found = detect_all(&self.0, texts, &Pool, stop)?;
            let languages: StringArray =
                found.iter().map(|found| found.and_then(|found| found.language)).collect();
            let scores: Float32Array = found.iter().map(|found| found.map(|found| found.score)).collect();
            Ok((ArrowArray(Arc::new(languages)), ArrowArray(Arc::new(scores))))
        })
    }
}
