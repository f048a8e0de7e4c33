//! Reading and writing gives the same row, and nothing is lost without a word.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use thresher_chat::{Conversation, Converter, Format, NAMES, RowLosses};
use thresher_core::json::Json;

use crate::meaning::{format, meaning};
use crate::strategies::{any_row, rows_of};

pub(crate) fn check_round_trip(name: &str, row: &Value) -> Result<(), TestCaseError> {
    check_round_trip_of(&format(name), row)
}

pub(crate) fn check_round_trip_of(format: &Format, row: &Value) -> Result<(), TestCaseError> {
    let line = row.to_string();
    let row_json = Json::parse(&line).unwrap();
    let mut losses = RowLosses::default();
    let (mut out, converter) = (String::new(), Converter { from: format.clone(), to: format.clone() });
    match converter.convert(row_json, &mut out, &mut losses) {
        Ok(()) => {
            let written: Value = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(&written, row, "{} became {}", line, out);
            prop_assert!(losses.is_empty(), "{:?}", losses);
        }
        Err(error) => return Err(TestCaseError::fail(format!("{line}: {error}"))),
    }
    Ok(())
}

/// Through another format and back: what is not noted as lost is still there.
pub(crate) fn check_no_silent_loss(from: &Format, to: &Format, row: &Value) -> Result<(), TestCaseError> {
    let line = row.to_string();
    let to_flat = matches!(to, Format::Flat(_));
    let (mut out, mut losses) = (String::new(), RowLosses::default());
    let conversation = from.read(Json::parse(&line).unwrap()).unwrap();
    if to.write(&conversation, &mut out, &mut losses).is_err() || !losses.is_empty() {
        return Ok(());
    }
    let again = to.read(Json::parse(&out).unwrap());
    let again = again.map_err(|error| TestCaseError::fail(format!("{line} became {out}: {error}")))?;
    let (again, mut before) = (meaning(&again), meaning(&conversation));
    // The answer of a flat row is what is to be learnt: it is a completion without another word.
    if to_flat && before["ending"] == json!("completion") {
        before["ending"] = again["ending"].clone();
    }
    prop_assert_eq!(again, before, "{} became {}", line, out);
    Ok(())
}

macro_rules! round_trips {
    ($($test:ident: $name:literal;)*) => {
        proptest! {
            #![proptest_config(config(256))]
            $(
                #[test]
                fn $test(row in rows_of($name)) {
                    check_round_trip($name, &row)?;
                }
            )*
        }
        const TESTED: &[&str] = &[$($name),*];
    };
}

round_trips! {
    alpaca_comes_back: "alpaca";
    query_response_comes_back: "query-response";
    prompt_completion_comes_back: "prompt-completion";
    sharegpt_comes_back: "sharegpt";
    hermes_comes_back: "hermes";
    openai_comes_back: "openai";
    trl_comes_back: "trl";
    chatml_comes_back: "chatml";
    text_comes_back: "text";
    conversation_comes_back: "conversation";
}

#[test]
fn every_format_has_a_round_trip() {
    assert_eq!(TESTED, NAMES);
}

/// As many cases as the environment asks for, else `usual`; nothing is written beside the tests.
pub(crate) fn config(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    ProptestConfig { failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::with_cases(cases) }
}

/// Through the JSON of the intermediate form and back: the same conversation, and from it the same row.
fn check_json(name: &str, row: &Value) -> Result<(), TestCaseError> {
    let line = row.to_string();
    let read = format(name).read(Json::parse(&line).unwrap()).unwrap();
    let json = read.to_json();
    let again = Conversation::from_json(Json::parse(&json).unwrap());
    let again = again.map_err(|error| TestCaseError::fail(format!("{json}: {error}")))?;
    prop_assert_eq!(&again, &read);
    let mut out = String::new();
    format(name).write(&again, &mut out, &mut RowLosses::default()).unwrap();
    prop_assert_eq!(&serde_json::from_str::<Value>(&out).unwrap(), row);
    Ok(())
}

pub(crate) fn any_rows() -> impl Strategy<Value = (&'static str, Value)> {
    proptest::sample::select(NAMES.to_vec()).prop_flat_map(|name| (Just(name), rows_of(name)))
}

fn pairs() -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    let name = || proptest::sample::select(NAMES.to_vec());
    (name(), name()).prop_flat_map(|(from, to)| (Just(from), Just(to), rows_of(from)))
}

proptest! {
    #![proptest_config(config(4096))]
    #[test]
    fn nothing_is_lost_without_a_word((from, to, row) in pairs()) {
        check_no_silent_loss(&format(from), &format(to), &row)?;
    }

    #[test]
    fn a_conversation_is_the_same_after_its_json((name, row) in any_rows()) {
        check_json(name, &row)?;
    }

    #[test]
    fn any_object_is_read_or_refused((name, row) in (proptest::sample::select(NAMES.to_vec()), any_row())) {
        let line = row.to_string();
        if let Ok(conversation) = format(name).read(Json::parse(&line).unwrap()) {
            let mut out = String::new();
            format(name).write(&conversation, &mut out, &mut RowLosses::default()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), row);
        }
    }
}

/// Only the better answer was looked at, and with a prompt alone.
#[test]
fn a_flat_preference_does_not_drop_the_calls_of_an_answer() {
    let answer = json!({"from": "gpt", "value": "no"});
    let call = json!({"from": "function_call", "value": "{\"name\":\"a\",\"arguments\":{}}"});
    for question in [json!([]), json!([{"from": "human", "value": "well?"}])] {
        for (chosen, rejected) in [(&answer, &call), (&call, &answer)] {
            let row = json!({"conversations": question, "chosen": chosen, "rejected": rejected}).to_string();
            let conversation = format("sharegpt").read(Json::parse(&row).unwrap()).unwrap();
            for to in ["prompt-completion", "alpaca"] {
                let refused = format(to).write(&conversation, &mut String::new(), &mut RowLosses::default());
                assert!(refused.is_err(), "{row} became {to}");
            }
        }
    }
}

/// `make test-chat-10k` runs this one.
#[test]
#[ignore = "takes some ten seconds"]
fn ten_thousand_rows_of_each_format_come_back() {
    const ROWS: u32 = 10_000;
    for name in NAMES {
        let (mut passed, mut runner) = (0, TestRunner::new(config(ROWS)));
        for _ in 0..ROWS {
            let row = rows_of(name).new_tree(&mut runner).unwrap().current();
            check_round_trip(name, &row).unwrap();
            check_json(name, &row).unwrap();
            passed += 1;
        }
        println!("{name}: {passed} rows came back as they were, and through the intermediate form as JSON");
    }
}
