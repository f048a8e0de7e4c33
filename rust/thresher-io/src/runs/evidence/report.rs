//! `report.html`: what a run did, for people. It is made from what `run.json` says and from a few exhibits, the same way for
//! every verb: a section appears if the report has what it shows.

mod generation;
mod mix;
mod rules;

use serde_json::{Map, Value};

use super::html::{Html, grouped, size};
use super::page::{Cell, begin, end, section, table};
use crate::exhibits::{BadExhibit, ClusterExhibit, Excerpt, Exhibits, head};

/// Rows of a table of inputs, files or findings.
const ROWS: usize = 200;
/// Characters of a name, a note or a parameter.
const LONGEST: usize = 2000;

/// The page of a run: its verb, the contents of its `run.json`, and what is shown of the data.
pub(crate) fn report(verb: &str, run: &Value, exhibits: &Exhibits) -> String {
    let output = run.pointer("/config/output").and_then(Value::as_str).unwrap_or_default();
    let mut page = begin(&format!("thresher {verb}: {}", head(output, LONGEST).0));
    let is_made = verb.split(' ').next() == Some("generate");
    funnel(&mut page, run, if is_made { &CANDIDATES } else { &DOCUMENTS });
    notes(&mut page, run);
    mix::mix(&mut page, run);
    rules::rules(&mut page, run);
    if is_made {
        generation::rejections(&mut page, run);
        generation::requests(&mut page, run);
    }
    histogram(&mut page, run, "similarities", "Similarity of near-duplicates", SIMILARITIES);
    histogram(&mut page, run, "cluster_sizes", "Sizes of clusters", SIZES);
    clusters(&mut page, run, &exhibits.clusters);
    findings(&mut page, run);
    losses(&mut page, run);
    quarantine(&mut page, run, &exhibits.bad);
    timings(&mut page, run);
    inputs(&mut page, run);
    files(&mut page, run);
    parameters(&mut page, run);
    end(page)
}

const SIMILARITIES: &str =
    "Documents that went for a similar one, by their exact Jaccard similarity, rounded down to a hundredth";
const SIZES: &str = "Clusters by the number of their documents: each line counts those from its number up to the next power of two";

/// What the books of a run count.
struct Counted {
    heading: &'static str,
    caption: &'static str,
    unit: &'static str,
}

const DOCUMENTS: Counted = Counted {
    heading: "Documents",
    caption: "Where every document and byte went: in = removed + set aside + kept, and references",
    unit: "documents",
};
const CANDIDATES: Counted = Counted {
    heading: "Candidates",
    caption: "Where every candidate went, by the first rule that it broke: in = removed + set aside + kept",
    unit: "candidates",
};

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    head(value.get(member).and_then(Value::as_str).unwrap_or_default(), LONGEST).0
}

/// The start of a text that may be long.
fn cut(text: &str) -> String {
    let (start, is_cut) = head(text, LONGEST);
    format!("{start}{}", if is_cut { " ..." } else { "" })
}

fn members<'v>(value: &'v Value, pointer: &str) -> Option<&'v Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

fn items<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Where every document and byte went.
fn funnel(page: &mut Html, run: &Value, counted: &Counted) {
    let Some(books) = run.get("accounting").filter(|books| books.is_object()) else { return };
    let (docs, bytes) = (number(books, "/in/docs"), number(books, "/in/bytes"));
    let mut rows = vec![("in".to_owned(), docs, bytes)];
    for (member, what) in [("removed", "removed"), ("quarantined", "set aside")] {
        for (reason, count) in books.get(member).and_then(Value::as_object).into_iter().flatten() {
            rows.push((format!("{what}: {reason}"), number(count, "/docs"), number(count, "/bytes")));
        }
    }
    if number(books, "/references/docs") > 0 {
        let (docs, bytes) = (number(books, "/references/docs"), number(books, "/references/bytes"));
        rows.push(("references".into(), docs, bytes));
    }
    if number(books, "/blank_bytes") > 0 {
        rows.push(("blank lines".into(), 0, number(books, "/blank_bytes")));
    }
    rows.push(("kept".into(), number(books, "/kept/docs"), number(books, "/kept/bytes")));
    section(page, counted.heading);
    let rows = rows.iter().map(|(name, part, part_bytes)| {
        vec![
            Cell::Text(name),
            Cell::Count(*part),
            Cell::Number(format!("{:.2} %", 100.0 * share(*part, docs))),
            Cell::Number(size(*part_bytes)),
            Cell::Bar(share(*part, docs)),
        ]
    });
    table(page, counted.caption, &["", counted.unit, "share", "bytes", ""], rows, ROWS);
    page.tag("</section>\n");
}

