//! Steps of a pipeline that make other rows, and where each of those came from.

use super::origins::{Origin, Origins};
use crate::error::Result;
use crate::input::Written;
use crate::runs::ledger::Ledger;

/// The number of the row that stands at a place.
type RowAt = Box<dyn Fn(u64) -> Option<u64> + Send + Sync>;

/// Where the rows behind a step came from.
pub(super) enum Remade {
    /// Each row became some rows in the output of its input.
    Each(Vec<Origins>),
    /// The rows that were left got other places.
    Moved(Moved),
    /// Rows were made of many; those in the outputs of these names are the first that can be told.
    Anew(Vec<String>),
}

/// Rows in other places.
pub(super) struct Moved {
    /// The rows of each input that were left, and how many those before it had.
    left: Vec<Origins>,
    before: Vec<u64>,
    /// The first place of each output.
    starts: Vec<u64>,
    row_at: RowAt,
}

/// What a row came from.
pub(super) enum Left<'r> {
    /// A row of an input, by the place of that.
    Row(usize, Origin),
    /// No single row; it is one of an output of this name.
    Nothing(&'r str),
}

impl Remade {
    /// A step has made rows of each row of some inputs, as its ledger says.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn each(ledger: &Ledger, inputs: usize) -> Result<Self> {
        origins(ledger, inputs).map(Self::Each)
    }

    /// A step has moved the rows of some inputs that its ledger keeps into these outputs; `row_at` says for so many rows which stands
    /// where.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn moved(
        ledger: &Ledger,
        inputs: usize,
        outputs: &[Written],
        row_at: impl FnOnce(u64) -> RowAt,
    ) -> Result<Self> {
        let left = origins(ledger, inputs)?;
        let (before, rows) = starts(left.iter().map(Origins::made));
        let (starts, _) = starts(outputs.iter().map(|file| file.rows));
        Ok(Self::Moved(Moved { left, before, starts, row_at: row_at(rows) }))
    }

    /// A step has made rows of many, in these outputs.
    pub(super) fn anew(step: &str, outputs: &[Written]) -> Self {
        let name = |file: &Written| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::Anew(outputs.iter().map(|file| format!("{step}/{}", name(file))).collect())
    }

    /// What a row of an output came from; none for a row that there is not.
    pub(super) fn origin(&self, output: usize, row: u64) -> Option<Left<'_>> {
        match self {
            Self::Each(origins) => Some(Left::Row(output, origins.get(output)?.of(row)?)),
            Self::Moved(moved) => moved.origin(output, row),
            Self::Anew(names) => Some(Left::Nothing(names.get(output)?)),
        }
    }
}

impl Moved {
    fn origin(&self, output: usize, row: u64) -> Option<Left<'static>> {
        let number = (self.row_at)(self.starts.get(output)? + row)?;
        let input = self.before.partition_point(|before| *before <= number).checked_sub(1)?;
        Some(Left::Row(input, self.left[input].of(number - self.before[input])?))
    }
}

/// What became of the rows of each input in the ledger of a step.
fn origins(ledger: &Ledger, inputs: usize) -> Result<Vec<Origins>> {
    let mut origins = vec![Origins::default(); inputs];
    for unit in ledger.books() {
        let unit = unit?;
        let rows = ledger.rows(unit.input, unit.index)?.unwrap_or_default();
        let mut made = rows.made.iter().peekable();
        for (slot, kept) in (0..).zip(&rows.kept) {
            let made = made.next_if(|(of, _)| *of == slot).map_or(u32::from(*kept), |(_, made)| *made);
            origins[unit.input].push(made);
        }
    }
    Ok(origins)
}

/// Where each of some parts begins, and where the last one ends.
fn starts(lengths: impl Iterator<Item = u64>) -> (Vec<u64>, u64) {
    let mut end = 0;
    let mut starts = Vec::new();
    for length in lengths {
        starts.push(end);
        end += length;
    }
    (starts, end)
}
