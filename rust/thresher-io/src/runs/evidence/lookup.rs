//! Finding a document again: in the tables of a result by its id, and in the inputs by its place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use thresher_core::json::Fields;

use crate::error::{Error, Result};
use crate::input::{Payload, Position, Scratch};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Documents of a cluster that are named.
const MEMBERS: usize = 20;

/// A row of `removed.parquet`.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedRow {
    /// The id of the document.
    pub id: String,
    /// Name of the input it came from.
    pub source: String,
    /// Its row there, from 0.
    pub row: u64,
    /// Why it went.
    pub reason: String,
    /// The kept document that stands for it.
    pub duplicate_of: Option<String>,
    /// Where that is.
    #[serde(skip)]
    pub(crate) kept_place: Option<(String, u64)>,
    /// Their similarity, as it was written.
    pub similarity: Option<f32>,
}

/// What `removed.parquet` says of an id.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    /// The removed document of this id.
    pub(crate) removed: Option<RemovedRow>,
    /// Further removed documents of the same id.
    pub(crate) namesakes: u64,
    /// Documents that were removed for the one of this id.
    pub(crate) members: u64,
    /// The first of them.
    pub(crate) named: Vec<RemovedRow>,
}

impl Removals {
    /// Looks an id up.
    ///
    /// # Errors
    /// I/O failures, and a table that cannot be read.
    pub(crate) fn of(path: &Path, id: &str, progress: &Progress) -> Result<Self> {
        let damaged = |error: &dyn std::fmt::Display| {
            Error::data(
                path,
                format!(
                    "the table cannot be read: {error}; `thresher verify` tells what is wrong with a result"
                ),
            )
        };
        let file = File::open(path).map_err(Error::io("open", path))?;
        let batches = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|error| damaged(&error))?;
        let mut found = Self::default();
        for batch in batches {
            progress.check()?;
            found
                .scan(&batch.map_err(|error| damaged(&error))?, id)
                .ok_or_else(|| damaged(&"it has other columns than this version of thresher writes"))?;
        }
        Ok(found)
    }

    fn scan(&mut self, batch: &RecordBatch, id: &str) -> Option<()> {
        let (ids, kept) = (batch.column_by_name("id")?, batch.column_by_name("duplicate_of")?);
        let (ids, kept) = (ids.as_string_opt::<i32>()?, kept.as_string_opt::<i32>()?);
        for at in 0..batch.num_rows() {
            let is_this = ids.value(at) == id;
            let is_member = kept.is_valid(at) && kept.value(at) == id;
            if is_this && self.removed.is_none() {
                self.removed = Some(row_of(batch, at)?);
            } else if is_this {
                self.namesakes += 1;
            }
            if is_member {
                self.members += 1;
                if self.named.len() < MEMBERS {
                    self.named.push(row_of(batch, at)?);
                }
            }
        }
        Some(())
    }
}

fn row_of(batch: &RecordBatch, at: usize) -> Option<RemovedRow> {
    let text = |name: &str| {
        let column = cast(&batch.column_by_name(name)?.slice(at, 1), &DataType::Utf8).ok()?;
        let column = column.as_string_opt::<i32>()?;
        column.is_valid(0).then(|| column.value(0).to_owned())
    };
    let whole = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(at).then(|| column.value(at) as u64)
    };
    let similarity = batch.column_by_name("similarity")?.as_primitive_opt::<Float32Type>()?;
    Some(RemovedRow {
        id: text("id")?,
        source: text("source")?,
        row: whole("row")?,
        reason: text("reason")?,
        duplicate_of: text("duplicate_of"),
        kept_place: text("duplicate_of_source").zip(whole("duplicate_of_row")),
        similarity: similarity.is_valid(at).then(|| similarity.value(at)),
    })
}

/// A line of the quarantine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuarantinedRow {
    /// Name of the input it came from.
    pub source: String,
    /// Its row there, from 0.
    pub row: u64,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Why it was set aside.
    pub reason: String,
    /// One sentence more.
    pub detail: String,
    /// Bytes of the record.
    pub bytes: u64,
    /// Its start, if that is text.
    #[serde(default)]
    pub raw: Option<String>,
    /// Its start, if it is not.
    #[serde(default)]
    pub raw_base64: Option<String>,
}

/// The quarantined record in this place; none if it was not written there.
///
/// # Errors
/// I/O failures.
pub(crate) fn quarantined(
    path: &Path,
    source: &str,
    row: u64,
    progress: &Progress,
) -> Result<Option<QuarantinedRow>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::io("open", path))?,
    };
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        progress.check()?;
        if lines.read_until(b'\n', &mut line).map_err(Error::io("read", path))? == 0 {
            return Ok(None);
        }
        if let Ok(found) = serde_json::from_slice::<QuarantinedRow>(&line)
            && (found.source.as_str(), found.row) == (source, row)
        {
            return Ok(Some(found));
        }
    }
}

/// A document of an input.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) row: u64,
    pub(crate) text: String,
    pub(crate) rank: Option<String>,
}

/// Which document of an input is looked for.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'w> {
    Row(u64),
    Id(&'w str),
}

/// Reads an input until it comes upon a document.
///
/// # Errors
/// I/O failures.
pub(crate) fn document(
    source: &Source,
    fields: &Fields,
    wanted: Wanted<'_>,
    progress: &Progress,
) -> Result<Option<Document>> {
    let input = source.input();
    let (mut first_row, mut scratch) = (0_u64, Scratch::default());
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| progress.check())? {
        let known = match &unit.payload {
            Payload::RowGroup { rows, .. } => Some(*rows as u64),
            Payload::Batch(Ok(batch)) => Some(batch.num_rows() as u64),
            Payload::Files(files) => Some(files.len() as u64),
            _ => None,
        };
        if let (Some(rows), Wanted::Row(row)) = (known, wanted)
            && row >= first_row + rows
        {
            first_row += rows;
            continue;
        }
        let mut visitor = Finder { wanted, first_row, slots: 0, found: None };
        let read = input.read(&unit, fields, None, &mut scratch, &mut visitor);
        if visitor.found.is_some() {
            return Ok(visitor.found);
        }
        read?;
        first_row += known.unwrap_or(visitor.slots);
    }
    Ok(None)
}

struct Finder<'w> {
    wanted: Wanted<'w>,
    first_row: u64,
    slots: u64,
    found: Option<Document>,
}

impl Visitor for Finder<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.slots = u64::from(record.slot) + 1;
        let row = self.first_row + u64::from(record.slot);
        let is_it = match self.wanted {
            Wanted::Row(wanted) => wanted == row,
            Wanted::Id(wanted) => record.id.as_ref().is_some_and(|id| id.to_string() == wanted),
        };
        if !is_it {
            return Ok(());
        }
        let rank = record.rank.as_ref().map(ToString::to_string);
        self.found = Some(Document { row, text: record.text.to_owned(), rank });
        // A visitor that has enough ends the reading of a unit by an error.
        Err(Error::Cancelled)
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.slots = u64::from(bad.slot) + 1;
        Ok(())
    }
}
