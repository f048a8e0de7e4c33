//! How a Parquet file is laid out: schema, metadata, and codec and encoding of each column.
//!
//! A result looks like its input: the Parquet schema with its annotations, the key-value metadata (the Arrow schema and
//! what pandas or Hugging Face keep there), each column's codec, and whether a dictionary paid off.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::{
    arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata},
    basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaData, RowGroupMetaData},
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::{ColumnPath, SchemaDescriptor, TypePtr},
};

/// The level of polars and of the zstd command; level 1 makes text about a tenth larger.
const ZSTD_LEVEL: i32 = 3;
/// A column of this many bytes a value is text: nobody filters by its minimum and maximum.
const LONG_VALUE: i64 = 128;

/// What a Parquet file will look like.
#[derive(Debug, Clone)]
pub struct ParquetLayout {
    /// The Arrow types of the rows.
    pub(super) schema: SchemaRef,
    like: Option<Arc<SchemaDescriptor>>,
    metadata: Option<Vec<KeyValue>>,
    columns: Vec<ColumnLayout>,
}

#[derive(Debug, Clone)]
struct ColumnLayout {
    path: ColumnPath,
    compression: Compression,
    dictionary: bool,
    long: bool,
    /// Bytes in the input, to begin with the largest.
    bytes: i64,
}

impl ParquetLayout {
    /// The layout for rows of any origin: zstd, dictionaries where they pay off.
    #[must_use]
    pub fn of(schema: SchemaRef) -> Self {
        Self { schema, like: None, metadata: None, columns: Vec::new() }
    }

    /// The layout of a file with this footer, whose rows have this Arrow schema.
    #[must_use]
    pub fn like(footer: &ParquetMetaData, schema: SchemaRef) -> Self {
        let file = footer.file_metadata();
        let sample = footer.row_groups().iter().find(|g| g.num_rows() > 0);
        let columns =
            sample.into_iter().flat_map(RowGroupMetaData::columns).map(ColumnLayout::like).collect();
        Self {
            schema,
            like: Some(file.schema_descr_ptr()),
            metadata: Some(file.key_value_metadata().cloned().unwrap_or_default()),
            columns,
        }
    }

    /// Root of the Parquet schema and the writer's settings.
    pub(super) fn build(&self) -> Result<(TypePtr, WriterProperties), ParquetError> {
        let derived = ArrowSchemaConverter::new().convert(&self.schema)?;
        let root = match &self.like {
            Some(like) if same_storage(like, &derived) => like.root_schema_ptr(),
            _ => derived.root_schema_ptr(),
        };
        let mut builder =
            WriterProperties::builder().set_compression(zstd()).set_key_value_metadata(self.metadata.clone());
        for column in &self.columns {
            builder = builder
                .set_column_compression(column.path.clone(), column.compression)
                .set_column_dictionary_enabled(column.path.clone(), column.dictionary);
            if column.long {
                builder =
                    builder.set_column_statistics_enabled(column.path.clone(), EnabledStatistics::Chunk);
            }
        }
        let mut properties = builder.build();
        if self.metadata.is_none() {
            add_encoded_arrow_schema_to_metadata(&self.schema, &mut properties);
        }
        Ok((root, properties))
    }

    /// Top-level fields, the one with the most bytes first.
    pub(super) fn by_weight(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.schema.fields().len()).collect();
        let weight = |at: usize| -> i64 {
            let name = self.schema.field(at).name();
            self.columns.iter().filter(|c| c.path.parts().first() == Some(name)).map(|c| c.bytes).sum()
        };
        order.sort_by_cached_key(|&at| (std::cmp::Reverse(weight(at)), at));
        order
    }
}

impl ColumnLayout {
    fn like(column: &ColumnChunkMetaData) -> Self {
        let long = column.uncompressed_size() / column.num_values().max(1) >= LONG_VALUE;
        let paid_off = match (column.dictionary_page_offset(), column.page_encoding_stats_mask()) {
            (None, _) => false,
            (Some(_), Some(mask)) => {
                mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY)
            }
            // Without statistics `PLAIN` may be the dictionary page itself.
            (Some(_), None) => !long,
        };
        Self {
            path: column.column_path().clone(),
            compression: same_codec(column.compression()),
            dictionary: paid_off,
            long,
            bytes: column.uncompressed_size(),
        }
    }
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default())
}

fn same_codec(codec: Compression) -> Compression {
    match codec {
        // Files do not record levels. LZO is not written by anything any more.
        Compression::ZSTD(_) | Compression::LZO => zstd(),
        Compression::GZIP(_) => Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(_) => Compression::BROTLI(BrotliLevel::default()),
        // The framing of `LZ4` was never agreed upon; the format replaced it by `LZ4_RAW`.
        Compression::LZ4 => Compression::LZ4_RAW,
        codec => codec,
    }
}

/// Whether values converted for `b` can be stored under `a`: the names and annotations may differ, the bytes may not.
fn same_storage(a: &SchemaDescriptor, b: &SchemaDescriptor) -> bool {
    a.num_columns() == b.num_columns()
        && a.columns().iter().zip(b.columns()).all(|(a, b)| {
            a.physical_type() == b.physical_type()
                && a.type_length() == b.type_length()
                && a.max_def_level() == b.max_def_level()
                && a.max_rep_level() == b.max_rep_level()
        })
}
