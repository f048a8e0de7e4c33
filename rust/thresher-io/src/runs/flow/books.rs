//! The books of a pipeline, from those of its steps.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::quarantine::QuarantineReport;
use crate::runs::books::{Count, is_zero};

/// Where every document went: what the first step read, what the last one kept, and what each step took out, under its name.
///
/// Documents balance. Bytes are those that each step saw, and a step that rewrites rows changes their length.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    /// Read by the first step.
    #[serde(rename = "in")]
    pub read: Count,
    /// New documents beyond one for each, of the steps that make several of one.
    #[serde(skip_serializing_if = "is_zero")]
    pub made: u64,
    /// Kept by the last.
    pub kept: Count,
    /// Removed, by step and reason, as `2.dedup near`.
    pub removed: BTreeMap<String, Count>,
    /// Set aside, by step and reason.
    pub quarantined: BTreeMap<String, Count>,
    /// Bytes of blank lines that the first step read.
    pub blank_bytes: u64,
}

impl Books {
    /// The books of steps, from their reports.
    ///
    /// # Errors
    /// `Error::Internal` if they do not balance.
    pub(super) fn of(reports: &[Value]) -> Result<Self> {
        let at =
            |report: Option<&Value>, path: &str| report.and_then(|report| report.pointer(path)).map(count);
        let (first, last) = (reports.first(), reports.last());
        let books = Self {
            read: at(first, "/accounting/in").unwrap_or_default(),
            made: reports.iter().filter_map(|report| report.pointer("/accounting/made")?.as_u64()).sum(),
            kept: at(last, "/accounting/kept").unwrap_or_default(),
            removed: by_step(reports, "/accounting/removed"),
            quarantined: by_step(reports, "/accounting/quarantined"),
            blank_bytes: first
                .and_then(|report| report.pointer("/accounting/blank_bytes")?.as_u64())
                .unwrap_or_default(),
        };
        let gone: u64 =
            books.removed.values().chain(books.quarantined.values()).map(|count| count.docs).sum();
        if books.read.docs + books.made == books.kept.docs + gone {
            return Ok(books);
        }
        Err(Error::Internal(format!("the books of the steps do not balance: {books:?}")))
    }
}

/// What the steps say of their inputs.
pub(super) fn notes(report: &Value) -> Vec<String> {
    let notes = report.get("notes").and_then(Value::as_array).into_iter().flatten();
    notes.filter_map(|note| note.as_str().map(str::to_owned)).collect()
}

/// How many of the rows set aside are in the quarantines of the steps.
pub(super) fn quarantine(reports: &[Value]) -> QuarantineReport {
    let sum = |path: &str| reports.iter().filter_map(|report| report.pointer(path)?.as_u64()).sum();
    QuarantineReport { written: sum("/quarantine/written"), only_counted: sum("/quarantine/only_counted") }
}

fn by_step(reports: &[Value], path: &str) -> BTreeMap<String, Count> {
    let of_step = |report: &Value| {
        let step = report.get("step").and_then(Value::as_str).unwrap_or_default().to_owned();
        let counts = report.pointer(path).and_then(Value::as_object).cloned().unwrap_or_default();
        counts.into_iter().map(move |(reason, value)| (format!("{step} {reason}"), count(&value)))
    };
    reports.iter().flat_map(of_step).collect()
}

fn count(value: &Value) -> Count {
    let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    Count { docs: number("docs"), bytes: number("bytes") }
}
