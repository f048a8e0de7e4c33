//! The arguments of calls: JSON, an object, and what the tool asks for.

use std::borrow::Cow;

use serde_json::Value;
use thresher_core::json::{Json, Kind};

use super::codes::Code;
use super::keys::Scratch;
use super::row::{Found, Row, Turn};
use crate::conversation::Call;
use crate::shown::{one_line, shown, shown_str};

/// The field of a call that this is about.
const FIELD: &str = ".function.arguments";

/// The arguments of all calls of the row.
pub(super) fn fit(row: Row<'_>, found: &mut Found<'_>) {
    for turn in row.turns() {
        for (index, call) in turn.message.calls.iter().enumerate() {
            one(row, turn, (index, call), found);
        }
    }
}

fn one(row: Row<'_>, turn: Turn<'_>, (index, call): (usize, &Call<'_>), found: &mut Found<'_>) {
    let path = || row.call_path(turn, index, FIELD);
    let not_an_object = |kind: Kind| {
        format!(
            "the arguments of {} are {}, but they are an object, or a JSON string that holds one",
            shown_str(&call.name),
            kind.name()
        )
    };
    // A reader takes strings and objects; anything else it leaves among the further fields.
    if let Some((_, odd)) = call.function_extra.iter().find(|(key, _)| key.is("arguments")) {
        let message = not_an_object(Json::checked(odd).kind());
        return found.note(Code::ArgumentsNotAnObject, turn.order(), path(), message);
    }
    let Some(text) = call.arguments.as_deref() else {
        return against(row, turn, (index, call), "{}", found);
    };
    let Some(text) = text_of(text) else {
        let message = format!(
            "the arguments of {} have half of a surrogate pair, which no UTF-8 can carry; write the character out",
            shown_str(&call.name)
        );
        return found.note(Code::LoneSurrogate, turn.order(), path(), message);
    };
    let parsed = match Json::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let error = error.to_string().replace("of the line", "of them");
            let message = format!(
                "the arguments of {}, {}, are not JSON: {error}; write them as one JSON object",
                shown_str(&call.name),
                shown(&text)
            );
            return found.note(Code::ArgumentsNotJson, turn.order(), path(), message);
        }
    };
    if parsed.kind() != Kind::Object {
        return found.note(Code::ArgumentsNotAnObject, turn.order(), path(), not_an_object(parsed.kind()));
    }
    if matches!(text, Cow::Owned(_)) {
        // What stands in a string was not looked into with the rest of the row.
        Scratch::default().check(parsed.text(), &path(), turn.order(), found);
    }
    against(row, turn, (index, call), parsed.text(), found);
}

/// The JSON of arguments, whether they stand in a string or not; none if no `str` can hold it.
fn text_of(arguments: &str) -> Option<Cow<'_, str>> {
    match Json::checked(arguments).as_str() {
        Some(inside) => Some(Cow::Owned(inside.decode().ok()?.into_owned())),
        None => Some(Cow::Borrowed(arguments)),
    }
}

/// Arguments against the schema of their tool.
fn against(
    row: Row<'_>,
    turn: Turn<'_>,
    (index, call): (usize, &Call<'_>),
    text: &str,
    found: &mut Found<'_>,
) {
    if !found.wants(Code::ArgumentsViolateSchema) {
        return;
    }
    let name = call.name.decode().unwrap_or_default();
    let Some(schema) = row.tools.and_then(|tools| tools.get(&name)?.schema.as_deref()) else { return };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            // Numbers beyond what it holds, and the like.
            let message = format!("the arguments of {} cannot be checked: {error}", shown(&name));
            return found.note(
                Code::ArgumentsUnchecked,
                turn.order(),
                row.call_path(turn, index, FIELD),
                message,
            );
        }
    };
    let Some(violations) = schema.check(&value, text.len()) else {
        let message = format!(
            "checking the arguments of {} ({} bytes) would take too long; make its schema simpler",
            shown(&name),
            text.len()
        );
        return found.note(
            Code::ArgumentsUnchecked,
            turn.order(),
            row.call_path(turn, index, FIELD),
            message,
        );
    };
    for violation in violations {
        let path = format!("{}{}", row.call_path(turn, index, FIELD), violation.path());
        let message = format!(
            "the argument {} breaks the schema of {}: {}; correct it, or the schema",
            shown(&violation.value),
            shown(&name),
            one_line(&violation.message)
        );
        found.note(Code::ArgumentsViolateSchema, turn.order(), path, message);
    }
}
