//! Formats with a field for each side of one exchange: Alpaca, query and response, prompt and completion.

use std::borrow::Cow;

use thresher_core::json::{Json, Kind, Str};

use crate::conversation::{Content, Conversation, Ending, Message, Role};
use crate::error::{Reason, Result, RowError};
use crate::format::Likeness;
use crate::loss::RowLosses;
use crate::out::{Object, array, string};
use crate::text::flat_text;
use crate::tools;

type Name = Cow<'static, str>;

/// A format of flat fields.
#[derive(Clone, Debug)]
pub struct Flat {
    /// The name of the format.
    pub name: Name,
    /// The question.
    pub prompt: Name,
    /// More of the question, on a line of its own.
    pub input: Option<Name>,
    /// The answer.
    pub completion: Name,
    /// The system prompt.
    pub system: Option<Name>,
    /// Earlier exchanges: an array of pairs of strings.
    pub history: Option<Name>,
    /// The better and the worse answer, instead of one.
    pub preference: Option<[Name; 2]>,
    /// Whether the answer is good.
    pub label: Option<Name>,
    /// The tools.
    pub tools: Option<Name>,
    /// Whether a row may be a preference without a question, or a question without an answer.
    pub partial: bool,
}

/// Fields that hold an answer in some format: beside a question, they say that the row is not of a format without them.
const ANSWERS: [&str; 9] = [
    "response",
    "output",
    "answer",
    "answers",
    "completion",
    "chosen",
    "rejected",
    "messages",
    "conversations",
];

/// The exchanges that a flat row is made of.
#[derive(Default)]
struct Exchanges<'c> {
    system: Option<&'c Message<'c>>,
    pairs: Vec<[&'c Message<'c>; 2]>,
    /// The last question, if no answer follows it.
    open: Option<&'c Message<'c>>,
}

impl Flat {
    /// How well the keys of a row are those of the format.
    pub(crate) fn likeness(&self, row: Json<'_>) -> Likeness {
        let has = |name: &str| row.get(name).is_some_and(|value| value.kind() == Kind::String);
        let both = self.preference.as_ref().is_some_and(|names| names.iter().all(|name| has(name)));
        let answered = has(&self.completion) || both;
        let other_answer = || ANSWERS.iter().any(|name| *name != self.completion && row.get(name).is_some());
        match (has(&self.prompt), answered) {
            (true, true) => Likeness::Full,
            (true, false) if !other_answer() => {
                if self.partial {
                    Likeness::Partial
                } else {
                    Likeness::Weak
                }
            }
            (false, true) if self.partial && both && row.get(&self.prompt).is_none() => Likeness::Partial,
            _ => Likeness::None,
        }
    }

