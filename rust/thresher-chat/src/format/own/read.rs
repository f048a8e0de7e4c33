//! A conversation from JSON. An unknown field is refused: what it would have said has a place in `extra`.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use super::{MARK, VERSION};
use crate::conversation::{
    Call, Content, Conversation, Ending, Extra, Message, Role, ToolsFrom, Written, WrittenMessage,
};
use crate::error::{Reason, Result};

/// What is wrong with a value, and what it has to be.
fn wrong<T>(key: &str, value: Json<'_>, wanted: &str) -> Result<T> {
    let kind = value.kind().name();
    Err(Reason::WrongShape.because(format!("`{key}` is {kind}, but in a conversation it is {wanted}")))
}

fn unknown<T>(key: &Str<'_>, place: &str) -> Result<T> {
    let key = key.escaped();
    Err(Reason::WrongShape
        .because(format!("`{key}` is no field of {place}; what is not known goes into its `extra`")))
}

/// The members of an object, those without a value left out.
fn members<'a>(key: &str, value: Json<'a>) -> Result<impl Iterator<Item = (Str<'a>, Json<'a>)>> {
    if value.kind() != Kind::Object {
        return wrong(key, value, "an object");
    }
    Ok(value
        .members()
        .into_iter()
        .filter(|(key, value)| value.kind() != Kind::Null || key.escaped() == "content"))
}

fn text<'a>(key: &Str<'_>, value: Json<'a>) -> Result<Option<Str<'a>>> {
    match value.as_str() {
        Some(text) => Ok(Some(text)),
        None => wrong(key.escaped(), value, "a string"),
    }
}

fn name<'a>(key: &Str<'_>, value: Json<'a>) -> Result<Option<Cow<'a, str>>> {
    match text(key, value)? {
        Some(text) => Ok(Some(Cow::Owned(text.decode()?.into_owned()))),
        None => Ok(None),
    }
}

fn flag(key: &Str<'_>, value: Json<'_>) -> Result<bool> {
    match value.text() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => wrong(key.escaped(), value, "true or false"),
    }
}

fn list<'a, T>(key: &str, value: Json<'a>, read: impl FnMut(Json<'a>) -> Result<T>) -> Result<Vec<T>> {
    if value.kind() != Kind::Array {
        return wrong(key, value, "an array");
    }
    value.items().map(read).collect()
}

fn read_extra<'a>(key: &Str<'_>, value: Json<'a>) -> Result<Extra<'a>> {
    if value.kind() != Kind::Object {
        return wrong(key.escaped(), value, "an object");
    }
    Ok(value.members().into_iter().map(|(key, value)| (key, value.into())).collect())
}

