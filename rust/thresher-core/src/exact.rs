//! Exact duplicates: documents of equal text, by a 128-bit hash of it that the secret of the run keys.
//!
//! No input can be made whose texts share a hash (`content.rs` has the proof), so over files the hash stands for the
//! text, and the tables here may take its bits as they come. Texts in memory are compared byte by byte all the same.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use rayon::prelude::*;

use crate::precedence::Precedence;

/// Locks among which the hashes of seen texts are spread.
const SHARDS: usize = 64;

/// Takes the hash as it comes: it is one already.
#[derive(Default)]
struct ContentHasher(u64);

impl Hasher for ContentHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

/// The content hashes seen so far, by any thread.
#[derive(Debug)]
pub struct SeenTexts(Box<[Shard]>);

type Shard = Mutex<HashSet<u128, BuildHasherDefault<ContentHasher>>>;

impl SeenTexts {
    /// None yet, with room for `texts` of them.
    #[must_use]
    pub fn with_capacity(texts: usize) -> Self {
        let each = texts / SHARDS;
        let shard = || Mutex::new(HashSet::with_capacity_and_hasher(each, BuildHasherDefault::default()));
        Self((0..SHARDS).map(|_| shard()).collect())
    }

    /// Whether the hash comes for the first time. Which of several equal texts comes first is up to the threads.
    pub fn insert(&self, hash: u128) -> bool {
        let shard = &self.0[(hash >> 64) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(hash)
    }
}

/// Documents grouped by equal text.
#[derive(Debug)]
pub struct Classes {
    /// The document that stands for each class: the one its keep policy prefers.
    docs: Vec<u32>,
    /// Every other document with the one that stands for it.
    copies: Vec<(u32, u32)>,
}

impl Classes {
    /// Groups documents by hash; one without a hash (a null text) is in no class.
    #[must_use]
    pub fn new(hashes: impl ExactSizeIterator<Item = Option<u128>>, precedence: Precedence<'_>) -> Self {
        Self::with(hashes, |_, _| true, precedence)
    }

    /// Groups texts that are at hand: by hash, and then byte by byte, on the threads of the current rayon pool.
    #[must_use]
    pub fn of_texts(texts: &[Option<&str>], hashes: &[Option<u128>], precedence: Precedence<'_>) -> Self {
        let are_equal = |a: u32, b: u32| texts[a as usize] == texts[b as usize];
        let classes = Self::new(hashes.iter().copied(), precedence);
        if classes.copies.par_iter().all(|&(copy, standing)| are_equal(copy, standing)) {
            return classes;
        }
        Self::with(hashes.iter().copied(), are_equal, precedence)
    }

    /// Groups documents by hash, and those of one hash by whether they are equal.
    fn with(
        hashes: impl ExactSizeIterator<Item = Option<u128>>,
        are_equal: impl Fn(u32, u32) -> bool,
        precedence: Precedence<'_>,
    ) -> Self {
        // Numbers of classes, found by their hashes: a table of 5 bytes an entry stays in cache for long.
        let mut classes: HashTable<u32> = HashTable::with_capacity(hashes.len());
        let mut hash_of: Vec<u128> = Vec::with_capacity(hashes.len());
        let mut docs: Vec<u32> = Vec::with_capacity(hashes.len());
        let mut members: Vec<(u32, u32)> = Vec::new();
        for (doc, hash) in hashes.enumerate() {
            let Some(hash) = hash else { continue };
            let doc = doc as u32;
            let is_equal =
                |&class: &u32| hash_of[class as usize] == hash && are_equal(docs[class as usize], doc);
            let entry = classes.entry(hash as u64, is_equal, |&class| hash_of[class as usize] as u64);
            let class = *entry.or_insert(docs.len() as u32).get();
            match docs.get_mut(class as usize) {
                None => {
                    docs.push(doc);
                    hash_of.push(hash);
                }
                Some(standing) => {
                    let mut copy = doc;
                    if precedence.compare(doc, *standing).is_lt() {
                        std::mem::swap(standing, &mut copy);
                    }
                    members.push((copy, class));
                }
            }
        }
        let copies = members.into_iter().map(|(doc, class)| (doc, docs[class as usize])).collect();
        Self { docs, copies }
    }

    /// The document that stands for each class, in order of the first member of the class.
    #[must_use]
    pub fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// For each of `n_docs` documents, the one that stands for it: as a rule itself.
    #[must_use]
    pub fn standing(&self, n_docs: usize) -> Vec<u32> {
        let mut standing: Vec<u32> = (0..n_docs as u32).collect();
        self.copies.iter().for_each(|&(copy, doc)| standing[copy as usize] = doc);
        standing
    }

    /// Every other document with the one that stands for it.
    #[must_use]
    pub fn copies(&self) -> &[(u32, u32)] {
        &self.copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_member_stands_for_its_class() {
        let hashes = [Some(1), Some(2), Some(1), None, Some(1), None];
        let lengths = [5, 1, 9, 0, 7, 0];
        let classes = Classes::new(hashes.into_iter(), Precedence::Longest(&lengths));
        assert_eq!(classes.docs(), [2, 1]);
        let mut copies = classes.copies().to_vec();
        copies.sort_unstable();
        assert_eq!(copies, [(0, 2), (4, 2)]);
    }

    #[test]
    fn different_texts_of_one_hash_are_in_classes_of_their_own() {
        let texts = ["a", "b", "a", "c", "b"].map(Some);
        let classes = Classes::of_texts(&texts, &[Some(7); 5], Precedence::First);
        assert_eq!(classes.docs(), [0, 1, 3]);
        assert_eq!(classes.copies(), [(2, 0), (4, 1)]);
    }
}
