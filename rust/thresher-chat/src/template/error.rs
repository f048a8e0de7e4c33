//! Why a template cannot be compiled, or not rendered with a row.

use crate::error::{Reason, RowError};

/// `Result` of a step inside of a template.
pub(super) type Outcome<T> = Result<T, Failure>;

/// What went wrong inside of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Failure {
    /// The source is no template.
    pub(super) fn syntax(line: u32, what: &str) -> Self {
        Self { reason: Reason::TemplateError, detail: format!("line {line} of the template: {what}") }
    }

    /// What jinja2 would raise as well.
    pub(super) fn error(what: impl Into<String>) -> Self {
        Self { reason: Reason::TemplateError, detail: what.into() }
    }

    /// The template refuses the row by `raise_exception`.
    pub(super) fn raised(what: &str) -> Self {
        Self { reason: Reason::TemplateRaised, detail: format!("the template refuses the row: {what}") }
    }

    /// More than a template may use.
    pub(super) fn limit(what: &str) -> Self {
        Self { reason: Reason::TemplateLimit, detail: format!("the template uses more than it may: {what}") }
    }

    /// Says on which line, once.
    pub(super) fn at(mut self, line: u32) -> Self {
        if self.reason == Reason::TemplateError && !self.detail.starts_with("line ") {
            self.detail = format!("line {line} of the template: {}", self.detail);
        }
        self
    }
}

impl From<Failure> for RowError {
    fn from(failure: Failure) -> Self {
        Self { reason: failure.reason, detail: failure.detail }
    }
}

impl From<thresher_core::json::LoneSurrogate> for Failure {
    fn from(error: thresher_core::json::LoneSurrogate) -> Self {
        Self { reason: Reason::LoneSurrogate, detail: format!("a text to be rendered has {error}") }
    }
}
