//! `removed.parquet`: one row for every removed document, with the evidence.
//!
//! The file is always written, also when nothing was removed, so that a reader never has to guess what a missing
//! file means. Rows go out in groups of fixed size; the bytes depend on the removals alone.

use std::{path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{Float32Builder, Int64Builder, StringBuilder, StringDictionaryBuilder},
    types::Int32Type,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use crate::{
    commit::{Committed, PendingFile},
    error::{Error, Result},
};

/// Rows to a row group.
const GROUP_ROWS: usize = 128 << 10;
/// Text that is buffered at most before a group is closed early: ids have no upper length.
const GROUP_BYTES: usize = 64 << 20;
/// The level of all Parquet files of this crate.
const ZSTD_LEVEL: i32 = 3;

/// Why a document is not in the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Removal<'a> {
    /// The document's id, or `source:row`.
    pub id: &'a str,
    /// Name of the input it came from.
    pub source: &'a str,
    /// Its row in that input, from 0.
    pub row: u64,
    /// The step that removed it, such as `dedup`.
    pub step: &'a str,
    /// The reason, such as `near_duplicate`.
    pub reason: &'a str,
    /// Id of the kept document that stands for it.
    pub duplicate_of: Option<&'a str>,
    /// Their exact Jaccard similarity.
    pub similarity: Option<f32>,
    /// One sentence more.
    pub detail: Option<&'a str>,
}

/// Writes `removed.parquet`.
pub struct RemovedWriter {
    path: std::path::PathBuf,
    file: ArrowWriter<PendingFile>,
    rows: Columns,
}

#[derive(Default)]
struct Columns {
    id: StringBuilder,
    source: StringDictionaryBuilder<Int32Type>,
    row: Int64Builder,
    step: StringDictionaryBuilder<Int32Type>,
    reason: StringDictionaryBuilder<Int32Type>,
    duplicate_of: StringBuilder,
    similarity: Float32Builder,
    detail: StringBuilder,
    rows: usize,
    bytes: usize,
}

impl RemovedWriter {
    /// Begins the file that will appear at `path`.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS));
        // Ids repeat rarely and rows never: a dictionary would be built only to be thrown away.
        for column in ["id", "row"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build());
        let file = ArrowWriter::try_new_with_options(PendingFile::create(path)?, schema(), options)
            .map_err(|e| failed(path, e))?;
        Ok(Self { path: path.to_path_buf(), file, rows: Columns::default() })
    }

    /// Adds one removal.
    ///
    /// # Errors
    /// I/O failures.
    pub fn add(&mut self, removal: Removal<'_>) -> Result<()> {
        self.rows.add(&removal).map_err(|e| failed(&self.path, e.into()))?;
        if self.rows.rows >= GROUP_ROWS || self.rows.bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Completes and commits the file.
    ///
    /// # Errors
    /// I/O failures; nothing is left behind then.
    pub fn finish(mut self) -> Result<Committed> {
        self.flush()?;
        self.file.into_inner().map_err(|e| failed(&self.path, e))?.commit()
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows.rows == 0 {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.rows).into_batch().map_err(|e| failed(&self.path, e.into()))?;
        self.file.write(&batch).and_then(|()| self.file.flush()).map_err(|e| failed(&self.path, e))
    }
}

impl Columns {
    fn add(&mut self, removal: &Removal<'_>) -> std::result::Result<(), ArrowError> {
        self.id.append_value(removal.id);
        self.source.append(removal.source)?;
        self.row.append_value(removal.row as i64);
        self.step.append(removal.step)?;
        self.reason.append(removal.reason)?;
        self.duplicate_of.append_option(removal.duplicate_of);
        self.similarity.append_option(removal.similarity);
        self.detail.append_option(removal.detail);
        self.rows += 1;
        self.bytes +=
            removal.id.len() + removal.duplicate_of.map_or(0, str::len) + removal.detail.map_or(0, str::len);
        Ok(())
    }

    fn into_batch(mut self) -> std::result::Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.step.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.duplicate_of.finish()),
            Arc::new(self.similarity.finish()),
            Arc::new(self.detail.finish()),
        ];
        RecordBatch::try_new(schema(), columns)
    }
}

fn schema() -> SchemaRef {
    let repeated = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("source", repeated(), false),
        Field::new("row", DataType::Int64, false),
        Field::new("step", repeated(), false),
        Field::new("reason", repeated(), false),
        Field::new("duplicate_of", DataType::Utf8, true),
        Field::new("similarity", DataType::Float32, true),
        Field::new("detail", DataType::Utf8, true),
    ]))
}

fn failed(path: &Path, error: ParquetError) -> Error {
    crate::writers::parquet::failed(error, path)
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        Array,
        cast::AsArray,
        types::{Float32Type, Int64Type},
    };
    use arrow_cast::cast;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn read(path: &Path) -> Vec<RecordBatch> {
        let file = std::fs::File::open(path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(builder.schema().fields(), schema().fields());
        builder.build().unwrap().map(|b| b.unwrap()).collect()
    }

    fn removal(id: &str, row: u64) -> Removal<'_> {
        let source = if row.is_multiple_of(2) { "a.jsonl" } else { "b/c.parquet" };
        let (duplicate_of, similarity, detail) = match row % 3 {
            0 => (Some("kept"), Some(0.875), None),
            1 => (Some(""), None, Some("the text is the same")),
            _ => (None, Some(1.0), Some("")),
        };
        Removal { id, source, row, step: "dedup", reason: "near_duplicate", duplicate_of, similarity, detail }
    }

    #[test]
    fn nothing_removed_is_a_file_without_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("removed.parquet");
        let committed = RemovedWriter::create(&path).unwrap().finish().unwrap();
        assert_eq!(committed.bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(read(&path).iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    }

    #[test]
    fn every_removal_comes_back_across_row_groups() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("removed.parquet");
        let mut writer = RemovedWriter::create(&path).unwrap();
        let count = GROUP_ROWS as u64 + 1000;
        for row in 0..count {
            writer.add(removal(&format!("id-{row}"), row)).unwrap();
        }
        writer.finish().unwrap();
        let mut row = 0;
        for batch in read(&path) {
            let text = |c: usize| cast(batch.column(c), &DataType::Utf8).unwrap();
            let columns: Vec<ArrayRef> = [0, 1, 3, 4, 5, 7].map(text).into();
            for at in 0..batch.num_rows() {
                let get = |c: usize| columns[c].is_valid(at).then(|| columns[c].as_string::<i32>().value(at));
                let id = format!("id-{row}");
                let wanted = removal(&id, row);
                assert_eq!(
                    [get(0), get(1), get(2)],
                    [Some(wanted.id), Some(wanted.source), Some(wanted.step)]
                );
                assert_eq!(
                    [get(3), get(4), get(5)],
                    [Some(wanted.reason), wanted.duplicate_of, wanted.detail]
                );
                assert_eq!(batch.column(2).as_primitive::<Int64Type>().value(at), row as i64);
                let similarity = batch.column(6).as_primitive::<Float32Type>();
                assert_eq!(similarity.is_valid(at).then(|| similarity.value(at)), wanted.similarity);
                row += 1;
            }
        }
        assert_eq!(row, count);
    }
}
