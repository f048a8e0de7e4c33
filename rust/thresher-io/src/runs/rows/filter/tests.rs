use std::fs;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use thresher_filter::signals::Signals;

use super::counts::Counts;
use super::*;
use crate::runs::RunOptions;

/// Pages with sentences, menus and repetitions; every ninth has no text.
pub(crate) fn pages(count: usize) -> Vec<Option<String>> {
    let sentences = [
        "The museum opens at nine in the morning and closes at five.",
        "It has rooms with maps, coins and letters that have never been shown before.",
        "Menu",
        "- Home",
        "Visitors are asked to leave their bags at the door, to be kept there.",
        "We use cookies to count visits.",
        "3 likes",
        "What would you like to see first? [1]",
        "OPEN EVERY DAY OF THE WEEK",
        "Lorem ipsum",
    ];
    let page = |n: usize| {
        let lines = 1 + n * 7 % 23;
        let line = |at: usize| {
            let text = sentences[(n * 3 + at * (1 + n % 4)) % sentences.len()];
            if at.is_multiple_of(3) {
                format!("{text} Room {} is next.", n * at % 50)
            } else {
                text.to_owned()
            }
        };
        (0..lines).map(line).collect::<Vec<_>>().join(if n.is_multiple_of(5) { "\r\n" } else { "\n" })
    };
    (0..count).map(|n| (n % 9 != 8).then(|| page(n))).collect()
}

pub(crate) fn write_pages(path: &Path, pages: &[Option<String>]) {
    let line = |(n, text): (usize, &Option<String>)| format!("{}\n", json!({"n": n, "text": text, "x": [n]}));
    fs::write(path, pages.iter().enumerate().map(line).collect::<String>()).unwrap();
}

pub(crate) fn config(input: &Path, output: &Path, step: FilterStep) -> FilterRun {
    let name = |path: &Path| path.display().to_string();
    let options = RunOptions { overwrite: true, batch_bytes: 10_000, ..RunOptions::default() };
    Config { inputs: vec![name(input)], output: Some(name(output)), step, options, ..Config::default() }
}

fn step(preset: &[&str]) -> FilterStep {
    FilterStep { preset: preset.iter().map(|name| (*name).to_owned()).collect(), ..FilterStep::default() }
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(|batch| batch.unwrap()).collect()
}

/// What is said of each removed row: its number, all reasons, and the detail.
fn removed(path: &Path) -> Vec<(i64, Vec<String>, String)> {
    let mut found = Vec::new();
    for batch in read(path) {
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            arrow_cast::cast(column, &arrow_schema::DataType::Utf8).unwrap()
        };
        let rows = batch.column_by_name("row").unwrap().as_primitive::<Int64Type>();
        let reasons = batch.column_by_name("reasons").unwrap().as_list::<i32>();
        let (first, detail) = (column("reason"), column("detail"));
        for at in 0..batch.num_rows() {
            let all: Vec<String> =
                reasons.value(at).as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).collect();
            assert_eq!(all[0], first.as_string::<i32>().value(at));
            found.push((rows.value(at), all, detail.as_string::<i32>().value(at).to_owned()));
        }
    }
    found
}

