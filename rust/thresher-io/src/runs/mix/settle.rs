//! From what the rows are to what is taken of them: the sums of the cells, the plan, whole documents, and every copy's place.

use std::collections::BTreeMap;
use std::path::Path;

use thresher_tokens::mixing::{Cell, Cutting, MixOrder, Plan, SourceWish, Wishes, plan, stream_of};

use super::config::{Divided, MixStep};
use super::look::Look;
use super::measure::Sums;
use super::numbers::Numbers;
use super::table::Achieved;
use crate::error::{Error, Result};
use crate::runs::books::Count;
use crate::runs::exchange::{Order, RowNumber};
use crate::runs::ledger::Ledger;
use crate::runs::progress::Progress;

/// More cells than a plan is made for; each row names its own by 16 bits.
const MOST_CELLS: usize = 1 << 16;
/// A floor that whole documents miss by more than this share of itself is not held.
const HELD: f64 = 1e-3;

/// A mix that is settled.
pub(super) struct Settled {
    pub(super) cells: Vec<Cell>,
    pub(super) plan: Plan,
    pub(super) order: MixOrder,
    pub(super) achieved: Achieved,
    numbers: Numbers,
}

/// What is settled from.
pub(super) struct Settling<'s> {
    pub(super) step: &'s MixStep,
    pub(super) wishes: &'s Wishes,
    pub(super) divided: &'s [Divided],
    pub(super) look: &'s Look,
    pub(super) progress: &'s Progress,
}

impl Settling<'_> {
    /// Settles the mix of the rows of a ledger; the file with their numbers will be at `path`.
    ///
    /// # Errors
    /// `Error::Parameter` for wishes that these rows cannot meet, I/O failures, and the wish to stop.
    pub(super) fn settle(&self, ledger: &Ledger, path: &Path) -> Result<Settled> {
        let (sums, read) = sums(ledger)?;
        self.check_fields(&sums, read)?;
        let dense: BTreeMap<usize, usize> = sums.cells.keys().copied().zip(0..).collect();
        if dense.len() > MOST_CELLS {
            return Err(Error::Parameter(format!(
                "sources and the values that have floors or ceilings divide the rows into {} groups, but there are at most {MOST_CELLS}; name fewer values",
                dense.len()
            )));
        }
        let kinds = self.look.kinds();
        let cell = |(id, (documents, size)): (&usize, &(u64, u64))| Cell {
            source: id / kinds,
            values: self.look.values(id % kinds),
            size: *size,
            documents: *documents,
        };
        let cells: Vec<Cell> = sums.cells.iter().map(cell).collect();
        let plan = plan(self.wishes, &cells).map_err(Error::from)?;
        let place = |id: usize| dense.get(&id).copied().unwrap_or_default();
        let numbers = Numbers::new(ledger, path, cells.len(), place, self.progress)?;
        let seed = self.step.seed;
        let streams: Vec<_> =
            cells.iter().enumerate().map(|(at, cell)| stream_of(seed, at, cell.documents)).collect();
        let most: Vec<f64> = self.wishes.sources.iter().map(SourceWish::most_epochs).collect();
        let mut cutting = Cutting::new(&plan, &cells, &most);
        if cutting.needs_sizes() {
            let see = |cutting: &mut Cutting| {
                numbers.each(self.progress, |row| {
                    cutting.see(row.cell, streams[row.cell].place(row.number).unwrap_or_default(), row.size);
                })
            };
            see(&mut cutting)?;
            cutting.half().map_err(Error::from)?;
            see(&mut cutting)?;
        }
        let order =
            MixOrder::new(&cells, self.wishes.sources.len(), cutting.finish(), seed, self.step.arrangement());
        let mut achieved = Achieved::new(plan.phases.len(), cells.len());
        numbers.each(self.progress, |row| {
            let mut copies = 0;
            for taken in order.copies(row.cell, row.number) {
                achieved.take(taken.phase, row.cell, row.size);
                copies += 1;
            }
            achieved.row(copies, row.bytes);
        })?;
        let settled = Settled { cells, plan, order, achieved, numbers };
        self.check_floors(&settled)?;
        Ok(settled)
    }

    /// Every field that was asked for is in some row.
    fn check_fields(&self, sums: &Sums, read: Count) -> Result<()> {
        let rows: u64 = sums.cells.values().map(|cell| cell.0).sum();
        if let Some(field) = self.look.measured().filter(|_| rows == 0 && read.docs > 0) {
            let step = self.step;
            return Err(Error::Parameter(format!(
                "unit is `{}`, which is told by the field `{field}`, but none of {} records has one that can be used; name the field by \
                 `{}`, let a tokenizer count, or choose another unit",
                step.unit,
                read.docs,
                if step.unit == "tokens" && step.tokenizer.is_none() { "length" } else { "text" },
            )));
        }
        let lacking = self.divided.iter().zip(&sums.had).find(|(_, had)| **had == 0);
        match lacking.filter(|_| rows > 0) {
            None => Ok(()),
            Some((divided, _)) => Err(Error::Parameter(format!(
                "there are floors or ceilings by the field `{}`, but none of {rows} records has anything in it; look at how it is spelled",
                divided.path
            ))),
        }
    }

    /// Whole documents hold every floor.
    fn check_floors(&self, settled: &Settled) -> Result<()> {
        for (at, phase) in settled.plan.phases.iter().enumerate() {
            let taken = |of: &dyn Fn(&Cell) -> bool| -> f64 {
                let cells = settled.cells.iter().enumerate().filter(|(_, cell)| of(cell));
                cells.map(|(cell, _)| settled.achieved.size(at, cell) as f64).sum()
            };
            let all = taken(&|_| true);
            let check = |name: String, floor: f64, of: &dyn Fn(&Cell) -> bool| {
                let share = if all > 0.0 { taken(of) / all } else { 0.0 };
                if share >= floor * (1.0 - HELD) {
                    return Ok(());
                }
                Err(Error::Parameter(format!(
                    "{name} is to be at least {floor} of phase `{}`, but with whole documents it comes to {share:.4}; raise `target`, or take \
                     documents that are shorter",
                    phase.name
                )))
            };
            for (place, source) in self.wishes.sources.iter().enumerate() {
                check(format!("source `{}`", source.name), source.floor, &|cell| cell.source == place)?;
            }
            for (field, wish) in self.wishes.fields.iter().enumerate() {
                for (place, value) in wish.values.iter().enumerate() {
                    let name = format!("`{}: {}`", wish.field, value.value);
                    check(name, value.floor, &|cell| cell.values[field] == Some(place))?;
                }
            }
        }
        Ok(())
    }
}

