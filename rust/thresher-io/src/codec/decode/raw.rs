//! The stored bytes of a stream, buffered.

use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

use super::Stream;

/// One read from the file: large enough to make system calls cheap, small enough for the second-level cache.
pub(super) const READ_BLOCK_BYTES: usize = 128 << 10;

/// A file, buffered, that knows where it is. Reads that a signal cut short are repeated; decoders would take `EINTR`
/// for damage.
pub(super) struct Raw<R> {
    pub(super) source: R,
    buffer: Box<[u8]>,
    /// What is filled of the buffer.
    ready: std::ops::Range<usize>,
    /// Where the first ready byte is in the file.
    pub(super) at: u64,
}

impl<R: Read> Raw<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; READ_BLOCK_BYTES].into(), ready: 0..0, at: 0 }
    }

    /// The next bytes: `least` of them, or all that there are.
    pub(super) fn peek(&mut self, least: usize) -> io::Result<&[u8]> {
        if self.ready.len() < least {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.ready = 0..self.ready.len();
            while self.ready.end < least {
                match self.source.read(&mut self.buffer[self.ready.end..]) {
                    Ok(0) => break,
                    Ok(read) => self.ready.end += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(&self.buffer[self.ready.clone()])
    }
}

impl<R: Read + Seek> Raw<R> {
    pub(super) fn seek(&mut self, at: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(at))?;
        (self.ready, self.at) = (0..0, at);
        Ok(())
    }
}

impl<R: Read> BufRead for Raw<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, bytes: usize) {
        self.ready.start += bytes;
        self.at += bytes as u64;
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

/// A stream that is not compressed.
pub(super) struct Plain<R>(pub(super) Raw<R>);

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read + Send> Stream for Plain<R> {}
