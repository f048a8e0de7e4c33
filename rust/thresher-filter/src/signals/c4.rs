//! What C4 does with each line of a page (Raffel et al. 2020), as datatrove's `C4QualityFilter` 0.10.1 does it.
//!
//! A line is stripped, and then dropped, kept, or a reason to drop the page. `[1]`, `[edit]` and `[citation needed]` are cut
//! out of it after its words were counted and its blanks stripped, so that `done. [1]` ends with a blank. The code
//! of C4 itself (tensorflow-datasets, `c4_utils.py`) wants 5 words where this one and the paper want 3, 3 sentences where they
//! want 5, and takes no `'` for an end; the first is a parameter here, the second a threshold.
//!
//! Words and phrases are looked for where words begin, which the text's words are at hand for; a line is lower-cased only
//! if a citation was cut out of it or it has a Kelvin sign, the one character beyond ASCII whose lower case can complete
//! a phrase.

use memchr::{memchr, memchr2};

use super::words::{Word, Words};

/// What is asked of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct C4Lines {
    /// Words that a line has at least.
    pub min_words: usize,
    /// Characters that each word of it has at most.
    pub max_word_chars: u32,
    /// Whether it has to end with a terminal punctuation mark; FineWeb's pipeline does without.
    pub ended: bool,
}

impl Default for C4Lines {
    fn default() -> Self {
        Self { min_words: 3, max_word_chars: 1000, ended: true }
    }
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    LongWord,
    Unended,
    Short,
    Javascript,
    Policy,
    /// The page is dropped.
    LoremIpsum,
    /// The page is dropped.
    CurlyBracket,
}

/// A phrase that C4 looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phrase {
    LoremIpsum,
    Javascript,
    Policy,
}

/// The phrases of two or more words: what comes before the blank, what behind it, in which the word there begins.
const PHRASES: [(&str, &str, Phrase); 7] = [
    ("lorem", "ipsum", Phrase::LoremIpsum),
    ("terms", "of use", Phrase::Policy),
    ("privacy", "policy", Phrase::Policy),
    ("cookie", "policy", Phrase::Policy),
    ("uses", "cookies", Phrase::Policy),
    ("use of", "cookies", Phrase::Policy),
    ("use", "cookies", Phrase::Policy),
];

const JAVASCRIPT: &str = "javascript";

const KELVIN: char = '\u{212A}';

/// The phrases of one text, in order, each with the place of the word that shows it.
#[derive(Debug, Default)]
pub(crate) struct Phrases {
    found: Vec<(u32, Phrase)>,
    /// Whether a line with a Kelvin sign is to be lower-cased.
    kelvin: bool,
}

impl Phrases {
    /// Forgets the text before.
    pub(crate) fn reset(&mut self, text: &str) {
        self.found.clear();
        self.kelvin = !text.is_ascii() && text.contains(KELVIN);
    }

    /// Looks whether a word shows a phrase; `first` is its first eight bytes, zeros behind it.
    #[inline(always)]
    pub(crate) fn look(&mut self, text: &[u8], at: usize, len: usize, first: u64) {
        let front = first as u32 | 0x2020_2020;
        let may_be = front == u32::from_le_bytes(*b"poli")
            || front == u32::from_le_bytes(*b"cook")
            || front == u32::from_le_bytes(*b"ipsu")
            || len == 2 && front & 0xFFFF == u32::from(u16::from_le_bytes(*b"of"));
        if may_be || len >= JAVASCRIPT.len() {
            self.look_closer(text, at, len);
        }
    }

    #[inline(never)]
    fn look_closer(&mut self, text: &[u8], at: usize, len: usize) {
        let (before, behind) = text.split_at(at);
        if len >= JAVASCRIPT.len() && has(&behind[..len], JAVASCRIPT.as_bytes()) {
            self.found.push((at as u32, Phrase::Javascript));
        }
        let Some(before) = before.strip_suffix(b" ") else { return };
        for (front, back, phrase) in PHRASES {
            let ends = before.len().checked_sub(front.len()).is_some_and(|from| same(&before[from..], front));
            if ends && behind.get(..back.len()).is_some_and(|begin| same(begin, back)) {
                self.found.push((at as u32, phrase));
                return;
            }
        }
    }
}

fn same(bytes: &[u8], lower: &str) -> bool {
    bytes.eq_ignore_ascii_case(lower.as_bytes())
}

/// Whether `word` has `lower` in it, in any case; `v` is the rarest letter of `javascript`.
fn has(word: &[u8], lower: &[u8]) -> bool {
    let rare = lower.iter().position(|&byte| byte == b'v').unwrap_or(0);
    memchr::memchr2_iter(b'v', b'V', word).any(|at| {
        let begin = at.checked_sub(rare).and_then(|from| word.get(from..from + lower.len()));
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(lower))
    })
}

