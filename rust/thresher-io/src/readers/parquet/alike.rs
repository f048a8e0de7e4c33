//! Whether rows of several files can go into one as they are stored.
//!
//! Values that are copied as they are stored mean what the schema of the output says. So the inputs of one output
//! must agree on every type. Where they do not, all are copied by their Arrow types and converted to those of the first
//! one; what that would change is refused by name.

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, FieldRef, Fields};
use parquet::{basic::Type as PhysicalType, schema::types::Type};

use super::{ParquetInput, stored::has_order};
use crate::error::{Error, Result};

/// Prepares files that are written into one.
///
/// # Errors
/// `Error::Data` for a column that cannot be converted without loss.
pub(crate) fn join(inputs: &mut [&mut ParquetInput]) -> Result<()> {
    let mut rest = inputs.iter().filter(|input| input.content.is_ok());
    let Some(first) = rest.next() else { return Ok(()) };
    let Some(differs) = rest.find_map(|other| first.difference(other)) else { return Ok(()) };
    for input in inputs.iter_mut() {
        if let Some(column) = input.inexact_column() {
            return Err(Error::data(
                input.file.path(),
                format!(
                    "column `{column}` has a type that cannot be converted, but column `{differs}` differs between \
                     the inputs; choose a folder as output"
                ),
            ));
        }
        input.by_types = true;
    }
    Ok(())
}

impl ParquetInput {
    /// Copies rows by their Arrow types from now on.
    ///
    /// # Errors
    /// `Error::Data` for a column of a type that cannot be written again in that way.
    pub(crate) fn copy_by_types(&mut self) -> Result<()> {
        if let Some(column) = self.inexact_column() {
            return Err(Error::data(
                self.file.path(),
                format!(
                    "column `{column}` has a type that cannot be written beside others that change; drop it first"
                ),
            ));
        }
        self.by_types = true;
        Ok(())
    }

    /// The first column that `other` stores differently or means differently.
    fn difference(&self, other: &Self) -> Option<String> {
        let (Ok(one), Ok(two)) = (&self.content, &other.content) else { return None };
        let root =
            |input: &Self| input.metadata().map(|m| m.file_metadata().schema_descr().root_schema_ptr());
        let (a, b) = (root(self)?, root(other)?);
        let (ours, theirs) = (one.exact.schema().fields(), two.exact.schema().fields());
        let count = a.get_fields().len().max(b.get_fields().len()).max(ours.len());
        (0..count).find_map(|at| {
            let same = match (a.get_fields().get(at), b.get_fields().get(at)) {
                (Some(a), Some(b)) => is_stored_alike(a, b),
                _ => false,
            };
            let same_meaning = match (ours.get(at), theirs.get(at)) {
                (Some(a), Some(b)) => meaning(a.data_type()) == meaning(b.data_type()),
                (a, b) => a.is_none() && b.is_none(),
            };
            let named = a.get_fields().get(at).or_else(|| b.get_fields().get(at));
            (!same || !same_meaning).then(|| named.map_or_else(String::new, |field| field.name().to_owned()))
        })
    }

    /// The first column whose values or type an Arrow type does not carry.
    fn inexact_column(&self) -> Option<String> {
        let file = self.metadata()?.file_metadata();
        let lossy = file.schema_descr().columns().iter().find(|column| !has_order(column.self_type()));
        let by_storage = lossy.map(|column| column.path().string());
        by_storage.or_else(|| {
            let field = self.schema()?.fields().iter().find(|field| has_date64(field.data_type()))?;
            Some(field.name().clone())
        })
    }
}

fn is_stored_alike(a: &Type, b: &Type) -> bool {
    let (one, two) = (a.get_basic_info(), b.get_basic_info());
    let about = a.name() == b.name()
        && one.has_repetition() == two.has_repetition()
        && (!one.has_repetition() || one.repetition() == two.repetition())
        && one.converted_type() == two.converted_type()
        && one.logical_type_ref() == two.logical_type_ref();
    about
        && match (a, b) {
            (Type::GroupType { fields: a, .. }, Type::GroupType { fields: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_stored_alike(a, b))
            }
            (
                Type::PrimitiveType { physical_type: a, type_length: n, scale: s, precision: p, .. },
                Type::PrimitiveType { physical_type: b, type_length: m, scale: t, precision: q, .. },
            ) => a == b && (*a != PhysicalType::FIXED_LEN_BYTE_ARRAY || n == m) && (s, p) == (t, q),
            _ => false,
        }
}

/// A type without the forms that say nothing about values: sizes of offsets, views, dictionaries, runs.
fn meaning(kind: &DataType) -> DataType {
    let inner = |field: &FieldRef| {
        let field = field.as_ref().clone().with_data_type(meaning(field.data_type()));
        Arc::new(field.with_metadata(HashMap::new()))
    };
    match kind {
        DataType::Dictionary(_, values) => meaning(values),
        DataType::RunEndEncoded(_, values) => meaning(values.data_type()),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(inner(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        kind => kind.clone(),
    }
}

fn has_date64(kind: &DataType) -> bool {
    match meaning(kind) {
        DataType::Date64 => true,
        DataType::List(item) | DataType::Map(item, _) => has_date64(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_date64(field.data_type())),
        _ => false,
    }
}

/// The types of columns without dictionaries, whose keys would have to be merged.
pub(crate) fn plain(fields: &Fields) -> Fields {
    fields
        .iter()
        .map(|field| match field.data_type() {
            DataType::Dictionary(_, values) => {
                Arc::new(field.as_ref().clone().with_data_type(values.as_ref().clone()))
            }
            _ => field.clone(),
        })
        .collect()
}

/// Whether a column has a dictionary with keys of 8 or 16 bits. Its rows must stay in row groups like those of the input:
/// readers make such keys for each row group, and more values than the keys can count would be in none of them.
pub(super) fn has_narrow_keys(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(keys, _) => {
            matches!(keys.as_ref(), DataType::Int8 | DataType::UInt8 | DataType::Int16 | DataType::UInt16)
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => has_narrow_keys(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_narrow_keys(field.data_type())),
        _ => false,
    }
}
