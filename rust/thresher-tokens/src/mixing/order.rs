//! How often a row is taken, and where its copies go.
//!
//! Nothing is stored: the place of a row in the stream of its cell is computed by a permutation, the cuts say which of its
//! passes belong to which phase, and the place within a phase is computed too. A phase is a random order of all its copies, or an
//! even one: the `j`-th of `m` documents of a source stands at `(2j + 1) / 2m` of the phase, so that each stretch has of each
//! source what is due, to within a document. That is what a greedy choice of the source that is most behind comes to
//! (as in Megatron's blending), but any place can be computed by itself.

use super::Cell;
use super::cut::Cuts;
use crate::permute::Permutation;

/// The order of the copies of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// At random.
    Shuffled,
    /// Sources in turn, as even as their numbers of documents allow; the documents of each at random.
    Interleaved,
}

/// A row that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its place in the mix, from 0.
    pub place: u64,
    /// The phase in which that is.
    pub phase: usize,
    /// How often the row was taken before.
    pub epoch: u64,
}

/// What stands at a place of the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The cell of the row.
    pub cell: usize,
    /// The phase.
    pub phase: usize,
    /// How often the row was taken before.
    pub epoch: u64,
}

/// Where every row goes.
#[derive(Clone, Debug)]
pub struct MixOrder {
    cells: Vec<CellOrder>,
    phases: Vec<PhaseOrder>,
    len: u64,
}

#[derive(Clone, Debug)]
struct CellOrder {
    source: usize,
    stream: Permutation,
    /// Documents of the stream before the end of each phase.
    cuts: Vec<u64>,
    /// Of each phase, the documents of the source, or of all sources, that are counted before those of the cell.
    before: Vec<u64>,
}

#[derive(Clone, Debug)]
struct PhaseOrder {
    first: u64,
    /// The orders of all documents, or of those of each source.
    orders: Vec<Permutation>,
    /// For each order, the cells that have any of its documents, and how many are counted before theirs.
    cells: Vec<Vec<(u64, usize)>>,
    arrangement: Arrangement,
}

/// What a seed is drawn for.
const STREAMS: u64 = 1 << 32;
const PHASES: u64 = 2 << 32;

/// The order of the rows of a cell, again and again.
#[must_use]
pub fn stream_of(seed: u64, cell: usize, documents: u64) -> Permutation {
    Permutation::new(documents, seed, STREAMS + cell as u64)
}

impl MixOrder {
    /// The order for cells of so many sources that are cut so.
    #[must_use]
    pub fn new(cells: &[Cell], sources: usize, cuts: Cuts, seed: u64, arrangement: Arrangement) -> Self {
        let phases = cuts.iter().map(Vec::len).max().unwrap_or(0);
        let groups = if arrangement == Arrangement::Shuffled { 1 } else { sources };
        let mut counts = vec![vec![0; groups]; phases];
        let mut cells_of = vec![vec![Vec::new(); groups]; phases];
        let mut orders = Vec::with_capacity(cells.len());
        for (place, (cell, mut cuts)) in cells.iter().zip(cuts).enumerate() {
            // An empty cell has no cuts.
            cuts.resize(phases, cuts.last().copied().unwrap_or(0));
            let group = if groups == 1 { 0 } else { cell.source };
            let mut before = Vec::with_capacity(phases);
            for (phase, cut) in cuts.iter().enumerate() {
                let taken = cut - start(&cuts, phase);
                before.push(counts[phase][group]);
                if taken > 0 {
                    cells_of[phase][group].push((counts[phase][group], place));
                }
                counts[phase][group] += taken;
            }
            let stream = stream_of(seed, place, cell.documents);
            orders.push(CellOrder { source: cell.source, stream, cuts, before });
        }
        let mut first = 0;
        let mut phases = Vec::with_capacity(counts.len());
        for (phase, (counts, cells)) in (0..).zip(counts.into_iter().zip(cells_of)) {
            let seed_of = |group: u64| PHASES + phase * (1 << 20) + group;
            let order = |(group, count): (u64, &u64)| Permutation::new(*count, seed, seed_of(group));
            let orders = (0..).zip(&counts).map(order).collect();
            phases.push(PhaseOrder { first, orders, cells, arrangement });
            first += counts.iter().sum::<u64>();
        }
        Self { cells: orders, phases, len: first }
    }

