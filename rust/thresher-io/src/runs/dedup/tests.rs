//! The same bytes whatever the memory and the threads: tables that spill at once against tables that never do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::runs::memory::Memory;
use crate::runs::options::{Config, RunOptions};

/// Texts with copies, near-copies, a template that many share, and texts without a word.
fn corpus() -> Vec<String> {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let words = |random: &mut dyn FnMut(u64) -> u64, n: u64| -> Vec<String> {
        (0..n).map(|_| format!("w{}", random(5000))).collect()
    };
    let template = words(&mut random, 80);
    let mut texts: Vec<String> = Vec::new();
    for number in 0..1500 {
        let mut text = match random(10) {
            0..3 => words(&mut random, 60),
            3..6 if !texts.is_empty() => {
                let known = random(texts.len() as u64) as usize;
                texts[known].split(' ').map(str::to_owned).collect()
            }
            6 => vec!["...".to_owned()],
            _ => {
                let own = words(&mut random, 20);
                template.iter().cloned().chain(own).collect()
            }
        };
        if random(2) == 0 {
            let place = random(text.len() as u64) as usize;
            text[place] = format!("edit{number}");
        }
        texts.push(text.join(" "));
    }
    texts
}

fn contents(folder: &Path, below: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents(&path, below, into);
        } else if !["run.json", "report.html"].contains(&path.file_name().unwrap().to_str().unwrap()) {
            let name = path.strip_prefix(below).unwrap().display().to_string();
            into.insert(name, fs::read(&path).unwrap());
        }
    }
}

#[test]
fn memory_and_threads_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    for (part, texts) in corpus().chunks(400).enumerate() {
        let line = |(row, text): (usize, &String)| {
            format!("{{\"id\":{row},\"text\":\"{text}\",\"s\":{}}}\n", row % 7)
        };
        let lines: String = texts.iter().enumerate().map(line).collect();
        fs::write(dir.path().join(format!("{part}.jsonl")), lines).unwrap();
    }
    let path = |name: &str| dir.path().join(name).display().to_string();
    let alone = (vec![path("*.jsonl")], Vec::new());
    let against = (vec![path("[1-3].jsonl")], vec![path("0.jsonl")]);
    for (keep, (inputs, against)) in [
        ("first", &alone),
        ("longest", &alone),
        ("max:s", &alone),
        ("first", &against),
        ("longest", &against),
    ] {
        let mut expected = None;
        for (threads, memory) in [(1, None), (2, None), (1, Some(0)), (3, Some(0)), (2, Some(1 << 20))] {
            let out = dir.path().join("out");
            let config = Config {
                inputs: inputs.clone(),
                output: Some(out.display().to_string()),
                step: DedupStep {
                    keep: keep.into(),
                    id: Some("id".into()),
                    against: against.clone(),
                    ..DedupStep::default()
                },
                options: RunOptions {
                    threads: Some(threads),
                    overwrite: true,
                    batch_bytes: 4096,
                    ..RunOptions::default()
                },
                ..Config::default()
            };
            let memory = memory.map_or_else(|| Memory::of(&config.options).unwrap(), Memory::of_tables);
            let report = run_within(&config, memory, &Progress::default()).unwrap();
            assert!(report.candidates > 500, "{}", report.candidates);
            let mut found = BTreeMap::new();
            contents(&out, &out, &mut found);
            assert!(found.len() >= 5);
            let expected = expected.get_or_insert_with(|| found.clone());
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (name, bytes) in &found {
                assert_eq!(
                    bytes, &expected[name],
                    "{name}, keep {keep}, {threads} threads, memory {memory:?}"
                );
            }
        }
    }
}

#[test]
fn a_run_that_is_stopped_while_it_writes_goes_on_there() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus();
    let line = |(row, text): (usize, &String)| format!("{{\"id\":{row},\"text\":\"{text}\"}}\n");
    let lines = |part: &[String]| part.iter().enumerate().map(line).collect::<Vec<_>>().concat();
    fs::write(dir.path().join("a.jsonl"), lines(&texts[..500]) + "no JSON\n").unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, lines(&texts[500..1000]).as_bytes()).unwrap();
    fs::write(dir.path().join("b.jsonl.gz"), packed.finish().unwrap()).unwrap();
    let column: arrow_array::StringArray = texts[1000..].iter().map(Some).collect();
    let batch = arrow_array::RecordBatch::try_from_iter([("text", Arc::new(column) as _)]).unwrap();
    let file = fs::File::create(dir.path().join("c.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    (0..5).for_each(|group| {
        writer.write(&batch.slice(100 * group, 100)).unwrap();
        writer.flush().unwrap();
    });
    writer.close().unwrap();
    let config = |out: &Path| Config {
        inputs: ["a.jsonl", "b.jsonl.gz", "c.parquet"]
            .map(|name| dir.path().join(name).display().to_string())
            .into(),
        output: Some(out.display().to_string()),
        options: RunOptions { threads: Some(2), batch_bytes: 2048, ..RunOptions::default() },
        ..Config::default()
    };
    let whole = dir.path().join("whole");
    let report = run(&config(&whole), &Progress::default()).unwrap();
    let (mut expected, mut stopped) = (BTreeMap::new(), 0);
    contents(&whole, &whole, &mut expected);
    for after in [1, 100, 300, 600, 800, 1000, 1200, 1400] {
        let out = dir.path().join(format!("stopped{after}"));
        for docs in [after, after + 200] {
            let progress = Progress::default();
            std::thread::scope(|scope| {
                let run = scope.spawn(|| run(&config(&out), &progress));
                while !run.is_finished() {
                    let now = progress.moment();
                    if now.step == "write" && now.docs >= docs {
                        progress.cancel();
                    }
                    std::hint::spin_loop();
                }
                stopped +=
                    usize::from(run.join().unwrap().is_err() && out.join(".thresher/written.json").exists());
            });
        }
        if !out.join("run.json").exists() {
            let again = run(&config(&out), &Progress::default()).unwrap();
            assert_eq!(again.accounting.removed, report.accounting.removed);
            assert_eq!(again.exhibits.clusters, report.exhibits.clusters, "stopped after {after}");
        }
        let mut found = BTreeMap::new();
        contents(&out, &out, &mut found);
        assert!(found == expected, "stopped after {after} documents");
    }
    assert!(stopped > 4, "{stopped} runs were stopped while they wrote");
}
