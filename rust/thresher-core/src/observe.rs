//! Progress and cancellation, as the caller's object: the core neither prints nor looks at signals.

use crate::error::{Error, Result};

/// Watches a long computation. Called from worker threads, a few hundred times a second at most.
pub trait Observer: Sync {
    /// `docs` more documents with `bytes` more bytes are done in the current step.
    fn advance(&self, docs: u64, bytes: u64) {
        let _ = (docs, bytes);
    }

    /// Whether the computation should stop as soon as it can.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that sees nothing and never stops anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Turns a wish to stop into an error.
///
/// # Errors
/// `Error::Cancelled` if the observer wants to stop.
pub fn check(observer: &dyn Observer) -> Result<()> {
    if observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
