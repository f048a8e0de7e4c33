//! Benchmarks from files of any format: each file is one, called by its name, and each of its rows an item.
//!
//! What is wrong with a benchmark ends the run: of a row that is left out nothing would be found, and nobody would know.

use thresher_core::json::{FieldPath, Fields as RowFields, Json};
use thresher_filter::contamination::{ANSWERS, Benchmark, Fields, PROMPTS};

use crate::codec::without_suffix;
use crate::error::{Error, Result};
use crate::input::{Position, Scratch};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::options::RunOptions;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::surveyed;

/// Members of a row that an error lists.
const LISTED: usize = 12;

/// Reads benchmarks: files, patterns and folders. Fields are found by their names unless `prompts` or `answers` name some.
///
/// # Errors
/// `Error::Parameter` for files without rows or fields, `Error::Data` with the place of a row that cannot be read, `Error::Io`.
pub fn read(
    files: &[String],
    prompts: &[String],
    answers: &[String],
    progress: &Progress,
) -> Result<Vec<Benchmark>> {
    if files.is_empty() {
        return Err(Error::Parameter(
            "against names no file; name the benchmarks whose items must not be in the texts".into(),
        ));
    }
    let fields = fields_of(prompts, answers)?;
    let options = RunOptions::default();
    let plan = Plan::new(options.reading(files, None), &RowFields::default(), progress)?;
    plan.check_rows()?;
    let names = names(&plan.sources);
    surveyed(&plan.sources, 1, progress, || {
        let sources = plan.sources.iter().zip(&names);
        sources.map(|(source, name)| read_one(source, name, &fields, progress)).collect()
    })
}

/// A benchmark from rows in memory, each a JSON object.
///
/// # Errors
/// `Error::Parameter` for a row that is none, and rows without fields.
pub fn of_rows(name: &str, rows: &[String], prompts: &[String], answers: &[String]) -> Result<Benchmark> {
    let fields = fields_of(prompts, answers)?;
    let mut items = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let json = Json::parse(row).map_err(|error| {
            Error::Parameter(format!("row {number} of the benchmark `{name}` is no JSON object: {error}"))
        })?;
        items.push(fields.item(number as u64, json));
    }
    if items.iter().all(|item| item.fields.is_empty()) {
        return Err(without_fields(name, rows.first().map(String::as_str), &fields));
    }
    Ok(Benchmark { name: name.to_owned(), items })
}

fn fields_of(prompts: &[String], answers: &[String]) -> Result<Fields> {
    let paths = |given: &[String]| -> thresher_core::Result<Vec<FieldPath>> {
        given.iter().map(|path| FieldPath::parse(path)).collect()
    };
    Ok(Fields { prompts: paths(prompts)?, answers: paths(answers)? })
}

/// The names of the files without their endings, unless two of them would be the same.
fn names(sources: &[Source]) -> Vec<String> {
    let whole = || sources.iter().map(|source| source.input().name());
    let short: Vec<&str> = whole().map(without_suffix).collect();
    let is_single = |name: &str| short.iter().filter(|other| **other == name).count() == 1;
    whole()
        .zip(&short)
        .map(|(whole, short)| if is_single(short) { *short } else { whole }.to_owned())
        .collect()
}

struct Rows<'r> {
    source: &'r Source,
    fields: &'r Fields,
    benchmark: Benchmark,
    /// The first row of the unit, and of the next one.
    first: u64,
    next: u64,
    /// Rows with a field.
    found: u64,
    /// A row without.
    without: Option<String>,
}

impl Visitor for Rows<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let row = self.first + u64::from(record.slot);
        self.next = row + 1;
        let item = self.fields.item(row, Json::checked(record.text));
        self.found += u64::from(!item.fields.is_empty());
        if item.fields.is_empty() && self.without.is_none() {
            self.without = Some(record.text.to_owned());
        }
        self.benchmark.items.push(item);
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        let row = self.first + u64::from(bad.slot);
        let (reason, detail) = (bad.reason.name(), &bad.detail);
        let path = self.source.input().path();
        Err(Error::data(path, format!("row {row} of this benchmark cannot be read: {reason}, {detail}")))
    }
}

