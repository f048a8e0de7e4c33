//! Formats that are a list of turns: OpenAI messages, ShareGPT, Hermes, and what mappings make of them.
//!
//! They differ in names (of the list, of role and content, of the roles) and in where calls and tools go; that
//! difference is data ([`Turns`]), the reading and writing is one.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Members, Str};

use crate::calls::{self, xml};
use crate::conversation::{Content, Conversation, Ending, Message, Role};
use crate::error::{Reason, Result, RowError};
use crate::format::Likeness;
use crate::tools;

mod write;

pub(crate) use write::{carries_nothing, write_turns};

fn no_turn(value: Json<'_>) -> RowError {
    Reason::WrongShape.because(format!("a turn is {}, not an object", value.kind().name()))
}

/// How well a list is one of turns with roles.
pub(crate) fn of_turns(list: Json<'_>) -> Likeness {
    match list.items().next() {
        Some(turn) if turn.get("role").is_some() => Likeness::Full,
        None if list.kind() == Kind::Array => Likeness::Weak,
        _ => Likeness::None,
    }
}

type Name = Cow<'static, str>;

/// Where calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStyle {
    /// In a field of the message.
    Fields,
    /// As JSON in the text of a turn of its own.
    Turn,
    /// As JSON inside XML in the text of the message.
    Xml,
}

/// A list-of-turns format. Of several names the first is written, the others are read too.
#[derive(Clone, Debug)]
pub struct Turns {
    /// The name of the format.
    pub name: Name,
    /// The list of turns.
    pub list: Vec<Name>,
    /// The speaker of a turn.
    pub role: Vec<Name>,
    /// What is said.
    pub content: Vec<Name>,
    /// What was thought before.
    pub reasoning: Vec<Name>,
    /// The weight in training.
    pub weight: Vec<Name>,
    /// How roles are spelled, where not by their name.
    pub spelling: Vec<(Name, Role)>,
    /// Where calls go.
    pub calls: CallStyle,
    /// How the role of a turn that holds calls is spelled.
    pub call_role: Name,
    /// Roles that are learnt, if not those of the assistant alone. A weight says otherwise for its turn.
    pub train: Option<Vec<Role>>,
    /// A system prompt beside the list.
    pub system: Option<Name>,
    /// The tools.
    pub tools: Vec<Name>,
    /// Field of the better and of the worse ending, if the format has them.
    pub preference: Option<[Name; 2]>,
    /// Field that says whether the last turn is good, if the format has it.
    pub label: Option<Name>,
}

/// Spellings of a turn that holds calls, besides that of the format.
pub(crate) const CALL_ROLES: [&str; 3] = ["function_call", "tool_call", "tool_calls"];
/// Fields of thoughts and of training weights.
pub(crate) const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];
pub(crate) const WEIGHT: [&str; 4] = ["weight", "train", "training", "train_on_turn"];

/// The names that the turns of a row use.
#[derive(Clone, Copy)]
struct Keys<'k> {
    role: &'k str,
    content: &'k str,
}

impl Turns {
    /// How well the keys of a row are those of the format.
    pub(crate) fn likeness(&self, row: Json<'_>) -> Likeness {
        let Some(list) = self.list.iter().find_map(|name| row.get(name)) else { return Likeness::None };
        match list.items().next() {
            Some(turn) => {
                let has = |names: &[Name]| names.iter().any(|name| turn.get(name).is_some());
                let calls = ["tool_calls", "function_call"].iter().any(|name| turn.get(name).is_some());
                let fits = has(&self.role) && (has(&self.content) || calls);
                if fits { Likeness::Full } else { Likeness::None }
            }
            None if list.kind() == Kind::Array => Likeness::Weak,
            None => Likeness::None,
        }
    }

