//! From items to passages: the runs of words that are looked for.
//!
//! ```text
//! field of n words or more    a passage; each of its n-grams counts
//! shorter field               the words in front of it in its item, and it: n words that are found together or not at all
//! whole item of fewer words   all its words, if they are at least 5 of two fields, or 8 of one
//! ```
//!
//! So an answer of one word never counts by itself. Between a prompt and an answer there may be nothing, `A:`, `Answer:` or
//! `The answer is`; each is a passage of its own. GPT-3 took no n-gram of fewer than 8 words (Brown et al. 2020, appendix C).

use thresher_core::Shingler;

use super::items::{Field, Item, Side};

/// Words of a whole item of one field.
const LEAST_ALONE: usize = 8;
/// Words of a whole item of several fields.
const LEAST_TOGETHER: usize = 5;
/// Words of a field that is looked for with edits in it.
pub(crate) const LEAST_EDITED: usize = 10;
/// What stands between a prompt and its answer.
const LABELS: [&str; 4] = ["", "a", "answer", "the answer is"];

/// How a passage is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// By its n-grams.
    ByGrams,
    /// As a whole.
    Whole,
    /// As a whole, and most of it is not of the field, so that it says nothing with edits in it.
    Context,
    /// Only with edits in it.
    Edited,
}

/// Words that are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    /// The place of the field in its item.
    pub(crate) field: usize,
    pub(crate) looked: Looked,
    pub(crate) words: Vec<u64>,
}

/// Hashes the words of texts.
pub(crate) struct Words {
    shingler: Shingler,
    labels: Vec<Vec<u64>>,
}

impl Words {
    /// `shingler` has shingles of one word.
    pub(crate) fn new(shingler: Shingler) -> Self {
        let mut words = Self { shingler, labels: Vec::new() };
        words.labels = LABELS.iter().map(|label| words.of(label)).collect();
        words
    }

    /// The hashes of the words of a text.
    pub(crate) fn of(&mut self, text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        self.shingler.shingles_into(text, &mut words);
        words
    }

    /// The passages of an item, by n-grams of `ngram` words; none if it is too short.
    pub(crate) fn passages(&mut self, item: &Item, ngram: usize, edited: bool) -> Vec<Passage> {
        let texts: Vec<Vec<u64>> = item.fields.iter().map(|field| self.of(&field.text)).collect();
        let mut passages = Vec::new();
        for (at, words) in texts.iter().enumerate() {
            if words.len() >= ngram {
                passages.push(Passage { field: at, looked: Looked::ByGrams, words: words.clone() });
                continue;
            }
            if words.is_empty() {
                continue;
            }
            self.short(&item.fields, &texts, at, ngram, &mut passages);
            if edited && words.len() >= LEAST_EDITED {
                passages.push(Passage { field: at, looked: Looked::Edited, words: words.clone() });
            }
        }
        passages
    }

    /// The passages of a field that is shorter than an n-gram.
    fn short(
        &self,
        fields: &[Field],
        texts: &[Vec<u64>],
        at: usize,
        ngram: usize,
        passages: &mut Vec<Passage>,
    ) {
        let words = &texts[at];
        // An answer follows its prompt, and not another answer beside it.
        let before = (0..at).rev().filter(|&other| fields[other].side == Side::Prompt);
        let mut context: Vec<u64> = Vec::new();
        for other in before {
            if context.len() + words.len() >= ngram {
                break;
            }
            let tail = texts[other].len().saturating_sub(ngram);
            context.splice(0..0, texts[other][tail..].iter().copied());
        }
        if context.is_empty() {
            let behind = (at + 1..texts.len()).find(|&other| !texts[other].is_empty());
            match behind {
                // What follows says with which field it goes together.
                Some(other) if texts[other].len() < ngram => {}
                Some(other) => {
                    for label in self.between(fields[at].side, fields[other].side) {
                        let mut all = [&words[..], &label[..], &texts[other][..ngram]].concat();
                        all.truncate(ngram);
                        passages.push(Passage { field: at, looked: Looked::Context, words: all });
                    }
                }
                None if words.len() >= LEAST_ALONE.min(ngram) => {
                    passages.push(Passage { field: at, looked: Looked::Whole, words: words.clone() });
                }
                None => {}
            }
            return;
        }
        for label in self.between(Side::Prompt, fields[at].side) {
            let all = [&context[..], &label[..], &words[..]].concat();
            if context.len() + words.len() < LEAST_TOGETHER.min(ngram) {
                continue;
            }
            let cut = all.len().saturating_sub(ngram);
            let looked = if cut == 0 { Looked::Whole } else { Looked::Context };
            passages.push(Passage { field: at, looked, words: all[cut..].to_vec() });
        }
    }

