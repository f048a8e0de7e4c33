//! A result whose files are made elsewhere: a program on the other side of a binding writes them, and everything else is as with
//! every other run.
//!
//! ```text
//! open     the output is taken; what an earlier run had begun to publish there is completed
//! path     where a part is to be made
//! publish  what was made is synced, hashed and counted; with the report it goes to its place at once
//! drop     the lock goes; without a result the temporary files stay for the next run
//! ```
//!
//! Nothing that the other side says is taken on trust if it can be looked up: rows are counted, books are checked, and a file that
//! nobody asked for ends the run before anything is published.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use walkdir::WalkDir;

use super::marker::{FileEntry, Files, Marker};
use super::place::{CARD, DATA, LINEAGE, PAGE, Place, REJECTED, RUN};
use super::stage::RunOutput;
use super::state::remove_tree;
use super::verify::{count_rows, read_through};
use crate::codec::{Codec, DataFormat};
use crate::commit::{Committed, sync_folder};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::runs::books::balance;
use crate::runs::evidence::Reported;
use crate::runs::progress::Progress;
use crate::runs::source::Form;

/// Parts beside the data that can be made, and whether they have rows.
const BESIDE: [(&str, bool); 3] = [(REJECTED, true), (LINEAGE, true), (CARD, false)];
/// Members of a report that are added here.
const OURS: [&str; 6] = ["tool", "format", "version", "outputs", "files", "xxh3_128"];

/// An output that is taken, until it is dropped.
pub struct MadeOutput {
    output: RunOutput,
    work: PathBuf,
    verb: String,
    /// Parts that were asked for.
    parts: BTreeSet<String>,
    is_published: bool,
    /// Temporary files stay for the next run.
    keeps_work: bool,
}

impl MadeOutput {
    /// Takes an output for a run of `verb`: a folder, or a single data file. No file of `inputs` may lie where the result goes.
    ///
    /// # Errors
    /// `Error::Parameter` for an output that cannot be, or that may not be replaced; `Error::Busy` if another run has it; I/O failures.
    pub fn open(output: &str, overwrite: bool, verb: &str, inputs: &[PathBuf]) -> Result<Self> {
        let (place, asked) = Place::of(output, |_| Ok(None))?;
        let is_possible = asked.is_none_or(|form| form.format != DataFormat::Ipc && !form.is_array);
        if place == Place::Stdout || !is_possible {
            return Err(Error::Parameter(format!(
                "output `{output}` is neither a folder nor a data file whose name ends in .jsonl, .jsonl.gz, .jsonl.zst or \
                 .parquet; give it one of these names"
            )));
        }
        place.refuse_inputs(inputs.iter().map(PathBuf::as_path))?;
        let output = RunOutput::take(place, asked, overwrite)?;
        let work = output.work(None).ok_or_else(|| Error::Internal("an output without a state".into()))?;
        let made = Self {
            output,
            work,
            verb: verb.to_owned(),
            parts: BTreeSet::new(),
            is_published: false,
            keeps_work: true,
        };
        fs::create_dir_all(&made.work).map_err(Error::io("make the folder", &made.work))?;
        Ok(made)
    }

    /// The form that the data of a single file has; none for a folder.
    #[must_use]
    pub fn form(&self) -> Option<(DataFormat, Codec)> {
        self.output.asked().map(|Form { format, codec, .. }| (format, codec))
    }

    /// A folder for temporary files, the same for every run on this output.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Where a part is to be made: `data/NAME`, or `data` with a single file; `rejected.parquet`, `lineage.parquet`, `README.md`.
    /// Its folder is there.
    ///
    /// # Errors
    /// `Error::Parameter` for a part that there is not, I/O failures.
    pub fn path(&mut self, part: &str) -> Result<PathBuf> {
        self.is_open()?;
        if !self.is_part(part) {
            let data = if self.output.is_single() { "data" } else { "data/NAME" };
            return Err(Error::Parameter(format!(
                "there is no part `{part}` of this result; its parts are {data}, {}",
                BESIDE.map(|(name, _)| name).join(", ")
            )));
        }
        let path = self.output.staging()?.join(part);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        self.parts.insert(part.to_owned());
        Ok(path)
    }

    /// Publishes what was made, with a report: an object of JSON, to which the marker, the outputs and the list of files are added.
    /// `rows` says how many rows parts have. The whole report comes back, as JSON.
    ///
    /// # Errors
    /// `Error::Parameter` for a report that is none, or that has what is added here; `Error::Internal` if books or rows are not what
    /// was said, or a file was made that is no part; `Error::Cancelled`, I/O failures, and files of somebody else that came into the
    /// way. Before anything was published the result that was there is whole, and it can be tried again.
    pub fn publish(
        &mut self,
        report: &str,
        rows: &BTreeMap<String, u64>,
        progress: &Progress,
    ) -> Result<String> {
        self.is_open()?;
        let body = body_of(report)?;
        let found = self.found(rows, progress)?;
        let written: u64 = found.data.iter().map(|file| file.rows).sum();
        if let Some(books) = body.get("accounting") {
            let kept = balance(books)?;
            if kept != written {
                return Err(Error::Internal(format!("{written} rows were written, but {kept} are kept")));
            }
        }
        let (outputs, mut files) = self.output.settle(found.data, found.evidence)?;
        files.extend(found.card.map(|card| (CARD.to_owned(), FileEntry::without_rows(card))));
        let (marker, verb, exhibits) = (Marker::default(), self.verb.clone(), Exhibits::default());
        let mut report = MadeReport { marker, body, outputs, files, verb, exhibits };
        progress.check()?;
        let published = self.output.publish_beside_work(&mut report);
        // Once it is decided, the next run on the output completes it.
        self.is_published = published.is_ok() || self.output.is_decided();
        self.keeps_work &= !self.is_published;
        published?;
        serde_json::to_string(&report).map_err(|error| Error::Internal(error.to_string()))
    }

