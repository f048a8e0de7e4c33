//! Which encoder runs, and why not one of ours: what reports say.

use std::fmt;

/// The way from text to ids that a tokenizer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodePath {
    /// An encoder of this crate.
    Own {
        /// What is encoded, as `byte-level BPE`.
        model: &'static str,
        /// How the text is cut before, as `GPT-2`.
        pre_tokenizer: String,
    },
    /// The crate `tokenizers`.
    Crate {
        /// What in the file our encoders do not do.
        why: String,
    },
}

impl EncodePath {
    /// Whether an encoder of this crate runs.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }
}

impl fmt::Display for EncodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { model, pre_tokenizer } => write!(f, "{model}, cut as {pre_tokenizer}"),
            Self::Crate { why } => write!(f, "the crate `tokenizers`: {why}"),
        }
    }
}
