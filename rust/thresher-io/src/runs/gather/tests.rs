//! Shuffles and packings between other steps, against the same verbs one after the other, with exchanges of a few hundred bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use thresher_tokens::permute::Permutation;

use crate::error::{Error, Result};
use crate::runs::flow::{self, FlowRun};
use crate::runs::progress::Progress;

/// One token for each letter.
fn tokenizer(dir: &Path) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz <>|/:0123456789";
    let vocab: serde_json::Map<String, Value> =
        letters.chars().enumerate().map(|(id, letter)| (letter.to_string(), json!(id))).collect();
    let model = json!({"type": "BPE", "vocab": vocab, "merges": []});
    let path = dir.join("tokenizer.json");
    fs::write(&path, json!({"version": "1.0", "added_tokens": [], "model": model}).to_string()).unwrap();
    path.display().to_string()
}

/// Texts, of which every fourth comes once more; those of a lines file have bad rows between them.
fn texts(from: usize, rows: usize) -> Vec<String> {
    let text = |at: usize| {
        let at = if at % 4 == 3 { at - 1 } else { at };
        format!("row {at} {}", format!("word{} ", at % 7).repeat(1 + at * at % 11))
    };
    (from..from + rows).map(text).collect()
}

fn lines(dir: &Path, name: &str, texts: &[String]) -> String {
    let row = |(at, text): (usize, &String)| {
        let bad = if at % 50 == 9 { "no JSON\n\n" } else { "" };
        format!("{bad}{{\"text\": \"{text}\", \"n\": {at}}}\n")
    };
    fs::write(dir.join(name), texts.iter().enumerate().map(row).collect::<String>()).unwrap();
    dir.join(name).display().to_string()
}

fn parquet(dir: &Path, name: &str, texts: &[String]) -> String {
    let path = dir.join(name);
    let column: StringArray = texts.iter().map(Some).collect();
    let numbers: StringArray = (0..texts.len()).map(|at| Some(format!("n{at}"))).collect();
    let batch = RecordBatch::try_from_iter([
        ("text", std::sync::Arc::new(column) as _),
        ("n", std::sync::Arc::new(numbers) as _),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    for start in (0..batch.num_rows()).step_by(33) {
        writer.write(&batch.slice(start, 33.min(batch.num_rows() - start))).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    path.display().to_string()
}

fn run(inputs: &[String], output: &Path, steps: &Value) -> Result<Value> {
    let config =
        json!({"inputs": inputs, "output": output, "steps": steps, "threads": 2, "batch_bytes": 900});
    let config: FlowRun = serde_json::from_value(config).unwrap();
    flow::run(&config, &Progress::default())
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(std::result::Result::unwrap).collect()
}

/// The tokens of each row, and the documents in it.
fn bins(path: &Path) -> Vec<(Vec<u32>, Vec<String>)> {
    let mut bins = Vec::new();
    for batch in read(path) {
        let column = |name: &str| batch.column_by_name(name).unwrap().as_list::<i32>();
        let (ids, documents) = (column("input_ids"), column("document_ids"));
        bins.extend((0..batch.num_rows()).map(|row| {
            let names = documents.value(row);
            let names = names.as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).collect();
            (ids.value(row).as_primitive::<UInt32Type>().values().to_vec(), names)
        }));
    }
    bins
}

fn data(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap()))
        .collect()
}

fn removed(path: &Path) -> Vec<(String, String, u64)> {
    let mut all = Vec::new();
    for batch in read(path) {
        let text = |name: &str| {
            arrow_cast::cast(batch.column_by_name(name).unwrap(), &arrow_schema::DataType::Utf8).unwrap()
        };
        let (steps, sources, rows) = (text("step"), text("source"), text("row"));
        all.extend((0..batch.num_rows()).map(|row| {
            let value = |column: &arrow_array::ArrayRef| column.as_string::<i32>().value(row).to_owned();
            (value(&steps), value(&sources), value(&rows).parse().unwrap())
        }));
    }
    all
}

