//! Standard input and named pipes: copied to a file without a name, since a run reads its inputs more than once.
//!
//! The copy lies in the folder for temporary files and is unlinked as soon as it is made, so that no end of the process,
//! however sudden, leaves it behind; it is read through the descriptor that holds it. Where a system has no such paths it
//! has a name, and goes with the run.
//!
//! Whoever writes to the pipe may be silent for hours: before each read the run waits for bytes a tenth of a second at a
//! time, and looks in between whether it is to stop.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thresher_core::Observer;

use crate::codec::split_suffix;
use crate::commit::explain;
use crate::error::{Error, Result};
use crate::runs::progress::{Progress, STDIN_STEP};

/// One read: large enough that system calls cost nothing.
const BLOCK_BYTES: usize = 1 << 20;
/// How long a wait for bytes lasts before the wish to stop is looked at.
#[cfg(unix)]
const WAIT_MS: i32 = 100;
/// Bytes that tell what a stream is.
const HEAD_BYTES: u64 = 4 << 10;

/// What is read once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipe<'a> {
    Stdin,
    Named(&'a Path),
}

/// The copy of a pipe.
pub(crate) struct Spool {
    /// Where the copy can be opened.
    pub(crate) path: PathBuf,
    /// What it is called in ids and outputs.
    pub(crate) name: String,
    /// Where it came from, for messages and reports.
    pub(crate) origin: PathBuf,
    _file: Held,
}

/// What keeps the copy there.
enum Held {
    Unlinked { _file: File },
    Named { _file: tempfile::NamedTempFile },
}

/// The pipe that an argument names, if it is one.
///
/// # Errors
/// `Error::Io` for a device or socket, from which no records can be read.
pub(crate) fn pipe_of(argument: &str) -> Result<Option<Pipe<'_>>> {
    if argument == "-" {
        return Ok(Some(Pipe::Stdin));
    }
    let path = Path::new(argument);
    // What is not there is told by whoever looks for files.
    let Ok(found) = std::fs::metadata(path) else { return Ok(None) };
    if found.is_file() || found.is_dir() {
        return Ok(None);
    }
    if is_pipe(&found) {
        return Ok(Some(Pipe::Named(path)));
    }
    let message = "it is a device or a socket; give a file, a folder, a pipe, or `-` for standard input";
    Err(Error::io("read", path)(io::Error::new(io::ErrorKind::InvalidInput, message)))
}

#[cfg(unix)]
fn is_pipe(found: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_found: &std::fs::Metadata) -> bool {
    false
}

impl Pipe<'_> {
    /// Where it is, for messages.
    fn path(&self) -> &Path {
        match self {
            Self::Stdin => Path::new("-"),
            Self::Named(path) => path,
        }
    }

    fn open(&self) -> Result<File> {
        match self {
            Self::Stdin => open_stdin(),
            Self::Named(path) => open_pipe(path),
        }
        .map_err(Error::io("open", self.path()))
    }

    /// The name in ids and outputs of a stream that begins with `head`.
    fn name(&self, head: &[u8]) -> Result<String> {
        let own = match self {
            Self::Stdin => "stdin".into(),
            Self::Named(path) => path.file_name().unwrap_or_default().to_string_lossy(),
        };
        if let Some((format, _)) = split_suffix(&own)
            && format == crate::codec::DataFormat::Jsonl
        {
            return Ok(own.into_owned());
        }
        let suffix = match head {
            [0x1f, 0x8b, ..] => "jsonl.gz",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "jsonl.zst",
            [b'P', b'A', b'R', b'1', ..] | [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
                let message = "the stream holds Parquet or Arrow data, which is not read in order; give the path of a file";
                return Err(Error::data(self.path(), message));
            }
            text if opens_array(text) => "json",
            _ => "jsonl",
        };
        Ok(format!("{own}.{suffix}"))
    }
}

/// Whether the text begins with an array of objects, and not with a line that is an array of something else.
fn opens_array(text: &[u8]) -> bool {
    let inner = text.trim_ascii_start().strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    inner.is_some_and(|inner| inner.starts_with(b"{") || inner.starts_with(b"]"))
}

/// Copies a pipe to its end.
///
/// # Errors
/// `Error::Io` if it cannot be read, or the folder for temporary files cannot take it; `Error::Cancelled`.
pub(crate) fn spool(pipe: Pipe<'_>, tmp: Option<&str>, progress: &Progress) -> Result<Spool> {
    progress.begin(STDIN_STEP, 0);
    let folder = tmp.map_or_else(std::env::temp_dir, PathBuf::from);
    let mut from = pipe.open()?;
    let (mut copy, path, held) = make_copy(&folder).map_err(Error::io("create a file in", &folder))?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut total = 0;
    loop {
        wait(&from, pipe.path(), progress)?;
        let count = match from.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                continue;
            }
            Err(error) => return Err(Error::io("read", pipe.path())(error)),
        };
        copy.write_all(&block[..count])
            .map_err(|error| Error::io("copy standard input to a file in", &folder)(explain(error, total)))?;
        total += count as u64;
        progress.advance(0, count as u64);
    }
    let mut head = Vec::new();
    let seen = copy.seek(SeekFrom::Start(0)).and_then(|_| copy.take(HEAD_BYTES).read_to_end(&mut head));
    seen.map_err(Error::io("read", &path))?;
    let name = pipe.name(&head)?;
    Ok(Spool { path, name, origin: pipe.path().to_path_buf(), _file: held })
}

