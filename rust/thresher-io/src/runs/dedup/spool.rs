//! The shingle sets of candidates, to be compared with later ones: in memory as long as there is room, then on disk.
//!
//! Only sets that a later document may ask for are held, and a set goes when the last one has asked: its place is another's
//! then, in memory before that on disk. Each begins at a multiple of 64 bytes of one row of addresses, of which the first ones are in
//! memory, so 4 bytes a set say where it is, 4 more how large, and 4 who asks last: a set that is too large or too small to be
//! similar enough is not read. Sets are written by one thread and read by all.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thresher_core::resolve::decide::Kept;
use zerocopy::IntoBytes;

use super::extents::{self, Extents};
use crate::error::{Error, Result};
use crate::runs::spill::bits::Bits;

/// Sets begin at multiples of so many bytes.
const UNIT: usize = 64;
/// Words of a unit.
const WORDS: usize = UNIT / size_of::<u64>();
/// Written at once.
const BLOCK: usize = 1 << 20;
/// In the place of a set that is not here.
const NONE: u32 = u32::MAX;
/// For a set that any later document may ask for.
pub(crate) const ALWAYS: u32 = u32::MAX;

/// Sets by the turns of their documents.
pub(crate) struct Spool {
    folder: PathBuf,
    /// Made when the first set goes there.
    file: Option<File>,
    /// The turns whose sets are asked for.
    asked: Bits,
    sets: Vec<Set>,
    /// The sets in memory: units up to `first_unit`.
    held: Vec<u64>,
    in_memory: Extents,
    in_file: Extents,
    /// The first unit that is in the file.
    first_unit: u32,
    /// What follows each other in the file, from `block_start` on, and is not written yet.
    block: Vec<u8>,
    block_start: u64,
    /// The unit behind the last set in it.
    block_end: u32,
    /// What went wrong while sets were read.
    failed: Mutex<Option<Error>>,
}

/// Where a set is.
#[derive(Clone, Copy)]
struct Set {
    /// The unit at which it begins.
    place: u32,
    /// How many shingles it has.
    size: u32,
    /// The last turn that asks for it.
    last: u32,
}

/// Units of a set of so many shingles.
fn units(shingles: u32) -> u32 {
    shingles.div_ceil(WORDS as u32).max(1)
}

impl Spool {
    /// An empty one for the sets of the turns in `asked`, each with the `last` turn that asks for it; up to `room` bytes are in
    /// memory, the others in an unnamed file.
    pub(crate) fn new(folder: &Path, asked: Bits, last: Vec<u32>, room: u64) -> Self {
        let mut held = Vec::new();
        // Pages that are not used take no memory. Without room, all is on disk.
        let first_unit = (room / UNIT as u64).min(u64::from(u32::MAX / 2)) as u32;
        let first_unit = held.try_reserve_exact(first_unit as usize * WORDS).map_or(0, |()| first_unit);
        Self {
            folder: folder.to_path_buf(),
            file: None,
            asked,
            sets: last.into_iter().map(|last| Set { place: NONE, size: 0, last }).collect(),
            held,
            in_memory: Extents::new(0, first_unit),
            in_file: Extents::new(first_unit, NONE),
            first_unit,
            block: Vec::new(),
            block_start: 0,
            block_end: NONE,
            failed: Mutex::default(),
        }
    }

    /// Takes the set of a turn, if one asks for it who comes behind `now`.
    ///
    /// # Errors
    /// I/O failures; `Error::Parameter` for more than fits.
    pub(crate) fn push(&mut self, turn: u32, shingles: &[u64], now: u32) -> Result<()> {
        if !self.asked.get(turn) {
            return Ok(());
        }
        let at = self.asked.rank(turn) as usize;
        if self.sets[at].last <= now {
            return Ok(());
        }
        // More than 2^32 shingles are an error of the core before they come here.
        let size = shingles.len() as u32;
        let place = if let Some(unit) = self.in_memory.take(units(size)) {
            let start = unit as usize * WORDS;
            if start + shingles.len() > self.held.len() {
                self.held.resize(start + shingles.len(), 0);
            }
            self.held[start..start + shingles.len()].copy_from_slice(shingles);
            unit
        } else {
            let unit = self.in_file.take(units(size)).ok_or_else(|| {
                Error::Parameter(
                    "the shingles of the documents to be compared take more than 256 GiB; split the inputs"
                        .into(),
                )
            })?;
            self.write(unit, shingles)?;
            unit
        };
        self.sets[at] = Set { place, size, ..self.sets[at] };
        Ok(())
    }

    /// Lets the set of a turn go if nobody asks for it behind `now`.
    pub(crate) fn let_go(&mut self, turn: u32, now: u32) {
        let at = self.asked.rank(turn) as usize;
        let Set { place, size, last } = self.sets[at];
        if place == NONE || last > now {
            return;
        }
        self.sets[at].place = NONE;
        let row = if place < self.first_unit { &mut self.in_memory } else { &mut self.in_file };
        row.give_back(place, units(size));
    }

    fn offset(&self, unit: u32) -> u64 {
        u64::from(unit - self.first_unit) * UNIT as u64
    }

    /// Writes a set to the file; together with those before it if it follows them.
    fn write(&mut self, unit: u32, shingles: &[u64]) -> Result<()> {
        if self.file.is_none() {
            let file = tempfile::tempfile_in(&self.folder);
            self.file = Some(file.map_err(Error::io("create a file in", &self.folder))?);
        }
        if self.block.len() >= BLOCK || unit != self.block_end {
            self.flush()?;
            self.block_start = self.offset(unit);
        }
        // The units behind the set before, as far as they are nobody's.
        self.block.resize((self.offset(unit) - self.block_start) as usize, 0);
        self.block_end = unit + extents::size(units(shingles.len() as u32));
        self.block.extend_from_slice(shingles.as_bytes());
        Ok(())
    }

