//! From one format to another, row by row.

use thresher_core::json::Json;

use crate::error::Result;
use crate::format::Format;
use crate::loss::RowLosses;

/// Rows of one format to rows of another.
#[derive(Clone, Debug)]
pub struct Converter {
    /// What comes in.
    pub from: Format,
    /// What goes out.
    pub to: Format,
}

impl Converter {
    /// Appends the converted `row` (checked JSON) to `out`, without a line end. `losses` is cleared first.
    ///
    /// # Errors
    /// Why the row cannot be read or written; `out` is as it was then.
    pub fn convert(&self, row: Json<'_>, out: &mut String, losses: &mut RowLosses) -> Result<()> {
        losses.clear();
        let start = out.len();
        let written = self.from.read(row).and_then(|conversation| self.to.write(&conversation, out, losses));
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}
