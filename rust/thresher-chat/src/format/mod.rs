//! The formats: each a table or a small module, found by name in one registry.

mod chatml;
mod flat;
pub(crate) mod own;
mod text;
mod trl;
pub(crate) mod turns;

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::conversation::{Content, Conversation, Message, Role};
use crate::detect::Likeness;
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::mapping::{self, MappingError};
use crate::out::Object;

pub use flat::Flat;
pub use turns::{CallStyle, Turns};

type Name = Cow<'static, str>;

/// Names of all formats.
pub const NAMES: [&str; 10] = [
    "alpaca",
    "query-response",
    "prompt-completion",
    "sharegpt",
    "hermes",
    "openai",
    "trl",
    "chatml",
    "text",
    "conversation",
];

/// A format, ready to read and write rows.
#[derive(Clone, Debug)]
pub enum Format {
    /// A field for each side of an exchange.
    Flat(Flat),
    /// A list of turns.
    Turns(Turns),
    /// TRL's lists of messages.
    Trl(Turns),
    /// One text with marks around turns.
    ChatMl,
    /// One text without turns.
    Text,
    /// The intermediate form itself.
    Conversation,
}

impl Format {
    /// The format of this name, one of [`NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let own = |name: &'static str| Cow::Borrowed(name);
        let some = |name: &'static str| Some(Cow::Borrowed(name));
        let preference = Some([own("chosen"), own("rejected")]);
        Some(match name {
            "alpaca" => Self::Flat(Flat {
                name: own("alpaca"),
                prompt: own("instruction"),
                input: some("input"),
                completion: own("output"),
                system: some("system"),
                history: some("history"),
                preference,
                label: some("kto_tag"),
                tools: None,
                partial: false,
            }),
            "query-response" => Self::Flat(Flat {
                name: own("query-response"),
                prompt: own("query"),
                input: None,
                completion: own("response"),
                system: some("system"),
                history: some("history"),
                preference: None,
                label: None,
                tools: None,
                partial: false,
            }),
            "prompt-completion" => Self::Flat(Flat {
                name: own("prompt-completion"),
                prompt: own("prompt"),
                input: None,
                completion: own("completion"),
                system: None,
                history: None,
                preference,
                label: some("label"),
                tools: None,
                partial: true,
            }),
            "sharegpt" => Self::Turns(sharegpt("sharegpt", CallStyle::Turn)),
            "hermes" => Self::Turns(sharegpt("hermes", CallStyle::Xml)),
            "openai" => Self::Turns(openai()),
            "trl" => Self::Trl(Turns { name: own(trl::NAME), ..openai() }),
            chatml::NAME => Self::ChatMl,
            text::NAME => Self::Text,
            own::NAME => Self::Conversation,
            _ => return None,
        })
    }

    /// The format that a dataset entry of LLaMA-Factory or axolotl describes.
    ///
    /// # Errors
    /// What is wrong with which of its keys.
    pub fn from_mapping(mapping: Json<'_>) -> std::result::Result<Self, MappingError> {
        mapping::read(mapping)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Flat(flat) => &flat.name,
            Self::Turns(turns) | Self::Trl(turns) => &turns.name,
            Self::ChatMl => chatml::NAME,
            Self::Text => text::NAME,
            Self::Conversation => own::NAME,
        }
    }

    /// How well the fields of a row are those of this format. A row may fit several.
    #[must_use]
    pub fn likeness(&self, row: Json<'_>) -> Likeness {
        let to_be = |likeness, fits| if fits { likeness } else { Likeness::None };
        match self {
            Self::Flat(flat) => flat.likeness(row),
            Self::Turns(turns) => turns.likeness(row),
            Self::Trl(_) => trl::likeness(row),
            Self::ChatMl => to_be(Likeness::Full, chatml::fits(row)),
            Self::Text => to_be(Likeness::Partial, text::fits(row)),
            Self::Conversation => to_be(Likeness::Full, own::fits(row)),
        }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Why it is not of this format.
    pub fn read<'a>(&self, row: Json<'a>) -> Result<Conversation<'a>> {
        if row.kind() != Kind::Object {
            return Err(
                Reason::NotAnObject.because(format!("the row is {}, not an object", row.kind().name()))
            );
        }
        match self {
            Self::Flat(flat) => flat.read(row),
            Self::Turns(turns) => turns.read(row),
            Self::Trl(turns) => trl::read(turns, row),
            Self::ChatMl => chatml::read(row),
            Self::Text => text::read(row),
            Self::Conversation => own::read(row),
        }
    }

    /// Appends the row that says `conversation` to `out`, without a line end, and notes what it cannot carry.
    ///
    /// # Errors
    /// Why this format cannot say it; what was appended then means nothing.
    pub fn write(
        &self,
        conversation: &Conversation<'_>,
        out: &mut String,
        losses: &mut RowLosses,
    ) -> Result<()> {
        match self {
            Self::Flat(flat) => flat.write(conversation, out, losses),
            Self::Turns(turns) => turns.write(conversation, out, losses),
            Self::Trl(turns) => trl::write(turns, conversation, out, losses),
            Self::ChatMl => chatml::write(conversation, out, losses),
            Self::Text => text::write(conversation, out, losses),
            Self::Conversation => {
                own::write(conversation, out);
                Ok(())
            }
        }
    }
}

