//! How a Parquet file is laid out: schema, metadata, and codec and encoding of each column.
//!
//! A result looks like its input: the Parquet schema with its annotations, the key-value metadata (the Arrow schema and
//! what pandas or Hugging Face keep there), the version of pages, the rows of a row group, each column's codec and encoding,
//! whether a dictionary paid off, and which statistics, indexes and filters it has.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};
use parquet::{
    arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata},
    basic::{BrotliLevel, Compression, Encoding, GzipLevel, Type as PhysicalType, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, KeyValue, RowGroupMetaData},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion},
    },
    schema::types::{ColumnDescPtr, ColumnPath, SchemaDescriptor, TypePtr},
};

use crate::readers::parquet::{
    ParquetInput, alike,
    rewrite::OriginalSchema,
    stored::{encodable, has_order},
};
use crate::writers::with_added;

/// Most rows of a row group.
const MOST_ROWS: usize = 1 << 20;
/// What stands in a file for its writer.
const CREATED_BY: &str = concat!("thresher version ", env!("CARGO_PKG_VERSION"));
/// Keys of metadata that describe all columns of a file: those of Arrow, and of Hugging Face datasets.
const OF_ALL_COLUMNS: [&str; 2] = [ARROW_SCHEMA_META_KEY, "huggingface"];
/// The level of polars and of the zstd command; level 1 makes text about a tenth larger.
const ZSTD_LEVEL: i32 = 3;
/// A column of this many bytes a value is text: nobody filters by its minimum and maximum.
const LONG_VALUE: i64 = 128;

/// What a Parquet file will look like.
#[derive(Debug, Clone)]
pub struct ParquetLayout {
    /// The Arrow types of the rows.
    pub(super) schema: SchemaRef,
    root: Root,
    metadata: Option<Vec<KeyValue>>,
    columns: Vec<ColumnLayout>,
    /// Most rows of a row group.
    pub(super) group_rows: usize,
    version: WriterVersion,
    has_offset_index: bool,
}

/// Where the Parquet schema comes from.
#[derive(Debug, Clone)]
enum Root {
    /// From the Arrow types.
    Derived,
    /// From a file with such types, as far as it stores them in the same way.
    Typed(Arc<SchemaDescriptor>),
    /// From a file whose values are copied as they are stored.
    Stored(Arc<SchemaDescriptor>, Arc<OriginalSchema>),
}

#[derive(Debug, Clone)]
struct ColumnLayout {
    path: ColumnPath,
    compression: Compression,
    dictionary: bool,
    encoding: Encoding,
    statistics: EnabledStatistics,
    bloom_filter: bool,
    /// Bytes in the input, to begin with the largest.
    bytes: i64,
}

impl ParquetLayout {
    /// The layout for rows of any origin: zstd, dictionaries where they pay off.
    #[must_use]
    pub fn of(schema: SchemaRef) -> Self {
        Self {
            schema,
            root: Root::Derived,
            metadata: None,
            columns: Vec::new(),
            group_rows: MOST_ROWS,
            version: WriterVersion::PARQUET_1_0,
            has_offset_index: true,
        }
    }

    /// The layout of `input`; nothing if it is damaged beyond reading.
    #[must_use]
    pub fn like(input: &ParquetInput) -> Option<Self> {
        let footer = input.metadata()?;
        let file = footer.file_metadata();
        let descriptor = file.schema_descr_ptr();
        let (schema, root) = if let Some((schema, original)) = input.stored() {
            (schema.clone(), Root::Stored(descriptor, original.clone()))
        } else {
            let schema = input.schema()?;
            let fields = alike::plain(schema.fields());
            let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
            (Arc::new(schema), Root::Typed(descriptor))
        };
        let sample = footer.row_groups().iter().find(|g| g.num_rows() > 0);
        let columns =
            sample.into_iter().flat_map(RowGroupMetaData::columns).map(ColumnLayout::like).collect();
        let metadata = Some(file.key_value_metadata().cloned().unwrap_or_default());
        let largest = footer.row_groups().iter().map(RowGroupMetaData::num_rows).max().unwrap_or(0);
        let group_rows = usize::try_from(largest).ok().filter(|rows| *rows > 0);
        let version = if input.has_pages_of_version_2() {
            WriterVersion::PARQUET_2_0
        } else {
            WriterVersion::PARQUET_1_0
        };
        let has_index = |column: &ColumnChunkMetaData| column.offset_index_offset().is_some();
        Some(Self {
            schema,
            root,
            metadata,
            columns,
            group_rows: group_rows.unwrap_or(MOST_ROWS).min(MOST_ROWS),
            version,
            has_offset_index: sample.is_none_or(|group| group.columns().iter().any(has_index)),
        })
    }