fn notes(page: &mut Html, run: &Value) {
    let notes = items(run, "notes");
    if notes.is_empty() {
        return;
    }
    section(page, "Notes");
    page.tag("<ul>\n");
    for note in notes.iter().take(ROWS) {
        page.tag("<li>").text(head(note.as_str().unwrap_or_default(), LONGEST).0).tag("</li>\n");
    }
    page.tag("</ul></section>\n");
}

fn histogram(page: &mut Html, run: &Value, member: &str, heading: &'static str, caption: &'static str) {
    let Some(steps) = run.get(member).and_then(Value::as_object).filter(|steps| !steps.is_empty()) else {
        return;
    };
    let mut steps: Vec<(&str, u64)> =
        steps.iter().map(|(step, count)| (step.as_str(), count.as_u64().unwrap_or_default())).collect();
    steps.sort_by(|a, b| a.0.parse::<f64>().unwrap_or_default().total_cmp(&b.0.parse().unwrap_or_default()));
    let most = steps.iter().map(|step| step.1).max().unwrap_or_default();
    section(page, heading);
    let rows = steps.into_iter().map(|(step, count)| {
        vec![Cell::Number(step.to_owned()), Cell::Count(count), Cell::Bar(share(count, most))]
    });
    table(page, caption, &["from", "count", ""], rows, ROWS);
    page.tag("</section>\n");
}

fn clusters(page: &mut Html, run: &Value, exhibits: &[ClusterExhibit]) {
    let largest = items(run, "largest_clusters");
    if largest.is_empty() {
        return;
    }
    section(page, "Largest clusters");
    let rows = largest
        .iter()
        .map(|cluster| vec![Cell::Text(text(cluster, "id")), Cell::Count(number(cluster, "/size"))]);
    table(
        page,
        "Kept documents and how many each stands for, itself included",
        &["kept document", "documents"],
        rows,
        ROWS,
    );
    for cluster in exhibits {
        page.tag("<details><summary>")
            .count(cluster.size)
            .tag(" documents: ")
            .text(head(&cluster.kept.0, LONGEST).0);
        page.tag("</summary>\n<div class=\"pair\"><div><p>Kept: ")
            .text(head(&cluster.kept.0, LONGEST).0)
            .tag("</p>");
        sample(page, cluster.kept.1.as_ref());
        page.tag("</div><div><p>Removed (").tag(cluster.reason).tag(", similarity ");
        page.text(&format!("{:.4}", cluster.similarity))
            .tag("): ")
            .text(head(&cluster.removed.0, LONGEST).0)
            .tag("</p>");
        sample(page, cluster.removed.1.as_ref());
        page.tag("</div></div></details>\n");
    }
    page.tag("</section>\n");
}

fn sample(page: &mut Html, text: Option<&Excerpt>) {
    match text {
        Some(text) => excerpt(page, text),
        None => {
            page.tag("<p>A reference, which the run does not read again.</p>");
        }
    }
}

fn excerpt(page: &mut Html, excerpt: &Excerpt) {
    page.tag("<pre tabindex=\"0\" dir=\"auto\">").text(&excerpt.text).tag("</pre>");
    if excerpt.is_cut {
        page.tag("<p>The start of ").count(excerpt.bytes).tag(" bytes.</p>");
    }
}

/// What a validation found.
fn findings(page: &mut Html, run: &Value) {
    let found = items(run, "found");
    if found.is_empty() {
        return;
    }
    section(page, "Findings");
    let of_input = |input: &'_ Value| -> Vec<(String, String, String, u64, u64)> {
        let codes = input.get("codes").and_then(Value::as_object).into_iter().flatten();
        codes
            .map(|(code, count)| {
                let name = text(input, "input").to_owned();
                let severity = text(count, "severity").to_owned();
                (name, code.clone(), severity, number(count, "/count"), number(count, "/rows"))
            })
            .collect()
    };
    let lines: Vec<_> = found.iter().flat_map(of_input).collect();
    let rows = lines.iter().map(|(input, code, severity, count, rows)| {
        vec![
            Cell::Text(input),
            Cell::Text(code),
            Cell::Text(severity),
            Cell::Count(*count),
            Cell::Count(*rows),
        ]
    });
    table(page, "Problems by input and kind", &["input", "code", "severity", "problems", "rows"], rows, ROWS);
    page.tag("</section>\n");
}

/// What a conversion could not carry.
fn losses(page: &mut Html, run: &Value) {
    let lines: Vec<(&Value, &Value)> = items(run, "losses")
        .iter()
        .flat_map(|input| items(input, "losses").iter().map(move |loss| (input, loss)))
        .collect();
    if lines.is_empty() {
        return;
    }
    section(page, "Losses");
    let rows = lines.iter().map(|(input, loss)| {
        vec![
            Cell::Text(text(input, "input")),
            Cell::Text(text(loss, "field")),
            Cell::Text(text(loss, "outcome")),
            Cell::Count(number(loss, "/count")),
            Cell::Count(number(loss, "/rows")),
        ]
    });
    table(
        page,
        "Fields that the format has no place for",
        &["input", "field", "outcome", "times", "rows"],
        rows,
        ROWS,
    );
    page.tag("</section>\n");
}

