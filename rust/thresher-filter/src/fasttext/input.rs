//! Reads the numbers of a model file, and believes no count before the bytes that it promises are known to be there.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// Bytes that are asked for at a time, so that a buffer grows with what was read.
const STRIDE: usize = 1 << 20;

/// Bytes that a word may have.
const MAX_WORD_BYTES: u64 = 1 << 16;

/// What a model is read from, and how many bytes of it are left.
pub(super) struct Input<'r> {
    reader: &'r mut dyn BufRead,
    left: u64,
}

/// The error for a file that is not what it says.
pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, what.into())
}

impl<'r> Input<'r> {
    pub(super) fn new(reader: &'r mut dyn BufRead, length: u64) -> Self {
        Self { reader, left: length }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.take(N as u64, what)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Counts bytes as read that are about to be.
    fn take(&mut self, bytes: u64, what: &str) -> Result<()> {
        let left = self.left;
        self.left = left.checked_sub(bytes).ok_or_else(|| {
            damaged(format!("{what} takes `{bytes}` bytes, but the file has only `{left}` more; it was cut off, or it is damaged"))
        })?;
        Ok(())
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn i64(&mut self, what: &str) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn f64(&mut self, what: &str) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array(what)?))
    }

    /// A flag.
    pub(super) fn flag(&mut self, what: &str) -> Result<bool> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(damaged(format!("{what} is `{other}`, but it is 0 or 1; the file is damaged"))),
        }
    }

    /// A count of things that take at least `each` bytes of the file, all of which are still to come.
    pub(super) fn count(&self, value: i64, each: u64, what: &str) -> Result<usize> {
        let fits = u64::try_from(value).ok().filter(|&count| count.saturating_mul(each) <= self.left);
        fits.and_then(|count| usize::try_from(count).ok()).ok_or_else(|| {
            let left = self.left;
            damaged(format!("{what} is `{value}`, which the `{left}` bytes that are left of the file cannot hold; it is damaged"))
        })
    }

    pub(super) fn bytes(&mut self, count: usize, what: &str) -> Result<Vec<u8>> {
        self.take(count as u64, what)?;
        let mut bytes = Vec::new();
        (&mut self.reader).take(count as u64).read_to_end(&mut bytes)?;
        if bytes.len() < count {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    pub(super) fn floats(&mut self, count: usize, what: &str) -> Result<Vec<f32>> {
        self.take((count as u64).saturating_mul(4), what)?;
        let mut floats = Vec::new();
        let mut buffer = vec![0; STRIDE.min(count.saturating_mul(4))];
        while floats.len() < count {
            let part = buffer.len().min((count - floats.len()) * 4);
            self.reader.read_exact(&mut buffer[..part])?;
            floats.extend(buffer[..part].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        if let Some(place) = floats.iter().position(|float| !float.is_finite()) {
            let value = floats[place];
            return Err(damaged(format!(
                "number {place} of {what} is `{value}`; weights are finite, so the file is damaged"
            )));
        }
        Ok(floats)
    }

    /// Bytes up to a zero, which is not among them.
    pub(super) fn word(&mut self, what: &str) -> Result<Vec<u8>> {
        let mut word = Vec::new();
        (&mut self.reader).take(self.left.min(MAX_WORD_BYTES)).read_until(0, &mut word)?;
        self.take(word.len() as u64, what)?;
        if word.pop() != Some(0) {
            return Err(damaged(format!(
                "{what} has no end within {MAX_WORD_BYTES} bytes; the file is cut off or damaged"
            )));
        }
        Ok(word)
    }

    /// Bytes that nobody asked for.
    pub(super) fn end(&self) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        Err(damaged(format!("`{}` bytes follow the end of the model; the file is damaged", self.left)))
    }
}
