//! What was found in many rows: per code how often and where, and the problems themselves, as many as asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::codes::{Code, Severity};
use crate::loss::EXAMPLES;

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The place of the row in its input.
    pub row: u64,
    /// What kind of problem it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the row it is, as in `messages[3].tool_calls[0].function.arguments`; empty for the row itself.
    pub path: String,
    /// One sentence: the value, what is allowed, what to do.
    pub message: String,
    /// Order of places in a row.
    #[serde(skip)]
    pub(crate) at: u32,
}

/// How often a code was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How bad it is.
    pub severity: Severity,
    /// Problems.
    pub count: u64,
    /// Rows that have them.
    pub rows: u64,
    /// The first of these rows.
    pub examples: Vec<u64>,
    #[serde(skip)]
    last: Option<u64>,
}

/// Problems that a report lists, unless it is told otherwise.
pub const MAX_PROBLEMS: usize = 1000;

/// What was found in rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that were checked.
    pub rows: u64,
    /// Rows without an error; they may have warnings.
    pub valid: u64,
    /// What was found, by code.
    pub codes: BTreeMap<Code, Count>,
    /// The first problems, in order of row and place.
    pub problems: Vec<Problem>,
    /// Problems that are counted, but not listed.
    pub unlisted: u64,
    #[serde(skip)]
    max_problems: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self::new(MAX_PROBLEMS)
    }
}

impl Report {
    /// A report that lists at most `max_problems` problems; all are counted.
    #[must_use]
    pub fn new(max_problems: usize) -> Self {
        Self { rows: 0, valid: 0, codes: BTreeMap::new(), problems: Vec::new(), unlisted: 0, max_problems }
    }

    /// Adds the row at `row` and takes its problems out of `problems`. Rows come in their order.
    pub fn add(&mut self, row: u64, problems: &mut Vec<Problem>) {
        self.rows += 1;
        self.valid += u64::from(problems.iter().all(|problem| problem.severity != Severity::Error));
        for mut problem in problems.drain(..) {
            let count = self.codes.entry(problem.code).or_insert_with(|| Count {
                severity: problem.severity,
                count: 0,
                rows: 0,
                examples: Vec::new(),
                last: None,
            });
            count.count += 1;
            if count.last.replace(row) != Some(row) {
                count.rows += 1;
                if count.examples.len() < EXAMPLES {
                    count.examples.push(row);
                }
            }
            problem.row = row;
            self.list(problem);
        }
    }

    /// Adds what was found in rows after these; its rows count from `first_row`.
    pub fn merge(&mut self, other: Self, first_row: u64) {
        self.rows += other.rows;
        self.valid += other.valid;
        self.unlisted += other.unlisted;
        for (code, mut more) in other.codes {
            more.examples.iter_mut().for_each(|row| *row += first_row);
            more.last = more.last.map(|row| row + first_row);
            match self.codes.entry(code) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(more);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    let count = place.get_mut();
                    count.count += more.count;
                    count.rows += more.rows;
                    count.last = more.last;
                    let room = EXAMPLES.saturating_sub(count.examples.len());
                    count.examples.extend(more.examples.into_iter().take(room));
                }
            }
        }
        for mut problem in other.problems {
            problem.row += first_row;
            self.list(problem);
        }
    }

    fn list(&mut self, problem: Problem) {
        if self.problems.len() < self.max_problems {
            self.problems.push(problem);
        } else {
            self.unlisted += 1;
        }
    }
}
