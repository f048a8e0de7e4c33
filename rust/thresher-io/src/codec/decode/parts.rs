//! Parts in a row: from one to the next, where one ends, and where a good one follows a bad one.

use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::mem;

use memchr::memmem;

use super::gzip::{self, GZIP_HEAD, Member};
use super::raw::{READ_BLOCK_BYTES, Raw};
use super::zstd::{self, Frame, ZSTD_HEAD, ZSTD_HEADER_BYTES};
use super::{Fault, FaultKind, Stream};
use crate::codec::Codec;

/// Decoded at a time.
const DECODED_BLOCK_BYTES: usize = 64 << 10;
/// How often the file may be read in vain in search of a good part, so that a hostile one costs no square of its size.
const SEARCHES: u64 = 8;
/// What one try counts for at least.
const SEARCH_BYTES: u64 = 4 << 10;

/// Members or frames in a row.
pub(super) struct Parts<R> {
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
    Gzip(Box<Member<R>>),
    Zstd(Raw<R>, Frame),
    /// Behind the last part.
    End(Raw<R>),
    /// With where the next whole part begins, if there is one.
    Faulty(Raw<R>, Fault, Option<u64>),
    /// The system refused to read, with this number.
    Refused(i32),
}

impl<R: Read + Seek> Parts<R> {
    pub(super) fn new(codec: Codec, raw: Raw<R>) -> Self {
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
                return Ok(State::Gzip(Box::new(Member::new(raw))));
            }
            if is_first {
                self.fault(FaultKind::Foreign, "not gzip data")
            } else if head[0] == 0 {
                if gzip::only_zeros(&mut raw)? {
                    return Ok(State::End(raw));
                }
                self.start = raw.at;
                self.fault(FaultKind::Garbage, "trailing garbage after the zeros that pad a gzip file")
            } else {
                self.fault(FaultKind::Garbage, "trailing garbage after a gzip member")
            }
        } else if zstd::is_frame(head) {
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
                    Err(error) => {
                        let (kind, what) = gzip::fault(&error);
                        self.stop(member.into_inner(), self.fault(kind, what))?
                    }
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
                    Err(error) => {
                        let (kind, what) = zstd::fault(&error);
                        self.stop(raw, self.fault(kind, what))?
                    }
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

impl<R: Read + Seek> Read for Parts<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && buf.len() >= self.block.len() {
            let most = self.block.len();
            return self.step_counted(&mut buf[..most]);
        }
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