fn quarantine(page: &mut Html, run: &Value, exhibits: &[BadExhibit]) {
    let Some(reasons) = members(run, "/accounting/quarantined").filter(|reasons| !reasons.is_empty()) else {
        return;
    };
    section(page, "Set aside");
    let docs = number(run, "/accounting/in/docs");
    let rows = reasons.iter().map(|(reason, count)| {
        vec![
            Cell::Text(reason),
            Cell::Count(number(count, "/docs")),
            Cell::Number(size(number(count, "/bytes"))),
            Cell::Bar(share(number(count, "/docs"), docs)),
        ]
    });
    table(page, "Records that are in no output, by reason", &["reason", "records", "bytes", ""], rows, ROWS);
    let (written, counted) = (number(run, "/quarantine/written"), number(run, "/quarantine/only_counted"));
    if run.get("quarantine").is_some() {
        page.tag("<p>").count(written).tag(" of them are in the quarantine");
        if counted > 0 {
            page.tag(", ").count(counted).tag(" are only counted");
        }
        page.tag(".</p>\n");
    }
    for bad in exhibits {
        page.tag("<details><summary>")
            .tag(bad.reason)
            .tag(": row ")
            .count(bad.row)
            .tag(" of ")
            .text(head(&bad.source, LONGEST).0);
        page.tag("</summary>\n<p>At byte ")
            .count(bad.offset)
            .tag(": ")
            .text(head(&bad.detail, LONGEST).0)
            .tag("</p>");
        excerpt(page, &bad.raw);
        page.tag("</details>\n");
    }
    page.tag("</section>\n");
}

fn timings(page: &mut Html, run: &Value) {
    if run.get("timings").is_none() {
        return;
    }
    section(page, "Time and memory");
    let steps: Vec<(&str, f64)> = members(run, "/timings")
        .into_iter()
        .flatten()
        .map(|(step, seconds)| (step.as_str(), seconds.as_f64().unwrap_or_default()))
        .collect();
    let total = steps.iter().find(|(step, _)| *step == "total").map_or(0.0, |step| step.1);
    let mut parts: Vec<_> = steps.into_iter().filter(|(step, _)| *step != "total").collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    parts.push(("total", total));
    let rows = parts.into_iter().map(|(step, seconds)| {
        vec![Cell::Text(step), Cell::Number(format!("{seconds:.3} s")), Cell::Bar(seconds / total)]
    });
    table(page, "Seconds of each step, the longest first", &["step", "time", ""], rows, ROWS);
    if run.get("peak_rss_bytes").is_some() {
        page.tag("<p>Most memory that the process held: ").text(&size(number(run, "/peak_rss_bytes")));
        if run.get("threads").is_some() {
            page.tag("; threads: ").count(number(run, "/threads"));
        }
        page.tag(".</p>");
    }
    page.tag("</section>\n");
}

fn inputs(page: &mut Html, run: &Value) {
    if run.get("inputs").is_none() {
        return;
    }
    section(page, "Inputs");
    let rows = items(run, "inputs").iter().map(|input| {
        vec![
            Cell::Text(text(input, "name")),
            Cell::Text(text(input, "path")),
            Cell::Text(text(input, "format")),
            Cell::Count(number(input, "/rows")),
            Cell::Number(size(number(input, "/bytes"))),
        ]
    });
    table(page, "What was read", &["name", "path", "format", "records", "bytes"], rows, ROWS);
    page.tag("</section>\n");
}

fn files(page: &mut Html, run: &Value) {
    section(page, "Files");
    let rows = members(run, "/files").into_iter().flatten().map(|(name, file)| {
        let rows = file.get("rows").and_then(Value::as_u64).map_or_else(String::new, grouped);
        vec![
            Cell::Text(head(name, LONGEST).0),
            Cell::Number(rows),
            Cell::Number(size(number(file, "/bytes"))),
            Cell::Text(text(file, "xxh3_128")),
        ]
    });
    table(
        page,
        "What was written beside this page and run.json",
        &["file", "rows", "bytes", "XXH3-128"],
        rows,
        ROWS,
    );
    page.tag("<p><code>thresher verify</code> compares them.</p></section>\n");
}

fn parameters(page: &mut Html, run: &Value) {
    section(page, "Parameters");
    let version = text(run, "version");
    let shown: Vec<(&str, String)> = members(run, "/config")
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.as_str(), cut(&value))
        })
        .chain([("version of thresher", version.to_owned())])
        .collect();
    let rows = shown.iter().map(|(name, value)| vec![Cell::Text(name), Cell::Text(value)]);
    table(page, "As in run.json", &["parameter", "value"], rows, ROWS);
    page.tag("</section>\n");
}

#[cfg(test)]
mod tests;
