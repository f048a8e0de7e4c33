//! Copies the kept files of a folder below the output folder, under the same relative names.
//!
//! Files are copied into a hidden folder beside the output first. `finish` makes all of it durable at once and only
//! then moves it: a new output folder by one rename, so that it is there as a whole or not at all; into a folder
//! that exists, file by file, none over another. A file under its final name is complete and on disk, whatever crashes.
//!
//! Syncing each file costs a round trip to the disk, minutes for a corpus of 10^5 small files. Linux has one call
//! for a whole file system (`syncfs`); elsewhere each file is synced. The price is that `syncfs` also waits for
//! what other programs have written to the same file system.
//!
//! The checksum of a folder is one of the names, sizes and contents of its files, hashed as they are copied.
//!
//! Only content is copied. Names come from the input and are not trusted: none leads out of the output folder,
//! neither by `..` nor by a link that stands in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;
use xxhash_rust::xxh3::Xxh3;

use crate::commit::{explain, make_folders, parent_of, reserve_temp, sync_folder};
use crate::error::{Error, Result};
use crate::input::{Output, Piece, Written};

/// Copied at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// A folder of files under construction; dropped without `finish` it leaves nothing behind.
pub struct FolderOutput {
    /// The name that was asked for.
    final_path: PathBuf,
    /// Where it is: the same, with symbolic links resolved if it exists.
    root: PathBuf,
    stage: Stage,
    /// Folders that got a new entry by `create`.
    dirty_folders: Vec<PathBuf>,
    /// The last folder that was made in the stage, relative to it: files of one folder come in a row.
    last_folder: Option<PathBuf>,
    rows: u64,
    bytes: u64,
    /// Relative name, size and XXH3-128 of each file.
    copied: Vec<(PathBuf, u64, u128)>,
    block: Vec<u8>,
}

/// The hidden folder, removed on drop if it is still there.
struct Stage {
    path: PathBuf,
    /// Open and locked for as long as the folder is in use; `None` where folders cannot be opened.
    handle: Option<File>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; `commit::remove_stale` of a later run takes what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl FolderOutput {
    /// Begins a folder that will appear as `root`, or files that will appear in it if it exists.
    ///
    /// # Errors
    /// `Error::Parameter` if `root` is something else than a folder; `Error::Io` if nothing can be made there.
    pub fn create(root: &Path) -> Result<Self> {
        let (resolved, home) = match fs::canonicalize(root) {
            Ok(found) if found.is_dir() => (found.clone(), found),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !root.is_symlink() => {
                (root.to_path_buf(), parent_of(root).to_path_buf())
            }
            Ok(_) => {
                let root = root.display();
                let message =
                    format!("output `{root}` is a file; documents of a folder need the name of a folder");
                return Err(Error::Parameter(message));
            }
            Err(error) => return Err(Error::io("open", root)(error)),
        };
        let dirty_folders = make_folders(&home)?;
        let (path, handle) =
            reserve_temp(&home, |temp| fs::create_dir(temp).and_then(|()| open_folder(temp)))
                .map_err(|e| Error::io("make a folder in", &home)(explain(e, 0)))?;
        Ok(Self {
            final_path: root.to_path_buf(),
            root: resolved,
            stage: Stage { path, handle },
            dirty_folders,
            last_folder: None,
            rows: 0,
            bytes: 0,
            copied: Vec::new(),
            block: vec![0; BLOCK_BYTES],
        })
    }

    fn copy(&mut self, relative: &Path, source: &Path) -> Result<()> {
        let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || relative.file_name().is_none() {
            return Err(Error::data(relative, "the name leads out of the output folder; rename the file"));
        }
        let target = self.stage.path.join(relative);
        let folder = relative.parent().unwrap_or(Path::new(""));
        if self.last_folder.as_deref() != Some(folder) {
            let full = self.stage.path.join(folder);
            fs::create_dir_all(&full).map_err(|e| Error::io("make the folder", &full)(explain(e, 0)))?;
            self.last_folder = Some(folder.to_path_buf());
        }
        let mut from = File::open(source).map_err(Error::io("copy", source))?;
        let mut to = match OpenOptions::new().write(true).create_new(true).open(&target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let message = "two files get this name in the output folder, where upper and lower case may be the same";
                return Err(Error::data(relative, message));
            }
            result => result.map_err(|e| Error::io("create", &target)(explain(e, 0)))?,
        };
        let mut write = |block: &[u8]| to.write_all(block);
        let (bytes, hash) = hashed(&mut from, &mut self.block, &mut write)
            .map_err(|e| Error::io("copy", source)(explain(e, 0)))?;
        self.bytes += bytes;
        self.copied.push((relative.to_path_buf(), bytes, hash));
        Ok(())
    }

    /// Moves the files of the stage into the output folder, one by one.
    fn merge(&self) -> Result<()> {
        let mut touched = Vec::new();
        for entry in WalkDir::new(&self.stage.path) {
            let entry = entry.map_err(|e| Error::io("list", &self.stage.path)(e.into()))?;
            let below = entry.path().strip_prefix(&self.stage.path).unwrap_or(Path::new(""));
            // Joining an empty path would add a slash.
            let target = if below.as_os_str().is_empty() { self.root.clone() } else { self.root.join(below) };
            if entry.file_type().is_dir() {
                if entry.depth() > 0 {
                    make_real_folder(&target)?;
                }
                touched.push(target);
            } else if fs::symlink_metadata(&target).is_ok() {
                let message =
                    "two inputs give this file, one of them a folder of documents that holds the other";
                return Err(Error::data(&target, message));
            } else {
                fs::rename(entry.path(), &target).map_err(Error::io("rename a finished file to", &target))?;
            }
        }
        touched.iter().try_for_each(|folder| sync_folder(folder))
    }
}

