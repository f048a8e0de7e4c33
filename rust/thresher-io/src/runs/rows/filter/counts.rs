//! How many rows each rule removes: among others, first, alone, and together with each other rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thresher_filter::rules::{Rule, Rules};

use super::choice;

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleCount {
    /// Its name.
    pub rule: String,
    /// The signal that it looks at.
    pub signal: String,
    /// `at_least` or `at_most`.
    pub bound: String,
    /// The least or greatest value that it allows.
    pub threshold: f64,
    /// Rows that fail it.
    pub failing: u64,
    /// Rows whose first failing rule it is; those are counted for it in the books.
    pub first: u64,
    /// Rows that fail no other rule: without it they would stay.
    pub alone: u64,
}

impl RuleCount {
    fn of(rule: &Rule) -> Self {
        Self {
            rule: rule.name.to_owned(),
            signal: rule.signal.name().to_owned(),
            bound: choice::bound(rule.bound).to_owned(),
            threshold: rule.threshold,
            failing: 0,
            first: 0,
            alone: 0,
        }
    }
}

/// Rows that fail two rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCount {
    /// Both, in their order.
    pub rules: [String; 2],
    /// The rows.
    pub records: u64,
}

/// The counts of all rules, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Of each rule: failing, first, alone.
    of_rules: Vec<[u64; 3]>,
    /// Rows that fail two rules, by the place of the first and, lower, that of the second.
    pairs: BTreeMap<u32, u64>,
}

impl Counts {
    /// None of so many rules.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        Self { of_rules: vec![[0; 3]; rules], pairs: BTreeMap::new() }
    }

    /// Adds a row that fails the rules of these places.
    pub fn add(&mut self, failing: &[usize]) {
        for (at, &rule) in failing.iter().enumerate() {
            self.of_rules[rule][0] += 1;
            for &other in &failing[at + 1..] {
                *self.pairs.entry((rule << 16 | other) as u32).or_default() += 1;
            }
        }
        if let Some(&first) = failing.first() {
            self.of_rules[first][1] += 1;
            self.of_rules[first][2] += u64::from(failing.len() == 1);
        }
    }

    /// Adds those of other rows.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in self.of_rules.iter_mut().flatten().zip(other.of_rules.iter().flatten()) {
            *sum += more;
        }
        for (pair, rows) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += rows;
        }
    }

    /// What each rule did.
    #[must_use]
    pub fn of(&self, rules: &Rules) -> Vec<RuleCount> {
        let counts = rules.as_slice().iter().zip(&self.of_rules);
        counts
            .map(|(rule, &[failing, first, alone])| RuleCount {
                failing,
                first,
                alone,
                ..RuleCount::of(rule)
            })
            .collect()
    }

    /// What each two rules did together, if they did.
    #[must_use]
    pub fn pairs(&self, rules: &Rules) -> Vec<PairCount> {
        let name = |place: u32| rules.as_slice().get(place as usize).map_or("", |rule| rule.name).to_owned();
        let pair = |(pair, rows): (&u32, &u64)| PairCount {
            rules: [name(pair >> 16), name(pair & 0xFFFF)],
            records: *rows,
        };
        self.pairs.iter().map(pair).collect()
    }
}
