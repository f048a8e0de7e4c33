//! `run.json` as the mark of ownership: what carries it was written by thresher, and only what it lists may be removed.
//!
//! A file of that name proves nothing: other tools have a `run.json` too. Ours names the tool and the version of this
//! format, and lists every file of the result, so that a file that somebody else put beside them is told from ours.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::state::LOCK;
use crate::error::{Error, Result};

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

/// The files of a result below its folder, with `/`, and the XXH3-128 of each. A folder of documents ends in `/` and has
/// the hash of its names and sizes. The data file of a single output is called `data`.
pub type Files = BTreeMap<String, String>;

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
