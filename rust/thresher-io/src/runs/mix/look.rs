//! What a mix wants to know of a row: its size, and which of the values that have floors or ceilings it has.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, BinaryViewArray, RecordBatch, UInt64Array};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{ArrowError, DataType};
use thresher_core::json::{FieldPath, Json, Kind};
use thresher_tokens::tokenizer::{Options, Tokenizer, Worker};

use super::config::{Divided, Sized, path};
use crate::error::{Error, Result};
use crate::record::Reason;
use crate::runs::steps::row::text_of;
use crate::tokenizer::load;

/// Bytes that each thread's cache of a tokenizer takes.
const CACHE: usize = 16 << 20;

/// What is looked at in a row.
pub(super) struct Look {
    size: Size,
    fields: Vec<Divided>,
}

enum Size {
    Documents,
    Bytes(FieldPath),
    Length(FieldPath),
    Tokens(FieldPath, Box<Tokenizer>),
}

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) size: u64,
    /// Its values, as one number below [`Look::kinds`].
    pub(super) kind: usize,
}

/// Why a row has no size.
pub(super) type Unsized = (Reason, String);

impl Look {
    /// Prepares to look; a tokenizer is loaded.
    ///
    /// # Errors
    /// `Error::Parameter` for a path that is none or a tokenizer that cannot be used, `Error::Io` for one that cannot be read.
    pub(super) fn new(sized: &Sized, fields: &[Divided]) -> Result<Self> {
        let size = match sized {
            Sized::Documents => Size::Documents,
            Sized::Bytes(text) => Size::Bytes(path(text)?),
            Sized::Length(length) => Size::Length(path(length)?),
            Sized::Tokens { text, tokenizer } => {
                Size::Tokens(path(text)?, Box::new(load(Path::new(tokenizer))?))
            }
        };
        Ok(Self { size, fields: fields.to_vec() })
    }

    /// How many kinds of rows there are by their values.
    pub(super) fn kinds(&self) -> usize {
        self.fields.iter().map(|field| places(&field.values) + 1).product()
    }

    /// The values of a kind, as the plan names them.
    pub(super) fn values(&self, mut kind: usize) -> Vec<Option<usize>> {
        let of = |field: &Divided| {
            let radix = places(&field.values) + 1;
            let digit = kind % radix;
            kind /= radix;
            digit.checked_sub(1)
        };
        self.fields.iter().map(of).collect()
    }

    /// The fields by whose values rows are told apart.
    pub(super) fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.fields.iter().map(|field| &field.path)
    }

    /// The field with the size, or with what is counted.
    pub(super) fn measured(&self) -> Option<&FieldPath> {
        match &self.size {
            Size::Documents => None,
            Size::Bytes(path) | Size::Length(path) | Size::Tokens(path, _) => Some(path),
        }
    }

    /// Bytes that all threads hold together.
    pub(super) fn resident_bytes(&self, threads: usize) -> u64 {
        match &self.size {
            Size::Tokens(_, tokenizer) => tokenizer.resident_bytes() + (CACHE * threads) as u64,
            _ => 0,
        }
    }

    /// One thread of it.
    pub(super) fn looker(&self) -> Looker<'_> {
        let worker = match &self.size {
            Size::Tokens(_, tokenizer) => {
                Some(tokenizer.worker(&Options { cache_bytes: CACHE, ..Options::default() }))
            }
            _ => None,
        };
        Looker { look: self, worker, ids: Vec::new(), had: vec![0; self.fields.len()] }
    }
}

/// One thread that looks.
pub(super) struct Looker<'l> {
    look: &'l Look,
    worker: Option<Worker<'l>>,
    ids: Vec<u32>,
    /// Rows that had something in each field, since it was last asked.
    had: Vec<u64>,
}

