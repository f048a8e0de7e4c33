//! Reads JSON lines: one object a line, plain or compressed.
//!
//! A plain file is cut into byte ranges that end after a newline; only the few bytes around each cut are read for
//! that, and the workers read the ranges themselves. A compressed file can be decoded by one thread only, so there
//! the units carry whole decoded lines. Either way memory is one unit for each unit in flight, plus the longest line up
//! to the limit on one record; of a longer line only the head is ever held.
//!
//! Rows of a compressed part that fails its check are bad records (see `damage`).
//!
//! What is a record: every line that is not blank, with `\n` or `\r\n` at its end, or with neither at the end of the
//! file. A UTF-8 byte order mark at the start of the file is skipped. A `.json` file that begins with a bracket is one
//! array, whose elements are the records.

mod array;
mod blocks;
mod damage;
mod lines;
mod ranges;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use memchr::memrchr;

use thresher_core::json::Fields;

use crate::blob::{BlobReader, Original};
use crate::codec;
use crate::codec::{Codec, Stream, names_array};
use crate::error::{Error, Result};
use crate::input::{Cutter, Input, Payload, Piece, Position, Scratch, SlotMask, Unit};
use crate::record::Visitor;

pub(crate) use array::compact;

use array::ArrayLines;
use blocks::Blocks;
use damage::Surveyed;
use lines::Parser;
use ranges::Ranges;

/// How much of a line over the limit is kept as evidence.
const HEAD_BYTES: usize = 64 << 10;

/// A unit has at most one slot for every byte, and slots have 32 bits.
const MAX_UNIT_BYTES: usize = 1 << 30;

/// The sizes that bound memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a unit; a unit is longer only by its last line.
    pub unit_bytes: usize,
    /// Bytes of a line without its end; a longer one is a bad record.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    /// Units of 4 MiB stay in the third-level cache and outweigh their overhead; no document is 256 MiB long.
    fn default() -> Self {
        Self { unit_bytes: 4 << 20, max_record_bytes: 256 << 20 }
    }
}

impl Limits {
    /// A line that holds more than this is over the limit: there may be a byte order mark and a line end besides.
    fn longest_line(self) -> usize {
        self.max_record_bytes.saturating_add(5)
    }
}

/// A JSON lines file. It is opened anew for each unit.
#[derive(Debug)]
pub struct JsonlInput {
    file: Original,
    name: String,
    codec: Codec,
    /// The rows are the elements of one array, which is read as a stream.
    is_array: bool,
    limits: Limits,
    damage: Surveyed,
}

impl JsonlInput {
    /// Looks at the file at `path`, called `name` in ids and outputs.
    ///
    /// # Errors
    /// `Error::Io` if it cannot be opened, `Error::Data` if it is no regular file: passes need to start over.
    pub fn open(path: &Path, name: String, codec: Codec, limits: Limits) -> Result<Self> {
        let (file, blob) = Original::open(path)?;
        let unit_bytes = limits.unit_bytes.clamp(1, MAX_UNIT_BYTES);
        let limits = Limits { unit_bytes, ..limits };
        let mut input = Self { file, name, codec, is_array: false, limits, damage: Surveyed::new() };
        if names_array(&input.name) {
            // What cannot be decoded is told when it is read.
            input.is_array = codec::decoder(codec, BlobReader::new(blob, 0)).is_ok_and(array::is_array);
        }
        Ok(input)
    }

    /// The same, a copy of what came through the pipe at `origin`.
    #[must_use]
    pub(crate) fn of_pipe(self, origin: PathBuf) -> Self {
        Self { file: self.file.named(origin), ..self }
    }