/// Judges the lines of one text, from the first to the last.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    text: &'a str,
    rules: C4Lines,
    may_be_long: bool,
    phrases: &'a [(u32, Phrase)],
    kelvin: bool,
    /// A line without its citations.
    edited: String,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(text: &'a str, words: &Words, phrases: &'a Phrases, rules: C4Lines) -> Self {
        let may_be_long = words.longest > rules.max_word_chars;
        Self {
            text,
            rules,
            may_be_long,
            phrases: &phrases.found,
            kelvin: phrases.kelvin,
            edited: String::new(),
        }
    }

    /// Judges the line that has the given words; gives its text as it is kept.
    #[inline]
    pub(crate) fn judge(&mut self, words: &[Word]) -> (Fate, &str) {
        let [first, ..] = words else {
            let fate = if self.rules.ended {
                Fate::Unended
            } else if self.rules.min_words > 0 {
                Fate::Short
            } else {
                Fate::Kept
            };
            return (fate, "");
        };
        let end = words.last().map_or(0, |last| last.end());
        let phrases = self.phrases_before(end);
        if self.may_be_long && words.iter().any(|word| word.chars > self.rules.max_word_chars) {
            return (Fate::LongWord, "");
        }
        let stripped = self.text.get(first.at as usize..end).unwrap_or_default();
        let special = memchr2(b'[', b'{', stripped.as_bytes());
        let cited = special.is_some_and(|at| cut_citations(stripped, at, &mut self.edited));
        let line = if cited { &self.edited } else { stripped };
        let ends = matches!(line.as_bytes().last(), Some(b'.' | b'?' | b'!' | b'"' | b'\''));
        if self.rules.ended && (!ends || line.ends_with("...")) {
            return (Fate::Unended, line);
        }
        if words.len() < self.rules.min_words {
            return (Fate::Short, line);
        }
        let lower = (cited || self.kelvin && line.contains(KELVIN)).then(|| line.to_lowercase());
        let finds = |wanted: Phrase| match &lower {
            None => phrases.iter().any(|&(_, phrase)| phrase == wanted),
            Some(lower) if wanted == Phrase::Javascript => lower.contains(JAVASCRIPT),
            Some(lower) => PHRASES
                .iter()
                .any(|(front, back, phrase)| *phrase == wanted && lower.contains(&format!("{front} {back}"))),
        };
        let fate = if finds(Phrase::LoremIpsum) {
            Fate::LoremIpsum
        } else if finds(Phrase::Javascript) {
            Fate::Javascript
        } else if special.is_some_and(|at| memchr(b'{', &stripped.as_bytes()[at..]).is_some()) {
            Fate::CurlyBracket
        } else if finds(Phrase::Policy) {
            Fate::Policy
        } else {
            Fate::Kept
        };
        (fate, line)
    }

    /// Takes the phrases that stand before `end` from those to come.
    #[inline(always)]
    fn phrases_before(&mut self, end: usize) -> &'a [(u32, Phrase)] {
        let count = self.phrases.iter().take_while(|&&(at, _)| (at as usize) < end).count();
        let (found, rest) = self.phrases.split_at(count);
        self.phrases = rest;
        found
    }
}

/// Writes `line` without citations into `to`, if it has one; the first `[` is not before `from`.
fn cut_citations(line: &str, from: usize, to: &mut String) -> bool {
    to.clear();
    let (mut copied, mut next) = (0, from);
    while let Some(at) = memchr(b'[', &line.as_bytes()[next..]).map(|found| next + found) {
        next = at + 1;
        let inner = &line.as_bytes()[next..];
        // Python's `\d` takes the decimal numbers of all scripts.
        let digits: usize = line[next..]
            .chars()
            .take_while(|&c| c.is_ascii_digit() || !c.is_ascii() && is_decimal(c))
            .map(char::len_utf8)
            .sum();
        let len = if inner.get(digits) == Some(&b']') {
            digits + 1
        } else if inner.starts_with(b"edit]") {
            5
        } else if inner.starts_with(b"citation needed]") {
            16
        } else {
            // What was passed holds no `[`, so nothing is passed twice.
            next += digits;
            continue;
        };
        to.push_str(&line[copied..at]);
        next += len;
        copied = next;
    }
    let cut = copied > 0;
    if cut {
        to.push_str(&line[copied..]);
    }
    cut
}

fn is_decimal(c: char) -> bool {
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
    c.general_category() == GeneralCategory::DecimalNumber
}
