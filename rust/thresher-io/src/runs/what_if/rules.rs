//! Rules before and after, and what they do to the rows of a table.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use thresher_filter::rules::Rule;

use crate::error::{Error, Result};
use crate::runs::rows::filter::choice::{bound, rule_named, threshold_of};
use crate::runs::rows::filter::counts::RuleCount;

/// What messages say of names that were given.
const SET: &str = "set has";
const CURVE: &str = "curve is";

/// Checks what can be checked without a result.
///
/// # Errors
/// `Error::Parameter` for a rule that there is not, and a threshold that is none.
pub(super) fn check(set: &Map<String, Value>, curve: Option<&str>) -> Result<()> {
    for (name, value) in set {
        rule_named(SET, name)?;
        threshold_of(name, value)?;
    }
    curve.map_or(Ok(()), |name| rule_named(CURVE, name).map(drop))
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Records that fail it.
    pub failing: u64,
    /// Those that fail none before it.
    pub first: u64,
    /// Those that fail no other: without it they would stay.
    pub alone: u64,
}

/// What a rule did, and would do.
#[derive(Clone, Debug, Serialize)]
pub struct RuleChange {
    /// Its name.
    pub rule: String,
    /// The signal that it looks at.
    pub signal: String,
    /// `at_least` or `at_most`.
    pub bound: String,
    /// The threshold of the run; none if the run did not have the rule.
    pub threshold_before: Option<f64>,
    /// The threshold that was asked for; none if the rule is left out.
    pub threshold_after: Option<f64>,
    /// What it did.
    pub before: Tally,
    /// What it would do.
    pub after: Tally,
}

/// One rule; a threshold of NaN allows everything.
struct Row {
    before: Rule,
    after: Rule,
    /// The place of its signal among the columns.
    column: usize,
    did: Tally,
    would: Tally,
}

/// All rules, and what they do.
pub(super) struct Table {
    rows: Vec<Row>,
    signals: Vec<&'static str>,
    pub(super) documents: u64,
    pub(super) kept_before: u64,
    pub(super) kept_after: u64,
    pub(super) newly_kept: u64,
    pub(super) newly_removed: u64,
}

impl Table {
    /// The rules of a run and what is changed of them; `kept` names the signals that there are.
    ///
    /// # Errors
    /// `Error::Parameter` for a rule that there is not, or whose signal the run has not kept.
    pub(super) fn new(before: &[RuleCount], set: &Map<String, Value>, kept: &[String]) -> Result<Self> {
        let mut table = Self {
            rows: Vec::new(),
            signals: Vec::new(),
            documents: 0,
            kept_before: 0,
            kept_after: 0,
            newly_kept: 0,
            newly_removed: 0,
        };
        for known in before {
            let rule = Rule { threshold: known.threshold, ..rule_named("run.json has", &known.rule)? };
            table.put(rule, rule, kept)?;
        }
        for (name, value) in set {
            let rule = rule_named(SET, name)?;
            let after = Rule { threshold: threshold_of(name, value)?.unwrap_or(f64::NAN), ..rule };
            match table.rows.iter_mut().find(|row| row.before.name == name) {
                Some(row) => row.after = after,
                None => table.put(Rule { threshold: f64::NAN, ..rule }, after, kept)?,
            }
        }
        Ok(table)
    }

    fn put(&mut self, before: Rule, after: Rule, kept: &[String]) -> Result<()> {
        let signal = before.signal.name();
        if !kept.iter().any(|name| name == signal) {
            return Err(Error::Parameter(format!(
                "the run has not kept the signal `{signal}` of rule `{}`; filter again with its preset, or with signals={}",
                before.name,
                before.signal.group().name()
            )));
        }
        let known = self.signals.iter().position(|name| *name == signal);
        let column = known.unwrap_or(self.signals.len());
        if known.is_none() {
            self.signals.push(signal);
        }
        self.rows.push(Row { before, after, column, did: Tally::default(), would: Tally::default() });
        Ok(())
    }

