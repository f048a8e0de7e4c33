//! The table of rows and their problems, hostile rows, and what a row of each format calls its places.

#![expect(clippy::unwrap_used, reason = "a row that cannot be made is a failed test")]

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use thresher_chat::Format;
use thresher_chat::validate::{CODES, Code, Options, Problem, Report, Severity, Validator};

fn problems_of(text: &str, format: &str, options: &Options) -> Vec<Problem> {
    let mut problems = Vec::new();
    let format = Format::named(format).unwrap();
    Validator::try_new(options).unwrap().check_text(text, &format, &mut problems);
    problems
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code.name()).collect()
}

fn openai(messages: &Value) -> Value {
    json!({"messages": messages})
}

fn says(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

fn target(name: &str) -> Options {
    Options { target: name.into(), ..Options::default() }
}

/// A line of `tests/golden/chat_problems.jsonl`, which the tests of the package read too.
#[derive(Deserialize)]
struct Case {
    /// The codes of the row, in order; none if it is fine.
    codes: Vec<String>,
    /// The path of the first.
    #[serde(default)]
    path: String,
    format: String,
    #[serde(default)]
    options: Options,
    /// The row; a string is its text.
    row: Value,
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/chat_problems.jsonl");
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_row_has_its_codes_at_their_place_and_no_others() {
    let cases = cases();
    assert!(cases.iter().filter(|case| case.codes.is_empty()).count() > 20, "rows that only look wrong");
    for case in cases {
        let row = case.row.as_str().map_or_else(|| case.row.to_string(), str::to_owned);
        let problems = problems_of(&row, &case.format, &case.options);
        assert_eq!(codes(&problems), case.codes, "{row}\n{problems:#?}");
        assert_eq!(problems.first().map_or("", |problem| &problem.path), case.path, "{row}");
        assert!(problems.iter().all(|problem| problem.message.len() < 600), "{problems:#?}");
    }
}

#[test]
fn the_table_has_a_row_for_every_code() {
    // No reader gives the first; the second needs a row that takes long, and has a test of its own.
    let elsewhere = [Code::NotExpressible, Code::ArgumentsUnchecked];
    let seen: Vec<String> = cases().into_iter().flat_map(|case| case.codes).collect();
    for code in CODES.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(seen.iter().any(|seen| seen == code.name()), "{code} is nowhere");
    }
}

#[test]
fn places_are_named_as_in_the_row() {
    let empty = |format, row: Value| -> Vec<String> {
        problems_of(&row.to_string(), format, &target("any"))
            .into_iter()
            .map(|problem| problem.path)
            .collect()
    };
    assert_eq!(
        empty(
            "alpaca",
            json!({"system": " ", "history": [["a", ""], ["", "b"]], "instruction": "", "output": ""})
        ),
        ["system", "history[0][1]", "history[1][0]", "instruction", "output"]
    );
    assert_eq!(
        empty("alpaca", json!({"instruction": "q", "chosen": "", "rejected": " "})),
        ["chosen", "rejected"]
    );
    assert_eq!(
        empty(
            "sharegpt",
            json!({"system": " ", "conversation": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]})
        ),
        ["system", "conversation[0].content", "conversation[1].content"]
    );
    let ranked = json!({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": ""}, "rejected": {"from": "gpt", "value": ""}});
    assert_eq!(empty("sharegpt", ranked), ["chosen.value", "rejected.value"]);
    let trl = json!({"prompt": [{"role": "user", "content": ""}], "chosen": [{"role": "assistant", "content": ""}], "rejected": [{"role": "assistant", "content": ""}]});
    assert_eq!(empty("trl", trl), ["prompt[0].content", "chosen[0].content", "rejected[0].content"]);
    let hermes = json!({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "<tool_call>{\"name\": \"\"}</tool_call>"}], "tools": [{"name": "f"}]});
    assert_eq!(empty("hermes", hermes), ["conversations[1].value"]);
}