#[test]
fn a_shuffle_behind_a_step_that_removes_rows_is_that_of_what_the_step_writes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let dedup = json!({"dedup": {"exact_only": true}});
    let shuffle = json!({"shuffle": {"seed": 5, "shards": 3}});
    let of_lines = [lines(dir, "a.jsonl", &texts(0, 300)), lines(dir, "b.jsonl", &texts(280, 200))];
    let of_columns = [parquet(dir, "a.parquet", &texts(0, 300)), parquet(dir, "b.parquet", &texts(280, 200))];
    for (inputs, kind) in [(of_lines, "lines"), (of_columns, "columns")] {
        let (out, between, whole) =
            (dir.join(format!("{kind}.out")), dir.join(format!("{kind}.1")), dir.join(format!("{kind}.2")));
        let report = run(&inputs, &out, &json!([dedup, shuffle])).unwrap();
        run(&inputs, &between, &json!([dedup])).unwrap();
        run(&[between.join("data").display().to_string()], &whole, &json!([shuffle])).unwrap();
        assert_eq!(data(&out).len(), 3);
        assert!(data(&out) == data(&whole), "{kind}");
        let removed = report["accounting"]["removed"].as_object().unwrap();
        assert!(removed["1.dedup exact"]["docs"].as_u64().unwrap() > 100, "{removed:?}");
        // The rows of the inputs are not copied in front of the exchange.
        assert!(report["steps"][1]["spilled_bytes"].as_u64().unwrap() > 0);
    }
}

