//! From amounts to whole documents.
//!
//! The rows of a cell in a random order, again and again, are its *stream*: one pass is an epoch. A phase takes the next
//! stretch of it, so each row is taken as often as the stretches hold it: floor or ceil of the epochs, in each phase and in all
//! of them together. A cut is where a stretch ends, as a number of documents.
//!
//! Sizes are seen twice, in any order, and not kept: first they are summed by ranges of places in the stream, then the
//! rows of those ranges in which a cut lies are looked at one by one. Memory is a million sums and the rows of these ranges.
//!
//! A cut lies where it is nearest to the amount. If a floor binds, each phase takes at least the amount of its cells and at most
//! that of all others, so that the floor is held; a cap is never exceeded.

use super::plan::{Bound, Plan};
use super::{Cell, plan::EQUAL};
use crate::error::{Error, Result};

/// Ranges of all cells together.
const RANGES: u64 = 1 << 20;
/// Ranges of one cell, and rows of a range that has few.
const RANGES_OF_A_CELL: u64 = 1 << 14;
const ROWS_OF_A_RANGE: u64 = 64;

/// The cuts of all streams, under construction.
#[derive(Debug)]
pub struct Cutting {
    cells: Vec<Stream>,
    is_second: bool,
}

/// Where the stretches of every stream end: for each cell, the documents before the end of each phase.
pub type Cuts = Vec<Vec<u64>>;

#[derive(Debug)]
struct Stream {
    documents: u64,
    size: u64,
    /// The greatest size that may be taken of it.
    most: f64,
    /// Sizes of ranges of places; empty where no cut lies inside a pass.
    sums: Vec<u64>,
    ends: Vec<End>,
}

/// The end of a stretch.
#[derive(Debug)]
struct End {
    rounding: Rounding,
    /// Whole passes before it.
    passes: u64,
    /// What is wanted of the pass in which it lies.
    rest: f64,
    /// The range of that pass in which it lies.
    range: u64,
    /// The size of what comes before its rows: those of the range and of its neighbours, by places and sizes.
    before: u64,
    rows: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    Down,
    Nearest,
    Up,
}

impl Cutting {
    /// Begins to cut the streams of cells for a plan. `most_epochs` of each source bounds its cells.
    #[must_use]
    pub fn new(plan: &Plan, cells: &[Cell], most_epochs: &[f64]) -> Self {
        let is_floor = |bound: &Bound| *bound == Bound::Floor;
        let has_floor = plan.phases.iter().any(|phase| phase.bounds.iter().any(is_floor));
        let ranges = (RANGES / cells.len().max(1) as u64).clamp(1, RANGES_OF_A_CELL);
        let stream = |place: usize| {
            let cell = &cells[place];
            let size = cell.size as f64;
            let mut wanted = 0.0;
            let end = |phase: &super::PhasePlan| {
                wanted += phase.amounts[place];
                let rounding = match phase.bounds[place] {
                    Bound::Floor => Rounding::Up,
                    Bound::Free if !has_floor => Rounding::Nearest,
                    Bound::Free | Bound::Cap | Bound::Ceiling => Rounding::Down,
                };
                let whole = (wanted / size).round();
                let is_whole = (wanted - whole * size).abs() <= wanted * EQUAL;
                let passes = if is_whole { whole } else { (wanted / size).floor() };
                let rest = if is_whole { 0.0 } else { wanted - passes * size };
                End { rounding, passes: passes as u64, rest, range: 0, before: 0, rows: Vec::new() }
            };
            let ends: Vec<End> =
                if cell.size == 0 { Vec::new() } else { plan.phases.iter().map(end).collect() };
            let is_inside = ends.iter().any(|end| end.rest > 0.0);
            let ranges = if is_inside { ranges.min(cell.documents.div_ceil(ROWS_OF_A_RANGE)) } else { 0 };
            let most = size * most_epochs[cell.source];
            Stream { documents: cell.documents, size: cell.size, most, sums: vec![0; ranges as usize], ends }
        };
        Self { cells: (0..cells.len()).map(stream).collect(), is_second: false }
    }

