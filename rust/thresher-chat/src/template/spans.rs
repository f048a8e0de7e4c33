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
//! generated.
//!
//! Each turn costs two to six renderings of what comes before it. Of more than a few turns, all are marked at once and
//! looked for between the texts around them, which must fit in one way only; if that fails, one by one, as far as a
//! limit of steps goes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::{Reason, Result, RowError};

use super::chat::Chat;
use super::lex::is_space;
use super::value::{Dict, Marked, Value};
use super::{RenderOptions, Template};

/// Steps of all renderings that look for the turns of one row, beside one for each byte of it.
const MAX_STEPS: u64 = 800_000;
/// Turns beyond which none is looked for: no conversation has so many, and finding out that they cannot be told apart
/// would take a tenth of a second.
const MAX_TURNS: usize = 4_000;
/// Turns up to which each is looked for by itself.
const FEW: usize = 6;
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
    let turns: Vec<usize> = (0..chat.messages.len()).filter(|&index| chat.learnt[index]).collect();
    if turns.len() > MAX_TURNS {
        return Err(Reason::NoSpans.because(format!(
            "the model has {} turns, and at most {MAX_TURNS} are looked for; a template with `generation` tags says \
             where they are",
            turns.len()
        )));
    }
    if turns.len() > FEW
        && let Some(spans) = finder.all_in_place(&turns)?
    {
        return Ok(spans);
    }
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for index in turns {
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
pub(super) fn learnt(chat: &Chat, marked: &Marked) -> Result<Vec<(usize, usize)>> {
    let spans = &marked.spans[..];
    if marked.is_lost {
        return Err(Reason::NoSpans.because(
            "a text from a `generation` tag was changed before it was printed, so it cannot be found again",
        ));
    }
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
    spent: u64,
}

impl Finder<'_> {
    /// Renders `messages`; none if the template refuses.
    fn render(&mut self, messages: Vec<Value>, prompt: bool) -> Result<Option<String>> {
        let most = MAX_STEPS + self.chat.bytes as u64;
        // Handing over the messages costs something too.
        self.spent += messages.len() as u64;
        let rendered = self.template.run_messages(self.chat, messages, prompt, self.options);
        let text = match rendered {
            Ok((marked, steps)) => {
                self.spent += steps;
                marked.text.to_string()
            }
            Err(error) if error.reason == Reason::TemplateLimit => return Err(error),
            Err(_) => return Ok(None),
        };
        if self.spent > most {
            return Err(Reason::NoSpans.because("there are too many turns to look for each by itself"));
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
        for shape in [shaped(&self.chat.messages[index], MARK), Some(spoken(MARK))].into_iter().flatten() {
            if let Some(found) = self.in_place(index, &shape, seen.as_deref(), plain.as_deref())? {
                return Ok(found);
            }
        }
        Err(lost(index, "the template writes it otherwise once other turns follow, or changes it"))
    }

    /// All turns at once; none if that is not possible without a doubt.
    fn all_in_place(&mut self, turns: &[usize]) -> Result<Option<Vec<(usize, usize)>>> {
        let mut messages = self.chat.messages.clone();
        for &turn in turns {
            let mark = format!("{MARK}{turn};");
            let says_something = kind(&messages[turn]) != [false; 3];
            let shape = if says_something { shaped(&messages[turn], &mark) } else { None };
            messages[turn] = shape.unwrap_or_else(|| spoken(&mark));
        }
        let shapes = messages.clone();
        let Some(marked) = self.render(messages, self.options.add_generation_prompt)? else {
            return Ok(None);
        };
        let Some(places) = places(&marked, turns) else { return Ok(None) };
        let mut around = Vec::with_capacity(turns.len() + 1);
        let mut from = 0;
        for (first, last) in &places {
            around.push(&marked[from..*first]);
            from = *last;
        }
        around.push(&marked[from..]);
        let (Some(first), Some(last)) = (around.first(), around.last()) else { return Ok(None) };
        let inside = self.full.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
        let way = inside.and_then(|inside| only_way(inside, &around[1..turns.len()]));
        let (Some(inside), Some(way)) = (inside, way) else { return Ok(None) };
        let prompt =
            self.render(self.before(turns[0]), true)?.zip(self.render(self.before(turns[0]), false)?);
        let prompt = prompt.as_ref().and_then(|(seen, plain)| seen.strip_prefix(&**plain));
        let Some(prompt) = prompt.filter(|prompt| !prompt.is_empty()) else { return Ok(None) };
        let mut tails: HashMap<[bool; 3], String> = HashMap::new();
        let mut spans = Vec::with_capacity(turns.len());
        for (number, &turn) in turns.iter().enumerate() {
            let kind = kind(&self.chat.messages[turn]);
            let tail: &str = match tails.entry(kind) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let Some(alone) = self.render(shapes[..=turn].to_vec(), false)? else { return Ok(None) };
                    let tail = alone.rsplit_once(&format!("{MARK}{turn};")).map_or("", |(_, tail)| tail);
                    place.insert(tail.trim_end_matches(is_space).to_owned())
                }
            };
            let (before, behind) = (around[number], around[number + 1]);
            let body_start = match number.checked_sub(1) {
                Some(last) => first.len() + way[last] + before.len(),
                None => first.len(),
            };
            let body_end = first.len() + way.get(number).copied().unwrap_or(inside.len());
            let prompt_end = before.rfind(prompt).map(|at| at + prompt.len());
            let prompt_end = prompt_end.or_else(|| begun(before, prompt).then_some(before.len()));
            let Some(prompt_end) = prompt_end.filter(|_| behind.starts_with(tail)) else { return Ok(None) };
            spans.push((body_start - before.len() + prompt_end, body_end + tail.len()));
        }
        Ok(Some(spans))
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
            messages.push(spoken(MARK));
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
        let Some(marked) = self.render(messages, self.options.add_generation_prompt)? else {
            return Ok(None);
        };
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
        let all = if let (Some(seen), Some(plain)) = (seen, plain) {
            Some((seen.to_owned(), plain.to_owned()))
        } else {
            let all = self.chat.messages.clone();
            self.render(all.clone(), true)?.zip(self.render(all, false)?)
        };
        let prompt = all.as_ref().and_then(|(seen, plain)| seen.strip_prefix(&**plain));
        let start = match prompt {
            None => None,
            Some("") => Some(first.trim_end_matches(is_space).len())
                .filter(|_| {
                    plain.is_some_and(|plain| {
                        // Without a prompt and without a header, the white space before is generated.
                        first
                            .strip_prefix(plain)
                            .is_some_and(|header| header.trim_matches(is_space).is_empty())
                    })
                })
                .or(Some(first.len())),
            Some(prompt) => first
                .rfind(prompt)
                .map(|at| at + prompt.len())
                .or_else(|| begun(first, prompt).then_some(first.len())),
        };
        Ok(start.map(|start| (start, end.max(start))))
    }
}

