//! What the run of a step in a pipeline gets from the steps before it, and leaves for those behind it.

use std::path::PathBuf;

use crate::error::Result;
use crate::runs::ledger::LedgerWriter;
use crate::runs::lens::Lens;
use crate::runs::source::Source;

/// The place of a run in a pipeline; by itself, it reads its inputs as they are and writes rows.
#[derive(Clone, Debug, Default)]
pub struct Within {
    /// What is seen of the inputs.
    pub(crate) lens: Lens,
    /// Where decisions go in place of rows.
    pub(crate) ledger: Option<PathBuf>,
}

impl Within {
    /// The sources as this run sees them.
    ///
    /// # Errors
    /// As [`Lens::over`].
    pub(crate) fn see(&self, sources: Vec<Source>) -> Result<Vec<Source>> {
        self.lens.over(sources)
    }

    /// A new ledger for the decisions, if they are what is asked for.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn decisions(&self) -> Result<Option<LedgerWriter>> {
        let Some(folder) = &self.ledger else { return Ok(None) };
        LedgerWriter::start_over(folder)?;
        LedgerWriter::open(folder).map(Some)
    }
}
