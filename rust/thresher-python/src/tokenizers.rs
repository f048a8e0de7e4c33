//! Tokenizers trained on texts in memory.

use pyo3::prelude::*;
use thresher_core::parallel::Pool;
use thresher_io::runs::train::{TrainStep, count_texts};
use thresher_io::{Error, secret};

use crate::boundary::Stop;
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

/// A tokenizer of texts, on `threads` threads: tokenizer.json and the figures of its vocabulary, both as JSON.
#[pyfunction]
#[pyo3(signature = (texts, config_json, threads))]
pub(crate) fn train(
    texts: &Bound<'_, PyAny>,
    config_json: &str,
    threads: Option<i64>,
) -> PyResult<(String, String)> {
    let step: TrainStep = serde_json::from_str(config_json)
        .map_err(|error| to_py(parameter(format!("a parameter of the training: {error}"))))?;
    let training = step.check().map_err(to_py)?;
    with_texts(texts, threads, NEVER_LITTLE, |texts, stop: &Stop| {
        let counts = count_texts(texts, &training, &secret::draw()?, stop)?;
        let trained = training.train(counts, u64::MAX, &Pool, stop)?;
        let figures = serde_json::to_string(&trained.findings)
            .map_err(|error| Error::Internal(format!("the figures: {error}")))?;
        let tokenizer = String::from_utf8(trained.tokenizer)
            .map_err(|error| Error::Internal(format!("the tokenizer: {error}")))?;
        Ok((tokenizer, figures))
    })
}
