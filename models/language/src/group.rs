//! The languages of one script together: an alphabet, the costs of all n-grams, and the choice among these.

use std::collections::HashMap;

use crate::tables::{Entry, ORDER};
use crate::{BACK_OFF, MOST};

/// Letters that have a code.
const MOST_LETTERS: usize = 254;

/// The share that a letter has in some language, to have a code.
const LEAST_SHARE: f32 = 2e-6;

/// Steps of a cost in a unit of -ln P.
const STEPS: f32 = 20.0;

/// A difference of costs counts up to this.
const MOST_DIFFERENCE: f32 = 4.0;

/// An n-gram of a language: its codes, that of the last letter lowest.
struct Seen {
    gram: u32,
    language: u8,
    cost: f32,
    share: f32,
}

/// All n-grams of some languages.
pub(crate) struct Group {
    pub(crate) alphabet: Vec<char>,
    languages: usize,
    /// By n-gram, so shorter ones come first.
    seen: Vec<Seen>,
    /// The costs of n-grams of fewer letters than the longest.
    rows: HashMap<u32, Vec<f32>>,
}

impl Group {
    pub(crate) fn new(tables: &[Vec<Entry>]) -> Self {
        let mut shares: HashMap<char, f32> = HashMap::new();
        for entry in tables.iter().flatten().filter(|entry| entry.length == 1) {
            let share = shares.entry(entry.letters[0]).or_default();
            *share = share.max(entry.share);
        }
        let mut letters: Vec<(char, f32)> =
            shares.into_iter().filter(|(_, share)| *share >= LEAST_SHARE).collect();
        letters.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        letters.truncate(MOST_LETTERS);
        let alphabet: Vec<char> = letters.into_iter().map(|(letter, _)| letter).collect();
        let codes: HashMap<char, u32> =
            alphabet.iter().zip(1..).map(|(letter, code)| (*letter, code)).collect();
        let mut seen = Vec::new();
        for (language, table) in tables.iter().enumerate() {
            for entry in table {
                let gram = entry.letters[..entry.length]
                    .iter()
                    .try_fold(0, |gram, letter| Some(gram << 8 | codes.get(letter)?));
                if let Some(gram) = gram {
                    seen.push(Seen {
                        gram,
                        language: language as u8,
                        cost: entry.cost.min(MOST),
                        share: entry.share,
                    });
                }
            }
        }
        seen.sort_by_key(|one| (one.gram, one.language));
        let mut group = Self { alphabet, languages: tables.len(), seen, rows: HashMap::new() };
        let longest = group.seen.partition_point(|one| one.gram >> (8 * (ORDER - 1)) == 0);
        let mut rows = HashMap::new();
        for part in group.seen[..longest].chunk_by(|a, b| a.gram == b.gram) {
            rows.insert(part[0].gram, group.row(part, &rows));
        }
        group.rows = rows;
        group
    }

    /// How many n-grams there are.
    pub(crate) fn grams(&self) -> usize {
        self.seen.chunk_by(|a, b| a.gram == b.gram).count()
    }

    /// The costs of an n-gram in every language.
    fn row(&self, part: &[Seen], rows: &HashMap<u32, Vec<f32>>) -> Vec<f32> {
        let mut row = match end_of(part[0].gram) {
            0 => vec![MOST; self.languages],
            end => self.costs(end, rows).iter().map(|cost| (cost + BACK_OFF).min(MOST)).collect(),
        };
        for one in part {
            row[usize::from(one.language)] = one.cost;
        }
        row
    }

    /// The costs of the longest end of an n-gram that has some.
    fn costs<'r>(&self, gram: u32, rows: &'r HashMap<u32, Vec<f32>>) -> &'r [f32] {
        let mut end = gram;
        loop {
            match rows.get(&end) {
                Some(row) => return row,
                None if end == 0 => panic!("a letter without a row"),
                None => end = end_of(end),
            }
        }
    }

    /// The n-grams that are kept: all letters, and of the others the `most` that say most. In order.
    pub(crate) fn kept(&self, most: usize) -> Vec<u32> {
        let mut letters = Vec::new();
        let mut gains = Vec::new();
        for part in self.seen.chunk_by(|a, b| a.gram == b.gram) {
            let gram = part[0].gram;
            if gram < 256 {
                letters.push(gram);
                continue;
            }
            let (row, end) = (self.row(part, &self.rows), self.costs(end_of(gram), &self.rows));
            let more: Vec<f32> = row.iter().zip(end).map(|(row, end)| row - end).collect();
            let gain: f32 = part
                .iter()
                .map(|one| {
                    let own = more[usize::from(one.language)];
                    one.share * more.iter().map(|other| (other - own).abs().min(MOST_DIFFERENCE)).sum::<f32>()
                })
                .sum();
            gains.push((gain, gram));
        }
        gains.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        letters.extend(gains.into_iter().take(most).map(|(_, gram)| gram));
        letters.sort_unstable();
        letters
    }

    pub(crate) fn write<'l>(
        &self,
        languages: impl Iterator<Item = &'l str>,
        kept: &[u32],
        bytes: &mut Vec<u8>,
    ) {
        bytes.push(self.languages as u8);
        for language in languages {
            let mut name = [0; 4];
            name[..language.len()].copy_from_slice(language.as_bytes());
            bytes.extend(name);
        }
        bytes.extend((self.alphabet.len() as u16).to_le_bytes());
        bytes.extend(self.alphabet.iter().flat_map(|letter| u32::from(*letter).to_le_bytes()));
        bytes.extend((kept.len() as u32).to_le_bytes());
        bytes.extend(kept.iter().flat_map(|gram| gram.to_le_bytes()));
        let mut kept = kept.iter().peekable();
        for part in self.seen.chunk_by(|a, b| a.gram == b.gram) {
            if kept.next_if(|gram| **gram == part[0].gram).is_none() {
                continue;
            }
            let row = self.row(part, &self.rows);
            let least = row.iter().copied().fold(f32::INFINITY, f32::min);
            bytes.extend(row.iter().map(|cost| ((cost - least) * STEPS).round().min(255.0) as u8));
        }
    }
}

/// An n-gram without its first letter.
fn end_of(gram: u32) -> u32 {
    let letters = gram.ilog2() / 8;
    gram & ((1 << (8 * letters)) - 1)
}
