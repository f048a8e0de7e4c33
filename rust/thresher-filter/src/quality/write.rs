//! The weights as a file of fastText: a model with two labels and one dimension.

use super::{LABELS, Options};
use crate::fasttext::{MAGIC, VERSION};

/// The bytes of a model. The difference of its two output rows is one, so a weight is what its row adds to the logarithm of the
/// odds.
pub(super) fn model(
    vocabulary: &[(&[u8], u32, u64)],
    weights: &[f32],
    counts: [usize; 2],
    options: &Options,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(weights.len() * 4 + vocabulary.len() * 24);
    let mut int = |value: i32| bytes.extend(value.to_le_bytes());
    int(MAGIC);
    int(VERSION);
    let (softmax, supervised) = (3, 3);
    // dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate
    let arguments = [1, 5, options.epochs as i32, options.min_count as i32, 5, options.word_ngrams as i32];
    arguments.into_iter().chain([softmax, supervised, options.bucket as i32, 0, 0, 100]).for_each(&mut int);
    bytes.extend(1e-4f64.to_le_bytes());
    let (words, labels) = (vocabulary.len() + 1, LABELS.len());
    bytes.extend([words + labels, words, labels].iter().flat_map(|size| (*size as i32).to_le_bytes()));
    let texts = (counts[0] + counts[1]) as u64;
    let tokens = vocabulary.iter().map(|(_, _, count)| count).sum::<u64>() + texts;
    bytes.extend(tokens.to_le_bytes());
    bytes.extend((-1i64).to_le_bytes());
    let mut entry = |name: &[&[u8]], count: u64, kind: u8| {
        bytes.extend(name.iter().copied().flatten());
        bytes.push(0);
        bytes.extend(count.to_le_bytes());
        bytes.push(kind);
    };
    entry(&[b"</s>"], texts, 0);
    for (word, _, count) in vocabulary {
        entry(&[word], *count, 0);
    }
    for (label, count) in LABELS.iter().zip(counts) {
        entry(&[b"__label__", label.as_bytes()], count as u64, 1);
    }
    for (rows, values) in [(weights.len(), weights), (labels, &[0.5, -0.5])] {
        bytes.push(0);
        bytes.extend((rows as u64).to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}
