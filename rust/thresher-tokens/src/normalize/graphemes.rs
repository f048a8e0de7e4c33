//! Where user-perceived characters begin (Unicode Standard Annex 29), by `unicode-segmentation`, which the crate
//! `tokenizers` asks too, and without asking it where two plain characters meet: there one always begins.

use unicode_segmentation::GraphemeCursor;

/// Ranges of plain characters: of any two side by side, the second begins a grapheme. None of them extends, joins, prepends
/// or is a part of a pair; a test asks `unicode-segmentation` about each.
const PLAIN: [(u32, u32); 14] = [
    (0x20, 0x7E),
    (0xA1, 0xA8),
    (0xAA, 0xAC),
    (0xAF, 0x2FF),
    (0x370, 0x377),
    (0x386, 0x482),
    (0x48A, 0x52F),
    (0x2010, 0x2027),
    (0x2030, 0x203B),
    (0x3000, 0x3029),
    (0x3041, 0x3096),
    (0x309B, 0x30FF),
    (0x3400, 0x9FFF),
    (0xFF01, 0xFF9D),
];

/// Whether a character is plain.
#[inline]
pub(super) fn is_plain(c: char) -> bool {
    let code = c as u32;
    PLAIN.iter().any(|&(first, last)| (first..=last).contains(&code))
}

/// The graphemes of one text, asked from left to right.
#[derive(Debug)]
pub(super) struct Graphemes<'t> {
    text: &'t str,
    /// The start of a grapheme.
    known: usize,
}

impl<'t> Graphemes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, known: 0 }
    }

    /// The grapheme that the character at `at` lies in: where it begins and ends. Calls go on to the right, and
    /// together take time linear in the text.
    pub(super) fn around(&mut self, at: usize) -> (usize, usize) {
        let mut chars = self.text[at..].chars();
        let plain = |c: Option<char>| c.is_none_or(is_plain);
        if plain(chars.next()) {
            let before = plain(self.text[..at].chars().next_back());
            if before {
                self.known = at;
            }
            if before && plain(chars.clone().next()) {
                return (at, self.text.len() - chars.as_str().len());
            }
        }
        self.approach(at);
        loop {
            let end = self.next();
            if end > at {
                return (self.known, end);
            }
            self.known = end;
        }
    }

    /// Goes to a start nearer to `at`, if two plain characters meet shortly before it.
    fn approach(&mut self, at: usize) {
        let mut behind = '\u{0}';
        for (start, c) in self.text[self.known..at].char_indices().rev().take(32) {
            let start = self.known + start;
            if is_plain(c) && is_plain(behind) {
                self.known = start + c.len_utf8();
                return;
            }
            behind = c;
        }
    }

    /// The end of the grapheme that begins at `known`.
    fn next(&self) -> usize {
        let rest = &self.text[self.known..];
        let mut cursor = GraphemeCursor::new(0, rest.len(), true);
        self.known + cursor.next_boundary(rest, 0).ok().flatten().unwrap_or(rest.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    #[test]
    fn plain_characters_are_graphemes_of_their_own() {
        for c in PLAIN.iter().flat_map(|&(first, last)| first..=last).filter_map(char::from_u32) {
            for text in [format!("a{c}字"), format!("{c}{c}{c}"), format!("ж{c}か")] {
                assert_eq!(text.graphemes(true).count(), 3, "{:x}", c as u32);
            }
        }
    }

    proptest! {
        #[test]
        fn graphemes_are_those_of_the_annex(
            text in "[a\r\n\u{301}\u{200d}\u{94d}\u{915}\u{937}\u{1F1E9}\u{1F1EA}\u{1F469}\u{1F3FD}\u{1100}\u{1161}\u{AC00}字\u{600}]{0,40}",
            skipped in prop::collection::vec(any::<bool>(), 200),
        ) {
            let mut graphemes = Graphemes::new(&text);
            for (start, grapheme) in text.grapheme_indices(true) {
                for (at, _) in grapheme.char_indices() {
                    if !skipped[start + at] {
                        prop_assert_eq!(graphemes.around(start + at), (start, start + grapheme.len()));
                    }
                }
            }
        }
    }
}
