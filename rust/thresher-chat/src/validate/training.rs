//! Whether anything is trained on.

use thresher_core::json::{Json, Kind};

use super::codes::Code;
use super::row::{Found, Line, Row};
use crate::conversation::{Message, Role};

/// Weights of the assistant's turns: 0 and false take a turn out of training.
pub(super) fn weights(row: Row<'_>, found: &mut Found<'_>) {
    let spoken = |line: Line<'_>| {
        line.turns()
            .filter(|turn| turn.message.role == Role::Assistant && says_something(turn.message))
            .count()
    };
    let trained = |line: Line<'_>| {
        line.turns().any(|turn| {
            turn.message.role == Role::Assistant
                && says_something(turn.message)
                && !turn.message.weight.as_deref().is_some_and(is_zero)
        })
    };
    for line in row.lines() {
        let turns = spoken(line);
        if turns > 0 && !trained(line) {
            let message = format!(
                "all assistant turns ({turns}) have weight 0, so nothing is trained on; give one of them weight 1, or \
                 leave the row out"
            );
            found.note(Code::NothingTrained, u32::MAX, "", message);
        }
    }
}

fn says_something(message: &Message<'_>) -> bool {
    !message.content.is_empty() || super::content::says_more_than_text(message)
}

fn is_zero(weight: &str) -> bool {
    match Json::checked(weight).kind() {
        Kind::Bool => weight.trim() == "false",
        _ => weight.trim().parse::<f64>().is_ok_and(|weight| weight <= 0.0),
    }
}
