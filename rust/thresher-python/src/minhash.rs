//! Signatures of texts.

use std::sync::Arc;

use pyo3::prelude::*;
use thresher_core::sign_all;

use crate::arrow_out::ArrowArray;
use crate::params::{num_hashes as checked_num_hashes, shingle_spec};
use crate::texts::{little_bytes, with_texts};

/// Signatures of texts.
#[pyfunction]
#[pyo3(signature = (texts, *, num_hashes, ngram, unit, seed, threads))]
pub(crate) fn minhash(
    texts: &Bound<'_, PyAny>,
    num_hashes: i64,
    ngram: i64,
    unit: &str,
    seed: u64,
    threads: Option<i64>,
) -> PyResult<ArrowArray> {
    let (spec, lanes) = (shingle_spec(ngram, unit)?, checked_num_hashes(num_hashes)?);
    with_texts(texts, threads, little_bytes(lanes), |texts, stop| {
        Ok(ArrowArray(Arc::new(sign_all(texts, spec, lanes, seed, stop)?.into_arrow())))
    })
}
