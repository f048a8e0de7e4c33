//! A blob as the Parquet crate reads files.

use std::{io::BufReader, sync::Arc};

use bytes::Bytes;
use parquet::{
    errors::Result,
    file::reader::{ChunkReader, Length},
};

use crate::blob::{Blob, BlobReader};

/// A blob that is read in chunks.
#[derive(Clone, Debug)]
pub(crate) struct BlobChunks(pub(crate) Arc<dyn Blob>);

impl Length for BlobChunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for BlobChunks {
    type T = BufReader<BlobReader>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(BlobReader::new(self.0.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(self.0.bytes_at(start, length as u64)?.into())
    }
}
