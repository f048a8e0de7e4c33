//! The one error type of files and runs, by what a user can do about it.

use std::path::{Path, PathBuf};

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter or a combination of parameters is not allowed.
    #[error("{0}")]
    Parameter(String),
    /// The operating system refused a file operation.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The verb: open, read, write, rename.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input is not what its name says, or it changed while it was read.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A pass came upon a part of a compressed file that fails its check. After a survey of the file it gets through.
    #[error("{}: a compressed part of the file fails its check; the file has to be surveyed first", .0.display())]
    Damaged(PathBuf),
    /// Rows that were read cannot be copied, since another column of them is damaged.
    #[error("{}: {message}", path.display())]
    Uncopyable {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        message: String,
    },
    /// Another run writes to the same output.
    #[error("output `{}` is in use by another run; wait for it or choose another output", .0.display())]
    Busy(PathBuf),
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A broken invariant of ours.
    #[error("internal error: {0}; please report it")]
    Internal(String),
    /// What is wrong with tokens themselves: columns and files of them, and bins that do not hold what was given.
    #[error(transparent)]
    Tokens(thresher_tokens::Error),
    /// An error of the core.
    #[error(transparent)]
    Core(#[from] thresher_core::Error),
}

impl From<thresher_tokens::Error> for Error {
    fn from(error: thresher_tokens::Error) -> Self {
        use thresher_tokens::Error as Tokens;
        match error {
            Tokens::Parameter(message) | Tokens::Tokenizer(message) => Self::Parameter(message),
            Tokens::Cancelled => Self::Cancelled,
            other => Self::Tokens(other),
        }
    }
}

impl Error {
    /// Names the file and the action of a system error.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Content that cannot be used.
    pub fn data(path: &Path, message: impl Into<String>) -> Self {
        Self::Data { path: path.to_path_buf(), message: message.into() }
    }
}
