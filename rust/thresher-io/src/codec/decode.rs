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

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};
use std::mem;

use flate2::bufread::GzDecoder;
use memchr::memmem;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation};

use super::Codec;

/// The largest window, as `zstd --long=27` makes it, which is what `zstd -d` takes without being asked. It is memory
/// of one decoder.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// One read from the file: large enough to make system calls cheap, small enough for the second-level cache.
const READ_BLOCK_BYTES: usize = 128 << 10;
/// Decoded at a time.
const DECODED_BLOCK_BYTES: usize = 64 << 10;
/// How every gzip member begins: its magic number and the only compression method (RFC 1952, section 2.3.1).
const GZIP_HEAD: [u8; 3] = [0x1f, 0x8b, 8];
/// How every zstd frame begins that holds data (RFC 8878, section 3.1.1).
const ZSTD_HEAD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The longest header of a zstd frame (RFC 8878, section 3.1.1.1).
const ZSTD_HEADER_BYTES: usize = 18;
/// How often the file may be read in vain in search of a good part, so that a hostile one costs no square of its size.
const SEARCHES: u64 = 8;
/// What one try counts for at least.
const SEARCH_BYTES: u64 = 4 << 10;

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

/// A file, buffered, that knows where it is. Reads that a signal cut short are repeated; decoders would take `EINTR`
/// for damage.
struct Raw<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What is filled of the buffer.
    ready: std::ops::Range<usize>,
    /// Where the first ready byte is in the file.
    at: u64,
}

impl<R: Read> Raw<R> {
    fn new(source: R) -> Self {
        Self { source, buffer: vec![0; READ_BLOCK_BYTES].into(), ready: 0..0, at: 0 }
    }

    /// The next bytes: `least` of them, or all that there are.
    fn peek(&mut self, least: usize) -> io::Result<&[u8]> {
        if self.ready.len() < least {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.ready = 0..self.ready.len();
            while self.ready.end < least {
                match self.source.read(&mut self.buffer[self.ready.end..]) {
                    Ok(0) => break,
                    Ok(read) => self.ready.end += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(&self.buffer[self.ready.clone()])
    }
}

impl<R: Read + Seek> Raw<R> {
    fn seek(&mut self, at: u64) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(at))?;
        (self.ready, self.at) = (0..0, at);
        Ok(())
    }
}

impl<R: Read> BufRead for Raw<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, bytes: usize) {
        self.ready.start += bytes;
        self.at += bytes as u64;
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

/// A stream that is not compressed.
struct Plain<R>(Raw<R>);

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read + Send> Stream for Plain<R> {}

/// Members or frames in a row.
struct Parts<R> {
    codec: Codec,
    state: State<R>,
    /// Where the current part begins in the file, and in the decoded stream.
    start: u64,
    from: u64,
    /// Bytes decoded in all.
    decoded: u64,
    /// One part is tried; what follows it does not matter.
    is_probe: bool,
    /// What was decoded last, and what of it nobody has read yet. It is decoded in blocks of one size, since a decoder
    /// that fails drops what it had made for the same call: so what comes before a fault does not depend on the reader.
    block: Box<[u8]>,
    ready: std::ops::Range<usize>,
}

enum State<R> {
    /// Before a part.
    Between(Raw<R>),
    Gzip(Box<GzDecoder<Raw<R>>>),
    Zstd(Raw<R>, Frame),
    /// Behind the last part.
    End(Raw<R>),
    /// With where the next whole part begins, if there is one.
    Faulty(Raw<R>, Fault, Option<u64>),
    /// The system refused to read, with this number.
    Refused(i32),
}

/// A zstd frame that is being decoded.
struct Frame {
    decoder: ZstdDecoder<'static>,
    /// What its header says of its size.
    declared: Option<u64>,
    ended: bool,
}

impl<R: Read + Seek> Parts<R> {
    fn new(codec: Codec, raw: Raw<R>) -> Self {
        let (state, block) = (State::Between(raw), vec![0; DECODED_BLOCK_BYTES].into());
        Self { codec, state, start: 0, from: 0, decoded: 0, is_probe: false, block, ready: 0..0 }
    }

    fn fault(&self, kind: FaultKind, what: impl fmt::Display) -> Fault {
        let part = if self.codec == Codec::Gzip { "gzip member" } else { "zstd frame" };
        let message = match kind {
            FaultKind::Foreign => what.to_string(),
            FaultKind::Garbage => format!("{what} at byte {} of the file", self.start),
            _ => format!("{what} in the {part} at byte {} of the file", self.start),
        };
        Fault { kind, message, from: self.from }
    }

