//! Writes Parquet files, encoding in parallel.
//!
//! Compression is nearly all of the work and a column chunk cannot be split, so the unit of parallel work is one column of
//! one row group, and several row groups are under way at once:
//!
//! ```text
//! write() -> Regroup -> group 3 [text][id]  -+                      +-> group 1 [text][id] -> appended in order
//!            (64 MB)    group 2 [text][id]  -+-> jobs of the crew --+
//! ```
//!
//! Memory: at most `groups_in_flight` groups as rows or as encoded columns, and one that fills. The bytes depend on the
//! rows alone, not on pieces, threads or memory.

mod footer;
mod groups;
mod layout;

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::RecordBatch;
use parquet::{
    arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    errors::ParquetError,
    file::{metadata::ParquetMetaData, writer::SerializedFileWriter},
};

use self::footer::FooterFile;
use self::groups::{GroupLog, Indexes};
pub use self::layout::ParquetLayout;
use super::{
    Means,
    conform::conform,
    regroup::{Group, Limits, Regroup},
};
use crate::{
    blob,
    crew::Promise,
    error::{Error, Result},
    input::{Checkpoint, GoOn, Output, Piece, Written},
    readers::parquet::chunks::BlobChunks,
    sink::Sink,
};

/// Row groups of this content: large enough for the readers of other tools, small enough to work on several.
const GROUP_BYTES: u64 = 64 << 20;
/// Content that the encoder takes at a time; pages of 1 MiB overshoot by less than this.
const CHUNK_BYTES: u64 = 256 << 10;

/// A Parquet file under construction.
pub struct ParquetOutput {
    path: PathBuf,
    layout: ParquetLayout,
    file: SerializedFileWriter<FooterFile>,
    factory: ArrowRowGroupWriterFactory,
    order: Vec<usize>,
    regroup: Regroup,
    means: Means,
    in_flight: VecDeque<Encoding>,
    most_in_flight: usize,
    groups: usize,
    /// Input and row group of the rows that came last, where these are not to be mixed.
    origin: Option<(Arc<str>, usize)>,
    rows: u64,
    /// The groups that are in the file, and what is noted of them, if the file is one to go on with.
    complete: Checkpoint,
    log: Option<GroupLog>,
}

/// The columns of a row group that is being encoded, in file order.
type Encoding = Vec<Promise<Vec<ArrowColumnChunk>>>;

impl ParquetOutput {
    /// Begins a file that will appear at `path`, or a stream to standard output if that is `-`.
    ///
    /// # Errors
    /// The file cannot be created; the schema has a type that Parquet has not.
    pub fn create(path: &Path, layout: ParquetLayout, means: &Means) -> Result<Self> {
        Self::begin(path, layout, means, Sink::create(path)?)
    }

    fn begin(path: &Path, layout: ParquetLayout, means: &Means, sink: Sink) -> Result<Self> {
        let unsupported =
            |e: ParquetError| Error::Parameter(format!("output `{}` cannot be Parquet: {e}", path.display()));
        let (root, properties) = layout.build().map_err(unsupported)?;
        let log = sink.part().filter(|_| means.resumable).map(|part| GroupLog::new(&part));
        let file = SerializedFileWriter::new(FooterFile::new(sink), root, Arc::new(properties))
            .map_err(|e| failed(e, path))?;
        let factory = ArrowRowGroupWriterFactory::new(&file, layout.schema.clone());
        Ok(Self {
            path: path.to_path_buf(),
            order: layout.by_weight(),
            regroup: Regroup::new(Limits { bytes: GROUP_BYTES, rows: layout.group_rows }),
            layout,
            file,
            factory,
            means: means.clone(),
            in_flight: VecDeque::new(),
            // One more than threads, so that there is work while a finished group waits for its turn.
            most_in_flight: ((means.memory / GROUP_BYTES) as usize).clamp(2, means.crew.threads() + 2) - 1,
            groups: 0,
            origin: None,
            rows: 0,
            complete: Checkpoint::default(),
            log,
        })
    }

    /// Goes on at `from` with the file that will appear at `path`; the rows behind it have to come again.
    ///
    /// # Errors
    /// As [`crate::commit::PendingFile::resume`]; `Error::Data` if the groups so far are not those that were noted;
    /// the error of `go_on`.
    pub fn resume(
        path: &Path,
        layout: ParquetLayout,
        means: &Means,
        from: &Checkpoint,
        go_on: GoOn<'_>,
    ) -> Result<Self> {
        let sink = Sink::resume(path, from.bytes)?;
        let part = sink.part().unwrap_or_default();
        let mut output = Self::begin(path, layout, means, sink)?;
        let schema = Arc::new(output.file.schema_descr().clone());
        let (log, groups) = GroupLog::resume(&part, from.rows, &schema)?;
        let written = BlobChunks(blob::open(&part).map_err(Error::io("open", &part))?);
        output.groups = groups.len();
        for footer in groups {
            go_on()?;
            output.append_again(&footer, &written).map_err(|e| failed(e, path))?;
        }
        output.file.flush().map_err(Error::io("write", path))?;
        if output.file.bytes_written() as u64 != from.bytes {
            let message = "the row groups of an interrupted run are not those that were noted; start over";
            return Err(Error::data(&part, message));
        }
        (output.rows, output.complete, output.log) = (from.rows, *from, Some(log));
        Ok(output)
    }

