//! What a run reads: names given by the user become inputs, in order, each with a name of its own.
//!
//! A name is a file, a pattern (`raw/*.jsonl.zst`, sorted), a folder, or `-`. A folder whose visible files are all
//! data files (JSONL, Parquet, Arrow IPC) stands for these; any other folder, and every folder when patterns of files are
//! given, holds documents, one a file. The format follows from the ending of the name.

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
use crate::runs::source::Source;

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
    /// Holds standard input while the run goes over it.
    _spool: Option<tempfile::NamedTempFile>,
}

/// A file or folder to open.
struct Found {
    path: PathBuf,
    /// `None`: a folder of documents.
    format: Option<DataFormat>,
}

impl Plan {
    /// Finds and opens every input.
    pub(crate) fn new(reading: Reading<'_>, fields: &Fields) -> Result<Self> {
        let mut sources = Vec::new();
        let mut spool = None;
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
                    sources.push(Found { path: file.path().to_path_buf(), format: Some(DataFormat::Jsonl) });
                    spool = Some(file);
                }
            } else {
                find(Path::new(name), reading.glob.is_some(), &mut sources)?;
            }
        }
        let names = names(&sources);
        let mut plan = Self { sources: Vec::new(), fingerprints: Vec::new(), _spool: spool };
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
    let codec = split_suffix(&path.to_string_lossy()).map_or(Codec::Plain, |(_, codec)| codec);
    Ok(match found.format {
        None => {
            let globs = reading.glob.unwrap_or_default();
            Source::Folder(FolderInput::open(path, &name, globs, reading.max_record_bytes)?)
        }
        Some(DataFormat::Jsonl) => {
            let limits = Limits {
                max_record_bytes: reading.max_record_bytes as usize,
                unit_bytes: reading.batch_bytes as usize,
            };
            Source::Lines(JsonlInput::open(path.clone(), name, codec, limits)?, codec)
        }
        Some(DataFormat::Parquet) => Source::Parquet(ParquetInput::open(path, &name, columnar)?),
        Some(DataFormat::Ipc) => Source::Ipc(IpcInput::open(path, &name, columnar)?),
    })
}

/// Adds what `path` stands for.
fn find(path: &Path, documents: bool, sources: &mut Vec<Found>) -> Result<()> {
    if path.is_dir() {
        let files = if documents { None } else { data_files(path)? };
        match files {
            Some(files) => sources.extend(files),
            None => sources.push(Found { path: path.to_path_buf(), format: None }),
        }
        return Ok(());
    }
    if path.exists() {
        sources.push(data_file(path)?);
        return Ok(());
    }
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::io("open", path)(missing));
    }
    let paths = glob::glob(&pattern)
        .map_err(|error| Error::Parameter(format!("input pattern `{pattern}` cannot be read: {error}")))?;
    let mut found: Vec<PathBuf> =
        paths.filter_map(std::result::Result::ok).filter(|path| path.is_file()).collect();
    if found.is_empty() {
        return Err(Error::Parameter(format!("input pattern `{pattern}` matches no file")));
    }
    found.sort();
    for path in found {
        sources.push(data_file(&path)?);
    }
    Ok(())
}

fn data_file(path: &Path) -> Result<Found> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match split_suffix(&name) {
        Some((format, _)) => Ok(Found { path: path.to_path_buf(), format: Some(format) }),
        None => Err(Error::Parameter(format!(
            "input `{}` has no ending that names a format; there are .jsonl, .jsonl.gz, .jsonl.zst, .parquet, .arrow, and \
             folders of text files",
            path.display()
        ))),
    }
}

/// The data files of a folder, sorted, if it holds nothing else that is visible.
fn data_files(folder: &Path) -> Result<Option<Vec<Found>>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    {
        let entry = entry.map_err(|error| Error::io("list", folder)(error.into()))?;
        if entry.file_type().is_dir() {
            continue;
        }
        match split_suffix(&entry.file_name().to_string_lossy()) {
            Some((format, _)) => files.push(Found { path: entry.into_path(), format: Some(format) }),
            None => return Ok(None),
        }
    }
    Ok(if files.is_empty() { None } else { Some(files) })
}

