//! The language of a text, told offline.
//!
//! ```text
//! text ─ stretches, if it is long ─ letters ─ by script ─┬─ of one language: counted
//!                                                        └─ of several: n-grams ─> costs by language ─> the cheapest, its probability
//! ```
//!
//! [`Detector::built_in`] knows 84 languages. Its model is compiled in (`model.rs`), takes 2.5 MB, and reads a letter in one or two
//! look-ups and one addition of a row of bytes. [`Detector::fasttext`] asks a model of fastText instead, such as lid.176. Both
//! give ISO 639 codes as their model has them.
//!
//! A score is a probability: of the languages of the script, times the share of the letters that are of that script. A text
//! without a letter has no language, and the score 0. Time is linear in what is read of a text, which is bounded by default.

mod batch;
mod costs;
mod model;
mod sample;
mod scripts;

use std::borrow::Cow;
use std::sync::OnceLock;

pub use self::batch::detect_all;
use self::costs::Costs;
use self::model::Model;
use self::sample::sample;
use self::scripts::SINGLE;
use crate::fasttext;

/// Bytes of a text that are read by default.
pub const SAMPLE_BYTES: usize = 1 << 10;

static BUILT_IN: OnceLock<Model> = OnceLock::new();

/// What tells languages: a model, loaded once and shared by threads.
///
/// ```
/// use thresher_filter::language::{Detector, SAMPLE_BYTES};
/// let detector = Detector::built_in(SAMPLE_BYTES);
/// let mut worker = detector.worker();
/// let found = worker.detect("Ein Text hat eine Sprache.");
/// assert_eq!(found.language, Some("de"));
/// assert_eq!(worker.detect("12 + 30 = 42").language, None);
/// ```
#[derive(Debug)]
pub struct Detector {
    source: Source,
    sample_bytes: usize,
}

#[derive(Debug)]
enum Source {
    BuiltIn(&'static Model),
    FastText(Box<fasttext::Model>),
}

/// What was found of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected<'d> {
    /// Its language, as ISO 639 code; none if it has no letters of a language that the model knows.
    pub language: Option<&'d str>,
    /// How sure that is, from 0 to 1.
    pub score: f32,
}

const NOTHING: Detected<'static> = Detected { language: None, score: 0.0 };

impl Detector {
    /// The detector of the package. Of longer texts about `sample_bytes` bytes are read, in stretches from beginning to end; 0
    /// reads all.
    #[must_use]
    pub fn built_in(sample_bytes: usize) -> Self {
        Self { source: Source::BuiltIn(BUILT_IN.get_or_init(Model::embedded)), sample_bytes }
    }

    /// The detector that asks a model of fastText, whose labels are languages.
    #[must_use]
    pub fn fasttext(model: fasttext::Model, sample_bytes: usize) -> Self {
        Self { source: Source::FastText(Box::new(model)), sample_bytes }
    }

    /// The languages that it can find, in no order that matters.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        match &self.source {
            Source::BuiltIn(model) => {
                let shared = model.groups.iter().flat_map(|group| group.languages.iter().map(String::as_str));
                shared.chain(SINGLE.iter().map(|(_, language, _)| *language)).chain(["zh", "ja"]).collect()
            }
            Source::FastText(model) => model.labels().iter().map(String::as_str).collect(),
        }
    }

    /// Bytes that the model takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.source {
            Source::BuiltIn(model) => model.bytes(),
            Source::FastText(model) => model.bytes(),
        }
    }

    /// What one thread detects with.
    #[must_use]
    pub fn worker(&self) -> Worker<'_> {
        let asking = match &self.source {
            Source::BuiltIn(model) => Asking::BuiltIn(model, Costs::new(model)),
            Source::FastText(model) => Asking::FastText(model.predictor()),
        };
        Worker { asking, sample_bytes: self.sample_bytes }
    }
}

/// One thread of a detector.
#[derive(Debug)]
pub struct Worker<'d> {
    asking: Asking<'d>,
    sample_bytes: usize,
}

#[derive(Debug)]
enum Asking<'d> {
    BuiltIn(&'static Model, Costs),
    FastText(fasttext::Predictor<'d>),
}

impl<'d> Worker<'d> {
    /// The language of a text.
    pub fn detect(&mut self, text: &str) -> Detected<'d> {
        match &mut self.asking {
            Asking::BuiltIn(model, costs) => {
                costs.clear();
                for part in sample(text, self.sample_bytes) {
                    costs.read(model, part);
                }
                costs.decide(model)
            }
            Asking::FastText(predictor) => {
                let mut parts = sample(text, self.sample_bytes);
                let first = parts.next().unwrap_or_default();
                let mut read = Cow::Borrowed(first);
                for part in parts {
                    read.to_mut().push(' ');
                    read.to_mut().push_str(part);
                }
                predictor.label(&read).map_or(NOTHING, |found| Detected {
                    language: Some(found.label),
                    score: found.probability.clamp(0.0, 1.0),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
