//! Finding inputs: a name given by the user is a file, a pattern (`raw/*.jsonl.zst`, sorted) or a folder.
//!
//! The format of a file follows from the ending of its name, and where that says nothing, from its content (`sniff`).
//!
//! A folder holds data files or documents, one a file; with patterns of files (`--glob`) it always holds documents. It
//! holds data files if, of its visible files, at least as many are data files as are not, or they have at least half of
//! the bytes. So a README beside a Parquet file changes nothing, nor does a table among the sources of a program. What
//! writers of tables leave beside them (`_SUCCESS`, `dataset_info.json`) counts for neither, and nor does a `.json` file
//! of one object, such as a configuration, unless the folder holds nothing else. What is left out is noted.
//!
//! Links are followed, and a file is known by the name of the link; one that is reached twice is read once. Outputs of
//! earlier runs in the folder are not read. What cannot be looked at is an error: a file that nobody misses is lost.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::codec::{Codec, DataFormat, names_array, split_suffix};
use crate::error::{Error, Result};
use crate::readers::folder::is_new;
use crate::runs::output::is_our_output;
use crate::runs::sniff::{has_rows, sniff};

/// Names that a note lists.
const LISTED: usize = 3;
/// Files without an ending that are looked into before the others of a folder are taken for the like.
const SNIFFED: usize = 100;
/// What writers of tables and of datasets leave beside them, and no row is in.
const SIDECARS: [&str; 8] = [
    "_success",
    "_metadata",
    "_common_metadata",
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "_last_checkpoint",
];
/// Folders of the same kind.
const SIDECAR_FOLDERS: [&str; 3] = ["_delta_log", "_temporary", "_spark_metadata"];

/// A file or folder to open.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Format and compression; `None`: a folder of documents.
    pub(crate) form: Option<(DataFormat, Codec)>,
}

/// Adds what `path` stands for, and to `notes` what of it is left out.
///
/// # Errors
/// `Error::Parameter` for what is no input, `Error::Io` for what cannot be listed or opened.
pub(crate) fn find(
    path: &Path,
    documents: bool,
    sources: &mut Vec<Found>,
    notes: &mut Vec<String>,
) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => folder(path, documents, sources, notes),
        Ok(_) => match form_of(path)? {
            None => Err(unknown(path)),
            form => {
                sources.push(Found { path: path.to_path_buf(), form });
                Ok(())
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_pattern(path) => {
            pattern(path, documents, sources, notes)
        }
        Err(error) => Err(Error::io("open", path)(error)),
    }
}

/// By name, or else by content.
fn form_of(path: &Path) -> Result<Option<(DataFormat, Codec)>> {
    match split_suffix(&file_name(path)) {
        None => sniff(path).map_err(Error::io("open", path)),
        form => Ok(form),
    }
}

