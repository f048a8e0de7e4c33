//! The footer of a Parquet file, read once and doubted before it is believed.
//!
//! A damaged file is data, not a failure: what cannot be read comes back as a [`Reason`] with a sentence.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
};

use super::thrift;
use crate::{
    error::{Error, Result},
    readers::guard::guarded,
    record::Reason,
};

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED: &[u8; 4] = b"PARE";
/// Magic, length of the footer, magic.
const SMALLEST: u64 = 12;
/// More rows than this for a byte of a row group is no data. Pages of 20,000 nulls take about 30 bytes, so real files
/// stay a hundred times below; a footer that claims billions of rows in a few bytes would fill a disk with bad records.
const ROWS_PER_BYTE: i64 = 65_536;

/// Why a file cannot be read at all.
pub(super) type Damage = (Reason, String);

/// Reads and checks the footer of `file`, which is `len` bytes long.
///
/// # Errors
/// I/O failures only.
pub(super) fn load(
    file: &mut File,
    path: &Path,
    len: u64,
) -> Result<std::result::Result<ParquetMetaData, Damage>> {
    let mut head = [0; 4];
    let mut tail = [0; 8];
    if len < SMALLEST {
        return Ok(Err((Reason::Truncated, format!("{len} bytes are too few for a Parquet file"))));
    }
    let read = Error::io("read", path);
    let footer = (|| {
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(len - 8))?;
        file.read_exact(&mut tail)?;
        let claimed = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        let mut footer = Vec::new();
        if &tail[4..] == MAGIC && claimed <= len - SMALLEST {
            file.seek(SeekFrom::Start(len - 8 - claimed))?;
            footer.resize(claimed as usize, 0);
            file.read_exact(&mut footer)?;
        }
        Ok(footer)
    })()
    .map_err(read)?;
    Ok(check_magic(head, tail, len).and_then(|()| decode(&footer)))
}

fn check_magic(head: [u8; 4], tail: [u8; 8], len: u64) -> std::result::Result<(), Damage> {
    if &tail[4..] == ENCRYPTED {
        return Err((Reason::Corrupt, "the footer is encrypted; decrypt the file first".to_owned()));
    }
    if &tail[4..] != MAGIC {
        return Err(if head == *MAGIC {
            (Reason::Truncated, "the file ends without a Parquet footer".to_owned())
        } else {
            (Reason::Corrupt, "not a Parquet file: the magic bytes `PAR1` are missing".to_owned())
        });
    }
    let claimed = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if claimed > len - SMALLEST {
        return Err((Reason::Corrupt, format!("the footer claims {claimed} bytes in a file of {len}")));
    }
    Ok(())
}

fn decode(footer: &[u8]) -> std::result::Result<ParquetMetaData, Damage> {
    let corrupt = |message: String| (Reason::Corrupt, format!("the footer cannot be decoded: {message}"));
    if !thrift::footer_is_sane(footer) {
        return Err(corrupt("its structure is broken".to_owned()));
    }
    let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(footer)).map_err(corrupt)?;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        guarded(|| check_group(group)).map_err(|m| corrupt(format!("row group {at}: {m}")))?;
    }
    Ok(metadata)
}

fn check_group(group: &RowGroupMetaData) -> std::result::Result<(), String> {
    let rows = group.num_rows();
    let mut bytes = 0_i64;
    for column in group.columns() {
        let size = column.compressed_size();
        if size < 0 || column.uncompressed_size() < 0 || column.data_page_offset() < 0 {
            return Err(format!("column `{}` has a negative size", column.column_path().string()));
        }
        bytes = bytes.saturating_add(size);
        if column.column_descr().max_rep_level() == 0 && column.num_values() != rows {
            return Err(format!(
                "{rows} rows, but column `{}` has {} values",
                column.column_path().string(),
                column.num_values()
            ));
        }
    }
    if rows < 0 || rows > bytes.saturating_mul(ROWS_PER_BYTE) {
        return Err(format!("{rows} rows in {bytes} bytes"));
    }
    Ok(())
}

/// The Arrow view of a footer, with the embedded Arrow schema if that can be used.
pub(super) fn arrow_view(metadata: ParquetMetaData) -> std::result::Result<ArrowReaderMetadata, Damage> {
    let metadata = std::sync::Arc::new(metadata);
    guarded(|| ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new()))
        .or_else(|_| {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            guarded(|| ArrowReaderMetadata::try_new(metadata, options))
        })
        .map_err(|message| (Reason::Corrupt, format!("the schema cannot be read: {message}")))
}