    /// Begins the output, or goes on with it at a checkpoint.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::resume`].
    pub(crate) fn open(
        path: &Path,
        layout: ParquetLayout,
        means: &Means,
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Self> {
        match from {
            None => Self::create(path, layout, means),
            Some((from, go_on)) => Self::resume(path, layout, means, from, go_on),
        }
    }

    /// Appends a group that is in the file already.
    fn append_again(
        &mut self,
        footer: &ParquetMetaData,
        written: &BlobChunks,
    ) -> std::result::Result<(), ParquetError> {
        let mut writer = self.file.next_row_group()?;
        for column in 0..footer.row_group(0).num_columns() {
            writer.append_column(written, groups::closed(footer, column, written)?)?;
        }
        writer.close().map(drop)
    }

    fn submit(&mut self, group: Group) -> Result<()> {
        while self.in_flight.front().is_some_and(|group| group.iter().all(Promise::is_kept))
            || self.in_flight.len() >= self.most_in_flight
        {
            self.append_oldest()?;
        }
        let mut writers =
            self.factory.create_column_writers(self.groups).map_err(|e| failed(e, &self.path))?;
        self.groups += 1;
        let fields = self.layout.schema.fields();
        let mut by_field: Vec<Vec<ArrowColumnWriter>> = Vec::with_capacity(fields.len());
        for field in fields.iter().rev() {
            let leaves = crate::readers::parquet::leaf_count(field.data_type());
            by_field.push(writers.split_off(writers.len().saturating_sub(leaves)));
        }
        by_field.reverse();
        let group = Arc::new(group);
        let mut columns: Vec<_> = self
            .order
            .iter()
            .map(|&column| {
                let (writers, field) = (std::mem::take(&mut by_field[column]), fields[column].clone());
                let (group, path) = (group.clone(), self.path.clone());
                let encode = move || encode(group, column, &field, writers).map_err(|e| failed(e, &path));
                (column, self.means.crew.promise(encode))
            })
            .collect();
        columns.sort_unstable_by_key(|(column, _)| *column);
        self.in_flight.push_back(columns.into_iter().map(|(_, column)| column).collect());
        Ok(())
    }

    /// Waits for the oldest group and appends it.
    fn append_oldest(&mut self) -> Result<()> {
        let Some(group) = self.in_flight.pop_front() else { return Ok(()) };
        let mut writer = self.file.next_row_group().map_err(|e| failed(e, &self.path))?;
        let mut indexes = Indexes::default();
        for column in group {
            for chunk in column.get()? {
                if self.log.is_some() {
                    indexes.add(&chunk);
                }
                chunk.append_to_row_group(&mut writer).map_err(|e| failed(e, &self.path))?;
            }
        }
        writer.close().map_err(|e| failed(e, &self.path))?;
        let last = self.file.flushed_row_groups().last();
        if let (Some(log), Some(group)) = (&mut self.log, last) {
            log.note(group, indexes.placed(group)).map_err(|e| failed(e, &self.path))?;
            self.complete.rows += group.num_rows().unsigned_abs();
        }
        Ok(())
    }
}

impl Output for ParquetOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let (origin, batches) = match piece {
            Piece::Batches(batches) => (None, batches),
            Piece::Group(input, group, batches) => (Some((input, group)), batches),
            _ => {
                return Err(Error::Internal("a Parquet output was given a piece without columns".to_owned()));
            }
        };
        if !batches.is_empty() && origin != self.origin {
            if let Some(group) = self.regroup.rest() {
                self.submit(group)?;
            }
            self.origin = origin;
        }
        let arrived: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if arrived as u64 != rows {
            return Err(Error::Internal(format!("{arrived} rows arrived where {rows} were kept")));
        }
        for batch in batches {
            self.regroup.push(conform(batch, &self.layout.schema).map_err(|m| Error::data(&self.path, m))?);
            while let Some(group) = self.regroup.next_full() {
                self.submit(group)?;
            }
        }
        self.rows += rows;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        let Some(log) = &mut self.log else { return Ok(None) };
        log.checkpoint()?;
        self.file.flush().map_err(Error::io("write", &self.path))?;
        let bytes = self.file.inner_mut().checkpoint()?;
        self.complete.bytes = bytes.unwrap_or_default();
        Ok(bytes.map(|_| self.complete))
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if let Some(group) = self.regroup.rest() {
            self.submit(group)?;
        }
        while !self.in_flight.is_empty() {
            self.append_oldest()?;
        }
        let Self { path, layout, mut file, rows, log, .. } = *self;
        file.inner_mut().hold();
        let committed = file.into_inner().map_err(|e| failed(e, &path))?.commit(layout.original(), &path)?;
        if let Some(log) = log {
            log.remove();
        }
        Ok(Written::of(committed, rows))
    }
}

/// A failed write, or an array that does not fit its column.
pub(crate) fn failed(error: ParquetError, path: &Path) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(source) => Error::Io { action: "write", path: path.to_path_buf(), source: *source },
            Err(cause) => Error::Internal(format!("encoding Parquet: {cause}")),
        },
        error => Error::data(path, format!("the rows cannot be written as Parquet: {error}")),
    }
}

/// Encodes one column of one row group. The rows are let go with the last column.
fn encode(
    group: Arc<Group>,
    column: usize,
    field: &arrow_schema::FieldRef,
    mut writers: Vec<ArrowColumnWriter>,
) -> std::result::Result<Vec<ArrowColumnChunk>, ParquetError> {
    // A power of two that depends on the group's content alone.
    let fitting = CHUNK_BYTES * group.rows as u64 / group.bytes.max(1);
    let rows = fitting.clamp(16, 1024).next_power_of_two() as usize;
    for chunk in group.chunks(column, rows) {
        for (leaf, writer) in compute_leaves(field, &chunk?)?.iter().zip(&mut writers) {
            writer.write(leaf)?;
        }
    }
    drop(group);
    writers.into_iter().map(ArrowColumnWriter::close).collect()
}

#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;
