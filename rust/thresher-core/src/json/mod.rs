//! JSON on the hot path: lines of a corpus, read without a tree.
//!
//! [`Scanner`] finds a few fields in a line and checks the rest; [`Json`] is a checked value whose members are slices of
//! it, cut when they are asked for. Nothing here copies a string that has no escape.
//!
//! Accepted is RFC 8259, nested at most [`MAX_DEPTH`] deep. Where the RFC leaves a choice: of duplicate keys the last
//! wins, as in Python's `json`; numbers may be of any size; an escaped lone surrogate is valid, because a kept line is
//! written byte for byte, but a text with one is told apart ([`Text::LoneSurrogate`]).

mod find;
mod path;
mod string;
mod text;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;

pub use find::{Found, Scanner, Text};
pub use path::{FieldPath, Fields, Scalar};
pub use text::{LoneSurrogate, Str};
pub use value::{Json, Kind, Members};

/// How deep arrays and objects may nest, the outermost object included.
pub const MAX_DEPTH: usize = 128;

/// Why a line is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte of the line at which it went wrong; the length of the line if it ended too early.
    pub offset: usize,
    /// What is wrong there.
    pub message: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the line", self.message, self.offset)
    }
}

impl std::error::Error for SyntaxError {}

type Parsed<T> = std::result::Result<T, SyntaxError>;

/// A string without its escapes: its place in the scratch buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Unescaped {
    start: usize,
    end: usize,
    lone_surrogate: bool,
}

impl Unescaped {
    fn get(self, scratch: &[u8]) -> Option<&str> {
        if self.lone_surrogate {
            return None;
        }
        // SAFETY: the bytes are pieces of a `&str` cut at ASCII characters, and encoded `char`s between them.
        scratch.get(self.start..self.end).map(|text| unsafe { std::str::from_utf8_unchecked(text) })
    }
}
