//! Conversion of rows between chat formats.

use std::sync::Arc;

use arrow_array::builder::LargeStringBuilder;
use arrow_array::{Array, LargeStringArray};
use arrow_select::concat::concat;
use pyo3::prelude::*;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use thresher_chat::{Converter, Losses, NAMES, RowError, RowLosses};
use thresher_core::json::Json;
use thresher_core::observe::check;
use thresher_io::runs::rows::format::{detected, format_of};
use thresher_io::{Error, Result};

use crate::arrow_out::ArrowArray;
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

/// Rows that one task converts.
pub(super) const TASK_ROWS: usize = 1024;
/// Rows that the format is found out from.
const SAMPLE_ROWS: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    from_format: Option<serde_json::Value>,
    to: serde_json::Value,
}

/// Names of all chat formats.
#[pyfunction]
pub(crate) fn formats() -> Vec<&'static str> {
    NAMES.to_vec()
}

/// Rows in another format, null where one could not be converted, and a report as JSON.
#[pyfunction]
#[pyo3(signature = (rows, options_json, threads))]
pub(crate) fn convert(
    rows: &Bound<'_, PyAny>,
    options_json: &str,
    threads: Option<i64>,
) -> PyResult<(ArrowArray, String)> {
    let options: Options = serde_json::from_str(options_json)
        .map_err(|error| to_py(parameter(format!("the options: {error}"))))?;
    let to = format_of(&options.to).map_err(to_py)?;
    let from = options.from_format.as_ref().map(format_of).transpose().map_err(to_py)?;
    with_texts(rows, threads, NEVER_LITTLE, |rows, stop| {
        let converter = Converter { from: from.map_or_else(|| detected(&sample(rows)), Ok)?, to };
        let parts: Vec<Part> = rows
            .par_chunks(TASK_ROWS)
            .map(|rows| {
                check(stop)?;
                Ok(converted(&converter, rows))
            })
            .collect::<Result<_>>()?;
        let (mut losses, mut errors, mut first_row) = (Losses::default(), Vec::new(), 0);
        for part in &parts {
            losses.merge(&part.losses, first_row);
            let error = |(row, error): &(u64, RowError)| json!({"row": first_row + row, "reason": error.reason.name(), "detail": error.detail});
            errors.extend(part.errors.iter().map(error));
            first_row += part.lines.len() as u64;
        }
        let lines: Vec<&dyn Array> = parts.iter().map(|part| &part.lines as _).collect();
        let lines = match &lines[..] {
            [] => Arc::new(LargeStringArray::new_null(0)),
            lines => concat(lines).map_err(|error| Error::Internal(error.to_string()))?,
        };
        let (from, to) = (converter.from.name(), converter.to.name());
        let report = json!({"from": from, "to": to, "losses": losses, "errors": errors});
        Ok((ArrowArray(lines), report.to_string()))
    })
}

/// The rows that the format is found out from.
pub(super) fn sample<'r>(rows: &[Option<&'r str>]) -> Vec<&'r str> {
    rows.iter().flatten().take(SAMPLE_ROWS).copied().collect()
}

/// What one task made of its rows.
struct Part {
    lines: LargeStringArray,
    losses: Losses,
    errors: Vec<(u64, RowError)>,
}

fn converted(converter: &Converter, rows: &[Option<&str>]) -> Part {
    let mut lines = LargeStringBuilder::with_capacity(rows.len(), 0);
    let (mut losses, mut errors) = (Losses::default(), Vec::new());
    let (mut line, mut row_losses) = (String::new(), RowLosses::default());
    for (row, text) in (0..).zip(rows) {
        line.clear();
        let parsed = Json::parse(text.unwrap_or("null")).map_err(RowError::from);
        match parsed.and_then(|json| converter.convert(json, &mut line, &mut row_losses)) {
            Ok(()) => {
                losses.add(row, &row_losses);
                lines.append_value(&line);
            }
            Err(error) => {
                errors.push((row, error));
                lines.append_null();
            }
        }
    }
    Part { lines: lines.finish(), losses, errors }
}
