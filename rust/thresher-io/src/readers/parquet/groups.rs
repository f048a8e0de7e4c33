//! Cuts the row groups of a file into units, as the plan of each group says (see [`super::pages`]).

use std::sync::Arc;

use super::ParquetInput;
use crate::{
    blob::Blob,
    error::Result,
    input::{Cutter, GoOn, Payload, Position, Unit},
};

/// A file on its way to units.
pub(super) struct Groups<'i> {
    input: &'i ParquetInput,
    /// None if the input has no row groups that could be read.
    file: Option<Arc<dyn Blob>>,
    /// Units that are passed over.
    skip: usize,
    /// The unit that comes next: over all, its row group, and its place there.
    index: usize,
    group: usize,
    at: usize,
}

impl<'i> Groups<'i> {
    /// The units of `input` behind `from`.
    pub(super) fn new(input: &'i ParquetInput, from: Position) -> Result<Self> {
        let file = input.content.is_ok().then(|| input.file.reopen()).transpose()?;
        Ok(Self { input, file, skip: from.units, index: 0, group: 0, at: 0 })
    }

    fn payload(&mut self) -> Option<(Payload, u64)> {
        let (Ok(content), Some(file)) = (&self.input.content, &self.file) else {
            let whole = Payload::RowGroup { group: 0, first_row: 0, rows: 1 };
            return (self.index == 0).then_some((whole, 0));
        };
        let metadata = content.exact.metadata();
        while let Some(about) = metadata.row_groups().get(self.group) {
            let (group, at) = (self.group, self.at);
            let starts = &content.pages.plan(metadata, group, self.input.unit_bytes, &**file).starts;
            if let Some(&first_row) = starts.get(at) {
                self.at += 1;
                let rows = usize::try_from(about.num_rows()).unwrap_or(0);
                let n = starts.get(at + 1).copied().unwrap_or(rows) - first_row;
                let bytes: i64 = about.columns().iter().map(|column| column.uncompressed_size().max(0)).sum();
                let weight = (u128::from(bytes.unsigned_abs()) * n as u128 / rows.max(1) as u128) as u64;
                return Some((Payload::RowGroup { group, first_row, rows: n }, weight));
            }
            (self.group, self.at) = (group + 1, 0);
        }
        None
    }
}

impl Cutter for Groups<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        while let Some((payload, weight)) = self.payload() {
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