#[test]
fn what_is_ignored_is_not_found_and_the_strict_have_no_warnings() {
    let row = openai(&json!([says("user", " "), says("assistant", "")])).to_string();
    let options = Options { ignore: vec!["empty_turn".into()], strict: true, ..Options::default() };
    let problems = problems_of(&row, "openai", &options);
    assert_eq!(codes(&problems), ["blank_turn"]);
    assert_eq!(problems[0].severity, Severity::Error);
}

#[test]
fn all_problems_of_a_row_come_at_once_and_in_order() {
    let row = r#"{"system":"t","system":"t","tools":[{}],"messages":[{"role":"assistant","content":""},{"role":"system","content":" "}]}"#;
    let problems = problems_of(row, "openai", &Options::default());
    assert_eq!(
        codes(&problems),
        [
            "duplicate_key",
            "contradictory_system",
            "tool_without_name",
            "wrong_first_role",
            "empty_turn",
            "system_not_first",
            "wrong_last_role",
            "blank_turn"
        ]
    );
}

#[test]
fn hostile_rows_end() {
    let many = |count: usize, item: &str| vec![item; count].join(",");
    let result = r#"{"role":"tool","content":"r"}"#;
    let call = r#"{"function":{"name":"f","arguments":"{}"}}"#;
    let same_id = r#"{"id":"a","function":{"name":"f"}}"#;
    let keys: Vec<String> = (0..2_000).map(|at| format!("\"k{at}\":1")).collect();
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let rows = [
        format!(r#"{{"messages":[{}]}}"#, many(20_000, r#"{"role":"system","content":"s"}"#)),
        format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{}]}},{}]}}"#,
            many(20_000, call),
            many(20_000, result)
        ),
        format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{}]}},{}]}}"#,
            many(20_000, same_id),
            many(20_000, r#"{"role":"tool","tool_call_id":"a","content":"r"}"#)
        ),
        format!(r#"{{"tools":[{}],"messages":[]}}"#, many(20_000, r#"{"name":"f"}"#)),
        format!(r#"{{{},"messages":[]}}"#, keys.join(",")),
        format!(r#"{{"x":{deep},"messages":[]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "<|".repeat(200_000)),
    ];
    for row in &rows {
        assert!(!problems_of(row, "openai", &Options::default()).is_empty());
    }
}

#[test]
fn arguments_that_would_take_too_long_are_left_unchecked_with_a_word() {
    let anything: Vec<_> = (0..2000).map(|at| json!({"properties": {"q": {"maxLength": at}}})).collect();
    let tool = json!({"name": "find", "parameters": {"anyOf": anything}});
    let arguments = json!({"q": "a".repeat(100_000)}).to_string();
    let call = json!({"function": {"name": "find", "arguments": arguments}});
    let row = json!({"messages": [says("user", "q"), {"role": "assistant", "tool_calls": [call]}], "tools": [tool]});
    assert_eq!(codes(&problems_of(&row.to_string(), "openai", &Options::default())), ["arguments_unchecked"]);
}

#[test]
fn a_report_counts_all_and_lists_the_first() {
    let format = Format::named("openai").unwrap();
    let mut validator = Validator::try_new(&Options::default()).unwrap();
    let (mut report, mut problems) = (Report::new(3), Vec::new());
    for row in 0..10u64 {
        let answer = if row % 2 == 0 { "" } else { "a" };
        let text = openai(&json!([says("user", ""), says("assistant", answer)])).to_string();
        validator.check_text(&text, &format, &mut problems);
        report.add(row, &mut problems);
    }
    let count = &report.codes[&Code::EmptyTurn];
    assert_eq!((report.rows, report.valid, count.count, count.rows), (10, 0, 15, 10));
    assert_eq!(count.examples, [0, 1, 2, 3, 4]);
    assert_eq!(report.problems.iter().map(|problem| problem.row).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(report.unlisted, 12);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["codes"]["empty_turn"]["severity"], "error");
    assert_eq!(json["problems"][0]["code"], "empty_turn");
}
