//! Rows of tokens from columns: the few that packing looks at, and no others. They stand in the file, or an earlier step has added
//! them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use thresher_tokens::pack::{LengthColumn, Lengths, TokenLists, Tokens, is_token_lists};

use super::config::PackStep;
use crate::error::{Error, Result};
use crate::input::Unit;
use crate::runs::source::{Source, WholeColumns};

/// The lengths of the lists of tokens, where the tokenizer has written them.
const LENGTH: &str = "length";
/// What makes the columns.
const TOKENIZE: &str = "`tokenize` makes them, and in a pipeline that step comes before this one";

/// The columns of one input.
pub(super) struct Columns {
    tokens: String,
    mask: Option<String>,
    document: Option<String>,
    /// Lengths can be told without reading a token.
    length: Option<String>,
}

/// Rows of a unit.
pub(super) struct Rows {
    tokens: TokenLists,
    masks: Option<TokenLists>,
    documents: Option<StringArray>,
    /// The input, the slot at which the unit begins there, and those of the rows within it; none if they are all there.
    place: (usize, u64),
    slots: Option<Vec<u32>>,
    /// Bytes in memory.
    pub(super) bytes: u64,
}

impl Columns {
    /// Those of an input.
    ///
    /// # Errors
    /// `Error::Parameter` for an input without columns, without one that was asked for, or with one of another type.
    pub(super) fn of(source: &Source, step: &PackStep) -> Result<Self> {
        let (path, fields) = (source.input().path().display(), source.fields());
        let find = |name: &str| {
            let found = fields.as_ref()?.iter().find(|field| field.name() == name);
            found.map(|field| field.data_type())
        };
        let refused = |parameter: &str, name: &str, what: &str| {
            let known: Vec<String> =
                fields.iter().flatten().map(|field| format!("`{}`", field.name())).collect();
            Error::Parameter(format!(
                "{parameter} is `{name}`, but {what} in `{path}`; its columns are {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
        };
        let usual = PackStep::default();
        for (parameter, name, usual) in [
            ("tokens", &step.tokens, usual.tokens),
            ("mask", &step.mask, usual.mask),
            ("id", &step.id, usual.id),
        ] {
            if find(name).is_none() && *name != usual {
                return Err(refused(parameter, name, "there is no such column"));
            }
        }
        if fields.is_none() {
            return Err(Error::Parameter(format!(
                "input `{path}` has no columns that can be read, but packing takes Parquet or Arrow files with a column of \
                 lists of ids; {TOKENIZE}"
            )));
        }
        for (parameter, name) in [("tokens", &step.tokens), ("mask", &step.mask)] {
            if find(name).is_some_and(|found| !is_token_lists(found)) {
                return Err(refused(parameter, name, "that column holds no lists of integers"));
            }
        }
        if find(&step.tokens).is_none() {
            let Error::Parameter(said) = refused("tokens", &step.tokens, "there is no such column") else {
                return Err(Error::Internal("a parameter is refused".into()));
            };
            return Err(Error::Parameter(format!("{said}; {TOKENIZE}")));
        }
        Ok(Self {
            tokens: step.tokens.clone(),
            mask: find(&step.mask).map(|_| step.mask.clone()),
            document: find(&step.id).map(|_| step.id.clone()),
            length: find(LENGTH).filter(|length| length.is_integer()).map(|_| LENGTH.to_owned()),
        })
    }

    /// Whether there is a mask.
    pub(super) fn have_mask(&self) -> bool {
        self.mask.is_some()
    }

    /// The lengths of the rows of a unit, and its slots.
    ///
    /// # Errors
    /// I/O failures, `Error::Data` for damage.
    pub(super) fn lengths(&self, source: &Source, unit: &Unit) -> Result<(Vec<Option<u64>>, u64)> {
        let name = self.length.as_ref().unwrap_or(&self.tokens);
        let WholeColumns { batches, slots, .. } = source.whole_columns(unit, &[name])?;
        let columns = column(&batches, name)?;
        let mut lengths = Vec::new();
        let note = |length| {
            lengths.push(length);
            Ok(())
        };
        let noted = match self.length {
            Some(_) => LengthColumn::try_new(&columns).and_then(|column| column.each(note)),
            None => TokenLists::try_new(&columns, name).and_then(|lists| lists.each(note)),
        };
        noted.map_err(|error| Error::data(source.input().path(), error.to_string()))?;
        Ok((lengths, slots))
    }

    /// The rows of a unit, which begins at a slot of an input.
    ///
    /// # Errors
    /// I/O failures, `Error::Data` for damage and for columns of which one does not fit the others.
    pub(super) fn rows(&self, source: &Source, unit: &Unit, place: (usize, u64)) -> Result<Rows> {
        let names: Vec<&str> = [Some(&self.tokens), self.mask.as_ref(), self.document.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let WholeColumns { batches, kept, .. } = source.whole_columns(unit, &names)?;
        let broken = |message: String| Error::data(source.input().path(), message);
        let lists = |name: &str| {
            let columns = column(&batches, name)?;
            TokenLists::try_new(&columns, &format!("column `{name}`"))
                .map_err(|error| broken(error.to_string()))
        };
        let documents = self.document.as_ref().map(|name| texts(&column(&batches, name)?).map_err(broken));
        Ok(Rows {
            tokens: lists(&self.tokens)?,
            masks: self.mask.as_deref().map(lists).transpose()?,
            documents: documents.transpose()?,
            place,
            slots: kept,
            bytes: batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum(),
        })
    }
}

impl Rows {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens of a row; none if they are null.
    pub(super) fn tokens(&self, row: usize) -> Option<Tokens<'_>> {
        self.tokens.get(row)
    }

    /// The mask of a row; none if there are no masks. One that does not fit the tokens is empty.
    pub(super) fn mask(&self, row: usize) -> Option<Tokens<'_>> {
        let masks = self.masks.as_ref()?;
        let tokens = self.tokens.get(row).map_or(0, |tokens| tokens.len());
        Some(masks.get(row).filter(|mask| mask.len() == tokens).unwrap_or(Tokens::U8(&[])))
    }

    /// The input of a row, and its slot there.
    pub(super) fn place(&self, row: usize) -> (usize, u64) {
        let (input, first) = self.place;
        let slot = self.slots.as_ref().map_or(row as u64, |slots| u64::from(slots[row]));
        (input, first + slot)
    }

    /// The document of a row, if it has a name.
    pub(super) fn document(&self, row: usize) -> Option<&str> {
        self.documents.as_ref().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row))
    }
}

/// A column of all batches.
fn column(batches: &[RecordBatch], name: &str) -> Result<Vec<ArrayRef>> {
    let column = |batch: &RecordBatch| {
        let column = batch.column_by_name(name).cloned();
        column.ok_or_else(|| Error::Internal(format!("column `{name}` was not read")))
    };
    batches.iter().map(column).collect()
}

/// Names of documents of any scalar type, as texts.
fn texts(columns: &[ArrayRef]) -> std::result::Result<StringArray, String> {
    let cast = |column: &ArrayRef| cast(column, &DataType::Utf8).map_err(|error| error.to_string());
    let columns = columns.iter().map(cast).collect::<std::result::Result<Vec<_>, _>>()?;
    let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    if parts.is_empty() {
        return Ok(StringArray::new_null(0));
    }
    let whole = arrow_select::concat::concat(&parts).map_err(|error| error.to_string())?;
    Ok(whole.as_string::<i32>().clone())
}
