//! Deciding: what stands where a result is to go, and whether it may be replaced.
//!
//! A finished result is replaced on request only, by whichever run. What thresher did not write is never touched, with
//! one exception: the single data file that the user named, on request.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use super::marker::{Files, Manifest};
use super::place::{DATA, PARTS, Place, RUN};
use crate::error::{Error, Result};
use crate::writers::folder::Listing;

/// Names that an error lists.
const NAMED: usize = 3;

/// Checks that a result may go to `place`.
///
/// # Errors
/// `Error::Parameter` with the names that stand in its way.
pub(super) fn check(place: &Place, overwrite: bool) -> Result<()> {
    let (Some(run), Some(data)) = (place.part(RUN), place.part(DATA)) else { return Ok(()) };
    let output = place.path().display();
    if matches!(place, Place::Folder(folder) if folder.exists() && !folder.is_dir()) {
        return Err(Error::Parameter(format!(
            "output `{output}` exists and is not a folder; choose another name, or one with the ending of a data format"
        )));
    }
    if let Some(manifest) = Manifest::read(&run)? {
        let strangers = strangers(place, &manifest.files)?;
        if !strangers.is_empty() {
            return Err(Error::Parameter(format!(
                "output `{output}` holds the result of an earlier run, and beside it what thresher did not write ({}); move \
                 that away, or choose another output",
                named(&strangers)
            )));
        }
        return if overwrite { Ok(()) } else { Err(finished(place)) };
    }
    let mut found = if let Place::Folder(folder) = place {
        entries(folder, place.state().as_deref())?
    } else {
        let parts = PARTS.iter().filter_map(|part| place.part(part));
        parts.filter(|path| fs::symlink_metadata(path).is_ok()).collect()
    };
    if matches!(place, Place::Single(_)) && found.contains(&data) {
        if !overwrite {
            return Err(Error::Parameter(format!(
                "output `{output}` exists, and thresher did not write it; choose another output, or add --overwrite \
                 (overwrite=True) to replace it"
            )));
        }
        found.retain(|path| *path != data);
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::Parameter(format!(
        "output `{output}` would go where files are that thresher did not write ({}); choose a new or an empty folder, or \
         another name",
        named(&found)
    )))
}

fn finished(place: &Place) -> Error {
    Error::Parameter(format!(
        "output `{}` holds the finished result of an earlier run; choose another output, or add --overwrite \
         (overwrite=True) to replace it",
        place.path().display()
    ))
}

/// What stands in a folder beside the state of a run.
fn entries(folder: &Path, state: Option<&Path>) -> Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(Error::io("list", folder))?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if Some(path.as_path()) != state {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Files within the parts of a result that are none of its `files`.
///
/// # Errors
/// I/O failures while folders are listed.
fn strangers(place: &Place, files: &Files) -> Result<Vec<PathBuf>> {
    let written = place.part(RUN).and_then(|run| fs::metadata(run).ok()?.modified().ok());
    let folders: BTreeSet<&str> = files.keys().filter_map(|name| name.strip_suffix('/')).collect();
    let mut strangers = Vec::new();
    for part in PARTS {
        let Some(root) = place.part(part).filter(|root| fs::symlink_metadata(root).is_ok()) else { continue };
        let mut walk = WalkDir::new(&root).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| Error::io("list", &root)(error.into()))?;
            let below = entry.path().strip_prefix(&root).unwrap_or(Path::new(""));
            let name = [Path::new(part), below].iter().collect::<PathBuf>().to_string_lossy().into_owned();
            let name = if cfg!(windows) { name.replace('\\', "/") } else { name };
            let name = name.trim_end_matches('/');
            if !entry.file_type().is_dir() {
                if name != RUN && !files.contains_key(name) {
                    strangers.push(entry.into_path());
                }
            } else if folders.contains(name) {
                // Data files may lie inside a folder of documents.
                let is_document = |path: &Path| {
                    let inner = path.strip_prefix(&root).unwrap_or(Path::new(""));
                    let inner: PathBuf = [Path::new(part), inner].iter().collect();
                    !files.contains_key(&*inner.to_string_lossy())
                };
                let listing = Listing::of(entry.path(), is_document)?;
                let listed = files.get(&format!("{name}/"));
                if listed.and_then(|entry| entry.listing_xxh3_128.as_ref()) != Some(&listing.digest()) {
                    strangers
                        .extend(newer(&listing, written).unwrap_or_else(|| vec![entry.path().to_path_buf()]));
                }
                walk.skip_current_dir();
            }
        }
    }
    Ok(strangers)
}

/// The files of a folder that changed after the run; none if there is none.
fn newer(listing: &Listing, written: Option<SystemTime>) -> Option<Vec<PathBuf>> {
    let is_newer = |path: &&PathBuf| {
        let changed = fs::symlink_metadata(path).and_then(|found| found.modified()).ok();
        changed.zip(written).is_some_and(|(changed, written)| changed > written)
    };
    let found: Vec<PathBuf> = listing.paths().filter(is_newer).cloned().collect();
    (!found.is_empty()).then_some(found)
}

fn named(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{}`", path.display())).collect();
    let more = paths.len() - names.len();
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}
