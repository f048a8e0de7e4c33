//! Who speaks after whom, and who speaks last.

use super::codes::Code;
use super::row::{Found, Line, Row, Turn};
use crate::conversation::{Message, Role};

/// Order of roles in each conversation of the row.
pub(super) fn roles(row: Row<'_>, found: &mut Found<'_>) {
    for line in row.lines() {
        sequence(row, line, found);
        last(row, line, found);
    }
}

fn is_prompt(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| format!("`{}`", role.name())).collect::<Vec<_>>().join(" or ")
}

/// Each turn after the one before it. Whether results follow their calls is the matter of `calls`.
fn sequence(row: Row<'_>, line: Line<'_>, found: &mut Found<'_>) {
    let target = found.settings.target;
    let mut before: Option<Turn<'_>> = None;
    for turn in line.turns() {
        let role = turn.message.role;
        if let Some(order) = &target.order {
            if role == Role::Developer && !order.developer {
                let message =
                    format!("the target `{}` has no role `developer`; make it `system`", target.name);
                found.note(Code::RoleNotAllowed, turn.order(), row.path(turn), message);
            }
            if is_prompt(turn.message) {
                if before.is_some() {
                    let message = format!(
                        "a turn of `{}` comes after others; put it first, or into the turn that it belongs to",
                        role.name()
                    );
                    found.note(Code::SystemNotFirst, turn.order(), row.path(turn), message);
                }
                continue;
            }
            let allowed = before.map_or(&[Role::User][..], |before| order.after(before.message.role));
            match before {
                None if role == Role::Assistant => {
                    let message = "the first turn is of `assistant`, but a conversation begins with `user`; add \
                                   what was asked, or leave this turn out";
                    found.note(Code::WrongFirstRole, turn.order(), row.path(turn), message);
                }
                Some(before)
                    if role != Role::Tool && !allowed.contains(&role) && !is_unanswered(before, role) =>
                {
                    let message = format!(
                        "`{}` follows `{}`, but the target `{}` has {} there; join or reorder the turns",
                        role.name(),
                        before.message.role.name(),
                        target.name,
                        names(allowed)
                    );
                    found.note(Code::WrongRoleOrder, turn.order(), row.path(turn), message);
                }
                _ => {}
            }
        } else if is_prompt(turn.message) {
            continue;
        }
        if let Some(before) = before {
            same_role(row, [before, turn], found);
        }
        before = Some(turn);
    }
}

/// Whether results are missing between two turns, which is the matter of `calls`.
fn is_unanswered(before: Turn<'_>, role: Role) -> bool {
    !before.message.calls.is_empty() && role != Role::Tool
}

/// Two turns of one role in a row, where the target takes them.
fn same_role(row: Row<'_>, [before, turn]: [Turn<'_>; 2], found: &mut Found<'_>) {
    let role = turn.message.role;
    if role != before.message.role || role == Role::Tool || is_unanswered(before, role) {
        return;
    }
    let same = before.message.content == turn.message.content && before.message.input == turn.message.input;
    if same && !before.message.content.is_empty() && turn.message.calls.is_empty() {
        let message = format!("the turn says the same as the turn of `{}` before it; keep one", role.name());
        found.note(Code::RepeatedTurn, turn.order(), row.path(turn), message);
        return;
    }
    let order = found.settings.target.order.as_ref();
    if order.is_none_or(|order| order.after(role).contains(&role)) {
        let message = format!("two turns of `{}` in a row; join them, if they belong together", role.name());
        found.note(Code::ConsecutiveSameRole, turn.order(), row.path(turn), message);
    }
}

/// The end: there must be an answer to learn.
fn last(row: Row<'_>, line: Line<'_>, found: &mut Found<'_>) {
    let Some(turn) = line.turns().next_back() else {
        found.note(Code::NoMessages, u32::MAX, "", "the row has no turns; leave it out");
        return;
    };
    if !line.turns().any(|turn| turn.message.role == Role::Assistant) {
        let message = "no turn is the assistant's, so there is nothing to train on; add an answer, or leave the row out";
        found.note(Code::NoAssistant, u32::MAX, "", message);
        return;
    }
    match turn.message.role {
        Role::Assistant => {}
        Role::Tool => {
            let message = "the conversation ends with a result that the assistant does not take up; add its answer, or \
                           leave the call and its result out";
            found.note(Code::TrailingToolMessage, turn.order(), row.path(turn), message);
        }
        role => {
            let message = format!(
                "the conversation ends with `{}`, but only what `assistant` says is trained on; add an answer, or leave \
                 the turn out",
                role.name()
            );
            found.note(Code::WrongLastRole, turn.order(), row.path(turn), message);
        }
    }
}