pub(crate) fn read(row: Json<'_>) -> Result<Conversation<'_>> {
    let version = row.get(MARK).map(Json::text);
    if version != Some(VERSION) {
        let found = version.unwrap_or("missing");
        return Err(Reason::WrongShape
            .because(format!("`{MARK}` is {found}; this version reads conversations of layout {VERSION}")));
    }
    let mut conversation = Conversation::default();
    for (key, value) in members("the row", row)? {
        match key.escaped() {
            MARK => {}
            "messages" => conversation.messages = list("messages", value, read_message)?,
            "ending" => conversation.ending = read_ending(value)?,
            "tools" => conversation.tools = Some(value.into()),
            "extra" => conversation.extra = read_extra(&key, value)?,
            "written" => conversation.written = read_written(value)?,
            _ => return unknown(&key, "a conversation"),
        }
    }
    Ok(conversation)
}

fn read_ending(value: Json<'_>) -> Result<Ending<'_>> {
    let get = |key: &str| {
        let list_of = value.get(key).map(|value| list(key, value, read_message));
        list_of.unwrap_or_else(|| Err(Reason::MissingField.because(format!("`ending` has no `{key}`"))))
    };
    let kind = value.get("kind").and_then(Json::as_str).unwrap_or_default();
    match kind.escaped() {
        "completion" => Ok(Ending::Completion(get("messages")?)),
        "labelled" => match value.get("label") {
            Some(label) if label.kind() == Kind::Bool => Ok(Ending::Labelled(get("messages")?, label.into())),
            _ => {
                Err(Reason::MissingField.because("a labelled `ending` has no `label` that is true or false"))
            }
        },
        "preference" => Ok(Ending::Preference { chosen: get("chosen")?, rejected: get("rejected")? }),
        other => Err(Reason::WrongShape.because(format!(
            "the `kind` of `ending` is `{other}`; allowed are `completion`, `labelled` and `preference`"
        ))),
    }
}

fn read_message(value: Json<'_>) -> Result<Message<'_>> {
    let mut message = Message::new(Role::User);
    let mut role = None;
    for (key, value) in members("a message", value)? {
        match key.escaped() {
            "role" => role = text(&key, value)?,
            "content" => {
                message.content = match value.kind() {
                    Kind::Null => Content::Null,
                    Kind::String => text(&key, value)?.map_or(Content::Null, Content::Text),
                    Kind::Array => Content::Parts(value.into()),
                    _ => return wrong("content", value, "a string, null or an array of parts"),
                }
            }
            "input" => message.input = text(&key, value)?,
            "reasoning" => message.reasoning = text(&key, value)?,
            "calls" => message.calls = list("calls", value, read_call)?,
            "call_id" => message.call_id = text(&key, value)?,
            "name" => message.name = text(&key, value)?,
            "weight" if matches!(value.kind(), Kind::Number | Kind::Bool) => {
                message.weight = Some(value.into());
            }
            "weight" => return wrong("weight", value, "a number or a bool"),
            "extra" => message.extra = read_extra(&key, value)?,
            "written" => message.written = read_written_message(value)?,
            _ => return unknown(&key, "a message"),
        }
    }
    let role = role.ok_or_else(|| Reason::MissingField.because("a message has no `role`"))?;
    let roles = [Role::System, Role::Developer, Role::User, Role::Assistant, Role::Tool];
    let known = roles.into_iter().find(|known| role.is(known.name()));
    message.role = known.ok_or_else(|| {
        let allowed = roles.map(Role::name).join(", ");
        Reason::UnknownRole.because(format!("role `{}` is unknown; allowed are {allowed}", role.escaped()))
    })?;
    Ok(message)
}

fn read_call(value: Json<'_>) -> Result<Call<'_>> {
    let mut call = Call::default();
    let mut function = None;
    for (key, value) in members("a call", value)? {
        match key.escaped() {
            "id" => call.id = text(&key, value)?,
            "type" => call.kind = text(&key, value)?,
            "name" => function = text(&key, value)?,
            "arguments" => call.arguments = Some(value.into()),
            "extra" => call.extra = read_extra(&key, value)?,
            "function_extra" => call.function_extra = read_extra(&key, value)?,
            _ => return unknown(&key, "a call"),
        }
    }
    call.name = function.ok_or_else(|| Reason::BadCall.because("a call has no `name`"))?;
    Ok(call)
}

fn read_written_message(value: Json<'_>) -> Result<WrittenMessage<'_>> {
    let mut written = WrittenMessage::default();
    for (key, value) in members("written", value)? {
        match key.escaped() {
            "role" => written.role = text(&key, value)?,
            "body" => written.body = text(&key, value)?,
            "reasoning" => written.reasoning = name(&key, value)?,
            "weight" => written.weight = name(&key, value)?,
            "apart" => written.apart = flag(&key, value)?,
            "legacy_call" => written.legacy_call = flag(&key, value)?,
            "rearranged" => written.rearranged = flag(&key, value)?,
            _ => return unknown(&key, "`written` of a message"),
        }
    }
    Ok(written)
}

fn read_written(value: Json<'_>) -> Result<Written<'_>> {
    let mut written = Written::default();
    for (key, value) in members("written", value)? {
        match key.escaped() {
            "format" => written.format = name(&key, value)?,
            "keys" => {
                written.keys = list("keys", value, |pair| {
                    let names = list("keys", pair, |item| name(&key, item))?;
                    match &names[..] {
                        [Some(usual), Some(other)] => Ok((usual.clone(), other.clone())),
                        _ => wrong("keys", pair, "an array of pairs of names"),
                    }
                })?;
            }
            "body" => written.body = text(&key, value)?,
            "tools" => {
                written.tools = match value.text() {
                    "\"prompt\"" => ToolsFrom::Prompt,
                    "\"own_prompt\"" => ToolsFrom::OwnPrompt,
                    _ => return wrong("tools", value, "`prompt` or `own_prompt`"),
                }
            }
            _ => return unknown(&key, "`written`"),
        }
    }
    Ok(written)
}
