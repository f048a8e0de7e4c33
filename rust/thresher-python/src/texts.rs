//! Texts from Python as borrowed strings, whatever they come in.
//!
//! Python strings are read in place: `CPython` hands out their UTF-8, which for ASCII is the string itself
//! (for others it is made once and stays with the string). Arrow columns are read in place too.

use arrow_array::ArrayRef;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use thresher_core::NumHashes;
use thresher_core::column::{append_texts, is_text};
use thresher_core::prefetch::prefetch_line;
use thresher_io::Result;

use crate::boundary::{Stop, compute, here, pooled, thread_count};
use crate::errors::ColumnError;
use crate::import::Imported;

/// Bytes of text at 128 lanes that one thread works through about as fast as a second one starts.
const LITTLE_BYTES: usize = 64 << 10;
/// What a document costs beside its text, in bytes of text.
const DOCUMENT_BYTES: usize = 64;
/// Rows of an array that is taken over before it is known how long its texts are.
pub(crate) const FEW_ROWS: usize = 1024;
/// Items of an iterator after which signals are looked at.
const SIGNALS_EVERY: usize = 1 << 14;

/// For work that nests as deep as its input asks: the calling thread may have a small stack, ours have 2 MB.
pub(crate) const NEVER_LITTLE: usize = 0;

/// Texts up to this many bytes are little work for signatures of so many lanes.
pub(crate) fn little_bytes(lanes: NumHashes) -> usize {
    LITTLE_BYTES * NumHashes::default().get() / lanes.get()
}

/// Calls `work` with the texts of `object`, on `threads` threads without the GIL; on the calling one if they have at
/// most `little` bytes.
pub(crate) fn with_texts<T: Send>(
    object: &Bound<'_, PyAny>,
    threads: Option<i64>,
    little: usize,
    work: impl FnOnce(&[Option<&str>], &Stop) -> Result<T> + Send,
) -> PyResult<T> {
    let (py, threads) = (object.py(), thread_count(threads)?);
    let run = |texts: &[Option<&str>], stop: &Stop| {
        let threads = if is_little(texts, little) { 1 } else { threads.min(texts.len()) };
        pooled(threads, || work(texts, stop))
    };
    match Imported::take(object)? {
        // A stream may compute for long before it says how much it has.
        Some(imported) if imported.known_rows().is_none_or(|rows| rows > FEW_ROWS) => {
            compute(py, |stop| run(&texts_of(&imported.chunks(is_text, stop)?)?, stop))
        }
        Some(imported) => {
            let chunks = here(py, |stop| imported.chunks(is_text, stop))?;
            let few = texts_of(&chunks).is_ok_and(|texts| is_little(&texts, little));
            let work = |stop: &Stop| run(&texts_of(&chunks)?, stop);
            if few { here(py, work) } else { compute(py, work) }
        }
        None => {
            let items = items(object)?;
            let texts = borrowed(&items)?;
            let work = |stop: &Stop| run(&texts, stop);
            if is_little(&texts, little) { here(py, work) } else { compute(py, work) }
        }
    }
}

/// Whether texts have at most `most` bytes, with what each costs beside them.
fn is_little(texts: &[Option<&str>], most: usize) -> bool {
    let mut bytes = 0;
    texts.iter().all(|text| {
        bytes += text.map_or(0, str::len) + DOCUMENT_BYTES;
        bytes <= most
    })
}

fn texts_of(chunks: &[ArrayRef]) -> Result<Vec<Option<&str>>> {
    let mut texts = Vec::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
    for chunk in chunks {
        append_texts(chunk.as_ref(), &mut texts)?;
    }
    Ok(texts)
}

/// The items of an iterable, which nobody else can change while they are read.
///
/// What has no `__iter__` is refused though Python would iterate it by index: a lazy expression has an item for each
/// index, for ever.
fn items<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let py = object.py();
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        return Ok(py.get_type::<PyTuple>().call1((object,))?.cast_into()?);
    }
    let no_column = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyDict>()
        || !object.get_type().hasattr("__iter__")?;
    let Some(iterator) = (if no_column { None } else { object.try_iter().ok() }) else {
        return Err(ColumnError::new_err(format!(
            "texts is of type `{}`, but it is a list of str or None, or an Arrow column of strings",
            object.get_type().name()?
        )));
    };
    let mut items = Vec::new();
    for item in iterator {
        let item = item?;
        // An iterator may be endless: what is no text is told at once.
        if !item.is_none() && !item.is_instance_of::<PyString>() {
            return Err(not_a_text(&item, items.len())?);
        }
        items.push(item);
        if items.len() % SIGNALS_EVERY == 0 {
            py.check_signals()?;
        }
    }
    PyTuple::new(py, items)
}

/// The error for an item that is no text.
fn not_a_text(item: &Bound<'_, PyAny>, index: usize) -> PyResult<PyErr> {
    let advice = match item.get_type().name()?.to_str()? {
        "float" | "NAType" | "NaTType" => {
            "; pandas writes missing texts so: pass the Series itself, or write None for them"
        }
        "dict" => "; choose the field of the rows with `text=`",
        "bytes" => "; decode it first",
        _ => "",
    };
    Ok(ColumnError::new_err(format!(
        "text `{index}` is of type `{}`, but a text is a str, or None if missing{advice}",
        item.get_type().name()?
    )))
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
            return Err(not_a_text(&item, index)?);
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
