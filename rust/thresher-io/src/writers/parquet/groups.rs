//! What is noted of the row groups of a file under construction, so that a later process can go on behind them.
//!
//! The footer of a Parquet file says where each column of each group is, with its statistics, and it is written last. Of a
//! file that ends before, nobody knows what is in it. So beside it lies a log: of each group a footer of its own, with its
//! indexes of pages and a checksum. To go on, the groups are appended once more to a new encoder, their bytes read from the
//! file itself, until the encoder stands where it stood.

use std::{
    any::Any,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    arrow::arrow_writer::ArrowColumnChunk,
    basic::ColumnOrder,
    bloom_filter::Sbbf,
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::{
            ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder,
            ParquetMetaDataOptions, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
            page_index::PageIndexProvider,
        },
        page_index::{column_index::ColumnIndexMetaData, offset_index::OffsetIndexMetaData},
        statistics::Statistics,
    },
    schema::types::SchemaDescPtr,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    commit::{parent_of, sync_folder},
    error::{Error, Result},
    readers::parquet::chunks::BlobChunks,
};

type Encoded<T> = std::result::Result<T, ParquetError>;

/// Length and checksum before each entry.
const HEAD_BYTES: usize = 4 + 16;

/// The log beside a file under construction.
pub(super) struct GroupLog {
    path: PathBuf,
    /// None before the first checkpoint.
    file: Option<File>,
    pending: Vec<u8>,
}

impl GroupLog {
    /// A log beside the file under construction at `part`; it is made with the first checkpoint.
    pub(super) fn new(part: &Path) -> Self {
        let mut name = part.file_name().map(OsString::from).unwrap_or_default();
        name.push(".groups");
        Self { path: part.with_file_name(name), file: None, pending: Vec::new() }
    }

    /// The footers of the first groups, up to `rows` rows, and the log cut behind them.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` if they are not there.
    pub(super) fn resume(
        part: &Path,
        rows: u64,
        schema: &SchemaDescPtr,
    ) -> Result<(Self, Vec<ParquetMetaData>)> {
        let mut log = Self::new(part);
        let content = match fs::read(&log.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && rows == 0 => {
                return Ok((log, Vec::new()));
            }
            content => content.map_err(Error::io("read", &log.path))?,
        };
        let (mut groups, mut found, mut at) = (Vec::new(), 0, 0);
        while found < rows {
            let entry = entry(&content[at..]);
            let group = entry.and_then(|entry| decode(entry, schema).ok());
            let Some((entry, group)) = entry.zip(group) else {
                let message = format!("the row groups with the first {rows} rows are not noted; start over");
                return Err(Error::data(&log.path, message));
            };
            found += group.file_metadata().num_rows().unsigned_abs();
            at += HEAD_BYTES + entry.len();
            groups.push(group);
        }
        let file = OpenOptions::new().append(true).open(&log.path);
        let file = file.and_then(|file| file.set_len(at as u64).map(|()| file));
        log.file = Some(file.map_err(Error::io("open", &log.path))?);
        Ok((log, groups))
    }

    /// Notes a group, which is written with the next checkpoint.
    pub(super) fn note(&mut self, group: &RowGroupMetaData, indexes: Indexes) -> Encoded<()> {
        let entry = encode(group, indexes)?;
        let length = u32::try_from(entry.len()).map_err(|e| ParquetError::External(Box::new(e)))?;
        self.pending.extend_from_slice(&length.to_le_bytes());
        self.pending.extend_from_slice(&xxh3_128(&entry).to_le_bytes());
        self.pending.extend_from_slice(&entry);
        Ok(())
    }

