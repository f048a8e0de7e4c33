//! The state folder of an output: its lock, and the new result until it is complete.
//!
//! ```text
//! STATE/lock          held by the run, for every kind of output; another run ends with exit code 75
//! STATE/new/...       the parts of the new result, each file complete and on disk under its name
//! STATE/spill/...     temporary files of the run, and what lies between the stages of a pipeline
//! STATE/written.json  which data is complete, and how much of the rest, so that the next run goes on there: see `files`
//! STATE/publish.json  the new result is complete and has to go to its place: see `publish`
//! STATE/old/...       parts of the result that it replaces
//! STATE/rejected/...  quarantine of a run that set too much aside, until the next one on this output
//! ```
//!
//! The lock is one on the open file, which ends with the process, so that a killed run holds nothing. The file is
//! removed while the lock is held, and whoever opened it before finds that the name leads to another file by then and
//! tries again: two runs can never hold two files of one name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::place::{DATA, Place};
use crate::commit::{make_folders, remove_stale, sync_folder};
use crate::error::{Error, Result};

/// The file that is locked; it also marks a state folder as ours.
pub(super) const LOCK: &str = "lock";
const NEW: &str = "new";
const OLD: &str = "old";
const WORK: &str = "spill";
/// What is left to be published.
const JOURNAL: &str = "publish.json";
const REJECTED: &str = "rejected";
/// How much of the data is written.
const WRITTEN: &str = "written.json";
/// How often the folder may vanish while it is made, each time by a run that ends.
const VANISHED_MAX: u32 = 1000;

/// The state folder, taken.
pub(super) struct State {
    folder: PathBuf,
    /// The folder of the output, if taking it has made it.
    made_home: Option<PathBuf>,
    /// Folders that got a new entry by taking the output.
    dirty_folders: Vec<PathBuf>,
    lock: File,
    /// What was done so far stays for the next run.
    keeps_work: AtomicBool,
}

impl State {
    /// Makes the state folder of an output and takes its lock; none for standard output.
    ///
    /// # Errors
    /// `Error::Busy` if another run has it, `Error::Parameter` if the folder is not ours.
    pub(super) fn take(place: &Place) -> Result<Option<Self>> {
        let (Some(folder), Some(home)) = (place.state(), place.home()) else { return Ok(None) };
        let made_home = (!home.exists()).then(|| home.to_path_buf());
        let (lock, dirty_folders) = lock(&folder, place.path())?;
        let keeps_work = AtomicBool::new(false);
        Ok(Some(Self { folder, made_home, dirty_folders, lock, keeps_work }))
    }

    /// Where parts of the new result are made.
    pub(super) fn new_part(&self, part: &str) -> PathBuf {
        self.folder.join(NEW).join(part)
    }

    /// Where parts of the old result go.
    pub(super) fn old_part(&self, part: &str) -> PathBuf {
        self.folder.join(OLD).join(part)
    }

    /// The parts of the new result, sorted.
    pub(super) fn new_parts(&self) -> Result<Vec<String>> {
        let folder = self.folder.join(NEW);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let entry = entry.map_err(Error::io("list", &folder))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The parts of the new result that are data, or data under construction.
    pub(super) fn new_data(&self) -> Result<Vec<PathBuf>> {
        let parts = self.new_parts()?.into_iter().filter(|part| is_data(part));
        Ok(parts.map(|part| self.new_part(&part)).collect())
    }

    /// The folder of temporary files.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.join(WORK)
    }

    /// Leaves the temporary files to the next run, or not.
    pub(super) fn keep_work(&self, keep: bool) {
        self.keeps_work.store(keep, Relaxed);
    }

    /// The journal of publishing.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }

    /// The journal of data that is written, and outlives the process.
    pub(super) fn written(&self) -> PathBuf {
        self.folder.join(WRITTEN)
    }

    /// Makes empty folders for the parts, without what a killed run has left in them. Its temporary files stay, and data for which
    /// there is a journal: what becomes of them is up to the run.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn clear(&self) -> Result<()> {
        remove_stale(&self.folder)?;
        remove_tree(&self.folder.join(REJECTED))?;
        for name in [NEW, OLD] {
            let folder = self.folder.join(name);
            if name == NEW && self.written().exists() && folder.exists() {
                for part in self.new_parts()?.iter().filter(|part| !is_data(part)) {
                    remove_tree(&folder.join(part))?;
                }
                continue;
            }
            remove_tree(&folder)?;
            fs::create_dir(&folder).map_err(Error::io("make the folder", &folder))?;
        }
        Ok(())
    }

    /// Keeps a part of a result that will not be, and says where.
    ///
    /// # Errors
    /// I/O failures, and a part that was not made.
    pub(super) fn reject(&self, part: &str) -> Result<PathBuf> {
        let (new, rejected) = (self.new_part(part), self.folder.join(REJECTED));
        fs::rename(&new, &rejected).map_err(Error::io("keep", &new))?;
        Ok(rejected)
    }

    /// Keeps a folder that was made elsewhere as a part of a result that will not be.
    pub(super) fn adopt(&self, folder: &Path) -> Option<PathBuf> {
        let to = self.folder.join(REJECTED);
        fs::rename(folder, &to).is_ok().then_some(to)
    }

    /// Keeps what the run of a step, whose state folder is `step`, has kept of a result that will not be.
    pub(super) fn adopt_rejected(&self, step: &Path) -> Option<(PathBuf, PathBuf)> {
        let (from, to) = (step.join(REJECTED), self.folder.join(REJECTED));
        fs::rename(&from, &to).is_ok().then_some((from, to))
    }

    /// Makes the folders durable that taking the output has made.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn sync_made(&self) -> Result<()> {
        self.dirty_folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

