//! Fields of record batches: from a dotted path to text, ids and ranks.
//!
//! A path is resolved once against the schema ([`resolve`]), where a wrong name or type becomes one error that says
//! which columns there are, and then once per batch ([`Rows::of`]). What is left per row is an index into an array
//! of a known type; nothing is copied but dates and times, which have to be written out.

use std::fmt;
use std::path::Path;

use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    LargeBinaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray, UInt64Array,
    builder::StringBuilder,
    cast::AsArray,
    types::{Decimal32Type, Decimal64Type},
};
use arrow_buffer::NullBuffer;
use arrow_cast::{
    cast,
    display::{ArrayFormatter, FormatOptions},
};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use thresher_core::json::{FieldPath, Fields, Scalar};

use crate::error::Error;
use crate::suggest::{self, nearest};

/// Takes some columns of some slots, or why they cannot be decoded.
pub(crate) type SlotBatch<'r> =
    &'r mut dyn FnMut(&[u32], Result<RecordBatch, &str>) -> crate::error::Result<()>;

/// Where the fields of a run stand in a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Indices from the outermost field to the text; without them the text is the whole row as JSON.
    pub(crate) text: Option<Vec<usize>>,
    /// The same for the id.
    pub(crate) id: Option<Vec<usize>>,
    /// The same for the rank.
    pub(crate) rank: Option<Vec<usize>>,
}

impl Places {
    /// Every place that is set; none if whole rows are wanted.
    pub(crate) fn all(&self) -> Option<impl Iterator<Item = &[usize]>> {
        let text = self.text.as_ref()?;
        Some(std::iter::once(text).chain(&self.id).chain(&self.rank).map(Vec::as_slice))
    }
}

/// Finds the fields of a run in `schema` and checks that their types can be read.
///
/// # Errors
/// A sentence that names the column, its type and the columns that would do.
pub(crate) fn resolve(schema: &Schema, fields: &Fields) -> Result<Places, String> {
    let text = fields.text.as_ref().map(|path| find_text(schema, path)).transpose()?;
    let scalar = |path: &Option<FieldPath>| {
        let Some(path) = path else { return Ok(None) };
        let (place, field) = find(schema, path)?;
        if is_scalar(field.data_type()) {
            return Ok(Some(place));
        }
        Err(format!(
            "column `{path}` is of type {}, which is neither a number nor a string; {}",
            field.data_type(),
            listing("the columns that are one are", &leaves(schema, is_scalar))
        ))
    };
    Ok(Places { text, id: scalar(&fields.id)?, rank: scalar(&fields.rank)? })
}

/// Checks the fields of a run before anything of the file at `path` is read.
///
/// # Errors
/// `Error::Parameter` with what [`resolve`] says: who asks for a field that is not there has mistyped it.
pub(crate) fn check(schema: &Schema, fields: &Fields, path: &Path) -> crate::Result<()> {
    let wrong = |message| Error::Parameter(format!("{}: {message}", path.display()));
    resolve(schema, fields).map(drop).map_err(wrong)
}

fn find_text(schema: &Schema, path: &FieldPath) -> Result<Vec<usize>, String> {
    let (place, field) = find(schema, path)?;
    if is_text(field.data_type()) || is_bytes(field.data_type()) || *field.data_type() == DataType::Null {
        return Ok(place);
    }
    Err(format!(
        "column `{path}` is of type {}, not text; {}",
        field.data_type(),
        listing("the text columns are", &leaves(schema, is_text))
    ))
}

fn find<'a>(schema: &'a Schema, path: &FieldPath) -> Result<(Vec<usize>, &'a Field), String> {
    let mut siblings = schema.fields();
    let mut place = Vec::new();
    let mut parts = path.parts().iter();
    let mut found: Option<&Field> = None;
    for part in parts.by_ref() {
        let Some((at, field)) = siblings.iter().enumerate().find(|(_, f)| f.name() == part) else {
            return Err(missing(schema, path));
        };
        place.push(at);
        found = Some(field);
        match field.data_type() {
            DataType::Struct(children) => siblings = children,
            _ => break,
        }
    }
    match found {
        Some(field) if parts.next().is_none() => Ok((place, field)),
        _ => Err(missing(schema, path)),
    }
}

fn missing(schema: &Schema, path: &FieldPath) -> String {
    let all = leaves(schema, |_| true);
    if all.is_empty() {
        return format!("no column `{path}`; the file has no columns");
    }
    let wanted = path.to_string();
    format!("no column `{path}`; {}{}", nearest(&wanted, &all), listing("the columns are", &all))
}

