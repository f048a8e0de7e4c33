//! What a filter finds unit by unit, and reports of all: what each rule did, and how the signals are spread.

use serde::{Deserialize, Serialize};
use thresher_filter::rules::Rules;
use thresher_filter::signals::{Signal, Signals};

use super::counts::{Counts, PairCount, RuleCount};
use super::spread::{Spread, Steps};
use crate::error::{Error, Result};
use crate::runs::steps::Found;

/// What a filter reports by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Filtered {
    /// Every rule in its order, with what it did.
    pub rules: Vec<RuleCount>,
    /// How many records fail two rules, for each two that some fail.
    pub together: Vec<PairCount>,
    /// How the values of the signals are spread that rules look at.
    pub spreads: Vec<Spread>,
    /// The signals that are kept of every record.
    pub signals: Vec<String>,
    /// Kept texts of which lines were edited.
    pub edited: u64,
}

/// What was found in some rows.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    pub(super) counts: Counts,
    pub(super) edited: u64,
    spreads: Vec<Steps>,
}

/// The same, on its way through a ledger.
#[derive(Serialize, Deserialize)]
struct Stored {
    counts: Counts,
    edited: u64,
    spreads: Vec<Vec<u64>>,
}

impl Findings {
    /// Nothing yet, of these rules.
    pub(super) fn new(rules: &Rules) -> Self {
        let mut signals: Vec<Signal> = Vec::new();
        for rule in rules.as_slice() {
            if !signals.contains(&rule.signal) {
                signals.push(rule.signal);
            }
        }
        let spreads = signals.into_iter().map(Steps::new).collect();
        Self { counts: Counts::new(rules.as_slice().len()), edited: 0, spreads }
    }

    /// Adds a row that fails the rules of these places.
    pub(super) fn add(&mut self, signals: &Signals, failing: &[usize]) {
        self.counts.add(failing);
        for steps in &mut self.spreads {
            steps.add(signals.get(steps.signal));
        }
    }

    /// What was found so far, and nothing from now on.
    pub(super) fn take(&mut self, rules: &Rules) -> String {
        let found = std::mem::replace(self, Self::new(rules));
        let spreads = found.spreads.into_iter().map(|steps| steps.counts).collect();
        // Numbers have a JSON.
        serde_json::to_string(&Stored { counts: found.counts, edited: found.edited, spreads })
            .unwrap_or_default()
    }

    /// What was found in all units.
    ///
    /// # Errors
    /// `Error::Internal` for what no worker has found.
    pub(super) fn of_units(rules: &Rules, units: &mut dyn Iterator<Item = Result<Found>>) -> Result<Self> {
        let mut all = Self::new(rules);
        for unit in units {
            let broken = |error| Error::Internal(format!("findings of a filter: {error}"));
            let found: Stored = serde_json::from_str(&unit?.found).map_err(broken)?;
            all.counts.merge(&found.counts);
            all.edited += found.edited;
            for (steps, more) in all.spreads.iter_mut().zip(&found.spreads) {
                steps.counts.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        Ok(all)
    }

    /// The report.
    pub(super) fn report(&self, rules: &Rules, kept: &[Signal]) -> Filtered {
        Filtered {
            rules: self.counts.of(rules),
            together: self.counts.pairs(rules),
            spreads: self.spreads.iter().map(Steps::spread).collect(),
            signals: kept.iter().map(|signal| signal.name().to_owned()).collect(),
            edited: self.edited,
        }
    }
}
