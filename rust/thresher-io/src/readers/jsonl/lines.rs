//! Whole lines in memory: to records for a visitor, or to the kept ones among them.
//!
//! Both walk with `next_line`, so that a slot means the same line to both.

use memchr::{memchr, memrchr};

use thresher_core::json::{FieldPath, Fields, Scanner, Text};

use crate::error::Result;
use crate::input::{Break, SlotMask};
use crate::record::{BadRecord, Reason, Record, Visitor};

use super::HEAD_BYTES;
use super::damage::Damage;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stretch up to and with a line end.
struct Line {
    /// One past its last byte.
    end: usize,
    /// It is no record: only white space, or the byte order mark.
    blank: bool,
}

/// The line at `at` of `data`, whose first byte is byte `offset` of the file.
#[inline]
fn next_line(data: &[u8], at: usize, offset: u64, max_record_bytes: usize) -> Option<Line> {
    let rest = &data[at..];
    if rest.is_empty() {
        return None;
    }
    if at == 0 && offset == 0 && rest.starts_with(BYTE_ORDER_MARK) {
        return Some(Line { end: BYTE_ORDER_MARK.len(), blank: true });
    }
    let len = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
    let content = content(&rest[..len]);
    // A line over the limit is none the better for being white: it might not even be in memory.
    let blank = content.len() <= max_record_bytes && content.iter().all(u8::is_ascii_whitespace);
    Some(Line { end: at + len, blank })
}

/// The line without its end.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The length of the whole lines at the start of `data`.
pub(super) fn whole(data: &[u8]) -> usize {
    memrchr(b'\n', data).map_or(0, |newline| newline + 1)
}

/// Leaves only the lines whose slot is set in `keep`, moved together in place, each with a line end. False if a slot
/// to keep is not there.
pub(super) fn retain(data: &mut Vec<u8>, offset: u64, max_record_bytes: usize, keep: &SlotMask) -> bool {
    let (mut at, mut slot) = (0, 0);
    // The kept lines so far, and the run of kept lines that still has to move behind them.
    let (mut kept, mut run) = (0, 0..0);
    while let Some(line) = next_line(data, at, offset, max_record_bytes) {
        let wanted = !line.blank && keep.get(slot).is_some_and(|&keep| keep);
        slot += usize::from(!line.blank);
        if wanted && run.end == at {
            run.end = line.end;
        } else if wanted {
            kept += run.len();
            data.copy_within(run.clone(), kept - run.len());
            run = at..line.end;
        }
        at = line.end;
    }
    kept += run.len();
    data.copy_within(run.clone(), kept - run.len());
    data.truncate(kept);
    if data.last().is_some_and(|&last| last != b'\n') {
        data.push(b'\n');
    }
    !keep.iter().skip(slot).any(|&keep| keep)
}

/// Hands the place of each line whose slot is set in `keep` to `take`. False if a slot to keep is not there.
pub(super) fn each_kept(
    data: &[u8],
    offset: u64,
    max_record_bytes: usize,
    keep: &SlotMask,
    mut take: impl FnMut(std::ops::Range<usize>),
) -> bool {
    let (mut at, mut slot) = (0, 0);
    while let Some(line) = next_line(data, at, offset, max_record_bytes) {
        if !line.blank {
            if keep.get(slot).is_some_and(|&keep| keep) {
                take(at..line.end);
            }
            slot += 1;
        }
        at = line.end;
    }
    !keep.iter().skip(slot).any(|&keep| keep)
}

/// Makes records of lines, counting slots.
pub(super) struct Parser<'p> {
    fields: &'p Fields,
    scanner: Scanner<'p>,
    max_record_bytes: usize,
    /// Stretches of the file that are not to be trusted.
    damage: &'p [Damage],
    wanted: Option<&'p SlotMask>,
    text: &'p mut Vec<u8>,
    visitor: &'p mut dyn Visitor,
    slots: u32,
}

impl<'p> Parser<'p> {
    pub(super) fn new(
        fields: &'p Fields,
        max_record_bytes: usize,
        damage: &'p [Damage],
        wanted: Option<&'p SlotMask>,
        text: &'p mut Vec<u8>,
        visitor: &'p mut dyn Visitor,
    ) -> Self {
        let scanner = Scanner::new(fields);
        Self { fields, scanner, max_record_bytes, damage, wanted, text, visitor, slots: 0 }
    }

    /// Every line of `data`, whose first byte is byte `offset` of the file.
    pub(super) fn lines(&mut self, data: &[u8], offset: u64) -> Result<()> {
        let mut at = 0;
        while let Some(line) = next_line(data, at, offset, self.max_record_bytes) {
            let raw = &data[at..line.end];
            if line.blank {
                self.visitor.blank(raw.len() as u64);
            } else if let Some(slot) = self.next_slot() {
                self.line(slot, raw, offset + at as u64)?;
            }
            at = line.end;
        }
        Ok(())
    }

