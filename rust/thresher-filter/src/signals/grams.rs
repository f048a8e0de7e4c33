//! Repeated n-grams of words, from 2 words up, in time linear in the words.
//!
//! An n-gram can be repeated only where both (n-1)-grams in it are. So of each length only what was left of the length
//! before is counted: of English prose about half of the words at 2, a fifth at 3, a few in a hundred from 5 on. Where all is
//! repeated, each length costs one look into a table that then holds few n-grams. 2-grams pass a sketch of two
//! bits each first, which keeps most single ones out of the table.
//!
//! The greedy rule of datatrove is another one, since it compares n-grams by their letters alone ("ab c" is "a bc"); there the
//! number of words says nothing, and what rules an n-gram out is that its first 16 or 32 bytes come at the start of no
//! other word.

use super::hash::{Counts, Key, Seen, Sketch};
use super::words::Joined;

/// Words of the shortest and the longest n-grams whose duplicates are counted.
pub(crate) const DUPLICATES: [usize; 6] = [5, 6, 7, 8, 9, 10];

/// Words of the n-grams of which the most frequent one is looked for.
pub(crate) const TOP: [usize; 3] = [2, 3, 4];

/// The most frequent n-gram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Top {
    /// How often it occurs; 0 if the text has fewer words than that.
    pub(crate) count: u64,
    /// The first word of the n-gram that occurred first among the most frequent ones.
    pub(crate) first: usize,
}

/// The scratch of one thread.
#[derive(Debug, Default)]
pub(crate) struct Grams {
    sketch: Sketch,
    counts: Counts,
    seen: Seen,
    /// Where the n-grams begin that may be repeated, with their hashes and slots.
    level: Vec<Gram>,
    prefixes: Vec<u64>,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Gram {
    at: u32,
    slot: u32,
    hash: u64,
}

/// A word at which a run that is repeated may begin.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: u32,
    reach: Reach,
    /// The hashes of its runs of 5 to 10 words, as far as there are words.
    hashes: [u64; DUPLICATES.len()],
}

/// How far the bytes from the start of a word on occur at another one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Short,
    Bytes16,
    Bytes32,
}

/// All n-grams of one length.
pub(crate) struct Level<'a> {
    /// Words of each.
    pub(crate) n: usize,
    pub(crate) top: Top,
    grams: &'a [Gram],
    counts: &'a Counts,
}

impl Level<'_> {
    /// Where n-grams begin that occur again or occurred before, in order, with their counts.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = (usize, u64)> {
        self.grams.iter().filter_map(|gram| {
            let count = self.counts.count(gram.slot);
            (count > 1).then_some((gram.at as usize, u64::from(count)))
        })
    }
}

