//! Unigram (Kudo 2018): pieces with probabilities, learned by expectation and maximisation from a large set that is pruned.
//!
//! ```text
//! words ─ seeds ─> pieces ─┬─ twice: expected counts of pieces over all cuts ─> their probabilities
//!                          └─ keep the share whose loss the likelihood would miss most ─> again, until few enough
//! ```
//!
//! Steps and constants are those of `SentencePiece` (`unigram_model_trainer.cc`): the digamma of expected counts, at least half
//! an occurrence, three quarters kept a round, down to 1.1 times what is asked for; then the best scores. Three
//! things differ: a substring counts as often as its words occur, single characters of the alphabet never go, and expected
//! counts are whole numbers of 2^-20, so that their sums depend on no order: the result is the same for any number of threads.

mod lattice;
mod seeds;
mod trie;
mod words;

use std::sync::{Mutex, PoisonError};

use thresher_core::Observer;
use thresher_core::parallel::Threads;

use self::lattice::{Model, Room};
use self::seeds::seeds;
use self::words::Words;
use super::Counts;
use super::findings::{Findings, find};
use crate::{Error, Result};

/// Pieces to begin with.
const SEEDS: usize = 1_000_000;
/// Expectation and maximisation between two prunings.
const ROUNDS: usize = 2;
/// The share of the pieces that a pruning keeps.
const KEPT: f64 = 0.75;
/// Where pruning stops, in parts of what is asked for.
const ENOUGH: f64 = 1.1;
/// A piece that is expected less often goes.
const EXPECTED: f64 = 0.5;
/// Parts of an expected count.
const UNIT: f64 = (1u64 << 20) as f64;
/// Scores are multiples of one part of so many, and have 15 digits at most: a reader of JSON gets those exactly even if it is
/// content with less than the nearest double for more digits, as `serde_json` is in the wheels of `tokenizers`; there a difference in
/// the last bit decides between cuts that are equally good.
const DECIMALS: f64 = 1e12;
/// Words that a thread works on at a time.
const GRAIN: usize = 1 << 12;
/// Tokens of bytes, for characters outside of the alphabet.
pub(super) const BYTES: usize = 256;
/// The token for what has no other.
pub const UNKNOWN: &str = "<unk>";

/// What a Unigram is trained for.
#[derive(Clone, Debug, Default)]
pub struct UnigramOptions {
    /// Entries of the vocabulary: special tokens, 256 bytes, pieces.
    pub vocab_size: u32,
    /// Special tokens; they get the first ids, in this order. `<unk>` comes before them if it is not among them.
    pub special_tokens: Vec<String>,
    /// The most bytes of a piece; no bound if it is not given.
    pub max_token_length: Option<u32>,
    /// Characters that have a piece: the most frequent ones; all that occur if it is not given.
    pub limit_alphabet: Option<u32>,
}

/// A trained vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Unigram {
    /// Special tokens, `<unk>` included.
    pub special_tokens: Vec<String>,
    /// Pieces with the logarithms of their probabilities, the most likely first. A blank is a blank.
    pub pieces: Vec<(String, f64)>,
    /// How often each piece occurs in the most likely cuts of what it was trained on.
    pub occurrences: Vec<u64>,
    /// Different words of that.
    pub words: u64,
}

impl Unigram {
    /// Figures of the vocabulary over what it was trained on.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let special = self.special_tokens.len() + BYTES;
        let mut tokens: Vec<Vec<u8>> = vec![Vec::new(); special];
        tokens.extend(self.pieces.iter().map(|(piece, _)| piece.clone().into_bytes()));
        let mut occurrences = vec![0; special];
        occurrences.extend(&self.occurrences);
        let mut findings = find(&tokens, special, &occurrences, 0, self.words);
        findings.special_tokens = self.special_tokens.len() as u32;
        findings
    }
}

/// Special tokens with `<unk>`, which every Unigram has.
fn with_unknown(given: &[String]) -> Vec<String> {
    let mut tokens = given.to_vec();
    if !given.iter().any(|token| token == UNKNOWN) {
        tokens.insert(0, UNKNOWN.to_owned());
    }
    tokens
}

/// Checks what can be checked before anything is read.
///
/// # Errors
/// `Error::Parameter` for a vocabulary without room, or a special token that is empty or there twice.
pub fn check(options: &UnigramOptions) -> Result<()> {
    super::special::check(&options.special_tokens)?;
    let needed = with_unknown(&options.special_tokens).len() + BYTES + 1;
    if (options.vocab_size as usize) < needed {
        return Err(Error::Parameter(format!(
            "vocab_size is `{}`, but {} special tokens, the 256 bytes and one piece need at least {needed}",
            options.vocab_size,
            needed - BYTES - 1,
        )));
    }
    Ok(())
}