/// Names below the common folder of all sources, with `/`. One that another has already gets its number in front.
fn names(sources: &[Found]) -> Vec<String> {
    let absolute: Vec<PathBuf> = sources
        .iter()
        .map(|source| std::path::absolute(&source.path).unwrap_or_else(|_| source.path.clone()))
        .collect();
    let mut common: Option<&Path> = absolute.first().and_then(|path| path.parent());
    for path in &absolute {
        while let Some(folder) = common.filter(|folder| !path.starts_with(folder)) {
            common = folder.parent();
        }
    }
    let mut names: Vec<String> = Vec::new();
    for (index, path) in absolute.iter().enumerate() {
        let below = common.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
        let parts: Vec<_> = below
            .components()
            .filter(|part| matches!(part, std::path::Component::Normal(_)))
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let name = parts.join("/");
        names.push(if names.contains(&name) { format!("{index}/{name}") } else { name });
    }
    names
}

/// Copies standard input to a file, since a run reads its inputs more than once.
fn spool_stdin(tmp: Option<&str>) -> Result<tempfile::NamedTempFile> {
    let folder = tmp.map_or_else(std::env::temp_dir, PathBuf::from);
    let builder = |suffix: &str| {
        let mut builder = tempfile::Builder::new();
        builder
            .prefix("thresher-stdin-")
            .suffix(suffix)
            .tempfile_in(&folder)
            .map_err(Error::io("create a file in", &folder))
    };
    let mut stdin = std::io::stdin().lock();
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match std::io::Read::read(&mut stdin, &mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", Path::new("-"))(error)),
        }
    }
    let mut file = builder(match &head[..filled] {
        [0x1F, 0x8B, ..] => ".jsonl.gz",
        [0x28, 0xB5, 0x2F, 0xFD] => ".jsonl.zst",
        _ => ".jsonl",
    })?;
    let path = file.path().to_path_buf();
    std::io::Write::write_all(&mut file, &head[..filled]).map_err(Error::io("write", &path))?;
    std::io::copy(&mut stdin, &mut file).map_err(Error::io("write", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str) -> Found {
        Found { path: PathBuf::from(path), format: Some(DataFormat::Jsonl) }
    }

    #[test]
    fn names_are_paths_below_the_common_folder() {
        assert_eq!(names(&[source("/d/a.jsonl")]), ["a.jsonl"]);
        assert_eq!(names(&[source("/d/x/a.jsonl"), source("/d/y/a.jsonl")]), ["x/a.jsonl", "y/a.jsonl"]);
        assert_eq!(names(&[source("/d/a.jsonl"), source("/d/a.jsonl")]), ["a.jsonl", "1/a.jsonl"]);
    }

    #[test]
    fn a_pattern_without_files_and_an_unknown_ending_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut sources = Vec::new();
        let message = find(&folder.path().join("*.jsonl"), false, &mut sources).err().unwrap().to_string();
        assert!(message.contains("matches no file"), "{message}");
        let odd = folder.path().join("a.docx");
        fs::write(&odd, "").unwrap();
        assert!(find(&odd, false, &mut sources).err().unwrap().to_string().contains("names a format"));
    }

    #[test]
    fn a_folder_of_data_files_stands_for_them_and_any_other_is_documents() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.jsonl"), "").unwrap();
        fs::write(folder.path().join("a.parquet"), "").unwrap();
        let mut sources = Vec::new();
        find(folder.path(), false, &mut sources).unwrap();
        let formats: Vec<_> = sources.iter().map(|source| source.format).collect();
        assert_eq!(formats, [Some(DataFormat::Parquet), Some(DataFormat::Jsonl)]);
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        sources.clear();
        find(folder.path(), false, &mut sources).unwrap();
        assert!(matches!(sources.as_slice(), [Found { format: None, .. }]));
    }
}
