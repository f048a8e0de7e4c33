//! Writes Parquet files, encoding in parallel.
//!
//! Compression is nearly all of the work and a column chunk cannot be split, so the unit of parallel work is one column of
//! one row group, and several row groups are under way at once:
//!
//! ```text
//! write() -> Regroup -> group 3 [text][id]  -+                      +-> group 1 [text][id] -> appended in order
//!            (64 MB)    group 2 [text][id]  -+-> encoder threads ---+
//! ```
//!
//! Memory: at most `groups_in_flight` groups as rows or as encoded columns, and one that fills. The bytes depend on the
//! rows alone, not on pieces, threads or memory.

mod footer;
mod layout;

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use arrow_array::RecordBatch;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parquet::{
    arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    errors::ParquetError,
    file::writer::SerializedFileWriter,
};

use self::footer::FooterFile;
pub use self::layout::ParquetLayout;
use super::{
    conform::conform,
    regroup::{Group, Limits, Regroup},
};
use crate::{
    error::{Error, Result},
    input::{Output, Piece, Written},
    sink::Sink,
};

/// Row groups of this content: large enough for the readers of other tools, small enough to work on several.
const GROUP_BYTES: u64 = 64 << 20;
/// Content that the encoder takes at a time; pages of 1 MiB overshoot by less than this.
const CHUNK_BYTES: u64 = 256 << 10;

/// Resources of an output. They do not change its bytes.
#[derive(Debug, Clone, Copy)]
pub struct EncodeOptions {
    /// Encoder threads.
    pub threads: usize,
    /// Memory for rows and encoded columns under way, in bytes; never less than two row groups are used.
    pub memory: u64,
}

/// A Parquet file under construction.
#[derive(Debug)]
pub struct ParquetOutput {
    path: PathBuf,
    layout: ParquetLayout,
    file: SerializedFileWriter<FooterFile>,
    factory: ArrowRowGroupWriterFactory,
    order: Vec<usize>,
    regroup: Regroup,
    encoders: Encoders,
    in_flight: VecDeque<Encoding>,
    most_in_flight: usize,
    groups: usize,
    /// Input and row group of the rows that came last, where these are not to be mixed.
    origin: Option<(Arc<str>, usize)>,
    rows: u64,
}

/// A row group that is being encoded.
#[derive(Debug)]
struct Encoding {
    columns: Vec<Option<Vec<ArrowColumnChunk>>>,
    missing: usize,
    done: Receiver<Encoded>,
}

type Encoded = (usize, std::result::Result<Vec<ArrowColumnChunk>, ParquetError>);

impl ParquetOutput {
    /// Begins a file that will appear at `path`, or a stream to standard output if that is `-`.
    ///
    /// # Errors
    /// The file cannot be created; the schema has a type that Parquet has not.
    pub fn create(path: &Path, layout: ParquetLayout, options: EncodeOptions) -> Result<Self> {
        let unsupported =
            |e: ParquetError| Error::Parameter(format!("output `{}` cannot be Parquet: {e}", path.display()));
        let (root, properties) = layout.build().map_err(unsupported)?;
        let pending = FooterFile::new(Sink::create(path)?);
        let file =
            SerializedFileWriter::new(pending, root, Arc::new(properties)).map_err(|e| failed(e, path))?;
        let factory = ArrowRowGroupWriterFactory::new(&file, layout.schema.clone());
        let threads = options.threads.max(1);
        Ok(Self {
            path: path.to_path_buf(),
            order: layout.by_weight(),
            regroup: Regroup::new(Limits { bytes: GROUP_BYTES, rows: layout.group_rows }),
            layout,
            file,
            factory,
            encoders: Encoders::start(threads).map_err(Error::io("start threads for", path))?,
            in_flight: VecDeque::new(),
            // One more than threads, so that an encoder has work while a finished group waits for its turn.
            most_in_flight: ((options.memory / GROUP_BYTES) as usize).clamp(2, threads + 2) - 1,
            groups: 0,
            origin: None,
            rows: 0,
        })
    }

