//! What a file is by its first bytes, where its name does not say it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use thresher_core::json::Json;

use crate::blob::{self, BlobReader};
use crate::codec::{Codec, DataFormat, decoder};

/// Bytes that are looked at, decoded.
const HEAD_BYTES: usize = 64 << 10;

/// Magic numbers: Parquet (also with an encrypted footer), Arrow IPC files, and the mark before the first message of an
/// Arrow IPC stream.
const MAGIC: [(&[u8], DataFormat); 4] = [
    (b"PAR1", DataFormat::Parquet),
    (b"PARE", DataFormat::Parquet),
    (b"ARROW1", DataFormat::Ipc),
    (b"\xff\xff\xff\xff", DataFormat::Ipc),
];

/// Format and compression by content; `None` for any other file, and for one that is not a regular file.
///
/// # Errors
/// The file cannot be opened or read.
pub(super) fn sniff(path: &Path) -> io::Result<Option<(DataFormat, Codec)>> {
    let Some((head, codec)) = decoded_head(path)? else { return Ok(None) };
    if codec == Codec::Plain
        && let Some((_, format)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic))
    {
        return Ok(Some((*format, codec)));
    }
    Ok(is_lines(&head).then_some((DataFormat::Jsonl, codec)))
}

/// Whether a `.json` file holds rows: lines, or an array of objects. What cannot be read is met again when it is.
pub(super) fn has_rows(path: &Path) -> bool {
    let Ok(Some((head, _))) = decoded_head(path) else { return true };
    let text = without_mark(&head).trim_ascii_start();
    if let Some(elements) = text.strip_prefix(b"[") {
        return elements.trim_ascii_start().first() == Some(&b'{');
    }
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    is_lines(&head) && (lines.nth(1).is_some() || head.len() == HEAD_BYTES)
}

/// The first bytes of a file, decoded as far as they can be.
fn decoded_head(path: &Path) -> io::Result<Option<(Vec<u8>, Codec)>> {
    // A named pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = blob::open(path)?;
    let mut head = Vec::new();
    BlobReader::new(file.clone(), 0).take(4).read_to_end(&mut head)?;
    let codec = match &*head {
        [0x1f, 0x8b, ..] => Codec::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Codec::Zstd,
        _ => Codec::Plain,
    };
    head.clear();
    // Damage is met again, and told, when the file is read.
    let _ = decoder(codec, BlobReader::new(file, 0))?.take(HEAD_BYTES as u64).read_to_end(&mut head);
    Ok(Some((head, codec)))
}

/// Whether the first line is a JSON object, or the start of one that is longer than the head.
fn is_lines(head: &[u8]) -> bool {
    let text = without_mark(head).trim_ascii_start();
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if line.len() == text.len() && head.len() == HEAD_BYTES {
        return line.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().first() == Some(&b'"'));
    }
    std::str::from_utf8(line).is_ok_and(|line| line.starts_with('{') && Json::parse(line).is_ok())
}

fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}
