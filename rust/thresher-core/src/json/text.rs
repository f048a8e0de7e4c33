//! A JSON string as it is written: escapes and all.
//!
//! Most strings of a row are only passed on, so they stay as they came; a string is decoded when somebody looks into it.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};

use super::string::{ESCAPES, unicode};

/// The inside of a JSON string, without its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Str<'a>(Cow<'a, str>);

/// A string holds half of a surrogate pair (`\ud800`), which no UTF-8 can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoneSurrogate;

impl fmt::Display for LoneSurrogate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half of a surrogate pair (`\\ud800`)")
    }
}

impl std::error::Error for LoneSurrogate {}

impl<'a> Str<'a> {
    /// The inside of a checked string.
    pub(super) fn checked(escaped: &'a str) -> Self {
        Self(Cow::Borrowed(escaped))
    }

    /// Writes `plain` as the inside of a JSON string. Only what must be escaped is.
    #[must_use]
    pub fn encode(plain: impl Into<Cow<'a, str>>) -> Self {
        let plain = plain.into();
        let Some(first) = next_to_escape(plain.as_bytes(), 0) else { return Self(plain) };
        let mut escaped = String::with_capacity(plain.len() + plain.len() / 16 + 8);
        let (mut from, mut next) = (0, Some(first));
        while let Some(at) = next {
            escaped.push_str(&plain[from..at]);
            escape(plain.as_bytes()[at], &mut escaped);
            from = at + 1;
            next = next_to_escape(plain.as_bytes(), from);
        }
        escaped.push_str(&plain[from..]);
        Self(Cow::Owned(escaped))
    }

    /// Takes over the inside of a JSON string that was put together from such insides.
    #[must_use]
    pub fn from_escaped(escaped: impl Into<Cow<'a, str>>) -> Self {
        Self(escaped.into())
    }

    /// As it is written in JSON, without the quotes.
    #[must_use]
    pub fn escaped(&self) -> &str {
        &self.0
    }

    /// What it means.
    ///
    /// # Errors
    /// [`LoneSurrogate`] if no `str` can hold it.
    pub fn decode(&self) -> std::result::Result<Cow<'_, str>, LoneSurrogate> {
        let Some(first) = memchr(b'\\', self.0.as_bytes()) else { return Ok(Cow::Borrowed(&self.0)) };
        let mut plain = String::with_capacity(self.0.len());
        let (mut from, mut next) = (0, Some(first));
        while let Some(at) = next {
            plain.push_str(&self.0[from..at]);
            let letter = self.0.as_bytes().get(at + 1).copied().unwrap_or_default();
            let (len, c) = match ESCAPES[letter as usize] {
                0 => unicode(self.0.as_bytes(), at).ok().flatten().ok_or(LoneSurrogate)?,
                byte => (2, char::from(byte)),
            };
            plain.push(c);
            from = at + len;
            next = memchr(b'\\', &self.0.as_bytes()[from..]).map(|more| from + more);
        }
        plain.push_str(&self.0[from..]);
        Ok(Cow::Owned(plain))
    }

    /// Whether it means `plain`.
    #[must_use]
    pub fn is(&self, plain: &str) -> bool {
        // Every escape is longer than what it means, so a text as long as `plain` has none if it means that.
        if self.0.len() == plain.len() {
            return &*self.0 == plain && !self.has_escape();
        }
        self.0.len() > plain.len() && self.has_escape() && self.decode().is_ok_and(|decoded| decoded == plain)
    }

    /// Whether something in it is written as an escape.
    pub(super) fn has_escape(&self) -> bool {
        memchr(b'\\', self.0.as_bytes()).is_some()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The strings one after the other.
    #[must_use]
    pub fn concat(parts: &[&Str<'_>]) -> Str<'static> {
        Str(Cow::Owned(parts.iter().map(|part| &*part.0).collect()))
    }

    /// The same, borrowed from this one.
    #[must_use]
    pub fn reborrow(&self) -> Str<'_> {
        Str(Cow::Borrowed(&self.0))
    }

    /// The same, owned.
    #[must_use]
    pub fn into_owned(self) -> Str<'static> {
        Str(Cow::Owned(self.0.into_owned()))
    }
}

/// Bytes that are looked at one by one before the search that pays off for long strings begins: keys and roles.
const SHORT: usize = 16;

/// The end of the checked string whose first byte after the quote is `start`: the place of its closing quote.
#[inline]
pub(super) fn end_of(bytes: &[u8], start: usize) -> usize {
    let head = bytes.get(start..).unwrap_or_default();
    match head.iter().take(SHORT).position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(found) if head[found] == b'"' => start + found,
        Some(found) => end_of_long(bytes, start + found),
        None => end_of_long(bytes, start + SHORT),
    }
}

fn end_of_long(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

/// The place of the next byte from `from` on that must be escaped.
fn next_to_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for block in bytes.get(from..)?.chunks(32) {
        // Without an early end the compiler looks at a whole block in a few instructions.
        if block.iter().fold(false, |any, &byte| any | must_be_escaped(byte)) {
            return block.iter().position(|&byte| must_be_escaped(byte)).map(|place| at + place);
        }
        at += block.len();
    }
    None
}

fn must_be_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => '"',
        b'\\' => '\\',
        b'\n' => 'n',
        b'\r' => 'r',
        b'\t' => 't',
        0x08 => 'b',
        0x0c => 'f',
        _ => {
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lone_surrogate_is_told_and_a_pair_is_one_character() {
        assert_eq!(Str::checked(r"a\ud800").decode(), Err(LoneSurrogate));
        assert_eq!(Str::checked(r"\udc00\ud800").decode(), Err(LoneSurrogate));
        assert_eq!(Str::checked(r"\ud83d\ude00\/").decode().unwrap(), "\u{1f600}/");
    }

    #[test]
    fn what_is_written_alike_may_mean_something_else() {
        assert!(Str::checked(r"\\b").is(r"\b") && !Str::checked(r"\\b").is(r"\\b"));
        assert!(Str::checked(r"\u0062").is("b") && !Str::checked(r"\u0062").is(r"\u0062"));
        assert!(Str::checked("b").is("b") && !Str::checked("b").is("c"));
    }

    proptest! {
        #[test]
        fn encoding_is_that_of_serde_json(plain in "(\\PC|[\\x00-\\x1f\"\\\\])*") {
            let escaped = Str::encode(plain.as_str());
            prop_assert_eq!(format!("\"{}\"", escaped.escaped()), serde_json::to_string(&plain).unwrap());
            prop_assert_eq!(escaped.decode().unwrap(), plain.as_str());
            prop_assert!(escaped.is(&plain));
            let quoted = format!("\"{}\" ", escaped.escaped());
            prop_assert_eq!(end_of(quoted.as_bytes(), 1), quoted.len() - 2);
        }
    }
}