    /// Looks at what comes, and begins a part.
    fn begin(&mut self, mut raw: Raw<R>) -> io::Result<State<R>> {
        (self.start, self.from) = (raw.at, self.decoded);
        let is_first = raw.at == 0;
        let head = raw.peek(ZSTD_HEADER_BYTES)?;
        if head.is_empty() && !is_first {
            return Ok(State::End(raw));
        }
        let fault = if head.is_empty() {
            self.fault(FaultKind::Truncated, "the file is empty")
        } else if self.codec == Codec::Gzip {
            if head[0] == GZIP_HEAD[0] {
                return Ok(State::Gzip(Box::new(GzDecoder::new(raw))));
            }
            if is_first {
                self.fault(FaultKind::Foreign, "not gzip data")
            } else if head[0] == 0 {
                if only_zeros(&mut raw)? {
                    return Ok(State::End(raw));
                }
                self.start = raw.at;
                self.fault(FaultKind::Garbage, "trailing garbage after the zeros that pad a gzip file")
            } else {
                self.fault(FaultKind::Garbage, "trailing garbage after a gzip member")
            }
        } else if is_zstd(head) {
            let frame = Frame::begin(head)?;
            return Ok(State::Zstd(raw, frame));
        } else if head.len() < ZSTD_HEAD.len() && ZSTD_HEAD.starts_with(head) {
            self.fault(FaultKind::Truncated, "the file ends")
        } else if is_first {
            self.fault(FaultKind::Foreign, "not zstd data")
        } else {
            self.fault(FaultKind::Garbage, "trailing garbage after a zstd frame")
        };
        self.stop(raw, fault)
    }

    /// Stops at a fault, with a look at what follows.
    fn stop(&self, mut raw: Raw<R>, mut fault: Fault) -> io::Result<State<R>> {
        if self.is_probe || matches!(fault.kind, FaultKind::Foreign) {
            return Ok(State::Faulty(raw, fault, None));
        }
        let next;
        (next, raw) = self.next_whole(raw)?;
        if next.is_some() && fault.kind == FaultKind::Truncated {
            // A wrong length has swallowed what follows.
            fault.kind = FaultKind::Damaged;
        }
        Ok(State::Faulty(raw, fault, next))
    }

    /// Decodes one step; 0 bytes at the end of the stream.
    fn step(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            // A failure of the system stays; where there is none, the next state is set below.
            self.state = match mem::replace(&mut self.state, State::Refused(libc::EIO)) {
                State::Between(raw) => self.begin(raw)?,
                State::Gzip(mut member) => match member.read(buf) {
                    Ok(0) => State::Between(member.into_inner()),
                    Ok(read) => {
                        self.state = State::Gzip(member);
                        return Ok(read);
                    }
                    Err(error) if error.raw_os_error().is_some() => return Err(error),
                    Err(error) => self.stop(member.into_inner(), self.gzip_fault(&error))?,
                },
                State::Zstd(mut raw, mut frame) => match frame.read(&mut raw, buf) {
                    Ok(0) => match frame.declared {
                        Some(size) if size != self.decoded - self.from => {
                            let has = self.decoded - self.from;
                            let what = format!("{size} bytes are declared, but there are {has}");
                            self.stop(raw, self.fault(FaultKind::Damaged, what))?
                        }
                        _ => State::Between(raw),
                    },
                    Ok(read) => {
                        self.state = State::Zstd(raw, frame);
                        return Ok(read);
                    }
                    Err(error) if error.raw_os_error().is_some() => return Err(error),
                    Err(error) => self.stop(raw, self.zstd_fault(&error))?,
                },
                State::End(raw) => {
                    self.state = State::End(raw);
                    return Ok(0);
                }
                State::Faulty(raw, fault, next) => {
                    self.state = State::Faulty(raw, fault.clone(), next);
                    return Err(fault.into());
                }
                State::Refused(code) => {
                    self.state = State::Refused(code);
                    return Err(io::Error::from_raw_os_error(code));
                }
            };
        }
    }

