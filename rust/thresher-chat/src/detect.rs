//! Which format rows have, as far as their fields tell.
//!
//! A row speaks for each format whose fields it has and which can read it. Where one format is part of another, the
//! narrower one speaks alone:
//!
//! | narrower | wider | told apart by |
//! |---|---|---|
//! | `hermes` | `sharegpt` | calls, results or tools in XML |
//! | `chatml` | `text` | the first mark of a turn |
//! | any | `text`, a prompt or a preference alone | fields of its own beside them |
//! | `conversation` | `openai` | its version field |
//!
//! TRL's rows of `messages` alone are rows of `openai`.

use thresher_core::json::Json;

use crate::conversation::{Conversation, ToolsFrom};
use crate::format::{Format, Likeness, NAMES};

/// How alike the confidence of two formats has to be for neither to win.
const MARGIN: f64 = 0.1;
/// The share of rows that a format has to fit.
const ENOUGH: f64 = 0.5;
/// The share of `sharegpt` rows that have to hold XML for all of them to be `hermes`.
const SOME_XML: f64 = 0.01;

/// How well a format fits rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The format.
    pub format: &'static str,
    /// The share of the rows that are of it and can be read.
    pub confidence: f64,
    /// Whether some row has all that makes the format; else the rows are too empty to tell.
    pub sure: bool,
}

/// Why rows are of no format that can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; give the format of the rows with `from`, one of {names}", names = NAMES.join(", "))]
pub struct Ambiguous(String);

/// Rows that speak for a format.
#[derive(Clone, Copy, Default)]
struct Votes {
    all: u64,
    sure: u64,
}

/// Formats that fit some of `rows`, the best first; ties in the order of [`NAMES`]. Rows that fit none count too.
#[must_use]
pub fn detect<'a>(rows: impl IntoIterator<Item = Json<'a>>) -> Vec<Fit> {
    let formats: Vec<(&'static str, Format)> =
        NAMES.iter().filter_map(|name| Some((*name, Format::named(name)?))).collect();
    let mut votes = vec![Votes::default(); formats.len()];
    let (mut total, mut with_xml) = (0u64, 0u64);
    for row in rows {
        total += 1;
        let mut likeness: Vec<Likeness> = Vec::with_capacity(formats.len());
        for (name, format) in &formats {
            let alike = format.likeness(row);
            let read = if alike == Likeness::None { None } else { format.read(row).ok() };
            let is_xml = *name == "hermes" && read.as_ref().is_some_and(holds_xml);
            with_xml += u64::from(is_xml);
            likeness.push(if read.is_some() { alike } else { Likeness::None });
        }
        narrow(&formats, &mut likeness);
        for (votes, alike) in votes.iter_mut().zip(likeness) {
            votes.all += u64::from(alike > Likeness::None);
            votes.sure += u64::from(alike > Likeness::Weak);
        }
    }
    let mut found: Vec<Fit> = votes
        .iter()
        .zip(&formats)
        .filter(|(votes, _)| votes.all > 0)
        .map(|(votes, (format, _))| Fit {
            format,
            confidence: votes.all as f64 / total as f64,
            sure: votes.sure > 0,
        })
        .collect();
    // Whatever `sharegpt` reads, `hermes` reads: XML in some rows speaks for all.
    let of_turns = found.iter().find(|fit| fit.format == "sharegpt").map_or(0.0, |fit| fit.confidence);
    let is_hermes = with_xml > 0 && with_xml as f64 >= SOME_XML * of_turns * total as f64;
    found.retain(|fit| fit.format != if is_hermes { "sharegpt" } else { "hermes" });
    found.sort_by(|a, b| {
        (b.sure, b.confidence).partial_cmp(&(a.sure, a.confidence)).unwrap_or(std::cmp::Ordering::Equal)
    });
    found
}

/// Takes from a row's wider formats what it says for narrower ones.
fn narrow(formats: &[(&'static str, Format)], likeness: &mut [Likeness]) {
    let best = likeness.iter().copied().max().unwrap_or_default();
    let own =
        formats.iter().zip(&*likeness).any(|((name, _), alike)| *name == "conversation" && *alike == best);
    for ((name, _), alike) in formats.iter().zip(likeness) {
        if *alike < best || *name == "openai" && own {
            *alike = Likeness::None;
        }
    }
}

/// Whether calls, results or tools were read from XML.
fn holds_xml(conversation: &Conversation<'_>) -> bool {
    let is_turn = |role: &Option<_>| role.is_none();
    conversation.written.tools != ToolsFrom::Field
        || conversation
            .all_messages()
            .any(|message| message.written.body.is_some() && is_turn(&message.written.role))
}

/// The format of the rows that `fits` was found from.
///
/// # Errors
/// If there was no row, if none fits at least half of them, or if two fit about equally well.
pub fn choose(fits: &[Fit], rows_seen: u64) -> std::result::Result<&'static str, Ambiguous> {
    let percent = |fit: &Fit| format!("`{}` ({:.0} % of the rows)", fit.format, fit.confidence * 100.0);
    let all = |fits: &[Fit]| fits.iter().map(percent).collect::<Vec<_>>().join(", ");
    let Some(best) = fits.first() else {
        return Err(Ambiguous(match rows_seen {
            0 => "there is no row to tell a format from".into(),
            _ => format!("none of the {rows_seen} rows looked at is of a format that is known"),
        }));
    };
    if !best.sure {
        return Err(Ambiguous(format!(
            "the rows are too empty to tell their format; they may be {}",
            all(fits)
        )));
    }
    if best.confidence < ENOUGH {
        let rest = format!("the best of the {rows_seen} rows looked at");
        return Err(Ambiguous(format!("no format fits half of the rows; {rest} are {}", all(fits))));
    }
    let close = |fit: &&Fit| fit.sure && fit.confidence >= best.confidence - MARGIN;
    let rivals = fits.iter().take_while(close).count();
    if rivals > 1 {
        return Err(Ambiguous(format!("the rows fit several formats: {}", all(&fits[..rivals]))));
    }
    Ok(best.format)
}
