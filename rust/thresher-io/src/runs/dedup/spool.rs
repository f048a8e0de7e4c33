//! The shingle sets of candidates, to be compared with later ones: in memory as long as there is room, then on disk.
//!
//! Only sets that a later document may ask for are held. Each begins at a multiple of 64 bytes of one row of addresses, of which
//! the first ones are in memory, so 4 bytes a set say where it is, and 4 more how large: a set that is
//! too large or too small to be similar enough is not read. Sets are appended by one thread and read by all.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thresher_core::resolve::decide::Kept;

use crate::error::{Error, Result};
use crate::runs::spill::bits::Bits;

/// Sets begin at multiples of so many bytes.
const UNIT: usize = 64;
/// Read at once: most sets are no longer.
const BUFFER: usize = 8192;
/// Written at once.
const BLOCK: usize = 1 << 20;
/// In the place of a set that is not here.
const NONE: u32 = 0;

/// Sets by the turns of their documents.
pub(crate) struct Spool {
    folder: PathBuf,
    /// Made when the first set goes there.
    file: Option<File>,
    /// The turns whose sets are asked for.
    asked: Bits,
    sets: Vec<Set>,
    /// The sets in memory: never more than there is room for.
    held: Vec<u64>,
    block: Vec<u8>,
    /// Bytes in the file, without the block.
    written: u64,
    /// What went wrong while sets were read.
    failed: Mutex<Option<Error>>,
}

/// Where a set is.
#[derive(Clone, Copy)]
struct Set {
    /// The unit at which it begins, plus one; behind those in memory are those in the file.
    place: u32,
    /// How many shingles it has.
    size: u32,
}

impl Spool {
    /// An empty one for the sets of the turns in `asked`, up to `room` bytes of which are in memory, the others in an unnamed
    /// file.
    pub(crate) fn new(folder: &Path, asked: Bits, room: u64) -> Self {
        let wanted = asked.len() as usize;
        let mut held = Vec::new();
        // Pages that are not used take no memory. Without room, all is on disk.
        let _ = held.try_reserve_exact(room as usize / UNIT * (UNIT / size_of::<u64>()));
        Self {
            folder: folder.to_path_buf(),
            file: None,
            asked,
            sets: vec![Set { place: NONE, size: 0 }; wanted],
            held,
            block: Vec::new(),
            written: 0,
            failed: Mutex::default(),
        }
    }

    /// Takes the set of a turn, if it is asked for.
    ///
    /// # Errors
    /// I/O failures; `Error::Parameter` for more than fits.
    pub(crate) fn push(&mut self, turn: u32, shingles: &[u64]) -> Result<()> {
        if !self.asked.get(turn) {
            return Ok(());
        }
        let at = self.asked.rank(turn) as usize;
        let words = UNIT / size_of::<u64>();
        let fits = self.held.len() + shingles.len().next_multiple_of(words) <= self.held.capacity();
        let unit = if fits && self.is_in_memory() {
            let unit = self.held.len() / words;
            self.held.extend_from_slice(shingles);
            self.held.resize(self.held.len().next_multiple_of(words), 0);
            unit as u64
        } else {
            self.first_unit() + self.append(shingles)?
        };
        let place = u32::try_from(unit + 1).map_err(|_| {
            Error::Parameter(
                "the shingles of the documents to be compared take more than 256 GiB; split the inputs"
                    .into(),
            )
        })?;
        // More than 2^32 shingles are an error of the core before they come here.
        self.sets[at] = Set { place, size: shingles.len() as u32 };
        Ok(())
    }

    /// Whether nothing is in the file yet. When something is, memory gets no more, so that addresses stay.
    fn is_in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// The first unit behind those in memory.
    fn first_unit(&self) -> u64 {
        (size_of_val(&*self.held) / UNIT) as u64
    }

    /// Appends a set to the file; gives its unit there.
    fn append(&mut self, shingles: &[u64]) -> Result<u64> {
        if self.file.is_none() {
            let file = tempfile::tempfile_in(&self.folder);
            self.file = Some(file.map_err(Error::io("create a file in", &self.folder))?);
        }
        let at = self.block.len();
        let unit = (self.written + at as u64) / UNIT as u64;
        self.block.resize((at + size_of_val(shingles)).next_multiple_of(UNIT), 0);
        for (bytes, shingle) in self.block[at..].as_chunks_mut().0.iter_mut().zip(shingles) {
            *bytes = shingle.to_ne_bytes();
        }
        if self.block.len() >= BLOCK {
            self.flush()?;
        }
        Ok(unit)
    }

    /// Makes what was appended readable.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(&self.block, self.written).map_err(Error::io("write a file in", &self.folder))?;
        self.written += self.block.len() as u64;
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
        self.written
    }

    /// The set of a turn, at hand or in `buffer`.
    ///
    /// # Errors
    /// I/O failures, and a set that is not here.
    pub(crate) fn read<'a>(&'a self, turn: u32, buffer: &'a mut Vec<u64>) -> Result<&'a [u64]> {
        let Set { place, size } = self.sets[self.asked.rank(turn) as usize];
        let missing = || Error::Internal("the shingles of a kept document are not in the spool".into());
        let unit = u64::from(place.checked_sub(1).ok_or_else(missing)?);
        let count = size as usize;
        let Some(unit) = unit.checked_sub(self.first_unit()) else {
            let start = unit as usize * (UNIT / size_of::<u64>());
            return Ok(&self.held[start..start + count]);
        };
        let file = self.file.as_ref().ok_or_else(missing)?;
        let mut bytes = [0; BUFFER];
        let mut start = unit * UNIT as u64;
        buffer.clear();
        while buffer.len() < count {
            let some = (size_of::<u64>() * (count - buffer.len())).min(BUFFER);
            let read = file.read_exact_at(&mut bytes[..some], start);
            read.map_err(Error::io("read a file in", &self.folder))?;
            buffer.extend(bytes[..some].as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)));
            start += some as u64;
        }
        Ok(buffer)
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
            let mut spool = Spool::new(dir.path(), asked.finish(), room);
            for turn in (0..600).filter(|turn| turn % 3 > 0) {
                spool.push(turn, &set(turn).collect::<Vec<_>>()).unwrap();
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
}
