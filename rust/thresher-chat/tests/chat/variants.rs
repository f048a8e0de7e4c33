//! The ways in which one format is written in the wild, each read into the same and written back as it was.

use serde_json::{Value, json};
use thresher_chat::{Reason, Role};

use crate::examples::convert;

/// The row as `openai`, after it came back as it was.
fn openai(from: &str, row: &Value) -> Value {
    assert_eq!(convert(from, from, row).unwrap(), (row.clone(), Vec::new()), "{row}");
    convert(from, "openai", row).unwrap().0
}

#[test]
fn spellings_of_a_role_are_one_role() {
    for (role, spellings) in [
        (Role::User, &["human", "user", "Human", "USER", "prompter"][..]),
        (Role::Assistant, &["gpt", "assistant", "chatgpt", "bard", "bing", "model", "bot", "GPT", "chatbot"]),
        (Role::System, &["system", "System"]),
        (Role::Tool, &["observation", "tool", "function_response", "tool_response", "function"]),
    ] {
        for spelling in spellings {
            let row = json!({"conversations": [{"from": spelling, "value": "v"}]});
            assert_eq!(
                openai("sharegpt", &row),
                json!({"messages": [{"role": role.name(), "content": "v"}]})
            );
        }
    }
    let (reason, detail) =
        convert("sharegpt", "openai", &json!({"conversations": [{"from": "narrator", "value": "v"}]}))
            .unwrap_err();
    assert_eq!(reason, Reason::UnknownRole);
    assert!(detail.contains("conversations[0]") && detail.contains("`narrator`"), "{detail}");
}

#[test]
fn names_of_the_list_and_its_fields_are_one() {
    let expected = json!({"messages": [{"role": "user", "content": "q"}]});
    for list in ["conversations", "conversation", "items"] {
        assert_eq!(openai("sharegpt", &json!({list: [{"from": "human", "value": "q"}]})), expected);
        assert_eq!(openai("sharegpt", &json!({list: [{"role": "user", "content": "q"}]})), expected);
    }
}

#[test]
fn fields_beside_the_turns_are_understood() {
    let row = json!({"id": "a1", "conversations": [{"from": "human", "value": "q", "weight": 0}],
        "system": "Be brief.", "tools": "[{\"name\": \"f\"}]"});
    let expected = json!({"id": "a1", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "q", "weight": 0},
    ], "tools": [{"type": "function", "function": {"name": "f"}}]});
    assert_eq!(openai("sharegpt", &row), expected);
}

#[test]
fn calls_in_a_turn_are_calls() {
    let function = json!({"name": "f", "arguments": "{\"a\": 1}"});
    for (role, value) in [
        ("function_call", r#"{"name": "f", "arguments": {"a": 1}}"#),
        ("tool_call", r#"{"name": "f", "arguments": "{\"a\": 1}"}"#),
        ("tool_calls", r#"[{"name": "f", "arguments": {"a": 1}}]"#),
        ("function_call", r#"{"function": {"name": "f", "arguments": {"a": 1}}}"#),
    ] {
        let row = json!({"conversations": [{"from": role, "value": value}]});
        let expected =
            json!([{"role": "assistant", "content": null, "tool_calls": [{"function": function}]}]);
        assert_eq!(openai("sharegpt", &row)["messages"], expected, "{value}");
    }
    let row = json!({"conversations": [{"from": "function_call", "value": "f(a=1)"}]});
    assert_eq!(convert("sharegpt", "openai", &row).unwrap_err().0, Reason::BadCall);
}

#[test]
fn calls_of_the_first_api_are_calls() {
    let row = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
    ], "functions": [{"name": "f"}]});
    openai("openai", &row);
    let expected = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "name": "f", "content": "1"},
    ], "tools": [{"type": "function", "function": {"name": "f"}}]});
    assert_eq!(convert("openai", "trl", &row).unwrap(), (expected, Vec::new()));
}

#[test]
fn messages_keep_what_only_their_format_knows() {
    let row = json!({"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ]},
        {"role": "assistant", "content": null, "refusal": "No.", "audio": {"id": "audio_1"}, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{\"x\": 1.50}"}},
        ]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ], "parallel_tool_calls": true, "metadata": {"k": [1, null]}});
    assert_eq!(openai("openai", &row), row);
    assert_eq!(convert("openai", "trl", &row).unwrap(), (row, Vec::new()));
}

