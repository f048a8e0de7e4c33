//! What the page shows of a mix: what was asked for against what came out, by phase, and how often each source was taken.

use serde_json::Value;

use super::super::html::Html;
use super::super::page::{Cell, section, table};
use super::{ROWS, cut, items, number, text};

const SHARES: &str = "Shares of the phase: what the weights ask for, what caps, floors and ceilings leave of that, and what came out";
const BOUNDS: &str = "Shares of the phase, by values that have a floor or a ceiling";
const SOURCES: &str = "What there was of each source, and how often it was taken";

/// The table of a mix.
pub(super) fn mix(page: &mut Html, run: &Value) {
    let Some(mix) = run.get("mix").filter(|mix| mix.is_object()) else { return };
    section(page, "Mix");
    page.tag("<p>Sizes are in ").text(&cut(text(mix, "unit"))).tag(".</p>\n");
    for phase in items(mix, "phases").iter().take(ROWS) {
        page.tag("<h3>").text(&cut(text(phase, "phase"))).tag("</h3>\n");
        let bound = |line: &Value| {
            let names: Vec<&str> = items(line, "bound_by").iter().filter_map(Value::as_str).collect();
            names.join(", ")
        };
        let lines: Vec<_> = items(phase, "sources").iter().map(|line| (line, bound(line))).collect();
        let rows = lines.iter().map(|(line, bound)| {
            vec![
                Cell::Text(text(line, "source")),
                share(line, "asked"),
                share(line, "planned"),
                share(line, "achieved"),
                Cell::Count(number(line, "/size")),
                Cell::Count(number(line, "/documents")),
                Cell::Text(bound),
            ]
        });
        let head = ["source", "asked", "planned", "achieved", "size", "documents", "bound by"];
        table(page, SHARES, &head, rows, ROWS);
        let name = |line: &Value| format!("{}: {}", text(line, "field"), text(line, "value"));
        let lines: Vec<_> = items(phase, "values").iter().map(|line| (line, name(line))).collect();
        let rows = lines.iter().map(|(line, name)| {
            vec![
                Cell::Text(name),
                share(line, "floor"),
                share(line, "ceiling"),
                share(line, "achieved"),
                Cell::Count(number(line, "/size")),
            ]
        });
        if !lines.is_empty() {
            table(page, BOUNDS, &["value", "floor", "ceiling", "achieved", "size"], rows, ROWS);
        }
    }
    let rows = items(mix, "sources").iter().map(|line| {
        vec![
            Cell::Text(text(line, "source")),
            Cell::Count(number(line, "/size")),
            Cell::Count(number(line, "/taken")),
            Cell::Number(format!("{:.3}", float(line, "epochs"))),
            Cell::Number(float(line, "max_epochs").to_string()),
        ]
    });
    table(page, SOURCES, &["source", "size", "taken", "epochs", "at most"], rows, ROWS);
    page.tag("</section>\n");
}

fn float(line: &Value, member: &str) -> f64 {
    line.get(member).and_then(Value::as_f64).unwrap_or_default()
}

fn share<'c>(line: &Value, member: &str) -> Cell<'c> {
    Cell::Number(format!("{:.3} %", 100.0 * float(line, member)))
}
