//! Formats described by the dataset entries of other trainers.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use thresher_chat::{Converter, Format, RowLosses};
use thresher_core::json::Json;

use crate::laws::{any_rows, check_no_silent_loss, check_round_trip_of, config};
use crate::meaning::{format, meaning};
use crate::strategies::{flat, openai, sharegpt};

fn mapped(mapping: &Value) -> Format {
    Format::from_mapping(Json::parse(&mapping.to_string()).unwrap()).unwrap()
}

fn refused(mapping: &Value) -> String {
    Format::from_mapping(Json::parse(&mapping.to_string()).unwrap()).unwrap_err().to_string()
}

/// A row of `from` as one of `to`, and the fields that it lost.
fn converted(from: &Format, to: &Format, row: &Value) -> (Value, Vec<String>) {
    let (mut out, mut losses) = (String::new(), RowLosses::default());
    let converter = Converter { from: from.clone(), to: to.clone() };
    converter.convert(Json::parse(&row.to_string()).unwrap(), &mut out, &mut losses).unwrap();
    (serde_json::from_str(&out).unwrap(), losses.iter().map(|(field, _)| field.to_owned()).collect())
}

/// The row with other keys at its top, and other keys and roles in its turns.
fn renamed(row: &Value, top: &[(&str, &str)], keys: &[(&str, &str)], roles: &[(&str, &str)]) -> Value {
    let pick = |names: &[(&str, &str)], name: &str| {
        names.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new).to_owned()
    };
    let turn = |turn: &Value| -> Value {
        let members = turn.as_object().unwrap().iter().map(|(key, value)| {
            let is_role = key == "from" || key == "role";
            let value = match value.as_str() {
                Some(role) if is_role => json!(pick(roles, role)),
                _ => value.clone(),
            };
            (pick(keys, key), value)
        });
        Value::Object(members.collect())
    };
    let members = row.as_object().unwrap().iter().map(|(key, value)| {
        let is_turns = ["conversations", "messages", "chosen", "rejected"].contains(&key.as_str());
        let value = match value {
            Value::Array(list) if is_turns => list.iter().map(turn).collect(),
            Value::Object(_) if is_turns => turn(value),
            _ => value.clone(),
        };
        (pick(top, key), value)
    });
    Value::Object(members.collect::<Map<_, _>>())
}

/// A mapping, rows under it, and the format that they are of without it.
fn mapped_rows() -> impl Strategy<Value = (Value, Value, &'static str, Value)> {
    let factory = json!({
        "file_name": "a.json", "formatting": "sharegpt", "ranking": true,
        "columns": {"messages": "dialog", "system": "scene", "tools": "functions", "chosen": "good", "rejected": "bad", "kto_tag": "liked"},
        "tags": {"role_tag": "speaker", "content_tag": "says", "user_tag": "Q", "assistant_tag": "A",
                 "observation_tag": "R", "function_tag": "CALL", "system_tag": "S"},
    });
    let turns = sharegpt().prop_map(move |row| {
        let top = [
            ("conversations", "dialog"),
            ("system", "scene"),
            ("tools", "functions"),
            ("chosen", "good"),
            ("rejected", "bad"),
            ("kto_tag", "liked"),
        ];
        let roles =
            [("human", "Q"), ("gpt", "A"), ("observation", "R"), ("function_call", "CALL"), ("system", "S")];
        (
            factory.clone(),
            renamed(&row, &top, &[("from", "speaker"), ("value", "says")], &roles),
            "sharegpt",
            row,
        )
    });
    let axolotl = json!({
        "path": "a", "type": "chat_template", "field_messages": "talk", "field_tools": "functions",
        "message_property_mappings": {"role": "who", "content": "what"}, "message_field_training": "learn",
        "roles": {"user": ["u", "user"], "assistant": ["a"], "tool": ["t"]},
    });
    let messages = openai().prop_map(move |row| {
        let top = [("messages", "talk"), ("tools", "functions")];
        let keys = [("role", "who"), ("content", "what"), ("weight", "learn")];
        let roles = [("user", "u"), ("assistant", "a"), ("tool", "t")];
        (axolotl.clone(), renamed(&row, &top, &keys, &roles), "openai", row)
    });
    let entry = json!({
        "columns": {"prompt": "ask", "query": "more", "response": "say", "history": "past", "system": "scene"},
    });
    let exchanges = flat("instruction", true, "output", true, false).prop_map(move |row| {
        let top = [
            ("instruction", "ask"),
            ("input", "more"),
            ("output", "say"),
            ("history", "past"),
            ("system", "scene"),
        ];
        (entry.clone(), renamed(&row, &top, &[], &[]), "alpaca", row)
    });
    prop_oneof![turns, messages, exchanges]
}

