//! The one way a final file appears: written under a hidden name, synced, renamed, the folder synced.
//!
//! Whoever sees a final name sees a complete file, whatever crashed before, and a crash after `commit` loses
//! nothing. Two writers of one name both succeed; the later commit wins, and neither mixes with the other.
//!
//! The hidden name `.thresher-PID-COUNT.tmp` stands in the folder of the final one, since a rename is only atomic
//! inside a file system. Its writer holds a file lock on it, so that [`remove_stale`] can tell what a crash left
//! behind from what another run is writing, also after the process id was given away again.
//!
//! Bytes are hashed as they pass and go out in blocks of 1 MiB. Asking Linux to start write-back early
//! (`sync_file_range`) was tried and left out: the sync at the end gets shorter by what the writes get longer.

mod resume;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

/// Large enough that system calls cost nothing, small enough to be hashed and written from the cache.
const BLOCK_BYTES: usize = 1 << 20;
const TEMP_PREFIX: &str = ".thresher-";
const TEMP_SUFFIX: &str = ".tmp";
/// How often a temporary name may vanish while it is made.
const VANISHED_MAX: u32 = 100;

/// A file that is complete under its final name and on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The final name.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// XXH3-128 of its bytes, 32 hex digits as `xxhsum -H2` prints them.
    pub xxh3_128: String,
}

/// A file under construction; dropped without `commit` it leaves nothing behind.
pub struct PendingFile {
    out: HashingWriter<File>,
    temp: PathBuf,
    /// The name that was asked for.
    final_path: PathBuf,
    /// Where it is: the same, with symbolic links resolved.
    target: PathBuf,
    /// Folders that got a new entry by `create`, the deepest first.
    dirty_folders: Vec<PathBuf>,
    committed: bool,
    /// It stays where it is when it is dropped.
    is_kept: bool,
}

impl PendingFile {
    /// Begins a file that will appear as `final_path`; makes missing parent folders.
    ///
    /// A symbolic link at `final_path` is followed: the file it points at is replaced and the link stays.
    ///
    /// # Errors
    /// `Error::Parameter` if something other than a regular file has the name, since a rename would put a file in
    /// the place of a device or pipe; `Error::Io` if the folder cannot be made or written to.
    pub fn create(final_path: &Path) -> Result<Self> {
        let target = resolve(final_path)?;
        let folder = parent_of(&target);
        let dirty_folders = make_folders(folder)?;
        let (temp, file) =
            reserve_temp(folder, |temp| OpenOptions::new().write(true).create_new(true).open(temp))
                .map_err(|e| Error::io("create a file in", folder)(explain(e, 0)))?;
        let out = HashingWriter::new(file);
        Ok(Self {
            out,
            temp,
            final_path: final_path.to_path_buf(),
            target,
            dirty_folders,
            committed: false,
            is_kept: false,
        })
    }

    /// The final name, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.final_path
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.out.bytes()
    }

    /// Writes out what is left, makes it durable and gives the file its final name.
    ///
    /// # Errors
    /// `Error::Io`, also when a `write` failed before. The temporary file is removed then.
    pub fn commit(mut self) -> Result<Committed> {
        self.flush().map_err(Error::io("write", &self.final_path))?;
        self.out
            .inner
            .sync_all()
            .map_err(|e| Error::io("sync", &self.final_path)(explain(e, self.out.bytes)))?;
        fs::rename(&self.temp, &self.target).map_err(|e| {
            Error::io("rename a finished file to", &self.final_path)(explain(e, self.out.bytes))
        })?;
        self.committed = true;
        sync_folder(parent_of(&self.target))?;
        self.dirty_folders.iter().try_for_each(|folder| sync_folder(folder))?;
        let (bytes, xxh3_128) = self.out.digest();
        Ok(Committed { path: self.final_path.clone(), bytes, xxh3_128 })
    }
}

impl Write for PendingFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.out.write(data).map_err(|e| explain(e, self.out.bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|e| explain(e, self.out.bytes))
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.committed && !self.is_kept {
            // Nobody is left to hear of a failure; `remove_stale` of a later run takes what stays.
            let _ = fs::remove_file(&self.temp);
        }
    }
}

/// Writes a small file at once.
///
/// # Errors
/// As `PendingFile`.
pub fn commit_bytes(path: &Path, content: &[u8]) -> Result<Committed> {
    let mut file = PendingFile::create(path)?;
    file.write_all(content).map_err(Error::io("write", path))?;
    file.commit()
}

/// Removes temporary files and folders that crashed runs left in `folder`, and says how many. What another run is
/// writing right now stays.
///
/// # Errors
/// `Error::Io` if the folder cannot be listed. A leftover that cannot be removed stays without an error.
pub fn remove_stale(folder: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let Ok(kind) = entry.file_type() else { continue };
        let is_ours = kind.is_file() || kind.is_dir();
        if !is_ours || !is_temp_name(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::open(&path) else { continue };
        if lock.try_lock().is_ok() {
            let result = if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed += usize::from(result.is_ok());
        }
    }
    Ok(removed)
}

