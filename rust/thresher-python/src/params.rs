//! Parameters as Python passes them, as checked values of the core.

use pyo3::PyResult;
use thresher_core::{Keep, NumHashes, ShingleSpec, ShingleUnit};
use thresher_io::{Error, Result};

use crate::errors::{parameter, to_py};

/// A count; a negative one is named as it was given.
pub(crate) fn count(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .map_err(|_| to_py(parameter(format!("{name} is `{value}`, but it cannot be negative"))))
}

/// How documents are cut.
pub(crate) fn shingle_spec(ngram: i64, unit: &str) -> PyResult<ShingleSpec> {
    let unit = match unit {
        "word" => Ok(ShingleUnit::Word),
        "char" => Ok(ShingleUnit::Char),
        other => Err(parameter(format!("unit is `{other}`, but a shingle is made of `word` or `char`"))),
    };
    core(ShingleSpec::try_new(unit.map_err(to_py)?, count("ngram", ngram)?))
}

/// Lanes of a signature.
pub(crate) fn num_hashes(value: i64) -> PyResult<NumHashes> {
    core(NumHashes::try_new(count("num_hashes", value)?))
}

/// Which document of a group stays.
pub(crate) fn keep(policy: &str) -> PyResult<Keep> {
    let keep: Result<Keep> = match policy {
        "first" => Ok(Keep::First),
        "longest" => Ok(Keep::Longest),
        "shortest" => Ok(Keep::Shortest),
        "max" => Ok(Keep::Max),
        "min" => Ok(Keep::Min),
        other => Err(parameter(format!("keep is `{other}`, but it is first, longest, shortest, max or min"))),
    };
    keep.map_err(to_py)
}

/// The exception for an error of the core.
pub(crate) fn core<T>(result: thresher_core::Result<T>) -> PyResult<T> {
    result.map_err(|error| to_py(Error::from(error)))
}