proptest! {
    #![proptest_config(config(1024))]

    #[test]
    fn nothing_is_lost_to_a_mapping_without_a_word((name, row) in any_rows(), (mapping, mapped_row, _, _) in mapped_rows()) {
        check_no_silent_loss(&format(name), &mapped(&mapping), &row)?;
        check_no_silent_loss(&mapped(&mapping), &format(name), &mapped_row)?;
    }

    #[test]
    fn rows_under_a_mapping_come_back((mapping, row, _, _) in mapped_rows()) {
        check_round_trip_of(&mapped(&mapping), &row)?;
    }

    #[test]
    fn a_mapping_says_what_its_names_say((mapping, row, usual, same_row) in mapped_rows()) {
        let (line, usual_line) = (row.to_string(), same_row.to_string());
        let read = mapped(&mapping).read(Json::parse(&line).unwrap()).unwrap();
        let usual_read = format(usual).read(Json::parse(&usual_line).unwrap()).unwrap();
        prop_assert_eq!(meaning(&read)["messages"].clone(), meaning(&usual_read)["messages"].clone());
        let to = format(if usual == "openai" { "trl" } else { "openai" });
        let (mut out, mut usual_out) = (String::new(), String::new());
        let done = to.write(&read, &mut out, &mut RowLosses::default()).is_ok();
        prop_assert_eq!(done, to.write(&usual_read, &mut usual_out, &mut RowLosses::default()).is_ok());
        if done {
            let messages = |text: &str| serde_json::from_str::<Value>(text).unwrap()["messages"].clone();
            prop_assert_eq!(messages(&out), messages(&usual_out));
        }
    }
}

/// One documented field each: its name, the mapping, a row, the same row for `OpenAI`.
type FieldCase = (&'static str, Value, Value, Value);

fn check_fields(cases: impl IntoIterator<Item = FieldCase>) {
    for (field, mapping, row, expected) in cases {
        let from = mapped(&mapping);
        assert_eq!(converted(&from, &format("openai"), &row).0, expected, "{field}");
        assert_eq!(converted(&from, &from, &row), (row, Vec::new()), "{field}");
    }
}

fn ask() -> Value {
    json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}])
}

