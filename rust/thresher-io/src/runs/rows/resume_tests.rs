//! Reshapes that are stopped again and again, at any row and in every form of output, end with the bytes of one that is not.

#![expect(unreachable_pub, reason = "parameters are public")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use arrow_array::{RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};
use thresher_core::json::{Json, Str};
use walkdir::WalkDir;

use super::{NewRows, Reshape, ReshapeWorker};
use crate::crew::lock;
use crate::error::{Error, Result};
use crate::record::{Reason, Record};
use crate::runs::flow::{FlowRun, Opening, ReshapeVerb, Verbs, run_with};
use crate::runs::options::RunOptions;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Refusal};

/// Rows until a run is stopped, and what stops it; one run at a time.
static FUSE: AtomicI64 = AtomicI64::new(i64::MAX);
static RUNNING: Mutex<Option<Arc<Progress>>> = Mutex::new(None);

parameters! {
    /// Rows that become several, one, or none.
    pub struct Several is "several" {
        /// The most.
        most: u64 = 3 => Kind::Whole { least: 1, most: 9 };
    }
}

impl ReshapeVerb for Several {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn Reshape>> {
        Ok(Box::new(self.clone()))
    }
}

impl Reshape for Several {
    fn worker(&self) -> Box<dyn ReshapeWorker + '_> {
        Box::new(Worker { most: self.most, letters: 0 })
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        let letters = found.map(|unit| unit.map(|unit| unit.found.parse::<u64>().unwrap()));
        Ok(json!({"letters": letters.sum::<Result<u64>>()?}))
    }
}

struct Worker {
    most: u64,
    letters: u64,
}

impl ReshapeWorker for Worker {
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal> {
        let row = Json::checked(row.text);
        if FUSE.fetch_sub(1, SeqCst) == 1 {
            lock(&RUNNING).as_ref().unwrap().cancel();
        }
        let text = row.get("text").unwrap().as_str().unwrap().decode().unwrap().into_owned();
        if text.ends_with('7') {
            return Err(Refusal { reason: Reason::NullText, detail: "a seven".into() });
        }
        self.letters += text.len() as u64;
        for part in 0..text.len() as u64 % (self.most + 1) {
            let _ = write!(new.text(), "{{\"text\":\"{}\"", Str::encode(format!("{text}{part}")).escaped());
            // Columns that come late, and not in every row.
            if text.len() as u64 + part > 40 {
                let _ = write!(new.text(), ",\"of\":{part}");
            }
            new.text().push('}');
            new.end();
        }
        Ok(())
    }

    fn found(&mut self) -> String {
        std::mem::take(&mut self.letters).to_string()
    }
}

const ROWS: usize = 120;
const NEVER: usize = usize::MAX >> 1;

fn text(n: usize) -> String {
    format!("{} {n}", "x".repeat(n * 7 % 31 + n / 40))
}

fn make_inputs(folder: &Path) -> Vec<String> {
    let lines = (0..ROWS).map(|n| format!("{{\"text\":\"{}\"}}\n", text(n))).collect::<Vec<_>>().concat();
    fs::write(folder.join("a.jsonl"), lines.clone() + "no JSON\n").unwrap();
    fs::write(folder.join("b.jsonl"), "").unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(lines.as_bytes()).unwrap();
    fs::write(folder.join("c.jsonl.gz"), packed.finish().unwrap()).unwrap();
    let texts: StringArray = (0..ROWS).map(|n| Some(text(n))).collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap();
    let file = fs::File::create(folder.join("d.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    for group in 0..6 {
        writer.write(&batch.slice(ROWS / 6 * group, ROWS / 6)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let names = ["a.jsonl", "b.jsonl", "c.jsonl.gz", "d.parquet"];
    names.map(|name| folder.join(name).display().to_string()).into()
}

/// Runs so many of the step, and stops them after so many rows.
fn run(inputs: &[String], output: &Path, steps: usize, stop: usize) -> Result<Value> {
    let step: Map<String, Value> = serde_json::from_value(json!({"several": {}})).unwrap();
    // Several threads read ahead of what they write.
    let threads = if stop == NEVER { 2 } else { 1 };
    let config = FlowRun {
        inputs: inputs.to_vec(),
        output: output.display().to_string(),
        steps: vec![step; steps],
        options: RunOptions { threads: Some(threads), batch_bytes: 400, ..RunOptions::default() },
    };
    let progress = Arc::new(Progress::default());
    *lock(&RUNNING) = Some(progress.clone());
    FUSE.store(stop as i64, SeqCst);
    run_with(&config, &Verbs::default().reshape::<Several>(), &progress)
}

fn contents(folder: &Path, output: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().into_path());
    let files = files.filter(|path| path.is_file() && !path.to_string_lossy().contains("run.json"));
    let files = files.filter(|path| !path.to_string_lossy().contains("report.html"));
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_string_lossy().replace(output, "out");
    files.map(|path| (PathBuf::from(name(&path)), fs::read(&path).unwrap())).collect()
}

/// What of the report is the same in every run.
fn books(report: &Value, output: &str) -> Value {
    let steps = report["steps"].as_array().unwrap().iter();
    let steps = steps.map(|step| {
        let inputs = step["inputs"].as_array().unwrap().iter().map(|input| &input["rows"]);
        json!([step["accounting"], step["quarantine"], step["letters"], inputs.collect::<Vec<_>>()])
    });
    let files: Value = serde_json::from_str(&report["files"].to_string().replace(output, "out")).unwrap();
    let mut files = files;
    files.as_object_mut().unwrap().retain(|name, _| !name.contains("report"));
    json!([steps.collect::<Vec<_>>(), report["accounting"], report["quarantine"], files])
}

#[test]
fn a_reshape_that_is_stopped_goes_on_there() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = make_inputs(dir.path());
    let (mut stops, mut noted) = (0, 0);
    for (steps, end, rows) in [
        (1, "", 6 * ROWS),
        (1, ".jsonl", 3 * ROWS),
        (1, ".jsonl.zst", 3 * ROWS),
        (1, ".parquet", 6 * ROWS),
        (1, ".arrow", 6 * ROWS),
        (2, "", 15 * ROWS),
    ] {
        let whole = dir.path().join(format!("whole{steps}{end}"));
        fs::create_dir_all(&whole).unwrap();
        let report = run(&inputs, &whole.join(format!("out{end}")), steps, NEVER).unwrap();
        let expected = contents(&whole, "none");
        for stop in (1..rows).step_by(rows / 8) {
            let folder = dir.path().join(format!("stopped{steps}{end}{stop}"));
            fs::create_dir_all(&folder).unwrap();
            let output = folder.join(format!("out{end}"));
            for again in [stop, 1 + stop / 3, 1 + stop / 7] {
                let stopped = run(&inputs, &output, steps, again);
                stops += usize::from(matches!(stopped, Err(Error::Cancelled)));
                if stopped.is_ok() {
                    break;
                }
            }
            if !folder.join(format!("out{end}")).join("run.json").exists() && !output.is_file() {
                let last = run(&inputs, &output, steps, NEVER).unwrap();
                assert_eq!(books(&last, "none"), books(&report, "none"), "{end} {stop}");
                noted += usize::from(last["notes"].to_string().contains("which were not done again"));
            }
            let found = contents(&folder, "none");
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (name, bytes) in &expected {
                assert!(found[name] == *bytes, "{} of {steps} steps, stopped at {stop}", name.display());
            }
        }
    }
    assert!(stops > 60 && noted > 10, "{stops} stops, {noted} went on");
}
