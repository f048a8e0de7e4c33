//! Texts of files by the rules of the field: which stay, all rules that the others fail, and the signals of all.
//!
//! ```text
//! text ─> signals ─> rules ─> removed.parquet, with every failing rule
//!            └────────────────> signals/filter.parquet: every row, so that thresholds can be changed afterwards
//! ```

pub mod choice;
pub mod counts;
mod findings;
mod spread;

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use thresher_core::json::{FieldPath, Fields};
use thresher_filter::rules::{Preset, Rule, Rules};
use thresher_filter::signals::{C4Lines, Extractor, Group, Signal};

use self::choice::{group_names, groups_of, preset_names, presets_of, rules_of};
pub use self::findings::Filtered;
use self::findings::Findings;
pub use self::spread::Spread;
use super::{RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::record::Reason;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees};
use crate::secret;

/// The reason of a kept row of which the edits of its recipe leave no line.
const NO_LINE_LEFT: &str = "no_line_left";

parameters! {
    /// What a filter is asked for.
    pub struct FilterStep is "filter" {
        /// Rules to apply, by the name of their preset. All failing rules of a text are recorded; the first one counts in the
        /// books.
        preset: Vec<String> = Vec::new() => Kind::Choices("PRESET", preset_names);
        /// Thresholds by rule, as `fineweb.line_punct=0.1`; null leaves the rule out.
        set: Map<String, Value> = Map::new() => Kind::Mapping;
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// Groups of signals to keep besides those that the rules look at.
        signals: Vec<String> = Vec::new() => Kind::Choices("GROUP", group_names);
        /// For the rules and edits of c4, a line may end without a punctuation mark, as in FineWeb's pipeline.
        unended_lines: bool = false => Kind::Flag;
        /// Write each kept text as the recipe of preset c4 or dclm leaves it: without the lines that it drops.
        edit_lines: bool = false => Kind::Flag;
        /// Keep the signals of every record, removed ones included, in `signals/` of the output; `what-if` needs them.
        keep_signals: bool = true => Kind::Flag;
    }
}

