//! The signals of Gopher, C4 and FineWeb: one walk over the words, one over the lines, and the n-grams.
//!
//! Definitions are those of datatrove 0.10.1 (`pipeline/filters/{gopher_quality,gopher_repetition,c4,fineweb_quality}_filter.py`),
//! with words cut at blanks; the papers are Rae et al. 2021 (Gopher, appendix A), Raffel et al. 2020 (C4) and Penedo et al. 2024
//! (FineWeb).

use memchr::{memchr_iter, memmem};

use super::c4::{C4Lines, Fate, Judge, Phrases};
use super::catalogue::{Group, Signal, Signals};
use super::classes::{self, TERMINAL};
use super::grams::{Grams, TOP};
use super::hash::{Key, Seen};
use super::lines::{self, Line, WordsByLine};
use super::sentences;
use super::words::{Joined, Word, Words};

/// Words that Gopher counts, as bytes with their length in the highest one.
const STOP_WORDS: [u64; 8] = [
    stop_word(b"the"),
    stop_word(b"be"),
    stop_word(b"to"),
    stop_word(b"of"),
    stop_word(b"and"),
    stop_word(b"that"),
    stop_word(b"have"),
    stop_word(b"with"),
];

/// Characters of a line that FineWeb calls short.
const SHORT_LINE: u64 = 30;

const fn stop_word(word: &[u8]) -> u64 {
    let (mut packed, mut at) = ((word.len() as u64) << 56, 0);
    while at < word.len() {
        packed |= (word[at] as u64) << (8 * at);
        at += 1;
    }
    packed
}

/// The scratch of one thread.
#[derive(Debug)]
pub(crate) struct Page {
    key: Key,
    groups: u32,
    c4: C4Lines,
    pub(crate) words: Words,
    joined: Joined,
    phrases: Phrases,
    grams: Grams,
    seen: Seen,
    dots: memmem::Finder<'static>,
    blank_line: memmem::Finder<'static>,
}

/// What is known of a text as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) whole: &'a str,
    pub(crate) ascii: bool,
    pub(crate) chars: u64,
    pub(crate) newlines: u64,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let ascii = text.is_ascii();
        let newlines = memchr_iter(b'\n', text.as_bytes()).count() as u64;
        let mut known = Self { whole: text, ascii, chars: 0, newlines };
        known.chars = known.chars_of(text);
        known
    }

    /// Characters of a part of it.
    #[inline(always)]
    pub(crate) fn chars_of(&self, part: &str) -> u64 {
        if self.ascii { part.len() as u64 } else { part.chars().count() as u64 }
    }
}

#[derive(Debug, Default)]
struct LineTotals {
    filled: u64,
    chars: u64,
    longest: u64,
    split: u64,
    bullets: u64,
    ellipses: u64,
    not_empty: u64,
    duplicates: u64,
    duplicate_chars: u64,
    ended: u64,
    short: u64,
    duplicate_filled_chars: u64,
}

impl Page {
    pub(crate) fn new(key: Key, groups: u32, c4: C4Lines) -> Self {
        Self {
            key,
            groups,
            c4,
            words: Words::default(),
            joined: Joined::default(),
            phrases: Phrases::default(),
            grams: Grams::default(),
            seen: Seen::default(),
            dots: memmem::Finder::new("..."),
            blank_line: memmem::Finder::new("\n\n"),
        }
    }

    #[inline(always)]
    fn wants(&self, group: Group) -> bool {
        self.groups & group.bit() != 0
    }

    /// Computes the signals of all wanted groups of this file.
    pub(crate) fn compute(&mut self, text: Text<'_>, signals: &mut Signals) {
        self.words.find(text.whole);
        signals.set(Signal::Chars, text.chars as f64);
        signals.set(Signal::Words, self.words.all.len() as f64);
        signals.set(Signal::LongestWord, f64::from(self.words.longest));
        signals.set_ratio(Signal::MeanWord, self.words.chars, self.words.all.len() as u64);
        if [Group::Gopher, Group::Repetition, Group::C4].iter().any(|&group| self.wants(group)) {
            let stop_words = self.walk_words(text, self.wants(Group::C4));
            if self.wants(Group::Gopher) {
                signals.set(Signal::GopherStopWords, f64::from(stop_words));
            }
        }
        self.walk_lines(text, signals);
        if self.wants(Group::Gopher) {
            self.gopher(text, signals);
        }
        if self.wants(Group::Repetition) {
            self.paragraphs(text, signals);
            self.repetition(text, signals);
        }
    }

