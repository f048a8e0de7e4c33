use std::fmt::Write as _;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value as Oracle;

use super::find::*;
use super::string::Kernel;
use super::*;

fn fields(text: &str, id: Option<&str>, rank: Option<&str>) -> Fields {
    let parse = |path| FieldPath::parse(path).unwrap();
    Fields { text: Some(parse(text)), id: id.map(parse), rank: rank.map(parse) }
}

fn kernels() -> Vec<Kernel> {
    let mut all = vec![Kernel::Portable, Kernel::detect()];
    all.dedup();
    all
}

/// Text, id and rank in owned form.
type Owned = (Result<String, String>, Option<String>, Option<String>);

/// What every kernel says of a line. They must agree.
fn scan(line: &str, fields: &Fields) -> Parsed<Owned> {
    let results = kernels().into_iter().map(|kernel| {
        let mut scratch = Vec::new();
        let found = Scanner::with_kernel(fields, kernel).scan(line, &mut scratch)?;
        let text = match found.text {
            Text::Value(text) => Ok(text.to_owned()),
            other => Err(format!("{other:?}")),
        };
        Ok((text, found.id.map(|id| format!("{id:?}")), found.rank.map(|rank| format!("{rank:?}"))))
    });
    let results: Vec<_> = results.collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "kernels differ on {line:?}: {results:?}");
    results.into_iter().next().unwrap()
}

fn text(line: &str) -> Result<String, String> {
    scan(line, &fields("text", None, None)).unwrap().0
}

fn id(line: &str) -> Option<String> {
    scan(line, &fields("text", Some("id"), None)).unwrap().1
}

fn error(line: &str) -> SyntaxError {
    scan(line, &fields("text", None, None)).unwrap_err()
}

