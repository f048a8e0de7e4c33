//! Writes Arrow IPC files and streams.
//!
//! A record batch of the output is 16 MiB of content, cut by content alone, and built anew: what a slice drags along (the
//! rest of its buffers, values under nulls, bits behind the last row) would otherwise end up in the file.
//!
//! Batches are compressed one after the other; lz4, the usual codec of this format, keeps up with the readers.

use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, cast::AsArray, make_array};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::concat::concat;

use super::{
    conform::conform,
    regroup::{Group, Limits, Regroup},
};
use crate::{
    commit::PendingFile,
    error::{Error, Result},
    input::{Output, Piece, Written},
    readers::ipc::{IpcForm, IpcInput, IpcKind},
};

/// Content of a record batch.
const BATCH: Limits = Limits { bytes: 16 << 20, rows: 1 << 20 };

/// What an Arrow IPC file will look like.
#[derive(Debug, Clone)]
pub struct IpcLayout {
    schema: SchemaRef,
    kind: IpcKind,
    compression: Option<CompressionType>,
    metadata: Vec<(String, String)>,
}

impl IpcLayout {
    /// The layout for rows of any origin: lz4.
    #[must_use]
    pub fn of(schema: SchemaRef, kind: IpcKind) -> Self {
        Self { schema, kind, compression: Some(CompressionType::LZ4_FRAME), metadata: Vec::new() }
    }

    /// The layout of `input`; nothing if it is damaged beyond reading.
    #[must_use]
    pub fn like(input: &IpcInput) -> Option<Self> {
        let IpcForm { kind, compression, metadata } = input.form()?;
        Some(Self { schema: input.schema()?.clone(), kind, compression, metadata: metadata.to_vec() })
    }
}

/// An Arrow IPC file under construction.
#[derive(Debug)]
pub struct IpcOutput {
    path: PathBuf,
    schema: SchemaRef,
    file: Writer,
    regroup: Regroup,
    rows: u64,
}

enum Writer {
    File(FileWriter<PendingFile>),
    Stream(StreamWriter<PendingFile>),
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
    /// Begins a file that will appear at `path`.
    ///
    /// # Errors
    /// The file cannot be created; the schema has a type that Arrow IPC has not.
    pub fn create(path: &Path, layout: IpcLayout) -> Result<Self> {
        let unsupported =
            |e: ArrowError| Error::Parameter(format!("output `{}` cannot be Arrow IPC: {e}", path.display()));
        let options =
            IpcWriteOptions::default().try_with_compression(layout.compression).map_err(unsupported)?;
        let pending = PendingFile::create(path)?;
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
        Ok(Self { path: path.to_path_buf(), schema: layout.schema, file, regroup, rows: 0 })
    }

    fn append(&mut self, group: &Group) -> Result<()> {
        let batch = rebuild(group, &self.schema).map_err(|e| failed(e, &self.path))?;
        let written = match &mut self.file {
            Writer::File(file) => file.write(&batch),
            Writer::Stream(file) => file.write(&batch),
        };
        written.map_err(|e| failed(e, &self.path))
    }
}

/// One batch of the rows of `group` that owns exactly what it needs.
fn rebuild(group: &Group, schema: &SchemaRef) -> std::result::Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for column in 0..schema.fields().len() {
        let parts: std::result::Result<Vec<ArrayRef>, ArrowError> =
            group.chunks(column, group.rows).collect();
        let Some(array) = parts?.pop() else { continue };
        // With a second, empty part `concat` builds a new array where it would pass a single one through.
        let fresh = concat(&[array.as_ref(), array.slice(0, 0).as_ref()])?;
        columns.push(compact(&fresh)?);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(group.rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &rows)
}

/// Gives views, on any level, buffers that hold their values and nothing else.
fn compact(array: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Utf8View => return Ok(std::sync::Arc::new(array.as_string_view().gc())),
        DataType::BinaryView => return Ok(std::sync::Arc::new(array.as_binary_view().gc())),
        kind if !has_views(kind) => return Ok(array.clone()),
        _ => {}
    }
    let data = array.to_data();
    let mut children = Vec::new();
    for child in data.child_data() {
        children.push(compact(&make_array(child.clone()))?.to_data());
    }
    Ok(make_array(data.into_builder().child_data(children).build()?))
}

fn has_views(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::Struct(fields) => fields.iter().any(|f| has_views(f.data_type())),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => has_views(f.data_type()),
        DataType::Dictionary(_, values) => has_views(values),
        DataType::RunEndEncoded(_, values) => has_views(values.data_type()),
        DataType::Union(fields, _) => fields.iter().any(|(_, f)| has_views(f.data_type())),
        _ => false,
    }
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
            self.regroup.push(conform(batch, &self.schema).map_err(|m| Error::data(&self.path, m))?);
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
        Ok(Written { path: committed.path, rows, bytes: committed.bytes, xxh3_128: committed.xxh3_128 })
    }
}

#[cfg(test)]
mod tests;
