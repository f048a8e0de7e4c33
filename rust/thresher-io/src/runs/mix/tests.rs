//! A mix over files: what comes out against what was asked, whatever the threads, the memory, the units and the interruptions.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{MixReport, MixRun, run};
use crate::error::{Error, Result};
use crate::runs::options::RunOptions;
use crate::runs::progress::Progress;

/// Writes rows of lines; row `n` of a file has a length, and every third row is German and written by people.
fn source(folder: &Path, name: &str, rows: usize) -> String {
    let row = |at: usize| {
        let (language, origin) = if at.is_multiple_of(3) { ("de", "human") } else { ("en", "model") };
        json!({"id": format!("{name}{at}"), "text": "x".repeat(at * 7 % 23), "length": 1 + at * 31 % 97,
               "language": language, "provenance": origin})
        .to_string()
    };
    let text: String = (0..rows).map(|at| row(at) + "\n").collect();
    let path = folder.join(format!("{name}.jsonl"));
    fs::write(&path, text + "\nnot JSON\n").unwrap();
    path.display().to_string()
}

fn config(output: &Path, step: Value, options: RunOptions) -> MixRun {
    let mut config: MixRun =
        MixRun { output: Some(output.display().to_string()), options, ..MixRun::default() };
    config.step = serde_json::from_value(step).unwrap();
    config
}

fn mix(output: &Path, step: Value) -> Result<MixReport> {
    run(&config(output, step, RunOptions { batch_bytes: 900, ..RunOptions::default() }), &Progress::default())
}

fn rows(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn data(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap()))
        .collect()
}

/// Two sources with weights, a cap, and a floor for German.
fn wishes(folder: &Path) -> Value {
    json!({
        "sources": {
            "web": {"inputs": [source(folder, "web", 900)], "weight": 0.7},
            "wiki": {"inputs": [source(folder, "wiki", 200)], "weight": 0.3, "max_epochs": 2.5},
        },
        "target": 40_000, "floors": {"language": {"de": 0.5}}, "epochs": true, "seed": 3,
    })
}

#[test]
fn a_mix_is_what_was_asked_for_and_its_books_balance() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    let report = mix(&out, wishes(dir.path())).unwrap();
    let rows = rows(&out);
    let size = |of: &dyn Fn(&Value) -> bool| -> f64 {
        rows.iter().filter(|row| of(row)).map(|row| row["length"].as_f64().unwrap()).sum()
    };
    let all = size(&|_| true);
    assert!((all - 40_000.0).abs() < 400.0, "{all}");
    assert!(size(&|row| row["language"] == "de") >= 0.5 * all);
    // German rises in both sources by one factor, so their proportions nearly stay.
    let web = size(&|row| row["source"] == "web") / all;
    assert!((web - 0.7).abs() < 0.01, "{web}");
    let line = &report.said.mix.phases[0].sources[0];
    assert!((line.achieved - web).abs() < 1e-9 && (line.asked - 0.7).abs() < 1e-9);
    // Rows of one source and language are taken evenly, and copies say which they are.
    let mut counts: HashMap<String, Vec<u64>> = HashMap::new();
    for row in &rows {
        counts.entry(row["id"].as_str().unwrap().into()).or_default().push(row["epoch"].as_u64().unwrap());
    }
    for epochs in counts.values_mut() {
        epochs.sort_unstable();
        assert!(epochs.iter().zip(0..).all(|(epoch, copy)| *epoch == copy), "{epochs:?}");
    }
    for (name, count) in [("web", 900_usize), ("wiki", 200)] {
        for german in [true, false] {
            let of = (0..count).filter(|at| at.is_multiple_of(3) == german);
            let times: Vec<usize> =
                of.map(|at| counts.get(&format!("{name}{at}")).map_or(0, Vec::len)).collect();
            assert!(times.iter().max().unwrap() - times.iter().min().unwrap() <= 1, "{name} {german}");
        }
    }
    let books = &report.rows.accounting;
    assert_eq!((books.read.docs, books.kept.docs), (1102, rows.len() as u64));
    assert_eq!(books.made, rows.len() as u64 - counts.len() as u64);
    assert_eq!(books.removed["not_taken"].docs, 1100 - counts.len() as u64);
    assert_eq!(books.quarantined.values().map(|count| count.docs).sum::<u64>(), 2);
}

