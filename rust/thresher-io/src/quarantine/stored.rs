//! Bad records of a unit as they wait in the state of a run: JSON, from which they come back as they were.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thresher_core::Tally;

use super::{BadRecords, OwnedBad, Room};
use crate::error::{Error, Result};
use crate::record::Reason;

#[derive(Serialize, Deserialize)]
struct Stored {
    records: Vec<StoredBad>,
    tallies: Vec<(String, u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct StoredBad {
    slot: u32,
    offset: u64,
    reason: String,
    detail: String,
    raw: String,
    raw_truncated: bool,
    bytes: u64,
}

impl BadRecords {
    /// These records as JSON; nothing if there is none.
    ///
    /// # Errors
    /// `Error::Internal` only.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        if self.tallies.is_empty() {
            return Ok(Vec::new());
        }
        let stored = |bad: &OwnedBad| StoredBad {
            slot: bad.slot,
            offset: bad.offset,
            reason: bad.reason.stored(),
            detail: bad.detail.clone(),
            raw: STANDARD.encode(&bad.raw),
            raw_truncated: bad.raw_truncated,
            bytes: bad.bytes,
        };
        let records = self.records.iter().map(stored).collect();
        let tally = |(reason, tally): (&Reason, &Tally)| (reason.stored(), tally.docs, tally.bytes);
        let tallies = self.tallies.iter().map(tally).collect();
        serde_json::to_vec(&Stored { records, tallies }).map_err(|error| Error::Internal(error.to_string()))
    }

    /// The records that `to_json` stored.
    ///
    /// # Errors
    /// `Error::Internal` for anything else.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        let broken = |what: &str| Error::Internal(format!("bad records in the state of the run: {what}"));
        let stored: Stored = serde_json::from_slice(json).map_err(|error| broken(&error.to_string()))?;
        let reason = |name: &str| Reason::of_stored(name).ok_or_else(|| broken(name));
        let mut all = Self::default();
        for bad in stored.records {
            let raw = STANDARD.decode(&bad.raw).map_err(|error| broken(&error.to_string()))?;
            let StoredBad { slot, offset, detail, raw_truncated, bytes, .. } = bad;
            let reason = reason(&bad.reason)?;
            all.rooms.entry(reason).or_insert_with(Room::default).take(raw.len());
            all.records.push(OwnedBad { slot, offset, reason, detail, raw, raw_truncated, bytes });
        }
        for (name, docs, bytes) in stored.tallies {
            all.tallies.insert(reason(&name)?, Tally { docs, bytes });
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BadRecord;

    #[test]
    fn bad_records_come_back_as_they_were() {
        let mut bad = BadRecords::default();
        assert!(bad.to_json().unwrap().is_empty());
        for (slot, reason) in (0..).zip(Reason::OF_FILES) {
            let detail = format!("it is \"{slot}\"");
            bad.push(BadRecord { slot, offset: 7, reason, detail, raw: &[0xFF, b'x', 0], bytes: 3 });
        }
        let again = BadRecords::from_json(&bad.to_json().unwrap()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{bad:?}"));
        assert!(BadRecords::from_json(b"{}").is_err());
    }
}
