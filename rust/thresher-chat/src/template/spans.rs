//! What the model is to generate, where a template does not say so itself.
//!
//! A turn of the model is found in two ways, and each is checked against the text as it is.
//!
//! 1. *By prefixes.* The messages before the turn, with the prompt to go on, are what the model sees; the same with
//!    the turn is where it stops. If the text begins with both, the turn is what lies between.
//! 2. *In place.* Some templates write a turn otherwise once others follow (they leave out old thoughts). Then every
//!    text of the turn is replaced by a mark and the whole conversation rendered again. If the text begins with what
//!    stands before the first mark and ends with what stands behind the last one, the turn is what lies between; the
//!    prompt and the end marker are looked up beside it.
//!
//! A turn found in neither way is an error of the row: a mask that is nearly right teaches a model to speak for the
//! user. The turn begins behind the prompt to go on and ends behind its end marker; white space behind that is not
//! generated. Each turn costs two to six renderings of what comes before it, which a limit of their bytes bounds.

use crate::error::{Reason, Result, RowError};

use super::chat::Chat;
use super::lex::is_space;
use super::value::{Dict, Value};
use super::{RenderOptions, Template};

/// Bytes of all renderings of one row that look for its turns.
const MAX_BYTES: usize = 24 << 20;
/// Stands for a text of a turn. No template and no row has it; if one has, the turn is not found.
const MARK: &str = "\u{f0000}thresher\u{f0001}mark\u{f0002}";

/// The turns of the model in `full`, in bytes.
pub(super) fn find(
    template: &Template,
    chat: &Chat,
    options: &RenderOptions,
    full: &str,
) -> Result<Vec<(usize, usize)>> {
    let mut finder = Finder { template, chat, options, full, spent: 0 };
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for index in (0..chat.messages.len()).filter(|&index| chat.learnt[index]) {
        let (start, end) = finder.turn(index)?;
        if spans.last().is_some_and(|(_, last)| *last > start) {
            return Err(lost(index, "it overlaps the turn before"));
        }
        if end > start {
            spans.push((start, end));
        }
    }
    Ok(spans)
}

/// Leaves out the spans of `generation` tags that belong to messages which are not learnt.
pub(super) fn learnt(chat: &Chat, spans: &[(usize, usize)]) -> Result<Vec<(usize, usize)>> {
    let turns: Vec<usize> = (0..chat.messages.len()).filter(|&index| chat.is_assistant(index)).collect();
    if turns.iter().all(|&index| chat.learnt[index]) {
        return Ok(spans.to_vec());
    }
    if !turns.iter().any(|&index| chat.learnt[index]) {
        return Ok(Vec::new());
    }
    if turns.len() != spans.len() {
        return Err(Reason::NoSpans.because(format!(
            "some turns are not to be learnt, but the template has {} generated texts for {} turns, so it cannot be \
             told which they are",
            spans.len(),
            turns.len()
        )));
    }
    Ok(turns.into_iter().zip(spans).filter(|(index, _)| chat.learnt[*index]).map(|(_, span)| *span).collect())
}

fn lost(index: usize, why: &str) -> RowError {
    Reason::NoSpans.because(format!(
        "the text of messages[{index}] cannot be found for sure in what was rendered ({why}); a template with \
         `generation` tags says where it is"
    ))
}

struct Finder<'f> {
    template: &'f Template,
    chat: &'f Chat,
    options: &'f RenderOptions,
    full: &'f str,
    spent: usize,
}