    /// The same with added columns at the end, which take the place of those of their names.
    #[must_use]
    pub(crate) fn with_added(mut self, added: &[FieldRef]) -> Self {
        if added.is_empty() {
            return self;
        }
        self.schema = with_added(&self.schema, added);
        self.root = Root::Derived;
        // What describes all columns would be wrong; the Arrow schema comes anew.
        let rest = self.metadata.unwrap_or_default().into_iter();
        self.metadata = Some(rest.filter(|entry| !OF_ALL_COLUMNS.contains(&entry.key.as_str())).collect());
        self
    }

    /// The schema that the file gets in place of the encoder's.
    pub(super) fn original(&self) -> Option<&OriginalSchema> {
        match &self.root {
            Root::Stored(_, original) => Some(original),
            Root::Derived | Root::Typed(_) => None,
        }
    }

    /// Root of the encoder's Parquet schema, and its settings.
    pub(super) fn build(&self) -> Result<(TypePtr, WriterProperties), ParquetError> {
        let root = match &self.root {
            Root::Derived => ArrowSchemaConverter::new().convert(&self.schema)?.root_schema_ptr(),
            Root::Typed(like) => {
                let derived = ArrowSchemaConverter::new().convert(&self.schema)?;
                if same_storage(like, &derived) { like.root_schema_ptr() } else { derived.root_schema_ptr() }
            }
            Root::Stored(like, _) => encodable(like.root_schema())?,
        };
        let mut builder = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_writer_version(self.version)
            .set_offset_index_disabled(!self.has_offset_index)
            .set_compression(zstd())
            .set_key_value_metadata(self.metadata.clone());
        for token in lists_of_integers(&root) {
            builder = builder
                .set_column_dictionary_enabled(token.clone(), false)
                .set_column_statistics_enabled(token, EnabledStatistics::None);
        }
        for column in &self.columns {
            builder = column.apply(builder);
        }
        let mut properties = builder.build();
        let has_types = |entry: &KeyValue| entry.key == ARROW_SCHEMA_META_KEY;
        let is_derived = matches!(self.root, Root::Derived);
        if is_derived && !self.metadata.iter().flatten().any(has_types) {
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
        let ordered = has_order(column.column_descr().self_type());
        let statistics = match column.statistics() {
            Some(_) if ordered && column.column_index_offset().is_some() && !long => EnabledStatistics::Page,
            Some(_) if ordered => EnabledStatistics::Chunk,
            _ => EnabledStatistics::None,
        };
        Self {
            path: column.column_path().clone(),
            compression: same_codec(column.compression()),
            dictionary: paid_off,
            encoding: same_encoding(column),
            statistics,
            bloom_filter: column.bloom_filter_offset().is_some(),
            bytes: column.uncompressed_size(),
        }
    }

    fn apply(&self, settings: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        settings
            .set_column_compression(self.path.clone(), self.compression)
            .set_column_dictionary_enabled(self.path.clone(), self.dictionary)
            .set_column_encoding(self.path.clone(), self.encoding)
            .set_column_statistics_enabled(self.path.clone(), self.statistics)
            .set_column_bloom_filter_enabled(self.path.clone(), self.bloom_filter)
    }
}

/// Columns of lists of integers, as ids of tokens are. A dictionary costs a look-up a value, and hides from zstd what repeats:
/// of 7 M ids of English text 9.4 bits were left of each, and 7.1 without. Nobody filters by what a list holds.
fn lists_of_integers(root: &TypePtr) -> Vec<ColumnPath> {
    let leaves = SchemaDescriptor::new(root.clone());
    let is_token = |leaf: &&ColumnDescPtr| {
        leaf.max_rep_level() > 0 && matches!(leaf.physical_type(), PhysicalType::INT32 | PhysicalType::INT64)
    };
    leaves.columns().iter().filter(is_token).map(|leaf| leaf.path().clone()).collect()
}

/// The encoding of values that are in no dictionary.
fn same_encoding(column: &ColumnChunkMetaData) -> Encoding {
    let special = |encoding: &Encoding| {
        matches!(
            encoding,
            Encoding::DELTA_BINARY_PACKED
                | Encoding::DELTA_LENGTH_BYTE_ARRAY
                | Encoding::DELTA_BYTE_ARRAY
                | Encoding::BYTE_STREAM_SPLIT
        )
    };
    match column.column_type() {
        // Levels and values of flags may be RLE, which says nothing about either.
        PhysicalType::BOOLEAN | PhysicalType::INT96 => Encoding::PLAIN,
        _ => column.encodings().find(special).unwrap_or(Encoding::PLAIN),
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
