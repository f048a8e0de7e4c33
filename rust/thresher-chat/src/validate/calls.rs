//! Calls and their results: each call has one result, each result one call.
//!
//! They go together by id. Where neither has one, a result answers the first open call of its name, or the first open one
//! if it has no name.

use std::borrow::Cow;
use std::collections::HashMap;

use thresher_core::json::Str;

use super::codes::Code;
use super::row::{Found, Line, Row, Turn, text};
use crate::conversation::{Call, Role};
use crate::format::{CallStyle, Format};
use crate::shown::{shown, shown_str};

/// A call, and what became of it.
struct Made<'r> {
    turn: Turn<'r>,
    index: usize,
    call: &'r Call<'r>,
    results: usize,
}

/// Calls with one id, as places in `made`. There should be one.
#[derive(Default)]
struct Same {
    places: Vec<usize>,
    answered: usize,
}

/// Calls among which one of a name is looked for, so that rows of very many calls take linear time.
const LOOKED_AT: usize = 256;

/// Calls and results of each conversation in the row.
pub(super) fn matched(row: Row<'_>, found: &mut Found<'_>) {
    if row.conversation.all_messages().all(|message| message.calls.is_empty() && message.role != Role::Tool) {
        return;
    }
    for line in row.lines() {
        let mut matching = Matching {
            row,
            made: Vec::new(),
            by_id: HashMap::new(),
            has_ids: has_ids(line),
            open: 0,
            speaker: 0,
        };
        matching.collect(line, found);
        matching.answer(line, found);
    }
}

/// Whether any call or result has an id.
fn has_ids(line: Line<'_>) -> bool {
    line.turns().any(|Turn { message, .. }| {
        message.call_id.is_some() || message.calls.iter().any(|call| call.id.is_some())
    })
}

struct Matching<'r> {
    row: Row<'r>,
    made: Vec<Made<'r>>,
    by_id: HashMap<Cow<'r, str>, Same>,
    has_ids: bool,
    /// The first call that may still be answered in order.
    open: usize,
    /// The last turn that is no result.
    speaker: usize,
}

fn plain<'s>(id: &'s Str<'_>) -> Cow<'s, str> {
    id.decode().unwrap_or(Cow::Borrowed(id.escaped()))
}

impl<'r> Matching<'r> {
    /// Takes down all calls.
    fn collect(&mut self, line: Line<'r>, found: &mut Found<'_>) {
        for turn in line.turns() {
            for (index, call) in turn.message.calls.iter().enumerate() {
                if let Some(id) = &call.id {
                    let known = self.by_id.entry(plain(id)).or_default();
                    if let Some(&first) = known.places.first() {
                        let message = format!(
                            "the id {} is that of the call in `{}` already; give each call its own",
                            shown_str(id),
                            self.row.path(self.made[first].turn)
                        );
                        let path = self.row.call_path(turn, index, ".id");
                        found.note(Code::DuplicateCallId, turn.order(), path, message);
                    }
                    known.places.push(self.made.len());
                } else if self.has_ids {
                    let message = "the call has no `id`, though others in the row have one; give it one, and its result the \
                                   same as `tool_call_id`";
                    let path = self.row.call_path(turn, index, "");
                    found.note(Code::MissingId, turn.order(), path, message);
                }
                self.made.push(Made { turn, index, call, results: 0 });
            }
        }
    }

    /// Gives each result to its call, and tells which are left over.
    fn answer(&mut self, line: Line<'r>, found: &mut Found<'_>) {
        let last = line.turns().next_back().map_or(0, |turn| turn.at);
        let mut turns = line.turns().peekable();
        let mut results_before = 0;
        while let Some(turn) = turns.next() {
            if turn.message.role != Role::Tool {
                self.speaker = turn.at;
                results_before = 0;
                continue;
            }
            let alone =
                results_before == 0 && turns.peek().is_none_or(|next| next.message.role != Role::Tool);
            results_before += 1;
            match &turn.message.call_id {
                Some(id) => self.by_id(turn, id, found),
                None => self.in_order(turn, alone, found),
            }
        }
        for made in &self.made {
            // What is called last of all is there to be learnt; its result is not.
            if made.results == 0 && made.turn.at != last {
                let id = made
                    .call
                    .id
                    .as_ref()
                    .map_or_else(String::new, |id| format!(" with the id {}", shown_str(id)));
                let message = format!(
                    "the call of {}{id} has no result; add the result, or leave the call out",
                    shown_str(&made.call.name)
                );
                let path = self.row.call_path(made.turn, made.index, "");
                found.note(Code::UnansweredCall, made.turn.order(), path, message);
            }
        }
    }

    fn by_id(&mut self, turn: Turn<'r>, id: &'r Str<'r>, found: &mut Found<'_>) {
        let row = self.row;
        let path = || format!("{}.tool_call_id", row.path(turn));
        let Some(same) = self.by_id.get_mut(&plain(id)) else {
            let message = format!(
                "the result is for the id {}, but no call has it; correct the id, or leave the result out",
                shown_str(id)
            );
            return found.note(Code::OrphanResult, turn.order(), path(), message);
        };
        let Some(&place) = same.places.get(same.answered) else {
            let message = format!("the call with the id {} has a result already; keep one", shown_str(id));
            return found.note(Code::DuplicateResult, turn.order(), path(), message);
        };
        same.answered += 1;
        if self.made[place].turn.at > turn.at {
            let message =
                format!("the result for the id {} stands before its call; move it behind", shown_str(id));
            found.note(Code::ResultBeforeCall, turn.order(), path(), message);
        }
        self.give(place, turn, found);
    }

