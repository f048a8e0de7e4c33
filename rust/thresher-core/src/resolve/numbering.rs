//! Sets of shingles as runs of small numbers.
//!
//! Each distinct shingle of a cluster gets the next number when it is first met, so a document met for the first
//! time is one run of numbers, and a near-duplicate of it is the same run with a few gaps. Runs are found, marked
//! and counted many numbers at a time; a hash table is asked only where texts part.

use crate::error::{Error, Result};

/// Distinct shingles as disjoint runs of numbers, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct NumberSet {
    /// First number, and the one after the last.
    runs: Vec<(u32, u32)>,
    len: usize,
}

impl NumberSet {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn runs(&self) -> &[(u32, u32)] {
        &self.runs
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.len = 0;
    }

    /// Adds numbers that are not in it.
    #[inline]
    fn push(&mut self, start: usize, end: usize) {
        self.len += end - start;
        match self.runs.last_mut() {
            Some(last) if last.1 == start as u32 => last.1 = end as u32,
            _ => self.runs.push((start as u32, end as u32)),
        }
    }
}

/// Small numbers for the distinct shingles of a cluster, and the last document that had each.
#[derive(Debug)]
pub(super) struct Numbering {
    /// As many as there may be.
    limit: usize,
    /// The shingle of each number.
    keys: Vec<u64>,
    /// The number that followed each one when that was not the next number.
    next: Vec<u32>,
    /// For each number, the last document marked, plus one.
    marks: Vec<u32>,
    /// Open addressing: numbers plus one, 0 where free. A power of two long, at most half full.
    table: Vec<u32>,
}

/// Numbers, or bytes, compared at a time.
const LANES: usize = 16;

impl Default for Numbering {
    /// One whose numbers, and one more, fit 32 bits.
    fn default() -> Self {
        Self::with_limit(u32::MAX as usize - 1)
    }
}

impl Numbering {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { limit, keys: Vec::new(), next: Vec::new(), marks: Vec::new(), table: Vec::new() }
    }

    /// Forgets the cluster before; memory stays, but the table starts small, so that no cluster pays for another's.
    pub(super) fn begin(&mut self) {
        self.keys.clear();
        self.next.clear();
        self.marks.clear();
        self.table.clear();
    }

    #[cfg(test)]
    pub(super) fn shingle(&self, number: u32) -> u64 {
        self.keys[number as usize]
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The number of the first of `shingles`, and how many of them have consecutive numbers from there on; those that
    /// nobody had before get the next numbers. `last` is the number of the shingle before. An error if there are more than
    /// the limit.
    #[inline]
    pub(super) fn run(&mut self, last: Option<usize>, shingles: &[u64]) -> Result<(usize, usize)> {
        let is_first = |number: usize| self.keys.get(number) == Some(&shingles[0]);
        let first = match last {
            Some(last) if is_first(last + 1) => last + 1,
            Some(last) if is_first(self.next[last] as usize) => self.next[last] as usize,
            _ => {
                let new = self.keys.len();
                let (count, found) = self.add_new(shingles)?;
                let before = if count > 0 { Some(new + count - 1) } else { last };
                if let (Some(before), Some(found)) = (before, found) {
                    self.next[before] = found as u32;
                }
                match found {
                    Some(found) if count == 0 => found,
                    _ => return Ok((new, count)),
                }
            }
        };
        Ok((first, 1 + common_prefix(&self.keys[first + 1..], &shingles[1..])))
    }

    /// Marks consecutive numbers; those that were not marked by `doc` yet go into `set`.
    pub(super) fn mark(&mut self, start: usize, end: usize, doc: u32, set: &mut NumberSet) {
        let mark = doc + 1;
        let marks = &mut self.marks[start..end];
        if count_equal(marks, mark) > 0 {
            for (number, known) in (start..).zip(marks) {
                if std::mem::replace(known, mark) != mark {
                    set.push(number, number + 1);
                }
            }
        } else {
            marks.fill(mark);
            set.push(start, end);
        }
    }

    /// Gives new numbers to `shingles` up to the first that has one; says how many they were, and that one's number.
    fn add_new(&mut self, shingles: &[u64]) -> Result<(usize, Option<usize>)> {
        for (count, &shingle) in shingles.iter().enumerate() {
            if 2 * (self.keys.len() + 1) > self.table.len() {
                self.grow(shingles.len() - count);
            }
            let mask = self.table.len() - 1;
            let mut place = shingle as usize & mask;
            loop {
                match self.table[place] as usize {
                    0 => break,
                    taken if self.keys[taken - 1] == shingle => return Ok((count, Some(taken - 1))),
                    _ => place = (place + 1) & mask,
                }
            }
            if self.keys.len() == self.limit {
                return Err(too_many(self.limit));
            }
            self.keys.push(shingle);
            self.next.push(u32::MAX);
            self.marks.push(0);
            self.table[place] = self.keys.len() as u32;
        }
        Ok((shingles.len(), None))
    }

    /// Makes the table large enough for `more` new shingles, but for no more than as many again as there are: most
    /// shingles of a cluster are known after its first document.
    fn grow(&mut self, more: usize) {
        let known = self.keys.len();
        let more = if known == 0 { more } else { more.min(known) };
        let wanted = (2 * (known + more + 1)).next_power_of_two().max(64);
        self.table.clear();
        self.table.resize(wanted, 0);
        for (number, &key) in self.keys.iter().enumerate() {
            let mut place = key as usize & (wanted - 1);
            while self.table[place] != 0 {
                place = (place + 1) & (wanted - 1);
            }
            self.table[place] = number as u32 + 1;
        }
    }

    /// How many of the numbers in `runs` are marked by `doc`, which was marked last.
    pub(super) fn count_marked(&self, runs: &[(u32, u32)], doc: u32) -> usize {
        let marks = |&(start, end): &(u32, u32)| &self.marks[start as usize..end as usize];
        runs.iter().map(|run| count_equal(marks(run), doc + 1)).sum()
    }
}

fn too_many(limit: usize) -> Error {
    Error::Parameter(format!(
        "a cluster of candidates has more than `{limit}` distinct shingles; raise `threshold`, or split the input"
    ))
}

/// How many of `marks` are `mark`, without a branch each.
#[inline]
pub(super) fn count_equal(marks: &[u32], mark: u32) -> usize {
    marks.iter().map(|&known| u32::from(known == mark)).sum::<u32>() as usize
}

/// Length of the longest common prefix.
#[inline]
pub(super) fn common_prefix<T: Copy + Eq>(a: &[T], b: &[T]) -> usize {
    let (a_blocks, b_blocks) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
    let blocks = a_blocks.iter().zip(b_blocks).take_while(|(a, b)| a == b).count();
    let done = blocks * LANES;
    done + a[done..].iter().zip(&b[done..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shingles_beyond_the_limit_are_an_error_and_known_ones_are_not() {
        let mut numbering = Numbering::with_limit(100);
        let shingles: Vec<u64> = (0..101).map(crate::hash::splitmix64).collect();
        assert_eq!(numbering.run(None, &shingles[..100]), Ok((0, 100)));
        assert_eq!(numbering.run(None, &shingles[50..100]), Ok((50, 50)));
        let error = numbering.run(None, &shingles[100..]).unwrap_err().to_string();
        assert!(error.contains("more than `100` distinct shingles"), "{error}");
        assert_eq!(numbering.run(Some(99), &shingles[..7]), Ok((0, 7)), "the limit breaks nothing");
        assert_eq!(Numbering::default().limit, u32::MAX as usize - 1);
    }
}
