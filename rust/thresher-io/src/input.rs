//! The one interface between file formats and runs.
//!
//! An input is cut into *units* that one thread works on: a byte range of a plain JSONL file, a decoded block
//! of a compressed one, rows of a Parquet row group, a record batch, a handful of small files. The cut depends on the
//! file alone, so every pass sees the same units with the same slots, whatever the threads.
//!
//! ```text
//! cut(): in order, one thread at a time -> [Unit] -> read() / copy(): any thread -> back in order -> Output::write()
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;

use thresher_core::json::Fields;

use crate::commit::Committed;
use crate::error::Result;
use crate::record::{Reason, Visitor};

/// A part of an input that one thread works on.
#[derive(Debug)]
pub struct Unit {
    /// Its place among the units of its input, from 0.
    pub index: usize,
    /// Bytes of memory that it takes while it is worked on, about.
    pub weight: u64,
    /// What to read.
    pub payload: Payload,
}

/// A place between two units of an input, from which a later run can go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The units before it.
    pub units: usize,
    /// The byte where the next one begins in plain lines, or its first place in exchanged rows; 0 otherwise.
    pub offset: u64,
}

impl Position {
    /// Behind every unit.
    pub const END: Self = Self { units: usize::MAX, offset: u64::MAX };

    /// The earlier one of two places of the same input.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        if other.units < self.units { other } else { self }
    }
}

/// Asked again and again while something takes long; its error ends it.
pub type GoOn<'g> = &'g dyn Fn() -> Result<()>;

/// Cuts an input into units, one after the other.
pub trait Cutter: Send {
    /// The next unit; none behind the last. Decoding of a compressed stream happens here. `go_on` is asked again and
    /// again while it takes long.
    ///
    /// # Errors
    /// I/O failures and the error of `go_on`. Damaged content is no error: it reaches the visitor of `read`.
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>>;
}

impl Unit {
    /// The place behind it.
    #[must_use]
    pub fn after(&self) -> Position {
        let offset = match &self.payload {
            Payload::Range { end, .. } => *end,
            Payload::Places(places) => places.end,
            _ => 0,
        };
        Position { units: self.index + 1, offset }
    }

    /// The bytes that the books expect in it, where the cut alone tells.
    #[must_use]
    pub fn extent(&self) -> Option<u64> {
        match &self.payload {
            Payload::Range { start, end } => Some(end - start),
            Payload::Lines { data, .. } => Some(data.len() as u64),
            Payload::Oversized { bytes, .. } => Some(*bytes),
            _ => None,
        }
    }
}

/// What a unit holds or points at.
#[derive(Debug)]
pub enum Payload {
    /// Bytes `start..end` of a plain file: whole lines.
    Range {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// Whole lines, already decoded; `offset` is their place in the decoded stream.
    Lines {
        /// The decoded bytes.
        data: Vec<u8>,
        /// Place of the first byte in the decoded stream.
        offset: u64,
        /// Set where the compressed data broke off behind these bytes.
        broken: Option<Break>,
    },
    /// One line of a decoded stream that is over the limit on one record: never held as a whole.
    Oversized {
        /// Its first bytes.
        head: Vec<u8>,
        /// Its length with the line end.
        bytes: u64,
        /// Place of its first byte in the decoded stream.
        offset: u64,
    },
    /// Rows `first_row..first_row + rows` of one row group.
    RowGroup {
        /// The row group's index.
        group: usize,
        /// First row inside the group.
        first_row: usize,
        /// Number of rows.
        rows: usize,
    },
    /// One decoded record batch, or why it could not be decoded.
    Batch(std::result::Result<RecordBatch, String>),
    /// Files of a folder: a range of the sorted list.
    Files(std::ops::Range<usize>),
    /// Rows of an exchange, by their places.
    Places(std::ops::Range<u64>),
}

/// Why compressed data broke off.
#[derive(Clone, Debug)]
pub struct Break {
    /// What the rest of the line before goes to quarantine for.
    pub reason: Reason,
    /// One sentence more.
    pub detail: String,
}

/// What one unit leaves to be written.
#[derive(Debug)]
pub enum Piece {
    /// Kept lines, byte for byte.
    Bytes(Vec<u8>),
    /// Kept elements of an array, as they stand there: the end of each in `bytes`.
    Elements {
        /// One element behind the other.
        bytes: Vec<u8>,
        /// Where each ends.
        ends: Vec<usize>,
    },
    /// Kept rows.
    Batches(Vec<RecordBatch>),
    /// Kept rows of the row group of that number of the input of that name, which are not to be mixed with others.
    Group(Arc<str>, usize, Vec<RecordBatch>),
    /// Kept files: (path under the output, where to copy it from).
    Files(Vec<(PathBuf, PathBuf)>),
}

/// A set of slots of one unit.
pub type SlotMask = [bool];

/// Reusable buffers of one worker.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Raw bytes of a unit.
    pub bytes: Vec<u8>,
    /// Unescaped text.
    pub text: Vec<u8>,
}

