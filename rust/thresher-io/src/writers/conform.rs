//! Brings a batch into the schema of its output.

use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::SchemaRef;

/// Gives `batch` the types of `schema`. Columns are matched by position; those that fit already are not touched.
///
/// # Errors
/// A sentence about the columns that differ or the value that cannot be converted.
pub(crate) fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    if batch.num_columns() != schema.fields().len() {
        return Err(format!(
            "{} columns arrived for a file of {}",
            batch.num_columns(),
            schema.fields().len()
        ));
    }
    // A value that does not fit is an error; it must not turn into null on the way.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let theirs = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for ((array, field), from) in batch.columns().iter().zip(schema.fields()).zip(theirs.fields()) {
        if from.name() != field.name() {
            return Err(format!("column `{}` arrived where the file has `{}`", from.name(), field.name()));
        }
        columns.push(if array.data_type() == field.data_type() {
            array.clone()
        } else {
            cast_with_options(array, field.data_type(), &options)
                .map_err(|e| format!("column `{}`: {e}", field.name()))?
        });
    }
    let rows = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &rows).map_err(|e| e.to_string())
}
