//! The one form between all formats: what a training conversation can hold, and how it was written.
//!
//! A reader drops nothing: a field that it does not know, or whose value is not of the shape it knows, stays in `extra`
//! as it came. How something was spelled (`human` for a user, a system prompt in a field of its own) is kept in
//! [`Written`]; only the format it came from looks at it, so that reading and writing again gives the same row.

use std::borrow::Cow;

use thresher_core::json::{Json, Str};

/// A JSON value as it was written.
pub type Raw<'a> = Cow<'a, str>;

/// Fields that no reader gave a meaning, in their order.
pub type Extra<'a> = Vec<(Str<'a>, Raw<'a>)>;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Sets the scene.
    System,
    /// The application's author, where a format tells them from the system.
    Developer,
    /// The human.
    User,
    /// The model.
    Assistant,
    /// The result of a call.
    Tool,
}

impl Role {
    /// The name in most formats and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// The role that a spelling found in the wild stands for.
    #[must_use]
    pub fn of(spelling: &str) -> Option<Self> {
        Some(match spelling {
            "system" => Self::System,
            "developer" => Self::Developer,
            "user" | "human" | "prompter" | "customer" => Self::User,
            "assistant" | "gpt" | "chatgpt" | "bard" | "bing" | "model" | "bot" | "ai" | "claude"
            | "agent" | "chatbot" => Self::Assistant,
            "tool" | "function" | "observation" | "tool_response" | "tool_result" | "tool_output"
            | "function_response" | "function_result" | "function_output" | "ipython" => Self::Tool,
            _ if spelling.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                return Self::of(&spelling.to_ascii_lowercase());
            }
            _ => return None,
        })
    }
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Content<'a> {
    /// There is no such field.
    #[default]
    Absent,
    /// The field is null.
    Null,
    /// Text.
    Text(Str<'a>),
    /// Typed parts (text, images, audio): a JSON array as it came.
    Parts(Raw<'a>),
}

impl Content<'_> {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Absent | Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => Json::checked(parts).items().next().is_none(),
        }
    }
}

/// A call that the assistant makes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call<'a> {
    /// The id that a result refers to.
    pub id: Option<Str<'a>>,
    /// `function` in most formats.
    pub kind: Option<Str<'a>>,
    /// The function.
    pub name: Str<'a>,
    /// A JSON string that holds JSON, or the JSON itself, as it came.
    pub arguments: Option<Raw<'a>>,
    /// Further fields of the call.
    pub extra: Extra<'a>,
    /// Further fields of its `function` object.
    pub function_extra: Extra<'a>,
}

impl Call<'_> {
    /// The same, with everything owned.
    #[must_use]
    pub fn into_owned(self) -> Call<'static> {
        let owned = |extra: Extra<'_>| -> Extra<'static> {
            extra.into_iter().map(|(key, value)| (key.into_owned(), Cow::Owned(value.into_owned()))).collect()
        };
        Call {
            id: self.id.map(Str::into_owned),
            kind: self.kind.map(Str::into_owned),
            name: self.name.into_owned(),
            arguments: self.arguments.map(|raw| Cow::Owned(raw.into_owned())),
            extra: owned(self.extra),
            function_extra: owned(self.function_extra),
        }
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content<'a>,
    /// The input of an instruction (Alpaca); a line of its own after the content elsewhere.
    pub input: Option<Str<'a>>,
    /// What was thought before speaking.
    pub reasoning: Option<Str<'a>>,
    /// Calls, in order.
    pub calls: Vec<Call<'a>>,
    /// The call that a result answers.
    pub call_id: Option<Str<'a>>,
    /// The name of the speaker or of the function.
    pub name: Option<Str<'a>>,
    /// Weight in training: a number or a bool.
    pub weight: Option<Raw<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
    /// How it was spelled.
    pub written: WrittenMessage<'a>,
}

impl<'a> Message<'a> {
    /// A message without content.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            content: Content::Absent,
            input: None,
            reasoning: None,
            calls: Vec::new(),
            call_id: None,
            name: None,
            weight: None,
            extra: Vec::new(),
            written: WrittenMessage::default(),
        }
    }

    /// A message that says `text`.
    #[must_use]
    pub fn text(role: Role, text: Str<'a>) -> Self {
        Self { content: Content::Text(text), ..Self::new(role) }
    }
}

/// How a message was spelled where it came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenMessage<'a> {
    /// The role, if it is not the usual one of the format.
    pub role: Option<Str<'a>>,
    /// The text that content and calls were taken from.
    pub body: Option<Str<'a>>,
    /// The field of the reasoning.
    pub reasoning: Option<Cow<'a, str>>,
    /// The field of the weight; none (an empty name) if the weight follows from the role.
    pub weight: Option<Cow<'a, str>>,
    /// It stood in a field of its own beside the messages.
    pub apart: bool,
    /// Its one call stood in `function_call`, as before there were several.
    pub legacy_call: bool,
    /// Text stood after or between the calls.
    pub rearranged: bool,
}

/// How a conversation ends: with variants of the last turns, or as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ending<'a> {
    /// The messages are all there is.
    #[default]
    Open,
    /// What is to be learnt, apart from the prompt.
    Completion(Vec<Message<'a>>),
    /// A completion and whether it is good (KTO).
    Labelled(Vec<Message<'a>>, Raw<'a>),
    /// A better and a worse completion (DPO).
    Preference {
        /// The better one.
        chosen: Vec<Message<'a>>,
        /// The worse one.
        rejected: Vec<Message<'a>>,
    },
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation<'a> {
    /// The turns; the prompt, if there is an ending.
    pub messages: Vec<Message<'a>>,
    /// What follows them.
    pub ending: Ending<'a>,
    /// Tools on offer: a JSON array, or a JSON string that holds one.
    pub tools: Option<Raw<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
    /// How it was written.
    pub written: Written<'a>,
}

/// How a row was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written<'a> {
    /// The format it came from.
    pub format: Option<Cow<'a, str>>,
    /// Names of its fields that are not the usual ones, by the usual one.
    pub keys: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The whole text, where messages were cut out of one.
    pub body: Option<Str<'a>>,
    /// Where the tools stood.
    pub tools: ToolsFrom,
}

/// Where the tools of a row stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolsFrom {
    /// In a field of the row.
    #[default]
    Field,
    /// In the system prompt, which still holds them.
    Prompt,
    /// In the part of the system prompt that this crate writes; it is no longer in the message.
    OwnPrompt,
}

impl Conversation<'_> {
    /// All messages, those of every ending included.
    pub fn all_messages(&self) -> impl Iterator<Item = &Message<'_>> {
        let (first, second): (&[_], &[_]) = match &self.ending {
            Ending::Open => (&[], &[]),
            Ending::Completion(messages) | Ending::Labelled(messages, _) => (messages, &[]),
            Ending::Preference { chosen, rejected } => (chosen, rejected),
        };
        self.messages.iter().chain(first).chain(second)
    }
}
