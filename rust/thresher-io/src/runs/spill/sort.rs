//! Small records of any number, sorted and without repetition.
//!
//! Records are collected in memory, and those that are there twice are dropped from time to time; when what is distinct is more
//! than their share, it goes to disk as a sorted run. At the end the runs are merged into one file, from which records are read
//! in order, or one by its place. Time O(n log n), memory the share, and a block for each run while they are merged.
//!
//! Where many threads find records, a [`SharedSorter`] has a sorter for each range of one of their numbers: so threads seldom
//! wait for each other, and sort at the same time.

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thresher_core::parallel::map;

use crate::crew::{Crew, lock};
use crate::error::{Error, Result};
use crate::runs::progress::Progress;

/// Bytes of a run that are read, or of the result that are written, at a time.
const BLOCK: usize = 1 << 18;
/// Records that are collected before those that are there twice are dropped, beside twice the distinct ones.
const MANY: usize = 1 << 16;
/// Records of a merge after which a wish to stop is asked for.
const ROWS_A_QUESTION: u64 = 1 << 18;
/// Ranges of first numbers at most, and bytes of memory for each at least.
const MOST_RANGES: u64 = 64;
const RANGE_BYTES: u64 = 4 << 20;

/// A record: numbers that compare in order.
pub(crate) type Row<const N: usize> = [u32; N];

/// Takes records in any order.
pub(crate) struct Sorter<const N: usize> {
    folder: PathBuf,
    /// Records in memory at most, and before those that are there twice are dropped.
    room: usize,
    limit: usize,
    rows: Vec<Row<N>>,
    runs: Vec<Stored<N>>,
}

impl<const N: usize> Sorter<N> {
    /// One that spills to unnamed files in `folder` and holds up to `bytes` in memory.
    pub(crate) fn new(folder: &Path, bytes: u64) -> Self {
        let room = (bytes as usize / size_of::<Row<N>>()).max(1024);
        let limit = room.min(MANY);
        Self { folder: folder.to_path_buf(), room, limit, rows: Vec::new(), runs: Vec::new() }
    }

    /// Takes records.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn extend(&mut self, mut rows: &[Row<N>]) -> Result<()> {
        while !rows.is_empty() {
            if self.rows.len() >= self.limit {
                self.make_room()?;
            }
            let (some, rest) = rows.split_at(rows.len().min(self.limit - self.rows.len()));
            let needed = self.rows.len() + some.len();
            if needed > self.rows.capacity() {
                // A vector that doubles by itself would pass the share.
                let want = needed.max(2 * self.rows.capacity()).min(self.room);
                self.rows.reserve_exact(want - self.rows.len());
            }
            self.rows.extend_from_slice(some);
            rows = rest;
        }
        Ok(())
    }

    /// Sorts what is in memory; if that does not free half of the room, it goes to disk.
    fn make_room(&mut self) -> Result<()> {
        sort(&mut self.rows);
        if self.rows.len() > self.room / 2 {
            let mut run = StoredWriter::new(&self.folder)?;
            self.rows.iter().try_for_each(|&row| run.push(row))?;
            self.runs.push(run.finish()?);
            self.rows.clear();
        }
        self.limit = self.room.min(2 * self.rows.len() + MANY);
        Ok(())
    }

    /// Everything, in order.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(self) -> Result<Sorted<N>> {
        self.finish_while(&|| Ok(()))
    }

    /// The same, as long as `go_on` finds nothing against it.
    pub(crate) fn finish_while(mut self, go_on: &dyn Fn() -> Result<()>) -> Result<Sorted<N>> {
        go_on()?;
        sort(&mut self.rows);
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
                if out.len.is_multiple_of(ROWS_A_QUESTION) {
                    go_on()?;
                }
                out.push(row)?;
                last = Some(row);
            }
            let next = if run == in_memory { memory.next() } else { heads[run].next().transpose()? };
            heap.extend(next.map(|row| std::cmp::Reverse((row, run))));
        }
        Ok(Sorted::Disk(out.finish()?))
    }
}

/// Sorts records and drops those that are there twice.
fn sort<const N: usize>(rows: &mut Vec<Row<N>>) {
    // Numbers of up to 128 bits compare faster than the parts of a record one by one.
    let key = |row: &Row<N>| row.iter().fold(0u128, |key, &number| key << 32 | u128::from(number));
    if N <= 2 {
        rows.sort_unstable_by_key(|row| key(row) as u64);
    } else if N <= 4 {
        rows.sort_unstable_by_key(key);
    } else {
        rows.sort_unstable();
    }
    rows.dedup();
}

/// Takes records in any order from many threads.
pub(crate) struct SharedSorter<const N: usize> {
    /// One for each range of numbers, of so many numbers.
    ranges: Vec<Mutex<Sorter<N>>>,
    numbers: u32,
    /// The place in a record of the number that decides.
    place: usize,
}

impl<const N: usize> SharedSorter<N> {
    /// As [`Sorter::new`], for records whose first numbers are below `end`.
    pub(crate) fn new(folder: &Path, bytes: u64, end: u32) -> Self {
        let ranges = (bytes / RANGE_BYTES).clamp(1, MOST_RANGES);
        let numbers = end.div_ceil(ranges as u32).max(1);
        let sorters =
            (0..end.div_ceil(numbers).max(1)).map(|_| Mutex::new(Sorter::new(folder, bytes / ranges)));
        Self { ranges: sorters.collect(), numbers, place: 0 }
    }

