//! A row as the checks see it, and where they put what they find.

use std::borrow::Cow;

use thresher_core::json::{Json, Str};

use super::codes::Code;
use super::options::Settings;
use super::place;
use super::report::Problem;
use super::tools::ToolSet;
use crate::conversation::{Content, Conversation, Ending, Message};
use crate::format::Format;

/// The place of problems of the row as a whole that stand before those of its messages.
pub(super) const HEAD: u32 = 0;

/// Problems of a row, as they are found.
pub(super) struct Found<'p> {
    pub(super) settings: Settings,
    pub(super) problems: &'p mut Vec<Problem>,
}

impl Found<'_> {
    /// Whether anybody wants to know.
    pub(super) fn wants(&self, code: Code) -> bool {
        self.settings.severity(code).is_some()
    }

    /// Notes a problem at the place `at` among the places of a row.
    pub(super) fn note(&mut self, code: Code, at: u32, path: impl Into<String>, message: impl Into<String>) {
        if let Some(severity) = self.settings.severity(code) {
            let (path, message) = (path.into(), message.into());
            self.problems.push(Problem { row: 0, code, severity, path, message, at });
        }
    }
}

/// A message and its place among all messages of the row.
#[derive(Clone, Copy)]
pub(super) struct Turn<'r> {
    pub(super) at: usize,
    pub(super) message: &'r Message<'r>,
}

impl Turn<'_> {
    /// Its place among the places of a row.
    pub(super) fn order(self) -> u32 {
        u32::try_from(self.at + 1).unwrap_or(u32::MAX)
    }
}

/// A row that could be read.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    pub(super) conversation: &'r Conversation<'r>,
    pub(super) format: &'r Format,
    /// The tools on offer, if there are any.
    pub(super) tools: Option<&'r ToolSet>,
}

impl<'r> Row<'r> {
    /// All messages.
    pub(super) fn turns(self) -> impl Iterator<Item = Turn<'r>> {
        self.conversation.all_messages().enumerate().map(|(at, message)| Turn { at, message })
    }

    /// The conversations in the row, from the first turn to the last: a preference holds two.
    pub(super) fn lines(self) -> impl Iterator<Item = Line<'r>> {
        let prompt = &self.conversation.messages[..];
        let line = move |tail: &'r [Message<'r>], skipped| Line { prompt, tail, skipped };
        let (first, second) = match &self.conversation.ending {
            Ending::Open => (line(&[], 0), None),
            Ending::Completion(tail) | Ending::Labelled(tail, _) => (line(tail, 0), None),
            Ending::Preference { chosen, rejected } => (line(chosen, 0), Some(line(rejected, chosen.len()))),
        };
        std::iter::once(first).chain(second)
    }

    /// The path of a message.
    pub(super) fn path(self, turn: Turn<'_>) -> String {
        place::of_message(self.conversation, self.format, turn.at)
    }

    /// The path of what a message says.
    pub(super) fn content_path(self, turn: Turn<'_>) -> String {
        place::of_content(self.conversation, self.format, turn.at, turn.message)
    }

    /// The path of a call, or of a field of it such as `.function.arguments`.
    pub(super) fn call_path(self, turn: Turn<'_>, index: usize, field: &str) -> String {
        place::of_call(self.conversation, self.format, (turn.at, turn.message), index, field)
    }
}

/// One conversation of a row.
#[derive(Clone, Copy)]
pub(super) struct Line<'r> {
    prompt: &'r [Message<'r>],
    tail: &'r [Message<'r>],
    /// Messages of the row between the two.
    skipped: usize,
}

impl<'r> Line<'r> {
    /// Its turns.
    pub(super) fn turns(self) -> impl DoubleEndedIterator<Item = Turn<'r>> + Clone {
        let first = self.prompt.len() + self.skipped;
        let prompt = self.prompt.iter().enumerate().map(|(at, message)| Turn { at, message });
        let tail = self.tail.iter().enumerate().map(move |(at, message)| Turn { at: first + at, message });
        prompt.chain(tail)
    }
}

/// The text of a message, decoded only where it has escapes; none if it has parts, or what no `str` can hold.
pub(super) fn text<'m>(message: &'m Message<'_>) -> Option<Cow<'m, str>> {
    match &message.content {
        Content::Text(text) => text.decode().ok(),
        _ => None,
    }
}

/// The texts in the content of a message: one, or those of its parts.
pub(super) fn texts<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Str<'m>> {
    let (text, parts) = match &message.content {
        Content::Text(text) => (Some(text.reborrow()), None),
        Content::Parts(parts) => (None, Some(Json::checked(parts))),
        Content::Absent | Content::Null => (None, None),
    };
    let part = |part: Json<'m>| part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
    text.into_iter().chain(parts.into_iter().flat_map(Json::items).filter_map(part))
}
