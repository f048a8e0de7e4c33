//! The formats: each a table or a small module, found by name in one registry.

mod chatml;
mod flat;
mod own;
mod text;
mod trl;
pub(crate) mod turns;

use std::borrow::Cow;

use thresher_core::json::{Json, Kind};

use crate::conversation::{Conversation, Message, Role};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
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

/// How well a row has the fields of a format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Not at all.
    #[default]
    None,
    /// It has nothing against it, as an empty list of turns or a question without an answer.
    Weak,
    /// It has so little that makes the format that any other it has more of speaks first: one text.
    Partial,
    /// It has what makes the format.
    Full,
}

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
