//! A JSON array of rows as a stream of lines, as `.json` files of chat data often are.
//!
//! The brackets of the array and the commas between its elements become line ends, line ends between values become
//! blanks, and nothing else changes: every row keeps its byte offset, and what is broken in it is found where any other
//! broken line is.

use std::io::{Read, Result};

use memchr::memchr2;

use crate::codec::{Fault, FaultKind, Stream};

/// Bytes that are looked at to see whether a file is an array.
const HEAD_BYTES: u64 = 4 << 10;

/// Whether the first byte of the decoded `source` that is not white space opens an array.
pub(super) fn is_array(source: impl Read) -> bool {
    let mut head = Vec::new();
    // An error is met again, and told, when the file is read.
    let _ = source.take(HEAD_BYTES).read_to_end(&mut head);
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Where in the array a stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Inside { depth: usize, string: bool },
    Behind,
}

/// The lines of an array.
pub(super) struct ArrayLines<R> {
    source: R,
    place: Place,
    /// The last byte read was a backslash that escapes the next one.
    escaped: bool,
}

impl<R: Read> ArrayLines<R> {
    /// The lines of the array in the decoded `source`.
    pub(super) fn new(source: R) -> Self {
        Self { source, place: Place::Before, escaped: false }
    }

    fn turn(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if let Place::Inside { depth, string: true } = self.place {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else { return };
                at += found + 1;
                self.escaped = bytes[at - 1] == b'\\';
                self.place = Place::Inside { depth, string: self.escaped };
                continue;
            }
            let byte = &mut bytes[at];
            at += 1;
            match (self.place, *byte) {
                (_, b'\n' | b'\r') => *byte = b' ',
                (Place::Before, b'[') => {
                    *byte = b' ';
                    self.place = Place::Inside { depth: 0, string: false };
                }
                (Place::Inside { depth: 0, .. }, b',') => *byte = b'\n',
                (Place::Inside { depth: 0, .. }, b']') => {
                    *byte = b'\n';
                    self.place = Place::Behind;
                }
                (Place::Inside { depth, .. }, b'"') => self.place = Place::Inside { depth, string: true },
                (Place::Inside { depth, .. }, b'{' | b'[') => {
                    self.place = Place::Inside { depth: depth + 1, string: false };
                }
                (Place::Inside { depth, .. }, b'}' | b']') => {
                    self.place = Place::Inside { depth: depth.saturating_sub(1), string: false };
                }
                _ => {}
            }
        }
    }
}

/// Behind a break nobody knows how deep in the array it goes on, so nothing is read on there.
impl<R: Read + Send> Stream for ArrayLines<R> {}

impl<R: Read> Read for ArrayLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.source.read(buffer)?;
        if read == 0 && !buffer.is_empty() && matches!(self.place, Place::Inside { .. }) {
            let message = "the array has no end".to_owned();
            return Err(Fault { kind: FaultKind::Truncated, message, from: 0 }.into());
        }
        self.turn(&mut buffer[..read]);
        Ok(read)
    }
}

/// Appends an element to a line, without the white space between its values, which was the layout of the array.
pub(crate) fn compact(element: &[u8], line: &mut Vec<u8>) {
    let (mut string, mut escaped) = (false, false);
    line.extend(element.iter().copied().filter(|&byte| {
        let layout = !string && byte.is_ascii_whitespace();
        if byte == b'"' && !escaped {
            string = !string;
        }
        escaped = string && byte == b'\\' && !escaped;
        !layout
    }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Hands out few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn lines(text: &str, step: usize) -> Result<String> {
        let mut out = String::new();
        ArrayLines::new(Slow(text.as_bytes(), step)).read_to_string(&mut out)?;
        assert_eq!(out.len(), text.len(), "offsets stay");
        Ok(out)
    }

    fn rows() -> impl Strategy<Value = Vec<Value>> {
        let text = "[ a-z\\\\\"\\[\\]{},\n\r\t]{0,8}";
        let row = prop::collection::vec((text, prop::collection::vec(text, 0..3)), 0..3).prop_map(|fields| {
            fields.into_iter().map(|(key, list)| (key, Value::from(list))).collect::<Value>()
        });
        prop::collection::vec(row, 0..6)
    }

    proptest! {
        #[test]
        fn each_element_is_a_line(rows in rows(), pretty: bool, step in 1usize..9) {
            let value = Value::from(rows.clone());
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert!(is_array(text.as_bytes()));
            let found = lines(&text, step).unwrap().into_bytes();
            let parsed = |found: &[u8]| -> Vec<Value> {
                found.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
                    .map(|line| serde_json::from_slice(line).unwrap()).collect()
            };
            prop_assert_eq!(&parsed(&found), &rows);
            for line in found.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
                let mut tight = Vec::new();
                compact(line, &mut tight);
                let row: Value = serde_json::from_slice(&tight).unwrap();
                prop_assert_eq!(tight, serde_json::to_string(&row).unwrap().into_bytes());
            }
        }
    }

    #[test]
    fn an_array_without_an_end_is_told_and_text_behind_it_is_a_line() {
        assert_eq!(lines("[{}, {}", 3).unwrap_err().to_string(), "the array has no end");
        assert_eq!(lines("[1]x", 3).unwrap(), " 1\nx");
        assert!(!is_array(&b" {\"a\":[]}"[..]));
        assert!(!is_array(&b""[..]));
    }
}
