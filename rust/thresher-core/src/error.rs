//! The one error type of the core, by what a caller can do about it.

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the core.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside its range. The message names the value, the range and the way out.
    #[error("{0}")]
    Parameter(String),
    /// An input column is not text, or not what its schema says.
    #[error("{0}")]
    Column(String),
    /// A signature or another stored value has a different hash scheme.
    #[error(
        "hash scheme {found} cannot be used here: this version computes scheme {expected}; sign the texts again"
    )]
    Scheme {
        /// The version this build computes.
        expected: u32,
        /// The version that was found.
        found: u32,
    },
    /// The observer asked to stop.
    #[error("interrupted")]
    Cancelled,
}
