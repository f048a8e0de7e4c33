//! A file under construction that outlives its process.
//!
//! A checkpoint makes what was written so far durable, under a name that a later process finds: that of the final file
//! with `.part` behind it. To go on there, the file is cut to the length that the checkpoint told, and its bytes are given
//! to it once more: they are hashed, since the hash covers the whole file, and not written.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{HashingWriter, Lock, PendingFile, explain, parent_of, resolve, sync_folder};
use crate::blob;
use crate::error::{Error, Result};
use crate::input::GoOn;

/// Bytes that are read at a time.
const READ_BYTES: u64 = 1 << 20;

/// Where the file under construction stands that will appear at `target`.
fn part_of(target: &Path) -> PathBuf {
    let mut name = target.file_name().map(OsString::from).unwrap_or_default();
    name.push(".part");
    target.with_file_name(name)
}

impl PendingFile {
    /// Makes all that was written durable, so that `resume` finds it, and says how many bytes that is. From now on
    /// the file stays when it is dropped.
    ///
    /// # Errors
    /// I/O failures.
    pub fn checkpoint(&mut self) -> Result<u64> {
        self.flush().map_err(Error::io("write", &self.final_path))?;
        let failed = |action| Error::io(action, &self.final_path);
        self.out.inner.sync_data().map_err(|e| failed("sync")(explain(e, self.out.bytes)))?;
        if !self.is_kept {
            let part = part_of(&self.target);
            fs::rename(&self.temp, &part).map_err(failed("keep what there is of"))?;
            (self.temp, self.is_kept) = (part, true);
            sync_folder(parent_of(&self.target))?;
        }
        Ok(self.out.bytes)
    }

    /// Goes on with the file that will appear as `final_path` behind its first `bytes` bytes. These have to be written
    /// again before others: by [`PendingFile::replay`], or by whoever can make them anew.
    ///
    /// # Errors
    /// `Error::Data` if there are fewer bytes, `Error::Busy` if another process writes them, I/O failures.
    pub fn resume(final_path: &Path, bytes: u64) -> Result<Self> {
        let target = resolve(final_path)?;
        let temp = part_of(&target);
        let mut file =
            OpenOptions::new().read(true).write(true).open(&temp).map_err(Error::io("open", &temp))?;
        match file.lock_now() {
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(final_path.to_path_buf())),
            // Where locks do not work nobody else has one either.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let found = file.metadata().map_err(Error::io("read", &temp))?.len();
        if found < bytes {
            let message =
                format!("{found} bytes of an interrupted run are there, but {bytes} were noted; start over");
            return Err(Error::data(&temp, message));
        }
        let cut = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
        cut.map_err(Error::io("cut", &temp))?;
        let mut out = HashingWriter::new(file);
        out.present = bytes;
        let (final_path, dirty_folders) = (final_path.to_path_buf(), Vec::new());
        Ok(Self { out, temp, final_path, target, dirty_folders, committed: false, is_kept: true })
    }

    /// Where the file stands once it had a checkpoint.
    pub(crate) fn part(&self) -> PathBuf {
        part_of(&self.target)
    }

    /// Gives a resumed file its own bytes.
    ///
    /// # Errors
    /// I/O failures, and the error of `go_on`.
    pub fn replay(&mut self, go_on: GoOn<'_>) -> Result<()> {
        let failed = |error| Error::io("read", &self.temp)(error);
        let written = blob::open(&self.temp).map_err(failed)?;
        let mut at = 0;
        while at < written.len() {
            go_on()?;
            let block = written.bytes_at(at, READ_BYTES.min(written.len() - at)).map_err(failed)?;
            at += block.len() as u64;
            self.out.write_all(&block).map_err(failed)?;
        }
        Ok(())
    }
}
