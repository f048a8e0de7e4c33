//! The words of a text as strings, for whoever needs the words themselves and not their hashes.
//!
//! The same words as those that shingles are made of (the definition is in `text`), one character at a time: the
//! scanner behind [`Shingler`](crate::Shingler) is several times as fast, but never holds a long word as a whole.

use std::ops::Range;

use crate::text::tables;

/// Calls `take` with each word of `text`, lower-cased, in order.
///
/// ```
/// let mut words = Vec::new();
/// thresher_core::words::for_each_word("L'Été 数据!", |word| words.push(word.to_owned()));
/// assert_eq!(words, ["l", "été", "数", "据"]);
/// ```
pub fn for_each_word(text: &str, mut take: impl FnMut(&str)) {
    for_each_word_at(text, |_, word| take(word));
}

/// Calls `take` with the place of each word in `text`, in bytes, and the word, lower-cased, in order.
///
/// ```
/// let mut words = Vec::new();
/// thresher_core::words::for_each_word_at("Ah, Été!", |place, word| words.push((place, word.to_owned())));
/// assert_eq!(words, [(0..2, "ah".to_owned()), (4..9, "été".to_owned())]);
/// ```
pub fn for_each_word_at(text: &str, mut take: impl FnMut(Range<usize>, &str)) {
    let mut word = String::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let class = tables::class(c as u32);
        if !word.is_empty() && (class == tables::SEPARATOR || class == tables::SOLO) {
            take(start..at, &word);
            word.clear();
        }
        if word.is_empty() {
            start = at;
        }
        match class {
            tables::SEPARATOR => {}
            tables::SOLO => take(at..at + c.len_utf8(), c.encode_utf8(&mut [0; 4])),
            tables::WORD_WITH_LOWER => word.extend(c.to_lowercase()),
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        take(start..text.len(), &word);
    }
}
