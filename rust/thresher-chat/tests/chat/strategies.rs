//! Rows of every format, with what people put into them.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value, json};
use thresher_chat::{Converter, NAMES, RowLosses};
use thresher_core::json::Json;

use crate::meaning::format;

pub(crate) type Rows = BoxedStrategy<Value>;

pub(crate) fn text() -> Rows {
    let odd = [
        "",
        "a \"quoted\" \\ line\nand\ttab",
        "<think>\nhm\n</think>\n\nyes",
        "<tool_call>",
        "</tool_response>",
        "\u{1f600}\u{0}\u{7f}\u{2028}",
        "  spaces  ",
        "<|im_start|>",
        "{\"name\": 1}",
    ];
    let odd = Union::new(odd.map(Just)).prop_map(Value::from);
    prop_oneof![6 => "[a-zA-Z \u{e4}\u{4e2d}.,!?\n\"\\\\]{0,24}".prop_map(Value::from), 1 => odd].boxed()
}

pub(crate) fn words() -> Rows {
    "[a-z\u{e4}]{1,8}( [a-z\u{4e2d}]{1,6}){0,4}".prop_map(Value::from).boxed()
}

pub(crate) fn any_json() -> Rows {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text()
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z]{1,4}", inner), 0..3).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
    .boxed()
}

/// An object of the given fields; those without a value are left out.
pub(crate) fn object(fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> Rows {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values
        .prop_map(move |values| {
            let pairs =
                names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(pairs.collect())
        })
        .boxed()
}

pub(crate) fn always(value: Rows) -> BoxedStrategy<Option<Value>> {
    value.prop_map(Some).boxed()
}

pub(crate) fn maybe(value: Rows) -> BoxedStrategy<Option<Value>> {
    option::weighted(0.3, value).boxed()
}

fn null_or(value: Rows) -> Rows {
    prop_oneof![1 => Just(Value::Null), 4 => value].boxed()
}

/// A row with some fields that no format knows.
pub(crate) fn with_extra(row: Rows) -> Rows {
    (row, vec(("x_[a-z]{1,4}", any_json()), 0..3))
        .prop_map(|(mut row, extra)| {
            row.as_object_mut().unwrap().extend(extra);
            row
        })
        .boxed()
}

fn arguments() -> Rows {
    vec(("[a-z]{1,5}", any_json()), 0..3).prop_map(|pairs| Value::Object(pairs.into_iter().collect())).boxed()
}

fn openai_call() -> Rows {
    let as_string = arguments().prop_map(|value| Value::from(value.to_string()));
    let function = object(vec![
        ("name", always(words())),
        ("arguments", maybe(prop_oneof![4 => as_string, 1 => arguments()].boxed())),
        ("parsed", maybe(any_json())),
    ]);
    object(vec![
        ("id", maybe(words())),
        ("type", maybe(Just(json!("function")).boxed())),
        ("function", always(function)),
        ("index", maybe(any::<u8>().prop_map(Value::from).boxed())),
    ])
}

fn parts() -> Rows {
    let part = prop_oneof![
        text().prop_map(|text| json!({"type": "text", "text": text})),
        Just(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})),
        Just(json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}})),
    ];
    vec(part, 0..3).prop_map(Value::from).boxed()
}

pub(crate) fn openai_message() -> Rows {
    let common = |role: &'static str| {
        vec![
            ("role", always(Just(json!(role)).boxed())),
            ("content", always(null_or(prop_oneof![5 => text(), 1 => parts()].boxed()))),
            ("name", maybe(null_or(words()))),
            ("weight", maybe(prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(0.5))].boxed())),
        ]
    };
    let calls = vec(openai_call(), 0..3).prop_map(Value::from).boxed();
    let mut assistant = common("assistant");
    assistant.push(("tool_calls", maybe(null_or(calls))));
    assistant.push(("reasoning_content", maybe(null_or(text()))));
    assistant.push(("refusal", maybe(null_or(text()))));
    assistant.push(("audio", maybe(null_or(Just(json!({"id": "audio_1"})).boxed()))));
    // As it was before there were several calls, sometimes beside `tool_calls`.
    let legacy = object(vec![("name", always(words())), ("arguments", always(text()))]);
    assistant.push(("function_call", maybe(null_or(legacy))));
    let mut tool = common("tool");
    tool.push(("tool_call_id", maybe(words())));
    prop_oneof![
        2 => object(common("user")),
        3 => object(assistant),
        1 => object(common("system")),
        1 => object(common("developer")),
        1 => object(common("function")),
        1 => object(tool),
    ]
    .boxed()
}

pub(crate) fn tools() -> Rows {
    let function = object(vec![
        ("name", always(words())),
        ("description", maybe(text())),
        (
            "parameters",
            maybe(Just(json!({"type": "object", "properties": {"q": {"type": "string"}}})).boxed()),
        ),
    ]);
    let tool = (function, any::<bool>()).prop_map(|(function, bare)| {
        if bare { function } else { json!({"type": "function", "function": function}) }
    });
    vec(tool, 0..3).prop_map(Value::from).boxed()
}

