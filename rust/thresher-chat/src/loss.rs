//! What a conversion could not carry: per field, how often, in how many rows, and in which.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
pub struct Losses(BTreeMap<(String, Cow<'static, str>), Loss>);

impl Losses {
    /// Adds what the row at `row` lost.
    pub fn add(&mut self, row: u64, losses: &RowLosses) {
        for (field, outcome) in losses.iter() {
            let key = (field.to_owned(), Cow::Borrowed(outcome));
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
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Loss)> {
        self.0.iter().map(|((field, outcome), loss)| (field.as_str(), &**outcome, loss))
    }
}

/// One of the losses in a list.
#[derive(Serialize, Deserialize)]
struct Line<'l> {
    field: Cow<'l, str>,
    outcome: Cow<'l, str>,
    count: u64,
    rows: u64,
    examples: Cow<'l, [u64]>,
}

/// As a list of objects.
impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(field, outcome, loss)| Line {
            field: field.into(),
            outcome: outcome.into(),
            count: loss.count,
            rows: loss.rows,
            examples: loss.examples.as_slice().into(),
        }))
    }
}

impl<'de> Deserialize<'de> for Losses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lines = Vec::<Line<'_>>::deserialize(deserializer)?;
        let loss = |line: Line<'_>| {
            let Line { field, outcome, count, rows, examples } = line;
            let key = (field.into_owned(), Cow::Owned(outcome.into_owned()));
            (key, Loss { count, rows, examples: examples.into_owned(), last: None })
        };
        Ok(Self(lines.into_iter().map(loss).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_come_back_from_json_and_merge_as_before() {
        let (mut first, mut row) = (Losses::default(), RowLosses::default());
        for at in 0..9 {
            row.clear();
            row.note("name", "dropped");
            row.note(format!("extra.{}", at % 2), "joined");
            first.add(at, &row);
        }
        let json = serde_json::to_string(&first).unwrap();
        let again: Losses = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
        let mut all = [first.clone(), first.clone()];
        all[0].merge(&first, 100);
        all[1].merge(&again, 100);
        assert_eq!(serde_json::to_string(&all[0]).unwrap(), serde_json::to_string(&all[1]).unwrap());
    }
}
