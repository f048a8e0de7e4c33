//! What this build is, and what it runs on.

use pyo3::prelude::*;
use thresher_io::Error;

use crate::boundary::available;
use crate::errors::to_py;

/// Version of thresher.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Version of the hash scheme.
#[pyfunction]
pub(crate) fn scheme_version() -> u32 {
    thresher_core::hash::SCHEME_VERSION
}

/// Name of the kernels that this processor runs.
#[pyfunction]
pub(crate) fn instruction_set() -> &'static str {
    thresher_core::instruction_set()
}

/// Threads that this process may use.
#[pyfunction]
pub(crate) fn available_threads() -> usize {
    available()
}

/// What the machine and its control group allow, as JSON.
#[pyfunction]
pub(crate) fn machine() -> PyResult<String> {
    serde_json::to_string(&thresher_io::machine::machine())
        .map_err(|error| to_py(Error::Internal(error.to_string())))
}