pub(crate) fn tools_as_string() -> Rows {
    tools().prop_map(|tools| Value::from(tools.to_string())).boxed()
}

pub(crate) fn list(turn: Rows) -> Rows {
    vec(turn, 0..5).prop_map(Value::from).boxed()
}

pub(crate) fn openai() -> Rows {
    object(vec![
        ("messages", always(list(openai_message()))),
        ("tools", maybe(null_or(prop_oneof![3 => tools(), 1 => tools_as_string()].boxed()))),
        ("functions", maybe(null_or(tools()))),
        ("parallel_tool_calls", maybe(any::<bool>().prop_map(Value::from).boxed())),
    ])
}

pub(crate) fn sharegpt_turn() -> Rows {
    let call = (words(), arguments(), any::<bool>()).prop_map(|(name, arguments, pretty)| {
        let call = json!({"name": name, "arguments": arguments});
        Value::from(if pretty { serde_json::to_string_pretty(&call).unwrap() } else { call.to_string() })
    });
    let calls = vec((words(), arguments()), 1..3).prop_map(|calls| {
        let calls: Vec<_> = calls
            .into_iter()
            .map(|(name, arguments)| json!({"name": name, "arguments": arguments}))
            .collect();
        Value::from(serde_json::to_string(&calls).unwrap())
    });
    let weight = || maybe(prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(true))].boxed());
    let turn = |roles: Vec<&'static str>, value: Rows| {
        let role = proptest::sample::select(roles).prop_map(Value::from).boxed();
        object(vec![
            ("from", always(role)),
            ("value", always(value)),
            ("weight", weight()),
            ("loss", weight()),
        ])
    };
    prop_oneof![
        3 => turn(vec!["human", "user", "prompter", "Human", "USER"], text()),
        3 => turn(vec!["gpt", "chatgpt", "bard", "bing", "assistant", "model", "ASSISTANT"], text()),
        1 => turn(vec!["system"], text()),
        1 => turn(vec!["observation", "tool", "function_response", "tool_response"], text()),
        1 => turn(vec!["function_call", "tool_call", "tool_calls"], prop_oneof![call, calls].boxed()),
    ]
    .boxed()
}

pub(crate) fn sharegpt() -> Rows {
    let plain = || {
        vec![
            ("conversations", always(list(sharegpt_turn()))),
            ("system", maybe(null_or(text()))),
            ("tools", maybe(null_or(prop_oneof![3 => tools_as_string(), 1 => tools(), 1 => text()].boxed()))),
        ]
    };
    let (mut preference, mut labelled) = (plain(), plain());
    preference.extend([("chosen", always(sharegpt_turn())), ("rejected", always(list(sharegpt_turn())))]);
    labelled.push(("kto_tag", always(any::<bool>().prop_map(Value::from).boxed())));
    prop_oneof![4 => object(plain()), 1 => object(preference), 1 => object(labelled)].boxed()
}

fn hermes() -> Rows {
    let said = (option::of(words()), vec((words(), arguments()), 0..3), any::<bool>()).prop_map(
        |(said, calls, tight)| {
            let mut text = said.map_or(String::new(), |said| said.as_str().unwrap().to_owned());
            for (name, arguments) in calls {
                let call = json!({"arguments": arguments, "name": name});
                let line = if tight { "" } else { "\n" };
                write!(text, "{line}<tool_call>{line}{call}{line}</tool_call>").unwrap();
            }
            Value::from(text)
        },
    );
    let result =
        any_json().prop_map(|value| Value::from(format!("<tool_response>\n{value}\n</tool_response>\n")));
    let turn = |role: &'static str, value: Rows| {
        object(vec![("from", always(Just(json!(role)).boxed())), ("value", always(value))])
    };
    let system = (tools(), any::<bool>()).prop_map(|(tools, lines)| {
        let lines_of: Vec<_> = tools.as_array().unwrap().iter().map(Value::to_string).collect();
        let tools = if lines { lines_of.join("\n") } else { tools.to_string() };
        Value::from(format!("Tools are in <tools></tools>.\n<tools> {tools} </tools> Call them."))
    });
    let turns = prop_oneof![
        turn("human", text()),
        turn("gpt", prop_oneof![said.boxed(), text()].boxed()),
        turn("tool", prop_oneof![result.boxed(), text()].boxed()),
        turn("system", prop_oneof![system.clone().boxed(), text()].boxed()),
    ];
    let turns = || always(list(turns.clone().boxed()));
    let own = sharegpt().prop_map(|row| {
        let mut out = String::new();
        let to = Converter { from: format("sharegpt"), to: format("hermes") };
        let done = to.convert(Json::parse(&row.to_string()).unwrap(), &mut out, &mut RowLosses::default());
        done.map_or(row, |()| serde_json::from_str(&out).unwrap())
    });
    prop_oneof![
        3 => object(vec![("conversations", turns()), ("tools", maybe(tools_as_string()))]),
        1 => object(vec![("conversations", turns()), ("system", always(system.boxed()))]),
        1 => own,
    ]
    .boxed()
}