/// A file for the copy: a handle to write, the path to read it by, and what keeps it there.
fn make_copy(folder: &Path) -> io::Result<(File, PathBuf, Held)> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let file = tempfile::tempfile_in(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // In some jails there is no /proc.
        if File::open(&path).is_ok() {
            return Ok((file.try_clone()?, path, Held::Unlinked { _file: file }));
        }
    }
    let file = tempfile::Builder::new().prefix("thresher-stdin-").tempfile_in(folder)?;
    Ok((file.as_file().try_clone()?, file.path().to_path_buf(), Held::Named { _file: file }))
}

#[cfg(unix)]
fn open_stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(unix)]
fn open_pipe(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // To open a pipe that nobody writes to yet would wait without end.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Waits for bytes or the end of the stream.
///
/// # Errors
/// `Error::Cancelled`, and what the system says.
#[cfg(unix)]
fn wait(from: &File, pipe: &Path, progress: &Progress) -> Result<()> {
    use std::os::fd::AsRawFd;
    loop {
        progress.check()?;
        let mut asked = libc::pollfd { fd: from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: `asked` is one valid record for as long as the call takes, and the descriptor is open.
        match unsafe { libc::poll(&raw mut asked, 1, WAIT_MS) } {
            0 => {}
            found if found > 0 => return Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(Error::io("wait for", pipe)(error)),
            },
        }
    }
}

#[cfg(not(unix))]
fn open_stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
fn open_pipe(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(not(unix))]
fn wait(_from: &File, _pipe: &Path, progress: &Progress) -> Result<()> {
    progress.check()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::FileTypeExt;
    use std::process::Command;

    use super::*;

    fn make_pipe(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(path.metadata().unwrap().file_type().is_fifo());
        path
    }

    fn copied(folder: &Path, name: &str, content: &[u8]) -> Result<Spool> {
        let path = make_pipe(folder, name);
        let (argument, content) = (path.display().to_string(), content.to_vec());
        let writer = std::thread::spawn(move || std::fs::write(path, content));
        let tmp = folder.display().to_string();
        let spool = spool(pipe_of(&argument)?.unwrap(), Some(&tmp), &Progress::default());
        writer.join().unwrap().unwrap();
        spool
    }

    #[test]
    fn a_pipe_is_copied_whole_to_a_file_without_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let content = b"{\"text\": \"a\"}\n".repeat(300_000);
        let spool = copied(dir.path(), "p", &content).unwrap();
        assert_eq!(
            (spool.name.as_str(), spool.origin.as_path()),
            ("p.jsonl", dir.path().join("p").as_path())
        );
        assert!(std::fs::read(&spool.path).unwrap() == content);
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!cfg!(target_os = "linux") || names == ["p"], "{names:?}");
    }

    #[test]
    fn a_stream_is_named_by_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let heads: [(&[u8], &str); 6] = [
            (b"", "a.jsonl"),
            (b"\x1f\x8b\x08", "b.jsonl.gz"),
            (b"\x28\xb5\x2f\xfd", "c.jsonl.zst"),
            (b" [\n{}]", "d.json"),
            (b"[1]\n", "e.jsonl"),
            (b"\x1f\x8b\x08", "f.ndjson.gz"),
        ];
        for (head, name) in heads {
            let pipe = if name.starts_with('f') { name } else { &name[..1] };
            assert_eq!(copied(dir.path(), pipe, head).unwrap().name, name);
        }
        assert!(matches!(copied(dir.path(), "g", b"PAR1...."), Err(Error::Data { .. })));
    }

    #[test]
    fn a_silent_pipe_is_given_up_when_the_run_is_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let path = make_pipe(dir.path(), "silent");
        let argument = path.display().to_string();
        let progress = Progress::default();
        let found = std::thread::scope(|scope| {
            let run = scope.spawn(|| spool(Pipe::Named(&path), None, &progress).map(drop));
            std::thread::sleep(std::time::Duration::from_millis(250));
            assert!(!run.is_finished());
            progress.cancel();
            run.join().unwrap()
        });
        assert!(matches!(found, Err(Error::Cancelled)), "{argument}");
    }

    #[test]
    fn a_device_is_an_error_of_the_file_and_a_folder_for_copies_that_is_not_there_too() {
        let error = pipe_of("/dev/null").unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/dev/null")), "{error}");
        assert_eq!(pipe_of("/nowhere").unwrap(), None);
        let dir = tempfile::tempdir().unwrap();
        let path = make_pipe(dir.path(), "p");
        let missing = spool(Pipe::Named(&path), Some("/nowhere"), &Progress::default()).err().unwrap();
        assert!(matches!(&missing, Error::Io { path, .. } if path == Path::new("/nowhere")), "{missing}");
    }
}
