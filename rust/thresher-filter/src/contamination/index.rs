//! The references: their words, where each n-gram is among them, and whose passages they are.
//!
//! Memory is 16 bytes a word of the references, 16 to 32 an n-gram, and the filter. Building takes one pass over the
//! texts and one over the n-grams. An n-gram counts for nothing if more than `common` different items of one benchmark have
//! it, since then it is the frame of the questions and not one of them, or if it has fewer than three different words besides single letters and
//! digits.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use thresher_core::hash::Keys;
use thresher_core::{Error, Result, Secret, ShingleSpec, ShingleUnit, Shingler};

use super::fuzzy::Seeds;
use super::items::{Benchmark, Item, Side};
use super::passages::{Looked, Words};
use super::rule::Rule;
use super::table::{Hasher, MAX_PLACES, NONE, Table, Width};

/// Different words that an n-gram has, single letters and digits apart.
const LEAST_DIFFERENT: usize = 3;
/// What counts as no word of an n-gram: rows of tables, and counting to ten, are in any text.
const PLAIN: &str = "0 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v w x y z";
/// Words by which short passages are noticed: the first ones of each.
pub(crate) const SEED: usize = 5;

/// How references are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When a field counts as found.
    pub rule: Rule,
    /// Fields with edits in them count too.
    pub fuzzy: bool,
    /// Items of one benchmark that may share an n-gram that counts.
    pub common: usize,
}

/// A benchmark, as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub items: u64,
    /// Rows with the same fields as an earlier one, which is found in their place.
    pub repeated: u64,
    /// Rows of which nothing can be found: they have too few words, or none but common n-grams.
    pub unfindable: u64,
}

/// A field of an item, or what it is found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The first of its words among all.
    pub(crate) start: u32,
    pub(crate) len: u32,
    /// Words in each of its n-grams; 0 if it has none.
    pub(crate) gram: u32,
    /// N-grams that count.
    pub(crate) grams: u32,
    /// Words in these.
    pub(crate) covered: u32,
    pub(crate) looked: Looked,
    pub(crate) benchmark: u32,
    pub(crate) row: u32,
    /// The name of the field, by its place.
    pub(crate) field: u32,
    pub(crate) side: Side,
}

/// References in the form in which texts are held against them. One serves any number of detectors.
#[derive(Debug)]
pub struct Index {
    pub(crate) options: Options,
    keys: Keys,
    /// Shingles of one word.
    single: ShingleSpec,
    /// The words of [`PLAIN`].
    plain: HashSet<u64>,
    pub(crate) hasher: Hasher,
    pub(crate) words: Vec<u64>,
    /// The entry of each word.
    pub(crate) entry_of: Vec<u32>,
    /// The next place of the n-gram at each place.
    pub(crate) next: Vec<u32>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) table: Table,
    pub(crate) width: Width,
    pub(crate) short: Option<Short>,
    pub(crate) seeds: Option<Seeds>,
    pub(crate) fields: Vec<String>,
    benchmarks: Vec<Known>,
}

/// Passages that are shorter than an n-gram.
#[derive(Debug)]
pub(crate) struct Short {
    /// Their first words.
    pub(crate) table: Table,
    pub(crate) width: Width,
    /// How many words the passages have that begin so: a bit each, by the place of the first words.
    pub(crate) lengths: HashMap<u32, u64>,
}

/// What is put together while benchmarks come in.
struct Draft {
    words: Vec<u64>,
    entry_of: Vec<u32>,
    entries: Vec<Entry>,
    fields: Vec<String>,
    field_of: HashMap<String, u32>,
}

