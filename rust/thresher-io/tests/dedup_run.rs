//! The whole run over files: what damaged inputs do to it, and what it does to good ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use thresher_io::Error;
use thresher_io::runs::Progress;
use thresher_io::runs::dedup::{DedupRun, Report, run};

fn config(inputs: &[&Path], output: &Path) -> DedupRun {
    DedupRun {
        inputs: inputs.iter().map(|path| path.display().to_string()).collect(),
        output: output.display().to_string(),
        text: "text".into(),
        id: None,
        threshold: 0.8,
        num_hashes: 128,
        ngram: 5,
        unit: "word".into(),
        recall: 0.995,
        keep: "first".into(),
        exact_only: false,
        glob: None,
        threads: 2,
        tmp: None,
        strict: false,
        max_record_bytes: 1 << 20,
        batch_bytes: 4 << 20,
    }
}

fn dedup(inputs: &[&Path], output: &Path) -> Report {
    run(&config(inputs, output), &Progress::default()).unwrap()
}

/// Documents of 60 words; every third one repeats the one before it but for a word, every seventh one to the letter.
fn lines(n_docs: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for doc in 0..n_docs {
        if doc % 3 == 1 {
            words[59] = format!("edit{doc}");
        } else if doc % 7 != 6 {
            words = (0..60).map(|word| format!("w{}", (doc * 7919 + word * word * 31) % 5003)).collect();
        }
        lines.push(format!(r#"{{"n": {doc}, "text": "{}", "x": 12345678901234567890}}"#, words.join(" ")));
    }
    lines
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Documents that were read, in whatever way they ended.
fn read(report: &Report) -> u64 {
    report.accounting.read.docs
}

#[test]
fn kept_lines_are_those_of_the_input_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    let lines = lines(100);
    fs::write(&input, lines.join("\r\n")).unwrap();
    let report = dedup(&[&input], &folder.path().join("out"));
    let output = fs::read_to_string(folder.path().join("out/data/in.jsonl")).unwrap();
    let mut source = lines.iter();
    for line in output.lines() {
        assert!(source.any(|original| original == line), "{line}");
    }
    assert_eq!(output.lines().count() as u64, report.accounting.kept.docs);
    let removed = &report.accounting.removed;
    assert!(removed["near"].docs > 10 && removed["exact"].docs > 3, "{removed:?}");
}

#[test]
fn every_truncation_of_every_lines_format_is_read_up_to_the_cut_and_the_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    let content = [lines(6).join("\n"), String::new()].join("\n").into_bytes();
    let formats: BTreeMap<&str, Vec<u8>> = [
        ("jsonl", content.clone()),
        ("jsonl.gz", [gzip(&content[..900]), gzip(&content[900..])].concat()),
        ("jsonl.zst", zstd::encode_all(content.as_slice(), 3).unwrap()),
    ]
    .into();
    for (suffix, bytes) in formats {
        let input = folder.path().join(format!("in.{suffix}"));
        let mut most = 0;
        for cut in (0..=bytes.len()).step_by(if suffix == "jsonl" { 61 } else { 17 }).chain([bytes.len()]) {
            fs::write(&input, &bytes[..cut]).unwrap();
            let report = dedup(&[&input], &folder.path().join("out"));
            assert!(read(&report) <= 7);
            most = most.max(report.accounting.kept.docs + report.accounting.removed["near"].docs);
            let whole = cut == bytes.len();
            assert!(!whole || report.accounting.quarantined.is_empty(), "{suffix} {cut}");
        }
        assert_eq!(most, 6, "{suffix}");
    }
}

#[test]
fn threads_change_no_byte_of_any_output() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl.gz"));
    fs::write(&plain, lines(3000).join("\n")).unwrap();
    fs::write(&packed, gzip(lines(2000).join("\n").as_bytes())).unwrap();
    let outputs: Vec<Vec<Vec<u8>>> = [1, 2, 4]
        .into_iter()
        .map(|threads| {
            let output = folder.path().join(format!("out{threads}"));
            let config = DedupRun { threads, ..config(&[&plain, &packed], &output) };
            run(&config, &Progress::default()).unwrap();
            ["data/a.jsonl", "data/b.jsonl.gz", "removed.parquet"]
                .iter()
                .map(|name| fs::read(output.join(name)).unwrap())
                .collect()
        })
        .collect();
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn a_thousand_empty_texts_leave_one_and_blank_lines_are_no_documents() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, "{\"text\": \"\"}\n\n  \n".repeat(1000)).unwrap();
    let report = dedup(&[&input], &folder.path().join("out.jsonl"));
    assert_eq!((read(&report), report.accounting.kept.docs), (1000, 1));
    assert_eq!(report.accounting.blank_bytes, 4000);
    assert_eq!(fs::read(folder.path().join("out.jsonl")).unwrap(), b"{\"text\": \"\"}\n");
}

