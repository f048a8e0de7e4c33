//! `quarantine/`: the records that could not be used, with their place, the reason and their raw bytes.
//!
//! One JSON object a line, in the order of the inputs. Bytes that are no UTF-8 go in as Base64, so that the file is
//! always valid JSON. It comes into being with the first bad record: a clean run has no folder.
//!
//! Bad records come in bulk: a corpus of the wrong kind is nothing else. So three things are bounded: what is held of
//! one record, how many of one reason are written ([`RECORDS_OF_A_REASON`], [`BYTES_OF_A_REASON`]), and, by the same
//! numbers, what one unit holds in memory. A bound for each reason, and not for all together, leaves room for the rare
//! ones. All are counted, and the report says how many are not written.

mod stored;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use thresher_core::Tally;

use crate::commit::PendingFile;
use crate::error::{Error, Result};
use crate::exhibits::{BadExhibit, Excerpt};
use crate::input::Written;
use crate::record::{BadRecord, Reason};

/// What is kept of a record; enough to see what it is.
const RAW_LIMIT_BYTES: usize = 64 << 10;
/// Records of one reason that are written, and held of one unit; as many as anybody looks at or repairs by hand.
const RECORDS_OF_A_REASON: u64 = 100_000;
/// Bytes of the file for one reason, and raw bytes that are held of one unit.
const BYTES_OF_A_REASON: u64 = 64 << 20;
/// Records of one reason that the report shows.
const EXHIBITS_OF_A_REASON: usize = 3;
/// The longest end of a line.
const LINE_END_BYTES: u64 = 2;
/// Its file.
pub(crate) const FILE_NAME: &str = "records.jsonl";

/// How much of one reason there is room for.
#[derive(Clone, Copy, Debug, Default)]
struct Room(Tally);

impl Room {
    fn is_full(self) -> bool {
        self.0.docs >= RECORDS_OF_A_REASON || self.0.bytes >= BYTES_OF_A_REASON
    }

    fn take(&mut self, bytes: usize) {
        self.0.add(bytes as u64);
    }
}

/// Collects bad records of a run.
pub struct Quarantine {
    /// Where they are written; nowhere if they are only counted.
    path: Option<PathBuf>,
    file: Option<PendingFile>,
    tallies: BTreeMap<Reason, Tally>,
    rooms: BTreeMap<Reason, Room>,
    /// Where the first record of each reason is, and what is wrong with it.
    firsts: BTreeMap<Reason, String>,
    /// A few records of each reason, for the report.
    exhibits: BTreeMap<Reason, Vec<BadExhibit>>,
    /// The entry that is being written.
    line: Vec<u8>,
}

/// What a run says of its quarantine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuarantineReport {
    /// Records in its file.
    pub written: u64,
    /// Records that are only counted: there were more of one reason than are written, or none is written at all.
    pub only_counted: u64,
}

/// One line of the file. Fields are in the order in which a reader wants them.
#[derive(Serialize)]
struct Entry<'a> {
    source: &'a str,
    row: u64,
    offset: u64,
    reason: &'static str,
    detail: &'a str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    raw_truncated: bool,
}

impl Quarantine {
    /// A quarantine in the folder `dir`, which is made when the first bad record comes.
    #[must_use]
    pub fn create(dir: &Path) -> Self {
        Self { path: Some(dir.join(FILE_NAME)), ..Self::counting() }
    }

    /// A quarantine that writes nothing, for a run that only looks.
    #[must_use]
    pub fn counting() -> Self {
        Self {
            path: None,
            file: None,
            tallies: BTreeMap::new(),
            rooms: BTreeMap::new(),
            firsts: BTreeMap::new(),
            exhibits: BTreeMap::new(),
            line: Vec::new(),
        }
    }

    /// Sets the bad records of a unit aside, whose slot 0 is `first_row` of the input named `source`.
    ///
    /// # Errors
    /// `Error::Io` if the file cannot be made or written.
    pub fn add(&mut self, source: &str, first_row: u64, bad: &BadRecords) -> Result<()> {
        for (&reason, tally) in &bad.tallies {
            let sum = self.tallies.entry(reason).or_default();
            (sum.docs, sum.bytes) = (sum.docs + tally.docs, sum.bytes + tally.bytes);
        }
        for record in &bad.records {
            self.firsts.entry(record.reason).or_insert_with(|| {
                let (row, offset) = (first_row + u64::from(record.slot), record.offset);
                format!("row {row} of `{source}` at byte {offset}: {}", record.detail)
            });
            self.exhibit(source, first_row, record);
            self.write(source, first_row, record)?;
        }
        Ok(())
    }

