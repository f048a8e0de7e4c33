//! What a run keeps of its work, so that the next one of the same goes on behind it.
//!
//! ```text
//! task-000000 ...   what pass 1 leaves, task by task        signed   pass 1 is through
//! fates             what became of every document: equal texts and decisions
//! ```
//!
//! Each file is complete under its name and checked as a whole before it is used; what is damaged, and everything behind it, is
//! done again.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thresher_core::resolve::Unchecked;
use thresher_core::resolve::decide::Counts;

use super::classes::Copies;
use super::decide::Decisions;
use super::records::{Layout, units_of};
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::runs::books::Count;
use crate::runs::spill::bits::Bits;
use crate::runs::spill::file::{SpillFile, SpillWriter};
use crate::runs::spill::sort::{Row, Sorted, StoredWriter};
use crate::runs::spill::tasks;

const SIGNED: &str = "signed";
const FATES: &str = "fates";
/// Records of a part.
const PART_ROWS: usize = 1 << 16;

/// Whether an earlier run finished a task here.
pub(super) fn has_task(folder: &Path) -> bool {
    tasks::path(folder, 0).exists()
}

/// The tasks that an earlier run finished.
///
/// # Errors
/// I/O failures.
pub(super) fn tasks(folder: &Path) -> Result<Vec<SpillFile>> {
    let tasks = tasks::open(folder)?;
    forget(folder, tasks.len())?;
    Ok(tasks)
}

/// Documents and bytes of the finished tasks.
///
/// # Errors
/// I/O failures.
pub(super) fn done(folder: &Path, layout: Layout) -> Result<Count> {
    let mut done = Count::default();
    for file in tasks(folder)? {
        for unit in units_of(&file, layout)? {
            done.add(u64::from(unit.num_docs()), unit.read_bytes);
        }
    }
    Ok(done)
}

/// Keeps the first tasks alone. Unless they are all that pass 1 made, what was made of them goes too: after a loss of power any
/// file may be missing while later ones are there.
///
/// # Errors
/// I/O failures.
pub(super) fn forget(folder: &Path, first: usize) -> Result<()> {
    if !is_signed(folder, first) {
        remove(&folder.join(SIGNED))?;
        remove(&folder.join(FATES))?;
    }
    tasks::forget(folder, first)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Notes that pass 1 is through, and has made so many tasks.
///
/// # Errors
/// I/O failures.
pub(super) fn mark_signed(folder: &Path, tasks: usize) -> Result<()> {
    commit_bytes(&folder.join(SIGNED), tasks.to_string().as_bytes()).map(drop)
}

/// Whether pass 1 is through, and these are all of its tasks.
pub(super) fn is_signed(folder: &Path, tasks: usize) -> bool {
    fs::read_to_string(folder.join(SIGNED)).is_ok_and(|noted| noted == tasks.to_string())
}

#[derive(Serialize, Deserialize)]
struct Figures {
    candidates: u32,
    spooled: u64,
    checks: u64,
    capped: u64,
    unchecked: Vec<(usize, u64)>,
}

/// What became of every document, as far as it is no count of documents.
pub(super) struct Found {
    pub(super) copies: Copies,
    pub(super) decisions: Decisions,
    pub(super) candidates: u32,
}

impl Found {
    /// Stores it.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn store(&self, folder: &Path) -> Result<()> {
        let mut to = SpillWriter::create(&folder.join(FATES))?;
        store_rows(&mut to, &self.decisions.near)?;
        store_rows(&mut to, &self.copies.standing)?;
        to.section();
        let words: Vec<u8> = self.copies.bits.words().iter().flat_map(|word| word.to_ne_bytes()).collect();
        to.part(&words)?;
        let counts = &self.decisions.counts;
        let figures = Figures {
            candidates: self.candidates,
            spooled: self.decisions.spooled,
            checks: counts.checks,
            capped: counts.capped,
            unchecked: counts.unchecked.steps().collect(),
        };
        to.section();
        to.part(&serde_json::to_vec(&figures).map_err(|error| Error::Internal(error.to_string()))?)?;
        to.finish().map(drop)
    }

    /// What an earlier run stored; none if it did not come so far.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>> {
        let Ok(file) = SpillFile::open(&folder.join(FATES)) else { return Ok(None) };
        if file.check().is_err() {
            return Ok(None);
        }
        let near = load_rows(&file, 0, folder)?;
        let standing = load_rows(&file, 1, folder)?;
        let mut bytes = Vec::new();
        file.read(2, 0..1, &mut bytes)?;
        let words = bytes.as_chunks().0.iter().map(|&word| u64::from_ne_bytes(word)).collect();
        file.read(3, 0..1, &mut bytes)?;
        let figures: Figures =
            serde_json::from_slice(&bytes).map_err(|error| Error::Internal(error.to_string()))?;
        let mut unchecked = Unchecked::default();
        for (tenths, pairs) in figures.unchecked {
            unchecked.add(tenths as f64 / 10.0, pairs);
        }
        let counts = Counts { checks: figures.checks, capped: figures.capped, unchecked };
        Ok(Some(Self {
            copies: Copies { standing, bits: Bits::new(words) },
            decisions: Decisions { near, counts, spooled: figures.spooled },
            candidates: figures.candidates,
        }))
    }
}

fn store_rows<const N: usize>(to: &mut SpillWriter, rows: &Sorted<N>) -> Result<()> {
    to.section();
    let mut part = Vec::new();
    for row in rows.iter() {
        part.extend(row?.iter().flat_map(|number| number.to_ne_bytes()));
        if part.len() >= PART_ROWS * size_of::<Row<N>>() {
            to.part(&part)?;
            part.clear();
        }
    }
    to.part(&part)
}

fn load_rows<const N: usize>(file: &SpillFile, section: usize, folder: &Path) -> Result<Sorted<N>> {
    let mut rows = StoredWriter::new(folder)?;
    let mut bytes = Vec::new();
    for part in 0..file.parts(section) {
        file.read(section, part..part + 1, &mut bytes)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        for row in numbers.as_chunks::<N>().0 {
            rows.push(row.map(u32::from_ne_bytes))?;
        }
    }
    Ok(Sorted::Disk(rows.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_a_missing_task_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        let make = |task| {
            let mut file = SpillWriter::create(&tasks::path(folder, task)).unwrap();
            file.part(b"records").unwrap();
            file.finish().unwrap();
        };
        (0..4).for_each(make);
        mark_signed(folder, 4).unwrap();
        fs::write(folder.join(FATES), "").unwrap();
        assert_eq!(tasks(folder).unwrap().len(), 4);
        assert!(is_signed(folder, 4) && folder.join(FATES).exists());
        fs::remove_file(tasks::path(folder, 1)).unwrap();
        assert_eq!(tasks(folder).unwrap().len(), 1);
        assert!(!folder.join(SIGNED).exists() && !folder.join(FATES).exists());
        assert!(!tasks::path(folder, 2).exists() && !tasks::path(folder, 3).exists());
    }

    #[test]
    fn a_last_task_that_is_missing_is_told() {
        let dir = tempfile::tempdir().unwrap();
        mark_signed(dir.path(), 2).unwrap();
        assert!(tasks(dir.path()).unwrap().is_empty());
        assert!(!dir.path().join(SIGNED).exists());
    }
}
