//! The one type that all rows of a columnar file share, found by looking at every row.
//!
//! JSON says less than a column needs and allows more: a field may be a string here and a list there. Such a field is
//! refused by name, not turned into null. Fields that some rows lack become nullable.

use arrow_schema::{DataType, Field, Fields};
use serde::{Deserialize, Serialize};
use thresher_chat::{Reason, RowError};
use thresher_core::json::{Json, Kind};

/// The type of a field over the rows seen so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// Nothing but null.
    #[default]
    Null,
    Bool,
    Int,
    Float,
    Text,
    List(Box<Shape>),
    /// Fields in the order of their first appearance.
    Struct(Vec<(String, Shape)>),
}

impl Shape {
    /// The shape of one value.
    ///
    /// # Errors
    /// A sentence about the field in it that has no one type.
    pub(crate) fn of(value: Json<'_>) -> Result<Self, String> {
        Ok(match value.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool,
            Kind::String => Self::Text,
            Kind::Number => number(value.text())?,
            Kind::Array => {
                let mut items = Self::Null;
                for item in value.items() {
                    items.merge(Self::of(item)?).map_err(|error| within("[]", &error))?;
                }
                Self::List(Box::new(items))
            }
            Kind::Object => {
                let mut fields = Vec::new();
                for (key, value) in value.members() {
                    let name = key.decode().map_err(|error| error.to_string())?.into_owned();
                    let shape = Self::of(value).map_err(|error| within(&name, &error))?;
                    fields.push((name, shape));
                }
                Self::Struct(fields)
            }
        })
    }

    /// Widens this shape so that it takes values of `other` too.
    ///
    /// # Errors
    /// A sentence about the field that has no one type.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), String> {
        match (&mut *self, other) {
            (_, Self::Null) | (Self::Float, Self::Int) => {}
            (Self::Null, other) => *self = other,
            (Self::Int, Self::Float) => *self = Self::Float,
            (Self::List(items), Self::List(other)) => {
                items.merge(*other).map_err(|error| within("[]", &error))?;
            }
            (Self::Struct(fields), Self::Struct(other)) => {
                for (name, shape) in other {
                    match fields.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => known.merge(shape).map_err(|error| within(&name, &error))?,
                        None => fields.push((name, shape)),
                    }
                }
            }
            (a, b) if *a == b => {}
            (a, b) => return Err(format!(" is {} in one row and {} in another", a.name(), b.name())),
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Int | Self::Float => "a number",
            Self::Text => "a string",
            Self::List(_) => "an array",
            Self::Struct(_) => "an object",
        }
    }

    /// The columns, if this is the shape of rows.
    ///
    /// # Errors
    /// A sentence about the field that columnar formats have no type for.
    pub(crate) fn fields(&self) -> Result<Fields, String> {
        match self {
            Self::Struct(fields) => fields
                .iter()
                .map(|(name, shape)| {
                    let kind = shape.data_type().map_err(|error| within(name, &error))?;
                    Ok(Field::new(name, kind, true))
                })
                .collect(),
            _ => Ok(Fields::empty()),
        }
    }

    fn data_type(&self) -> Result<DataType, String> {
        Ok(match self {
            Self::Null | Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::List(items) => {
                let kind = items.data_type().map_err(|error| within("[]", &error))?;
                DataType::List(Field::new("item", kind, true).into())
            }
            Self::Struct(fields) if fields.is_empty() => {
                return Err(" is an object without a field in every row, which is no type of a column".into());
            }
            Self::Struct(_) => DataType::Struct(self.fields()?),
        })
    }
}

/// `name` in front of a sentence that begins with the rest of the path.
fn within(name: &str, error: &str) -> String {
    let dot = if error.starts_with([' ', '[']) { "" } else { "." };
    format!("{name}{dot}{error}")
}

fn number(text: &str) -> Result<Shape, String> {
    if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
        let fits = text.parse::<i64>().is_ok();
        return if fits { Ok(Shape::Int) } else { Err(format!(" is `{text}`, more than 64 bits hold")) };
    }
    Ok(Shape::Float)
}

/// Checks that every string can be written as UTF-8.
pub(crate) fn check_text(value: Json<'_>) -> Result<(), RowError> {
    if !value.text().contains("\\u") {
        return Ok(());
    }
    let lone = |error: thresher_core::json::LoneSurrogate| RowError {
        reason: Reason::LoneSurrogate,
        detail: format!("a string of the row has {error}, which a column cannot hold"),
    };
    if let Some(text) = value.as_str() {
        text.decode().map_err(lone)?;
    }
    for item in value.items() {
        check_text(item)?;
    }
    for (key, inner) in value.entries() {
        key.decode().map_err(lone)?;
        check_text(inner)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(rows: &[&str]) -> Result<Shape, String> {
        let mut all = Shape::default();
        rows.iter().try_for_each(|row| all.merge(Shape::of(Json::parse(row).unwrap())?)).map(|()| all)
    }

    #[test]
    fn a_field_that_some_rows_lack_is_a_column_of_its_own_type() {
        let found =
            shape(&[r#"{"a":1}"#, r#"{"a":null,"b":[{"c":"x"}]}"#, r#"{"a":1.5,"b":[{"d":true}]}"#]).unwrap();
        assert_eq!(found.fields().unwrap().len(), 2);
        let inner = Shape::Struct(vec![("c".into(), Shape::Text), ("d".into(), Shape::Bool)]);
        let list = Shape::List(Box::new(inner));
        assert_eq!(found, Shape::Struct(vec![("a".into(), Shape::Float), ("b".into(), list)]));
    }

    #[test]
    fn a_field_of_two_types_is_named() {
        let error = shape(&[r#"{"m":[{"content":"x"}]}"#, r#"{"m":[{"content":["x"]}]}"#]).unwrap_err();
        assert_eq!(error, "m[].content is a string in one row and an array in another");
        let error = shape(&[r#"{"a":18446744073709551615}"#]).unwrap_err();
        assert_eq!(error, "a is `18446744073709551615`, more than 64 bits hold");
        let error = shape(&[r#"{"a":{"b":{}}}"#]).unwrap().fields().unwrap_err();
        assert!(error.starts_with("a.b is an object without a field"), "{error}");
    }

    #[test]
    fn half_a_surrogate_pair_is_found_at_any_depth() {
        let row = r#"{"a":[{"b":"\ud800"}]}"#;
        assert_eq!(check_text(Json::parse(row).unwrap()).unwrap_err().reason, Reason::LoneSurrogate);
        assert!(check_text(Json::parse(r#"{"a":"\ud83d\ude00"}"#).unwrap()).is_ok());
    }
}
