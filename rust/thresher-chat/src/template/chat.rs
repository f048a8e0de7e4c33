//! A conversation as the variables of a template: messages in the shape of the `OpenAI` API.

use std::sync::Arc;

use thresher_core::json::{Json, Kind, Str};

use crate::calls;
use crate::conversation::{Call, Content, Conversation, Ending, Message, Role};
use crate::error::{Reason, Result};

use super::value::{Dict, Value};
use super::{Arguments, RenderOptions, Variant};

/// A conversation ready for rendering.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) messages: Vec<Value>,
    /// Which messages the model is to learn.
    pub(super) learnt: Vec<bool>,
    tools: Value,
    /// About how large the row is.
    pub(super) bytes: usize,
}

impl Chat {
    pub(super) fn new(
        conversation: &Conversation<'_>,
        options: &RenderOptions,
        arguments: Arguments,
    ) -> Result<Self> {
        let prompt = &conversation.messages[..];
        let (ending, apart): (&[Message<'_>], bool) = match (&conversation.ending, options.variant) {
            (Ending::Open, _) | (_, Variant::Prompt) => (&[], false),
            (Ending::Completion(messages) | Ending::Labelled(messages, _), _) => {
                (messages, !messages.is_empty())
            }
            (Ending::Preference { chosen, .. }, Variant::Chosen) => (chosen, !chosen.is_empty()),
            (Ending::Preference { rejected, .. }, Variant::Rejected) => (rejected, !rejected.is_empty()),
        };
        let tools = match &conversation.tools {
            None => Value::None,
            Some(raw) => match crate::tools::wrapped(raw) {
                Some(list) => Value::from_json(Json::parse(&list)?)?,
                None => return Err(Reason::WrongShape.because("`tools` is no array")),
            },
        };
        let mut chat = Self { messages: Vec::new(), learnt: Vec::new(), tools, bytes: 0 };
        chat.bytes += conversation.tools.as_ref().map_or(0, |tools| tools.len());
        for (index, message) in prompt.iter().chain(ending).enumerate() {
            // Of a row with an ending of its own, that is what is learnt.
            let asked = !apart || index >= prompt.len();
            chat.learnt.push(asked && message.role == Role::Assistant && weight(message));
            let value = chat.message(message, arguments)?;
            chat.messages.push(value);
        }
        Ok(chat)
    }

    /// No messages yet, with these tools.
    pub(super) fn of(tools: Value) -> Self {
        Self { messages: Vec::new(), learnt: Vec::new(), tools, bytes: 0 }
    }

    /// The variables that render these messages.
    pub(super) fn variables(
        &self,
        messages: Vec<Value>,
        add_generation_prompt: bool,
    ) -> Result<Vec<(Arc<str>, Value)>> {
        Ok(vec![
            ("messages".into(), Value::list(messages)?),
            ("tools".into(), self.tools.clone()),
            ("documents".into(), Value::None),
            ("add_generation_prompt".into(), Value::Bool(add_generation_prompt)),
        ])
    }

    /// Whether a message is the model's.
    pub(super) fn is_assistant(&self, index: usize) -> bool {
        matches!(&self.messages[index], Value::Dict(dict)
            if dict.get_text("role").and_then(Value::as_text) == Some(Role::Assistant.name()))
    }

    fn json(&mut self, raw: &str) -> Result<Value> {
        self.bytes += raw.len();
        Ok(Value::from_json(Json::checked(raw))?)
    }

    fn text(&mut self, text: &Str<'_>) -> Result<Value> {
        self.bytes += text.escaped().len();
        Ok(Value::text(text.decode()?))
    }

    fn message(&mut self, message: &Message<'_>, arguments: Arguments) -> Result<Value> {
        self.bytes += 64;
        let mut dict = Dict::default();
        dict.put("role", Value::text(message.role.name()));
        match &message.content {
            Content::Absent => {}
            Content::Null => dict.put("content", Value::None),
            Content::Text(text) => {
                let text = match message.input.as_ref().filter(|input| !input.is_empty()) {
                    Some(input) => self.text(&Str::concat(&[text, &Str::encode("\n"), input]))?,
                    None => self.text(text)?,
                };
                dict.put("content", text);
            }
            Content::Parts(parts) => {
                let parts = self.json(parts)?;
                dict.put("content", parts);
            }
        }
        if let Some(reasoning) = &message.reasoning {
            let text = self.text(reasoning)?;
            if let Some(written) = &message.written.reasoning {
                dict.put(written, text.clone());
            }
            dict.put("reasoning_content", text);
        }
        if !message.calls.is_empty() {
            let calls: Vec<Value> =
                message.calls.iter().map(|call| self.call(call, arguments)).collect::<Result<_>>()?;
            dict.put("tool_calls", Value::list(calls)?);
        }
        for (key, text) in [("tool_call_id", &message.call_id), ("name", &message.name)] {
            if let Some(text) = text {
                let text = self.text(text)?;
                dict.put(key, text);
            }
        }
        if let Some(weight) = &message.weight {
            let value = self.json(weight)?;
            dict.put(message.written.weight.as_deref().unwrap_or("weight"), value);
        }
        self.extra(&mut dict, &message.extra)?;
        Ok(dict.into_value()?)
    }

    fn extra(&mut self, dict: &mut Dict, extra: &[(Str<'_>, crate::conversation::Raw<'_>)]) -> Result<()> {
        for (key, raw) in extra {
            let value = self.json(raw)?;
            dict.put(&key.decode()?, value);
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, form: Arguments) -> Result<Value> {
        let mut function = Dict::default();
        let name = self.text(&call.name)?;
        function.put("name", name);
        if let Some(raw) = &call.arguments {
            let json = Json::checked(raw);
            let value = match (form, json.as_str()) {
                (Arguments::Text, None) => {
                    self.bytes += raw.len();
                    Value::text(json.text())
                }
                (Arguments::Mapping | Arguments::Auto, Some(_)) => {
                    let inner = calls::arguments_value(call)?;
                    let inner = Json::parse(&inner)?;
                    if inner.kind() != Kind::Object {
                        return Err(Reason::BadCall.because(format!(
                            "the arguments of `{}` are {}, and the template takes an object",
                            call.name.escaped(),
                            inner.kind().name()
                        )));
                    }
                    self.bytes += raw.len();
                    Value::from_json(inner)?
                }
                _ => self.json(raw)?,
            };
            function.put("arguments", value);
        }
        self.extra(&mut function, &call.function_extra)?;
        let mut dict = Dict::default();
        if let Some(id) = &call.id {
            let id = self.text(id)?;
            dict.put("id", id);
        }
        let kind = match &call.kind {
            Some(kind) => self.text(kind)?,
            None => Value::text("function"),
        };
        dict.put("type", kind);
        dict.put("function", function.into_value()?);
        self.extra(&mut dict, &call.extra)?;
        Ok(dict.into_value()?)
    }
}

/// Whether the weight of a message is not 0 and not false.
fn weight(message: &Message<'_>) -> bool {
    match message.weight.as_deref().map(str::trim) {
        None | Some("true") => true,
        Some("false") => false,
        Some(number) => number.parse::<f64>().is_ok_and(|weight| weight != 0.0),
    }
}