    /// A line of `bytes` that is over the limit.
    pub(super) fn too_long(&mut self, head: &[u8], bytes: u64, offset: u64) -> Result<()> {
        let mark = self.mark(head, offset);
        let (head, bytes, offset) = (&head[mark..], bytes - mark as u64, offset + mark as u64);
        self.next_slot().map_or(Ok(()), |slot| self.oversized(slot, head, bytes, offset))
    }

    /// The length of the byte order mark, if `line` starts the file with one.
    fn mark(&mut self, line: &[u8], offset: u64) -> usize {
        if offset > 0 || !line.starts_with(BYTE_ORDER_MARK) {
            return 0;
        }
        self.visitor.blank(BYTE_ORDER_MARK.len() as u64);
        BYTE_ORDER_MARK.len()
    }

    fn oversized(&mut self, slot: u32, head: &[u8], bytes: u64, offset: u64) -> Result<()> {
        let raw = if head.len() as u64 == bytes { content(head) } else { head };
        let raw = &raw[..raw.len().min(HEAD_BYTES)];
        let limit = self.max_record_bytes;
        let detail = format!("a line of {bytes} bytes; at most {limit} are allowed");
        self.visitor.bad(BadRecord { slot, offset, reason: Reason::TooLong, detail, raw, bytes })
    }

    /// The place where a stream breaks off, with `rest` of a line before.
    pub(super) fn broken(&mut self, rest: &[u8], offset: u64, why: &Break) -> Result<()> {
        let mark = self.mark(rest, offset);
        let (mut raw, mut offset) = (&rest[mark..], offset + mark as u64);
        if raw.len() > self.max_record_bytes {
            self.too_long(raw, raw.len() as u64, offset)?;
            (raw, offset) = (&[], offset + raw.len() as u64);
        }
        let Some(slot) = self.next_slot() else { return Ok(()) };
        let (reason, detail, bytes) = (why.reason, why.detail.clone(), raw.len() as u64);
        self.visitor.bad(BadRecord { slot, offset, reason, detail, raw, bytes })
    }

    /// Whether every wanted slot was there.
    pub(super) fn all_seen(&self) -> bool {
        !self.wanted.is_some_and(|wanted| wanted.iter().skip(self.slots as usize).any(|&wanted| wanted))
    }

    /// Counts a slot; none if it is not wanted.
    fn next_slot(&mut self) -> Option<u32> {
        let slot = self.slots;
        self.slots += 1;
        let wanted = self.wanted.is_none_or(|wanted| wanted.get(slot as usize).is_some_and(|&wanted| wanted));
        wanted.then_some(slot)
    }

    fn line(&mut self, slot: u32, line: &[u8], offset: u64) -> Result<()> {
        let raw = content(line);
        let bytes = line.len() as u64;
        if raw.len() > self.max_record_bytes {
            return self.oversized(slot, raw, bytes, offset);
        }
        if let Some(damage) = Damage::in_range(self.damage, offset, offset + bytes) {
            let (reason, detail) = (Reason::DamagedMember, damage.detail.clone());
            return self.visitor.bad(BadRecord { slot, offset, reason, detail, raw, bytes });
        }
        let cut = !line.ends_with(b"\n");
        let (reason, detail) = match simdutf8::basic::from_utf8(raw) {
            Err(_) => not_utf8(raw, cut),
            Ok(raw_text) => match self.scanner.scan(raw_text, self.text) {
                Ok(found) => match found.text {
                    Text::Value(text) => {
                        let record = Record { slot, offset, text, id: found.id, rank: found.rank, bytes };
                        return self.visitor.record(record);
                    }
                    Text::Missing if self.fields.text.is_none() => {
                        let record =
                            Record { slot, offset, text: raw_text, id: found.id, rank: found.rank, bytes };
                        return self.visitor.record(record);
                    }
                    Text::Missing => (Reason::MissingText, self.about_text("is missing")),
                    Text::Null => (Reason::NullText, self.about_text("is null")),
                    Text::NotString => (Reason::TextNotString, self.about_text("is not a string")),
                    Text::LoneSurrogate => {
                        (Reason::LoneSurrogate, self.about_text("has half of a surrogate pair"))
                    }
                },
                Err(error) if cut && error.offset == raw.len() => {
                    (Reason::Truncated, format!("the file ends inside the line: {error}"))
                }
                Err(error) => (Reason::InvalidJson, error.to_string()),
            },
        };
        self.visitor.bad(BadRecord { slot, offset, reason, detail, raw, bytes })
    }

    fn about_text(&self, what: &str) -> String {
        let path = self.fields.text.as_ref().map(FieldPath::to_string).unwrap_or_default();
        format!("field `{path}` {what}")
    }
}

/// Where a line stops being UTF-8; at the end of a file that ends inside it, it may only be cut off.
#[cold]
fn not_utf8(raw: &[u8], cut: bool) -> (Reason, String) {
    let error = std::str::from_utf8(raw).err();
    let at = error.map_or(0, |error| error.valid_up_to());
    let reason = match error {
        Some(error) if cut && error.error_len().is_none() => Reason::Truncated,
        _ => Reason::InvalidUtf8,
    };
    (reason, format!("not UTF-8 at byte {at} of the line"))
}
