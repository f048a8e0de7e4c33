//! Exact duplicates: documents of equal text.
//!
//! Texts in memory are found by a 128-bit hash that the secret of the run keys, so the table may take its bits as they come, and
//! are compared byte by byte all the same.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::precedence::Precedence;

/// Locks among which seen texts are spread by their hashes.
const SHARDS: usize = 64;

/// One document of each text seen so far, by any thread.
///
/// Texts of one hash are compared by whoever asks, so the hash decides nothing here; of each document 8 bytes are held, half of
/// them bits of its hash.
#[derive(Debug)]
pub(crate) struct SeenDocs(Box<[Mutex<DocTable>]>);

impl SeenDocs {
    /// None yet, of at most `docs` documents, whose numbers are below 2^32 - 1.
    pub(crate) fn new(docs: usize) -> Self {
        let each = docs.div_ceil(SHARDS);
        Self(
            (0..SHARDS)
                .map(|_| Mutex::new(DocTable { entries: Vec::new(), used: 0, expected: each }))
                .collect(),
        )
    }

    /// The document with an equal text that came first, if one did. Which one that is is up to the threads.
    pub(crate) fn find_or_insert(&self, hash: u128, doc: u32, is_equal: impl Fn(u32) -> bool) -> Option<u32> {
        let shard = &self.0[(hash >> 64) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner).find_or_insert(hash as u32, doc, is_equal)
    }
}

/// Open addressing, in the order of tags as far as there is room.
#[derive(Debug)]
struct DocTable {
    /// Bits of the hash in the high half, the document in the low one. At most four fifths full.
    entries: Vec<u64>,
    used: usize,
    /// Documents that it will hold if it gets its share of them.
    expected: usize,
}

/// A free entry: no document has this number.
const FREE: u64 = u64::MAX;

impl DocTable {
    fn start(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.entries.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    fn find_or_insert(&mut self, tag: u32, doc: u32, is_equal: impl Fn(u32) -> bool) -> Option<u32> {
        if 5 * (self.used + 1) > 4 * self.entries.len() {
            self.grow();
        }
        let mut at = self.start(tag);
        while self.entries[at] != FREE {
            let known = self.entries[at];
            if (known >> 32) as u32 == tag && is_equal(known as u32) {
                return Some(known as u32);
            }
            at = self.after(at);
        }
        self.entries[at] = u64::from(tag) << 32 | u64::from(doc);
        self.used += 1;
        None
    }

    /// Makes room for what is expected, a little more at a time when that is not enough.
    fn grow(&mut self) {
        // As many as a share is likely to have, so that it grows once if texts are all different.
        let likely = self.expected + 4 * self.expected.isqrt();
        let wanted = if self.entries.is_empty() { likely.min(256) } else { self.entries.len() };
        let wanted = (wanted + wanted / 2).min((5 * likely / 4).max(self.entries.len() + 64)).max(16);
        let entries = std::mem::replace(&mut self.entries, vec![FREE; wanted]);
        for entry in entries.into_iter().filter(|&entry| entry != FREE) {
            let mut at = self.start((entry >> 32) as u32);
            while self.entries[at] != FREE {
                at = self.after(at);
            }
            self.entries[at] = entry;
        }
    }
}

/// Documents grouped by equal text.
#[derive(Debug)]
pub struct Classes {
    /// Every other document with the one that stands for it.
    copies: Vec<(u32, u32)>,
}

impl Classes {
    /// Groups documents by pairs: a copy, and the one document of its class that all its copies are paired with. Gives
    /// also that document of each class with the one that stands for it.
    pub(crate) fn of_copies(
        mut pairs: Vec<(u32, u32)>,
        precedence: Precedence<'_>,
    ) -> (Self, Vec<(u32, u32)>) {
        pairs.par_sort_unstable_by_key(|&(copy, first)| (first, copy));
        let mut copies = Vec::with_capacity(pairs.len());
        let mut standing_for = Vec::new();
        for class in pairs.chunk_by(|a, b| a.1 == b.1) {
            let first = class[0].1;
            let members = || std::iter::once(first).chain(class.iter().map(|&(copy, _)| copy));
            let standing = members().min_by(|&a, &b| precedence.compare(a, b)).unwrap_or(first);
            copies.extend(members().filter(|&doc| doc != standing).map(|doc| (doc, standing)));
            standing_for.push((first, standing));
        }
        (Self { copies }, standing_for)
    }

    /// Every other document with the one that stands for it.
    #[must_use]
    pub fn copies(&self) -> &[(u32, u32)] {
        &self.copies
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_preferred_member_stands_for_its_class() {
        let lengths = [5, 1, 9, 0, 7, 1];
        let pairs = vec![(4, 0), (5, 1), (2, 0)];
        let (classes, standing_for) = Classes::of_copies(pairs, Precedence::Longest(&lengths));
        assert_eq!(classes.copies(), [(0, 2), (4, 2), (5, 1)]);
        assert_eq!(standing_for, [(0, 2), (1, 1)]);
    }

    #[test]
    fn one_document_of_each_text_is_found_again() {
        // Texts are numbers; many have the same tag, and some the same hash.
        let hash = |text: u32| {
            let bits = u128::from(crate::hash::splitmix64(u64::from(text / 2)));
            bits << 64 | bits & 0xFFFF_0000
        };
        let texts: Vec<u32> = (0..60_000u32).map(|doc| doc.wrapping_mul(2_654_435_761) % 20_000).collect();
        let seen = SeenDocs::new(10_000);
        let mut first_with: HashMap<u32, u32> = HashMap::new();
        for (doc, &text) in (0..).zip(&texts) {
            let first = *first_with.entry(text).or_insert(doc);
            let found = seen.find_or_insert(hash(text), doc, |other| texts[other as usize] == text);
            assert_eq!(found, (first != doc).then_some(first));
        }
    }
}