    /// Whether the sizes of rows have to be seen: not if only whole passes are taken.
    #[must_use]
    pub fn needs_sizes(&self) -> bool {
        self.cells.iter().any(|stream| !stream.sums.is_empty())
    }

    /// Sees a row: its cell, its place in the stream of that, and its size. All rows are seen, then [`Self::half`] is called, and
    /// all are seen again.
    pub fn see(&mut self, cell: usize, place: u64, size: u64) {
        let stream = &mut self.cells[cell];
        if stream.sums.is_empty() {
            return;
        }
        let range = range_of(place, stream.sums.len() as u64, stream.documents);
        if !self.is_second {
            stream.sums[range as usize] += size;
            return;
        }
        for end in &mut stream.ends {
            if end.rest > 0.0 && end.range.abs_diff(range) <= 1 {
                end.rows.push((place, size));
            }
        }
    }

    /// All rows have been seen once.
    ///
    /// # Errors
    /// [`Error::Conservation`] if their sizes are not those of the cells.
    pub fn half(&mut self) -> Result<()> {
        self.is_second = true;
        for stream in &mut self.cells {
            if stream.sums.is_empty() {
                continue;
            }
            let sum: u64 = stream.sums.iter().sum();
            if sum != stream.size {
                let message = format!("rows of a cell of size {} have the size {sum}", stream.size);
                return Err(Error::Conservation(message));
            }
            for end in &mut stream.ends {
                let mut before = 0;
                let inside = stream.sums.iter().position(|sum| {
                    before += sum;
                    before as f64 > end.rest
                });
                let range = inside.unwrap_or(stream.sums.len() - 1);
                let neighbour = range.checked_sub(1).map_or(0, |neighbour| stream.sums[neighbour]);
                (end.range, end.before) = (range as u64, before - stream.sums[range] - neighbour);
            }
        }
        Ok(())
    }

    /// The cuts, when all rows have been seen twice, or none if there was no need.
    #[must_use]
    pub fn finish(self) -> Cuts {
        self.cells.into_iter().map(Stream::cuts).collect()
    }
}

impl Stream {
    fn cuts(self) -> Vec<u64> {
        let size = self.size as f64;
        // By how much the last cut is behind its amount.
        let (mut last, mut drift) = (0, 0.0);
        let mut cuts = Vec::with_capacity(self.ends.len());
        for mut end in self.ends {
            end.rows.sort_unstable();
            // What a floor needs counts from the cut before, not from where that should have been.
            let rest = if end.rounding == Rounding::Nearest { end.rest } else { end.rest + drift };
            let (inside, sum) = if end.rest > 0.0 {
                let room = (self.most - end.passes as f64 * size) * (1.0 + EQUAL);
                end.inside(rest.clamp(0.0, size), room)
            } else {
                (0, 0.0)
            };
            last = (end.passes * self.documents + inside).max(last);
            drift = sum - end.rest;
            cuts.push(last);
        }
        cuts
    }
}

impl End {
    /// Documents of its pass before it, and their size.
    fn inside(&self, rest: f64, room: f64) -> (u64, f64) {
        let mut sum = self.before as f64;
        let mut place = self.rows.first().map_or(0, |(place, _)| *place);
        for (at, size) in &self.rows {
            let next = sum + *size as f64;
            if next > rest * (1.0 + EQUAL) {
                // This is the document in which the amount ends.
                let takes = match self.rounding {
                    Rounding::Down => false,
                    Rounding::Nearest => next - rest < rest - sum,
                    Rounding::Up => sum < rest * (1.0 - EQUAL),
                };
                return if takes && next <= room { (at + 1, next) } else { (*at, sum) };
            }
            (sum, place) = (next, at + 1);
        }
        (place, sum)
    }
}

/// The range in which a place lies.
fn range_of(place: u64, ranges: u64, documents: u64) -> u64 {
    (u128::from(place) * u128::from(ranges) / u128::from(documents.max(1))) as u64
}
