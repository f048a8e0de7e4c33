//! Cuts content into blocks of one size and compresses them, each to a member or frame of its own, on all threads.
//!
//! ```text
//! push(): content -> block of 4 MiB -> job of the crew -> back in order -> file
//! ```
//!
//! At most two blocks a thread are under way, or as many as the memory allows.

use std::collections::VecDeque;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex};

use memchr::{memchr_iter, memrchr};

use crate::codec::{BlockEncoder, Codec};
use crate::crew::{Promise, lock};
use crate::error::{Error, Result};
use crate::input::Checkpoint;
use crate::sink::Sink;
use crate::writers::Means;

/// Blocks under way for each thread: one that it works on and one that waits.
const BLOCKS_PER_THREAD: usize = 2;

/// Blocks on their way into a file.
pub(super) struct Packer {
    codec: Codec,
    means: Means,
    block_bytes: usize,
    most_pending: usize,
    block: Vec<u8>,
    /// Nothing was packed yet.
    is_first: bool,
    /// The blocks that were written: where they end in the file, and how many lines they hold.
    complete: Checkpoint,
    /// The blocks to come, in order.
    pending: VecDeque<Promise<Packed>>,
    /// Encoders that no thread uses just now: they keep their tables between blocks.
    encoders: Arc<Mutex<Vec<BlockEncoder>>>,
    /// Used buffers: of content, and of compressed bytes.
    spare: Vec<Packed>,
}

/// A block and what became of it.
#[derive(Default)]
struct Packed {
    raw: Vec<u8>,
    bytes: Vec<u8>,
    /// Line ends in it, and bytes behind the last.
    lines: u64,
    rest: u64,
}

impl Packer {
    pub(super) fn new(codec: Codec, means: &Means, block_bytes: usize) -> Self {
        let most = BLOCKS_PER_THREAD * means.crew.threads();
        // A block takes as much again when it is packed.
        let fitting = (means.memory / (2 * block_bytes as u64)) as usize;
        Self {
            codec,
            means: means.clone(),
            block_bytes,
            most_pending: fitting.clamp(2, most.max(2)) - 1,
            block: Vec::new(),
            is_first: true,
            complete: Checkpoint::default(),
            pending: VecDeque::new(),
            encoders: Arc::default(),
            spare: Vec::new(),
        }
    }

    /// Goes on behind blocks that were written before.
    pub(super) fn go_on(&mut self, complete: Checkpoint) {
        (self.is_first, self.complete) = (complete.bytes == 0, complete);
    }

    /// The blocks that were written.
    pub(super) fn complete(&self) -> Checkpoint {
        self.complete
    }

    pub(super) fn push(&mut self, mut content: &[u8], sink: &mut Sink) -> Result<()> {
        while !content.is_empty() {
            // A full block waits for the next byte, so that no empty member follows the last one.
            if self.block.len() == self.block_bytes {
                self.submit(sink)?;
            }
            let (head, rest) = content.split_at(content.len().min(self.block_bytes - self.block.len()));
            self.block.extend_from_slice(head);
            content = rest;
        }
        Ok(())
    }

    /// Gives the block away and writes what is ready.
    fn submit(&mut self, sink: &mut Sink) -> Result<()> {
        while self.pending.front().is_some_and(Promise::is_kept) || self.pending.len() >= self.most_pending {
            self.write_first(sink)?;
        }
        self.is_first = false;
        let mut packed = self.spare.pop().unwrap_or_default();
        mem::swap(&mut packed.raw, &mut self.block);
        let (codec, encoders, path) = (self.codec, self.encoders.clone(), sink.path().to_path_buf());
        self.pending.push_back(self.means.crew.promise(move || {
            encode(codec, &encoders, &mut packed, &path)?;
            Ok(packed)
        }));
        Ok(())
    }

    /// Waits for the oldest block and writes it.
    fn write_first(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(first) = self.pending.pop_front() else { return Ok(()) };
        let mut packed = first.get()?;
        sink.append(&packed.bytes)?;
        let Checkpoint { bytes, rows, inside } = &mut self.complete;
        *bytes += packed.bytes.len() as u64;
        *rows += packed.lines;
        *inside = if packed.lines > 0 { packed.rest } else { *inside + packed.rest };
        packed.raw.clear();
        self.spare.push(packed);
        Ok(())
    }

    /// Writes everything that is left; of no content at all, one empty member or frame.
    pub(super) fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        if self.is_first || !self.block.is_empty() {
            self.submit(sink)?;
        }
        while !self.pending.is_empty() {
            self.write_first(sink)?;
        }
        Ok(())
    }
}

fn encode(codec: Codec, encoders: &Mutex<Vec<BlockEncoder>>, packed: &mut Packed, path: &Path) -> Result<()> {
    let failed = || Error::io("compress", path);
    let used = lock(encoders).pop();
    let mut encoder = match used {
        Some(encoder) => encoder,
        None => BlockEncoder::try_new(codec).map_err(failed())?,
    };
    encoder.encode_into(&packed.raw, &mut packed.bytes).map_err(failed())?;
    let raw = &packed.raw;
    packed.lines = memchr_iter(b'\n', raw).count() as u64;
    packed.rest = (raw.len() - memrchr(b'\n', raw).map_or(0, |newline| newline + 1)) as u64;
    lock(encoders).push(encoder);
    Ok(())
}
