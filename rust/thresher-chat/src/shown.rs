//! Values and messages of strangers within sentences: on one line, and not long.

use std::fmt::Write as _;

use thresher_core::json::Str;

/// The most characters of a value that a sentence shows.
const SHOWN: usize = 60;

/// A value for a sentence: in backticks, on one line, and not long.
pub(crate) fn shown(value: &str) -> String {
    let mut out = String::from("`");
    for (count, c) in value.chars().enumerate() {
        if count == SHOWN {
            let _ = write!(out, "…` (of {} bytes)", value.len());
            return out;
        }
        match c {
            '`' => out.push('\''),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('`');
    out
}

/// The same of a string as it is written.
pub(crate) fn shown_str(value: &Str<'_>) -> String {
    value.decode().map_or_else(|_| shown(value.escaped()), |plain| shown(&plain))
}

/// A message of somebody else, on one line and not long.
pub(crate) fn one_line(message: &str) -> String {
    const MOST: usize = 200;
    let mut line: String = message.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if message.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}