#[test]
fn behind_a_shuffle_evidence_and_names_are_those_of_the_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let inputs = [lines(dir, "a.jsonl", &texts(0, 90)), lines(dir, "b.jsonl", &texts(90, 70))];
    let out = dir.join("out");
    let steps = json!([
        {"shuffle": {"seed": 3, "shards": 2}},
        {"dedup": {"exact_only": true}},
        {"tokenize": {"tokenizer": tokenizer(dir)}},
    ]);
    run(&inputs, &out, &steps).unwrap();
    let all: BTreeMap<(&str, u64), String> = {
        // A bad line is a row too.
        let rows = |name: &'static str, texts: Vec<String>| {
            let slot = |at: usize| (at + (at + 41) / 50) as u64;
            texts.into_iter().enumerate().map(move |(at, text)| ((name, slot(at)), text))
        };
        rows("a.jsonl", texts(0, 90)).chain(rows("b.jsonl", texts(90, 70))).collect()
    };
    let gone = removed(&out.join("removed.parquet"));
    assert_eq!(gone.len(), 40);
    for (step, source, row) in gone {
        assert_eq!(step, "2.dedup");
        let text = &all[&(source.as_str(), row)];
        assert!(all.values().filter(|other| *other == text).count() > 1, "{source}:{row} is {text}");
    }
    let mut seen = 0;
    for file in data(&out).keys() {
        for batch in read(&out.join("data").join(file)) {
            let ids = batch.column_by_name("input_ids").unwrap().as_list::<i32>();
            for (row, document) in
                batch.column_by_name("document").unwrap().as_string::<i32>().iter().enumerate()
            {
                let (source, place) = document.unwrap().split_once(':').unwrap();
                let text = &all[&(source, place.parse().unwrap())];
                assert_eq!(ids.value(row).len(), text.len(), "{document:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 120);
}

#[test]
fn tokens_beside_the_rows_and_tokens_alone_are_packed_alike() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let inputs = [parquet(dir, "a.parquet", &texts(0, 200)), lines(dir, "b.jsonl", &texts(150, 150))];
    let tokenizer = tokenizer(dir);
    let steps = |keep_columns: bool| {
        json!([
            {"dedup": {"exact_only": true}},
            {"tokenize": {"tokenizer": &tokenizer, "keep_columns": keep_columns}},
            {"pack": {"context": 64, "eos": 7}},
        ])
    };
    let (alone, beside) = (dir.join("alone.parquet"), dir.join("beside.parquet"));
    let report = run(&inputs, &alone, &steps(false)).unwrap();
    run(&inputs, &beside, &steps(true)).unwrap();
    assert!(bins(&alone) == bins(&beside));
    assert!(bins(&alone).len() > 100);
    let (tokens, packing) = (&report["steps"][1]["tokens"], &report["steps"][2]["packing"]);
    let number = |value: &Value| value.as_u64().unwrap();
    let documents = number(&packing["given"]["sequences"]);
    assert_eq!(number(&tokens["documents"]), documents);
    assert_eq!(number(&tokens["tokens"]) + documents, number(&packing["given"]["tokens"]));
}

#[test]
fn tokens_in_the_files_are_packed_as_decisions_have_left_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let tokenize = json!([{"tokenize": {"tokenizer": tokenizer(dir), "keep_columns": true}}]);
    let inputs = [parquet(dir, "a.parquet", &texts(0, 300))];
    run(&inputs, &dir.join("tokens.parquet"), &tokenize).unwrap();
    let inputs = [dir.join("tokens.parquet").display().to_string()];
    let (dedup, pack) =
        (json!({"dedup": {"exact_only": true}}), json!({"pack": {"context": 64, "id": "document"}}));
    let (out, clean, packed) =
        (dir.join("out.parquet"), dir.join("clean.parquet"), dir.join("packed.parquet"));
    run(&inputs, &out, &json!([dedup, pack])).unwrap();
    run(&inputs, &clean, &json!([dedup])).unwrap();
    run(&[clean.display().to_string()], &packed, &json!([pack])).unwrap();
    let (ours, theirs) = (bins(&out), bins(&packed));
    let tokens = |bins: &[(Vec<u32>, Vec<String>)]| bins.iter().map(|bin| bin.0.clone()).collect::<Vec<_>>();
    assert!(tokens(&ours) == tokens(&theirs) && ours.len() > 50);
    let gone: Vec<String> = removed(&dir.join("out.parquet.removed.parquet"))
        .into_iter()
        .map(|(_, source, row)| format!("{source}:{row}"))
        .collect();
    let mut rest: Vec<String> =
        (0..300).map(|row| format!("tokens.parquet:{row}")).filter(|name| !gone.contains(name)).collect();
    let mut packed: Vec<String> = ours.into_iter().flat_map(|bin| bin.1).collect();
    packed.sort();
    packed.dedup();
    rest.sort();
    assert_eq!(packed, rest);
}

#[test]
fn bins_are_shuffled_and_the_books_say_how_many_documents_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let inputs = [lines(dir, "a.jsonl", &texts(0, 300))];
    let steps = |shuffle: bool| {
        let mut steps = vec![
            json!({"tokenize": {"tokenizer": tokenizer(dir)}}),
            json!({"shuffle": {"seed": 1}}),
            json!({"pack": {"context": 100}}),
        ];
        steps.extend(shuffle.then(|| json!({"shuffle": {"seed": 2}})));
        Value::Array(steps)
    };
    let (packed, out) = (dir.join("packed.parquet"), dir.join("out.parquet"));
    run(&inputs, &packed, &steps(false)).unwrap();
    let report = run(&inputs, &out, &steps(true)).unwrap();
    let done = &report["steps"];
    assert!(done[0]["tokens"]["tokens"].as_u64().unwrap() > 1000);
    assert_eq!(done[0]["tokens"]["tokens"], done[1]["shuffled_tokens"]);
    let (packed, out) = (bins(&packed), bins(&out));
    let order = Permutation::new(packed.len() as u64, 2, 0);
    let expected: Vec<_> = order.rows(0..order.len()).map(|row| packed[row as usize].clone()).collect();
    assert!(out == expected && out.len() > 50);
    let books = &report["accounting"];
    assert_eq!(books["packed"]["3.pack"], json!({"docs": 300, "bins": out.len()}));
    assert_eq!((&books["kept"]["docs"], &books["in"]["docs"]), (&json!(out.len()), &json!(306)));
}

