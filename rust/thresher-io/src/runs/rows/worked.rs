//! From the rows of one unit to what becomes of them.

use thresher_core::Tally;
use thresher_core::json::{Fields, Json};

use super::{Refusal, RowWork, shape};
use crate::error::Result;
use crate::input::{Input, Scratch, Unit};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Record, Visitor};

/// What a worker makes of one unit.
pub(super) struct Worked<F> {
    pub(super) lines: String,
    /// Which slots are good.
    pub(super) keep: Vec<bool>,
    pub(super) good: Tally,
    pub(super) bad: BadRecords,
    pub(super) blank_bytes: u64,
    pub(super) slots: u64,
    /// Bytes that were read, as the cut of the unit says where it says so.
    pub(super) read_bytes: u64,
    pub(super) found: F,
}

impl<F> Worked<F> {
    fn new(found: F) -> Self {
        Self {
            lines: String::new(),
            keep: Vec::new(),
            good: Tally::default(),
            bad: BadRecords::default(),
            blank_bytes: 0,
            slots: 0,
            read_bytes: 0,
            found,
        }
    }

    /// What becomes of the rows of `unit`; with `columnar`, every string has to be one that UTF-8 can carry.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn of<W: RowWork<Found = F>>(
        work: &W,
        state: &mut W::State,
        scratch: &mut Scratch,
        columnar: bool,
        input: &dyn Input,
        unit: &Unit,
    ) -> Result<Self> {
        let mut visitor = RowVisitor { work, state, columnar, done: Self::new(work.found()) };
        let whole_rows = Fields::default();
        input.read(unit, &whole_rows, None, scratch, &mut visitor)?;
        let mut done = visitor.done;
        done.read_bytes = unit.extent().unwrap_or(done.bytes());
        done.keep.resize(done.slots as usize, false);
        Ok(done)
    }

    /// The bytes that the books count for it.
    pub(super) fn bytes(&self) -> u64 {
        self.good.bytes + self.bad.tally().bytes + self.blank_bytes
    }
}

struct RowVisitor<'v, W: RowWork> {
    work: &'v W,
    state: &'v mut W::State,
    /// Every string has to be one that UTF-8 can carry.
    columnar: bool,
    done: Worked<W::Found>,
}

impl<W: RowWork> Visitor for RowVisitor<'_, W> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let done = &mut self.done;
        done.slots = u64::from(record.slot) + 1;
        let start = done.lines.len();
        let row = Json::checked(record.text);
        let slot = u64::from(record.slot);
        let mut worked = self.work.row(self.state, &mut done.found, slot, row, &mut done.lines);
        if worked.is_ok() && self.columnar {
            worked = shape::check_text(Json::checked(&done.lines[start..])).map_err(Refusal::from);
        }
        match worked {
            Ok(()) => {
                if done.lines.len() > start {
                    done.lines.push('\n');
                }
                done.good.add(record.bytes);
                done.keep.resize(record.slot as usize, false);
                done.keep.push(true);
            }
            Err(Refusal { reason, detail }) => {
                done.lines.truncate(start);
                done.bad.push(BadRecord {
                    slot: record.slot,
                    offset: record.offset,
                    reason,
                    detail,
                    raw: record.text.as_bytes(),
                    bytes: record.bytes,
                });
            }
        }
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.done.slots = u64::from(bad.slot) + 1;
        self.done.bad.push(bad);
        Ok(())
    }

    fn blank(&mut self, bytes: u64) {
        self.done.blank_bytes += bytes;
    }
}
