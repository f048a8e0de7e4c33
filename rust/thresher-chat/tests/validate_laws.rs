//! Generated conversations have no problems; each way of breaking one is found for what it is; reports add up.

#![expect(clippy::unwrap_used, reason = "a strategy that cannot make its row is a failed test")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use thresher_chat::validate::{Options, Problem, Report, TARGETS, Validator};
use thresher_chat::{Converter, Format, RowLosses};
use thresher_core::json::Json;

/// Texts of turns and, for each round of calls before the answer, how many calls it has and in which order they are
/// answered.
type Exchange = (String, Vec<(usize, usize)>, String);

#[derive(Clone, Debug)]
struct Plan {
    system: Option<String>,
    exchanges: Vec<Exchange>,
    ids: bool,
}

fn plans() -> impl Strategy<Value = Plan> {
    let text = || "[a-z\u{e4}\u{4e2d}\"\\\\<\\[]{0,12}";
    let exchange = (text(), vec((1..4usize, 0..4usize), 0..3), text());
    (option::of(text()), vec(exchange, 1..4), any::<bool>()).prop_map(|(system, exchanges, ids)| Plan {
        system,
        exchanges,
        ids,
    })
}

/// The row of a plan. Each text has its number, so that no two turns say the same.
fn row_of(plan: &Plan) -> Value {
    let mut messages = Vec::new();
    if let Some(system) = &plan.system {
        messages.push(json!({"role": "system", "content": format!("be{system}")}));
    }
    let mut number = 0;
    let mut next = move || {
        number += 1;
        number
    };
    for (question, rounds, answer) in &plan.exchanges {
        messages.push(json!({"role": "user", "content": format!("q{} {question}", next())}));
        for (calls, turn) in rounds {
            let numbers: Vec<u32> = (0..*calls).map(|_| next()).collect();
            let call = |n: &u32| {
                let arguments = json!({"n": n}).to_string();
                let mut call =
                    json!({"type": "function", "function": {"name": "add", "arguments": arguments}});
                if plan.ids {
                    call["id"] = json!(format!("c{n}"));
                }
                call
            };
            let list: Vec<_> = numbers.iter().map(call).collect();
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": list}));
            for at in 0..*calls {
                let n = numbers[(at + turn) % calls];
                let mut result = json!({"role": "tool", "content": format!("r{n}")});
                if plan.ids {
                    result["tool_call_id"] = json!(format!("c{n}"));
                }
                messages.push(result);
            }
        }
        messages.push(json!({"role": "assistant", "content": format!("a{} {answer}", next())}));
    }
    let tool = json!({"type": "function", "function": {"name": "add", "parameters": {
        "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}}});
    json!({"messages": messages, "tools": [tool]})
}

fn problems(row: &Value, format: &str, options: &Options) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut validator = Validator::try_new(options).unwrap();
    validator.check_text(&row.to_string(), &Format::named(format).unwrap(), &mut problems);
    problems
}

/// The codes of a row, each once, in the order of their names.
fn codes(row: &Value) -> Vec<&'static str> {
    let mut codes: Vec<_> =
        problems(row, "openai", &Options::default()).iter().map(|problem| problem.code.name()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn messages(row: &mut Value) -> &mut Vec<Value> {
    row["messages"].as_array_mut().unwrap()
}

/// Places of the messages that `which` takes.
fn places(row: &Value, which: impl Fn(&Value) -> bool) -> Vec<usize> {
    let messages = row["messages"].as_array().unwrap();
    messages.iter().enumerate().filter(|(_, message)| which(message)).map(|(at, _)| at).collect()
}

fn has_role(role: &str) -> impl Fn(&Value) -> bool + '_ {
    move |message| message["role"] == role
}

fn makes_calls(message: &Value) -> bool {
    message["tool_calls"].is_array()
}

/// One of `places`, if there is any.
fn pick(places: &[usize], which: usize) -> Option<usize> {
    (!places.is_empty()).then(|| places[which % places.len()])
}

/// A way of breaking a row: whether it applies, and the codes that it must have then.
type Mutation = (&'static str, fn(&mut Value, &Plan, usize) -> Option<Vec<&'static str>>);

const MUTATIONS: &[Mutation] = &[
    ("drop a result", |row, _, which| {
        let at = pick(&places(row, has_role("tool")), which)?;
        messages(row).remove(at);
        Some(vec!["unanswered_call"])
    }),
    ("say a result twice", |row, plan, which| {
        let at = pick(&places(row, has_role("tool")), which)?;
        let result = messages(row)[at].clone();
        messages(row).insert(at, result);
        Some(vec![if plan.ids { "duplicate_result" } else { "orphan_result" }])
    }),
    ("rename the id of a result", |row, plan, which| {
        let at = pick(&places(row, has_role("tool")), which).filter(|_| plan.ids)?;
        messages(row)[at]["tool_call_id"] = json!("other");
        Some(vec!["orphan_result", "unanswered_call"])
    }),
    ("rename the id of a call", |row, plan, which| {
        let at = pick(&places(row, makes_calls), which).filter(|_| plan.ids)?;
        messages(row)[at]["tool_calls"][0]["id"] = json!("other");
        Some(vec!["orphan_result", "unanswered_call"])
    }),
    ("take the id of a result", |row, plan, which| {
        let at = pick(
            &places(row, |message| {
                makes_calls(message) && message["tool_calls"].as_array().unwrap().len() == 1
            }),
            which,
        )
        .filter(|_| plan.ids)?;
        messages(row)[at + 1].as_object_mut().unwrap().remove("tool_call_id");
        Some(vec!["missing_id"])
    }),
    ("drop the calls", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row).remove(at);
        Some(vec!["orphan_result"])
    }),
    ("move a result before its call", |row, plan, which| {
        let at = pick(&places(row, makes_calls), which).filter(|_| plan.ids)?;
        messages(row).swap(at, at + 1);
        Some(vec!["result_before_call"])
    }),
    ("corrupt arguments", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row)[at]["tool_calls"][0]["function"]["arguments"] = json!("{\"n\": 1");
        Some(vec!["arguments_not_json"])
    }),
    ("arguments in a list", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row)[at]["tool_calls"][0]["function"]["arguments"] = json!("[1]");
        Some(vec!["arguments_not_an_object"])
    }),
    ("arguments of another type", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row)[at]["tool_calls"][0]["function"]["arguments"] = json!({"n": "1", "m": 2});
        Some(vec!["arguments_violate_schema"])
    }),
    ("call another function", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row)[at]["tool_calls"][0]["function"]["name"] = json!("subtract");
        Some(vec!["unknown_function"])
    }),
    ("leave the tools out", |row, _, which| {
        pick(&places(row, makes_calls), which)?;
        row.as_object_mut().unwrap().remove("tools");
        Some(vec!["calls_without_tools"])
    }),
    ("offer a tool twice", |row, _, _| {
        let tool = row["tools"][0].clone();
        row["tools"].as_array_mut().unwrap().push(tool);
        Some(vec!["duplicate_tool"])
    }),
    ("empty a turn", |row, _, which| {
        let at =
            pick(&places(row, |message| message["content"].is_string() && message["role"] != "tool"), which)?;
        messages(row)[at]["content"] = json!("");
        Some(vec!["empty_turn"])
    }),
    ("make a turn null", |row, _, which| {
        let at = pick(&places(row, |message| message["content"].is_string()), which)?;
        messages(row)[at]["content"] = json!(null);
        Some(vec!["null_content"])
    }),
    ("make a turn blank", |row, _, which| {
        let at =
            pick(&places(row, |message| message["content"].is_string() && message["role"] != "tool"), which)?;
        messages(row)[at]["content"] = json!(" \n ");
        Some(vec!["blank_turn"])
    }),
    ("weigh everything 0", |row, _, _| {
        for message in messages(row) {
            message["weight"] = json!(0);
        }
        Some(vec!["nothing_trained"])
    }),
    ("add another system prompt", |row, plan, _| {
        plan.system.as_ref()?;
        messages(row).insert(0, json!({"role": "system", "content": "another"}));
        Some(vec!["contradictory_system"])
    }),
    ("say the system prompt twice", |row, plan, _| {
        plan.system.as_ref()?;
        let prompt = messages(row)[0].clone();
        messages(row).insert(0, prompt);
        Some(vec!["duplicate_system"])
    }),
    ("move the system prompt behind", |row, plan, _| {
        plan.system.as_ref()?;
        messages(row).swap(0, 1);
        Some(vec!["system_not_first"])
    }),
    ("repeat a turn", |row, _, which| {
        let at = pick(&places(row, |message| message["role"] == "user"), which)?;
        let turn = messages(row)[at].clone();
        messages(row).insert(at, turn);
        Some(vec!["repeated_turn"])
    }),
    ("split a turn", |row, _, which| {
        let at = pick(&places(row, has_role("user")), which)?;
        messages(row).insert(at, json!({"role": "user", "content": "before"}));
        Some(vec!["consecutive_same_role"])
    }),
    ("put a turn between a call and its result", |row, _, which| {
        let at = pick(&places(row, makes_calls), which)?;
        messages(row).insert(at + 1, json!({"role": "user", "content": "wait"}));
        Some(vec!["late_result"])
    }),
    ("drop the first question", |row, _, _| {
        let at = pick(&places(row, has_role("user")), 0)?;
        messages(row).remove(at);
        Some(vec!["wrong_first_role"])
    }),
    ("end with a question", |row, _, _| {
        messages(row).push(json!({"role": "user", "content": "and?"}));
        Some(vec!["wrong_last_role"])
    }),
    ("end with a result", |row, plan, _| {
        plan.exchanges.last()?.1.last()?;
        messages(row).pop();
        Some(vec!["trailing_tool_message"])
    }),
    ("let nobody answer", |row, _, _| {
        messages(row).retain(|message| message["role"] == "user" || message["role"] == "system");
        Some(vec!["no_assistant"]).filter(|_| {
            row["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").count() == 1
        })
    }),
    ("leave a control token", |row, _, which| {
        let at = pick(&places(row, |message| message["content"].is_string()), which)?;
        messages(row)[at]["content"] = json!("a <|eot_id|> b");
        Some(vec!["control_token"])
    }),
    ("cut a thought short", |row, _, _| {
        let last = messages(row).last_mut().unwrap();
        last["content"] = json!("<think>so");
        Some(vec!["think_unclosed"])
    }),
    ("an unknown role", |row, _, which| {
        let at = which % messages(row).len();
        messages(row)[at]["role"] = json!("alien");
        Some(vec!["unknown_role"])
    }),
];