    /// What may stand between two fields.
    fn between(&self, first: Side, second: Side) -> &[Vec<u64>] {
        if first == Side::Prompt && second == Side::Answer { &self.labels } else { &self.labels[..1] }
    }
}

#[cfg(test)]
mod tests {
    use thresher_core::{ShingleSpec, ShingleUnit};

    use super::*;

    fn words() -> Words {
        Words::new(Shingler::new(ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap()))
    }

    fn item(fields: &[(Side, &str)]) -> Item {
        let field = |&(side, text): &(Side, &str)| Field { name: "f".into(), side, text: text.into() };
        Item { row: 0, fields: fields.iter().map(field).collect() }
    }

    /// Passages as texts of the words `w0` ... and of labels.
    fn made(fields: &[(Side, &str)], ngram: usize) -> Vec<(usize, Looked, String)> {
        let mut words = words();
        let known = "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 a answer the is";
        let names: Vec<(u64, &str)> = words.of(known).into_iter().zip(known.split(' ')).collect();
        let name = |word: &u64| names.iter().find(|known| known.0 == *word).unwrap().1;
        let found = words.passages(&item(fields), ngram, false);
        let text = |passage: &Passage| passage.words.iter().map(name).collect::<Vec<_>>().join(" ");
        found.iter().map(|passage| (passage.field, passage.looked, text(passage))).collect()
    }

    #[test]
    fn a_short_answer_is_looked_for_behind_its_prompt() {
        let found = made(&[(Side::Prompt, "w0 w1 w2 w3 w4 w5 w6"), (Side::Answer, "x0")], 5);
        let context = |text: &str| (1, Looked::Context, text.to_owned());
        assert_eq!(found[0], (0, Looked::ByGrams, "w0 w1 w2 w3 w4 w5 w6".into()));
        assert_eq!(
            found[1..],
            [
                context("w3 w4 w5 w6 x0"),
                context("w4 w5 w6 a x0"),
                context("w4 w5 w6 answer x0"),
                context("w6 the answer is x0")
            ]
        );
    }

    #[test]
    fn one_of_several_answers_follows_the_prompt_and_not_the_answer_before() {
        let fields = [(Side::Prompt, "w0 w1 w2 w3"), (Side::Answer, "x0"), (Side::Answer, "x1")];
        let found = made(&fields, 8);
        assert_eq!(found[0], (1, Looked::Whole, "w0 w1 w2 w3 x0".into()));
        assert_eq!(found[4], (2, Looked::Whole, "w0 w1 w2 w3 x1".into()));
        assert_eq!(found.len(), 8);
    }

    #[test]
    fn a_short_prompt_goes_with_the_long_answer_behind_it() {
        let found = made(&[(Side::Prompt, "w0 w1"), (Side::Answer, "x0 x1 x2 x3 x4 x5")], 5);
        assert_eq!(found[0], (0, Looked::Context, "w0 w1 x0 x1 x2".into()));
        assert_eq!(found[2], (0, Looked::Context, "w0 w1 answer x0 x1".into()));
        assert_eq!(found[4], (1, Looked::ByGrams, "x0 x1 x2 x3 x4 x5".into()));
    }

    #[test]
    fn what_is_too_short_to_tell_is_not_looked_for() {
        assert!(made(&[(Side::Prompt, "w0 w1"), (Side::Answer, "x0 x1")], 13).is_empty());
        assert!(made(&[(Side::Prompt, "w0 w1 w2 w3 w4 w5 w6")], 13).is_empty());
        assert!(made(&[(Side::Answer, "x0")], 13).is_empty());
        assert!(made(&[(Side::Answer, "...")], 13).is_empty());
        assert_eq!(made(&[(Side::Prompt, "w0 w1 w2 w3 w4 w5 w6 w7")], 13).len(), 1);
    }
}