/// About how many bytes of memory it takes to train on `counts`, the counts themselves included.
#[must_use]
pub fn bytes_needed(counts: &Counts) -> u64 {
    let (mut bytes, mut words) = (0, 0);
    counts.for_each(|word, _| (bytes, words) = (bytes + word.len() as u64, words + 1));
    // The text and its suffixes, twice while they are sorted; words while they are put in order; pieces.
    counts.resident_bytes() + words * 48 + bytes * 20 + SEEDS as u64 * 200
}

/// Trains on `counts` of words, which begin with their blank. The result is the same for any number of threads.
///
/// # Errors
/// `Error::Parameter` for options that [`check`] refuses, for a vocabulary without room for the alphabet, or for more text than
/// 32 bits can address; `Error::Cancelled`.
pub fn train(
    counts: Counts,
    options: &UnigramOptions,
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Unigram> {
    check(options)?;
    let special_tokens = with_unknown(&options.special_tokens);
    let wanted = options.vocab_size as usize - special_tokens.len() - BYTES;
    let words = Words::new(&counts, options.limit_alphabet.map(|limit| limit as usize)).ok_or_else(|| {
        Error::Parameter("the different words have 4 GiB or more; take a sample of the texts".into())
    })?;
    if words.alphabet.len() > wanted {
        return Err(Error::Parameter(format!(
            "vocab_size is `{}`, which leaves room for {wanted} pieces, but the texts have {} characters; raise vocab_size, or \
             set limit_alphabet to {wanted} or less",
            options.vocab_size,
            words.alphabet.len()
        )));
    }
    let different = counts.len() as u64;
    drop(counts);
    let longest = options.max_token_length.map_or(usize::MAX, |length| length as usize);
    let mut trainer = Trainer::new(words, longest, threads, observer);
    let few = (ENOUGH * wanted as f64) as usize;
    loop {
        for _ in 0..ROUNDS {
            trainer.maximise()?;
        }
        if trainer.pieces.len() <= few {
            break;
        }
        trainer.prune(few.max((KEPT * trainer.pieces.len() as f64) as usize))?;
    }
    trainer.finish(wanted);
    let occurrences = trainer.most_likely()?;
    let mut pieces: Vec<(String, f64, u64)> = trainer
        .pieces
        .into_iter()
        .zip(trainer.scores)
        .zip(occurrences)
        .map(|((piece, score), count)| (piece, (score * DECIMALS).round() / DECIMALS, count))
        .collect();
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(Unigram {
        special_tokens,
        occurrences: pieces.iter().map(|piece| piece.2).collect(),
        pieces: pieces.into_iter().map(|(piece, score, _)| (piece, score)).collect(),
        words: different,
    })
}

/// A training under way. The characters of the alphabet are the first pieces, and stay.
struct Trainer<'t> {
    words: Words,
    characters: usize,
    pieces: Vec<String>,
    scores: Vec<f64>,
    threads: &'t dyn Threads,
    observer: &'t dyn Observer,
}

impl<'t> Trainer<'t> {
    fn new(words: Words, longest: usize, threads: &'t dyn Threads, observer: &'t dyn Observer) -> Self {
        let characters = words.alphabet.iter().map(|(c, &count)| (c.to_string(), count));
        let repeated = seeds(&words, SEEDS, threads).into_iter().filter(|seed| seed.piece.len() <= longest);
        let (pieces, counts): (Vec<String>, Vec<u64>) =
            characters.chain(repeated.map(|seed| (seed.piece, seed.count))).unzip();
        let all = counts.iter().map(|&count| count as f64).sum::<f64>().ln();
        let scores = counts.iter().map(|&count| (count as f64).ln() - all).collect();
        Self { characters: words.alphabet.len(), words, pieces, scores, threads, observer }
    }

    /// Sums over all words what `count` makes of each: its number, room to work in, and where to add for each piece.
    fn sums(&self, count: impl Fn(usize, &mut Room, &mut [u64]) + Sync) -> Result<Vec<u64>> {
        let free: Mutex<Vec<(Room, Vec<u64>)>> = Mutex::default();
        let parts = self.words.len().div_ceil(GRAIN);
        self.threads.each(parts, &|part| {
            if self.observer.cancelled() {
                return;
            }
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let (mut room, mut sums) = taken.unwrap_or_else(|| (Room::default(), vec![0; self.pieces.len()]));
            for word in part * GRAIN..((part + 1) * GRAIN).min(self.words.len()) {
                count(word, &mut room, &mut sums);
            }
            free.lock().unwrap_or_else(PoisonError::into_inner).push((room, sums));
        });
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let mut total = vec![0u64; self.pieces.len()];
        for (_, sums) in free.into_inner().unwrap_or_else(PoisonError::into_inner) {
            for (total, sum) in total.iter_mut().zip(sums) {
                *total = total.saturating_add(sum);
            }
        }
        Ok(total)
    }

