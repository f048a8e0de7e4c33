//! Spilled rows in the order of their places, as an input: a unit is a stretch of places, put together from a piece of each file.
//!
//! A unit has a bounded number of bytes, and where a range of places has more, because its rows are longer than those of others,
//! it is cut by what the tables of the files say. So memory holds a unit and no more, however the sizes lie.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;
use thresher_core::json::Fields;

use super::PlaceColumns;
use super::layout::Layout;
use super::rows::{Types, broken, decode, gathered};
use super::shards;
use super::spill::{ROWS, State, TABLES};
use crate::error::{Error, Result};
use crate::input::{Cutter, GoOn, Input, Payload, Piece, Position, Scratch, SlotMask, Unit};
use crate::readers::guard::guarded;
use crate::record::Visitor;
use crate::runs::books::Count;
use crate::runs::changed::{Changes, changed};
use crate::runs::source::Source;
use crate::runs::spill::file::SpillFile;

/// Bytes of an entry of a table: the place of a row in its range, and its length.
const ENTRY: usize = 8;
/// A row in lists takes so many bytes beside its own.
const LISTED: u64 = 32;

/// All rows, spilled.
pub(crate) struct Spilled {
    folder: PathBuf,
    layout: Layout,
    files: Vec<SpillFile>,
    types: Types,
    /// Bytes of each range.
    bytes: Vec<u64>,
    /// Rows that took no place; those in the books of whoever left them out have to be as many.
    pub(crate) left_out: u64,
    /// Tokens of the rows, where they have any; they are counted as they come from the inputs.
    pub(crate) tokens: u64,
    /// What an earlier run had read.
    pub(crate) earlier: Count,
}

impl Spilled {
    pub(super) fn new(
        folder: &Path,
        layout: Layout,
        files: Vec<SpillFile>,
        types: Types,
        state: &State,
        earlier: Count,
    ) -> Result<Self> {
        if state.placed != layout.places {
            return Err(broken(format!("{} of {} places are taken", state.placed, layout.places)));
        }
        let of_range = |range| files.iter().map(|file| file.parts_len(ROWS, range..range + 1)).sum();
        let bytes = (0..layout.ranges()).map(of_range).collect();
        Ok(Self {
            folder: folder.to_path_buf(),
            layout,
            files,
            types,
            bytes,
            left_out: state.left_out,
            tokens: state.tokens,
            earlier,
        })
    }

    /// How many rows there are in the end.
    pub(crate) fn places(&self) -> u64 {
        self.layout.places
    }

