//! One fence around decoders of columnar files.
//!
//! The decoders are written for files that are what they claim. Some of their checks are assertions, so a damaged file
//! can make them panic; here a panic becomes a message like any other error, and the unit becomes bad records.

use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs a decoding step; an error or a panic in it comes back as a message.
///
/// The step must own or recreate what it works on: after a failure its state is not used again.
pub(crate) fn guarded<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "the decoder failed an internal check".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_errors_become_messages() {
        assert_eq!(guarded(|| Ok::<_, String>(7)), Ok(7));
        assert_eq!(guarded(|| Err::<(), _>("broken")), Err("broken".to_owned()));
        assert_eq!(guarded(|| -> Result<(), String> { panic!("at {}", 3) }), Err("at 3".to_owned()));
    }
}