    fn submit(&mut self, group: Group) -> Result<()> {
        while self.in_flight.front().is_some_and(Encoding::is_ready)
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
        let (send, done) = bounded(fields.len());
        let group = Arc::new(group);
        for &column in &self.order {
            let task = Task {
                group: group.clone(),
                column,
                field: fields[column].clone(),
                writers: std::mem::take(&mut by_field[column]),
                done: send.clone(),
            };
            self.encoders.submit(task)?;
        }
        let columns = fields.iter().map(|_| None).collect();
        self.in_flight.push_back(Encoding { columns, missing: fields.len(), done });
        Ok(())
    }

    /// Waits for the oldest group and appends it.
    fn append_oldest(&mut self) -> Result<()> {
        let Some(mut group) = self.in_flight.pop_front() else { return Ok(()) };
        while group.missing > 0 {
            let (column, chunks) =
                group.done.recv().map_err(|_| Error::Internal("an encoder died".to_owned()))?;
            group.columns[column] = Some(chunks.map_err(|e| failed(e, &self.path))?);
            group.missing -= 1;
        }
        let mut writer = self.file.next_row_group().map_err(|e| failed(e, &self.path))?;
        for chunk in group.columns.into_iter().flatten().flatten() {
            chunk.append_to_row_group(&mut writer).map_err(|e| failed(e, &self.path))?;
        }
        writer.close().map_err(|e| failed(e, &self.path))?;
        Ok(())
    }
}

impl Encoding {
    fn is_ready(&self) -> bool {
        self.done.len() == self.missing
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

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if let Some(group) = self.regroup.rest() {
            self.submit(group)?;
        }
        while !self.in_flight.is_empty() {
            self.append_oldest()?;
        }
        let Self { path, layout, mut file, rows, .. } = *self;
        file.inner_mut().hold();
        let committed = file.into_inner().map_err(|e| failed(e, &path))?.commit(layout.original(), &path)?;
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

/// One column of one row group.
struct Task {
    group: Arc<Group>,
    column: usize,
    field: arrow_schema::FieldRef,
    writers: Vec<ArrowColumnWriter>,
    done: Sender<Encoded>,
}

impl Task {
    fn run(mut self) {
        let result = self.encode();
        // The rows are let go before the result is known, so that the next group finds the memory.
        drop(self.group);
        // Nobody listens any more when the output was given up.
        let _ = self.done.send((self.column, result));
    }

    fn encode(&mut self) -> std::result::Result<Vec<ArrowColumnChunk>, ParquetError> {
        // A power of two that depends on the group's content alone.
        let fitting = CHUNK_BYTES * self.group.rows as u64 / self.group.bytes.max(1);
        let rows = fitting.clamp(16, 1024).next_power_of_two() as usize;
        for chunk in self.group.chunks(self.column, rows) {
            for (leaf, writer) in compute_leaves(&self.field, &chunk?)?.iter().zip(&mut self.writers) {
                writer.write(leaf)?;
            }
        }
        std::mem::take(&mut self.writers).into_iter().map(ArrowColumnWriter::close).collect()
    }
}

/// Threads that encode. They end when the output is dropped.
#[derive(Debug)]
struct Encoders {
    tasks: Option<Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl Encoders {
    fn start(threads: usize) -> io::Result<Self> {
        let (tasks, queue) = unbounded::<Task>();
        let mut encoders = Self { tasks: Some(tasks), threads: Vec::new() };
        for _ in 0..threads {
            let queue = queue.clone();
            let work = move || queue.iter().for_each(Task::run);
            encoders.threads.push(std::thread::Builder::new().name("encode".to_owned()).spawn(work)?);
        }
        Ok(encoders)
    }

    fn submit(&self, task: Task) -> Result<()> {
        let sent = self.tasks.as_ref().map(|tasks| tasks.send(task));
        if matches!(sent, Some(Ok(()))) {
            Ok(())
        } else {
            Err(Error::Internal("no encoder is left".to_owned()))
        }
    }
}

impl Drop for Encoders {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            // A panic of an encoder was seen by `append_oldest` as a missing column.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;