#[test]
fn text_values_are_told_apart() {
    assert_eq!(text(r#"{"text":"a"}"#), Ok("a".into()));
    assert_eq!(text(r#" { "a" : [ 1 , {} ] , "text" : "" } "#), Ok(String::new()));
    for (line, outcome) in [
        ("{}", "Missing"),
        (r#"{"Text":"a"}"#, "Missing"),
        (r#"{"a":{"text":"x"}}"#, "Missing"),
        (r#"{"text":null}"#, "Null"),
        (r#"{"text":1}"#, "NotString"),
        (r#"{"text":true}"#, "NotString"),
        (r#"{"text":["a"]}"#, "NotString"),
        (r#"{"text":{"text":"a"}}"#, "NotString"),
        (r#"{"text":"\ud800"}"#, "LoneSurrogate"),
        (r#"{"text":"\udc00\ud800"}"#, "LoneSurrogate"),
        (r#"{"text":"\ud800\n"}"#, "LoneSurrogate"),
        (r#"{"text":"\ud800\ud800\udc00"}"#, "LoneSurrogate"),
    ] {
        assert_eq!(text(line), Err(outcome.to_owned()), "{line}");
    }
}

#[test]
fn lone_surrogates_elsewhere_pass_through() {
    assert_eq!(text(r#"{"\udfff":"\ud800","text":"a","b":"\ud83d"}"#), Ok("a".into()));
    assert_eq!(id(r#"{"id":"\ud800"}"#), None);
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    assert_eq!(text(r#"{"text":"a\n","text":"b"}"#), Ok("b".into()));
    assert_eq!(text(r#"{"text":"a","text":"b\n"}"#), Ok("b\n".into()));
    assert_eq!(text(r#"{"text":"\ud800","text":"long\tlong","te\u0078t":"c\\"}"#), Ok("c\\".into()));
    assert_eq!(text(r#"{"text":"a","text":null}"#), Err("Null".into()));
    let nested = fields("a.b", Some("a"), None);
    let (text, id, _) = scan(r#"{"a":{"b":"x"},"a":{"c":1}}"#, &nested).unwrap();
    assert_eq!((text, id), (Err("Missing".into()), None));
    let (text, id, _) = scan(r#"{"a":{"b":"x\n"},"a":"y"}"#, &nested).unwrap();
    assert_eq!((text, id), (Err("Missing".into()), Some(r#"Text("y")"#.into())));
}

#[test]
fn nested_paths_lead_through_objects_only() {
    let nested = fields("a.b.c", Some("a.b.d"), Some("x"));
    let found = scan(r#"{"x":-5,"a":{"c":"no","b":{"d":"i\td","c":"y\u00e9s"}},"b":1}"#, &nested).unwrap();
    assert_eq!(
        found,
        (Ok("y\u{e9}s".into()), Some(r#"Text("i\td")"#.into()), Some(r#"Number("-5")"#.into()))
    );
    for line in
        [r#"{"a":[{"b":{"c":"x"}}]}"#, r#"{"a":"b"}"#, r#"{"a":{"b":[{"c":"x"}]}}"#, r#"{"b":{"c":"x"}}"#]
    {
        assert_eq!(scan(line, &nested).unwrap().0, Err("Missing".into()), "{line}");
    }
}

#[test]
fn one_field_may_be_text_id_and_rank() {
    let same = fields("t", Some("t"), Some("t"));
    let found = scan(r#"{"t":"\u0061b"}"#, &same).unwrap();
    assert_eq!(found, (Ok("ab".into()), Some(r#"Text("ab")"#.into()), Some(r#"Text("ab")"#.into())));
}

#[test]
fn a_number_is_what_stands_there() {
    for number in [
        "0",
        "-0",
        "1.10",
        "1e2",
        "-1.5E-1",
        "1e999",
        "18446744073709551616",
        "123456789012345678901234567",
        "123456789012345678901234568",
    ] {
        assert_eq!(id(&format!(r#"{{"id": {number} }}"#)), Some(format!("Number({number:?})")));
        assert_eq!(Scalar::Number(number).to_string(), number);
    }
    for other in ["null", "true", "[]", "{}"] {
        assert_eq!(id(&format!(r#"{{"id":{other}}}"#)), None);
    }
}

#[test]
fn every_escape_is_understood_at_every_place_of_a_block() {
    let escapes = r#"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00\u0000"#;
    let plain = "\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20ac}\u{1f600}\0";
    for pad in 0..140 {
        let space = "x".repeat(pad);
        let line = format!(r#"{{"text":"{space}{escapes}{space}{escapes}","id":"{space}{escapes}"}}"#);
        let (text, id, _) = scan(&line, &fields("text", Some("id"), None)).unwrap();
        assert_eq!(text, Ok(format!("{space}{plain}{space}{plain}")));
        assert_eq!(id, Some(format!("Text({:?})", format!("{space}{plain}"))));
        assert_eq!(self::text(&format!(r#"{{"other":"{space}{escapes}","text":"{space}"}}"#)), Ok(space));
    }
}

#[test]
fn runs_of_backslashes_are_paired() {
    for count in 0..200 {
        let line = format!(r#"{{"text":"{}"}}"#, "\\".repeat(count));
        if count % 2 == 0 {
            assert_eq!(text(&line), Ok("\\".repeat(count / 2)));
        } else {
            assert_eq!(error(&line).offset, line.len());
        }
        let skipped = line.replace("text", "skip");
        assert_eq!(scan(&skipped, &fields("text", None, None)).is_ok(), count % 2 == 0);
    }
}

#[test]
fn broken_lines_are_refused_with_their_place() {
    for (line, offset, message) in [
        ("", 0, "expected a JSON object"),
        ("[]", 0, "expected a JSON object"),
        ("{", 1, "expected a key in double quotes or `}`"),
        ("{,}", 1, "expected a key in double quotes or `}`"),
        (r#"{"a":1,}"#, 7, "expected a key in double quotes"),
        (r#"{"a" 1}"#, 5, "expected `:` after a key"),
        (r#"{"a":}"#, 5, "expected a value"),
        (r#"{"a":[1,]}"#, 8, "expected a value"),
        (r#"{"a":[1}"#, 7, "expected `,` or `]`"),
        (r#"{"a":1]"#, 6, "expected `,` or `}`"),
        (r#"{"a":01}"#, 6, "expected `,` or `}`"),
        (r#"{"a":-}"#, 6, "expected a digit"),
        (r#"{"a":1.}"#, 7, "expected a digit"),
        (r#"{"a":.5}"#, 5, "expected a value"),
        (r#"{"a":1e+}"#, 8, "expected a digit"),
        (r#"{"a":nul}"#, 8, "expected `true`, `false` or `null`"),
        (r#"{"a":NaN}"#, 5, "expected a value"),
        (r#"{"a":"\x"}"#, 6, "an unknown escape"),
        (r#"{"a":"\u12g4"}"#, 6, "an unknown escape"),
        (r#"{"a":"\u12"}"#, 6, "an unknown escape"),
        ("{\"a\":\"\t\"}", 6, "a control character must be escaped"),
        ("{\"a\":\"\0\"}", 6, "a control character must be escaped"),
        ("{\"\x1f\":1}", 2, "a control character must be escaped"),
        (r#"{"a":"b}"#, 8, "a string without end"),
        (r#"{"a":1} {}"#, 8, "more after the value"),
        ("{}\0", 2, "more after the value"),
        ("{}\u{a0}", 2, "more after the value"),
    ] {
        for line in [line.to_owned(), line.replace("\"a\"", "\"\\u0061\"")] {
            let shift = if line.contains("\\u0061") { 5 } else { 0 };
            assert_eq!(error(&line), SyntaxError { offset: offset + shift, message }, "{line}");
        }
        let as_text = line.replace("\"a\"", "\"text\"");
        let shift = as_text.len() - line.len();
        assert_eq!(error(&as_text), SyntaxError { offset: offset + shift, message }, "{as_text}");
    }
}

#[test]
fn nesting_stops_at_the_limit_without_recursion() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(text(&nested(MAX_DEPTH)), Err("Missing".into()));
    assert_eq!(error(&nested(MAX_DEPTH + 1)).message, "nested deeper than 128 levels");
    assert_eq!(error(&"{\"a\":".repeat(1_000_000)).offset, MAX_DEPTH * 5);
}

#[test]
fn one_scanner_serves_lines_of_any_length_in_turn() {
    let wanted = fields("text", None, None);
    let (mut scanner, mut scratch) = (Scanner::new(&wanted), Vec::new());
    for size in [0, 1000, 3, 70_000, 64, 1] {
        let body = "y".repeat(size);
        let line = format!(r#"{{"text":"{body}\n{body}"}}"#);
        assert_eq!(scanner.scan(&line, &mut scratch).unwrap().text, Text::Value(&format!("{body}\n{body}")));
    }
}

/// Strings with what is delicate in JSON: quotes, backslashes, controls, long plain runs, other planes.
fn delicate_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => "[\"\\\\/\u{0}-\u{1f}]{1,4}",
        1 => "\\PC{0,6}",
        1 => "[\u{10000}-\u{10ffff}]{1,2}",
        1 => (0..200usize).prop_map(|len| "z".repeat(len)),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Oracle> {
    let leaf = prop_oneof![
        Just(Oracle::Null),
        any::<bool>().prop_map(Oracle::from),
        any::<i64>().prop_map(Oracle::from),
        any::<u64>().prop_map(Oracle::from),
        any::<f64>().prop_filter("JSON has finite numbers only", |x| x.is_finite()).prop_map(Oracle::from),
        delicate_string().prop_map(Oracle::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Oracle::from),
            btree_map(key(), inner, 0..5).prop_map(|map| Oracle::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".into()), Just("b".into()), Just("text".into()), Just("id".into()), delicate_string()]
}

fn object() -> impl Strategy<Value = Oracle> {
    btree_map(key(), value(), 0..6).prop_map(|map| Oracle::Object(map.into_iter().collect()))
}

/// Writes a value in one of its many spellings: `choices` decides on white space and escapes.
fn spell(value: &Oracle, choices: &mut dyn FnMut() -> u8, out: &mut String) {
    let space = |out: &mut String, choices: &mut dyn FnMut() -> u8| {
        out.push_str(["", "", "", " ", "\t", "\r \n", "", "  "][choices() as usize % 8]);
    };
    space(out, choices);
    match value {
        Oracle::String(text) => spell_string(text, choices, out),
        Oracle::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spell(item, choices, out);
            }
            space(out, choices);
            out.push(']');
        }
        Oracle::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                space(out, choices);
                spell_string(key, choices, out);
                space(out, choices);
                out.push(':');
                spell(item, choices, out);
            }
            space(out, choices);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    space(out, choices);
}

fn spell_string(text: &str, choices: &mut dyn FnMut() -> u8, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let short = "\"\\/\u{8}\u{c}\n\r\t".find(c).map(|at| b"\"\\/bfnrt"[at] as char);
        let must = c < ' ' || c == '"' || c == '\\';
        match (choices() % 8, short) {
            (0..5, Some(letter)) if must => out.extend(['\\', letter]),
            (5, Some(letter)) => out.extend(['\\', letter]),
            (6, _) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            }
            _ if must => write!(out, "\\u{:04X}", c as u32).unwrap(),
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn spelled(value: &Oracle, seed: &[u8]) -> String {
    let mut at = 0;
    let mut out = String::new();
    let mut choices = || {
        at += 1;
        seed[at % seed.len()].wrapping_add((at / seed.len()) as u8)
    };
    spell(value, &mut choices, &mut out);
    out
}

fn follow<'v>(value: &'v Oracle, path: &[&str]) -> Option<&'v Oracle> {
    path.iter().try_fold(value, |value, part| value.as_object()?.get(*part))
}

fn expect_text(value: Option<&Oracle>) -> Result<String, String> {
    match value {
        None => Err("Missing".into()),
        Some(Oracle::Null) => Err("Null".into()),
        Some(Oracle::String(text)) => Ok(text.clone()),
        Some(_) => Err("NotString".into()),
    }
}

fn same_scalar(ours: Option<&Scalar<'_>>, theirs: Option<&Oracle>) -> bool {
    match (ours, theirs) {
        (Some(Scalar::Text(a)), Some(Oracle::String(b))) => a == b,
        // Without its slower exact mode serde_json may round the last bit the other way.
        (Some(Scalar::Number(a)), Some(Oracle::Number(b))) => a.parse().is_ok_and(|a: f64| {
            b.as_f64().is_some_and(|b| a.is_infinite() && b.is_infinite() || (a - b).abs() <= a.abs() * 1e-15)
        }),
        (None, None | Some(Oracle::Null | Oracle::Bool(_) | Oracle::Array(_) | Oracle::Object(_))) => true,
        _ => false,
    }
}

/// Compares with `serde_json`, and names the deliberate differences.
fn agrees_with_serde(line: &str) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_str::<Oracle>(line);
    for (text, id) in [("text", "id"), ("a.b", "b"), ("text.a", "text.text")] {
        let wanted = fields(text, Some(id), None);
        let ours = scan(line, &wanted);
        match (&theirs, ours) {
            (Ok(value), Ok((found, ..))) => {
                let split = |path: &'static str| path.split('.').collect::<Vec<_>>();
                prop_assert!(value.is_object());
                prop_assert_eq!(found, expect_text(follow(value, &split(text))), "{}", line);
                let mut scratch = Vec::new();
                let found = Scanner::new(&wanted).scan(line, &mut scratch).unwrap();
                prop_assert!(
                    same_scalar(found.id.as_ref(), follow(value, &split(id))),
                    "{:?} {}",
                    found.id,
                    line
                );
            }
            (Ok(value), Err(error)) => prop_assert!(!value.is_object(), "{error}: {line}"),
            (Err(error), Ok(_)) => {
                let message = error.to_string();
                let deliberate = message.contains("surrogate") // valid JSON, if not valid text
                    || message.contains("unexpected end of hex escape") // its words for half a pair
                    || message.contains("number out of range");
                prop_assert!(deliberate, "{message}: {line}");
            }
            (Err(_), Err(error)) => prop_assert!(error.offset <= line.len()),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_spelling_of_an_object_is_read_as_serde_json_reads_it(object in object(), seed in vec(any::<u8>(), 1..40)) {
        let line = spelled(&object, &seed);
        prop_assert!(scan(&line, &fields("text", None, None)).is_ok(), "{}", line);
        agrees_with_serde(&line)?;
    }

    #[test]
    fn mutated_lines_are_refused_where_serde_json_refuses_them(
        object in object(),
        seed in vec(any::<u8>(), 1..40),
        edits in vec((any::<prop::sample::Index>(), 0..4u8, prop_oneof![
            any::<u8>(), prop::sample::select(&b"\"\\{}[]:,u0n-.eE \n\x1f"[..])]), 1..4),
    ) {
        let mut bytes = spelled(&object, &seed).into_bytes();
        for (place, kind, byte) in edits {
            let at = place.index(bytes.len() + 1);
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => { bytes.remove(at); }
                2 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        agrees_with_serde(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn arbitrary_text_never_panics(line in "\\PC*", body in "[\\\\\"u0-9a-fA-F \u{0}-\u{2}{}:]{0,200}") {
        agrees_with_serde(&line)?;
        agrees_with_serde(&format!("{{\"text\":\"{body}"))?;
        agrees_with_serde(&format!("{{\"a\":\"{body}\"}}"))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_truncation_is_refused_at_its_end(object in object(), seed in vec(any::<u8>(), 1..40)) {
        let line = spelled(&object, &seed);
        let line = line.trim_end();
        for end in (0..line.len()).filter(|&end| line.is_char_boundary(end)) {
            for text in ["text", "a.b"] {
                let error = scan(&line[..end], &fields(text, None, None)).unwrap_err();
                prop_assert_eq!(error.offset, end, "{}", &line[..end]);
            }
        }
    }
}
