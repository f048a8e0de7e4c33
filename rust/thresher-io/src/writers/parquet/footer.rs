//! The end of a file that gets the schema of its input.
//!
//! The encoder writes a footer of its own at the very end. Its bytes are held back, and the schema in them is
//! replaced by the one of the input, byte for byte.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::{
    commit::Committed,
    error::{Error, Result},
    readers::parquet::rewrite::{OriginalSchema, restore},
    sink::Sink,
};

/// Length of the footer and magic bytes.
const TRAILER: usize = 8;

/// A file under construction, and its last bytes.
pub(super) struct FooterFile {
    file: Sink,
    held: Option<Vec<u8>>,
}

impl FooterFile {
    pub(super) fn new(file: Sink) -> Self {
        Self { file, held: None }
    }

    /// Holds back what comes from now on.
    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Makes what was written durable, and says how much that is.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn checkpoint(&mut self) -> Result<Option<u64>> {
        self.file.checkpoint()
    }

    /// Completes the file, with the schema of `original` if there is one.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn commit(mut self, original: Option<&OriginalSchema>, path: &Path) -> Result<Committed> {
        let mut end = self.held.take().unwrap_or_default();
        if let Some(original) = original {
            end = with_schema(end, original)
                .ok_or_else(|| Error::Internal("the footer of a Parquet file has another form".to_owned()))?;
        }
        self.file.write_all(&end).map_err(Error::io("write", path))?;
        self.file.commit()
    }
}

fn with_schema(mut end: Vec<u8>, original: &OriginalSchema) -> Option<Vec<u8>> {
    let (rest, magic) = end.split_last_chunk::<4>()?;
    let magic = *magic;
    let (_, length) = rest.split_last_chunk::<4>()?;
    let start = end.len().checked_sub(TRAILER)?.checked_sub(u32::from_le_bytes(*length) as usize)?;
    let footer = restore(end.get(start..end.len() - TRAILER)?.to_vec(), original)?;
    end.truncate(start);
    end.extend_from_slice(&footer);
    end.extend_from_slice(&u32::try_from(footer.len()).ok()?.to_le_bytes());
    end.extend_from_slice(&magic);
    Some(end)
}

impl Write for FooterFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Some(held) => held.write(bytes),
            None => self.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
