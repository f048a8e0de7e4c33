//! Publishing: the parts of a complete result go to their places, and those of the old one go away.
//!
//! ```text
//! 1  journal      STATE/publish.json says which parts go; from here on the new result is the one that counts
//! 2  retire       run.json first, then folders and parts that the new result has not: renamed to STATE/old
//! 3  publish      each part renamed from STATE/new to its place, a file over the old one; run.json last
//! 4  forget       the temporary files go, the journal, then the old parts
//! ```
//!
//! Before 1 is on disk the old result is whole. After it, whoever takes the output next carries out 2 to 4 again, where
//! each step that was done already is skipped. So a crash anywhere costs nothing. A `run.json` in its place always stands
//! beside the files that it lists.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::place::{PARTS, Place, RUN};
use super::state::{State, remove_tree};
use crate::commit::{commit_bytes, parent_of, sync_folder};
use crate::error::{Error, Result};

/// Version of the journal.
const FORMAT: u32 = 1;

/// What a publication does.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    format: u32,
    /// Parts of the old result that are moved away first.
    retire: Vec<String>,
    /// Parts of the new one, in the order in which they are published.
    publish: Vec<String>,
    /// The temporary files are of no use to a later run.
    #[serde(default)]
    forget_work: bool,
}

/// Publishes everything in `STATE/new`, and removes the temporary files with `forget_work`. `step` is called before each change of the disk; an error from it ends there, as
/// a crash would.
///
/// # Errors
/// I/O failures. Once the journal is written, the next run on this output completes what is left.
pub(super) fn publish(
    place: &Place,
    state: &State,
    forget_work: bool,
    step: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let mut publish = state.new_parts()?;
    publish.retain(|part| part != RUN);
    publish.push(RUN.to_owned());
    let must_go = |part: &&str| {
        let found = place.part(part).and_then(|path| fs::symlink_metadata(path).ok());
        found.is_some_and(|found| {
            found.is_dir() || *part == RUN || !publish.iter().any(|published| published == part)
        })
    };
    let mut retire: Vec<String> = PARTS.iter().copied().filter(must_go).map(str::to_owned).collect();
    retire.sort_by_key(|part| part != RUN);
    let journal = Journal { format: FORMAT, retire, publish, forget_work };
    let json = serde_json::to_vec(&journal).map_err(|error| Error::Internal(error.to_string()))?;
    step()?;
    // The parts are on disk already, and this commit makes the names of their folders durable.
    commit_bytes(&state.journal(), &json)?;
    carry_out(&journal, place, state, step)
}

/// Completes what an earlier run had begun to publish, and says whether there was anything.
///
/// # Errors
/// I/O failures, and a journal that cannot be read.
pub(super) fn recover(place: &Place, state: &State, step: &mut dyn FnMut() -> Result<()>) -> Result<bool> {
    let path = state.journal();
    let json = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        json => json.map_err(Error::io("read", &path))?,
    };
    let journal: Journal = serde_json::from_slice(&json)
        .ok()
        .filter(|journal: &Journal| journal.format == FORMAT && journal.names().all(is_part))
        .ok_or_else(|| {
            Error::data(
                &path,
                "an earlier run stopped while it published its result, and this version of thresher cannot read what was \
                 left to do; complete it with the version that began it",
            )
        })?;
    carry_out(&journal, place, state, step)?;
    Ok(true)
}

impl Journal {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.retire.iter().chain(&self.publish).map(String::as_str)
    }
}

fn is_part(name: &str) -> bool {
    PARTS.contains(&name)
}

/// Carries out a journal, from wherever an earlier attempt got to.
fn carry_out(
    journal: &Journal,
    place: &Place,
    state: &State,
    step: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    for part in &journal.retire {
        let Some(path) = place.part(part) else { continue };
        let old = state.old_part(part);
        let is_published = journal.publish.contains(part) && !exists(&state.new_part(part));
        if !is_published && exists(&path) && !exists(&old) {
            step()?;
            fs::rename(&path, &old).map_err(Error::io("move away", &path))?;
        }
    }
    for part in &journal.publish {
        let (new, Some(path)) = (state.new_part(part), place.part(part)) else { continue };
        if exists(&new) {
            if part == RUN {
                // No run.json before what it lists.
                sync_home(place)?;
            }
            step()?;
            fs::rename(&new, &path).map_err(Error::io("rename a finished result to", &path))?;
        }
    }
    sync_home(place)?;
    state.sync_made()?;
    step()?;
    if journal.forget_work {
        // While the journal stands it is known whose these are; afterwards they might be the start of a new run.
        remove_tree(&state.work())?;
        step()?;
    }
    // If this is lost with the power, nothing is left to do for whoever finds the journal again.
    let path = state.journal();
    fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    step()
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn sync_home(place: &Place) -> Result<()> {
    place.part(RUN).map_or(Ok(()), |path| sync_folder(parent_of(&path)))
}
