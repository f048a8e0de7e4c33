//! Verification of a result: every file that its `run.json` lists is read and compared, and what it does not list is named.
//!
//! ```text
//! run.json ── its own checksum ──> list of files ──> each: there? as long? the same bytes? as many rows?
//! ```
//!
//! Files are verified on several threads, each in one pass that holds one block; rows of compressed and columnar files are
//! counted in a second one. Nothing is changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use memchr::memchr_iter;
use serde::{Deserialize, Serialize};
use thresher_core::Observer;
use thresher_core::json::Fields;
use walkdir::WalkDir;
use xxhash_rust::xxh3::Xxh3;

use super::marker::{FileEntry, Files, Manifest, is_sealed};
use super::place::{DATA, PARTS, Place, QUARANTINE, RUN};
use crate::codec::{Codec, DataFormat, names_array, split_suffix};
use crate::error::{Error, Result};
use crate::input::{Input, Payload, Position, Scratch};
use crate::readers::ipc::IpcInput;
use crate::readers::jsonl::{JsonlInput, Limits};
use crate::readers::parquet::ParquetInput;
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::progress::Progress;
use crate::runs::sniff::sniff;
use crate::tokens::{TokenFile, npy_numbers};
use crate::writers::folder::Listing;

/// Read at a time.
const BLOCK_BYTES: usize = 1 << 20;
/// A unit of a columnar file.
const UNIT_BYTES: u64 = 16 << 20;
/// The step of the progress.
const STEP: usize = 2;
/// Strangers that a report names.
const NAMED: usize = 1000;

/// What to verify.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRun {
    /// The output of a run: its folder or data file, or its `run.json`.
    pub output: String,
    /// Threads to use.
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The output as it was named.
    pub output: String,
    /// Everything is there and as it was written, and nothing else is.
    pub ok: bool,
    /// Every file of the result, in order of its name, `run.json` first.
    pub files: Vec<FileVerdict>,
    /// Paths of files beside them that no run has written; the first thousand.
    pub strangers: Vec<String>,
    /// Bytes that were compared.
    pub bytes: u64,
}

/// What is true of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is what was written.
    Ok,
    /// It is not there.
    Missing,
    /// It has another length.
    Size,
    /// It has other bytes.
    Hash,
    /// It has another number of rows than `run.json` says.
    Rows,
    /// It cannot be read.
    Unreadable,
}

/// One file of a result.
#[derive(Clone, Debug, Serialize)]
pub struct FileVerdict {
    /// Its name below the folder of the result; `data` for a single data file. A folder of documents ends in `/`.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// What is true of it.
    pub verdict: Verdict,
    /// What differs; empty if nothing does.
    pub detail: String,
}

/// Compares a result with what its `run.json` says of it.
///
/// # Errors
/// `Error::Io` if there is no such output, `Error::Data` if it is no result of thresher, `Error::Parameter` for one of a
/// newer version, `Error::Cancelled`. What is wrong with a file is no error.
pub fn run(config: &VerifyRun, progress: &Progress) -> Result<VerifyReport> {
    let place = place_of(Path::new(&config.output))?;
    let (run, json) = read_run(&place)?;
    let manifest = Manifest::read(&run)?.ok_or_else(|| no_result(&run))?;
    let is_whole = is_sealed(&json);
    progress.begin(STEP, manifest.files.values().map(|file| file.bytes).sum());
    let mut files = vec![verdict(
        RUN,
        &run,
        if is_whole { Verdict::Ok } else { Verdict::Hash },
        if is_whole { "" } else { "its checksum is not that of its content: it was changed after the run" },
    )];
    files.extend(verify_files(&place, &manifest.files, config.threads, progress)?);
    let strangers = strangers(&place, &manifest.files)?;
    let ok = strangers.is_empty() && files.iter().all(|file| file.verdict == Verdict::Ok);
    let strangers = strangers.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let bytes = progress.moment().bytes + json.len() as u64;
    Ok(VerifyReport { output: config.output.clone(), ok, files, strangers, bytes })
}

