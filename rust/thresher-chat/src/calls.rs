//! Calls and tools in the ways that formats write them: fields, JSON in a turn of its own, XML around JSON.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::conversation::{Call, Content, Extra, Message, Raw, Role};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::out::{Object, array, quoted};

const CALL: [&str; 2] = ["<tool_call>", "</tool_call>"];
const RESPONSE: [&str; 2] = ["<tool_response>", "</tool_response>"];

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

/// Reads name and arguments of a function object, and gives what else it holds.
pub(crate) fn read_function<'a>(function: Json<'a>, call: &mut Call<'a>) -> Result<Extra<'a>> {
    let mut name = None;
    let mut extra = Vec::new();
    for (key, value) in function.members() {
        match (key.escaped(), value.kind()) {
            ("name", Kind::String) => name = value.as_str(),
            ("arguments", Kind::String | Kind::Object) => call.arguments = Some(value.into()),
            _ => extra.push((key, value.into())),
        }
    }
    call.name = name.ok_or_else(|| Reason::BadCall.because("a call has no function name (a string)"))?;
    Ok(extra)
}

/// Writes an element of `tool_calls`.
pub(crate) fn write_field(out: &mut String, call: &Call<'_>, arguments_as_string: bool) {
    let mut object = Object::open(out);
    if let Some(id) = &call.id {
        object.string("id", id);
    }
    if let Some(kind) = &call.kind {
        object.string("type", kind);
    }
    write_function(object.key("function"), call, arguments_as_string);
    object.extra(&call.extra);
    object.close();
}

/// Writes a function object.
pub(crate) fn write_function(out: &mut String, call: &Call<'_>, arguments_as_string: bool) {
    let mut function = Object::open(out);
    function.string("name", &call.name);
    if let Some(arguments) = &call.arguments {
        if arguments_as_string && Json::checked(arguments).kind() != Kind::String {
            function.string("arguments", &Str::encode(&**arguments));
        } else {
            function.raw("arguments", arguments);
        }
    }
    function.extra(&call.function_extra);
    function.close();
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

/// Reads `{"name": ..., "arguments": ...}`.
fn read_bare(value: Json<'_>) -> Result<Call<'static>> {
    let mut call = Call::default();
    call.extra = read_function(value, &mut call)?;
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
    out.push_str(&arguments_object(call)?);
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

/// The arguments as a JSON value; of a string, the JSON inside it as it stands there.
pub(crate) fn arguments_object<'c>(call: &'c Call<'_>) -> Result<Cow<'c, str>> {
    let Some(arguments) = &call.arguments else { return Ok("{}".into()) };
    let Some(text) = Json::checked(arguments).as_str() else { return Ok(Cow::Borrowed(arguments)) };
    let text = text.decode()?.into_owned();
    if text.trim().is_empty() {
        return Ok("{}".into());
    }
    match Json::parse(&text) {
        Ok(value) => Ok(value.text().to_owned().into()),
        Err(error) => Err(Reason::BadCall.because(format!(
            "the arguments of `{}` are no JSON ({error}), and the format asked for takes nothing else",
            call.name.escaped()
        ))),
    }
}

/// Takes calls or a result out of the XML in a message, as Hermes and ChatML models write them. A message that holds
/// none, or broken ones, stays as it is.
pub(crate) fn read_xml(message: &mut Message<'_>) -> Result<()> {
    let Content::Text(body) = &message.content else { return Ok(()) };
    let tags = match message.role {
        Role::Assistant => CALL,
        Role::Tool => RESPONSE,
        _ => return Ok(()),
    };
    // A `<` may be written as an escape, so a string with escapes is looked into as well.
    if !body.escaped().contains(tags[0]) && !body.escaped().contains("\\u003c") {
        return Ok(());
    }
    let text = body.decode()?;
    let Some((said, inside)) = cut(&text, tags) else { return Ok(()) };
    if message.role == Role::Tool {
        let [inside] = inside[..] else { return Ok(()) };
        if !said.is_empty() {
            return Ok(());
        }
        let result = Str::encode(inside.to_owned());
        message.written.body = Some(body.clone());
        message.content = Content::Text(result);
        return Ok(());
    }
    let calls: Option<Vec<Call<'static>>> = inside
        .iter()
        .map(|inside| Json::parse(inside).ok().and_then(|value| read_bare(value).ok()))
        .collect();
    if let Some(calls) = calls {
        let said = Str::encode(said);
        message.written.body = Some(body.clone());
        message.content = if said.is_empty() { Content::Absent } else { Content::Text(said) };
        message.calls = calls;
    }
    Ok(())
}

/// What stands outside of the elements, trimmed, and what is inside each; none if one does not end.
fn cut<'t>(text: &'t str, [open, close]: [&str; 2]) -> Option<(String, Vec<&'t str>)> {
    let (mut said, mut inside, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once(open) {
        let (element, more) = after.split_once(close)?;
        said.push_str(before.trim());
        inside.push(element.trim());
        rest = more;
    }
    said.push_str(rest.trim());
    Some((said, inside))
}

/// A message as text with its calls or its result in XML.
pub(crate) fn xml_text(
    message: &Message<'_>,
    content: &Str<'_>,
    losses: &mut RowLosses,
) -> Result<Str<'static>> {
    let mut text = content.escaped().to_owned();
    if message.role == Role::Tool {
        return Ok(Str::concat(&[
            &Str::encode("<tool_response>\n"),
            content,
            &Str::encode("\n</tool_response>"),
        ]));
    }
    for call in &message.calls {
        let mut json = String::new();
        write_bare(&mut json, call, losses)?;
        if !text.is_empty() {
            text.push_str("\\n");
        }
        text.push_str("<tool_call>\\n");
        text.push_str(Str::encode(json).escaped());
        text.push_str("\\n</tool_call>");
    }
    Ok(Str::from_escaped(text))
}

/// The tools as a JSON array, whichever way they came; none if what came is no array.
pub(crate) fn tools_array<'t>(tools: &'t Raw<'_>) -> Option<Cow<'t, str>> {
    let value = Json::checked(tools);
    if value.kind() == Kind::Array {
        return Some(Cow::Borrowed(value.text()));
    }
    let text = value.as_str()?.decode().ok()?.into_owned();
    let inner = Json::parse(&text).ok().filter(|inner| inner.kind() == Kind::Array)?;
    Some(inner.text().to_owned().into())
}

/// The tools as an array of `{"type": "function", "function": ...}`.
pub(crate) fn wrapped_tools(tools: &Raw<'_>) -> Option<String> {
    let list = tools_array(tools)?;
    let mut out = String::with_capacity(list.len() + 64);
    let written: std::result::Result<(), std::convert::Infallible> =
        array(&mut out, Json::checked(&list).items(), |out, tool| {
            let bare = tool.get("function").is_none() && tool.get("name").is_some();
            out.push_str(if bare { "{\"type\":\"function\",\"function\":" } else { "" });
            out.push_str(tool.text());
            out.push_str(if bare { "}" } else { "" });
            Ok(())
        });
    written.is_ok().then_some(out)
}

/// The tools as a JSON string that holds the array.
pub(crate) fn tools_string(tools: &Raw<'_>) -> Option<Raw<'static>> {
    tools_array(tools).map(|list| quoted(&Str::encode(list.into_owned())))
}
