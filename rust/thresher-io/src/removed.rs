//! `removed.parquet`: one row for every removed document, with the evidence.

use std::{path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{Float32Builder, Int64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder},
    types::Int32Type,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::{
    error::Result,
    evidence::{Rows, Table},
    input::Written,
};

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
    /// Every reason; that one alone if there is none here.
    pub reasons: &'a [&'a str],
    /// The kept document that stands for it.
    pub duplicate_of: Option<Kept<'a>>,
    /// Their exact Jaccard similarity.
    pub similarity: Option<f32>,
    /// One sentence more.
    pub detail: Option<&'a str>,
}

/// A kept document that stands for a removed one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept<'a> {
    /// Its id, or `source:row`.
    pub id: &'a str,
    /// Name of the input it came from.
    pub source: &'a str,
    /// Its row in that input, from 0.
    pub row: u64,
}

/// Writes `removed.parquet`.
pub struct RemovedWriter(Table<Columns>);

#[derive(Default)]
struct Columns {
    id: StringBuilder,
    source: StringDictionaryBuilder<Int32Type>,
    row: Int64Builder,
    step: StringDictionaryBuilder<Int32Type>,
    reason: StringDictionaryBuilder<Int32Type>,
    reasons: ListBuilder<StringBuilder>,
    duplicate_of: StringBuilder,
    duplicate_of_source: StringDictionaryBuilder<Int32Type>,
    duplicate_of_row: Int64Builder,
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
        Table::create(path).map(Self)
    }

    /// Adds one removal.
    ///
    /// # Errors
    /// I/O failures.
    pub fn add(&mut self, removal: Removal<'_>) -> Result<()> {
        self.0.add(|rows| rows.add(&removal))
    }

    /// Completes and commits the file.
    ///
    /// # Errors
    /// I/O failures; nothing is left behind then.
    pub fn finish(self) -> Result<Written> {
        self.0.finish()
    }
}

impl Columns {
    fn add(&mut self, removal: &Removal<'_>) -> std::result::Result<(), ArrowError> {
        self.id.append_value(removal.id);
        self.source.append(removal.source)?;
        self.row.append_value(removal.row as i64);
        self.step.append(removal.step)?;
        self.reason.append(removal.reason)?;
        let reasons =
            if removal.reasons.is_empty() { std::slice::from_ref(&removal.reason) } else { removal.reasons };
        self.reasons.append_value(reasons.iter().map(Some));
        let kept = removal.duplicate_of;
        self.duplicate_of.append_option(kept.map(|kept| kept.id));
        self.duplicate_of_source.append_option(kept.map(|kept| kept.source));
        self.duplicate_of_row.append_option(kept.map(|kept| kept.row as i64));
        self.similarity.append_option(removal.similarity);
        self.detail.append_option(removal.detail);
        self.rows += 1;
        self.bytes +=
            removal.id.len() + kept.map_or(0, |kept| kept.id.len()) + removal.detail.map_or(0, str::len);
        Ok(())
    }
}

impl Rows for Columns {
    const DISTINCT: &[&str] = &["id", "row"];

    fn schema() -> SchemaRef {
        let repeated = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("source", repeated(), false),
            Field::new("row", DataType::Int64, false),
            Field::new("step", repeated(), false),
            Field::new("reason", repeated(), false),
            Field::new("duplicate_of", DataType::Utf8, true),
            Field::new("duplicate_of_source", repeated(), true),
            Field::new("duplicate_of_row", DataType::Int64, true),
            Field::new("similarity", DataType::Float32, true),
            Field::new("detail", DataType::Utf8, true),
            Field::new("reasons", DataType::List(Field::new("item", DataType::Utf8, true).into()), false),
        ]))
    }

    fn held(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    fn into_batch(mut self) -> std::result::Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.step.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.duplicate_of.finish()),
            Arc::new(self.duplicate_of_source.finish()),
            Arc::new(self.duplicate_of_row.finish()),
            Arc::new(self.similarity.finish()),
            Arc::new(self.detail.finish()),
            Arc::new(self.reasons.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
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
    use crate::evidence::GROUP_ROWS;

    fn read(path: &Path) -> Vec<RecordBatch> {
        let file = std::fs::File::open(path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(builder.schema().fields(), Columns::schema().fields());
        builder.build().unwrap().map(|b| b.unwrap()).collect()
    }

    fn removal(id: &str, row: u64) -> Removal<'_> {
        let source = if row.is_multiple_of(2) { "a.jsonl" } else { "b/c.parquet" };
        let (duplicate_of, similarity, detail) = match row % 3 {
            0 => (Some(Kept { id: "kept", source: "a.jsonl", row: 7 }), Some(0.875), None),
            1 => (Some(Kept { id: "", source: "", row: 0 }), None, Some("the text is the same")),
            _ => (None, Some(1.0), Some("")),
        };
        Removal {
            id,
            source,
            row,
            step: "dedup",
            reason: "near_duplicate",
            reasons: &[],
            duplicate_of,
            similarity,
            detail,
        }
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
            let columns: Vec<ArrayRef> = [0, 1, 3, 4, 5, 9, 6].map(text).into();
            for at in 0..batch.num_rows() {
                let get = |c: usize| columns[c].is_valid(at).then(|| columns[c].as_string::<i32>().value(at));
                let id = format!("id-{row}");
                let wanted = removal(&id, row);
                assert_eq!(
                    [get(0), get(1), get(2)],
                    [Some(wanted.id), Some(wanted.source), Some(wanted.step)]
                );
                assert_eq!(
                    [get(3), get(4), get(5), get(6)],
                    [
                        Some(wanted.reason),
                        wanted.duplicate_of.map(|kept| kept.id),
                        wanted.detail,
                        wanted.duplicate_of.map(|kept| kept.source)
                    ]
                );
                let row_of_kept = batch.column(7).as_primitive::<Int64Type>();
                let row_of_kept = row_of_kept.is_valid(at).then(|| row_of_kept.value(at) as u64);
                assert_eq!(row_of_kept, wanted.duplicate_of.map(|kept| kept.row));
                assert_eq!(batch.column(2).as_primitive::<Int64Type>().value(at), row as i64);
                let similarity = batch.column(8).as_primitive::<Float32Type>();
                assert_eq!(similarity.is_valid(at).then(|| similarity.value(at)), wanted.similarity);
                row += 1;
            }
        }
        assert_eq!(row, count);
    }
}
