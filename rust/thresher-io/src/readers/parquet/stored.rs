//! The rows of a file as Parquet stores them, to be copied.
//!
//! The columns have the types that a bare schema gives them (see [`super::rewrite`]): numbers of 32 or 64 bits, bytes,
//! flags; a list is a struct around repeated structs, as its groups are. Values and levels are exactly those of the
//! file, whatever its annotations mean. Byte strings are views into the decompressed pages, so long texts are
//! not copied on their way to the encoder, nor are the values of a dictionary repeated.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    basic::{LogicalType, Type as PhysicalType},
    errors::ParquetError,
    file::metadata::ParquetMetaDataReader,
    schema::types::{Type, TypePtr},
};

use super::{
    footer::Damage,
    pages::PageMap,
    rewrite::{self, OriginalSchema},
};
use crate::{readers::guard::guarded, record::Reason, writers::views};

/// Bytes of an `INT96`.
const INT96_BYTES: i32 = 12;
/// Kept values may hold on to so many times their size of decompressed pages before they are copied out.
const MOST_HELD: usize = 2;

/// How a file is read to be copied.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) original: Arc<OriginalSchema>,
}

impl Stored {
    /// The view of the file whose footer is `footer`.
    pub(super) fn new(footer: &[u8], pages: Arc<PageMap>) -> Result<Self, Damage> {
        let corrupt = |message: String| (Reason::Corrupt, format!("the footer cannot be decoded: {message}"));
        let bare = rewrite::bare(footer).ok_or_else(|| corrupt("its schema is broken".to_owned()))?;
        let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(&bare.footer)).map_err(corrupt)?;
        let metadata = Arc::new(metadata.into_builder().set_page_index(Some(pages)).build());
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = guarded(|| ArrowReaderMetadata::try_new(metadata.clone(), plain)).map_err(corrupt)?;
        let views = Arc::new(Schema::new(with_views(plain.schema().fields())));
        let options = ArrowReaderOptions::new().with_schema(views);
        let metadata = guarded(|| ArrowReaderMetadata::try_new(metadata, options)).map_err(corrupt)?;
        Ok(Self { metadata, original: Arc::new(bare.original) })
    }

    /// The types of the rows.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }
}

/// The same fields with byte strings as views, on every level.
fn with_views(fields: &Fields) -> Fields {
    fields.iter().map(with_view).collect()
}

fn with_view(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Binary => DataType::BinaryView,
        DataType::Struct(children) => DataType::Struct(with_views(children)),
        DataType::List(item) => DataType::List(with_view(item)),
        _ => return field.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}

/// Lets go of pages of which little was kept.
pub(super) fn thin(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<ArrayRef>, ArrowError> = batch
        .columns()
        .iter()
        .map(|column| views::compact(column, |held, content| held / MOST_HELD > content))
        .collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns?, &rows)
}

/// A schema with which the encoder writes the same columns. Annotations stay where they decide the order of values, and
/// so which are the smallest and largest; what the encoder does not know goes. The file gets its own schema in the end.
pub(crate) fn encodable(node: &Type) -> Result<TypePtr, ParquetError> {
    let about = node.get_basic_info();
    if node.is_group() {
        let children: Result<Vec<TypePtr>, ParquetError> =
            node.get_fields().iter().map(|child| encodable(child)).collect();
        let mut group = Type::group_type_builder(node.name()).with_fields(children?);
        if about.has_repetition() {
            group = group.with_repetition(about.repetition());
        }
        return group.build().map(Arc::new);
    }
    if has_order(node) {
        return Ok(Arc::new(node.clone()));
    }
    let (physical, length) = match node.get_physical_type() {
        PhysicalType::INT96 => (PhysicalType::FIXED_LEN_BYTE_ARRAY, INT96_BYTES),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => (PhysicalType::FIXED_LEN_BYTE_ARRAY, type_length(node)),
        physical => (physical, -1),
    };
    let leaf = Type::primitive_type_builder(node.name(), physical).with_length(length);
    leaf.with_repetition(about.repetition()).build().map(Arc::new)
}

/// Whether the encoder knows how the values of a leaf are ordered.
pub(crate) fn has_order(leaf: &Type) -> bool {
    leaf.get_physical_type() != PhysicalType::INT96
        && !matches!(
            leaf.get_basic_info().logical_type_ref(),
            Some(
                LogicalType::_Unknown { .. }
                    | LogicalType::Variant { .. }
                    | LogicalType::Geometry { .. }
                    | LogicalType::Geography { .. }
            )
        )
}

fn type_length(leaf: &Type) -> i32 {
    match leaf {
        Type::PrimitiveType { type_length, .. } => *type_length,
        Type::GroupType { .. } => -1,
    }
}
