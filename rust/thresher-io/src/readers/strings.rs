//! Strings that are read as bytes, and doubted one by one.
//!
//! A decoder checks a page or a batch of strings as a whole, so one string that is not UTF-8 would cost all of them. Readers
//! therefore decode strings as bytes ([`as_bytes`]), and here each becomes a string again if it is one. A row with
//! a string that is not, in any of the columns that a run reads, is told apart from the others.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StringViewArray, StructArray, cast::AsArray, make_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, SchemaRef};
use arrow_select::filter::filter_record_batch;

/// The same fields with strings as bytes of the same layout, on every level.
pub(crate) fn as_bytes(fields: &Fields) -> Fields {
    map(fields, &|kind| match kind {
        DataType::Utf8 => Some(DataType::Binary),
        DataType::LargeUtf8 => Some(DataType::LargeBinary),
        DataType::Utf8View => Some(DataType::BinaryView),
        _ => None,
    })
}

/// The same fields with types changed where `change` says so, on every level.
pub(crate) fn map(fields: &Fields, change: &impl Fn(&DataType) -> Option<DataType>) -> Fields {
    fields.iter().map(|field| map_field(field, change)).collect()
}

fn map_field(field: &FieldRef, change: &impl Fn(&DataType) -> Option<DataType>) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(map_type(field.data_type(), change)))
}

fn map_type(kind: &DataType, change: &impl Fn(&DataType) -> Option<DataType>) -> DataType {
    if let Some(changed) = change(kind) {
        return changed;
    }
    match kind {
        DataType::Struct(fields) => DataType::Struct(map(fields, change)),
        DataType::List(item) => DataType::List(map_field(item, change)),
        DataType::LargeList(item) => DataType::LargeList(map_field(item, change)),
        DataType::ListView(item) => DataType::ListView(map_field(item, change)),
        DataType::LargeListView(item) => DataType::LargeListView(map_field(item, change)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(map_field(item, change), *size),
        DataType::Map(entries, sorted) => DataType::Map(map_field(entries, change), *sorted),
        DataType::Dictionary(keys, values) => {
            DataType::Dictionary(keys.clone(), Box::new(map_type(values, change)))
        }
        DataType::RunEndEncoded(ends, values) => {
            DataType::RunEndEncoded(ends.clone(), map_field(values, change))
        }
        DataType::Union(fields, mode) => {
            DataType::Union(fields.iter().map(|(id, field)| (id, map_field(field, change))).collect(), *mode)
        }
        kind => kind.clone(),
    }
}

/// The types in which rows with bytes for strings are looked at: dictionaries are resolved, since a string that is not UTF-8
/// costs the rows that have it, not the dictionary.
pub(crate) fn readable(fields: &Fields) -> Fields {
    map(fields, &|kind| match kind {
        DataType::Dictionary(_, values) => match values.as_ref() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8View),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(DataType::BinaryView),
            _ => None,
        },
        _ => None,
    })
}

/// The same fields with the one at `place` as a string, if it is bytes.
pub(crate) fn text_type(fields: &Fields, place: &[usize]) -> Fields {
    let Some((&first, rest)) = place.split_first() else { return fields.clone() };
    let change = |(at, field): (usize, &FieldRef)| -> FieldRef {
        let kind = match field.data_type() {
            _ if at != first => return field.clone(),
            DataType::Struct(children) => DataType::Struct(text_type(children, rest)),
            DataType::BinaryView => DataType::Utf8View,
            DataType::Binary => DataType::Utf8,
            DataType::LargeBinary => DataType::LargeUtf8,
            _ => return field.clone(),
        };
        Arc::new(Field::clone(field).with_data_type(kind))
    };
    fields.iter().enumerate().map(change).collect()
}

/// Gives `batch` the types of `schema` (see [`readable`]), in which some bytes are strings. A row with a string that is
/// not UTF-8 is left out; the flags say which.
///
/// # Errors
/// Columns that do not fit the schema.
pub(crate) fn checked(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<(RecordBatch, Option<Vec<bool>>), ArrowError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (array, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(resolved(array, field.data_type())?);
    }
    let mut bad = vec![false; batch.num_rows()];
    for (array, field) in columns.iter().zip(schema.fields()) {
        mark(array, field.data_type(), &mut bad);
    }
    let any = bad.contains(&true);
    if any {
        let good: BooleanArray = bad.iter().map(|bad| Some(!bad)).collect();
        let fields: Fields = columns
            .iter()
            .zip(schema.fields())
            .map(|(array, field)| Field::new(field.name(), array.data_type().clone(), true))
            .collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let all =
            RecordBatch::try_new_with_options(Arc::new(arrow_schema::Schema::new(fields)), columns, &rows)?;
        columns = filter_record_batch(&all, &good)?.columns().to_vec();
    }
    for (array, field) in columns.iter_mut().zip(schema.fields()) {
        *array = as_strings(array, field.data_type(), true)?;
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(bad.iter().filter(|bad| !**bad).count()));
    Ok((RecordBatch::try_new_with_options(schema.clone(), columns, &rows)?, any.then_some(bad)))
}

