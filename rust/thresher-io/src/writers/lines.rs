//! Writes kept lines, byte for byte, to a plain or compressed file or to standard output; or the same rows as one array.
//!
//! Compressed output is a row of independent gzip members or zstd frames, one for each 4 MiB of content, wherever
//! the pieces were cut. So the file depends on its content alone, and blocks are compressed on all threads: one
//! thread of gzip level 6 does tens of MB a second and would hold up everything before it. The price of starting
//! afresh each 4 MiB is well under one percent of size.

mod packer;

use std::path::Path;

use crate::codec::Codec;
use crate::commit::PendingFile;
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Output, Piece, Written};
use crate::readers::jsonl::compact;
use crate::sink::Sink;
use crate::writers::Means;
use crate::writers::array::ArrayText;
use packer::Packer;

/// Content of one member or frame. Part of the output's definition: another value gives other bytes.
const BLOCK_BYTES: usize = 4 << 20;

/// How rows of JSON are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinesLayout {
    /// The compression.
    pub codec: Codec,
    /// The rows are the elements of one array instead of lines.
    pub is_array: bool,
}

impl From<Codec> for LinesLayout {
    fn from(codec: Codec) -> Self {
        Self { codec, is_array: false }
    }
}

/// A JSONL file, or any other of lines, under construction.
pub struct LinesOutput {
    sink: Sink,
    array: Option<ArrayText>,
    /// `None` for plain output.
    packer: Option<Packer>,
    rows: u64,
    /// Bytes of the content that comes next which are in the file already.
    present: u64,
}

impl LinesOutput {
    /// An output to `path`, or to standard output if that is `-`.
    ///
    /// # Errors
    /// As [`crate::commit::PendingFile::create`].
    pub fn create(path: &Path, layout: impl Into<LinesLayout>, means: &Means) -> Result<Self> {
        Ok(Self::new(Sink::create(path)?, layout.into(), means, BLOCK_BYTES))
    }

    fn new(sink: Sink, layout: LinesLayout, means: &Means, block_bytes: usize) -> Self {
        let is_packed = layout.codec != Codec::Plain;
        let packer = is_packed.then(|| Packer::new(layout.codec, means, block_bytes));
        let array = layout.is_array.then(ArrayText::default);
        Self { sink, array, packer, rows: 0, present: 0 }
    }

    /// Goes on at `from` with the output that will appear at `path`; the rows behind it have to come again.
    ///
    /// # Errors
    /// As [`crate::commit::PendingFile::resume`]; the error of `go_on`.
    pub fn resume(
        path: &Path,
        layout: impl Into<LinesLayout>,
        means: &Means,
        from: &Checkpoint,
        go_on: GoOn<'_>,
    ) -> Result<Self> {
        let mut file = PendingFile::resume(path, from.bytes)?;
        file.replay(go_on)?;
        Ok(Self::new(Sink::File(file), layout.into(), means, BLOCK_BYTES).behind(from))
    }

    /// Begins the output, or goes on with it at a checkpoint.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::resume`].
    pub(crate) fn open(
        path: &Path,
        layout: LinesLayout,
        means: &Means,
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Self> {
        match from {
            None => Self::create(path, layout, means),
            Some((from, go_on)) => Self::resume(path, layout, means, from, go_on),
        }
    }

    /// The same, of which all that lies before `from` is in the file.
    fn behind(mut self, from: &Checkpoint) -> Self {
        (self.rows, self.present) = (from.rows, from.inside);
        if let Some(array) = &mut self.array {
            array.has_rows = from.rows > 0;
        }
        if let Some(packer) = &mut self.packer {
            packer.go_on(*from);
        }
        self
    }

    fn append(&mut self, content: &[u8]) -> Result<()> {
        let present = self.present.min(content.len() as u64);
        self.present -= present;
        let content = &content[present as usize..];
        match &mut self.packer {
            None => self.sink.append(content),
            Some(packer) => packer.push(content, &mut self.sink),
        }
    }
}

/// The elements of a piece of an array.
fn elements<'p>(bytes: &'p [u8], ends: &'p [usize]) -> impl Iterator<Item = &'p [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).filter_map(|(start, &end)| bytes.get(start..end))
}

impl Output for LinesOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let content = match (piece, &mut self.array) {
            (Piece::Bytes(lines), None) => lines,
            (Piece::Bytes(lines), Some(array)) => array.add(lines.split(|&byte| byte == b'\n')),
            (Piece::Elements { bytes, ends }, Some(array)) => array.add(elements(&bytes, &ends)),
            (Piece::Elements { bytes, ends }, None) => {
                let mut lines = Vec::with_capacity(bytes.len() + ends.len());
                for element in elements(&bytes, &ends) {
                    compact(element, &mut lines);
                    lines.push(b'\n');
                }
                lines
            }
            _ => return Err(Error::Internal("an output of lines was given rows or files".to_owned())),
        };
        self.rows += rows;
        self.append(&content)
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        let Some(packer) = &self.packer else {
            let (rows, inside) = (self.rows, 0);
            return Ok(self.sink.checkpoint()?.map(|bytes| Checkpoint { bytes, rows, inside }));
        };
        if self.array.is_some() {
            return Ok(None);
        }
        let complete = packer.complete();
        Ok(self.sink.checkpoint()?.filter(|&bytes| bytes == complete.bytes).map(|_| complete))
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if let Some(array) = self.array.take() {
            self.append(array.end())?;
        }
        if let Some(packer) = &mut self.packer {
            packer.finish(&mut self.sink)?;
        }
        Ok(Written::of(self.sink.commit()?, self.rows))
    }
}

#[cfg(test)]
mod tests;
