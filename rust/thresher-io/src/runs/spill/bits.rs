//! Sets of documents as one bit each, filled by many threads and then counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Words whose bits are counted together.
const BLOCK: usize = 8;

/// A set that threads add to.
#[derive(Debug)]
pub(crate) struct Marks(Vec<AtomicU64>);

impl Marks {
    /// The empty set of `n_docs` documents.
    pub(crate) fn new(n_docs: usize) -> Self {
        Self((0..n_docs.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds a document.
    pub(crate) fn set(&self, doc: u32) {
        self.0[doc as usize / 64].fetch_or(1 << (doc % 64), Relaxed);
    }

    /// The set, complete.
    pub(crate) fn finish(self) -> Bits {
        Bits::new(self.0.into_iter().map(AtomicU64::into_inner).collect())
    }
}

/// A set of documents that does not change any more, with the rank of each.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    /// How many are set before each block.
    before: Vec<u32>,
    len: u32,
}

impl Bits {
    /// The documents whose bits are set in `words`.
    pub(crate) fn new(words: Vec<u64>) -> Self {
        let mut len = 0;
        let before = words
            .chunks(BLOCK)
            .map(|block| {
                let before = len;
                len += block.iter().map(|word| word.count_ones()).sum::<u32>();
                before
            })
            .collect();
        Self { words, before, len }
    }

    /// Whether a document is in the set.
    pub(crate) fn get(&self, doc: u32) -> bool {
        self.words[doc as usize / 64] >> (doc % 64) & 1 == 1
    }

    /// How many documents of the set come before `doc`.
    pub(crate) fn rank(&self, doc: u32) -> u32 {
        let word = doc as usize / 64;
        let block = word / BLOCK;
        let whole: u32 = self.words[block * BLOCK..word].iter().map(|word| word.count_ones()).sum();
        self.before[block] + whole + (self.words[word] & ((1 << (doc % 64)) - 1)).count_ones()
    }

    /// The document of the set that has this rank.
    pub(crate) fn select(&self, rank: u32) -> u32 {
        let block = self.before.partition_point(|&before| before <= rank) - 1;
        let mut left = rank - self.before[block];
        let mut word = block * BLOCK;
        while left >= self.words[word].count_ones() {
            left -= self.words[word].count_ones();
            word += 1;
        }
        let mut rest = self.words[word];
        for _ in 0..left {
            rest &= rest - 1;
        }
        word as u32 * 64 + rest.trailing_zeros()
    }

    /// How many documents are in the set.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Whether none is.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits of 64 documents each.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The documents, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        documents(self.words.iter().copied())
    }
}

/// The documents whose bits are set in `words`, ascending.
pub(crate) fn documents(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u32> {
    words.enumerate().flat_map(|(at, word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(at as u32 * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_count_what_comes_before(docs in prop::collection::btree_set(0..3000u32, 0..300)) {
            let marks = Marks::new(3000);
            for &doc in &docs {
                marks.set(doc);
            }
            let bits = marks.finish();
            prop_assert_eq!(bits.len() as usize, docs.len());
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), docs.iter().copied().collect::<Vec<_>>());
            for (rank, &doc) in docs.iter().enumerate() {
                prop_assert_eq!(bits.select(rank as u32), doc);
            }
            for doc in 0..3000 {
                prop_assert_eq!(bits.get(doc), docs.contains(&doc));
                prop_assert_eq!(bits.rank(doc) as usize, docs.range(..doc).count());
            }
        }
    }
}