/// Resolves dictionaries of bytes where `wanted` has none.
fn resolved(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), wanted) {
        (DataType::Dictionary(..), DataType::Utf8View | DataType::BinaryView) => {
            cast(array, &DataType::BinaryView)
        }
        (DataType::Struct(_), DataType::Struct(wanted)) => {
            let (fields, mut children, nulls) = array.as_struct().clone().into_parts();
            for (child, wanted) in children.iter_mut().zip(wanted) {
                *child = resolved(child, wanted.data_type())?;
            }
            let fields: Fields = fields
                .iter()
                .zip(&children)
                .map(|(field, child)| Field::clone(field).with_data_type(child.data_type().clone()))
                .collect();
            Ok(Arc::new(StructArray::try_new_with_length(fields, children, nulls, array.len())?))
        }
        _ => Ok(array.clone()),
    }
}

/// Marks the rows whose value has bytes that should be a string and are not.
fn mark(array: &ArrayRef, wanted: &DataType, bad: &mut [bool]) {
    let is_bad = |bytes: &[u8]| text(bytes).is_none();
    match (array.data_type(), wanted) {
        (DataType::BinaryView, DataType::Utf8View) => {
            let values = array.as_binary_view();
            for (row, bad) in bad.iter_mut().enumerate() {
                *bad |= values.is_valid(row) && is_bad(values.value(row));
            }
        }
        (DataType::Binary, DataType::Utf8) => mark_bytes(array.as_binary::<i32>(), is_bad, bad),
        (DataType::LargeBinary, DataType::LargeUtf8) => mark_bytes(array.as_binary::<i64>(), is_bad, bad),
        (DataType::Struct(_), DataType::Struct(wanted)) => {
            for (child, wanted) in array.as_struct().columns().iter().zip(wanted) {
                let mut below = vec![false; child.len()];
                mark(child, wanted.data_type(), &mut below);
                let rows = bad.iter_mut().zip(below).enumerate();
                rows.for_each(|(row, (bad, below))| *bad |= below && array.is_valid(row));
            }
        }
        _ => mark_items(array, wanted, bad),
    }
}

fn mark_bytes<O: OffsetSizeTrait>(
    values: &GenericBinaryArray<O>,
    is_bad: impl Fn(&[u8]) -> bool,
    bad: &mut [bool],
) {
    for (row, bad) in bad.iter_mut().enumerate() {
        *bad |= values.is_valid(row) && is_bad(values.value(row));
    }
}

/// Marks the rows of a list of which an item is bad.
fn mark_items(array: &ArrayRef, wanted: &DataType, bad: &mut [bool]) {
    let (items, wanted): (ArrayRef, &DataType) = match (array.data_type(), wanted) {
        (DataType::List(_), DataType::List(item)) => {
            (array.as_list::<i32>().values().clone(), item.data_type())
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            (array.as_list::<i64>().values().clone(), item.data_type())
        }
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, _)) => {
            (array.as_fixed_size_list().values().clone(), item.data_type())
        }
        (DataType::Map(..), DataType::Map(entries, _)) => {
            (Arc::new(array.as_map().entries().clone()), entries.data_type())
        }
        _ => return,
    };
    let mut bad_items = vec![false; items.len()];
    mark(&items, wanted, &mut bad_items);
    if !bad_items.contains(&true) {
        return;
    }
    for (row, bad) in bad.iter_mut().enumerate() {
        let range = match array.data_type() {
            DataType::List(_) => span(array.as_list::<i32>().value_offsets(), row),
            DataType::LargeList(_) => span(array.as_list::<i64>().value_offsets(), row),
            DataType::Map(..) => span(array.as_map().value_offsets(), row),
            _ => {
                let size = array.as_fixed_size_list().value_length() as usize;
                row * size..(row + 1) * size
            }
        };
        *bad |= array.is_valid(row) && bad_items[range].contains(&true);
    }
}

fn span<O: OffsetSizeTrait>(offsets: &[O], row: usize) -> std::ops::Range<usize> {
    offsets[row].as_usize()..offsets[row + 1].as_usize()
}

