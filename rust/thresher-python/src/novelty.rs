//! Novelty by ROUGE-L: a pool that texts are compared with, and a single pair.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::{BooleanArray, Float64Array, Int64Array};
use pyo3::prelude::*;
use thresher_core::Observer;
use thresher_filter::{Pool, Similar, Tokens, Verdict};
use thresher_io::{Error, Result};

use crate::arrow_out::ArrowArray;
use crate::errors::{column, parameter, to_py};
use crate::params::{core, count as checked_count};
use crate::texts::with_texts;

/// Bytes of texts that are compared with 100,000 others of their length in a second, at worst.
const LITTLE_BYTES: usize = 4 << 10;

/// A growing pool of texts.
#[pyclass(frozen, module = "thresher._core.filter")]
pub(crate) struct Novelty(Mutex<Pool>);

impl Novelty {
    /// The pool, for one thread at a time; the GIL is released meanwhile.
    fn pool(&self) -> Result<MutexGuard<'_, Pool>> {
        self.0.lock().map_err(|_| Error::Internal("an earlier call left the pool half changed".to_owned()))
    }

    /// Calls `work` with the pool and one text.
    fn with_one<T: Send>(
        &self,
        texts: &Bound<'_, PyAny>,
        work: impl FnOnce(&mut Pool, &str, &dyn Observer) -> thresher_core::Result<T> + Send,
    ) -> PyResult<T> {
        with_texts(texts, Some(1), LITTLE_BYTES, |texts, stop| {
            let [Some(text)] = texts else {
                return Err(column("one text is needed, and it cannot be missing"));
            };
            Ok(work(&mut *self.pool()?, text, stop)?)
        })
    }
}

#[pymethods]
impl Novelty {
    #[new]
    fn new(threshold: f64, tokens: &str) -> PyResult<Self> {
        Ok(Self(Mutex::new(core(Pool::try_new(threshold, tokens_of(tokens)?))?)))
    }

    /// Number of texts.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| Ok(self.pool()?.len())).map_err(to_py)
    }

    /// Adds a text, whatever it is like.
    fn add(&self, text: &Bound<'_, PyAny>) -> PyResult<()> {
        self.with_one(text, |pool, text, _| pool.add(text))
    }

    /// The text of the pool that a text is most like, if it is too much so.
    fn check(&self, text: &Bound<'_, PyAny>) -> PyResult<Option<(usize, f64)>> {
        Ok(self.with_one(text, Pool::check)?.map(pair))
    }

    /// Checks texts in order, and adds each that is new.
    fn offer(&self, texts: &Bound<'_, PyAny>) -> PyResult<(ArrowArray, ArrowArray, ArrowArray)> {
        with_texts(texts, Some(1), 0, |texts, stop| {
            let verdicts = self.pool()?.offer(texts, stop)?;
            let similar = verdicts.iter().map(|verdict| match verdict {
                Verdict::Similar(similar) => Some(*similar),
                Verdict::Missing | Verdict::Novel => None,
            });
            let novel: BooleanArray = verdicts
                .iter()
                .map(|verdict| (*verdict != Verdict::Missing).then_some(*verdict == Verdict::Novel))
                .collect();
            let index: Int64Array = similar.clone().map(|similar| similar.map(|s| s.index as i64)).collect();
            let f: Float64Array = similar.map(|similar| similar.map(|s| s.f)).collect();
            Ok((ArrowArray(Arc::new(novel)), ArrowArray(Arc::new(index)), ArrowArray(Arc::new(f))))
        })
    }

    /// The texts of the pool that a text is most like.
    fn nearest(&self, text: &Bound<'_, PyAny>, count: i64) -> PyResult<Vec<(usize, f64)>> {
        let count = checked_count("count", count)?;
        let nearest = self.with_one(text, |pool, text, observer| pool.nearest(text, count, observer))?;
        Ok(nearest.into_iter().map(pair).collect())
    }
}

/// The F of ROUGE-L of two texts.
#[pyfunction]
pub(crate) fn rouge_l(texts: &Bound<'_, PyAny>, tokens: &str) -> PyResult<f64> {
    let tokens = tokens_of(tokens)?;
    with_texts(texts, Some(1), LITTLE_BYTES, |texts, stop| {
        let [Some(a), Some(b)] = texts else {
            return Err(column("two texts are needed, and none can be missing"));
        };
        Ok(thresher_filter::rouge_l(a, b, tokens, stop)?)
    })
}

fn pair(similar: Similar) -> (usize, f64) {
    (similar.index, similar.f)
}

fn tokens_of(name: &str) -> PyResult<Tokens> {
    match name {
        "rouge" => Ok(Tokens::Rouge),
        "word" => Ok(Tokens::Word),
        other => Err(to_py(parameter(format!("tokens is `{other}`, but they are `rouge` or `word`")))),
    }
}
