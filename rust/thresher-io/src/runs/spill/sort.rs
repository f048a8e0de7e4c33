//! Small records of any number, sorted and without repetition.
//!
//! Records are collected in memory; when they are more than their share, what is distinct of them goes to disk as a sorted run.
//! At the end the runs are merged into one file, from which records are read in order, or one by its place. Time
//! O(n log n), memory the share, and a block for each run while they are merged.

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Bytes of a run that are read, or of the result that are written, at a time.
const BLOCK: usize = 1 << 18;

/// A record: numbers that compare in order.
pub(crate) type Row<const N: usize> = [u32; N];

/// Takes records in any order.
pub(crate) struct Sorter<const N: usize> {
    folder: PathBuf,
    /// Records in memory at most.
    room: usize,
    rows: Vec<Row<N>>,
    runs: Vec<Stored<N>>,
}

impl<const N: usize> Sorter<N> {
    /// One that spills to unnamed files in `folder` and holds up to `bytes` in memory.
    pub(crate) fn new(folder: &Path, bytes: u64) -> Self {
        let room = (bytes as usize / size_of::<Row<N>>()).max(1024);
        Self { folder: folder.to_path_buf(), room, rows: Vec::new(), runs: Vec::new() }
    }

    /// Takes records.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn extend(&mut self, mut rows: &[Row<N>]) -> Result<()> {
        while !rows.is_empty() {
            if self.rows.len() == self.room {
                self.make_room()?;
            }
            let (some, rest) = rows.split_at(rows.len().min(self.room - self.rows.len()));
            // A vector that doubles by itself would pass the share.
            let want = (self.rows.len() + some.len()).max(2 * self.rows.capacity()).min(self.room);
            self.rows.reserve_exact(if self.rows.capacity() < want { want - self.rows.len() } else { 0 });
            self.rows.extend_from_slice(some);
            rows = rest;
        }
        Ok(())
    }

    /// Sorts what is in memory; if that does not free half of the room, it goes to disk.
    fn make_room(&mut self) -> Result<()> {
        self.rows.par_sort_unstable();
        self.rows.dedup();
        if self.rows.len() > self.room / 2 {
            let mut run = StoredWriter::new(&self.folder)?;
            self.rows.iter().try_for_each(|&row| run.push(row))?;
            self.runs.push(run.finish()?);
            self.rows.clear();
        }
        Ok(())
    }

    /// Everything, in order.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(mut self) -> Result<Sorted<N>> {
        self.rows.par_sort_unstable();
        self.rows.dedup();
        if self.runs.is_empty() {
            self.rows.shrink_to_fit();
            return Ok(Sorted::Memory(self.rows));
        }
        let mut heads: Vec<RowReader<'_, N>> = self.runs.iter().map(Stored::read).collect();
        let mut memory = self.rows.iter().copied();
        let mut heap = BinaryHeap::new();
        for (run, head) in heads.iter_mut().enumerate() {
            heap.extend(head.next().transpose()?.map(|row| std::cmp::Reverse((row, run))));
        }
        let in_memory = self.runs.len();
        heap.extend(memory.next().map(|row| std::cmp::Reverse((row, in_memory))));
        let mut out = StoredWriter::new(&self.folder)?;
        let mut last = None;
        while let Some(std::cmp::Reverse((row, run))) = heap.pop() {
            if last != Some(row) {
                out.push(row)?;
                last = Some(row);
            }
            let next = if run == in_memory { memory.next() } else { heads[run].next().transpose()? };
            heap.extend(next.map(|row| std::cmp::Reverse((row, run))));
        }
        Ok(Sorted::Disk(out.finish()?))
    }
}

/// Records in order.
pub(crate) enum Sorted<const N: usize> {
    Memory(Vec<Row<N>>),
    Disk(Stored<N>),
}

