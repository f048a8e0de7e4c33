//! The words of a text as strings, for whoever needs the words themselves and not their hashes.
//!
//! The same words as those that shingles are made of (the definition is in `text`), one character at a time: the
//! scanner behind [`Shingler`](crate::Shingler) is several times as fast, but never holds a long word as a whole.

use crate::text::tables;

/// Calls `take` with each word of `text`, lower-cased, in order.
///
/// ```
/// let mut words = Vec::new();
/// thresher_core::words::for_each_word("L'Été 数据!", |word| words.push(word.to_owned()));
/// assert_eq!(words, ["l", "été", "数", "据"]);
/// ```
pub fn for_each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::new();
    for c in text.chars() {
        let class = tables::class(c as u32);
        if !word.is_empty() && (class == tables::SEPARATOR || class == tables::SOLO) {
            take(&word);
            word.clear();
        }
        match class {
            tables::SEPARATOR => {}
            tables::SOLO => take(c.encode_utf8(&mut [0; 4])),
            tables::WORD_WITH_LOWER => word.extend(c.to_lowercase()),
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        take(&word);
    }
}
