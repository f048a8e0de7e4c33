//! Plain text to be learnt as it is: the language modelling rows of TRL and of pre-training.
//!
//! Such a text has no turns. It is read as one answer to nothing; a conversation becomes a text only by a model's chat
//! template, so anything else is refused here.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind};

use super::chatml;
use crate::conversation::{Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::out::Object;
use crate::text::flat_text;

/// The field of the text.
const FIELD: &str = "text";

/// The name of the format.
pub(crate) const NAME: &str = "text";

pub(crate) fn fits(row: Json<'_>) -> bool {
    row.get(FIELD).is_some_and(|text| text.kind() == Kind::String) && !chatml::fits(row)
}

pub(crate) fn read(row: Json<'_>) -> Result<Conversation<'_>> {
    let mut conversation = Conversation::default();
    for (key, value) in row.members() {
        match value.as_str().filter(|_| key.escaped() == FIELD) {
            Some(text) => conversation.messages.push(Message::text(Role::Assistant, text)),
            None => conversation.extra.push((key, value.into())),
        }
    }
    if conversation.messages.is_empty() {
        return Err(Reason::MissingField.because(format!("there is no string in `{FIELD}`")));
    }
    conversation.written.format = Some(Cow::Borrowed(NAME));
    Ok(conversation)
}

pub(crate) fn write(conversation: &Conversation<'_>, out: &mut String, losses: &mut RowLosses) -> Result<()> {
    let same = conversation.written.format.as_deref() == Some(NAME);
    let answer = match (&conversation.messages[..], &conversation.ending) {
        ([answer], Ending::Open) => Some(answer),
        ([], Ending::Completion(messages)) => messages.first().filter(|_| messages.len() == 1),
        _ => None,
    };
    let Some(answer) = answer.filter(|answer| answer.role == Role::Assistant && answer.calls.is_empty())
    else {
        return Err(Reason::NotExpressible
            .because("`text` cannot say turns; a chat template renders them as the model will see them"));
    };
    let mut row = Object::open(out);
    super::note_dropped(answer, losses);
    row.string(FIELD, &flat_text(answer, true, losses)?);
    if conversation.tools.is_some() {
        losses.note("tools", "dropped");
    }
    super::write_extra(&mut row, conversation, same, losses, |name| name == FIELD);
    row.close();
    Ok(())
}
