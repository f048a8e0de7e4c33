//! Byte-level BPE (Sennrich, Haddow, Birch 2016, on bytes): the most frequent pair of neighbours becomes a symbol, again and again.
//!
//! The vocabulary is that of `tokenizers` (`BpeTrainer`, 0.23) for the same words: special tokens first, then the alphabet in
//! the order of its characters, then one symbol a merge. *Ties*: of equally frequent pairs the one with the smaller left id
//! is merged first, then the one with the smaller right id. Two things differ. Counts have 64 bits: theirs have 32, and a pair
//! that occurs 2^31 times is lost. And [`BpeOptions::max_token_length`] is the greatest length, where theirs is the first
//! that is too long.
//!
//! ```text
//!             ┌──────────── all pairs from the floor on are merged: a lower floor ───────────┐
//!             v                                                                              │
//! counts ─> corpus ─compact─> index of pairs from a floor on ─> queue ─> merge, at its places ─> vocabulary
//! ```
//!
//! Time is that of the places merged, and of a scan for each floor, of which there are about five; memory is 12 bytes for each
//! byte of different words, at most.

mod corpus;
mod merging;
mod pairs;

use std::collections::HashMap;
use thresher_core::Observer;
use thresher_core::parallel::Threads;

use self::corpus::Corpus;
use self::merging::{Merger, Queue};
use self::pairs::Index;
use super::findings::{Findings, bytes_of, find};
use super::{Counts, special};
use crate::{Error, Result, alphabet};

/// How far the first floor lies below the most frequent pair, and each further one below that before.
const FIRST_FALL: u64 = 64;
const FALL: u64 = 8;
/// Bytes of a slot of the corpus, and of a place.
const SLOT: u64 = 4;
/// Merges after which a wish to stop is asked for.
const MERGES_A_QUESTION: usize = 64;

/// What a byte-level BPE is trained for.
#[derive(Clone, Debug, Default)]
pub struct BpeOptions {
    /// Entries of the vocabulary: special tokens, 256 bytes, merges.
    pub vocab_size: u32,
    /// Special tokens; they get the first ids, in this order.
    pub special_tokens: Vec<String>,
    /// A pair that occurs less often is not merged.
    pub min_frequency: u64,
    /// The most bytes of a merged token; no bound if it is not given.
    pub max_token_length: Option<u32>,
}

/// A trained vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bpe {
    /// Each token as it is written: special tokens as they are, others by the [`alphabet`].
    pub tokens: Vec<String>,
    /// Special tokens; their ids are the first.
    pub special_tokens: usize,
    /// Ids of the two sides of each merge, in order, and that of what they become.
    pub merges: Vec<(u32, u32, u32)>,
    /// How often each token occurs in what it was trained on, once all merges are done.
    pub occurrences: Vec<u64>,
    /// Different pre-tokens of that.
    pub words: u64,
}

impl Bpe {
    /// Figures of the vocabulary over what it was trained on.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let bytes = bytes_of(&self.tokens, self.special_tokens);
        find(&bytes, self.special_tokens, &self.occurrences, self.merges.len(), self.words)
    }
}

/// The tokens so far.
struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    /// Special tokens that a merge may spell: it then becomes that token.
    spelled: HashMap<Vec<u8>, u32>,
    symbol_of: [u32; 256],
}

impl Vocabulary {
    fn new(special: &[String]) -> Self {
        let mut tokens: Vec<Vec<u8>> = special.iter().map(|token| token.clone().into_bytes()).collect();
        let spelled: HashMap<Vec<u8>, u32> =
            (0..).zip(special).filter_map(|(id, token)| Some((alphabet::read(token)?, id))).collect();
        let mut symbol_of = [0; 256];
        for byte in alphabet::bytes_in_order() {
            symbol_of[byte as usize] = *spelled.get([byte].as_slice()).unwrap_or(&(tokens.len() as u32));
            if symbol_of[byte as usize] == tokens.len() as u32 {
                tokens.push(vec![byte]);
            }
        }
        // From here on, a token of the alphabet is its byte.
        for (bytes, &id) in &spelled {
            tokens[id as usize].clone_from(bytes);
        }
        Self { tokens, spelled, symbol_of }
    }

