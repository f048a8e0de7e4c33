//! What the page shows of a filter: what each rule did, which rules go together, and how their signals are spread around the thresholds.

use serde_json::Value;

use super::super::html::{Html, grouped};
use super::super::page::{Cell, section, table};
use super::{LONGEST, ROWS, head, items, number, share, text};

const RULES: &str = "Records by the rules that they fail: all that fail a rule, those of which it is the first, and those that fail no other";
const TOGETHER: &str = "Records that fail two rules, the most frequent pairs first";
const SPREAD: &str =
    "Records by the value of the signal: each line counts those from its value up to the next";
/// Pairs of rules that are shown.
const PAIRS: usize = 40;
/// The height of a chart, and the width of a step, in its own units.
const HEIGHT: f64 = 40.0;

/// The sections of a run that has filtered, or of each step of a pipeline that has.
pub(super) fn rules(page: &mut Html, run: &Value) {
    of_step(page, run, "");
    for step in items(run, "steps") {
        of_step(page, step, text(step, "step"));
    }
}

fn of_step(page: &mut Html, report: &Value, step: &str) {
    let rules = items(report, "rules");
    if rules.is_empty() || report.get("spreads").is_none() {
        return;
    }
    section(page, "Rules");
    if !step.is_empty() {
        page.tag("<p>Step ").text(step).tag("</p>\n");
    }
    let docs = number(report, "/accounting/in/docs");
    let allowed: Vec<String> = rules.iter().map(allowed).collect();
    let rows = rules.iter().zip(&allowed).map(|(rule, allowed)| {
        vec![
            Cell::Text(text(rule, "rule")),
            Cell::Text(allowed),
            Cell::Count(number(rule, "/failing")),
            Cell::Bar(share(number(rule, "/failing"), docs)),
            Cell::Count(number(rule, "/first")),
            Cell::Count(number(rule, "/alone")),
        ]
    });
    table(page, RULES, &["rule", "allowed", "failing", "", "first", "alone"], rows, ROWS);
    together(page, report);
    for spread in items(report, "spreads").iter().take(ROWS) {
        let signal = text(spread, "signal");
        let here: Vec<&Value> = rules.iter().filter(|rule| text(rule, "signal") == signal).collect();
        chart(page, spread, &here);
    }
    page.tag("</section>\n");
}

/// What a rule allows, as `>= 0.12`.
fn allowed(rule: &Value) -> String {
    let sign = if text(rule, "bound") == "at_least" { ">=" } else { "<=" };
    format!("{sign} {}", float(rule, "threshold"))
}

fn float(value: &Value, member: &str) -> f64 {
    value.get(member).and_then(Value::as_f64).unwrap_or_default()
}

fn together(page: &mut Html, report: &Value) {
    let name = |pair: &'_ Value, place: usize| {
        let name = items(pair, "rules").get(place).and_then(Value::as_str).unwrap_or_default();
        head(name, LONGEST).0.to_owned()
    };
    let of_pair = |pair: &Value| (name(pair, 0), name(pair, 1), number(pair, "/records"));
    let mut pairs: Vec<(String, String, u64)> = items(report, "together").iter().map(of_pair).collect();
    pairs.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.cmp(other)));
    if pairs.is_empty() {
        return;
    }
    let most = pairs.first().map_or(0, |pair| pair.2);
    let rows = pairs.iter().map(|(one, other, records)| {
        vec![Cell::Text(one), Cell::Text(other), Cell::Count(*records), Cell::Bar(share(*records, most))]
    });
    table(page, TOGETHER, &["rule", "and", "records", ""], rows, PAIRS);
}

/// A signal: its values as a chart in which the thresholds are lines, and as a table.
fn chart(page: &mut Html, spread: &Value, rules: &[&Value]) {
    let values = |member: &str| items(spread, member).iter().map(|value| value.as_f64().unwrap_or_default());
    let begins: Vec<f64> = values("from").collect();
    let records: Vec<u64> =
        items(spread, "records").iter().map(|count| count.as_u64().unwrap_or_default()).collect();
    let steps = begins.len().min(records.len());
    let most = records.iter().copied().max().unwrap_or_default();
    page.tag("<h3>").text(text(spread, "signal")).tag("</h3>\n<p>");
    for (at, rule) in rules.iter().enumerate() {
        page.tag(if at > 0 { "; " } else { "" }).text(text(rule, "rule")).tag(" ").text(&allowed(rule));
    }
    page.tag("</p>\n<svg class=\"chart\" aria-hidden=\"true\" preserveAspectRatio=\"none\" viewBox=\"0 0 ");
    page.number(10.0 * steps.max(1) as f64).tag(" ").number(HEIGHT).tag("\">");
    for (at, &count) in records.iter().take(steps).enumerate() {
        let height = HEIGHT * share(count, most);
        page.tag("<rect width=\"9\" x=\"").number(10.0 * at as f64).tag("\" y=\"").number(HEIGHT - height);
        page.tag("\" height=\"").number(height).tag("\"/>");
    }
    for rule in rules {
        let place = 10.0 * place(&begins[..steps], float(rule, "threshold"));
        page.tag("<path d=\"M").number(place).tag(" 0V").number(HEIGHT).tag("\"/>");
    }
    page.tag("</svg>\n<details><summary>Values</summary>\n");
    let rows = begins.iter().zip(&records).map(|(begin, &count)| {
        vec![Cell::Number(begin.to_string()), Cell::Number(grouped(count)), Cell::Bar(share(count, most))]
    });
    table(page, SPREAD, &["from", "records", ""], rows, ROWS);
    page.tag("</details>\n");
}

/// Where a value lies among steps, in steps from the left.
fn place(begins: &[f64], value: f64) -> f64 {
    let behind = begins.partition_point(|begin| *begin <= value);
    let Some(at) = behind.checked_sub(1) else { return 0.0 };
    let over = value - begins[at];
    let step = begins.get(behind).map_or(2.0 * over, |next| next - begins[at]);
    at as f64 + if over > 0.0 { over / step } else { 0.0 }
}