    /// How many rows the mix has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What stands at a place; none behind the last.
    #[must_use]
    pub fn at(&self, place: u64) -> Option<Placed> {
        if place >= self.len {
            return None;
        }
        let phase = self.phases.partition_point(|phase| phase.first <= place) - 1;
        let (cell, number) = self.phases[phase].at(place)?;
        let order = &self.cells[cell];
        let at = number - order.before[phase] + start(&order.cuts, phase);
        Some(Placed { cell, phase, epoch: at / order.stream.len() })
    }

    /// The first place of each phase.
    pub fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        self.phases.iter().map(|phase| phase.first)
    }

    /// The copies of the `number`-th row of a cell, in the order in which they are taken.
    pub fn copies(&self, cell: usize, number: u64) -> impl Iterator<Item = Taken> + '_ {
        let order = &self.cells[cell];
        let documents = order.stream.len();
        let first = order.stream.place(number).unwrap_or(0);
        let end = if number < documents { order.cuts.last().copied().unwrap_or(0) } else { 0 };
        let passes = (first..end).step_by(documents.max(1) as usize);
        passes.zip(0..).map(move |(at, epoch)| {
            let phase = order.cuts.partition_point(|cut| *cut <= at);
            let number = order.before[phase] + at - start(&order.cuts, phase);
            Taken { place: self.phases[phase].place(order.source, number), phase, epoch }
        })
    }
}

/// Where the stretch of a phase begins.
fn start(cuts: &[u64], phase: usize) -> u64 {
    phase.checked_sub(1).map_or(0, |before| cuts[before])
}

impl PhaseOrder {
    fn place(&self, source: usize, number: u64) -> u64 {
        match self.arrangement {
            Arrangement::Shuffled => self.first + self.orders[0].place(number).unwrap_or(0),
            Arrangement::Interleaved => {
                self.first + self.even(source, self.orders[source].place(number).unwrap_or(0))
            }
        }
    }

    /// How many documents stand before the `number`-th of a source.
    fn even(&self, source: usize, number: u64) -> u64 {
        let count = u128::from(self.orders[source].len());
        let at = 2 * u128::from(number) + 1;
        // Of another source, all that stand before: (2j + 1) / 2m < at / 2 count, or at the same point by order.
        let before = self.orders.iter().enumerate().map(|(other, order)| {
            let scaled = at * u128::from(order.len());
            if other == source { u128::from(number) } else { ahead(scaled, count, other < source) }
        });
        before.sum::<u128>() as u64
    }

    /// The cell of what stands at a place, and its number in the order of that.
    fn at(&self, place: u64) -> Option<(usize, u64)> {
        let inside = place - self.first;
        let (group, number) = match self.arrangement {
            Arrangement::Shuffled => (0, self.orders[0].row(inside)?),
            Arrangement::Interleaved => {
                let found = (0..self.orders.len()).find_map(|source| {
                    let number =
                        first_from(self.orders[source].len(), |number| self.even(source, number) >= inside);
                    let is_it = number < self.orders[source].len() && self.even(source, number) == inside;
                    is_it.then_some((source, number))
                });
                let (source, number) = found?;
                (source, self.orders[source].row(number)?)
            }
        };
        let cells = &self.cells[group];
        let at = cells.partition_point(|(before, _)| *before <= number).checked_sub(1)?;
        Some((cells[at].1, number))
    }
}

/// The first of the numbers below `end` for which something holds that holds from there on.
fn first_from(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (0, end);
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

/// How many `j` there are with `(2j + 1) count < scaled`, or not above it if `ties`.
fn ahead(scaled: u128, count: u128, ties: bool) -> u128 {
    let odd = if ties { scaled / count } else { scaled.saturating_sub(1) / count };
    odd.div_ceil(2)
}
