//! What the page shows of a generation: why it did not keep what it made, and what it asked of its endpoints.

use std::cmp::Reverse;

use serde_json::Value;

use super::super::html::{Html, grouped};
use super::super::page::{Cell, section, table};
use super::{LONGEST, ROWS, cut, members, number, share, text};
use crate::exhibits::head;

/// Why a generation did not keep what it made.
pub(super) fn rejections(page: &mut Html, run: &Value) {
    let Some(rules) = members(run, "/rejections").filter(|rules| !rules.is_empty()) else { return };
    let mut rules: Vec<(&str, &str, u64)> = rules
        .iter()
        .map(|(rule, found)| (head(rule, LONGEST).0, text(found, "about"), number(found, "/rows")))
        .collect();
    rules.sort_by_key(|&(rule, _, rows)| (Reverse(rows), rule));
    let most = rules.first().map_or(0, |rule| rule.2);
    section(page, "Rejections by rule");
    let rows = rules.into_iter().map(|(rule, about, rows)| {
        vec![Cell::Text(rule), Cell::Text(about), Cell::Count(rows), Cell::Bar(share(rows, most))]
    });
    let caption = "Candidates that broke a rule; one that broke several counts for each of them";
    table(page, caption, &["rule", "what it asks", "candidates", ""], rows, ROWS);
    page.tag("</section>\n");
}

/// What a generation asked of its endpoints.
pub(super) fn usage(page: &mut Html, run: &Value) {
    let Some(figures) = members(run, "/usage").filter(|figures| !figures.is_empty()) else { return };
    section(page, "Requests and tokens");
    let shown: Vec<(&str, String)> =
        figures.iter().map(|(name, value)| (head(name, LONGEST).0, shown(value))).collect();
    let rows = shown.iter().map(|(name, value)| vec![Cell::Text(name), Cell::Number(value.clone())]);
    table(page, "What was asked of the endpoints, and what it cost", &["", ""], rows, ROWS);
    page.tag("</section>\n");
}

/// A value of JSON for a cell: counts with separators, texts as they are, anything else as it is written.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::Null => "unknown".to_owned(),
        other => cut(&other.to_string()),
    }
}
