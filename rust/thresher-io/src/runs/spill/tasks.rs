//! The files that the tasks of a pass leave, one a task: numbered, each complete under its name.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::SpillFile;
use crate::error::{Error, Result};

/// The file of a task.
pub(crate) fn path(folder: &Path, task: usize) -> PathBuf {
    folder.join(format!("task-{task:06}"))
}

/// The files of the first tasks up to the first one that is missing or damaged. What lies behind is removed: after a loss of power
/// any file may be missing while later ones are there.
///
/// # Errors
/// I/O failures.
pub(crate) fn open(folder: &Path) -> Result<Vec<SpillFile>> {
    let mut tasks = Vec::new();
    while let Ok(file) = SpillFile::open(&path(folder, tasks.len())) {
        if file.check().is_err() {
            break;
        }
        tasks.push(file);
    }
    forget(folder, tasks.len())?;
    Ok(tasks)
}

/// Removes the files of all tasks but the first ones.
///
/// # Errors
/// I/O failures.
pub(crate) fn forget(folder: &Path, first: usize) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        let task = name.to_str().and_then(|name| name.strip_prefix("task-")?.parse::<usize>().ok());
        if task.is_some_and(|task| task >= first) {
            let path = entry.path();
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}
