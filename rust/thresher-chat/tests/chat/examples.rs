//! One row of each of the four usual kinds, converted into every other: the expected rows in full, or the refusal.

use serde_json::{Value, json};
use thresher_chat::{Converter, Reason, RowLosses};
use thresher_core::json::Json;

use crate::meaning::format;

const KINDS: [&str; 4] = ["alpaca", "sharegpt", "chatml", "openai"];

type Outcome = Result<(Value, Vec<(String, &'static str)>), (Reason, String)>;

pub(crate) fn convert(from: &str, to: &str, row: &Value) -> Outcome {
    let (mut out, mut losses) = (String::new(), RowLosses::default());
    let converter = Converter { from: format(from), to: format(to) };
    match converter.convert(Json::parse(&row.to_string()).unwrap(), &mut out, &mut losses) {
        Ok(()) => {
            let losses = losses.iter().map(|(field, outcome)| (field.to_owned(), outcome)).collect();
            Ok((serde_json::from_str(&out).unwrap(), losses))
        }
        Err(error) => Err((error.reason, error.detail)),
    }
}

/// The row, and what it is as each of [`KINDS`]; none where it cannot be said.
fn check(from: &str, row: &Value, expected: [Option<Value>; 4]) {
    for (to, expected) in KINDS.into_iter().zip(expected) {
        let Some(expected) = expected else {
            let detail = format!("`{to}` cannot say calls of tools and their results");
            assert_eq!(convert(from, to, row), Err((Reason::NotExpressible, detail)), "{from} to {to}");
            continue;
        };
        assert_eq!(convert(from, to, row), Ok((expected.clone(), Vec::new())), "{from} to {to}");
        // Nothing was lost, so the way back leads to a row that says the same.
        let (back, losses) = convert(to, from, &expected).unwrap();
        assert_eq!(losses, [], "{from} to {to} and back");
        assert_eq!(convert(from, "trl", &back), convert(from, "trl", row), "{from} to {to} and back");
    }
}

#[test]
fn an_instruction_becomes_every_other_kind() {
    let row = json!({"instruction": "Name the largest planet.", "input": "", "output": "Jupiter."});
    let turns =
        json!([{"from": "human", "value": "Name the largest planet."}, {"from": "gpt", "value": "Jupiter."}]);
    let text =
        "<|im_start|>user\nName the largest planet.<|im_end|>\n<|im_start|>assistant\nJupiter.<|im_end|>\n";
    let messages = json!([
        {"role": "user", "content": "Name the largest planet."},
        {"role": "assistant", "content": "Jupiter."},
    ]);
    check(
        "alpaca",
        &row,
        [
            Some(row.clone()),
            Some(json!({"conversations": turns})),
            Some(json!({"text": text})),
            Some(json!({"messages": messages})),
        ],
    );
}

#[test]
fn turns_become_every_other_kind() {
    let row = json!({"conversations": [
        {"from": "human", "value": "What is a hash?"},
        {"from": "gpt", "value": "A short number made from data."},
        {"from": "human", "value": "For what?"},
        {"from": "gpt", "value": "To compare quickly."},
    ]});
    let text = "<|im_start|>user\nWhat is a hash?<|im_end|>\n<|im_start|>assistant\nA short number made from data.<|im_end|>\n\
                <|im_start|>user\nFor what?<|im_end|>\n<|im_start|>assistant\nTo compare quickly.<|im_end|>\n";
    check(
        "sharegpt",
        &row,
        [
            Some(json!({"instruction": "For what?", "input": "", "output": "To compare quickly.",
            "history": [["What is a hash?", "A short number made from data."]]})),
            Some(row.clone()),
            Some(json!({"text": text})),
            Some(json!({"messages": [
                {"role": "user", "content": "What is a hash?"},
                {"role": "assistant", "content": "A short number made from data."},
                {"role": "user", "content": "For what?"},
                {"role": "assistant", "content": "To compare quickly."},
            ]})),
        ],
    );
}

#[test]
fn marked_text_becomes_every_other_kind() {
    // The line end before each closing mark is layout; only this format keeps it.
    let text = "<|im_start|>system\nBe brief.\n<|im_end|>\n<|im_start|>user\nWhat is a hash?\n<|im_end|>\n\
                <|im_start|>assistant\nA short number made from data.\n<|im_end|>";
    let row = json!({"text": text});
    check(
        "chatml",
        &row,
        [
            Some(json!({"system": "Be brief.", "instruction": "What is a hash?", "input": "",
            "output": "A short number made from data."})),
            Some(json!({"conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "What is a hash?"},
                {"from": "gpt", "value": "A short number made from data."},
            ]})),
            Some(row.clone()),
            Some(json!({"messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is a hash?"},
                {"role": "assistant", "content": "A short number made from data."},
            ]})),
        ],
    );
}

