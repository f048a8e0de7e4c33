//! The table of one language: its n-grams, and what the last letter of each costs.

use std::fs;
use std::path::Path;

use fst::{Map, Streamer};

/// Letters of an n-gram.
pub(crate) const ORDER: usize = 4;

/// An n-gram of one language.
pub(crate) struct Entry {
    pub(crate) letters: [char; ORDER],
    pub(crate) length: usize,
    /// -ln of the share of the last letter behind the others.
    pub(crate) cost: f32,
    /// The share of the n-gram among those of its length.
    pub(crate) share: f32,
}

/// Reads the n-grams of up to [`ORDER`] letters.
pub(crate) fn read(folder: &Path, name: &str) -> Vec<Entry> {
    let begins = format!("lingua-{name}-language-model");
    let found = fs::read_dir(folder).expect("a folder of crates").filter_map(Result::ok);
    let found = found.map(|entry| entry.path()).find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&begins))
    });
    let path =
        found.unwrap_or_else(|| panic!("{begins} is not in {}", folder.display())).join("models/ngrams.fst");
    let map = Map::new(fs::read(&path).expect("a table")).expect("a table");
    let mut entries = Vec::new();
    // Keys come in order, so the beginnings of one came before it: their letters, and the sum of their logarithms.
    let mut beginnings: Vec<(Vec<char>, f64)> = Vec::new();
    let mut stream = map.stream();
    while let Some((key, value)) = stream.next() {
        let letters: Vec<char> = std::str::from_utf8(key).expect("UTF-8").chars().collect();
        if letters.len() > ORDER {
            continue;
        }
        while beginnings
            .last()
            .is_some_and(|(begin, _)| begin.len() >= letters.len() || !letters.starts_with(begin))
        {
            beginnings.pop();
        }
        let log = f64::from_bits(value);
        let before =
            beginnings.last().filter(|(begin, _)| begin.len() + 1 == letters.len()).map(|(_, sum)| *sum);
        // An n-gram whose beginning is missing has no share.
        let sum = if letters.len() == 1 { log } else { before.map_or(f64::NEG_INFINITY, |sum| sum + log) };
        let mut padded = ['\0'; ORDER];
        padded[..letters.len()].copy_from_slice(&letters);
        entries.push(Entry {
            letters: padded,
            length: letters.len(),
            cost: -log as f32,
            share: sum.exp() as f32,
        });
        beginnings.push((letters, sum));
    }
    entries
}
