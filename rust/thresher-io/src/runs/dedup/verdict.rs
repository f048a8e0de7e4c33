//! In place of pass 3, within a pipeline: what was decided about every document goes to a ledger, and no input is read.

use super::Run;
use super::corpus::Corpus;
use super::fates::Fates;
use super::write::{Tallies, tally};
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
        let (counts, bytes) = tally(corpus, fates, unit)?;
        if unit.input < references {
            tallies.references.add(u64::from(unit.num_docs()), bytes);
        } else {
            tallies.merge(&counts);
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