/// The place of a result, by the name of its folder, its data file, or its `run.json`.
///
/// # Errors
/// `Error::Io` if there is nothing of that name, or of what lies beside a data file.
pub(crate) fn place_of(output: &Path) -> Result<Place> {
    if output.file_name().is_some_and(|name| name == RUN) {
        return Ok(Place::Folder(output.parent().unwrap_or(Path::new("")).to_path_buf()));
    }
    let beside = Place::beside_which(output).filter(|_| output.is_file());
    if let Some(place) = beside.filter(|place| place.part(RUN).as_deref() == Some(output)) {
        return Ok(place);
    }
    match fs::metadata(output) {
        Ok(found) if found.is_dir() => Ok(Place::Folder(output.to_path_buf())),
        // A data file that is gone has evidence.
        Err(error) if !Place::Single(output.to_path_buf()).part(RUN).is_some_and(|run| run.exists()) => {
            Err(Error::io("open", output)(error))
        }
        _ => Ok(Place::Single(fs::canonicalize(output).unwrap_or_else(|_| output.to_path_buf()))),
    }
}

/// Where the `run.json` of a result is, and its bytes.
///
/// # Errors
/// `Error::Data` if there is none, `Error::Io` if it cannot be read.
pub(crate) fn read_run(place: &Place) -> Result<(PathBuf, Vec<u8>)> {
    let run = place.part(RUN).ok_or_else(|| Error::Internal("standard output has no run.json".into()))?;
    let json = match fs::read(&run) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(no_result(&run));
        }
        json => json.map_err(Error::io("read", &run))?,
    };
    Ok((run, json))
}

/// Where a part of a result is.
pub(crate) fn part_of(place: &Place, part: &str) -> Option<PathBuf> {
    place.part(part)
}

fn no_result(run: &Path) -> Error {
    Error::data(
        run,
        "there is no finished result of thresher here: this file is missing, or is not what thresher writes. A run that \
         was stopped has none; start it again to complete it",
    )
}

fn verdict(name: &str, path: &Path, verdict: Verdict, detail: impl Into<String>) -> FileVerdict {
    FileVerdict { name: name.to_owned(), path: path.display().to_string(), verdict, detail: detail.into() }
}

/// Verifies all files on `threads` threads, each file on one.
fn verify_files(
    place: &Place,
    files: &Files,
    threads: usize,
    progress: &Progress,
) -> Result<Vec<FileVerdict>> {
    let entries: Vec<(&String, &FileEntry)> = files.iter().collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(entries.len()));
    let work = || {
        while let Some(&(name, entry)) = entries.get(next.fetch_add(1, Relaxed)) {
            let path = path_of(place, name);
            let (found, detail) = match compare(files, &path, name, entry, progress) {
                Ok(found) => found,
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => (Verdict::Unreadable, error.to_string()),
            };
            let found = verdict(name, &path, found, detail);
            done.lock().unwrap_or_else(PoisonError::into_inner).push(found);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, entries.len().max(1))).map(|_| scope.spawn(work)).collect();
        let lost = || Error::Internal("a thread that verifies files panicked".into());
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(lost())))
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(done)
}

/// Where a file of the list is. Names come from a file that anybody may have written: what leads out of the result is there
/// to be missed.
fn path_of(place: &Place, name: &str) -> PathBuf {
    let (part, below) = name.split_once('/').unwrap_or((name, ""));
    let path = place.part(part).unwrap_or_default();
    if below.is_empty() { path } else { path.join(below) }
}

fn leads_out(name: &str) -> bool {
    let part = name.split('/').next().unwrap_or(name);
    !PARTS.contains(&part) || name.split('/').any(|step| step == ".." || step == ".") || name.contains("//")
}