    /// Lets go of the output, and leaves the temporary files to the next run or not.
    pub fn close(mut self, keep: bool) {
        self.keeps_work = keep;
    }

    fn is_open(&self) -> Result<()> {
        if self.is_published {
            return Err(Error::Parameter(
                "this result goes to its place already; take the output anew".into(),
            ));
        }
        Ok(())
    }

    fn is_part(&self, part: &str) -> bool {
        match part.split_once('/') {
            Some((DATA, name)) => !self.output.is_single() && name.split('/').all(is_plain),
            Some(_) => false,
            None if part == DATA => self.output.is_single(),
            None => BESIDE.iter().any(|(name, _)| *name == part),
        }
    }

    /// Syncs, hashes and counts everything that was made.
    fn found(&self, rows: &BTreeMap<String, u64>, progress: &Progress) -> Result<Found> {
        if let Some(unknown) = rows.keys().find(|name| !self.parts.contains(*name)) {
            return Err(Error::Parameter(format!(
                "rows of `{unknown}` are given, but that part was not asked for"
            )));
        }
        let root = self.output.staging()?;
        // An earlier attempt has left them.
        [PAGE, RUN].iter().try_for_each(|part| remove_tree(&root.join(part)))?;
        let mut found = Found::default();
        for entry in WalkDir::new(&root).sort_by_file_name().contents_first(true) {
            let entry = entry.map_err(|error| Error::io("list", &root)(error.into()))?;
            let path = entry.path();
            if entry.file_type().is_dir() {
                sync_folder(path)?;
                continue;
            }
            let below = path.strip_prefix(&root).unwrap_or(path);
            let name = below.iter().map(|step| step.to_string_lossy()).collect::<Vec<_>>().join("/");
            if !entry.file_type().is_file() || !self.parts.contains(&name) {
                return Err(Error::Internal(format!("`{}` is no part of the result", path.display())));
            }
            self.add(&name, path, rows.get(&name), &mut found, progress)?;
        }
        if self.output.is_single() && !found.names.contains(DATA) {
            return Err(Error::Internal("the data was not made".into()));
        }
        match rows.keys().find(|part| !found.names.contains(*part)) {
            Some(part) => Err(Error::Internal(format!("`{part}` was not made"))),
            None => Ok(found),
        }
    }

    fn add(
        &self,
        name: &str,
        path: &Path,
        said: Option<&u64>,
        found: &mut Found,
        progress: &Progress,
    ) -> Result<()> {
        found.names.insert(name.to_owned());
        let (file, lines) = on_disk(path, progress)?;
        if BESIDE.contains(&(name, false)) {
            found.card = Some(file);
            return Ok(());
        }
        let final_name = if name == DATA { self.output.final_name() } else { name.to_owned() };
        let rows = count_rows(path, &final_name, lines, progress)?;
        if said.is_some_and(|said| *said != rows) {
            return Err(Error::Internal(format!(
                "`{name}` has {rows} rows, but {} were said to be in it",
                said.copied().unwrap_or_default()
            )));
        }
        let file = Written::of(file, rows);
        if name.split('/').next() == Some(DATA) { &mut found.data } else { &mut found.evidence }.push(file);
        Ok(())
    }
}

impl Drop for MadeOutput {
    fn drop(&mut self) {
        // An empty folder is worth nothing to the next run.
        let has_work = fs::read_dir(&self.work).is_ok_and(|mut entries| entries.next().is_some());
        self.output.keep_work(self.keeps_work && has_work);
    }
}

/// What was made.
#[derive(Default)]
struct Found {
    names: BTreeSet<String>,
    data: Vec<Written>,
    evidence: Vec<Written>,
    card: Option<Committed>,
}

/// What `run.json` says.
#[derive(Serialize)]
struct MadeReport {
    #[serde(flatten)]
    marker: Marker,
    /// What the other side reports.
    #[serde(flatten)]
    body: Map<String, Value>,
    outputs: Vec<Written>,
    files: Files,
    #[serde(skip)]
    verb: String,
    #[serde(skip)]
    exhibits: Exhibits,
}

impl Reported for MadeReport {
    fn verb(&self) -> &str {
        &self.verb
    }

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
}

/// A report from the other side.
fn body_of(report: &str) -> Result<Map<String, Value>> {
    let body: Map<String, Value> = serde_json::from_str(report)
        .map_err(|error| Error::Parameter(format!("the report is no object of JSON: {error}")))?;
    match OURS.iter().find(|name| body.contains_key(**name)) {
        Some(name) => Err(Error::Parameter(format!("the report has `{name}`, which is added to it"))),
        None => Ok(body),
    }
}

/// Whether a step of a name leads nowhere else, and is no hidden file.
fn is_plain(step: &str) -> bool {
    !step.is_empty()
        && !step.starts_with('.')
        && !step.contains(['\\', '\0', ':'])
        && !step.contains(char::is_control)
}

/// Makes a file that somebody else has written durable; gives its lines, too.
fn on_disk(path: &Path, progress: &Progress) -> Result<(Committed, u64)> {
    // Windows syncs only what may be written to.
    let file =
        OpenOptions::new().read(true).write(cfg!(windows)).open(path).map_err(Error::io("open", path))?;
    file.sync_all().map_err(Error::io("sync", path))?;
    let (xxh3_128, lines) = read_through(path, progress)?;
    let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
    Ok((Committed { path: path.to_path_buf(), bytes, xxh3_128 }, lines))
}
