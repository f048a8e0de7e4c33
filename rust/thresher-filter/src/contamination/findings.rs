//! What was found of each benchmark in many texts: the table of a report.

use std::collections::BTreeMap;

use super::verdict::Verdict;

/// Documents and items by benchmark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Documents that hold something of each benchmark.
    documents: Vec<u64>,
    /// How many documents hold each item, by benchmark and row.
    items: BTreeMap<(u32, u32), u64>,
}

impl Findings {
    /// Adds what a document holds.
    pub fn add(&mut self, verdict: &Verdict) {
        let mut last = (None, None);
        for found in &verdict.matches {
            if last.0 != Some(found.benchmark) {
                self.add_documents(found.benchmark, 1);
            }
            if last != (Some(found.benchmark), Some(found.row)) {
                self.add_item(found.benchmark, found.row, 1);
            }
            last = (Some(found.benchmark), Some(found.row));
        }
    }

    /// Adds so many documents that hold something of a benchmark.
    pub fn add_documents(&mut self, benchmark: u32, count: u64) {
        let place = benchmark as usize;
        if self.documents.len() <= place {
            self.documents.resize(place + 1, 0);
        }
        self.documents[place] += count;
    }

    /// Adds so many documents that hold an item.
    pub fn add_item(&mut self, benchmark: u32, row: u32, count: u64) {
        *self.items.entry((benchmark, row)).or_default() += count;
    }

    /// Documents that hold something of a benchmark.
    #[must_use]
    pub fn documents(&self, benchmark: usize) -> u64 {
        self.documents.get(benchmark).copied().unwrap_or_default()
    }

    /// Rows of the items of a benchmark that are in some document, in order, with the number of documents.
    pub fn items(&self, benchmark: usize) -> impl Iterator<Item = (u32, u64)> {
        let benchmark = benchmark as u32;
        self.items.range((benchmark, 0)..=(benchmark, u32::MAX)).map(|(&(_, row), &count)| (row, count))
    }
}
