//! A folder of text or code files: one file is one document.
//!
//! The list of files is made once, when the folder is opened, and sorted by relative path (as bytes), so that the
//! order does not depend on the file system. Symbolic links are followed, and the files behind them go by the names of
//! the links; a file that is reached twice is read once, and a link to a folder around it leads nowhere. Hidden files
//! and folders (those whose name starts with a dot) are left out unless a pattern names a hidden part itself, as
//! `.github/**` does.
//!
//! A file that cannot be read is a bad record and stops nothing. An error is a folder that cannot be listed, as nobody
//! knows what is missing then, and a shortage of the process itself (file handles, memory), since it would put good
//! files into quarantine.
//!
//! Memory: about 60 bytes and the relative path for each file.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use thresher_core::json::{Fields, Scalar};

use crate::blob::{self, BlobReader};
use crate::error::{Error, Result};
use crate::input::{Cutter, GoOn, Input, Payload, Piece, Position, Scratch, SlotMask, Unit};
use crate::record::{BadRecord, Reason, Record, Visitor};

/// The largest file that is read, unless the caller says otherwise.
pub const DEFAULT_MAX_FILE_BYTES: u64 = 1 << 30;
/// A unit ends with the file that fills it to this size.
const UNIT_BYTES: u64 = 4 << 20;
const UNIT_FILES: usize = 512;
/// What quarantine gets of a file that is no text.
const RAW_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A folder of documents.
pub struct FolderInput {
    root: PathBuf,
    name: String,
    files: Vec<Entry>,
    /// The first file of each unit, and the number of files.
    starts: Vec<usize>,
    max_file_bytes: u64,
    total_bytes: u64,
}

/// One file of the list.
struct Entry {
    /// Relative path with `/`; bytes that are no UTF-8 are written `\xFF`.
    name: Box<str>,
    /// The real relative path where `name` is not it.
    path: Option<Box<Path>>,
    bytes: u64,
    modified: Option<SystemTime>,
    /// Why it could not be looked at: a link that leads nowhere, or a file that vanished meanwhile.
    fault: Option<Box<str>>,
}

impl Entry {
    fn relative(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(&*self.name))
    }
}

impl FolderInput {
    /// Lists the files of `root` that match one of `globs`; all regular files if there are none.
    ///
    /// A pattern without `/` is matched against the file name in every folder (`*.py`), any other against the
    /// relative path, where `*` stays inside a folder and `**` does not (`src/**/*.{c,h}`). What `skips` says is left
    /// out with all that is in it.
    ///
    /// # Errors
    /// `Error::Parameter` for a bad pattern; `Error::Io` if a folder cannot be listed.
    pub fn open(
        root: &Path,
        name: &str,
        globs: &[String],
        max_file_bytes: u64,
        skips: &dyn Fn(&Path) -> bool,
    ) -> Result<Self> {
        let selection = Selection::try_new(globs)?;
        fs::read_dir(root).map_err(Error::io("list", root))?;
        let mut files = Vec::new();
        let mut has_links = false;
        let mut entered = HashSet::new();
        let walk =
            WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().filter_entry(|entry| {
                let is_wanted = selection.may_descend(entry) && (entry.depth() == 0 || !skips(entry.path()));
                is_wanted && is_new(entry, &mut entered)
            });
        for found in walk {
            has_links |= found.as_ref().is_ok_and(DirEntry::path_is_symlink);
            files.extend(look_at(root, &selection, found)?);
        }
        files.sort_unstable_by(|a, b| path_bytes(a).cmp(path_bytes(b)));
        if has_links {
            read_once(root, &mut files);
        }
        Ok(Self {
            root: root.to_path_buf(),
            name: name.to_owned(),
            starts: cut_units(&files),
            total_bytes: files.iter().map(|file| file.bytes).sum(),
            files,
            max_file_bytes,
        })
    }

    /// The relative path, with `/`, of the file in `row` of the list; empty if there is none.
    #[must_use]
    pub fn name_of_file(&self, row: usize) -> &str {
        self.files.get(row).map_or("", |file| &file.name)
    }

    /// The number of files in the list.
    #[must_use]
    pub fn n_files(&self) -> usize {
        self.files.len()
    }

