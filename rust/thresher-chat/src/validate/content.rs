//! Turns that say nothing.

use thresher_core::json::{Json, Kind, Str};

use super::codes::Code;
use super::row::{Found, Row};
use crate::conversation::{Content, Message, Role};

/// Fields without a meaning of their own here that say something all the same.
const SAYING: [&str; 3] = ["refusal", "audio", "function_call"];

/// Turns without text.
pub(super) fn empty(row: Row<'_>, found: &mut Found<'_>) {
    for turn in row.turns() {
        let message = turn.message;
        // A function may give nothing back, as long as the format says so.
        let may_be_empty = message.role == Role::Tool && matches!(message.content, Content::Text(_));
        if may_be_empty || says_more_than_text(message) {
            continue;
        }
        let role = message.role.name();
        let (code, what) = match &message.content {
            Content::Null => (Code::NullContent, "has null as its content and no calls"),
            _ if message.content.is_empty() || is_parts_without_text(&message.content) => {
                (Code::EmptyTurn, "has no text, no calls and no reasoning")
            }
            Content::Text(text) if is_blank(text) => (Code::BlankTurn, "is nothing but white space"),
            _ => continue,
        };
        let message = format!("the turn of `{role}` {what}; give it a text, or leave the row out");
        found.note(code, turn.order(), row.content_path(turn), message);
    }
}

/// Whether a message has something to say apart from its text.
pub(super) fn says_more_than_text(message: &Message<'_>) -> bool {
    let filled = |text: &Option<_>| text.as_ref().is_some_and(|text: &Str<'_>| !text.is_empty());
    !message.calls.is_empty()
        || filled(&message.reasoning)
        || filled(&message.input)
        || message.extra.iter().any(|(key, value)| {
            SAYING.contains(&key.escaped())
                && match Json::checked(value).kind() {
                    Kind::String => value.len() > 2,
                    kind => kind == Kind::Object,
                }
        })
}

/// Whether a text is white space. Most texts show by their first byte that they are not.
fn is_blank(text: &Str<'_>) -> bool {
    let first = text.escaped().as_bytes().first();
    !first.is_some_and(|first| first.is_ascii_graphic() && *first != b'\\')
        && text.decode().is_ok_and(|text| text.trim().is_empty())
}

/// Whether there are parts, all of them empty texts.
fn is_parts_without_text(content: &Content<'_>) -> bool {
    let Content::Parts(parts) = content else { return false };
    Json::checked(parts).items().all(|part| {
        let text = part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
        text.is_some_and(|text| text.is_empty())
    })
}
