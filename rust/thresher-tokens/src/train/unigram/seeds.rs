//! The pieces to begin with: substrings that occur again, found by sorting all suffixes.
//!
//! As in `SentencePiece` (Kudo 2018; `unigram_model_trainer.cc`, `MakeSeedSentencePieces`): inner nodes of the suffix tree of
//! the words, with the highest product of length and frequency. There a word counts once; here as often as it occurs, which is
//! what the product is to estimate. Suffixes are sorted by their first [`LONGEST`] characters within their stretch.

use thresher_core::parallel::{Threads, map};

use super::words::Words;

/// Characters of a piece at most.
pub(super) const LONGEST: usize = 16;
/// Suffixes that are sorted at a time, about.
const GRAIN: usize = 1 << 16;

/// A piece and how often it occurs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seed {
    pub(super) piece: String,
    pub(super) count: u64,
}

/// A suffix: where it begins, and which stretch it is in.
#[derive(Clone, Copy)]
struct Suffix {
    start: u32,
    stretch: u32,
}

/// Up to `most` pieces of two characters and more.
pub(super) fn seeds(words: &Words, most: usize, threads: &dyn Threads) -> Vec<Seed> {
    // By the first character, so that parts can be sorted by themselves.
    let mut parts: Vec<Vec<Suffix>> = vec![Vec::new(); words.alphabet.len()];
    let number: std::collections::HashMap<char, usize> =
        words.alphabet.keys().enumerate().map(|(at, &c)| (c, at)).collect();
    for stretch in 0..words.len() {
        let range = words.range(stretch);
        for (at, c) in words.text[range.clone()].char_indices() {
            if let Some(&part) = number.get(&c) {
                parts[part].push(Suffix { start: (range.start + at) as u32, stretch: stretch as u32 });
            }
        }
    }
    // Frequent characters have many suffixes; those are cut by their second character.
    let parts: Vec<Vec<Suffix>> = parts.into_iter().flat_map(|part| split(words, part)).collect();
    let found = map(threads, parts.len(), 1, |at| {
        let mut suffixes = parts[at].clone();
        suffixes.sort_unstable_by(|a, b| shown(words, *a).cmp(shown(words, *b)).then(a.start.cmp(&b.start)));
        repeated(words, &suffixes)
    });
    let mut found: Vec<(u64, &str, u64)> = found.into_iter().flatten().collect();
    found.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    found.truncate(most);
    found.into_iter().map(|(_, piece, count)| Seed { piece: piece.to_owned(), count }).collect()
}

/// Suffixes of one first character, in parts by their second one if there are many.
fn split(words: &Words, suffixes: Vec<Suffix>) -> Vec<Vec<Suffix>> {
    if suffixes.len() <= GRAIN {
        return vec![suffixes];
    }
    let mut parts: std::collections::BTreeMap<Option<char>, Vec<Suffix>> = std::collections::BTreeMap::new();
    for suffix in suffixes {
        parts.entry(shown(words, suffix).chars().nth(1)).or_default().push(suffix);
    }
    parts.into_values().collect()
}

/// What is looked at of a suffix.
fn shown(words: &Words, suffix: Suffix) -> &str {
    let rest = &words.text[suffix.start as usize..words.ends[suffix.stretch as usize] as usize];
    rest.char_indices().nth(LONGEST).map_or(rest, |(end, _)| &rest[..end])
}

/// Characters, and bytes, that two texts begin with in common.
fn common(a: &str, b: &str) -> (usize, usize) {
    let mut bytes = 0;
    let mut length = 0;
    for (x, y) in a.chars().zip(b.chars()) {
        if x != y {
            break;
        }
        bytes += x.len_utf8();
        length += 1;
    }
    (length, bytes)
}

/// Pieces of two characters and more that sorted suffixes have in common and that go on in different ways: score, piece, count.
fn repeated<'w>(words: &'w Words, suffixes: &[Suffix]) -> Vec<(u64, &'w str, u64)> {
    let mut found = Vec::new();
    // Open pieces: characters, bytes, and the occurrences before the first suffix that has it.
    let mut open: Vec<(usize, usize, u64)> = Vec::new();
    let mut before = 0;
    let mut last = "";
    for suffix in suffixes {
        let text = shown(words, *suffix);
        let weight = words.counts[suffix.stretch as usize];
        let (length, bytes) = common(last, text);
        close(&mut open, length, bytes, before, last, &mut found);
        // The suffix as a whole: it is a piece if the next one has all of it.
        let of_text = text.chars().count();
        if open.last().is_none_or(|&(open, ..)| open < of_text) {
            open.push((of_text, text.len(), before));
        }
        before += weight;
        last = text;
    }
    close(&mut open, 0, 0, before, last, &mut found);
    found
}

/// Closes the open pieces that are longer than what is in common with the next suffix.
fn close<'w>(
    open: &mut Vec<(usize, usize, u64)>,
    length: usize,
    bytes: usize,
    before: u64,
    last: &'w str,
    found: &mut Vec<(u64, &'w str, u64)>,
) {
    while let Some(&(of_piece, n_bytes, since)) = open.last().filter(|(open, ..)| *open > length) {
        open.pop();
        let count = before - since;
        if of_piece > 1 && count > 1 {
            found.push((count.saturating_mul(of_piece as u64), &last[..n_bytes], count));
        }
        if length > open.last().map_or(0, |&(open, ..)| open) {
            // What is in common begins where the longer piece began.
            open.push((length, bytes, since));
        }
    }
}