impl Index {
    /// The index of some benchmarks, with hashes that are keyed by a secret: whoever does not know it cannot write a text that is
    /// taken for another.
    ///
    /// # Errors
    /// `Error::Parameter` if there are more than 4,294,967,293 words, or rows in a benchmark.
    pub fn build(benchmarks: &[Benchmark], options: Options, secret: &Secret) -> Result<Self> {
        let (keys, single) = (secret.keys(), ShingleSpec::try_new(ShingleUnit::Word, 1)?);
        let mut words = Words::new(Shingler::with_keys(single, keys));
        let mut draft = Draft {
            words: Vec::new(),
            entry_of: Vec::new(),
            entries: Vec::new(),
            fields: Vec::new(),
            field_of: HashMap::new(),
        };
        let mut known = Vec::with_capacity(benchmarks.len());
        for (number, benchmark) in benchmarks.iter().enumerate() {
            let mut repeated = 0;
            let hashes = RandomState::new();
            let mut seen = HashSet::new();
            for item in &benchmark.items {
                if !seen.insert(fingerprint(&hashes, item)) {
                    repeated += 1;
                    continue;
                }
                draft.add(number as u32, item, &mut words, options)?;
            }
            let (name, items) = (benchmark.name.clone(), benchmark.items.len() as u64);
            known.push(Known { name, items, repeated, unfindable: 0 });
        }
        let hasher = Hasher::new(&keys);
        let mut index = Self {
            options,
            keys,
            single,
            plain: words.of(PLAIN).into_iter().collect(),
            hasher,
            next: vec![NONE; draft.words.len()],
            words: draft.words,
            entry_of: draft.entry_of,
            entries: draft.entries,
            table: Table::with_room(0),
            width: hasher.width(options.rule.ngram),
            short: None,
            seeds: None,
            fields: draft.fields,
            benchmarks: known,
        };
        index.place_grams();
        index.note_short();
        if options.fuzzy {
            index.seeds = Some(Seeds::of(&index));
        }
        index.count_findable();
        Ok(index)
    }

    /// The benchmarks, in order.
    #[must_use]
    pub fn benchmarks(&self) -> &[Known] {
        &self.benchmarks
    }

    /// Different n-grams that are looked for.
    #[must_use]
    pub fn ngrams(&self) -> usize {
        self.table.len()
    }

    /// What it is asked for.
    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let short = self.short.as_ref().map_or(0, |short| short.table.bytes() + 32 * short.lengths.len());
        let seeds = self.seeds.as_ref().map_or(0, Seeds::bytes);
        let all = 16 * self.words.len() + size_of_val(&*self.entries) + self.table.bytes() + short + seeds;
        all as u64
    }

    /// What cuts texts into the words of this index.
    pub(crate) fn shingler(&self) -> Shingler {
        Shingler::with_keys(self.single, self.keys)
    }

    /// The places of an n-gram, from the first one on.
    pub(crate) fn places(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(first), |&place| {
            Some(self.next[place as usize]).filter(|&next| next != NONE)
        })
    }

    /// The words of the n-gram at a place.
    pub(crate) fn gram_at(&self, place: u32) -> &[u64] {
        let length = self.entries[self.entry_of[place as usize] as usize].gram as usize;
        &self.words[place as usize..place as usize + length]
    }

    /// Puts all n-grams into the table and takes the common ones out again; counts those that are left.
    fn place_grams(&mut self) {
        let count = |entry: &Entry| if entry.gram == 0 { 0 } else { entry.len + 1 - entry.gram };
        let all: u64 = self.entries.iter().map(|entry| u64::from(count(entry))).sum();
        let mut table = Table::with_room(all as usize);
        let mut prefix = vec![0; 1];
        // From behind, so that the chain of an n-gram leads from its first place on.
        for entry in self.entries.iter().rev().filter(|entry| entry.gram > 0) {
            let words = &self.words[entry.start as usize..(entry.start + entry.len) as usize];
            prefix.truncate(1);
            for &word in words {
                prefix.push(self.hasher.extend(prefix[prefix.len() - 1], word));
            }
            let (width, length) = (self.hasher.width(entry.gram as usize), entry.gram as usize);
            for at in (0..count(entry) as usize).rev() {
                let gram = &words[at..at + length];
                if !is_telling(gram, |word| self.plain.contains(&word)) {
                    continue;
                }
                let place = entry.start + at as u32;
                let hash = self.hasher.between(width, prefix[at], prefix[at + length]);
                if let Some(next) = table.insert(hash, place, |other| self.gram_at(other) == gram) {
                    self.next[place as usize] = next;
                }
            }
        }
        let mut grams: Vec<u32> = Vec::new();
        table.settle(
            |first| {
                let stays = !self.is_common(first);
                if stays {
                    grams.extend(self.places(first));
                }
                stays
            },
            |first| self.hasher.of(self.gram_at(first)),
        );
        self.table = table;
        grams.sort_unstable();
        let mut covered_to = 0;
        for place in grams {
            let entry = &mut self.entries[self.entry_of[place as usize] as usize];
            let end = place + entry.gram;
            entry.grams += 1;
            entry.covered += end - place.max(covered_to);
            covered_to = end;
        }
    }

    /// Whether too many items of a benchmark have the n-gram.
    fn is_common(&self, first: u32) -> bool {
        let (mut last, mut items) = (None, 0);
        self.places(first).any(|place| {
            let Entry { benchmark, row, .. } = self.entries[self.entry_of[place as usize] as usize];
            if last != Some((benchmark, row)) {
                items = if last.is_some_and(|(other, _)| other == benchmark) { items + 1 } else { 1 };
                last = Some((benchmark, row));
            }
            items > self.options.common
        })
    }

    /// Notes how passages begin that are shorter than an n-gram.
    fn note_short(&mut self) {
        let ngram = self.options.rule.ngram;
        let is_short = |entry: &&Entry| entry.grams > 0 && (entry.gram as usize) < ngram;
        let starts: Vec<(u32, u32)> =
            self.entries.iter().filter(is_short).map(|entry| (entry.start, entry.gram)).collect();
        if starts.is_empty() {
            return;
        }
        let seed = |place: u32| &self.words[place as usize..place as usize + SEED];
        let mut table = Table::with_room(starts.len());
        let mut lengths: HashMap<u32, u64> = HashMap::new();
        for (place, length) in starts {
            let hash = self.hasher.of(seed(place));
            let known = table.insert(hash, place, |other| seed(other) == seed(place));
            let mask = known.and_then(|known| lengths.remove(&known)).unwrap_or(0);
            lengths.insert(place, mask | 1 << length);
        }
        table.settle(|_| true, |place| self.hasher.of(seed(place)));
        self.short = Some(Short { table, width: self.hasher.width(SEED), lengths });
    }

    fn count_findable(&mut self) {
        let mut found: HashSet<(u32, u32)> = HashSet::new();
        let is_findable = |entry: &&Entry| entry.grams > 0 || entry.looked == Looked::Edited;
        found.extend(self.entries.iter().filter(is_findable).map(|entry| (entry.benchmark, entry.row)));
        let mut findable = vec![0; self.benchmarks.len()];
        for (benchmark, _) in found {
            findable[benchmark as usize] += 1;
        }
        for (known, findable) in self.benchmarks.iter_mut().zip(findable) {
            known.unfindable = known.items - known.repeated - findable;
        }
    }
}

