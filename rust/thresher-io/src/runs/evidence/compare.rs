//! Two texts as a search saw them: their exact similarity, the bands and lanes that they share, and where they differ.
//!
//! A word differs if it is in no run of words that both texts have; so a word that was put in or changed is marked alone, and
//! what was moved as a whole is not. That is how the search compares, and it costs linear time, whatever the texts.

use std::collections::HashSet;

use serde::Serialize;
use thresher_core::hash::Keys;
use thresher_core::params::jaccard;
use thresher_core::{DedupConfig, Secret, ShingleSpec, ShingleUnit, Shingler, Signer};

use crate::error::Result;
use crate::exhibits::head;

/// Characters of a text that are shown.
const CHARACTERS: usize = 20_000;
/// Words in a run, unless shingles are shorter.
const RUN: usize = 5;
/// The same where shingles are made of characters.
const RUN_OF_CHARACTERS: usize = 3;

/// What two texts share.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Whether the texts are equal, byte for byte.
    pub equal: bool,
    /// Exact Jaccard similarity of their shingle sets.
    pub similarity: f64,
    /// Distinct shingles of this text.
    pub shingles: usize,
    /// Distinct shingles of the kept one.
    pub kept_shingles: usize,
    /// Distinct shingles of both.
    pub shared_shingles: usize,
    /// Lanes of a signature.
    pub lanes: usize,
    /// Lanes in which the signatures agree.
    pub agreeing_lanes: usize,
    /// Bands of a signature.
    pub bands: usize,
    /// The bands that both share, from 0.
    pub shared_bands: Vec<usize>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// As it stands there.
    pub text: String,
    /// The other text has none of its words in this surrounding.
    pub differs: bool,
}

/// The start of a text, in parts.
#[derive(Clone, Debug, Serialize)]
pub struct Marked {
    /// One after the other.
    pub segments: Vec<Segment>,
    /// Characters of the text that are not shown.
    pub more: usize,
}

impl Comparison {
    /// Compares a text with the kept one that stands for it, under the parameters of a search.
    pub(crate) fn of(text: &str, kept: &str, search: &DedupConfig, secret: &Secret) -> Self {
        let mut shingler = Shingler::with_keys(search.shingles, secret.keys());
        let mut set = |text: &str| {
            let mut shingles = Vec::new();
            shingler.shingles_into(text, &mut shingles);
            shingles.into_iter().collect::<HashSet<u64>>()
        };
        let (of_text, of_kept) = (set(text), set(kept));
        let shared = of_text.intersection(&of_kept).count();
        let mut signer = Signer::with_keys(search.shingles, search.num_hashes, Keys::from_seed(search.seed));
        let bands = search.banding.bands();
        let mut sign = |text: &str| {
            let signature = signer.sign(text)?.to_vec();
            let mut keys = vec![0; bands];
            search.banding.keys_into(&signature, &mut keys);
            Some((signature, keys))
        };
        let (agreeing_lanes, shared_bands) = match (sign(text), sign(kept)) {
            (Some(a), Some(b)) => (
                a.0.iter().zip(&b.0).filter(|(a, b)| a == b).count(),
                (0..bands).filter(|&band| a.1[band] == b.1[band]).collect(),
            ),
            _ => (0, Vec::new()),
        };
        Self {
            equal: text == kept,
            similarity: jaccard(shared, of_text.len(), of_kept.len()),
            shingles: of_text.len(),
            kept_shingles: of_kept.len(),
            shared_shingles: shared,
            lanes: search.num_hashes.get(),
            agreeing_lanes,
            bands,
            shared_bands,
        }
    }
}

