//! Makes imported arrays safe to read: offsets, UTF-8, views and dictionary keys are checked here, once.
//!
//! `ArrayData::validate_full` would do, but it checks the whole buffer behind a slice, which makes a column
//! of many small slices quadratic. A dictionary that chunks share is checked with the first of them, for the same
//! reason. Bytes behind a null may be anything; a column is not refused for them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::GenericStringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, GenericStringType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use thresher_io::Result;

use crate::errors::column;

/// Checks the chunks of one column, in order.
#[derive(Default)]
pub(crate) struct Validator {
    rows: usize,
    dictionaries: Dictionaries,
}

impl Validator {
    /// The next chunk with every promise checked that a read of its text relies on.
    pub(crate) fn validated(&mut self, chunk: ArrayRef) -> Result<ArrayRef> {
        let first_row = self.rows;
        self.rows += chunk.len();
        validated(chunk, first_row, &mut self.dictionaries)
    }
}

/// The dictionaries met so far, as they came and as they were checked, by the address of their first buffer. They are
/// held, so no other dictionary can come to lie where one of them lies.
type Dictionaries = HashMap<usize, Vec<(ArrayData, ArrayRef)>>;

fn validated(array: ArrayRef, first_row: usize, dictionaries: &mut Dictionaries) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => strings::<i32>(&array, first_row),
        DataType::LargeUtf8 => strings::<i64>(&array, first_row),
        DataType::Utf8View => views(&array, first_row),
        DataType::Dictionary(key, _) => match **key {
            DataType::Int8 => dictionary::<Int8Type>(&array, dictionaries),
            DataType::Int16 => dictionary::<Int16Type>(&array, dictionaries),
            DataType::Int32 => dictionary::<Int32Type>(&array, dictionaries),
            DataType::Int64 => dictionary::<Int64Type>(&array, dictionaries),
            DataType::UInt8 => dictionary::<UInt8Type>(&array, dictionaries),
            DataType::UInt16 => dictionary::<UInt16Type>(&array, dictionaries),
            DataType::UInt32 => dictionary::<UInt32Type>(&array, dictionaries),
            _ => dictionary::<UInt64Type>(&array, dictionaries),
        },
        _ => Ok(array),
    }
}

fn strings<O: OffsetSizeTrait>(array: &ArrayRef, first_row: usize) -> Result<ArrayRef> {
    // No value of this array is looked at before it is built anew.
    let unchecked = array.as_bytes::<GenericStringType<O>>();
    let (offsets, values, nulls) = (unchecked.offsets(), unchecked.values(), unchecked.nulls().cloned());
    if array.is_empty() {
        return Ok(Arc::new(GenericStringArray::<O>::new_null(0)));
    }
    let (first, last) = (offsets[0], offsets[array.len()]);
    let ascending = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascending || first < O::zero() || last.as_usize() > values.len() {
        return Err(column("the offsets of the column do not ascend inside its data; it is damaged"));
    }
    let shifted: ScalarBuffer<O> = offsets.iter().map(|&offset| offset - first).collect();
    let values = values.slice_with_length(first.as_usize(), (last - first).as_usize());
    let rebuilt =
        GenericStringArray::<O>::try_new(OffsetBuffer::new(shifted.clone()), values.clone(), nulls.clone());
    if let Ok(rebuilt) = rebuilt {
        return Ok(Arc::new(rebuilt));
    }
    // Either a text is not UTF-8, or only what lies behind a null is not.
    let mut builder = GenericStringBuilder::<O>::with_capacity(array.len(), values.len());
    for row in 0..array.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            builder.append_null();
            continue;
        }
        let range: Range<usize> = shifted[row].as_usize()..shifted[row + 1].as_usize();
        builder.append_value(std::str::from_utf8(&values[range]).map_err(|_| not_utf8(first_row + row))?);
    }
    Ok(Arc::new(builder.finish()))
}

fn views(array: &ArrayRef, first_row: usize) -> Result<ArrayRef> {
    let unchecked = array.as_string_view();
    let (views, buffers, nulls) = (unchecked.views(), unchecked.data_buffers(), unchecked.nulls());
    let rebuild =
        |views: ScalarBuffer<u128>, nulls| StringViewArray::try_new(views, Arc::clone(buffers), nulls);
    if let Ok(rebuilt) = rebuild(views.clone(), nulls.cloned()) {
        return Ok(Arc::new(rebuilt));
    }
    let is_null = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row));
    let cleared: ScalarBuffer<u128> =
        views.iter().enumerate().map(|(row, &view)| if is_null(row) { 0 } else { view }).collect();
    if let Ok(rebuilt) = rebuild(cleared.clone(), nulls.cloned()) {
        return Ok(Arc::new(rebuilt));
    }
    let damaged = |row: &usize| rebuild(cleared.slice(*row, 1), None).is_err();
    Err(not_utf8(first_row + (0..cleared.len()).find(damaged).unwrap_or_default()))
}

fn dictionary<K: ArrowDictionaryKeyType>(
    array: &ArrayRef,
    dictionaries: &mut Dictionaries,
) -> Result<ArrayRef> {
    let array = array.as_dictionary::<K>();
    let values = values_of(array.values(), dictionaries)?;
    let rebuilt = DictionaryArray::<K>::try_new(array.keys().clone(), values);
    Ok(Arc::new(
        rebuilt.map_err(|error| column(format!("the dictionary of the column is damaged: {error}")))?,
    ))
}

/// The values of a dictionary, checked now or with an earlier chunk.
fn values_of(values: &ArrayRef, dictionaries: &mut Dictionaries) -> Result<ArrayRef> {
    let data = values.to_data();
    let address = data.buffers().first().map_or(0, |buffer| buffer.as_ptr().addr());
    let known = dictionaries.get(&address).into_iter().flatten().find(|(known, _)| known.ptr_eq(&data));
    if let Some((_, checked)) = known {
        return Ok(Arc::clone(checked));
    }
    let checked = validated(Arc::clone(values), 0, dictionaries)?;
    dictionaries.entry(address).or_default().push((data, Arc::clone(&checked)));
    Ok(checked)
}

fn not_utf8(row: usize) -> thresher_io::Error {
    column(format!("text `{row}` is not UTF-8; decode it, or replace what is broken, before it comes here"))
}
