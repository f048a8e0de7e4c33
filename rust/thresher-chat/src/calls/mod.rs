//! Calls in the ways that formats write them: as fields, and as JSON in a text; [`xml`] puts tags around the latter.

pub(crate) mod xml;

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::conversation::{Call, Extra};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::out::{Object, array};

/// Reads an element of `tool_calls`.
pub(crate) fn read_field(value: Json<'_>) -> Result<Call<'_>> {
    let mut call = Call::default();
    let mut function = None;
    for (key, value) in value.members() {
        match (key.escaped(), value.kind()) {
            ("id", Kind::String) => call.id = value.as_str(),
            ("type", Kind::String) => call.kind = value.as_str(),
            ("function", Kind::Object) => function = Some(value),
            _ => call.extra.push((key, value.into())),
        }
    }
    let Some(function) = function else {
        return Err(Reason::BadCall.because("a call has no `function` object"));
    };
    call.function_extra = read_function(function, &mut call)?;
    Ok(call)
}

/// Reads a function object that is all there is of a call, as `function_call` holds it.
pub(crate) fn read_legacy(value: Json<'_>) -> Result<Call<'_>> {
    let mut call = Call::default();
    call.function_extra = read_function(value, &mut call)?;
    Ok(call)
}

/// Reads name and arguments of a function object, and gives what else it holds.
fn read_function<'a>(function: Json<'a>, call: &mut Call<'a>) -> Result<Extra<'a>> {
    let mut name = None;
    let mut extra = Vec::new();
    for (key, value) in function.members() {
        match (key.escaped(), value.kind()) {
            ("name", Kind::String) => name = value.as_str(),
            ("arguments", kind) if kind != Kind::Null => call.arguments = Some(value.into()),
            _ => extra.push((key, value.into())),
        }
    }
    call.name = name.ok_or_else(|| Reason::BadCall.because("a call has no function name (a string)"))?;
    Ok(extra)
}

/// Writes an element of `tool_calls`.
pub(crate) fn write_field(
    out: &mut String,
    call: &Call<'_>,
    arguments_as_string: bool,
    losses: &mut RowLosses,
) {
    let mut object = Object::open(out);
    if let Some(id) = &call.id {
        object.string("id", id);
    }
    if let Some(kind) = &call.kind {
        object.string("type", kind);
    }
    write_function(object.key("function"), call, arguments_as_string, losses);
    for (key, value) in &call.extra {
        let taken = match key.escaped() {
            "id" => call.id.is_some(),
            "type" => call.kind.is_some(),
            name => name == "function",
        };
        write_extra(&mut object, key, value, taken, losses);
    }
    object.close();
}

/// Writes a function object.
pub(crate) fn write_function(
    out: &mut String,
    call: &Call<'_>,
    arguments_as_string: bool,
    losses: &mut RowLosses,
) {
    let mut function = Object::open(out);
    function.string("name", &call.name);
    if let Some(arguments) = &call.arguments {
        if arguments_as_string && Json::checked(arguments).kind() != Kind::String {
            function.string("arguments", &Str::encode(&**arguments));
        } else {
            function.raw("arguments", arguments);
        }
    }
    for (key, value) in &call.function_extra {
        let name = key.escaped();
        let taken = name == "name" || name == "arguments" && call.arguments.is_some();
        write_extra(&mut function, key, value, taken, losses);
    }
    function.close();
}

fn write_extra(object: &mut Object<'_>, key: &Str<'_>, value: &str, taken: bool, losses: &mut RowLosses) {
    if taken {
        let field = format!("messages[].tool_calls[].{}", key.escaped());
        losses.note(field, "dropped: a call has another field of this name");
    } else {
        object.raw(key.escaped(), value);
    }
}

/// Reads the calls in the text of a turn: one JSON object with name and arguments, or an array of them.
pub(crate) fn read_turn(body: &Str<'_>) -> Result<Vec<Call<'static>>> {
    let text = body.decode()?;
    let bad = |error: String| Reason::BadCall.because(format!("the text of a call is no JSON call: {error}"));
    let value = Json::parse(text.trim()).map_err(|error| bad(error.to_string()))?;
    match value.kind() {
        Kind::Object => Ok(vec![read_bare(value)?]),
        Kind::Array => {
            let calls: Vec<_> = value.items().map(read_bare).collect::<Result<_>>()?;
            if calls.is_empty() { Err(bad("it is an empty array".into())) } else { Ok(calls) }
        }
        kind => Err(bad(format!("it is {}, not an object or an array", kind.name()))),
    }
}

/// Reads `{"name": ..., "arguments": ...}`, or an element of `tool_calls` in its place.
fn read_bare(value: Json<'_>) -> Result<Call<'static>> {
    if value.get("name").is_none() && value.get("function").is_some() {
        return read_field(value).map(Call::into_owned);
    }
    let mut call = Call::default();
    call.extra = read_function(value, &mut call)?;
    for (name, slot) in [("id", &mut call.id), ("type", &mut call.kind)] {
        let at = call
            .extra
            .iter()
            .position(|(key, value)| key.escaped() == name && Json::checked(value).kind() == Kind::String);
        *slot = at.and_then(|at| Json::checked(&call.extra.remove(at).1).as_str().map(Str::into_owned));
    }
    Ok(call.into_owned())
}

/// Writes calls as the text of a turn; what it cannot carry is noted.
pub(crate) fn turn_text(calls: &[Call<'_>], losses: &mut RowLosses) -> Result<Str<'static>> {
    let mut text = String::new();
    if let [call] = calls {
        write_bare(&mut text, call, losses)?;
    } else {
        array(&mut text, calls, |out, call| write_bare(out, call, losses))?;
    }
    Ok(Str::encode(text))
}

fn write_bare(out: &mut String, call: &Call<'_>, losses: &mut RowLosses) -> Result<()> {
    note_lost(call, losses);
    out.push_str("{\"name\": \"");
    out.push_str(call.name.escaped());
    out.push_str("\", \"arguments\": ");
    out.push_str(&arguments_value(call)?);
    out.push('}');
    Ok(())
}

fn note_lost(call: &Call<'_>, losses: &mut RowLosses) {
    if call.id.is_some() {
        losses.note("messages[].tool_calls[].id", "dropped");
    }
    if call.kind.as_ref().is_some_and(|kind| !kind.is("function")) {
        losses.note("messages[].tool_calls[].type", "dropped");
    }
    for (key, _) in call.extra.iter().chain(&call.function_extra).filter(|(_, value)| value != "null") {
        losses.note(format!("messages[].tool_calls[].{}", key.escaped()), "dropped");
    }
}

/// The arguments as a JSON value; of a string, the JSON inside it as it stands there. No text means no arguments.
pub(crate) fn arguments_value<'c>(call: &'c Call<'_>) -> Result<Cow<'c, str>> {
    let Some(arguments) = &call.arguments else { return Ok("{}".into()) };
    let Some(text) = Json::checked(arguments).as_str() else { return Ok(Cow::Borrowed(arguments)) };
    let text = text.decode()?.into_owned();
    if text.trim().is_empty() {
        return Ok("{}".into());
    }
    let bad = |what: &str| {
        Reason::BadCall.because(format!(
            "the arguments of `{}` are {what}, and the format asked for takes nothing else",
            call.name.escaped()
        ))
    };
    match Json::parse(&text) {
        Ok(value) if matches!(value.kind(), Kind::String | Kind::Null) => {
            Err(bad(&format!("{} inside a string, not an object", value.kind().name())))
        }
        Ok(value) => Ok(value.text().to_owned().into()),
        Err(error) => Err(bad(&format!("no JSON ({error})"))),
    }
}
