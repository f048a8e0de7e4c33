//! What thresholds of one rule would do: how many records would fail it, and how many would stay, at thresholds spread over the
//! values that there are.

use serde::Serialize;
use thresher_filter::rules::{Bound, Rule};

/// Thresholds of a table: every twentieth of the values.
const STEPS: usize = 20;
/// Values that thresholds are chosen by.
const SAMPLE: usize = 1 << 16;

/// What other thresholds of a rule would do, the other rules being as asked.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// The rule.
    pub rule: String,
    /// By ascending threshold.
    pub points: Vec<Point>,
}

/// What one threshold would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The threshold.
    pub threshold: f64,
    /// Records that would fail the rule.
    pub failing: u64,
    /// Records that would stay.
    pub kept: u64,
}

/// Values at even distances among all that come, of which it holds a bounded number.
#[derive(Debug)]
pub(super) struct Sample {
    values: Vec<f64>,
    /// Each so many-th value is taken.
    every: u64,
    seen: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self { values: Vec::new(), every: 1, seen: 0 }
    }
}

impl Sample {
    pub(super) fn add(&mut self, value: f64) {
        if self.seen.is_multiple_of(self.every) {
            if self.values.len() == SAMPLE {
                // Every other one stays.
                let mut at = 0;
                self.values.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.values.push(value);
            }
        }
        self.seen += 1;
    }

    /// Those that were taken, ascending.
    pub(super) fn values(mut self) -> Vec<f64> {
        self.values.sort_unstable_by(f64::total_cmp);
        self.values
    }
}

/// A curve under construction.
pub(super) struct Curving {
    rule: Rule,
    thresholds: Vec<f64>,
    /// By the number of thresholds below or at a value: all records, and those that no other rule removes. Records without a
    /// value, which fail at no threshold, come last.
    below: Vec<[u64; 2]>,
}

impl Curving {
    /// That of a rule, over the spread of some values, ascending, and its own threshold.
    pub(super) fn new(rule: Rule, values: &[f64]) -> Self {
        let last = values.len().saturating_sub(1);
        let mut thresholds: Vec<f64> =
            (0..=STEPS).filter_map(|step| values.get(step * last / STEPS)).copied().collect();
        thresholds.extend(Some(rule.threshold).filter(|threshold| !threshold.is_nan()));
        thresholds.sort_unstable_by(f64::total_cmp);
        thresholds.dedup();
        let below = vec![[0; 2]; 2 * thresholds.len() + 2];
        Self { rule, thresholds, below }
    }

    pub(super) fn name(&self) -> &'static str {
        self.rule.name
    }

    /// Adds a record; `others` says that no other rule removes it.
    pub(super) fn add(&mut self, value: f64, others: bool) {
        let place = if value.is_nan() {
            2 * self.thresholds.len() + 1
        } else {
            // Odd places are thresholds, even ones lie between them.
            let under = self.thresholds.partition_point(|threshold| *threshold < value);
            2 * under + usize::from(self.thresholds.get(under) == Some(&value))
        };
        self.below[place][0] += 1;
        self.below[place][1] += u64::from(others);
    }

    pub(super) fn done(self) -> Curve {
        let sum = |places: &[[u64; 2]], of: usize| places.iter().map(|count| count[of]).sum::<u64>();
        let allowed = sum(&self.below, 1);
        let values = &self.below[..=2 * self.thresholds.len()];
        let point = |(at, &threshold): (usize, &f64)| {
            let fails = match self.rule.bound {
                Bound::AtLeast => &values[..=2 * at],
                Bound::AtMost => &values[2 * at + 2..],
            };
            Point { threshold, failing: sum(fails, 0), kept: allowed - sum(fails, 1) }
        };
        let points = self.thresholds.iter().enumerate().map(point).collect();
        Curve { rule: self.rule.name.to_owned(), points }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_curve_counts_what_each_threshold_breaks(
            rows in proptest::collection::vec((prop_oneof![3 => (0..9_u8).prop_map(f64::from), 1 => Just(f64::NAN)], any::<bool>()), 0..60),
            threshold in 0..9_u8,
            least in any::<bool>(),
        ) {
            let name = if least { "gopher.min_words" } else { "gopher.max_words" };
            let rule = Rule { threshold: f64::from(threshold), ..Rule::named(name).unwrap() };
            let mut sample = Sample::default();
            rows.iter().filter(|(value, _)| !value.is_nan()).for_each(|(value, _)| sample.add(*value));
            let mut curve = Curving::new(rule, &sample.values());
            for &(value, others) in &rows {
                curve.add(value, others);
            }
            let points = curve.done().points;
            prop_assert!(points.iter().any(|point| point.threshold.total_cmp(&rule.threshold).is_eq()));
            for point in points {
                let rule = Rule { threshold: point.threshold, ..rule };
                let failing = rows.iter().filter(|(value, _)| rule.breaks(*value)).count() as u64;
                let kept = rows.iter().filter(|(value, others)| *others && !rule.breaks(*value)).count() as u64;
                prop_assert_eq!((point.failing, point.kept), (failing, kept));
            }
        }
    }

    #[test]
    fn a_sample_is_bounded_and_even() {
        let mut sample = Sample::default();
        (0..300_000).for_each(|value| sample.add(f64::from(value)));
        let values = sample.values();
        assert!((SAMPLE / 2..=SAMPLE).contains(&values.len()));
        let middle = values[values.len() / 2];
        assert!((middle - 150_000.0).abs() < 20.0, "{middle}");
    }
}
