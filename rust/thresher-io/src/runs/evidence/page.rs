//! The frame of `report.html`: a page of its own that loads nothing, runs nothing, and reads without a mouse or a screen.
//!
//! A content security policy forbids scripts and requests even where one should slip in. Every figure stands in a table; bars
//! are drawn beside it for the eye and are hidden from screen readers. Long texts scroll by the keyboard.

use super::html::Html;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2126;--soft:#5a636e;--line:#d5dae0;--back:#fff;--bar:#2f6fab;--box:#f4f6f8}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#a3adb8;--line:#3a424b;--back:#15181b;--bar:#6cabe3;--box:#1f2429}}\
body{margin:0 auto;max-width:64rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}\
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}\
p,caption{color:var(--soft)}caption{text-align:left;padding:.3rem 0}\
table{border-collapse:collapse;width:100%}th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left;\
vertical-align:top;overflow-wrap:anywhere}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
td.b{width:30%}svg{display:block;width:100%;height:1.1rem}rect{fill:var(--bar)}svg.chart{height:6rem;max-width:44rem}\
path{stroke:var(--ink);stroke-width:2;stroke-dasharray:4 2;vector-effect:non-scaling-stroke}\
pre{background:var(--box);padding:.6rem;overflow:auto;max-height:16rem;white-space:pre-wrap;overflow-wrap:anywhere;\
unicode-bidi:plaintext;margin:.2rem 0}\
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.8rem}@media(max-width:40rem){.pair{grid-template-columns:1fr}}\
.tables{overflow-x:auto}.skip{position:absolute;left:-99rem}.skip:focus{left:1rem}summary{cursor:pointer}\
:focus-visible{outline:3px solid var(--bar);outline-offset:2px}";

/// Begins a page with this title.
pub(crate) fn begin(title: &str) -> Html {
    let mut page = Html::default();
    page.tag("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.tag("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.tag("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.tag("<meta name=\"referrer\" content=\"no-referrer\">\n<title>")
        .text(title)
        .tag("</title>\n<style>");
    page.tag(STYLE).tag(
        "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header><h1>",
    );
    page.text(title).tag("</h1></header>\n<main id=\"main\">\n");
    page
}

/// Ends a page.
pub(crate) fn end(mut page: Html) -> String {
    page.tag("</main>\n</body>\n</html>\n");
    page.finish()
}

/// Begins a section.
pub(crate) fn section(page: &mut Html, heading: &'static str) {
    page.tag("<section><h2>").tag(heading).tag("</h2>\n");
}

/// A cell of a table.
pub(crate) enum Cell<'c> {
    Text(&'c str),
    Count(u64),
    /// A number as it is to be read.
    Number(String),
    /// A bar, by its share of the longest one; only for the eye.
    Bar(f64),
}

/// A table; rows beyond `most` are only counted.
pub(crate) fn table<'c>(
    page: &mut Html,
    caption: &'static str,
    heads: &[&'static str],
    rows: impl IntoIterator<Item = Vec<Cell<'c>>>,
    most: usize,
) {
    let mut rows = rows.into_iter();
    page.tag("<div class=\"tables\" tabindex=\"0\" role=\"group\" aria-label=\"")
        .tag(caption)
        .tag("\"><table><caption>");
    page.tag(caption).tag("</caption><thead><tr>");
    let first = rows.next();
    for (place, head) in heads.iter().copied().enumerate() {
        match first.as_ref().and_then(|row| row.get(place)) {
            Some(Cell::Bar(_)) => page.tag("<td class=\"b\"></td>"),
            Some(Cell::Count(_) | Cell::Number(_)) => {
                page.tag("<th scope=\"col\" class=\"n\">").tag(head).tag("</th>")
            }
            _ => page.tag("<th scope=\"col\">").tag(head).tag("</th>"),
        };
    }
    page.tag("</tr></thead>\n<tbody>\n");
    let (mut shown, mut left) = (0, 0_u64);
    for row in first.into_iter().chain(rows) {
        if shown == most {
            left += 1;
            continue;
        }
        shown += 1;
        page.tag("<tr>");
        for (place, cell) in row.iter().enumerate() {
            cell_of(page, cell, place == 0);
        }
        page.tag("</tr>\n");
    }
    page.tag("</tbody></table></div>\n");
    if left > 0 {
        page.tag("<p>And ").count(left).tag(" more; run.json has all of them.</p>\n");
    }
}

fn cell_of(page: &mut Html, cell: &Cell<'_>, is_head: bool) {
    match cell {
        Cell::Text(text) if is_head => page.tag("<th scope=\"row\">").text(text).tag("</th>"),
        Cell::Text(text) => page.tag("<td>").text(text).tag("</td>"),
        Cell::Count(count) => page.tag("<td class=\"n\">").count(*count).tag("</td>"),
        Cell::Number(number) => page.tag("<td class=\"n\">").text(number).tag("</td>"),
        Cell::Bar(share) => {
            let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
            page.tag("<td class=\"b\"><svg aria-hidden=\"true\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\">");
            page.tag("<rect y=\"1\" height=\"8\" width=\"").number(100.0 * share).tag("\"/></svg></td>")
        }
    };
}