    /// Makes what was taken readable.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let written = file.write_all_at(&self.block, self.block_start);
        written.map_err(Error::io("write a file in", &self.folder))?;
        self.block_end = NONE;
        self.block.clear();
        Ok(())
    }

    /// The error of this spool that made the core stop, or its own.
    pub(crate) fn cause(&self, error: thresher_core::Error) -> Error {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.unwrap_or_else(|| error.into())
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.offset(self.in_file.used())
    }

    /// The set of a turn, at hand or in `buffer`.
    ///
    /// # Errors
    /// I/O failures, and a set that is not here.
    pub(crate) fn read<'a>(&'a self, turn: u32, buffer: &'a mut Vec<u64>) -> Result<&'a [u64]> {
        let Set { place, size, .. } = self.sets[self.asked.rank(turn) as usize];
        let missing = || Error::Internal("the shingles of a kept document are not in the spool".into());
        let count = size as usize;
        if place == NONE {
            return Err(missing());
        }
        if place < self.first_unit {
            let start = place as usize * WORDS;
            return Ok(&self.held[start..start + count]);
        }
        let file = self.file.as_ref().ok_or_else(missing)?;
        if buffer.len() < count {
            buffer.resize(count, 0);
        }
        let read = file.read_exact_at(buffer[..count].as_mut_bytes(), self.offset(place));
        read.map_err(Error::io("read a file in", &self.folder))?;
        Ok(&buffer[..count])
    }
}

impl Kept for Spool {
    fn shingles<'a>(&'a self, turn: u32, buffer: &'a mut Vec<u64>) -> thresher_core::Result<&'a [u64]> {
        self.read(turn, buffer).map_err(|error| {
            // The core has no errors of files; this one is told when it comes back.
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            thresher_core::Error::Cancelled
        })
    }

    fn size(&self, turn: u32) -> Option<usize> {
        let set = self.asked.get(turn).then(|| self.sets[self.asked.rank(turn) as usize])?;
        (set.place != NONE).then_some(set.size as usize)
    }

    fn before(&self, a: u32, b: u32) -> bool {
        a < b
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::spill::bits::Marks;

    #[test]
    fn sets_of_every_size_come_back_from_memory_and_from_disk() {
        let set = |turn: u32| (0..u64::from(turn) * 7).map(move |n| n * 0x9E37_79B9 + u64::from(turn));
        for room in [0, 1 << 20, 1 << 30] {
            let dir = tempfile::tempdir().unwrap();
            let asked = Marks::new(600);
            (0..600).filter(|turn| turn % 5 > 0).for_each(|turn| asked.set(turn));
            let asked = asked.finish();
            let last = vec![ALWAYS; asked.len() as usize];
            let mut spool = Spool::new(dir.path(), asked, last, room);
            for turn in (0..600).filter(|turn| turn % 3 > 0) {
                spool.push(turn, &set(turn).collect::<Vec<_>>(), turn).unwrap();
            }
            spool.flush().unwrap();
            assert_eq!(spool.bytes() == 0, room == 1 << 30);
            let mut buffer = Vec::new();
            for turn in (0..600).rev().filter(|turn| turn % 5 > 0) {
                if turn % 3 == 0 {
                    assert!(spool.read(turn, &mut buffer).is_err() && spool.size(turn).is_none());
                } else {
                    assert!(spool.read(turn, &mut buffer).unwrap().iter().copied().eq(set(turn)));
                    assert_eq!(spool.size(turn), Some(7 * turn as usize));
                }
            }
            assert_eq!(spool.size(5), None, "nobody asks for it");
        }
    }

    #[test]
    fn a_set_goes_with_the_last_one_that_asks_and_its_place_is_used_again() {
        let set = |turn: u32| vec![u64::from(turn); 9 + turn as usize % 5];
        for room in [0, 4096] {
            let dir = tempfile::tempdir().unwrap();
            let asked = Marks::new(4000);
            (0..4000).for_each(|turn| asked.set(turn));
            // Every tenth is asked for until the end, the others by one a little later.
            let last =
                (0..4000).map(|turn| if turn % 10 == 0 { ALWAYS } else { turn + 1 + turn % 7 }).collect();
            let mut spool = Spool::new(dir.path(), asked.finish(), last, room);
            let mut buffer = Vec::new();
            for turn in 0..4000u32 {
                spool.push(turn, &set(turn), turn).unwrap();
                spool.flush().unwrap();
                let from = turn.saturating_sub(9);
                for earlier in
                    (from..turn).filter(|&earlier| earlier % 10 == 0 || earlier + 1 + earlier % 7 >= turn)
                {
                    assert_eq!(
                        spool.read(earlier, &mut buffer).unwrap(),
                        set(earlier),
                        "{earlier} at {turn}"
                    );
                }
                (from..=turn).for_each(|earlier| spool.let_go(earlier, turn));
            }
            for turn in 0..3990 {
                assert_eq!(spool.read(turn, &mut buffer).is_ok(), turn % 10 == 0);
            }
            // 400 sets of 2 units stay, and some of the others' places.
            assert!(spool.bytes() + room < 64 * 2 * 440, "{}", spool.bytes());
            spool.push(7, &set(7), 14).unwrap();
            assert!(spool.read(7, &mut buffer).is_err(), "nobody comes who asks");
        }
    }
}