    /// Reads a row.
    pub(crate) fn read<'a>(&self, row: Json<'a>) -> Result<Conversation<'a>> {
        let mut conversation = Conversation::default();
        let (mut prompt, mut input, mut completion, mut system, mut label) = (None, None, None, None, None);
        let (mut history, mut variants) = (Vec::new(), [None, None]);
        for (key, value) in row.members() {
            let name = key.escaped();
            let is = |known: Option<&Name>| known.is_some_and(|known| known == name);
            let text = value.as_str();
            let variant =
                self.preference.as_ref().and_then(|names| names.iter().position(|known| known == name));
            if self.prompt == name && text.is_some() {
                prompt = text;
            } else if is(self.input.as_ref()) && text.is_some() {
                input = text;
            } else if self.completion == name && text.is_some() {
                completion = text;
            } else if is(self.system.as_ref()) && text.as_ref().is_some_and(|text| !text.is_empty()) {
                system = text;
            } else if is(self.history.as_ref()) && value.items().next().is_some() {
                history = Self::read_history(name, value)?;
            } else if is(self.tools.as_ref()) && tools::as_array(&value.into()).is_some() {
                conversation.tools = Some(value.into());
            } else if is(self.label.as_ref()) && value.kind() == Kind::Bool {
                label = Some(value);
            } else if let Some(which) = variant.filter(|_| text.is_some()) {
                variants[which] = text;
            } else {
                conversation.extra.push((key, value.into()));
            }
        }
        let alone = self.partial && matches!(variants, [Some(_), Some(_)]);
        if prompt.is_none() && !alone {
            return Err(Reason::MissingField.because(format!("there is no string in `{}`", self.prompt)));
        }
        conversation.messages.extend(system.map(|text| Message::text(Role::System, text)));
        conversation.messages.extend(history);
        let question = |prompt| Message { input, ..Message::text(Role::User, prompt) };
        conversation.messages.extend(prompt.map(question));
        let answer = |text| Message::text(Role::Assistant, text);
        let both =
            |[a, b]: [Str<'a>; 2]| Ending::Preference { chosen: vec![answer(a)], rejected: vec![answer(b)] };
        conversation.ending = match (completion, variants, label) {
            (None, [Some(chosen), Some(rejected)], None) => both([chosen, rejected]),
            (Some(text), [None, None], Some(label)) => Ending::Labelled(vec![answer(text)], label.into()),
            (text, [None, None], None) => {
                conversation.messages.extend(text.map(answer));
                Ending::Open
            }
            _ => {
                return Err(Reason::WrongShape.because(format!(
                    "an answer in `{}`, a preference and a label do not go together like this",
                    self.completion
                )));
            }
        };
        conversation.written.format = Some(self.name.clone());
        Ok(conversation)
    }

    fn read_history<'a>(name: &str, history: Json<'a>) -> Result<Vec<Message<'a>>> {
        let mut messages = Vec::new();
        for (at, pair) in history.items().enumerate() {
            let texts: Vec<_> = pair.items().map(Json::as_str).collect();
            let [Some(question), Some(answer)] = &texts[..] else {
                return Err(Reason::WrongShape
                    .because(format!("`{name}[{at}]` is not a pair of strings, a question and its answer")));
            };
            messages.push(Message::text(Role::User, question.clone()));
            messages.push(Message::text(Role::Assistant, answer.clone()));
        }
        Ok(messages)
    }

    /// Writes a row.
    pub(crate) fn write(
        &self,
        conversation: &Conversation<'_>,
        out: &mut String,
        losses: &mut RowLosses,
    ) -> Result<()> {
        let same = conversation.written.format.as_deref() == Some(&*self.name);
        let (last, label): (Vec<[&Message<'_>; 1]>, _) = match &conversation.ending {
            Ending::Open => (Vec::new(), None),
            Ending::Completion(messages) => (vec![self.single(messages)?], None),
            Ending::Labelled(messages, label) if self.label.is_some() => {
                let last = if messages.is_empty() { Vec::new() } else { vec![self.single(messages)?] };
                (last, Some(label))
            }
            Ending::Preference { chosen, rejected } if self.preference.is_some() => {
                (vec![self.single(chosen)?, self.single(rejected)?], None)
            }
            _ => return Err(self.cannot("a label or a preference")),
        };
        let mut row = Object::open(out);
        if self.partial && conversation.messages.is_empty() && last.len() == 2 {
            self.write_answers(&mut row, &last, None, losses)?;
        } else {
            let answers = last.iter().map(|[message]| *message).take(1);
            let exchanges = self.exchanges(&conversation.messages, answers)?;
            let earlier = exchanges.pairs.len().saturating_sub(usize::from(exchanges.open.is_none()));
            let answer = exchanges.pairs.get(earlier).map(|pair| pair[1]);
            if label.is_some() && answer.is_none() {
                return Err(self.cannot("a label without an answer"));
            }
            self.write_question(&mut row, &exchanges, same, losses)?;
            self.write_answers(&mut row, &last, answer, losses)?;
            if earlier > 0 {
                if matches!(conversation.ending, Ending::Completion(_)) {
                    losses.note("completion", "no longer the only answer that is learnt");
                }
                self.write_history(&mut row, &exchanges.pairs[..earlier], losses)?;
            }
        }
        if let (Some(name), Some(label)) = (&self.label, label) {
            row.raw(name, label);
        }
        if let Some(list) = &conversation.tools {
            let written =
                if same { Some(list.to_string()) } else { tools::as_string(list).map(Cow::into_owned) };
            match self.tools.as_ref().zip(written) {
                Some((name, written)) => row.raw(name, &written),
                None => losses.note("tools", "dropped"),
            }
        }
        super::write_extra(&mut row, conversation, same, losses, |name| self.has_key(name));
        row.close();
        Ok(())
    }

    /// The system prompt and the last question.
    fn write_question(
        &self,
        row: &mut Object<'_>,
        exchanges: &Exchanges<'_>,
        same: bool,
        losses: &mut RowLosses,
    ) -> Result<()> {
        let Some(question) = exchanges.open.or_else(|| exchanges.pairs.last().map(|pair| pair[0])) else {
            return Err(self.cannot("a conversation without a question"));
        };
        if let Some(system) = exchanges.system {
            match &self.system {
                Some(name) => {
                    let text = Self::text(system, losses)?;
                    if text.is_empty() {
                        losses.note("messages[role=system]", "empty: the same as none there");
                    }
                    row.string(name, &text);
                }
                None => losses.note("messages[role=system]", "dropped"),
            }
        }
        match (&self.input, &question.input, &question.content) {
            (Some(name), Some(input), Content::Text(text)) => {
                super::note_dropped(question, losses);
                row.string(&self.prompt, text);
                row.string(name, input);
            }
            (Some(name), None, _) => {
                row.string(&self.prompt, &Self::text(question, losses)?);
                if !same {
                    row.raw(name, "\"\"");
                }
            }
            _ => row.string(&self.prompt, &Self::text(question, losses)?),
        }
        Ok(())
    }

    /// The better and the worse answer, or the only one.
    fn write_answers(
        &self,
        row: &mut Object<'_>,
        last: &[[&Message<'_>; 1]],
        answer: Option<&Message<'_>>,
        losses: &mut RowLosses,
    ) -> Result<()> {
        if let ([[chosen], [rejected]], Some([better, worse])) = (last, &self.preference) {
            row.string(better, &Self::text(chosen, losses)?);
            row.string(worse, &Self::text(rejected, losses)?);
        } else if let Some(answer) = answer {
            row.string(&self.completion, &Self::text(answer, losses)?);
        }
        Ok(())
    }

    /// The exchanges before the last.
    fn write_history(
        &self,
        row: &mut Object<'_>,
        earlier: &[[&Message<'_>; 2]],
        losses: &mut RowLosses,
    ) -> Result<()> {
        let Some(name) = &self.history else { return Err(self.cannot("several exchanges")) };
        array(row.key(name), earlier, |out, pair| {
            array(out, pair, |out, message| {
                string(out, &Self::text(message, losses)?);
                Ok::<(), RowError>(())
            })
        })
    }

    fn single<'c>(&self, messages: &'c [Message<'c>]) -> Result<[&'c Message<'c>; 1]> {
        match messages {
            [message] if message.role == Role::Assistant && message.calls.is_empty() => Ok([message]),
            [message] if message.role == Role::Assistant => {
                Err(self.cannot("calls of tools and their results"))
            }
            _ => Err(self.cannot("an ending that is not one answer")),
        }
    }

    /// Takes messages apart into exchanges; `answer` comes last.
    fn exchanges<'c>(
        &self,
        messages: &'c [Message<'c>],
        answer: impl Iterator<Item = &'c Message<'c>>,
    ) -> Result<Exchanges<'c>> {
        let mut found = Exchanges::default();
        for message in messages.iter().chain(answer) {
            if !message.calls.is_empty() || message.role == Role::Tool {
                return Err(self.cannot("calls of tools and their results"));
            }
            match (message.role, found.open) {
                (Role::System | Role::Developer, None)
                    if found.system.is_none() && found.pairs.is_empty() =>
                {
                    found.system = Some(message);
                }
                (Role::User, None) => found.open = Some(message),
                (Role::Assistant, Some(question)) => {
                    found.pairs.push([question, message]);
                    found.open = None;
                }
                (role, _) => return Err(self.cannot(&format!("a turn of the {} at this place", role.name()))),
            }
        }
        Ok(found)
    }

    /// The text of a message, everything else of it noted as lost.
    fn text<'m>(message: &'m Message<'_>, losses: &mut RowLosses) -> Result<Str<'m>> {
        super::note_dropped(message, losses);
        if message.role == Role::Developer {
            losses.note("messages[role=developer]", "became system");
        }
        flat_text(message, true, losses)
    }

    fn cannot(&self, what: &str) -> RowError {
        Reason::NotExpressible.because(format!("`{}` cannot say {what}", self.name))
    }

    fn has_key(&self, name: &str) -> bool {
        let mut known = [&self.prompt, &self.completion]
            .into_iter()
            .chain(&self.input)
            .chain(&self.system)
            .chain(&self.history)
            .chain(&self.label)
            .chain(&self.tools)
            .chain(self.preference.iter().flatten());
        known.any(|known| known == name)
    }
}
