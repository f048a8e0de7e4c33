//! Rules: thresholds on signals, as data.
//!
//! A rule looks at one signal and nothing else, so thresholds can be changed long after the text was read. All rules are
//! applied to every document, and all that fail are named; a signal that is not defined for a document (NaN) fails none,
//! since each preset also asks for a least number of words, lines or characters.

mod presets;

use thresher_core::{Error, Result};

use crate::signals::{Group, Signal, Signals};

pub use presets::Preset;

/// On which side of its threshold a signal has to be; the threshold itself is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The signal is at least the threshold.
    AtLeast,
    /// The signal is at most the threshold.
    AtMost,
}

/// A threshold on a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Its name, `preset.rule`, by which its threshold is set and a removal explained.
    pub name: &'static str,
    /// What it looks at.
    pub signal: Signal,
    /// What is allowed.
    pub bound: Bound,
    /// The least or the greatest value that is allowed; NaN allows every value.
    pub threshold: f64,
}

impl Bound {
    /// How a value that is allowed is compared with the threshold.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }

    /// How one that is not allowed is.
    #[must_use]
    pub const fn broken_sign(self) -> &'static str {
        match self {
            Self::AtLeast => "<",
            Self::AtMost => ">",
        }
    }
}

impl Rule {
    /// The rule of a name, with its published threshold.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Preset::ALL.iter().flat_map(|preset| preset.rules()).find(|rule| rule.name == name).copied()
    }

    /// Whether a document with these signals fails it.
    #[inline]
    #[must_use]
    pub fn fails(&self, signals: &Signals) -> bool {
        self.breaks(signals.get(self.signal))
    }

    /// Whether a value of its signal breaks it; one that is not defined (NaN) does not.
    #[inline]
    #[must_use]
    pub fn breaks(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtLeast => value < self.threshold,
            Bound::AtMost => value > self.threshold,
        }
    }
}

/// The rules of a run, in declared order.
///
/// ```
/// use thresher_filter::rules::{Preset, Rules};
/// use thresher_filter::signals::{Extractor, Signals};
/// let mut rules = Rules::new(&[Preset::Gopher, Preset::FineWeb]);
/// rules.set("gopher.min_words", 3.0)?;
/// let mut extractor = Extractor::new(&rules.groups(), 7);
/// let signals = extractor.compute("A page of\nbut a few\nwords")?;
/// let failing: Vec<&str> = rules.failing(signals).map(|rule| rule.name).collect();
/// assert_eq!(failing, ["gopher.min_mean_word", "gopher.stop_words", "fineweb.line_punct", "fineweb.short_lines"]);
/// # Ok::<(), thresher_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// The rules of some presets, one preset after the other, each once.
    #[must_use]
    pub fn new(presets: &[Preset]) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for rule in presets.iter().flat_map(|preset| preset.rules()) {
            if rules.iter().all(|known| known.name != rule.name) {
                rules.push(*rule);
            }
        }
        Self { rules }
    }

    /// All rules.
    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.rules
    }

    /// The groups of signals that they look at, each once.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let wanted = |group: &Group| self.rules.iter().any(|rule| rule.signal.group() == *group);
        Group::ALL.iter().copied().filter(wanted).collect()
    }

    /// Sets the threshold of a rule.
    ///
    /// # Errors
    /// `Error::Parameter` for a name that no rule has, and for a threshold that is not finite.
    pub fn set(&mut self, name: &str, threshold: f64) -> Result<()> {
        if !threshold.is_finite() {
            return Err(Error::Parameter(format!(
                "the threshold of `{name}` is `{threshold}`, but it has to be a number; leave the rule out to allow everything"
            )));
        }
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.name == name) else {
            let names: Vec<String> = self.rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
            return Err(Error::Parameter(format!(
                "no rule is called `{name}`; there are {}",
                names.join(", ")
            )));
        };
        rule.threshold = threshold;
        Ok(())
    }

    /// Adds a rule behind all others, or gives it this threshold if it is there.
    pub fn put(&mut self, rule: Rule) {
        match self.rules.iter_mut().find(|known| known.name == rule.name) {
            Some(known) => *known = rule,
            None => self.rules.push(rule),
        }
    }

    /// Leaves the rules out that have no threshold.
    pub fn drop_unset(&mut self) {
        self.rules.retain(|rule| !rule.threshold.is_nan());
    }

    /// Leaves a rule out; gives whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.name != name);
        self.rules.len() < before
    }

    /// All rules that a document fails, in declared order.
    pub fn failing<'a>(&'a self, signals: &'a Signals) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(|rule| rule.fails(signals))
    }
}

#[cfg(test)]
mod tests;
