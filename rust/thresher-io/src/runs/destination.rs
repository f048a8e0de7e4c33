//! Where a run writes: a folder with the evidence inside, or one data file with the evidence beside it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::codec::{Codec, DataFormat, split_suffix};
use crate::commit::{commit_bytes, parent_of, remove_stale};
use crate::error::{Error, Result};
use crate::input::Output;
use crate::runs::plan::Plan;
use crate::runs::source::Source;

/// The places of a run's results.
pub(crate) struct Destination {
    kind: Kind,
    /// Held until the run ends; another run on the same output finds it taken.
    _lock: Option<File>,
}

enum Kind {
    /// `OUT/data/...` and the evidence under `OUT`.
    Folder(PathBuf),
    /// `OUT.jsonl` and the evidence as `OUT.jsonl.*`.
    Single(PathBuf),
    /// Standard output; no evidence is written.
    Stdout,
}

impl Destination {
    /// Checks the output, and takes it.
    ///
    /// With `keeps_format`, a single file takes inputs of its own format only.
    pub(crate) fn open(output: &str, plan: &Plan, keeps_format: bool) -> Result<Self> {
        if output == "-" {
            if keeps_format {
                plan.single_format("standard output")?;
            }
            return Ok(Self { kind: Kind::Stdout, _lock: None });
        }
        let path = PathBuf::from(output);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(source) = plan.sources.iter().find(|source| is_inside(source.input().path(), &path)) {
            return Err(Error::Parameter(format!(
                "output `{}` would overwrite or hold the input `{}`; choose another output",
                path.display(),
                source.input().path().display()
            )));
        }
        if let Some((format, _)) = split_suffix(&name).filter(|_| !path.is_dir()) {
            let inputs = if keeps_format { plan.single_format(&format!("`{name}`"))? } else { format };
            if inputs != format {
                return Err(Error::Parameter(format!(
                    "output `{name}` is {format:?}, but the inputs are {inputs:?}; a run keeps the format, so choose \
                     a folder or a name of the inputs' format"
                )));
            }
            if parent_of(&path).is_dir() {
                remove_stale(parent_of(&path))?;
            }
            return Ok(Self { kind: Kind::Single(path), _lock: None });
        }
        let state = path.join(".thresher");
        let finished = path.join("run.json").is_file();
        let foreign = path.is_dir() && !finished && !state.is_dir() && !is_empty(&path)?;
        if foreign || path.is_file() {
            return Err(Error::Parameter(format!(
                "output `{}` exists and is not the folder of an earlier run; choose a new or an empty folder",
                path.display()
            )));
        }
        fs::create_dir_all(&state).map_err(Error::io("create", &state))?;
        let lock_path = state.join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &lock_path)(error)),
        }
        // An earlier run's results go before the first new one appears, so that they are never mixed.
        for old in ["run.json", "removed.parquet"] {
            remove(&path.join(old), |path| fs::remove_file(path))?;
        }
        for old in ["data", "quarantine"] {
            remove(&path.join(old), |path| fs::remove_dir_all(path))?;
        }
        remove_stale(&path)?;
        Ok(Self { kind: Kind::Folder(path), _lock: Some(lock) })
    }

    /// Whether all inputs go into one file.
    pub(crate) fn is_single(&self) -> bool {
        !matches!(self.kind, Kind::Folder(_))
    }

    /// Where the data of an input goes; with a single output, that of the first one. The format and compression are
    /// those that the name of a single output asks for; standard output takes lines.
    pub(crate) fn place(&self, source: &Source) -> (PathBuf, Option<(DataFormat, Codec)>) {
        match &self.kind {
            Kind::Folder(folder) => (folder.join("data").join(source.input().name()), None),
            Kind::Single(path) => {
                (path.clone(), split_suffix(&path.file_name().unwrap_or_default().to_string_lossy()))
            }
            Kind::Stdout => (PathBuf::from("-"), Some((DataFormat::Jsonl, Codec::Plain))),
        }
    }

    /// The output of an input, in its own format. A columnar file that cannot be read has no schema to write; its one
    /// bad record is in quarantine.
    pub(crate) fn create_like(&self, source: &Source, threads: usize) -> Result<Option<Box<dyn Output>>> {
        if !source.is_readable() {
            return Ok(None);
        }
        let (path, asked) = self.place(source);
        source.create_output(&path, asked.map(|(_, codec)| codec), threads).map(Some)
    }

    /// Where the evidence of each removal goes; none with standard output.
    pub(crate) fn removed_path(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Folder(folder) => Some(folder.join("removed.parquet")),
            Kind::Single(path) => Some(beside(path, "removed.parquet")),
            Kind::Stdout => None,
        }
    }

    /// Where bad records go.
    pub(crate) fn quarantine_dir(&self) -> PathBuf {
        match &self.kind {
            Kind::Folder(folder) => folder.join("quarantine"),
            Kind::Single(path) => beside(path, "quarantine"),
            Kind::Stdout => PathBuf::from("thresher-quarantine"),
        }
    }

    /// Writes the report, the last file of a run, and lets go of the output.
    pub(crate) fn finish(&self, report: &impl Serialize) -> Result<()> {
        let mut json =
            serde_json::to_vec_pretty(report).map_err(|error| Error::Internal(error.to_string()))?;
        json.push(b'\n');
        match &self.kind {
            Kind::Folder(folder) => {
                commit_bytes(&folder.join("run.json"), &json)?;
                remove(&folder.join(".thresher"), |path| fs::remove_dir_all(path))
            }
            Kind::Single(path) => commit_bytes(&beside(path, "run.json"), &json).map(drop),
            Kind::Stdout => Ok(()),
        }
    }
}

/// `OUT.jsonl` and `run.json` make `OUT.jsonl.run.json`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path, how: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    match how(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn is_empty(folder: &Path) -> Result<bool> {
    Ok(fs::read_dir(folder).map_err(Error::io("list", folder))?.next().is_none())
}

/// Whether `input` is `output` or below it.
fn is_inside(input: &Path, output: &Path) -> bool {
    match (fs::canonicalize(input), fs::canonicalize(output)) {
        (Ok(input), Ok(output)) => input.starts_with(output),
        _ => false,
    }
}
