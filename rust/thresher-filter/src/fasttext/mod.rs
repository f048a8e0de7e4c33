//! Models of fastText, read and asked: the label of a text with its probability.
//!
//! ```text
//! text ─ words, n-grams of characters and words ─> rows ─ average ─> hidden ─ products ─> probabilities of the labels
//!         dictionary                                matrix                     output
//! ```
//!
//! Models that fastText trains with labels (`supervised`), whole (`.bin`) or quantised (`.ftz`), with any loss. What a file says is
//! checked before it is believed, and before memory is taken for it: a file that lies is refused, and a model that was read
//! panics on no text. Probabilities are those of fastText 0.9.2, the additions of 1e-5 included. A model is read once and shared by
//! threads; each has a [`Predictor`] with buffers of its own.
//!
//! Joulin, Grave, Bojanowski, Mikolov: Bag of Tricks for Efficient Text Classification (2017).

mod dictionary;
mod input;
mod matrix;
mod output;

use std::io::{BufRead, Result};

use self::dictionary::{Buffers, Dictionary};
pub(crate) use self::dictionary::{END_HASH, join_hashes, words};
use self::input::{Input, damaged};
use self::matrix::Matrix;
use self::output::{Best, Loss, Tree};

/// What every file of fastText begins with.
pub(crate) const MAGIC: i32 = 793_712_314;

/// The version of the format; of the one before, models with labels use no n-grams of characters.
pub(crate) const VERSION: i32 = 12;

/// Longest n-grams that are made. A model that asks for more would take a time that is quadratic in the words of a text.
const MAX_NGRAM: i32 = 32;

/// A model with labels.
#[derive(Debug)]
pub struct Model {
    dictionary: Dictionary,
    input: Matrix,
    output: Matrix,
    loss: Loss,
}

/// A label of a model for a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'m> {
    /// The label, without `__label__`.
    pub label: &'m str,
    /// Its place among the labels of the model.
    pub index: usize,
    /// Its probability; as fastText computes it, it may be up to 1e-4 above one.
    pub probability: f32,
}

/// What a model was trained with, as far as it is needed to ask it.
#[derive(Debug)]
struct Arguments {
    dim: usize,
    loss: i32,
    word_ngrams: usize,
    bucket: u32,
    minn: usize,
    maxn: usize,
}

impl Arguments {
    fn read(input: &mut Input<'_>) -> Result<Self> {
        let magic = input.i32("the head of the file")?;
        if magic != MAGIC {
            return Err(damaged(
                "the file does not begin as a model of fastText does; name a `.bin` or `.ftz` file that fastText wrote",
            ));
        }
        let version = input.i32("the version")?;
        if !(VERSION - 1..=VERSION).contains(&version) {
            return Err(damaged(format!(
                "the format has version `{version}`, but 11 and 12 can be read; train the model anew"
            )));
        }
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = input.i32("a training argument")?;
        }
        let _threshold = input.f64("a training argument")?;
        let [dim, _, _, _, _, word_ngrams, loss, kind, bucket, minn, maxn, _] = numbers;
        if kind != 3 {
            return Err(damaged(format!(
                "the model has vectors of words (kind `{kind}`), but no labels; name one that was trained with `supervised`"
            )));
        }
        let maxn = if version < VERSION { 0 } else { maxn };
        let sizes =
            [("dim", dim), ("bucket", bucket), ("minn", minn), ("maxn", maxn), ("wordNgrams", word_ngrams)];
        if let Some((name, value)) = sizes.iter().find(|(_, value)| *value < 0) {
            return Err(damaged(format!("{name} is `{value}`; the file is damaged")));
        }
        for (name, value) in [("maxn", maxn), ("wordNgrams", word_ngrams)] {
            if value > MAX_NGRAM {
                return Err(damaged(format!(
                    "{name} is `{value}`, but n-grams of up to {MAX_NGRAM} can be used"
                )));
            }
        }
        Ok(Self {
            dim: dim as usize,
            loss,
            word_ngrams: word_ngrams as usize,
            bucket: bucket as u32,
            minn: minn as usize,
            maxn: maxn as usize,
        })
    }
}

