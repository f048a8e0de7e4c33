//! Reasoning: kept or stripped as asked.

use super::codes::Code;
use super::markup::{Mark, marks, searchable};
use super::options::Reasoning;
use super::row::{Found, Row, Turn, texts};
use crate::conversation::{Content, Message, Role};

/// Reasoning in fields and in texts.
pub(super) fn thoughts(row: Row<'_>, found: &mut Found<'_>) {
    if found.settings.reasoning == Reasoning::Strip {
        row.turns()
            .filter(|turn| turn.message.role == Role::Assistant)
            .for_each(|turn| left(row, turn, found));
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

/// Reasoning that was to be stripped.
fn left(row: Row<'_>, turn: Turn<'_>, found: &mut Found<'_>) {
    if has_field(turn.message) {
        let field = turn.message.written.reasoning.as_deref().unwrap_or("reasoning_content");
        let path = format!("{}.{field}", row.path(turn));
        let message =
            "the turn has reasoning in a field of its own, but none may be left; leave the field out";
        found.note(Code::ReasoningLeft, turn.order(), path, message);
    }
    let is_tag = |mark| matches!(mark, Mark::Think | Mark::EndThink);
    if texts(turn.message).any(|text| marks(&searchable(&text)).any(|(mark, _)| is_tag(mark))) {
        let message = "the text holds a tag of `<think>`, but no reasoning may be left; cut it out";
        found.note(Code::ReasoningLeft, turn.order(), row.content_path(turn), message);
    }
}
