//! What a run reads: arguments of the user become opened inputs, in order, each with a name of its own.
//!
//! ```text
//! arguments ─ find, stdin ─> files, folders, copies of pipes ─ once ─> each but once ─ names ─> opened inputs
//! ```

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thresher_core::json::Fields;

use crate::codec::{Codec, DataFormat, split_suffix};
use crate::error::{Error, Result};
use crate::readers::folder::FolderInput;
use crate::readers::ipc::IpcInput;
use crate::readers::jsonl::{JsonlInput, Limits};
use crate::readers::parquet::ParquetInput;
use crate::readers::parquet::alike::join;
use crate::runs::find::{Found, find};
use crate::runs::names::{Label, names};
use crate::runs::output::is_our_output;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::stdin::{Pipe, Spool, pipe_of, spool};

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
    /// The first of them that are references: read, and never written.
    pub(crate) num_references: usize,
    /// Size and time of change of each input that is a file.
    fingerprints: Vec<Option<(u64, SystemTime)>>,
    /// What the user should know about the inputs.
    pub(crate) notes: Vec<String>,
    /// Hold what came through pipes while the run goes over it.
    spools: Vec<Spool>,
}

/// An input before it is opened.
enum Argument {
    File(Found),
    /// The copy of a pipe, by its place in the list of them.
    Copy(usize),
}

impl Plan {
    /// Finds and opens every input; what comes through a pipe is copied first.
    pub(crate) fn new(reading: Reading<'_>, fields: &Fields, progress: &Progress) -> Result<Self> {
        Self::beside(&[], reading, fields, progress)
    }

    /// The same for references: files that are no input, under names that no input has.
    pub(crate) fn references(
        &self,
        reading: Reading<'_>,
        fields: &Fields,
        progress: &Progress,
    ) -> Result<Self> {
        Self::beside(&self.sources, reading, fields, progress)
    }

