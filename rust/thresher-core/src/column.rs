//! Arrow text columns as borrowed strings: the one file that names Arrow input arrays.
//!
//! Whatever way the text comes (string, large string, string view, dictionary; sliced, chunked, with nulls), the
//! core sees one `Option<&str>` a document, 16 bytes that point into the caller's buffers. Nothing is
//! copied, and no kernel ever handles an offset.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayAccessor, DictionaryArray, PrimitiveArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// Whether a column of this type is text.
#[must_use]
pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Appends the texts of `array` to `texts`, a null as `None`.
///
/// # Errors
/// `Error::Column` if the array is not of text.
pub fn append_texts<'a>(array: &'a dyn Array, texts: &mut Vec<Option<&'a str>>) -> Result<()> {
    match array.data_type() {
        DataType::Utf8 => texts.extend(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => texts.extend(array.as_string::<i64>().iter()),
        DataType::Utf8View => texts.extend(array.as_string_view().iter()),
        DataType::Null => texts.extend(std::iter::repeat_n(None, array.len())),
        DataType::Dictionary(key, values) if is_text(values) => match **key {
            DataType::Int8 => append_dictionary::<Int8Type>(array.as_dictionary(), texts)?,
            DataType::Int16 => append_dictionary::<Int16Type>(array.as_dictionary(), texts)?,
            DataType::Int32 => append_dictionary::<Int32Type>(array.as_dictionary(), texts)?,
            DataType::Int64 => append_dictionary::<Int64Type>(array.as_dictionary(), texts)?,
            DataType::UInt8 => append_dictionary::<UInt8Type>(array.as_dictionary(), texts)?,
            DataType::UInt16 => append_dictionary::<UInt16Type>(array.as_dictionary(), texts)?,
            DataType::UInt32 => append_dictionary::<UInt32Type>(array.as_dictionary(), texts)?,
            _ => append_dictionary::<UInt64Type>(array.as_dictionary(), texts)?,
        },
        other => {
            return Err(Error::Column(format!(
                "the column is of type `{other}`, but text is string, large_string, string_view or a dictionary of these; \
                 cast it first"
            )));
        }
    }
    Ok(())
}

fn append_dictionary<'a, K: ArrowDictionaryKeyType>(
    array: &'a DictionaryArray<K>,
    texts: &mut Vec<Option<&'a str>>,
) -> Result<()> {
    let (keys, values) = (array.keys(), array.values());
    match values.data_type() {
        DataType::Utf8 => append_by_key(keys, values.as_string::<i32>(), texts),
        DataType::LargeUtf8 => append_by_key(keys, values.as_string::<i64>(), texts),
        DataType::Utf8View => append_by_key(keys, values.as_string_view(), texts),
        _ => {
            let mut all = Vec::new();
            append_texts(values.as_ref(), &mut all)?;
            texts.extend(keys.iter().map(|key| all.get(key?.as_usize()).copied().flatten()));
        }
    }
    Ok(())
}

/// Looks up what the rows ask for and nothing else: a small chunk may share a dictionary of millions with others.
fn append_by_key<'a, K: ArrowDictionaryKeyType>(
    keys: &PrimitiveArray<K>,
    values: impl ArrayAccessor<Item = &'a str> + Copy,
    texts: &mut Vec<Option<&'a str>>,
) {
    texts.extend(keys.iter().map(|key| {
        let at = key?.as_usize();
        (at < values.len() && values.is_valid(at)).then(|| values.value(at))
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, LargeStringArray, NullArray, StringArray, StringViewArray};

    use super::*;

    fn arrays() -> Vec<ArrayRef> {
        let texts =
            vec![Some("zero"), None, Some(""), Some("a text that is longer than twelve bytes"), Some("ünï")];
        let values = Arc::new(StringArray::from(vec![texts[3], texts[2], texts[4], texts[0]]));
        let keys = arrow_array::Int8Array::from(vec![Some(3), None, Some(1), Some(0), Some(2)]);
        vec![
            Arc::new(StringArray::from(texts.clone())),
            Arc::new(LargeStringArray::from(texts.clone())),
            Arc::new(StringViewArray::from(texts)),
            Arc::new(DictionaryArray::new(keys, values)),
        ]
    }

    #[test]
    fn every_text_type_reads_the_same_whole_and_sliced() {
        let all = arrays();
        let mut whole = Vec::new();
        append_texts(all[0].as_ref(), &mut whole).unwrap();
        let whole: Vec<Option<String>> = whole.into_iter().map(|t| t.map(str::to_owned)).collect();
        for array in all {
            for start in 0..=5 {
                for end in start..=5 {
                    let slice = array.slice(start, end - start);
                    let mut texts = Vec::new();
                    append_texts(slice.as_ref(), &mut texts).unwrap();
                    let expected: Vec<Option<&str>> =
                        whole[start..end].iter().map(Option::as_deref).collect();
                    assert_eq!(texts, expected, "{} {start}..{end}", array.data_type());
                }
            }
        }
    }

    #[test]
    fn an_untyped_null_column_is_all_nulls_and_numbers_are_refused() {
        let nulls = NullArray::new(3);
        let mut texts = Vec::new();
        append_texts(&nulls, &mut texts).unwrap();
        assert_eq!(texts, [None; 3]);
        let numbers = Int32Array::from(vec![1]);
        assert!(append_texts(&numbers, &mut Vec::new()).unwrap_err().to_string().contains("`Int32`"));
    }
}
