//! The writing of list-of-turns formats.
//!
//! A row that came from the same format is written as it was spelled; for any other the usual names are taken, and
//! what has no place is noted.

use std::borrow::Cow;

use thresher_core::json::Str;

use super::{CALL_ROLES, CallStyle, Keys, Name, REASONING, Turns, WEIGHT};
use crate::calls;
use crate::conversation::{Content, Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};
use crate::format::{flat_text, hermes_prompt, write_extra};
use crate::loss::RowLosses;
use crate::out::{Object, array};

impl Turns {
    /// Writes a row.
    pub(crate) fn write(
        &self,
        conversation: &Conversation<'_>,
        out: &mut String,
        losses: &mut RowLosses,
    ) -> Result<()> {
        let same = conversation.written.format.as_deref() == Some(&*self.name);
        let key = |usual: &'_ Name| -> String {
            let written = conversation.written.keys.iter().find(|(name, _)| same && name == usual);
            written.map_or(usual, |(_, name)| name).to_string()
        };
        let (list, role, content) = (key(&self.list[0]), key(&self.role[0]), key(&self.content[0]));
        let writer = Writer { format: self, same, keys: Keys { role: &role, content: &content } };
        let mut row = Object::open(out);
        let (apart, tail, label) = self.ending(conversation, losses)?;
        let mut messages: &[Message<'_>] = &conversation.messages;
        if let (Some(system), [first, rest @ ..], true) = (&self.system, messages, same)
            && let (true, Content::Text(text)) = (first.written.apart, &first.content)
        {
            row.string(system, text);
            messages = rest;
        }
        let prompt = if same { None } else { self.tool_prompt(conversation, messages) };
        let all =
            prompt.iter().chain(&messages[usize::from(prompt.is_some() && replaces(messages))..]).chain(tail);
        array(row.key(&list), all, |out, message| writer.message(out, message, losses))?;
        if let (Some(names), Some(variants)) = (&self.preference, apart) {
            for (name, messages) in names.iter().zip(variants) {
                writer.variant(row.key(name), messages, losses)?;
            }
        }
        if let (Some(name), Some(label)) = (&self.label, label) {
            row.raw(name, label);
        }
        self.write_tools(conversation, same, prompt.is_some(), &mut row, losses);
        write_extra(&mut row, conversation, same, losses, |name| self.has_key(name, &list));
        row.close();
        Ok(())
    }

    /// The variants that go beside the list, the messages that go to its end, and the label.
    #[expect(clippy::type_complexity, reason = "three answers to one question, taken apart at once")]
    fn ending<'c>(
        &self,
        conversation: &'c Conversation<'_>,
        losses: &mut RowLosses,
    ) -> Result<(Option<[&'c [Message<'c>]; 2]>, &'c [Message<'c>], Option<&'c str>)> {
        Ok(match &conversation.ending {
            Ending::Open => (None, &[], None),
            Ending::Completion(messages) => {
                losses.note("completion", "joined to the prompt");
                (None, messages, None)
            }
            Ending::Labelled(messages, label) if self.label.is_some() => (None, messages, Some(label)),
            Ending::Preference { chosen, rejected } if self.preference.is_some() => {
                (Some([chosen, rejected]), &[], None)
            }
            Ending::Labelled(..) => {
                return Err(Reason::NotExpressible
                    .because(format!("`{}` cannot say whether a completion is good", self.name)));
            }
            Ending::Preference { .. } => {
                return Err(Reason::NotExpressible
                    .because(format!("`{}` has no place for a better and a worse ending", self.name)));
            }
        })
    }

    /// For a format whose tools stand in the system prompt: the system message with the tools in it.
    fn tool_prompt(
        &self,
        conversation: &Conversation<'_>,
        messages: &[Message<'_>],
    ) -> Option<Message<'static>> {
        if self.calls != CallStyle::Xml {
            return None;
        }
        let tools = calls::tools_array(conversation.tools.as_ref()?)?;
        let own = messages.first().filter(|_| replaces(messages)).and_then(|first| match &first.content {
            Content::Text(text) => Some(text),
            _ => None,
        });
        let before = own.map(|text| Str::concat(&[text, &Str::encode("\n\n")])).unwrap_or_default();
        let text = Str::concat(&[&before, &Str::encode(hermes_prompt(&tools))]);
        Some(Message::text(Role::System, text))
    }

    fn write_tools(
        &self,
        conversation: &Conversation<'_>,
        same: bool,
        in_prompt: bool,
        row: &mut Object<'_>,
        losses: &mut RowLosses,
    ) {
        let Some(tools) = conversation.tools.as_ref().filter(|_| !in_prompt) else { return };
        let written = match self.calls {
            _ if same => Some(tools.to_string()),
            CallStyle::Fields => calls::wrapped_tools(tools),
            CallStyle::Turn | CallStyle::Xml => calls::tools_string(tools).map(Cow::into_owned),
        };
        match written {
            Some(written) => row.raw(&self.tools, &written),
            None => losses.note("tools", "dropped: no JSON array"),
        }
    }

    fn has_key(&self, name: &str, list: &str) -> bool {
        let mut known = [&self.tools]
            .into_iter()
            .chain(&self.system)
            .chain(self.preference.iter().flatten())
            .chain(&self.label);
        name == list || known.any(|known| known == name)
    }
}