/// Whether a message has content, thoughts and calls.
fn kind(message: &Value) -> [bool; 3] {
    let Value::Dict(message) = message else { return [false; 3] };
    ["content", "reasoning_content", "tool_calls"]
        .map(|key| message.get_text(key).is_some_and(Value::is_true))
}

/// First and one past the last byte that marks each turn has; none if they are not there in order.
fn places(text: &str, turns: &[usize]) -> Option<Vec<(usize, usize)>> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut last = None;
    for (at, _) in text.match_indices(MARK) {
        let number = &text[at + MARK.len()..];
        let len = number.find(';')?;
        let turn: usize = number[..len].parse().ok()?;
        let end = at + MARK.len() + len + 1;
        match places.last_mut() {
            Some(place) if last == Some(turn) => place.1 = end,
            _ => places.push((at, end)),
        }
        if turns.get(places.len() - 1) != Some(&turn) {
            return None;
        }
        last = Some(turn);
    }
    (places.len() == turns.len()).then_some(places)
}

/// Where each of `between` stands in `text`, in order; none if there is more than one way.
fn only_way(text: &str, between: &[&str]) -> Option<Vec<usize>> {
    let (mut from, mut until) = (0, text.len());
    let mut first = Vec::with_capacity(between.len());
    for part in between {
        let at = from + text[from..].find(part).filter(|_| !part.is_empty())?;
        first.push(at);
        from = at + part.len();
    }
    for (part, at) in between.iter().zip(&first).rev() {
        until = text[..until].rfind(part).filter(|last| last == at)?;
    }
    Some(first)
}

/// Whether a text ends with the beginning of the prompt to go on, as where the prompt opens thoughts and the turn has
/// none.
fn begun(text: &str, prompt: &str) -> bool {
    let cuts = prompt.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    cuts.rev().any(|at| text.ends_with(&prompt[..at]) && !prompt[..at].trim_matches(is_space).is_empty())
}

/// A turn that says a mark.
fn spoken(mark: &str) -> Value {
    let mut dict = Dict::default();
    dict.put("role", Value::text("assistant"));
    dict.put("content", Value::text(mark));
    dict.into_value().unwrap_or(Value::None)
}

/// A turn of the same shape, with a mark for each of its texts.
fn shaped(message: &Value, mark: &str) -> Option<Value> {
    let Value::Dict(message) = message else { return None };
    let mut dict = Dict::default();
    for (key, value) in &message.entries {
        let key = key.as_text()?;
        let value = match (key, value) {
            ("content" | "reasoning_content" | "reasoning" | "thinking", value) => match value.as_text() {
                Some(text) if !text.trim_matches(is_space).is_empty() => Value::text(mark),
                _ => value.clone(),
            },
            ("tool_calls", Value::List(calls)) => {
                let calls: Option<Vec<Value>> =
                    calls.items.iter().map(|call| shaped_call(call, mark)).collect();
                Value::list(calls?).ok()?
            }
            _ => value.clone(),
        };
        dict.put(key, value);
    }
    dict.into_value().ok()
}

fn shaped_call(call: &Value, mark: &str) -> Option<Value> {
    let Value::Dict(call) = call else { return None };
    let mut outer = Dict::clone(call);
    let Some(Value::Dict(function)) = call.get_text("function") else { return None };
    let mut inner = Dict::clone(function);
    inner.put("name", Value::text(mark));
    let arguments = match function.get_text("arguments") {
        Some(Value::Dict(_)) => {
            let mut arguments = Dict::default();
            arguments.put(mark, Value::text(mark));
            Some(arguments.into_value().ok()?)
        }
        Some(text) if text.as_text().is_some() => Some(Value::text(format!("{{\"{mark}\": \"{mark}\"}}"))),
        _ => None,
    };
    if let Some(arguments) = arguments {
        inner.put("arguments", arguments);
    }
    outer.put("function", inner.into_value().ok()?);
    outer.into_value().ok()
}
