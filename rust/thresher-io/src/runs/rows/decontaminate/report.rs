//! What a decontamination found, unit by unit and of all rows.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thresher_filter::contamination::{Findings, Index, Known, Match, Verdict};

use super::DecontaminateRun;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::runs::evidence::Reported;
use crate::runs::output::{Files, Marker};
use crate::runs::rows::RowsReport;
use crate::runs::steps::Found;

/// Matches that the evidence of a removal spells out.
const DETAILED: usize = 3;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct DecontaminateReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: DecontaminateRun,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// What was found.
    #[serde(flatten)]
    pub found: Decontaminated,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for DecontaminateReport {
    fn verb(&self) -> &'static str {
        "decontaminate"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// What was found in all rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decontaminated {
    /// What was found of each benchmark.
    pub benchmarks: Vec<BenchmarkFound>,
    /// Documents that hold something of any.
    pub contaminated: u64,
    /// The first matches, in the order of the rows.
    pub matches: Vec<MatchFound>,
    /// Matches that are counted, but beyond `max_matches`.
    pub unlisted: u64,
}

/// What was found of a benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkFound {
    /// Its name.
    pub benchmark: String,
    /// Its rows.
    pub items: u64,
    /// Rows like an earlier one, in whose place they are found.
    pub repeated: u64,
    /// Rows of which nothing can be found: they have too few words, or none but common n-grams.
    pub unfindable: u64,
    /// Documents that hold something of it.
    pub documents: u64,
    /// Items that some document holds.
    pub contaminated: u64,
    /// Their rows, in order.
    pub rows: Vec<u32>,
}

/// A field of an item in a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchFound {
    /// The name of the input.
    pub input: String,
    /// The row of the document in it.
    pub row: u64,
    /// The benchmark.
    pub benchmark: String,
    /// The row of the item in it.
    pub item: u32,
    /// The field of the item.
    pub field: String,
    /// `prompt` or `answer`.
    pub side: String,
    /// What the rule measures, from 0 to 1.
    pub overlap: f64,
    /// It was found with edits.
    pub edited: bool,
    /// Its place in the text, in bytes.
    pub start: usize,
    /// The end of it.
    pub end: usize,
    /// The document was removed.
    pub removed: bool,
}

/// What was found in the rows of a unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct UnitFound {
    contaminated: u64,
    /// Documents by benchmark.
    documents: BTreeMap<u32, u64>,
    /// Benchmark, row of the item, documents.
    items: Vec<(u32, u32, u64)>,
    /// Rows count from the start of the unit.
    matches: Vec<MatchFound>,
    unlisted: u64,
    #[serde(skip)]
    findings: Findings,
}

impl UnitFound {
    pub(super) fn add(&mut self, index: &Index, slot: u32, verdict: &Verdict, removed: bool, most: usize) {
        self.contaminated += 1;
        self.findings.add(verdict);
        for found in &verdict.matches {
            if self.matches.len() == most {
                self.unlisted += 1;
                continue;
            }
            self.matches.push(MatchFound {
                input: String::new(),
                row: u64::from(slot),
                benchmark: name_of(index, found).to_owned(),
                item: found.row,
                field: found.field(index).to_owned(),
                side: found.side.name().to_owned(),
                overlap: found.overlap,
                edited: found.edited,
                start: found.span.start,
                end: found.span.end,
                removed,
            });
        }
    }

    /// As it is stored.
    pub(super) fn into_json(mut self, index: &Index) -> String {
        for benchmark in 0..index.benchmarks().len() {
            let documents = self.findings.documents(benchmark);
            if documents > 0 {
                self.documents.insert(benchmark as u32, documents);
            }
            let items = self.findings.items(benchmark);
            self.items.extend(items.map(|(row, documents)| (benchmark as u32, row, documents)));
        }
        // What was found has a JSON.
        serde_json::to_string(&self).unwrap_or_default()
    }
}

fn name_of<'i>(index: &'i Index, found: &Match) -> &'i str {
    index.benchmarks().get(found.benchmark as usize).map_or("", |known| &known.name)
}

/// A sentence for the evidence of a removal.
pub(super) fn detail(index: &Index, verdict: &Verdict) -> String {
    let mut said = String::new();
    for found in verdict.matches.iter().take(DETAILED) {
        let (name, field, span) = (name_of(index, found), found.field(index), &found.span);
        let edited = if found.edited { " with edits" } else { "" };
        let apart = if said.is_empty() { "" } else { "; " };
        let _ = write!(
            said,
            "{apart}{name} row {} {field}: {:.2}{edited} at bytes {}..{}",
            found.row, found.overlap, span.start, span.end
        );
    }
    if verdict.matches.len() > DETAILED {
        let _ = write!(said, "; and {} more", verdict.matches.len() - DETAILED);
    }
    said
}

/// What was found in all rows, from what was found in each unit.
pub(super) fn summary(
    index: &Index,
    most: usize,
    inputs: &[String],
    found: &mut dyn Iterator<Item = Result<Found>>,
) -> Result<Value> {
    let mut all = Decontaminated::default();
    let mut findings = Findings::default();
    for unit in found {
        let Found { input, first_row, found } = unit?;
        let unit: UnitFound = serde_json::from_str(&found).map_err(broken)?;
        all.contaminated += unit.contaminated;
        all.unlisted += unit.unlisted;
        unit.documents.iter().for_each(|(&benchmark, &count)| findings.add_documents(benchmark, count));
        unit.items.iter().for_each(|&(benchmark, row, count)| findings.add_item(benchmark, row, count));
        for mut found in unit.matches {
            if all.matches.len() == most {
                all.unlisted += 1;
                continue;
            }
            found.input.clone_from(&inputs[input]);
            found.row += first_row;
            all.matches.push(found);
        }
    }
    all.benchmarks = table(index, &findings);
    Ok(json!(all))
}

/// What was found of each benchmark, in order.
#[must_use]
pub fn table(index: &Index, findings: &Findings) -> Vec<BenchmarkFound> {
    let known = index.benchmarks().iter().enumerate();
    let row = |(number, known): (usize, &Known)| {
        let rows: Vec<u32> = findings.items(number).map(|(row, _)| row).collect();
        BenchmarkFound {
            benchmark: known.name.clone(),
            items: known.items,
            repeated: known.repeated,
            unfindable: known.unfindable,
            documents: findings.documents(number),
            contaminated: rows.len() as u64,
            rows,
        }
    };
    known.map(row).collect()
}

impl Decontaminated {
    /// What a summary says.
    ///
    /// # Errors
    /// `Error::Internal` for what no summary is.
    pub(super) fn of_summary(summary: Value) -> Result<Self> {
        serde_json::from_value(summary).map_err(broken)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: serde_json::Error) -> Error {
    Error::Internal(format!("findings of a decontamination: {error}"))
}