    /// Whether the rows are the elements of one array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.is_array
    }

    /// The lines of the file as a stream.
    fn decoded(&self) -> Result<Box<dyn Stream>> {
        let file = BlobReader::new(self.file.reopen()?, 0);
        let source = codec::decoder(self.codec, file).map_err(Error::io("decode", self.file.path()))?;
        Ok(if self.is_array { Box::new(ArrayLines::new(source)) } else { source })
    }

    /// Finds out which parts of a compressed file are damaged, so that `units` no longer stops there. `go_on` may stop
    /// it with an error.
    ///
    /// # Errors
    /// `Error::Io`, a file that changed, and the error of `go_on`.
    pub fn survey(&self, mut go_on: impl FnMut() -> Result<()>) -> Result<()> {
        if self.codec != Codec::Plain && self.damage.get().is_none() {
            let mut stopped = Ok(());
            let surveyed = damage::survey(&mut *self.decoded()?, || {
                stopped = go_on();
                stopped.is_ok()
            });
            stopped?;
            let damage = surveyed.map_err(Error::io("read", self.file.path()))?;
            // Another thread would have found the same.
            let _ = self.damage.set(damage);
        }
        Ok(())
    }

    /// Reads bytes `start..end`. If the last line is over the limit, only its head is read, and its place returned.
    fn load(&self, start: u64, end: u64, bytes: &mut Vec<u8>) -> Result<Option<usize>> {
        let file = self.file.reopen()?;
        let unit = self.limits.unit_bytes;
        let too_long = end - start > (unit as u64).saturating_add(self.limits.longest_line() as u64);
        let most = if too_long { (unit + HEAD_BYTES) as u64 } else { u64::MAX };
        let len = (end - start).min(most) as usize;
        if bytes.capacity() < len {
            *bytes = vec![0; len];
        }
        bytes.resize(len, 0);
        bytes.shrink_to(4 * unit);
        self.file.read_at(&*file, bytes, start)?;
        Ok(too_long.then(|| memrchr(b'\n', &bytes[..unit - 1]).map_or(0, |newline| newline + 1)))
    }

    /// The kept elements of an array as they stand in the file; of a compressed one, with blanks for line ends. In `data`
    /// the elements are lines, each in its place.
    fn elements(&self, data: &[u8], offset: u64, keep: &SlotMask) -> Result<Piece> {
        let mut original = Vec::new();
        if self.codec == Codec::Plain {
            original.resize(data.len(), 0);
            self.file.read_at(&*self.file.reopen()?, &mut original, offset)?;
        }
        let source = if original.is_empty() { data } else { &original };
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let is_complete = lines::each_kept(data, offset, self.limits.max_record_bytes, keep, |line| {
            let text = &data[line.clone()];
            let start = line.start + text.len() - text.trim_ascii_start().len();
            bytes.extend_from_slice(&source[start..start + text.trim_ascii().len()]);
            ends.push(bytes.len());
        });
        if is_complete { Ok(Piece::Elements { bytes, ends }) } else { Err(self.file.changed()) }
    }

    fn foreign(&self) -> Error {
        Error::Internal(format!("a unit of another format came to `{}`", self.file.path().display()))
    }
}

impl Input for JsonlInput {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn size_on_disk(&self) -> u64 {
        self.file.len()
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        Ok(match self.codec {
            Codec::Plain if !self.is_array => Box::new(Ranges::new(self, from)?),
            _ => Box::new(Blocks::new(self, self.decoded()?, from)),
        })
    }

    fn read(
        &self,
        unit: &Unit,
        fields: &Fields,
        wanted: Option<&SlotMask>,
        scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let Scratch { bytes, text } = scratch;
        text.truncate(4 * self.limits.unit_bytes);
        text.shrink_to(4 * self.limits.unit_bytes);
        let damage = self.damage.get().map_or(&[][..], Vec::as_slice);
        let mut parser = Parser::new(fields, self.limits.max_record_bytes, damage, wanted, text, visitor);
        match &unit.payload {
            Payload::Range { start, end } => {
                let oversized = self.load(*start, *end, bytes)?;
                let (lines, head) = bytes.split_at(oversized.unwrap_or(bytes.len()));
                parser.lines(lines, *start)?;
                if oversized.is_some() {
                    let offset = *start + lines.len() as u64;
                    parser.too_long(head, end - offset, offset)?;
                }
            }
            Payload::Lines { data, offset, broken: None } => parser.lines(data, *offset)?,
            Payload::Lines { data, offset, broken: Some(why) } => {
                let whole = lines::whole(data);
                parser.lines(&data[..whole], *offset)?;
                parser.broken(&data[whole..], *offset + whole as u64, why)?;
            }
            Payload::Oversized { head, bytes, offset } => parser.too_long(head, *bytes, *offset)?,
            _ => return Err(self.foreign()),
        }
        if parser.all_seen() { Ok(()) } else { Err(self.file.changed()) }
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, _scratch: &mut Scratch) -> Result<Piece> {
        if !keep.contains(&true) {
            return Ok(Piece::Bytes(Vec::new()));
        }
        let (mut data, offset) = match unit.payload {
            Payload::Range { start, end } => {
                let mut data = Vec::new();
                let oversized = self.load(start, end, &mut data)?;
                data.truncate(oversized.unwrap_or(data.len()));
                (data, start)
            }
            Payload::Lines { data, offset, broken: None } => (data, offset),
            Payload::Lines { mut data, offset, broken: Some(_) } => {
                data.truncate(lines::whole(&data));
                (data, offset)
            }
            Payload::Oversized { offset, .. } => (Vec::new(), offset),
            _ => return Err(self.foreign()),
        };
        if self.is_array {
            return self.elements(&data, offset, keep);
        }
        if lines::retain(&mut data, offset, self.limits.max_record_bytes, keep) {
            Ok(Piece::Bytes(data))
        } else {
            Err(self.file.changed())
        }
    }
}
