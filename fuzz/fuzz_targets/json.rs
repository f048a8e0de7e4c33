//! The JSON module against `serde_json`: the same lines are refused, the same values found, along every path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;
use thresher_core::json::{FieldPath, Fields, Json, Kind, Scanner, Text};

/// The tree that walks over a checked value give; none where a string holds half of a surrogate pair, or a number is
/// beyond those of `serde_json`.
fn tree(json: Json<'_>) -> Option<Value> {
    Some(match json.kind() {
        Kind::Array => Value::Array(json.items().map(tree).collect::<Option<_>>()?),
        Kind::Object => {
            let members = json.members().into_iter();
            let members = members.map(|(key, value)| Some((key.decode().ok()?.into_owned(), tree(value)?)));
            Value::Object(members.collect::<Option<_>>()?)
        }
        Kind::String => Value::String(json.as_str()?.decode().ok()?.into_owned()),
        _ => serde_json::from_str(json.text()).ok()?,
    })
}

fn follow<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, part| value.as_object()?.get(*part))
}

fn check_scan(line: &str, path: &str, theirs: Option<&Value>, is_valid: bool) {
    let fields = Fields { text: FieldPath::parse(path).ok(), id: FieldPath::parse("id").ok(), rank: None };
    let mut scratch = Vec::new();
    let found = match Scanner::new(&fields).scan(line, &mut scratch) {
        Ok(found) => found,
        Err(error) => {
            let is_object = line.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
            assert!(error.offset <= line.len());
            assert!(!is_valid || !is_object || error.message.starts_with("nested deeper"), "{error}: {line}");
            return;
        }
    };
    assert!(is_valid, "serde_json refuses {line}");
    let Some(theirs) = theirs else { return };
    let path: Vec<&str> = path.split('.').collect();
    match (found.text, follow(theirs, &path)) {
        (Text::Missing, None) | (Text::Null, Some(Value::Null)) => {}
        (Text::Value(ours), Some(Value::String(theirs))) => assert_eq!(ours, theirs),
        (Text::NotString, Some(theirs)) => assert!(!theirs.is_string() && !theirs.is_null(), "{line}"),
        (ours, theirs) => panic!("{ours:?} for {theirs:?} in {line}"),
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(line) = std::str::from_utf8(data) else { return };
    // Skipping checks the syntax alone: half of a surrogate pair and large numbers are valid JSON.
    let is_valid = serde_json::from_str::<IgnoredAny>(line).is_ok();
    let theirs = serde_json::from_str::<Value>(line).ok();
    for path in ["text", "a.b"] {
        check_scan(line, path, theirs.as_ref(), is_valid);
    }
    match Json::parse(line) {
        Ok(json) => {
            assert!(is_valid, "serde_json refuses {line}");
            let ours = tree(json);
            if theirs.is_some() {
                assert_eq!(ours, theirs, "{line}");
            }
        }
        Err(error) => assert!(!is_valid || error.message.starts_with("nested deeper"), "{error}: {line}"),
    }
    // Whatever the text, the walks of an unchecked value end and do not panic.
    let unchecked = Json::checked(line);
    let _ = (unchecked.items().count(), unchecked.members().len(), unchecked.get("a"));
});
