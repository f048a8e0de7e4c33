//! `clusters.parquet`: one row for every document of a cluster of duplicates, the kept one included.
//!
//! A cluster is a kept document with those that were removed for it, and is called by the id of the kept one; documents
//! that stand for nobody but themselves are in none. Ids are those of `removed.parquet`.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::error::Result;
use crate::evidence::{Rows, Table};
use crate::input::Written;

/// Writes `clusters.parquet`.
pub struct ClustersWriter(Table<Columns>);

#[derive(Default)]
struct Columns {
    document: StringBuilder,
    cluster: StringBuilder,
    size: Int64Builder,
    rows: usize,
    bytes: usize,
}

impl ClustersWriter {
    /// Begins the file that will appear at `path`.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        Table::create(path).map(Self)
    }

    /// Adds a document: its id, that of the kept document of its cluster (its own for the kept one), and how many
    /// documents are in the cluster, the kept one included.
    ///
    /// # Errors
    /// I/O failures.
    pub fn add(&mut self, document: &str, cluster: &str, size: u64) -> Result<()> {
        self.0.add(|rows| {
            rows.document.append_value(document);
            rows.cluster.append_value(cluster);
            rows.size.append_value(size as i64);
            rows.rows += 1;
            rows.bytes += document.len() + cluster.len();
            Ok(())
        })
    }

    /// Completes and commits the file.
    ///
    /// # Errors
    /// I/O failures; nothing is left behind then.
    pub fn finish(self) -> Result<Written> {
        self.0.finish()
    }
}

impl Rows for Columns {
    const DISTINCT: &[&str] = &["document"];

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("document", DataType::Utf8, false),
            Field::new("cluster", DataType::Utf8, false),
            Field::new("size", DataType::Int64, false),
        ]))
    }

    fn held(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    fn into_batch(mut self) -> std::result::Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.document.finish()),
            Arc::new(self.cluster.finish()),
            Arc::new(self.size.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::evidence::GROUP_ROWS;

    #[test]
    fn every_document_comes_back_in_order_across_row_groups_and_none_is_a_table_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clusters.parquet");
        for count in [0, 1, GROUP_ROWS as u64 + 1000] {
            let mut writer = ClustersWriter::create(&path).unwrap();
            for n in 0..count {
                writer.add(&format!("d{n}"), &format!("d{}", n / 3), 3 + n % 2).unwrap();
            }
            assert_eq!(writer.finish().unwrap().rows, count);
            let file = std::fs::File::open(&path).unwrap();
            let mut n = 0;
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                for at in 0..batch.num_rows() {
                    assert_eq!(batch.column(0).as_string::<i32>().value(at), format!("d{n}"));
                    assert_eq!(batch.column(1).as_string::<i32>().value(at), format!("d{}", n / 3));
                    assert_eq!(batch.column(2).as_primitive::<Int64Type>().value(at) as u64, 3 + n % 2);
                    n += 1;
                }
            }
            assert_eq!(n, count);
        }
    }
}