fn compare(
    files: &Files,
    path: &Path,
    name: &str,
    entry: &FileEntry,
    progress: &Progress,
) -> Result<(Verdict, String)> {
    if leads_out(name) {
        return Ok((Verdict::Missing, "no result has a file of this name".into()));
    }
    let found = match fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok((Verdict::Missing, "it is not there".into()));
        }
        found => found.map_err(Error::io("look at", path))?,
    };
    if name.ends_with('/') {
        return compare_folder(files, path, name, entry, progress);
    }
    if !found.is_file() {
        return Ok((Verdict::Missing, "something that is no file has its name".into()));
    }
    if found.len() != entry.bytes {
        let detail = format!("it has {} bytes, and {} were written", found.len(), entry.bytes);
        return Ok((Verdict::Size, detail));
    }
    let (hash, lines) = read_through(path, progress)?;
    if hash != entry.xxh3_128 {
        return Ok((Verdict::Hash, "its bytes are not those that were written".into()));
    }
    let Some(expected) = entry.rows else { return Ok((Verdict::Ok, String::new())) };
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let rows = count_rows(path, &file_name, lines, progress)?;
    if rows == expected {
        return Ok((Verdict::Ok, String::new()));
    }
    Ok((Verdict::Rows, format!("it has {rows} rows, and run.json says {expected}")))
}

fn compare_folder(
    files: &Files,
    path: &Path,
    name: &str,
    entry: &FileEntry,
    progress: &Progress,
) -> Result<(Verdict, String)> {
    // Data files may lie inside.
    let listing = Listing::of(path, |file| !files.contains_key(&name_below(path, file, name)))?;
    let (bytes, rows) = listing.size();
    if Some(listing.digest()) != entry.listing_xxh3_128 || bytes != entry.bytes {
        let detail = "files in it were added, removed or renamed, or have another length";
        return Ok((Verdict::Size, detail.into()));
    }
    let see = |bytes| {
        progress.advance(0, bytes);
        progress.check()
    };
    if listing.digest_of_contents(&see)? != entry.xxh3_128 {
        return Ok((Verdict::Hash, "the bytes of a file in it are not those that were written".into()));
    }
    match entry.rows {
        Some(expected) if expected != rows => {
            Ok((Verdict::Rows, format!("it has {rows} files, and run.json says {expected}")))
        }
        _ => Ok((Verdict::Ok, String::new())),
    }
}

/// The name in the list of a file inside a folder of that name.
fn name_below(folder: &Path, file: &Path, name: &str) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let below: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    format!("{name}{}", below.join("/"))
}

/// The checksum of a file, and its lines.
pub(super) fn read_through(path: &Path, progress: &Progress) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let (mut block, mut hash) = (vec![0; BLOCK_BYTES], Xxh3::new());
    let (mut lines, mut is_open) = (0, false);
    loop {
        progress.check()?;
        let read = match file.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        let read = &block[..read];
        hash.update(read);
        lines += memchr_iter(b'\n', read).count() as u64;
        is_open = read.last() != Some(&b'\n');
        progress.advance(0, read.len() as u64);
    }
    Ok((format!("{:032x}", hash.digest128()), lines + u64::from(is_open)))
}