#[test]
fn what_cannot_be_is_told_with_the_step_that_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let of_lines = [lines(dir, "a.jsonl", &texts(0, 30))];
    let of_columns = [parquet(dir, "a.parquet", &texts(0, 30))];
    let mixed = [of_lines[0].clone(), of_columns[0].clone()];
    let tokenizer = tokenizer(dir);
    let dedup = || json!({"dedup": {"exact_only": true}});
    for (inputs, steps, says) in [
        (&of_lines[..], json!([dedup(), {"pack": {"context": 8}}]), "that step comes before this one"),
        (&of_columns[..], json!([dedup(), {"pack": {"context": 8}}]), "that step comes before this one"),
        (
            &mixed[..],
            json!([dedup(), {"shuffle": {}}]),
            "step 2.shuffle: a shuffle takes inputs of one data format",
        ),
        // These are told before any step has run.
        (&of_lines[..], json!([dedup(), {"pack": {"context": 0}}]), "step 2 (pack): "),
        (
            &of_lines[..],
            json!([dedup(), {"shuffle": {"shards": 2, "rows_per_shard": 3}}]),
            "step 2 (shuffle): shards is `2`",
        ),
        (
            &of_columns[..],
            json!([{"tokenize": {"tokenizer": &tokenizer}}, {"pack": {"context": 8, "tokens": "ids"}}]),
            "step 2.pack: tokens is `ids`, but there is no such column",
        ),
        (
            &of_lines[..],
            json!([{"tokenize": {"tokenizer": &tokenizer}}, {"pack": {"context": 8, "overlong": "error"}}]),
            "8",
        ),
    ] {
        let out = dir.join("out");
        let refused = run(inputs, &out, &steps).unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
        assert!(!out.join("run.json").exists() && !out.join(".thresher").exists(), "{refused}");
    }
}

#[test]
fn no_rows_at_all_and_no_rows_that_are_left_make_empty_results() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("empty.jsonl"), "").unwrap();
    fs::write(dir.join("bad.jsonl"), "no JSON\n").unwrap();
    let tokenizer = tokenizer(dir);
    for (name, quarantined) in [("empty", 0), ("bad", 1)] {
        let steps = json!([
            {"dedup": {"exact_only": true}},
            {"tokenize": {"tokenizer": &tokenizer}},
            {"shuffle": {}},
            {"pack": {"context": 8}},
        ]);
        let out = dir.join(format!("{name}.parquet"));
        let config = json!({
            "inputs": [dir.join(format!("{name}.jsonl"))], "output": out, "steps": steps, "max_quarantine": 1.0,
        });
        let config: FlowRun = serde_json::from_value(config).unwrap();
        let report = flow::run(&config, &Progress::default()).unwrap();
        assert!(bins(&out).is_empty());
        assert_eq!(report["accounting"]["in"]["docs"], json!(quarantined));
        assert_eq!(report["steps"][3]["packing"]["bins"], json!(0));
    }
}

#[test]
fn a_strict_run_ends_at_the_first_bad_row_and_too_many_end_a_lenient_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let input = lines(dir, "a.jsonl", &texts(0, 60));
    let with = |more: Value| {
        let mut config = json!({
            "inputs": [&input], "output": dir.join("out"), "batch_bytes": 900,
            "steps": [{"shuffle": {}}, {"dedup": {"exact_only": true}}],
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: FlowRun = serde_json::from_value(config).unwrap();
        flow::run(&config, &Progress::default())
    };
    let strict = with(json!({"strict": true})).unwrap_err();
    assert!(matches!(&strict, Error::Data { message, .. } if message.contains("step 1.shuffle")), "{strict}");
    let many = with(json!({"max_quarantine": 0.01})).unwrap_err().to_string();
    assert!(many.contains("step 1.shuffle") && many.contains("They are in `"), "{many}");
    let report = with(json!({})).unwrap();
    assert_eq!(report["accounting"]["quarantined"]["1.shuffle invalid_json"]["docs"], json!(2));
    let bad = fs::read_to_string(dir.join("out/quarantine/records.jsonl")).unwrap();
    let rows: Vec<Value> = bad.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["row"].as_u64().unwrap()).collect::<Vec<_>>(), [9, 60]);
}
