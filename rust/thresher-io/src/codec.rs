//! Compression of whole streams: what a file name says, decoding, and encoding in independent blocks.
//!
//! Decoding takes what the `gzip` and `zstd` tools take: any number of members or frames in a row, skippable
//! frames, zeros after the last gzip member (tapes and block devices pad so), windows up to 2 GiB. A stream that
//! stops inside a member or frame always ends in an error and never in a quiet end of file; one that stops between
//! two of them cannot be told from a shorter file. An empty file is no compressed file: both tools refuse it too.
//!
//! Encoding makes one member or frame from one block, with checksum and without a time stamp, so that blocks can be
//! compressed on many threads and the bytes depend on nothing but the content.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

/// zlib's usual balance; higher levels cost several times the time for about one percent of size.
const GZIP_LEVEL: u32 = 6;
/// The zstd tool's default.
const ZSTD_LEVEL: i32 = 3;
/// The largest window that the format's decoder takes (`zstd --long=31`).
const ZSTD_WINDOW_LOG_MAX: u32 = 31;
/// One read from the file: large enough to make system calls cheap, small enough for the second-level cache.
const READ_BLOCK_BYTES: usize = 128 << 10;
/// First byte of every gzip member (RFC 1952, section 2.3.1).
const GZIP_ID1: u8 = 0x1f;
/// Operating system "unknown" in a gzip header (RFC 1952, section 2.3.1), the same on every machine.
const GZIP_OS_UNKNOWN: u8 = 255;

/// How a stream is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// gzip members, RFC 1952.
    Gzip,
    /// Zstandard frames, RFC 8878.
    Zstd,
}

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataFormat {
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Ipc,
}

/// Reads format and compression off a file name, in upper or lower case; `None` for any other name.
///
/// Parquet and Arrow IPC compress inside the file, so they have no compression suffix.
#[must_use]
pub fn split_suffix(file_name: &str) -> Option<(DataFormat, Codec)> {
    let (stem, last) = file_name.rsplit_once('.')?;
    let codec = match last.to_ascii_lowercase().as_str() {
        "gz" | "gzip" => Codec::Gzip,
        "zst" | "zstd" => Codec::Zstd,
        "parquet" | "pq" => return Some((DataFormat::Parquet, Codec::Plain)),
        "arrow" | "ipc" | "feather" => return Some((DataFormat::Ipc, Codec::Plain)),
        other => return is_jsonl(other).then_some((DataFormat::Jsonl, Codec::Plain)),
    };
    let (_, inner) = stem.rsplit_once('.')?;
    is_jsonl(&inner.to_ascii_lowercase()).then_some((DataFormat::Jsonl, codec))
}

fn is_jsonl(suffix: &str) -> bool {
    matches!(suffix, "jsonl" | "ndjson" | "json")
}

/// The decoded bytes of `raw`.
///
/// An error of a later `read` with `raw_os_error()` is a failure of the system; every other one means that the
/// content is damaged or breaks off. Errors stay: a reader that failed once fails the same way again.
///
/// # Errors
/// No memory for the decoder.
pub fn decoder<R: Read + Send + 'static>(codec: Codec, raw: R) -> io::Result<Box<dyn Read + Send>> {
    let raw = Retry(raw);
    Ok(match codec {
        Codec::Plain => Box::new(raw),
        Codec::Gzip => Box::new(Fused::new(GzipMembers::new(buffered(raw)))),
        Codec::Zstd => {
            let mut frames = zstd::stream::read::Decoder::with_buffer(buffered(raw))?;
            frames.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(Fused::new(frames))
        }
    })
}

fn buffered<R: Read>(raw: R) -> BufReader<R> {
    BufReader::with_capacity(READ_BLOCK_BYTES, raw)
}

/// Repeats reads that a signal cut short; decoders would take `EINTR` for damage.
struct Retry<R>(R);

impl<R: Read> Read for Retry<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Keeps the first error, since a decoder read past its error may report a plain end of file.
struct Fused<R> {
    inner: R,
    failed: Option<Failure>,
}

