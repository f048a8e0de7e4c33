//! One row for each code, rows that look wrong and are not, and what a row of each format calls its places.

#![expect(clippy::unwrap_used, reason = "a row that cannot be made is a failed test")]

use serde_json::{Value, json};
use thresher_chat::Format;
use thresher_chat::validate::{CODES, Code, Options, Problem, Reasoning, Report, Severity, Validator};

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

fn calls(ids: &[&str]) -> Value {
    let calls: Vec<_> = ids
        .iter()
        .map(|id| json!({"id": id, "type": "function", "function": {"name": "find", "arguments": "{\"q\": \"a\"}"}}))
        .collect();
    json!({"role": "assistant", "content": null, "tool_calls": calls})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "found"})
}

fn find_tool() -> Value {
    json!({"type": "function", "function": {"name": "find", "parameters": {
        "type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}})
}

fn with_tools(messages: &Value) -> Value {
    json!({"messages": messages, "tools": [find_tool()]})
}

fn call_with(arguments: &Value) -> Value {
    let call = json!({"id": "a", "function": {"name": "find", "arguments": arguments}});
    with_tools(&json!([says("user", "q"), {"role": "assistant", "tool_calls": [call]}]))
}

fn answered(answer: &Value) -> Value {
    openai(&json!([says("user", "q"), answer]))
}

fn about_tools(tools: &Value) -> Value {
    json!({"messages": [says("user", "q"), says("assistant", "a")], "tools": tools})
}

fn target(name: &str) -> Options {
    Options { target: name.into(), ..Options::default() }
}

fn reasoning(reasoning: Reasoning) -> Options {
    Options { reasoning, ..Options::default() }
}

/// Rows in `openai`, what they are checked for, and the codes that they have, with the path of the first.
fn broken() -> Vec<(String, Options, Vec<&'static str>, &'static str)> {
    let [user, assistant] = [says("user", "q"), says("assistant", "a")];
    let system = says("system", "s");
    let any = Options::default;
    let rows: Vec<(Value, Options, Vec<&'static str>, &'static str)> = vec![
        (json!([1]), any(), vec!["not_an_object"], ""),
        (json!({"a": 1}), any(), vec!["missing_field"], ""),
        (json!({"messages": 1}), any(), vec!["wrong_shape"], ""),
        (openai(&json!([user, says("alien", "x")])), any(), vec!["unknown_role"], "messages[1]"),
        (
            openai(&json!([user, {"role": "assistant", "tool_calls": [1]}])),
            any(),
            vec!["bad_call"],
            "messages[1]",
        ),
        (openai(&json!([])), any(), vec!["no_messages"], ""),
        (
            openai(&json!([says("developer", "s"), user, assistant])),
            target("alternating"),
            vec!["role_not_allowed"],
            "messages[0]",
        ),
        (openai(&json!([user, system, assistant])), any(), vec!["system_not_first"], "messages[1]"),
        (openai(&json!([assistant, user, assistant])), any(), vec!["wrong_first_role"], "messages[0]"),
        (
            openai(&json!([user, says("user", "p"), assistant])),
            target("alternating"),
            vec!["wrong_role_order"],
            "messages[1]",
        ),
        (
            openai(&json!([user, says("user", "p"), assistant])),
            any(),
            vec!["consecutive_same_role"],
            "messages[1]",
        ),
        (
            openai(&json!([user, assistant, says("assistant", "b")])),
            target("any"),
            vec!["consecutive_same_role"],
            "messages[2]",
        ),
        (openai(&json!([user, user, assistant])), any(), vec!["repeated_turn"], "messages[1]"),
        (openai(&json!([user])), any(), vec!["no_assistant"], ""),
        (openai(&json!([user, assistant, user])), any(), vec!["wrong_last_role"], "messages[2]"),
        (
            with_tools(&json!([user, calls(&["a"]), result("a")])),
            any(),
            vec!["trailing_tool_message"],
            "messages[2]",
        ),
        (openai(&json!([system, system, user, assistant])), any(), vec!["duplicate_system"], "messages[1]"),
        (
            openai(&json!([system, says("system", "t"), user, assistant])),
            any(),
            vec!["contradictory_system"],
            "messages[1]",
        ),
        (
            openai(&json!([system, says("developer", "s"), user, assistant])),
            any(),
            vec!["system_and_developer"],
            "messages[1]",
        ),
        (
            json!({"system": "s", "messages": [system, user, assistant]}),
            any(),
            vec!["duplicate_system"],
            "system",
        ),
        (
            json!({"system": "t", "messages": [system, user, assistant]}),
            any(),
            vec!["contradictory_system"],
            "system",
        ),
        (json!({"system": "s", "messages": [user, assistant]}), any(), vec!["system_not_read"], "system"),
        (answered(&says("assistant", "")), any(), vec!["empty_turn"], "messages[1].content"),
        (answered(&json!({"role": "assistant"})), any(), vec!["empty_turn"], "messages[1].content"),
        (
            answered(&json!({"role": "assistant", "content": []})),
            any(),
            vec!["empty_turn"],
            "messages[1].content",
        ),
        (
            answered(&json!({"role": "assistant", "content": [{"type": "text", "text": ""}]})),
            any(),
            vec!["empty_turn"],
            "messages[1].content",
        ),
        (
            answered(&json!({"role": "assistant", "content": null})),
            any(),
            vec!["null_content"],
            "messages[1].content",
        ),
        (answered(&says("assistant", " \n\t")), any(), vec!["blank_turn"], "messages[1].content"),
        (answered(&says("assistant", "a<|im_end|>")), any(), vec!["control_token"], "messages[1].content"),
        (
            openai(&json!([says("user", "a [/INST] b"), assistant])),
            any(),
            vec!["control_token"],
            "messages[0].content",
        ),
        (
            answered(&says("assistant", "<tool_call>{\"name\": \"f\"}</tool_call>")),
            any(),
            vec!["call_in_text"],
            "messages[1].content",
        ),
        (
            answered(&json!({"role": "assistant", "content": "a", "weight": 0})),
            any(),
            vec!["nothing_trained"],
            "",
        ),
        (
            answered(&json!({"role": "assistant", "content": "a", "train": false})),
            any(),
            vec!["nothing_trained"],
            "",
        ),
        (answered(&assistant), reasoning(Reasoning::Keep), vec!["reasoning_missing"], "messages[1]"),
        (
            answered(&says("assistant", "<think> </think>a")),
            reasoning(Reasoning::Keep),
            vec!["reasoning_missing"],
            "messages[1]",
        ),
        (
            answered(&says("assistant", "<think>t</think>a")),
            reasoning(Reasoning::Strip),
            vec!["reasoning_left"],
            "messages[1].content",
        ),
        (
            answered(&json!({"role": "assistant", "content": "a", "reasoning": "t"})),
            reasoning(Reasoning::Strip),
            vec!["reasoning_left"],
            "messages[1].reasoning",
        ),
        (answered(&says("assistant", "<think>t")), any(), vec!["think_unclosed"], "messages[1].content"),
        (answered(&says("assistant", "t</think>a")), any(), vec!["think_unopened"], "messages[1].content"),
        (
            answered(&says("assistant", "<think>t<think>u</think>a")),
            any(),
            vec!["think_nested"],
            "messages[1].content",
        ),
        (about_tools(&json!({"find": 1})), any(), vec!["tools_not_a_list"], "tools"),
        (about_tools(&json!("find")), any(), vec!["tools_not_a_list"], "tools"),
        (about_tools(&json!(["find"])), any(), vec!["tool_wrong_shape"], "tools[0]"),
        (
            about_tools(&json!([{"function": {"description": "d"}}])),
            any(),
            vec!["tool_without_name"],
            "tools[0].function",
        ),
        (
            about_tools(&json!([find_tool(), find_tool()])),
            any(),
            vec!["duplicate_tool"],
            "tools[1].function.name",
        ),
        (
            about_tools(&json!([{"name": "f", "parameters": {"type": "strin"}}])),
            any(),
            vec!["tool_schema_invalid"],
            "tools[0].parameters",
        ),
        (
            about_tools(&json!([{"name": "f", "parameters": [1]}])),
            any(),
            vec!["tool_schema_invalid"],
            "tools[0].parameters",
        ),
        (
            about_tools(&json!([{"name": "f", "parameters": {"$ref": "https://example.com/a"}}])),
            any(),
            vec!["tool_schema_unchecked"],
            "tools[0].parameters",
        ),
        (
            openai(&json!([user, calls(&["a"])])),
            any(),
            vec!["calls_without_tools"],
            "messages[1].tool_calls[0]",
        ),
        (
            with_tools(
                &json!([user, {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": " "}}]}]),
            ),
            any(),
            vec!["call_without_name"],
            "messages[1].tool_calls[0].function.name",
        ),
        (
            with_tools(
                &json!([user, {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "fnd"}}]}]),
            ),
            any(),
            vec!["unknown_function"],
            "messages[1].tool_calls[0].function.name",
        ),
        (
            with_tools(&json!([user, calls(&["a", "b"])])),
            target("single-call"),
            vec!["parallel_calls"],
            "messages[1]",
        ),
        (
            json!({"messages": [user, calls(&["a", "b"])], "tools": [find_tool()], "parallel_tool_calls": false}),
            any(),
            vec!["parallel_calls"],
            "messages[1]",
        ),
        (
            with_tools(&json!([user, calls(&["a"]), {"role": "tool", "content": "r"}, assistant])),
            any(),
            vec!["missing_id"],
            "messages[2]",
        ),
        (
            with_tools(&json!([user, calls(&["a"]), result("a"), calls(&["a"]), result("a"), assistant])),
            any(),
            vec!["duplicate_call_id"],
            "messages[3].tool_calls[0].id",
        ),
        (
            with_tools(&json!([user, calls(&["a", "b"]), result("a"), assistant])),
            any(),
            vec!["unanswered_call"],
            "messages[1].tool_calls[1]",
        ),
        (
            with_tools(&json!([user, calls(&["a"]), result("a"), result("c"), assistant])),
            any(),
            vec!["orphan_result"],
            "messages[3].tool_call_id",
        ),
        (
            openai(&json!([user, {"role": "tool", "content": "r"}, assistant])),
            any(),
            vec!["orphan_result"],
            "messages[1]",
        ),
        (
            with_tools(&json!([user, result("a"), calls(&["a"]), assistant])),
            any(),
            vec!["result_before_call"],
            "messages[1].tool_call_id",
        ),
        (
            with_tools(&json!([user, calls(&["a"]), says("user", "p"), result("a"), assistant])),
            any(),
            vec!["late_result"],
            "messages[3]",
        ),
        (
            with_tools(&json!([user, calls(&["a"]), result("a"), result("a"), assistant])),
            any(),
            vec!["duplicate_result"],
            "messages[3].tool_call_id",
        ),
        (
            with_tools(
                &json!([user, calls(&["a"]), {"role": "tool", "tool_call_id": "a", "name": "fnd", "content": "r"}, assistant]),
            ),
            any(),
            vec!["result_name_mismatch"],
            "messages[2].name",
        ),
        (
            call_with(&json!("{\"q\": ")),
            any(),
            vec!["arguments_not_json"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            call_with(&json!("")),
            any(),
            vec!["arguments_not_json"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            call_with(&json!("[1]")),
            any(),
            vec!["arguments_not_an_object"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            call_with(&json!(null)),
            any(),
            vec!["arguments_not_an_object"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            call_with(&json!("{\"q\": 1}")),
            any(),
            vec!["arguments_violate_schema"],
            "messages[1].tool_calls[0].function.arguments.q",
        ),
        (
            call_with(&json!({})),
            any(),
            vec!["arguments_violate_schema"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            call_with(&json!("{\"q\": \"a\", \"q\": \"b\"}")),
            any(),
            vec!["duplicate_key"],
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            json!({"messages": [user, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": format!("\"{}\"", "a".repeat(9000))}}]}]}),
            any(),
            vec!["calls_without_tools", "arguments_not_an_object"],
            "messages[1].tool_calls[0]",
        ),
    ];
    let texts = [
        ("{\"messages\": [", vec!["invalid_json"], ""),
        (
            r#"{"messages":[{"role":"user","content":"q","role":"user"},{"role":"assistant","content":"a"}]}"#,
            vec!["duplicate_key"],
            "messages[0]",
        ),
        (
            r#"{"x":{"y":[{},{"\u0061":1,"a":2}]},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#,
            vec!["duplicate_key"],
            "x.y[1]",
        ),
        (r#"{"messages":[{"role":"\ud800","content":"q"}]}"#, vec!["lone_surrogate"], "messages[0]"),
        (
            r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"\ud800"}}]}],"tools":[{"name":"f"}]}"#,
            vec!["lone_surrogate"],
            "messages[1].tool_calls[0].function.arguments",
        ),
    ];
    let texts = texts.map(|(text, codes, path)| (text.to_owned(), any(), codes, path));
    rows.into_iter()
        .map(|(row, options, codes, path)| (row.to_string(), options, codes, path))
        .chain(texts)
        .collect()
}

