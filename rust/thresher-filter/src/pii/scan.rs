//! One pass over a text: from trigger to trigger, each handed to what may begin or lie there.
//!
//! Whatever looks at a trigger reads a bounded window around it, or moves [`Scan::done`] behind what it read; so a text of
//! nothing but triggers takes a bounded number of steps a byte.

use super::context::Context;
use super::domains::Domains;
use super::kinds::{Kind, Kinds, Span};
use super::triggers::{BLOCK, Triggers};

/// A text that is looked at.
pub(super) struct Scan<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) kinds: Kinds,
    /// What is reserved for documentation counts too.
    pub(super) reserved: bool,
    pub(super) domains: &'t Domains,
    pub(super) context: Context<'t>,
    pub(super) spans: &'t mut Vec<Span>,
    /// No trigger in front of this is looked at any more.
    pub(super) done: usize,
    /// The `@` that ends the user and password of a URL.
    pub(super) userinfo_end: usize,
}

impl Scan<'_> {
    /// Looks at every trigger.
    pub(super) fn run(&mut self) {
        let mut carried = 0;
        for at in (0..self.bytes.len()).step_by(BLOCK) {
            let Triggers { digits, marks } = Triggers::of(self.bytes, at);
            let mut places = digits & !(digits << 1 | carried) | marks;
            carried = digits >> (BLOCK - 1);
            while places != 0 {
                let place = at + places.trailing_zeros() as usize;
                places &= places - 1;
                if place >= self.done {
                    match self.bytes[place] {
                        b'@' => self.email(place),
                        b':' => self.colon(place),
                        b'-' => self.hardware(place, b'-'),
                        _ => self.number(place),
                    }
                }
            }
        }
    }

    /// The byte at a place; a blank where there is none.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b' ')
    }

    /// The byte in front of a place; a blank where there is none.
    #[inline]
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(b' ', |at| self.bytes[at])
    }

    /// Notes a span, if it is of a kind that is asked for, and goes on behind it.
    pub(super) fn found(&mut self, start: usize, end: usize, kind: Kind) {
        if self.kinds.has(kind) {
            self.spans.push(Span { start, end, kind });
        }
        self.done = self.done.max(end);
    }

    /// Whether a number may begin at `start`, and is not the middle of a word, a path, a fraction or a longer number.
    pub(super) fn opens(&self, start: usize) -> bool {
        let before = self.before(start);
        let two_before = start.checked_sub(2).map_or(b' ', |at| self.bytes[at]);
        match before {
            b'.' | b':' => !two_before.is_ascii_digit(),
            b'-' => !two_before.is_ascii_alphanumeric(),
            b'/' | b'\\' | b'#' | b'%' | b'&' | b'$' | b'@' | b'~' | b'^' | b'_' => false,
            other => !other.is_ascii_alphanumeric(),
        }
    }

    /// Whether a number may end in front of `end`.
    pub(super) fn closes(&self, end: usize) -> bool {
        let behind = self.byte(end);
        match behind {
            b'.' | b',' | b':' => !self.byte(end + 1).is_ascii_digit(),
            b'-' | b'/' => !self.byte(end + 1).is_ascii_alphanumeric(),
            b'%' | b'@' | b'_' => false,
            other => !other.is_ascii_alphanumeric(),
        }
    }

    /// The digits from `start` on, as far as they go.
    #[inline]
    pub(super) fn run_of_digits(&self, start: usize) -> usize {
        self.bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The value of up to 9 digits.
    #[inline]
    pub(super) fn value(&self, start: usize, length: usize) -> u32 {
        self.bytes[start..start + length].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    }
}