/// Whether the first message is a system prompt that one with tools takes the place of.
fn replaces(messages: &[Message<'_>]) -> bool {
    messages.first().is_some_and(|first| {
        matches!(first.role, Role::System | Role::Developer) && matches!(first.content, Content::Text(_))
    })
}

/// Writes messages under the names of a row.
struct Writer<'w> {
    format: &'w Turns,
    same: bool,
    keys: Keys<'w>,
}

impl Writer<'_> {
    fn variant(&self, out: &mut String, messages: &[Message<'_>], losses: &mut RowLosses) -> Result<()> {
        match messages {
            [message] if !self.same || message.written.apart => self.message(out, message, losses),
            _ => array(out, messages, |out, message| self.message(out, message, losses)),
        }
    }

    /// One message as one turn, or as two where calls need a turn of their own.
    fn message(&self, out: &mut String, message: &Message<'_>, losses: &mut RowLosses) -> Result<()> {
        let spelled = message.written.role.as_ref().filter(|_| self.same);
        let as_call = spelled.is_some_and(|role| CALL_ROLES.iter().any(|name| role.is(name)));
        if message.calls.is_empty() {
            return self.turn(out, message, spelled, None, losses);
        }
        match self.format.calls {
            CallStyle::Fields => self.turn(out, message, spelled, None, losses),
            _ if self.same && !as_call && message.written.body.is_none() => {
                self.turn(out, message, spelled, None, losses)
            }
            CallStyle::Xml => self.turn(out, message, spelled, None, losses),
            CallStyle::Turn => {
                let says = !message.content.is_empty() || message.reasoning.is_some();
                if says && !as_call {
                    losses.note("messages[].content", "beside tool_calls: became a turn of its own");
                    let said = Message { calls: Vec::new(), ..message.clone() };
                    self.turn(out, &said, None, None, losses)?;
                    out.push(',');
                }
                let text = match self.written_calls(message)? {
                    Some(body) => body.clone(),
                    None => calls::turn_text(&message.calls, losses)?,
                };
                let name = Str::encode(CALL_ROLES[0]);
                self.turn(out, message, spelled.or(Some(&name)), Some(&text), losses)
            }
        }
    }

    /// The text that the calls were read from, if it still says the same.
    fn written_calls<'m>(&self, message: &'m Message<'_>) -> Result<Option<&'m Str<'m>>> {
        let Some(body) = message.written.body.as_ref().filter(|_| self.same) else { return Ok(None) };
        Ok((calls::read_turn(body)? == message.calls).then_some(body))
    }

    fn turn(
        &self,
        out: &mut String,
        message: &Message<'_>,
        spelled: Option<&Str<'_>>,
        calls_text: Option<&Str<'_>>,
        losses: &mut RowLosses,
    ) -> Result<()> {
        let format = self.format;
        let mut turn = Object::open(out);
        match spelled {
            Some(role) => turn.string(self.keys.role, role),
            None => turn.raw(self.keys.role, &format!("\"{}\"", self.role(message.role, losses))),
        }
        let in_fields = format.calls == CallStyle::Fields;
        match calls_text {
            Some(text) => turn.string(self.keys.content, text),
            None => self.content(&mut turn, message, losses)?,
        }
        if (in_fields || self.same)
            && let Some(reasoning) = &message.reasoning
        {
            let field = message.written.reasoning.as_deref().filter(|_| self.same).unwrap_or(REASONING[0]);
            turn.string(field, reasoning);
        }
        let has_body = self.same && message.written.body.is_some();
        if calls_text.is_none() && !message.calls.is_empty() && (in_fields || self.same && !has_body) {
            let mut write =
                |out: &mut String, call: &_| -> std::result::Result<(), std::convert::Infallible> {
                    calls::write_field(out, call, in_fields && !self.same);
                    Ok(())
                };
            let _ = array(turn.key("tool_calls"), &message.calls, &mut write);
        }
        if let Some(id) = &message.call_id {
            if in_fields || self.same {
                turn.string("tool_call_id", id);
            } else {
                losses.note("messages[].tool_call_id", "dropped");
            }
        }
        if let Some(name) = &message.name {
            turn.string("name", name);
        }
        if let Some(weight) = &message.weight {
            turn.raw(message.written.weight.as_deref().filter(|_| self.same).unwrap_or(WEIGHT[0]), weight);
        }
        for (key, value) in &message.extra {
            let name = key.escaped();
            let taken = name == self.keys.role || name == self.keys.content;
            if self.same || !(taken || carries_nothing(name, value)) {
                turn.raw(name, value);
            } else if !carries_nothing(name, value) {
                losses
                    .note(format!("messages[].{name}"), "dropped: the format has another field of this name");
            }
        }
        turn.close();
        Ok(())
    }

    fn role(&self, role: Role, losses: &mut RowLosses) -> String {
        if role == Role::Developer && self.format.calls != CallStyle::Fields {
            losses.note("messages[role=developer]", "became system");
            return self.format.spell(Role::System).to_owned();
        }
        self.format.spell(role).to_owned()
    }

    fn content(&self, turn: &mut Object<'_>, message: &Message<'_>, losses: &mut RowLosses) -> Result<()> {
        let xml =
            self.format.calls == CallStyle::Xml && (!message.calls.is_empty() || message.role == Role::Tool);
        if self.same && (!xml || message.written.body.is_none()) {
            match &message.content {
                Content::Absent => {}
                Content::Null => turn.raw(self.keys.content, "null"),
                Content::Text(text) => turn.string(self.keys.content, text),
                Content::Parts(parts) => turn.raw(self.keys.content, parts),
            }
            return Ok(());
        }
        if let Some(body) = message.written.body.as_ref().filter(|_| self.same)
            && unchanged(message, body)?
        {
            turn.string(self.keys.content, body);
            return Ok(());
        }
        let in_fields = self.format.calls == CallStyle::Fields;
        if in_fields && message.input.as_ref().is_none_or(Str::is_empty) {
            match &message.content {
                Content::Parts(parts) => turn.raw(self.keys.content, parts),
                Content::Text(text) => turn.string(self.keys.content, text),
                Content::Absent | Content::Null => turn.raw(self.keys.content, "null"),
            }
            return Ok(());
        }
        let mut text = flat_text(message, !in_fields, losses)?;
        if xml {
            text = calls::xml_text(message, &text, losses)?;
        }
        turn.string(self.keys.content, &text);
        Ok(())
    }
}

/// Whether the XML in `body` still says what the message says.
fn unchanged(message: &Message<'_>, body: &Str<'_>) -> Result<bool> {
    let mut again = Message::text(message.role, body.clone());
    calls::read_xml(&mut again)?;
    Ok(again.content == message.content && again.calls == message.calls)
}

/// Nulls and empty values of known fields are what a schema fills in; no other format misses them.
pub(crate) fn carries_nothing(name: &str, value: &str) -> bool {
    let known = ["tool_calls", "tool_call_id", "name", "function_call", "refusal", "audio"];
    let empty = matches!(value, "null" | "[]" | "\"\"" | "{}");
    empty && (known.contains(&name) || REASONING.contains(&name) || WEIGHT.contains(&name))
}

/// Writes a list of turns as the format's own rows hold it.
pub(crate) fn write_turns(
    format: &Turns,
    same: bool,
    out: &mut String,
    messages: &[Message<'_>],
    losses: &mut RowLosses,
) -> Result<()> {
    let writer = Writer { format, same, keys: Keys { role: &format.role[0], content: &format.content[0] } };
    array(out, messages, |out, message| writer.message(out, message, losses))
}
