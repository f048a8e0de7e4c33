//! Some columns of a unit, for whoever asks more of a row than its text, id and rank.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use parquet::arrow::ProjectionMask;

use super::{ParquetInput, READ_BATCH_BYTES, Source, Span, batch_rows, leaf_index, projection::leaf_count};
use crate::{
    error::{Error, Result},
    input::Unit,
    readers::{columns::SlotBatch, rows},
};

impl ParquetInput {
    /// Hands over the columns of these names, as far as there are any, of every slot of a unit: strings as byte strings, and
    /// without dictionaries. `receive` gets the slots and a batch of them, or why they cannot be decoded.
    ///
    /// # Errors
    /// I/O failures and those of `receive`.
    pub(crate) fn columns(&self, unit: &Unit, names: &[&str], receive: SlotBatch<'_>) -> Result<()> {
        let span = Span::of(unit)?;
        let content =
            self.content.as_ref().map_err(|(_, detail)| Error::data(self.file.path(), detail.clone()))?;
        let schema = content.exact.schema();
        let fields =
            schema.fields().iter().enumerate().filter(|(_, field)| names.contains(&field.name().as_str()));
        let leaves: Vec<usize> = fields
            .flat_map(|(at, field)| {
                let first = leaf_index(schema, &[at]);
                first..first + leaf_count(field.data_type())
            })
            .collect();
        let slots = rows::slots(span.rows, None);
        if leaves.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(span.rows));
            let none = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options);
            return receive(&slots, Ok(none.map_err(|error| Error::Internal(error.to_string()))?));
        }
        let metadata = content.reading.metadata();
        content.pages.plan(metadata, span.group, self.unit_bytes, &*self.file.reopen()?);
        let batch_rows = batch_rows(metadata, span.group, &leaves, READ_BATCH_BYTES);
        let mask = ProjectionMask::leaves(content.reading.parquet_schema(), leaves);
        let source = Source { input: self, view: &content.reading, span, mask };
        rows::scan(&source, &slots, batch_rows, &Ok, &mut |slots, batch| receive(slots, batch))
    }
}
