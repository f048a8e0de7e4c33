//! Rust errors as Python exceptions. The classes are defined in `thresher/errors.py`.

use pyo3::PyErr;
use pyo3::exceptions::PyKeyboardInterrupt;
use thresher_core::Error as CoreError;
use thresher_io::Error;

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
    let message = error.to_string();
    match error {
        Error::Parameter(_) | Error::Core(CoreError::Parameter(_)) => ParameterError::new_err(message),
        Error::Core(CoreError::Column(_)) => ColumnError::new_err(message),
        Error::Data { .. } | Error::Uncopyable { .. } | Error::Core(CoreError::Scheme { .. }) => {
            DataError::new_err(message)
        }
        Error::Io { path, source, .. } => {
            FileError::new_err((source.raw_os_error().unwrap_or(EIO), message, path.display().to_string()))
        }
        Error::Busy(path) => BusyError::new_err((EBUSY, message, path.display().to_string())),
        Error::Cancelled | Error::Core(CoreError::Cancelled) => PyKeyboardInterrupt::new_err(()),
        // `Internal`, and variants that are not there yet.
        _ => InternalError::new_err(message),
    }
}

/// A column that is not text.
pub(crate) fn column(message: impl Into<String>) -> Error {
    Error::Core(CoreError::Column(message.into()))
}

/// A parameter out of its range.
pub(crate) fn parameter(message: impl Into<String>) -> Error {
    Error::Parameter(message.into())
}