    /// The signals that are looked at; what has no rule looks at the number of characters, which is always there.
    pub(super) fn signals(&self) -> Vec<&'static str> {
        if self.signals.is_empty() { vec!["chars"] } else { self.signals.clone() }
    }

    /// A rule as it would be.
    ///
    /// # Errors
    /// `Error::Parameter` for one that is not in the table.
    pub(super) fn rule(&self, name: &str) -> Result<Rule> {
        let rule = rule_named(CURVE, name)?;
        let found = self.rows.iter().find(|row| row.before.name == rule.name);
        found.map(|row| row.after).ok_or_else(|| {
            Error::Parameter(format!(
                "the run does not have the rule `{name}`; set a threshold for it as well"
            ))
        })
    }

    /// The column of the signal of a rule.
    pub(super) fn place(&self, rule: &str) -> usize {
        self.rows.iter().find(|row| row.before.name == rule).map_or(0, |row| row.column)
    }

    /// Adds a record, by the values of its columns; says whether it would fail no rule but the one of this name.
    pub(super) fn add(&mut self, value: impl Fn(usize) -> f64, but: Option<&str>) -> bool {
        self.documents += 1;
        let did = tally(&mut self.rows, &value, |row| (&row.before, &mut row.did), None);
        let would = tally(&mut self.rows, &value, |row| (&row.after, &mut row.would), but);
        self.kept_before += u64::from(did.is_kept);
        self.kept_after += u64::from(would.is_kept);
        self.newly_kept += u64::from(!did.is_kept && would.is_kept);
        self.newly_removed += u64::from(did.is_kept && !would.is_kept);
        would.others_allow
    }

    /// Makes sure that the signals are those of the run.
    ///
    /// # Errors
    /// `Error::Data` if a rule did something else to them.
    pub(super) fn check(&self, before: &[RuleCount], path: &Path) -> Result<()> {
        for (row, counted) in self.rows.iter().zip(before) {
            let RuleCount { failing, first, alone, .. } = *counted;
            if row.did != (Tally { failing, first, alone }) {
                return Err(Error::data(
                    path,
                    format!(
                        "the signals are not those of the run: {} records fail `{}`, but {failing} did; `thresher verify` tells what \
                         is wrong with a result",
                        row.did.failing, counted.rule
                    ),
                ));
            }
        }
        Ok(())
    }

    /// What each rule did, and would do.
    pub(super) fn changes(self) -> Vec<RuleChange> {
        let threshold = |rule: &Rule| Some(rule.threshold).filter(|threshold| !threshold.is_nan());
        let rows = self.rows.into_iter();
        rows.map(|row| RuleChange {
            rule: row.before.name.to_owned(),
            signal: row.before.signal.name().to_owned(),
            bound: bound(row.before.bound).to_owned(),
            threshold_before: threshold(&row.before),
            threshold_after: threshold(&row.after),
            before: row.did,
            after: row.would,
        })
        .collect()
    }
}

/// What became of a record.
struct Outcome {
    is_kept: bool,
    /// No rule but the one that was left aside fails.
    others_allow: bool,
}

/// Counts a record for the rules that it fails.
fn tally<'r>(
    rows: &'r mut [Row],
    value: &impl Fn(usize) -> f64,
    of: impl Fn(&'r mut Row) -> (&'r Rule, &'r mut Tally),
    but: Option<&str>,
) -> Outcome {
    let (mut failing, mut others) = (0_u32, 0_u32);
    let mut first = None;
    for row in rows {
        let column = row.column;
        let (rule, tally) = of(row);
        if !rule.breaks(value(column)) {
            continue;
        }
        tally.failing += 1;
        failing += 1;
        others += u32::from(but != Some(rule.name));
        if first.is_none() {
            tally.first += 1;
            first = Some(tally);
        }
    }
    if let (1, Some(only)) = (failing, first) {
        only.alone += 1;
    }
    Outcome { is_kept: failing == 0, others_allow: others == 0 }
}
