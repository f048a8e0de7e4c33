//! How the places of an exchange are cut into ranges, fixed when it begins: what an earlier run has spilled keeps its meaning,
//! whatever memory the next one has.

use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::runs::memory::Memory;

const FILE: &str = "layout.json";
/// Bytes of rows that a range aims at, and the most ranges that there are.
const RANGE_BYTES: u64 = if cfg!(test) { 200 } else { 4 << 20 };
const MOST_RANGES: u64 = 4096;
/// A range of a spill file is known by so many bytes, all of which together take this share of the tables of a run.
const RANGE_ENTRY: u64 = 32;
const ENTRIES_PART: u64 = 16;
/// Bytes of rows that are placed together.
const LEAST_UNIT: u64 = 1 << 20;
const MOST_UNIT: u64 = 64 << 20;
/// Bytes of rows in a spill file.
const MOST_TASK: u64 = 256 << 20;

/// Places and their ranges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// How many places there are.
    pub(crate) places: u64,
    /// Places of a range; the last one may have fewer.
    pub(crate) width: u64,
    /// Bytes of rows that are placed together.
    pub(crate) unit_bytes: u64,
    /// Rows of JSON are kept as elements of an array instead of lines.
    pub(crate) elements: bool,
}

impl Layout {
    /// The layout of an exchange of some `bytes` of rows.
    pub(crate) fn new(places: u64, bytes: u64, elements: bool, memory: Memory, threads: usize) -> Self {
        let tasks = bytes.div_ceil(task_bytes(memory)).max(1);
        let known = memory.part(ENTRIES_PART) / RANGE_ENTRY / tasks;
        let ranges = bytes.div_ceil(RANGE_BYTES).min(known).clamp(1, MOST_RANGES);
        // Within its range a place is told by 32 bits.
        let width = places.div_ceil(ranges).clamp(1, 1 << 32);
        let unit_bytes = (memory.in_flight() / (4 * threads as u64)).clamp(LEAST_UNIT, MOST_UNIT);
        Self { places, width, unit_bytes: if cfg!(test) { 3 * RANGE_BYTES } else { unit_bytes }, elements }
    }

    /// The layout that an earlier run has noted in a folder, or this one, which is noted then.
    ///
    /// # Errors
    /// I/O failures; `Error::Internal` if the earlier one was about other rows.
    pub(crate) fn noted_in(self, folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let noted: Option<Self> = fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        match noted {
            Some(noted) if (noted.places, noted.elements) == (self.places, self.elements) => Ok(noted),
            Some(_) => Err(Error::Internal(format!("`{}` is of other rows", path.display()))),
            None => {
                let json = serde_json::to_vec(&self).map_err(|error| Error::Internal(error.to_string()))?;
                commit_bytes(&path, &json)?;
                Ok(self)
            }
        }
    }

    /// How many ranges there are.
    pub(crate) fn ranges(&self) -> usize {
        self.places.div_ceil(self.width) as usize
    }

    /// The places of a range.
    pub(crate) fn range(&self, range: usize) -> Range<u64> {
        let start = range as u64 * self.width;
        start..self.places.min(start.saturating_add(self.width))
    }

    /// The ranges that have some of these places.
    pub(crate) fn ranges_of(&self, places: &Range<u64>) -> Range<usize> {
        (places.start / self.width) as usize..places.end.div_ceil(self.width) as usize
    }
}

/// Bytes of rows that are held until they are spilled.
pub(crate) fn task_bytes(memory: Memory) -> u64 {
    if cfg!(test) { 20 * RANGE_BYTES } else { memory.part(3).min(MOST_TASK) }
}