    fn exhibit(&mut self, source: &str, first_row: u64, bad: &OwnedBad) {
        let shown = self.exhibits.entry(bad.reason).or_default();
        if shown.len() < EXHIBITS_OF_A_REASON {
            shown.push(BadExhibit {
                reason: bad.reason.name(),
                source: source.to_owned(),
                row: first_row.saturating_add(u64::from(bad.slot)),
                offset: bad.offset,
                detail: bad.detail.clone(),
                raw: Excerpt::of_bytes(&bad.raw, bad.bytes),
            });
        }
    }

    /// The first records of each reason.
    pub(crate) fn exhibits(&self) -> Vec<BadExhibit> {
        self.exhibits.values().flatten().cloned().collect()
    }

    fn write(&mut self, source: &str, first_row: u64, bad: &OwnedBad) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let room = self.rooms.entry(bad.reason).or_default();
        if room.is_full() {
            return Ok(());
        }
        let text = simdutf8::basic::from_utf8(&bad.raw).ok();
        let entry = Entry {
            source,
            row: first_row + u64::from(bad.slot),
            offset: bad.offset,
            reason: bad.reason.name(),
            detail: &bad.detail,
            bytes: bad.bytes,
            raw: text,
            raw_base64: text.is_none().then(|| STANDARD.encode(&bad.raw)),
            raw_truncated: bad.raw_truncated,
        };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &entry).map_err(|error| Error::Internal(error.to_string()))?;
        self.line.push(b'\n');
        room.take(self.line.len());
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(PendingFile::create(path)?),
        };
        file.write_all(&self.line).map_err(Error::io("write", path))
    }

    /// What was set aside so far, by reason.
    #[must_use]
    pub fn tallies(&self) -> &BTreeMap<Reason, Tally> {
        &self.tallies
    }

    /// Where the first record of a reason is, and what is wrong with it.
    #[must_use]
    pub fn first_of(&self, reason: Reason) -> Option<&str> {
        self.firsts.get(&reason).map(String::as_str)
    }

    /// What the report says of it, once it is finished.
    #[must_use]
    pub fn report(&self) -> QuarantineReport {
        let written = self.rooms.values().map(|room| room.0.docs).sum();
        let all: u64 = self.tallies.values().map(|tally| tally.docs).sum();
        QuarantineReport { written, only_counted: all - written }
    }

    /// Commits the file; `None` if there was no bad record.
    ///
    /// # Errors
    /// `Error::Io` if it cannot be completed.
    pub fn finish(self) -> Result<Option<Written>> {
        let rows = self.report().written;
        self.file.map(|file| Ok(Written::of(file.commit()?, rows))).transpose()
    }
}

/// The bad records of one unit: the first ones of each reason as they are, and the number of all.
#[derive(Debug, Default)]
pub struct BadRecords {
    records: Vec<OwnedBad>,
    tallies: BTreeMap<Reason, Tally>,
    rooms: BTreeMap<Reason, Room>,
}

impl BadRecords {
    /// Adds one.
    pub fn push(&mut self, bad: BadRecord<'_>) {
        self.tallies.entry(bad.reason).or_default().add(bad.bytes);
        let room = self.rooms.entry(bad.reason).or_default();
        if !room.is_full() {
            let bad = OwnedBad::from(bad);
            room.take(bad.raw.len());
            self.records.push(bad);
        }
    }

    /// How many there are, and their bytes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tallies.values().fold(Tally::default(), |sum, tally| Tally {
            docs: sum.docs + tally.docs,
            bytes: sum.bytes + tally.bytes,
        })
    }

    /// How many there are of a reason.
    #[must_use]
    pub fn docs_of(&self, reason: Reason) -> u64 {
        self.tallies.get(&reason).map_or(0, |tally| tally.docs)
    }

    /// How many there are of which nobody knows which fields they have.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        let tallies = self.tallies.iter().filter(|(reason, _)| reason.is_unreadable());
        tallies.map(|(_, tally)| tally.docs).sum()
    }

    /// The first one of a reason.
    #[must_use]
    pub fn first_of(&self, reason: Reason) -> Option<&OwnedBad> {
        self.records.iter().find(|bad| bad.reason == reason)
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<&OwnedBad> {
        self.records.first()
    }
}

