//! Texts from Python as borrowed strings, whatever they come in.
//!
//! Python strings are read in place: `CPython` hands out their UTF-8, which for ASCII is the string itself
//! (for others it is made once and stays with the string). Arrow columns are read in place too.

use arrow_array::ArrayRef;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use thresher_core::column::{append_texts, is_text};
use thresher_core::prefetch::prefetch_line;
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
    let items = items(object)?;
    let texts = borrowed(&items)?;
    compute(py, threads.min(texts.len().max(1)), |stop| work(&texts, stop))
}

/// The items of an iterable, which nobody else can change while the pool reads them.
fn items<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let no_column = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyDict>();
    if no_column || object.try_iter().is_err() {
        return Err(ColumnError::new_err(format!(
            "texts is of type `{}`, but it is a list of str or None, or an Arrow column of strings",
            object.get_type().name()?
        )));
    }
    Ok(object.py().get_type::<PyTuple>().call1((object,))?.cast_into()?)
}

/// Strings whose memory is asked for ahead: they lie anywhere.
const AHEAD: usize = 16;

/// The UTF-8 of each string.
fn borrowed<'a>(items: &'a Bound<'_, PyTuple>) -> PyResult<Vec<Option<&'a str>>> {
    let utf8 = |index: usize| {
        if index + AHEAD < items.len() {
            prefetch_line(items.get_borrowed_item(index + AHEAD)?.as_ptr());
        }
        let item = items.get_borrowed_item(index)?;
        if item.is_none() {
            return Ok(None);
        }
        let Ok(string) = item.cast::<PyString>() else {
            return Err(ColumnError::new_err(format!(
                "text `{index}` is of type `{}`, but a text is a str, or None if missing",
                item.get_type().name()?
            )));
        };
        match string.to_str() {
            // SAFETY: the tuple keeps the string alive, and its UTF-8 stays where it is as long as that.
            Ok(text) => Ok(Some(unsafe { &*std::ptr::from_ref(text) })),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(items.py()) => {
                Err(ColumnError::new_err(format!(
                    "text `{index}` has a surrogate without its partner, which no UTF-8 can carry; \
                     replace it: `text.encode('utf-8', 'replace').decode()`"
                )))
            }
            Err(error) => Err(error),
        }
    };
    (0..items.len()).map(utf8).collect()
}