/// A file, or a folder of text files, that a run reads.
pub trait Input: Send + Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Its name in ids and in the output: the path below the common folder of the inputs, with `/`.
    fn name(&self) -> &str;

    /// Bytes on disk, for progress.
    fn size_on_disk(&self) -> u64;

    /// Begins to cut at `from`, a place that an earlier pass over the same file has reached. A compressed file is decoded
    /// up to there, unparsed.
    ///
    /// # Errors
    /// I/O failures.
    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>>;

    /// Hands the records of `unit` to `visitor` in slot order; with `wanted`, only the slots set there.
    /// Every call gives the same slot to the same record.
    ///
    /// # Errors
    /// I/O failures and errors of the visitor.
    fn read(
        &self,
        unit: &Unit,
        fields: &Fields,
        wanted: Option<&SlotMask>,
        scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()>;

    /// The bytes that the books expect in `unit`, where the cut alone tells.
    fn extent(&self, unit: &Unit) -> Option<u64> {
        unit.extent()
    }

    /// The slots of `unit` that `copy` cannot copy although `read` may have read them, ascending, each with the reason. Costs
    /// as much as to copy all of them.
    ///
    /// # Errors
    /// I/O failures.
    fn uncopyable(&self, unit: &Unit) -> Result<Vec<(u32, String)>> {
        let _ = unit;
        Ok(Vec::new())
    }

    /// The records of `unit` whose slot is set in `keep`, ready to be written.
    ///
    /// # Errors
    /// `Error::Uncopyable` for one that is `uncopyable`, I/O failures, and a file that changed since it was read.
    fn copy(&self, unit: Unit, keep: &SlotMask, scratch: &mut Scratch) -> Result<Piece>;
}

/// What was written under one name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Written {
    /// Path of the finished file (or folder).
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// XXH3-128 of the file's bytes, 32 hex digits; of a folder, of the names and contents of its files.
    pub xxh3_128: String,
}

impl Written {
    /// A finished file of so many rows.
    pub(crate) fn of(file: Committed, rows: u64) -> Self {
        Self { path: file.path, rows, bytes: file.bytes, xxh3_128: file.xxh3_128 }
    }
}

/// How far an output is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Length of the file under construction up to there.
    pub bytes: u64,
    /// Rows that are in it as a whole.
    pub rows: u64,
    /// Bytes of the next row that are in it.
    pub inside: u64,
}

/// A file under construction. It appears under its final name at `finish` and not before.
pub trait Output: Send {
    /// Appends the piece of the next unit (called in order). `rows` is the number of kept records in it.
    ///
    /// # Errors
    /// I/O failures.
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()>;

    /// Makes what is complete so far outlive the process, and says how much that is: to go on there, the output is resumed
    /// and gets the rows behind the first `rows` again. Nothing if it cannot be resumed: standard output, Arrow IPC files,
    /// folders, compressed arrays. An output that was asked once stays on disk when it is dropped.
    ///
    /// # Errors
    /// I/O failures.
    fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        Ok(None)
    }

    /// Completes and commits the file.
    ///
    /// # Errors
    /// I/O failures; the temporary file is removed then.
    fn finish(self: Box<Self>) -> Result<Written>;

    /// The same of an output that is more than one file: all of them.
    ///
    /// # Errors
    /// As `finish`.
    fn finish_all(self: Box<Self>) -> Result<Vec<Written>> {
        Ok(vec![self.finish()?])
    }
}
