//! Cuts a decoded stream into units of whole lines.
//!
//! A block is filled to exactly the size of a unit before it is cut, so that the units do not depend on how much the
//! decoder hands out at a time. When the compressed data breaks off, what was decoded before goes out all the same,
//! marked as the last before a break; behind it the stream may go on with a new line.

use std::io::{self, Read};
use std::mem;

use memchr::{memchr, memrchr};

use crate::codec::{Fault, Stream};
use crate::error::{Error, Result};
use crate::input::{Break, Cutter, GoOn, Payload, Position, Unit};

use super::damage::Damage;
use super::{HEAD_BYTES, JsonlInput};

/// A stream on its way to units.
pub(super) struct Blocks<'i> {
    input: &'i JsonlInput,
    source: Box<dyn Stream>,
    /// Units that are passed over.
    skip: usize,
    /// The unit that comes next, and where it begins.
    index: usize,
    offset: u64,
    /// What was decoded of it.
    block: Vec<u8>,
    /// How much of that is known to have no newline.
    searched: usize,
    /// The stream ended, for good or at a fault.
    ended: bool,
    /// Why it ended before its time.
    broken: Option<Break>,
    /// Nothing follows.
    done: bool,
}

impl<'i> Blocks<'i> {
    /// The units behind `from` of `input`, whose lines are `source`.
    pub(super) fn new(input: &'i JsonlInput, source: Box<dyn Stream>, from: Position) -> Self {
        Self {
            input,
            source,
            skip: from.units,
            index: 0,
            offset: 0,
            block: Vec::new(),
            searched: 0,
            ended: false,
            broken: None,
            done: false,
        }
    }

    /// The content of the next unit, which begins at `offset`, and how far it goes.
    fn payload(&mut self, go_on: GoOn<'_>) -> Result<Option<(Payload, u64)>> {
        let offset = self.offset;
        while !self.done {
            self.fill(self.searched, offset, go_on)?;
            if self.ended {
                let (data, broken) = (mem::take(&mut self.block), self.broken.take());
                self.done = broken.is_none() || !self.source.resume().map_err(self.failed())?;
                (self.searched, self.ended) = (0, false);
                let bytes = data.len() as u64;
                if !data.is_empty() || broken.is_some() {
                    return Ok(Some((Payload::Lines { data, offset, broken }, bytes)));
                }
            } else if let Some(newline) = memrchr(b'\n', &self.block[self.searched..]) {
                let end = self.searched + newline + 1;
                let mut rest = Vec::with_capacity(self.input.limits.unit_bytes.max(self.block.len() - end));
                rest.extend_from_slice(&self.block[end..]);
                self.block.truncate(end);
                self.searched = rest.len();
                let data = mem::replace(&mut self.block, rest);
                return Ok(Some((Payload::Lines { data, offset, broken: None }, end as u64)));
            } else if self.block.len() > self.input.limits.longest_line() {
                let (head, bytes) = self.skip_line(offset, go_on)?;
                self.searched = 0;
                return Ok(Some((Payload::Oversized { head, bytes, offset }, bytes)));
            } else {
                self.searched = self.block.len();
            }
        }
        self.input.file.reopen()?;
        Ok(None)
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error {
        Error::io("read", self.input.file.path())
    }

    /// Skips the line that begins in the block: its head and its length. The block holds then what was read beyond it.
    fn skip_line(&mut self, offset: u64, go_on: GoOn<'_>) -> Result<(Vec<u8>, u64)> {
        let (mut head, mut bytes) = (Vec::new(), 0);
        loop {
            let block = &mut self.block;
            let newline = memchr(b'\n', block);
            let len = newline.map_or(block.len(), |newline| newline + 1);
            head.extend_from_slice(&block[..len.min(HEAD_BYTES - head.len())]);
            block.drain(..len);
            bytes += len as u64;
            if newline.is_some() || self.ended {
                return Ok((head, bytes));
            }
            block.shrink_to(self.input.limits.unit_bytes);
            self.fill(0, offset + bytes, go_on)?;
        }
    }

    /// Reads on until the block, whose first byte is byte `offset` of the stream, holds a unit; or a unit more, if the
    /// `searched` bytes are one and have no newline. An error of the system stops the run, any other one is damage in
    /// the data and breaks the stream.
    fn fill(&mut self, searched: usize, offset: u64, go_on: GoOn<'_>) -> Result<()> {
        go_on()?;
        let (unit, block) = (self.input.limits.unit_bytes, &mut self.block);
        let target = if searched < unit { unit } else { searched + unit };
        let missing = target.saturating_sub(block.len());
        block.reserve(missing);
        match self.source.by_ref().take(missing as u64).read_to_end(block) {
            Ok(read) => self.ended |= read < missing,
            Err(error) => {
                let Some(fault) = Fault::of(&error) else { return Err(self.failed()(error)) };
                let here = offset + block.len() as u64;
                if Damage::of(fault, here).is_some() && self.input.damage.get().is_none() {
                    // Its first rows may be gone already; what is known in advance can be set aside.
                    return Err(Error::Damaged(self.input.file.path().to_path_buf()));
                }
                self.broken = Some(Damage::break_of(fault));
                self.ended = true;
            }
        }
        Ok(())
    }
}

impl Cutter for Blocks<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        while let Some((payload, bytes)) = self.payload(go_on)? {
            let index = self.index;
            (self.index, self.offset) = (index + 1, self.offset + bytes);
            if index >= self.skip {
                let weight = match &payload {
                    Payload::Oversized { head, .. } => head.len() as u64,
                    _ => bytes,
                };
                return Ok(Some(Unit { index, weight, payload }));
            }
        }
        Ok(None)
    }
}
