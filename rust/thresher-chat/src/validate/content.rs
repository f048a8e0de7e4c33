//! Turns that say nothing, say it twice, or say what breaks a template.

use thresher_core::json::{Json, Kind, Str};

use super::codes::Code;
use super::markup::{Mark, marks, searchable};
use super::row::{Found, Row, Turn, shown, text};
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
            _ if text(message).is_some_and(|text| text.trim().is_empty()) => {
                (Code::BlankTurn, "is nothing but white space")
            }
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

/// Whether there are parts, all of them empty texts.
fn is_parts_without_text(content: &Content<'_>) -> bool {
    let Content::Parts(parts) = content else { return false };
    Json::checked(parts).items().all(|part| {
        let text = part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
        text.is_some_and(|text| text.is_empty())
    })
}

/// Markup in texts that rendering or reading trips over.
pub(super) fn markup(row: Row<'_>, found: &mut Found<'_>) {
    if !found.wants(Code::ControlToken) && !found.wants(Code::CallInText) {
        return;
    }
    for turn in row.turns() {
        match &turn.message.content {
            Content::Text(text) => marked(row, turn, text, found),
            Content::Parts(parts) => {
                for part in Json::checked(parts).items() {
                    let text = part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
                    if let Some(text) = text {
                        marked(row, turn, &text, found);
                    }
                }
            }
            Content::Absent | Content::Null => {}
        }
        for text in [&turn.message.input, &turn.message.reasoning].into_iter().flatten() {
            marked(row, turn, text, found);
        }
    }
}

/// Notes the first control token of a text, and the first tag of a call.
fn marked(row: Row<'_>, turn: Turn<'_>, text: &Str<'_>, found: &mut Found<'_>) {
    let text = searchable(text);
    let [mut token, mut call] = [None; 2];
    for (mark, spelling) in marks(&text) {
        match mark {
            Mark::Control => token = token.or(Some(spelling)),
            Mark::Call if turn.message.role == Role::Assistant => call = call.or(Some(spelling)),
            _ => {}
        }
    }
    if let Some(token) = token {
        let message = format!(
            "the text holds {}, which a chat template may take for the end or the beginning of a turn; cut it out or \
             write it otherwise",
            shown(token)
        );
        found.note(Code::ControlToken, turn.order(), row.content_path(turn), message);
    }
    if let Some(tag) = call {
        let message = format!(
            "the text holds {}, but no call could be read from it; write the call in the way of `{}`",
            shown(tag),
            row.format.name()
        );
        found.note(Code::CallInText, turn.order(), row.content_path(turn), message);
    }
}