proptest! {
    #[test]
    fn a_clean_conversation_has_no_problems_for_any_target(plan in plans()) {
        let row = row_of(&plan);
        let calls_at_once = plan.exchanges.iter().flat_map(|(_, rounds, _)| rounds).any(|(calls, _)| *calls > 1);
        for target in TARGETS.iter().filter(|target| target.name != "single-call" || !calls_at_once) {
            let options = Options { target: target.name.into(), ..Options::default() };
            let found = problems(&row, "openai", &options);
            prop_assert!(found.is_empty(), "{}: {:#?}", row, found);
        }
    }

    #[test]
    fn a_clean_conversation_is_clean_in_every_format(plan in plans()) {
        let row = row_of(&plan).to_string();
        for format in ["sharegpt", "hermes", "trl"] {
            let converter = Converter { from: Format::named("openai").unwrap(), to: Format::named(format).unwrap() };
            let mut out = String::new();
            if converter.convert(Json::parse(&row).unwrap(), &mut out, &mut RowLosses::default()).is_err() {
                continue;
            }
            let found = problems(&serde_json::from_str(&out).unwrap(), format, &Options::default());
            prop_assert!(found.is_empty(), "{}: {:#?}", out, found);
        }
    }

    #[test]
    fn what_breaks_a_conversation_is_found_and_nothing_else(plan in plans(), which in 0..64usize) {
        for (name, mutate) in MUTATIONS {
            let mut row = row_of(&plan);
            if let Some(expected) = mutate(&mut row, &plan, which) {
                prop_assert_eq!(codes(&row), expected, "{}: {}", name, row);
            }
        }
    }

    #[test]
    fn two_turns_that_change_places_are_found(plan in plans(), which in 0..64usize) {
        let mut row = row_of(&plan);
        let count = messages(&mut row).len();
        let at = which % (count - 1);
        let roles = [at, at + 1].map(|at| messages(&mut row)[at]["role"].clone());
        prop_assume!(roles[0] != roles[1]);
        messages(&mut row).swap(at, at + 1);
        prop_assert!(!codes(&row).is_empty(), "{}", row);
    }

    #[test]
    fn checking_in_pieces_is_checking_the_whole(
        plans in vec((plans(), 0..MUTATIONS.len(), 0..8usize), 0..24),
        cuts in vec(1..8usize, 24),
        max_problems in 0..20usize,
    ) {
        let rows: Vec<String> = plans
            .iter()
            .map(|(plan, mutation, which)| {
                let mut row = row_of(plan);
                let _ = MUTATIONS[*mutation].1(&mut row, plan, *which);
                row.to_string()
            })
            .collect();
        let format = Format::named("openai").unwrap();
        let report = |rows: &[String], validator: &mut Validator| {
            let (mut report, mut problems) = (Report::new(max_problems), Vec::new());
            for (at, row) in (0..).zip(rows) {
                validator.check_text(row, &format, &mut problems);
                report.add(at, &mut problems);
            }
            report
        };
        let mut validator = Validator::try_new(&Options::default()).unwrap();
        let whole = report(&rows, &mut validator);
        let (mut merged, mut rest) = (Report::new(max_problems), &rows[..]);
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            let mut fresh = Validator::try_new(&Options::default()).unwrap();
            let first_row = merged.rows;
            merged.merge(report(piece, &mut fresh), first_row);
            rest = more;
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(&merged, &whole);
        let found: u64 = whole.codes.values().map(|count| count.count).sum();
        prop_assert_eq!(found, whole.problems.len() as u64 + whole.unlisted);
    }

    #[test]
    fn no_text_panics(text in "(\\PC|[{}\\[\\]\",:]){0,40}") {
        let mut problems = Vec::new();
        for name in thresher_chat::NAMES {
            let mut validator = Validator::try_new(&Options::default()).unwrap();
            validator.check_text(&text, &Format::named(name).unwrap(), &mut problems);
        }
        prop_assert!(!problems.is_empty());
    }
}
