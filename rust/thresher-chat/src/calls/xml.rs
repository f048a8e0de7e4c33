//! Calls and results as XML in the text of a message, as models trained on Hermes and `ChatML` write them.

use thresher_core::json::{Json, Str};

use super::{read_bare, write_bare};
use crate::conversation::{Call, Content, Message, Role};
use crate::error::{Reason, Result};
use crate::loss::RowLosses;
use crate::tools::may_hold;

const CALL: [&str; 2] = ["<tool_call>", "</tool_call>"];
const RESULT: [&str; 2] = ["<tool_response>", "</tool_response>"];

/// Takes calls or a result out of the text of a message. A message that holds none, or broken ones, stays as it is.
pub(crate) fn take(message: &mut Message<'_>) -> Result<()> {
    let Content::Text(body) = &message.content else { return Ok(()) };
    let tags = match message.role {
        Role::Assistant => CALL,
        Role::Tool => RESULT,
        _ => return Ok(()),
    };
    if !may_hold(body, tags[0]) {
        return Ok(());
    }
    let text = body.decode()?;
    if message.role == Role::Tool {
        if let Some(result) = result(&text) {
            let result = Str::encode(result.to_owned());
            message.written.body = Some(body.clone());
            message.content = Content::Text(result);
        }
    } else if let Some(found) = calls(&text) {
        let said = Str::encode(found.said);
        message.written.body = Some(body.clone());
        message.written.rearranged = found.rearranged;
        message.content = if said.is_empty() { Content::Absent } else { Content::Text(said) };
        message.calls = found.calls;
    }
    Ok(())
}

/// The calls in a text.
struct Found {
    /// What stands outside of them.
    said: String,
    /// Whether some of that stands after a call.
    rearranged: bool,
    calls: Vec<Call<'static>>,
}

/// The calls in a text; none if one of them does not end or is no JSON call. The line end before the first is layout,
/// and so is white space between them and after the last.
fn calls(text: &str) -> Option<Found> {
    let (before, _) = text.split_once(CALL[0])?;
    let said = before.strip_suffix('\n').unwrap_or(before).to_owned();
    let mut found = Found { said, rearranged: false, calls: Vec::new() };
    let mut rest = &text[before.len()..];
    while let Some((more, after)) = rest.split_once(CALL[0]) {
        found.add(more);
        let (call, after) = after.split_once(CALL[1])?;
        found.calls.push(Json::parse(call.trim()).ok().and_then(|value| read_bare(value).ok())?);
        rest = after;
    }
    found.add(rest);
    Some(found)
}

impl Found {
    /// Adds what stands after a call.
    fn add(&mut self, more: &str) {
        let more = more.trim();
        if !more.is_empty() {
            let gap = if self.said.is_empty() { "" } else { "\n" };
            self.said.extend([gap, more]);
            self.rearranged = true;
        }
    }
}

/// The result in a text that is one and nothing else. One line end at each side is layout.
fn result(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix(RESULT[0])?.strip_suffix(RESULT[1])?;
    if inside.contains(RESULT[1]) {
        return None;
    }
    let inside = inside.strip_prefix('\n').unwrap_or(inside);
    Some(inside.strip_suffix('\n').unwrap_or(inside))
}

/// Whether the XML in `body` still says what the message says.
pub(crate) fn unchanged(message: &Message<'_>, body: &Str<'_>) -> Result<bool> {
    let mut again = Message::text(message.role, body.clone());
    take(&mut again)?;
    Ok(again.content == message.content && again.calls == message.calls)
}

/// A message as text with its calls or its result in XML; `text` is what it says otherwise.
pub(crate) fn text(message: &Message<'_>, text: &Str<'_>, losses: &mut RowLosses) -> Result<Str<'static>> {
    match message.role {
        Role::Tool => result_text(text, losses),
        _ if message.calls.is_empty() => {
            if message.role == Role::Assistant && may_hold(text, CALL[0]) && calls(&text.decode()?).is_some()
            {
                losses.note("messages[].content", "its <tool_call> counts as a call there");
            }
            Ok(text.clone().into_owned())
        }
        _ => calls_text(message, text, losses),
    }
}

fn result_text(text: &Str<'_>, losses: &mut RowLosses) -> Result<Str<'static>> {
    if may_hold(text, RESULT[1]) {
        let plain = text.decode()?;
        if result(&plain).is_some() {
            losses.note("messages[].content", "its <tool_response> counts as layout there");
            return Ok(text.clone().into_owned());
        }
        if plain.contains(RESULT[1]) {
            let end = RESULT[1];
            return Err(Reason::NotExpressible
                .because(format!("a result contains `{end}`, which would end it in the format asked for")));
        }
    }
    Ok(Str::concat(&[
        &Str::from_escaped("<tool_response>\\n"),
        text,
        &Str::from_escaped("\\n</tool_response>"),
    ]))
}

fn calls_text(message: &Message<'_>, said: &Str<'_>, losses: &mut RowLosses) -> Result<Str<'static>> {
    if may_hold(said, CALL[0]) && said.decode()?.contains(CALL[0]) {
        return Err(Reason::NotExpressible.because(format!(
            "a message with calls says `{}`, which would begin one in the format asked for",
            CALL[0]
        )));
    }
    let mut text = said.escaped().to_owned();
    for call in &message.calls {
        let mut json = String::new();
        write_bare(&mut json, call, losses)?;
        // A string in it that holds the end of a call keeps its meaning and loses its `<`.
        if json.contains(CALL[1]) {
            json = json.replace(CALL[1], "\\u003c/tool_call>");
        }
        text.push_str(if text.is_empty() { "<tool_call>\\n" } else { "\\n<tool_call>\\n" });
        text.push_str(Str::encode(json).escaped());
        text.push_str("\\n</tool_call>");
    }
    Ok(Str::from_escaped(text))
}