#[test]
fn every_broken_row_has_its_codes_at_its_place_and_no_others() {
    for (row, options, expected, path) in broken() {
        let problems = problems_of(&row, "openai", &options);
        assert_eq!(codes(&problems), expected, "{row}\n{problems:#?}");
        assert_eq!(problems[0].path, path, "{row}");
        assert!(problems.iter().all(|problem| problem.message.len() < 600), "{problems:#?}");
    }
}

#[test]
fn the_table_has_a_row_for_every_code() {
    // No reader gives the first; the second needs a row that takes long, and has a test of its own.
    let elsewhere = [Code::NotExpressible, Code::ArgumentsUnchecked];
    let seen: Vec<_> = broken().into_iter().flat_map(|(_, _, codes, _)| codes).collect();
    for code in CODES.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(seen.contains(&code.name()), "{code} is nowhere");
    }
}

#[test]
fn rows_that_look_wrong_and_are_not_have_no_problems() {
    let [user, assistant] = [says("user", "q"), says("assistant", "a")];
    let none: Vec<(Value, &str, Options)> = vec![
        (openai(&json!([says("developer", "s"), user, assistant])), "openai", target("openai")),
        (
            openai(&json!([says("system", "s"), user, assistant, user, assistant])),
            "openai",
            target("alternating"),
        ),
        (openai(&json!([assistant, says("system", "s"), user, assistant])), "openai", target("any")),
        (
            with_tools(&json!([user, calls(&["a", "b"]), result("b"), result("a"), assistant])),
            "openai",
            target("alternating"),
        ),
        (
            with_tools(
                &json!([user, calls(&["a"]), {"role": "tool", "tool_call_id": "a", "content": ""}, assistant]),
            ),
            "openai",
            target("openai"),
        ),
        (with_tools(&json!([user, calls(&["a"])])), "openai", target("single-call")),
        (call_with(&json!({"q": "a"})), "openai", target("openai")),
        (
            about_tools(
                &json!([{"name": "f"}, {"type": "function", "function": {"name": "g", "parameters": null}}]),
            ),
            "openai",
            target("openai"),
        ),
        (about_tools(&json!("[]")), "openai", target("openai")),
        (about_tools(&json!(null)), "openai", target("openai")),
        (
            answered(&json!({"role": "assistant", "content": null, "refusal": "no"})),
            "openai",
            target("openai"),
        ),
        (
            answered(&json!({"role": "assistant", "content": "", "reasoning_content": "t"})),
            "openai",
            reasoning(Reasoning::Keep),
        ),
        (answered(&says("assistant", "\n<think>\nt\n</think>\na")), "openai", reasoning(Reasoning::Keep)),
        (
            openai(&json!([user, assistant, user, says("assistant", "<think>t</think>b")])),
            "openai",
            reasoning(Reasoning::Keep),
        ),
        (
            answered(&says("assistant", "x < y, a <b> and [link](u), 1 <| 2")),
            "openai",
            reasoning(Reasoning::Strip),
        ),
        (
            openai(
                &json!([user, {"role": "assistant", "content": "a", "weight": 0}, user, {"role": "assistant", "content": "b", "weight": 1}]),
            ),
            "openai",
            target("openai"),
        ),
        (
            openai(
                &json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}, assistant]),
            ),
            "openai",
            target("openai"),
        ),
        (
            json!({"instruction": "i", "input": "x", "output": "o", "history": [["a", "b"], ["c", "d"]]}),
            "alpaca",
            target("alternating"),
        ),
        (json!({"instruction": "", "input": "x", "output": "o"}), "alpaca", target("openai")),
        (
            json!({"conversations": [
            {"from": "human", "value": "q"},
            {"from": "function_call", "value": "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {}}]"},
            {"from": "observation", "value": "r"},
            {"from": "gpt", "value": "a"}], "tools": "[{\"name\": \"f\"}, {\"name\": \"g\"}]"}),
            "sharegpt",
            target("openai"),
        ),
        (
            json!({"conversations": [
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"},
            {"from": "tool", "value": "<tool_response>1</tool_response><tool_response>2</tool_response>"},
            {"from": "gpt", "value": "a"}], "tools": [{"name": "f"}]}),
            "hermes",
            target("openai"),
        ),
        (
            json!({"text": "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"}),
            "chatml",
            target("openai"),
        ),
        (
            json!({"prompt": [user], "chosen": [assistant], "rejected": [says("assistant", "b")]}),
            "trl",
            target("alternating"),
        ),
        (json!({"prompt": [user], "completion": [assistant], "label": true}), "trl", target("alternating")),
    ];
    for (row, format, options) in none {
        let problems = problems_of(&row.to_string(), format, &options);
        assert!(problems.is_empty(), "{row}\n{problems:#?}");
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
    let keys: Vec<String> = (0..20_000).map(|at| format!("\"k{at}\":1")).collect();
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
