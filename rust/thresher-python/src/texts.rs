//! Texts from Python as borrowed strings, whatever they come in.
//!
//! Python strings are read in place: `CPython` hands out their UTF-8, which for ASCII is the string itself
//! (for others it is made once and stays with the string). Arrow columns are read in place too.

use arrow_array::ArrayRef;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use thresher_core::column::{append_texts, is_text};
use thresher_io::Result;

use crate::boundary::{Stop, compute, thread_count};
use crate::errors::ColumnError;
use crate::import::Imported;

/// Calls `work` with the texts of `object`, on a pool of `threads` without the GIL.
pub(crate) fn with_texts<T: Send>(
    object: &Bound<'_, PyAny>,
    threads: Option<i64>,
    work: impl FnOnce(&[Option<&str>], &Stop) -> Result<T> + Send,
) -> PyResult<T> {
    let (py, threads) = (object.py(), thread_count(threads)?);
    if let Some(imported) = Imported::take(object)? {
        return compute(py, threads, |stop| {
            let chunks: Vec<ArrayRef> = imported.chunks(is_text, stop)?;
            let mut texts = Vec::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
            for chunk in &chunks {
                append_texts(chunk.as_ref(), &mut texts)?;
            }
            work(&texts, stop)
        });
    }
    // These references keep the strings alive while the pool reads them.
    let strings = strings(object)?;
    let texts = borrowed(&strings)?;
    compute(py, threads.min(texts.len().max(1)), |stop| work(&texts, stop))
}

/// The items of a sequence, each a string or none.
fn strings<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Option<Bound<'py, PyString>>>> {
    let no_column = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyDict>();
    let items = if no_column { None } else { object.try_iter().ok() };
    let Some(items) = items else {
        return Err(ColumnError::new_err(format!(
            "texts is of type `{}`, but it is a list of str or None, or an Arrow column of strings",
            object.get_type().name()?
        )));
    };
    let mut strings = Vec::with_capacity(object.len().unwrap_or(0));
    for item in items {
        let item = item?;
        if item.is_none() {
            strings.push(None);
            continue;
        }
        strings.push(Some(item.cast_into::<PyString>().map_err(|error| {
            let found =
                error.into_inner().get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
            let index = strings.len();
            ColumnError::new_err(format!(
                "text `{index}` is of type `{found}`, but a text is a str, or None if missing"
            ))
        })?));
    }
    Ok(strings)
}

/// The UTF-8 of each string.
fn borrowed<'a>(strings: &'a [Option<Bound<'_, PyString>>]) -> PyResult<Vec<Option<&'a str>>> {
    let utf8 = |(index, string): (usize, &'a Option<Bound<'_, PyString>>)| {
        let Some(string) = string else { return Ok(None) };
        string.to_str().map(Some).map_err(|error| {
            if !error.is_instance_of::<PyUnicodeEncodeError>(string.py()) {
                return error;
            }
            ColumnError::new_err(format!(
                "text `{index}` has a surrogate without its partner, which no UTF-8 can carry; \
                 replace it: `text.encode('utf-8', 'replace').decode()`"
            ))
        })
    };
    strings.iter().enumerate().map(utf8).collect()
}