/// The rows of a file whose bytes are those that were written, in which there are so many lines. Its name says what it holds.
pub(super) fn count_rows(path: &Path, name: &str, lines: u64, progress: &Progress) -> Result<u64> {
    if let Some(rows) = rows_of_tokens(path, name, progress)? {
        return Ok(rows);
    }
    let form = match split_suffix(name) {
        // Input files without an ending are told by their content, and so are the outputs of that name.
        None => sniff(path).map_err(Error::io("open", path))?,
        form => form,
    };
    let input: Box<dyn Input> = match form {
        None => return Ok(lines),
        Some((DataFormat::Jsonl, Codec::Plain)) if !names_array(name) => return Ok(lines),
        Some((DataFormat::Jsonl, codec)) => {
            let input = JsonlInput::open(path, name.to_owned(), codec, Limits::default())?;
            if input.is_array() {
                return count_records(&input, progress);
            }
            Box::new(input)
        }
        Some((DataFormat::Parquet, _)) => Box::new(ParquetInput::open(path, name, UNIT_BYTES)?),
        Some((DataFormat::Ipc, _)) => Box::new(IpcInput::open(path, name, UNIT_BYTES)?),
    };
    let mut rows = 0;
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| progress.check())? {
        rows += match unit.payload {
            Payload::Range { start, end } => lines_of(path, start, end)?,
            Payload::Lines { data, .. } => {
                data.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() as u64
            }
            Payload::Oversized { .. } => 1,
            Payload::RowGroup { rows, .. } => rows as u64,
            Payload::Batch(batch) => batch.map_err(|detail| Error::data(path, detail))?.num_rows() as u64,
            Payload::Files(files) => files.len() as u64,
            Payload::Places(places) => places.end - places.start,
        };
    }
    Ok(rows)
}

/// The rows of files of tokens: sequences of an index and of the tokens that it is about, numbers of an array, and one less of
/// a table of places.
fn rows_of_tokens(path: &Path, name: &str, progress: &Progress) -> Result<Option<u64>> {
    let suffix = Path::new(name).extension().and_then(|suffix| suffix.to_str());
    if matches!(suffix, Some("bin" | "idx")) {
        let file = TokenFile::open(path)?;
        file.check(&|| progress.check())?;
        return Ok(Some(file.sequences()));
    }
    if suffix != Some("npy") {
        return Ok(None);
    }
    let numbers = npy_numbers(path)?;
    Ok(Some(if name.ends_with(".documents.npy") { numbers.saturating_sub(1) } else { numbers }))
}

/// The elements of an array, which no line end parts.
fn count_records(input: &JsonlInput, progress: &Progress) -> Result<u64> {
    struct Count(u64);
    impl Visitor for Count {
        fn record(&mut self, _: Record<'_>) -> Result<()> {
            self.0 += 1;
            Ok(())
        }

        fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
            self.0 += 1;
            Ok(())
        }
    }
    let (mut records, mut scratch) = (Count(0), Scratch::default());
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| progress.check())? {
        input.read(&unit, &Fields::default(), None, &mut scratch, &mut records)?;
    }
    Ok(records.0)
}

/// Lines in a part of a file.
fn lines_of(path: &Path, start: u64, end: u64) -> Result<u64> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut part = Vec::new();
    file.seek(SeekFrom::Start(start))
        .and_then(|_| file.take(end - start).read_to_end(&mut part))
        .map_err(Error::io("read", path))?;
    Ok(part.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() as u64)
}

/// Files in the folder of a result, or in the folders beside a data file, that are none of its `files`.
fn strangers(place: &Place, files: &Files) -> Result<Vec<PathBuf>> {
    let roots: Vec<PathBuf> = match place {
        Place::Folder(folder) => vec![folder.clone()],
        _ => [DATA, QUARANTINE].iter().filter_map(|part| place.part(part)).collect(),
    };
    let state = place.state();
    let mut strangers = Vec::new();
    for root in roots.iter().filter(|root| root.is_dir()) {
        let mut walk = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| Error::io("list", root)(error.into()))?;
            let path = entry.path();
            let name = match place {
                Place::Folder(_) => name_below(root, path, ""),
                _ => name_below(root, path, &format!("{QUARANTINE}/")),
            };
            let is_folder = entry.file_type().is_dir();
            let is_known = if is_folder {
                // What is in a folder of documents is known by its checksum.
                state.as_deref() == Some(path) || files.contains_key(&format!("{name}/"))
            } else {
                name == RUN || files.contains_key(&name)
            };
            if is_folder && is_known {
                walk.skip_current_dir();
            } else if !is_folder && !is_known {
                strangers.push(entry.into_path());
            }
        }
    }
    Ok(strangers)
}
