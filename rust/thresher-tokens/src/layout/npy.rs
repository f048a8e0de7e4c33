//! `.npy` files of one dimension: a head that says what follows, and the numbers.
//!
//! ```text
//! \x93NUMPY | version 1 0 | u16 length | {'descr': '<u2', 'fortran_order': False, 'shape': (7,), } blanks \n | numbers
//! ```
//! The length covers the text with its blanks, which fill the head up to a multiple of 64 bytes so that numbers are aligned in a
//! map; version 2.0 has a length of 32 bits, and 3.0 a text of UTF-8. Source: NEP 1 and `numpy/lib/format.py`.

use super::Dtype;
use crate::error::{Error, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes before the text, in version 1.
const START_BYTES: usize = 10;
/// A head is a multiple of this.
const ALIGNMENT: usize = 64;
/// The longest text that is looked at: numpy itself refuses longer ones unless it is asked not to.
const TEXT_MAX: usize = 10_000;
/// Bytes that a head has at most.
pub const HEAD_MAX: usize = 12 + TEXT_MAX;

/// The head of an array of so many numbers.
#[must_use]
pub fn head(dtype: Dtype, numbers: u64) -> Vec<u8> {
    let description = dtype.description();
    let text = format!("{{'descr': '{description}', 'fortran_order': False, 'shape': ({numbers},), }}");
    let whole = (START_BYTES + text.len() + 1).next_multiple_of(ALIGNMENT);
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(((whole - START_BYTES) as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.resize(whole - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// What the head of an array says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the numbers are.
    pub dtype: Dtype,
    /// How many there are.
    pub numbers: u64,
    /// The bytes before the first one.
    pub bytes: usize,
}

impl Head {
    /// Reads the head of an array of one dimension from the first bytes of a file, up to [`HEAD_MAX`] of them, and checks that a
    /// file of so many bytes can have it.
    ///
    /// # Errors
    /// `Error::Layout` for anything else.
    pub fn read(start: &[u8], file_bytes: u64) -> Result<Self> {
        let wrong = |what: String| Error::Layout(what);
        let rest =
            start.strip_prefix(MAGIC).ok_or_else(|| wrong("it does not begin as a .npy file".into()))?;
        let short = || wrong("it ends within its head".into());
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let (before, length) = match version {
            [1, 0] => (10, rest.first_chunk::<2>().map(|two| usize::from(u16::from_le_bytes(*two)))),
            [2 | 3, 0] => (12, rest.first_chunk::<4>().map(|four| u32::from_le_bytes(*four) as usize)),
            [major, minor] => {
                return Err(wrong(format!("its version is `{major}.{minor}`, but 1.0 to 3.0 are known")));
            }
        };
        let length = length.ok_or_else(short)?;
        if length > TEXT_MAX {
            return Err(wrong(format!(
                "its head has {length} bytes, but no array of tokens has more than {TEXT_MAX}"
            )));
        }
        let text = start.get(before..before + length).ok_or_else(short)?;
        let text = std::str::from_utf8(text).map_err(|_| wrong("its head is no text".into()))?;
        let (dtype, numbers) = fields(text)?;
        let bytes = before + length;
        let wanted = numbers.checked_mul(dtype.bytes()).and_then(|data| data.checked_add(bytes as u64));
        if wanted != Some(file_bytes) {
            return Err(wrong(format!(
                "{numbers} numbers of `{}` do not make the {file_bytes} bytes that it has",
                dtype.name()
            )));
        }
        Ok(Self { dtype, numbers, bytes })
    }
}

/// Type and length from the text of a head.
fn fields(text: &str) -> Result<(Dtype, u64)> {
    let wrong = |what: String| Error::Layout(what);
    let value = |key: &str| {
        let quoted = text.find(&format!("'{key}'")).map(|at| &text[at + key.len() + 2..]);
        quoted.and_then(|rest| rest.trim_start().strip_prefix(':')).map(str::trim_start)
    };
    let description = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split_once('\''));
    let (description, _) = description.ok_or_else(|| wrong("its head has no `descr` of one type".into()))?;
    let dtype = Dtype::of_description(description).ok_or_else(|| {
        wrong(format!("its numbers are `{description}`, which are no tokens; `<u2` or `<u4` are"))
    })?;
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (shape, _) = shape.ok_or_else(|| wrong("its head has no `shape`".into()))?;
    let numbers = shape.trim().strip_suffix(',').map(str::trim).and_then(|one| one.parse().ok());
    let numbers = numbers.ok_or_else(|| {
        wrong(format!("its shape is `({shape})`, but that of tokens is one length, as `(7,)`"))
    })?;
    Ok((dtype, numbers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_is_a_multiple_of_64_bytes_and_reads_back() {
        for dtype in [Dtype::Uint16, Dtype::Uint32, Dtype::Int64, Dtype::Uint8] {
            for numbers in [0, 1, 7, 1 << 31, (1 << 33) + 5, u64::MAX >> 4] {
                let bytes = head(dtype, numbers);
                assert_eq!(bytes.len() % 64, 0);
                assert_eq!(*bytes.last().unwrap(), b'\n');
                let file = bytes.len() as u64 + numbers * dtype.bytes();
                let read = Head::read(&bytes, file).unwrap();
                assert_eq!(read, Head { dtype, numbers, bytes: bytes.len() });
                assert!(Head::read(&bytes, file + 1).is_err());
            }
        }
    }

    #[test]
    fn a_head_of_another_hand_is_read() {
        let text = "{'shape' :( 3 , ),'fortran_order':True , 'descr': '<i4'}\n";
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.bytes());
        let read = Head::read(&bytes, bytes.len() as u64 + 12).unwrap();
        assert_eq!((read.dtype, read.numbers, read.bytes), (Dtype::Int32, 3, bytes.len()));
    }

    #[test]
    fn a_head_that_lies_is_refused_with_what_is_wrong() {
        let good = String::from_utf8_lossy(&head(Dtype::Uint16, 7)[10..]).into_owned();
        let file = |text: &str| {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.bytes());
            let whole = bytes.len() as u64 + 14;
            Head::read(&bytes, whole).map_err(|error| error.to_string())
        };
        assert!(file(&good).is_ok());
        for (from, to, says) in [
            ("'<u2'", "'>u2'", "`>u2`"),
            ("'<u2'", "'|O'", "`|O`"),
            ("'<u2'", "[('a', '<u2')]", "no `descr`"),
            ("(7,)", "(7, 2)", "`(7, 2)`"),
            ("(7,)", "(-7,)", "`(-7,)`"),
            ("(7,)", "()", "`()`"),
            ("(7,)", "(99999999999999999999,)", "shape"),
            ("(7,)", "(9223372036854775807,)", "do not make"),
            ("'shape'", "'form'", "no `shape`"),
        ] {
            let said = file(&good.replace(from, to)).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        let said = |bytes: &[u8]| Head::read(bytes, bytes.len() as u64).unwrap_err().to_string();
        assert!(said(b"\x93NUMPY\x09\x00").contains("`9.0`"));
        assert!(said(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("4294967295"));
    }

    proptest! {
        #[test]
        fn any_head_is_refused_or_read(
            text in "[{}'(),:<u2 descrshapefortran_orderTFl0-9]{0,80}",
            cut in 0usize..90,
        ) {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.bytes());
            let _ = Head::read(&bytes[..cut.min(bytes.len())], bytes.len() as u64);
            let _ = Head::read(&bytes, bytes.len() as u64);
        }
    }
}