    /// One whose ranges are of the last numbers of records, which are below `end`: `numbers` of them each, whatever the memory.
    pub(crate) fn by_last(folder: &Path, bytes: u64, end: u32, numbers: u32) -> Self {
        let ranges = end.div_ceil(numbers).max(1);
        let sorters = (0..ranges).map(|_| Mutex::new(Sorter::new(folder, bytes / u64::from(ranges))));
        Self { ranges: sorters.collect(), numbers, place: N - 1 }
    }

    /// Takes records; brings them into the order of their ranges.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn extend(&self, rows: &mut [Row<N>]) -> Result<()> {
        let range_of = |row: &Row<N>| row[self.place] / self.numbers;
        if self.ranges.len() > 1 {
            rows.sort_unstable_by_key(range_of);
        }
        for some in rows.chunk_by(|a, b| range_of(a) == range_of(b)) {
            lock(&self.ranges[range_of(&some[0]) as usize]).extend(some)?;
        }
        Ok(())
    }

    /// The sorter of each range.
    pub(crate) fn into_ranges(self) -> Vec<Sorter<N>> {
        self.ranges
            .into_iter()
            .map(|sorter| sorter.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }

    /// Everything, in order.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn finish(self, crew: &Crew, progress: &Progress) -> Result<Sorted<N>> {
        let go_on = || progress.check();
        let ranges: Vec<Mutex<Option<Sorter<N>>>> =
            self.into_ranges().into_iter().map(|sorter| Mutex::new(Some(sorter))).collect();
        let finish = |range: usize| {
            let sorter = lock(&ranges[range]).take();
            sorter.map_or_else(|| Ok(Sorted::default()), |sorter| sorter.finish_while(&go_on))
        };
        let mut parts = map(crew, ranges.len(), 1, finish).into_iter().collect::<Result<Vec<_>>>()?;
        Ok(if parts.len() == 1 { parts.pop().unwrap_or_default() } else { Sorted::Ranges(parts) })
    }
}

/// Records in order.
pub(crate) enum Sorted<const N: usize> {
    Memory(Vec<Row<N>>),
    Disk(Stored<N>),
    /// Those of consecutive ranges.
    Ranges(Vec<Sorted<N>>),
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
            Self::Ranges(ranges) => ranges.iter().map(Self::len).sum(),
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
    pub(crate) fn get(&self, mut place: u64) -> Result<Row<N>> {
        match self {
            Self::Memory(rows) => Ok(rows[place as usize]),
            Self::Disk(stored) => stored.get(place),
            Self::Ranges(ranges) => {
                for range in ranges {
                    if place < range.len() {
                        return range.get(place);
                    }
                    place -= range.len();
                }
                Err(Error::Internal("a record behind the last one was asked for".into()))
            }
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = Result<Row<N>>> + Send + '_> {
        match self {
            Self::Memory(rows) => Box::new(rows.iter().map(|&row| Ok(row))),
            Self::Disk(stored) => Box::new(stored.read()),
            Self::Ranges(ranges) => Box::new(ranges.iter().flat_map(Self::iter)),
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
            parts in prop::collection::vec(prop::collection::vec((0..90u32, 0..90u32), 0..3000), 0..8), ranges in 0..5u64,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path(), 0);
            let shared = SharedSorter::new(dir.path(), ranges * RANGE_BYTES, 90);
            let mut expected = BTreeSet::new();
            for part in parts {
                let mut rows: Vec<Row<2>> = part.into_iter().map(|(a, b)| [a, b]).collect();
                expected.extend(rows.iter().copied());
                sorter.extend(&rows).unwrap();
                shared.extend(&mut rows).unwrap();
            }
            let expected: Vec<_> = expected.into_iter().collect();
            for sorted in [sorter.finish().unwrap(), shared.finish(&Crew::new(2), &Progress::default()).unwrap()] {
                prop_assert_eq!(sorted.len() as usize, expected.len());
                prop_assert_eq!(sorted.iter().collect::<Result<Vec<_>>>().unwrap(), expected.clone());
                for (place, row) in expected.iter().enumerate().step_by(97) {
                    prop_assert_eq!(sorted.get(place as u64).unwrap(), *row);
                }
            }
        }
    }

    #[test]
    fn records_of_any_width_have_one_order() {
        let numbers = |row: u32| (0..5).map(move |at| row.wrapping_mul(0x9E37_79B9).rotate_left(7 * at) % 3);
        let mut rows: Vec<Row<5>> =
            (0..500).map(|row| numbers(row).collect::<Vec<_>>().try_into().unwrap()).collect();
        let narrow =
            |rows: &[Row<5>]| rows.iter().map(|row| [row[0], row[1], row[2]]).collect::<Vec<Row<3>>>();
        let mut three = narrow(&rows);
        sort(&mut three);
        sort(&mut rows);
        let expected: BTreeSet<Row<5>> = rows.iter().copied().collect();
        assert_eq!(three, narrow(&rows).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let sorted = Sorter::<3>::new(dir.path(), 0).finish().unwrap();
        assert!(sorted.is_empty() && sorted.iter().next().is_none());
    }
}