pub(crate) fn flat(
    prompt: &'static str,
    input: bool,
    completion: &'static str,
    turns: bool,
    preference: bool,
) -> Rows {
    let head = || {
        let mut fields = vec![(prompt, always(text()))];
        if input {
            fields.push(("input", maybe(null_or(text()))));
        }
        if turns {
            let pair = (text(), text()).prop_map(|(a, b)| json!([a, b]));
            fields.push(("history", maybe(null_or(vec(pair, 0..3).prop_map(Value::from).boxed()))));
            fields.push(("system", maybe(null_or(text()))));
        }
        fields
    };
    let mut plain = head();
    plain.push((completion, maybe(null_or(text()))));
    // Without its question too, where that is in the answers.
    let mut both = if prompt == "prompt" { vec![(prompt, maybe(text()))] } else { head() };
    both.extend([("chosen", always(text())), ("rejected", always(text()))]);
    if preference { prop_oneof![3 => object(plain), 1 => object(both)].boxed() } else { object(plain) }
}

fn chatml() -> Rows {
    let turn = (proptest::sample::select(vec!["system", "user", "assistant", "tool"]), text(), any::<bool>());
    let turns = (vec(turn, 1..5), any::<bool>()).prop_map(|(turns, waits)| {
        let mut all = String::new();
        for (role, text, line) in turns {
            let text = text.as_str().unwrap().replace("<|im_start|>", "");
            write!(all, "<|im_start|>{role}\n{text}{}<|im_end|>\n", if line { "\n" } else { "" }).unwrap();
        }
        Value::from(if waits { all + "<|im_start|>assistant\n" } else { all })
    });
    object(vec![("text", always(turns.boxed()))])
}

fn trl() -> Rows {
    let messages = || always(list(openai_message()));
    let label = always(any::<bool>().prop_map(Value::from).boxed());
    let tools = || ("tools", maybe(tools()));
    prop_oneof![
        object(vec![("messages", messages()), tools()]),
        object(vec![("prompt", messages()), tools()]),
        object(vec![("prompt", messages()), ("completion", messages())]),
        object(vec![("prompt", messages()), ("completion", messages()), ("label", label)]),
        object(vec![("prompt", messages()), ("chosen", messages()), ("rejected", messages()), tools()]),
        object(vec![("chosen", messages()), ("rejected", messages())]),
    ]
    .boxed()
}

/// Rows of any format as conversations.
fn conversation() -> Rows {
    let others: Vec<&str> = NAMES.iter().copied().filter(|name| *name != "conversation").collect();
    let rows = proptest::sample::select(others).prop_flat_map(|name| (Just(name), rows_of(name)));
    rows.prop_map(|(name, row)| {
        let text = row.to_string();
        serde_json::from_str(&format(name).read(Json::parse(&text).unwrap()).unwrap().to_json()).unwrap()
    })
    .boxed()
}

pub(crate) fn rows_of(name: &str) -> Rows {
    if name == "conversation" {
        return conversation();
    }
    with_extra(match name {
        "alpaca" => flat("instruction", true, "output", true, true),
        "query-response" => flat("query", false, "response", true, false),
        "prompt-completion" => flat("prompt", false, "completion", false, true),
        "sharegpt" => sharegpt(),
        "hermes" => hermes(),
        "openai" => openai(),
        "trl" => trl(),
        "chatml" => chatml(),
        "text" => object(vec![("text", always(text()))]),
        _ => unreachable!("a format without rows: {name}"),
    })
}

/// Objects whose fields have the names of formats, and any values.
pub(crate) fn any_row() -> Rows {
    let names = [
        "messages",
        "conversations",
        "instruction",
        "input",
        "output",
        "prompt",
        "completion",
        "chosen",
        "rejected",
        "label",
        "text",
        "system",
        "tools",
        "history",
        "query",
        "response",
        "kto_tag",
    ];
    let names = proptest::sample::select(names.to_vec());
    let turn = vec(
        (
            proptest::sample::select(vec![
                "role",
                "from",
                "content",
                "value",
                "tool_calls",
                "name",
                "weight",
            ]),
            prop_oneof![2 => any_json(), 2 => Just(json!("user")), 1 => Just(json!("function_call"))],
        ),
        0..4,
    )
    .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()));
    let value = prop_oneof![2 => any_json(), 1 => text(), 2 => vec(turn, 0..3).prop_map(Value::from)];
    vec((names, value), 0..6)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
        .boxed()
}