impl Grams {
    /// Counts the n-grams of 2 to `longest` words, given by their hashes, and calls `visit` for each length.
    pub(crate) fn count(
        &mut self,
        key: &Key,
        words: &[u64],
        longest: usize,
        mut visit: impl FnMut(&Level<'_>),
    ) {
        self.pairs(key, words);
        for n in 2..=longest {
            if n > 2 {
                self.grow(key, words, n);
            }
            self.counts.reset(self.level.len());
            let mut top = Top { count: u64::from(words.len() >= n), first: 0 };
            for gram in &mut self.level {
                let (slot, count) = self.counts.add(gram.hash, gram.at);
                gram.slot = slot;
                let found = Top { count: u64::from(count.times), first: count.first as usize };
                // Single n-grams before the first candidate were ruled out, so among those the first of all counts.
                if found.count > top.count
                    || found.count == top.count && found.count > 1 && found.first < top.first
                {
                    top = found;
                }
            }
            visit(&Level { n, top, grams: &self.level, counts: &self.counts });
        }
    }

    /// The pairs of words that may be repeated.
    fn pairs(&mut self, key: &Key, words: &[u64]) {
        self.level.clear();
        self.sketch.reset(words.len());
        for pair in words.windows(2) {
            self.sketch.add(key.pair(pair[0], pair[1]));
        }
        self.level.resize(words.len(), Gram { at: 0, slot: 0, hash: 0 });
        let mut found = 0;
        for (at, pair) in words.windows(2).enumerate() {
            let hash = key.pair(pair[0], pair[1]);
            // Written in any case and kept or not: no branch for each word.
            self.level[found] = Gram { at: at as u32, slot: 0, hash };
            found += usize::from(self.sketch.repeated(hash));
        }
        self.level.truncate(found);
    }

    /// From the n-grams of `n - 1` words to those of `n` that may be repeated.
    fn grow(&mut self, key: &Key, words: &[u64], n: usize) {
        let mut kept = 0;
        for gram in 0..self.level.len() {
            let Gram { at, slot, hash } = self.level[gram];
            let next = self.level.get(gram + 1);
            let both = next.is_some_and(|next| next.at == at + 1 && self.counts.count(next.slot) > 1)
                && self.counts.count(slot) > 1;
            // The next (n-1)-gram is there, so its last word is.
            if let Some(&last) = words.get(at as usize + n - 1).filter(|_| both) {
                self.level[kept] = Gram { at, slot: 0, hash: key.pair(hash, last) };
                kept += 1;
            }
        }
        self.level.truncate(kept);
    }

    /// Characters of duplicate n-grams of 5 to 10 words as datatrove's `find_all_duplicate` counts them: from left to right, one that
    /// occurred before counts with all its letters, and the next one begins behind it.
    pub(crate) fn greedy(&mut self, key: &Key, words: &Joined) -> [u64; DUPLICATES.len()] {
        self.find_candidates(key, words);
        std::array::from_fn(|place| {
            let n = DUPLICATES[place];
            let (mut chars, mut next) = (0, 0);
            self.seen.reset(self.candidates.len());
            for candidate in &self.candidates {
                let at = candidate.at as usize;
                if at < next {
                    continue;
                }
                if at + n > words.len() {
                    break;
                }
                let needed = match words.run_len(at, n) {
                    ..16 => Reach::Short,
                    16..32 => Reach::Bytes16,
                    _ => Reach::Bytes32,
                };
                if candidate.reach >= needed && !self.seen.insert(candidate.hashes[place]) {
                    chars += words.run_chars(at, n);
                    next = at + n;
                }
            }
            chars
        })
    }

    /// Finds the words at which a run that is repeated may begin.
    fn find_candidates(&mut self, key: &Key, words: &Joined) {
        self.candidates.clear();
        let [shortest, ..] = DUPLICATES;
        let Some(runs) = (words.len() + 1).checked_sub(shortest) else { return };
        self.prefixes.clear();
        self.sketch.reset(words.len());
        self.prefixes.extend((0..runs).map(|at| {
            let [low, high, ..] = words.ahead(at);
            let hash = key.pair(low, high);
            self.sketch.add(hash);
            hash
        }));
        let hashes = [0; DUPLICATES.len()];
        for (at, &hash) in self.prefixes.iter().enumerate() {
            if self.sketch.repeated(hash) {
                self.candidates.push(Candidate { at: at as u32, reach: Reach::Bytes16, hashes });
            } else if words.run_len(at, shortest) < 16 {
                self.candidates.push(Candidate { at: at as u32, reach: Reach::Short, hashes });
            }
        }
        self.sketch.reset(self.candidates.len());
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.reach == Reach::Bytes16) {
            let at = candidate.at as usize;
            let [.., low, high] = words.ahead(at);
            let prefix = key.pair(self.prefixes[at], key.pair(low, high));
            self.prefixes[at] = prefix;
            self.sketch.add(prefix);
        }
        for candidate in &mut self.candidates {
            let at = candidate.at as usize;
            if candidate.reach == Reach::Bytes16 && self.sketch.repeated(self.prefixes[at]) {
                candidate.reach = Reach::Bytes32;
            }
            candidate.hashes = words.hash_runs(key, at, DUPLICATES);
        }
    }
}

/// Shares of characters in n-grams of words, by characters of all words.
pub(crate) struct Repeated {
    pub(crate) top: [f64; TOP.len()],
    pub(crate) duplicates: [f64; DUPLICATES.len()],
}

