//! Learning of weights: `AdaGrad` for a logistic regression over the average of the features of a text.

use std::collections::HashMap;

use thresher_core::{Observer, Result, observe};

use super::{Examples, HELD_BACK, Options, drawn};
use crate::fasttext::{END_HASH, join_hashes};

/// Texts between two looks at the observer.
const LOOK_EVERY: usize = 1 << 10;

/// What keeps the first step of a weight finite.
const SMALL: f32 = 1e-8;

/// What was learned.
pub(super) struct Learned {
    /// The end of a line, the words, the buckets.
    pub(super) weights: Vec<f32>,
    /// Of texts that were held back: the score, and whether it is a good one.
    pub(super) held_back: Vec<(f32, bool)>,
}

/// Where the features of texts have their weights.
struct Features {
    rows: HashMap<u32, u32>,
    words: u32,
    bucket: u32,
    word_ngrams: usize,
}

impl Features {
    /// The features of a text, as the rows that fastText finds for it.
    fn of(&self, text: &[u32], found: &mut Vec<u32>) {
        found.clear();
        found.extend(text.iter().filter_map(|hash| self.rows.get(hash)));
        found.push(0);
        for place in 0..text.len() {
            let mut joined = join_hashes(None, text[place]);
            let behind = text[place + 1..].iter().copied().chain([END_HASH]);
            for next in behind.take(self.word_ngrams - 1) {
                joined = join_hashes(Some(joined), next);
                found.push(self.words + (joined % u64::from(self.bucket)) as u32);
            }
        }
    }
}

pub(super) fn learn(
    examples: &Examples,
    vocabulary: &[(&[u8], u32, u64)],
    options: &Options,
    observer: &dyn Observer,
) -> Result<Learned> {
    let rows = vocabulary.iter().zip(1..).map(|((_, hash, _), row)| (*hash, row));
    let rows = rows.chain([(END_HASH, 0)]).collect();
    let words = vocabulary.len() as u32 + 1;
    let features = Features { rows, words, bucket: options.bucket, word_ngrams: options.word_ngrams };
    let mut weights = vec![0f32; (words + options.bucket) as usize];
    let mut squares = vec![0f32; weights.len()];
    let counts = examples.counts();
    // Each label weighs the same.
    let share = counts.map(|count| examples.good.len() as f32 / (2 * count) as f32);
    let is_held_back = |number: &usize| drawn(*number as u64).is_multiple_of(HELD_BACK);
    let (held, mut order): (Vec<usize>, Vec<usize>) = (0..examples.good.len()).partition(is_held_back);
    // Of very few texts none can be spared.
    if counts.iter().any(|count| *count < 10 * HELD_BACK as usize) {
        order.extend(&held);
    }
    let mut found = Vec::new();
    for epoch in 0..options.epochs {
        order.sort_unstable_by_key(|number| (drawn(*number as u64 ^ drawn(epoch as u64 + 1)), *number));
        for (done, &number) in order.iter().enumerate() {
            if done.is_multiple_of(LOOK_EVERY) {
                observe::check(observer)?;
            }
            features.of(examples.text(number), &mut found);
            let good = examples.good[number];
            let error = probability(&weights, &found) - f32::from(u8::from(good));
            let slope = error * share[usize::from(!good)] / found.len() as f32;
            for &feature in &found {
                let feature = feature as usize;
                squares[feature] += slope * slope;
                weights[feature] -= options.rate * slope / (squares[feature] + SMALL).sqrt();
            }
        }
        // The tally of the texts that were read shows on.
        observer.advance(0, 0);
    }
    let scored = held.iter().map(|&number| {
        features.of(examples.text(number), &mut found);
        (probability(&weights, &found), examples.good[number])
    });
    let held_back = scored.collect();
    Ok(Learned { weights, held_back })
}

fn probability(weights: &[f32], features: &[u32]) -> f32 {
    let sum: f32 = features.iter().map(|feature| weights[*feature as usize]).sum();
    1.0 / (1.0 + (-sum / features.len() as f32).exp())
}

impl Learned {
    /// Accuracy, and the area under the curve of true against false positives, of the texts that were held back.
    pub(super) fn quality(&self) -> (f64, f64) {
        let right = self.held_back.iter().filter(|(score, good)| (*score > 0.5) == *good).count();
        let mut ranked = self.held_back.clone();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        // Ranks of equal scores are shared.
        let (mut sum, mut rank) = (0.0, 0.0);
        for equal in ranked.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let good = equal.iter().filter(|(_, good)| *good).count();
            let middle = rank + f64::midpoint(equal.len() as f64, 1.0);
            sum += middle * good as f64;
            rank += equal.len() as f64;
        }
        let good = ranked.iter().filter(|(_, good)| *good).count() as f64;
        let bad = ranked.len() as f64 - good;
        let auc = (sum - good * (good + 1.0) / 2.0) / (good * bad);
        (right as f64 / self.held_back.len() as f64, if good * bad > 0.0 { auc } else { f64::NAN })
    }
}