/// Gives an array whose bytes were checked the type `wanted`. With `all` every value was; else some may stand under a null
/// list, where nobody looks at them.
fn as_strings(array: &ArrayRef, wanted: &DataType, all: bool) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), wanted) {
        (have, wanted) if have == wanted => Ok(array.clone()),
        (DataType::BinaryView, DataType::Utf8View) => {
            let views = array.as_binary_view();
            if all && under_nulls(array).all(|row| text(views.value(row)).is_some()) {
                // SAFETY: `mark` has found every value to be UTF-8, rows with another were left out, and what stands
                // under nulls was looked at here.
                return Ok(Arc::new(unsafe { views.clone().to_string_view_unchecked() }));
            }
            Ok(Arc::new(views.iter().map(|value| value.and_then(text)).collect::<StringViewArray>()))
        }
        (DataType::Binary, DataType::Utf8) => Ok(to_strings(array.as_binary::<i32>(), all)),
        (DataType::LargeBinary, DataType::LargeUtf8) => Ok(to_strings(array.as_binary::<i64>(), all)),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let (_, mut children, nulls) = array.as_struct().clone().into_parts();
            let all = all && nulls.as_ref().is_none_or(|nulls| nulls.null_count() == 0);
            for (child, field) in children.iter_mut().zip(fields) {
                *child = as_strings(child, field.data_type(), all)?;
            }
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, nulls, array.len())?))
        }
        (DataType::Map(..), DataType::Map(field, _))
        | (DataType::List(_), DataType::List(field))
        | (DataType::LargeList(_), DataType::LargeList(field))
        | (DataType::FixedSizeList(..), DataType::FixedSizeList(field, _)) => {
            let data = array.to_data();
            let mut children = Vec::new();
            for child in data.child_data() {
                children.push(as_strings(&make_array(child.clone()), field.data_type(), false)?.to_data());
            }
            Ok(make_array(data.into_builder().data_type(wanted.clone()).child_data(children).build()?))
        }
        _ => cast(array, wanted),
    }
}

/// The rows that are null.
fn under_nulls(array: &dyn Array) -> impl Iterator<Item = usize> {
    let rows = if array.null_count() == 0 { 0 } else { array.len() };
    (0..rows).filter(|&row| array.is_null(row))
}

fn text(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

fn to_strings<O: OffsetSizeTrait>(bytes: &GenericBinaryArray<O>, all: bool) -> ArrayRef {
    if all && under_nulls(bytes).all(|row| text(bytes.value(row)).is_some()) {
        let (offsets, values, nulls) = bytes.clone().into_parts();
        // SAFETY: `mark` has found every value to be UTF-8, rows with another were left out, and what stands under nulls
        // was looked at here.
        return Arc::new(unsafe { GenericStringArray::<O>::new_unchecked(offsets, values, nulls) });
    }
    Arc::new(bytes.iter().map(|value| value.and_then(text)).collect::<GenericStringArray<O>>())
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, BinaryViewArray, ListArray};
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_schema::Schema;

    use super::*;

    const LATIN: &[u8] = b"caf\xe9";

    fn check(array: ArrayRef, wanted: DataType) -> (ArrayRef, Option<Vec<bool>>) {
        let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("c", wanted, true)]));
        let (batch, bad) = checked(&batch, &schema).unwrap();
        (batch.column(0).clone(), bad)
    }

    #[test]
    fn rows_that_are_not_utf8_are_left_out_in_every_form() {
        let values = [Some("é".as_bytes()), Some(LATIN), None, Some(b"a longer one than twelve bytes")];
        let view: ArrayRef = Arc::new(BinaryViewArray::from_iter(values));
        let small: ArrayRef = Arc::new(BinaryArray::from_iter(values));
        let large = cast(&small, &DataType::LargeBinary).unwrap();
        let dictionary =
            cast(&small, &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Binary)))
                .unwrap();
        for (array, wanted) in [
            (view, DataType::Utf8View),
            (small, DataType::Utf8),
            (large, DataType::LargeUtf8),
            (dictionary, DataType::Utf8View),
        ] {
            let (strings, bad) = check(array, wanted.clone());
            assert_eq!(bad, Some(vec![false, true, false, false]));
            let strings = cast(&strings, &DataType::Utf8).unwrap();
            let texts: Vec<_> = strings.as_string::<i32>().iter().collect();
            assert_eq!(texts, [Some("é"), None, Some("a longer one than twelve bytes")], "{wanted}");
        }
    }

    #[test]
    fn bad_items_cost_their_row_alone() {
        let items: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"a", LATIN, b"b", LATIN]));
        let field = Arc::new(Field::new("item", DataType::Binary, true));
        // The last list is null, whatever stands under it.
        let nulls = NullBuffer::from(vec![true, true, true, false]);
        let ends = OffsetBuffer::from_lengths([1, 1, 1, 1]);
        let lists: ArrayRef = Arc::new(ListArray::new(field, ends, items, Some(nulls)));
        let wanted = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let (strings, bad) = check(lists.slice(1, 2), wanted);
        assert_eq!(bad, Some(vec![true, false]));
        assert_eq!(strings.as_list::<i32>().value(0).as_string::<i32>().value(0), "b");
    }

    #[test]
    fn bytes_under_a_null_are_no_matter() {
        let nulls = NullBuffer::from(vec![false, true]);
        let array = BinaryArray::new(OffsetBuffer::from_lengths([4, 1]), b"caf\xe9a".into(), Some(nulls));
        let (strings, bad) = check(Arc::new(array), DataType::Utf8);
        assert_eq!((bad, strings.null_count()), (None, 1));
        assert_eq!(strings.as_string::<i32>().value(1), "a");
    }
}
