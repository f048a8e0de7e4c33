//! A page of hostile data: it is shown, and nothing of it acts.

use serde_json::json;

use super::*;

const HOSTILE: &str =
    "</pre><script>alert(1)</script><img src=//evil.example/x onerror='alert(2)'>\u{202e}\u{1b}]0;x\u{7}\0";

fn exhibits() -> Exhibits {
    let excerpt = Excerpt::of(&HOSTILE.repeat(1000));
    Exhibits {
        clusters: vec![ClusterExhibit {
            size: u64::MAX,
            kept: (HOSTILE.into(), None),
            removed: (HOSTILE.into(), Some(excerpt.clone())),
            reason: "near",
            similarity: f32::NAN,
        }],
        bad: vec![BadExhibit {
            reason: "invalid_json",
            source: HOSTILE.into(),
            row: u64::MAX,
            offset: 0,
            detail: HOSTILE.repeat(1000),
            raw: excerpt,
        }],
    }
}

fn run() -> Value {
    json!({
        "tool": "thresher", "version": HOSTILE,
        "config": {HOSTILE: HOSTILE.repeat(10_000), "output": HOSTILE, "threshold": 0.8},
        "inputs": (0..1000).map(|_| json!({"name": HOSTILE, "path": HOSTILE, "format": "jsonl", "rows": 7, "bytes": -3})).collect::<Vec<_>>(),
        "files": {HOSTILE: {"xxh3_128": HOSTILE, "bytes": 12_345, "rows": null}},
        "notes": [HOSTILE, 7, null],
        "accounting": {
            "in": {"docs": 1_234_567, "bytes": u64::MAX}, "kept": {"docs": 1_000_000, "bytes": "many"},
            "removed": {"exact": {"docs": 234_560, "bytes": 1}}, "quarantined": {HOSTILE: {"docs": 7, "bytes": 70}}, "blank_bytes": 3
        },
        "quarantine": {"written": 5, "only_counted": 2},
        "similarities": {"0.80": 3, HOSTILE: 2, "1.00": "x"},
        "cluster_sizes": {"2": 9, "16": 1, "4": 2},
        "largest_clusters": [{"id": HOSTILE, "size": 17, "examples": [HOSTILE]}],
        "found": [{"input": HOSTILE, "codes": {HOSTILE: {"severity": "error", "count": 8, "rows": 6}}}],
        "losses": [{"input": HOSTILE, "losses": [{"field": HOSTILE, "outcome": "dropped", "count": 11, "rows": 10}]}],
        "rejections": {HOSTILE: {"rows": 31_337, "about": HOSTILE}, "odd": HOSTILE},
        "requests": {"sent": 65_537, HOSTILE: HOSTILE, "failed": {HOSTILE: 4_242}},
        "spent": {"money": null, HOSTILE: [0.5]},
        "rules": [{"rule": HOSTILE, "signal": "s", "bound": HOSTILE, "threshold": 0.12, "failing": 77_777, "first": 3, "alone": "x"}],
        "together": [{"rules": [HOSTILE], "records": 55_555}, HOSTILE],
        "spreads": [{"signal": "s", "from": [0.0, 0.1, HOSTILE], "records": [5, 44_444]}, {"signal": HOSTILE}],
        "timings": {"sign": 1.5, "write": f64::MAX, "total": 0.0, HOSTILE: "soon"},
        "peak_rss_bytes": 5_000_000, "threads": 2
    })
}

/// Names of the elements and attributes of a page that is written as ours is.
fn markup(page: &str) -> Vec<&str> {
    let (_, body) = page.split_once("</style>").unwrap();
    let mut found = Vec::new();
    for tag in body.split('<').skip(1) {
        let (tag, rest) = tag.split_once('>').unwrap();
        assert!(!rest.contains('>'), "{rest}");
        let mut outside = tag.split('"').step_by(2);
        found.extend(outside.next().unwrap().split_ascii_whitespace());
        found.extend(outside.flat_map(str::split_ascii_whitespace));
    }
    found
}

#[test]
fn hostile_data_is_shown_and_makes_no_markup() {
    for verb in ["dedup", "generate x"] {
        is_shown(verb);
    }
}

fn is_shown(verb: &str) {
    let page = report(verb, &run(), &exhibits());
    let known = [
        "a", "body", "code", "details", "div", "h1", "h2", "h3", "head", "header", "html", "li", "main", "p",
        "path", "pre", "rect", "section", "summary", "svg", "table", "caption", "tbody", "td", "th", "thead",
        "tr", "ul",
    ];
    let attributes = [
        "class=",
        "href=",
        "id=",
        "tabindex=",
        "role=",
        "aria-label=",
        "scope=",
        "aria-hidden=",
        "viewBox=",
        "preserveAspectRatio=",
        "x=",
        "y=",
        "d=",
        "height=",
        "width=",
        "dir=",
    ];
    for name in markup(&page) {
        let name = name.trim_start_matches('/').trim_end_matches('/');
        assert!(known.contains(&name) || attributes.contains(&name) || name.is_empty(), "{name}");
    }
    assert!(!page.contains(['\u{202e}', '\u{1b}', '\u{7}', '\0']));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u{202e}"));
    for figure in [
        "1,234,567",
        "234,560",
        "1,000,000",
        "19.00 %",
        "And 800 more",
        "5.0 MB",
        "0.80",
        "12.3 kB",
        "77,777",
        "44,444",
        "55,555",
    ] {
        assert!(page.contains(figure), "{figure}");
    }
    for figure in ["31,337", "65,537", "4,242", "unknown"] {
        assert_eq!(page.contains(figure), verb != "dedup", "{figure}");
    }
    assert!(page.len() < 2_000_000, "{}", page.len());
}

#[test]
fn a_report_without_anything_is_a_page_too() {
    let odd =
        json!({"accounting": 7, "inputs": {}, "files": [], "timings": [], "rejections": 1, "requests": "x"});
    for (run, verb) in [json!({}), json!(null), odd].iter().zip(["validate", "generate", "generate x"]) {
        let page = report(verb, run, &Exhibits::default());
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
        assert!(page.contains("default-src 'none'"));
    }
}