impl<const N: usize> Default for Sorted<N> {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl<const N: usize> Sorted<N> {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(rows) => rows.len() as u64,
            Self::Disk(stored) => stored.len,
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one in this place.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn get(&self, place: u64) -> Result<Row<N>> {
        match self {
            Self::Memory(rows) => Ok(rows[place as usize]),
            Self::Disk(stored) => stored.get(place),
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = Result<Row<N>>> + Send + '_> {
        match self {
            Self::Memory(rows) => Box::new(rows.iter().map(|&row| Ok(row))),
            Self::Disk(stored) => Box::new(stored.read()),
        }
    }
}

/// Records on disk, in a file without a name, which goes with the process.
pub(crate) struct Stored<const N: usize> {
    folder: PathBuf,
    file: File,
    len: u64,
}

impl<const N: usize> Stored<N> {
    fn get(&self, place: u64) -> Result<Row<N>> {
        let mut bytes = [0; 64];
        let bytes = &mut bytes[..size_of::<Row<N>>()];
        let at = place * bytes.len() as u64;
        self.file.read_exact_at(bytes, at).map_err(Error::io("read a file in", &self.folder))?;
        Ok(row_of(bytes))
    }

    fn read(&self) -> RowReader<'_, N> {
        RowReader { stored: self, at: 0, block: Vec::new(), used: 0 }
    }
}

/// Writes records one after the other.
pub(crate) struct StoredWriter<const N: usize> {
    folder: PathBuf,
    file: File,
    block: Vec<u8>,
    len: u64,
}

impl<const N: usize> StoredWriter<N> {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io("create a file in", folder))?;
        Ok(Self { folder: folder.to_path_buf(), file, block: Vec::with_capacity(BLOCK), len: 0 })
    }

    pub(crate) fn push(&mut self, row: Row<N>) -> Result<()> {
        self.len += 1;
        let at = self.block.len();
        self.block.resize(at + size_of::<Row<N>>(), 0);
        for (bytes, number) in self.block[at..].as_chunks_mut().0.iter_mut().zip(row) {
            *bytes = number.to_ne_bytes();
        }
        if self.block.len() + size_of::<Row<N>>() > BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.block).map_err(Error::io("write a file in", &self.folder))?;
        self.block.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Stored<N>> {
        self.flush()?;
        Ok(Stored { folder: self.folder, file: self.file, len: self.len })
    }
}

/// Reads records one after the other.
struct RowReader<'a, const N: usize> {
    stored: &'a Stored<N>,
    /// The next record that is not in the block.
    at: u64,
    block: Vec<u8>,
    used: usize,
}

impl<const N: usize> RowReader<'_, N> {
    fn refill(&mut self) -> io::Result<()> {
        let size = size_of::<Row<N>>();
        let rows = ((self.stored.len - self.at) as usize).min(BLOCK / size);
        self.block.resize(rows * size, 0);
        self.stored.file.read_exact_at(&mut self.block, self.at * size as u64)?;
        (self.at, self.used) = (self.at + rows as u64, 0);
        Ok(())
    }
}

impl<const N: usize> Iterator for RowReader<'_, N> {
    type Item = Result<Row<N>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.used == self.block.len() {
            if self.at == self.stored.len {
                return None;
            }
            if let Err(error) = self.refill() {
                return Some(Err(Error::io("read a file in", &self.stored.folder)(error)));
            }
        }
        let end = self.used + size_of::<Row<N>>();
        let row = row_of(&self.block[self.used..end]);
        self.used = end;
        Some(Ok(row))
    }
}

fn row_of<const N: usize>(bytes: &[u8]) -> Row<N> {
    let (numbers, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|index| u32::from_ne_bytes(numbers[index]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn records_come_sorted_and_once(
            parts in prop::collection::vec(prop::collection::vec((0..90u32, 0..90u32), 0..3000), 0..8),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path(), 0);
            let mut expected = BTreeSet::new();
            for part in parts {
                let rows: Vec<Row<2>> = part.into_iter().map(|(a, b)| [a, b]).collect();
                expected.extend(rows.iter().copied());
                sorter.extend(&rows).unwrap();
            }
            let sorted = sorter.finish().unwrap();
            let expected: Vec<_> = expected.into_iter().collect();
            prop_assert_eq!(sorted.len() as usize, expected.len());
            prop_assert_eq!(sorted.iter().collect::<Result<Vec<_>>>().unwrap(), expected.clone());
            for (place, row) in expected.iter().enumerate().step_by(97) {
                prop_assert_eq!(sorted.get(place as u64).unwrap(), *row);
            }
        }
    }

    #[test]
    fn nothing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let sorted = Sorter::<3>::new(dir.path(), 0).finish().unwrap();
        assert!(sorted.is_empty() && sorted.iter().next().is_none());
    }
}