impl Output for FolderOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let Piece::Files(files) = piece else {
            return Err(Error::Internal("an output of files was given lines or rows".to_owned()));
        };
        files.iter().try_for_each(|(relative, source)| self.copy(relative, source))?;
        self.rows += rows;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        sync_stage(&self.stage).map_err(|e| Error::io("sync", &self.final_path)(explain(e, 0)))?;
        let is_beside = parent_of(&self.stage.path) != self.root;
        self.copied.sort_unstable();
        let mut digest = Digest::default();
        for (name, bytes, hash) in &self.copied {
            digest.add(name, *bytes, &hash.to_le_bytes());
        }
        // The rename succeeds onto nothing and, on Unix, onto an empty folder.
        let is_moved = is_beside && fs::rename(&self.stage.path, &self.root).is_ok();
        if !is_moved {
            fs::create_dir_all(&self.root).map_err(Error::io("make the folder", &self.final_path))?;
            self.merge()?;
        }
        sync_folder(parent_of(&self.root))?;
        self.dirty_folders.iter().try_for_each(|folder| sync_folder(folder))?;
        Ok(Written {
            path: self.final_path.clone(),
            rows: self.rows,
            bytes: self.bytes,
            xxh3_128: digest.finish(),
        })
    }
}

/// The files of a folder with their sizes.
pub(crate) struct Listing {
    root: PathBuf,
    files: Vec<(PathBuf, u64)>,
}

impl Listing {
    /// Lists the files below `root` that `counts` takes, in the order of their names.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn of(root: &Path, counts: impl Fn(&Path) -> bool) -> Result<Self> {
        let mut files = Vec::new();
        for entry in WalkDir::new(root) {
            let entry = entry.map_err(|error| Error::io("list", root)(error.into()))?;
            if !entry.file_type().is_dir() && counts(entry.path()) {
                let found = entry.metadata().map_err(|error| Error::io("list", root)(error.into()))?;
                files.push((entry.into_path(), found.len()));
            }
        }
        files.sort_unstable();
        Ok(Self { root: root.to_path_buf(), files })
    }

    /// XXH3-128 of the relative names and the sizes.
    pub(crate) fn digest(&self) -> String {
        let mut digest = Digest::default();
        for (path, bytes) in &self.files {
            digest.add(path.strip_prefix(&self.root).unwrap_or(path), *bytes, &[]);
        }
        digest.finish()
    }

    /// XXH3-128 of names, sizes and contents, which a written folder has. `check` is called with the bytes of each block.
    ///
    /// # Errors
    /// I/O failures, and those of `check`.
    pub(crate) fn digest_of_contents(&self, check: &dyn Fn(u64) -> Result<()>) -> Result<String> {
        let (mut digest, mut block) = (Digest::default(), vec![0; BLOCK_BYTES]);
        for (path, _) in &self.files {
            let mut file = File::open(path).map_err(Error::io("open", path))?;
            let mut stopped = Ok(());
            let mut see = |block: &[u8]| {
                stopped = check(block.len() as u64);
                if stopped.is_err() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
            };
            let hashed = hashed(&mut file, &mut block, &mut see);
            stopped?;
            let (bytes, hash) = hashed.map_err(Error::io("read", path))?;
            digest.add(path.strip_prefix(&self.root).unwrap_or(path), bytes, &hash.to_le_bytes());
        }
        Ok(digest.finish())
    }

    /// The sum of the sizes, and the number of files.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.files.iter().map(|(_, bytes)| bytes).sum(), self.files.len() as u64)
    }

    /// The files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|(path, _)| path)
    }
}

/// XXH3-128 over the files of a folder, in the order of their relative names.
#[derive(Default)]
struct Digest(Xxh3);

impl Digest {
    fn add(&mut self, name: &Path, bytes: u64, content: &[u8]) {
        for part in name {
            self.0.update(part.as_encoded_bytes());
            self.0.update(b"/");
        }
        self.0.update(&bytes.to_le_bytes());
        self.0.update(content);
    }

    fn finish(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

/// Reads to the end, hands over each block, and gives the length and XXH3-128 of everything.
fn hashed(
    from: &mut impl Read,
    block: &mut [u8],
    see: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, u128)> {
    let (mut hash, mut bytes) = (Xxh3::new(), 0);
    loop {
        match from.read(block) {
            Ok(0) => return Ok((bytes, hash.digest128())),
            Ok(read) => {
                hash.update(&block[..read]);
                see(&block[..read])?;
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes `folder` unless it is there; a link in its place is refused, since it may lead anywhere.
fn make_real_folder(folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder).map_err(Error::io("open", folder))?;
            if found.is_dir() {
                return Ok(());
            }
            Err(Error::data(
                folder,
                "a file or link stands where the output needs a folder; remove it and run again",
            ))
        }
        result => result.map_err(Error::io("make the folder", folder)),
    }
}

#[cfg(unix)]
fn open_folder(folder: &Path) -> io::Result<Option<File>> {
    File::open(folder).map(Some)
}

#[cfg(not(unix))]
fn open_folder(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn sync_stage(stage: &Stage) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let Some(handle) = &stage.handle else { return Ok(()) };
    // SAFETY: the descriptor is open for as long as `handle` is borrowed, and the call touches no memory of ours.
    match unsafe { libc::syncfs(handle.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn sync_stage(stage: &Stage) -> io::Result<()> {
    for entry in WalkDir::new(&stage.path).contents_first(true) {
        let entry = entry?;
        if entry.file_type().is_file() {
            // Some systems sync only through a handle that may write.
            OpenOptions::new().write(true).open(entry.path())?.sync_all()?;
        } else if let Some(folder) = open_folder(entry.path())? {
            folder.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
