//! The first rows of each input, to find out what they are before a run begins.

use thresher_core::json::Fields;

use crate::error::{Error, Result};
use crate::input::{GoOn, Position, Scratch};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::source::Source;

/// Rows that are looked at over all inputs.
const ROWS: usize = 1000;

/// Rows of all inputs, as JSON, about as many of each.
pub(crate) fn sample(sources: &[Source], go_on: GoOn<'_>) -> Result<Vec<String>> {
    let each = (ROWS / sources.len().max(1)).max(1);
    let mut rows = Vec::new();
    for source in sources {
        let mut visitor = First { rows: &mut rows, left: each };
        let mut scratch = Scratch::default();
        let input = source.input();
        let mut cutter = input.cut(Position::default())?;
        while visitor.left > 0
            && let Some(unit) = cutter.next(go_on)?
        {
            let seen = input.read(&unit, &Fields::default(), None, &mut scratch, &mut visitor);
            // A visitor that has enough ends the reading of a unit by an error.
            if visitor.left > 0 {
                seen?;
            }
        }
    }
    Ok(rows)
}

struct First<'r> {
    rows: &'r mut Vec<String>,
    left: usize,
}

impl Visitor for First<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.rows.push(record.text.to_owned());
        self.left -= 1;
        if self.left == 0 { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Ok(())
    }
}