fn listing(head: &str, names: &[String]) -> String {
    if names.is_empty() {
        "there is no such column in the file".to_owned()
    } else {
        suggest::listing(head, names)
    }
}

/// Dotted names of every field that is not a struct, in file order, as `FieldPath::parse` takes them.
fn leaves(schema: &Schema, accept: impl Fn(&DataType) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    let mut stack: Vec<(String, &Field)> =
        schema.fields().iter().rev().map(|f| (escaped(f), f.as_ref())).collect();
    while let Some((name, field)) = stack.pop() {
        match field.data_type() {
            DataType::Struct(children) => {
                stack.extend(children.iter().rev().map(|c| (format!("{name}.{}", escaped(c)), c.as_ref())));
            }
            kind if accept(kind) => names.push(name),
            _ => {}
        }
    }
    names
}

fn escaped(field: &Field) -> String {
    suggest::escaped(field.name())
}

/// Whether a column of this type holds documents.
pub(crate) fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Whether a column of this type may hold documents: bytes that are UTF-8 are text too.
fn is_bytes(kind: &DataType) -> bool {
    match kind {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::Dictionary(_, values) => is_bytes(values),
        _ => false,
    }
}

fn is_scalar(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_scalar(values),
        kind => !kind.is_nested(),
    }
}

/// Text of one batch.
#[derive(Debug)]
enum Strings {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

impl Strings {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Small(array.as_string().clone()),
            DataType::LargeUtf8 => Self::Large(array.as_string().clone()),
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            DataType::Null => Self::Small(StringArray::new_null(array.len())),
            // Views into the dictionary's values: the text itself is not copied.
            _ => Self::View(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }

    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Small(a) => a.is_valid(row).then(|| a.value(row)),
            Self::Large(a) => a.is_valid(row).then(|| a.value(row)),
            Self::View(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }
}

/// Ids or ranks of one batch.
#[derive(Debug)]
enum Scalars {
    Int(Int64Array),
    Unsigned(UInt64Array),
    Wide(Decimal128Array),
    Float(Float64Array),
    Number(Strings),
    Text(Strings),
    Nothing,
}

impl Scalars {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        use DataType as T;
        Ok(match array.data_type() {
            T::Dictionary(_, values) => Self::new(&cast(array, values)?)?,
            kind if is_text(kind) => Self::Text(Strings::new(array)?),
            kind if kind.is_unsigned_integer() => {
                Self::Unsigned(cast(array, &T::UInt64)?.as_primitive().clone())
            }
            kind if kind.is_signed_integer() => Self::Int(cast(array, &T::Int64)?.as_primitive().clone()),
            // A decimal without a fraction is how many databases write a 64-bit key; a float would blur it.
            T::Decimal32(_, 0) => Self::Wide(array.as_primitive::<Decimal32Type>().unary::<_, _>(i128::from)),
            T::Decimal64(_, 0) => Self::Wide(array.as_primitive::<Decimal64Type>().unary::<_, _>(i128::from)),
            T::Decimal128(_, 0) => Self::Wide(array.as_primitive().clone()),
            kind if kind.is_decimal() => {
                Self::Number(Strings::Small(cast(array, &T::Utf8)?.as_string().clone()))
            }
            kind if kind.is_floating() => Self::Float(cast(array, &T::Float64)?.as_primitive().clone()),
            kind if kind.is_temporal() => Self::Text(Strings::Small(written_out(array)?)),
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => {
                Self::Text(Strings::Small(in_hex(array)?))
            }
            _ => Self::Nothing,
        })
    }

    fn get(&self, row: usize) -> Option<Scalar<'_>> {
        match self {
            Self::Int(a) => a.is_valid(row).then(|| Scalar::Int(a.value(row).into())),
            Self::Unsigned(a) => a.is_valid(row).then(|| Scalar::Int(a.value(row).into())),
            Self::Wide(a) => a.is_valid(row).then(|| Scalar::Int(a.value(row))),
            Self::Float(a) => a.is_valid(row).then(|| Scalar::Float(a.value(row))),
            Self::Number(a) => a.get(row).map(Scalar::Number),
            Self::Text(a) => a.get(row).map(Scalar::Text),
            Self::Nothing => None,
        }
    }
}

/// Dates and times in ISO 8601. A time with a zone is written in UTC, which needs no table of zones.
fn written_out(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let array = match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(array, &DataType::Timestamp(*unit, Some("+00:00".into())))?
        }
        _ => array.clone(),
    };
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(&array, &options)?;
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        // A date beyond the calendar has no text; it counts as absent.
        out.append_option(array.is_valid(row).then(|| formatter.value(row).try_to_string().ok()).flatten());
    }
    Ok(out.finish())
}

