//! The inside of JSON strings, 64 bytes at a time.
//!
//! A block becomes three 64-bit masks (quotes, backslashes, control characters). The masks tell which backslashes
//! start an escape and where the string ends, so that the work per block hardly depends on what is in it.
//!
//! Two kernels stand behind one signature, AVX2 and a portable one that uses 64-bit words as vectors. They share
//! every line but the making of the masks.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;

use std::ops::Range;

use super::{Parsed, SyntaxError, Unescaped};

/// The bytes of one mask.
const BLOCK: usize = 64;

/// The escapes of one character, `0` for what may not follow a backslash. `\u` is not in it.
pub(super) const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0c;
    table[b'n' as usize] = b'\n';
    table[b'r' as usize] = b'\r';
    table[b't' as usize] = b'\t';
    table
};

/// A string without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// Place of the closing quote.
    pub(super) end: usize,
    /// Whether the string has an escape.
    pub(super) escaped: bool,
}

/// The instructions to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// 64-bit words.
    Portable,
    /// 32-byte vectors; made by `detect` alone, which has seen that they are there.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Present),
}

impl Kernel {
    /// The fastest kernel of this machine.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(present) = avx2::Present::detect() {
            return Self::Avx2(present);
        }
        Self::Portable
    }

    /// Checks the string whose first byte after the quote is `start`.
    #[inline]
    pub(super) fn skip(self, bytes: &[u8], start: usize) -> Parsed<Body> {
        match self {
            Self::Portable => skip(bytes, start, portable::specials, portable::escaped),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(present) => present.skip(bytes, start),
        }
    }

    /// Checks the string and, if it has an escape, writes it without escapes to `out[at..]`.
    #[inline]
    pub(super) fn unescape(
        self,
        bytes: &[u8],
        start: usize,
        out: &mut Vec<u8>,
        at: usize,
    ) -> Parsed<(Body, Unescaped)> {
        match self {
            Self::Portable => unescape(bytes, start, out, at, portable::specials),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(present) => present.unescape(bytes, start, out, at),
        }
    }
}

/// The bytes of a block that matter inside a string.
struct Specials {
    quote: u64,
    backslash: u64,
    control: u64,
}

/// The bytes after a backslash.
struct Escaped {
    /// Those that may not stand there.
    bad: u64,
    /// Those that begin `uXXXX`.
    unicode: u64,
}