    /// Makes all that was noted durable.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        let failed = || Error::io("write", &self.path);
        let mut file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = File::create(&self.path).map_err(failed())?;
            sync_folder(parent_of(&self.path))?;
            file
        };
        file.write_all(&self.pending).and_then(|()| file.sync_data()).map_err(failed())?;
        self.pending.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Removes the log of a file that is complete.
    pub(super) fn remove(self) {
        if self.file.is_some() {
            // Without its file it means nothing.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The first entry of a log, if it is whole.
fn entry(log: &[u8]) -> Option<&[u8]> {
    let (length, rest) = log.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<16>()?;
    let entry = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (xxh3_128(entry) == u128::from_le_bytes(*checksum)).then_some(entry)
}

/// One group as a footer.
fn encode(group: &RowGroupMetaData, indexes: Indexes) -> Encoded<Vec<u8>> {
    let schema = group.schema_descr_ptr();
    let order = |column: &parquet::schema::types::ColumnDescPtr| {
        let (logical, converted) = (column.logical_type_ref(), column.converted_type());
        ColumnOrder::column_order_for_type(logical, converted, column.physical_type())
    };
    let orders = schema.columns().iter().map(order).collect();
    let about = FileMetaData::new(1, group.num_rows(), None, None, schema, Some(orders));
    let footer = ParquetMetaDataBuilder::new(about)
        .set_row_groups(vec![group.clone()])
        .set_page_index(Some(Arc::new(indexes)))
        .build();
    let mut bytes = Vec::new();
    ParquetMetaDataWriter::new(&mut bytes, &footer).finish()?;
    Ok(bytes)
}

fn decode(entry: &[u8], schema: &SchemaDescPtr) -> Encoded<ParquetMetaData> {
    let options =
        ParquetMetaDataOptions::new().with_schema(schema.clone()).with_encoding_stats_as_mask(false);
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .with_metadata_options(Some(options))
        .parse_and_finish(&Bytes::copy_from_slice(entry))
}

/// What a column of a noted group was closed with, its bytes in `written`.
pub(super) fn closed(
    footer: &ParquetMetaData,
    column: usize,
    written: &BlobChunks,
) -> Encoded<ColumnCloseResult> {
    let group = footer.row_group(0);
    let mut metadata = group.column(column).clone();
    if let Some(statistics) = as_encoded(&metadata) {
        metadata = metadata.into_builder().set_statistics(statistics).build()?;
    }
    let indexes = footer.page_index_for_row_group(0);
    Ok(ColumnCloseResult {
        bytes_written: metadata.compressed_size().unsigned_abs(),
        rows_written: group.num_rows().unsigned_abs(),
        bloom_filter: Sbbf::read_from_column_chunk(&metadata, written)?,
        column_index: indexes.column_index(column).cloned(),
        offset_index: indexes.offset_index(column).cloned(),
        metadata,
    })
}

/// The indexes of pages of one group, by column.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    columns: Vec<Option<ColumnIndexMetaData>>,
    offsets: Vec<Option<OffsetIndexMetaData>>,
}

impl Indexes {
    /// Takes in those of the next column.
    pub(super) fn add(&mut self, chunk: &ArrowColumnChunk) {
        let close = chunk.close();
        self.columns.push(close.column_index.clone());
        self.offsets.push(close.offset_index.clone());
    }

    /// The same with the places of pages in the file, where `group` is now. In the encoder's buffer data pages lay in a
    /// row too, but a dictionary elsewhere.
    pub(super) fn placed(mut self, group: &RowGroupMetaData) -> Self {
        for (offsets, column) in self.offsets.iter_mut().zip(group.columns()) {
            let pages = offsets.iter_mut().flat_map(|offsets| &mut offsets.page_locations);
            let mut shift = None;
            for page in pages {
                page.offset += *shift.get_or_insert(column.data_page_offset() - page.offset);
            }
        }
        self
    }
}

/// The statistics of a column as the encoder made them: where the order of values is the signed one, it writes minimum and
/// maximum into the fields of old readers too, which a reader does not tell.
fn as_encoded(column: &ColumnChunkMetaData) -> Option<Statistics> {
    use Statistics as S;
    let old = column.column_descr().sort_order().is_signed();
    Some(match column.statistics()?.clone() {
        S::Boolean(s) => S::Boolean(s.with_backwards_compatible_min_max(old)),
        S::Int32(s) => S::Int32(s.with_backwards_compatible_min_max(old)),
        S::Int64(s) => S::Int64(s.with_backwards_compatible_min_max(old)),
        S::Int96(s) => S::Int96(s.with_backwards_compatible_min_max(old)),
        S::Float(s) => S::Float(s.with_backwards_compatible_min_max(old)),
        S::Double(s) => S::Double(s.with_backwards_compatible_min_max(old)),
        S::ByteArray(s) => S::ByteArray(s.with_backwards_compatible_min_max(old)),
        S::FixedLenByteArray(s) => S::FixedLenByteArray(s.with_backwards_compatible_min_max(old)),
    })
}

impl PageIndexProvider for Indexes {
    fn has_offset_indexes(&self) -> bool {
        self.offsets.iter().any(Option::is_some)
    }

    fn has_column_indexes(&self) -> bool {
        self.columns.iter().any(Option::is_some)
    }

    fn column_index(&self, _: usize, column: usize) -> Option<&ColumnIndexMetaData> {
        self.columns.get(column)?.as_ref()
    }

    fn offset_index(&self, _: usize, column: usize) -> Option<&OffsetIndexMetaData> {
        self.offsets.get(column)?.as_ref()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