impl Looker<'_> {
    /// Rows that had something in each field, since this was last asked.
    pub(super) fn had(&mut self) -> Vec<u64> {
        let none = vec![0; self.had.len()];
        std::mem::replace(&mut self.had, none)
    }

    /// Looks at a row of JSON.
    ///
    /// # Errors
    /// `Error::Internal` for a tokenizer that fails.
    pub(super) fn row(&mut self, row: &str) -> Result<std::result::Result<Seen, Unsized>> {
        let size = match &self.look.size {
            Size::Documents => Ok(1),
            Size::Bytes(path) => text_of(row, path).map(|text| text.len() as u64),
            Size::Length(path) => match found(row, path).map_or(Err(Kind::Null), length_of) {
                Ok(length) => Ok(length),
                Err(kind) => return Ok(Err(no_length(path, kind.name()))),
            },
            Size::Tokens(path, _) => match text_of(row, path) {
                Ok(text) => Ok(self.tokens(&text)?),
                Err(refusal) => Err(refusal),
            },
        };
        let size = match size {
            Ok(size) => size,
            Err(refusal) => return Ok(Err((refusal.reason, refusal.detail))),
        };
        let (mut kind, mut radix) = (0, 1);
        for (field, had) in self.look.fields.iter().zip(&mut self.had) {
            if let Some(value) = found(row, &field.path).filter(|value| value.kind() != Kind::Null) {
                *had += 1;
                let place = match value.as_str() {
                    Some(text) => text.decode().ok().and_then(|text| field.values.get(text.as_ref())),
                    None => field.values.get(value.text()),
                };
                kind += radix * place.map_or(0, |place| place + 1);
            }
            radix *= places(&field.values) + 1;
        }
        Ok(Ok(Seen { size, kind }))
    }

    fn tokens(&mut self, text: &str) -> Result<u64> {
        let Some(worker) = &mut self.worker else { return Ok(0) };
        self.ids.clear();
        worker
            .encode(text, &mut self.ids)
            .map_err(|error| Error::Internal(format!("a tokenizer: {error}")))?;
        Ok(self.ids.len() as u64)
    }

    /// Looks at rows of columns.
    ///
    /// # Errors
    /// `Error::Internal` for a tokenizer that fails.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<std::result::Result<Seen, Unsized>>> {
        let rows = batch.num_rows();
        let mut seen = self.sizes(batch)?;
        let mut radix = 1;
        for (field, had) in self.look.fields.iter().zip(&mut self.had) {
            let column = column(batch, &field.path).and_then(|column| bytes_of(&column).ok());
            if let Some(column) = column {
                for row in (0..rows).filter(|row| column.is_valid(*row)) {
                    *had += 1;
                    let value = std::str::from_utf8(column.value(row)).ok();
                    let place = value.and_then(|value| field.values.get(value));
                    if let (Some(place), Ok(seen)) = (place, &mut seen[row]) {
                        seen.kind += radix * (place + 1);
                    }
                }
            }
            radix *= places(&field.values) + 1;
        }
        Ok(seen)
    }

    fn sizes(&mut self, batch: &RecordBatch) -> Result<Vec<std::result::Result<Seen, Unsized>>> {
        let rows = batch.num_rows();
        let of = |size: u64| Ok(Seen { size, kind: 0 });
        match &self.look.size {
            Size::Documents => Ok(vec![of(1); rows]),
            Size::Length(path) => {
                let lengths = column(batch, path).and_then(|column| lengths_of(&column).ok());
                let each = (0..rows).map(|row| match &lengths {
                    Some(lengths) if lengths.is_valid(row) => of(lengths.value(row)),
                    Some(_) => Err(no_length(path, "null, or no whole number")),
                    None => Err(no_length(path, "missing")),
                });
                Ok(each.collect())
            }
            Size::Bytes(path) | Size::Tokens(path, _) => {
                let texts = column(batch, path).and_then(|column| bytes_of(&column).ok());
                let counts = self.worker.is_some();
                let mut seen = Vec::with_capacity(rows);
                for row in 0..rows {
                    let text =
                        texts.as_ref().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
                    seen.push(match text.map(std::str::from_utf8) {
                        Some(Ok(text)) => of(if counts { self.tokens(text)? } else { text.len() as u64 }),
                        Some(Err(_)) => Err((Reason::InvalidUtf8, format!("`{path}` is not UTF-8"))),
                        None if texts.is_some() => Err((Reason::NullText, format!("`{path}` is null"))),
                        None => Err((Reason::MissingText, format!("`{path}` is missing"))),
                    });
                }
                Ok(seen)
            }
        }
    }
}

/// The places of the wishes of a field.
fn places(values: &BTreeMap<String, usize>) -> usize {
    values.values().max().map_or(0, |most| most + 1)
}

fn found<'r>(row: &'r str, path: &FieldPath) -> Option<Json<'r>> {
    path.parts().iter().try_fold(Json::checked(row), |value, part| value.get(part))
}

/// A length: a whole number, or how many elements a list has.
fn length_of(value: Json<'_>) -> std::result::Result<u64, Kind> {
    match value.kind() {
        Kind::Array => Ok(value.items().count() as u64),
        Kind::Number => value.text().parse().map_err(|_| Kind::Number),
        kind => Err(kind),
    }
}

fn no_length(path: &FieldPath, is: &str) -> Unsized {
    (Reason::NoLength, format!("`{path}` is {is}, but it has to be a whole number from 0, or a list"))
}

/// A column by its path, through structs.
fn column(batch: &RecordBatch, path: &FieldPath) -> Option<ArrayRef> {
    let (first, rest) = path.parts().split_first()?;
    let mut column = batch.column_by_name(first)?.clone();
    for part in rest {
        let inner = column.as_struct_opt()?;
        let child = inner.column_by_name(part)?.clone();
        // What is in a null struct is null.
        column = match inner.nulls() {
            None => child,
            Some(nulls) => {
                let nulls = arrow_buffer::NullBuffer::union(Some(nulls), child.nulls());
                arrow_array::make_array(child.to_data().into_builder().nulls(nulls).build().ok()?)
            }
        };
    }
    Some(column)
}

/// Lengths of a column: whole numbers, or how many elements lists have; null where there is none.
fn lengths_of(column: &ArrayRef) -> std::result::Result<UInt64Array, ArrowError> {
    let lists =
        |lens: &mut dyn Iterator<Item = u64>| UInt64Array::new(lens.collect(), column.nulls().cloned());
    Ok(match column.data_type() {
        DataType::List(_) => lists(&mut column.as_list::<i32>().offsets().lengths().map(|len| len as u64)),
        DataType::LargeList(_) => {
            lists(&mut column.as_list::<i64>().offsets().lengths().map(|len| len as u64))
        }
        DataType::FixedSizeList(_, len) => lists(&mut (0..column.len()).map(|_| *len as u64)),
        kind if kind.is_integer() => {
            // A negative number is none.
            let options = CastOptions { safe: true, ..CastOptions::default() };
            cast_with_options(column, &DataType::UInt64, &options)?.as_primitive::<UInt64Type>().clone()
        }
        kind => return Err(ArrowError::CastError(format!("{kind} is no length"))),
    })
}

/// The values of a column as bytes of texts.
fn bytes_of(column: &ArrayRef) -> std::result::Result<BinaryViewArray, ArrowError> {
    Ok(match column.data_type() {
        DataType::Dictionary(_, values) => return bytes_of(&cast(column, values)?),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(column, &DataType::BinaryView)?.as_binary_view().clone()
        }
        _ => cast(column, &DataType::Utf8View)?.as_string_view().clone().to_binary_view(),
    })
}
