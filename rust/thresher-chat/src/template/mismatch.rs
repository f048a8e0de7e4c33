//! Whether texts of one template fit a model that is deployed with another.
//!
//! A model that learnt one set of markers and is asked with another answers badly and says nothing about it. Two
//! templates are compared on the rows themselves, and by parts on a small conversation: what stands before the first
//! message, around the roles, at the end of a turn, and where the model goes on.

use serde::Serialize;
use thresher_core::json::Json;

use crate::conversation::Conversation;
use crate::error::Result;

use super::chat::Chat;
use super::value::Value;
use super::{Moment, RenderOptions, Template};

/// Characters around a difference.
const CONTEXT: usize = 60;

const WORDS: [&str; 4] = ["Misystem", "Miuser", "Mianswer", "Mimore"];

/// The fixed parts of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Before the first message of the user, without a system prompt.
    pub start: Option<String>,
    /// Before a system prompt.
    pub before_system: Option<String>,
    /// Between a system prompt and the user.
    pub after_system: Option<String>,
    /// Between the user and the model.
    pub before_answer: Option<String>,
    /// Between the model and the user.
    pub after_answer: Option<String>,
    /// After the last turn of the model.
    pub end: Option<String>,
    /// Where the model goes on.
    pub prompt: Option<String>,
}

/// A part in which two templates differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartDifference {
    /// Which part.
    pub part: &'static str,
    /// What the first template has there; none if it refuses.
    pub trained: Option<String>,
    /// What the second one has.
    pub deployed: Option<String>,
}

/// Where two texts of a row part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// Characters that are the same.
    pub at: usize,
    /// The first text around there.
    pub trained: String,
    /// The second one.
    pub deployed: String,
}

impl Parts {
    /// The parts of `template`.
    #[must_use]
    pub fn of(template: &Template, options: &RenderOptions) -> Self {
        let now = options.now.or_else(|| Moment::parse("2000-01-01"));
        let options = RenderOptions { now, ..options.clone() };
        let [system, user, answer, more] = WORDS;
        let render = |messages: &[(&str, &str)], prompt: bool| -> Option<String> {
            let messages: Result<Vec<Value>> = messages
                .iter()
                .map(|(role, content)| {
                    let text = format!(r#"{{"role":"{role}","content":"{content}"}}"#);
                    Ok(Value::from_json(Json::checked(&text))?)
                })
                .collect();
            let chat = Chat::of(Value::None);
            Some(template.run_messages(&chat, messages.ok()?, prompt, &options).ok()?.0.text.to_string())
        };
        let between = |text: &Option<String>, from: &str, until: &str| -> Option<String> {
            let rest = text.as_deref()?.split_once(from)?.1;
            Some(if until.is_empty() { rest } else { rest.split_once(until)?.0 }.to_owned())
        };
        let exchange = [("user", user), ("assistant", answer)];
        let bare = render(&exchange, false);
        let long = render(&[exchange[0], exchange[1], ("user", more)], false);
        let led = render(&[("system", system), exchange[0], exchange[1]], false);
        let asked = render(&exchange[..1], false);
        let going_on = render(&exchange[..1], true);
        let prompt = asked.as_deref().zip(going_on.as_deref());
        Self {
            start: between(&bare, "", user),
            before_system: between(&led, "", system),
            after_system: between(&led, system, user),
            before_answer: between(&bare, user, answer),
            after_answer: between(&long, answer, more),
            end: between(&bare, answer, ""),
            prompt: prompt.and_then(|(asked, going_on)| going_on.strip_prefix(asked)).map(str::to_owned),
        }
    }

    fn list(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("start", &self.start),
            ("before_system", &self.before_system),
            ("after_system", &self.after_system),
            ("before_answer", &self.before_answer),
            ("after_answer", &self.after_answer),
            ("end", &self.end),
            ("prompt", &self.prompt),
        ]
    }

    /// The parts that are not the same.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<PartDifference> {
        self.list()
            .into_iter()
            .zip(other.list())
            .filter(|((_, a), (_, b))| a != b)
            .map(|((part, a), (_, b))| PartDifference { part, trained: a.clone(), deployed: b.clone() })
            .collect()
    }

    /// The share of the parts that a text should have and has: how it starts, how a turn of the model begins and
    /// how it ends. A text of the template has all.
    #[must_use]
    pub fn fit(&self, text: &str) -> f64 {
        let starts = [&self.start, &self.before_system].into_iter().flatten();
        let start = starts.clone().any(|start| text.starts_with(&**start));
        let turn = self.before_answer.as_deref().is_some_and(|turn| text.contains(turn.trim_end()));
        let ends = [&self.end, &self.prompt].into_iter().flatten().map(|end| end.trim_end());
        let end = ends.filter(|end| !end.is_empty()).any(|end| text.trim_end().ends_with(end))
            || self.end.as_deref().is_some_and(|end| end.trim_end().is_empty());
        f64::from(u8::from(start) + u8::from(turn) + u8::from(end)) / 3.0
    }
}

/// Where the texts of two templates part for a row; none if they are the same.
///
/// # Errors
/// The first error of either template, with whether it was the second one's.
pub fn compare(
    trained: &Template,
    deployed: &Template,
    conversation: &Conversation<'_>,
    options: &RenderOptions,
) -> std::result::Result<Option<RowDifference>, (bool, crate::RowError)> {
    let options = RenderOptions { mask: false, ..options.clone() };
    let a = trained.render(conversation, &options).map_err(|error| (false, error))?.text;
    let b = deployed.render(conversation, &options).map_err(|error| (true, error))?.text;
    Ok(difference(&a, &b))
}

/// Where two texts part.
#[must_use]
pub fn difference(a: &str, b: &str) -> Option<RowDifference> {
    if a == b {
        return None;
    }
    let at = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let from = at.saturating_sub(CONTEXT / 2);
        text.chars().skip(from).take(CONTEXT).collect()
    };
    Some(RowDifference { at, trained: around(a), deployed: around(b) })
}
