//! The footer of a Parquet file, read once and doubted before it is believed.
//!
//! A damaged file is data, not a failure: what cannot be read comes back as a [`Reason`] with a sentence.

use std::{path::Path, sync::Arc};

use arrow_schema::{Fields as ArrowFields, Schema};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
};

use super::{canonical::canonical, pages::PageMap, projection::reading_types, rewrite, thrift};
use crate::{
    blob::Blob,
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

/// What a row group without columns counts for.
const FEW_BYTES: i64 = 16;

/// Why a file cannot be read at all.
pub(super) type Damage = (Reason, String);

/// A footer: its bytes, and what they say.
pub(super) type Footer = (Vec<u8>, ParquetMetaData);

/// Reads and checks the footer of `file`.
///
/// # Errors
/// I/O failures only.
pub(super) fn load(file: &dyn Blob, path: &Path) -> Result<std::result::Result<Footer, Damage>> {
    let len = file.len();
    let mut head = [0; 4];
    let mut tail = [0; 8];
    if len < SMALLEST {
        return Ok(Err((Reason::Truncated, format!("{len} bytes are too few for a Parquet file"))));
    }
    let read = Error::io("read", path);
    let footer = (|| {
        file.read_exact_at(&mut head, 0)?;
        file.read_exact_at(&mut tail, len - 8)?;
        let claimed = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        let is_there = &tail[4..] == MAGIC && claimed <= len - SMALLEST;
        if is_there { file.bytes_at(len - 8 - claimed, claimed) } else { Ok(Vec::new()) }
    })()
    .map_err(read)?;
    Ok(check_magic(head, tail, len).and_then(|()| decode(footer)))
}

fn check_magic(head: [u8; 4], tail: [u8; 8], len: u64) -> std::result::Result<(), Damage> {
    if &tail[4..] == ENCRYPTED {
        return Err((Reason::Encrypted, "the footer is encrypted; decrypt the file first".to_owned()));
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

fn decode(footer: Vec<u8>) -> std::result::Result<Footer, Damage> {
    let corrupt = |message: String| (Reason::Corrupt, format!("the footer cannot be decoded: {message}"));
    if !thrift::footer_is_sane(&footer) {
        return Err(corrupt("its structure is broken".to_owned()));
    }
    if let Some(column) = rewrite::encrypted_column(&footer) {
        return Err((Reason::Encrypted, format!("column `{column}` is encrypted; decrypt the file first")));
    }
    let (footer, metadata) = match decode_and_check(&footer) {
        Ok(metadata) => (footer, metadata),
        Err(message) => {
            let canonical = canonical(&footer).filter(|canonical| *canonical != footer);
            let canonical = canonical.ok_or_else(|| corrupt(message))?;
            let metadata = decode_and_check(&canonical).map_err(corrupt)?;
            (canonical, metadata)
        }
    };
    // The groups know better; the decoder believes the file.
    let rows = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).fold(0, i64::saturating_add);
    if rows == metadata.file_metadata().num_rows() {
        return Ok((footer, metadata));
    }
    let footer = rewrite::with_rows(&footer, rows.unsigned_abs());
    let footer = footer.ok_or_else(|| corrupt("it has no number of rows".to_owned()))?;
    let metadata = decode_and_check(&footer).map_err(corrupt)?;
    Ok((footer, metadata))
}

fn decode_and_check(footer: &[u8]) -> std::result::Result<ParquetMetaData, String> {
    let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(footer))?;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        guarded(|| check_group(group)).map_err(|message| format!("row group {at}: {message}"))?;
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
        // The magic bytes are there, so a dictionary is not.
        if column.dictionary_page_offset() == Some(0) {
            return Err(format!("column `{}` has a dictionary at offset 0", column.column_path().string()));
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
    // Rows without a column take no bytes; a million of them are enough.
    let bytes = if group.num_columns() == 0 { FEW_BYTES } else { bytes };
    if rows < 0 || rows > bytes.saturating_mul(ROWS_PER_BYTE) {
        return Err(format!("{rows} rows in {bytes} bytes"));
    }
    Ok(())
}

/// The Arrow view of a footer, with the embedded Arrow schema if that can be used.
pub(super) fn arrow_view(metadata: ParquetMetaData) -> std::result::Result<ArrowReaderMetadata, Damage> {
    let metadata = Arc::new(metadata);
    guarded(|| ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new()))
        .or_else(|_| {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            guarded(|| ArrowReaderMetadata::try_new(metadata, options))
        })
        .map_err(|message| (Reason::Corrupt, format!("the schema cannot be read: {message}")))
}

/// The view in which a file is read: strings are views of bytes, whatever their annotations.
pub(super) fn reading_view(
    footer: &[u8],
    pages: Arc<PageMap>,
    types: &ArrowFields,
) -> std::result::Result<ArrowReaderMetadata, Damage> {
    let corrupt = |message: String| (Reason::Corrupt, format!("the schema cannot be read: {message}"));
    let bytes = rewrite::strings_as_bytes(footer).ok_or_else(|| corrupt("it is broken".to_owned()))?;
    let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(&bytes)).map_err(corrupt)?;
    let metadata = Arc::new(metadata.into_builder().set_page_index(Some(pages)).build());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(reading_types(types))));
    guarded(|| ArrowReaderMetadata::try_new(metadata, options)).map_err(corrupt)
}
