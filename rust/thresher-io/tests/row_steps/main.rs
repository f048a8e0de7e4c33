//! New steps in one file each, around a deduplication, over compressed lines and Parquet: killed at any moment, the same command
//! goes on and gives the same bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod halves;
#[path = "../killed/mod.rs"]
mod killed;
mod length;
mod mask;
mod model;
mod words;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use thresher_io::runs::Progress;
use thresher_io::runs::flow::{FlowRun, Verbs, run_with};

use killed::{PIPELINE, result, start};

const ROWS: usize = 6_000;
const MODEL_BYTES: usize = 50 << 20;

const YAML: &str = "
inputs: [IN/a.jsonl.gz, IN/b.parquet]
output: OUT
steps:
  - length: {least: 40, most_digits: 70}
  - halves: {}
  - length: {least: 20, most_digits: 33}
  - mask: {}
  - dedup: {threshold: 0.8}
  - words: {}
  - classify: {model: IN/model}
threads: 2
memory: 400000000
batch_bytes: 50000
";

fn verbs() -> Verbs {
    Verbs::default()
        .rows::<length::Length>()
        .rows::<mask::Mask>()
        .rows::<words::Words>()
        .rows::<model::Classify>()
        .reshape::<halves::Halves>()
}

fn pipeline_of(folder: &Path, output: &str) -> FlowRun {
    let place = folder.display().to_string();
    let yaml = YAML.replace("IN/", &format!("{place}/")).replace("OUT", &format!("{place}/{output}"));
    serde_yaml_ng::from_str(&yaml).unwrap()
}

/// Texts of words, some with numbers; every fourth is like one before it, every fifth is short.
fn text(n: usize) -> String {
    let of = if n % 4 == 3 { n / 2 } else { n };
    if n.is_multiple_of(5) {
        return format!("short {n}");
    }
    let word = |at: usize| {
        let number = (of * 31 + at * 7) % 9_973;
        if at.is_multiple_of(6) {
            number.to_string()
        } else {
            format!("w{}", ["a", "be", "zoo"][at % 3].repeat(1 + number % 5)) + &format!("{number:x}")
        }
    };
    let mut words: Vec<String> = (0..30).map(word).collect();
    if n % 4 == 3 {
        words[29] = format!("end {}", n % 10);
    }
    words.join(" ")
}

fn make_inputs(folder: &Path) {
    let mut lines = GzEncoder::new(File::create(folder.join("a.jsonl.gz")).unwrap(), Compression::fast());
    for n in 0..ROWS {
        if n.is_multiple_of(97) {
            lines.write_all(b"{\"text\": no JSON}\n").unwrap();
        }
        writeln!(lines, "{{ \"n\": {n}, \"text\" :\"{}\", \"words\": \"old\" }}", text(n)).unwrap();
    }
    lines.finish().unwrap();
    let texts: StringArray = (ROWS / 2..2 * ROWS).map(|n| Some(text(n))).collect();
    let names: StringArray = (ROWS / 2..2 * ROWS).map(|n| Some(format!("row {n}"))).collect();
    let batch =
        RecordBatch::try_from_iter([("name", Arc::new(names) as _), ("text", Arc::new(texts) as _)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(folder.join("b.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let weights: Vec<u8> = (0..MODEL_BYTES).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(folder.join("model"), weights).unwrap();
}

/// What a killed run is resumed as: this program, with the pipeline in its environment.
#[test]
fn pipeline() {
    let Ok(config) = std::env::var(PIPELINE) else { return };
    let config: FlowRun = serde_json::from_str(&config).unwrap();
    run_with(&config, &verbs(), &Progress::default()).unwrap();
}

#[test]
fn steps_of_one_file_each_give_the_same_bytes_however_often_they_are_killed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    make_inputs(folder);
    let report = run_with(&pipeline_of(folder, "whole"), &verbs(), &Progress::default()).unwrap();
    check(&report, &folder.join("whole"));
    let whole = result(&folder.join("whole"));
    let config = pipeline_of(folder, "killed");
    let mut kills = 0;
    for wait in [30, 60, 120, 180, 240, 300, 400, 500, 650, 800, 1000, 1300] {
        let mut child = start(&config);
        std::thread::sleep(Duration::from_millis(wait));
        kills += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        if folder.join("killed/run.json").exists() {
            break;
        }
    }
    assert!(kills > 2, "the run was over before it was killed {kills} times");
    if !folder.join("killed/run.json").exists() {
        assert!(start(&config).wait().unwrap().success());
    }
    let killed = result(&folder.join("killed"));
    assert_eq!(killed.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(killed[name] == *bytes, "{} differs after {kills} kills", name.display());
    }
    let state = folder.join("killed/.thresher");
    // The last kill may have hit a run that had published its result; the next one is refused, and tidies up.
    assert!(!state.exists() || !start(&config).wait().unwrap().success());
    assert!(!state.exists());
}

/// The books of every step balance, and the data is what the steps say.
fn check(report: &Value, folder: &Path) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut before = None;
    for step in report["steps"].as_array().unwrap() {
        let books = &step["accounting"];
        let sum = |what: &str| -> u64 {
            books[what].as_object().unwrap().values().map(|count| number(&count["docs"])).sum()
        };
        let (read, kept) = (number(&books["in"]["docs"]), number(&books["kept"]["docs"]));
        assert_eq!(read + number(&books["made"]), kept + sum("removed") + sum("quarantined"), "{step}");
        assert!(before.is_none_or(|before| before == read), "{step}");
        before = Some(kept);
    }
    let last = number(&report["accounting"]["kept"]["docs"]);
    let mut rows = 0;
    let mut lines = String::new();
    let packed = fs::read(folder.join("data/a.jsonl.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&packed[..]), &mut lines).unwrap();
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = row["text"].as_str().unwrap();
        assert!(text.len() >= 20 && !text.bytes().any(|byte| byte.is_ascii_digit()), "{line}");
        assert_eq!(number(&row["words"]), text.split_whitespace().count() as u64);
        assert!(["high", "low"].contains(&row["class"].as_str().unwrap()) && row["n"].is_u64());
        assert_eq!(line.matches("\"words\":").count(), 1);
        rows += 1;
    }
    let file = File::open(folder.join("data/b.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["text", "name", "words", "class"]);
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        let words = batch.column(2).as_any().downcast_ref::<arrow_array::Int64Array>().unwrap();
        for (text, words) in texts.iter().zip(words.iter()) {
            let text = text.unwrap();
            assert!(!text.bytes().any(|byte| byte.is_ascii_digit()));
            assert_eq!(words, Some(text.split_whitespace().count() as i64));
        }
        rows += batch.num_rows() as u64;
    }
    assert_eq!(rows, last);
    assert!(last > 0 && fs::metadata(folder.join("removed.parquet")).unwrap().len() > 0);
}

#[test]
fn another_model_is_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    make_inputs(folder);
    let config = pipeline_of(folder, "out");
    let steps = folder.join("out/.thresher/spill/steps");
    let mut child = start(&config);
    while !steps.join("1.length.done").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(folder.join("model"), b"another one").unwrap();
    let refused = run_with(&config, &verbs(), &Progress::default()).unwrap_err().to_string();
    assert!(refused.contains("model` has other content"), "{refused}");
}
