//! Tools on offer: a list in a field, or a part of the system prompt for models that call them in XML.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::conversation::{Content, Conversation, Message, Raw, Role, ToolsFrom};
use crate::error::Result;
use crate::loss::RowLosses;
use crate::out::{array, quoted};
use crate::text::join_parts;

const OPEN: &str = "<tools>";
const CLOSE: &str = "</tools>";
/// What stands before and after the tools in a prompt that this crate writes.
const HEAD: &str = "You may call functions to help with the user's request. Their signatures are between <tools> and </tools>:\n<tools>\n";
const TAIL: &str = "\n</tools>\n\
    Make each call as a JSON object with the function's name and arguments between <tool_call> and </tool_call>:\n\
    <tool_call>\n{\"name\": \"the function\", \"arguments\": {}}\n</tool_call>";
/// Between a system prompt and the tools that follow it.
const GAP: &str = "\n\n";

/// The tools as a JSON array, whichever way they came; none if what came is no array.
pub(crate) fn as_array<'t>(tools: &'t Raw<'_>) -> Option<Cow<'t, str>> {
    let value = Json::checked(tools);
    if value.kind() == Kind::Array {
        return Some(Cow::Borrowed(value.text()));
    }
    let text = value.as_str()?.decode().ok()?.into_owned();
    let inner = Json::parse(&text).ok().filter(|inner| inner.kind() == Kind::Array)?;
    Some(inner.text().to_owned().into())
}

/// The tools as an array of `{"type": "function", "function": ...}`.
pub(crate) fn wrapped(tools: &Raw<'_>) -> Option<String> {
    let list = as_array(tools)?;
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
pub(crate) fn as_string(tools: &Raw<'_>) -> Option<Raw<'static>> {
    as_array(tools).map(|list| quoted(&Str::encode(list.into_owned())))
}

/// Whether a message is a prompt that tools may stand in.
fn is_prompt(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Takes the tools out of the system prompt, unless the row names them in a field. A prompt that this crate wrote
/// becomes again what it was; any other keeps its text.
pub(crate) fn take(conversation: &mut Conversation<'_>) {
    let Some(Content::Text(text)) =
        conversation.messages.first().filter(|first| is_prompt(first)).map(|first| &first.content)
    else {
        return;
    };
    if conversation.tools.is_some() || !may_hold(text, OPEN) {
        return;
    }
    let Ok(text) = text.decode() else { return };
    if let Some((before, tools)) = own(&text) {
        let tools = tools.to_owned();
        let content = before.map_or(Content::Absent, |before| Content::Text(Str::encode(before.to_owned())));
        let is_all = content == Content::Absent && !conversation.messages.get(1).is_some_and(is_prompt);
        conversation.messages[0].content = content;
        if is_all && conversation.messages[0] == Message::new(Role::System) {
            conversation.messages.remove(0);
        }
        conversation.tools = Some(tools.into());
        conversation.written.tools = ToolsFrom::OwnPrompt;
    } else if let Some(tools) = in_text(&text) {
        conversation.tools = Some(tools.into());
        conversation.written.tools = ToolsFrom::Prompt;
    }
}

/// Whether a string may hold `tag`; its `<` may be written as an escape.
pub(crate) fn may_hold(text: &Str<'_>, tag: &str) -> bool {
    memchr::memmem::find(text.escaped().as_bytes(), tag.as_bytes()).is_some()
        || memchr::memmem::find(text.escaped().as_bytes(), b"\\u003").is_some()
}

/// The prompt and the tools of a text that ends as this crate ends it.
fn own(text: &str) -> Option<(Option<&str>, &str)> {
    let text = text.strip_suffix(TAIL)?;
    // A description of a tool may quote the head, so each place is tried.
    text.rmatch_indices(HEAD).find_map(|(at, _)| {
        let tools = &text[at + HEAD.len()..];
        let before = if at == 0 { None } else { Some(text[..at].strip_suffix(GAP)?) };
        Json::parse(tools).is_ok_and(|value| value.kind() == Kind::Array).then_some((before, tools))
    })
}

/// The tools in a text that others wrote, as Hermes and Qwen are told of them: a JSON array, or an object a line.
pub(crate) fn in_text(text: &str) -> Option<String> {
    text.match_indices(OPEN).find_map(|(at, _)| {
        let inside = text[at + OPEN.len()..].split_once(CLOSE)?.0.trim();
        if Json::parse(inside).is_ok_and(|value| value.kind() == Kind::Array) {
            return Some(inside.to_owned());
        }
        let lines: Vec<&str> = inside.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let objects =
            lines.iter().all(|line| Json::parse(line).is_ok_and(|line| line.kind() == Kind::Object));
        (objects && !lines.is_empty()).then(|| format!("[{}]", lines.join(",")))
    })
}

/// For formats whose tools stand in the system prompt: the prompt with the tools in it, and how many of `messages` it
/// takes the place of. None if the messages can stay as they are.
pub(crate) fn prompt<'m>(
    conversation: &Conversation<'_>,
    messages: &'m [Message<'_>],
    same: bool,
    losses: &mut RowLosses,
) -> Result<Option<(Message<'m>, usize)>> {
    let first = messages.first().filter(|first| is_prompt(first));
    let offered = match first.map(|first| &first.content) {
        Some(Content::Text(text)) if may_hold(text, OPEN) => text.decode().ok(),
        _ => None,
    };
    let Some(tools) = conversation.tools.as_ref().and_then(as_array) else {
        if !same && offered.is_some_and(|text| own(&text).is_some() || in_text(&text).is_some()) {
            losses.note("messages[role=system]", "its <tools> count as the tools of the row there");
        }
        return Ok(None);
    };
    let already = |text: &Cow<'_, str>| own(text).is_none() && in_text(text).is_some_and(|own| own == *tools);
    match conversation.written.tools {
        ToolsFrom::Field if same => return Ok(None),
        _ if offered.as_ref().is_some_and(already) => return Ok(None),
        _ => {}
    }
    let tools = Str::encode([HEAD, &tools, TAIL].concat());
    let Some(first) = first else { return Ok(Some((Message::text(Role::System, tools), 0))) };
    let gap = Str::encode(GAP);
    let content = match &first.content {
        Content::Text(text) => Content::Text(Str::concat(&[text, &gap, &tools])),
        Content::Absent if same => Content::Text(tools),
        Content::Absent | Content::Null => Content::Text(Str::concat(&[&gap, &tools])),
        Content::Parts(parts) => Content::Text(Str::concat(&[&join_parts(parts, losses)?, &gap, &tools])),
    };
    Ok(Some((Message { content, ..first.clone() }, 1)))
}

/// Whether a format whose tools stand in the system prompt has written them there.
pub(crate) fn are_in_prompt(conversation: &Conversation<'_>, same: bool) -> bool {
    let field = same && conversation.written.tools == ToolsFrom::Field;
    !field && conversation.tools.as_ref().and_then(as_array).is_some()
}

/// Notes for formats with a field for tools that they stand in the prompt as well.
pub(crate) fn note_in_prompt(conversation: &Conversation<'_>, same: bool, losses: &mut RowLosses) {
    if !same && conversation.written.tools == ToolsFrom::Prompt {
        losses.note("tools", "written to their field; the system prompt holds them as well");
    }
}
