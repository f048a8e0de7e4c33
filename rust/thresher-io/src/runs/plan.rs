//! What a run reads: arguments of the user become opened inputs, in order, each with a name of its own.
//!
//! ```text
//! arguments ─ find, stdin ─> files and folders ─ names ─> opened inputs
//! ```

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use thresher_core::json::Fields;

use crate::codec::{DataFormat, split_suffix};
use crate::error::{Error, Result};
use crate::readers::folder::FolderInput;
use crate::readers::ipc::IpcInput;
use crate::readers::jsonl::{JsonlInput, Limits};
use crate::readers::parquet::ParquetInput;
use crate::readers::parquet::alike::join;
use crate::runs::find::{Found, find};
use crate::runs::names::names;
use crate::runs::ours::is_our_output;
use crate::runs::source::Source;
use crate::runs::stdin::spool_stdin;

/// A unit of a columnar file aims at so many times the bytes of a batch: to open a row group costs more than to seek.
const COLUMNAR_BATCHES: u64 = 4;

/// What a run reads, and how, as its configuration says.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Files, patterns and folders, or `-`.
    pub(crate) inputs: &'a [String],
    /// Patterns of the files of a folder that are documents.
    pub(crate) glob: Option<&'a [String]>,
    /// Folder for the copy of standard input.
    pub(crate) tmp: Option<&'a str>,
    /// Longest record; a longer one is set aside.
    pub(crate) max_record_bytes: u64,
    /// Bytes of input that a thread works on at a time.
    pub(crate) batch_bytes: u64,
}

/// The inputs of a run.
pub(crate) struct Plan {
    pub(crate) sources: Vec<Source>,
    /// Size and time of change of each input that is a file.
    fingerprints: Vec<Option<(u64, SystemTime)>>,
    /// What the user should know about the inputs.
    pub(crate) notes: Vec<String>,
    /// Holds standard input while the run goes over it.
    _spool: Option<tempfile::NamedTempFile>,
}

impl Plan {
    /// Finds and opens every input.
    pub(crate) fn new(reading: Reading<'_>, fields: &Fields) -> Result<Self> {
        let mut sources = Vec::new();
        let (mut spool, mut notes) = (None, Vec::new());
        if reading.inputs.is_empty() {
            return Err(Error::Parameter("no input is given; name at least one file or folder".into()));
        }
        if reading.batch_bytes == 0 {
            return Err(Error::Parameter("batch_bytes is `0`, but a batch has at least 1 byte".into()));
        }
        for name in reading.inputs {
            if name == "-" {
                if spool.is_none() {
                    let file = spool_stdin(reading.tmp)?;
                    let path = file.path().to_path_buf();
                    let form = split_suffix(&path.to_string_lossy());
                    sources.push(Found { path, form });
                    spool = Some(file);
                }
            } else {
                find(Path::new(name), reading.glob.is_some(), &mut sources, &mut notes)?;
            }
        }
        let names = names(&sources);
        let mut plan = Self { sources: Vec::new(), fingerprints: Vec::new(), notes, _spool: spool };
        for (found, name) in sources.into_iter().zip(names) {
            plan.fingerprints.push(fingerprint(&found.path));
            let source = open(&found, name, reading)?;
            source.check(fields)?;
            plan.sources.push(source);
        }
        Ok(plan)
    }

    /// The one format of all inputs, which a single output needs.
    pub(crate) fn single_format(&self, output: &str) -> Result<DataFormat> {
        let mut formats = self.sources.iter().map(Source::format);
        match formats.next() {
            Some(Some(first)) if formats.all(|format| format == Some(first)) => Ok(first),
            _ => Err(Error::Parameter(format!(
                "output {output} is a single file, which takes inputs of one data format; choose a folder"
            ))),
        }
    }

    /// Prepares the inputs for one output of all their rows.
    pub(crate) fn join(&mut self) -> Result<()> {
        let (mut parquet, mut ipc) = (Vec::new(), Vec::new());
        for source in &mut self.sources {
            match source {
                Source::Parquet(input) => parquet.push(input),
                Source::Ipc(input) => ipc.push(input),
                Source::Lines(..) | Source::Folder(_) => {}
            }
        }
        IpcInput::join(&mut ipc);
        join(&mut parquet)
    }

    /// Makes sure that there are rows, and not whole documents.
    pub(crate) fn check_rows(&self) -> Result<()> {
        match self.sources.iter().find(|source| source.format().is_none()) {
            None => Ok(()),
            Some(folder) => Err(Error::Parameter(format!(
                "input `{}` is a folder of documents, which has no rows; name JSONL, Parquet or Arrow files",
                folder.input().path().display()
            ))),
        }
    }

    /// Makes sure that the input files are those of the start.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        for (source, was) in self.sources.iter().zip(&self.fingerprints) {
            let path = source.input().path();
            if was.is_some() && fingerprint(path) != *was {
                return Err(Error::data(
                    path,
                    "the file changed while it was read; run again on files at rest",
                ));
            }
        }
        Ok(())
    }
}

fn fingerprint(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

fn open(found: &Found, name: String, reading: Reading<'_>) -> Result<Source> {
    let path = &found.path;
    let columnar = reading.batch_bytes.saturating_mul(COLUMNAR_BATCHES);
    Ok(match found.form {
        None => {
            let globs = reading.glob.unwrap_or_default();
            Source::Folder(FolderInput::open(path, &name, globs, reading.max_record_bytes, &is_our_output)?)
        }
        Some((DataFormat::Jsonl, codec)) => {
            let limits = Limits {
                max_record_bytes: reading.max_record_bytes as usize,
                unit_bytes: reading.batch_bytes as usize,
            };
            Source::Lines(JsonlInput::open(path.clone(), name, codec, limits)?, codec)
        }
        Some((DataFormat::Parquet, _)) => {
            let input = ParquetInput::open(path, &name, columnar)?;
            Source::Parquet(input.with_max_record_bytes(reading.max_record_bytes))
        }
        Some((DataFormat::Ipc, _)) => {
            let input = IpcInput::open(path, &name, columnar)?;
            Source::Ipc(input.with_max_record_bytes(reading.max_record_bytes))
        }
    })
}
