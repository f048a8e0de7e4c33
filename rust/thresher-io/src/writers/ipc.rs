//! Writes Arrow IPC files and streams.
//!
//! A stream may replace a dictionary, so a batch ends where rows come with another one. A file may not; there, rows of
//! another input whose dictionary contradicts the first one's are refused.
//!
//! A record batch of the output is 16 MiB of content, cut by content alone, and built anew: what a slice drags along (the
//! rest of its buffers, values under nulls, bits behind the last row) would otherwise end up in the file.
//!
//! Batches are compressed one after the other; lz4, the usual codec of this format, keeps up with the readers.

use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_ipc::{
    CompressionType,
    writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter},
};
use arrow_schema::{ArrowError, FieldRef, SchemaRef};
use arrow_select::concat::concat;

use super::with_added;
use super::{
    conform::conform,
    dictionaries::{Contradiction, Dictionaries},
    regroup::{Group, Limits, Regroup},
    views,
};
use crate::{
    error::{Error, Result},
    input::{Output, Piece, Written},
    readers::ipc::{IpcForm, IpcInput, IpcKind},
    sink::Sink,
};

/// Content of a record batch.
const BATCH: Limits = Limits { bytes: 16 << 20, rows: 1 << 20 };

/// What an Arrow IPC file will look like.
#[derive(Debug, Clone)]
pub struct IpcLayout {
    schema: SchemaRef,
    /// The types in which rows come: strings may be bytes, which have the same layout.
    rows: SchemaRef,
    kind: IpcKind,
    compression: Option<CompressionType>,
    metadata: Vec<(String, String)>,
}

impl IpcLayout {
    /// The layout for rows of any origin: lz4.
    #[must_use]
    pub fn of(schema: SchemaRef, kind: IpcKind) -> Self {
        let compression = Some(CompressionType::LZ4_FRAME);
        Self { rows: schema.clone(), schema, kind, compression, metadata: Vec::new() }
    }

    /// The layout of `input`; nothing if it is damaged beyond reading.
    #[must_use]
    pub fn like(input: &IpcInput) -> Option<Self> {
        let IpcForm { kind, compression, metadata } = input.form()?;
        let (schema, rows) = (input.schema()?.clone(), input.stored_schema()?.clone());
        Some(Self { schema, rows, kind, compression, metadata: metadata.to_vec() })
    }

    /// The same with added columns at the end, which take the place of those of their names.
    #[must_use]
    pub(crate) fn with_added(mut self, added: &[FieldRef]) -> Self {
        if !added.is_empty() {
            self.schema = with_added(&self.schema, added);
            self.rows = with_added(&self.rows, added);
        }
        self
    }
}

/// An Arrow IPC file under construction.
#[derive(Debug)]
pub struct IpcOutput {
    path: PathBuf,
    schema: SchemaRef,
    file: Writer,
    regroup: Regroup,
    dictionaries: Dictionaries,
    rows: u64,
}

enum Writer {
    File(FileWriter<Sink>),
    Stream(StreamWriter<Sink>),
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Stream(_) => "Stream",
        })
    }
}

impl IpcOutput {
    /// Begins a file that will appear at `path`, or a stream to standard output if that is `-`.
    ///
    /// # Errors
    /// The file cannot be created; the schema has a type that Arrow IPC has not.
    pub fn create(path: &Path, layout: IpcLayout) -> Result<Self> {
        let unsupported =
            |e: ArrowError| Error::Parameter(format!("output `{}` cannot be Arrow IPC: {e}", path.display()));
        let options = IpcWriteOptions::default()
            .try_with_compression(layout.compression)
            .map_err(unsupported)?
            .with_dictionary_handling(DictionaryHandling::Delta);
        let pending = Sink::create(path)?;
        let file = match layout.kind {
            IpcKind::File => {
                let mut file = FileWriter::try_new_with_options(pending, &layout.schema, options)
                    .map_err(|e| failed(e, path))?;
                for (key, value) in layout.metadata {
                    file.write_metadata(key, value);
                }
                Writer::File(file)
            }
            IpcKind::Stream => Writer::Stream(
                StreamWriter::try_new_with_options(pending, &layout.schema, options)
                    .map_err(|e| failed(e, path))?,
            ),
        };
        let regroup = Regroup::new(BATCH);
        Ok(Self {
            path: path.to_path_buf(),
            schema: layout.rows,
            file,
            regroup,
            dictionaries: Dictionaries::default(),
            rows: 0,
        })
    }