/// `conversations` of `from` and `value`, and what people make of it.
fn sharegpt(name: &'static str, calls: CallStyle) -> Turns {
    Turns {
        name: name.into(),
        list: vec!["conversations".into(), "conversation".into(), "items".into()],
        role: vec!["from".into(), "role".into()],
        content: vec!["value".into(), "content".into()],
        reasoning: turns::REASONING.map(Name::from).into(),
        weight: turns::WEIGHT.map(Name::from).into(),
        spelling: vec![
            ("human".into(), Role::User),
            ("gpt".into(), Role::Assistant),
            (if calls == CallStyle::Xml { "tool" } else { "observation" }.into(), Role::Tool),
        ],
        calls,
        call_role: turns::CALL_ROLES[0].into(),
        train: None,
        system: Some("system".into()),
        tools: vec!["tools".into()],
        preference: Some(["chosen".into(), "rejected".into()]),
        label: Some("kto_tag".into()),
    }
}

/// Messages of the `OpenAI` API, and the chat-completions data of everyone who follows it.
fn openai() -> Turns {
    Turns {
        name: "openai".into(),
        list: vec!["messages".into()],
        role: vec!["role".into()],
        content: vec!["content".into()],
        reasoning: turns::REASONING.map(Name::from).into(),
        weight: turns::WEIGHT.map(Name::from).into(),
        spelling: Vec::new(),
        calls: CallStyle::Fields,
        call_role: turns::CALL_ROLES[0].into(),
        train: None,
        system: None,
        tools: vec!["tools".into(), "functions".into()],
        preference: None,
        label: None,
    }
}

/// Writes the fields that no reader gave a meaning. Where the format has a field of that name, it cannot carry them.
fn write_extra(
    row: &mut Object<'_>,
    conversation: &Conversation<'_>,
    same: bool,
    losses: &mut RowLosses,
    is_known: impl Fn(&str) -> bool,
) {
    for (key, value) in &conversation.extra {
        let name = key.escaped();
        if same || !is_known(name) {
            row.raw(name, value);
        } else if !matches!(&**value, "null" | "[]" | "\"\"" | "{}") {
            losses.note(name.to_owned(), "dropped: the format has another field of this name");
        }
    }
}

/// Notes what a message loses where only its text is written.
fn note_dropped(message: &Message<'_>, losses: &mut RowLosses) {
    for (there, field) in [
        (message.name.is_some(), "messages[].name"),
        (message.weight.is_some(), "messages[].weight"),
        (message.call_id.is_some(), "messages[].tool_call_id"),
    ] {
        if there {
            losses.note(field, "dropped");
        }
    }
    for (key, value) in &message.extra {
        if !turns::carries_nothing(key.escaped(), value) {
            losses.note(format!("messages[].{}", key.escaped()), "dropped");
        }
    }
}

/// What a message says as one text: parts joined, the input on a line of its own, thoughts in front if asked for.
fn flat_text<'m>(message: &'m Message<'_>, thoughts: bool, losses: &mut RowLosses) -> Result<Str<'m>> {
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
