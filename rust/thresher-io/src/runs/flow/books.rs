//! The books of a pipeline, from those of its steps.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::quarantine::QuarantineReport;
use crate::runs::books::{Count, is_zero};

/// Where every document went: what the first step read, what the last one kept, and what each step took out, under its name.
///
/// Documents balance. Bytes are those that each step saw, and a step that rewrites rows changes their length. What a packing puts into
/// bins is documents; the steps behind it see the bins.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    /// Read by the first step.
    #[serde(rename = "in")]
    pub read: Count,
    /// New documents beyond one for each, of the steps that make several of one.
    #[serde(skip_serializing_if = "is_zero")]
    pub made: u64,
    /// Documents that became bins, for the steps behind, by the step that packed them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub packed: BTreeMap<String, Binned>,
    /// Kept by the last.
    pub kept: Count,
    /// Removed, by step and reason, as `2.dedup near`.
    pub removed: BTreeMap<String, Count>,
    /// Set aside, by step and reason.
    pub quarantined: BTreeMap<String, Count>,
    /// Bytes of blank lines that the first step read.
    pub blank_bytes: u64,
}

/// What a packing has put into bins.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Binned {
    /// Documents.
    pub docs: u64,
    /// Bins, which are the documents of the next step.
    pub bins: u64,
}

impl Books {
    /// The books of steps, from their reports.
    ///
    /// # Errors
    /// `Error::Internal` if they do not balance, in documents or in tokens.
    pub(super) fn of(reports: &[Value]) -> Result<Self> {
        let at =
            |report: Option<&Value>, path: &str| report.and_then(|report| report.pointer(path)).map(count);
        let (first, last) = (reports.first(), reports.last());
        let (all, references) = (at(first, "/accounting/in"), at(first, "/accounting/references"));
        let (all, references) = (all.unwrap_or_default(), references.unwrap_or_default());
        let books = Self {
            read: Count { docs: all.docs - references.docs, bytes: all.bytes - references.bytes },
            made: reports.iter().filter_map(|report| report.pointer("/accounting/made")?.as_u64()).sum(),
            packed: reports.iter().rev().skip(1).filter_map(binned).collect(),
            kept: at(last, "/accounting/kept").unwrap_or_default(),
            removed: by_step(reports, "/accounting/removed"),
            quarantined: by_step(reports, "/accounting/quarantined"),
            blank_bytes: first
                .and_then(|report| report.pointer("/accounting/blank_bytes")?.as_u64())
                .unwrap_or_default(),
        };
        follow_each_other(reports)?;
        tokens_balance(reports)?;
        let gone: u64 =
            books.removed.values().chain(books.quarantined.values()).map(|count| count.docs).sum();
        let sum = |of: fn(&Binned) -> u64| books.packed.values().map(of).sum::<u64>();
        if books.read.docs + books.made + sum(|step| step.bins)
            == books.kept.docs + gone + sum(|step| step.docs)
        {
            return Ok(books);
        }
        Err(Error::Internal(format!("the books of the steps do not balance: {books:?}")))
    }
}

/// The name of a step, and what it has packed, if it has.
fn binned(report: &Value) -> Option<(String, Binned)> {
    let bins = report.pointer("/packing/bins")?.as_u64()?;
    let docs = number(report, "/accounting/kept/docs");
    Some((name(report).to_owned(), Binned { docs, bins }))
}

/// Makes sure that each step has read what the one before it has kept.
fn follow_each_other(reports: &[Value]) -> Result<()> {
    for pair in reports.windows(2) {
        let kept = binned(&pair[0])
            .map_or_else(|| number(&pair[0], "/accounting/kept/docs"), |(_, binned)| binned.bins);
        let read = number(&pair[1], "/accounting/in/docs") - number(&pair[1], "/accounting/references/docs");
        if kept != read {
            let (first, second) = (name(&pair[0]), name(&pair[1]));
            return Err(Error::Internal(format!(
                "step {first} has passed on {kept} rows, but step {second} has read {read}"
            )));
        }
    }
    Ok(())
}

/// Makes sure that every token which a step has made comes to the shuffles and the packing behind it, if no step in between takes rows
/// out or makes others.
fn tokens_balance(reports: &[Value]) -> Result<()> {
    let mut made: Option<(&str, u64)> = None;
    for report in reports {
        let came = given_tokens(report);
        if let (Some((by, tokens)), Some(came)) = (made, came)
            && tokens != came
        {
            return Err(Error::Internal(format!(
                "step {by} has made {tokens} tokens, but {came} came to step {}",
                name(report)
            )));
        }
        let tokens = report.pointer("/tokens/tokens").and_then(Value::as_u64);
        let verb = report.get("verb").and_then(Value::as_str).unwrap_or_default();
        made = match tokens {
            Some(tokens) => Some((name(report), tokens)),
            // The same rows in another order.
            None if verb == "shuffle" && gone(report) == 0 => made,
            None => None,
        };
    }
    Ok(())
}