#[test]
fn calls_become_every_kind_that_has_them() {
    let row = json!({"messages": [
        {"role": "user", "content": "Is it warm in Oslo?"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
        {"role": "tool", "content": "4 degrees"},
        {"role": "assistant", "content": "No, it has 4 degrees."},
    ]});
    let text = "<|im_start|>user\nIs it warm in Oslo?<|im_end|>\n\
                <|im_start|>assistant\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\":\"Oslo\"}}\n</tool_call><|im_end|>\n\
                <|im_start|>tool\n<tool_response>\n4 degrees\n</tool_response><|im_end|>\n\
                <|im_start|>assistant\nNo, it has 4 degrees.<|im_end|>\n";
    check(
        "openai",
        &row,
        [
            None,
            Some(json!({"conversations": [
                {"from": "human", "value": "Is it warm in Oslo?"},
                {"from": "function_call", "value": "{\"name\": \"weather\", \"arguments\": {\"city\":\"Oslo\"}}"},
                {"from": "observation", "value": "4 degrees"},
                {"from": "gpt", "value": "No, it has 4 degrees."},
            ]})),
            Some(json!({"text": text})),
            Some(row.clone()),
        ],
    );
}

/// What the kinds lose of a row that has all there is.
#[test]
fn what_a_kind_cannot_carry_is_named_field_by_field() {
    let call = json!({"id": "call_1", "type": "function", "index": 0,
        "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}});
    let row = json!({"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Is it "}, {"type": "text", "text": "warm?"}], "name": "Kim"},
        {"role": "assistant", "content": "Let me look.", "reasoning_content": "No idea.", "tool_calls": [call], "weight": 0},
        {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"},
        {"role": "assistant", "content": "No.", "refusal": "none"},
    ], "tools": [{"type": "function", "function": {"name": "weather"}}], "conversations": 1, "text": 2});
    let losses = |to: &str| {
        let mut losses = convert("openai", to, &row).unwrap().1;
        losses.sort();
        losses.dedup();
        losses.into_iter().map(|(field, outcome)| format!("{field}: {outcome}")).collect::<Vec<_>>()
    };
    assert_eq!(
        losses("sharegpt"),
        [
            "conversations: dropped: the format has another field of this name",
            "messages[].content: beside tool_calls: became a turn of its own",
            "messages[].content[]: parts joined to one text",
            "messages[].reasoning_content: moved into the text, between <think> and </think>",
            "messages[].tool_call_id: dropped",
            "messages[].tool_calls[].id: dropped",
            "messages[].tool_calls[].index: dropped",
            "messages[role=developer]: became system",
        ]
    );
    assert_eq!(
        losses("chatml"),
        [
            "messages[].content[]: parts joined to one text",
            "messages[].name: dropped",
            "messages[].reasoning_content: moved into the text, between <think> and </think>",
            "messages[].refusal: dropped",
            "messages[].tool_call_id: dropped",
            "messages[].tool_calls[].id: dropped",
            "messages[].tool_calls[].index: dropped",
            "messages[].weight: dropped",
            "messages[role=developer]: became system",
            "text: dropped: the format has another field of this name",
        ]
    );
    assert_eq!(losses("openai"), [""; 0]);
    assert_eq!(losses("trl"), [""; 0]);
    assert!(convert("openai", "alpaca", &row).is_err());
}