/// The block at `base`; past the end of the line come zeros, which end every string.
#[inline(always)]
fn block<'a>(bytes: &'a [u8], base: usize, padded: &'a mut [u8; BLOCK]) -> &'a [u8; BLOCK] {
    let rest = bytes.get(base..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return block;
    }
    *padded = [0; BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// The backslashes that start an escape. `carry` is 1 if the first byte of the block is escaped itself.
#[inline(always)]
fn escape_starts(backslash: u64, carry: u64) -> u64 {
    let mut rest = backslash & !carry;
    if rest & rest << 1 == 0 {
        return rest;
    }
    let mut starts = 0;
    while rest != 0 {
        let first = rest & rest.wrapping_neg();
        starts |= first;
        rest &= !(first | first << 1);
    }
    starts
}

/// All bits below the lowest one of `mask`.
#[inline(always)]
fn below(mask: u64) -> u64 {
    !mask & mask.wrapping_sub(1)
}

#[inline(always)]
fn skip(
    bytes: &[u8],
    start: usize,
    specials: impl Fn(&[u8; BLOCK]) -> Specials,
    kinds: impl Fn(&[u8; BLOCK], u64) -> Escaped,
) -> Parsed<Body> {
    let (mut base, mut carry, mut any, mut padded) = (start, 0, 0, [0; BLOCK]);
    loop {
        let block = block(bytes, base, &mut padded);
        let Specials { quote, backslash, control } = specials(block);
        let starts = escape_starts(backslash, carry);
        let escaped = starts << 1 | carry;
        let mut stop = quote & !escaped | control;
        if escaped != 0 {
            let Escaped { bad, unicode } = kinds(block, escaped);
            stop |= bad;
            any |= escaped & below(stop);
            let mut unicode = unicode & below(stop);
            while unicode != 0 {
                let at = base + unicode.trailing_zeros() as usize;
                hex4(bytes, at + 1).ok_or_else(|| bad_escape(bytes, at - 1))?;
                unicode &= unicode - 1;
            }
        }
        if stop != 0 {
            let end = close(bytes, base + stop.trailing_zeros() as usize)?;
            return Ok(Body { end, escaped: any != 0 });
        }
        carry = starts >> 63;
        base += BLOCK;
    }
}

#[inline(always)]
fn unescape(
    bytes: &[u8],
    start: usize,
    scratch: &mut Vec<u8>,
    at: usize,
    specials: impl Fn(&[u8; BLOCK]) -> Specials,
) -> Parsed<(Body, Unescaped)> {
    let (mut base, mut carry, mut padded) = (start, 0, [0; BLOCK]);
    // First byte not yet copied, and where it goes. Kept in registers: nothing below may borrow them.
    let (mut from, mut to) = (start, at);
    let (mut scratch, mut out) = (Some(scratch), &mut [][..]);
    let mut lone_surrogate = false;
    loop {
        let Specials { quote, backslash, control } = specials(block(bytes, base, &mut padded));
        let starts = escape_starts(backslash, carry);
        let stop = quote & !(starts << 1 | carry) | control;
        let mut escapes = starts & below(stop);
        if escapes != 0
            && let Some(scratch) = scratch.take()
        {
            out = with_room(scratch, at + (bytes.len() - start) + BLOCK);
        }
        while escapes != 0 {
            let escape = base + escapes.trailing_zeros() as usize;
            escapes &= escapes - 1;
            // The second half of a surrogate pair went with the first.
            if escape >= from {
                to = copy(bytes, from..escape, out, to);
                let letter = bytes.get(escape + 1).copied().unwrap_or_default();
                let byte = ESCAPES[letter as usize];
                if byte != 0 {
                    out[to] = byte;
                    (from, to) = (escape + 2, to + 1);
                } else {
                    let c = unicode(bytes, escape)?;
                    lone_surrogate |= c.is_none();
                    let (len, c) = c.unwrap_or((LONE_BYTES, '\0'));
                    (from, to) = (escape + len, to + c.encode_utf8(&mut out[to..]).len());
                }
            }
        }
        let escaped = scratch.is_none();
        if stop != 0 {
            let end = close(bytes, base + stop.trailing_zeros() as usize)?;
            if escaped {
                to = copy(bytes, from..end, out, to);
            }
            return Ok((Body { end, escaped }, Unescaped { start: at, end: to, lone_surrogate }));
        }
        carry = starts >> 63;
        base += BLOCK;
        if escaped && from < base {
            to = copy(bytes, from..base, out, to);
            from = base;
        }
    }
}

/// At least `len` bytes of `scratch`. What is written is never longer than what was read, and a copy writes at most a
/// block beyond its end.
#[cold]
fn with_room(scratch: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if scratch.len() < len {
        scratch.resize(len, 0);
    }
    scratch
}

/// Copies `range` to `out[to..]` and returns the end there. What fits a block goes as a block, without branches on its
/// length; what stands behind it is overwritten later.
#[inline(always)]
fn copy(bytes: &[u8], range: Range<usize>, out: &mut [u8], to: usize) -> usize {
    let len = range.len();
    if len <= BLOCK
        && let Some(source) = bytes.get(range.start..range.start + BLOCK)
        && let Some(target) = out.get_mut(to..to + BLOCK)
    {
        target.copy_from_slice(source);
    } else {
        out[to..to + len].copy_from_slice(&bytes[range]);
    }
    to + len
}

/// The bytes of `\uXXXX`.
const LONE_BYTES: usize = 6;

/// The length and meaning of the `\uXXXX`, or the pair of them, at `escape`; none for half a pair.
#[cold]
pub(super) fn unicode(bytes: &[u8], escape: usize) -> Parsed<Option<(usize, char)>> {
    let unit = |at: usize| {
        let escaped = bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\\u"));
        if escaped { hex4(bytes, at + 2) } else { None }
    };
    let first = unit(escape).ok_or_else(|| bad_escape(bytes, escape))?;
    if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, unit(escape + LONE_BYTES)) {
        let code = 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00));
        return Ok(char::from_u32(code).map(|c| (2 * LONE_BYTES, c)));
    }
    Ok(char::from_u32(first).map(|c| (LONE_BYTES, c)))
}

/// Four hexadecimal digits.
fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// Tells a closing quote from what else stops a string.
fn close(bytes: &[u8], at: usize) -> Parsed<usize> {
    let message = match bytes.get(at) {
        Some(b'"') => return Ok(at),
        Some(0..0x20) => "a control character must be escaped",
        Some(_) => return Err(bad_escape(bytes, at - 1)),
        None => return Err(unterminated(bytes)),
    };
    Err(SyntaxError { offset: at, message })
}

/// An escape that is none; at the end of the line it may only be cut off.
#[cold]
fn bad_escape(bytes: &[u8], at: usize) -> SyntaxError {
    let rest = &bytes[at..];
    let cut = match rest {
        [_] => true,
        [_, b'u', digits @ ..] => digits.len() < 4 && digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    };
    if cut { unterminated(bytes) } else { SyntaxError { offset: at, message: "an unknown escape" } }
}

#[cold]
fn unterminated(bytes: &[u8]) -> SyntaxError {
    SyntaxError { offset: bytes.len(), message: "a string without end" }
}