    /// Bytes of rows on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(SpillFile::bytes).sum()
    }

    /// The rows in shards, as inputs like one of those that they come from, with added columns.
    pub(crate) fn into_sources(
        self,
        shards: Vec<Range<u64>>,
        like: Source,
        columns: Option<&Arc<dyn PlaceColumns>>,
    ) -> Vec<Source> {
        let (count, spilled, like) = (shards.len(), Arc::new(self), Arc::new(like));
        let shard = |(shard, places): (usize, Range<u64>)| {
            let name = shards::name(shard, count, like.input().name());
            let (spilled, like, columns) = (spilled.clone(), like.clone(), columns.cloned());
            Source::Placed(Box::new(PlacedInput { spilled, like, name, places, columns }))
        };
        shards.into_iter().enumerate().map(shard).collect()
    }

    /// The rows of some places, in order.
    fn rows(&self, places: &Range<u64>) -> Result<Piece> {
        let ranges = self.layout.ranges_of(places);
        match self.types.get() {
            None => self.lines(places, ranges),
            Some(_) => self.columns(places, ranges),
        }
    }

    /// What the table of a file says of some ranges: the place and the length of each row, in the order of the rows.
    fn table(&self, file: &SpillFile, ranges: Range<usize>, to: &mut Vec<(u64, u32)>) -> Result<()> {
        let mut bytes = Vec::new();
        to.clear();
        for range in ranges {
            file.read(TABLES, range..range + 1, &mut bytes)?;
            let start = self.layout.range(range).start;
            to.extend(bytes.chunks_exact(ENTRY).map(|entry| {
                let number = |at: usize| entry[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
                (start + u64::from(number(0)), number(4))
            }));
        }
        Ok(())
    }

    fn lines(&self, places: &Range<u64>, ranges: Range<usize>) -> Result<Piece> {
        // Where each row is: its file, its place among the bytes of that, and its length.
        let mut found = Found::new(places);
        let (mut pieces, mut table, mut total) = (Vec::with_capacity(self.files.len()), Vec::new(), 0);
        for file in &self.files {
            let mut bytes = Vec::new();
            self.table(file, ranges.clone(), &mut table)?;
            let wanted = |&&(place, _): &&(u64, u32)| places.contains(&place);
            if table.iter().any(|row| wanted(&row)) {
                file.read(ROWS, ranges.clone(), &mut bytes)?;
            }
            let (mut at, mut kept) = (0, 0);
            let is_part = !table.iter().all(|row| wanted(&row));
            for &(place, len) in &table {
                let row = at..at + len as usize;
                at = row.end;
                if !places.contains(&place) {
                    continue;
                }
                if row.end > bytes.len() {
                    return Err(broken("a row lies outside of its file"));
                }
                let start = if is_part { kept } else { row.start };
                if is_part {
                    bytes.copy_within(row.clone(), kept);
                    kept += row.len();
                }
                total += row.len();
                found.put(place, (pieces.len() as u32, start, len))?;
            }
            if is_part {
                bytes.truncate(kept);
                bytes.shrink_to_fit();
            }
            pieces.push(bytes);
        }
        let mut bytes = Vec::with_capacity(total);
        let mut ends = Vec::with_capacity(if self.layout.elements { found.0.len() } else { 0 });
        for (piece, start, len) in found.all()? {
            bytes.extend_from_slice(&pieces[piece as usize][start..start + len as usize]);
            if self.layout.elements {
                ends.push(bytes.len());
            }
        }
        Ok(if self.layout.elements { Piece::Elements { bytes, ends } } else { Piece::Bytes(bytes) })
    }

    fn columns(&self, places: &Range<u64>, ranges: Range<usize>) -> Result<Piece> {
        let types = self.types.get().ok_or_else(|| broken("there are no columns"))?;
        let mut found = Found::new(places);
        let (mut batches, mut table): (Vec<RecordBatch>, _) = (Vec::new(), Vec::new());
        for file in &self.files {
            for range in ranges.clone() {
                self.table(file, range..range + 1, &mut table)?;
                let first = table.partition_point(|(place, _)| *place < places.start);
                let end = table.partition_point(|(place, _)| *place < places.end);
                if first == end {
                    continue;
                }
                let mut bytes = Vec::new();
                file.read(ROWS, range..range + 1, &mut bytes)?;
                let mut batch = decode(bytes, types)?;
                if batch.num_rows() != table.len() {
                    return Err(broken("a part has other rows than its table"));
                }
                if end - first < table.len() {
                    let rows: Vec<_> = (first..end).map(|row| (0, row)).collect();
                    batch = guarded(|| gathered(&[&batch], &rows)).map_err(broken)?;
                }
                for (row, (place, _)) in table[first..end].iter().enumerate() {
                    found.put(*place, (batches.len(), row))?;
                }
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return Ok(Piece::Batches(Vec::new()));
        }
        let rows: Vec<_> = found.all()?.collect();
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        Ok(Piece::Batches(vec![guarded(|| gathered(&batches, &rows)).map_err(broken)?]))
    }

    /// The stretch of places that begins at `from`, before `end`, and the bytes of its rows.
    fn stretch(&self, from: u64, end: u64) -> Result<(Range<u64>, u64)> {
        let first = self.layout.ranges_of(&(from..from + 1)).start;
        let (mut bytes, mut range) = (self.bytes[first], first + 1);
        if bytes > self.layout.unit_bytes {
            return self.stretch_within(first, from, end.min(self.layout.range(first).end));
        }
        while range < self.bytes.len()
            && self.layout.range(range).start < end
            && bytes + self.bytes[range] <= self.layout.unit_bytes
        {
            bytes += self.bytes[range];
            range += 1;
        }
        Ok((from..end.min(self.layout.range(range - 1).end), bytes))
    }

    /// The same of a range that is longer than a unit may be.
    fn stretch_within(&self, range: usize, from: u64, end: u64) -> Result<(Range<u64>, u64)> {
        let mut sizes = vec![0_u32; (end - from) as usize];
        let mut table = Vec::new();
        for file in &self.files {
            self.table(file, range..range + 1, &mut table)?;
            // Of columns only the sum is known.
            let mean = file.parts_len(ROWS, range..range + 1) / table.len().max(1) as u64;
            for (place, len) in &table {
                if (from..end).contains(place) {
                    let len = if self.types.get().is_some() { mean as u32 } else { *len };
                    sizes[(place - from) as usize] = len;
                }
            }
        }
        let (mut bytes, mut rows) = (0, 0);
        for size in sizes {
            if rows > 0 && bytes + u64::from(size) > self.layout.unit_bytes {
                break;
            }
            bytes += u64::from(size);
            rows += 1;
        }
        Ok((from..from + rows, bytes))
    }
}

/// What is known of the row of each of some places.
struct Found<T>(Vec<Option<T>>, u64);

impl<T> Found<T> {
    fn new(places: &Range<u64>) -> Self {
        Self((places.start..places.end).map(|_| None).collect(), places.start)
    }

    /// Notes a row.
    fn put(&mut self, place: u64, row: T) -> Result<()> {
        match self.0.get_mut((place - self.1) as usize) {
            Some(slot @ None) => *slot = Some(row),
            _ => return Err(broken(format!("place {place} is taken twice"))),
        }
        Ok(())
    }

    /// All rows in order.
    fn all(self) -> Result<impl Iterator<Item = T>> {
        match self.0.iter().position(Option::is_none) {
            Some(at) => Err(broken(format!("place {} is not taken", self.1 + at as u64))),
            None => Ok(self.0.into_iter().flatten()),
        }
    }
}

/// A shard of the places, as an input.
pub(crate) struct PlacedInput {
    spilled: Arc<Spilled>,
    /// One of the inputs that the rows come from.
    like: Arc<Source>,
    name: String,
    places: Range<u64>,
    columns: Option<Arc<dyn PlaceColumns>>,
}

impl PlacedInput {
    /// An input in whose format the rows are.
    pub(crate) fn like(&self) -> &Source {
        &self.like
    }

    /// The columns that are added.
    pub(crate) fn columns(&self) -> &[FieldRef] {
        self.columns.as_ref().map_or(&[], |columns| columns.fields())
    }

    /// All rows of a unit, with their number and bytes.
    ///
    /// # Errors
    /// I/O failures; `Error::Internal` for files that are not what was written.
    pub(crate) fn all(&self, unit: &Unit) -> Result<(Piece, u64, u64)> {
        let Payload::Places(places) = &unit.payload else { return Err(foreign()) };
        let (piece, rows) = (self.spilled.rows(places)?, places.end - places.start);
        let piece = match &self.columns {
            None => piece,
            Some(columns) => {
                let added = Some(columns.of(places.clone())?);
                changed(piece, &vec![true; rows as usize], Changes { added, ..Changes::default() })?
            }
        };
        Ok((piece, rows, unit.weight / 2))
    }
}

fn foreign() -> Error {
    broken("a unit of another format came to them")
}

impl Input for PlacedInput {
    fn path(&self) -> &Path {
        &self.spilled.folder
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn size_on_disk(&self) -> u64 {
        let (all, ours) = (self.spilled.layout.places.max(1), self.places.end - self.places.start);
        (u128::from(self.spilled.bytes()) * u128::from(ours) / u128::from(all)) as u64
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        let next = if from.units == 0 { self.places.start } else { from.offset };
        Ok(Box::new(Stretches { input: self, next, index: from.units }))
    }

    fn read(
        &self,
        _: &Unit,
        _: &Fields,
        _: Option<&SlotMask>,
        _: &mut Scratch,
        _: &mut dyn Visitor,
    ) -> Result<()> {
        Err(broken("they are written before they are read"))
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, _: &mut Scratch) -> Result<Piece> {
        let (piece, rows, _) = self.all(&unit)?;
        let is_all = keep.len() as u64 == rows && !keep.contains(&false);
        if is_all { Ok(piece) } else { Err(broken("they are copied all together")) }
    }
}

/// Cuts places into stretches.
struct Stretches<'i> {
    input: &'i PlacedInput,
    next: u64,
    index: usize,
}

impl Cutter for Stretches<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        go_on()?;
        let end = self.input.places.end;
        if self.next >= end {
            return Ok(None);
        }
        let (places, bytes) = self.input.spilled.stretch(self.next, end)?;
        let (index, rows) = (self.index, places.end - places.start);
        self.next = places.end;
        self.index += 1;
        // Rows are held as they are spilled and as they are written.
        Ok(Some(Unit { index, weight: 2 * bytes + LISTED * rows, payload: Payload::Places(places) }))
    }
}