/// The sums of all units, and what was read.
fn sums(ledger: &Ledger) -> Result<(Sums, Count)> {
    let (mut all, mut read) = (Sums::default(), Count::default());
    for unit in ledger.books() {
        let unit = unit?;
        read.add(unit.read.docs, unit.read.bytes);
        let found = unit.steps.first().map(|step| step.found.as_str()).unwrap_or_default();
        let sums: Sums = serde_json::from_str(found)
            .map_err(|error| Error::Internal(format!("sums of a mix: {error}")))?;
        for (cell, (documents, size)) in sums.cells {
            let sum = all.cells.entry(cell).or_default();
            *sum = (sum.0 + documents, sum.1.saturating_add(size));
        }
        all.had.resize(all.had.len().max(sums.had.len()), 0);
        for (all, had) in all.had.iter_mut().zip(sums.had) {
            *all += had;
        }
    }
    Ok((all, read))
}

impl Order for Settled {
    fn places(&self) -> u64 {
        self.order.len()
    }

    fn of(&self, row: RowNumber, places: &mut Vec<u64>) -> Result<()> {
        let (cell, number) = self.numbers.of(row.of_all)?;
        places.extend(self.order.copies(cell, number).map(|taken| taken.place));
        Ok(())
    }
}

impl Settled {
    /// About the bytes of all places.
    pub(super) fn bytes(&self) -> u64 {
        let used = self.achieved.used;
        (u128::from(used.bytes) * u128::from(self.order.len()) / u128::from(used.docs.max(1))) as u64
    }
}