impl Drop for State {
    /// Removes everything while the lock is held; what was decided to be published stays for the next run.
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the next run on this output takes what stays.
        if !self.journal().exists() {
            let keeps_work = self.keeps_work.load(Relaxed);
            if !(keeps_work && self.written().exists()) {
                let _ = remove_tree(&self.written());
                let _ = remove_tree(&self.folder.join(NEW));
            }
            let _ = remove_tree(&self.folder.join(OLD));
            let _ = remove_stale(&self.folder);
            if !keeps_work {
                let _ = remove_tree(&self.folder.join(WORK));
            }
            if !keeps_work && !self.folder.join(REJECTED).exists() {
                let _ = fs::remove_file(self.folder.join(LOCK));
                let _ = fs::remove_dir(&self.folder);
                if let Some(home) = &self.made_home {
                    // Only if nothing was published there.
                    let _ = fs::remove_dir(home);
                }
            }
        }
        // A process that was forked meanwhile may hold the file open, and would keep the lock.
        let _ = self.lock.unlock();
    }
}

/// Whether a part is data, or data under construction.
fn is_data(part: &str) -> bool {
    part.split('.').next() == Some(DATA)
}

/// Makes `folder` and locks its lock file; gives the folders that got a new entry, too.
fn lock(folder: &Path, output: &Path) -> Result<(File, Vec<PathBuf>)> {
    let path = folder.join(LOCK);
    let mut n_vanished = 0;
    loop {
        let opened = make_folders(folder).and_then(|made| {
            let (lock, is_made) = open_or_make(&path).map_err(Error::io("create", &path))?;
            Ok((made, lock, is_made))
        });
        let (made, lock, is_made) = match opened {
            // A run that ended has removed the folder, or the file, in between.
            Err(Error::Io { source, .. })
                if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
                    && n_vanished < VANISHED_MAX =>
            {
                n_vanished += 1;
                continue;
            }
            opened => opened?,
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(output.to_path_buf())),
            // Some network file systems have no locks; two runs at a time are the user's matter there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        if is_named(&lock, &path) {
            if is_made && fs::read_dir(folder).is_ok_and(|entries| entries.count() > 1) {
                // A state folder of ours has its lock file for as long as it has anything.
                let _ = fs::remove_file(&path);
                return Err(foreign(folder));
            }
            return Ok((lock, made));
        }
    }
}

/// Opens the lock file, and says whether it was made.
fn open_or_make(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).open(path).map(|file| (file, false))
        }
        made => made.map(|file| (file, true)),
    }
}

fn foreign(folder: &Path) -> Error {
    Error::Parameter(format!(
        "thresher keeps the state of a run in `{}`, but that folder holds something else; move it away, or choose another \
         output",
        folder.display()
    ))
}

/// Whether `path` still leads to `file`.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata().map(id), fs::metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

/// An open file keeps its name here.
#[cfg(not(unix))]
fn is_named(_file: &File, _path: &Path) -> bool {
    true
}

/// Removes a file, or a folder with everything in it, if it is there. Links are not followed.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(Error::io("look at", path))?,
    };
    let removed = if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(Error::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path) -> Result<Option<State>> {
        State::take(&Place::Folder(folder.join("out")))
    }

    #[test]
    fn the_second_run_is_told_and_nothing_is_left_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        for place in [Place::Folder(dir.path().join("out")), Place::Single(dir.path().join("out.jsonl"))] {
            let first = State::take(&place).unwrap();
            assert!(matches!(State::take(&place), Err(Error::Busy(path)) if path == place.path()));
            drop(first);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
            assert!(State::take(&place).is_ok());
        }
    }

    #[test]
    fn runs_that_start_and_end_at_once_never_hold_the_lock_together() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, taken) =
            (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        match take(dir.path()) {
                            Ok(state) => {
                                assert_eq!(inside.fetch_add(1, order), 0);
                                taken.fetch_add(1, order);
                                inside.fetch_sub(1, order);
                                drop(state);
                            }
                            Err(error) => assert!(matches!(error, Error::Busy(_)), "{error}"),
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
    }

    #[test]
    fn a_handle_that_a_forked_process_holds_keeps_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let state = take(dir.path()).unwrap().unwrap();
        // Then the lock file stays.
        fs::write(state.journal(), "{}").unwrap();
        let forked = state.lock.try_clone().unwrap();
        drop(state);
        assert!(take(dir.path()).is_ok());
        drop(forked);
    }

    #[test]
    fn a_state_folder_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = dir.path().join("out/.thresher/new");
        fs::create_dir_all(&foreign).unwrap();
        fs::write(foreign.join("precious"), "x").unwrap();
        assert!(matches!(take(dir.path()), Err(Error::Parameter(_))));
        assert!(foreign.join("precious").exists());
    }
}
