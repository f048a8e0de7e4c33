//! Raw text to packed tokens in one pipeline: wherever it is killed, the same command goes on and gives the same bytes, and the books
//! balance in documents and in tokens.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killed;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thresher_io::runs::Progress;
use thresher_io::runs::flow::{FlowRun, run};

use killed::{PIPELINE, result, start};

const DOCUMENTS: usize = 6_000;
/// What a killed run has left in the folder of its stages at the latest.
const MOMENTS: [&str; 10] = [
    "1.dedup.ledger",
    "1.dedup.done",
    "2.tokenize.ledger",
    "2.tokenize.done",
    "3.shuffle.ledger/whole",
    "3.shuffle.work/rows/layout.json",
    "3.shuffle.work/rows/whole",
    "3.shuffle.done",
    "4.pack.work/pieces",
    "4.pack.work/spilled.json",
];

/// About 4 MB of lines in two files; every fourth text is one of those before it, and some lines are no rows.
fn make_inputs(folder: &Path) {
    let word = |number: usize| format!("w{:x}", number.wrapping_mul(2_654_435_761) >> 7 & 0x3ff);
    for (name, first) in [("a.jsonl", 0), ("b.jsonl", DOCUMENTS / 2)] {
        let mut lines = String::new();
        for at in first..first + DOCUMENTS / 2 {
            let of = if at % 4 == 3 { at / 2 } else { at };
            let words: Vec<String> = (0..40 + of % 200).map(|place| word(of * 977 + place)).collect();
            writeln!(lines, "{{\"text\": \"{}\", \"n\": {at}}}", words.join(" ")).unwrap();
            lines += if at % 501 == 0 { "{\"text\": 7}\nno row\n" } else { "" };
        }
        fs::write(folder.join(name), lines).unwrap();
    }
    let letters = " 0123456789abcdefw";
    let vocab: serde_json::Map<String, Value> =
        letters.chars().enumerate().map(|(id, letter)| (letter.to_string(), json!(id))).collect();
    let tokenizer =
        json!({"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": vocab, "merges": []}});
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

fn config(folder: &Path, output: &str) -> FlowRun {
    let steps = json!([
        {"dedup": {"exact_only": true}},
        {"tokenize": {"tokenizer": folder.join("tokenizer.json")}},
        {"shuffle": {"seed": 9, "shards": 3}},
        {"pack": {"context": 512, "eos": 17}},
    ]);
    let config = json!({
        "inputs": [folder.join("a.jsonl"), folder.join("b.jsonl")], "output": folder.join(output), "steps": steps,
        "threads": 2, "memory": 400_000_000, "batch_bytes": 20_000,
    });
    serde_json::from_value(config).unwrap()
}

/// What a killed run is resumed as: this program, with the pipeline in its environment.
#[test]
fn pipeline() {
    let Ok(config) = std::env::var(PIPELINE) else { return };
    run(&serde_json::from_str(&config).unwrap(), &Progress::default()).unwrap();
}

#[test]
fn text_becomes_the_same_bins_wherever_the_run_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    make_inputs(folder);
    let report = run(&config(folder, "whole"), &Progress::default()).unwrap();
    check(&report);
    let whole = result(&folder.join("whole"));
    assert!(whole.len() == 4, "data, removed rows, clusters and quarantine: {:?}", whole.keys());
    let (mut kills, mut notes) = (0, 0);
    for moment in MOMENTS {
        let config = config(folder, "killed");
        let steps = folder.join("killed/.thresher/spill/steps");
        let mut child = start(&config);
        while !steps.join(moment).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        kills += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        if !folder.join("killed/run.json").exists() {
            let again = run(&config, &Progress::default()).unwrap();
            assert_eq!(again["accounting"], report["accounting"], "killed at {moment}");
            notes += usize::from(again["notes"].to_string().contains("were not done again"));
        }
        let killed = result(&folder.join("killed"));
        assert_eq!(killed.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
        for (name, bytes) in &whole {
            assert!(killed[name] == *bytes, "{} differs, killed at {moment}", name.display());
        }
        assert!(!folder.join("killed/.thresher").exists(), "killed at {moment}");
        fs::remove_dir_all(folder.join("killed")).unwrap();
    }
    assert!(kills >= 8 && notes >= 6, "killed {kills} times, gone on {notes} times");
}

/// The books of every step balance, and each has what the one before it has passed on.
fn check(report: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let steps = report["steps"].as_array().unwrap();
    let mut before = None;
    for step in steps {
        let books = &step["accounting"];
        let sum = |what: &str| -> u64 {
            books[what].as_object().unwrap().values().map(|count| number(&count["docs"])).sum()
        };
        let (read, kept) = (number(&books["in"]["docs"]), number(&books["kept"]["docs"]));
        assert_eq!(read, kept + sum("removed") + sum("quarantined"), "{step}");
        assert!(before.is_none_or(|before| before == read), "{step}");
        before = Some(kept);
    }
    let (tokens, packing) = (&steps[1]["tokens"], &steps[3]["packing"]);
    assert_eq!(number(&tokens["tokens"]) + number(&tokens["documents"]), number(&packing["given"]["tokens"]));
    assert_eq!(packing["given"], packing["packed"]);
    assert!(
        number(&packing["bins"]) > 1000 && number(&steps[0]["accounting"]["removed"]["exact"]["docs"]) > 500
    );
    assert_eq!(number(&report["accounting"]["kept"]["docs"]), number(&packing["packed"]["sequences"]));
}