    /// Reads one file and hands it over as a record or a bad record.
    fn visit(&self, file: &Entry, slot: u32, buffer: &mut Vec<u8>, visitor: &mut dyn Visitor) -> Result<()> {
        let bad =
            |reason, detail: String, raw, bytes| BadRecord { slot, offset: 0, reason, detail, raw, bytes };
        if let Some(fault) = &file.fault {
            return visitor.bad(bad(Reason::Corrupt, fault.to_string(), &[], file.bytes));
        }
        let path = self.root.join(file.relative());
        let bytes = match read_file(&path, self.max_file_bytes, buffer) {
            Ok(bytes) => bytes,
            Err(error) if is_shortage(&error) => return Err(Error::io("read", &path)(error)),
            Err(error) => {
                return visitor.bad(bad(
                    Reason::Corrupt,
                    format!("cannot be read: {error}"),
                    &[],
                    file.bytes,
                ));
            }
        };
        let head = buffer.get(..RAW_BYTES).unwrap_or(buffer);
        if bytes > self.max_file_bytes {
            let detail = format!("the file has {bytes} bytes; the limit is {}", self.max_file_bytes);
            return visitor.bad(bad(Reason::TooLong, detail, head, bytes));
        }
        let Ok(text) = simdutf8::basic::from_utf8(buffer) else {
            let at = std::str::from_utf8(buffer).map_or_else(|error| error.valid_up_to(), str::len);
            return visitor.bad(bad(Reason::InvalidUtf8, format!("invalid UTF-8 at byte {at}"), head, bytes));
        };
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        visitor.record(Record {
            slot,
            offset: 0,
            text,
            id: Some(Scalar::Text(&file.name)),
            rank: None,
            bytes,
        })
    }
}

impl Input for FolderInput {
    fn path(&self) -> &Path {
        &self.root
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn size_on_disk(&self) -> u64 {
        self.total_bytes
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        Ok(Box::new(Files { input: self, next: from.units }))
    }

    fn read(
        &self,
        unit: &Unit,
        _fields: &Fields,
        wanted: Option<&SlotMask>,
        scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        for (slot, file) in self.unit_files(unit)?.iter().enumerate() {
            if wanted.is_none_or(|wanted| wanted.get(slot) == Some(&true)) {
                self.visit(file, slot as u32, &mut scratch.bytes, visitor)?;
            }
        }
        Ok(())
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, _scratch: &mut Scratch) -> Result<Piece> {
        let mut kept = Vec::new();
        for (file, _) in self.unit_files(&unit)?.iter().zip(keep).filter(|(_, keep)| **keep) {
            let path = self.root.join(file.relative());
            let now = fs::metadata(&path).map_err(Error::io("copy", &path))?;
            if !now.is_file() || now.len() != file.bytes || now.modified().ok() != file.modified {
                return Err(Error::data(
                    &path,
                    "the file changed during the run; run again when nothing writes to it",
                ));
            }
            kept.push((file.relative().to_path_buf(), path));
        }
        Ok(Piece::Files(kept))
    }
}

/// A list of files on its way to units.
struct Files<'i> {
    input: &'i FolderInput,
    next: usize,
}

impl Cutter for Files<'_> {
    fn next(&mut self, _: GoOn<'_>) -> Result<Option<Unit>> {
        let (index, starts) = (self.next, &self.input.starts);
        let (Some(&start), Some(&end)) = (starts.get(index), starts.get(index.saturating_add(1))) else {
            return Ok(None);
        };
        self.next += 1;
        // Of the files one is held at a time.
        let weight = self.input.files[start..end].iter().map(|file| file.bytes).max().unwrap_or_default();
        Ok(Some(Unit { index, weight, payload: Payload::Files(start..end) }))
    }
}

impl FolderInput {
    fn unit_files(&self, unit: &Unit) -> Result<&[Entry]> {
        let files = match &unit.payload {
            Payload::Files(range) => self.files.get(range.clone()),
            _ => None,
        };
        files.ok_or_else(|| Error::Internal("a folder was given a unit that is not its own".to_owned()))
    }
}

/// The beginning of each unit, and the end of the last.
fn cut_units(files: &[Entry]) -> Vec<usize> {
    let mut starts = vec![0];
    let (mut first, mut bytes) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        bytes += file.bytes;
        if bytes >= UNIT_BYTES || at + 1 - first == UNIT_FILES || at + 1 == files.len() {
            starts.push(at + 1);
            (first, bytes) = (at + 1, 0);
        }
    }
    starts
}

fn path_bytes(file: &Entry) -> &[u8] {
    match &file.path {
        Some(path) => path.as_os_str().as_encoded_bytes(),
        None => file.name.as_bytes(),
    }
}

/// Fills `buffer` with the file, or with its head if it is longer than `limit`; returns its length.
fn read_file(path: &Path, limit: u64, buffer: &mut Vec<u8>) -> io::Result<u64> {
    buffer.clear();
    let file = blob::open(path)?;
    let len = file.len();
    let is_long = len > limit;
    // One byte more than allowed tells of a file that grows while it is read.
    let most = if is_long { RAW_BYTES as u64 } else { limit.saturating_add(1) };
    buffer.try_reserve(len.min(most) as usize)?;
    BlobReader::new(file, 0).take(most).read_to_end(buffer)?;
    Ok(if is_long { len } else { buffer.len() as u64 })
}

/// Whether an error tells of our process rather than of the file.
fn is_shortage(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_handles = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    #[cfg(not(unix))]
    let is_handles = false;
    is_handles || error.kind() == io::ErrorKind::OutOfMemory
}

/// Which files of the folder are documents.
struct Selection {
    /// `None` selects all that is not hidden.
    globs: Option<GlobSet>,
    /// For each pattern, whether it names a hidden part.
    names_hidden: Vec<bool>,
}

