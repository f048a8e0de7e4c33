//! Random orders of numbers.

use std::sync::Arc;

use arrow_array::UInt64Array;
use pyo3::prelude::*;
use thresher_core::Observer;
use thresher_io::{Error, Result};
use thresher_tokens::permute;

use crate::arrow_out::ArrowArray;
use crate::boundary::{compute, here};
use crate::errors::{parameter, to_py};

/// Numbers that are computed in less time than it takes to start a thread for them, and between two looks at signals.
const FEW: u64 = 1000;
const STRETCH: u64 = 100_000;

/// A random order of the numbers below `n`.
#[pyclass(frozen, module = "thresher._core.shuffle")]
pub(crate) struct Permutation(permute::Permutation);

impl Permutation {
    fn find(&self, place: i128, inverse: bool) -> Result<u64> {
        let found = u64::try_from(place)
            .ok()
            .and_then(|place| if inverse { self.0.place(place) } else { self.0.row(place) });
        found.ok_or_else(|| parameter(format!("place is `{place}`, but places are below {}", self.0.len())))
    }
}

#[pymethods]
impl Permutation {
    #[new]
    fn new(n: u64, seed: u64, epoch: u64) -> Self {
        Self(permute::Permutation::new(n, seed, epoch))
    }

    /// The number at a place.
    fn one(&self, place: u64, inverse: bool) -> PyResult<u64> {
        self.find(place.into(), inverse).map_err(to_py)
    }

    /// The numbers at several places.
    fn at(&self, py: Python<'_>, start: i128, step: i128, count: u64, inverse: bool) -> PyResult<ArrowArray> {
        let numbers = |stop: &dyn Observer| -> Result<ArrowArray> {
            let mut numbers = Vec::new();
            numbers.try_reserve_exact(usize::try_from(count).unwrap_or(usize::MAX)).map_err(|_| {
                parameter(format!(
                    "`{count}` places are more numbers than memory holds; ask for fewer at a time"
                ))
            })?;
            for at in 0..count {
                if at % STRETCH == 0 && stop.cancelled() {
                    return Err(Error::Cancelled);
                }
                numbers.push(self.find(start + step * i128::from(at), inverse)?);
            }
            Ok(ArrowArray(Arc::new(UInt64Array::from(numbers))))
        };
        if count <= FEW { here(py, |stop| numbers(stop)) } else { compute(py, |stop| numbers(stop)) }
    }
}
