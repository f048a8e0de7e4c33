//! From record batches to records: one loop for every columnar format.
//!
//! The loop asks a [`BatchSource`] for the slots it still needs. When a batch fails, the source is opened again for parts
//! of it and for what comes behind, so that damage costs the rows it hits and not the unit.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

use super::{
    columns::{Places, Rows},
    guard::guarded,
    strings,
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

/// Where the fields of a run are in the batches of a source, and what is text in them.
pub(crate) struct Look<'a> {
    /// The fields.
    pub(crate) places: &'a Places,
    /// The types of a batch in which strings are strings; see [`strings::checked`].
    pub(crate) schema: &'a SchemaRef,
    /// Longest text; a longer one is set aside.
    pub(crate) max_record_bytes: u64,
}

/// The slots of a unit that are wanted.
pub(crate) fn slots(rows: usize, wanted: Option<&SlotMask>) -> Vec<u32> {
    let is_wanted = |slot: &u32| wanted.is_none_or(|w| w.get(*slot as usize).is_some_and(|w| *w));
    (0..rows as u32).filter(is_wanted).collect()
}

/// Hands `slots` of a unit to `visitor`, decoding `batch_rows` of them at a time.
///
/// # Errors
/// I/O failures and errors of the visitor.
pub(crate) fn visit(
    source: &impl BatchSource,
    look: &Look<'_>,
    slots: &[u32],
    batch_rows: usize,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    scan(source, slots, batch_rows, &|batch| Looked::at(&batch, look), &mut |slots, looked| match looked {
        Ok(looked) => looked.emit(slots, look.max_record_bytes, visitor),
        Err(message) => damaged(slots, Reason::Corrupt, message, visitor),
    })
}

/// Decodes `slots` of a unit, `batch_rows` of them at a time, and makes something of each batch. `receive` gets that, or why
/// the slots cannot be decoded.
///
/// A batch that fails is tried again in smaller ones, until little more than the damage is lost.
///
/// # Errors
/// I/O failures and errors of `receive`.
pub(crate) fn scan<T>(
    source: &impl BatchSource,
    slots: &[u32],
    batch_rows: usize,
    make: &impl Fn(RecordBatch) -> std::result::Result<T, ArrowError>,
    receive: &mut impl FnMut(&[u32], std::result::Result<T, &str>) -> Result<()>,
) -> Result<()> {
    let mut left = slots;
    while !left.is_empty() {
        let mut batches = source.open(left, batch_rows)?;
        while !left.is_empty() {
            let next = match &mut batches {
                Ok(batches) => guarded(|| {
                    let batch = decode(batches, left.len())?;
                    let n = batch.num_rows();
                    Ok::<_, ArrowError>((make(batch)?, n))
                }),
                Err(message) => Err(std::mem::take(message)),
            };
            let message = match next {
                Ok((made, n)) => {
                    receive(&left[..n], Ok(made))?;
                    left = &left[n..];
                    continue;
                }
                Err(message) => message,
            };
            let (failed, rest) = left.split_at(left.len().min(batch_rows));
            if failed.len() > LITTLE_LOST {
                scan(source, failed, (failed.len() / RETRIES).max(1), make, receive)?;
            } else {
                receive(failed, Err(&message))?;
            }
            left = rest;
            break;
        }
    }
    Ok(())
}

fn decode(
    batches: &mut impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
    most: usize,
) -> std::result::Result<RecordBatch, ArrowError> {
    let ends = || ArrowError::ParseError("the data ends before the last row".to_owned());
    let batch = batches.next().ok_or_else(ends)??;
    if batch.num_rows() == 0 || batch.num_rows() > most {
        return Err(ends());
    }
    Ok(batch)
}

/// The fields of a batch, and which of its rows have a string that is not UTF-8.
pub(crate) struct Looked {
    rows: Rows,
    not_utf8: Option<Vec<bool>>,
}

impl Looked {
    /// Looks at a batch whose strings are bytes.
    ///
    /// # Errors
    /// Values that arrow cannot convert.
    pub(crate) fn at(batch: &RecordBatch, look: &Look<'_>) -> std::result::Result<Self, ArrowError> {
        let (batch, not_utf8) = strings::checked(batch, look.schema)?;
        Ok(Self { rows: Rows::of(&batch, look.places)?, not_utf8 })
    }

    /// Hands the rows, which are `slots`, to `visitor`.
    ///
    /// # Errors
    /// Errors of the visitor.
    pub(crate) fn emit(&self, slots: &[u32], max_record_bytes: u64, visitor: &mut dyn Visitor) -> Result<()> {
        self.emit_rows(slots.iter().copied().enumerate(), max_record_bytes, visitor)
    }

    /// Hands the given rows of the batch, each with its slot, to `visitor`.
    ///
    /// # Errors
    /// Errors of the visitor.
    pub(crate) fn emit_rows(
        &self,
        rows: impl Iterator<Item = (usize, u32)>,
        max_record_bytes: u64,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let (mut good, mut next) = (0, 0);
        for (at, slot) in rows {
            good += (next..at).filter(|&at| !self.is_bad(at)).count();
            next = at;
            if self.is_bad(at) {
                damaged(&[slot], Reason::InvalidUtf8, "a string of the row is not UTF-8", visitor)?;
            } else {
                emit(&self.rows, good, slot, max_record_bytes, visitor)?;
            }
        }
        Ok(())
    }

    fn is_bad(&self, at: usize) -> bool {
        self.not_utf8.as_ref().is_some_and(|bad| bad.get(at) == Some(&true))
    }
}

/// Hands one row to `visitor`.
fn emit(rows: &Rows, row: usize, slot: u32, max_record_bytes: u64, visitor: &mut dyn Visitor) -> Result<()> {
    let Some(text) = rows.text(row) else {
        return damaged(&[slot], Reason::NullText, "", visitor);
    };
    let bytes = text.len() as u64;
    if bytes > max_record_bytes {
        let detail = format!("{bytes} bytes, but a record has at most {max_record_bytes}");
        let raw = text.as_bytes();
        return visitor.bad(BadRecord { slot, offset: 0, reason: Reason::TooLong, detail, raw, bytes });
    }
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
