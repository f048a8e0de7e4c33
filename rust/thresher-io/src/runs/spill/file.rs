//! One spill file: written once, in sections of parts, and read part by part.
//!
//! ```text
//! section 0: part part part ... | section 1: ... | directory: per section, per part (end, XXH3-64) | trailer
//! ```
//!
//! The file appears under its name when it is complete. Each part has a checksum of its own, which every whole read checks, so
//! that what a crash or a failing disk left is told from what was written, and never used.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

const MAGIC: u64 = 0x7468_7265_7368_0001;
/// Length and checksum of the directory, and the magic number.
const TRAILER: usize = 24;
/// Written at once.
const BLOCK: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Part {
    end: u64,
    sum: u64,
}

/// A spill file under construction.
pub(crate) struct SpillWriter {
    path: PathBuf,
    temp: PathBuf,
    file: File,
    block: Vec<u8>,
    at: u64,
    sections: Vec<Vec<Part>>,
}

impl SpillWriter {
    /// Begins the file that will be at `path`.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let temp = path.with_extension("part");
        let file = File::create(&temp).map_err(Error::io("create", &temp))?;
        let block = Vec::with_capacity(BLOCK);
        Ok(Self { path: path.to_path_buf(), temp, file, block, at: 0, sections: Vec::new() })
    }

    /// Begins the next section.
    pub(crate) fn section(&mut self) {
        self.sections.push(Vec::new());
    }

    /// Appends a part to the section.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn part(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(bytes)?;
        let part = Part { end: self.at, sum: xxh3_64(bytes) };
        match self.sections.last_mut() {
            Some(section) => section.push(part),
            None => self.sections.push(vec![part]),
        }
        Ok(())
    }

    /// Completes the file, and opens it.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(mut self) -> Result<SpillFile> {
        let mut directory = Vec::new();
        directory.extend_from_slice(&(self.sections.len() as u64).to_ne_bytes());
        for section in &self.sections {
            directory.extend_from_slice(&(section.len() as u64).to_ne_bytes());
            for part in section {
                directory.extend_from_slice(&part.end.to_ne_bytes());
                directory.extend_from_slice(&part.sum.to_ne_bytes());
            }
        }
        let trailer = [directory.len() as u64, xxh3_64(&directory), MAGIC];
        self.write(&directory)?;
        trailer.iter().try_for_each(|number| self.write(&number.to_ne_bytes()))?;
        self.flush()?;
        fs::rename(&self.temp, &self.path).map_err(Error::io("rename a finished file to", &self.path))?;
        SpillFile::open(&self.path)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        if self.block.len() + bytes.len() > BLOCK {
            self.flush()?;
        }
        if bytes.len() >= BLOCK {
            return self.file.write_all(bytes).map_err(Error::io("write", &self.temp));
        }
        self.block.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.block).map_err(Error::io("write", &self.temp))?;
        self.block.clear();
        Ok(())
    }
}

/// A complete spill file.
#[derive(Debug)]
pub(crate) struct SpillFile {
    path: PathBuf,
    file: File,
    /// Where each section begins, and its parts.
    sections: Vec<(u64, Vec<Part>)>,
}

