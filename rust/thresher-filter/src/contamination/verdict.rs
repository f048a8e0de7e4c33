//! From runs of n-grams to what the rule says of a text: which items it holds, and where.

use std::collections::HashMap;
use std::ops::Range;

use thresher_core::words::for_each_word_at;

use super::detect::joined;
use super::fuzzy::Found;
use super::index::Index;
use super::items::Side;
use super::rule::Measure;

/// N-grams of a text that follow each other, and that the references have in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first word in the text.
    at: usize,
    /// The first place of the first n-gram in the references.
    place: u32,
    /// How many there are.
    count: u32,
    /// Words of each.
    length: u32,
}

/// A field of an item that a text holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The benchmark, by its place.
    pub benchmark: u32,
    /// The row of the item in it.
    pub row: u32,
    /// The name of the field, by its place in the index.
    pub(crate) field: u32,
    /// Whether it is a prompt or an answer.
    pub side: Side,
    /// What the rule measures, from 0 to 1: the share of its n-grams, or of its words, that the text holds; with edits, the share
    /// of its words that are as they were.
    pub overlap: f64,
    /// It was found by an alignment alone.
    pub edited: bool,
    /// The longest stretch of the text that holds it, in bytes.
    pub span: Range<usize>,
}

impl Match {
    /// The name of the field.
    #[must_use]
    pub fn field<'i>(&self, index: &'i Index) -> &'i str {
        &index.fields[self.field as usize]
    }
}

/// What a contaminated text holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The fields, by benchmark, row and field.
    pub matches: Vec<Match>,
    /// All stretches of the text that belong to them, in bytes, in order and apart from each other.
    pub spans: Vec<Range<usize>>,
}

/// What is found of an entry.
#[derive(Default)]
struct Touched {
    /// Where the entry has n-grams of the text, and the first place of each in all references.
    places: Vec<u32>,
    firsts: Vec<u32>,
    /// The stretch of the text that is being looked at, and the longest one, in words.
    now: Range<usize>,
    longest: Range<usize>,
}

impl Run {
    pub(crate) fn note(runs: &mut Vec<Self>, at: usize, place: u32, length: usize) {
        let length = length as u32;
        if let Some(last) = runs.last_mut()
            && last.length == length
            && last.at + last.count as usize == at
            && last.place + last.count == place
        {
            last.count += 1;
        } else {
            runs.push(Self { at, place, count: 1, length });
        }
    }

    /// Where each n-gram is in the text, in words, and first in the references.
    fn grams(self) -> impl Iterator<Item = (Range<usize>, u32)> {
        let Self { at, place, count, length } = self;
        (0..count).map(move |n| {
            let at = at + n as usize;
            (at..at + length as usize, place + n)
        })
    }
}

impl Touched {
    fn see(&mut self, words: &Range<usize>) {
        if words.start <= self.now.end && words.start >= self.now.start {
            self.now.end = self.now.end.max(words.end);
        } else {
            self.now = words.clone();
        }
        if self.now.len() > self.longest.len() {
            self.longest = self.now.clone();
        }
    }
}

/// What the rule says of a text with these runs of n-grams, and these pieces with edits; nothing if it is clean.
pub(crate) fn judge(index: &Index, text: &str, runs: &[Run], found: &[Found]) -> Option<Verdict> {
    // Of an n-gram that the text repeats, the first time tells which fields it belongs to.
    let mut telling: HashMap<u32, bool> = HashMap::new();
    let mut touched: HashMap<u32, Touched> = HashMap::new();
    for (words, first) in runs.iter().flat_map(|run| run.grams()) {
        if telling.insert(first, false).is_some() {
            continue;
        }
        for place in index.places(first) {
            let entry = touched.entry(index.entry_of[place as usize]).or_default();
            entry.places.push(place);
            entry.firsts.push(first);
            entry.see(&words);
        }
    }
    let mut matches = HashMap::new();
    for (number, touched) in &mut touched {
        let overlap = overlap(index, *number, &mut touched.places);
        if !is_enough(index, overlap) {
            continue;
        }
        telling.extend(touched.firsts.iter().map(|&first| (first, true)));
        note(&mut matches, index, *number, (overlap, false), touched.longest.clone());
    }
    let mut spans: Vec<Range<usize>> = found.iter().map(|found| found.start..found.end).collect();
    for found in found {
        note(&mut matches, index, found.entry, (found.overlap, true), found.start..found.end);
    }
    if matches.is_empty() {
        return None;
    }
    let telling = runs.iter().flat_map(|run| run.grams()).filter(|(_, first)| telling[first]);
    for (words, _) in telling {
        match spans.last_mut().filter(|last| last.start <= words.start && words.start <= last.end) {
            Some(last) => last.end = last.end.max(words.end),
            None => spans.push(words),
        }
    }
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    joined(&mut spans);
    let mut matches: Vec<Match> = matches.into_values().collect();
    matches.sort_unstable_by_key(|found| (found.benchmark, found.row, found.field));
    in_bytes(text, spans.iter_mut().chain(matches.iter_mut().map(|found| &mut found.span)));
    Some(Verdict { matches, spans })
}

/// What the rule measures of an entry.
fn overlap(index: &Index, number: u32, places: &mut [u32]) -> f64 {
    let entry = &index.entries[number as usize];
    if let Measure::Words(_) = index.options.rule.measure {
        places.sort_unstable();
        let mut covered_to = 0;
        let words = places.iter().map(|&place| {
            let new = place + entry.gram - place.max(covered_to);
            covered_to = place + entry.gram;
            new
        });
        return f64::from(words.sum::<u32>()) / f64::from(entry.covered);
    }
    places.len() as f64 / f64::from(entry.grams)
}

fn is_enough(index: &Index, overlap: f64) -> bool {
    match index.options.rule.measure {
        Measure::Any => true,
        Measure::Grams(share) | Measure::Words(share) => overlap >= share,
    }
}

/// Notes a field once, as it is found best.
fn note(
    matches: &mut HashMap<(u32, u32, u32), Match>,
    index: &Index,
    entry: u32,
    (overlap, edited): (f64, bool),
    span: Range<usize>,
) {
    let entry = &index.entries[entry as usize];
    let (benchmark, row, field, side) = (entry.benchmark, entry.row, entry.field, entry.side);
    let new = Match { benchmark, row, field, side, overlap, edited, span };
    let rank = |one: &Match| (!one.edited, one.overlap, one.span.len(), std::cmp::Reverse(one.span.start));
    matches
        .entry((benchmark, row, field))
        .and_modify(|known| {
            if rank(&new) > rank(known) {
                *known = new.clone();
            }
        })
        .or_insert(new);
}

/// Turns ranges of words into ranges of bytes.
fn in_bytes<'r>(text: &str, ranges: impl Iterator<Item = &'r mut Range<usize>>) {
    let mut ends: Vec<(usize, &mut usize, bool)> = Vec::new();
    for range in ranges {
        let Range { start, end } = range;
        ends.push((*start, start, false));
        ends.push((*end - 1, end, true));
    }
    ends.sort_unstable_by_key(|(word, _, _)| *word);
    let mut ends = ends.into_iter().peekable();
    let mut number = 0;
    for_each_word_at(text, |place, _| {
        while let Some((_, end, is_end)) = ends.next_if(|(word, _, _)| *word == number) {
            *end = if is_end { place.end } else { place.start };
        }
        number += 1;
    });
}
