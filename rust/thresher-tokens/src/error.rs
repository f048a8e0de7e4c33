//! The one error type of the crate, by what a caller can do about it.

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside its range. The message names the value, the range and the way out.
    #[error("{0}")]
    Parameter(String),
    /// A column is not of the type that is needed, or holds what it may not. The message names the row.
    #[error("{0}")]
    Column(String),
    /// A tokenizer cannot be used. The message says what in its file is wrong.
    #[error("{0}")]
    Tokenizer(String),
    /// A file of tokens is not what its layout says.
    #[error("{0}")]
    Layout(String),
    /// What came out is not what went in: a fault of thresher, never of the input.
    #[error("{0}")]
    Conservation(String),
    /// The observer asked to stop.
    #[error("interrupted")]
    Cancelled,
}
