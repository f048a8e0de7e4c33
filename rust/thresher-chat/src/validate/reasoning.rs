//! Reasoning: kept or stripped as asked, and its tags in order.

use thresher_core::json::Json;

use super::codes::Code;
use super::markup::{Mark, marks, searchable};
use super::options::Reasoning;
use super::row::{Found, Row, Turn};
use crate::conversation::{Content, Message, Role};

/// Reasoning in fields and in texts.
pub(super) fn thoughts(row: Row<'_>, found: &mut Found<'_>) {
    for turn in row.turns().filter(|turn| turn.message.role == Role::Assistant) {
        let in_text = tags(row, turn, found);
        if found.settings.reasoning != Reasoning::Strip {
            continue;
        }
        if has_field(turn.message) {
            let field = turn.message.written.reasoning.as_deref().unwrap_or("reasoning_content");
            let path = format!("{}.{field}", row.path(turn));
            let message =
                "the turn has reasoning in a field of its own, but none may be left; leave the field out";
            found.note(Code::ReasoningLeft, turn.order(), path, message);
        }
        if in_text {
            let message = "the text holds `<think>`, but no reasoning may be left; cut it out";
            found.note(Code::ReasoningLeft, turn.order(), row.content_path(turn), message);
        }
    }
    if found.settings.reasoning == Reasoning::Keep {
        for line in row.lines() {
            let last = line.turns().rfind(|turn| turn.message.role == Role::Assistant);
            let Some(turn) = last.filter(|turn| !has_reasoning(turn.message)) else { continue };
            let message = "the last assistant turn has no reasoning, neither in `reasoning_content` nor at the beginning of \
                           its text between `<think>` and `</think>`; add it, or leave the row out";
            found.note(Code::ReasoningMissing, turn.order(), row.path(turn), message);
        }
    }
}

fn has_field(message: &Message<'_>) -> bool {
    message.reasoning.as_ref().is_some_and(|text| !text.is_empty())
}

fn has_reasoning(message: &Message<'_>) -> bool {
    if has_field(message) {
        return true;
    }
    let Content::Text(text) = &message.content else { return false };
    let Ok(text) = text.decode() else { return false };
    let inside = text.trim_start().strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    inside.is_some_and(|(inside, _)| !inside.trim().is_empty())
}

/// Notes tags that are not in order; whether there are any.
fn tags(row: Row<'_>, turn: Turn<'_>, found: &mut Found<'_>) -> bool {
    match &turn.message.content {
        Content::Text(text) => tags_of(row, turn, &searchable(text), found),
        Content::Parts(parts) => Json::checked(parts).items().fold(false, |any, part| {
            let text = part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
            text.is_some_and(|text| tags_of(row, turn, &searchable(&text), found)) || any
        }),
        Content::Absent | Content::Null => false,
    }
}

fn tags_of(row: Row<'_>, turn: Turn<'_>, text: &str, found: &mut Found<'_>) -> bool {
    let (mut open, mut any) = (false, false);
    let [mut nested, mut unopened] = [false; 2];
    for (mark, _) in marks(text) {
        match mark {
            Mark::Think => {
                nested |= open;
                open = true;
            }
            Mark::EndThink => {
                unopened |= !open;
                open = false;
            }
            Mark::Call | Mark::Control => continue,
        }
        any = true;
    }
    for (there, code, message) in [
        (
            open,
            Code::ThinkUnclosed,
            "a `<think>` has no `</think>`; close it, or cut the text that was cut short",
        ),
        (unopened, Code::ThinkUnopened, "a `</think>` has no `<think>`; put one where the reasoning begins"),
        (nested, Code::ThinkNested, "a `<think>` stands inside another one; close the first before it"),
    ] {
        if there {
            found.note(code, turn.order(), row.content_path(turn), message);
        }
    }
    any
}
