//! Bytes of inputs, read by place: the seam between readers and where files are stored.
//!
//! Readers ask a [`Blob`] for bytes at an offset and know nothing else of it. There is one implementation, the local
//! file; an object store would be another. Nothing is mapped into memory: a page that is read through a map counts as memory
//! of the process, and a file that is cut short ends it.

use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, Result};

/// Stored bytes of a known length.
pub trait Blob: Debug + Send + Sync {
    /// What tells one state of the bytes from another.
    fn stamp(&self) -> Stamp;

    /// Reads into `buffer` from `offset` on, and says how much: less than there is room for now and then, and nothing at
    /// the end. Any number of threads may read at once.
    ///
    /// # Errors
    /// I/O failures, `ErrorKind::Interrupted` among them, after which the same may be asked again.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The number of bytes.
    fn len(&self) -> u64 {
        self.stamp().len
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// I/O failures; `ErrorKind::UnexpectedEof` if there are fewer bytes.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => (buffer, offset) = (&mut buffer[read..], offset + read as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The `bytes` bytes from `offset` on. The caller has checked that they are no more than there are.
    ///
    /// # Errors
    /// As `read_exact_at`; no memory.
    fn bytes_at(&self, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        content.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        content.resize(bytes as usize, 0);
        self.read_exact_at(&mut content, offset)?;
        Ok(content)
    }
}

/// What tells that a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its length.
    pub len: u64,
    /// When it was written to last, if that is known.
    pub modified: Option<SystemTime>,
}

impl Stamp {
    /// Of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// A local file.
#[derive(Debug)]
struct LocalFile {
    file: File,
    stamp: Stamp,
}

impl Blob for LocalFile {
    fn stamp(&self) -> Stamp {
        self.stamp
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset)
    }
}

/// Opens a local file.
///
/// # Errors
/// The system refused; there is something else than a regular file.
pub fn open(path: &Path) -> io::Result<Arc<dyn Blob>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(Arc::new(LocalFile { file, stamp: Stamp::of(&metadata) }))
}

/// A blob as a stream with a place in it.
#[derive(Debug)]
pub struct BlobReader {
    blob: Arc<dyn Blob>,
    at: u64,
}

impl BlobReader {
    /// The bytes of `blob` from `at` on.
    #[must_use]
    pub fn new(blob: Arc<dyn Blob>, at: u64) -> Self {
        Self { blob, at }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.blob.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A file that a run reads in several passes, each time from its beginning and each time opened anew: a run over many files
/// holds few of them open. It must not change meanwhile.
#[derive(Debug)]
pub(crate) struct Original {
    /// Where it came from, for people.
    path: PathBuf,
    /// Where its bytes are: elsewhere for what came through a pipe.
    location: PathBuf,
    stamp: Stamp,
}

impl Original {
    /// Looks at the file at `path`, and opens it for the first time.
    ///
    /// # Errors
    /// `Error::Io` if it cannot be opened, `Error::Data` if it is no regular file: passes need to start over.
    pub(crate) fn open(path: &Path) -> Result<(Self, Arc<dyn Blob>)> {
        // A named pipe would be waited for.
        if !fs::metadata(path).map_err(Error::io("open", path))?.is_file() {
            return Err(Error::data(path, "not a regular file; give the path of a file"));
        }
        let blob = open(path).map_err(Error::io("open", path))?;
        let (path, location) = (path.to_path_buf(), path.to_path_buf());
        Ok((Self { path, location, stamp: blob.stamp() }, blob))
    }

    /// The same, a copy of what came from `path`.
    #[must_use]
    pub(crate) fn named(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.stamp.len
    }

    /// The opened file, provided nothing was written to it since `open`.
    ///
    /// # Errors
    /// `Error::Io`; `Error::Data` if it changed.
    pub(crate) fn reopen(&self) -> Result<Arc<dyn Blob>> {
        let blob = open(&self.location).map_err(Error::io("open", &self.path))?;
        if blob.stamp() == self.stamp { Ok(blob) } else { Err(self.changed()) }
    }

    /// The error for a file that is no longer the one that was opened.
    pub(crate) fn changed(&self) -> Error {
        Error::data(&self.path, "the file changed while it was read; run again when nothing writes to it")
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// `Error::Io`; `Error::Data` if the file became shorter.
    pub(crate) fn read_at(&self, blob: &dyn Blob, buffer: &mut [u8], offset: u64) -> Result<()> {
        blob.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => Error::io("read", &self.path)(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads at most a few bytes at a time, and is interrupted each second time.
    #[derive(Debug)]
    struct Slow(Vec<u8>, std::sync::atomic::AtomicUsize);

    impl Blob for Slow {
        fn stamp(&self) -> Stamp {
            Stamp { len: self.0.len() as u64, modified: None }
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            (&rest[..rest.len().min(3)]).read(buffer)
        }
    }

    #[test]
    fn short_and_interrupted_reads_are_made_up_for() {
        let content: Vec<u8> = (0..100).collect();
        let blob: Arc<dyn Blob> = Arc::new(Slow(content.clone(), 0.into()));
        assert_eq!(blob.bytes_at(10, 50).unwrap(), content[10..60]);
        assert_eq!(blob.bytes_at(90, 11).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let mut reader = BlobReader::new(blob, 5);
        let mut read = Vec::new();
        assert_eq!(reader.seek(SeekFrom::End(-20)).unwrap(), 80);
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, content[80..]);
        assert!(reader.seek(SeekFrom::Current(-101)).is_err());
    }

    #[test]
    fn a_file_that_changed_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "abc").unwrap();
        let (original, blob) = Original::open(&path).unwrap();
        assert_eq!(blob.bytes_at(1, 2).unwrap(), b"bc");
        assert!(original.reopen().is_ok());
        fs::write(&path, "abcd").unwrap();
        assert!(matches!(original.reopen(), Err(Error::Data { .. })));
        assert!(matches!(Original::open(dir.path()), Err(Error::Data { .. })));
        assert!(matches!(Original::open(&dir.path().join("b")), Err(Error::Io { action: "open", .. })));
    }
}
