//! From record batches to records: one loop for every columnar format.
//!
//! The loop asks a [`BatchSource`] for the slots it still needs. When a batch fails, its slots become bad records and the
//! source is opened again behind them, so that damage costs the rows of a batch and not of a unit.

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

/// Hands `slots` of a unit to `visitor`.
///
/// # Errors
/// I/O failures and errors of the visitor.
pub(crate) fn visit(
    source: &impl BatchSource,
    places: &Places,
    slots: Vec<u32>,
    batch_rows: usize,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    let batch_rows = batch_rows.max(1);
    let mut left = slots.as_slice();
    // Slots of a batch that held a string that is not UTF-8: they are decoded one by one.
    let mut single = 0;
    while !left.is_empty() {
        let (stretch, size) = if single > 0 { (&left[..1], 1) } else { (left, batch_rows) };
        let mut batches = source.open(stretch, size)?;
        let mut at = 0;
        while at < stretch.len() {
            let next = match &mut batches {
                Ok(batches) => guarded(|| decode(batches, places, stretch.len() - at)),
                Err(message) => Err(std::mem::take(message)),
            };
            match next {
                Ok((rows, n)) => {
                    for (row, &slot) in stretch[at..at + n].iter().enumerate() {
                        emit(&rows, row, slot, visitor)?;
                    }
                    at += n;
                }
                Err(message) => {
                    let failed = &stretch[at..stretch.len().min(at + size)];
                    let not_utf8 = message.to_ascii_lowercase().replace('-', "").contains("utf8");
                    if not_utf8 && failed.len() > 1 {
                        single = failed.len() + 1;
                    } else {
                        let reason = if not_utf8 { Reason::InvalidUtf8 } else { Reason::Corrupt };
                        damaged(failed, reason, &message, visitor)?;
                        at += failed.len();
                    }
                    break;
                }
            }
        }
        left = &left[at..];
        single = single.saturating_sub(1);
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
    visitor.record(Record { slot, text, id: rows.id(row), rank: rows.rank(row), bytes: text.len() as u64 })
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
