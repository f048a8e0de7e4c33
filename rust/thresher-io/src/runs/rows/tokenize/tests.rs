//! Tokens of files: each format holds the same, whatever the threads, and what cannot be is refused before anything is written.

use std::fs;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::*;
use crate::runs::flow::{self, FlowRun};
use crate::runs::options::RunOptions;
use crate::tokens::TokenFile;

/// Letters, two merges, tokens that nothing makes, and two special tokens, the last of which has the id `last`.
fn tokenizer(dir: &Path, last: u32) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz <>|/:0123456789";
    let tokens = letters.chars().map(String::from).chain(["ab".into(), "abc".into()]);
    let filler = (44..last - 1).map(|id| format!("#{id}"));
    let vocab: serde_json::Map<String, Value> =
        tokens.chain(filler).enumerate().map(|(id, token)| (token, json!(id))).collect();
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let json = json!({
        "version": "1.0", "added_tokens": [special(last - 1, "<s>"), special(last, "</s>")],
        "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"], ["ab", "c"]]}
    });
    let path = dir.join("tokenizer.json");
    fs::write(&path, json.to_string()).unwrap();
    path.display().to_string()
}

fn texts(dir: &Path, rows: usize) -> String {
    let path = dir.join("in.jsonl");
    let row = |at: usize| match at % 50 {
        7 => "{\"text\": null}\n".to_owned(),
        8 => "{\"text\": \"\", \"id\": \"e\"}\n".to_owned(),
        9 => "{\"text\": \"</s> abc\", \"id\": \"s\"}\n".to_owned(),
        _ => format!("{{\"text\": \"abcab {at} cab\", \"id\": \"d{at}\", \"n\": [{at}]}}\n"),
    };
    fs::write(&path, (0..rows).map(row).collect::<String>()).unwrap();
    path.display().to_string()
}

fn run_to(dir: &Path, output: &str, step: TokenizeStep, threads: usize) -> Result<TokenizeReport> {
    let config = TokenizeRun {
        inputs: vec![dir.join("in.jsonl").display().to_string()],
        output: Some(dir.join(output).display().to_string()),
        step,
        options: RunOptions { threads: Some(threads), batch_bytes: 2000, ..RunOptions::default() },
        ..TokenizeRun::default()
    };
    run(&config, &Progress::default())
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect()
}

/// Document, ids and length of each row.
fn read(path: &Path) -> Vec<(String, Vec<u32>, u32)> {
    let mut all = Vec::new();
    for batch in rows(path) {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let (documents, lengths) =
            (column("document").as_string::<i32>(), column("length").as_primitive::<UInt32Type>());
        let lists = column("input_ids").as_list::<i32>();
        all.extend((0..batch.num_rows()).map(|row| {
            let ids = lists.value(row).as_primitive::<UInt32Type>().values().to_vec();
            (documents.value(row).to_owned(), ids, lengths.value(row))
        }));
    }
    all
}

fn step(tokenizer: &str) -> TokenizeStep {
    TokenizeStep {
        tokenizer: tokenizer.to_owned(),
        id: Some("id".into()),
        eos: Some("</s>".into()),
        ..TokenizeStep::default()
    }
}

#[test]
fn every_format_holds_the_same_tokens_with_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (tokenizer, _) = (tokenizer(dir, 45), texts(dir, 700));
    let of = |format: &str| TokenizeStep { format: format.to_owned(), ..step(&tokenizer) };
    let report = run_to(dir, "all.parquet", of("auto"), 2).unwrap();
    let rows = read(&dir.join("all.parquet"));
    assert_eq!(rows.len(), 700 - 14);
    let docs = &report.rows.accounting;
    assert_eq!((docs.read.docs, docs.kept.docs, report.tokens.documents), (700, 686, 686));
    let tokens: usize = rows.iter().map(|(_, ids, _)| ids.len()).sum();
    assert_eq!(report.tokens.tokens, tokens as u64);
    assert!(rows.iter().all(|(_, ids, length)| ids.len() == *length as usize && ids.last() == Some(&45)));
    assert_eq!(rows[0].1[..3], [43, 42, 26]);
    // Text that spells a special token is text.
    let spelled = rows.iter().find(|(document, ..)| document == "s").unwrap();
    assert_eq!(spelled.1.iter().filter(|&&id| id == 45).count(), 1);
    assert_eq!(report.tokens.empty, 0, "the token behind it counts");

    for threads in [1, 3] {
        run_to(dir, "one.parquet", of("parquet"), threads).unwrap();
        assert!(fs::read(dir.join("one.parquet")).unwrap() == fs::read(dir.join("all.parquet")).unwrap());
        fs::remove_file(dir.join("one.parquet")).unwrap();
        for part in ["run.json", "report.html", "removed.parquet"] {
            let _ = fs::remove_file(dir.join(format!("one.parquet.{part}")));
        }
        fs::remove_dir_all(dir.join("one.parquet.quarantine")).unwrap();
    }

    let report = run_to(dir, "bins", of("megatron"), 2).unwrap();
    assert_eq!(report.tokenizer.dtype, Some("uint16"));
    let file = TokenFile::open(&dir.join("bins/data/in.bin")).unwrap();
    file.check(&|| Ok(())).unwrap();
    let flat: Vec<u32> = rows.iter().flat_map(|(_, ids, _)| ids.clone()).collect();
    assert_eq!(file.ids(0..file.tokens()).unwrap(), flat);
    assert_eq!(file.lengths(0..686).unwrap(), rows.iter().map(|row| row.2).collect::<Vec<_>>());

    run_to(dir, "shards", of("npy"), 2).unwrap();
    assert!(dir.join("shards/data/in-00001.npy").exists());
    assert!(dir.join("shards/data/in.documents.npy").exists());

    run_to(dir, "lines.jsonl", of("auto"), 2).unwrap();
    let lines = fs::read_to_string(dir.join("lines.jsonl")).unwrap();
    for (line, (document, ids, length)) in lines.lines().zip(&rows) {
        let wanted = json!({"document": document, "input_ids": ids, "length": length});
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), wanted);
    }
}