impl Model {
    /// Reads a model of `length` bytes, and takes no more memory than about twice that.
    ///
    /// # Errors
    /// Of the kind `InvalidData` or `UnexpectedEof` for what is no such model, with a sentence that says why; else those of the
    /// reader.
    pub fn read(reader: &mut dyn BufRead, length: u64) -> Result<Self> {
        let mut from = Input::new(reader, length);
        let arguments = Arguments::read(&mut from)?;
        let dictionary = Dictionary::read(&mut from, &arguments)?;
        let quantised = from.flag("the mark of a quantised model")?;
        let input = if quantised {
            Matrix::quantised(&mut from, "the input matrix")?
        } else {
            Matrix::dense(&mut from, "the input matrix")?
        };
        let output = if from.flag("the mark of a quantised output")? && quantised {
            Matrix::quantised(&mut from, "the output matrix")?
        } else {
            Matrix::dense(&mut from, "the output matrix")?
        };
        from.end()?;
        let labels = dictionary.labels.len();
        for (what, matrix, least) in
            [("input", &input, dictionary.least_rows()), ("output", &output, labels as u64)]
        {
            if matrix.columns() != arguments.dim || (matrix.rows() as u64) < least {
                return Err(damaged(format!(
                    "the {what} matrix has {} rows of {}, but the model needs {least} of {}; the file is damaged",
                    matrix.rows(),
                    matrix.columns(),
                    arguments.dim
                )));
            }
        }
        if labels == 0 || output.rows() != labels {
            return Err(damaged(format!(
                "the model has `{labels}` labels and {} rows for them; the file is damaged",
                output.rows()
            )));
        }
        let loss = match arguments.loss {
            1 => Loss::Tree(Tree::new(&dictionary.counts)?),
            2 | 4 => Loss::Independent,
            3 => Loss::Softmax,
            other => {
                return Err(damaged(format!(
                    "the loss is `{other}`, but fastText knows 1 to 4; the file is damaged"
                )));
            }
        };
        Ok(Self { dictionary, input, output, loss })
    }

    /// The labels, without `__label__`.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.dictionary.labels
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tree = if let Loss::Tree(tree) = &self.loss { tree.bytes() } else { 0 };
        self.dictionary.bytes() + self.input.bytes() + self.output.bytes() + tree
    }

    /// What one thread asks it with.
    #[must_use]
    pub fn predictor(&self) -> Predictor<'_> {
        Predictor {
            model: self,
            hidden: vec![0.0; self.input.columns()],
            buffers: Buffers::default(),
            best: Best::default(),
        }
    }
}

/// One thread that asks a model.
#[derive(Debug)]
pub struct Predictor<'m> {
    model: &'m Model,
    hidden: Vec<f32>,
    buffers: Buffers,
    best: Best,
}

impl<'m> Predictor<'m> {
    /// The `most` likeliest labels of a text, the likeliest one first; none if nothing of the text is known to the model. Line
    /// feeds are blanks. Takes time linear in the text, and in the labels unless their loss is a tree.
    pub fn predict(&mut self, text: &str, most: usize) -> impl Iterator<Item = Prediction<'m>> {
        let model = self.model;
        self.hidden.fill(0.0);
        let mut rows = 0u64;
        let hidden = &mut self.hidden;
        model.dictionary.rows(text, &mut self.buffers, |row| {
            model.input.add_row(row, hidden);
            rows += 1;
        });
        let most = if rows == 0 { 0 } else { most.min(model.labels().len()) };
        let share = 1.0 / rows as f32;
        self.hidden.iter_mut().for_each(|value| *value *= share);
        model.loss.best(&model.output, &self.hidden, most, &mut self.best);
        self.best.drain().map(|scored| {
            let index = scored.label as usize;
            // Weights that overflow tell nothing.
            let probability = if scored.log.is_nan() { 0.0 } else { scored.log.exp() };
            Prediction { label: &model.labels()[index], index, probability }
        })
    }

    /// The likeliest label of a text.
    pub fn label(&mut self, text: &str) -> Option<Prediction<'m>> {
        self.predict(text, 1).next()
    }

    /// The probability of one label for a text, by its place among the labels; 0 if nothing of the text is known to the model.
    pub fn probability(&mut self, text: &str, index: usize) -> f32 {
        let all = self.model.labels().len();
        self.predict(text, all).find(|found| found.index == index).map_or(0.0, |found| found.probability)
    }
}

#[cfg(test)]
mod tests;
