//! Checks of rows of chat data.

use pyo3::prelude::*;
use rayon::prelude::*;
use serde::Deserialize;
use thresher_chat::validate::{CODES, Options, OptionsError, Report, Severity, TARGETS, Validator};
use thresher_chat::{Format, Problem};
use thresher_core::observe::check;
use thresher_io::runs::rows::format::{detected, format_of};
use thresher_io::{Error, Result};

use super::convert::{TASK_ROWS, sample};
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    format: Option<serde_json::Value>,
    max_problems: usize,
    options: Options,
}

/// Codes of all checks: name, severity, description.
#[pyfunction]
pub(crate) fn checks() -> Vec<(&'static str, &'static str, &'static str)> {
    let severity = |severity| if severity == Severity::Error { "error" } else { "warning" };
    CODES.iter().map(|code| (code.name(), severity(code.severity()), code.about())).collect()
}

/// Names and descriptions of the targets that rows are checked for.
#[pyfunction]
pub(crate) fn targets() -> Vec<(&'static str, &'static str)> {
    TARGETS.iter().map(|target| (target.name, target.about)).collect()
}

/// The name of the format and a report, as JSON.
#[pyfunction]
#[pyo3(signature = (rows, options_json, threads))]
pub(crate) fn validate(
    rows: &Bound<'_, PyAny>,
    options_json: &str,
    threads: Option<i64>,
) -> PyResult<(String, String)> {
    let call: Call = serde_json::from_str(options_json)
        .map_err(|error| to_py(parameter(format!("the options: {error}"))))?;
    let format = call.format.as_ref().map(format_of).transpose().map_err(to_py)?;
    Validator::try_new(&call.options).map_err(|error| to_py(refused(&error)))?;
    with_texts(rows, threads, NEVER_LITTLE, |rows, stop| {
        let format = format.map_or_else(|| detected(&sample(rows)), Ok)?;
        let parts: Vec<Report> = rows
            .par_chunks(TASK_ROWS)
            .map_init(
                || Validator::try_new(&call.options),
                |validator, rows| {
                    check(stop)?;
                    let validator = validator.as_mut().map_err(|error| refused(error))?;
                    Ok(report(validator, &format, rows, call.max_problems))
                },
            )
            .collect::<Result<_>>()?;
        let mut whole = Report::new(call.max_problems);
        for part in parts {
            let first_row = whole.rows;
            whole.merge(part, first_row);
        }
        let json = serde_json::to_string(&whole).map_err(|error| Error::Internal(error.to_string()))?;
        Ok((format.name().to_owned(), json))
    })
}

fn refused(error: &OptionsError) -> Error {
    parameter(error.to_string())
}

/// What is wrong with some rows.
fn report(validator: &mut Validator, format: &Format, rows: &[Option<&str>], max_problems: usize) -> Report {
    let mut report = Report::new(max_problems);
    let mut problems: Vec<Problem> = Vec::new();
    for (row, text) in (0..).zip(rows) {
        validator.check_text(text.unwrap_or("null"), format, &mut problems);
        report.add(row, &mut problems);
    }
    report
}
