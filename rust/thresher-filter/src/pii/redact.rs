//! What takes the place of what was found.

use std::borrow::Cow;

use thresher_core::{Error, Result};

use super::kinds::{Kind, Span};
use super::pseudonym::Key;

/// The place of the kind in a template.
const PLACE: &str = "{type}";

/// A text with the kind in it, as `<EMAIL>` of the template `<{type}>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    tags: [String; Kind::ALL.len()],
}

impl Tag {
    /// The template that is used unless there is another one.
    pub const DEFAULT: &'static str = "<{type}>";

    /// The tag of a template, in which `{type}` stands for the kind in capitals; it may also stand nowhere.
    ///
    /// # Errors
    /// `Error::Parameter` for another name in braces.
    pub fn of_template(template: &str) -> Result<Self> {
        let rest = template.replace(PLACE, "");
        if rest.contains(['{', '}']) {
            return Err(Error::Parameter(format!(
                "tag is `{template}`, but `{PLACE}` is all that it can have in braces; write it as `{}`",
                Self::DEFAULT
            )));
        }
        Ok(Self { tags: Kind::ALL.map(|kind| template.replace(PLACE, &kind.tag())) })
    }
}

/// What is written in the place of a span.
#[derive(Clone, Debug)]
pub enum Redactor {
    /// A tag that says what it was.
    Tag(Box<Tag>),
    /// A made-up value, the same for the same value.
    Pseudonym(Key),
}

impl Redactor {
    /// What takes the place of a value.
    #[must_use]
    pub fn replacement(&self, kind: Kind, value: &str) -> Cow<'_, str> {
        match self {
            Self::Tag(tag) => Cow::Borrowed(&tag.tags[kind as usize]),
            Self::Pseudonym(key) => Cow::Owned(key.pseudonym(kind, value)),
        }
    }

    /// A text with the replacements of all its spans; they are in order and lie apart.
    #[must_use]
    pub fn redact(&self, text: &str, spans: &[Span]) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut at = 0;
        for span in spans {
            redacted.push_str(&text[at..span.start]);
            redacted.push_str(&self.replacement(span.kind, &text[span.range()]));
            at = span.end;
        }
        redacted.push_str(&text[at..]);
        redacted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_where_the_kind_stands() {
        let tag = Redactor::Tag(Box::new(Tag::of_template("[{type} removed]").unwrap()));
        assert_eq!(tag.replacement(Kind::Email, "a@b.de"), "[EMAIL removed]");
        let fixed = Redactor::Tag(Box::new(Tag::of_template("***").unwrap()));
        assert_eq!(fixed.replacement(Kind::Ip, "8.8.8.8"), "***");
        let said = Tag::of_template("<{kind}>").unwrap_err().to_string();
        assert!(said.contains("`<{kind}>`") && said.contains("`{type}`"), "{said}");
    }
}
