//! Pieces on their way to their bins: held, spilled by ranges of bins, and read range by range.
//!
//! ```text
//! task file: range 0: piece piece ... | range 1: ... |      a piece: head, tokens (uint32), mask (bytes), document (UTF-8)
//! ```
//!
//! A range is a number of consecutive bins that fit in memory together. A task holds rows up to a share of the memory; its file
//! has the pieces of each range as one part, with a checksum. The disk takes every token once, at 4 bytes and its mask.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use thresher_tokens::pack::{Bins, Form, Piece, Segment, Sum, Tokens};

use super::rows::Rows;
use crate::error::{Error, Result};
use crate::runs::memory::Memory;
use crate::runs::spill::file::{SpillFile, SpillWriter};
use crate::runs::spill::tasks;

/// Bytes of the pieces of a range: enough to read at once, and several of them fit in memory.
const RANGE_BYTES: u64 = if cfg!(test) { 300 } else { 4 << 20 };
/// A range of a spill file is known by so many bytes, and all of them together take this share of the tables.
const RANGE_ENTRY: u64 = 32;
const ENTRIES_PART: u64 = 16;
/// Bytes of rows that are held until they are spilled.
const MOST_TASK: u64 = 256 << 20;
/// Numbers in front of a piece, of 4 bytes each.
const HEAD: usize = 9;

/// Bins and their ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) bins: u32,
    /// Bins of a range; the last one may have fewer.
    width: u32,
}

impl Layout {
    /// The ranges of so many bins with so many tokens in all.
    pub(super) fn new(bins: u32, tokens: u64, memory: Memory) -> Self {
        let bytes = tokens.saturating_mul(4);
        let tasks = bytes.div_ceil(task_bytes(memory)).max(1);
        let known = (memory.part(ENTRIES_PART) / RANGE_ENTRY / tasks).max(1);
        let ranges = bytes.div_ceil(RANGE_BYTES).clamp(1, known);
        Self { bins, width: u64::from(bins).div_ceil(ranges).max(1) as u32 }
    }

    /// How many ranges there are.
    pub(super) fn ranges(self) -> usize {
        self.bins.div_ceil(self.width) as usize
    }

    fn range_of(self, bin: u32) -> usize {
        (bin / self.width) as usize
    }

    fn bins_of(self, range: usize) -> std::ops::Range<u32> {
        let start = range as u32 * self.width;
        start..self.bins.min(start.saturating_add(self.width))
    }
}

fn task_bytes(memory: Memory) -> u64 {
    if cfg!(test) { 2000 } else { memory.part(3).min(MOST_TASK) }
}

/// A piece of a row that is held.
struct Placed {
    unit: u32,
    row: u32,
    sequence: u64,
    piece: Piece,
}

/// The name of the row at a slot of an input.
type NameOfRow<'n> = dyn Fn(usize, u64) -> Result<String> + Sync + 'n;

/// Rows that are held until they are spilled, and the files of those before.
pub(super) struct Tasks<'t> {
    folder: &'t Path,
    layout: Layout,
    most: u64,
    names: &'t NameOfRow<'t>,
    held: Vec<Rows>,
    placed: Vec<Placed>,
    bytes: u64,
    files: usize,
}

impl<'t> Tasks<'t> {
    /// No rows yet. `names` names a row without a document.
    pub(super) fn new(folder: &'t Path, layout: Layout, names: &'t NameOfRow<'t>, memory: Memory) -> Self {
        let most = task_bytes(memory);
        Self { folder, layout, most, names, held: Vec::new(), placed: Vec::new(), bytes: 0, files: 0 }
    }

    /// Notes where a piece of a row of the unit that is held next goes.
    pub(super) fn place(&mut self, row: u32, sequence: u64, piece: Piece) {
        self.placed.push(Placed { unit: self.held.len() as u32, row, sequence, piece });
    }

    /// Holds the rows whose pieces were placed, and spills all if they are enough.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for a row that cannot be packed, which `path` has.
    pub(super) fn hold(&mut self, rows: Rows, path: &Path) -> Result<()> {
        self.bytes += rows.bytes;
        self.held.push(rows);
        if self.bytes + (size_of::<Placed>() * self.placed.len()) as u64 >= self.most {
            self.spill(path)?;
        }
        Ok(())
    }

    /// Spills what is held; gives the number of files.
    ///
    /// # Errors
    /// As `hold`.
    pub(super) fn finish(mut self, path: &Path) -> Result<usize> {
        self.spill(path)?;
        Ok(self.files)
    }

    fn spill(&mut self, path: &Path) -> Result<()> {
        let mut placed = std::mem::take(&mut self.placed);
        placed.sort_unstable_by_key(|placed| (placed.piece.bin, placed.piece.offset));
        let mut file = SpillWriter::create(&tasks::path(self.folder, self.files))?;
        file.section();
        let (mut part, mut scratch) = (Vec::new(), Vec::new());
        let mut rest = &placed[..];
        for range in 0..self.layout.ranges() {
            let count = rest.partition_point(|placed| self.layout.range_of(placed.piece.bin) <= range);
            let (here, behind) = rest.split_at(count);
            rest = behind;
            part.clear();
            for placed in here {
                self.encode(placed, path, &mut part, &mut scratch)?;
            }
            file.part(&part)?;
        }
        file.finish()?;
        self.files += 1;
        self.held.clear();
        self.bytes = 0;
        Ok(())
    }

