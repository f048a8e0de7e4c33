//! A file in which pages of version 2 may say that they are not compressed although they are.
//!
//! Arrow C++ before version 3 wrote every such page so (ARROW-10353). The decoder believes the flag; here it gets to
//! see it set. What is read is the same otherwise.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    errors::Result,
    file::{
        metadata::ParquetMetaData,
        reader::{ChunkReader, Length},
    },
};

use super::chunks::BlobChunks;
use super::thrift;
use crate::blob::Blob;

/// What is read of a page to find its header. Statistics in a header can be longer, but nobody wrote such.
const HEADER_BYTES: u64 = 64 << 10;
/// The low bits of a field's header in Thrift: the type, which of a flag is its value.
const TRUE: u8 = 1;

/// A file that is read by pages.
#[derive(Debug)]
pub(super) struct PageFile {
    file: BlobChunks,
    is_compressed: bool,
}

impl PageFile {
    /// `file`, whose footer is `metadata`.
    pub(super) fn new(file: Arc<dyn Blob>, metadata: &ParquetMetaData) -> Self {
        let writer = metadata.file_metadata().created_by().unwrap_or_default();
        let early = [
            "parquet-cpp version ",
            "parquet-cpp-arrow version 0.",
            "parquet-cpp-arrow version 1.",
            "parquet-cpp-arrow version 2.",
        ];
        Self { file: BlobChunks(file), is_compressed: early.iter().any(|start| writer.starts_with(start)) }
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for PageFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut rest = self.file.get_read(start)?;
        if !self.is_compressed {
            return Ok(Box::new(rest));
        }
        let mut head = Vec::new();
        (&mut rest).take(HEADER_BYTES).read_to_end(&mut head)?;
        set_flag(&mut head);
        Ok(Box::new(Cursor::new(head).chain(rest)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.file.get_bytes(start, length)?;
        // The bytes are a page with its header, or one without.
        let header = thrift::page_header(&bytes);
        if !self.is_compressed || header.is_none_or(|h| h.header_bytes + h.compressed_bytes != length) {
            return Ok(bytes);
        }
        let mut bytes = bytes.to_vec();
        set_flag(&mut bytes);
        Ok(bytes.into())
    }
}

/// Sets the flag in the page header that `bytes` begin with, if it has one.
fn set_flag(bytes: &mut [u8]) {
    let place = thrift::page_header(bytes).and_then(|header| header.compression_flag);
    if let Some(flag) = place.and_then(|place| bytes.get_mut(place)) {
        *flag = *flag & 0xf0 | TRUE;
    }
}