impl Draft {
    fn add(&mut self, benchmark: u32, item: &Item, words: &mut Words, options: Options) -> Result<()> {
        let row = u32::try_from(item.row).map_err(|_| too_many())?;
        let ngram = options.rule.ngram;
        for passage in words.passages(item, ngram, options.fuzzy) {
            let len = passage.words.len();
            if self.words.len() + len > MAX_PLACES {
                return Err(too_many());
            }
            let gram = match passage.looked {
                Looked::ByGrams => ngram,
                Looked::Whole | Looked::Context => len,
                Looked::Edited => 0,
            };
            let field = &item.fields[passage.field];
            let entry = Entry {
                start: self.words.len() as u32,
                len: len as u32,
                gram: gram as u32,
                grams: 0,
                covered: 0,
                looked: passage.looked,
                benchmark,
                row,
                field: self.field(&field.name),
                side: field.side,
            };
            self.entry_of.resize(self.words.len() + len, self.entries.len() as u32);
            self.words.extend(passage.words);
            self.entries.push(entry);
        }
        Ok(())
    }

    fn field(&mut self, name: &str) -> u32 {
        if let Some(&known) = self.field_of.get(name) {
            return known;
        }
        let number = self.fields.len() as u32;
        self.fields.push(name.to_owned());
        self.field_of.insert(name.to_owned(), number);
        number
    }
}

/// Whether an n-gram has enough different words to tell something; those that are `plain` do not count.
pub(crate) fn is_telling(gram: &[u64], plain: impl Fn(u64) -> bool) -> bool {
    let mut seen = [0; LEAST_DIFFERENT];
    let mut count = 0;
    for &word in gram {
        if !seen[..count].contains(&word) && !plain(word) {
            seen[count] = word;
            count += 1;
            if count == LEAST_DIFFERENT {
                return true;
            }
        }
    }
    false
}

fn fingerprint(hashes: &RandomState, item: &Item) -> (u64, u64) {
    let texts: Vec<(&str, &str)> =
        item.fields.iter().map(|field| (field.name.as_str(), field.text.as_str())).collect();
    (hashes.hash_one(&texts), hashes.hash_one((1u8, &texts)))
}

fn too_many() -> Error {
    Error::Parameter(format!(
        "the references have more than {MAX_PLACES} words or rows, which one index does not hold; use fewer of them at a time"
    ))
}