    /// Takes in the dictionaries of rows that come next.
    fn extend_dictionaries(&mut self, batch: &RecordBatch) -> Result<()> {
        let Err(Contradiction { column }) = self.dictionaries.extend(batch) else { return Ok(()) };
        if matches!(self.file, Writer::File(_)) {
            return Err(Error::data(
                &self.path,
                format!(
                    "column `{}` has other dictionary values in a later input, and an Arrow IPC file has one dictionary for \
                     all rows; write a folder, or a stream (.arrows)",
                    self.schema.field(column).name()
                ),
            ));
        }
        if let Some(group) = self.regroup.rest() {
            self.append(&group)?;
        }
        self.dictionaries.clear();
        self.dictionaries.extend(batch).map_err(|_| Error::Internal("a dictionary contradicts itself".into()))
    }

    fn append(&mut self, group: &Group) -> Result<()> {
        let batch = rebuild(group, &self.schema, &self.dictionaries).map_err(|e| failed(e, &self.path))?;
        let written = match &mut self.file {
            Writer::File(file) => file.write(&batch),
            Writer::Stream(file) => file.write(&batch),
        };
        written.map_err(|e| failed(e, &self.path))
    }
}

/// One batch of the rows of `group` that owns exactly what it needs.
fn rebuild(
    group: &Group,
    schema: &SchemaRef,
    dictionaries: &Dictionaries,
) -> std::result::Result<RecordBatch, ArrowError> {
    let group = &group.map(|batch| dictionaries.apply(batch))?;
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for column in 0..schema.fields().len() {
        let parts: std::result::Result<Vec<ArrayRef>, ArrowError> =
            group.chunks(column, group.rows).collect();
        let Some(array) = parts?.pop() else { continue };
        // With a second, empty part `concat` builds a new array where it would pass a single one through.
        let fresh = concat(&[array.as_ref(), array.slice(0, 0).as_ref()])?;
        columns.push(views::compact(&fresh, |_, _| true)?);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(group.rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &rows)
}

fn failed(error: ArrowError, path: &Path) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::Io { action: "write", path: path.to_path_buf(), source },
        error => Error::data(path, format!("the rows cannot be written as Arrow IPC: {error}")),
    }
}

impl Output for IpcOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let Piece::Batches(batches) = piece else {
            return Err(Error::Internal("an Arrow IPC output was given a piece without columns".to_owned()));
        };
        let arrived: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if arrived as u64 != rows {
            return Err(Error::Internal(format!("{arrived} rows arrived where {rows} were kept")));
        }
        for batch in batches {
            let batch = conform(batch, &self.schema).map_err(|m| Error::data(&self.path, m))?;
            if batch.num_rows() > 0 {
                self.extend_dictionaries(&batch)?;
            }
            self.regroup.push(batch);
            while let Some(group) = self.regroup.next_full() {
                self.append(&group)?;
            }
        }
        self.rows += rows;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if let Some(group) = self.regroup.rest() {
            self.append(&group)?;
        }
        let Self { path, file, rows, .. } = *self;
        let pending = match file {
            Writer::File(file) => file.into_inner(),
            Writer::Stream(file) => file.into_inner(),
        };
        let committed = pending.map_err(|e| failed(e, &path))?.commit()?;
        Ok(Written::of(committed, rows))
    }
}

#[cfg(test)]
mod tests;
