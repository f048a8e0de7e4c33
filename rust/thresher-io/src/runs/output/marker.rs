//! `run.json` as the mark of ownership: what carries it was written by thresher, and only what it lists may be removed.
//!
//! A file of that name proves nothing: other tools have a `run.json` too. Ours names the tool and the version of this
//! format, and lists every file of the result, so that a file that somebody else put beside them is told from ours.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::place::Place;
use super::state::LOCK;
use crate::commit::Committed;
use crate::error::{Error, Result};
use crate::input::Written;

/// What `tool` says in a `run.json` of ours.
const TOOL: &str = "thresher";
/// Version of what the members of `run.json` mean that this module reads.
const FORMAT: u32 = 1;

/// The first members of every `run.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// Always `thresher`.
    pub tool: &'static str,
    /// Version of the format of `run.json`.
    pub format: u32,
    /// Version of thresher.
    pub version: &'static str,
}

impl Default for Marker {
    fn default() -> Self {
        Self { tool: TOOL, format: FORMAT, version: env!("CARGO_PKG_VERSION") }
    }
}

/// The files of a result by their names below its folder, with `/`. A folder of documents ends in `/`. The data file of a
/// single output is called `data`.
pub type Files = BTreeMap<String, FileEntry>;

/// What a file of a result is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// XXH3-128 of the bytes, 32 hex digits; of a folder of documents, of the names, sizes and contents of its files.
    pub xxh3_128: String,
    /// Its length; of a folder, that of its files.
    pub bytes: u64,
    /// Records, rows of a table, or files of a folder; none for what has no rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// XXH3-128 of the names and sizes in a folder of documents: whether one came or went is told without reading them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_xxh3_128: Option<String>,
}

impl FileEntry {
    /// The entry of a finished file, or of a folder with this digest of its names and sizes.
    pub(super) fn of(written: &Written, listing_xxh3_128: Option<String>) -> Self {
        let Written { rows, bytes, xxh3_128, .. } = written;
        Self { xxh3_128: xxh3_128.clone(), bytes: *bytes, rows: Some(*rows), listing_xxh3_128 }
    }

    /// The entry of a file that has no rows.
    pub(super) fn without_rows(file: Committed) -> Self {
        Self { xxh3_128: file.xxh3_128, bytes: file.bytes, rows: None, listing_xxh3_128: None }
    }
}

/// How the last member of a `run.json` begins and ends: the XXH3-128 of all bytes before it.
const SEAL: (&[u8], &[u8]) = (b",\n  \"xxh3_128\": \"", b"\"\n}\n");
const HEX_DIGITS: usize = 32;

/// Adds the checksum of a JSON object as its last member.
pub(super) fn seal(json: &mut Vec<u8>) {
    while json.last().is_some_and(|&byte| byte == b'}' || byte.is_ascii_whitespace()) {
        let byte = json.pop();
        if byte == Some(b'}') {
            break;
        }
    }
    json.truncate(json.trim_ascii_end().len());
    let hash = format!("{:032x}", xxh3_128(json));
    json.extend_from_slice(&[SEAL.0, hash.as_bytes(), SEAL.1].concat());
}

/// Whether the bytes are those that were sealed.
pub(super) fn is_sealed(json: &[u8]) -> bool {
    let hash = json.strip_suffix(SEAL.1).and_then(|json| json.split_last_chunk::<HEX_DIGITS>());
    hash.and_then(|(json, hash)| Some((json.strip_suffix(SEAL.0)?, hash)))
        .is_some_and(|(json, hash)| format!("{:032x}", xxh3_128(json)).as_bytes() == hash)
}

/// What `run.json` says about its result.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    tool: String,
    format: u32,
    pub(super) files: Files,
}

impl Manifest {
    /// Reads a `run.json`; `None` if there is none, or it is not ours.
    ///
    /// # Errors
    /// `Error::Parameter` for a newer version, `Error::Io` if it cannot be read.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        // A folder can be opened, but not read.
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let Ok(found) = serde_json::from_reader::<_, Self>(BufReader::new(file)) else { return Ok(None) };
        if found.tool != TOOL {
            return Ok(None);
        }
        if found.format > FORMAT {
            return Err(Error::Parameter(format!(
                "`{}` has format {}, but this version of thresher reads up to {FORMAT}; update thresher or choose \
                 another output",
                path.display(),
                found.format
            )));
        }
        Ok(Some(found))
    }
}

/// Whether `path` is an output of ours: a folder that holds a result or one under construction, or evidence beside a data
/// file. The data file itself is as good an input as any.
pub(crate) fn is_our_output(path: &Path) -> bool {
    let is_ours = |place: &Place| {
        place.state().is_some_and(|state| state.join(LOCK).is_file())
            || place
                .part("run.json")
                .is_some_and(|run| Manifest::read(&run).is_ok_and(|found| found.is_some()))
    };
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) && is_ours(&Place::Folder(path.to_path_buf())) {
        return true;
    }
    Place::beside_which(path).is_some_and(|place| is_ours(&place))
}
