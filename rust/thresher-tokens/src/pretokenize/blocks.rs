//! Where pre-tokens begin in 64 bytes of text, all at once: a byte is a bit, a class a mask, and the alternatives of a pattern
//! are shifts of masks.
//!
//! ```text
//! text    He said,  "it's\n          a window begins where a pre-token does, so nothing before it matters:
//! letters ##.####....##.#..          a pattern never looks back
//! spaces  ..#.....##......#
//! starts  #.#....###.#.#..#          masks shifted by one tell what stands before and behind
//! ```
//!
//! A start is given only if the bytes of the window decide it; the next window begins at the last one. Vectors tell the classes of
//! ASCII; other characters are asked for one by one, and all bytes of one are of its class. What is rare ends a window, and
//! is left to the scanner: white space and numbers beyond ASCII, a mark behind what is no word, a word that has both
//! capitals and letters without case.

use super::{
    classes::{Char, Classes, LETTERS, LOWER, MARK, NUMBER, SPACE, Set, TITLE, UPPER, set},
    pattern::{Contractions, Letters, Meant, Numbers, Pattern, Tail},
};

/// Bytes of a window.
pub(crate) const WINDOW: usize = 64;

/// Bytes behind a window that may be read with it.
pub(crate) const AHEAD: usize = 16;

/// The classes of 64 bytes, the first byte in the lowest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(super) letters: u64,
    pub(super) numbers: u64,
    /// All white space of ASCII.
    pub(super) spaces: u64,
    pub(super) blanks: u64,
    pub(super) breaks: u64,
    pub(super) apostrophes: u64,
    pub(super) slashes: u64,
    /// The first bytes of capitals.
    pub(super) capitals: u64,
    pub(super) lower: u64,
    /// Bytes of characters beyond ASCII, and those of them with which none begins.
    pub(super) beyond: u64,
    pub(super) inner: u64,
}

/// What the marks of a text are to a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// Letters of words.
    Words,
    /// The same within a word; other characters behind these.
    WithinWords,
    Others,
    Neither,
}

impl Masks {
    /// Asks for the classes of characters beyond ASCII, and says how many bytes the window has: as far as `pattern` can be told
    /// by masks.
    #[inline(always)]
    pub(crate) fn complete(&mut self, pattern: Pattern, classes: &Classes, window: &[u8; WINDOW]) -> u32 {
        let mut limit = if self.beyond == 0 { WINDOW as u32 } else { self.ask(pattern, classes, window) };
        if matches!(pattern.letters, Letters::Cased { .. }) {
            limit = self.before_mixed_words(limit);
        }
        if pattern.others.tail == Tail::BreaksAndSlashes {
            // Slashes behind a line break may belong to what stands before it.
            limit = limit.min((self.slashes & self.breaks << 1).trailing_zeros());
        }
        limit
    }

    /// The same for the characters alone.
    #[inline(never)]
    fn ask(&mut self, pattern: Pattern, classes: &Classes, window: &[u8; WINDOW]) -> u32 {
        const CAPITALS: Set = set([UPPER, TITLE]);
        let marks = pattern.marks();
        let words = if marks == Marks::Words { LETTERS | set([MARK]) } else { LETTERS };
        let mut rare = set([NUMBER, SPACE]);
        if matches!(marks, Marks::WithinWords | Marks::Neither) {
            rare |= set([MARK]);
        }
        let mut left = self.beyond;
        while left != 0 {
            let at = left.trailing_zeros();
            let here: Char = classes.at(window, at as usize);
            if at as usize + here.len > WINDOW {
                return at;
            }
            let bytes = lowest(here.len as u32) << at;
            let mut word = here.is(words);
            if here.is(rare) {
                let behind_word = at > 0 && self.letters >> (at - 1) & 1 == 1;
                word = here.class == MARK && marks == Marks::WithinWords && behind_word;
                if !word {
                    return at;
                }
            }
            self.letters |= bytes & u64::from(word).wrapping_neg();
            self.capitals |= u64::from(here.is(CAPITALS)) << at;
            self.lower |= bytes & u64::from(here.class == LOWER).wrapping_neg();
            left &= !bytes;
        }
        WINDOW as u32
    }

    /// Whether there are bytes with which characters of Chinese and Japanese begin.
    #[inline(always)]
    pub(crate) fn has_phrases(&self, window: &[u8; WINDOW]) -> bool {
        self.beyond != 0 && window.iter().fold(false, |is, byte| is | begins_phrase(*byte))
    }

    /// How many bytes there are before the first word that has both capitals and letters without case, if that is less.
    #[inline(always)]
    fn before_mixed_words(&self, limit: u32) -> u32 {
        let letters = self.letters & lowest(limit);
        let caseless = letters & self.beyond & !self.lower & !(self.capitals | self.inner);
        if caseless == 0 || self.capitals == 0 {
            return limit;
        }
        let mut starts = firsts(letters);
        while starts != 0 {
            let word = flood(starts & starts.wrapping_neg(), letters);
            if word & self.capitals != 0 && word & caseless != 0 {
                return starts.trailing_zeros();
            }
            starts &= starts - 1;
        }
        limit
    }
}

/// Whether a character of Chinese or Japanese may begin with this byte.
#[inline(always)]
pub(crate) fn begins_phrase(byte: u8) -> bool {
    matches!(byte, 0xE3..=0xE9 | 0xEF)
}

/// Of a run its first bit.
#[inline(always)]
fn firsts(runs: u64) -> u64 {
    runs & !(runs << 1)
}

/// The lowest `count` bits.
#[inline(always)]
fn lowest(count: u32) -> u64 {
    if count >= 64 { !0 } else { (1 << count) - 1 }
}

