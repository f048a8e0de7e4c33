//! What a message says as one text, for formats that have nothing else.

use thresher_core::json::{Json, Str};

use crate::conversation::{Content, Message};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;

/// What a message says as one text: parts joined, the input on a line of its own, thoughts in front if asked for.
pub(crate) fn flat_text<'m>(
    message: &'m Message<'_>,
    thoughts: bool,
    losses: &mut RowLosses,
) -> Result<Str<'m>> {
    let mut text = match &message.content {
        Content::Absent | Content::Null => Str::default(),
        Content::Text(text) => text.reborrow(),
        Content::Parts(parts) => join_parts(parts, losses)?,
    };
    if let Some(input) = message.input.as_ref().filter(|input| !input.is_empty()) {
        losses.note("input", "joined to the instruction by a line end");
        text = Str::concat(&[&text, &Str::encode("\n"), input]);
    }
    if let Some(reasoning) = message.reasoning.as_ref().filter(|reasoning| thoughts && !reasoning.is_empty())
    {
        losses.note("messages[].reasoning_content", "moved into the text, between <think> and </think>");
        let (open, close) = (Str::encode("<think>\n"), Str::encode("\n</think>\n\n"));
        text = Str::concat(&[&open, reasoning, &close, &text]);
    }
    Ok(text)
}

/// The texts of typed parts, one after the other.
pub(crate) fn join_parts(parts: &str, losses: &mut RowLosses) -> Result<Str<'static>> {
    let mut texts = Vec::new();
    for part in Json::checked(parts).items() {
        let text = part.as_str().or_else(|| part.get("text").and_then(Json::as_str));
        let Some(text) = text else {
            let kind = part.get("type").map_or("of no type", Json::text);
            return Err(Reason::NotExpressible
                .because(format!("a part {kind} is no text, and the format has nothing else")));
        };
        texts.push(text);
    }
    // One part that is only a text says the same without being a part.
    let plain = |part: Json<'_>| part.entries().all(|(key, _)| key.is("type") || key.is("text"));
    if texts.len() != 1 || !Json::checked(parts).items().all(plain) {
        losses.note("messages[].content[]", "parts joined to one text");
    }
    Ok(Str::concat(&texts.iter().collect::<Vec<_>>()))
}