    /// Joins and hashes the words, and looks for phrases in them if asked; gives how many of the stop words occur.
    fn walk_words(&mut self, text: Text<'_>, phrases: bool) -> u32 {
        let bytes = text.whole.as_bytes();
        self.phrases.reset(if phrases { text.whole } else { "" });
        self.joined.reset(bytes.len(), self.words.all.len());
        let mut stop_words = 0u32;
        for &Word { at, len, chars } in &self.words.all {
            let (at, len) = (at as usize, len as usize);
            let [first, _] = self.joined.push(&self.key, bytes, at, len, chars);
            let tagged = first | (len.min(255) as u64) << 56;
            for (bit, &stop_word) in STOP_WORDS.iter().enumerate() {
                stop_words |= u32::from(tagged == stop_word) << bit;
            }
            if phrases {
                self.phrases.look(bytes, at, len, first);
            }
        }
        self.joined.finish();
        stop_words.count_ones()
    }

    fn walk_lines(&mut self, text: Text<'_>, signals: &mut Signals) {
        let whole = !lines::has_other_breaks(text.whole);
        let [c4, fine_web] = [Group::C4, Group::FineWeb].map(|group| self.wants(group));
        let hashed = fine_web || self.wants(Group::Repetition);
        self.seen.reset(if hashed { text.newlines as usize + 1 } else { 0 });
        let mut totals = LineTotals::default();
        let mut fates = [0u64; 8];
        let mut sentences = 0;
        let mut judge = Judge::new(text.whole, &self.words, &self.phrases, self.c4);
        let mut words = WordsByLine::new(&self.words.all);
        let mut split_words = WordsByLine::new(&self.words.all);
        for line in lines::split(text.whole) {
            let (_, of_line) = words.before(line.at + line.text.len());
            totals.add(text, line, of_line, hashed.then_some((&self.key, &mut self.seen)));
            lines::split_further(line, whole, |at, part| {
                let (_, of_part) = split_words.before(at + part.len());
                totals.split += 1;
                totals.bullets += u64::from(begins_with_bullet(text.whole, of_part));
                totals.ellipses += u64::from(ends_with_ellipsis(text.whole, of_part));
                if c4 {
                    let (fate, kept) = judge.judge(of_part);
                    fates[fate as usize] += 1;
                    if fate == Fate::Kept {
                        sentences += sentences::count(kept);
                    }
                }
            });
        }
        signals.set(Signal::Lines, totals.filled as f64);
        signals.set(Signal::LongestLine, totals.longest as f64);
        signals.set_ratio(Signal::MeanLine, totals.chars, totals.filled);
        if self.wants(Group::Gopher) {
            signals.set_ratio(Signal::GopherBulletLines, totals.bullets, totals.split);
            signals.set_ratio(Signal::GopherEllipsisLines, totals.ellipses, totals.split);
        }
        if self.wants(Group::Repetition) {
            let edges = [text.whole.starts_with('\n'), text.whole.ends_with('\n')].map(u64::from);
            let duplicates = totals.duplicates + edges[0] * edges[1];
            let lines = totals.not_empty + edges.iter().sum::<u64>();
            signals.set_ratio(Signal::DuplicateLines, duplicates, lines);
            signals.set_ratio(Signal::DuplicateLineChars, totals.duplicate_chars, text.chars);
        }
        if fine_web {
            signals.set(Signal::FineWebLines, totals.filled as f64);
            signals.set_ratio(Signal::FineWebLinePunct, totals.ended, totals.filled);
            signals.set_ratio(Signal::FineWebShortLines, totals.short, totals.filled);
            let chars = text.chars - text.newlines;
            signals.set_ratio(Signal::FineWebDuplicateChars, totals.duplicate_filled_chars, chars);
            signals.set_ratio(Signal::FineWebNewlines, text.newlines, self.words.all.len() as u64);
        }
        if c4 {
            let of = |fate: Fate| fates[fate as usize] as f64;
            let counts = [
                of(Fate::Kept),
                sentences as f64,
                of(Fate::LoremIpsum),
                of(Fate::CurlyBracket),
                of(Fate::LongWord),
                of(Fate::Unended),
                of(Fate::Short),
                of(Fate::Javascript),
                of(Fate::Policy),
            ];
            signals.set_from(Signal::C4KeptLines, counts);
        }
    }

    fn gopher(&mut self, text: Text<'_>, signals: &mut Signals) {
        let bytes = text.whole.as_bytes();
        let words = self.words.all.len() as u64;
        let hashes = memchr_iter(b'#', bytes).count() as u64;
        let ellipses = self.dots.find_iter(bytes).count() + ellipses(text);
        signals.set(Signal::GopherWords, self.words.plain as f64);
        signals.set_ratio(Signal::GopherMeanWord, self.words.plain_chars, self.words.plain);
        signals.set_ratio(Signal::GopherHashes, hashes, words);
        signals.set_ratio(Signal::GopherEllipses, ellipses as u64, words);
        signals.set_ratio(Signal::GopherLetterWords, self.words.with_letter, words);
    }

