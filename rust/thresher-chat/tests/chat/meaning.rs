//! What a conversation says, apart from how it was written.

use serde_json::{Map, Value, json};
use thresher_chat::conversation::Extra;
use thresher_chat::{Content, Conversation, Ending, Format, Message};

pub(crate) fn format(name: &str) -> Format {
    Format::named(name).unwrap()
}

/// What a conversation says, without how it was written and without what means the same.
pub(crate) fn meaning(conversation: &Conversation<'_>) -> Value {
    let extra = |extra: &Extra<'_>| -> Map<String, Value> {
        let pairs = extra
            .iter()
            .map(|(key, value)| (key.decode().unwrap().into_owned(), serde_json::from_str(value).unwrap()));
        // A field without a value is what a table's schema fills in.
        pairs.filter(|(_, value): &(_, Value)| !is_empty(value)).collect()
    };
    let json_in = |raw: &str| -> Value {
        let value: Value = serde_json::from_str(raw).unwrap();
        value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value)
    };
    let arguments_in = |raw: &str| -> Value {
        // A model that passes no arguments writes an empty string or an empty object.
        let value = json_in(raw);
        if value.as_str().is_some_and(|text| text.trim().is_empty()) { json!({}) } else { value }
    };
    let message = |message: &Message<'_>| {
        let content = match &message.content {
            Content::Absent | Content::Null => json!(""),
            Content::Text(text) => json!(text.decode().unwrap()),
            // One part that is only a text is that text, and no part is none.
            Content::Parts(parts) => match &serde_json::from_str::<Vec<Value>>(parts).unwrap()[..] {
                [] => json!(""),
                [part]
                    if part
                        .as_object()
                        .is_some_and(|part| part.keys().all(|key| key == "type" || key == "text")) =>
                {
                    part["text"].clone()
                }
                parts => json!(parts),
            },
        };
        let calls: Vec<Value> = message
            .calls
            .iter()
            .map(|call| {
                let arguments = call.arguments.as_deref().map_or(json!({}), arguments_in);
                json!([
                    call.id.as_ref().map(|id| id.decode().unwrap()),
                    call.name.decode().unwrap(),
                    arguments,
                    extra(&call.extra),
                    extra(&call.function_extra)
                ])
            })
            .collect();
        let plain = |text: &Option<thresher_core::json::Str<'_>>| {
            text.as_ref().map(|text| text.decode().unwrap().into_owned())
        };
        let input = plain(&message.input).filter(|input| !input.is_empty());
        let rest = extra(&message.extra);
        json!({"role": message.role.name(), "content": content, "calls": calls, "reasoning": plain(&message.reasoning).unwrap_or_default(),
            "input": input, "call_id": plain(&message.call_id), "name": plain(&message.name),
            "weight": message.weight, "extra": rest})
    };
    let all = |messages: &[Message<'_>]| messages.iter().map(message).collect::<Vec<_>>();
    let ending = match &conversation.ending {
        Ending::Open => json!(null),
        Ending::Completion(_) => json!("completion"),
        Ending::Labelled(_, label) => json!(["labelled", label]),
        Ending::Preference { chosen, rejected } => json!(["preference", all(chosen), all(rejected)]),
    };
    let tools = conversation.tools.as_deref().map(json_in).map(|tools| {
        let tools: Vec<Value> = tools
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool.get("function").unwrap_or(tool).clone())
            .collect();
        json!(tools)
    });
    let rest = extra(&conversation.extra);
    let mut messages = all(&conversation.messages);
    if let Ending::Completion(more) | Ending::Labelled(more, _) = &conversation.ending {
        messages.extend(all(more));
    }
    json!({"messages": messages, "ending": ending, "tools": tools, "extra": rest})
}

pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