    fn gzip_fault(&self, error: &io::Error) -> Fault {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.fault(FaultKind::Truncated, "the file ends"),
            _ => self.fault(FaultKind::Damaged, error),
        }
    }

    fn zstd_fault(&self, error: &io::Error) -> Fault {
        let said = error.to_string();
        if error.kind() == ErrorKind::UnexpectedEof {
            self.fault(FaultKind::Truncated, "the file ends")
        } else if said.contains("too much memory") {
            let window = "a window of more than 128 MiB is needed (compress with --long=27 at most)";
            self.fault(FaultKind::Unsupported, window)
        } else if said.contains("Dictionary mismatch") {
            self.fault(FaultKind::Unsupported, "a dictionary is needed (compress without one)")
        } else if said.contains("not supported") || said.contains("Unsupported") {
            self.fault(FaultKind::Unsupported, said)
        } else {
            self.fault(FaultKind::Damaged, said)
        }
    }

    /// Where the first whole part begins behind the start of the current one: what was decoded last may have led the
    /// decoder beyond its end.
    fn next_whole(&self, mut raw: Raw<R>) -> io::Result<(Option<u64>, Raw<R>)> {
        let head: &[u8] = if self.codec == Codec::Gzip { &GZIP_HEAD } else { &ZSTD_HEAD };
        let finder = memmem::Finder::new(head);
        let size = raw.source.seek(SeekFrom::End(0))?;
        let mut left = size.saturating_mul(SEARCHES);
        raw.seek(self.start + 1)?;
        loop {
            let bytes = raw.peek(READ_BLOCK_BYTES)?;
            let Some(found) = finder.find(bytes) else {
                if bytes.len() < READ_BLOCK_BYTES {
                    return Ok((None, raw));
                }
                // The head may lie across the end of the block.
                raw.consume(READ_BLOCK_BYTES + 1 - head.len());
                continue;
            };
            raw.consume(found);
            let at = raw.at;
            let is_whole;
            (is_whole, raw) = self.is_whole(raw, at)?;
            if is_whole {
                return Ok((Some(at), raw));
            }
            let spent = raw.at.saturating_sub(at).max(SEARCH_BYTES);
            if spent > left {
                return Ok((None, raw));
            }
            left -= spent;
            raw.seek(at + 1)?;
        }
    }

    /// Whether the part at `at` is whole, and the file, behind what was read of it.
    fn is_whole(&self, raw: Raw<R>, at: u64) -> io::Result<(bool, Raw<R>)> {
        let (codec, state) = (self.codec, State::Between(raw));
        let (block, ready) = (Box::default(), 0..0);
        let mut probe = Self { codec, state, start: at, from: 0, decoded: 0, is_probe: true, block, ready };
        let mut sink = vec![0; DECODED_BLOCK_BYTES];
        let refused = loop {
            let read = probe.step_counted(&mut sink);
            let failed = matches!(probe.state, State::Faulty(..) | State::Refused(_) | State::End(_));
            if failed || probe.start > at {
                break read.err();
            }
        };
        let is_whole = probe.start > at;
        Ok(match probe.state {
            State::Between(raw) | State::End(raw) | State::Zstd(raw, _) | State::Faulty(raw, ..) => {
                (is_whole, raw)
            }
            State::Gzip(member) => (is_whole, member.into_inner()),
            State::Refused(code) => return Err(refused.unwrap_or(io::Error::from_raw_os_error(code))),
        })
    }

    fn step_counted(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let step = self.step(buf);
        match &step {
            Ok(read) => self.decoded += *read as u64,
            Err(error) => {
                if let Some(code) = error.raw_os_error() {
                    self.state = State::Refused(code);
                }
            }
        }
        step
    }
}

impl Frame {
    /// The frame whose header is in `head`.
    fn begin(head: &[u8]) -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        let declared = zstd::zstd_safe::get_frame_content_size(head).ok().flatten();
        Ok(Self { decoder, declared, ended: false })
    }

    /// 0 bytes at the end of the frame.
    fn read(&mut self, raw: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let input = raw.fill_buf()?;
            let is_last = input.is_empty();
            let done = self.decoder.run_on_buffers(input, buf)?;
            raw.consume(done.bytes_read);
            self.ended = done.remaining == 0;
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
            if is_last && !self.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

impl<R: Read + Seek> Read for Parts<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && !buf.is_empty() {
            let mut block = mem::take(&mut self.block);
            let decoded = self.step_counted(&mut block);
            self.block = block;
            self.ready = 0..decoded?;
        }
        let read = (&self.block[self.ready.clone()]).read(buf)?;
        self.ready.start += read;
        Ok(read)
    }
}

impl<R: Read + Seek + Send> Stream for Parts<R> {
    fn resume(&mut self) -> io::Result<bool> {
        self.state = match mem::replace(&mut self.state, State::Refused(libc::EIO)) {
            State::Faulty(mut raw, _, Some(next)) => {
                raw.seek(next)?;
                State::Between(raw)
            }
            other => {
                self.state = other;
                return Ok(false);
            }
        };
        Ok(true)
    }
}

/// Whether `head` begins a frame: of data, one to skip, or one of the old versions.
fn is_zstd(head: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = head.first_chunk() else { return false };
    matches!(
        u32::from_le_bytes([a, b, c, d]),
        0xFD2F_B528 | 0x184D_2A50..=0x184D_2A5F | 0xFD2F_B522..=0xFD2F_B527 | 0xFD2F_B51E
    )
}

/// Reads zeros up to the end of the file, or to what is none.
fn only_zeros<R: Read>(raw: &mut Raw<R>) -> io::Result<bool> {
    loop {
        let block = raw.fill_buf()?;
        let zeros = block.iter().take_while(|&&byte| byte == 0).count();
        let (is_end, is_other) = (block.is_empty(), zeros < block.len());
        raw.consume(zeros);
        if is_end || is_other {
            return Ok(is_end);
        }
    }
}
