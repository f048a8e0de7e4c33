//! The words that a Unigram is trained on, as one text, and which of their characters it knows.
//!
//! A word begins with its blank. It is cut where the model could not go on anyhow: at characters that are not in the alphabet,
//! which are encoded byte by byte; and after [`STRETCH`] characters, so that a lattice is small whatever the text.

use std::collections::BTreeMap;

use crate::train::Counts;

/// Characters of a stretch at most.
pub(super) const STRETCH: usize = 32;

/// Stretches of words, each with its count.
#[derive(Default)]
pub(super) struct Words {
    /// All stretches, one behind the other.
    pub(super) text: String,
    /// Where each ends.
    pub(super) ends: Vec<u32>,
    pub(super) counts: Vec<u64>,
    /// Characters of the alphabet, each with its count, in their order.
    pub(super) alphabet: BTreeMap<char, u64>,
}

impl Words {
    /// The words of `counts`; of their characters the `limit` most frequent ones are known, of equally frequent ones
    /// the smaller. None if 32 bits cannot address the text.
    pub(super) fn new(counts: &Counts, limit: Option<usize>) -> Option<Self> {
        let mut alphabet: BTreeMap<char, u64> = BTreeMap::new();
        each(counts, |word, count| {
            for c in word.chars() {
                *alphabet.entry(c).or_default() += count;
            }
        });
        if let Some(limit) = limit.filter(|&limit| limit < alphabet.len()) {
            let mut kept: Vec<(char, u64)> = alphabet.into_iter().collect();
            kept.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
            kept.truncate(limit);
            alphabet = kept.into_iter().collect();
        }
        let mut words = Self { alphabet, ..Self::default() };
        let mut sorted: Vec<(String, u64)> = Vec::with_capacity(counts.len());
        each(counts, |word, count| sorted.push((word.to_owned(), count)));
        // The order of the table means nothing.
        sorted.sort_unstable();
        for (word, count) in sorted {
            let mut length = 0;
            for c in word.chars() {
                let is_known = words.alphabet.contains_key(&c);
                if !is_known || length == STRETCH {
                    words.end(&mut length, count);
                }
                if is_known {
                    words.text.push(c);
                    length += 1;
                }
            }
            words.end(&mut length, count);
        }
        u32::try_from(words.text.len()).is_ok().then_some(words)
    }

    fn end(&mut self, length: &mut usize, count: u64) {
        if *length > 0 {
            self.ends.push(self.text.len() as u32);
            self.counts.push(count);
            *length = 0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a stretch lies.
    pub(super) fn range(&self, at: usize) -> std::ops::Range<usize> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        start..self.ends[at] as usize
    }
}

/// Calls `see` with every word; all are text.
fn each(counts: &Counts, mut see: impl FnMut(&str, u64)) {
    counts.for_each(|word, count| {
        if let Ok(word) = std::str::from_utf8(word) {
            see(word, count);
        }
    });
}
