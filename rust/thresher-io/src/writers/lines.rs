//! Writes kept lines, byte for byte, to a plain or compressed file or to standard output; or the same rows as one array.
//!
//! Compressed output is a row of independent gzip members or zstd frames, one for each 4 MiB of content, wherever
//! the pieces were cut. So the file depends on its content alone, and blocks are compressed on all threads: one
//! thread of gzip level 6 does tens of MB a second and would hold up everything before it. The price of starting
//! afresh each 4 MiB is well under one percent of size.
//!
//! ```text
//! write(): content -> block of 4 MiB -> queue -> workers -> back in order -> file
//! ```
//!
//! At most two blocks a worker are under way, which bounds memory to about 16 MiB a thread.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::path::Path;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use crate::codec::{BlockEncoder, Codec};
use crate::error::{Error, Result};
use crate::input::{Output, Piece, Written};
use crate::readers::jsonl::compact;
use crate::sink::Sink;
use crate::writers::array::ArrayText;

/// Content of one member or frame. Part of the output's definition: another value gives other bytes.
const BLOCK_BYTES: usize = 4 << 20;
/// Blocks under way for each worker: one that it works on and one that waits.
const BLOCKS_PER_WORKER: usize = 2;

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
}

impl LinesOutput {
    /// An output to `path`, or to standard output if that is `-`, compressed on up to `threads` threads.
    ///
    /// With one thread the compression happens inside `write`; with more, threads start when blocks come.
    ///
    /// # Errors
    /// As [`crate::commit::PendingFile::create`].
    pub fn create(path: &Path, layout: impl Into<LinesLayout>, threads: usize) -> Result<Self> {
        Self::new(Sink::create(path)?, layout.into(), threads, BLOCK_BYTES)
    }

    fn new(sink: Sink, layout: LinesLayout, threads: usize, block_bytes: usize) -> Result<Self> {
        let packer = match layout.codec {
            Codec::Plain => None,
            codec => {
                Some(Packer::new(codec, threads, block_bytes).map_err(Error::io("compress", sink.path()))?)
            }
        };
        let array = layout.is_array.then(ArrayText::default);
        Ok(Self { sink, array, packer, rows: 0 })
    }

    fn append(&mut self, content: &[u8]) -> Result<()> {
        match &mut self.packer {
            None => write_to(&mut self.sink, content),
            Some(packer) => packer.push(content, &mut self.sink),
        }
    }
}

fn write_to(sink: &mut Sink, content: &[u8]) -> Result<()> {
    sink.write_all(content).map_err(|error| Error::io("write", sink.path())(error))
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

/// A block on its way to a worker, with the place its result goes to.
struct Job {
    raw: Vec<u8>,
    /// A used buffer for the compressed bytes.
    packed: Vec<u8>,
    reply: Sender<Packed>,
}

/// A block that comes back.
struct Packed {
    raw: Vec<u8>,
    bytes: Vec<u8>,
    result: io::Result<()>,
}

/// Cuts content into blocks and compresses them in order.
struct Packer {
    codec: Codec,
    /// For one thread, and for content that fits one block.
    inline: BlockEncoder,
    threads: usize,
    /// Smaller than `BLOCK_BYTES` in tests only.
    block_bytes: usize,
    block: Vec<u8>,
    /// Nothing was packed yet.
    is_first: bool,
    queue: Option<Sender<Job>>,
    jobs: Receiver<Job>,
    workers: Vec<JoinHandle<()>>,
    /// The results to come, in order.
    pending: VecDeque<Receiver<Packed>>,
    /// Used buffers: of content, and of compressed bytes.
    spare: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Packer {
    fn new(codec: Codec, threads: usize, block_bytes: usize) -> io::Result<Self> {
        let (queue, jobs) = crossbeam_channel::unbounded();
        Ok(Self {
            codec,
            inline: BlockEncoder::try_new(codec)?,
            threads: threads.max(1),
            block_bytes,
            block: Vec::new(),
            is_first: true,
            queue: Some(queue),
            jobs,
            workers: Vec::new(),
            pending: VecDeque::new(),
            spare: Vec::new(),
        })
    }

    fn push(&mut self, mut content: &[u8], sink: &mut Sink) -> Result<()> {
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

    /// Sends the full block away and writes what is ready.
    fn submit(&mut self, sink: &mut Sink) -> Result<()> {
        self.is_first = false;
        if self.threads == 1 {
            return self.pack_inline(sink);
        }
        if self.workers.len() < self.threads && self.pending.len() >= self.workers.len() {
            let worker =
                start_worker(self.codec, self.jobs.clone()).map_err(Error::io("compress", sink.path()))?;
            self.workers.push(worker);
        }
        let (next, packed) = self.spare.pop().unwrap_or_default();
        let raw = mem::replace(&mut self.block, next);
        let (reply, result) = crossbeam_channel::bounded(1);
        let is_sent = self.queue.as_ref().is_some_and(|queue| queue.send(Job { raw, packed, reply }).is_ok());
        if !is_sent {
            return Err(lost_worker());
        }
        self.pending.push_back(result);
        while self.pending.len() >= self.workers.len() * BLOCKS_PER_WORKER
            || self.pending.front().is_some_and(|first| !first.is_empty())
        {
            self.write_first(sink)?;
        }
        Ok(())
    }

    /// Waits for the oldest block and writes it.
    fn write_first(&mut self, sink: &mut Sink) -> Result<()> {
        let Some(first) = self.pending.pop_front() else { return Ok(()) };
        let Packed { mut raw, bytes: packed, result } = first.recv().map_err(|_| lost_worker())?;
        result.map_err(Error::io("compress", sink.path()))?;
        write_to(sink, &packed)?;
        raw.clear();
        self.spare.push((raw, packed));
        Ok(())
    }

    fn pack_inline(&mut self, sink: &mut Sink) -> Result<()> {
        let (spare, mut packed) = self.spare.pop().unwrap_or_default();
        self.inline.encode_into(&self.block, &mut packed).map_err(Error::io("compress", sink.path()))?;
        write_to(sink, &packed)?;
        self.block.clear();
        self.spare.push((spare, packed));
        Ok(())
    }

    /// Writes everything that is left; of no content at all, one empty member or frame.
    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        while !self.pending.is_empty() {
            self.write_first(sink)?;
        }
        if self.is_first || !self.block.is_empty() {
            self.pack_inline(sink)?;
        }
        Ok(())
    }
}

impl Drop for Packer {
    /// Ends the workers; blocks nobody waits for any more are not compressed.
    fn drop(&mut self) {
        self.queue = None;
        while self.jobs.try_recv().is_ok() {}
        for worker in self.workers.drain(..) {
            // A worker that panicked has shown itself through its missing reply.
            let _ = worker.join();
        }
    }
}

fn lost_worker() -> Error {
    Error::Internal("a thread that compresses output ended early".to_owned())
}

fn start_worker(codec: Codec, jobs: Receiver<Job>) -> io::Result<JoinHandle<()>> {
    let mut encoder = BlockEncoder::try_new(codec)?;
    std::thread::Builder::new().name("thresher-pack".to_owned()).spawn(move || {
        while let Ok(Job { raw, mut packed, reply }) = jobs.recv() {
            let result = encoder.encode_into(&raw, &mut packed);
            // Nobody listens once the output was given up.
            let _ = reply.send(Packed { raw, bytes: packed, result });
        }
    })
}

#[cfg(test)]
mod tests;