/// What `runs` has from each of `seeds` on, which are bits of it, to the end of the run.
#[inline(always)]
fn flood(seeds: u64, runs: u64) -> u64 {
    (runs.wrapping_add(seeds) ^ runs) & runs
}

impl Pattern {
    /// Whether [`Pattern::starts`] can be asked.
    pub(crate) fn has_blocks(&self) -> bool {
        self.letters != Letters::Punctuated && self.others.meant != Meant::Punctuation
    }

    fn marks(&self) -> Marks {
        let in_words = matches!(self.letters, Letters::Marked | Letters::Cased { .. });
        match (in_words, self.others.meant == Meant::All) {
            (true, true) => Marks::WithinWords,
            (true, false) => Marks::Words,
            (false, true) => Marks::Others,
            (false, false) => Marks::Neither,
        }
    }

    /// Where pre-tokens begin behind the first byte of `window`, at which one begins, as far as its first `limit` bytes
    /// decide it; these are at least 2, as [`Masks::complete`] says.
    #[inline(always)]
    pub(crate) fn starts(&self, window: &[u8; WINDOW], masks: &Masks, limit: u32) -> u64 {
        let inside = lowest(limit);
        let Masks { letters, numbers, spaces, blanks, breaks, .. } = *masks;
        let others = !(letters | numbers | spaces) & inside;
        // A blank before other characters begins their pre-token, whatever the pattern.
        let other_starts = firsts(others) & !(blanks << 1);
        let mut known = lowest(limit - 1);

        // White space: what a pre-token of other characters takes, what ends in a line break, what is left; of that the last
        // character stands alone, or begins what follows.
        let (mut spaces_left, mut tails) = (spaces & inside, spaces & inside);
        if self.breaks || self.others.tail != Tail::No {
            let breaks = breaks & inside;
            if breaks != 0 {
                if self.others.tail != Tail::No {
                    spaces_left &= !flood(breaks & (others << 1), breaks);
                }
                tails = spaces_left;
                if self.breaks {
                    let soft = spaces_left & !breaks;
                    let ends = soft & !(spaces_left >> 1);
                    tails = flood(ends.reverse_bits(), soft.reverse_bits()).reverse_bits();
                }
            }
            // Of white space that goes on behind the window only the start is known.
            if spaces & (1 << (limit - 1)) != 0 {
                let run = (spaces << (64 - limit)).leading_ones();
                let before = lowest(limit - run);
                let start = firsts(spaces_left) & !before;
                known &= before | start & start.wrapping_neg();
            }
        }
        let space_starts = firsts(spaces_left) | firsts(tails) | tails & !(spaces >> 1);

        let mut starts = other_starts | space_starts;
        let prefixes = if self.letters == Letters::Spaced {
            blanks
        } else {
            // One other character: its last byte, if none follows.
            let inner = others & masks.inner;
            let first = other_starts | flood(other_starts << 1 & inner, inner);
            spaces & !breaks | first & !(first >> 1) & !(others >> 1)
        };
        starts |= firsts(letters) & !(prefixes << 1);
        let cased = matches!(self.letters, Letters::Cased { .. });
        if cased {
            starts |= masks.capitals & masks.lower << 1;
        }
        match self.numbers {
            Numbers::Spaced => starts |= firsts(numbers) & !(blanks << 1),
            Numbers::UpTo(1) => starts |= numbers,
            Numbers::UpTo(most) => {
                let mut groups = firsts(numbers);
                if most < 64 {
                    // Bits that `most` digits stand before.
                    let mut full = numbers;
                    for back in 1..=most {
                        full &= numbers << back;
                    }
                    let mut next = groups << most & full;
                    while next != 0 {
                        groups |= next;
                        next = next << most & full;
                    }
                }
                starts |= groups;
            }
            Numbers::No => {}
        }
        if self.contractions != Contractions::No {
            let mut found = masks.apostrophes & other_starts & lowest(limit - 1);
            while found != 0 {
                let at = found.trailing_zeros();
                found &= found - 1;
                let len = contraction(window, at as usize, self.contractions == Contractions::AnyCase);
                if len > 0 {
                    starts &= !(2 << at);
                    starts |= (2 << at) << len;
                }
            }
        }
        if self.letters == (Letters::Cased { contractions: true }) {
            // Here they are the end of their word, which is no contraction itself.
            let mut found = masks.apostrophes & letters << 1 & lowest(limit - 1);
            let mut end = 0;
            // One at the end of the window is not read whole.
            known &= lowest(WINDOW as u32 - 2);
            while found != 0 {
                let at = found.trailing_zeros();
                found &= found - 1;
                let len = if at == end { 0 } else { contraction(window, at as usize, true) };
                if len > 0 {
                    end = at + 1 + len;
                    starts &= !(lowest(len + 1) << at);
                    starts |= (2 << at) << len;
                }
            }
        }
        starts & known & !1
    }
}

/// How many letters make the apostrophe at `at` a contraction; 0 if none do.
#[inline(always)]
fn contraction(window: &[u8; WINDOW], at: usize, any_case: bool) -> u32 {
    let letter = |place: usize| {
        let byte = window.get(place).copied().unwrap_or(0);
        if any_case { byte | 0x20 } else { byte }
    };
    match (letter(at + 1), letter(at + 2)) {
        // The long s, which is an `s` where case does not count.
        (0xE5, 0xBF) if any_case && window.get(at + 1) == Some(&0xC5) => 2,
        (b's' | b't' | b'm' | b'd', _) => 1,
        (b'r' | b'v', b'e') | (b'l', b'l') => 2,
        _ => 0,
    }
}