impl Finder<'_> {
    /// Renders `messages`; none if the template refuses.
    fn render(&mut self, messages: Vec<Value>, prompt: bool) -> Result<Option<String>> {
        let rendered = self.template.run_messages(self.chat, messages, prompt, self.options);
        let text = match rendered {
            Ok(marked) => marked.text.to_string(),
            Err(error) if error.reason == Reason::TemplateLimit => return Err(error),
            Err(_) => return Ok(None),
        };
        self.spent += text.len() + 256;
        if self.spent > MAX_BYTES {
            let detail = "there are too many turns to look for in a row of this length";
            return Err(Reason::NoSpans.because(detail));
        }
        Ok(Some(text))
    }

    fn before(&self, index: usize) -> Vec<Value> {
        self.chat.messages[..index].to_vec()
    }

    fn turn(&mut self, index: usize) -> Result<(usize, usize)> {
        let seen = self.render(self.before(index), true)?;
        let plain = self.render(self.before(index), false)?;
        if let (Some(seen), Some(plain)) = (&seen, &plain)
            && let Some(found) = self.by_prefixes(index, seen, plain)?
        {
            return Ok(found);
        }
        for shape in [shaped(&self.chat.messages[index]), Some(spoken())].into_iter().flatten() {
            if let Some(found) = self.in_place(index, &shape, seen.as_deref(), plain.as_deref())? {
                return Ok(found);
            }
        }
        Err(lost(index, "the template writes it otherwise once other turns follow, or changes it"))
    }

    fn by_prefixes(&mut self, index: usize, seen: &str, plain: &str) -> Result<Option<(usize, usize)>> {
        let is_last = index + 1 == self.chat.messages.len() && !self.options.add_generation_prompt;
        let whole = if is_last {
            Some(self.full.to_owned())
        } else {
            self.render(self.chat.messages[..=index].to_vec(), false)?
        };
        let Some(whole) = whole else { return Ok(None) };
        if !whole.starts_with(seen) || !self.full.starts_with(seen) {
            return Ok(None);
        }
        let mut start = seen.len();
        if seen == plain {
            // There is no prompt to go on: what stands before a turn is its header, unless it is white space.
            let mut messages = self.before(index);
            messages.push(spoken());
            let Some(marked) = self.render(messages, false)? else { return Ok(None) };
            let Some((header, _)) = marked.strip_prefix(seen).and_then(|rest| rest.split_once(MARK)) else {
                return Ok(None);
            };
            if !header.trim_matches(is_space).is_empty() {
                if !whole[start..].starts_with(header) {
                    return Ok(None);
                }
                start += header.len();
            }
        }
        let end = whole.trim_end_matches(is_space).len().max(start);
        Ok(self.full.starts_with(&whole[..end]).then_some((start, end)))
    }

    fn in_place(
        &mut self,
        index: usize,
        shape: &Value,
        seen: Option<&str>,
        plain: Option<&str>,
    ) -> Result<Option<(usize, usize)>> {
        let mut messages = self.chat.messages.clone();
        messages[index] = shape.clone();
        let Some(marked) = self.render(messages, self.options.add_generation_prompt)? else { return Ok(None) };
        let Some((first, rest)) = marked.split_once(MARK) else { return Ok(None) };
        let last = rest.rsplit_once(MARK).map_or(rest, |(_, last)| last);
        let fits = self.full.starts_with(first)
            && self.full.ends_with(last)
            && first.len() + last.len() <= self.full.len();
        if !fits {
            return Ok(None);
        }
        let mut messages = self.before(index);
        messages.push(shape.clone());
        let Some(marked) = self.render(messages, false)? else { return Ok(None) };
        let tail = marked.rsplit_once(MARK).map_or("", |(_, tail)| tail).trim_end_matches(is_space);
        if !last.starts_with(tail) {
            return Ok(None);
        }
        let end = self.full.len() - last.len() + tail.len();
        // A template that refuses what stands before the turn still has a prompt to go on after the last one.
        let all = match (seen, plain) {
            (Some(seen), Some(plain)) => Some((seen.to_owned(), plain.to_owned())),
            _ => {
                let all = self.chat.messages.clone();
                self.render(all.clone(), true)?.zip(self.render(all, false)?)
            }
        };
        let prompt = all.as_ref().and_then(|(seen, plain)| seen.strip_prefix(&**plain));
        let start = match prompt {
            None => None,
            Some("") => Some(first.trim_end_matches(is_space).len()).filter(|_| plain.is_some_and(|plain| {
                // Without a prompt and without a header, the white space before is generated.
                first.strip_prefix(plain).is_some_and(|header| header.trim_matches(is_space).is_empty())
            })).or(Some(first.len())),
            Some(prompt) => first
                .rfind(prompt)
                .map(|at| at + prompt.len())
                .or_else(|| begun(first, prompt).then_some(first.len())),
        };
        Ok(start.map(|start| (start, end.max(start))))
    }
}

/// Whether a text ends with the beginning of the prompt to go on, as where the prompt opens thoughts and the turn has
/// none.
fn begun(text: &str, prompt: &str) -> bool {
    let cuts = prompt.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    cuts.rev().any(|at| text.ends_with(&prompt[..at]) && !prompt[..at].trim_matches(is_space).is_empty())
}

/// A turn that says a mark.
fn spoken() -> Value {
    let mut dict = Dict::default();
    dict.put("role", Value::text("assistant"));
    dict.put("content", Value::text(MARK));
    dict.into_value().unwrap_or(Value::None)
}

/// A turn of the same shape, with a mark for each of its texts.
fn shaped(message: &Value) -> Option<Value> {
    let Value::Dict(message) = message else { return None };
    let mut dict = Dict::default();
    for (key, value) in &message.entries {
        let key = key.as_text()?;
        let value = match (key, value) {
            ("content" | "reasoning_content" | "reasoning" | "thinking", value) => match value.as_text() {
                Some(text) if !text.trim_matches(is_space).is_empty() => Value::text(MARK),
                _ => value.clone(),
            },
            ("tool_calls", Value::List(calls)) => {
                let calls: Option<Vec<Value>> = calls.items.iter().map(shaped_call).collect();
                Value::list(calls?).ok()?
            }
            _ => value.clone(),
        };
        dict.put(key, value);
    }
    dict.into_value().ok()
}

fn shaped_call(call: &Value) -> Option<Value> {
    let Value::Dict(call) = call else { return None };
    let mut outer = Dict::clone(call);
    let Some(Value::Dict(function)) = call.get_text("function") else { return None };
    let mut inner = Dict::clone(function);
    inner.put("name", Value::text(MARK));
    let arguments = match function.get_text("arguments") {
        Some(Value::Dict(_)) => {
            let mut arguments = Dict::default();
            arguments.put(MARK, Value::text(MARK));
            Some(arguments.into_value().ok()?)
        }
        Some(text) if text.as_text().is_some() => Some(Value::text(format!("{{\"{MARK}\": \"{MARK}\"}}"))),
        _ => None,
    };
    if let Some(arguments) = arguments {
        inner.put("arguments", arguments);
    }
    outer.put("function", inner.into_value().ok()?);
    outer.into_value().ok()
}