fn unknown(path: &Path) -> Error {
    Error::Parameter(format!(
        "input `{}` has no ending that names a format, and its content is none that is known; there are .jsonl, .jsonl.gz, \
         .jsonl.zst, .json, .parquet, .arrow, .arrows, and folders of text files",
        path.display()
    ))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Adds what matches a pattern, in order. As in a shell, `*` does not match a dot at the start of a name.
fn pattern(path: &Path, documents: bool, sources: &mut Vec<Found>, notes: &mut Vec<String>) -> Result<()> {
    let pattern = path.to_string_lossy();
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(&pattern, options)
        .map_err(|error| Error::Parameter(format!("input pattern `{pattern}` cannot be read: {error}")))?;
    let mut found = Vec::new();
    for entry in paths {
        found.push(entry.map_err(|error| {
            let path = error.path().to_path_buf();
            Error::io("list", &path)(error.into())
        })?);
    }
    if found.is_empty() {
        return Err(Error::Parameter(format!("input pattern `{pattern}` matches no file")));
    }
    found.sort();
    let (ours, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| is_our_output(path));
    note(notes, &pattern, "outputs of thresher are not read", &ours);
    let before = sources.len();
    let mut others = Vec::new();
    for path in found {
        let is_folder = fs::metadata(&path).map_err(Error::io("open", &path))?.is_dir();
        if is_folder || form_of(&path)?.is_some() {
            find(&path, documents, sources, notes)?;
        } else {
            others.push(path);
        }
    }
    match others.first() {
        Some(other) if sources.len() == before => return Err(unknown(other)),
        _ => note(notes, &pattern, "files that are no data files are left out", &others),
    }
    if sources.len() == before {
        return Err(Error::Parameter(format!(
            "input pattern `{pattern}` matches nothing but outputs of thresher; name one of them to read it"
        )));
    }
    Ok(())
}

/// A visible file of a folder.
struct Visible {
    path: PathBuf,
    form: Option<(DataFormat, Codec)>,
    is_named: bool,
    bytes: u64,
}

/// Adds the data files of a folder, or the folder as one of documents.
fn folder(path: &Path, documents: bool, sources: &mut Vec<Found>, notes: &mut Vec<String>) -> Result<()> {
    if documents {
        sources.push(Found { path: path.to_path_buf(), form: None });
        return Ok(());
    }
    let shown = path.display().to_string();
    let data = path.join("data");
    if is_our_output(path) && data.is_dir() {
        notes.push(format!("`{shown}` is an output of thresher: its folder `data` is read"));
        return folder(&data, documents, sources, notes);
    }
    let mut listing = Listing::of(path)?;
    note(notes, &shown, "outputs of thresher are not read", &listing.ours);
    note(notes, &shown, "links that lead back to a folder around them are not followed", &listing.loops);
    listing.sniff()?;
    let is_all_named = listing.files.iter().all(|file| file.is_named);
    let (data, others): (Vec<_>, Vec<_>) = listing.files.into_iter().partition(|file| {
        file.form.is_some() && (is_all_named || !names_array(&file_name(&file.path)) || has_rows(&file.path))
    });
    let bytes = |files: &[Visible]| files.iter().map(|file| file.bytes).sum::<u64>();
    let (data_bytes, other_bytes) = (bytes(&data), bytes(&others));
    let paths = |files: Vec<Visible>| files.into_iter().map(|file| file.path).collect::<Vec<_>>();
    if !data.is_empty() && (data.len() >= others.len() || data_bytes >= other_bytes) {
        let mut left_out = paths(others);
        left_out.extend(listing.sidecars);
        left_out.sort();
        note(notes, &shown, "files that are no data files are left out", &left_out);
        sources.extend(data.into_iter().map(|file| Found { path: file.path, form: file.form }));
    } else {
        let what =
            "its files are read as documents, data files too; name those by a pattern to read their rows";
        note(notes, &shown, what, &paths(data));
        sources.push(Found { path: path.to_path_buf(), form: None });
    }
    Ok(())
}

/// `folder`: what, how many, and the names of the first of them.
fn note(notes: &mut Vec<String>, place: &str, what: &str, paths: &[PathBuf]) {
    if paths.is_empty() {
        return;
    }
    let below = |path: &PathBuf| {
        let path = path.strip_prefix(place).unwrap_or(path);
        format!("`{}`", path.display())
    };
    let names = paths.iter().take(LISTED).map(below).collect::<Vec<_>>().join(", ");
    let more = match paths.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    notes.push(format!("`{place}`: {what}: {names}{more}"));
}

/// What is in a folder and the folders below.
#[derive(Default)]
struct Listing {
    files: Vec<Visible>,
    sidecars: Vec<PathBuf>,
    ours: Vec<PathBuf>,
    loops: Vec<PathBuf>,
}

impl Listing {
    fn of(folder: &Path) -> Result<Self> {
        let mut listing = Self::default();
        let (mut has_links, mut entered) = (false, HashSet::new());
        let mut walk = WalkDir::new(folder).min_depth(1).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.loop_ancestor().is_some() => {
                    listing.loops.extend(error.path().map(Path::to_path_buf));
                    continue;
                }
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_path_buf();
                    return Err(Error::io("list", &path)(error.into()));
                }
            };
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let (is_folder, path) = (entry.file_type().is_dir(), entry.path());
            let is_ours = !name.starts_with('.') && is_our_output(path);
            if is_ours || name.starts_with('.') || (is_folder && SIDECAR_FOLDERS.contains(&&*name)) {
                if is_ours {
                    listing.ours.push(path.to_path_buf());
                }
                if is_folder {
                    walk.skip_current_dir();
                }
                continue;
            }
            has_links |= entry.path_is_symlink();
            if is_folder {
                if !is_new(&entry, &mut entered) {
                    walk.skip_current_dir();
                }
                continue;
            }
            let bytes = entry.metadata().map_err(|error| Error::io("open", path)(error.into()))?.len();
            let form = split_suffix(&name);
            if SIDECARS.contains(&&*name) {
                listing.sidecars.push(entry.into_path());
            } else {
                listing.files.push(Visible {
                    path: entry.into_path(),
                    form,
                    is_named: form.is_some(),
                    bytes,
                });
            }
        }
        if has_links {
            listing.read_once()?;
        }
        Ok(listing)
    }

    /// Of several names of one file leaves one: one with an ending that says what it is, or the first.
    fn read_once(&mut self) -> Result<()> {
        let mut of_target: HashMap<PathBuf, usize> = HashMap::new();
        let mut is_second = vec![false; self.files.len()];
        for (index, file) in self.files.iter().enumerate() {
            let target = fs::canonicalize(&file.path).map_err(Error::io("follow the link", &file.path))?;
            match of_target.entry(target) {
                Entry::Vacant(none) => {
                    none.insert(index);
                }
                Entry::Occupied(mut first) => {
                    let better = file.is_named && !self.files[*first.get()].is_named;
                    let second = if better { first.insert(index) } else { index };
                    is_second[second] = true;
                }
            }
        }
        let mut second = is_second.into_iter();
        self.files.retain(|_| !second.next().unwrap_or_default());
        Ok(())
    }

    /// Finds out by content what files without an ending are, unless the first ones are nothing that is known.
    fn sniff(&mut self) -> Result<()> {
        let mut is_any = false;
        let unnamed = self.files.iter_mut().filter(|file| {
            let ending = file.path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            !file.is_named && ending.is_none_or(|ending| ["gz", "gzip", "zst", "zstd"].contains(&&*ending))
        });
        for (count, file) in unnamed.enumerate() {
            if count >= SNIFFED && !is_any {
                break;
            }
            file.form = sniff(&file.path).map_err(Error::io("open", &file.path))?;
            is_any |= file.form.is_some();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
