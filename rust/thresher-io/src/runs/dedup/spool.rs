//! The shingle sets of candidates on disk, to be compared with later ones.
//!
//! Each set begins at a multiple of 64 bytes, so 4 bytes a candidate say where, and 4 more how large it is: a set that is
//! too large or too small to be similar enough is not read. Sets are appended by one thread and read by all.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thresher_core::resolve::decide::Kept;

use crate::error::{Error, Result};

/// Sets begin at multiples of so many bytes.
const UNIT: usize = 64;
/// Read at once: most sets are no longer.
const FIRST_READ: usize = 4096;
/// Written at once.
const BLOCK: usize = 1 << 20;
/// A candidate whose set is not here.
const NONE: u32 = 0;

/// Sets by the turns of their documents.
pub(crate) struct Spool {
    folder: PathBuf,
    file: File,
    /// Where the set of each turn begins, in units, plus one.
    places: Vec<u32>,
    /// How many shingles it has.
    sizes: Vec<u32>,
    block: Vec<u8>,
    /// Bytes in the file, without the block.
    written: u64,
    /// What went wrong while sets were read.
    failed: Mutex<Option<Error>>,
}

impl Spool {
    /// An empty one for so many turns, in an unnamed file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(crate) fn new(folder: &Path, turns: u32) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io("create a file in", folder))?;
        let (places, sizes) = (vec![NONE; turns as usize], vec![0; turns as usize]);
        Ok(Self {
            folder: folder.to_path_buf(),
            file,
            places,
            sizes,
            block: Vec::new(),
            written: 0,
            failed: Mutex::default(),
        })
    }

    /// Appends the set of a turn.
    ///
    /// # Errors
    /// I/O failures; `Error::Parameter` for more than fits.
    pub(crate) fn push(&mut self, turn: u32, shingles: &[u64]) -> Result<()> {
        let unit = (self.written + self.block.len() as u64) / UNIT as u64 + 1;
        self.places[turn as usize] = u32::try_from(unit).map_err(|_| {
            Error::Parameter(
                "the shingles of the documents to be compared take more than 256 GiB; split the inputs"
                    .into(),
            )
        })?;
        // More than 2^32 shingles are an error of the core before they come here.
        self.sizes[turn as usize] = shingles.len() as u32;
        self.block.extend_from_slice(&(shingles.len() as u64).to_ne_bytes());
        let at = self.block.len();
        self.block.resize(at + size_of_val(shingles), 0);
        for (bytes, shingle) in self.block[at..].as_chunks_mut().0.iter_mut().zip(shingles) {
            *bytes = shingle.to_ne_bytes();
        }
        self.block.resize(self.block.len().next_multiple_of(UNIT), 0);
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    /// Makes what was appended readable.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.block, self.written)
            .map_err(Error::io("write a file in", &self.folder))?;
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

    /// Appends the set of a turn to `into`.
    ///
    /// # Errors
    /// I/O failures, and a set that is not here.
    pub(crate) fn read(&self, turn: u32, into: &mut Vec<u64>) -> Result<()> {
        let place = self.places[turn as usize];
        if place == NONE {
            return Err(Error::Internal("the shingles of a kept document are not in the spool".into()));
        }
        let start = u64::from(place - 1) * UNIT as u64;
        let mut first = [0; FIRST_READ];
        let here = FIRST_READ.min((self.written - start) as usize);
        let failed = || Error::io("read a file in", &self.folder);
        self.file.read_exact_at(&mut first[..here], start).map_err(failed())?;
        let (words, _) = first[..here].as_chunks::<8>();
        let count = words.first().map_or(0, |word| u64::from_ne_bytes(*word) as usize);
        let known = count.min(words.len() - 1);
        into.extend(words[1..=known].iter().map(|word| u64::from_ne_bytes(*word)));
        if known < count {
            let mut rest = vec![0; 8 * (count - known)];
            self.file.read_exact_at(&mut rest, start + 8 * (1 + known as u64)).map_err(failed())?;
            into.extend(rest.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)));
        }
        Ok(())
    }
}

impl Kept for Spool {
    fn shingles(&self, turn: u32, into: &mut Vec<u64>) -> thresher_core::Result<()> {
        self.read(turn, into).map_err(|error| {
            // The core has no errors of files; this one is told when it comes back.
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            thresher_core::Error::Cancelled
        })
    }

    fn size(&self, turn: u32) -> Option<usize> {
        (self.places[turn as usize] != NONE).then(|| self.sizes[turn as usize] as usize)
    }

    fn before(&self, a: u32, b: u32) -> bool {
        a < b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_every_size_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), 600).unwrap();
        let set = |turn: u32| (0..u64::from(turn) * 7).map(move |n| n * 0x9E37_79B9 + u64::from(turn));
        for turn in (0..600).filter(|turn| turn % 3 > 0) {
            spool.push(turn, &set(turn).collect::<Vec<_>>()).unwrap();
        }
        spool.flush().unwrap();
        let mut into = Vec::new();
        for turn in (0..600).rev() {
            into.clear();
            if turn % 3 == 0 {
                assert!(spool.read(turn, &mut into).is_err());
            } else {
                spool.read(turn, &mut into).unwrap();
                assert!(into.iter().copied().eq(set(turn)));
            }
        }
    }
}