    fn in_order(&mut self, turn: Turn<'r>, alone: bool, found: &mut Found<'_>) {
        if self.has_ids {
            let message = "the result has no `tool_call_id`, though others in the row have ids; give it that of its call";
            found.note(Code::MissingId, turn.order(), self.row.path(turn), message);
        }
        let results = self.results_in(turn, alone);
        for _ in 0..results {
            while self.made.get(self.open).is_some_and(|made| made.results > 0) {
                self.open += 1;
            }
            let begin = self.exchange_of(turn).max(self.open);
            let candidates = (begin..self.made.len())
                .take(LOOKED_AT)
                .take_while(|&place| self.made[place].turn.at < turn.at)
                .filter(|&place| self.made[place].results == 0);
            let name = turn.message.name.as_ref();
            let named =
                name.and_then(|name| candidates.clone().find(|&place| self.made[place].call.name == *name));
            let Some(place) = named.or_else(|| candidates.clone().next()) else {
                let message = "the result answers no call; put the call before it, or leave the result out";
                return found.note(Code::OrphanResult, turn.order(), self.row.path(turn), message);
            };
            self.give(place, turn, found);
        }
    }

    /// The first call of the last turn with calls before `turn`.
    fn exchange_of(&self, turn: Turn<'_>) -> usize {
        let before = self.made.partition_point(|made| made.turn.at < turn.at);
        let Some(last) = before.checked_sub(1) else { return 0 };
        self.made.partition_point(|made| made.turn.at < self.made[last].turn.at)
    }

    /// The calls that one turn answers. Formats that put all calls of a turn into its text do so with results too: one
    /// turn alone answers all.
    fn results_in(&self, turn: Turn<'_>, alone: bool) -> usize {
        if let Format::Turns(turns) = self.row.format
            && turns.calls == CallStyle::Turn
            && alone
        {
            let first = self.exchange_of(turn);
            let open = self.made[first..].iter().take_while(|made| made.turn.at < turn.at);
            return open.filter(|made| made.results == 0).count().max(1);
        }
        text(turn.message).map_or(1, |text| text.matches("<tool_response>").count().max(1))
    }

    fn give(&mut self, place: usize, turn: Turn<'r>, found: &mut Found<'_>) {
        let made = &mut self.made[place];
        made.results += 1;
        if made.turn.at < self.speaker {
            let message = format!(
                "another turn stands between this result and the call of {}; move the result behind its call",
                shown_str(&made.call.name)
            );
            found.note(Code::LateResult, turn.order(), self.row.path(turn), message);
        }
        if let Some(name) = turn.message.name.as_ref().filter(|name| plain(name) != plain(&made.call.name)) {
            let message = format!(
                "the result names {}, but its call is of {}; correct the name, or leave it out",
                shown_str(name),
                shown_str(&made.call.name)
            );
            let path = format!("{}.name", self.row.path(turn));
            found.note(Code::ResultNameMismatch, turn.order(), path, message);
        }
    }
}

/// Calls in themselves: their function, and how many there are in a turn.
pub(super) fn functions(row: Row<'_>, found: &mut Found<'_>) {
    let one_each =
        row.conversation.extra.iter().any(|(key, value)| key.is("parallel_tool_calls") && value == "false");
    let mut untold = true;
    for turn in row.turns().filter(|turn| !turn.message.calls.is_empty()) {
        let calls = turn.message.calls.len();
        if calls > 1 && (one_each || !found.settings.target.parallel_calls) {
            let who = if one_each {
                "the row says `parallel_tool_calls` is `false`".to_owned()
            } else {
                format!("the target `{}` takes one a turn", found.settings.target.name)
            };
            let message = format!("the turn makes {calls} calls, but {who}; make them one after the other");
            found.note(Code::ParallelCalls, turn.order(), row.path(turn), message);
        }
        for (index, call) in turn.message.calls.iter().enumerate() {
            let name = plain(&call.name);
            if name.trim().is_empty() {
                let message = "the call names no function; give it the name of one of the tools";
                let path = row.call_path(turn, index, ".function.name");
                found.note(Code::CallWithoutName, turn.order(), path, message);
                continue;
            }
            match row.tools {
                Some(tools) if tools.get(&name).is_none() => {
                    let message = format!(
                        "the function {} is not among the tools, which are {}; correct the name, or add the tool",
                        shown(&name),
                        tools.names()
                    );
                    let path = row.call_path(turn, index, ".function.name");
                    found.note(Code::UnknownFunction, turn.order(), path, message);
                }
                None if std::mem::take(&mut untold) => {
                    let message = "the row calls functions, but it has no `tools` that say what there is to call; add them";
                    let path = row.call_path(turn, index, "");
                    found.note(Code::CallsWithoutTools, turn.order(), path, message);
                }
                _ => {}
            }
        }
    }
}
