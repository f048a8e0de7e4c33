//! Lists the record batches of a file as units; one that is much larger than a unit is decoded and cut into slices.

use arrow_array::RecordBatch;

use super::IpcInput;
use crate::{
    error::Result,
    input::{Cutter, GoOn, Payload, Position, Unit},
};

/// A batch of more units than this is cut.
const UNITS_IN_A_BATCH: u64 = 4;

/// A file on its way to units.
pub(super) struct Batches<'i> {
    input: &'i IpcInput,
    /// Units that are passed over.
    skip: usize,
    /// The unit that comes next, and the batch that does.
    index: usize,
    batch: usize,
    open: Option<Cut>,
}

/// A large batch on its way to units.
struct Cut {
    rows: RecordBatch,
    bytes: u64,
    units: usize,
    next: usize,
}

impl Cut {
    fn slice(&mut self) -> Option<(Payload, u64)> {
        let rows = self.rows.num_rows();
        let start = |unit: usize| (unit as u128 * rows as u128 / self.units as u128) as usize;
        let (from, to) = (start(self.next), start(self.next + 1));
        let slice = (self.next < self.units).then(|| self.rows.slice(from, to - from))?;
        self.next += 1;
        Some((Payload::Batch(Ok(slice)), self.bytes / self.units as u64))
    }
}

impl<'i> Batches<'i> {
    /// The units of `input` behind `from`.
    pub(super) fn new(input: &'i IpcInput, from: Position) -> Self {
        Self { input, skip: from.units, index: 0, batch: 0, open: None }
    }

    fn payload(&mut self) -> Result<Option<(Payload, u64)>> {
        let Ok(content) = &self.input.content else {
            let whole = Payload::RowGroup { group: 0, first_row: 0, rows: 1 };
            return Ok((self.index == 0).then_some((whole, 0)));
        };
        loop {
            if let Some(slice) = self.open.as_mut().and_then(Cut::slice) {
                return Ok(Some(slice));
            }
            self.open = None;
            let Some(batch) = content.index.batches.get(self.batch) else { return Ok(None) };
            let (group, rows) = (self.batch, batch.rows as usize);
            self.batch += 1;
            if rows == 0 {
                continue;
            }
            let (bytes, unit_bytes) = (batch.at.bytes(), self.input.unit_bytes);
            if bytes / UNITS_IN_A_BATCH > unit_bytes
                // If it cannot be decoded, the reader will find that again and set its rows aside.
                && let Ok(rows) = self.input.decode(content, batch, None)?
            {
                let n = rows.num_rows();
                let units = usize::try_from(bytes.div_ceil(unit_bytes)).unwrap_or(n).clamp(1, n);
                self.open = Some(Cut { rows, bytes, units, next: 0 });
            } else {
                return Ok(Some((Payload::RowGroup { group, first_row: 0, rows }, bytes)));
            }
        }
    }
}

impl Cutter for Batches<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        while let Some((payload, weight)) = self.payload()? {
            go_on()?;
            let index = self.index;
            self.index += 1;
            if index >= self.skip {
                return Ok(Some(Unit { index, weight, payload }));
            }
        }
        Ok(None)
    }
}
