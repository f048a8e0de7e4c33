//! Where the bytes of an output go: to a file that appears when it is complete, or to standard output as they come.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::commit::{Committed, HashingWriter, PendingFile};
use crate::error::{Error, Result};

/// Standard output, as a path.
const STDOUT: &str = "-";

/// A file under construction, or standard output.
pub(crate) enum Sink {
    File(PendingFile),
    Stream(HashingWriter<Box<dyn Write + Send>>),
}

impl Sink {
    /// A file that will appear at `path`, or standard output if that is `-`.
    ///
    /// # Errors
    /// As [`PendingFile::create`].
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.as_os_str() == STDOUT {
            return Ok(Self::Stream(HashingWriter::new(Box::new(io::stdout()))));
        }
        PendingFile::create(path).map(Self::File)
    }

    /// The name, for messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(file) => file.path(),
            Self::Stream(_) => Path::new(STDOUT),
        }
    }

    /// Writes all of `content`.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn append(&mut self, content: &[u8]) -> Result<()> {
        self.write_all(content).map_err(|error| Error::io("write", self.path())(error))
    }

    /// Goes on with a file that has `bytes` bytes; see [`PendingFile::resume`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn resume(path: &Path, bytes: u64) -> Result<Self> {
        PendingFile::resume(path, bytes).map(Self::File)
    }

    /// Where the file stands once it had a checkpoint; nowhere on standard output.
    pub(crate) fn part(&self) -> Option<PathBuf> {
        match self {
            Self::File(file) => Some(file.part()),
            Self::Stream(_) => None,
        }
    }

    /// Makes what was written durable, and says how much that is; nothing on standard output.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn checkpoint(&mut self) -> Result<Option<u64>> {
        match self {
            Self::File(file) => file.checkpoint().map(Some),
            Self::Stream(_) => Ok(None),
        }
    }

    /// Completes the file, or sends off what is left.
    ///
    /// # Errors
    /// I/O failures, also when a `write` failed before.
    pub(crate) fn commit(self) -> Result<Committed> {
        match self {
            Self::File(file) => file.commit(),
            Self::Stream(mut stream) => {
                let path = Path::new(STDOUT);
                stream.flush().map_err(Error::io("write", path))?;
                let (bytes, xxh3_128) = stream.digest();
                Ok(Committed { path: path.to_path_buf(), bytes, xxh3_128 })
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(data),
            Self::Stream(stream) => stream.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}
