//! Rust errors as Python exceptions. The classes are defined in `thresher/errors.py`.

use pyo3::PyErr;
use pyo3::exceptions::PyKeyboardInterrupt;
use thresher_core::Error as CoreError;
use thresher_io::Error;
use thresher_tokens::Error as TokensError;

pyo3::import_exception!(thresher.errors, BusyError);
pyo3::import_exception!(thresher.errors, ColumnError);
pyo3::import_exception!(thresher.errors, DataError);
pyo3::import_exception!(thresher.errors, FileError);
pyo3::import_exception!(thresher.errors, InternalError);
pyo3::import_exception!(thresher.errors, ParameterError);

/// Device or resource busy.
const EBUSY: i32 = 16;
/// Input/output error: for failures that carry no number of their own, such as a file that ends early.
const EIO: i32 = 5;

/// The exception for `error`.
pub(crate) fn to_py(error: Error) -> PyErr {
    let message = printable(error.to_string());
    match error {
        Error::Parameter(_) | Error::Core(CoreError::Parameter(_)) => ParameterError::new_err(message),
        Error::Core(CoreError::Column(_)) | Error::Tokens(TokensError::Column(_)) => {
            ColumnError::new_err(message)
        }
        Error::Data { .. }
        | Error::Uncopyable { .. }
        | Error::Core(CoreError::Scheme { .. })
        | Error::Tokens(TokensError::Layout(_)) => DataError::new_err(message),
        Error::Io { path, source, .. } => {
            FileError::new_err((source.raw_os_error().unwrap_or(EIO), message, path.display().to_string()))
        }
        Error::Busy(path) => BusyError::new_err((EBUSY, message, path.display().to_string())),
        Error::Cancelled | Error::Core(CoreError::Cancelled) => PyKeyboardInterrupt::new_err(()),
        // `Internal`, and variants that are not there yet.
        _ => InternalError::new_err(message),
    }
}

/// A message without what could steer a terminal: names of columns and files come from whoever made the data.
fn printable(message: String) -> String {
    let steers = |c: char| {
        let is_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && c != '\n') || is_direction
    };
    if !message.contains(steers) {
        return message;
    }
    let escape = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    message.chars().map(escape).collect()
}

/// A column that is not text.
pub(crate) fn column(message: impl Into<String>) -> Error {
    Error::Core(CoreError::Column(message.into()))
}

/// A parameter out of its range.
pub(crate) fn parameter(message: impl Into<String>) -> Error {
    Error::Parameter(message.into())
}
