//! Quality signals of RedPajama-v2, those that are numbers of a document and need no list or model.
//!
//! Definitions are those of `app/src/core/quality_signals` of togethercomputer/RedPajama-Data at 6d2cee9, with their names and
//! their rounding to 8 digits; the paper is Weber et al. 2024. Left out are the share of stop words, LDNOOBW and UT1 (lists), the
//! importance weights (they depend on `PYTHONHASHSEED`), and the signals of single lines.
//!
//! *Normalised* text is without ASCII punctuation, in lower case, its blanks collapsed, in NFD. Its words are cut at blanks;
//! *raw* words are those of NLTK's `WordPunctTokenizer`, `\w+|[^\w\s]+`.

use memchr::{memchr_iter, memmem};
use unicode_normalization_alignments::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::catalogue::{Signal, Signals};
use super::classes::{self, ALNUM, BLANK};
use super::grams::{Grams, Repeated, chars_of};
use super::hash::{Counts, Key};
use super::page::{Text, ellipses};

/// The scratch of one thread.
#[derive(Debug)]
pub(crate) struct RedPajama {
    key: Key,
    grams: Grams,
    counts: Counts,
    hashes: Vec<u64>,
    lengths: Vec<u32>,
    word: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Word,
    Other,
}

/// What the raw words of a text are.
#[derive(Debug, Default)]
struct RawWords {
    all: u64,
    with_ascii_letter: u64,
    capitals: u64,
}

impl RedPajama {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            grams: Grams::default(),
            counts: Counts::default(),
            hashes: Vec::new(),
            lengths: Vec::new(),
            word: String::new(),
        }
    }

    pub(crate) fn compute(&mut self, text: Text<'_>, signals: &mut Signals) {
        let lorem_ipsum = self.normalise(text.whole);
        self.normalised_words(signals);
        let letters: u64 = self.lengths.iter().map(|&len| u64::from(len)).sum();
        let chars = letters + (self.lengths.len() as u64).saturating_sub(1);
        signals.set(Signal::RpsLoremIpsum, share_or_zero(lorem_ipsum, chars));

        let raw = RawWords::count(text.whole);
        let bytes = text.whole.as_bytes();
        let matches = |needle: &str| memmem::find_iter(bytes, needle).count() as u64;
        let symbols = matches("#") + matches("...") + ellipses(text) as u64;
        signals.set(Signal::RpsNumSentences, sentences(text.whole) as f64);
        signals.set(Signal::RpsSymbolToWordRatio, share(symbols, raw.all));
        let alph = if raw.all == 0 { f64::NAN } else { 1.0 - raw.with_ascii_letter as f64 / raw.all as f64 };
        signals.set(Signal::RpsFracNoAlphWords, round(alph));
        signals.set(Signal::RpsFracAllCapsWords, share(raw.capitals, raw.all));
        let ended = |line: &&str| {
            let line = line.trim_end_matches(|c| classes::is(c, BLANK));
            line.ends_with("...") || line.ends_with('…')
        };
        let lines = text.newlines + u64::from(!text.whole.is_empty() && !text.whole.ends_with('\n'));
        let ellipsis_lines = text.whole.split('\n').filter(ended).count() as u64;
        signals.set(Signal::RpsFracLinesEndWithEllipsis, share(ellipsis_lines, lines));
        let brackets = memchr_iter(b'{', bytes).count() + memchr_iter(b'}', bytes).count();
        signals.set(Signal::RpsCurlyBracket, share_or_zero(brackets as u64, text.chars));

        let repeated =
            Repeated::count(&mut self.grams, &self.key, &self.hashes, &self.lengths, |level, lengths| {
                chars_of(lengths, level.top.first, level.n)
            });
        signals.set_from(Signal::RpsTop2Gram, repeated.top.map(round));
        signals.set_from(Signal::RpsDupe5Grams, repeated.duplicates.map(round));
    }

    /// Finds the normalised words; gives how often `lorem ipsum` occurs among them.
    fn normalise(&mut self, text: &str) -> u64 {
        self.hashes.clear();
        self.lengths.clear();
        let (mut found, mut after_lorem) = (0, false);
        for word in text.split(|c| classes::is(c, BLANK)) {
            self.word.clear();
            self.word.extend(word.chars().filter(|c| !c.is_ascii_punctuation()));
            if self.word.is_empty() {
                continue;
            }
            if self.word.is_ascii() {
                self.word.make_ascii_lowercase();
            } else {
                let lower = self.word.to_lowercase();
                self.word.clear();
                self.word.extend(lower.nfd().map(|(c, _)| c));
            }
            found += u64::from(after_lorem && self.word.starts_with("ipsum"));
            after_lorem = self.word.ends_with("lorem");
            self.hashes.push(self.key.bytes(self.word.as_bytes()));
            self.lengths.push(self.word.chars().count() as u32);
        }
        found
    }

    fn normalised_words(&mut self, signals: &mut Signals) {
        let words = self.hashes.len();
        self.counts.reset(words);
        for (number, &hash) in self.hashes.iter().enumerate() {
            self.counts.add(hash, number as u32);
        }
        let mut different: Vec<_> = self.counts.all().map(|word| (word.first, word.times)).collect();
        different.sort_unstable();
        let letters = self.lengths.iter().map(|&len| u64::from(len)).sum();
        signals.set(Signal::RpsWordCount, words as f64);
        signals.set(Signal::RpsMeanWordLength, share(letters, words as u64));
        signals.set(Signal::RpsFracUniqueWords, share(different.len() as u64, words as u64));
        // In the order in which the words occur, since the rounding of a sum depends on it.
        let entropy: f64 = different.iter().fold(0.0, |sum, &(_, count)| {
            let (count, words) = (f64::from(count), words as f64);
            sum + -count / words * (count / words).ln()
        });
        signals.set(Signal::RpsUnigramEntropy, if words == 0 { f64::NAN } else { round(entropy) });
    }
}

