//! Which chat format rows have: by name, by a mapping of fields, or found out from some of them.

use thresher_chat::{Format, NAMES, choose, detect};
use thresher_core::json::Json;

use crate::error::{Error, Result};

/// The format of a name or a mapping.
///
/// # Errors
/// `Error::Parameter` if there is none.
pub fn format_of(value: &serde_json::Value) -> Result<Format> {
    if value.is_object() {
        let mapping = value.to_string();
        return Json::parse(&mapping).map_err(|error| Error::Parameter(error.to_string())).and_then(|json| {
            Format::from_mapping(json).map_err(|error| Error::Parameter(error.to_string()))
        });
    }
    value.as_str().and_then(Format::named).ok_or_else(|| {
        let names = NAMES.join(", ");
        Error::Parameter(format!(
            "there is no chat format `{value}`; choose one of {names}, or give the dataset entry of a trainer as an object"
        ))
    })
}

/// The format of these rows.
///
/// # Errors
/// `Error::Parameter` if they are of none that is known, or of several.
pub fn detected<S: AsRef<str>>(rows: &[S]) -> Result<Format> {
    let fits = detect(rows.iter().filter_map(|row| Json::parse(row.as_ref()).ok()));
    let name = choose(&fits, rows.len() as u64).map_err(|error| Error::Parameter(error.to_string()))?;
    Format::named(name).ok_or_else(|| Error::Internal(format!("the format `{name}` is not registered")))
}