#[test]
fn threads_memory_and_units_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut step = wishes(dir.path());
    step["shards"] = json!(3);
    step["order"] = json!("interleave");
    step["phases"] = json!([
        {"name": "first", "share": 0.8},
        {"name": "last", "share": 0.2, "weights": {"wiki": 1.0, "web": 1.0}},
    ]);
    let mut whole = None;
    for (at, (threads, batch_bytes)) in [(1, 300), (2, 5000), (4, 1 << 20)].into_iter().enumerate() {
        let out = dir.path().join(format!("out{at}"));
        let memory = Some((300 << 20) << at);
        let options = RunOptions { threads: Some(threads), memory, batch_bytes, ..RunOptions::default() };
        let report = run(&config(&out, step.clone(), options), &Progress::default()).unwrap();
        assert_eq!(report.said.mix.phases.len(), 2);
        let data = data(&out);
        let first = whole.get_or_insert_with(|| data.clone());
        assert!(*first == data, "{threads} threads, units of {batch_bytes} bytes");
    }
    let rows: Vec<Value> = whole
        .unwrap()
        .into_values()
        .flat_map(|bytes| String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    // Phases follow each other.
    let phases: Vec<&str> = rows.iter().map(|row| row["phase"].as_str().unwrap()).collect();
    let border = phases.iter().position(|phase| *phase == "last").unwrap();
    assert!(border > 0 && phases[border..].iter().all(|phase| *phase == "last"));
}

#[test]
fn a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let step = wishes(dir.path());
    let options = || RunOptions { threads: Some(2), batch_bytes: 300, ..RunOptions::default() };
    let whole = dir.path().join("whole");
    run(&config(&whole, step.clone(), options()), &Progress::default()).unwrap();
    let mut stopped = 0;
    for attempt in 0..3 {
        let out = dir.path().join(format!("out{attempt}"));
        for delay in 1.. {
            let progress = Progress::default();
            let memory = Some((300 << 20) * (1 + delay % 3));
            let config = config(&out, step.clone(), RunOptions { memory, ..options() });
            let done = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis((3 << delay.min(12)) + attempt));
                    progress.cancel();
                });
                run(&config, &progress)
            });
            match done {
                Err(Error::Cancelled) => stopped += 1,
                done => {
                    done.unwrap();
                    break;
                }
            }
        }
        assert!(data(&out) == data(&whole), "attempt {attempt}");
    }
    assert!(stopped > 3, "{stopped} times stopped");
}

#[test]
fn the_share_of_people_is_held_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut step = wishes(dir.path());
    step["floors"] = json!({});
    step["real_share"] = json!(0.45);
    let report = mix(&dir.path().join("out.jsonl"), step.clone()).unwrap();
    assert!(report.said.mix.phases[0].values[0].achieved >= 0.45);
    step["real_share"] = json!(0.9);
    let said = mix(&dir.path().join("other.jsonl"), step.clone()).unwrap_err().to_string();
    assert!(said.contains("`provenance: human`") && said.contains("lower"), "{said}");
    step["real_field"] = json!("origin");
    let said = mix(&dir.path().join("other.jsonl"), step).unwrap_err().to_string();
    assert!(said.contains("`origin`") && said.contains("none of 1100"), "{said}");
}

#[test]
fn what_makes_no_sense_is_told_before_any_row_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let said = |change: &dyn Fn(&mut Value)| {
        let mut step = wishes(dir.path());
        change(&mut step);
        mix(&dir.path().join("out.jsonl"), step).unwrap_err().to_string()
    };
    let same = said(&|step| step["sources"]["wiki"]["inputs"] = step["sources"]["web"]["inputs"].clone());
    assert!(same.contains("is in the sources `web` and `wiki`"), "{same}");
    let none = said(&|step| step["sources"]["wiki"]["inputs"] = json!([]));
    assert!(none.contains("`wiki` has no inputs"), "{none}");
    let negative = said(&|step| step["sources"]["web"]["weight"] = json!(-1.0));
    assert!(negative.contains("`web`") && negative.contains("-1"), "{negative}");
    let phase = said(&|step| step["phases"] = json!([{"name": "a", "share": 1.0, "weights": {"wik": 1.0}}]));
    assert!(phase.contains("did you mean `wiki`?"), "{phase}");
    let unit = said(&|step| (step["unit"], step["length"]) = (json!("bytes"), json!("n")));
    assert!(unit.contains("unit is `bytes`"), "{unit}");
    let twice = said(&|step| (step["weighting"], step["temperature"]) = (json!("unimax"), json!(2.0)));
    assert!(twice.contains("temperature is `2`"), "{twice}");
}

#[test]
fn sizes_are_told_by_a_field_or_by_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    let text = "{\"text\": \"abc\", \"ids\": [1, 2]}\n{\"text\": \"\", \"ids\": []}\n{\"text\": \"é\", \"ids\": \"x\"}\n";
    fs::write(&path, text).unwrap();
    let step = |more: Value| {
        let mut step = json!({"sources": {"a": {"inputs": [path.display().to_string()]}}});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mix(&tempfile::tempdir_in(dir.path()).unwrap().path().join("out.jsonl"), step)
    };
    let report = step(json!({"unit": "bytes"})).unwrap();
    assert_eq!((report.said.mix.size, report.said.mix.documents), (5, 3));
    let report = step(json!({"length": "ids", "max_epochs": 1})).unwrap();
    assert_eq!((report.said.mix.size, report.said.mix.documents), (2, 2));
    assert_eq!(report.rows.accounting.quarantined["no_length"].docs, 1);
    let said = step(json!({"length": "nothing"})).unwrap_err().to_string();
    assert!(said.contains("none of 3 records"), "{said}");
}
