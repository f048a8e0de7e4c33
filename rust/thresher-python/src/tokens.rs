//! Texts as ids of tokens, and files of tokens.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use pyo3::prelude::*;
use thresher_core::parallel::Pool;
use thresher_io::machine::default_memory;
use thresher_io::tokenizer;
use thresher_io::tokens::{self, TokenFile};
use thresher_io::{Error, Result};
use thresher_tokens::tokenizer::{Encoded, Options, Tokenizer as Native, encode_all};

use crate::arrow_out::ArrowArray;
use crate::boundary::compute;
use crate::errors::{parameter, to_py};
use crate::runs::over_files;
use crate::texts::with_texts;

/// Bytes of text that one thread encodes about as fast as a second one starts.
const LITTLE_BYTES: usize = 16 << 10;

/// A tokenizer, loaded.
#[pyclass(frozen, module = "thresher._core.tokens")]
pub(crate) struct Tokenizer(Native);

#[pymethods]
impl Tokenizer {
    /// Loads a tokenizer.json.
    #[new]
    fn new(py: Python<'_>, path: &str) -> PyResult<Self> {
        compute(py, |_| tokenizer::load(Path::new(path)).map(Self))
    }

    /// One more than the highest id, added tokens included.
    #[getter]
    fn vocab_size(&self) -> u32 {
        self.0.vocab_size()
    }

    /// What encodes, and why it is not an encoder of thresher.
    #[getter]
    fn encoder(&self) -> String {
        self.0.path().to_string()
    }

    /// The id of a token.
    fn id_of(&self, token: &str) -> Option<u32> {
        self.0.id_of(token)
    }

    /// Ids of texts, and with `offsets` the bytes that they stand for.
    #[pyo3(signature = (texts, *, add_special_tokens, special_in_text, bos, eos, offsets, threads))]
    #[expect(clippy::too_many_arguments, reason = "they are those of the Python function")]
    fn encode(
        &self,
        texts: &Bound<'_, PyAny>,
        add_special_tokens: bool,
        special_in_text: bool,
        bos: Option<&str>,
        eos: Option<&str>,
        offsets: bool,
        threads: Option<i64>,
    ) -> PyResult<(ArrowArray, Option<ArrowArray>)> {
        let id_of = |name: &str, token: Option<&str>| {
            let unknown = |token: &str| {
                to_py(parameter(format!(
                    "{name} is `{token}`, but the tokenizer has no such token; name one of its vocabulary"
                )))
            };
            token.map(|token| self.0.id_of(token).ok_or_else(|| unknown(token))).transpose()
        };
        let (bos, eos) = (id_of("bos", bos)?, id_of("eos", eos)?);
        let options = Options { add_special_tokens, special_in_text, bos, eos, ..Options::default() };
        with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
            let encoded = encode_all(&self.0, &options, texts, offsets, &Pool, stop)?;
            let nulls: NullBuffer = texts.iter().map(Option::is_some).collect();
            lists(encoded, Some(&nulls).filter(|nulls| nulls.null_count() > 0), offsets)
        })
    }
}

/// Lists of ids, and of pairs.
fn lists(
    encoded: Encoded,
    nulls: Option<&NullBuffer>,
    with_offsets: bool,
) -> Result<(ArrowArray, Option<ArrowArray>)> {
    let Encoded { ids, ends, offsets } = encoded;
    if i32::try_from(ids.len()).is_err() {
        return Err(parameter(format!(
            "the texts have `{}` tokens, but one column holds up to 2^31 - 1; tokenize fewer texts at a time, or files",
            ids.len()
        )));
    }
    let places: ScalarBuffer<i32> =
        std::iter::once(0).chain(ends.into_iter().map(|end| end as i32)).collect();
    let places = OffsetBuffer::new(places);
    let item = |kind: DataType| Arc::new(Field::new("item", kind, false));
    let list = |values: ArrayRef| {
        let list =
            ListArray::try_new(item(values.data_type().clone()), places.clone(), values, nulls.cloned());
        let list = list.map_err(|error| Error::Internal(format!("lists of tokens: {error}")))?;
        Ok::<_, Error>(ArrowArray(Arc::new(list)))
    };
    let tokens = list(Arc::new(UInt32Array::from(ids)))?;
    if !with_offsets {
        return Ok((tokens, None));
    }
    let pairs = OffsetBuffer::from_repeated_length(2, offsets.len());
    let flat: UInt32Array = offsets.into_iter().flat_map(|(start, end)| [start, end]).collect();
    let pairs = ListArray::try_new(item(DataType::UInt32), pairs, Arc::new(flat), None);
    let pairs = pairs.map_err(|error| Error::Internal(format!("offsets of tokens: {error}")))?;
    Ok((tokens, Some(list(Arc::new(pairs))?)))
}

/// Token files as one.
#[pyfunction]
pub(crate) fn merge(
    py: Python<'_>,
    config_json: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    over_files(py, config_json, progress, |_| default_memory(), tokens::merge)
}

/// What a token file holds: type, sequences, documents and tokens. With `check`, all of its index is read.
#[pyfunction]
pub(crate) fn info(
    py: Python<'_>,
    path: &str,
    check: bool,
) -> PyResult<(String, &'static str, u64, u64, u64)> {
    compute(py, |stop| {
        let file = TokenFile::open(Path::new(path))?;
        if check {
            file.check(&|| thresher_core::observe::check(stop).map_err(Error::from))?;
        }
        let bin = file.bin_path().display().to_string();
        Ok((bin, file.dtype().name(), file.sequences(), file.documents(), file.tokens()))
    })
}
