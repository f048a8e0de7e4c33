//! What is in a pool, by its tokens: the vocabulary, the texts as numbers, and which text has a token where.
//!
//! Texts with the same tokens are one *entry*, so a pool of copies costs no more to search than one of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// Tokens by number, in the order in which they came. The hashes are keyed at random, so no text can be made against them.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary(HashMap<Box<str>, u32>);

impl Vocabulary {
    /// The number of a token, a new one if need be.
    pub(crate) fn number(&mut self, token: &str) -> u32 {
        if let Some(&number) = self.0.get(token) {
            return number;
        }
        let number = self.0.len() as u32;
        self.0.insert(token.into(), number);
        number
    }

    /// The number of a token, or for all that are unknown the next one that will be given.
    pub(crate) fn known(&self, token: &str) -> u32 {
        self.0.get(token).copied().unwrap_or(self.0.len() as u32)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) token: u32,
    /// How often the text has it.
    pub(crate) count: u32,
}

/// The tokens of a text by number, downwards, into `runs`; `sorted` is scratch.
pub(crate) fn runs_of(tokens: &[u32], sorted: &mut Vec<u32>, runs: &mut Vec<Run>) {
    sorted.clear();
    sorted.extend_from_slice(tokens);
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    runs.clear();
    runs.extend(sorted.chunk_by(|a, b| a == b).map(|same| Run { token: same[0], count: same.len() as u32 }));
}

/// Which entries have a token, in order.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    pub(crate) entries: Vec<u32>,
    /// Those that have it more than once, with how often they have it.
    pub(crate) repeated: Vec<(u32, u32)>,
}

/// Texts with the same tokens.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its tokens end; they begin where those of the entry before end.
    end: u32,
    /// The first and the last of its texts.
    first: u32,
    last: u32,
}

/// The texts of a pool.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tokens: Vec<u32>,
    entries: Vec<Entry>,
    /// Of each text, the next one with the same tokens; itself if there is none.
    next: Vec<u32>,
    by_tokens: HashTable<u32>,
    hashes: RandomState,
    postings: Vec<Postings>,
    sorted: Vec<u32>,
    runs: Vec<Run>,
}

impl Index {
    /// Tokens and texts that a pool can hold.
    pub(crate) const MAX: usize = u32::MAX as usize;

    /// Number of texts.
    pub(crate) fn len(&self) -> usize {
        self.next.len()
    }

    /// Number of entries.
    pub(crate) fn num_entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is room for a text of so many tokens.
    pub(crate) fn has_room(&self, tokens: usize) -> bool {
        self.len() < Self::MAX && tokens <= Self::MAX - self.tokens.len()
    }

    /// The tokens of an entry.
    #[inline]
    pub(crate) fn tokens_of(&self, entry: u32) -> &[u32] {
        let start = if entry == 0 { 0 } else { self.entries[entry as usize - 1].end };
        &self.tokens[start as usize..self.entries[entry as usize].end as usize]
    }

    /// The first text of an entry.
    pub(crate) fn first(&self, entry: u32) -> usize {
        self.entries[entry as usize].first as usize
    }

    /// The texts of an entry, in the order of the pool.
    pub(crate) fn texts_of(&self, entry: u32) -> impl Iterator<Item = usize> {
        let Entry { first, last, .. } = self.entries[entry as usize];
        let next = move |&text: &u32| (text != last).then(|| self.next[text as usize]);
        std::iter::successors(Some(first), next).map(|text| text as usize)
    }

    /// Which entries have a token; None for one that no text has.
    #[inline]
    pub(crate) fn postings(&self, token: u32) -> Option<&Postings> {
        self.postings.get(token as usize)
    }

    /// The entry of these tokens.
    pub(crate) fn find(&self, tokens: &[u32]) -> Option<u32> {
        let hash = self.hashes.hash_one(tokens);
        self.by_tokens.find(hash, |&entry| self.tokens_of(entry) == tokens).copied()
    }

    /// Adds a text, which has to have room.
    pub(crate) fn add(&mut self, tokens: &[u32]) {
        let text = self.len() as u32;
        self.next.push(text);
        if let Some(entry) = self.find(tokens) {
            let entry = &mut self.entries[entry as usize];
            self.next[entry.last as usize] = text;
            entry.last = text;
            return;
        }
        let entry = self.num_entries() as u32;
        self.tokens.extend_from_slice(tokens);
        self.entries.push(Entry { end: self.tokens.len() as u32, first: text, last: text });
        let Self { tokens: all, entries, by_tokens, hashes, .. } = self;
        let hash_of = |&entry: &u32| {
            let start = if entry == 0 { 0 } else { entries[entry as usize - 1].end };
            hashes.hash_one(&all[start as usize..entries[entry as usize].end as usize])
        };
        by_tokens.insert_unique(hash_of(&entry), entry, hash_of);
        runs_of(tokens, &mut self.sorted, &mut self.runs);
        for &Run { token, count } in &self.runs {
            if self.postings.len() <= token as usize {
                self.postings.resize_with(token as usize + 1, Postings::default);
            }
            let postings = &mut self.postings[token as usize];
            postings.entries.push(entry);
            if count > 1 {
                postings.repeated.push((entry, count));
            }
        }
    }
}