/// The parameters of a run.
pub type FilterRun = Config<FilterStep>;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct FilterReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: FilterRun,
    /// What the rules did.
    #[serde(flatten)]
    pub filtered: Filtered,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for FilterReport {
    fn verb(&self) -> &'static str {
        "filter"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Filters the texts of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &FilterRun, progress: &Progress) -> Result<FilterReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let step = config.step.open()?;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: true,
        format: None,
        options: &config.options,
    };
    let fields = Fields { text: Some(step.text.clone()), id: step.id.clone(), rank: None };
    RowsRun::over_fields(setup, &fields, progress)?.publish(config, |run, place| {
        let (rows, summary) = run.examine(FilterStep::NAME, Box::new(step), place, &mut clock)?;
        let broken = |error: serde_json::Error| Error::Internal(format!("findings of a filter: {error}"));
        clock.total(started);
        Ok(FilterReport {
            marker: Marker::default(),
            config: config.clone(),
            filtered: serde_json::from_value(summary).map_err(broken)?,
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

/// Whose edits of lines are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipe {
    C4,
    Dclm,
}

/// The check of every text.
pub(crate) struct Filtering {
    rules: Rules,
    groups: Vec<Group>,
    /// The signals that are kept.
    kept: Vec<Signal>,
    text: FieldPath,
    id: Option<FieldPath>,
    lines: C4Lines,
    edits: Option<Recipe>,
    /// Keys the hashes of words.
    key: u64,
}

impl FilterStep {
    /// The step of these parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for a name that there is not, a threshold that is none, or edits of no recipe or of two.
    pub(crate) fn open(&self) -> Result<Filtering> {
        let rules = rules_of(&self.preset, &self.set)?;
        let asked = groups_of(&self.signals)?;
        if self.preset.is_empty() && asked.is_empty() {
            return Err(Error::Parameter(format!(
                "preset is not given; name one or more of {}, or groups of signals to keep",
                preset_names().join(", ")
            )));
        }
        let mut groups = rules.groups();
        groups.extend(asked);
        let is_kept = |signal: &Signal| {
            self.keep_signals && (signal.group() == Group::Lengths || groups.contains(&signal.group()))
        };
        Ok(Filtering {
            kept: Signal::ALL.iter().copied().filter(is_kept).collect(),
            rules,
            groups,
            text: FieldPath::parse(&self.text)?,
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            lines: C4Lines { ended: !self.unended_lines, ..C4Lines::default() },
            edits: self.recipe()?,
            key: secret::key()?,
        })
    }

    fn recipe(&self) -> Result<Option<Recipe>> {
        if !self.edit_lines {
            return Ok(None);
        }
        let presets = presets_of(&self.preset)?;
        match [Preset::C4, Preset::Dclm].map(|preset| presets.contains(&preset)) {
            [true, false] => Ok(Some(Recipe::C4)),
            [false, true] => Ok(Some(Recipe::Dclm)),
            [asked, _] => Err(Error::Parameter(format!(
                "edit_lines is set, but {} of the presets c4 and dclm {} asked for; lines are edited by one recipe in a step, so \
                 {}",
                if asked { "both" } else { "none" },
                if asked { "are" } else { "is" },
                if asked { "make two steps of a pipeline of them" } else { "add one of them" },
            ))),
        }
    }
}

struct Worker<'w> {
    filtering: &'w Filtering,
    extractor: Extractor,
    failing: Vec<usize>,
    findings: Findings,
}

impl RowStep for Filtering {
    fn sees(&self) -> Sees {
        Sees::Text(self.text.clone())
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn signals(&self) -> Vec<&'static str> {
        self.kept.iter().map(|signal| signal.name()).collect()
    }

    fn edits(&self) -> bool {
        self.edits.is_some()
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker {
            filtering: self,
            extractor: Extractor::with_c4_lines(&self.groups, self.key, self.lines),
            failing: Vec::new(),
            findings: Findings::new(&self.rules),
        })
    }

    fn summary(&self, _inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        let filtered = Findings::of_units(&self.rules, found)?.report(&self.rules, &self.kept);
        serde_json::to_value(filtered).map_err(|error| Error::Internal(error.to_string()))
    }
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        let Filtering { rules, kept, edits, .. } = self.filtering;
        let signals = match self.extractor.compute(text) {
            Ok(signals) => signals,
            Err(error) => return marks.set_aside(Reason::TooLong, error.to_string()),
        };
        marks.signals(kept.iter().map(|signal| signals.get(*signal)));
        self.failing.clear();
        for (at, rule) in rules.as_slice().iter().enumerate().filter(|(_, rule)| rule.fails(signals)) {
            self.failing.push(at);
            marks.remove(rule.name, detail(rule, signals.get(rule.signal)));
        }
        self.findings.add(signals, &self.failing);
        if let Some(recipe) = edits.filter(|_| self.failing.is_empty()) {
            self.edit(recipe, text, marks);
        }
    }

    fn found(&mut self) -> String {
        self.findings.take(&self.filtering.rules)
    }
}

impl Worker<'_> {
    /// Edits the lines of a text that stays.
    fn edit(&mut self, recipe: Recipe, text: &str, marks: &mut Marks) {
        let cuts = match recipe {
            Recipe::C4 => self.extractor.c4_cuts(text),
            Recipe::Dclm => self.extractor.dclm_cuts(text),
        };
        // A text whose signals were computed is not too long for that.
        let cuts = cuts.unwrap_or_default();
        let new: usize = cuts.iter().map(|(_, new)| new.len()).sum();
        let gone: usize = cuts.iter().map(|(span, _)| span.len()).sum();
        if text.len() + new == gone && !text.is_empty() {
            return marks.remove(NO_LINE_LEFT, "the recipe keeps none of its lines");
        }
        self.findings.edited += u64::from(!cuts.is_empty());
        for (span, new) in cuts {
            marks.edit(span, new);
        }
    }
}

/// What a rule says of a text that fails it: the value and the threshold, to the last bit.
fn detail(rule: &Rule, value: f64) -> String {
    format!("{} {value} {} {}", rule.name, rule.bound.broken_sign(), rule.threshold)
}

#[cfg(test)]
pub(crate) mod tests;
