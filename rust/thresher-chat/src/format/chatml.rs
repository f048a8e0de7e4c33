//! `ChatML` text: turns between `<|im_start|>` and `<|im_end|>` in one string.
//!
//! Calls, results and tools go into the text as XML, as models trained on `ChatML` (Hermes, Qwen) write them.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::calls::xml;
use crate::conversation::{Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::out::Object;
use crate::text::flat_text;
use crate::tools;

/// The field of the text.
const FIELD: &str = "text";
const START: &str = "<|im_start|>";
const END: &str = "<|im_end|>";

/// The name of the format.
pub(crate) const NAME: &str = "chatml";

pub(crate) fn fits(row: Json<'_>) -> bool {
    let text = row.get(FIELD).and_then(Json::as_str);
    text.and_then(|text| text.decode().ok().map(|text| text.trim_start().starts_with(START))).unwrap_or(false)
}

pub(crate) fn read(row: Json<'_>) -> Result<Conversation<'_>> {
    let mut conversation = Conversation::default();
    let mut body = None;
    for (key, value) in row.members() {
        if key.escaped() == FIELD && value.kind() == Kind::String {
            body = value.as_str();
        } else {
            conversation.extra.push((key, value.into()));
        }
    }
    let Some(body) = body else {
        return Err(Reason::MissingField.because(format!("there is no string in `{FIELD}`")));
    };
    conversation.messages = turns(&body)?;
    conversation.written.format = Some(Cow::Borrowed(NAME));
    tools::take(&mut conversation);
    // The usual layout is written without help; any other only if it was kept.
    let usual = text_of(&conversation, &[], true, &mut RowLosses::default());
    if !usual.is_ok_and(|usual| body.is(&usual)) {
        conversation.written.body = Some(body);
    }
    Ok(conversation)
}

/// Cuts a text into turns.
fn turns(body: &Str<'_>) -> Result<Vec<Message<'static>>> {
    let text = body.decode()?;
    let wrong = |what: &str| Reason::WrongShape.because(format!("`{FIELD}` is no ChatML: {what}"));
    let mut messages = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let turn =
            rest.strip_prefix(START).ok_or_else(|| wrong(&format!("text outside of {START} and {END}")))?;
        let (role, turn) = turn.split_once('\n').ok_or_else(|| wrong("a turn without a line of text"))?;
        let (content, after) = match turn.split_once(END) {
            Some((content, after)) => (content, after),
            // A prompt that waits for its answer.
            None if turn.trim().is_empty() && Role::of(role.trim()) == Some(Role::Assistant) => {
                return Ok(messages);
            }
            None => return Err(wrong(&format!("a turn without {END}"))),
        };
        if content.contains(START) {
            return Err(wrong(&format!("a turn without {END}")));
        }
        let Some(role) = Role::of(role.trim()) else {
            return Err(Reason::UnknownRole.because(format!("role `{}` is unknown", role.trim())));
        };
        let content = content.strip_suffix('\n').unwrap_or(content);
        let mut message = Message::text(role, Str::encode(content.to_owned()));
        xml::take(&mut message)?;
        messages.push(message);
        rest = after.trim_start();
    }
    if messages.is_empty() { Err(wrong("there is no turn")) } else { Ok(messages) }
}

pub(crate) fn write(conversation: &Conversation<'_>, out: &mut String, losses: &mut RowLosses) -> Result<()> {
    let same = conversation.written.format.as_deref() == Some(NAME);
    let tail: &[Message<'_>] = match &conversation.ending {
        Ending::Open => &[],
        Ending::Completion(messages) => {
            losses.note("completion", "joined to the prompt");
            messages
        }
        Ending::Labelled(..) | Ending::Preference { .. } => {
            return Err(Reason::NotExpressible.because("`chatml` cannot say a label or a preference"));
        }
    };
    let mut row = Object::open(out);
    match conversation.written.body.as_ref().filter(|_| same) {
        Some(body) if unchanged(conversation, body)? => row.string(FIELD, body),
        _ => row.string(FIELD, &Str::encode(text_of(conversation, tail, same, losses)?)),
    }
    super::write_extra(&mut row, conversation, same, losses, |name| name == FIELD);
    row.close();
    Ok(())
}

/// Whether a text still says what the conversation says.
fn unchanged(conversation: &Conversation<'_>, body: &Str<'_>) -> Result<bool> {
    let mut again = Conversation { messages: turns(body)?, ..Conversation::default() };
    tools::take(&mut again);
    Ok(again.messages == conversation.messages
        && again.tools == conversation.tools
        && again.written.tools == conversation.written.tools)
}

/// The text of a conversation in the usual layout.
fn text_of(
    conversation: &Conversation<'_>,
    tail: &[Message<'_>],
    same: bool,
    losses: &mut RowLosses,
) -> Result<String> {
    let mut text = String::new();
    let mut messages: &[Message<'_>] = &conversation.messages;
    let prompt = tools::prompt(conversation, messages, same, losses)?;
    if let Some((prompt, instead)) = &prompt {
        messages = &messages[*instead..];
        render(prompt, same, &mut text, losses)?;
    }
    for message in messages.iter().chain(tail) {
        render(message, same, &mut text, losses)?;
    }
    if conversation.tools.is_some() && !tools::are_in_prompt(conversation, same) {
        losses.note("tools", "dropped: no JSON array");
    }
    if text.is_empty() {
        return Err(Reason::NotExpressible.because("`chatml` cannot say a conversation without a turn"));
    }
    Ok(text)
}

/// Appends a message in the usual layout.
fn render(message: &Message<'_>, same: bool, out: &mut String, losses: &mut RowLosses) -> Result<()> {
    super::note_dropped(message, losses);
    let role = match message.role {
        Role::Developer => {
            losses.note("messages[role=developer]", "became system");
            Role::System
        }
        role => role,
    };
    if message.written.rearranged && !same {
        losses.note("messages[].content", "what stood after a call stands before it");
    }
    let mut text = flat_text(message, true, losses)?;
    // A result that came without XML goes without.
    if !same || role != Role::Tool || message.written.body.is_some() {
        text = xml::text(message, &text, losses)?;
    }
    let text = text.decode()?;
    if text.ends_with('\n') {
        losses.note("messages[].content", "its last line end counts as layout");
    }
    for marker in [START, END] {
        if text.contains(marker) {
            return Err(Reason::NotExpressible
                .because(format!("a message contains {marker}, which would end or begin a turn")));
        }
    }
    out.extend([START, role.name(), "\n", &text, END, "\n"]);
    Ok(())
}
