//! One text after the other against the index.
//!
//! ```text
//! text ─ words, hashed, some hundred at a time ─ n-grams ─ filter ─ table ─ compared word by word ─> runs of n-grams
//!                                              └ 5-grams, for short passages and for edits           │
//! none: the text is clean                                                      rule ─> matches, spans of the text
//! ```
//!
//! A clean text costs its words, one look at the filter for each, and nothing else. Where n-grams are found they are noted
//! as runs, 24 bytes each, however long; only a text that the rule holds against is read again, to find the bytes of the words.

use std::ops::Range;

use thresher_core::Shingler;

use super::fuzzy::{Aligner, Found, OVERLAP, SEGMENT};
use super::index::{Index, SEED};
use super::verdict::{Run, Verdict, judge};

/// Words that are held before those that were looked at are dropped.
const HELD: usize = 4096;

/// Holds texts against an index; one for each thread.
#[derive(Debug)]
pub struct Detector<'i> {
    index: &'i Index,
    shingler: Shingler,
    scan: Scan,
}

/// What is known of the text at hand.
#[derive(Debug, Default)]
struct Scan {
    /// Hashes of words: those to be looked at, and those before that are still needed.
    words: Vec<u64>,
    /// One more than words; see [`super::table`].
    prefix: Vec<u64>,
    /// The place in the text of the first of them.
    base: usize,
    /// How many of them n-grams have been looked up from.
    done: usize,
    sifted: Vec<(u32, u64)>,
    hits: Vec<(u32, u32)>,
    runs: Vec<Run>,
    aligner: Aligner,
    in_segment: Vec<Found>,
    found: Vec<Found>,
}

impl<'i> Detector<'i> {
    /// A detector.
    #[must_use]
    pub fn new(index: &'i Index) -> Self {
        Self { index, shingler: index.shingler(), scan: Scan::default() }
    }

    /// What of the index is in a text; nothing if it is clean by the rule.
    pub fn check(&mut self, text: &str) -> Option<Verdict> {
        let Self { index, shingler, scan } = self;
        scan.clear();
        shingler.each_part(text, &mut |words| scan.take(index, words));
        scan.end(index);
        if scan.runs.is_empty() && scan.found.is_empty() {
            return None;
        }
        judge(index, text, &scan.runs, &scan.found)
    }
}

impl Scan {
    fn clear(&mut self) {
        self.words.clear();
        self.prefix.clear();
        self.prefix.push(0);
        (self.base, self.done) = (0, 0);
        self.runs.clear();
        self.found.clear();
    }

    fn take(&mut self, index: &Index, words: &[u64]) {
        self.words.extend_from_slice(words);
        let mut last = self.prefix[self.prefix.len() - 1];
        self.prefix.extend(words.iter().map(|&word| {
            last = index.hasher.extend(last, word);
            last
        }));
        // All that begins here ends within what is there.
        let ready = (self.words.len() + 1).saturating_sub(index.width.words);
        self.look(index, ready, ready);
        let (most, held) = if index.seeds.is_some() { (SEGMENT, OVERLAP) } else { (HELD, 0) };
        if self.done > most {
            self.align(index);
            let gone = self.done - held;
            self.words.drain(..gone);
            self.prefix.drain(..gone);
            self.base += gone;
            self.done = held;
            // Votes of the words that both segments have.
            self.vote(index, 0, held);
        }
    }

    /// Looks at the last words, behind which there are fewer than those of an n-gram.
    fn end(&mut self, index: &Index) {
        let len = self.words.len() + 1;
        self.look(index, len.saturating_sub(index.width.words), len.saturating_sub(SEED));
        self.align(index);
    }

    /// Looks up n-grams that begin before `grams`, and 5-grams that begin before `seeds`.
    fn look(&mut self, index: &Index, grams: usize, seeds: usize) {
        let Self { words, prefix, base, done, sifted, hits, runs, .. } = self;
        let (hasher, from) = (index.hasher, *done);
        let ngram = index.width.words;
        index.table.sift(hasher, index.width, prefix, from, grams, sifted);
        hits.clear();
        let same = |at: u32, place: u32| index.gram_at(place) == &words[at as usize..at as usize + ngram];
        index.table.look_up(sifted, same, |at, place| hits.push((at, place)));
        for &(at, place) in &*hits {
            Run::note(runs, *base + at as usize, place, ngram);
        }
        if let Some(short) = &index.short {
            hits.clear();
            short.table.sift(hasher, short.width, prefix, from, seeds, sifted);
            let same = |at: u32, place: u32| seed(&index.words, place) == seed(words, at);
            short.table.look_up(sifted, same, |at, place| hits.push((at, place)));
            for &(at, place) in &*hits {
                let mut lengths = short.lengths.get(&place).copied().unwrap_or_default();
                while lengths != 0 {
                    let length = lengths.trailing_zeros() as usize;
                    lengths &= lengths - 1;
                    let Some(gram) = words.get(at as usize..at as usize + length) else { break };
                    if let Some(place) =
                        index.table.find(hasher.of(gram), |place| index.gram_at(place) == gram)
                    {
                        Run::note(runs, *base + at as usize, place, length);
                    }
                }
            }
        }
        // What is left of `seeds` beyond `grams` is looked at once, at the end of the text.
        *done = grams.max(from);
        self.vote(index, from, seeds);
    }

    /// Looks up the seeds of edited items that begin at `from..to`.
    fn vote(&mut self, index: &Index, from: usize, to: usize) {
        let Some(seeds) = &index.seeds else { return };
        let Self { words, prefix, sifted, aligner, .. } = self;
        seeds.table.sift(index.hasher, seeds.width, prefix, from, to, sifted);
        let same = |at: u32, place: u32| seed(&index.words, place) == seed(words, at);
        seeds.table.look_up(sifted, same, |at, place| seeds.vote(index, aligner, at, place));
    }

    fn align(&mut self, index: &Index) {
        let Some(seeds) = &index.seeds else { return };
        self.in_segment.clear();
        seeds.settle(index, &mut self.aligner, &self.words, &mut self.in_segment);
        let base = self.base;
        self.found.extend(self.in_segment.iter().map(|found| Found {
            start: base + found.start,
            end: base + found.end,
            ..*found
        }));
    }
}

fn seed(words: &[u64], place: u32) -> &[u64] {
    &words[place as usize..place as usize + SEED]
}

/// Joins ranges that touch or overlap; they are sorted by their starts.
pub(crate) fn joined(ranges: &mut Vec<Range<usize>>) {
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
}