    fn paragraphs(&mut self, text: Text<'_>, signals: &mut Signals) {
        let mut rest = self.words.stripped(text.whole);
        let (mut paragraphs, mut duplicates, mut duplicate_chars) = (0, 0, 0);
        // A paragraph but the last takes three bytes.
        self.seen.reset(text.newlines as usize / 2 + 1);
        loop {
            let end = self.blank_line.find(rest.as_bytes());
            let paragraph = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            paragraphs += 1;
            let single = end.is_none() && paragraphs == 1;
            if !single && !self.seen.insert(self.key.bytes(paragraph.as_bytes())) {
                duplicates += 1;
                duplicate_chars += text.chars_of(paragraph);
            }
            let Some(end) = end else { break };
            rest = rest.get(end..).unwrap_or_default().trim_start_matches('\n');
        }
        signals.set_ratio(Signal::DuplicateParagraphs, duplicates, paragraphs);
        signals.set_ratio(Signal::DuplicateParagraphChars, duplicate_chars, text.chars);
    }

    fn repetition(&mut self, text: Text<'_>, signals: &mut Signals) {
        let Self { key, joined, grams, .. } = self;
        let mut tops = [0; TOP.len()];
        grams.count(key, &joined.hashes, TOP[TOP.len() - 1], |level| {
            if level.top.count > 0 {
                let blanks = level.n as u64 - 1;
                let chars = joined.run_chars(level.top.first, level.n) + blanks;
                tops[level.n - TOP[0]] = chars * level.top.count;
            }
        });
        let ratio = |chars: u64| if text.chars == 0 { f64::NAN } else { chars as f64 / text.chars as f64 };
        signals.set_from(Signal::Top2Gram, tops.map(ratio));
        signals.set_from(Signal::Duplicate5Grams, grams.greedy(key, joined).map(ratio));
    }

    /// The text as C4 edits it: its kept lines, one a line.
    pub(crate) fn c4_text(&mut self, text: Text<'_>) -> String {
        self.words.find(text.whole);
        self.walk_words(text, true);
        let whole = !lines::has_other_breaks(text.whole);
        let mut judge = Judge::new(text.whole, &self.words, &self.phrases, self.c4);
        let mut words = WordsByLine::new(&self.words.all);
        let mut edited = String::new();
        let mut any = false;
        for line in lines::split(text.whole) {
            lines::split_further(line, whole, |at, part| {
                let (_, of_part) = words.before(at + part.len());
                let (fate, kept) = judge.judge(of_part);
                if fate == Fate::Kept {
                    if std::mem::replace(&mut any, true) {
                        edited.push('\n');
                    }
                    edited.push_str(kept);
                }
            });
        }
        edited.trim_matches(|c| classes::is(c, classes::BLANK)).to_owned()
    }
}

impl LineTotals {
    #[inline(always)]
    fn add(&mut self, text: Text<'_>, line: Line<'_>, words: &[Word], hashed: Option<(&Key, &mut Seen)>) {
        if line.text.is_empty() {
            return;
        }
        let chars = text.chars_of(line.text);
        self.longest = self.longest.max(chars);
        self.not_empty += 1;
        let filled = u64::from(!words.is_empty());
        if let Some((key, seen)) = hashed
            && !seen.insert(key.bytes(line.text.as_bytes()))
        {
            self.duplicates += 1;
            self.duplicate_chars += chars;
            self.duplicate_filled_chars += filled * chars;
        }
        self.filled += filled;
        self.chars += filled * chars;
        self.short += filled * u64::from(chars <= SHORT_LINE);
        self.ended += filled * u64::from(ends_with_mark(line.text));
    }
}

/// `…` in a text.
pub(crate) fn ellipses(text: Text<'_>) -> usize {
    if text.ascii { 0 } else { text.whole.matches('…').count() }
}

#[inline(always)]
fn ends_with_mark(line: &str) -> bool {
    match line.as_bytes().last() {
        Some(last) if last.is_ascii() => matches!(last, b'.' | b'?' | b'!'),
        _ => line.chars().next_back().is_some_and(|c| classes::is(c, TERMINAL)),
    }
}

#[inline(always)]
fn begins_with_bullet(text: &str, words: &[Word]) -> bool {
    words.first().is_some_and(|first| first.of(text).starts_with(['-', '•']))
}

#[inline(always)]
fn ends_with_ellipsis(text: &str, words: &[Word]) -> bool {
    words.last().is_some_and(|last| {
        let last = last.of(text);
        last.ends_with("...") || last.ends_with('…')
    })
}
