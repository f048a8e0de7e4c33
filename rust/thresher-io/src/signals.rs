//! `signals/STEP.parquet`: the signals that a step has kept of every row that it saw, removed ones included.
//!
//! With them thresholds can be changed without a look at the texts (`runs/what_if`). `id`, `source` and `row` are those of
//! `removed.parquet`; each signal is a column of doubles, null where it is not defined.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::schema::types::ColumnPath;

use crate::commit::PendingFile;
use crate::error::Result;
use crate::evidence::{GROUP_BYTES, properties};
use crate::input::Written;
use crate::writers::parquet::failed;

/// Rows to a row group: a tenth of a kilobyte to a kilobyte each.
const GROUP_ROWS: usize = 32 << 10;
/// Columns in front of the signals.
pub(crate) const KEYS: [&str; 3] = ["id", "source", "row"];

/// Writes the signals of one step.
pub(crate) struct SignalsWriter {
    path: PathBuf,
    schema: SchemaRef,
    file: ArrowWriter<PendingFile>,
    ids: StringBuilder,
    sources: StringBuilder,
    rows: Int64Builder,
    values: Vec<Float64Builder>,
    held: usize,
    held_bytes: usize,
    written: u64,
}

impl SignalsWriter {
    /// Begins the file that will appear at `path`, with a column for each of these signals.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn create(path: &Path, names: &[&str]) -> Result<Self> {
        let keys = KEYS.map(|name| {
            Field::new(name, if name == "row" { DataType::Int64 } else { DataType::Utf8 }, false)
        });
        let signals = names.iter().map(|name| Field::new(*name, DataType::Float64, true));
        let schema = Arc::new(Schema::new(keys.into_iter().chain(signals).collect::<Vec<_>>()));
        let mut properties = properties(GROUP_ROWS);
        for column in schema.fields().iter().filter(|column| column.name() != "source") {
            let path = ColumnPath::new(vec![column.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build());
        let file = ArrowWriter::try_new_with_options(PendingFile::create(path)?, schema.clone(), options)
            .map_err(|error| failed(error, path))?;
        Ok(Self {
            path: path.to_path_buf(),
            schema,
            file,
            ids: StringBuilder::new(),
            sources: StringBuilder::new(),
            rows: Int64Builder::new(),
            values: names.iter().map(|_| Float64Builder::new()).collect(),
            held: 0,
            held_bytes: 0,
            written: 0,
        })
    }

    /// Adds a row with its signals.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn add(
        &mut self,
        id: &str,
        source: &str,
        row: u64,
        values: impl Iterator<Item = Option<f64>>,
    ) -> Result<()> {
        self.ids.append_value(id);
        self.sources.append_value(source);
        self.rows.append_value(row as i64);
        for (column, value) in self.values.iter_mut().zip(values) {
            column.append_option(value);
        }
        self.held += 1;
        self.held_bytes += id.len() + source.len();
        // The bytes of the file depend on its rows alone, not on how they came.
        if self.held >= GROUP_ROWS || self.held_bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Completes and commits the file.
    ///
    /// # Errors
    /// I/O failures; nothing is left behind then.
    pub(crate) fn finish(mut self) -> Result<Written> {
        self.flush()?;
        let file = self.file.into_inner().map_err(|error| failed(error, &self.path))?;
        Ok(Written::of(file.commit()?, self.written))
    }

    fn flush(&mut self) -> Result<()> {
        if self.held == 0 {
            return Ok(());
        }
        let keys: [ArrayRef; KEYS.len()] =
            [Arc::new(self.ids.finish()), Arc::new(self.sources.finish()), Arc::new(self.rows.finish())];
        let values = self.values.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let fail = |error| failed(error, &self.path);
        let batch = RecordBatch::try_new(self.schema.clone(), keys.into_iter().chain(values).collect());
        let batch = batch.map_err(|error| fail(error.into()))?;
        self.file.write(&batch).and_then(|()| self.file.flush()).map_err(fail)?;
        self.written += self.held as u64;
        (self.held, self.held_bytes) = (0, 0);
        Ok(())
    }
}
