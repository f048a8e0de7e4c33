//! What the evidence files of a run have in common: Parquet tables that are written row by row, in groups of fixed size.
//!
//! A table is always written, also one without a row, so that a reader never has to guess what a missing file means. Its
//! bytes depend on its rows alone. What is held is one row group, closed early where its text gets long.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::commit::PendingFile;
use crate::error::Result;
use crate::input::Written;
use crate::writers::parquet::failed;

/// Rows to a row group.
pub(crate) const GROUP_ROWS: usize = 128 << 10;
/// Text that is buffered at most before a group is closed early: ids have no upper length.
pub(crate) const GROUP_BYTES: usize = 64 << 20;
/// The level of all Parquet files of this crate.
const ZSTD_LEVEL: i32 = 3;

/// The columns of one kind of evidence, as they are filled.
pub(crate) trait Rows: Default {
    /// Their names and types.
    fn schema() -> SchemaRef;
    /// Columns whose values repeat rarely: a dictionary would be built only to be thrown away.
    const DISTINCT: &[&str];
    /// What was added since the last batch: rows, and bytes of text.
    fn held(&self) -> (usize, usize);
    /// Everything that was added.
    fn into_batch(self) -> std::result::Result<RecordBatch, ArrowError>;
}

/// How evidence is written, with row groups of so many rows.
pub(crate) fn properties(group_rows: usize) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default()))
        .set_max_row_group_row_count(Some(group_rows))
}

/// A table of evidence under construction.
pub(crate) struct Table<R> {
    path: PathBuf,
    file: ArrowWriter<PendingFile>,
    rows: R,
    written: u64,
}

impl<R: Rows> Table<R> {
    /// Begins the file that will appear at `path`.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut properties = properties(GROUP_ROWS);
        for &column in R::DISTINCT {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build());
        let file = ArrowWriter::try_new_with_options(PendingFile::create(path)?, R::schema(), options)
            .map_err(|error| failed(error, path))?;
        Ok(Self { path: path.to_path_buf(), file, rows: R::default(), written: 0 })
    }

    /// Adds one row.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn add(
        &mut self,
        row: impl FnOnce(&mut R) -> std::result::Result<(), ArrowError>,
    ) -> Result<()> {
        row(&mut self.rows).map_err(|error| failed(error.into(), &self.path))?;
        let (rows, bytes) = self.rows.held();
        if rows >= GROUP_ROWS || bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
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
        let (rows, _) = self.rows.held();
        if rows == 0 {
            return Ok(());
        }
        let fail = |error| failed(error, &self.path);
        let batch = std::mem::take(&mut self.rows).into_batch().map_err(|error| fail(error.into()))?;
        self.file.write(&batch).and_then(|()| self.file.flush()).map_err(fail)?;
        self.written += rows as u64;
        Ok(())
    }
}
