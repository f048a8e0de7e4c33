//! Which fields of a record are wanted, and what is found there.

use std::fmt;

use crate::error::{Error, Result};

/// A dotted path to a field: `text`, `meta.lang`. A backslash keeps a dot in a name (`a\.b`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    parts: Vec<String>,
    dotted: String,
}

impl FieldPath {
    /// Reads a dotted path.
    ///
    /// # Errors
    /// `Error::Parameter` for an empty path or an empty part (`a..b`).
    pub fn parse(dotted: &str) -> Result<Self> {
        let mut parts = vec![String::new()];
        let mut chars = dotted.chars();
        while let Some(c) = chars.next() {
            match c {
                '.' => parts.push(String::new()),
                '\\' => parts.last_mut().into_iter().for_each(|p| p.extend(chars.next())),
                c => parts.last_mut().into_iter().for_each(|p| p.push(c)),
            }
        }
        if parts.iter().any(String::is_empty) {
            return Err(Error::Parameter(format!(
                "field path `{dotted}` has an empty part; write it as `name` or `outer.inner`"
            )));
        }
        Ok(Self { parts, dotted: dotted.to_owned() })
    }

    /// The names from the outermost to the innermost; never empty.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dotted)
    }
}

/// The fields that a run reads; all others pass through unseen.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The document's text; without a path the record as a whole, as one JSON object.
    pub text: Option<FieldPath>,
    /// The document's own id; without it a document is named `source:row`.
    pub id: Option<FieldPath>,
    /// The field of a `max:FIELD` or `min:FIELD` keep policy.
    pub rank: Option<FieldPath>,
}

/// A scalar read from a record: an id or a rank. As an id it is shown as it stands in the record ([`fmt::Display`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// A whole number of an Arrow column.
    Int(i128),
    /// A float of an Arrow column.
    Float(f64),
    /// A number as it is written: of JSON, where it has any number of digits (`1.10`, `1e3`), or an Arrow decimal.
    Number(&'a str),
    /// A string; dates and times of columnar files arrive as ISO 8601 text.
    Text(&'a str),
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(x) => x.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Number(text) | Self::Text(text) => f.write_str(text),
        }
    }
}