fn read_one(source: &Source, name: &str, fields: &Fields, progress: &Progress) -> Result<Benchmark> {
    let benchmark = Benchmark { name: name.to_owned(), items: Vec::new() };
    let mut rows = Rows { source, fields, benchmark, first: 0, next: 0, found: 0, without: None };
    let (input, mut scratch) = (source.input(), Scratch::default());
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| progress.check())? {
        progress.check()?;
        rows.first = rows.next;
        input.read(&unit, &RowFields::default(), None, &mut scratch, &mut rows)?;
    }
    if rows.found == 0 {
        let path = source.input().path().display().to_string();
        return Err(without_fields(&path, rows.without.as_deref(), fields));
    }
    Ok(rows.benchmark)
}

fn without_fields(name: &str, row: Option<&str>, fields: &Fields) -> Error {
    let Some(row) = row else {
        return Error::Parameter(format!("benchmark `{name}` has no row; leave it out, or name another one"));
    };
    let members = Json::checked(row).members();
    let has: Vec<&str> = members.iter().take(LISTED).map(|(key, _)| key.escaped()).collect();
    let has = has.join(", ");
    if fields.prompts.is_empty() && fields.answers.is_empty() {
        return Error::Parameter(format!(
            "benchmark `{name}` has no field that is known as a prompt ({}, ...) or an answer ({}, ...); name some with \
             prompts and answers; its rows have {has}",
            PROMPTS[..4].join(", "),
            ANSWERS[..4].join(", ")
        ));
    }
    let given: Vec<String> = fields.prompts.iter().chain(&fields.answers).map(ToString::to_string).collect();
    Error::Parameter(format!(
        "benchmark `{name}` has none of the fields `{}`, which prompts and answers name; its rows have {has}",
        given.join("`, `")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_of(files: &[&str], prompts: &[&str]) -> Result<Vec<Benchmark>> {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        read(&owned(files), &owned(prompts), &[], &Progress::default())
    }

    #[test]
    fn benchmarks_are_called_by_their_files_and_items_by_their_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::write(path("one.jsonl"), "{\"question\": \"a\"}\n\n{\"x\": 1}\n{\"question\": \"b\"}\n").unwrap();
        fs::write(path("two.json"), "[{\"text\": \"c\", \"ask\": \"d\"}]").unwrap();
        fs::write(path("two.jsonl"), "{\"ask\": \"e\"}\n").unwrap();
        let found = read_of(&[&path("one.jsonl"), &path("two.json")], &[]).unwrap();
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        let rows: Vec<(u64, usize)> =
            found[0].items.iter().map(|item| (item.row, item.fields.len())).collect();
        assert_eq!(rows, [(0, 1), (1, 0), (2, 1)]);
        let found = read_of(&[&path("two.json"), &path("two.jsonl")], &["ask"]).unwrap();
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["two.json", "two.jsonl"]);
        assert_eq!(found[1].items[0].fields[0].text, "e");
    }

    #[test]
    fn what_is_wrong_with_a_benchmark_is_said_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let said = |files: &[&str], prompts: &[&str]| read_of(files, prompts).unwrap_err().to_string();
        assert!(said(&[], &[]).contains("against names no file"));
        fs::write(path("a.jsonl"), "{\"ask\": \"a\"}\n").unwrap();
        assert!(said(&[&path("a.jsonl")], &[]).contains("its rows have ask"));
        assert!(said(&[&path("a.jsonl")], &["meta.q"]).contains("none of the fields `meta.q`"));
        fs::write(path("b.jsonl"), "{\"question\": \"a\"}\n{\"question\": \n").unwrap();
        let error = said(&[&path("b.jsonl")], &[]);
        assert!(error.contains("row 1 of this benchmark cannot be read: invalid_json"), "{error}");
        fs::write(path("c.jsonl"), "").unwrap();
        assert!(said(&[&path("c.jsonl")], &[]).contains("has no row"));
    }
}
