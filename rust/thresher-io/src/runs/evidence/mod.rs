//! What a run shows of its work beside the data: figures that are counted on the way, a few exhibits, and the page made of both.
//!
//! ```text
//! figures    sizes of clusters, similarities     counted document by document, for run.json
//! explain    what became of one document        from the tables by lookup, and from the texts by compare
//! report     report.html                         from run.json and `exhibits`, by html and page
//! ```

mod compare;
pub mod explain;
pub(crate) mod figures;
mod html;
mod lookup;
mod page;
mod report;

use serde::Serialize;

use super::output::Files;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;

/// What a run reports, as `run.json` and as a page.
pub(crate) trait Reported: Serialize {
    /// The command that ran.
    fn verb(&self) -> &str;

    /// The list of the files of the result.
    fn files(&mut self) -> &mut Files;

    /// What the page shows of the data.
    fn exhibits(&self) -> &Exhibits;

    /// The page.
    ///
    /// # Errors
    /// `Error::Internal` if the report is no JSON.
    fn page(&self) -> Result<String> {
        let run = serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(report::report(self.verb(), &run, self.exhibits()))
    }
}
