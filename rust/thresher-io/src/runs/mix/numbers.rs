//! Rows by their cells: a file with the cell and the size of each row, in order, in which single rows are found again.
//!
//! ```text
//! part: for each cell, how many of its rows come before (u64) | of each row: cell (u16), size (u64), bytes (u64)
//! ```
//!
//! It is made of the ledger at each start and holds 18 bytes a row. Memory is a block.

use std::path::Path;
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};

use super::measure::{BYTES, CELL, SIZE};
use crate::crew::lock;
use crate::error::{Error, Result};
use crate::runs::ledger::Ledger;
use crate::runs::progress::Progress;
use crate::runs::spill::file::{SpillFile, SpillWriter};

/// Rows of a block.
const BLOCK: usize = if cfg!(test) { 64 } else { 1 << 16 };
/// Bytes of a row.
const ROW: usize = 18;

/// The rows of a ledger, by number.
pub(super) struct Numbers {
    file: SpillFile,
    cells: usize,
    held: Mutex<Held>,
}

/// The block that was read last.
#[derive(Default)]
struct Held {
    block: Option<usize>,
    /// The cell of each row, and how many of that come before it.
    rows: Vec<(usize, u64)>,
}

/// A block under construction.
struct Block {
    file: SpillWriter,
    before: Vec<u64>,
    rows: Vec<(u16, u64, u64)>,
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberedRow {
    pub(super) cell: usize,
    /// Rows of the cell that come before it.
    pub(super) number: u64,
    pub(super) size: u64,
    /// Bytes of the inputs.
    pub(super) bytes: u64,
}

impl Block {
    fn push(&mut self, cell: usize, size: u64, bytes: u64) -> Result<()> {
        self.rows.push((cell as u16, size, bytes));
        if self.rows.len() == BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut part = Vec::with_capacity(8 * self.before.len() + ROW * self.rows.len());
        part.extend(self.before.iter().flat_map(|count| count.to_ne_bytes()));
        for (cell, size, bytes) in self.rows.drain(..) {
            part.extend_from_slice(&cell.to_ne_bytes());
            part.extend_from_slice(&size.to_ne_bytes());
            part.extend_from_slice(&bytes.to_ne_bytes());
            self.before[cell as usize] += 1;
        }
        self.file.part(&part)
    }
}

impl Numbers {
    /// Notes the rows of a ledger in a file at `path`. `place` gives the cell of what the ledger calls one; there are so many.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(super) fn new(
        ledger: &Ledger,
        path: &Path,
        cells: usize,
        place: impl Fn(usize) -> usize,
        progress: &Progress,
    ) -> Result<Self> {
        let mut file = SpillWriter::create(path)?;
        file.section();
        let mut block = Block { file, before: vec![0; cells], rows: Vec::new() };
        for unit in ledger.books() {
            progress.check()?;
            let unit = unit?;
            let Some(added) = ledger.rows(unit.input, unit.index)?.and_then(|rows| rows.added) else {
                continue;
            };
            let column = |name: &str| added.column_by_name(name);
            let (Some(cells), Some(sizes), Some(bytes)) = (column(CELL), column(SIZE), column(BYTES)) else {
                return Err(Error::Internal("a ledger of a mix has no cells".into()));
            };
            let (sizes, bytes) = (sizes.as_primitive::<UInt64Type>(), bytes.as_primitive::<UInt64Type>());
            let rows =
                cells.as_primitive::<UInt32Type>().values().iter().zip(sizes.values()).zip(bytes.values());
            for ((cell, size), bytes) in rows {
                block.push(place(*cell as usize), *size, *bytes)?;
            }
        }
        block.flush()?;
        Ok(Self { file: block.file.finish()?, cells, held: Mutex::default() })
    }

    /// The rows of a block.
    fn block(&self, block: usize) -> Result<impl Iterator<Item = NumberedRow>> {
        let mut part = Vec::new();
        self.file.read(0, block..block + 1, &mut part)?;
        let wide = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        let rows = part.split_off((8 * self.cells).min(part.len()));
        let mut before: Vec<u64> = part.chunks_exact(8).map(wide).collect();
        Ok((0..rows.len() / ROW).map(move |at| {
            let row = &rows[at * ROW..(at + 1) * ROW];
            let cell = row[..2].try_into().map_or(0, u16::from_ne_bytes) as usize;
            let number = before[cell];
            before[cell] += 1;
            NumberedRow { cell, number, size: wide(&row[2..10]), bytes: wide(&row[10..]) }
        }))
    }

    /// Hands over every row.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(super) fn each(&self, progress: &Progress, see: impl FnMut(NumberedRow)) -> Result<()> {
        let mut see = see;
        for block in 0..self.file.parts(0) {
            progress.check()?;
            self.block(block)?.for_each(&mut see);
        }
        Ok(())
    }

    /// The cell of a row and its number in that. Quick for rows one after the other.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn of(&self, row: u64) -> Result<(usize, u64)> {
        let block = (row / BLOCK as u64) as usize;
        let mut held = lock(&self.held);
        if held.block != Some(block) {
            held.rows = self.block(block)?.map(|row| (row.cell, row.number)).collect();
            held.block = Some(block);
        }
        let found = held.rows.get((row % BLOCK as u64) as usize).copied();
        found.ok_or_else(|| Error::Internal(format!("there is no row {row}")))
    }
}
