//! Compression of whole streams: what a file name says, decoding (in `decode`), and encoding in independent blocks.
//!
//! Encoding makes one member or frame from one block, with checksum and without a time stamp, so that blocks can be
//! compressed on many threads and the bytes depend on nothing but the content.

mod decode;

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

pub use decode::{Fault, FaultKind, Stream, decoder};

/// zlib's usual balance; higher levels cost several times the time for about one percent of size.
const GZIP_LEVEL: u32 = 6;
/// The zstd tool's default.
const ZSTD_LEVEL: i32 = 3;
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
        "arrow" | "arrows" | "ipc" | "feather" => return Some((DataFormat::Ipc, Codec::Plain)),
        other => return is_jsonl(other).then_some((DataFormat::Jsonl, Codec::Plain)),
    };
    let (_, inner) = stem.rsplit_once('.')?;
    is_jsonl(&inner.to_ascii_lowercase()).then_some((DataFormat::Jsonl, codec))
}

/// A file name without the endings that say format and compression; all of any other name.
#[must_use]
pub fn without_suffix(file_name: &str) -> &str {
    let inner = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.len());
    let Some((_, codec)) = split_suffix(file_name) else { return file_name };
    let mut end = inner(file_name).unwrap_or(file_name.len());
    if codec != Codec::Plain {
        end = inner(&file_name[..end]).unwrap_or(end);
    }
    &file_name[..end]
}

fn is_jsonl(suffix: &str) -> bool {
    matches!(suffix, "jsonl" | "ndjson" | "json")
}

/// Whether the name is one that arrays of rows have: `.json`, where `.jsonl` says that there are lines.
#[must_use]
pub fn names_array(file_name: &str) -> bool {
    let name = file_name.to_ascii_lowercase();
    let stem = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end));
    stem.unwrap_or(&name).rsplit_once('.').is_some_and(|(_, last)| last == "json")
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