/// A bad record on its way to the quarantine.
#[derive(Debug)]
pub struct OwnedBad {
    /// As in [`BadRecord`].
    pub slot: u32,
    /// As in [`BadRecord`].
    pub offset: u64,
    /// As in [`BadRecord`].
    pub reason: Reason,
    /// As in [`BadRecord`].
    pub detail: String,
    /// The start of the record.
    pub raw: Vec<u8>,
    /// The record is longer.
    pub raw_truncated: bool,
    /// As in [`BadRecord`].
    pub bytes: u64,
}

impl From<BadRecord<'_>> for OwnedBad {
    fn from(bad: BadRecord<'_>) -> Self {
        let BadRecord { slot, offset, reason, detail, raw, bytes } = bad;
        let head = shorten(raw);
        // A reader may have cut it before; what the books count for a line holds its end, too.
        let raw_truncated = head.len() < raw.len() || raw.len() as u64 + LINE_END_BYTES < bytes;
        Self { slot, offset, reason, detail, raw: head.to_vec(), raw_truncated, bytes }
    }
}

/// The first 64 KiB, less a character that the cut would break.
fn shorten(raw: &[u8]) -> &[u8] {
    let Some(head) = raw.get(..RAW_LIMIT_BYTES).filter(|head| head.len() < raw.len()) else { return raw };
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or(head),
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tempfile::tempdir;

    use super::*;

    fn bad(reason: Reason, raw: &[u8]) -> BadRecord<'_> {
        BadRecord {
            slot: 0,
            offset: 7,
            reason,
            detail: "the \"detail\"".into(),
            raw,
            bytes: raw.len() as u64 + 1,
        }
    }

    fn unit(bad: &[BadRecord<'_>]) -> BadRecords {
        let mut unit = BadRecords::default();
        for &BadRecord { slot, offset, reason, ref detail, raw, bytes } in bad {
            unit.push(BadRecord { slot, offset, reason, detail: detail.clone(), raw, bytes });
        }
        unit
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn without_a_bad_record_there_is_no_folder() {
        let dir = tempdir().unwrap();
        let quarantine = Quarantine::create(&dir.path().join("quarantine"));
        assert_eq!(quarantine.finish().unwrap(), None);
        assert!(!dir.path().join("quarantine").exists());
    }

    #[test]
    fn every_record_is_one_line_with_its_place_reason_and_bytes() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(&dir.path().join("q"));
        quarantine.add("a.jsonl", 3, &unit(&[bad(Reason::InvalidJson, b"{\"text\":\n\0\x1b[31m")])).unwrap();
        quarantine.add("b/\u{e4}.jsonl", u64::MAX, &unit(&[bad(Reason::InvalidUtf8, b"\xff\xfe")])).unwrap();
        quarantine.add("c.parquet", 0, &unit(&[bad(Reason::Corrupt, b"")])).unwrap();
        let done = quarantine.finish().unwrap().unwrap();
        assert_eq!(done.path, dir.path().join("q/records.jsonl"));
        let got = lines(&done.path);
        let common = |mut value: Value, more: Value| {
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            value
        };
        let base = serde_json::json!({"offset": 7, "detail": "the \"detail\""});
        let want = [
            serde_json::json!({"source": "a.jsonl", "row": 3, "reason": "invalid_json", "bytes": 16,
                "raw": "{\"text\":\n\0\u{1b}[31m"}),
            serde_json::json!({"source": "b/ä.jsonl", "row": u64::MAX, "reason": "invalid_utf8", "bytes": 3,
                "raw_base64": "//4="}),
            serde_json::json!({"source": "c.parquet", "row": 0, "reason": "corrupt", "bytes": 1, "raw": ""}),
        ];
        assert_eq!(got, want.map(|value| common(value, base.clone())));
    }

    #[test]
    fn tallies_count_by_reason() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(dir.path());
        for raw in [b"aa".as_slice(), b"", b"\xff"] {
            quarantine.add("s", 0, &unit(&[bad(Reason::TooLong, raw)])).unwrap();
        }
        quarantine.add("s", 0, &unit(&[bad(Reason::NullText, b"b")])).unwrap();
        let want =
            [(Reason::NullText, Tally { docs: 1, bytes: 2 }), (Reason::TooLong, Tally { docs: 3, bytes: 6 })];
        assert_eq!(quarantine.tallies(), &BTreeMap::from(want));
    }

    #[test]
    fn a_giant_record_is_cut_between_characters() {
        let dir = tempdir().unwrap();
        let giant = ["x", &"ü".repeat(RAW_LIMIT_BYTES)].concat();
        let mut binary = giant.clone().into_bytes();
        binary[0] = 0xff;
        let mut quarantine = Quarantine::create(dir.path());
        quarantine.add("s", 0, &unit(&[bad(Reason::TooLong, giant.as_bytes())])).unwrap();
        quarantine.add("s", 1, &unit(&[bad(Reason::TooLong, &binary)])).unwrap();
        quarantine
            .add("s", 2, &unit(&[bad(Reason::TooLong, &giant.as_bytes()[..RAW_LIMIT_BYTES - 1])]))
            .unwrap();
        let got = lines(&quarantine.finish().unwrap().unwrap().path);
        let text = got[0]["raw"].as_str().unwrap();
        assert!(giant.starts_with(text));
        assert_eq!((text.len(), &got[0]["raw_truncated"]), (RAW_LIMIT_BYTES - 1, &Value::Bool(true)));
        let decoded = STANDARD.decode(got[1]["raw_base64"].as_str().unwrap()).unwrap();
        assert_eq!(decoded, &binary[..RAW_LIMIT_BYTES]);
        assert_eq!(got[2]["raw"].as_str().unwrap().len(), RAW_LIMIT_BYTES - 1);
        assert_eq!(got[2].get("raw_truncated"), None);
    }

    #[test]
    fn an_unfinished_quarantine_leaves_no_file() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(dir.path());
        quarantine.add("s", 0, &unit(&[bad(Reason::TooLong, b"x")])).unwrap();
        drop(quarantine);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_record_that_its_reader_cut_before_is_marked() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(dir.path());
        let whole = BadRecord { bytes: 3, ..bad(Reason::TooLong, b"x") };
        let cut = BadRecord { bytes: 1 << 30, ..bad(Reason::TooLong, b"x") };
        quarantine.add("s", 0, &unit(&[whole, cut])).unwrap();
        let got = lines(&quarantine.finish().unwrap().unwrap().path);
        assert_eq!((got[0].get("raw_truncated"), &got[1]["raw_truncated"]), (None, &Value::Bool(true)));
    }

    /// Records of one reason in bulk, as a file of `x` in each line makes them.
    #[test]
    fn bad_records_in_bulk_are_counted_and_the_first_of_each_reason_written() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(dir.path());
        let units = 3;
        let in_unit = RECORDS_OF_A_REASON / 2 + 7;
        let mut row = 0;
        for _ in 0..units {
            let mut unit = BadRecords::default();
            for _ in 0..in_unit {
                unit.push(bad(Reason::InvalidJson, b"x"));
            }
            quarantine.add("s", row, &unit).unwrap();
            row += in_unit;
        }
        quarantine.add("s", row, &unit(&[bad(Reason::NullText, b"b")])).unwrap();
        let want = QuarantineReport {
            written: RECORDS_OF_A_REASON + 1,
            only_counted: units * in_unit - RECORDS_OF_A_REASON,
        };
        assert_eq!(quarantine.report(), want);
        assert_eq!(quarantine.tallies()[&Reason::InvalidJson].docs, units * in_unit);
        let done = quarantine.finish().unwrap().unwrap();
        assert_eq!(lines(&done.path).len() as u64, want.written);
    }

    #[test]
    fn the_file_is_bounded_in_bytes_however_raw_bytes_are_written() {
        let dir = tempdir().unwrap();
        let mut quarantine = Quarantine::create(dir.path());
        let raw = vec![0; RAW_LIMIT_BYTES];
        let mut unit = BadRecords::default();
        for _ in 0..3 * BYTES_OF_A_REASON / RAW_LIMIT_BYTES as u64 {
            unit.push(bad(Reason::TooLong, &raw));
        }
        let held: usize = unit.records.iter().map(|bad| bad.raw.len()).sum();
        assert_eq!(held as u64, BYTES_OF_A_REASON);
        quarantine.add("s", 0, &unit).unwrap();
        let file = quarantine.finish().unwrap().unwrap();
        // Each zero byte is written as the six of an escape.
        assert!(
            file.bytes >= BYTES_OF_A_REASON && file.bytes < BYTES_OF_A_REASON + (7 * RAW_LIMIT_BYTES) as u64
        );
    }
}
