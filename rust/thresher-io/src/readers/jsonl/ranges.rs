//! Cuts a plain file into byte ranges of whole lines.
//!
//! Only the few bytes around each cut are read, in search of the newline that ends a unit.

use std::sync::Arc;

use memchr::memchr;

use super::JsonlInput;
use crate::blob::Blob;
use crate::error::Result;
use crate::input::{Cutter, GoOn, Payload, Position, Unit};

/// How much is read at a time in search of the newline that ends a unit.
const WINDOW_BYTES: usize = 64 << 10;

/// A plain file on its way to units.
pub(super) struct Ranges<'i> {
    input: &'i JsonlInput,
    file: Arc<dyn Blob>,
    at: Position,
    window: Vec<u8>,
}

impl<'i> Ranges<'i> {
    /// The units of `input` behind `from`.
    pub(super) fn new(input: &'i JsonlInput, from: Position) -> Result<Self> {
        Ok(Self { input, file: input.file.reopen()?, at: from, window: Vec::new() })
    }

    /// Where the unit at `start` ends: after the first newline that makes it `unit_bytes` long or longer.
    fn end_of(&mut self, start: u64, go_on: GoOn<'_>) -> Result<u64> {
        let (len, window) = (self.input.file.len(), &mut self.window);
        let mut at = start + self.input.limits.unit_bytes as u64 - 1;
        while at < len {
            go_on()?;
            window.resize((len - at).min(WINDOW_BYTES as u64) as usize, 0);
            self.input.file.read_at(&*self.file, window, at)?;
            if let Some(newline) = memchr(b'\n', window) {
                return Ok(at + newline as u64 + 1);
            }
            at += window.len() as u64;
        }
        Ok(len)
    }
}

impl Cutter for Ranges<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        let Position { units: index, offset: start } = self.at;
        if start >= self.input.file.len() {
            return Ok(None);
        }
        let end = self.end_of(start, go_on)?;
        let unit = Unit { index, weight: end - start, payload: Payload::Range { start, end } };
        self.at = unit.after();
        Ok(Some(unit))
    }
}
