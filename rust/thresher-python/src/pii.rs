//! Personal data and secrets in texts.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int8Array, Int64Array, LargeStringArray, ListArray, StringArray,
    StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use pyo3::prelude::*;
use thresher_core::parallel::Pool;
use thresher_filter::pii::{Counts, Detector, Key, Kind, Kinds, Redactor, Span, Tag, find_all, redact_all};
use thresher_io::{Error, Result};

use crate::arrow_out::ArrowArray;
use crate::errors::{parameter, to_py};
use crate::params::core;
use crate::texts::with_texts;

/// How often each type was found.
type Found = Vec<(&'static str, u64)>;

/// Bytes of text that one thread looks through about as fast as a second one starts.
const LITTLE_BYTES: usize = 64 << 10;

/// Where personal data stands in texts.
#[pyfunction]
#[pyo3(signature = (texts, *, types, reserved, threads))]
pub(crate) fn find_pii(
    texts: &Bound<'_, PyAny>,
    types: Vec<String>,
    reserved: bool,
    threads: Option<i64>,
) -> PyResult<ArrowArray> {
    let detector = detector_of(types, reserved)?;
    with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
        let found = find_all(&detector, texts, &Pool, stop)?;
        let nulls: NullBuffer = texts.iter().map(Option::is_some).collect();
        lists(&found, Some(nulls).filter(|nulls| nulls.null_count() > 0))
    })
}

/// Texts with tags or pseudonyms in the place of personal data, which of them have none, and what was found by type.
#[pyfunction]
#[pyo3(signature = (texts, *, types, action, tag, key, reserved, threads))]
pub(crate) fn redact_pii(
    texts: &Bound<'_, PyAny>,
    types: Vec<String>,
    action: &str,
    tag: &str,
    key: Option<&[u8]>,
    reserved: bool,
    threads: Option<i64>,
) -> PyResult<(ArrowArray, ArrowArray, Found)> {
    let detector = detector_of(types, reserved)?;
    let tag = core(Tag::of_template(tag))?;
    let redactor = match (action, key) {
        ("redact", None) => Some(Redactor::Tag(tag.into())),
        ("drop", None) => None,
        ("pseudonym", Some(key)) => Some(Redactor::Pseudonym(core(Key::of_secret(key))?)),
        ("pseudonym", None) => {
            return Err(to_py(parameter(
                "key is None, but action is `pseudonym`; give a key of 16 bytes or more, and keep it secret",
            )));
        }
        (other, _) => {
            return Err(to_py(parameter(format!(
                "key is given, but action is `{other}`; a key is for pseudonyms, so leave it out"
            ))));
        }
    };
    with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
        let redacted = redact_all(&detector, redactor.as_ref(), texts, &Pool, stop)?;
        let mut counts = Counts::default();
        for one in &redacted {
            counts.iter_mut().zip(one.counts).for_each(|(all, count)| *all += count);
        }
        let keep: BooleanArray = redacted
            .iter()
            .map(|one| Some(redactor.is_some() || one.counts.iter().all(|count| *count == 0)))
            .collect();
        let written: LargeStringArray =
            texts.iter().zip(&redacted).map(|(text, one)| one.text.as_deref().or(*text)).collect();
        let counts = Kind::ALL.iter().zip(counts).filter(|(_, count)| *count > 0);
        let counts = counts.map(|(kind, count)| (kind.name(), count)).collect();
        Ok((ArrowArray(Arc::new(written)), ArrowArray(Arc::new(keep)), counts))
    })
}

/// The names of all types.
#[pyfunction]
pub(crate) fn pii_types() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.name()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
fn detector_of(types: Vec<String>, reserved: bool) -> PyResult<Detector> {
    let kinds = core(Kinds::of_names(types.iter().map(String::as_str)))?;
    Ok(Detector::new(kinds).with_reserved(reserved))
}

/// Lists of start, end and type.
fn lists(found: &[Vec<Span>], nulls: Option<NullBuffer>) -> Result<ArrowArray> {
    let all = || found.iter().flatten();
    if i32::try_from(all().count()).is_err() {
        return Err(parameter("the texts have 2^31 spans or more; look through fewer texts at a time"));
    }
    let column = |place: fn(&Span) -> usize| -> ArrayRef {
        Arc::new(all().map(|span| place(span) as i64).collect::<Int64Array>())
    };
    let keys: Int8Array = all().map(|span| span.kind as i8).collect();
    let names = StringArray::from_iter_values(Kind::ALL.iter().map(|kind| kind.name()));
    let broken = |error: arrow_schema::ArrowError| Error::Internal(error.to_string());
    let types: DictionaryArray<Int8Type> = DictionaryArray::try_new(keys, Arc::new(names)).map_err(broken)?;
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let fields = Fields::from(vec![
        Field::new("start", DataType::Int64, false),
        Field::new("end", DataType::Int64, false),
        Field::new("type", dictionary, false),
    ]);
    let columns = vec![column(|span| span.start), column(|span| span.end), Arc::new(types) as ArrayRef];
    let spans = StructArray::try_new(fields.clone(), columns, None).map_err(broken)?;
    let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
    let offsets = OffsetBuffer::from_lengths(found.iter().map(Vec::len));
    let lists = ListArray::try_new(item, offsets, Arc::new(spans), nulls).map_err(broken)?;
    Ok(ArrowArray(Arc::new(lists)))
}
