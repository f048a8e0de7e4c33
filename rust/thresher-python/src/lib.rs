//! The Python module `thresher._core`: convert, release the GIL, call, wrap.
//!
//! Nothing is computed here. Each file binds one family of functions; `boundary` is the only way from Python
//! into the core, and `import` the only place that takes over foreign Arrow memory.

mod arrow_out;
mod boundary;
mod chat;
mod dedup;
mod errors;
mod files;
mod import;
mod minhash;
mod params;
mod ranks;
mod results;
mod texts;
mod validate;

use pyo3::prelude::*;

/// The native half of thresher. Private: use the functions of `thresher`.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::arrow_out::ArrowArray;
    #[pymodule_export]
    use crate::chat::convert::{chat_convert, chat_formats};
    #[pymodule_export]
    use crate::chat::fit::{chat_fit, chat_mismatch, chat_probe};
    #[pymodule_export]
    use crate::chat::template::{chat_render, chat_render_variables};
    #[pymodule_export]
    use crate::chat::validate::{chat_checks, chat_targets, chat_validate};
    #[pymodule_export]
    use crate::dedup::{DedupOutcome, choose_banding, dedup};
    #[pymodule_export]
    use crate::files::{chat_convert_files, chat_render_files, chat_validate_files, dedup_files};
    #[pymodule_export]
    use crate::minhash::{available_threads, instruction_set, minhash, scheme_version, version};
    #[pymodule_export]
    use crate::results::verify_result;

    /// This library is the whole Rust program of the process, so its panic hook is ours to set.
    #[pymodule_init]
    #[expect(clippy::unnecessary_wraps, reason = "PyO3 asks for this signature")]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        thresher_io::quiet_guarded_panics();
        Ok(())
    }
}
