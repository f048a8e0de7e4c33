//! From record batches to records: one loop for every columnar format.
//!
//! The loop asks a [`BatchSource`] for the slots it still needs. When a batch fails, the source is opened again for parts
//! of it and for what comes behind, so that damage costs the rows it hits and not the unit.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use super::{
    columns::{Places, Rows},
    guard::guarded,
};
use crate::{
    error::Result,
    input::SlotMask,
    record::{BadRecord, Reason, Record, Visitor},
};

/// A failed batch is cut into this many. Each try costs a page that is decompressed again.
const RETRIES: usize = 16;
/// A damaged batch of so few rows is not cut further.
const LITTLE_LOST: usize = 64;

/// Something that decodes chosen slots of a unit, in order, any number of times.
pub(crate) trait BatchSource {
    /// The decoder.
    type Batches: Iterator<Item = std::result::Result<RecordBatch, ArrowError>>;

    /// Begins to decode `slots` in batches of `batch_rows`. The inner error is damage.
    ///
    /// # Errors
    /// I/O failures and a file that changed.
    fn open(&self, slots: &[u32], batch_rows: usize) -> Result<std::result::Result<Self::Batches, String>>;
}

/// The slots of a unit that are wanted.
pub(crate) fn slots(rows: usize, wanted: Option<&SlotMask>) -> Vec<u32> {
    let is_wanted = |slot: &u32| wanted.is_none_or(|w| w.get(*slot as usize).is_some_and(|w| *w));
    (0..rows as u32).filter(is_wanted).collect()
}

/// Hands `slots` of a unit to `visitor`, decoding `batch_rows` of them at a time.
///
/// A batch that fails is tried again in smaller ones: for damaged data until little more than the damage is lost, for a
/// string that is not UTF-8 down to its row.
///
/// # Errors
/// I/O failures and errors of the visitor.
pub(crate) fn visit(
    source: &impl BatchSource,
    places: &Places,
    slots: &[u32],
    batch_rows: usize,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    let mut left = slots;
    while !left.is_empty() {
        let mut batches = source.open(left, batch_rows)?;
        while !left.is_empty() {
            let next = match &mut batches {
                Ok(batches) => guarded(|| decode(batches, places, left.len())),
                Err(message) => Err(std::mem::take(message)),
            };
            let message = match next {
                Ok((rows, n)) => {
                    for (row, &slot) in left[..n].iter().enumerate() {
                        emit(&rows, row, slot, visitor)?;
                    }
                    left = &left[n..];
                    continue;
                }
                Err(message) => message,
            };
            let (failed, rest) = left.split_at(left.len().min(batch_rows));
            let not_utf8 = message.to_ascii_lowercase().replace('-', "").contains("utf8");
            if failed.len() > if not_utf8 { 1 } else { LITTLE_LOST } {
                visit(source, places, failed, (failed.len() / RETRIES).max(1), visitor)?;
            } else {
                let reason = if not_utf8 { Reason::InvalidUtf8 } else { Reason::Corrupt };
                damaged(failed, reason, &message, visitor)?;
            }
            left = rest;
            break;
        }
    }
    Ok(())
}

fn decode(
    batches: &mut impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
    places: &Places,
    most: usize,
) -> std::result::Result<(Rows, usize), ArrowError> {
    let ends = || ArrowError::ParseError("the data ends before the last row".to_owned());
    let batch = batches.next().ok_or_else(ends)??;
    if batch.num_rows() == 0 || batch.num_rows() > most {
        return Err(ends());
    }
    Ok((Rows::of(&batch, places)?, batch.num_rows()))
}

/// Hands one row to `visitor`.
///
/// # Errors
/// Errors of the visitor.
pub(crate) fn emit(rows: &Rows, row: usize, slot: u32, visitor: &mut dyn Visitor) -> Result<()> {
    let Some(text) = rows.text(row) else {
        return damaged(&[slot], Reason::NullText, "", visitor);
    };
    let bytes = text.len() as u64;
    visitor.record(Record { slot, offset: 0, text, id: rows.id(row), rank: rows.rank(row), bytes })
}

/// Sets slots aside.
///
/// # Errors
/// Errors of the visitor.
pub(crate) fn damaged(slots: &[u32], reason: Reason, detail: &str, visitor: &mut dyn Visitor) -> Result<()> {
    slots.iter().try_for_each(|&slot| {
        visitor.bad(BadRecord { slot, offset: 0, reason, detail: detail.to_owned(), raw: &[], bytes: 0 })
    })
}
