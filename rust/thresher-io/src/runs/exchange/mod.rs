//! The exchange: rows go to places all over the output, whatever their number, in bounded memory.
//!
//! ```text
//! rows, in order ─ order: places of each ─> held ─> task files, by ranges of places ─ one range after the other ─> rows by place
//! ```
//!
//! An [`Order`] says where each row goes: to one place, to several (copies), or to none. Places are numbers from 0 on, each of
//! which is taken once. Rows are read through what earlier steps have decided, held up to a share of the memory, and spilled, sorted by
//! place ([`spill`]). Then every stretch of places is put together from a piece of each file ([`placed`]) and read like an
//! input: by the last pass, which writes, or by the next step. The disk takes each placed row once, at its size, and 8 bytes.
//!
//! What is written depends on the order alone: not on memory, threads, the borders of the files, or where a run was stopped.

pub(crate) mod census;
mod layout;
mod placed;
mod rows;
pub(crate) mod shards;
mod spill;
#[cfg(test)]
mod tests;

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;

use crate::crew::Crew;
use crate::error::Result;
use crate::runs::memory::Memory;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
pub(crate) use placed::{PlacedInput, Spilled};

/// A row, by how many come before it. Rows that earlier steps have taken out do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowNumber {
    pub(crate) input: usize,
    /// Rows before it in its input.
    pub(crate) row: u64,
    /// Rows before it in all inputs.
    pub(crate) of_all: u64,
}

/// Where rows go.
pub(crate) trait Order: Sync {
    /// How many places there are. Each of them has to be taken once.
    fn places(&self) -> u64;

    /// Appends the places of a row: none if it is left out, several if it is copied.
    ///
    /// # Errors
    /// I/O failures of whoever looks them up.
    fn of(&self, row: RowNumber, places: &mut Vec<u64>) -> Result<()>;
}

/// Columns that are known from the place of a row alone.
pub(crate) trait PlaceColumns: Send + Sync {
    /// What they are. A column of a name that is there already is replaced.
    fn fields(&self) -> &[FieldRef];

    /// Their values at some places.
    ///
    /// # Errors
    /// `Error::Internal` only.
    fn of(&self, places: Range<u64>) -> Result<RecordBatch>;
}

/// An exchange of rows.
pub(crate) struct Exchange<'e> {
    /// Where the rows are, seen through what was decided on them. All of one format, and prepared for one output
    /// ([`crate::runs::plan::Plan::join`]).
    pub(crate) sources: &'e [Source],
    pub(crate) order: &'e dyn Order,
    pub(crate) crew: &'e Crew,
    pub(crate) memory: Memory,
    pub(crate) progress: &'e Progress,
    /// Rows of JSON become elements of an array, which may have line ends inside.
    pub(crate) elements: bool,
    /// About the bytes of all places, by which the disk is cut into ranges.
    pub(crate) bytes: u64,
}
