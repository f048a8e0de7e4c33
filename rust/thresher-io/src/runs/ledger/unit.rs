//! What a ledger says of one unit: one part for later passes over its rows, and one for the evidence and the books.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::input::Position;
use crate::runs::books::Count;
use crate::runs::steps::Edits;

/// What later passes ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UnitRows {
    /// Which slots are still there.
    pub(crate) kept: Vec<bool>,
    /// Edits of the texts of kept slots, ascending.
    pub(crate) edits: Vec<(u32, Edits)>,
    /// The added columns: one row for each kept slot.
    pub(crate) added: Option<RecordBatch>,
    /// How many new rows a reshape made of kept slots, if it is not one, ascending.
    pub(crate) made: Vec<(u32, u32)>,
}

/// What became of the rows of a unit, by step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct UnitBooks {
    /// Which unit it is.
    pub(crate) input: usize,
    pub(crate) index: usize,
    /// Where the next one begins.
    pub(crate) next_offset: u64,
    pub(crate) slots: u32,
    /// Rows that the first step saw, and their bytes.
    pub(crate) read: Count,
    pub(crate) blank_bytes: u64,
    pub(crate) kept: Count,
    /// New rows of a reshape beyond one for each row, and rows of which it made none.
    pub(crate) made: u64,
    pub(crate) empty: Count,
    pub(crate) steps: Vec<StepBooks>,
    /// The slot at which a step ended the run, and its message.
    pub(crate) stopped: Option<(u32, String)>,
}

/// What one step did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StepBooks {
    pub(crate) removed: Vec<RemovedRow>,
    /// Its bad records, as [`crate::quarantine::BadRecords::to_json`] gives them.
    pub(crate) bad: String,
    /// What it found for its report.
    pub(crate) found: String,
}

/// A row that a step removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RemovedRow {
    pub(crate) slot: u32,
    pub(crate) id: Option<String>,
    /// The first one counts.
    pub(crate) reasons: Vec<String>,
    pub(crate) detail: String,
    pub(crate) bytes: u64,
}

impl UnitBooks {
    /// The place behind the unit.
    pub(crate) fn after(&self) -> Position {
        Position { units: self.index + 1, offset: self.next_offset }
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a ledger of the run: {error}"))
}

impl UnitRows {
    /// The rows as bytes: number of slots, lengths of the rest; a bit a slot; edits and new rows as JSON; columns as an Arrow stream.
    ///
    /// # Errors
    /// `Error::Internal` only.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let edits = if self.edits.is_empty() && self.made.is_empty() {
            Vec::new()
        } else {
            serde_json::to_vec(&(&self.edits, &self.made)).map_err(failed)?
        };
        let mut added = Vec::new();
        if let Some(batch) = &self.added {
            let mut writer = StreamWriter::try_new(&mut added, &batch.schema()).map_err(failed)?;
            writer.write(batch).and_then(|()| writer.finish()).map_err(failed)?;
        }
        let mut bytes = Vec::with_capacity(24 + self.kept.len() / 8 + edits.len() + added.len());
        for number in [self.kept.len(), edits.len(), added.len()] {
            bytes.extend_from_slice(&(number as u64).to_ne_bytes());
        }
        bytes.extend(
            self.kept
                .chunks(8)
                .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, &kept)| byte | u8::from(kept) << at)),
        );
        bytes.extend_from_slice(&edits);
        bytes.extend_from_slice(&added);
        Ok(bytes)
    }

    /// What `to_bytes` stored.
    ///
    /// # Errors
    /// `Error::Internal` for anything else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let broken = || failed("a part of it is not what was written");
        let (numbers, rest) = bytes.split_at_checked(24).ok_or_else(broken)?;
        let [slots, edits, added] = [0, 8, 16]
            .map(|at| numbers[at..at + 8].try_into().map_or(0, |number| u64::from_ne_bytes(number) as usize));
        let (mask, rest) = rest.split_at_checked(slots.div_ceil(8)).ok_or_else(broken)?;
        let kept = (0..slots).map(|slot| mask[slot / 8] >> (slot % 8) & 1 == 1).collect();
        let (edits, rest) = rest.split_at_checked(edits).ok_or_else(broken)?;
        let (edits, made) = if edits.is_empty() {
            Default::default()
        } else {
            serde_json::from_slice(edits).map_err(failed)?
        };
        let added = rest.get(..added).ok_or_else(broken)?;
        let added = if added.is_empty() {
            None
        } else {
            let mut batches = StreamReader::try_new(added, None).map_err(failed)?;
            Some(batches.next().ok_or_else(broken)?.map_err(failed)?)
        };
        Ok(Self { kept, edits, added, made })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let mut edits = Edits::default();
        edits.push("some text", 1..4, "\"x\"\n").unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
        let added = RecordBatch::try_from_iter([("tokens", column)]).unwrap();
        for slots in [0, 1, 8, 19] {
            let kept: Vec<bool> = (0..slots).map(|slot| slot % 3 == 0).collect();
            let rows = UnitRows {
                kept,
                edits: vec![(3, edits.clone())],
                added: Some(added.clone()),
                made: vec![(0, 2)],
            };
            let bytes = rows.to_bytes().unwrap();
            assert_eq!(UnitRows::from_bytes(&bytes).unwrap(), rows);
            assert!(UnitRows::from_bytes(&bytes[..bytes.len() - 1]).is_err());
            let bare = UnitRows { kept: rows.kept, ..UnitRows::default() };
            assert_eq!(UnitRows::from_bytes(&bare.to_bytes().unwrap()).unwrap(), bare);
        }
        assert!(UnitRows::from_bytes(b"").is_err());
    }
}