#[test]
fn every_field_of_llama_factory_is_read() {
    let ask = ask();
    let factory = |columns: Value| json!({"columns": columns});
    let sharegpt =
        |columns: Value, tags: Value| json!({"formatting": "sharegpt", "columns": columns, "tags": tags});
    let cases = [
        (
            "nothing",
            json!({"file_name": "a"}),
            json!({"instruction": "q", "output": "a"}),
            json!({"messages": ask}),
        ),
        (
            "prompt, response",
            factory(json!({"prompt": "p", "response": "r"})),
            json!({"p": "q", "r": "a"}),
            json!({"messages": ask}),
        ),
        (
            "query",
            factory(json!({"prompt": "p", "query": "more", "response": "r"})),
            json!({"p": "q", "more": "m", "r": "a"}),
            json!({"messages": [{"role": "user", "content": "q\nm"}, {"role": "assistant", "content": "a"}]}),
        ),
        (
            "system",
            factory(json!({"prompt": "p", "response": "r", "system": "s"})),
            json!({"p": "q", "r": "a", "s": "be"}),
            json!({"messages": [{"role": "system", "content": "be"}, ask[0], ask[1]]}),
        ),
        (
            "history",
            factory(json!({"prompt": "p", "response": "r", "history": "h"})),
            json!({"p": "q2", "r": "a2", "h": [["q", "a"]]}),
            json!({"messages": [ask[0], ask[1], {"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2"}]}),
        ),
        (
            "tools",
            factory(json!({"prompt": "p", "response": "r", "tools": "t"})),
            json!({"p": "q", "r": "a", "t": "[{\"name\":\"f\"}]"}),
            json!({"messages": ask, "tools": [{"type": "function", "function": {"name": "f"}}]}),
        ),
        (
            "images",
            factory(json!({"prompt": "p", "response": "r", "images": "i"})),
            json!({"p": "q", "r": "a", "i": ["1.png"]}),
            json!({"messages": ask, "i": ["1.png"]}),
        ),
        (
            "messages",
            sharegpt(json!({"messages": "m"}), json!({})),
            json!({"m": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "role_tag, content_tag",
            sharegpt(json!({}), json!({"role_tag": "r", "content_tag": "c"})),
            json!({"conversations": [{"r": "human", "c": "q"}, {"r": "gpt", "c": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "user_tag, assistant_tag",
            sharegpt(json!({}), json!({"user_tag": "Q:", "assistant_tag": "A:"})),
            json!({"conversations": [{"from": "Q:", "value": "q"}, {"from": "A:", "value": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "observation_tag",
            sharegpt(json!({}), json!({"observation_tag": "seen"})),
            json!({"conversations": [{"from": "seen", "value": "1"}]}),
            json!({"messages": [{"role": "tool", "content": "1"}]}),
        ),
        (
            "function_tag",
            sharegpt(json!({}), json!({"function_tag": "do"})),
            json!({"conversations": [{"from": "do", "value": "{\"name\":\"f\"}"}]}),
            json!({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f"}}]}]}),
        ),
        (
            "system_tag",
            sharegpt(json!({}), json!({"system_tag": "scene"})),
            json!({"conversations": [{"from": "scene", "value": "be"}]}),
            json!({"messages": [{"role": "system", "content": "be"}]}),
        ),
        (
            "formatting openai",
            json!({"formatting": "openai", "columns": {"messages": "messages"}}),
            json!({"messages": ask}),
            json!({"messages": ask}),
        ),
        (
            "a whole dataset_info.json",
            json!({"mine": {"file_name": "a"}}),
            json!({"instruction": "q", "output": "a"}),
            json!({"messages": ask}),
        ),
    ];
    check_fields(cases);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_field_of_axolotl_is_read() {
    let ask = ask();
    let axolotl = |more: Value| {
        let mut entry = json!({"path": "x", "type": "chat_template"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let weighted =
        |role: &str, weight: Value| json!({"messages": [{"role": role, "content": "q", "weight": weight}]});
    let cases = [
        ("chat_template", axolotl(json!({})), json!({"messages": ask}), json!({"messages": ask})),
        (
            "field_messages",
            axolotl(json!({"field_messages": "m"})),
            json!({"m": ask}),
            json!({"messages": ask}),
        ),
        (
            "message_property_mappings",
            axolotl(json!({"message_property_mappings": {"role": "from", "content": "value"}})),
            json!({"messages": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "message_field_role, message_field_content",
            axolotl(json!({"message_field_role": "from", "message_field_content": "value"})),
            json!({"messages": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "roles",
            axolotl(json!({"roles": {"user": ["me"], "assistant": ["it", "bot"]}})),
            json!({"messages": [{"role": "me", "content": "q"}, {"role": "it", "content": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "message_field_training",
            axolotl(json!({"message_field_training": "learn"})),
            json!({"messages": [{"role": "user", "content": "q", "learn": true}]}),
            weighted("user", json!(true)),
        ),
        (
            "message_field_training_detail",
            axolotl(json!({"message_field_training_detail": "spans"})),
            json!({"messages": [{"role": "user", "content": "q", "spans": [1]}]}),
            json!({"messages": [{"role": "user", "content": "q", "spans": [1]}]}),
        ),
        (
            "roles_to_train without the assistant",
            axolotl(json!({"roles_to_train": []})),
            json!({"messages": [{"role": "assistant", "content": "q"}]}),
            weighted("assistant", json!(0)),
        ),
        (
            "roles_to_train with the user",
            axolotl(json!({"roles_to_train": ["user", "assistant"]})),
            json!({"messages": [{"role": "user", "content": "q"}]}),
            weighted("user", json!(1)),
        ),
        (
            "field_system",
            axolotl(json!({"field_system": "s"})),
            json!({"messages": ask, "s": "be"}),
            json!({"messages": [{"role": "system", "content": "be"}, ask[0], ask[1]]}),
        ),
        (
            "field_tools",
            axolotl(json!({"field_tools": "f"})),
            json!({"messages": ask, "f": [{"name": "f"}]}),
            json!({"messages": ask, "tools": [{"type": "function", "function": {"name": "f"}}]}),
        ),
        (
            "field_thinking",
            axolotl(json!({"field_thinking": "hm"})),
            json!({"messages": [{"role": "assistant", "content": "a", "hm": "so"}]}),
            json!({"messages": [{"role": "assistant", "content": "a", "reasoning_content": "so"}]}),
        ),
        (
            "type sharegpt",
            json!({"type": "sharegpt"}),
            json!({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}),
            json!({"messages": ask}),
        ),
        (
            "type alpaca",
            json!({"type": "alpaca:phi"}),
            json!({"instruction": "q", "output": "a"}),
            json!({"messages": ask}),
        ),
        (
            "type gpteacher",
            json!({"type": "gpteacher"}),
            json!({"instruction": "q", "response": "a"}),
            json!({"messages": ask}),
        ),
        (
            "type oasst",
            json!({"type": "oasst"}),
            json!({"INSTRUCTION": "q", "RESPONSE": "a"}),
            json!({"messages": ask}),
        ),
        (
            "type of fields",
            json!({"type": {"field_instruction": "i", "field_output": "o", "field_system": "s", "system_prompt": ""}}),
            json!({"i": "q", "o": "a"}),
            json!({"messages": ask}),
        ),
    ];
    check_fields(cases);
}

#[test]
fn variants_of_a_mapping_are_variants() {
    let factory =
        mapped(&json!({"ranking": true, "columns": {"prompt": "p", "chosen": "good", "rejected": "bad"}}));
    let (row, losses) = converted(&factory, &format("trl"), &json!({"p": "q", "good": "yes", "bad": "no"}));
    let answer = |text: &str| json!([{"role": "assistant", "content": text}]);
    assert_eq!(
        row,
        json!({"prompt": [{"role": "user", "content": "q"}], "chosen": answer("yes"), "rejected": answer("no")})
    );
    assert!(losses.is_empty());
    let liked = mapped(&json!({"columns": {"prompt": "p", "response": "r", "kto_tag": "liked"}}));
    let (row, _) = converted(&liked, &format("trl"), &json!({"p": "q", "r": "a", "liked": false}));
    assert_eq!(row["label"], json!(false));
    let axolotl = mapped(
        &json!({"path": "x", "type": "chat_template.default", "field_chosen": "good", "field_rejected": "bad"}),
    );
    let turn = json!({"role": "assistant", "content": "yes"});
    let (row, _) = converted(&axolotl, &format("trl"), &json!({"messages": [], "good": turn, "bad": [turn]}));
    assert_eq!(row, json!({"chosen": [turn], "rejected": [turn]}));
}

#[test]
fn rows_are_written_under_a_mapping() {
    let row = json!({"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "content": "1"},
    ], "tools": [{"name": "f"}]});
    let to = mapped(&json!({"formatting": "sharegpt", "columns": {"messages": "m", "tools": "t"},
        "tags": {"role_tag": "r", "content_tag": "c", "user_tag": "Q", "function_tag": "CALL", "observation_tag": "SEEN"}}));
    let expected = json!({"m": [
        {"r": "Q", "c": "q"},
        {"r": "CALL", "c": "{\"name\": \"f\", \"arguments\": {\"a\":1}}"},
        {"r": "SEEN", "c": "1"},
    ], "t": "[{\"name\":\"f\"}]"});
    assert_eq!(converted(&format("openai"), &to, &row), (expected, Vec::new()));
    let without = mapped(&json!({"formatting": "sharegpt"}));
    assert_eq!(converted(&format("openai"), &without, &row).1, ["tools"]);
}

#[test]
fn two_mappings_are_two_formats() {
    let [one, two] =
        ["p", "ask"].map(|prompt| mapped(&json!({"columns": {"prompt": prompt, "response": "r"}})));
    assert_ne!(one.name(), two.name());
    assert_eq!(converted(&one, &two, &json!({"p": "q", "r": "a"})).0, json!({"ask": "q", "r": "a"}));
}

#[test]
fn a_wrong_mapping_is_refused_with_what_is_allowed() {
    for (mapping, parts) in [
        (json!([]), vec!["an array", "an object"]),
        (json!({"x": 1}), vec!["neither", "`columns`", "`field_messages`"]),
        (json!({"a": {"file_name": "a"}, "b": {"file_name": "b"}}), vec!["several datasets", "`a`, `b`"]),
        (json!({"columns": {"promt": "p"}}), vec!["`promt` is unknown in `columns`", "`prompt`"]),
        (json!({"columns": {"prompt": 1}}), vec!["`prompt` in `columns` is `1`", "a string"]),
        (json!({"columns": {"prompt": "a", "response": "a"}}), vec!["names `a` for two things"]),
        (json!({"formatting": "chat"}), vec!["`formatting` is `chat`", "`sharegpt`"]),
        (json!({"ranking": true}), vec!["`chosen` and `rejected`"]),
        (json!({"ranking": "yes"}), vec!["`ranking`", "true or false"]),
        (json!({"tags": {"human": "x"}}), vec!["`human` is unknown in `tags`", "`user_tag`"]),
        (
            json!({"formatting": "sharegpt", "tags": {"user_tag": "x", "assistant_tag": "x"}}),
            vec!["names `x` for two things"],
        ),
        (
            json!({"path": "x", "type": "completion"}),
            vec!["`completion`", "no conversations", "`chat_template`"],
        ),
        (json!({"path": "x", "type": "input_output"}), vec!["`input_output`", "no conversations"]),
        (json!({"path": "x", "type": "pygmalion"}), vec!["`pygmalion`", "`alpaca`"]),
        (json!({"path": "x", "field_message": "m"}), vec!["`field_message` is unknown", "`field_messages`"]),
        (json!({"path": "x", "message_property_mappings": {"rol": "r"}}), vec!["`rol` is unknown"]),
        (json!({"path": "x", "roles": {"human": ["u"]}}), vec!["`human` is unknown", "`user`"]),
        (
            json!({"path": "x", "roles": {"user": ["u"], "assistant": ["u"]}}),
            vec!["names `u` for two things"],
        ),
        (json!({"path": "x", "roles_to_train": ["nobody"]}), vec!["`nobody`", "`assistant`"]),
        (json!({"path": "x", "drop_system_message": true}), vec!["`drop_system_message`"]),
        (json!({"path": "x", "field_chosen": "c"}), vec!["`field_rejected`"]),
        (json!({"type": {"system_prompt": "Be kind."}}), vec!["`system_prompt`"]),
    ] {
        let message = refused(&mapping);
        for part in parts {
            assert!(message.contains(part), "{mapping}: {message}");
        }
    }
}
