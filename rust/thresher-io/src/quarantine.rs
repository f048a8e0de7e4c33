//! `quarantine/`: every record that could not be used, with its place, the reason and its raw bytes.
//!
//! One JSON object a line, in the order of the inputs. Bytes that are no UTF-8 go in as Base64, so that the file is
//! always valid JSON and nothing is lost. It comes into being with the first bad record: a clean run has no folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use thresher_core::Tally;

use crate::commit::{Committed, PendingFile};
use crate::error::{Error, Result};
use crate::record::{BadRecord, Reason};

/// What is kept of a record; enough to see what it is, and a gigabyte-long line does not fill the disk twice.
const RAW_LIMIT_BYTES: usize = 1 << 20;
const FILE_NAME: &str = "records.jsonl";

/// Collects bad records of a run.
pub struct Quarantine {
    path: PathBuf,
    file: Option<PendingFile>,
    tallies: BTreeMap<Reason, Tally>,
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
        Self { path: dir.join(FILE_NAME), file: None, tallies: BTreeMap::new() }
    }

    /// Sets one record aside: `row` of the input named `source`.
    ///
    /// # Errors
    /// `Error::Io` if the file cannot be made or written.
    pub fn add(&mut self, source: &str, row: u64, bad: &BadRecord<'_>) -> Result<()> {
        let tally = self.tallies.entry(bad.reason).or_default();
        tally.add(bad.bytes);
        let (raw, raw_truncated) = shorten(bad.raw);
        let text = simdutf8::basic::from_utf8(raw).ok();
        let entry = Entry {
            source,
            row,
            offset: bad.offset,
            reason: bad.reason.name(),
            detail: &bad.detail,
            bytes: bad.bytes,
            raw: text,
            raw_base64: text.is_none().then(|| STANDARD.encode(raw)),
            raw_truncated,
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(PendingFile::create(&self.path)?),
        };
        serde_json::to_writer(&mut *file, &entry)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(Error::io("write", &self.path))
    }

    /// What was set aside so far, by reason.
    #[must_use]
    pub fn tallies(&self) -> &BTreeMap<Reason, Tally> {
        &self.tallies
    }

    /// Commits the file; `None` if there was no bad record.
    ///
    /// # Errors
    /// `Error::Io` if it cannot be completed.
    pub fn finish(self) -> Result<Option<Committed>> {
        self.file.map(PendingFile::commit).transpose()
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
    /// The start of the record, enough to tell whether it was cut.
    pub raw: Vec<u8>,
    /// As in [`BadRecord`].
    pub bytes: u64,
}

impl From<BadRecord<'_>> for OwnedBad {
    fn from(bad: BadRecord<'_>) -> Self {
        let BadRecord { slot, offset, reason, detail, raw, bytes } = bad;
        Self { slot, offset, reason, detail, raw: raw[..raw.len().min(RAW_LIMIT_BYTES + 1)].to_vec(), bytes }
    }
}

impl OwnedBad {
    /// The same, borrowed.
    #[must_use]
    pub fn as_record(&self) -> BadRecord<'_> {
        BadRecord {
            slot: self.slot,
            offset: self.offset,
            reason: self.reason,
            detail: self.detail.clone(),
            raw: &self.raw,
            bytes: self.bytes,
        }
    }
}

/// The first mebibyte, less a character that the cut would break.
fn shorten(raw: &[u8]) -> (&[u8], bool) {
    let Some(head) = raw.get(..RAW_LIMIT_BYTES).filter(|head| head.len() < raw.len()) else {
        return (raw, false);
    };
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => (head.get(..error.valid_up_to()).unwrap_or(head), true),
        _ => (head, true),
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
        quarantine.add("a.jsonl", 3, &bad(Reason::InvalidJson, b"{\"text\":\n\0\x1b[31m")).unwrap();
        quarantine.add("b/\u{e4}.jsonl", u64::MAX, &bad(Reason::InvalidUtf8, b"\xff\xfe")).unwrap();
        quarantine.add("c.parquet", 0, &bad(Reason::Corrupt, b"")).unwrap();
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
            quarantine.add("s", 0, &bad(Reason::TooLong, raw)).unwrap();
        }
        quarantine.add("s", 0, &bad(Reason::NullText, b"b")).unwrap();
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
        quarantine.add("s", 0, &bad(Reason::TooLong, giant.as_bytes())).unwrap();
        quarantine.add("s", 1, &bad(Reason::TooLong, &binary)).unwrap();
        quarantine.add("s", 2, &bad(Reason::TooLong, &giant.as_bytes()[..RAW_LIMIT_BYTES - 1])).unwrap();
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
        quarantine.add("s", 0, &bad(Reason::TooLong, b"x")).unwrap();
        drop(quarantine);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
