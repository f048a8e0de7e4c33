//! The lines of a text, as each tool cuts them.
//!
//! Most texts part lines by `\n` alone; there the ways agree but for blank lines. `str.splitlines` also ends a line at
//! `\r`, `\r\n`, and eight characters that hardly occur, so a text is looked through for those once, and only a line that has
//! one is cut further.

use memchr::{memchr_iter, memchr3};

use super::classes::{self, BREAK};
use super::words::Word;

/// A line between two `\n`, or the text before the first or behind the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Where it begins in the text, in bytes.
    pub(crate) at: usize,
    /// Without the `\n`.
    pub(crate) text: &'a str,
    /// Whether a `\n` ends it.
    pub(crate) ended: bool,
}

/// The lines of `text.split("\n")`: one more than it has `\n`.
pub(crate) fn split(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).map(|end| (end, true)).chain([(text.len(), false)]);
    ends.map(move |(end, ended)| {
        let line = Line { at, text: text.get(at..end).unwrap_or_default(), ended };
        at = end + 1;
        line
    })
}

/// Whether `str.splitlines` would cut `text` anywhere but at `\n`.
pub(crate) fn has_other_breaks(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr3(b'\r', 0x0B, 0x0C, bytes).is_some()
        || memchr3(0x1C, 0x1D, 0x1E, bytes).is_some()
        || !text.is_ascii() && memchr3(0x85, 0xA8, 0xA9, bytes).is_some()
}

/// Calls `take` with the place and text of each line that `str.splitlines` makes of a line between two `\n`.
///
/// `whole` says that it need not be cut further.
#[inline(always)]
pub(crate) fn split_further<'a>(line: Line<'a>, whole: bool, mut take: impl FnMut(usize, &'a str)) {
    if whole {
        if line.ended || !line.text.is_empty() {
            take(line.at, line.text);
        }
        return;
    }
    // `\r\n` is one end.
    let text = if line.ended { line.text.strip_suffix('\r').unwrap_or(line.text) } else { line.text };
    let mut from = 0;
    if !has_other_breaks(text) {
        if line.ended || !text.is_empty() {
            take(line.at, text);
        }
        return;
    }
    for (at, c) in text.char_indices() {
        // A part that begins behind this character is not there to be ended: `\r\n` inside is no case, as `\n` ends lines.
        if classes::is(c, BREAK) {
            take(line.at + from, text.get(from..at).unwrap_or_default());
            from = at + c.len_utf8();
        }
    }
    if line.ended || from < text.len() {
        take(line.at + from, text.get(from..).unwrap_or_default());
    }
}

/// Hands out the words of a text line by line, in order.
#[derive(Debug)]
pub(crate) struct WordsByLine<'a> {
    words: &'a [Word],
    next: usize,
}

impl<'a> WordsByLine<'a> {
    pub(crate) fn new(words: &'a [Word]) -> Self {
        Self { words, next: 0 }
    }

    /// The words that begin before `end` and were not handed out, and the number of the first one.
    #[inline(always)]
    pub(crate) fn before(&mut self, end: usize) -> (usize, &'a [Word]) {
        let first = self.next;
        while self.words.get(self.next).is_some_and(|word| (word.at as usize) < end) {
            self.next += 1;
        }
        (first, &self.words[first..self.next])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splitlines(text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let whole = !has_other_breaks(text);
        for line in split(text) {
            split_further(line, whole, |at, line| {
                assert_eq!(text.get(at..at + line.len()), Some(line));
                lines.push(line.to_owned());
            });
        }
        lines
    }

    #[test]
    fn lines_are_those_of_python() {
        assert_eq!(splitlines(""), Vec::<String>::new());
        assert_eq!(splitlines("\n\n"), ["", ""]);
        assert_eq!(splitlines("a\nb"), ["a", "b"]);
        assert_eq!(splitlines("a\r\nb\rc\r\r\nd\n\r"), ["a", "b", "c", "", "d", ""]);
        assert_eq!(
            splitlines("a\u{b}\nb\u{1c}c\u{85}d\u{2028}\u{2029}e\u{c}"),
            ["a", "", "b", "c", "d", "", "e"]
        );
        assert_eq!(splitlines("\r"), [""]);
        assert_eq!(splitlines("\r\n"), [""]);
        assert_eq!(splitlines("é\u{a8}\u{a9}\u{1f}"), ["é\u{a8}\u{a9}\u{1f}"]);
    }
}