    /// One step of expectation, one of maximisation; pieces that are hardly expected go.
    fn maximise(&mut self) -> Result<()> {
        let model = Model::new(&self.pieces, &self.scores);
        let expected = self.sums(|word, room, sums| {
            let weight = self.words.counts[word] as f64 * UNIT;
            room.expected(&model, &self.words.text[self.words.range(word)], |piece, share| {
                let sum = &mut sums[piece as usize];
                *sum = sum.saturating_add((weight * share) as u64);
            });
        })?;
        let expected: Vec<f64> = expected.into_iter().map(|sum| sum as f64 / UNIT).collect();
        let stays = |at: usize| at < self.characters || expected[at] >= EXPECTED;
        let kept: Vec<usize> = (0..self.pieces.len()).filter(|&at| stays(at)).collect();
        let all = digamma(kept.iter().map(|&at| expected[at]).sum::<f64>().max(EXPECTED));
        let scores = kept.iter().map(|&at| digamma(expected[at].max(EXPECTED)) - all).collect();
        self.keep(&kept, scores);
        Ok(())
    }

    /// Keeps pieces by their places, with these scores.
    fn keep(&mut self, kept: &[usize], scores: Vec<f64>) {
        self.pieces = kept.iter().map(|&at| std::mem::take(&mut self.pieces[at])).collect();
        self.scores = scores;
    }

    /// How often each piece occurs in the most likely cuts.
    fn most_likely(&self) -> Result<Vec<u64>> {
        let model = Model::new(&self.pieces, &self.scores);
        self.sums(|word, room, sums| {
            let count = self.words.counts[word];
            room.best(&model, &self.words.text[self.words.range(word)], None, |piece| {
                sums[piece as usize] += count;
            });
        })
    }

    /// Keeps `most` pieces: those whose loss would cost the likelihood most, if the next best cut took their place.
    fn prune(&mut self, most: usize) -> Result<()> {
        let frequencies: Vec<f64> = self.most_likely()?.into_iter().map(|count| count as f64).collect();
        let all: f64 = frequencies.iter().sum();
        let words: f64 = self.words.counts.iter().map(|&count| count as f64).sum();
        let model = Model::new(&self.pieces, &self.scores);
        let mut room = Room::default();
        let (mut kept, mut losses): (Vec<usize>, Vec<(f64, usize)>) =
            ((0..self.characters).collect(), Vec::new());
        for at in self.characters..self.pieces.len() {
            let frequency = frequencies[at];
            if frequency == 0.0 {
                continue;
            }
            let mut others = Vec::new();
            room.best(&model, &self.pieces[at], Some(at as u32), |piece| others.push(piece as usize));
            let before = frequency.ln() - all.ln();
            let sum = (all + frequency * (others.len() as f64 - 1.0)).ln();
            let after: f64 = others.iter().map(|&other| (frequencies[other] + frequency).ln() - sum).sum();
            losses.push((frequency / words * (before - after), at));
        }
        losses.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        kept.extend(losses.into_iter().map(|(_, at)| at).take(most.saturating_sub(self.characters)));
        kept.sort_unstable();
        let scores = kept.iter().map(|&at| self.scores[at]).collect();
        self.keep(&kept, scores);
        Ok(())
    }

    /// Keeps the characters and the most likely pieces, `wanted` of all.
    fn finish(&mut self, wanted: usize) {
        let mut others: Vec<usize> = (self.characters..self.pieces.len()).collect();
        others.sort_by(|&a, &b| self.scores[b].total_cmp(&self.scores[a]).then(a.cmp(&b)));
        others.truncate(wanted.saturating_sub(self.characters));
        let mut kept: Vec<usize> = (0..self.characters).chain(others).collect();
        kept.sort_unstable();
        let scores = kept.iter().map(|&at| self.scores[at]).collect();
        self.keep(&kept, scores);
    }
}

/// The logarithmic derivative of the gamma function, by its asymptotic series (Abramowitz, Stegun 6.3.18), as `SentencePiece` has it.
fn digamma(mut x: f64) -> f64 {
    let mut result = 0.0;
    while x < 7.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    x -= 0.5;
    let square = 1.0 / (x * x);
    result
        + x.ln()
        + square * (1.0 / 24.0 - square * (7.0 / 960.0 - square * (31.0 / 8064.0 - square * 127.0 / 30720.0)))
}

#[cfg(test)]
mod tests;