impl SpillFile {
    /// Opens a file and reads its directory.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for a file that is not complete.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let len = file.metadata().map_err(Error::io("look at", path))?.len();
        let damaged = || damaged(path);
        let read = |at: u64, len: usize| -> Result<Vec<u8>> {
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, at).map_err(Error::io("read", path))?;
            Ok(bytes)
        };
        let trailer_at = len.checked_sub(TRAILER as u64).ok_or_else(damaged)?;
        let trailer = read(trailer_at, TRAILER)?;
        let [directory_len, sum, magic] = [0, 8, 16].map(|at| number(&trailer, at).unwrap_or_default());
        let directory_at = trailer_at.checked_sub(directory_len).ok_or_else(damaged)?;
        if magic != MAGIC {
            return Err(damaged());
        }
        let directory = read(directory_at, directory_len as usize)?;
        if xxh3_64(&directory) != sum {
            return Err(damaged());
        }
        let sections = sections(&directory).filter(|sections| ends_at(sections, directory_at));
        Ok(Self { path: path.to_path_buf(), sections: sections.ok_or_else(damaged)?, file })
    }

    /// Bytes of the sections.
    pub(crate) fn bytes(&self) -> u64 {
        self.sections.iter().filter_map(|(_, parts)| parts.last()).map(|part| part.end).max().unwrap_or(0)
    }

    /// How many parts a section has.
    pub(crate) fn parts(&self, section: usize) -> usize {
        self.sections[section].1.len()
    }

    /// Bytes of a section.
    pub(crate) fn len(&self, section: usize) -> u64 {
        let (start, parts) = &self.sections[section];
        parts.last().map_or(0, |part| part.end - start)
    }

    /// Bytes of a range of its parts.
    pub(crate) fn parts_len(&self, section: usize, parts: std::ops::Range<usize>) -> u64 {
        let (start, end) = self.extent(section, parts);
        end - start
    }

    fn extent(&self, section: usize, parts: std::ops::Range<usize>) -> (u64, u64) {
        let (first, all) = &self.sections[section];
        let end_before = |part: usize| if part == 0 { *first } else { all[part - 1].end };
        (end_before(parts.start), end_before(parts.end))
    }

    /// Reads parts of a section whole, checked, into `bytes`.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` if a part is not what was written.
    pub(crate) fn read(
        &self,
        section: usize,
        parts: std::ops::Range<usize>,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        let (start, end) = self.extent(section, parts.clone());
        bytes.clear();
        bytes.resize((end - start) as usize, 0);
        self.file.read_exact_at(bytes, start).map_err(Error::io("read", &self.path))?;
        let mut at = 0;
        for part in &self.sections[section].1[parts] {
            let end = (part.end - start) as usize;
            if xxh3_64(&bytes[at..end]) != part.sum {
                return Err(damaged(&self.path));
            }
            at = end;
        }
        Ok(())
    }

    /// Reads some bytes of a section, unchecked: for single records in any order.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn read_at(&self, section: usize, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let start = self.sections[section].0;
        self.file.read_exact_at(bytes, start + offset).map_err(Error::io("read", &self.path))
    }

    /// Checks every part.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn check(&self) -> Result<()> {
        let mut bytes = Vec::new();
        for (section, (_, parts)) in self.sections.iter().enumerate() {
            for part in 0..parts.len() {
                self.read(section, part..part + 1, &mut bytes)?;
            }
        }
        Ok(())
    }
}

fn damaged(path: &Path) -> Error {
    Error::data(
        path,
        "the file holds the state of a run and is damaged; start over with --restart (restart=True)",
    )
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Where each section begins, and its parts.
type Sections = Vec<(u64, Vec<Part>)>;

fn sections(directory: &[u8]) -> Option<Sections> {
    let mut at = 0;
    let mut next = || {
        at += 8;
        number(directory, at - 8)
    };
    let mut start = 0;
    let count = next()?;
    (0..count)
        .map(|_| {
            let parts: Vec<Part> =
                (0..next()?).map(|_| Some(Part { end: next()?, sum: next()? })).collect::<Option<_>>()?;
            let first = start;
            start = parts.last().map_or(start, |part| part.end);
            Some((first, parts))
        })
        .collect()
}

fn ends_at(sections: &Sections, end: u64) -> bool {
    let ends = sections.iter().flat_map(|(_, parts)| parts.iter().map(|part| part.end));
    ends.clone().is_sorted() && ends.last().unwrap_or(0) == end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> SpillFile {
        let mut writer = SpillWriter::create(&folder.join("a.spill")).unwrap();
        writer.section();
        for part in [&b"one"[..], b"", b"three"] {
            writer.part(part).unwrap();
        }
        writer.section();
        writer.section();
        writer.part(&vec![7; 3 << 20]).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn parts_come_back_by_themselves_and_together() {
        let dir = tempfile::tempdir().unwrap();
        let file = written(dir.path());
        let mut bytes = Vec::new();
        file.read(0, 0..3, &mut bytes).unwrap();
        assert_eq!(bytes, b"onethree");
        file.read(0, 2..3, &mut bytes).unwrap();
        assert_eq!(bytes, b"three");
        assert_eq!((file.len(0), file.len(1), file.len(2)), (8, 0, 3 << 20));
        let mut two = [0; 2];
        file.read_at(0, 4, &mut two).unwrap();
        assert_eq!(&two, b"hr");
        file.check().unwrap();
    }

    #[test]
    fn a_changed_bit_and_a_cut_are_told() {
        let dir = tempfile::tempdir().unwrap();
        drop(written(dir.path()));
        let path = dir.path().join("a.spill");
        let whole = fs::read(&path).unwrap();
        for at in (0..8).chain(whole.len() - 120..whole.len()) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(SpillFile::open(&path).and_then(|file| file.check()).is_err(), "byte {at}");
        }
        for len in [0, 7, 24, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(SpillFile::open(&path).is_err(), "length {len}");
        }
    }
}
