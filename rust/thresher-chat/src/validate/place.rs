//! Where in a row a message stands, as a path that its owner recognises.

use std::borrow::Cow;

use crate::conversation::{Conversation, Ending, Message, Role, ToolsFrom};
use crate::format::Format;

/// The path of message `at`, counted over [`Conversation::all_messages`].
pub(super) fn of_message(conversation: &Conversation<'_>, format: &Format, at: usize) -> String {
    let prompt = conversation.messages.len();
    match format {
        Format::Flat(flat) => {
            let name = |name: &Option<Cow<'static, str>>| name.as_deref().unwrap_or_default().to_owned();
            // A flat row has no more than one system prompt, and then questions and answers in turn.
            let is_system = |message: &Message<'_>| matches!(message.role, Role::System | Role::Developer);
            let system = usize::from(conversation.messages.first().is_some_and(is_system));
            if at < system {
                return name(&flat.system);
            }
            let questions = (prompt - system).div_ceil(2);
            let (pair, side) = ((at - system) / 2, (at - system) % 2);
            match (&flat.preference, &conversation.ending) {
                _ if pair + 1 < questions => format!("{}[{pair}][{side}]", name(&flat.history)),
                _ if at < prompt && side == 0 => flat.prompt.to_string(),
                (Some(names), Ending::Preference { .. }) => names[usize::from(at > prompt)].to_string(),
                _ => flat.completion.to_string(),
            }
        }
        Format::ChatMl => format!("text: turn {}", at + taken_out(conversation)),
        Format::Text => "text".to_owned(),
        Format::Turns(turns) => {
            let apart = usize::from(conversation.messages.first().is_some_and(|first| first.written.apart));
            let list = written(conversation, &turns.list[0]);
            if at < apart {
                turns.system.as_deref().unwrap_or("system").to_owned()
            } else if at < prompt {
                format!("{list}[{}]", at - apart + taken_out(conversation))
            } else {
                let names = turns.preference.as_ref().map_or(["chosen", "rejected"], |[a, b]| [&**a, &**b]);
                of_ending(&conversation.ending, names, at - prompt)
            }
        }
        Format::Trl(_) => {
            if at < prompt {
                format!("{}[{at}]", written(conversation, "messages"))
            } else {
                of_ending(&conversation.ending, ["chosen", "rejected"], at - prompt)
            }
        }
        Format::Conversation if at < prompt => format!("messages[{at}]"),
        Format::Conversation => match &conversation.ending {
            Ending::Preference { chosen, .. } if at - prompt < chosen.len() => {
                format!("ending.chosen[{}]", at - prompt)
            }
            Ending::Preference { chosen, .. } => format!("ending.rejected[{}]", at - prompt - chosen.len()),
            _ => format!("ending.messages[{}]", at - prompt),
        },
    }
}

/// Messages before the first: a prompt that held tools and nothing else.
fn taken_out(conversation: &Conversation<'_>) -> usize {
    let is_prompt = |message: &Message<'_>| matches!(message.role, Role::System | Role::Developer);
    let first_is_prompt = conversation.messages.first().is_some_and(is_prompt);
    usize::from(conversation.written.tools == ToolsFrom::OwnPrompt && !first_is_prompt)
}

/// The path of what message `at` says.
pub(super) fn of_content(
    conversation: &Conversation<'_>,
    format: &Format,
    at: usize,
    message: &Message<'_>,
) -> String {
    let path = of_message(conversation, format, at);
    match format {
        Format::Turns(turns) | Format::Trl(turns)
            if !message.written.apart || at >= conversation.messages.len() =>
        {
            format!("{path}.{}", written(conversation, &turns.content[0]))
        }
        Format::Conversation => format!("{path}.content"),
        _ => path,
    }
}

/// The path of call `index` in message `at`, or of a field of its function.
pub(super) fn of_call(
    conversation: &Conversation<'_>,
    format: &Format,
    (at, message): (usize, &Message<'_>),
    index: usize,
    field: &str,
) -> String {
    if matches!(format, Format::Conversation) {
        // Name and arguments stand in the call itself there.
        let field = field.strip_prefix(".function").unwrap_or(field);
        format!("{}.calls[{index}]{field}", of_message(conversation, format, at))
    } else if message.written.body.is_some() {
        of_content(conversation, format, at, message)
    } else if message.written.legacy_call {
        let field = field.strip_prefix(".function").unwrap_or(field);
        format!("{}.function_call{field}", of_message(conversation, format, at))
    } else {
        format!("{}.tool_calls[{index}]{field}", of_message(conversation, format, at))
    }
}

/// The name that a row uses for a field of this usual name.
fn written<'n>(conversation: &'n Conversation<'_>, usual: &'n str) -> &'n str {
    conversation.written.keys.iter().find(|(name, _)| name == usual).map_or(usual, |(_, name)| name)
}

fn of_ending(ending: &Ending<'_>, [better, worse]: [&str; 2], at: usize) -> String {
    let one = |name: &str, messages: &[Message<'_>], at: usize| {
        let alone = messages.first().is_some_and(|message| message.written.apart);
        if alone { name.to_owned() } else { format!("{name}[{at}]") }
    };
    match ending {
        Ending::Preference { chosen, .. } if at < chosen.len() => one(better, chosen, at),
        Ending::Preference { chosen, rejected } => one(worse, rejected, at - chosen.len()),
        _ => format!("completion[{at}]"),
    }
}
