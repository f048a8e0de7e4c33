//! Files of tokens in the layout of Megatron-LM: opened, checked and merged.
//!
//! Everything goes block by block, so memory is that of a few blocks whatever the files hold. What stands where is in
//! `thresher_tokens::layout::megatron`.

mod merge;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thresher_tokens::layout::Dtype;
use thresher_tokens::layout::megatron::{Boundaries, HEAD_BYTES, Head, Pointers, take_lengths};
use thresher_tokens::layout::npy;

pub use merge::{MergeReport, MergeRun, merge};

use crate::blob::{self, Blob};
use crate::error::{Error, Result};
use crate::input::GoOn;

/// Numbers of an index that are worked on at a time.
const BLOCK: u64 = 1 << 16;

/// Tokens and their index, opened.
#[derive(Debug)]
pub struct TokenFile {
    bin: (PathBuf, Arc<dyn Blob>),
    index: (PathBuf, Arc<dyn Blob>),
    head: Head,
    has_modes: bool,
}

impl TokenFile {
    /// Opens the two files by the name of either, or by what their names have in common.
    ///
    /// # Errors
    /// `Error::Io` if one of them cannot be opened, `Error::Data` if they are not what the layout says, as far as the head and
    /// the lengths of the files tell; [`Self::check`] tells the rest.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::Parameter(format!(
                "input `{}` is a folder, not a token file; name a `.bin` in it",
                path.display()
            )));
        }
        let [bin, index] = names(path);
        let open = |path: PathBuf| -> Result<_> {
            let blob = blob::open(&path).map_err(Error::io("open", &path))?;
            Ok((path, blob))
        };
        let (bin, index) = (open(bin)?, open(index)?);
        let start = read(&index, 0..(HEAD_BYTES as u64).min(index.1.len()))?;
        let (head, has_modes) = Head::read(&start, index.1.len()).map_err(at(&index.0))?;
        if !bin.1.len().is_multiple_of(head.dtype.bytes()) {
            let message = format!("its {} bytes are no whole number of `{}`", bin.1.len(), head.dtype.name());
            return Err(Error::data(&bin.0, message));
        }
        Ok(Self { bin, index, head, has_modes })
    }

    /// What tokens are stored as.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.head.dtype
    }

    /// Stretches of tokens that have a length.
    #[must_use]
    pub fn sequences(&self) -> u64 {
        self.head.sequences
    }

    /// Documents, of any number of sequences each.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.head.boundaries - 1
    }

    /// All tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.bin.1.len() / self.head.dtype.bytes()
    }

    /// Where the tokens are.
    #[must_use]
    pub fn bin_path(&self) -> &Path {
        &self.bin.0
    }

    /// Where the index is.
    #[must_use]
    pub fn index_path(&self) -> &Path {
        &self.index.0
    }

    /// The lengths of some sequences.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for a negative one.
    pub fn lengths(&self, sequences: Range<u64>) -> Result<Vec<u32>> {
        let stored = self.of_index(self.head.lengths_at(), 4, sequences)?;
        let mut lengths = Vec::with_capacity(stored.len() / 4);
        take_lengths(&stored, &mut lengths).map_err(at(&self.index.0))?;
        Ok(lengths)
    }

    /// Some of the tokens, by their places among all.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for a number that is no id.
    pub fn ids(&self, tokens: Range<u64>) -> Result<Vec<u32>> {
        let bytes = self.head.dtype.bytes();
        let stored = read(&self.bin, tokens.start * bytes..tokens.end * bytes)?;
        let mut ids = Vec::with_capacity(stored.len() / bytes as usize);
        self.head.dtype.take(&stored, &mut ids).map_err(at(&self.bin.0))?;
        Ok(ids)
    }

    /// Makes sure that lengths, pointers, documents and tokens agree.
    ///
    /// # Errors
    /// `Error::Data` with what does not; I/O failures; the error of `go_on`.
    pub fn check(&self, go_on: GoOn<'_>) -> Result<()> {
        let wrong = at(&self.index.0);
        let mut pointers = Pointers::new(self.head.dtype);
        for sequences in blocks(self.head.sequences) {
            go_on()?;
            let stored = self.of_index(self.head.pointers_at(), 8, sequences.clone())?;
            let lengths = self.lengths(sequences.clone())?;
            pointers.check(sequences.start, &lengths, &stored).map_err(&wrong)?;
        }
        if pointers.end() != self.bin.1.len() {
            let message = format!(
                "it has {} bytes, but the lengths in `{}` make {}",
                self.bin.1.len(),
                self.index.0.display(),
                pointers.end()
            );
            return Err(Error::data(&self.bin.0, message));
        }
        let mut boundaries = Boundaries::default();
        for some in blocks(self.head.boundaries) {
            go_on()?;
            boundaries.check(&self.of_index(self.head.boundaries_at(), 8, some)?).map_err(&wrong)?;
        }
        boundaries.end(self.head.sequences).map_err(wrong)
    }

    /// Numbers of the index, of a section of numbers of so many bytes that begins at `from`.
    fn of_index(&self, from: u64, bytes: u64, numbers: Range<u64>) -> Result<Vec<u8>> {
        read(&self.index, from + bytes * numbers.start..from + bytes * numbers.end)
    }
}

/// How many numbers a `.npy` file of one dimension holds, by its head and its length.
///
/// # Errors
/// `Error::Data` for any other file; I/O failures.
pub(crate) fn npy_numbers(path: &Path) -> Result<u64> {
    let file = (path.to_path_buf(), blob::open(path).map_err(Error::io("open", path))?);
    let start = read(&file, 0..(npy::HEAD_MAX as u64).min(file.1.len()))?;
    npy::Head::read(&start, file.1.len()).map(|head| head.numbers).map_err(at(path))
}

/// The names of tokens and index, by that of either or by what they have in common.
pub(crate) fn names(path: &Path) -> [PathBuf; 2] {
    let is_either = path.extension().is_some_and(|end| end == "bin" || end == "idx");
    ["bin", "idx"].map(|end| {
        if is_either {
            return path.with_extension(end);
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(end);
        PathBuf::from(name)
    })
}

fn read((path, blob): &(PathBuf, Arc<dyn Blob>), bytes: Range<u64>) -> Result<Vec<u8>> {
    if bytes.end > blob.len() {
        let message = format!("it ends at byte {}, before byte {}", blob.len(), bytes.end);
        return Err(Error::data(path, message));
    }
    blob.bytes_at(bytes.start, bytes.end - bytes.start).map_err(Error::io("read", path))
}

/// What is wrong with a file.
pub(crate) fn at(path: &Path) -> impl Fn(thresher_tokens::Error) -> Error {
    move |error| Error::data(path, error.to_string())
}

/// So many numbers, cut into blocks.
fn blocks(numbers: u64) -> impl Iterator<Item = Range<u64>> {
    (0..numbers.div_ceil(BLOCK)).map(move |block| block * BLOCK..numbers.min((block + 1) * BLOCK))
}

#[cfg(test)]
mod tests;
