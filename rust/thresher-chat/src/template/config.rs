//! Where a template comes from: a text, or the JSON of `tokenizer_config.json` and its kin.

use thresher_core::json::{Json, Kind};

use crate::error::{Reason, Result};

/// The special tokens that Hugging Face hands to a template.
const TOKENS: [&str; 8] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
];

/// The source of a template and the special tokens it may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The template.
    pub template: String,
    /// Name and value of each special token, the value as checked JSON.
    pub tokens: Vec<(String, String)>,
}

impl Source {
    /// A template without special tokens.
    #[must_use]
    pub fn text(template: impl Into<String>) -> Self {
        Self { template: template.into(), tokens: Vec::new() }
    }

    /// Takes template and special tokens out of a configuration; without `with_template` only the tokens. Of several
    /// templates the one called `name` is taken, or `default`.
    ///
    /// # Errors
    /// There is no such template.
    pub fn from_config(config: Json<'_>, name: Option<&str>, with_template: bool) -> Result<Self> {
        let missing = |detail: String| Reason::MissingField.because(detail);
        let mut source = Self::default();
        for token in TOKENS {
            if let Some(value) = config.get(token).and_then(content) {
                source.tokens.push((token.to_owned(), value));
            }
        }
        if !with_template {
            return Ok(source);
        }
        let Some(template) = config.get("chat_template") else {
            return Err(missing(
                "there is no `chat_template`; the model may have it in `chat_template.jinja`".into(),
            ));
        };
        if let Some(text) = template.as_str() {
            source.template = text.decode()?.into_owned();
            return Ok(source);
        }
        let wanted = name.unwrap_or("default");
        let named =
            |entry: &Json<'_>| entry.get("name").and_then(Json::as_str).is_some_and(|name| name.is(wanted));
        let text = match template.kind() {
            Kind::Array => template.items().find(named).and_then(|entry| entry.get("template")),
            Kind::Object => template.get(wanted),
            _ => None,
        };
        let Some(text) = text.and_then(Json::as_str) else {
            return Err(missing(format!("`chat_template` has no template called `{wanted}`")));
        };
        source.template = text.decode()?.into_owned();
        Ok(source)
    }
}

/// A token as a text: it may stand in an object with its flags.
fn content(value: Json<'_>) -> Option<String> {
    match value.kind() {
        Kind::String => Some(value.text().to_owned()),
        Kind::Object => value
            .get("content")
            .filter(|content| content.kind() == Kind::String)
            .map(|content| content.text().to_owned()),
        Kind::Array => {
            let items: Option<Vec<String>> = value.items().map(content).collect();
            Some(format!("[{}]", items?.join(",")))
        }
        _ => None,
    }
}
