//! A tokenizer.json becomes a [`Tokenizer`]: loaded once, shared by all threads, each of which encodes with a [`Worker`].
//!
//! ```text
//! text ─ added tokens ─ stretches ─ normalised ─ pre-tokens ─ ids of the model ─┐
//!          their ids ──────────────────────────────────────────────────────────┴─> ids, framed by bos, eos, template
//! ```
//!
//! Any file is loaded by the crate `tokenizers`, after [`file`] has checked it. Where an encoder of ours does exactly what
//! the file says, it runs; else the crate does. [`Tokenizer::path`] says which, and why.

mod added;
mod batch;
mod choose;
pub(crate) mod file;
mod foreign;
mod frame;
mod path;
#[cfg(test)]
mod tests;

use crate::{
    Error, Result,
    model::{Answer, ModelWorker, Stretch},
};
use added::{AddedTokens, Part};
pub use batch::{Encoded, encode_all};
use choose::Own;
use file::File;
use foreign::Foreign;
use frame::Frame;
pub use path::EncodePath;

/// What is wanted of the ids of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether the template of the file puts its special tokens around each text.
    pub add_special_tokens: bool,
    /// Whether text that spells a special token is that token. By default it is text: what a document says
    /// must not end it.
    pub special_in_text: bool,
    /// An id before each text.
    pub bos: Option<u32>,
    /// An id behind each text.
    pub eos: Option<u32>,
    /// Bytes that the cache of a worker may take.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { add_special_tokens: false, special_in_text: false, bos: None, eos: None, cache_bytes: 8 << 20 }
    }
}

/// A tokenizer, read-only.
///
/// ```
/// use thresher_tokens::tokenizer::{Options, Tokenizer};
///
/// let json = br#"{"version": "1.0", "added_tokens": [], "model":
///     {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}"#;
/// let tokenizer = Tokenizer::from_json(json)?;
/// let mut ids = Vec::new();
/// tokenizer.worker(&Options::default()).encode("abba", &mut ids)?;
/// assert_eq!(ids, [2, 1, 0]);
/// # Ok::<(), thresher_tokens::Error>(())
/// ```
#[derive(Debug)]
pub struct Tokenizer {
    foreign: Foreign,
    /// An encoder of ours, and what the template puts around each text.
    own: Option<(Own, Frame)>,
    path: EncodePath,
    vocab_size: u32,
    resident_bytes: u64,
}

impl Tokenizer {
    /// Loads a tokenizer.json. Its truncation and padding are left aside.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if it is no tokenizer.json, or says what cannot be: two tokens of one id, a merge of what is no
    /// token, an added token whose id is taken.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let file = File::read(json)?;
        let foreign = Foreign::load(json, &file)?;
        let chosen = Own::choose(&file).and_then(|(own, path)| {
            let frame =
                foreign.frame().ok_or("its post-processor does more than to put tokens around a text")?;
            Ok(((own, frame), path))
        });
        let (own, path) = match chosen {
            Ok((own, path)) => (Some(own), path),
            Err(why) => (None, EncodePath::Crate { why }),
        };
        let resident_bytes = file.bytes_in_crate() + own.as_ref().map_or(0, |(own, _)| own.resident_bytes());
        Ok(Self { foreign, own, path, vocab_size: file.vocab_size(), resident_bytes })
    }

    /// One more than the highest id, added tokens included: what a type for ids must hold.
    #[must_use]
    pub fn vocab_size(&self) -> u32 {
        self.vocab_size
    }

    /// Which encoder runs, and why not one of ours.
    #[must_use]
    pub fn path(&self) -> &EncodePath {
        &self.path
    }

    /// The id of a token, added ones included.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.foreign.id_of(token)
    }

    /// About how many bytes its tables take, whatever the number of workers.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// What one thread encodes with.
    #[must_use]
    pub fn worker(&self, options: &Options) -> Worker<'_> {
        let model = self.own.as_ref().map(|(own, _)| own.model.worker(options.cache_bytes));
        Worker { tokenizer: self, options: options.clone(), model }
    }
}

/// Encodes texts, one after the other; each thread has its own.
pub struct Worker<'t> {
    tokenizer: &'t Tokenizer,
    options: Options,
    /// Where an encoder of ours runs.
    model: Option<Box<dyn ModelWorker + 't>>,
}

impl Worker<'_> {
    /// Appends the ids of a text.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the model has no id for a part of the text and says that this is an error.
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let Options { add_special_tokens, special_in_text, bos, eos, .. } = self.options;
        ids.extend(bos);
        if !self.encode_own(text, ids) {
            self.tokenizer.foreign.encode(text, special_in_text, add_special_tokens, ids)?;
        }
        ids.extend(eos);
        Ok(())
    }

    /// Appends the ids of a text by an encoder of ours; false, and nothing is appended, if none does it.
    fn encode_own(&mut self, text: &str, ids: &mut Vec<u32>) -> bool {
        let (Some((own, frame)), Some(model)) = (&self.tokenizer.own, &mut self.model) else { return false };
        let Options { add_special_tokens, special_in_text, .. } = self.options;
        let before = ids.len();
        if add_special_tokens {
            ids.extend_from_slice(&frame.before);
        }
        let mut answer = Answer::Done;
        split(own.raw.as_ref(), text, special_in_text, |part| match part {
            Part::Token(id) => ids.push(id),
            Part::Text(start, end) => {
                let piece = &text[start..end];
                let piece = own.normalizer.normalize(piece);
                split(own.normalized.as_ref(), &piece, special_in_text, |part| match part {
                    Part::Token(id) => ids.push(id),
                    Part::Text(from, to) => {
                        let stretch = Stretch { text: &piece[from..to], first: start + from == 0 };
                        if answer == Answer::Done {
                            answer = model.encode(stretch, ids);
                        }
                    }
                });
            }
        });
        if answer == Answer::Unusual {
            ids.truncate(before);
            return false;
        }
        if add_special_tokens {
            ids.extend_from_slice(&frame.after);
        }
        true
    }

    /// Appends the ids of a text, and the bytes of the text that each stands for: start and end. Of an id that is not in the
    /// text both are 0.
    ///
    /// # Errors
    /// As for [`Worker::encode`]; [`Error::Parameter`] for a text of 4 GiB or more.
    pub fn encode_with_offsets(
        &mut self,
        text: &str,
        ids: &mut Vec<u32>,
        offsets: &mut Vec<(u32, u32)>,
    ) -> Result<()> {
        if u32::try_from(text.len()).is_err() {
            return Err(Error::Parameter(format!(
                "a text of `{}` bytes has no offsets; texts of less than 4 GiB have. Encode it without",
                text.len()
            )));
        }
        let Options { add_special_tokens, special_in_text, bos, eos, .. } = self.options;
        ids.extend(bos);
        offsets.extend(bos.map(|_| (0, 0)));
        self.tokenizer.foreign.encode_with_offsets(
            text,
            special_in_text,
            add_special_tokens,
            ids,
            offsets,
        )?;
        ids.extend(eos);
        offsets.extend(eos.map(|_| (0, 0)));
        Ok(())
    }

    /// Bytes that it takes: scratch and cache. They do not grow beyond the cache of the options and the longest text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.model.as_ref().map_or(0, |model| model.bytes())
    }
}

/// The parts of `text` by the added tokens of one kind, if there are any.
fn split(added: Option<&AddedTokens>, text: &str, special_in_text: bool, mut take: impl FnMut(Part)) {
    match added {
        Some(added) => added.split(text, special_in_text, take),
        None if text.is_empty() => {}
        None => take(Part::Text(0, text.len())),
    }
}