#[test]
fn every_failing_rule_is_recorded_with_value_and_threshold_and_the_others_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("a.jsonl"), dir.path().join("out"));
    let pages = pages(700);
    write_pages(&input, &pages);
    let mut asked = step(&["gopher", "gopher-repetition", "c4", "fineweb", "lengths"]);
    asked.set = json!({"gopher.min_words": 20, "fineweb.short_lines": null, "lengths.max_chars": 900})
        .as_object()
        .cloned()
        .unwrap();
    let report = run(&config(&input, &output, asked.clone()), &Progress::default()).unwrap();
    let rules = rules_of(&asked.preset, &asked.set).unwrap();
    let mut extractor = Extractor::new(&rules.groups(), 3);
    let (mut expected, mut kept, mut counts) =
        (Vec::new(), String::new(), Counts::new(rules.as_slice().len()));
    let lines = fs::read_to_string(&input).unwrap();
    let mut all: Vec<(i64, Signals)> = Vec::new();
    for ((row, text), line) in (0..).zip(&pages).zip(lines.split_inclusive('\n')) {
        let Some(text) = text else { continue };
        let signals = extractor.compute(text).unwrap();
        all.push((row, signals.clone()));
        let failing: Vec<_> = rules.failing(signals).collect();
        let place = |rule: &&Rule| rules.as_slice().iter().position(|known| known.name == rule.name).unwrap();
        counts.add(&failing.iter().map(place).collect::<Vec<_>>());
        if failing.is_empty() {
            kept.push_str(line);
            continue;
        }
        let name = |rule: &&Rule| rule.name.to_owned();
        let said: Vec<String> = failing.iter().map(|rule| detail(rule, signals.get(rule.signal))).collect();
        expected.push((row, failing.iter().map(name).collect::<Vec<_>>(), said.join("; ")));
    }
    assert!(kept.lines().count() > 20 && expected.len() > 200);
    assert_eq!(removed(&output.join("removed.parquet")), expected);
    assert_eq!(fs::read_to_string(output.join("data/a.jsonl")).unwrap(), kept);
    assert_eq!(report.filtered.rules, counts.of(&rules));
    assert_eq!(report.filtered.together, counts.pairs(&rules));
    let pair = report.filtered.together.iter().max_by_key(|pair| pair.records).unwrap();
    let both = expected.iter().filter(|(_, reasons, _)| pair.rules.iter().all(|rule| reasons.contains(rule)));
    assert_eq!(pair.records, both.count() as u64);
    let spread = report.filtered.spreads.iter().find(|spread| spread.signal == "gopher.words").unwrap();
    assert_eq!(spread.records.iter().sum::<u64>(), all.len() as u64);
    let quarantined: u64 = report.rows.accounting.quarantined.values().map(|count| count.docs).sum();
    assert_eq!(quarantined, pages.iter().filter(|page| page.is_none()).count() as u64);

    // The signals of every row with a text, to the last bit.
    let mut rows = all.iter();
    for batch in read(&output.join("signals/filter.parquet")) {
        assert_eq!(batch.num_columns(), 3 + report.filtered.signals.len());
        let numbers = batch.column_by_name("row").unwrap().as_primitive::<Int64Type>();
        for at in 0..batch.num_rows() {
            let (row, signals) = rows.next().unwrap();
            assert_eq!(numbers.value(at), *row);
            assert_eq!(batch.column(0).as_string::<i32>().value(at), format!("a.jsonl:{row}"));
            for name in &report.filtered.signals {
                let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
                let value = signals.get(Signal::named(name).unwrap());
                let found = column.is_valid(at).then(|| column.value(at).to_bits());
                assert_eq!(found, (!value.is_nan()).then(|| value.to_bits()), "{name} of row {row}");
            }
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_threads_and_any_batch() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("a.jsonl");
    write_pages(&input, &pages(900));
    let mut asked = step(&["gopher", "c4"]);
    asked.id = Some("n".into());
    asked.signals = vec!["redpajama".into()];
    let result = |name: &str, threads, batch_bytes| {
        let output = dir.path().join(name).join("out.jsonl");
        fs::create_dir(dir.path().join(name)).unwrap();
        let mut config = config(&input, &output, asked.clone());
        config.options.threads = Some(threads);
        config.options.batch_bytes = batch_bytes;
        run(&config, &Progress::default()).unwrap();
        ["", ".removed.parquet", ".signals/filter.parquet"]
            .map(|part| fs::read(format!("{}{part}", output.display())).unwrap())
    };
    let one = result("one", 1, 4 << 20);
    assert!(one == result("two", 2, 9_000) && one == result("three", 3, 70_000));
    let batch = &read(&dir.path().join("one/out.jsonl.signals/filter.parquet"))[0];
    assert_eq!(batch.column(0).as_string::<i32>().value(3), "3");
    assert!(
        batch.column_by_name("rps_doc_word_count").is_some() && batch.column_by_name("dclm.words").is_none()
    );
}

#[test]
fn the_lines_of_kept_texts_are_those_of_the_recipe() {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("a.jsonl"), dir.path().join("out"));
    let pages = pages(400);
    write_pages(&input, &pages);
    for recipe in ["c4", "dclm"] {
        let mut asked = FilterStep { edit_lines: true, ..step(&[recipe]) };
        // So that some texts stay of which the recipe leaves no line.
        asked.set = if recipe == "c4" {
            json!({"c4.sentences": null, "c4.lorem_ipsum": null})
        } else {
            json!({"dclm.removed_words": null, "dclm.min_words": 0, "dclm.stop_words": 0, "dclm.bullet_lines": 1,
                "dclm.repeated_lines": 1, "dclm.repeated_line_chars": 1})
        }
        .as_object()
        .cloned()
        .unwrap();
        let report = run(&config(&input, &output, asked.clone()), &Progress::default()).unwrap();
        let rules = rules_of(&asked.preset, &asked.set).unwrap();
        let mut extractor = Extractor::new(&rules.groups(), 3);
        let mut kept = Vec::new();
        let mut edited = 0;
        for text in pages.iter().flatten() {
            if rules.failing(extractor.compute(text).unwrap()).next().is_some() {
                continue;
            }
            let left =
                if recipe == "c4" { extractor.c4_text(text) } else { extractor.dclm_text(text) }.unwrap();
            edited += u64::from(left != *text && !left.is_empty());
            kept.extend(Some(left).filter(|left| !left.is_empty()));
        }
        let written = fs::read_to_string(output.join("data/a.jsonl")).unwrap();
        let texts: Vec<String> = written
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(texts, kept);
        assert_eq!(report.filtered.edited, edited);
        assert!(edited > 20, "{edited} of {recipe}");
        if recipe == "c4" {
            assert!(report.rows.accounting.removed.keys().any(|reason| reason == NO_LINE_LEFT));
        }
    }
}

#[test]
fn what_cannot_be_asked_for_is_told_before_anything_is_read() {
    let said = |step: FilterStep| step.open().err().unwrap().to_string();
    assert!(said(step(&[])).contains("preset is not given; name one or more of gopher, gopher-repetition"));
    assert!(said(step(&["gofer"])).contains("did you mean `gopher`?"));
    let edits = FilterStep { edit_lines: true, ..step(&["fineweb"]) };
    assert!(said(edits).contains("none of the presets c4 and dclm is asked for"));
    let edits = FilterStep { edit_lines: true, ..step(&["c4", "dclm"]) };
    assert!(said(edits).contains("make two steps of a pipeline"));
    let none = FilterStep { signals: vec!["lengths".into()], ..step(&[]) };
    assert!(none.open().unwrap().rules.as_slice().is_empty());
}