/// What is kept of an error, as `io::Error` cannot be cloned.
enum Failure {
    System(i32),
    Content(io::ErrorKind, String),
}

impl<R> Fused<R> {
    fn new(inner: R) -> Self {
        Self { inner, failed: None }
    }
}

impl<R: Read> Read for Fused<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed.is_none() {
            match self.inner.read(buf) {
                Ok(n) => return Ok(n),
                Err(error) => {
                    self.failed = Some(match error.raw_os_error() {
                        Some(code) => Failure::System(code),
                        None => Failure::Content(error.kind(), error.to_string()),
                    });
                }
            }
        }
        match &self.failed {
            Some(Failure::System(code)) => Err(io::Error::from_raw_os_error(*code)),
            Some(Failure::Content(kind, message)) => Err(io::Error::new(*kind, message.clone())),
            None => Ok(0),
        }
    }
}

/// gzip members in a row, then zeros if any.
///
/// flate2's own multi-member decoder takes padding for a broken header; this one looks before each member.
struct GzipMembers<R> {
    state: GzipState<R>,
}

enum GzipState<R> {
    /// Before the first member.
    Start(R),
    Member(Box<GzDecoder<R>>),
    /// After the last member, or after an error.
    End,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(raw: R) -> Self {
        Self { state: GzipState::Start(raw) }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let (mut raw, is_first) = match std::mem::replace(&mut self.state, GzipState::End) {
                GzipState::Start(raw) => (raw, true),
                GzipState::Member(mut member) => {
                    let n = member.read(buf)?;
                    if n > 0 {
                        self.state = GzipState::Member(member);
                        return Ok(n);
                    }
                    (member.into_inner(), false)
                }
                GzipState::End => return Ok(0),
            };
            match raw.fill_buf()?.first() {
                Some(&GZIP_ID1) => self.state = GzipState::Member(Box::new(GzDecoder::new(raw))),
                None if is_first => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
                }
                Some(_) if is_first => return Err(content_error("not gzip data")),
                Some(0) => return skip_padding(raw),
                Some(_) => return Err(content_error("trailing garbage after a gzip member")),
                None => return Ok(0),
            }
        }
    }
}

/// Reads zeros up to the end of the file.
fn skip_padding(mut raw: impl BufRead) -> io::Result<usize> {
    loop {
        let block = raw.fill_buf()?;
        if block.is_empty() {
            return Ok(0);
        }
        if block.iter().any(|&byte| byte != 0) {
            return Err(content_error("trailing garbage after the zeros that pad a gzip file"));
        }
        let n = block.len();
        raw.consume(n);
    }
}

fn content_error(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Compresses blocks, each to a member or frame of its own. One per thread; it keeps its tables between blocks.
pub struct BlockEncoder {
    kind: Kind,
}

enum Kind {
    Plain,
    Gzip,
    Zstd(zstd::bulk::Compressor<'static>),
}

impl BlockEncoder {
    /// An encoder for `codec`.
    ///
    /// # Errors
    /// No memory for the tables.
    pub fn try_new(codec: Codec) -> io::Result<Self> {
        let kind = match codec {
            Codec::Plain => Kind::Plain,
            Codec::Gzip => Kind::Gzip,
            Codec::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
                compressor.include_checksum(true)?;
                Kind::Zstd(compressor)
            }
        };
        Ok(Self { kind })
    }

    /// Replaces the content of `out` by the compressed `block`; an empty block gives an empty member or frame.
    ///
    /// # Errors
    /// The compressor's own failures.
    pub fn encode_into(&mut self, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match &mut self.kind {
            Kind::Plain => out.extend_from_slice(block),
            Kind::Gzip => {
                let header = GzBuilder::new().mtime(0).operating_system(GZIP_OS_UNKNOWN);
                let mut member = header.write(out, Compression::new(GZIP_LEVEL));
                member.write_all(block)?;
                member.finish()?;
            }
            Kind::Zstd(compressor) => {
                out.reserve(zstd::zstd_safe::compress_bound(block.len()));
                compressor.compress_to_buffer(block, out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
