//! What there is to say of a trained vocabulary: how far it goes, what of it is never used, and its longest tokens.

use serde::Serialize;

use crate::alphabet;

/// Tokens that a list shows.
const SHOWN: usize = 20;

/// Figures of a vocabulary over what it was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Entries of the vocabulary.
    pub vocab_size: u32,
    /// Special tokens, reserved slots included.
    pub special_tokens: u32,
    /// Merges; none of a Unigram.
    pub merges: u32,
    /// Different pre-tokens.
    pub words: u64,
    /// Bytes of all pre-tokens.
    pub bytes: u64,
    /// Tokens that these become.
    pub tokens: u64,
    /// Bytes of a token, on average.
    pub bytes_per_token: f64,
    /// Single bytes that do not occur as a token.
    pub unused_bytes: u32,
    /// Other tokens that do not occur: each was only a step to longer ones.
    pub unused_tokens: u32,
    /// The first of these.
    pub unused: Vec<String>,
    /// The longest tokens, the longest first.
    pub longest: Vec<Token>,
    /// The most frequent tokens, the most frequent first.
    pub most_frequent: Vec<Token>,
}

/// One token, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Its length.
    pub bytes: u32,
    /// How often it occurs.
    pub count: u64,
}

/// Figures of a vocabulary whose tokens have these bytes, the first of them special, and occur so often.
pub(super) fn find(
    tokens: &[Vec<u8>],
    special: usize,
    occurrences: &[u64],
    merges: usize,
    words: u64,
) -> Findings {
    let token = |id: usize| Token {
        id: id as u32,
        text: String::from_utf8_lossy(&tokens[id]).into_owned(),
        bytes: tokens[id].len() as u32,
        count: occurrences[id],
    };
    let first = |mut ids: Vec<usize>, key: &dyn Fn(usize) -> u64| -> Vec<Token> {
        ids.sort_by_key(|&id| (std::cmp::Reverse(key(id)), id));
        ids.into_iter().take(SHOWN).map(token).collect()
    };
    let learned = || (special..tokens.len()).filter(|&id| !tokens[id].is_empty());
    let is_unused = |id: &usize| occurrences[*id] == 0;
    let unused: Vec<usize> = learned().filter(is_unused).filter(|&id| tokens[id].len() > 1).collect();
    let bytes = tokens.iter().zip(occurrences).map(|(token, count)| token.len() as u64 * count).sum::<u64>();
    let total: u64 = occurrences.iter().sum();
    Findings {
        vocab_size: tokens.len() as u32,
        special_tokens: special as u32,
        merges: merges as u32,
        words,
        bytes,
        tokens: total,
        bytes_per_token: if total == 0 { 0.0 } else { bytes as f64 / total as f64 },
        unused_bytes: learned().filter(is_unused).filter(|&id| tokens[id].len() == 1).count() as u32,
        unused_tokens: unused.len() as u32,
        unused: unused.into_iter().take(SHOWN).map(|id| token(id).text).collect(),
        longest: first(learned().collect(), &|id| tokens[id].len() as u64),
        most_frequent: first(learned().filter(|id| !is_unused(id)).collect(), &|id| occurrences[id]),
    }
}

/// The bytes of tokens as a byte-level model writes them; special ones keep their text.
pub(super) fn bytes_of(tokens: &[String], special: usize) -> Vec<Vec<u8>> {
    let plain = |token: &String| alphabet::read(token).unwrap_or_else(|| token.clone().into_bytes());
    tokens
        .iter()
        .enumerate()
        .map(|(id, token)| if id < special { token.clone().into_bytes() } else { plain(token) })
        .collect()
}
