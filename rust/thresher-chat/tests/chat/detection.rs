//! Finding out which format rows have.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use thresher_chat::{NAMES, choose, detect};
use thresher_core::json::Json;

use crate::laws::config;
use crate::strategies::rows_of;

fn chosen(rows: &[Value]) -> Result<&'static str, String> {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let fits = detect(lines.iter().map(|line| Json::parse(line).unwrap()));
    choose(&fits, rows.len() as u64).map_err(|error| error.to_string())
}

/// What rows of a format may be taken for by rule: rows without what makes it narrower are of the wider one.
fn wider(name: &str) -> Option<&'static str> {
    match name {
        "hermes" => Some("sharegpt"),
        "trl" => Some("openai"),
        _ => None,
    }
}

fn datasets() -> impl Strategy<Value = (&'static str, Vec<Value>)> {
    let name = proptest::sample::select(NAMES.to_vec());
    name.prop_flat_map(|name| (Just(name), vec(rows_of(name), 12..40)))
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn rows_of_a_format_are_detected_or_refused_with_it_among_the_candidates((name, rows) in datasets()) {
        match chosen(&rows) {
            Ok(found) => prop_assert!(found == name || Some(found) == wider(name), "{name} was taken for {found}: {rows:?}"),
            Err(message) => prop_assert!(message.contains(&format!("`{name}`")), "{name}: {message}"),
        }
    }
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[test]
fn each_format_is_told_by_its_fields() {
    let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    for (name, row) in [
        ("alpaca", json!({"instruction": "q", "input": "", "output": "a", "text": "all of it"})),
        ("alpaca", json!({"instruction": "q", "chosen": "a", "rejected": "b"})),
        ("query-response", json!({"query": "q", "response": "a"})),
        ("prompt-completion", json!({"prompt": "q", "completion": "a"})),
        ("prompt-completion", json!({"prompt": "q", "completion": "a", "label": true})),
        ("prompt-completion", json!({"prompt": "q"})),
        ("prompt-completion", json!({"prompt": "q", "chosen": "a", "rejected": "b"})),
        ("prompt-completion", json!({"chosen": "a", "rejected": "b"})),
        ("sharegpt", json!({"conversations": [{"from": "human", "value": "q"}]})),
        ("sharegpt", json!({"conversation": [user("q")]})),
        ("sharegpt", json!({"items": [{"from": "human", "value": "<tools> are useful"}]})),
        (
            "hermes",
            json!({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": call}]}),
        ),
        (
            "hermes",
            json!({"conversations": [{"from": "system", "value": "<tools>[]</tools>"}, {"from": "human", "value": "q"}]}),
        ),
        ("openai", json!({"messages": [user("q")]})),
        ("openai", json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]})),
        ("trl", json!({"prompt": [user("q")]})),
        ("trl", json!({"prompt": [user("q")], "completion": [{"role": "assistant", "content": "a"}]})),
        ("trl", json!({"chosen": [user("q")], "rejected": [user("q")]})),
        ("chatml", json!({"text": "<|im_start|>user\nq<|im_end|>\n"})),
        ("text", json!({"text": "Once upon a time"})),
        ("conversation", json!({"thresher_conversation": 1, "messages": [user("q")]})),
    ] {
        assert_eq!(chosen(std::slice::from_ref(&row)), Ok(name), "{row}");
    }
}

#[test]
fn some_rows_with_xml_make_all_of_them_hermes() {
    let plain = json!({"conversations": [{"from": "human", "value": "q"}]});
    let call =
        json!({"conversations": [{"from": "gpt", "value": "<tool_call>{\"name\": \"f\"}</tool_call>"}]});
    let mut rows = vec![plain; 50];
    assert_eq!(chosen(&rows), Ok("sharegpt"));
    rows.push(call);
    assert_eq!(chosen(&rows), Ok("hermes"));
}

#[test]
fn rows_that_fit_two_formats_are_refused_with_both_named() {
    let both = json!({"instruction": "q", "output": "a", "conversations": [{"from": "human", "value": "q"}]});
    let message = chosen(&[both]).unwrap_err();
    for part in
        ["several formats", "`alpaca` (100 % of the rows)", "`sharegpt` (100 % of the rows)", "`from`"]
    {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_mixture_is_refused_and_a_few_strange_rows_are_not() {
    let (alpaca, openai) = (json!({"instruction": "q", "output": "a"}), json!({"messages": [user("q")]}));
    let mixed = |first: usize, second: usize| {
        let mut rows = vec![alpaca.clone(); first];
        rows.extend(vec![openai.clone(); second]);
        rows
    };
    let message = chosen(&mixed(10, 10)).unwrap_err();
    assert!(message.contains("`alpaca` (50 % of the rows), `openai` (50 % of the rows)"), "{message}");
    assert!(chosen(&mixed(11, 10)).is_err());
    assert_eq!(chosen(&mixed(19, 1)), Ok("alpaca"));
}

#[test]
fn rows_of_no_format_count() {
    let (alpaca, other) = (json!({"instruction": "q", "output": "a"}), json!({"title": "t"}));
    let mut rows = vec![alpaca; 4];
    rows.extend(vec![other.clone(); 6]);
    let message = chosen(&rows).unwrap_err();
    assert!(
        message.contains("no format fits half of the rows") && message.contains("`alpaca` (40 %"),
        "{message}"
    );
    assert!(chosen(&[other]).unwrap_err().contains("none of the 1 rows"));
    assert!(chosen(&[]).unwrap_err().contains("no row"));
}

#[test]
fn empty_rows_are_refused_with_what_they_may_be() {
    let message = chosen(&[json!({"conversations": []})]).unwrap_err();
    assert!(message.contains("too empty") && message.contains("`sharegpt`"), "{message}");
    let message = chosen(&[json!({"instruction": "q"})]).unwrap_err();
    assert!(message.contains("`alpaca`"), "{message}");
    // Beside rows that tell, they are rows of that format.
    let rows = [json!({"conversations": []}), json!({"conversations": [{"from": "human", "value": "q"}]})];
    assert_eq!(chosen(&rows), Ok("sharegpt"));
}
