//! What was asked for against what came out, by phase, source, and value.

use serde::Serialize;
use thresher_tokens::mixing::{Bound, Cell, Plan, Wishes};

use crate::runs::books::Count;

/// What came out, by phase and cell.
pub(super) struct Achieved {
    cells: usize,
    /// Documents and size of each cell in each phase.
    taken: Vec<(u64, u64)>,
    /// Rows that are in the mix, and rows that are not, with the bytes of the inputs.
    pub(super) used: Count,
    pub(super) unused: Count,
}

impl Achieved {
    pub(super) fn new(phases: usize, cells: usize) -> Self {
        Self { cells, taken: vec![(0, 0); phases * cells], used: Count::default(), unused: Count::default() }
    }

    /// A copy of a row is in a phase.
    pub(super) fn take(&mut self, phase: usize, cell: usize, size: u64) {
        let taken = &mut self.taken[phase * self.cells + cell];
        *taken = (taken.0 + 1, taken.1 + size);
    }

    /// A row has so many copies.
    pub(super) fn row(&mut self, copies: u64, bytes: u64) {
        if copies > 0 { self.used.add(1, bytes) } else { self.unused.add(1, bytes) }
    }

    /// The size of a cell in a phase.
    pub(super) fn size(&self, phase: usize, cell: usize) -> u64 {
        self.taken[phase * self.cells + cell].1
    }
}

/// The mix as a table.
#[derive(Clone, Debug, Serialize)]
pub struct MixTable {
    /// What sizes count.
    pub unit: String,
    /// The size that was asked for.
    pub target: Option<u64>,
    /// The size of the mix.
    pub size: u64,
    /// Documents in it, copies included.
    pub documents: u64,
    /// What there was, and how often it was taken.
    pub sources: Vec<SourceLine>,
    /// Each stretch of it.
    pub phases: Vec<PhaseTable>,
}

/// A source in all of the mix.
#[derive(Clone, Debug, Serialize)]
pub struct SourceLine {
    /// Its name.
    pub source: String,
    /// Its size, and documents.
    pub size: u64,
    /// Its documents.
    pub documents: u64,
    /// What was taken of it, copies included.
    pub taken: u64,
    /// How often it was taken: the size of what was taken by its own.
    pub epochs: f64,
    /// How often it may be taken.
    pub max_epochs: f64,
}

/// One phase of a mix.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseTable {
    /// Its name.
    pub phase: String,
    /// The size that was planned.
    pub planned: f64,
    /// Its size.
    pub size: u64,
    /// Documents in it, copies included.
    pub documents: u64,
    /// By source.
    pub sources: Vec<ShareLine>,
    /// By value of the fields that have floors or ceilings.
    pub values: Vec<ValueLine>,
}

/// A source in a phase; shares are of the phase.
#[derive(Clone, Debug, Serialize)]
pub struct ShareLine {
    /// Its name.
    pub source: String,
    /// What its weight asks for.
    pub asked: f64,
    /// What caps, floors and ceilings leave of that.
    pub planned: f64,
    /// What came out.
    pub achieved: f64,
    /// Its size.
    pub size: u64,
    /// Its documents.
    pub documents: u64,
    /// What kept it from its weight: `max_epochs`, `floor`, `ceiling`.
    pub bound_by: Vec<&'static str>,
}

/// A value in a phase; shares are of the phase.
#[derive(Clone, Debug, Serialize)]
pub struct ValueLine {
    /// The field.
    pub field: String,
    /// The value.
    pub value: String,
    /// Its least share.
    pub floor: f64,
    /// Its greatest share.
    pub ceiling: f64,
    /// What came out.
    pub achieved: f64,
    /// Its size.
    pub size: u64,
}

/// The table of a mix.
pub(super) fn table(wishes: &Wishes, cells: &[Cell], plan: &Plan, achieved: &Achieved) -> MixTable {
    let phases: Vec<PhaseTable> =
        (0..plan.phases.len()).map(|phase| phase_table(wishes, cells, plan, achieved, phase)).collect();
    let of_source = |place: usize| {
        let source = &wishes.sources[place];
        let of = |part: &dyn Fn(&Cell) -> u64| -> u64 {
            cells.iter().filter(|cell| cell.source == place).map(part).sum()
        };
        let size = of(&|cell| cell.size);
        let taken: u64 = phases.iter().map(|phase| phase.sources[place].size).sum();
        SourceLine {
            source: source.name.clone(),
            size,
            documents: of(&|cell| cell.documents),
            taken,
            epochs: share(taken as f64, size as f64),
            max_epochs: source.most_epochs(),
        }
    };
    MixTable {
        unit: wishes.unit.clone(),
        target: wishes.target,
        size: phases.iter().map(|phase| phase.size).sum(),
        documents: phases.iter().map(|phase| phase.documents).sum(),
        sources: (0..wishes.sources.len()).map(of_source).collect(),
        phases,
    }
}

fn phase_table(
    wishes: &Wishes,
    cells: &[Cell],
    plan: &Plan,
    achieved: &Achieved,
    phase: usize,
) -> PhaseTable {
    let planned = &plan.phases[phase];
    // Amount that was planned, documents and size that came out.
    let sum = |of: &dyn Fn(&Cell) -> bool| {
        let these = cells.iter().enumerate().filter(|(_, cell)| of(cell));
        these.fold((0.0, 0, 0), |(amount, documents, size), (at, _)| {
            let taken = achieved.taken[phase * achieved.cells + at];
            (amount + planned.amounts[at], documents + taken.0, size + taken.1)
        })
    };
    let (_, documents, size) = sum(&|_| true);
    let of_source = |place: usize| {
        let (amount, documents, taken) = sum(&|cell| cell.source == place);
        let has = |bound: Bound| {
            cells.iter().zip(&planned.bounds).any(|(cell, found)| cell.source == place && *found == bound)
        };
        let bounds = [(Bound::Cap, "max_epochs"), (Bound::Floor, "floor"), (Bound::Ceiling, "ceiling")];
        ShareLine {
            source: wishes.sources[place].name.clone(),
            asked: planned.asked[place],
            planned: share(amount, planned.size),
            achieved: share(taken as f64, size as f64),
            size: taken,
            documents,
            bound_by: bounds.into_iter().filter(|(bound, _)| has(*bound)).map(|(_, name)| name).collect(),
        }
    };
    let values = wishes.fields.iter().enumerate().flat_map(|(field, wish)| {
        wish.values.iter().enumerate().map(move |(place, value)| (field, place, wish, value))
    });
    let of_value = |(field, place, wish, value): (
        usize,
        usize,
        &thresher_tokens::mixing::FieldWish,
        &thresher_tokens::mixing::ValueWish,
    )| {
        let (_, _, taken) = sum(&|cell| cell.values[field] == Some(place));
        ValueLine {
            field: wish.field.clone(),
            value: value.value.clone(),
            floor: value.floor,
            ceiling: value.ceiling,
            achieved: share(taken as f64, size as f64),
            size: taken,
        }
    };
    PhaseTable {
        phase: planned.name.clone(),
        planned: planned.size,
        size,
        documents,
        sources: (0..wishes.sources.len()).map(of_source).collect(),
        values: values.map(of_value).collect(),
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
