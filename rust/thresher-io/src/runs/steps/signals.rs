//! Signals that steps keep of the rows of a unit, removed ones included, on their way through the ledger.
//!
//! Of each step that keeps some, the ledger holds one Arrow batch: slots, ids, and a column of doubles for each signal. A signal
//! that is not defined for a row is null.

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use std::sync::Arc;

use crate::error::{Error, Result};

const SLOT: &str = "slot";
const ID: &str = "id";
/// Columns in front of those of the signals.
const KEYS: usize = 2;

/// The signals that one step keeps of a unit; of a step that keeps none, nothing.
#[derive(Debug)]
pub(crate) struct SignalRows {
    names: Vec<&'static str>,
    slots: Vec<u32>,
    ids: StringBuilder,
    values: Vec<Vec<f64>>,
}

impl SignalRows {
    /// Those of a step that keeps signals of these names.
    pub(crate) fn new(names: Vec<&'static str>) -> Self {
        let values = vec![Vec::new(); names.len()];
        Self { names, slots: Vec::new(), ids: StringBuilder::new(), values }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A sentence about values that are more or fewer than the names.
    pub(crate) fn add(
        &mut self,
        slot: u32,
        id: impl FnOnce() -> Option<String>,
        values: &[f64],
    ) -> std::result::Result<(), String> {
        if values.len() != self.names.len() {
            return Err(format!("it keeps {} signals, but gave {} values", self.names.len(), values.len()));
        }
        if values.is_empty() {
            return Ok(());
        }
        self.slots.push(slot);
        self.ids.append_option(id());
        for (column, &value) in self.values.iter_mut().zip(values) {
            column.push(value);
        }
        Ok(())
    }

    fn into_batch(mut self) -> Result<RecordBatch> {
        let keys: [(&str, ArrayRef); KEYS] =
            [(SLOT, Arc::new(UInt32Array::from(self.slots))), (ID, Arc::new(self.ids.finish()))];
        let columns = self.values.into_iter().map(|values| Arc::new(doubles(values)) as ArrayRef);
        RecordBatch::try_from_iter_with_nullable(
            keys.into_iter()
                .chain(self.names.iter().copied().zip(columns))
                .map(|(name, column)| (name, column, true)),
        )
        .map_err(failed)
    }
}

/// A column of doubles, in which NaN is null.
pub(crate) fn doubles(values: Vec<f64>) -> Float64Array {
    if values.iter().any(|value| value.is_nan()) {
        values.into_iter().map(|value| Some(value).filter(|value| !value.is_nan())).collect()
    } else {
        values.into()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: arrow_schema::ArrowError) -> Error {
    Error::Internal(format!("signals of a step: {error}"))
}

/// The signals of all steps of a unit: of each, its place and its length, both in 8 bytes, and an Arrow stream.
///
/// # Errors
/// `Error::Internal` only.
pub(crate) fn to_bytes(steps: Vec<SignalRows>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (at, rows) in steps.into_iter().enumerate().filter(|(_, rows)| !rows.names.is_empty()) {
        let batch = rows.into_batch()?;
        let head = bytes.len();
        bytes.extend_from_slice(&[0; 16]);
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).map_err(failed)?;
        writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
        let length = (bytes.len() - head - 16) as u64;
        bytes[head..head + 8].copy_from_slice(&(at as u64).to_ne_bytes());
        bytes[head + 8..head + 16].copy_from_slice(&length.to_ne_bytes());
    }
    Ok(bytes)
}

/// What one step kept of a unit.
#[derive(Debug)]
pub(crate) struct Kept(RecordBatch);

impl Kept {
    /// What `to_bytes` stored, with the place of each step.
    ///
    /// # Errors
    /// `Error::Internal` for anything else.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Result<Vec<(usize, Self)>> {
        let broken = || Error::Internal("signals of a ledger are not what was written".into());
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at_checked(16).ok_or_else(broken)?;
            let [at, length] = [0, 8].map(|from| {
                head[from..from + 8].try_into().map_or(0, |bytes| u64::from_ne_bytes(bytes) as usize)
            });
            let (stream, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
            let batch = StreamReader::try_new(stream, None).map_err(failed)?.next().ok_or_else(broken)?;
            let batch = batch.map_err(failed)?;
            let is_ours = batch.num_columns() >= KEYS
                && batch.column(0).as_primitive_opt::<UInt32Type>().is_some()
                && batch.column(1).as_string_opt::<i32>().is_some()
                && batch.columns()[KEYS..].iter().all(|c| c.as_primitive_opt::<Float64Type>().is_some());
            if !is_ours {
                return Err(broken());
            }
            all.push((at, Self(batch)));
            bytes = rest;
        }
        Ok(all)
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// The slot of a row.
    pub(crate) fn slot(&self, row: usize) -> u32 {
        self.0.column(0).as_primitive::<UInt32Type>().value(row)
    }

    /// The id of a row, if it has one.
    pub(crate) fn id(&self, row: usize) -> Option<&str> {
        let ids: &StringArray = self.0.column(1).as_string();
        ids.is_valid(row).then(|| ids.value(row))
    }

    /// The columns of the signals.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Float64Array> {
        self.0.columns()[KEYS..].iter().map(AsArray::as_primitive::<Float64Type>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_come_back_by_step_with_nulls_and_ids() {
        let mut rows = SignalRows::new(vec!["a", "b"]);
        rows.add(0, || Some("x".into()), &[1.0, f64::NAN]).unwrap();
        rows.add(3, || None, &[0.1, -0.0]).unwrap();
        assert!(rows.add(4, || None, &[1.0]).unwrap_err().contains("keeps 2 signals, but gave 1"));
        let mut none = SignalRows::new(Vec::new());
        none.add(0, || None, &[]).unwrap();
        let bytes = to_bytes(vec![none, rows, SignalRows::new(vec!["c"])]).unwrap();
        let kept = Kept::from_bytes(&bytes).unwrap();
        assert_eq!(kept.iter().map(|(at, kept)| (*at, kept.len())).collect::<Vec<_>>(), [(1, 2), (2, 0)]);
        let (_, kept) = &kept[0];
        assert_eq!((kept.slot(0), kept.slot(1), kept.id(0), kept.id(1)), (0, 3, Some("x"), None));
        let columns: Vec<Vec<Option<f64>>> = kept.columns().map(|column| column.iter().collect()).collect();
        assert_eq!(columns, [[Some(1.0), Some(0.1)], [None, Some(-0.0)]]);
        assert!(Kept::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(Kept::from_bytes(b"").unwrap().is_empty());
    }
}
