//! The signals of DCLM-baseline.
//!
//! Definitions are those of `baselines/mappers` of mlfoundations/dclm at 361714b with the steps of `dclm_baseline_refinedweb.yaml`, but
//! for URLs and languages; the paper is Li et al. 2024. Words are cut three ways there: at blanks; at the separators of
//! fastText, where they count if they begin with a letter or a number; and for n-grams at the word boundaries of
//! Unicode, with the same condition.

use memchr::memmem;
use unicode_segmentation::UnicodeSegmentation;

use super::catalogue::{Signal, Signals};
use super::classes::{self, ALNUM};
use super::edits::{edit, strip};
use super::grams::{Grams, Repeated, chars_of};
use super::hash::{Counts, Key};
use super::lines::{self, WordsByLine};
use super::page::{Text, ellipses};
use super::words::{Word, Words};

const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// The scratch of one thread.
#[derive(Debug)]
pub(crate) struct Dclm {
    key: Key,
    grams: Grams,
    counts: Counts,
    /// Slot and characters of each line or paragraph.
    segments: Vec<(u32, u64)>,
    hashes: Vec<u64>,
    lengths: Vec<u32>,
}

impl Dclm {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            grams: Grams::default(),
            counts: Counts::default(),
            segments: Vec::new(),
            hashes: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// Computes the signals; `words` are those of the text.
    pub(crate) fn compute(&mut self, text: Text<'_>, words: &Words, signals: &mut Signals) {
        let num_words = words.all.len() as u64;
        let counted = count_words(text.whole);
        signals.set(Signal::DclmWords, counted as f64);
        signals.set_ratio(Signal::DclmMeanWord, words.chars, num_words);
        let matches = |needle: &str| memmem::find_iter(text.whole.as_bytes(), needle).count();
        let symbols = matches("#") + matches("...") + matches(". . .") + ellipses(text);
        signals.set_ratio(Signal::DclmSymbols, symbols as u64, num_words);
        signals.set_ratio(Signal::DclmNoLetterWords, num_words - words.with_letter, num_words);
        let is_stop_word = |word: &&Word| {
            word.len <= 4 && STOP_WORDS.iter().any(|stop| word.of(text.whole).eq_ignore_ascii_case(stop))
        };
        signals.set(Signal::DclmStopWords, words.all.iter().filter(is_stop_word).count() as f64);
        self.lines(text, words, signals);
        self.paragraphs(text, signals);
        self.repetition(text, signals);
        // Edits only take away.
        let edited = edit(text.whole);
        let left = if edited.len() == text.whole.len() { counted } else { count_words(&edited) };
        let removed = if counted == 0 { f64::NAN } else { (counted as f64 - left as f64) / counted as f64 };
        signals.set(Signal::DclmRemovedWords, removed);
    }

    fn lines(&mut self, text: Text<'_>, words: &Words, signals: &mut Signals) {
        let (mut bullets, mut ellipses) = (0, 0);
        self.segments.clear();
        self.counts.reset(text.newlines as usize + 1);
        let mut by_line = WordsByLine::new(&words.all);
        for line in lines::split(text.whole) {
            let (_, of_line) = by_line.before(line.at + line.text.len());
            let [first, ..] = of_line else { continue };
            let end = of_line.last().map_or(0, |last| last.end());
            let line = text.whole.get(first.at as usize..end).unwrap_or_default();
            bullets += u64::from(line.starts_with(['●', '•', '*', '-']));
            ellipses += u64::from(["...", ". . .", "…"].iter().any(|end| line.ends_with(end)));
            self.segment(text, line);
        }
        let lines = self.segments.len() as u64;
        signals.set_ratio(Signal::DclmBulletLines, bullets, lines);
        signals.set_ratio(Signal::DclmEllipsisLines, ellipses, lines);
        self.repeated_segments(signals, [Signal::DclmRepeatedLines, Signal::DclmRepeatedLineChars]);
    }

    fn paragraphs(&mut self, text: Text<'_>, signals: &mut Signals) {
        self.segments.clear();
        self.counts.reset(text.newlines as usize / 2 + 1);
        let mut from = 0;
        let ends = memmem::find_iter(text.whole.as_bytes(), "\n\n").chain([text.whole.len()]);
        for end in ends {
            let paragraph = strip(text.whole.get(from..end).unwrap_or_default());
            if !paragraph.is_empty() {
                self.segment(text, paragraph);
            }
            from = end + 2;
        }
        let to = [Signal::DclmRepeatedParagraphs, Signal::DclmRepeatedParagraphChars];
        self.repeated_segments(signals, to);
    }

    #[inline(always)]
    fn segment(&mut self, text: Text<'_>, segment: &str) {
        let (slot, _) = self.counts.add(self.key.bytes(segment.as_bytes()), 0);
        self.segments.push((slot, text.chars_of(segment)));
    }

    fn repeated_segments(&self, signals: &mut Signals, [share, share_of_chars]: [Signal; 2]) {
        let (mut repeated, mut repeated_chars, mut chars) = (0, 0, 0);
        for &(slot, len) in &self.segments {
            let again = u64::from(self.counts.count(slot) > 1);
            repeated += again;
            repeated_chars += again * len;
            chars += len;
        }
        signals.set_ratio(share, repeated, self.segments.len() as u64);
        signals.set_ratio(share_of_chars, repeated_chars, chars);
    }

    fn repetition(&mut self, text: Text<'_>, signals: &mut Signals) {
        self.hashes.clear();
        self.lengths.clear();
        for word in text.whole.unicode_words() {
            if word.chars().next().is_some_and(|c| classes::is(c, ALNUM)) {
                self.hashes.push(self.key.bytes(word.as_bytes()));
                self.lengths.push(text.chars_of(word) as u32);
            }
        }
        let repeated =
            Repeated::count(&mut self.grams, &self.key, &self.hashes, &self.lengths, |level, lengths| {
                let most = level.repeated().filter(|&(_, count)| count == level.top.count);
                most.map(|(at, _)| chars_of(lengths, at, level.n)).max().unwrap_or(0)
            });
        signals.set_from(Signal::DclmTop2Gram, repeated.top);
        signals.set_from(Signal::DclmRepeated5Grams, repeated.duplicates);
    }
}

/// Words as fastText cuts them that begin with a letter or a number.
fn count_words(text: &str) -> u64 {
    let (mut words, mut before) = (0, true);
    if text.is_ascii() {
        for &byte in text.as_bytes() {
            words += u64::from(before & byte.is_ascii_alphanumeric());
            before = is_separator(byte);
        }
    } else {
        for c in text.chars() {
            words += u64::from(before && classes::is(c, ALNUM));
            before = u8::try_from(c).is_ok_and(is_separator);
        }
    }
    words
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\t'..=b'\r' | b' ')
}
