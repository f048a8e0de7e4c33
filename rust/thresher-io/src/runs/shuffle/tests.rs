//! A shuffle against the order that it promises, whatever the threads, the memory, the units and the interruptions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use thresher_tokens::permute::Permutation;

use super::{ShuffleRun, ShuffleStep, run};
use crate::error::Error;
use crate::runs::options::RunOptions;
use crate::runs::progress::Progress;
use crate::runs::within::Within;

fn config(inputs: &[String], output: &Path, step: ShuffleStep, options: RunOptions) -> ShuffleRun {
    let (inputs, output) = (inputs.to_vec(), Some(output.display().to_string()));
    ShuffleRun { inputs, output, step, options, within: Within::default() }
}

/// Three inputs with bad and blank lines between the rows; the last line has no end.
fn corpus(folder: &Path, suffix: &str) -> (Vec<String>, Vec<String>) {
    let row = |at: usize| format!("{{\"n\": {at}, \"text\": \"{}\"}}", "word ".repeat(at * at % 31));
    let (mut inputs, mut all) = (Vec::new(), Vec::new());
    for input in 0..3 {
        let rows: Vec<String> = (0..300).map(|at| row(1000 * input + at)).collect();
        let text = rows.join("\n") + "\n\nnot JSON\n{\"n\": 7";
        let path = folder.join(format!("{input}.jsonl{suffix}"));
        let bytes = match suffix {
            ".zst" => zstd::encode_all(text.as_bytes(), 1).unwrap(),
            _ => text.into_bytes(),
        };
        fs::write(&path, bytes).unwrap();
        inputs.push(path.display().to_string());
        all.extend(rows);
    }
    (inputs, all)
}

fn data(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn the_kth_row_is_that_of_the_permutation_and_the_books_balance() {
    let dir = tempfile::tempdir().unwrap();
    let (inputs, rows) = corpus(dir.path(), "");
    let out = dir.path().join("out.jsonl");
    let step = ShuffleStep { seed: 11, epoch: 2, ..ShuffleStep::default() };
    let options = RunOptions { batch_bytes: 200, ..RunOptions::default() };
    let report = run(&config(&inputs, &out, step, options), &Progress::default()).unwrap();
    let order = Permutation::new(rows.len() as u64, 11, 2);
    let expected: String = order.rows(0..order.len()).map(|row| rows[row as usize].clone() + "\n").collect();
    assert_eq!(fs::read_to_string(&out).unwrap(), expected);
    let books = &report.rows.accounting;
    assert_eq!((books.read.docs, books.kept.docs), (906, 900));
    assert_eq!(books.quarantined.values().map(|count| count.docs).sum::<u64>(), 6);
    assert_eq!(report.rows.outputs[0].rows, 900);
    let quarantine = dir.path().join("out.jsonl.quarantine/records.jsonl");
    assert_eq!(fs::read_to_string(quarantine).unwrap().lines().count(), 6);
}

#[test]
fn threads_memory_and_units_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    for suffix in ["", ".zst"] {
        let (inputs, rows) = corpus(dir.path(), suffix);
        let mut whole = None;
        for (at, (threads, batch_bytes)) in [(1, 100), (2, 1000), (4, 1 << 20)].into_iter().enumerate() {
            let out = dir.path().join(format!("out{suffix}{at}"));
            let step = ShuffleStep { shards: Some(4), ..ShuffleStep::default() };
            let memory = Some((300 << 20) << at);
            let options = RunOptions { threads: Some(threads), memory, batch_bytes, ..RunOptions::default() };
            run(&config(&inputs, &out, step, options), &Progress::default()).unwrap();
            let data = data(&out);
            assert_eq!(data.len(), 4);
            let first = whole.get_or_insert_with(|| data.clone());
            assert!(*first == data, "{threads} threads, units of {batch_bytes} bytes");
        }
        if suffix.is_empty() {
            let lines = whole.unwrap().into_values().collect::<Vec<_>>().concat();
            let mut lines: Vec<&str> = std::str::from_utf8(&lines).unwrap().lines().collect();
            let mut rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            lines.sort_unstable();
            rows.sort_unstable();
            assert_eq!(lines, rows);
        }
    }
}

#[test]
fn a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (inputs, _) = corpus(dir.path(), "");
    let step = || ShuffleStep { rows_per_shard: Some(130), ..ShuffleStep::default() };
    let options = || RunOptions { threads: Some(2), batch_bytes: 2000, ..RunOptions::default() };
    let whole = dir.path().join("whole");
    run(&config(&inputs, &whole, step(), options()), &Progress::default()).unwrap();
    let (mut stopped, mut resumed) = (0, 0);
    for attempt in 0..5 {
        let out = dir.path().join(format!("out{attempt}"));
        let mut delay = Duration::from_micros(300 + 200 * attempt);
        for round in 1.. {
            delay = delay * 5 / 4;
            let progress = Progress::default();
            let memory = Some((300 << 20) * (1 + round % 3));
            let config = config(&inputs, &out, step(), RunOptions { memory, ..options() });
            let done = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(delay);
                    progress.cancel();
                });
                run(&config, &progress)
            });
            match done {
                Err(Error::Cancelled) => stopped += 1,
                done => {
                    resumed += done
                        .unwrap()
                        .rows
                        .notes
                        .iter()
                        .filter(|note| note.contains("were not done again"))
                        .count();
                    break;
                }
            }
        }
        assert!(data(&out) == data(&whole), "attempt {attempt}");
    }
    assert!(stopped > 5 && resumed > 0, "{stopped} times stopped, {resumed} times gone on");
}

#[test]
fn what_cannot_be_is_told_before_any_row_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (inputs, _) = corpus(dir.path(), "");
    let said = |output: &str, step: ShuffleStep| {
        let config = config(&inputs, &dir.path().join(output), step, RunOptions::default());
        run(&config, &Progress::default()).unwrap_err().to_string()
    };
    let shards = |shards, rows_per_shard| ShuffleStep { shards, rows_per_shard, ..ShuffleStep::default() };
    assert!(said("a.jsonl", shards(Some(2), None)).contains("is a single file, but shards"));
    assert!(said("a", shards(Some(2), Some(3))).contains("shards is `2` and rows_per_shard is `3`"));
    assert!(said("a.parquet", shards(None, None)).contains("a run keeps the format"));
}

#[test]
fn inputs_without_rows_make_an_empty_output() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("a.jsonl");
    fs::write(&input, "").unwrap();
    let config = config(
        &[input.display().to_string()],
        &dir.path().join("out.jsonl"),
        ShuffleStep::default(),
        RunOptions::default(),
    );
    run(&config, &Progress::default()).unwrap();
    assert_eq!(fs::read(dir.path().join("out.jsonl")).unwrap(), b"");
}
