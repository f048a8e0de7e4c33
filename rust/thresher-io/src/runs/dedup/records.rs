//! What pass 1 leaves of the documents of a task, and the spill file that holds it.
//!
//! ```text
//! section                     records                                          parts
//! one for each band           rest of the key (32 bits), document (32 bits)    by the first 8 bits of the key
//! hashes                      content hash (128 bits), document (32 bits)      by its first 8 bits
//! packed                      4 bits a lane, of each signed document           one
//! signed                      the signed documents (32 bits each)              one
//! bytes, checks, lengths      32 bits a document each                          one
//! id ends, ids                where each id ends (64 bits), and the ids        one
//! rank ends, ranks            the same for ranks                               one
//! bad                         bad records, as JSON                             one for each unit
//! ledger                      units and counts, as JSON                        one
//! ```
//!
//! A document is its number within the task. Within a part records come in the order of documents. A task is complete when its
//! file is, so the files in the state folder are the ledger of what was done.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thresher_core::lsh::KEY_BITS;

use crate::error::{Error, Result};
use crate::runs::spill::file::{SpillFile, SpillWriter};

/// Parts of the sections of keys and of hashes.
pub(crate) const RANGES: usize = 256;
/// Bytes of a record of the section of hashes.
pub(crate) const HASH_RECORD: usize = 20;

/// Where each section is in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) bands: usize,
}

impl Layout {
    pub(crate) fn hashes(self) -> usize {
        self.bands
    }
    pub(crate) fn packed(self) -> usize {
        self.bands + 1
    }
    pub(crate) fn signed(self) -> usize {
        self.bands + 2
    }
    pub(crate) fn bytes(self) -> usize {
        self.bands + 3
    }
    pub(crate) fn checks(self) -> usize {
        self.bands + 4
    }
    pub(crate) fn lengths(self) -> usize {
        self.bands + 5
    }
    pub(crate) fn id_ends(self) -> usize {
        self.bands + 6
    }
    pub(crate) fn ids(self) -> usize {
        self.bands + 7
    }
    pub(crate) fn rank_ends(self) -> usize {
        self.bands + 8
    }
    pub(crate) fn ranks(self) -> usize {
        self.bands + 9
    }
    pub(crate) fn bad(self) -> usize {
        self.bands + 10
    }
    pub(crate) fn ledger(self) -> usize {
        self.bands + 11
    }
}

/// One unit in the ledger of its task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnitEntry {
    pub(crate) input: usize,
    /// Its place among the units of the input.
    pub(crate) index: usize,
    pub(crate) num_slots: u32,
    /// Slots of bad records, and of those that an earlier step has taken out, ascending.
    pub(crate) bad_slots: Box<[u32]>,
    /// How many an earlier step has taken out.
    pub(crate) num_absent: u32,
    /// Bytes that belong to no record.
    pub(crate) blank_bytes: u64,
    /// Bytes that were read.
    pub(crate) read_bytes: u64,
    /// Where the next unit begins, in a file of plain lines.
    pub(crate) next_offset: u64,
}

impl UnitEntry {
    pub(crate) fn num_docs(&self) -> u32 {
        self.num_slots - self.bad_slots.len() as u32
    }
}

/// Bytes of any length for each document.
#[derive(Default)]
pub(crate) struct Texts {
    ends: Vec<u64>,
    bytes: Vec<u8>,
}

impl Texts {
    /// Appends what `write` writes for the next document.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len() as u64);
    }

    fn append(&mut self, other: &mut Self) {
        let before = self.bytes.len() as u64;
        self.ends.extend(other.ends.iter().map(|&end| before + end));
        self.bytes.append(&mut other.bytes);
    }

    fn size(&self) -> usize {
        8 * self.ends.len() + self.bytes.len()
    }

    fn write(&self, to: &mut SpillWriter) -> Result<()> {
        to.section();
        to.part(&self.ends.iter().flat_map(|end| end.to_ne_bytes()).collect::<Vec<_>>())?;
        to.section();
        to.part(&self.bytes)
    }
}