impl Repeated {
    /// Counts n-grams of words given by hashes and characters; `top_chars` says how many characters the most frequent n-gram
    /// of a length has, if it occurs more than once.
    pub(crate) fn count(
        grams: &mut Grams,
        key: &Key,
        hashes: &[u64],
        lengths: &[u32],
        top_chars: impl Fn(&Level<'_>, &[u32]) -> u64,
    ) -> Self {
        let all: u64 = lengths.iter().map(|&len| u64::from(len)).sum();
        let ratio = |chars: u64| if all == 0 { 0.0 } else { chars as f64 / all as f64 };
        let mut found = Self { top: [0.0; TOP.len()], duplicates: [0.0; DUPLICATES.len()] };
        grams.count(key, hashes, DUPLICATES[DUPLICATES.len() - 1], |level| {
            let n = level.n;
            if let Some(top) = found.top.get_mut(n - TOP[0]) {
                if level.top.count > 1 {
                    *top = ratio(top_chars(level, lengths) * level.top.count);
                }
            } else {
                // No word counts twice: `next` is the first one that did not count yet.
                let (mut chars, mut next) = (0, 0);
                for (at, _) in level.repeated() {
                    let from = at.max(next);
                    chars += chars_of(lengths, from, at + n - from);
                    next = at + n;
                }
                found.duplicates[n - DUPLICATES[0]] = ratio(chars);
            }
        });
        found
    }
}

/// Characters of `count` words from `word` on.
pub(crate) fn chars_of(lengths: &[u32], word: usize, count: usize) -> u64 {
    lengths[word..word + count].iter().map(|&len| u64::from(len)).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn hashes(key: &Key, words: &[String]) -> Vec<u64> {
        words.iter().map(|word| key.bytes(word.as_bytes())).collect()
    }

    fn joined(key: &Key, words: &[String]) -> Joined {
        let mut joined = Joined::default();
        joined.reset(words.iter().map(String::len).sum(), words.len());
        for word in words {
            joined.push(key, word.as_bytes(), 0, word.len(), word.chars().count() as u32);
        }
        joined.finish();
        joined
    }

    /// datatrove's `find_all_duplicate`, line by line.
    fn find_all_duplicate(words: &[String], n: usize) -> u64 {
        let (mut seen, mut chars, mut at) = (HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let gram = words[at..at + n].concat();
            if seen.contains(&gram) {
                chars += gram.chars().count() as u64;
                at += n;
            } else {
                seen.insert(gram);
                at += 1;
            }
        }
        chars
    }

    fn check(words: &[String]) {
        let key = Key::new(3);
        let mut grams = Grams::default();
        let mut lengths = Vec::new();
        grams.count(&key, &hashes(&key, words), 10, |level| {
            let mut counts: HashMap<&[String], u64> = HashMap::new();
            for gram in words.windows(level.n) {
                *counts.entry(gram).or_default() += 1;
            }
            let most = counts.values().copied().max().unwrap_or(0);
            let first = words.windows(level.n).position(|gram| counts[gram] == most).unwrap_or(0);
            assert_eq!(level.top, Top { count: most, first }, "{words:?} {}", level.n);
            let repeated = words.windows(level.n).map(|gram| counts[gram]).enumerate();
            assert!(repeated.filter(|&(_, count)| count > 1).eq(level.repeated()), "{words:?} {}", level.n);
            lengths.push(level.n);
        });
        assert!(lengths.into_iter().eq(2..=10));
        let expected = DUPLICATES.map(|n| find_all_duplicate(words, n));
        assert_eq!(grams.greedy(&key, &joined(&key, words)), expected, "{words:?}");
    }

    #[test]
    fn words_that_only_join_to_the_same_letters_are_duplicates_to_datatrove() {
        let words = "-- --- --- ---- - x - ---- --- --- --";
        check(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for period in 1..14 {
            let words: Vec<String> = (0..200).map(|word| "ab".repeat(1 + word % period)).collect();
            check(&words);
        }
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_naive_count(words in proptest::collection::vec("[ab]{1,3}", 0..80)) {
            check(&words);
        }

        #[test]
        fn so_they_are_for_long_words_and_few_of_them(
            words in proptest::collection::vec("[aé]{1,2}|abcdefgh|(abcdefgh){5,6}", 0..60),
        ) {
            check(&words);
        }
    }
}