    fn beside(inputs: &[Source], reading: Reading<'_>, fields: &Fields, progress: &Progress) -> Result<Self> {
        if reading.inputs.is_empty() {
            return Err(Error::Parameter("no input is given; name at least one file or folder".into()));
        }
        let (mut arguments, mut pipes, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for name in reading.inputs {
            match pipe_of(name)? {
                // A pipe gives its content once.
                Some(pipe) if pipes.contains(&pipe) => {}
                Some(pipe) => {
                    arguments.push(Argument::Copy(pipes.len()));
                    pipes.push(pipe);
                }
                None => {
                    let mut found = Vec::new();
                    find(Path::new(name), reading.glob.is_some(), &mut found, &mut notes)?;
                    arguments.extend(found.into_iter().map(Argument::File));
                }
            }
        }
        notes.extend(once(&mut arguments));
        let copy = |pipe: Pipe<'_>| spool(pipe, reading.tmp, progress);
        let spools: Vec<Spool> = pipes.into_iter().map(copy).collect::<Result<_>>()?;
        let labels: Vec<Label<'_>> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::File(found) => Label::Path(&found.path),
                Argument::Copy(place) => Label::Fixed(&spools[*place].name),
            })
            .collect();
        refuse_both(inputs, &labels)?;
        let names = names_beside(inputs, names(&labels));
        let (mut sources, mut fingerprints) = (Vec::new(), Vec::new());
        for (argument, name) in arguments.iter().zip(names) {
            let source = match argument {
                Argument::File(found) => {
                    fingerprints.push(fingerprint(&found.path));
                    open(found, name, reading)?
                }
                Argument::Copy(place) => {
                    fingerprints.push(None);
                    open_copy(&spools[*place], name, reading)?
                }
            };
            source.check(fields)?;
            sources.push(source);
        }
        Ok(Self { sources, num_references: 0, fingerprints, notes, spools })
    }

    /// Puts references in front of the inputs.
    pub(crate) fn put_in_front(&mut self, references: Self) {
        self.num_references = references.sources.len();
        self.sources.splice(0..0, references.sources);
        self.fingerprints.splice(0..0, references.fingerprints);
        self.notes.splice(0..0, references.notes);
        self.spools.extend(references.spools);
    }

    /// Whether a later run finds the same inputs: what came through a pipe is gone.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.spools.is_empty()
    }

    /// The one format of all inputs. `needs` says in an error what needs one, and `way` the way out.
    pub(crate) fn single_format(&self, needs: &str, way: &str) -> Result<DataFormat> {
        let mut formats = self.sources.iter().map(Source::format);
        match formats.next() {
            Some(Some(first)) if formats.all(|format| format == Some(first)) => Ok(first),
            _ => Err(Error::Parameter(format!("{needs} takes inputs of one data format; {way}"))),
        }
    }

    /// Prepares the inputs for one output of all their rows.
    pub(crate) fn join(&mut self) -> Result<()> {
        let (mut parquet, mut ipc) = (Vec::new(), Vec::new());
        for source in &mut self.sources {
            match source {
                Source::Parquet(input) => parquet.push(input),
                Source::Ipc(input) => ipc.push(input),
                Source::Lines(..) | Source::Folder(_) | Source::Seen(_) | Source::Placed(_) => {}
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

/// Makes sure that no reference is an input: everything in it would be removed.
fn refuse_both(inputs: &[Source], references: &[Label<'_>]) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let inputs: HashSet<PathBuf> = inputs.iter().filter_map(|source| real(source.input().path())).collect();
    for reference in references {
        if let Label::Path(path) = reference
            && real(path).is_some_and(|path| inputs.contains(&path))
        {
            return Err(Error::Parameter(format!(
                "`{}` is an input and in `against` as well, so all its documents would be removed; name it in one of them",
                path.display()
            )));
        }
    }
    Ok(())
}

/// The names of references, in a folder `against` where an input is called the same.
fn names_beside(inputs: &[Source], mut names: Vec<String>) -> Vec<String> {
    let inputs: HashSet<&str> = inputs.iter().map(|source| source.input().name()).collect();
    for at in 0..names.len() {
        let mut name = names[at].clone();
        while inputs.contains(&*name) || (name != names[at] && names.contains(&name)) {
            name.insert_str(0, "against/");
        }
        names[at] = name;
    }
    names
}

fn fingerprint(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Opens an input of an earlier run again, under its name there.
///
/// # Errors
/// Those of opening, and something else than a data file or a folder.
pub(crate) fn reopen(path: &Path, name: String, reading: Reading<'_>) -> Result<Source> {
    let mut found = Vec::new();
    if path.is_dir() {
        found.push(Found { path: path.to_path_buf(), form: None });
    } else {
        find(path, false, &mut found, &mut Vec::new())?;
    }
    let gone = || Error::data(path, "the file is no input any more");
    open(&found.pop().ok_or_else(gone)?, name, reading)
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
            Source::Lines(JsonlInput::open(path, name, codec, limits(reading))?, codec)
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

fn open_copy(spool: &Spool, name: String, reading: Reading<'_>) -> Result<Source> {
    let codec = split_suffix(&name).map_or(Codec::Plain, |(_, codec)| codec);
    let input = JsonlInput::open(&spool.path, name, codec, limits(reading))?;
    Ok(Source::Lines(input.of_pipe(spool.origin.clone()), codec))
}

fn limits(reading: Reading<'_>) -> Limits {
    Limits { max_record_bytes: reading.max_record_bytes as usize, unit_bytes: reading.batch_bytes as usize }
}

/// Leaves each file once, however often it was named, and no folder of documents inside another; says which went.
fn once(arguments: &mut Vec<Argument>) -> Vec<String> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_documents =
        |argument: &Argument| matches!(argument, Argument::File(found) if found.form.is_none());
    let folders: HashSet<PathBuf> = arguments
        .iter()
        .filter(|argument| is_documents(argument))
        .filter_map(|argument| match argument {
            Argument::File(found) => Some(real(&found.path)),
            Argument::Copy(_) => None,
        })
        .collect();
    let (mut seen, mut notes) = (HashSet::new(), Vec::new());
    arguments.retain(|argument| {
        let Argument::File(found) = argument else { return true };
        let path = real(&found.path);
        let outer = if found.form.is_none() { outer(&path, &folders) } else { None };
        if let Some(outer) = outer {
            let (inner, outer) = (found.path.display(), outer.display());
            notes.push(format!("input `{inner}` lies in `{outer}`, which is read as well; it is read once"));
            return false;
        }
        let is_new = seen.insert(path);
        if !is_new {
            notes.push(format!(
                "input `{}` is named twice, or is a link to another; it is read once",
                found.path.display()
            ));
        }
        is_new
    });
    notes
}

/// The folder in the list that reads all of `path`: hidden folders are not read from outside.
fn outer<'f>(path: &Path, folders: &'f HashSet<PathBuf>) -> Option<&'f Path> {
    let mut inner = path;
    while let Some(folder) = inner.parent() {
        if inner.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            return None;
        }
        if let Some(found) = folders.get(folder) {
            return Some(found);
        }
        inner = folder;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(paths: &[(&Path, bool)]) -> Vec<Argument> {
        let form = |is_documents: bool| (!is_documents).then_some((DataFormat::Jsonl, Codec::Plain));
        let argument = |&(path, is_documents): &(&Path, bool)| {
            Argument::File(Found { path: path.to_path_buf(), form: form(is_documents) })
        };
        paths.iter().map(argument).collect()
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_once_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("d")).unwrap();
        fs::write(path("a.jsonl"), "").unwrap();
        fs::write(path("b.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(path("a.jsonl"), path("link.jsonl")).unwrap();
        let named =
            [path("a.jsonl"), path("b.jsonl"), path("d/../a.jsonl"), path("link.jsonl"), path("a.jsonl")];
        let mut found = arguments(&named.iter().map(|path| (path.as_path(), false)).collect::<Vec<_>>());
        let notes = once(&mut found);
        assert_eq!((found.len(), notes.len()), (2, 3));
        assert!(notes[1].contains("link.jsonl"), "{notes:?}");
    }

    #[test]
    fn a_folder_inside_another_one_is_read_with_it_unless_it_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("d/inner/deep")).unwrap();
        fs::create_dir_all(path("d/.git/hooks")).unwrap();
        fs::create_dir_all(path("dd")).unwrap();
        let named = ["d/inner/deep", "d", "d/.git/hooks", "dd"].map(path);
        let mut found = arguments(&named.each_ref().map(|path| (path.as_path(), true)));
        let notes = once(&mut found);
        assert_eq!((found.len(), notes.len()), (3, 1));
        assert!(notes[0].contains("deep"), "{notes:?}");
    }
}
