//! A conversation as JSON.

use std::borrow::Cow;

use thresher_core::json::Str;

use super::{MARK, VERSION};
use crate::conversation::{
    Call, Content, Conversation, Ending, Extra, Message, ToolsFrom, Written, WrittenMessage,
};
use crate::out::{Object, array, string};

pub(crate) fn write(conversation: &Conversation<'_>, out: &mut String) {
    let mut row = Object::open(out);
    row.raw(MARK, VERSION);
    messages(row.key("messages"), &conversation.messages);
    if conversation.ending != Ending::Open {
        ending(row.key("ending"), &conversation.ending);
    }
    if let Some(tools) = &conversation.tools {
        row.raw("tools", tools);
    }
    extra(&mut row, "extra", &conversation.extra);
    if conversation.written != Written::default() {
        written(row.key("written"), &conversation.written);
    }
    row.close();
}

fn each<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    let done: std::result::Result<(), std::convert::Infallible> = array(out, items, |out, item| {
        write(out, item);
        Ok(())
    });
    let _ = done;
}

fn messages(out: &mut String, messages: &[Message<'_>]) {
    each(out, messages, message);
}

fn ending(out: &mut String, ending: &Ending<'_>) {
    let mut object = Object::open(out);
    match ending {
        Ending::Open => {}
        Ending::Completion(own) => {
            object.raw("kind", "\"completion\"");
            messages(object.key("messages"), own);
        }
        Ending::Labelled(own, label) => {
            object.raw("kind", "\"labelled\"");
            messages(object.key("messages"), own);
            object.raw("label", label);
        }
        Ending::Preference { chosen, rejected } => {
            object.raw("kind", "\"preference\"");
            messages(object.key("chosen"), chosen);
            messages(object.key("rejected"), rejected);
        }
    }
    object.close();
}

fn extra(object: &mut Object<'_>, key: &str, extra: &Extra<'_>) {
    if !extra.is_empty() {
        let mut inner = Object::open(object.key(key));
        for (key, value) in extra {
            inner.raw(key.escaped(), value);
        }
        inner.close();
    }
}

fn maybe(object: &mut Object<'_>, key: &str, value: Option<&Str<'_>>) {
    if let Some(value) = value {
        object.string(key, value);
    }
}

fn message(out: &mut String, message: &Message<'_>) {
    let mut object = Object::open(out);
    object.string("role", &Str::encode(message.role.name()));
    match &message.content {
        Content::Absent => {}
        Content::Null => object.raw("content", "null"),
        Content::Text(text) => object.string("content", text),
        Content::Parts(parts) => object.raw("content", parts),
    }
    maybe(&mut object, "input", message.input.as_ref());
    maybe(&mut object, "reasoning", message.reasoning.as_ref());
    if !message.calls.is_empty() {
        each(object.key("calls"), &message.calls, call);
    }
    maybe(&mut object, "call_id", message.call_id.as_ref());
    maybe(&mut object, "name", message.name.as_ref());
    if let Some(weight) = &message.weight {
        object.raw("weight", weight);
    }
    extra(&mut object, "extra", &message.extra);
    if message.written != WrittenMessage::default() {
        written_message(object.key("written"), &message.written);
    }
    object.close();
}

fn call(out: &mut String, call: &Call<'_>) {
    let mut object = Object::open(out);
    maybe(&mut object, "id", call.id.as_ref());
    maybe(&mut object, "type", call.kind.as_ref());
    object.string("name", &call.name);
    if let Some(arguments) = &call.arguments {
        object.raw("arguments", arguments);
    }
    extra(&mut object, "extra", &call.extra);
    extra(&mut object, "function_extra", &call.function_extra);
    object.close();
}

fn plain<'p>(text: Option<&'p Cow<'_, str>>) -> Option<Str<'p>> {
    text.map(|text| Str::encode(&**text))
}

fn written_message(out: &mut String, written: &WrittenMessage<'_>) {
    let mut object = Object::open(out);
    maybe(&mut object, "role", written.role.as_ref());
    maybe(&mut object, "body", written.body.as_ref());
    maybe(&mut object, "reasoning", plain(written.reasoning.as_ref()).as_ref());
    maybe(&mut object, "weight", plain(written.weight.as_ref()).as_ref());
    for (key, flag) in
        [("apart", written.apart), ("legacy_call", written.legacy_call), ("rearranged", written.rearranged)]
    {
        if flag {
            object.raw(key, "true");
        }
    }
    object.close();
}

fn written(out: &mut String, written: &Written<'_>) {
    let mut object = Object::open(out);
    maybe(&mut object, "format", plain(written.format.as_ref()).as_ref());
    if !written.keys.is_empty() {
        each(object.key("keys"), &written.keys, |out, (usual, name)| {
            each(out, [usual, name], |out, name| string(out, &Str::encode(&**name)));
        });
    }
    maybe(&mut object, "body", written.body.as_ref());
    match written.tools {
        ToolsFrom::Field => {}
        ToolsFrom::Prompt => object.raw("tools", "\"prompt\""),
        ToolsFrom::OwnPrompt => object.raw("tools", "\"own_prompt\""),
    }
    object.close();
}
