//! In place of pass 3, within a pipeline: what was decided about every document goes to a ledger, and no input is read.

use thresher_core::RemovalReason;

use super::Run;
use super::corpus::Corpus;
use super::fates::Fates;
use super::write::Tallies;
use crate::error::Result;
use crate::runs::ledger::{LedgerWriter, UnitBooks, UnitRows};

/// Writes the decisions to a ledger, and says where the documents went.
///
/// # Errors
/// I/O failures, and the wish to stop.
pub(crate) fn write(run: &Run<'_>, corpus: &Corpus, fates: &Fates, mut to: LedgerWriter) -> Result<Tallies> {
    let references = run.plan.num_references;
    let mut tallies = Tallies::default();
    let first_units = run.first_units(corpus);
    for (at, unit) in corpus.units.iter().enumerate() {
        run.progress.check()?;
        let sizes = corpus.column(corpus.layout.bytes(), unit.range())?;
        for (doc, bytes) in unit.range().zip(sizes) {
            let count = match fates.of(doc)?.map(|fate| fate.reason) {
                _ if unit.input < references => &mut tallies.references,
                None => &mut tallies.kept,
                Some(RemovalReason::Exact) => &mut tallies.exact,
                Some(RemovalReason::Near) => &mut tallies.near,
            };
            count.add(1, u64::from(bytes));
        }
        if unit.input >= references {
            let rows = UnitRows { kept: unit.mask(|doc| fates.is_kept(doc)), ..UnitRows::default() };
            let (input, index) = (unit.input - references, at - first_units[unit.input]);
            to.add(
                &rows.to_bytes()?,
                &UnitBooks { input, index, slots: unit.num_slots, ..UnitBooks::default() },
            )?;
        }
    }
    to.finish()?;
    Ok(tallies)
}
