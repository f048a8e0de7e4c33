//! What the page shows of a generation: why it did not keep what it made, and what it asked of its endpoints.

use std::cmp::Reverse;

use serde_json::Value;

use super::super::html::{Html, grouped};
use super::super::page::{Cell, section, table};
use super::{LONGEST, ROWS, cut, members, number, share, text};
use crate::exhibits::head;

const BROKE: &str = "Candidates that broke a rule; one that broke several counts for each of them";
const BROKE_FIRST: &str = "Candidates that were not kept, by the first rule that they broke";

/// Why a generation did not keep what it made: as it says in `rejections`, or else as the books have it.
pub(super) fn rejections(page: &mut Html, run: &Value) {
    let some = |pointer| members(run, pointer).filter(|rules| !rules.is_empty());
    let told = some("/rejections").map(|rules| (rules, "/rows", BROKE));
    let booked = || some("/accounting/removed").map(|rules| (rules, "/docs", BROKE_FIRST));
    let Some((rules, count, caption)) = told.or_else(booked) else { return };
    let mut rules: Vec<(&str, &str, u64)> = rules
        .iter()
        .map(|(rule, found)| (head(rule, LONGEST).0, text(found, "about"), number(found, count)))
        .collect();
    rules.sort_by_key(|&(rule, _, rows)| (Reverse(rows), rule));
    let most = rules.first().map_or(0, |rule| rule.2);
    section(page, "Rejections by rule");
    let rows = rules.into_iter().map(|(rule, about, rows)| {
        vec![Cell::Text(rule), Cell::Text(about), Cell::Count(rows), Cell::Bar(share(rows, most))]
    });
    table(page, caption, &["rule", "what it asks", "candidates", ""], rows, ROWS);
    page.tag("</section>\n");
}

/// What a generation asked of its endpoints, and what that took.
pub(super) fn requests(page: &mut Html, run: &Value) {
    figures(page, run, "/requests", "Requests", "What was asked of the endpoints, in this call");
    figures(page, run, "/spent", "Spent", "What the run has spent, over all its calls");
}

/// The figures of a member, those of an object inside it by both names.
fn figures(page: &mut Html, run: &Value, pointer: &str, heading: &'static str, caption: &'static str) {
    let Some(figures) = members(run, pointer).filter(|figures| !figures.is_empty()) else { return };
    let mut shown: Vec<(String, String)> = Vec::new();
    for (name, value) in figures {
        match value {
            Value::Object(inner) => {
                shown.extend(
                    inner.iter().map(|(kind, value)| (cut(&format!("{name}: {kind}")), figure(value))),
                );
            }
            value => shown.push((cut(name), figure(value))),
        }
    }
    section(page, heading);
    let rows = shown.iter().map(|(name, value)| vec![Cell::Text(name), Cell::Number(value.clone())]);
    table(page, caption, &["", ""], rows, ROWS);
    page.tag("</section>\n");
}

/// A value of JSON for a cell: counts with separators, texts as they are, anything else as it is written.
fn figure(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::Null => "unknown".to_owned(),
        other => cut(&other.to_string()),
    }
}