#[test]
fn other_columns_stay_where_that_is_asked_for_and_in_a_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (tokenizer, input) = (tokenizer(dir, 45), texts(dir, 60));
    let kept = TokenizeStep { keep_columns: true, offsets: true, ..step(&tokenizer) };
    run_to(dir, "kept.jsonl", kept, 2).unwrap();
    let lines = fs::read_to_string(dir.join("kept.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["n"], json!([0]));
    assert_eq!((&first["length"], &first["offsets"][0]), (&json!(8), &json!([0, 3])));
    let steps = json!([{"tokenize": {"tokenizer": tokenizer, "eos": "</s>", "format": "parquet"}}, {"dedup": {"text": "document"}}]);
    let flow: FlowRun = serde_json::from_value(json!({
        "inputs": [input], "output": dir.join("flow").display().to_string(), "steps": steps,
    }))
    .unwrap();
    let mut wrong = flow.clone();
    wrong.steps[0]["tokenize"]["format"] = json!("megatron");
    wrong.output = dir.join("wrong").display().to_string();
    let said = flow::run(&wrong, &Progress::default()).unwrap_err().to_string();
    assert!(said.contains("1.tokenize") && said.contains("last step only"), "{said}");
    let report = flow::run(&flow, &Progress::default()).unwrap();
    assert_eq!(report["steps"][0]["tokens"]["documents"], json!(58));
    let found = read(&dir.join("flow/data/in.parquet"));
    assert_eq!((found.len(), &*found[0].0), (58, "in.jsonl:0"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    texts(dir, 10);
    let (narrow, small) = (tokenizer(dir, 65_536), step("x"));
    let good = step(&narrow);
    let (bad, lies) = (dir.join("bad.json"), dir.join("lies.json"));
    fs::write(&bad, "{").unwrap();
    fs::write(
        &lies,
        r#"{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}"#,
    )
    .unwrap();
    let with = |change: &dyn Fn(&mut TokenizeStep)| {
        let mut step = good.clone();
        change(&mut step);
        step
    };
    for (step, output, says) in [
        (small, "out", "there is no such file"),
        (with(&|step| step.tokenizer = bad.display().to_string()), "out", "cannot be used"),
        (with(&|step| step.tokenizer = lies.display().to_string()), "out", "cannot be used"),
        (with(&|step| step.bos = Some("<none>".into())), "out", "no such token"),
        (
            with(&|step| (step.format, step.dtype) = ("megatron".into(), "uint16".into())),
            "out",
            "`65537` ids",
        ),
        (with(&|step| (step.format, step.dtype) = ("npy".into(), "uint16".into())), "out", "`65537` ids"),
        (with(&|step| (step.format, step.dtype) = ("megatron".into(), "uint32".into())), "out", "no code"),
        (with(&|step| step.dtype = "int32".into()), "out", "lists of uint32"),
        (with(&|step| step.format = "megatron".into()), "out.parquet", "name of a folder"),
        (with(&|step| step.format = "arrow".into()), "out.parquet", "name of a folder"),
        (with(&|step| step.text = "txt".into()), "out", "text is `txt`"),
        (with(&|step| (step.keep_columns, step.format) = (true, "npy".into())), "out", "keep_columns"),
    ] {
        let said = run_to(dir, output, step, 1).unwrap_err();
        assert!(matches!(said, Error::Parameter(_)), "{said:?}");
        assert!(said.to_string().contains(says), "{said}");
        assert!(!dir.join("out/data").exists() && !dir.join("out.parquet").exists());
    }
    run_to(dir, "out", with(&|step| step.format = "megatron".into()), 1).unwrap();
    assert_eq!(TokenFile::open(&dir.join("out/data/in")).unwrap().dtype().name(), "int32");
}
