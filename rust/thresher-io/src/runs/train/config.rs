//! What a training is asked for, its check before anything is read, and the training itself.

use thresher_core::Observer;
use thresher_core::json::{FieldPath, Fields};
use thresher_core::parallel::Threads;
use thresher_tokens::train::bpe::{self, BpeOptions};
use thresher_tokens::train::unigram::{self, UnigramOptions};
use thresher_tokens::train::{
    CHAT_NAMES, Counts, Cut, DIGITS, Findings, PATTERN_NAMES, bpe_json, config_json, special_tokens,
    unigram_json,
};

use super::Trained;
use crate::error::{Error, Result};
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};

parameters! {
    /// What a training of a tokenizer is asked for.
    pub struct TrainStep is "train" {
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Entries of the vocabulary: special tokens, bytes, and what is learned.
        vocab_size: u32 = 32_000 => Kind::Whole { least: 257, most: 1 << 24 };
        /// What is learned: merges of bytes (bpe), or pieces with probabilities (unigram).
        kind: String = "bpe".into() => Kind::Choice(|| vec!["bpe", "unigram"]);
        /// How a text is cut into pre-tokens, which no token of a bpe crosses: the pattern of a published model.
        pattern: String = "o200k".into() => Kind::Choice(|| PATTERN_NAMES.to_vec());
        /// What numbers are cut into: as the pattern says, single digits (one), or groups of up to three; a unigram knows
        /// `pattern`, which cuts none, and `one`.
        digits: String = "pattern".into() => Kind::Choice(|| DIGITS.to_vec());
        /// Special tokens, which get the first ids, in this order.
        special_tokens: Vec<String> = vec!["<|endoftext|>".into()] => Kind::Texts("TOKEN");
        /// Chat format whose special tokens come behind these.
        chat: Option<String> = None => Kind::Choice(|| CHAT_NAMES.to_vec());
        /// Special tokens to reserve for later, `<|reserved_0|>` and so on.
        reserved: u32 = 0 => Kind::Whole { least: 0, most: 1 << 20 };
        /// A pair that occurs less often is not merged; of a bpe.
        min_frequency: u64 = 2 => Kind::Whole { least: 0, most: i64::MAX as u64 };
        /// The most bytes of a token that is learned. Default: no bound.
        max_token_length: Option<u32> = None => Kind::Whole { least: 1, most: u32::MAX as u64 };
        /// Characters that have a piece of their own, the most frequent ones; others become bytes; of a unigram. Default:
        /// all that occur.
        limit_alphabet: Option<u32> = None => Kind::Whole { least: 1, most: u32::MAX as u64 };
        /// Dotted path of a field, such as the language, by whose values the report counts bytes a token.
        by: Option<String> = None => Kind::Text("FIELD");
        /// Patterns of the files of an input folder that are documents. Default: all files.
        glob: Option<Vec<String>> = None => Kind::Texts("PATTERN");
    }
}

/// The parameters of a run.
pub type TrainRun = Config<TrainStep>;

/// The same, checked.
pub struct Training {
    /// What is read of a record.
    pub fields: Fields,
    /// How texts are cut.
    pub cut: Cut,
    learner: Learner,
}

/// What is learned.
enum Learner {
    Bpe(BpeOptions),
    Unigram(UnigramOptions),
}

impl TrainStep {
    /// Checks every parameter that can be checked without reading.
    ///
    /// # Errors
    /// `Error::Parameter` for a value that cannot be.
    pub fn check(&self) -> Result<Training> {
        let special = special_tokens(&self.special_tokens, self.chat.as_deref(), self.reserved)?;
        let (learner, cut) = match self.kind.as_str() {
            "bpe" => {
                let options = BpeOptions {
                    vocab_size: self.vocab_size,
                    special_tokens: special,
                    min_frequency: self.min_frequency,
                    max_token_length: self.max_token_length,
                };
                bpe::check(&options)?;
                (Learner::Bpe(options), Cut::named(&self.pattern, &self.digits)?)
            }
            "unigram" => {
                let options = UnigramOptions {
                    vocab_size: self.vocab_size,
                    special_tokens: special,
                    max_token_length: self.max_token_length,
                    limit_alphabet: self.limit_alphabet,
                };
                unigram::check(&options)?;
                (Learner::Unigram(options), Cut::words(&self.digits)?)
            }
            other => {
                return Err(Error::Parameter(format!("kind is `{other}`, but it is `bpe` or `unigram`")));
            }
        };
        let fields = Fields {
            text: Some(FieldPath::parse(&self.text)?),
            id: self.by.as_deref().map(FieldPath::parse).transpose()?,
            rank: None,
        };
        Ok(Training { fields, cut, learner })
    }
}

impl Training {
    /// Learns a vocabulary from counts, in `bytes` of memory.
    ///
    /// # Errors
    /// `Error::Parameter` if that is too little memory, or the vocabulary has no room for the characters;
    /// `Error::Cancelled`.
    pub fn train(
        &self,
        counts: Counts,
        bytes: u64,
        threads: &dyn Threads,
        observer: &dyn Observer,
    ) -> Result<Trained> {
        let needed = match self.learner {
            Learner::Bpe(_) => bpe::bytes_needed(&counts),
            Learner::Unigram(_) => unigram::bytes_needed(&counts),
        };
        if needed > bytes {
            return Err(too_little(counts.len(), needed, bytes));
        }
        Ok(match &self.learner {
            Learner::Bpe(options) => {
                let trained = bpe::train(counts, options, threads, observer)?;
                Trained {
                    tokenizer: bpe_json(&trained, &self.cut)?,
                    config: config_json(&options.special_tokens)?,
                    findings: trained.findings(),
                }
            }
            Learner::Unigram(options) => {
                let trained = unigram::train(counts, options, threads, observer)?;
                Trained {
                    tokenizer: unigram_json(&trained, &self.cut)?,
                    config: config_json(&trained.special_tokens)?,
                    findings: trained.findings(),
                }
            }
        })
    }

    /// What the user should know of a vocabulary.
    #[must_use]
    pub fn notes(&self, findings: &Findings) -> Vec<String> {
        let (asked, why) = match &self.learner {
            Learner::Bpe(options) => (
                options.vocab_size,
                format!(
                    "no further pair occurs {} times within max_token_length",
                    options.min_frequency.max(1)
                ),
            ),
            Learner::Unigram(options) => {
                (options.vocab_size, "no further piece is expected in the texts".into())
            }
        };
        let found = findings.vocab_size;
        if found == asked {
            return Vec::new();
        }
        vec![format!(
            "the vocabulary has {found} entries of the {asked} asked for: {why}; more text gives more"
        )]
    }
}

/// More different words than there is memory for.
pub(super) fn too_little(words: usize, needed: u64, bytes: u64) -> Error {
    Error::Parameter(format!(
        "the {words} different words of the inputs take {needed} bytes to train on, but memory leaves {bytes} for that; raise \
         `memory`, or train on a sample of the inputs"
    ))
}