impl Selection {
    fn try_new(globs: &[String]) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(parse_glob(glob)?);
        }
        let bad_set =
            |error: globset::Error| Error::Parameter(format!("the glob patterns cannot be used: {error}"));
        let set = (!globs.is_empty()).then(|| set.build()).transpose().map_err(bad_set)?;
        Ok(Self { globs: set, names_hidden: globs.iter().map(|glob| names_hidden_part(glob)).collect() })
    }

    fn may_descend(&self, entry: &DirEntry) -> bool {
        let is_hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
        entry.depth() == 0 || !is_hidden || self.names_hidden.contains(&true)
    }

    fn selects(&self, relative: &Path) -> bool {
        // Without a pattern the walk itself leaves hidden parts out.
        let Some(globs) = &self.globs else { return true };
        let mut parts = relative.components().map(|part| part.as_os_str().as_encoded_bytes());
        let is_hidden = parts.any(|part| part.first() == Some(&b'.'));
        let matches = globs.matches(relative);
        matches.iter().any(|&glob| !is_hidden || self.names_hidden.get(glob) == Some(&true))
    }
}

fn parse_glob(glob: &str) -> Result<globset::Glob> {
    let refuse = |why: &str| Error::Parameter(format!("glob `{glob}` {why}"));
    let relative = glob.strip_prefix("./").unwrap_or(glob);
    if relative.is_empty() {
        return Err(refuse("is empty; write `*.txt`, `src/**/*.py` or leave it out to take all files"));
    }
    if relative.starts_with('/') || relative.split('/').any(|part| part == "..") {
        return Err(refuse(
            "leads out of the folder; patterns are relative to the input folder, such as `src/**/*.py`",
        ));
    }
    let anchored = if relative.contains('/') { relative.to_owned() } else { format!("**/{relative}") };
    GlobBuilder::new(&anchored)
        .literal_separator(true)
        .build()
        .map_err(|error| refuse(&format!("is no valid pattern: {}", error.kind())))
}

/// Whether a part of the pattern starts with a literal dot.
fn names_hidden_part(glob: &str) -> bool {
    let glob = glob.strip_prefix("./").unwrap_or(glob).as_bytes();
    glob.first() == Some(&b'.') || glob.windows(2).any(|pair| matches!(pair, [b'/' | b'{' | b',', b'.']))
}

/// Whether nobody has entered the folder behind a link yet: links that lead to links could make a folder of any size.
pub(crate) fn is_new(entry: &DirEntry, entered: &mut HashSet<PathBuf>) -> bool {
    let is_linked_folder = entry.path_is_symlink() && entry.file_type().is_dir();
    !is_linked_folder || fs::canonicalize(entry.path()).is_ok_and(|folder| entered.insert(folder))
}

/// Of several names of one file leaves one: its own, or that of the first link to it.
fn read_once(root: &Path, files: &mut Vec<Entry>) {
    let real_root = fs::canonicalize(root);
    let mut seen = HashSet::new();
    // The own names first, which no link is to replace.
    for wants_own in [true, false] {
        files.retain(|file| {
            let Ok(target) = fs::canonicalize(root.join(file.relative())) else { return true };
            let is_own = real_root.as_ref().is_ok_and(|real| real.join(file.relative()) == target);
            is_own != wants_own || seen.insert(target)
        });
    }
}

/// The list entry for what the walk found, if it is a document.
fn look_at(root: &Path, selection: &Selection, found: walkdir::Result<DirEntry>) -> Result<Option<Entry>> {
    let (path, looked) = match found {
        Ok(entry) if !entry.file_type().is_file() => return Ok(None),
        Ok(entry) => (entry.path().to_path_buf(), entry.metadata()),
        Err(error) if error.loop_ancestor().is_some() => return Ok(None),
        Err(error) => (error.path().unwrap_or(root).to_path_buf(), Err(error)),
    };
    let Ok(relative) = path.strip_prefix(root) else { return Ok(None) };
    if let (Err(error), true) = (&looked, path.is_dir()) {
        let kind = error.io_error().map_or(io::ErrorKind::Other, io::Error::kind);
        return Err(Error::io("list", &path)(kind.into()));
    }
    if !selection.selects(relative) {
        return Ok(None);
    }
    let name = label(relative);
    let is_exact = Path::new(&name) == relative;
    let path = (!is_exact).then(|| relative.into());
    let (bytes, modified, fault) = match looked {
        Ok(found) => (found.len(), found.modified().ok(), None),
        Err(error) => {
            let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
            (0, None, Some(format!("cannot be looked at: {why}").into()))
        }
    };
    Ok(Some(Entry { name: name.into(), path, bytes, modified, fault }))
}

/// A relative path as text: parts joined by `/`, bytes that are no UTF-8 as `\xFF`.
fn label(relative: &Path) -> String {
    let mut name = String::new();
    for part in relative.components() {
        if !name.is_empty() {
            name.push('/');
        }
        for chunk in part.as_os_str().as_encoded_bytes().utf8_chunks() {
            name.push_str(chunk.valid());
            name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
        }
    }
    name
}

#[cfg(test)]
mod tests;
