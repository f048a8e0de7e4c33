//! Columns through a lens, for steps that work on Arrow columns rather than on rows.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{ArrowError, FieldRef, Schema};
use arrow_select::filter::filter_record_batch;

use super::SeenInput;
use crate::error::{Error, Result};
use crate::input::Unit;
use crate::runs::source::WholeColumns;

impl SeenInput {
    /// Columns of a unit, those of the file as they are and those that were added, of the rows that are there.
    ///
    /// # Errors
    /// I/O failures, `Error::Data` for damage.
    pub(crate) fn whole_columns(&self, unit: &Unit, names: &[&str]) -> Result<WholeColumns> {
        let seen = self.lens.unit(self.index, unit.index)?;
        let failed = |error: ArrowError| Error::Internal(format!("added columns: {error}"));
        let (added, own): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| self.lens.columns().iter().any(|column| column.name() == *name));
        let rows = (0..).zip(&seen.kept).filter(|(_, kept)| **kept).map(|(slot, _)| slot).collect();
        let (mut batches, mut slots) = (Vec::new(), 0);
        if !own.is_empty() {
            for batch in self.source.whole_columns(unit, &own)?.batches {
                let mut kept = seen.kept.get(slots..).unwrap_or_default().to_vec();
                kept.resize(batch.num_rows(), false);
                slots += batch.num_rows();
                batches.push(filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(failed)?);
            }
        }
        if let Some(all) = seen.added.filter(|_| !added.is_empty()) {
            let lost = || Error::Internal("added columns are of other rows".into());
            let places: Vec<usize> = added
                .iter()
                .map(|name| all.schema().index_of(name))
                .collect::<std::result::Result<_, _>>()
                .map_err(failed)?;
            let mut rest = all.project(&places).map_err(failed)?;
            if own.is_empty() {
                batches.push(rest);
            } else {
                for batch in &mut batches {
                    let rows = batch.num_rows();
                    let behind = rest.num_rows().checked_sub(rows).ok_or_else(lost)?;
                    *batch = beside(batch, &rest.slice(0, rows)).map_err(failed)?;
                    rest = rest.slice(rows, behind);
                }
            }
        }
        Ok(WholeColumns { batches, slots: slots.max(seen.kept.len()) as u64, kept: Some(rows) })
    }
}

/// The columns of two batches of the same rows.
fn beside(left: &RecordBatch, right: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let (ours, theirs) = (left.schema(), right.schema());
    let fields: Vec<FieldRef> = ours.fields().iter().chain(theirs.fields()).cloned().collect();
    let columns = left.columns().iter().chain(right.columns()).cloned().collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
