//! What a conversion could not carry: per field, how often, in how many rows, and in which.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Rows that a report names for each field.
pub const EXAMPLES: usize = 5;

/// What one row loses. The writer fills it; it counts only if the row is written.
#[derive(Clone, Debug, Default)]
pub struct RowLosses(Vec<(Cow<'static, str>, &'static str)>);

impl RowLosses {
    /// Notes that `field` cannot be carried, and what becomes of it.
    pub(crate) fn note(&mut self, field: impl Into<Cow<'static, str>>, outcome: &'static str) {
        self.0.push((field.into(), outcome));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether nothing is lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fields and what became of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(field, outcome)| (&**field, *outcome))
    }
}

/// The loss of one field over all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Times it was lost.
    pub count: u64,
    /// Rows that lost it.
    pub rows: u64,
    /// The first of these rows, by place in its input.
    pub examples: Vec<u64>,
    /// The row that was counted last.
    last: Option<u64>,
}

/// Losses of many rows, by field and outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<(String, &'static str), Loss>);

impl Losses {
    /// Adds what the row at `row` lost.
    pub fn add(&mut self, row: u64, losses: &RowLosses) {
        for (field, outcome) in losses.iter() {
            let key = (field.to_owned(), outcome);
            let loss = self.0.entry(key).or_default();
            loss.count += 1;
            if loss.last.replace(row) != Some(row) {
                loss.rows += 1;
                if loss.examples.len() < EXAMPLES {
                    loss.examples.push(row);
                }
            }
        }
    }

    /// Adds losses of other rows, which count from `first_row`.
    pub fn merge(&mut self, other: &Self, first_row: u64) {
        for (key, more) in &other.0 {
            let loss = self.0.entry(key.clone()).or_default();
            loss.count += more.count;
            loss.rows += more.rows;
            let room = EXAMPLES.saturating_sub(loss.examples.len());
            loss.examples.extend(more.examples.iter().take(room).map(|row| first_row + row));
        }
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Field, outcome and loss, by field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str, &Loss)> {
        self.0.iter().map(|((field, outcome), loss)| (field.as_str(), *outcome, loss))
    }
}

/// As a list of objects.
impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'l> {
            field: &'l str,
            outcome: &'l str,
            count: u64,
            rows: u64,
            examples: &'l [u64],
        }
        serializer.collect_seq(self.iter().map(|(field, outcome, loss)| Line {
            field,
            outcome,
            count: loss.count,
            rows: loss.rows,
            examples: &loss.examples,
        }))
    }
}