impl RawWords {
    fn count(text: &str) -> Self {
        let mut words = Self::default();
        let mut before = Kind::Blank;
        let (mut letter, mut upper, mut other_case) = (false, false, false);
        for c in text.chars().chain([' ']) {
            let kind = kind(c);
            if kind != before {
                if before != Kind::Blank {
                    words.all += 1;
                    words.with_ascii_letter += u64::from(letter);
                    words.capitals += u64::from(upper && !other_case);
                }
                (letter, upper, other_case) = (false, false, false);
                before = kind;
            }
            letter |= c.is_ascii_alphabetic();
            if c.is_uppercase() {
                upper = true;
            } else {
                other_case |= c.is_lowercase()
                    || !c.is_ascii() && c.general_category() == GeneralCategory::TitlecaseLetter;
            }
        }
        words
    }
}

fn kind(c: char) -> Kind {
    let class = classes::class(c);
    if class & ALNUM != 0 || c == '_' {
        Kind::Word
    } else if class & BLANK != 0 {
        Kind::Blank
    } else {
        Kind::Other
    }
}

/// Matches of `\b[^.!?]+[.!?]*`.
fn sentences(text: &str) -> u64 {
    let is_mark = |c: char| matches!(c, '.' | '!' | '?');
    let (mut sentences, mut inside, mut word_before) = (0, false, false);
    let mut ended = false;
    for c in text.chars() {
        let word = kind(c) == Kind::Word;
        if is_mark(c) {
            ended = true;
        } else {
            if ended {
                (inside, ended) = (false, false);
            }
            if !inside && word != word_before {
                sentences += 1;
                inside = true;
            }
        }
        word_before = word;
    }
    sentences
}

fn share(count: u64, of: u64) -> f64 {
    if of == 0 { f64::NAN } else { round(count as f64 / of as f64) }
}

fn share_or_zero(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { share(count, of) }
}

/// Rounded to 8 digits as Python's `round` does, to the nearest decimal of the exact value.
fn round(value: f64) -> f64 {
    if value.is_nan() { value } else { format!("{value:.8}").parse().unwrap_or(value) }
}
