//! How the values of signals are spread: counts in fixed steps, so that units and threads add up to the same.
//!
//! Shares have fine steps below 0.2, where most thresholds lie; lengths and counts have six steps to a power of ten. Nearly every
//! published threshold is the beginning of a step.

use serde::{Deserialize, Serialize};
use thresher_filter::signals::{Group, Signal};

/// Where the steps of shares begin.
const SHARES: [f64; 39] = [
    0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13,
    0.14, 0.15, 0.16, 0.18, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.67, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 1.0, 2.0,
];
/// Where those of lengths and counts begin, beside 0, in each power of ten.
const COUNTS: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0];
const POWERS: i32 = 9;

/// The values of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The signal.
    pub signal: String,
    /// Where each step with a record begins; the first one has all below the second as well.
    pub from: Vec<f64>,
    /// The records of each.
    pub records: Vec<u64>,
}

/// Counts of values of one signal, under way.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) signal: Signal,
    begins: Vec<f64>,
    pub(super) counts: Vec<u64>,
}

impl Steps {
    /// None of a signal.
    pub(super) fn new(signal: Signal) -> Self {
        let begins = if is_count(signal) {
            let of_power = |power| COUNTS.iter().map(move |step| step * 10_f64.powi(power));
            std::iter::once(0.0).chain((0..POWERS).flat_map(of_power)).collect()
        } else {
            SHARES.to_vec()
        };
        Self { signal, counts: vec![0; begins.len()], begins }
    }

    /// Adds a value, if there is one.
    pub(super) fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        let place = self.begins.partition_point(|begin| *begin <= value).saturating_sub(1);
        self.counts[place] += 1;
    }

    /// Those that are not empty.
    pub(super) fn spread(&self) -> Spread {
        let filled = || self.begins.iter().zip(&self.counts).filter(|(_, records)| **records > 0);
        Spread {
            signal: self.signal.name().to_owned(),
            from: filled().map(|(begin, _)| *begin).collect(),
            records: filled().map(|(_, records)| *records).collect(),
        }
    }
}

/// Whether the values of a signal are lengths or counts, and not shares.
fn is_count(signal: Signal) -> bool {
    use Signal as S;
    matches!(signal.group(), Group::Lengths | Group::C4)
        || matches!(
            signal,
            S::GopherWords
                | S::GopherMeanWord
                | S::GopherStopWords
                | S::FineWebLines
                | S::DclmWords
                | S::DclmMeanWord
                | S::DclmStopWords
                | S::RpsWordCount
                | S::RpsMeanWordLength
                | S::RpsUnigramEntropy
                | S::RpsNumSentences
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_step_that_begins_at_or_before_it() {
        let mut steps = Steps::new(Signal::FineWebLinePunct);
        for value in [0.12, 0.119, 0.125, 5.0, 0.0, f64::NAN] {
            steps.add(value);
        }
        let Spread { from, records, .. } = steps.spread();
        assert_eq!((from, records), (vec![0.0, 0.11, 0.12, 2.0], vec![1, 1, 2, 1]));
        let mut steps = Steps::new(Signal::Words);
        for value in [0.0, 49.0, 50.0, 1e30] {
            steps.add(value);
        }
        assert_eq!(steps.spread().from, [0.0, 30.0, 50.0, 7e8]);
        for signal in [Signal::Words, Signal::FineWebLines, Signal::DclmSymbols] {
            assert!(Steps::new(signal).begins.is_sorted_by(|one, next| one < next));
        }
    }
}