/// The tokens that a shuffle or a packing was given, without those that the latter puts behind documents.
fn given_tokens(report: &Value) -> Option<u64> {
    let of = |path: &str| report.pointer(path).and_then(Value::as_u64);
    if let Some(shuffled) = of("/shuffled_tokens") {
        return Some(shuffled);
    }
    let given = of("/packing/given/tokens")?;
    let ends = of("/parameters/eos").map_or(0, |_| {
        number(report, "/packing/given/sequences")
            - number(report, "/packing/empty")
            - number(report, "/packing/missing")
    });
    Some(given.saturating_sub(ends))
}

/// Documents that a step took out.
fn gone(report: &Value) -> u64 {
    number(report, "/accounting/in/docs").saturating_sub(number(report, "/accounting/kept/docs"))
}

fn name(report: &Value) -> &str {
    report.get("step").and_then(Value::as_str).unwrap_or_default()
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_default()
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
        let step = name(report).to_owned();
        let counts = report.pointer(path).and_then(Value::as_object).cloned().unwrap_or_default();
        counts.into_iter().map(move |(reason, value)| (format!("{step} {reason}"), count(&value)))
    };
    reports.iter().flat_map(of_step).collect()
}

fn count(value: &Value) -> Count {
    let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    Count { docs: number("docs"), bytes: number("bytes") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A step that read so many documents and kept so many.
    fn step(step: &str, read: u64, kept: u64) -> Value {
        let removed = json!({"near": {"docs": read - kept, "bytes": 0}});
        let accounting =
            json!({"in": {"docs": read, "bytes": 0}, "kept": {"docs": kept, "bytes": 0}, "removed": removed});
        json!({"step": step, "verb": step.split_once('.').unwrap().1, "parameters": {"eos": null}, "accounting": accounting})
    }

    fn with(mut step: Value, name: &str, what: Value) -> Value {
        step[name] = what;
        step
    }

    fn packing(tokens: u64) -> Value {
        json!({"given": {"sequences": 8, "tokens": tokens}, "empty": 1, "missing": 0, "bins": 3})
    }

    #[test]
    fn a_step_that_reads_other_rows_than_the_one_before_it_has_kept_is_an_error() {
        let steps = |read| [step("1.dedup", 10, 8), step("2.shuffle", read, 8)];
        assert!(Books::of(&steps(8)).is_ok());
        let said = Books::of(&steps(9)).unwrap_err().to_string();
        assert!(said.contains("step 1.dedup has passed on 8 rows, but step 2.shuffle has read 9"), "{said}");
    }

    #[test]
    fn tokens_that_do_not_come_to_the_packing_are_an_error() {
        let steps = |given, eos: Value, moved: u64| {
            vec![
                with(step("1.tokenize", 8, 8), "tokens", json!({"tokens": 100})),
                step("2.shuffle", 8, moved),
                with(
                    with(step("3.pack", moved, moved), "packing", packing(given)),
                    "parameters",
                    json!({"eos": eos}),
                ),
            ]
        };
        assert!(Books::of(&steps(100, Value::Null, 8)).is_ok());
        // Each of the seven documents with a token has one more.
        assert!(Books::of(&steps(107, json!(0), 8)).is_ok());
        for (given, eos) in [(99, Value::Null), (107, Value::Null), (100, json!(0))] {
            let said = Books::of(&steps(given, eos, 8)).unwrap_err().to_string();
            assert!(said.contains("step 1.tokenize has made 100 tokens, but "), "{said}");
        }
        let mut shuffled = steps(100, Value::Null, 8);
        shuffled[1]["shuffled_tokens"] = json!(100);
        assert!(Books::of(&shuffled).is_ok());
        shuffled[1]["shuffled_tokens"] = json!(101);
        let said = Books::of(&shuffled).unwrap_err().to_string();
        assert!(said.contains("but 101 came to step 2.shuffle"), "{said}");
        // Rows that are gone took their tokens along.
        assert!(Books::of(&steps(90, Value::Null, 7)).is_ok());
    }

    #[test]
    fn bins_are_the_documents_of_the_steps_behind_a_packing() {
        let pack = |bins| {
            let packing = json!({"given": {"sequences": 8, "tokens": 9}, "bins": bins});
            vec![with(step("1.pack", 8, 7), "packing", packing), step("2.shuffle", 3, 3)]
        };
        let books = Books::of(&pack(3)).unwrap();
        assert_eq!((books.packed["1.pack"].docs, books.packed["1.pack"].bins), (7, 3));
        assert!(Books::of(&pack(4)).is_err());
    }
}
