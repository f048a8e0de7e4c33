//! Writes token files: rows with a column of ids become tokens one behind the other, and an index of where each row is.

mod megatron;
mod npy;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, RecordBatch};

pub use megatron::MegatronOutput;
pub use npy::NpyOutput;

use crate::error::{Error, Result};
use crate::input::Piece;

/// The column of ids.
pub const INPUT_IDS: &str = "input_ids";

/// The ids of the rows of a piece, row by row.
///
/// # Errors
/// `Error::Internal` for rows without a column of ids; that of `see`.
fn each_row(piece: &Piece, see: &mut dyn FnMut(&[u32]) -> Result<()>) -> Result<()> {
    let Piece::Batches(batches) = piece else {
        return Err(Error::Internal("a token file was given a piece without columns".to_owned()));
    };
    let lacking = || Error::Internal(format!("a token file was given rows without `{INPUT_IDS}`"));
    for batch in batches {
        let lists = batch.column_by_name(INPUT_IDS).and_then(|column| column.as_list_opt::<i32>());
        let lists = lists.ok_or_else(lacking)?;
        let ids = lists.values().as_primitive_opt::<UInt32Type>().ok_or_else(lacking)?.values();
        for row in 0..lists.len() {
            let (start, end) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
            // What lies under a null is nothing.
            see(if lists.is_null(row) { &[] } else { &ids[start..end] })?;
        }
    }
    Ok(())
}

/// Rows of a piece.
fn rows_of(piece: &Piece) -> usize {
    match piece {
        Piece::Batches(batches) => batches.iter().map(RecordBatch::num_rows).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