/// The documents of some units, column by column.
#[derive(Default)]
pub(crate) struct Records {
    /// Band keys of the signed documents, a column a band.
    pub(crate) keys: Vec<Vec<u64>>,
    pub(crate) packed: Vec<u8>,
    pub(crate) signed: Vec<u32>,
    pub(crate) hashes: Vec<u128>,
    pub(crate) bytes: Vec<u32>,
    /// Bytes of each text, for the policies that look at them.
    pub(crate) lengths: Vec<u32>,
    pub(crate) ids: Texts,
    pub(crate) ranks: Texts,
    /// Bad records of each unit, as JSON.
    pub(crate) bad: Vec<Vec<u8>>,
    pub(crate) units: Vec<UnitEntry>,
}

impl Records {
    pub(crate) fn new(bands: usize) -> Self {
        Self { keys: vec![Vec::new(); bands], ..Self::default() }
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let keys: usize = self.keys.iter().map(|keys| 8 * keys.len()).sum();
        let columns = 4 * (self.signed.len() + self.bytes.len() + self.lengths.len());
        let texts = self.ids.size() + self.ranks.size() + self.bad.iter().map(Vec::len).sum::<usize>();
        keys + columns + self.packed.len() + 16 * self.hashes.len() + texts
    }

    /// Appends the documents of another part, which come behind those that are here.
    pub(crate) fn append(&mut self, mut other: Self) {
        let first = self.hashes.len() as u32;
        for (keys, more) in self.keys.iter_mut().zip(&mut other.keys) {
            keys.append(more);
        }
        self.packed.append(&mut other.packed);
        self.signed.extend(other.signed.iter().map(|&doc| first + doc));
        self.hashes.append(&mut other.hashes);
        self.bytes.append(&mut other.bytes);
        self.lengths.append(&mut other.lengths);
        self.ids.append(&mut other.ids);
        self.ranks.append(&mut other.ranks);
        self.bad.append(&mut other.bad);
        self.units.append(&mut other.units);
    }

    /// Writes the spill file of a task.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn write(&self, path: &Path) -> Result<SpillFile> {
        let mut to = SpillWriter::create(path)?;
        let mut part = Vec::new();
        for keys in &self.keys {
            to.section();
            let order = by_range(keys.len(), |at| (keys[at] >> 56) as usize);
            for range in &order {
                part.clear();
                for &at in range {
                    let rest = (keys[at as usize] >> (64 - KEY_BITS)) as u32;
                    let record = u64::from(rest) << 32 | u64::from(self.signed[at as usize]);
                    part.extend_from_slice(&record.to_ne_bytes());
                }
                to.part(&part)?;
            }
        }
        to.section();
        let order = by_range(self.hashes.len(), |at| (self.hashes[at] >> 120) as usize);
        for range in &order {
            part.clear();
            for &at in range {
                part.extend_from_slice(&self.hashes[at as usize].to_ne_bytes());
                part.extend_from_slice(&at.to_ne_bytes());
            }
            to.part(&part)?;
        }
        to.section();
        to.part(&self.packed)?;
        let checks: Vec<u32> = self.hashes.iter().map(|&hash| hash as u32).collect();
        for column in [&self.signed, &self.bytes, &checks, &self.lengths] {
            to.section();
            part.clear();
            part.extend(column.iter().flat_map(|number| number.to_ne_bytes()));
            to.part(&part)?;
        }
        self.ids.write(&mut to)?;
        self.ranks.write(&mut to)?;
        to.section();
        self.bad.iter().try_for_each(|bad| to.part(bad))?;
        to.section();
        to.part(&serde_json::to_vec(&self.units).map_err(|error| Error::Internal(error.to_string()))?)?;
        to.finish()
    }
}

/// The places of records in each range, in order.
fn by_range(len: usize, range_of: impl Fn(usize) -> usize) -> Vec<Vec<u32>> {
    let mut ranges = vec![Vec::new(); RANGES];
    for at in 0..len {
        ranges[range_of(at)].push(at as u32);
    }
    ranges
}

/// The units of a task, from its file.
///
/// # Errors
/// I/O failures and a damaged file.
pub(crate) fn units_of(file: &SpillFile, layout: Layout) -> Result<Vec<UnitEntry>> {
    let mut bytes = Vec::new();
    file.read(layout.ledger(), 0..1, &mut bytes)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Internal(format!("the ledger of a task: {error}")))
}
