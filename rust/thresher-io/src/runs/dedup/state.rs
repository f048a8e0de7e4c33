//! What a run keeps of its work, so that the next one of the same goes on behind it.
//!
//! ```text
//! task-000000 ...   what pass 1 leaves, task by task        signed   pass 1 is through
//! fates             what became of every document: equal texts and decisions
//! ```
//!
//! Each file is complete under its name and checked as a whole before it is used; what is damaged, and everything behind it, is
//! done again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thresher_core::resolve::Unchecked;
use thresher_core::resolve::decide::Counts;

use super::classes::Copies;
use super::decide::Decisions;
use super::records::{Layout, units_of};
use crate::error::{Error, Result};
use crate::runs::books::Count;
use crate::runs::spill::bits::Bits;
use crate::runs::spill::file::{SpillFile, SpillWriter};
use crate::runs::spill::sort::{Row, Sorted, StoredWriter};

const SIGNED: &str = "signed";
const FATES: &str = "fates";
/// Records of a part.
const PART_ROWS: usize = 1 << 16;

/// The file of a task.
pub(super) fn task_path(folder: &Path, task: usize) -> PathBuf {
    folder.join(format!("task-{task:06}"))
}

/// Whether an earlier run finished a task here.
pub(super) fn has_task(folder: &Path) -> bool {
    task_path(folder, 0).exists()
}

/// The tasks that an earlier run finished.
///
/// # Errors
/// I/O failures.
pub(super) fn tasks(folder: &Path) -> Result<Vec<SpillFile>> {
    let mut tasks = Vec::new();
    while let Ok(file) = SpillFile::open(&task_path(folder, tasks.len())) {
        if file.check().is_err() {
            break;
        }
        tasks.push(file);
    }
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

/// Removes the tasks from `first` on; if there is any, what was made of them too.
///
/// # Errors
/// I/O failures.
pub(super) fn forget(folder: &Path, first: usize) -> Result<()> {
    let mut task = first;
    while remove(&task_path(folder, task))? {
        task += 1;
    }
    if task > first {
        remove(&folder.join(SIGNED))?;
        remove(&folder.join(FATES))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

/// Notes that pass 1 is through.
///
/// # Errors
/// I/O failures.
pub(super) fn mark_signed(folder: &Path) -> Result<()> {
    let path = folder.join(SIGNED);
    File::create(&path).map(drop).map_err(Error::io("create", &path))
}

/// Whether it is.
pub(super) fn is_signed(folder: &Path) -> bool {
    folder.join(SIGNED).exists()
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
