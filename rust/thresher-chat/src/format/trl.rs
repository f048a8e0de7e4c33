//! TRL's conversational formats: prompt, completion, chosen and rejected as lists of messages.
//!
//! With strings in these fields it is the flat format `prompt-completion`.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind};

use super::turns::{self, Turns, write_turns};
use crate::conversation::{Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};
use crate::format::Likeness;
use crate::loss::RowLosses;
use crate::out::Object;
use crate::tools;

/// The name of the format.
pub(crate) const NAME: &str = "trl";

const LISTS: [&str; 5] = ["messages", "prompt", "completion", "chosen", "rejected"];

pub(crate) fn likeness(row: Json<'_>) -> Likeness {
    let turns = |name: &str| row.get(name).map_or(Likeness::None, turns::of_turns);
    let elsewhere = ["messages", "conversations"].iter().any(|name| row.get(name).is_some());
    let variants = if elsewhere { Likeness::None } else { turns("chosen").min(turns("rejected")) };
    turns("prompt").max(variants)
}

/// Reads a row, the messages by `turns`.
pub(crate) fn read<'a>(turns: &Turns, row: Json<'a>) -> Result<Conversation<'a>> {
    let mut conversation = Conversation::default();
    let mut lists = [None; LISTS.len()];
    let mut label = None;
    for (key, value) in row.members() {
        let name = key.escaped();
        let list = LISTS.iter().position(|known| *known == name);
        if let Some(which) = list.filter(|_| value.kind() == Kind::Array) {
            lists[which] = Some(value);
        } else if name == "label" && value.kind() == Kind::Bool {
            label = Some(value);
        } else if name == "tools" && tools::as_array(&value.into()).is_some() {
            conversation.tools = Some(value.into());
        } else {
            conversation.extra.push((key, value.into()));
        }
    }
    let read = |which: usize, list: Json<'a>| turns.read_turns(LISTS[which], list);
    let [messages, prompt, completion, chosen, rejected] = lists;
    if let Some(list) = prompt.or(messages) {
        conversation.messages = read(usize::from(prompt.is_some()), list)?;
    }
    conversation.ending = match (messages, prompt, completion, [chosen, rejected], label) {
        (Some(_), None, None, [None, None], None) | (None, Some(_), None, [None, None], None) => Ending::Open,
        (None, Some(_), Some(completion), [None, None], None) => Ending::Completion(read(2, completion)?),
        (None, Some(_), Some(completion), [None, None], Some(label)) => {
            Ending::Labelled(read(2, completion)?, label.into())
        }
        (None, _, None, [Some(chosen), Some(rejected)], None) => {
            Ending::Preference { chosen: read(3, chosen)?, rejected: read(4, rejected)? }
        }
        _ => {
            return Err(Reason::WrongShape.because(
                "the lists do not go together: a row has messages; or a prompt, with or without a completion and a label; \
                 or chosen and rejected, with or without a prompt",
            ));
        }
    };
    if prompt.is_some() {
        conversation.written.keys.push((Cow::Borrowed("messages"), Cow::Borrowed("prompt")));
    }
    conversation.written.format = Some(Cow::Borrowed(NAME));
    Ok(conversation)
}

/// Writes a row, the messages by `turns`.
pub(crate) fn write(
    turns: &Turns,
    conversation: &Conversation<'_>,
    out: &mut String,
    losses: &mut RowLosses,
) -> Result<()> {
    let same = conversation.written.format.as_deref() == Some(NAME);
    let mut row = Object::open(out);
    let has_prompt = same && !conversation.written.keys.is_empty();
    let mut list = |row: &mut Object<'_>, name: &str, messages: &[_]| {
        write_turns(turns, same, row.key(name), messages, losses)
    };
    let mut messages: &[Message<'_>] = &conversation.messages;
    let mut labelled: &[Message<'_>] = &[];
    if let Ending::Labelled(own, _) = &conversation.ending {
        labelled = own;
        if !same && own.is_empty() {
            // Elsewhere the answer is the end of the list; here it stands apart.
            let question = messages.iter().rposition(|message| message.role == Role::User);
            (messages, labelled) = messages.split_at(question.map_or(0, |at| at + 1));
            if labelled.is_empty() {
                return Err(Reason::NotExpressible.because("`trl` cannot say a label without an answer"));
            }
        }
    }
    let (name, needed) = match &conversation.ending {
        Ending::Open if !has_prompt => ("messages", true),
        Ending::Preference { .. } => ("prompt", has_prompt),
        _ => ("prompt", true),
    };
    if needed || !messages.is_empty() {
        list(&mut row, name, messages)?;
    }
    match &conversation.ending {
        Ending::Open => {}
        Ending::Completion(messages) => list(&mut row, "completion", messages)?,
        Ending::Labelled(_, label) => {
            list(&mut row, "completion", labelled)?;
            row.raw("label", label);
        }
        Ending::Preference { chosen, rejected } => {
            list(&mut row, "chosen", chosen)?;
            list(&mut row, "rejected", rejected)?;
        }
    }
    if let Some(list) = &conversation.tools {
        tools::note_in_prompt(conversation, same, losses);
        match if same { Some(list.to_string()) } else { tools::wrapped(list) } {
            Some(tools) => row.raw("tools", &tools),
            None => losses.note("tools", "dropped: no JSON array"),
        }
    }
    super::write_extra(&mut row, conversation, same, losses, |name| {
        LISTS.contains(&name) || matches!(name, "label" | "tools")
    });
    row.close();
    Ok(())
}
