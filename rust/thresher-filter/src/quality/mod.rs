//! A classifier that tells texts like some from texts like others, learned from both; fastText reads what it leaves.
//!
//! ```text
//! texts ─ hashes of words ─> vocabulary ─┐
//!                                        ├─ words, n-grams of words ─> weights, one a feature ─> a model of fastText of dimension 1
//! labels ────────────────────────────────┘
//! ```
//!
//! A model of fastText with two labels decides by the average of its rows, times the difference of two vectors. So all that counts
//! of a row is one number, however many dimensions it has: such a model is a logistic regression over the average of the
//! features of a text. Here these numbers are learned as such, and written as a model of dimension 1: 8 MB where a model of 100
//! dimensions has 800, and one addition a feature where that has 100.
//!
//! Learning is `AdaGrad` over single texts (Duchi, Hazan, Singer 2011), in an order that is drawn from the numbers of the texts: the same
//! texts in the same order give the same bytes, whoever reads them and with however many threads. Both labels weigh the same.

mod learn;
mod score;
mod write;

use std::collections::HashMap;

pub use self::score::score_all;
use thresher_core::{Error, Observer, Result};

use crate::fasttext::{END_HASH, words};

/// The labels of the model, the one of the texts to keep first.
pub const LABELS: [&str; 2] = ["good", "bad"];

/// What is learned, and of how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Words of an n-gram at most.
    pub word_ngrams: usize,
    /// Rows that n-grams of several words share.
    pub bucket: u32,
    /// A word that occurs less often has no row.
    pub min_count: u64,
    /// Words that have a row at most, the most frequent ones.
    pub max_words: usize,
    /// How often each text is looked at.
    pub epochs: usize,
    /// How far a weight moves at first.
    pub rate: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self { word_ngrams: 2, bucket: 2_000_000, min_count: 2, max_words: 200_000, epochs: 5, rate: 0.5 }
    }
}

/// Words of a text that are learned from, its first ones.
pub const MAX_TEXT_WORDS: usize = 512;

/// Bytes of a word that has a row; who writes longer ones writes them once.
const MAX_WORD_BYTES: usize = 256;

/// Of the texts, one in so many is held back, to say how well the model does on texts that it was not learned from.
const HELD_BACK: u64 = 10;

/// A text as the hashes of its words.
#[derive(Clone, Debug, Default)]
pub struct Hashed {
    hashes: Vec<u32>,
    /// Its words, one behind the other, and where they end.
    letters: Vec<u8>,
    ends: Vec<usize>,
}

impl Hashed {
    /// The first words of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut hashed = Self::default();
        for (word, hash) in words(text).take(MAX_TEXT_WORDS) {
            hashed.hashes.push(hash);
            hashed.letters.extend_from_slice(word);
            hashed.ends.push(hashed.letters.len());
        }
        hashed
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.hashes.capacity() * 4 + self.letters.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Texts to learn from.
#[derive(Debug, Default)]
pub struct Examples {
    /// Hashes of the words of all texts, one text behind the other, and where they end.
    hashes: Vec<u32>,
    ends: Vec<usize>,
    good: Vec<bool>,
    words: HashMap<u32, (Box<[u8]>, u64)>,
}

impl Examples {
    /// Adds a text. The order of the texts matters to the model, as long as the same one gives the same.
    pub fn add(&mut self, text: &Hashed, good: bool) {
        let mut start = 0;
        for (&hash, &end) in text.hashes.iter().zip(&text.ends) {
            let word = &text.letters[start..end];
            self.words.entry(hash).or_insert_with(|| (word.into(), 0)).1 += 1;
            start = end;
        }
        self.hashes.extend_from_slice(&text.hashes);
        self.ends.push(self.hashes.len());
        self.good.push(good);
    }

    /// How many texts are of each label.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        let good = self.good.iter().filter(|good| **good).count();
        [good, self.good.len() - good]
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.hashes.capacity() * 4 + self.ends.len() * 9 + self.words.len() * 80
    }

    fn text(&self, number: usize) -> &[u32] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.hashes[start..self.ends[number]]
    }
}

/// A model, and how well it does.
#[derive(Clone, Debug)]
pub struct Trained {
    /// A file that fastText reads.
    pub model: Vec<u8>,
    /// Words that have a row.
    pub words: usize,
    /// Texts that were held back.
    pub held_back: usize,
    /// Of these, the share whose label was right; NaN if none was held back.
    pub accuracy: f64,
    /// The chance that a good one of these has a higher score than a bad one; NaN if there is none of one label.
    pub auc: f64,
}

/// Learns from texts of both labels.
///
/// # Errors
/// `Error::Parameter` if there are no texts of a label, or an option cannot be; `Error::Cancelled`.
pub fn train(examples: &Examples, options: &Options, observer: &dyn Observer) -> Result<Trained> {
    let [good, bad] = examples.counts();
    if good == 0 || bad == 0 {
        return Err(Error::Parameter(format!(
            "there are `{good}` good and `{bad}` bad texts, but a classifier is learned from both; give texts of each"
        )));
    }
    for (name, value, least, most) in [
        ("word_ngrams", options.word_ngrams, 1, 5),
        ("bucket", options.bucket as usize, 1, 1 << 28),
        ("epochs", options.epochs, 1, 1000),
    ] {
        if !(least..=most).contains(&value) {
            return Err(Error::Parameter(format!("{name} is `{value}`, but it is {least} to {most}")));
        }
    }
    if !(options.rate > 0.0 && options.rate.is_finite()) {
        return Err(Error::Parameter(format!("rate is `{}`, but it is a number above 0", options.rate)));
    }
    let vocabulary = vocabulary(examples, options);
    let learned = learn::learn(examples, &vocabulary, options, observer)?;
    let model = write::model(&vocabulary, &learned.weights, [good, bad], options);
    let (accuracy, auc) = learned.quality();
    Ok(Trained { model, words: vocabulary.len(), held_back: learned.held_back.len(), accuracy, auc })
}

/// The words that have a row, with their counts: the most frequent ones, of equal ones those that come first as bytes.
fn vocabulary<'e>(examples: &'e Examples, options: &Options) -> Vec<(&'e [u8], u32, u64)> {
    let mut words: Vec<(&[u8], u32, u64)> = examples
        .words
        .iter()
        .filter(|(hash, (word, count))| {
            *count >= options.min_count && word.len() <= MAX_WORD_BYTES && **hash != END_HASH
        })
        .map(|(&hash, (word, count))| (&**word, hash, *count))
        .collect();
    words.sort_unstable_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(b.0)));
    words.truncate(options.max_words);
    words
}

/// A number drawn from another (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn drawn(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests;
