//! System prompts: one, and where the format reads it.

use thresher_core::json::{Json, Str};

use super::codes::Code;
use super::row::{Found, HEAD, Row, Turn};
use crate::conversation::{Content, Message, Role};
use crate::shown::{shown, shown_str};

/// Fields in which system prompts are found outside of the messages.
const FIELDS: [&str; 3] = ["system", "system_prompt", "system_message"];

/// System prompts against each other.
pub(super) fn prompts(row: Row<'_>, found: &mut Found<'_>) {
    let is_prompt = |turn: &Turn<'_>| matches!(turn.message.role, Role::System | Role::Developer);
    let mut first: Option<Turn<'_>> = None;
    for turn in row.turns().filter(is_prompt) {
        if let Some(first) = first {
            against(row, first, turn, found);
        } else {
            first = Some(turn);
        }
    }
    for (key, value) in &row.conversation.extra {
        let Some(text) = Json::checked(value).as_str().filter(|text| !text.is_empty()) else { continue };
        if !FIELDS.contains(&key.escaped()) {
            continue;
        }
        let field = key.escaped();
        match first {
            Some(first) if says(first.message, &text) => {
                let message = format!(
                    "the field `{field}` says the same as the system prompt in `{}`; keep one",
                    row.path(first)
                );
                found.note(Code::DuplicateSystem, HEAD, field, message);
            }
            Some(first) => {
                let message = format!(
                    "the field `{field}` says {}, but the system prompt in `{}` says something else; keep one",
                    shown_str(&text),
                    row.path(first)
                );
                found.note(Code::ContradictorySystem, HEAD, field, message);
            }
            None => {
                let message = format!(
                    "the field `{field}` says {}, but `{}` does not read it; make it the first turn",
                    shown_str(&text),
                    row.format.name()
                );
                found.note(Code::SystemNotRead, HEAD, field, message);
            }
        }
    }
}

fn says(message: &Message<'_>, text: &Str<'_>) -> bool {
    matches!(&message.content, Content::Text(own) if own == text || own.decode().is_ok_and(|own| text.is(&own)))
}

fn against(row: Row<'_>, first: Turn<'_>, turn: Turn<'_>, found: &mut Found<'_>) {
    let place = row.path(first);
    let same = match &turn.message.content {
        Content::Text(text) => says(first.message, text),
        content => *content == first.message.content,
    };
    let (code, message) = if first.message.role != turn.message.role {
        let roles = [first, turn].map(|turn| turn.message.role.name());
        let message = format!(
            "the row has both a `{}` prompt in `{place}` and a `{}` prompt; keep one",
            roles[0], roles[1]
        );
        (Code::SystemAndDeveloper, message)
    } else if same {
        (Code::DuplicateSystem, format!("the system prompt says the same as the one in `{place}`; keep one"))
    } else {
        let text = super::row::text(turn.message).unwrap_or_default();
        let message =
            format!("the system prompt {} is not the one in `{place}`; keep one, or join them", shown(&text));
        (Code::ContradictorySystem, message)
    };
    found.note(code, turn.order(), row.path(turn), message);
}