impl Marked {
    /// The start of `text`, with the words marked that are in no run of words of `other`.
    ///
    /// # Errors
    /// `Error::Core` if a run of words has a length that cannot be.
    pub(crate) fn against(text: &str, other: &str, spec: ShingleSpec) -> Result<Self> {
        let run = if spec.unit() == ShingleUnit::Word { spec.ngram().min(RUN) } else { RUN_OF_CHARACTERS };
        let mut shingler = Shingler::new(ShingleSpec::try_new(ShingleUnit::Word, run)?);
        let mut of_other = Vec::new();
        shingler.shingles_into(other, &mut of_other);
        let of_other: HashSet<u64> = of_other.into_iter().collect();
        let (start, is_cut) = head(text, CHARACTERS);
        let mut runs = Vec::new();
        let words = shingler.shingles_into(start, &mut runs);
        let mut is_shared = vec![false; words];
        for (first, shingle) in runs.iter().enumerate() {
            if of_other.contains(shingle) {
                is_shared[first..(first + run).min(words)].fill(true);
            }
        }
        let mut segments: Vec<Segment> = Vec::new();
        let mut next = 0;
        for (piece, words) in pieces(start)? {
            let of_piece = is_shared.get(next..next + words).unwrap_or_default();
            next += words;
            let differs = of_piece.contains(&false);
            match segments.last_mut() {
                // What lies between two marked words belongs to them.
                Some(last) if last.differs == differs || words == 0 => last.text.push_str(piece),
                _ => segments.push(Segment { text: piece.to_owned(), differs }),
            }
        }
        let more = if is_cut { text[start.len()..].chars().count() } else { 0 };
        Ok(Self { segments, more })
    }

    /// The start of a text that is compared with nothing.
    pub(crate) fn plain(text: &str) -> Self {
        let (start, _) = head(text, CHARACTERS);
        let segments = vec![Segment { text: start.to_owned(), differs: false }];
        Self { segments, more: text[start.len()..].chars().count() }
    }
}

/// Cuts a text into pieces that end where no word does, each with the number of its words.
fn pieces(text: &str) -> Result<Vec<(&str, usize)>> {
    let mut shingler = Shingler::new(ShingleSpec::try_new(ShingleUnit::Word, 1)?);
    let mut room = Vec::new();
    let mut count = |text: &str| {
        room.clear();
        shingler.shingles_into(text, &mut room)
    };
    let mut pieces = Vec::new();
    for token in text.split_inclusive(char::is_whitespace) {
        let words = count(token);
        if words < 2 {
            pieces.push((token, words));
            continue;
        }
        // Between two characters that are two words, or of which one is none, a word may be cut off.
        let before = pieces.len();
        let (mut start, mut last) = (0, 0);
        for (at, c) in token.char_indices().skip(1) {
            let (both, end) = (&token[last..at + c.len_utf8()], at + c.len_utf8());
            if count(both) == count(&token[last..at]) + count(&token[at..end]) {
                pieces.push((&token[start..at], count(&token[start..at])));
                start = at;
            }
            last = at;
        }
        pieces.push((&token[start..], count(&token[start..])));
        if pieces[before..].iter().map(|piece| piece.1).sum::<usize>() != words {
            pieces.truncate(before);
            pieces.push((token, words));
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(text: &str, other: &str) -> Vec<String> {
        let marked = Marked::against(text, other, ShingleSpec::default()).unwrap();
        let all: String = marked.segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(all, text);
        marked
            .segments
            .into_iter()
            .filter(|segment| segment.differs)
            .map(|segment| segment.text.trim().to_owned())
            .collect()
    }

    #[test]
    fn a_changed_word_is_marked_alone() {
        let text = "one two three four five, six seven eight nine ten eleven twelve";
        assert_eq!(marked(text, text), [""; 0]);
        assert_eq!(marked(text, &text.replace("six", "SIX!")), [""; 0]);
        assert_eq!(marked(text, &text.replace("six", "other")), ["six"]);
        assert_eq!(marked(&text.replace("six", "a new"), text), ["a new"]);
        assert_eq!(marked("short text", "another text"), ["short text"]);
        assert_eq!(marked("short text", "Short, text"), [""; 0]);
        assert_eq!(marked("...", ""), [""; 0]);
    }

    #[test]
    fn scripts_without_blanks_are_marked_character_by_character() {
        let text = "数据清洗是训练大模型的第一步也是最重要的一步";
        assert_eq!(marked(text, &text.replace('第', "最")), ["第"]);
        assert_eq!(marked("a-b-c-d-e-f-g-h-i-j-k", "a-b-c-d-e-X-g-h-i-j-k"), ["f-"]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text_and_have_its_words(text in "[a-c'é数ไ\u{301} .\u{200b}-]{0,60}") {
            let cut = pieces(&text).unwrap();
            prop_assert_eq!(cut.iter().map(|piece| piece.0).collect::<String>(), text.as_str());
            let mut shingler = Shingler::new(ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap());
            let words = shingler.shingles_into(&text, &mut Vec::new());
            prop_assert_eq!(cut.iter().map(|piece| piece.1).sum::<usize>(), words);
        }
    }
}