    /// Reads a row.
    pub(crate) fn read<'a>(&self, row: Json<'a>) -> Result<Conversation<'a>> {
        let mut conversation = Conversation::default();
        let (mut list, mut system, mut label) = (None, None, None);
        let mut variants: [Option<Json<'a>>; 2] = [None, None];
        for (key, value) in row.members() {
            let name = key.escaped();
            let kind = value.kind();
            let is = |known: Option<&Name>| known.is_some_and(|known| known == name);
            if list.is_none() && self.list.iter().any(|known| known == name) {
                list = Some((name.to_owned(), value));
            } else if is(self.system.as_ref()) && value.as_str().is_some_and(|text| !text.is_empty()) {
                system = value.as_str();
            } else if let Some(at) = self
                .tools
                .iter()
                .position(|known| known == name)
                .filter(|_| conversation.tools.is_none() && tools::as_array(&value.into()).is_some())
            {
                conversation.tools = Some(value.into());
                if at > 0 {
                    conversation.written.keys.push((self.tools[0].clone(), name.to_owned().into()));
                }
            } else if is(self.label.as_ref()) && kind == Kind::Bool {
                label = Some(value);
            } else if let Some(which) =
                self.variant(name).filter(|_| kind == Kind::Object || kind == Kind::Array)
            {
                variants[which] = Some(value);
            } else {
                conversation.extra.push((key, value.into()));
            }
        }
        let Some((list_name, list)) = list else {
            return Err(Reason::MissingField.because(format!("there is no field `{}`", self.list[0])));
        };
        let keys = self.keys_of(list);
        for (usual, name) in
            [(&self.list[0], &*list_name), (&self.role[0], keys.role), (&self.content[0], keys.content)]
        {
            if usual != name {
                conversation.written.keys.push((usual.clone(), name.to_owned().into()));
            }
        }
        if let Some(text) = system {
            let mut message = Message::text(Role::System, text);
            message.written.apart = true;
            conversation.messages.push(message);
        }
        self.read_list(&list_name, list, keys, &mut conversation.messages)?;
        conversation.ending = match (variants, label) {
            ([Some(chosen), Some(rejected)], None) => {
                let [chosen, rejected] = [chosen, rejected].map(|value| self.read_variant(value, keys));
                Ending::Preference { chosen: chosen?, rejected: rejected? }
            }
            ([None, None], Some(label)) => Ending::Labelled(Vec::new(), label.into()),
            ([None, None], None) => Ending::Open,
            _ => {
                return Err(Reason::MissingField
                    .because("a preference needs both its better and its worse ending, and no label"));
            }
        };
        conversation.written.format = Some(self.name.clone());
        if self.calls == CallStyle::Xml {
            tools::take(&mut conversation);
        }
        Ok(conversation)
    }

    fn variant(&self, name: &str) -> Option<usize> {
        self.preference.as_ref()?.iter().position(|known| known == name)
    }

    /// The names in the first turn of a list.
    fn keys_of<'s>(&'s self, list: Json<'_>) -> Keys<'s> {
        let first = if self.role.len() > 1 || self.content.len() > 1 { list.items().next() } else { None };
        let keys: Vec<_> = first.map(|turn| turn.entries().map(|(key, _)| key).collect()).unwrap_or_default();
        let pick = |names: &'s [Name]| -> &'s str {
            names.iter().find(|name| keys.iter().any(|key| key.is(name))).unwrap_or(&names[0])
        };
        Keys { role: pick(&self.role), content: pick(&self.content) }
    }

    /// Reads a list of turns that uses the names of the format.
    pub(crate) fn read_turns<'a>(&self, name: &str, list: Json<'a>) -> Result<Vec<Message<'a>>> {
        let mut messages = Vec::new();
        self.read_list(name, list, self.keys_of(list), &mut messages)?;
        Ok(messages)
    }

    fn read_list<'a>(
        &self,
        name: &str,
        list: Json<'a>,
        keys: Keys<'_>,
        messages: &mut Vec<Message<'a>>,
    ) -> Result<()> {
        if list.kind() != Kind::Array {
            let kind = list.kind().name();
            return Err(Reason::WrongShape.because(format!("`{name}` is {kind}, but turns are an array")));
        }
        let mut turns = list.items();
        for at in 0.. {
            let Some(turn) = turns.next_members() else { break };
            let message = turn.map_err(no_turn).and_then(|turn| self.read_members(turn, keys)).map_err(
                |mut error| {
                    error.detail = format!("{name}[{at}]: {}", error.detail);
                    error
                },
            )?;
            messages.push(message);
        }
        Ok(())
    }

    fn read_variant<'a>(&self, value: Json<'a>, keys: Keys<'_>) -> Result<Vec<Message<'a>>> {
        if value.kind() == Kind::Object {
            let mut message = self.read_message(value, keys)?;
            message.written.apart = true;
            return Ok(vec![message]);
        }
        value.items().map(|turn| self.read_message(turn, keys)).collect()
    }

    fn read_message<'a>(&self, turn: Json<'a>, keys: Keys<'_>) -> Result<Message<'a>> {
        if turn.kind() == Kind::Object { self.read_members(turn.members(), keys) } else { Err(no_turn(turn)) }
    }

    fn read_members<'a>(&self, turn: Members<'a>, keys: Keys<'_>) -> Result<Message<'a>> {
        let mut message = Message::new(Role::User);
        let (mut spelling, mut legacy) = (None, None);
        for (key, value) in turn {
            let (name, kind) = (key.escaped(), value.kind());
            let place_in = |names: &[Name]| names.iter().position(|known| known == name);
            let if_other = |place: usize| (place > 0).then(|| Cow::Owned(name.to_owned()));
            if name == keys.role && kind == Kind::String {
                spelling = value.as_str();
            } else if name == keys.content {
                message.content = match (value.as_str(), kind) {
                    (Some(text), _) => Content::Text(text),
                    (None, Kind::Null) => Content::Null,
                    (None, Kind::Array) => Content::Parts(value.into()),
                    _ => {
                        let allowed = "but it is a string, null or an array of parts";
                        return Err(
                            Reason::WrongShape.because(format!("`{name}` is {}, {allowed}", kind.name()))
                        );
                    }
                };
            } else if let Some(place) =
                place_in(&self.reasoning).filter(|_| kind == Kind::String && message.reasoning.is_none())
            {
                message.reasoning = value.as_str();
                message.written.reasoning = if_other(place);
            } else if let Some(place) = place_in(&self.weight)
                .filter(|_| matches!(kind, Kind::Number | Kind::Bool) && message.weight.is_none())
            {
                message.weight = Some(value.into());
                message.written.weight = if_other(place);
            } else if name == "tool_calls" && kind == Kind::Array && value.items().next().is_some() {
                message.calls = value.items().map(calls::read_field).collect::<Result<_>>()?;
            } else if name == "function_call" && kind == Kind::Object && message.calls.is_empty() {
                legacy = Some((key, value));
            } else if name == "tool_call_id" && kind == Kind::String {
                message.call_id = value.as_str();
            } else if name == "name" && kind == Kind::String {
                message.name = value.as_str();
            } else {
                message.extra.push((key, value.into()));
            }
        }
        let Some(spelling) = spelling else {
            return Err(Reason::MissingField.because(format!("a turn has no role in `{}`", keys.role)));
        };
        // Beside `tool_calls` it says nothing more.
        if let Some((key, value)) = legacy {
            if message.calls.is_empty() {
                message.calls = vec![calls::read_legacy(value)?];
                message.written.legacy_call = true;
            } else {
                message.extra.push((key, value.into()));
            }
        }
        self.speak(&mut message, spelling)?;
        Ok(message)
    }

    /// Gives the message its role, and what follows from how that is spelled.
    fn speak<'a>(&self, message: &mut Message<'a>, spelling: Str<'a>) -> Result<()> {
        let plain = spelling.decode()?;
        let custom = self.spelling.iter().find(|(name, _)| *name == plain).map(|(_, role)| *role);
        let is_call = self.is_call_role(&plain);
        let role = if is_call { Some(Role::Assistant) } else { custom.or_else(|| Role::of(&plain)) };
        let Some(role) = role else {
            return Err(Reason::UnknownRole.because(format!(
                "role `{plain}` is unknown; a mapping can say whether it is system, user, assistant or tool"
            )));
        };
        message.role = role;
        if let (Some(train), None) = (&self.train, &message.weight) {
            let is_learnt = train.contains(&role);
            if is_learnt != (role == Role::Assistant) {
                message.weight = Some(Cow::Borrowed(if is_learnt { "1" } else { "0" }));
                message.written.weight = Some(Cow::Borrowed(""));
            }
        }
        if is_call && message.calls.is_empty() {
            let Content::Text(body) = std::mem::take(&mut message.content) else {
                return Err(Reason::BadCall.because(format!("a turn of `{plain}` has no text")));
            };
            message.calls = calls::read_turn(&body)?;
            message.written.body = Some(body);
        } else if self.calls == CallStyle::Xml && message.calls.is_empty() {
            xml::take(message)?;
        }
        if is_call || plain != self.spell(role) {
            message.written.role = Some(spelling);
        }
        Ok(())
    }

    fn is_call_role(&self, name: &str) -> bool {
        let is_other = || self.spelling.iter().any(|(other, _)| other == name);
        name == self.call_role || CALL_ROLES.contains(&name) && !is_other()
    }

    fn spell(&self, role: Role) -> &str {
        self.spelling.iter().find(|(_, other)| *other == role).map_or(role.name(), |(name, _)| name)
    }
}
