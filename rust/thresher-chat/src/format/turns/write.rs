//! The writing of list-of-turns formats.
//!
//! A row that came from the same format is written as it was spelled; for any other the usual names are taken, and
//! what has no place is noted.

use std::borrow::Cow;

use thresher_core::json::Str;

use super::{CallStyle, Keys, Name, REASONING, Turns, WEIGHT};
use crate::calls::{self, xml};
use crate::conversation::{Content, Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};
use crate::format::write_extra;
use crate::loss::RowLosses;
use crate::out::{Object, array};
use crate::text::flat_text;
use crate::tools;

impl Turns {
    /// Writes a row.
    pub(crate) fn write(
        &self,
        conversation: &Conversation<'_>,
        out: &mut String,
        losses: &mut RowLosses,
    ) -> Result<()> {
        let same = conversation.written.format.as_deref() == Some(&*self.name);
        let [list, role, content] =
            [&self.list[0], &self.role[0], &self.content[0]].map(|usual| key_of(conversation, same, usual));
        let writer = Writer { format: self, same, keys: Keys { role, content } };
        let mut row = Object::open(out);
        let (apart, tail, label) = self.ending(conversation, losses)?;
        let mut messages: &[Message<'_>] = &conversation.messages;
        let prompt = match self.calls {
            CallStyle::Xml => tools::prompt(conversation, messages, same, losses)?,
            _ => None,
        };
        let has_prompt = prompt.is_some();
        let mut prompt = prompt.map(|(message, instead)| {
            messages = &messages[instead..];
            message
        });
        if let Some(name) = self.system.as_ref().filter(|_| same) {
            let (first, is_prompt) = (prompt.as_ref().or(messages.first()), has_prompt);
            if let Some(Message { content: Content::Text(text), written, .. }) = first
                && written.apart
            {
                row.string(name, text);
                if is_prompt {
                    prompt = None;
                } else {
                    messages = &messages[1..];
                }
            }
        }
        let all = prompt.iter().chain(messages).chain(tail);
        array(row.key(list), all, |out, message| writer.message(out, message, losses))?;
        if let (Some(names), Some(variants)) = (&self.preference, apart) {
            for (name, messages) in names.iter().zip(variants) {
                writer.variant(row.key(name), messages, losses)?;
            }
        }
        if let (Some(name), Some(label)) = (&self.label, label) {
            row.raw(name, label);
        }
        self.write_tools(conversation, same, &mut row, losses);
        write_extra(&mut row, conversation, same, losses, |name| self.has_key(name, list));
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

    fn write_tools(
        &self,
        conversation: &Conversation<'_>,
        same: bool,
        row: &mut Object<'_>,
        losses: &mut RowLosses,
    ) {
        let Some(list) = &conversation.tools else { return };
        let written = match self.calls {
            CallStyle::Xml if tools::are_in_prompt(conversation, same) => return,
            _ if same => Some(list.to_string()),
            CallStyle::Fields => tools::wrapped(list),
            CallStyle::Turn => tools::as_string(list).map(Cow::into_owned),
            CallStyle::Xml => None,
        };
        tools::note_in_prompt(conversation, same, losses);
        match (self.tools.first(), written) {
            (Some(usual), Some(written)) => row.raw(key_of(conversation, same, usual), &written),
            (Some(_), None) => losses.note("tools", "dropped: no JSON array"),
            (None, _) => losses.note("tools", "dropped"),
        }
    }

    fn has_key(&self, name: &str, list: &str) -> bool {
        let mut known =
            self.tools.iter().chain(&self.system).chain(self.preference.iter().flatten()).chain(&self.label);
        name == list || known.any(|known| known == name)
    }
}

/// The name of a field in a row: the usual one, or the one it came with.
fn key_of<'k>(conversation: &'k Conversation<'_>, same: bool, usual: &'k Name) -> &'k str {
    let written = conversation.written.keys.iter().find(|(name, _)| same && name == usual);
    written.map_or(usual, |(_, name)| name)
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
        let as_call =
            spelled.is_some_and(|role| role.decode().is_ok_and(|role| self.format.is_call_role(&role)));
        if message.calls.is_empty() {
            return self.turn(out, message, spelled, None, losses);
        }
        match self.format.calls {
            CallStyle::Fields => self.turn(out, message, spelled, None, losses),
            _ if self.same && !as_call && message.written.body.is_none() => {
                self.turn(out, message, spelled, None, losses)
            }
            CallStyle::Xml if as_call => match self.written_calls(message)? {
                Some(body) => self.turn(out, message, spelled, Some(body), losses),
                None => self.turn(out, message, None, None, losses),
            },
            CallStyle::Xml => self.turn(out, message, spelled, None, losses),
            CallStyle::Turn => {
                let thinks = message.reasoning.as_ref().is_some_and(|reasoning| !reasoning.is_empty());
                let says = !message.content.is_empty() || thinks;
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
                let name = Str::encode(&*self.format.call_role);
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
        if message.written.rearranged && !self.same {
            losses.note("messages[].content", "what stood after a call stands before it");
        }
        match spelled {
            Some(role) => turn.string(self.keys.role, role),
            None => turn.string(self.keys.role, &Str::encode(self.role(message.role, losses))),
        }
        let in_fields = format.calls == CallStyle::Fields;
        match calls_text {
            Some(text) => turn.string(self.keys.content, text),
            None => self.content(&mut turn, message, losses)?,
        }
        if (in_fields || self.same)
            && let Some(reasoning) = &message.reasoning
        {
            let usual = format.reasoning.first().map_or(REASONING[0], |name| &**name);
            let field = message.written.reasoning.as_deref().filter(|_| self.same).unwrap_or(usual);
            turn.string(field, reasoning);
        }
        let has_body = self.same && message.written.body.is_some();
        if calls_text.is_none() && !message.calls.is_empty() && (in_fields || self.same && !has_body) {
            self.call_fields(&mut turn, message, losses);
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
        let usual_weight = format.weight.first().map_or(WEIGHT[0], |name| &**name);
        if let Some(weight) = &message.weight {
            match message.written.weight.as_deref().filter(|_| self.same) {
                Some("") => {}
                field => turn.raw(field.unwrap_or(usual_weight), weight),
            }
        }
        for (key, value) in &message.extra {
            let name = key.escaped();
            let taken = !self.same && self.is_taken(message, name);
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

    /// Whether a further field of a message has the name of one that is written, or would be read in its place.
    fn is_taken(&self, message: &Message<'_>, name: &str) -> bool {
        let in_fields = self.format.calls == CallStyle::Fields;
        let is_in = |names: &[Name], count: usize| names.iter().take(count).any(|field| field == name);
        name == self.keys.role
            || name == self.keys.content
            || message.weight.is_some() && is_in(&self.format.weight, 1)
            || message.reasoning.is_some()
                && is_in(&self.format.reasoning, if in_fields { 1 } else { usize::MAX })
            || name == "function_call" && !message.calls.is_empty()
    }

    /// The calls of a message in the field that is for them.
    fn call_fields(&self, turn: &mut Object<'_>, message: &Message<'_>, losses: &mut RowLosses) {
        let as_string = self.format.calls == CallStyle::Fields && !self.same;
        if let ([call], true, true) = (&message.calls[..], self.same, message.written.legacy_call) {
            return calls::write_function(turn.key("function_call"), call, as_string, losses);
        }
        let mut write = |out: &mut String, call: &_| -> std::result::Result<(), std::convert::Infallible> {
            calls::write_field(out, call, as_string, losses);
            Ok(())
        };
        let _ = array(turn.key("tool_calls"), &message.calls, &mut write);
    }

    fn role(&self, role: Role, losses: &mut RowLosses) -> &str {
        if role == Role::Developer && self.format.calls != CallStyle::Fields {
            losses.note("messages[role=developer]", "became system");
            return self.format.spell(Role::System);
        }
        self.format.spell(role)
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
            && xml::unchanged(message, body)?
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
        if self.format.calls == CallStyle::Xml {
            text = xml::text(message, &text, losses)?;
        }
        turn.string(self.keys.content, &text);
        Ok(())
    }
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
