//! Schemas that would hang or fetch, and what is said of values.

use serde_json::{Map, json};

use super::*;

fn refusal(schema: &Value) -> Refusal {
    Schema::try_new(schema).unwrap_err()
}

#[test]
fn what_would_hang_or_fetch_is_refused() {
    let doubling: Map<String, Value> = (0..40)
        .map(|at| {
            let next = json!({"$ref": format!("#/$defs/a{}", at + 1)});
            (format!("a{at}"), json!({"allOf": [next, next]}))
        })
        .chain([("a40".to_owned(), json!({}))])
        .collect();
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({"properties": {"a": deep}});
    }
    for hostile in [
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"properties": {"a": {"$ref": "other.json#/a"}}}),
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}),
        json!({"$dynamicRef": "#node"}),
        json!({"properties": {"a": {"$id": "https://example.com/b", "$ref": "#/x"}}}),
        json!({"$ref": "#/$defs/a0", "$defs": doubling}),
        json!({"properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": false}),
        json!({"$schema": "https://example.com/my-dialect", "type": "object"}),
        deep,
    ] {
        assert!(matches!(refusal(&hostile), Refusal::Unsafe(_)), "{hostile}: {:?}", refusal(&hostile));
    }
    for wrong in [
        json!({"type": "strin"}),
        json!({"properties": 1}),
        json!({"$ref": "#/$defs/none"}),
        json!({"pattern": "("}),
        json!({"pattern": "(a{1000}){1000}"}),
    ] {
        assert!(matches!(refusal(&wrong), Refusal::Invalid(_)), "{wrong}: {:?}", refusal(&wrong));
    }
}

#[test]
fn a_recursive_tree_is_checked() {
    let tree = Schema::try_new(
        &json!({"properties": {"children": {"items": {"$ref": "#"}}, "n": {"type": "integer"}}}),
    )
    .unwrap();
    let violations = tree.check(&json!({"children": [{"n": 1}, {"children": [{"n": "x"}]}]}), 40).unwrap();
    assert_eq!(violations[0].pointer, "/children/1/children/0/n");
    assert_eq!(violations[0].path(), ".children[1].children[0].n");
}

#[test]
fn a_recursion_that_doubles_is_bounded_by_the_depth_of_the_value() {
    let x = json!({"properties": {"x": {"$ref": "#"}}});
    let doubling = Schema::try_new(&json!({"anyOf": [x, x, {"type": "integer"}]})).unwrap();
    let mut value = json!("end");
    for _ in 0..5 {
        value = json!({"x": value});
    }
    assert!(doubling.check(&value, value.to_string().len()).is_some());
    for _ in 0..90 {
        value = json!({"x": value});
    }
    assert_eq!(doubling.check(&value, value.to_string().len()), None);
}

#[test]
fn a_regular_expression_takes_linear_time_or_is_refused() {
    let text = "a".repeat(50_000) + "!";
    for pattern in ["^(?=(a+)+$)b", "(?=a)(a|a)*$", "^(?!a)b", "(?<!a)b", r"^(a+)\1+$", r"(?<n>a+)\k<n>"] {
        for schema in [json!({"pattern": pattern}), json!({"patternProperties": {pattern: {}}})] {
            assert!(matches!(refusal(&schema), Refusal::Unsafe(_)), "{pattern}");
        }
    }
    for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+b$"] {
        let schema = Schema::try_new(&json!({"pattern": pattern})).unwrap();
        let found = schema.check(&json!(text), text.len());
        assert!(found.is_some_and(|found| !found.is_empty()), "{pattern}");
    }
}

#[test]
fn each_error_names_its_place_what_is_wrong_and_what_was_found() {
    let schema = Schema::parse(
        r#"{"type": "object", "required": ["name"], "properties": {"a/b": {"items": {"type": "integer"}}}}"#,
    )
    .unwrap();
    assert!(schema.errors(r#"{"name": 1}"#).is_empty());
    let found = schema.errors(r#"{"a/b": [1, "two\n"]}"#);
    assert_eq!(found.len(), 2, "{found:?}");
    let starts = ["/a~1b/1: it is not of type \"integer\"; found ", "the value as a whole: "];
    assert!(starts.iter().all(|start| found.iter().any(|error| error.starts_with(start))), "{found:?}");
    for broken in ["", "{", "nan", "{\"name\": 1} and more", &"[".repeat(1000), "\"\u{1b}[31m", "1e999"] {
        let found = schema.errors(broken);
        assert_eq!(found.len(), 1, "{broken}");
        assert!(found[0].starts_with("the value as a whole: it is not JSON"), "{}", found[0]);
        assert!(!found[0].contains(char::is_control) && found[0].len() < 300);
    }
    let many = format!("{{\"name\": 1, \"a/b\": [{}0]}}", "\"x\", ".repeat(30));
    let found = schema.errors(&many.replace("\"x\"", "null"));
    assert_eq!(found.len(), MAX_VIOLATIONS);
    assert!(found[MAX_VIOLATIONS - 1].contains("there are 10 more violations"), "{found:?}");
}

#[test]
fn a_text_that_is_no_schema_is_refused() {
    for wrong in ["", "{", "1", "true", "null", "[]", "\"x\"", "{\"type\": 7}"] {
        assert!(matches!(Schema::parse(wrong), Err(Refusal::Invalid(_))), "{wrong}");
    }
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(MAX_BYTES));
    assert!(matches!(Schema::parse(&long), Err(Refusal::Unsafe(_))));
    let error = Schema::parse(r#"{"$ref": "https://example.com/schema.json"}"#).unwrap_err();
    assert!(error.to_string().contains("nothing is fetched"), "{error}");
}
