//! Cuts a decoded stream into units of whole lines.
//!
//! A block is filled to exactly the size of a unit before it is cut, so that the units do not depend on how much the
//! decoder hands out at a time. When the compressed data breaks off, what was decoded before goes out all the same,
//! marked as the last before a break; behind it the stream may go on with a new line.

use std::io::Read;
use std::mem;
use std::path::Path;

use memchr::{memchr, memrchr};

use crate::codec::{Fault, Stream};
use crate::error::{Error, Result};
use crate::input::{Break, Payload, Unit};

use super::damage::{Damage, Surveyed};
use super::{HEAD_BYTES, Limits};

/// A stream on its way to units.
pub(super) struct Blocks<'p> {
    source: Box<dyn Stream>,
    limits: Limits,
    path: &'p Path,
    /// What is known of the damage in it.
    damage: &'p Surveyed,
    ended: bool,
    /// Why the stream ended before its time.
    broken: Option<Break>,
}

impl<'p> Blocks<'p> {
    /// Starts on the decoded bytes `source` of the file at `path`.
    pub(super) fn new(source: Box<dyn Stream>, limits: Limits, path: &'p Path, damage: &'p Surveyed) -> Self {
        Self { source, limits, path, damage, ended: false, broken: None }
    }

    /// Emits every unit, in order.
    pub(super) fn emit(mut self, emit: &mut dyn FnMut(Unit) -> Result<()>) -> Result<()> {
        let mut index = 0;
        let mut emit = |payload| {
            index += 1;
            emit(Unit { index: index - 1, payload })
        };
        let (mut block, mut offset, mut searched) = (Vec::new(), 0, 0);
        loop {
            self.fill(&mut block, searched, offset)?;
            if self.ended {
                let (data, broken) = (mem::take(&mut block), self.broken.take());
                let goes_on =
                    broken.is_some() && self.source.resume().map_err(Error::io("read", self.path))?;
                let bytes = data.len() as u64;
                if !data.is_empty() || broken.is_some() {
                    emit(Payload::Lines { data, offset, broken })?;
                }
                if !goes_on {
                    return Ok(());
                }
                (offset, searched, self.ended) = (offset + bytes, 0, false);
                continue;
            }
            if let Some(newline) = memrchr(b'\n', &block[searched..]) {
                let end = searched + newline + 1;
                let mut rest = Vec::with_capacity(self.limits.unit_bytes.max(block.len() - end));
                rest.extend_from_slice(&block[end..]);
                block.truncate(end);
                searched = rest.len();
                let data = mem::replace(&mut block, rest);
                emit(Payload::Lines { data, offset, broken: None })?;
                offset += end as u64;
            } else if block.len() > self.limits.longest_line() {
                let (head, bytes) = self.skip_line(&mut block, offset)?;
                emit(Payload::Oversized { head, bytes, offset })?;
                offset += bytes;
                searched = 0;
            } else {
                searched = block.len();
            }
        }
    }

    /// Skips the line that begins in `block`: its head and its length. `block` holds then what was read beyond it.
    fn skip_line(&mut self, block: &mut Vec<u8>, offset: u64) -> Result<(Vec<u8>, u64)> {
        let (mut head, mut bytes) = (Vec::new(), 0);
        loop {
            let newline = memchr(b'\n', block);
            let len = newline.map_or(block.len(), |newline| newline + 1);
            head.extend_from_slice(&block[..len.min(HEAD_BYTES - head.len())]);
            block.drain(..len);
            bytes += len as u64;
            if newline.is_some() || self.ended {
                return Ok((head, bytes));
            }
            block.shrink_to(self.limits.unit_bytes);
            self.fill(block, 0, offset + bytes)?;
        }
    }

    /// Reads on until the block, whose first byte is byte `offset` of the stream, holds a unit; or a unit more, if the
    /// `searched` bytes are one and have no newline. An error of the system stops the run, any other one is damage in
    /// the data and breaks the stream.
    fn fill(&mut self, block: &mut Vec<u8>, searched: usize, offset: u64) -> Result<()> {
        let unit = self.limits.unit_bytes;
        let target = if searched < unit { unit } else { searched + unit };
        let missing = target.saturating_sub(block.len());
        block.reserve(missing);
        match self.source.by_ref().take(missing as u64).read_to_end(block) {
            Ok(read) => self.ended |= read < missing,
            Err(error) => {
                let Some(fault) = Fault::of(&error) else { return Err(Error::io("read", self.path)(error)) };
                let here = offset + block.len() as u64;
                if Damage::of(fault, here).is_some() && self.damage.get().is_none() {
                    // Its first rows may be gone already; what is known in advance can be set aside.
                    return Err(Error::Damaged(self.path.to_path_buf()));
                }
                self.broken = Some(Damage::break_of(fault));
                self.ended = true;
            }
        }
        Ok(())
    }
}
