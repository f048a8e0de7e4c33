//! How well a vocabulary fits each source, and each value of a field such as the language: bytes a token over a sample.
//!
//! Texts and bytes of each group are counted; what is encoded is a sample of about 256 KiB. It has the texts whose
//! places (input, unit, slot) hash lowest, so it is the same for any number of threads, and it is put together from
//! those of all threads.

use std::collections::BTreeMap;

use serde::Serialize;
use thresher_core::json::Scalar;
use thresher_tokens::tokenizer::{Options, Tokenizer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};
use crate::runs::source::Source;

/// Bytes of a sample, and of each of its texts at most.
const SAMPLE: usize = 256 << 10;
const TEXT: usize = 16 << 10;
/// Groups that have one.
const GROUPS: usize = 1000;

/// Texts of one source, or of one value of a field.
#[derive(Default)]
struct Group {
    docs: u64,
    bytes: u64,
    sample: BTreeMap<u64, Box<str>>,
    sampled: usize,
}

impl Group {
    fn see(&mut self, rank: u64, text: &str) {
        self.docs += 1;
        self.bytes += text.len() as u64;
        let is_wanted =
            self.sampled < SAMPLE || self.sample.last_key_value().is_some_and(|(&last, _)| rank < last);
        if is_wanted {
            let mut end = text.len().min(TEXT);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            self.add(rank, text[..end].into());
        }
    }

    fn add(&mut self, rank: u64, text: Box<str>) {
        self.sampled += text.len();
        if let Some(other) = self.sample.insert(rank, text) {
            self.sampled -= other.len();
        }
        // Texts go as long as those of lower ranks are enough.
        while let Some((&last, text)) = self.sample.last_key_value()
            && self.sampled - text.len() >= SAMPLE
        {
            self.sampled -= text.len();
            self.sample.remove(&last);
        }
    }

    fn absorb(&mut self, other: Self) {
        self.docs += other.docs;
        self.bytes += other.bytes;
        for (rank, text) in other.sample {
            self.add(rank, text);
        }
    }
}

/// All groups.
pub(super) struct Groups {
    /// By the number of the input.
    sources: Vec<Group>,
    /// By value.
    values: BTreeMap<String, Group>,
}

/// How well the vocabulary fits a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The source, or the value of the field.
    pub name: String,
    /// Texts.
    pub docs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the sample that was encoded.
    pub sampled_bytes: u64,
    /// Tokens of the sample.
    pub sampled_tokens: u64,
    /// Bytes of a token, on average; 0 without text.
    pub bytes_per_token: f64,
}

impl Groups {
    pub(super) fn new(inputs: usize) -> Self {
        Self { sources: (0..inputs.min(GROUPS)).map(|_| Group::default()).collect(), values: BTreeMap::new() }
    }

    /// Takes a text at its place.
    ///
    /// # Errors
    /// `Error::Parameter` for more values than a report can list.
    pub(super) fn see(
        &mut self,
        (input, unit): (usize, usize),
        slot: u32,
        text: &str,
        value: Option<&Scalar<'_>>,
    ) -> Result<()> {
        let place = (unit as u64) << 32 | u64::from(slot);
        let rank = xxh3_64_with_seed(&place.to_le_bytes(), input as u64);
        if let Some(group) = self.sources.get_mut(input) {
            group.see(rank, text);
        }
        if let Some(value) = value {
            let value = value.to_string();
            if !self.values.contains_key(&value) && self.values.len() >= GROUPS {
                return Err(too_many());
            }
            self.values.entry(value).or_default().see(rank, text);
        }
        Ok(())
    }

    /// Those of all threads, together.
    ///
    /// # Errors
    /// As [`Groups::see`].
    pub(super) fn join(all: Vec<Self>, inputs: usize) -> Result<Self> {
        let mut joined = Self::new(inputs);
        for groups in all {
            for (group, other) in joined.sources.iter_mut().zip(groups.sources) {
                group.absorb(other);
            }
            for (value, other) in groups.values {
                joined.values.entry(value).or_default().absorb(other);
            }
        }
        if joined.values.len() > GROUPS { Err(too_many()) } else { Ok(joined) }
    }

    /// Encodes the samples: the fit of each source, and of each value.
    ///
    /// # Errors
    /// `Error::Tokens` if the vocabulary cannot encode a text.
    pub(super) fn report(self, sources: &[Source], tokenizer: &Tokenizer) -> Result<(Vec<Fit>, Vec<Fit>)> {
        let mut worker = tokenizer.worker(&Options::default());
        let mut ids = Vec::new();
        let mut fit = |name: &str, group: &Group| -> Result<Fit> {
            let (mut bytes, mut tokens) = (0, 0);
            for text in group.sample.values() {
                ids.clear();
                worker.encode(text, &mut ids)?;
                bytes += text.len() as u64;
                tokens += ids.len() as u64;
            }
            Ok(Fit {
                name: name.to_owned(),
                docs: group.docs,
                bytes: group.bytes,
                sampled_bytes: bytes,
                sampled_tokens: tokens,
                bytes_per_token: if tokens == 0 { 0.0 } else { bytes as f64 / tokens as f64 },
            })
        };
        let of_sources = sources.iter().zip(&self.sources);
        let of_sources =
            of_sources.map(|(source, group)| fit(source.input().name(), group)).collect::<Result<_>>()?;
        let of_values = self.values.iter().map(|(value, group)| fit(value, group)).collect::<Result<_>>()?;
        Ok((of_sources, of_values))
    }
}

fn too_many() -> Error {
    Error::Parameter(format!(
        "by names a field of more than {GROUPS} values, but a report lists {GROUPS} at most; name a field such as the language"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_however_the_texts_are_shared_out() {
        let texts: Vec<String> = (0..900).map(|at| at.to_string().repeat(1 + at % 700)).collect();
        let ranks = |threads: usize| {
            let mut all: Vec<Groups> = (0..threads).map(|_| Groups::new(1)).collect();
            for (at, text) in texts.iter().enumerate() {
                all[at % threads].see((0, at / 10), at as u32 % 10, text, None).unwrap();
            }
            let joined = Groups::join(all, 1).unwrap();
            let group = &joined.sources[0];
            assert!(group.sampled >= SAMPLE && group.sampled < SAMPLE + TEXT, "{}", group.sampled);
            assert_eq!(group.docs, 900);
            group.sample.keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(ranks(1), ranks(2));
        assert_eq!(ranks(1), ranks(7));
    }
}
