//! From one format to another, row by row, and finding out which format rows have.

use thresher_core::json::Json;

use crate::error::Result;
use crate::format::{Format, NAMES};
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

/// How well a format fits rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The format.
    pub format: &'static str,
    /// The share of the rows that are of it and can be read.
    pub confidence: f64,
}

/// Formats that fit some of `rows`, the best first; ties in the order of [`NAMES`].
#[must_use]
pub fn detect<'a>(rows: impl IntoIterator<Item = Json<'a>>) -> Vec<Fit> {
    let formats: Vec<(&'static str, Format)> =
        NAMES.iter().filter_map(|name| Some((*name, Format::named(name)?))).collect();
    let mut hits = vec![0u64; formats.len()];
    let mut total = 0u64;
    for row in rows {
        total += 1;
        // `hermes` is `sharegpt` with calls in XML: the narrower one speaks for the row.
        let mut narrow = false;
        for (hit, (name, format)) in hits.iter_mut().zip(&formats).rev() {
            let fits = format.fits(row) && format.read(row).is_ok() && !(*name == "sharegpt" && narrow);
            narrow |= fits && *name == "hermes";
            *hit += u64::from(fits);
        }
    }
    let mut found: Vec<Fit> = hits
        .iter()
        .zip(&formats)
        .filter(|(hits, _)| **hits > 0)
        .map(|(&hits, &(format, _))| Fit { format, confidence: hits as f64 / total as f64 })
        .collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found
}
