//! The whole run over files: what damaged inputs do to it, and what it does to good ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use thresher_io::Error;
use thresher_io::runs::dedup::{DedupRun, DedupStep, Report, run};
use thresher_io::runs::{Progress, RunOptions};

fn config(inputs: &[&Path], output: &Path) -> DedupRun {
    DedupRun {
        inputs: inputs.iter().map(|path| path.display().to_string()).collect(),
        output: Some(output.display().to_string()),
        step: DedupStep::default(),
        options: RunOptions {
            overwrite: true,
            threads: Some(2),
            // Most of these tests are about bad records.
            max_quarantine: 1.0,
            max_record_bytes: 1 << 20,
            ..RunOptions::default()
        },
        ..DedupRun::default()
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
            let mut config = config(&[&plain, &packed], &output);
            config.options.threads = Some(threads);
            run(&config, &Progress::default()).unwrap();
            ["clusters.parquet", "data/a.jsonl", "data/b.jsonl.gz", "removed.parquet"]
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
    let mut strict = config(&[&input], &folder.path().join("strict"));
    strict.options.strict = true;
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
        let mut config = config(&[&input], &output);
        config.step = DedupStep { keep: keep.into(), id: Some("id".into()), ..config.step };
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
    assert!(!output.exists());
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(&input, lines(10).join("\n")).unwrap();
    for (output, state) in [("out", "out/.thresher"), ("one.jsonl", ".one.jsonl.thresher")] {
        let (output, state) = (folder.path().join(output), folder.path().join(state));
        let left = ["lock", "new/data/.thresher-1-0.tmp", "new/removed.parquet"].map(|name| state.join(name));
        for path in &left {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "half a file").unwrap();
        }
        dedup(&[&input], &output);
        assert!(output.exists() && !state.exists(), "{}", output.display());
    }
}

/// Documents in three gzip members, of which the second one is altered in `at`: one of its bytes, or of its checksum.
fn members(damage: impl FnOnce(&mut Vec<u8>)) -> ([Vec<String>; 3], Vec<u8>) {
    let lines = lines(3000);
    let texts = [&lines[..1000], &lines[1000..2000], &lines[2000..]].map(<[String]>::to_vec);
    let mut parts = texts.each_ref().map(|lines| gzip(format!("{}\n", lines.join("\n")).as_bytes()));
    damage(&mut parts[1]);
    (texts, parts.concat())
}

#[test]
fn no_line_of_a_damaged_gzip_member_is_kept_and_every_line_of_the_others_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl.gz");
    let output = folder.path().join("out.jsonl");
    let damages: [fn(&mut Vec<u8>); 3] = [
        |member| {
            let at = member.len() - 6;
            member[at] ^= 1;
        },
        |member| {
            let at = member.len() / 2;
            member[at] ^= 1;
        },
        // A wrong length: the decoder runs into the next member.
        |member| member.truncate(member.len() - 9),
    ];
    for damage in damages {
        let (texts, bytes) = members(damage);
        fs::write(&input, bytes).unwrap();
        for (threads, batch_bytes) in [(1, 1 << 20), (2, 4 << 10), (2, 64 << 10)] {
            let mut config = config(&[&input], &output);
            config.step.exact_only = true;
            config.options = RunOptions { threads: Some(threads), batch_bytes, ..config.options };
            let report = run(&config, &Progress::default()).unwrap();
            let good: Vec<&String> = texts[0].iter().chain(&texts[2]).collect();
            let kept = fs::read_to_string(&output).unwrap();
            assert!(kept.lines().all(|line| good.iter().any(|good| *good == line)));
            let books = &report.accounting;
            assert_eq!(books.kept.docs + books.removed["exact"].docs, good.len() as u64);
            let bad = books.quarantined["damaged_member"].docs;
            assert!((1..=1100).contains(&bad), "{bad}");
            assert_eq!(books.read.docs, good.len() as u64 + bad);
            fs::remove_file(&output).unwrap();
        }
    }
}