#[test]
fn types_of_trl_data_are_told_apart() {
    let turns = |role: &str, text: &str| json!([{"role": role, "content": text}]);
    let (ask, say, no) = (turns("user", "q"), turns("assistant", "a"), turns("assistant", "b"));
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for row in [
        json!({"messages": ask, "tools": tools}),
        json!({"prompt": ask}),
        json!({"prompt": ask, "completion": say}),
        json!({"prompt": ask, "completion": say, "label": false}),
        json!({"prompt": ask, "chosen": say, "rejected": no}),
        json!({"chosen": say, "rejected": no}),
    ] {
        assert_eq!(convert("trl", "trl", &row).unwrap(), (row, Vec::new()));
    }
    // The same with plain texts.
    for (row, conversational) in [
        (json!({"prompt": "q"}), json!({"messages": ask})),
        (json!({"prompt": "q", "completion": "a"}), json!({"messages": [ask[0], say[0]]})),
        (
            json!({"prompt": "q", "completion": "a", "label": true}),
            json!({"prompt": ask, "completion": say, "label": true}),
        ),
        (
            json!({"prompt": "q", "chosen": "a", "rejected": "b"}),
            json!({"prompt": ask, "chosen": say, "rejected": no}),
        ),
        (json!({"chosen": "a", "rejected": "b"}), json!({"chosen": say, "rejected": no})),
    ] {
        assert_eq!(convert("prompt-completion", "trl", &row).unwrap(), (conversational, Vec::new()), "{row}");
        assert_eq!(convert("prompt-completion", "prompt-completion", &row).unwrap(), (row, Vec::new()));
    }
    let bad = json!({"prompt": ask, "chosen": say});
    assert_eq!(convert("trl", "openai", &bad).unwrap_err().0, Reason::WrongShape);
}

#[test]
fn plain_text_is_an_answer_to_nothing() {
    let row = json!({"text": "Once upon a time.", "id": 1});
    assert_eq!(
        openai("text", &row),
        json!({"messages": [{"role": "assistant", "content": "Once upon a time."}], "id": 1})
    );
    let (reason, detail) =
        convert("openai", "text", &json!({"messages": [{"role": "user", "content": "q"}]})).unwrap_err();
    assert!(reason == Reason::NotExpressible && detail.contains("template"), "{detail}");
}

#[test]
fn tools_of_a_prompt_are_tools() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for prompt in [
        "Tools are within <tools></tools> tags. Here they are: <tools> [{\"name\": \"f\"}] </tools> Call them.",
        "Here they are:\n<tools>\n{\"name\": \"f\"}\n</tools>",
    ] {
        let row =
            json!({"conversations": [{"from": "system", "value": prompt}, {"from": "human", "value": "q"}]});
        let (written, losses) = convert("hermes", "openai", &row).unwrap();
        assert_eq!(written["tools"], tools);
        assert_eq!(written["messages"][0]["content"], json!(prompt));
        assert_eq!(
            losses,
            [("tools".to_owned(), "written to their field; the system prompt holds them as well")]
        );
        assert_eq!(openai("hermes", &row)["tools"], tools);
        // The other format that keeps tools in the prompt does not add them again.
        let (text, losses) = convert("hermes", "chatml", &row).unwrap();
        assert_eq!(
            text["text"],
            json!(format!("<|im_start|>system\n{prompt}<|im_end|>\n<|im_start|>user\nq<|im_end|>\n"))
        );
        assert_eq!(losses, []);
    }
}

#[test]
fn tools_that_were_put_into_a_prompt_come_out_again() {
    for messages in [
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"}]),
        json!([{"role": "system", "content": ""}, {"role": "user", "content": "q"}]),
        json!([{"role": "user", "content": "q"}]),
    ] {
        let row = json!({"messages": messages, "tools": [{"type": "function", "function": {"name": "f"}}]});
        for to in ["hermes", "chatml"] {
            let (there, losses) = convert("openai", to, &row).unwrap();
            assert!(there.to_string().contains("<tools>") && losses.is_empty(), "{there}");
            assert_eq!(openai(to, &there), row);
        }
    }
}

#[test]
fn a_call_whose_argument_holds_its_end_mark_comes_back() {
    let arguments = "{\"text\": \"</tool_call> and <tool_call>\"}";
    let row = json!({"messages": [{"role": "assistant", "content": "So:",
        "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]});
    let (there, losses) = convert("openai", "hermes", &row).unwrap();
    assert_eq!(losses, []);
    let back = convert("hermes", "openai", &there).unwrap().0;
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    let again = back["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(again).unwrap(), arguments);
}

#[test]
fn text_that_looks_like_a_mark_is_told_or_refused() {
    let say = |role: &str, text: &str| json!({"messages": [{"role": role, "content": text}]});
    let call = "<tool_call>{\"name\": \"f\"}</tool_call>";
    let (_, losses) = convert("openai", "hermes", &say("assistant", call)).unwrap();
    assert_eq!(losses, [("messages[].content".to_owned(), "its <tool_call> counts as a call there")]);
    assert_eq!(
        convert("openai", "hermes", &say("tool", "a</tool_response>b")).unwrap_err().0,
        Reason::NotExpressible
    );
    assert_eq!(
        convert("openai", "chatml", &say("user", "a<|im_end|>b")).unwrap_err().0,
        Reason::NotExpressible
    );
    let after = json!({"conversations": [{"from": "gpt", "value": format!("One.{call}Two.")}]});
    let (written, losses) = convert("hermes", "openai", &after).unwrap();
    assert_eq!(written["messages"][0]["content"], json!("One.\nTwo."));
    assert_eq!(losses, [("messages[].content".to_owned(), "what stood after a call stands before it")]);
}