    /// The symbol that two become.
    fn join(&mut self, left: u32, right: u32) -> u32 {
        let mut bytes = self.tokens[left as usize].clone();
        bytes.extend_from_slice(&self.tokens[right as usize]);
        if let Some(&id) = self.spelled.get(&bytes) {
            return id;
        }
        self.tokens.push(bytes);
        self.tokens.len() as u32 - 1
    }
}

/// Checks what can be checked before anything is read.
///
/// # Errors
/// `Error::Parameter` for a vocabulary without room, or a special token that is empty or there twice.
pub fn check(options: &BpeOptions) -> Result<()> {
    special::check(&options.special_tokens)?;
    let needed = Vocabulary::new(&options.special_tokens).tokens.len();
    if (options.vocab_size as usize) < needed {
        return Err(Error::Parameter(format!(
            "vocab_size is `{}`, but {} special tokens and the 256 bytes need at least {needed}",
            options.vocab_size,
            options.special_tokens.len(),
        )));
    }
    if options.max_token_length == Some(0) {
        return Err(Error::Parameter("max_token_length is `0`, but a token has at least 1 byte".into()));
    }
    Ok(())
}

/// About how many bytes of memory it takes to train on `counts`, the counts themselves included.
#[must_use]
pub fn bytes_needed(counts: &Counts) -> u64 {
    let mut slots = 0;
    counts.for_each(|word, _| slots += word.len() as u64 + 1);
    // First the table and the corpus; then the corpus, its places in order, and those of frequent pairs.
    (counts.resident_bytes() + SLOT * slots).max(3 * SLOT * slots)
}

/// Trains on `counts`. The result is the same for any number of threads.
///
/// # Errors
/// `Error::Parameter` for options that [`check`] refuses, or for more text than 32 bits can address; `Error::Cancelled`.
pub fn train(
    counts: Counts,
    options: &BpeOptions,
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Bpe> {
    check(options)?;
    let mut vocabulary = Vocabulary::new(&options.special_tokens);
    let mut corpus = Corpus::new(&counts, &vocabulary.symbol_of, vocabulary.tokens.len())?;
    let words = counts.len() as u64;
    drop(counts);
    let longest = options.max_token_length.map_or(usize::MAX, |length| length as usize);
    let least = options.min_frequency.max(1);
    let mut merges: Vec<(u32, u32, u32)> = Vec::new();
    let mut merger = Merger::default();
    let mut floor = None;
    while vocabulary.tokens.len() < options.vocab_size as usize && floor != Some(least) {
        stop_if_asked(observer)?;
        corpus.compact();
        let index = Index::new(&corpus);
        let next = floor.map_or_else(|| index.most(threads) / FIRST_FALL, |floor| floor / FALL).max(least);
        let mut pairs = index.from(next, threads);
        pairs.retain(|pair| {
            vocabulary.tokens[pair.left as usize].len() + vocabulary.tokens[pair.right as usize].len()
                <= longest
        });
        let mut queue = Queue::new(next, pairs);
        floor = Some(next);
        while vocabulary.tokens.len() < options.vocab_size as usize
            && let Some(pair) = queue.pop()
        {
            if merges.len().is_multiple_of(MERGES_A_QUESTION) {
                stop_if_asked(observer)?;
            }
            let new = vocabulary.join(pair.left, pair.right);
            let room = longest.saturating_sub(vocabulary.tokens[new as usize].len());
            let tokens = &vocabulary.tokens;
            merger.merge(&mut corpus, &mut queue, &pair, new, |other| tokens[other as usize].len() <= room);
            merges.push((pair.left, pair.right, new));
        }
    }
    corpus.compact();
    let mut tokens: Vec<String> = vocabulary.tokens.iter().map(|bytes| alphabet::written(bytes)).collect();
    tokens[..options.special_tokens.len()].clone_from_slice(&options.special_tokens);
    Ok(Bpe {
        tokens,
        special_tokens: options.special_tokens.len(),
        merges,
        occurrences: corpus.occurrences(),
        words,
    })
}

fn stop_if_asked(observer: &dyn Observer) -> Result<()> {
    if observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