fn is_temp_name(name: &str) -> bool {
    let core = name.strip_prefix(TEMP_PREFIX).and_then(|name| name.strip_suffix(TEMP_SUFFIX));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    core.and_then(|core| core.split_once('-')).is_some_and(|(pid, count)| is_number(pid) && is_number(count))
}

/// Makes a temporary file or folder in `folder` by `make`, and locks what `make` opened.
pub(crate) fn reserve_temp<H: Lock>(
    folder: &Path,
    make: impl Fn(&Path) -> io::Result<H>,
) -> io::Result<(PathBuf, H)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut n_vanished = 0;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temp = folder.join(format!("{TEMP_PREFIX}{}-{count}{TEMP_SUFFIX}", std::process::id()));
        match make(&temp) {
            Ok(handle) => match handle.lock_now() {
                // A sweep may hold the lock, or have held it and removed the name, before we came to lock it.
                Err(TryLockError::WouldBlock) => {}
                Ok(()) if fs::symlink_metadata(&temp).is_err() => {}
                // Where locks do not work no sweep gets one either.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok((temp, handle)),
            },
            // Left by a crashed process with our id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A sweep was faster than a `make` of two steps; or nothing can be made here, as in /proc.
            Err(error) if error.kind() == io::ErrorKind::NotFound && n_vanished < VANISHED_MAX => {
                n_vanished += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A handle whose lock marks a temporary file or folder as in use.
pub(crate) trait Lock {
    /// Takes the lock without waiting.
    fn lock_now(&self) -> std::result::Result<(), TryLockError>;
}

impl Lock for File {
    fn lock_now(&self) -> std::result::Result<(), TryLockError> {
        self.try_lock()
    }
}

/// `None` stands for a folder where folders cannot be opened; no sweep opens it either.
impl Lock for Option<File> {
    fn lock_now(&self) -> std::result::Result<(), TryLockError> {
        self.as_ref().map_or(Ok(()), File::try_lock)
    }
}

/// The place that a commit to `path` replaces.
fn resolve(path: &Path) -> Result<PathBuf> {
    let refuse = |what: &str| {
        let path = path.display();
        Err(Error::Parameter(format!(
            "output `{path}` {what}; give the name of a file, or `-` for standard output"
        )))
    };
    if path.file_name().is_none() {
        return refuse("names no file");
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_path_buf()),
        Err(error) => Err(Error::io("open", path)(error)),
        Ok(found) if found.is_file() => Ok(path.to_path_buf()),
        Ok(found) if found.is_dir() => refuse("is a folder"),
        Ok(found) if found.is_symlink() => match fs::canonicalize(path) {
            Ok(target) if target.is_file() => Ok(target),
            Ok(_) => refuse("is a link to something that is not a file"),
            Err(error) => Err(Error::io("follow the link", path)(error)),
        },
        Ok(_) => refuse("is a device, pipe or socket"),
    }
}

/// The folder a path lies in, `.` for a bare name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes `folder` with its parents; returns the folders that got a new entry, the deepest first.
pub(crate) fn make_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists());
    let dirty = missing.map(|f| parent_of(f).to_path_buf()).collect();
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    Ok(dirty)
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    match File::open(folder).and_then(|f| f.sync_all()) {
        // Some network and user-space file systems cannot sync a folder; nothing more can be done there.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(Error::io("sync the folder", folder)),
    }
}

/// Folders cannot be synced here; the file system's journal keeps the order of renames.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}

/// Says in words that there is no space, and after how much.
pub(crate) fn explain(error: io::Error, bytes: u64) -> io::Error {
    let kind = error.kind();
    let what = match kind {
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up",
        io::ErrorKind::FileTooLarge => "the file is larger than the file system or a limit allows",
        _ => return error,
    };
    let message =
        format!("{what} ({error}) with {bytes} bytes of this file so far; make space and run again");
    io::Error::new(kind, message)
}

/// Buffers, counts and hashes what goes to `inner`. After an error nothing more is taken, so that a caller who
/// overlooks one cannot complete a file with a hole.
pub(crate) struct HashingWriter<W> {
    inner: W,
    buffer: Vec<u8>,
    hash: Box<Xxh3>,
    bytes: u64,
    /// So many of the bytes that come next are there already: they are hashed, and not written.
    present: u64,
    failed: bool,
}

impl<W: Write> HashingWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        // The buffer grows with the first writes: many files are small.
        Self { inner, buffer: Vec::new(), hash: Box::new(Xxh3::new()), bytes: 0, present: 0, failed: false }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Count and hash of everything that was flushed.
    pub(crate) fn digest(&self) -> (u64, String) {
        (self.bytes, format!("{:032x}", self.hash.digest128()))
    }

    fn emit(&mut self, block: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.hash.update(block);
        let present = self.present.min(block.len() as u64);
        self.present -= present;
        let result = self.inner.write_all(&block[present as usize..]);
        self.failed = result.is_err();
        result
    }

    fn emit_buffer(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.emit(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + data.len() > BLOCK_BYTES {
            self.emit_buffer()?;
        }
        if data.len() >= BLOCK_BYTES {
            self.emit(data)?;
        } else {
            self.buffer.extend_from_slice(data);
        }
        self.bytes += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.emit_buffer()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
