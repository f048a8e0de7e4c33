//! Decoding of gzip and zstd streams, part by part: a part is a gzip member or a zstd frame.
//!
//! Taken is what the `gzip` and `zstd` tools take: any number of parts in a row, skippable frames, zeros after the last
//! gzip member (tapes and block devices pad so), windows up to 128 MiB. A stream that stops inside a part always ends
//! in an error and never in a quiet end of file; one that stops between two of them cannot be told from a shorter
//! file. An empty file is no compressed file: both tools refuse it too.
//!
//! What is wrong with a stream is a [`Fault`], which says in which part. A part is checked at its end only (checksum and
//! length of a gzip member, checksum and declared size of a zstd frame), so what was decoded of a damaged part before
//! is not to be trusted. Behind it there may be good parts: [`Stream::resume`] looks for the next one, and takes only
//! one that passes its check as a whole.

mod gzip;
mod parts;
mod raw;
mod zstd;

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek};

use super::Codec;
use parts::Parts;
use raw::{Plain, Raw};

/// Bytes of a file, decoded.
pub trait Stream: Read + Send {
    /// After a [`Fault`]: goes on at the next part that is whole. False if there is none.
    ///
    /// # Errors
    /// Failures of the system.
    fn resume(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// What is wrong with a compressed stream. It comes as the inside of an `io::Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// What and where.
    pub message: String,
    /// How many bytes had been decoded when the part began.
    pub from: u64,
}

/// The kinds of faults, by what they mean for what was decoded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The file ends inside a part, and no part follows. Nothing speaks against what was decoded of it.
    Truncated,
    /// The part is not what was written: nothing in it is to be trusted.
    Damaged,
    /// Behind a part comes something else.
    Garbage,
    /// The part needs what is not given, as a dictionary or a window that is too large.
    Unsupported,
    /// The file is no compressed file at all.
    Foreign,
}

impl Fault {
    /// The fault in an error of a [`Stream`]; none if the system failed.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Truncated => ErrorKind::UnexpectedEof,
            _ => ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

/// The decoded bytes of `raw`.
///
/// An error of a later `read` with `raw_os_error()` is a failure of the system; every other one holds a [`Fault`].
/// Errors stay, until the stream is resumed: a reader that failed once fails the same way again.
///
/// # Errors
/// No memory for the decoder.
pub fn decoder<R: Read + Seek + Send + 'static>(codec: Codec, raw: R) -> io::Result<Box<dyn Stream>> {
    Ok(match codec {
        Codec::Plain => Box::new(Plain(Raw::new(raw))),
        codec => Box::new(Parts::new(codec, Raw::new(raw))),
    })
}