#[test]
fn an_empty_file_gives_an_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, "").unwrap();
    let report = dedup(&[&input], &folder.path().join("out"));
    assert_eq!(read(&report), 0);
    assert_eq!(fs::read(folder.path().join("out/data/in.jsonl")).unwrap(), b"");
}

#[test]
fn hostile_lines_are_set_aside_with_their_place_and_the_good_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    let good = b"{\"text\": \"one two\", \"text\": \"three\\u0000four\", \"big\": 18446744073709551615}\n";
    let bad: [&[u8]; 8] = [
        b"{\"text\": \"broken\n",
        b"{\"text\": \"\xff\xfe\"}\n",
        b"{\"text\": \"\\ud800\"}\n",
        b"{\"text\": null}\n",
        b"{\"text\": 5}\n",
        b"{\"other\": \"x\"}\n",
        b"[1, 2]\n",
        b"\x00\x00\n",
    ];
    let mut content = b"\xef\xbb\xbf".to_vec();
    content.extend(good);
    for line in bad {
        content.extend(line);
    }
    fs::write(&input, &content).unwrap();
    let output = folder.path().join("out");
    let report = dedup(&[&input], &output);
    assert_eq!((read(&report), report.accounting.kept.docs), (9, 1));
    assert_eq!(report.accounting.read.bytes, content.len() as u64);
    assert_eq!(fs::read(output.join("data/in.jsonl")).unwrap(), good);
    let quarantine = fs::read_to_string(output.join("quarantine/records.jsonl")).unwrap();
    let rows: Vec<u64> = quarantine
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["row"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, (1..=8).collect::<Vec<u64>>());
    let strict = DedupRun { strict: true, ..config(&[&input], &folder.path().join("strict")) };
    let error = run(&strict, &Progress::default()).unwrap_err();
    assert!(matches!(&error, Error::Data { .. }) && error.to_string().contains("record 1 "), "{error}");
}

#[test]
fn keep_policies_look_at_fields_and_ids_name_documents() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    let text = (0..50).map(|i| format!("word{i}")).collect::<Vec<_>>().join(" ");
    let line = |id: u32, score: &str| {
        format!("{{\"id\": {id}, \"m\": {{\"score\": {score}}}, \"text\": \"{text}\"}}\n")
    };
    let content = [line(10, "1.5"), line(11, "3"), line(12, "null"), line(13, "2")].concat();
    fs::write(&input, content).unwrap();
    for (keep, kept) in
        [("max:m.score", line(11, "3")), ("min:m.score", line(10, "1.5")), ("first", line(10, "1.5"))]
    {
        let output = folder.path().join("out.jsonl");
        let config = DedupRun { keep: keep.into(), id: Some("id".into()), ..config(&[&input], &output) };
        let report = run(&config, &Progress::default()).unwrap();
        assert_eq!(fs::read_to_string(&output).unwrap(), kept, "{keep}");
        assert_eq!(report.largest_clusters[0].size, 4);
        assert!(report.largest_clusters[0].id.parse::<u32>().is_ok());
    }
}

#[test]
fn a_folder_that_is_no_run_is_not_touched_and_an_input_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, lines(3).join("\n")).unwrap();
    for output in [folder.path(), &input] {
        let error = run(&config(&[&input], output), &Progress::default()).unwrap_err();
        assert!(matches!(error, Error::Parameter(_)), "{error}");
    }
    let other = folder.path().join("mine");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "precious").unwrap();
    assert!(run(&config(&[&input], &other), &Progress::default()).is_err());
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    let again = folder.path().join("out");
    assert_eq!(dedup(&[&input], &again).outputs, dedup(&[&input], &again).outputs);
}

#[test]
fn cancelling_leaves_no_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, lines(100).join("\n")).unwrap();
    let progress = Progress::default();
    progress.cancel();
    let output = folder.path().join("out");
    assert!(matches!(run(&config(&[&input], &output), &progress).unwrap_err(), Error::Cancelled));
    assert!(!output.join("data").exists() && !output.join("run.json").exists());
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, lines(10).join("\n")).unwrap();
    let output = folder.path().join("out");
    dedup(&[&input], &output);
    for (output, beside) in
        [(output.clone(), output), (folder.path().join("one.jsonl"), folder.path().into())]
    {
        let left = [".thresher-1-0.tmp", ".thresher-99999-7.tmp"].map(|name| beside.join(name));
        for path in &left {
            fs::write(path, "half a file").unwrap();
        }
        dedup(&[&input], &output);
        assert!(left.iter().all(|path| !path.exists()), "{}", output.display());
    }
}