/// Bytes, such as a UUID, in lower-case hexadecimal.
fn in_hex(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    struct Hex<'a>(&'a [u8]);
    impl fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
        }
    }
    fn collect<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> StringArray {
        values.map(|v| v.map(|v| Hex(v).to_string())).collect()
    }
    let array = if matches!(array.data_type(), DataType::BinaryView) {
        cast(array, &DataType::LargeBinary)?
    } else {
        array.clone()
    };
    let any = array.as_any();
    Ok(if let Some(a) = any.downcast_ref::<BinaryArray>() {
        collect(a.iter())
    } else if let Some(a) = any.downcast_ref::<LargeBinaryArray>() {
        collect(a.iter())
    } else if let Some(a) = any.downcast_ref::<FixedSizeBinaryArray>() {
        collect(a.iter())
    } else {
        return Err(ArrowError::SchemaError(format!("{} does not hold bytes", array.data_type())));
    })
}

/// Each row as one JSON object. Nulls are left out: a schema has room for every field of every row, and fills it so.
fn as_json(batch: &RecordBatch) -> Result<LargeStringArray, ArrowError> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(false).build::<_, LineDelimited>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let lines = String::from_utf8(writer.into_inner())
        .map_err(|error| ArrowError::JsonError(format!("rows became invalid UTF-8: {error}")))?;
    let rows: LargeStringArray = lines.lines().map(Some).collect();
    if rows.len() == batch.num_rows() {
        return Ok(rows);
    }
    Err(ArrowError::JsonError(format!("{} rows became {} lines", batch.num_rows(), rows.len())))
}

/// A leaf of a batch with the nulls of the structs around it.
fn leaf(batch: &RecordBatch, place: &[usize]) -> Result<(ArrayRef, Option<NullBuffer>), ArrowError> {
    let lost = || ArrowError::SchemaError("the batch does not have the columns of its schema".to_owned());
    let (first, rest) = place.split_first().ok_or_else(lost)?;
    let mut array = batch.columns().get(*first).ok_or_else(lost)?.clone();
    let mut around = None;
    for at in rest {
        let parent = array.as_struct_opt().ok_or_else(lost)?;
        around = NullBuffer::union(around.as_ref(), parent.nulls());
        let child = parent.columns().get(*at).ok_or_else(lost)?.clone();
        array = child;
    }
    Ok((array, around))
}

fn hidden(around: Option<&NullBuffer>, row: usize) -> bool {
    around.is_some_and(|n| n.is_null(row))
}

/// The fields of a run in one batch.
#[derive(Debug)]
pub(crate) struct Rows {
    text: (Strings, Option<NullBuffer>),
    id: Option<(Scalars, Option<NullBuffer>)>,
    rank: Option<(Scalars, Option<NullBuffer>)>,
}

impl Rows {
    /// Prepares the columns at `places`.
    ///
    /// # Errors
    /// Values that arrow cannot convert.
    pub(crate) fn of(batch: &RecordBatch, places: &Places) -> Result<Self, ArrowError> {
        let scalar = |place: &Option<Vec<usize>>| {
            let Some(place) = place else { return Ok(None) };
            let (array, around) = leaf(batch, place)?;
            Ok::<_, ArrowError>(Some((Scalars::new(&array)?, around)))
        };
        let text = match &places.text {
            Some(place) => {
                let (array, around) = leaf(batch, place)?;
                (Strings::new(&array)?, around)
            }
            None => (Strings::Large(as_json(batch)?), None),
        };
        Ok(Self { text, id: scalar(&places.id)?, rank: scalar(&places.rank)? })
    }

    /// The text of a row; nothing if it, or a struct around it, is null.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        if hidden(self.text.1.as_ref(), row) { None } else { self.text.0.get(row) }
    }

    /// The id of a row.
    pub(crate) fn id(&self, row: usize) -> Option<Scalar<'_>> {
        Self::scalar(self.id.as_ref(), row)
    }

    /// The rank of a row.
    pub(crate) fn rank(&self, row: usize) -> Option<Scalar<'_>> {
        Self::scalar(self.rank.as_ref(), row)
    }

    fn scalar(column: Option<&(Scalars, Option<NullBuffer>)>, row: usize) -> Option<Scalar<'_>> {
        let (values, around) = column?;
        if hidden(around.as_ref(), row) { None } else { values.get(row) }
    }
}

#[cfg(test)]
mod tests;