#[test]
fn a_field_that_no_record_has_is_a_parameter_error_that_names_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (input, second) = (folder.path().join("in.jsonl"), folder.path().join("more.jsonl"));
    let rows =
        |n: usize| r#"{"text":"a b","meta":{"lang":"en","a.b":1},"tag":[]}"#.to_owned() + &"\n".repeat(n);
    fs::write(&input, rows(1).repeat(3000)).unwrap();
    fs::write(&second, "{\"n\":1,\"name\":\"x\",\"body\":\"c d\"}\n").unwrap();
    let said = |change: fn(&mut DedupRun), inputs: &[&Path]| {
        let mut config = config(inputs, &folder.path().join("out"));
        change(&mut config);
        match run(&config, &Progress::default()) {
            Err(Error::Parameter(said)) => said,
            other => panic!("{other:?}"),
        }
    };
    let text = said(|config| config.step.text = "txt".into(), &[&input]);
    assert!(
        text.starts_with("text is `txt`, but none of ") && text.contains("did you mean `text`?"),
        "{text}"
    );
    assert!(text.ends_with(r"the fields are `text`, `meta.lang`, `meta.a\.b`, `tag`"), "{text}");
    let id = said(|config| config.step.id = Some("key".into()), &[&input]);
    assert!(id.starts_with("id is `key`, but none of "), "{id}");
    let rank = said(|config| config.step.keep = "max:nn".into(), &[&input]);
    assert!(rank.starts_with("the rank of keep is `nn`, but none of "), "{rank}");
    let list = said(|config| config.step.text = "tag".into(), &[&input]);
    assert!(list.contains("has a string in it"), "{list}");
    // A short file that lacks a field says nothing of the next one; together they do.
    let short = folder.path().join("short.jsonl");
    fs::write(&short, rows(1)).unwrap();
    let mut both = config(&[&short, &second], &folder.path().join("out"));
    both.step = DedupStep { text: "body".into(), id: Some("name".into()), ..both.step };
    assert_eq!(run(&both, &Progress::default()).unwrap().accounting.kept.docs, 1);
    let none = said(|config| config.step.id = Some("nn".into()), &[&short, &second]);
    assert!(none.starts_with("id is `nn`, but "), "{none}");
}

#[test]
fn more_bad_records_than_allowed_are_an_error_and_leave_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out"));
    fs::write(&input, "{\"text\":\"a b\"}\nx\n{\"text\":\"c d\"}\ny\nz\n").unwrap();
    let with = |max_quarantine| {
        let mut config = config(&[&input], &output);
        config.options.max_quarantine = max_quarantine;
        config
    };
    let error = run(&with(0.5), &Progress::default()).unwrap_err();
    assert!(matches!(error, Error::Data { .. }) && error.to_string().contains("3 of 5 records"), "{error}");
    assert!(!output.join("run.json").exists() && !output.join("data").exists());
    let kept = output.join(".thresher/rejected");
    assert!(error.to_string().ends_with(&format!("They are in `{}`", kept.display())), "{error}");
    assert_eq!(fs::read_to_string(kept.join("records.jsonl")).unwrap().lines().count(), 3);
    assert!(matches!(run(&with(1.5), &Progress::default()), Err(Error::Parameter(_))));
    assert_eq!(run(&with(0.6), &Progress::default()).unwrap().accounting.kept.docs, 2);
    assert!(!output.join(".thresher").exists());
}

#[test]
fn ids_are_what_stands_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out"));
    let ids = ["123456789012345678901234567", "123456789012345678901234568", "1.10", "1e3", "-0"];
    let lines: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":{id},"text":"the same"}}"#)).collect();
    fs::write(&input, lines.join("\n")).unwrap();
    let mut named = config(&[&input], &output);
    named.step.id = Some("id".into());
    let report = run(&named, &Progress::default()).unwrap();
    assert_eq!(report.largest_clusters[0].id, ids[0]);
    assert_eq!(report.largest_clusters[0].examples, ids[1..]);
    let mut best = config(&[&input], &folder.path().join("best.jsonl"));
    best.step.keep = "max:id".into();
    run(&best, &Progress::default()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("best.jsonl")).unwrap(), format!("{}\n", lines[1]));
}
