//! Values of the columns that steps add: from one value a row to a column of the type that was declared.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder, UInt8Builder,
    UInt32Builder,
};
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array, new_null_array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};

/// A value of an added column.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Several whole numbers of 32 bits without a sign, such as the ids of tokens.
    Ids(Vec<u32>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A column of a type; a list's items are of the type that it says.
///
/// # Errors
/// A sentence about a value that is not of that type, or the type, if columns are not made of it.
pub(super) fn column(kind: &DataType, values: &[Value]) -> Result<ArrayRef, String> {
    macro_rules! build {
        ($builder:ty, $($pattern:pat => $value:expr),+) => {{
            let mut builder = <$builder>::new();
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    $($pattern => builder.append_value($value),)+
                    #[allow(unreachable_patterns)]
                    other => return Err(mismatch(kind, other)),
                }
            }
            Arc::new(builder.finish())
        }};
    }
    Ok(match kind {
        DataType::Boolean => build!(BooleanBuilder, Value::Bool(value) => *value),
        DataType::Int64 => build!(Int64Builder, Value::Int(value) => *value),
        DataType::Int32 => build!(Int32Builder, Value::Int(value) => {
            i32::try_from(*value).map_err(|_| mismatch(kind, &Value::Int(*value)))?
        }),
        DataType::UInt8 => build!(UInt8Builder, Value::Int(value) => {
            u8::try_from(*value).map_err(|_| mismatch(kind, &Value::Int(*value)))?
        }),
        DataType::UInt32 => build!(UInt32Builder, Value::Int(value) => {
            u32::try_from(*value).map_err(|_| mismatch(kind, &Value::Int(*value)))?
        }),
        DataType::Float64 => {
            build!(Float64Builder, Value::Float(value) => *value, Value::Int(value) => *value as f64)
        }
        DataType::Float32 => {
            build!(Float32Builder, Value::Float(value) => *value as f32, Value::Int(value) => *value as f32)
        }
        DataType::Utf8 => build!(StringBuilder, Value::Text(value) => value),
        DataType::List(item) if *item.data_type() == DataType::UInt32 => ids(item, values)?,
        DataType::List(item) => list(item, values)?,
        DataType::Null => new_null_array(kind, values.len()),
        other => return Err(format!("a column of the type {other} cannot be added")),
    })
}

fn list(item: &Arc<Field>, values: &[Value]) -> Result<ArrayRef, String> {
    let (mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let inner: &[Value] = match value {
            Value::Null => &[],
            Value::List(inner) => inner,
            other => return Err(mismatch(item.data_type(), other)),
        };
        valid.push(*value != Value::Null);
        lengths.push(inner.len());
        items.extend_from_slice(inner);
    }
    let items = column(item.data_type(), &items)?;
    let list = ListArray::try_new(
        item.clone(),
        OffsetBuffer::from_lengths(lengths),
        items,
        Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0),
    );
    list.map(|list| Arc::new(list) as Arc<dyn Array>).map_err(|error| error.to_string())
}

/// Lists of ids, whose numbers are copied and not looked at.
fn ids(item: &Arc<Field>, values: &[Value]) -> Result<ArrayRef, String> {
    let (mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let inner: &[u32] = match value {
            Value::Null => &[],
            Value::Ids(inner) => inner,
            other => return Err(mismatch(item.data_type(), other)),
        };
        valid.push(*value != Value::Null);
        lengths.push(inner.len());
        items.extend_from_slice(inner);
    }
    let list = ListArray::try_new(
        item.clone(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(UInt32Array::from(items)),
        Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0),
    );
    list.map(|list| Arc::new(list) as Arc<dyn Array>).map_err(|error| error.to_string())
}

fn mismatch(kind: &DataType, value: &Value) -> String {
    format!("a column of the type {kind} got the value {value:?}")
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Int32Type};

    use super::*;

    #[test]
    fn values_become_a_column_of_the_declared_type() {
        let numbers = column(&DataType::Float32, &[Value::Float(0.5), Value::Null, Value::Int(2)]).unwrap();
        let numbers = numbers.as_primitive::<Float32Type>();
        assert_eq!((numbers.value(0), numbers.is_null(1), numbers.value(2)), (0.5, true, 2.0));
        let kind = DataType::List(Field::new("item", DataType::Int32, true).into());
        let lists =
            column(&kind, &[Value::List(vec![Value::Int(1), Value::Null]), Value::Null, Value::List(vec![])]);
        let lists = lists.unwrap();
        let lists = lists.as_list::<i32>();
        assert_eq!((lists.value(0).len(), lists.is_null(1), lists.value(2).len()), (2, true, 0));
        assert_eq!(lists.value(0).as_primitive::<Int32Type>().value(0), 1);
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        let said = column(&DataType::Int32, &[Value::Int(1 << 40)]).unwrap_err();
        assert!(said.contains("Int32") && said.contains("1099511627776"), "{said}");
        assert!(column(&DataType::Utf8, &[Value::Bool(true)]).unwrap_err().contains("Bool(true)"));
        assert!(column(&DataType::Date32, &[]).unwrap_err().contains("cannot be added"));
    }
}