    fn encode(&self, placed: &Placed, path: &Path, part: &mut Vec<u8>, scratch: &mut Vec<u32>) -> Result<()> {
        let Placed { unit, row, sequence, piece } = placed;
        let (rows, row) = (&self.held[*unit as usize], *row as usize);
        let tokens = rows.tokens(row).unwrap_or(Tokens::U32(&[]));
        let (from, to) = (piece.start as usize, piece.start as usize + piece.length as usize);
        let inside = from..to.min(tokens.len());
        let named;
        let document = if let Some(document) = rows.document(row) {
            document
        } else {
            let (input, slot) = rows.place(row);
            named = (self.names)(input, slot)?;
            &named
        };
        let mask = rows.mask(row);
        let ended = to > tokens.len();
        let learned = mask.as_ref().is_none_or(|mask| mask.last().is_some_and(|bit| bit != 0));
        let head = [
            piece.bin,
            piece.offset,
            inside.len() as u32,
            *sequence as u32,
            (*sequence >> 32) as u32,
            piece.start as u32,
            (piece.start >> 32) as u32,
            u32::from(ended) | u32::from(learned) << 1,
            document.len() as u32,
        ];
        for number in head {
            part.extend_from_slice(&number.to_ne_bytes());
        }
        scratch.clear();
        if !tokens.within(inside.clone()).append_to(scratch) {
            let message = format!("document `{document}` has an id below 0 or above {}", u32::MAX);
            return Err(Error::data(path, message));
        }
        for token in scratch.iter() {
            part.extend_from_slice(&token.to_ne_bytes());
        }
        if let Some(mask) = mask {
            let fits = mask.len() == tokens.len();
            scratch.clear();
            if !fits || !mask.within(inside).append_to(scratch) || scratch.iter().any(|&bit| bit > 1) {
                let message =
                    format!("the mask of document `{document}` is not one 0 or 1 for each of its tokens");
                return Err(Error::data(path, message));
            }
            part.extend(scratch.iter().map(|&bit| bit as u8));
        }
        part.extend_from_slice(document.as_bytes());
        Ok(())
    }
}

/// All pieces, spilled.
pub(super) struct Spilled {
    pub(super) folder: PathBuf,
    pub(super) layout: Layout,
    pub(super) form: Form,
    pub(super) end: Option<u32>,
    pub(super) files: Vec<SpillFile>,
}

impl Spilled {
    /// Bytes of a range.
    pub(super) fn bytes(&self, range: usize) -> u64 {
        self.files.iter().map(|file| file.parts_len(0, range..range + 1)).sum()
    }

    /// The bins of a range, with the sums of their tokens and masks.
    ///
    /// # Errors
    /// I/O failures, and files that are not what was written.
    pub(super) fn bins(&self, range: usize) -> Result<(RecordBatch, Sum, Sum)> {
        let mut parts = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let mut bytes = Vec::new();
            file.read(0, range..range + 1, &mut bytes)?;
            parts.push(bytes);
        }
        let mut stored = Vec::new();
        for part in &parts {
            let mut rest = &part[..];
            while !rest.is_empty() {
                stored.push(Stored::next(&mut rest, self.form.masked).ok_or_else(|| self.broken())?);
            }
        }
        stored.sort_unstable_by_key(|piece| (piece.bin, piece.offset));
        let range = self.layout.bins_of(range);
        let filled = stored.iter().map(|piece| piece.tokens.len() / 4 + 1).sum();
        let room = self.form.pad.map_or(filled, |(context, _)| range.len() * context as usize);
        let mut bins = Bins::new(self.form, room);
        let (mut scratch, mut stored) = (Vec::new(), stored.iter().peekable());
        for bin in range {
            let mut filled = 0;
            while let Some(piece) = stored.next_if(|piece| piece.bin == bin) {
                if piece.offset != filled {
                    return Err(self.broken());
                }
                filled += piece.push_to(&mut bins, self.end, &mut scratch)?;
            }
            bins.end_bin()?;
        }
        if stored.next().is_some() {
            return Err(self.broken());
        }
        Ok(bins.finish()?)
    }

    fn broken(&self) -> Error {
        Error::Internal(format!("the pieces in `{}` are not those that were placed", self.folder.display()))
    }
}

/// A piece as it lies in a part.
struct Stored<'p> {
    bin: u32,
    offset: u32,
    sequence: u64,
    start: u64,
    ended: bool,
    learned: bool,
    tokens: &'p [u8],
    mask: Option<&'p [u8]>,
    document: &'p str,
}

impl<'p> Stored<'p> {
    fn next(rest: &mut &'p [u8], masked: bool) -> Option<Self> {
        let mut head = [0u32; HEAD];
        for number in &mut head {
            *number = u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?);
        }
        let [bin, offset, tokens, sequence, sequence_high, start, start_high, flags, document] = head;
        let wide = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Some(Self {
            bin,
            offset,
            sequence: wide(sequence, sequence_high),
            start: wide(start, start_high),
            ended: flags & 1 != 0,
            learned: flags & 2 != 0,
            tokens: take(rest, 4 * tokens as usize)?,
            mask: if masked { Some(take(rest, tokens as usize)?) } else { None },
            document: std::str::from_utf8(take(rest, document as usize)?).ok()?,
        })
    }

    /// Puts the piece behind what its bin has; gives its tokens.
    fn push_to(&self, bins: &mut Bins, end: Option<u32>, scratch: &mut Vec<u32>) -> Result<u32> {
        scratch.clear();
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_ne_bytes);
        scratch.extend(self.tokens.chunks_exact(4).map(number));
        let end = end.filter(|_| self.ended).map(|end| (end, self.learned));
        bins.push(Segment {
            sequence: self.sequence,
            start: self.start,
            tokens: Tokens::U32(scratch),
            mask: self.mask.map(Tokens::U8),
            end,
            document: Some(self.document),
        })?;
        Ok(scratch.len() as u32 + u32::from(end.is_some()))
    }
}

fn take<'p>(rest: &mut &'p [u8], count: usize) -> Option<&'p [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}
