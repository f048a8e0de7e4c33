//! Keys that an object has twice. One pass over the text, whatever its depth.

use std::fmt::Write as _;

use memchr::memchr2;
use thresher_core::json::Str;

use super::codes::Code;
use super::row::Found;
use crate::shown::shown_str;

/// Up to this many keys are compared with each other; more are sorted.
const FEW: usize = 12;

/// Memory that is used again for each row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Start and end of the keys of all open objects.
    keys: Vec<(usize, usize)>,
    open: Vec<Open>,
}

/// An array or object that is not closed yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    is_object: bool,
    /// Its first key among `keys`.
    first: usize,
    /// Elements or values before this one.
    index: usize,
    /// The next string is a key.
    expects_key: bool,
}

impl Scratch {
    /// Notes the duplicate keys in `text`, a checked value that stands at `path`.
    pub(super) fn check(&mut self, text: &str, path: &str, at: u32, found: &mut Found<'_>) {
        if !found.wants(Code::DuplicateKey) {
            return;
        }
        self.keys.clear();
        self.open.clear();
        let bytes = text.as_bytes();
        let mut here = 0;
        while let Some(&byte) = bytes.get(here) {
            match byte {
                b'"' => {
                    let end = end_of_string(bytes, here + 1);
                    if let Some(open) = self.open.last_mut().filter(|open| open.expects_key) {
                        open.expects_key = false;
                        self.keys.push((here + 1, end));
                    }
                    here = end;
                }
                b'{' | b'[' => {
                    let is_object = byte == b'{';
                    let first = self.keys.len();
                    self.open.push(Open { is_object, first, index: 0, expects_key: is_object });
                }
                b',' => {
                    if let Some(open) = self.open.last_mut() {
                        open.index += 1;
                        open.expects_key = open.is_object;
                    }
                }
                b'}' | b']' => {
                    if let Some(open) = self.open.pop() {
                        self.close(text, open, path, at, found);
                    }
                }
                _ => {}
            }
            here += 1;
        }
    }

    /// Looks at the keys of an object that is complete.
    fn close(&mut self, text: &str, object: Open, path: &str, at: u32, found: &mut Found<'_>) {
        let keys = &mut self.keys[object.first..];
        let key = |&(start, end): &(usize, usize)| &text[start..end];
        let suspicious = if keys.len() <= FEW {
            (1..keys.len()).any(|at| keys[..at].iter().any(|other| key(other) == key(&keys[at])))
                || keys.iter().any(|place| key(place).contains('\\'))
        } else {
            true
        };
        if suspicious {
            let mut plain: Vec<Str<'_>> = keys.iter().map(|place| decoded(key(place))).collect();
            plain.sort_unstable_by(|a, b| a.escaped().cmp(b.escaped()));
            for run in plain.chunk_by(|a, b| a == b).filter(|run| run.len() > 1) {
                let place = self.path(text, path);
                let times = run.len();
                let message =
                    format!("the key {} stands there {times} times; keep one of them", shown_str(&run[0]));
                found.note(Code::DuplicateKey, at, place, message);
            }
        }
        self.keys.truncate(object.first);
    }

    /// The path of the object that was closed last.
    fn path(&self, text: &str, start: &str) -> String {
        let mut path = start.to_owned();
        for open in &self.open {
            if open.is_object {
                let key =
                    self.keys.get(open.first + open.index).map_or("", |&(start, end)| &text[start..end]);
                let _ = write!(path, "{}{key}", if path.is_empty() { "" } else { "." });
            } else {
                let _ = write!(path, "[{}]", open.index);
            }
        }
        path
    }
}

/// A key in the one way of writing that `Str::encode` gives.
fn decoded(key: &str) -> Str<'_> {
    let written = Str::from_escaped(key);
    if !key.contains('\\') {
        return written;
    }
    match written.decode() {
        Ok(plain) => Str::encode(plain.into_owned()),
        Err(_) => written,
    }
}

/// The closing quote of the checked string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(step) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += step;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use thresher_core::json::Json;

    use super::*;
    use crate::validate::options::{Options, Settings};

    /// The paths of objects with duplicate keys, found by looking into every value.
    fn naive(value: Json<'_>, path: &str, found: &mut Vec<String>) {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for (key, _) in value.entries() {
            *times.entry(key.decode().unwrap().into_owned()).or_default() += 1;
        }
        for (key, inner) in value.entries() {
            let dot = if path.is_empty() { "" } else { "." };
            naive(inner, &format!("{path}{dot}{}", key.escaped()), found);
        }
        for (at, inner) in value.items().enumerate() {
            naive(inner, &format!("{path}[{at}]"), found);
        }
        found.extend(times.values().filter(|times| **times > 1).map(|_| path.to_owned()));
    }

    fn found(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let settings = Settings::try_new(&Options::default()).unwrap();
        Scratch::default().check(text, "", 0, &mut Found { settings, problems: &mut problems });
        problems.into_iter().map(|problem| problem.path).collect()
    }

    /// JSON with keys that are often alike, in several ways of writing.
    fn values() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1".to_owned()),
            Just(r#""a\"],{""#.to_owned()),
            Just("[]".to_owned()),
            Just(" { } ".to_owned())
        ];
        let key = prop_oneof![r#"a|b|\\u0061|\\"|"#, "[c-z]{1,3}"];
        leaf.prop_recursive(4, 48, 16, move |inner| {
            let object = prop::collection::vec((key.clone(), inner.clone()), 0..16).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", members.join(", "))
            });
            let array =
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,")));
            prop_oneof![3 => object, 1 => array]
        })
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_looking_into_every_value_finds(text in values()) {
            let value = Json::parse(&text).unwrap();
            let mut expected = Vec::new();
            naive(value, "", &mut expected);
            prop_assert_eq!(found(&text), expected, "{}", text);
        }

        #[test]
        fn unchecked_text_never_panics(text in "[\\[\\]{}\",:\\\\ a1]{0,24}") {
            let _ = found(&text);
        }
    }
}
