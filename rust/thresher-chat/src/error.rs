//! Why a row is set aside.

/// `Result` of reading or writing one row.
pub type Result<T> = std::result::Result<T, RowError>;

/// Why a row cannot be read, or cannot be written in the format asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RowError {
    /// What kind of trouble it is.
    pub reason: Reason,
    /// One sentence with the field, the value and what is allowed.
    pub detail: String,
}

/// Kinds of trouble. The names are what `quarantine/` and reports show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The row is not JSON.
    InvalidJson,
    /// The row is not one JSON object.
    NotAnObject,
    /// A field that the format needs is not there.
    MissingField,
    /// A field is of another type or shape than the format says.
    WrongShape,
    /// A role that nobody knows.
    UnknownRole,
    /// The text of a call, or its arguments, is not what the format says.
    BadCall,
    /// A text that has to be looked into has half of a surrogate pair.
    LoneSurrogate,
    /// The format asked for has no way to say it.
    NotExpressible,
    /// A template does with the row what jinja2 raises an error for.
    TemplateError,
    /// A template refuses the row by `raise_exception`.
    TemplateRaised,
    /// A template uses more than it may.
    TemplateLimit,
    /// What the model is to generate cannot be found in the rendered text for sure.
    NoSpans,
}

impl Reason {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::InvalidJson,
        Self::NotAnObject,
        Self::MissingField,
        Self::WrongShape,
        Self::UnknownRole,
        Self::BadCall,
        Self::LoneSurrogate,
        Self::NotExpressible,
        Self::TemplateError,
        Self::TemplateRaised,
        Self::TemplateLimit,
        Self::NoSpans,
    ];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::WrongShape => "wrong_shape",
            Self::UnknownRole => "unknown_role",
            Self::BadCall => "bad_call",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NotExpressible => "not_expressible",
            Self::TemplateError => "template_error",
            Self::TemplateRaised => "template_raised",
            Self::TemplateLimit => "template_limit",
            Self::NoSpans => "no_spans",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// An error of this kind.
    pub(crate) fn because(self, detail: impl Into<String>) -> RowError {
        RowError { reason: self, detail: detail.into() }
    }
}

impl From<thresher_core::json::LoneSurrogate> for RowError {
    fn from(error: thresher_core::json::LoneSurrogate) -> Self {
        Reason::LoneSurrogate.because(format!("a text that has to be looked into has {error}"))
    }
}

impl From<thresher_core::json::SyntaxError> for RowError {
    fn from(error: thresher_core::json::SyntaxError) -> Self {
        Reason::InvalidJson.because(error.to_string())
    }
}
