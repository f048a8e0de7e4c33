//! A checked JSON value as a slice of its line; members are cut off when they are asked for.
//!
//! No tree is built: a row is looked at along one or two paths, and what is unknown in it is passed on as it stands.
//! Each level that is entered walks over its bytes once more, strings by `memchr`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::text::{Str, end_of};
use super::{Parsed, find};

/// A JSON value, as it is written, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

/// Keys and values of an object, each key once.
pub type Members<'a> = Vec<(Str<'a>, Json<'a>)>;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number of any size.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// With its article, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'a> Json<'a> {
    /// Checks that `text` is one value.
    ///
    /// # Errors
    /// `SyntaxError` if it is not.
    pub fn parse(text: &'a str) -> Parsed<Self> {
        find::check(text)?;
        Ok(Self::checked(text))
    }

    /// A value that was checked before. On other text the answers are wrong, and nothing else: no method panics.
    #[must_use]
    pub fn checked(text: &'a str) -> Self {
        Self(text.trim_matches([' ', '\t', '\n', '\r']))
    }

    /// As it is written.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(self) -> Option<Str<'a>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(Str::checked(inside))
    }

    /// The elements of an array; none of anything else.
    #[must_use]
    pub fn items(self) -> Items<'a> {
        Items(Walk::new(self.0, b'['))
    }

    /// Keys and values of an object, duplicate keys included; none of anything else.
    #[must_use]
    pub fn entries(self) -> Entries<'a> {
        Entries(Walk::new(self.0, b'{'))
    }

    /// Keys and values of an object, each key once: the last value counts, in the place of the first.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        members_of(&mut self.entries())
    }

    /// The member `key` of an object.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.entries().filter(|(name, _)| name.is(key)).last().map(|(_, value)| value)
    }
}

impl<'a> From<Json<'a>> for Cow<'a, str> {
    fn from(value: Json<'a>) -> Self {
        Cow::Borrowed(value.0)
    }
}

/// Members up to which each key is compared with all others.
const FEW_MEMBERS: usize = 64;

/// The rest of an object, each key once.
fn members_of<'a>(entries: &mut Entries<'a>) -> Members<'a> {
    let mut members: Members<'a> = Vec::with_capacity(4);
    for (key, value) in entries.by_ref().take(FEW_MEMBERS) {
        match members.iter_mut().find(|(seen, _)| same(seen, &key)) {
            Some((_, old)) => *old = value,
            None => members.push((key, value)),
        }
    }
    let Some(next) = entries.next() else { return members };
    // Nobody has so many fields but who wants to see what becomes of us.
    let meaning = |key: &Str<'a>| key.decode().map_or_else(|_| key.escaped().to_owned(), Cow::into_owned);
    let mut places: HashMap<String, usize> =
        members.iter().enumerate().map(|(place, (key, _))| (meaning(key), place)).collect();
    for (key, value) in std::iter::once(next).chain(entries) {
        let place = *places.entry(meaning(&key)).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, old)) => *old = value,
            None => members.push((key, value)),
        }
    }
    members
}

/// Whether two keys mean the same; nearly all are written alike.
fn same(a: &Str<'_>, b: &Str<'_>) -> bool {
    a == b || (a.has_escape() || b.has_escape()) && a.decode().is_ok_and(|a| b.is(&a))
}

/// A walk over the members of one array or object.
#[derive(Clone, Debug)]
struct Walk<'a> {
    text: &'a str,
    /// Where the next member begins, after a comma or the bracket.
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, bracket: u8) -> Self {
        let at = if text.as_bytes().first() == Some(&bracket) { 1 } else { text.len() };
        Self { text, at }
    }

    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// The next value, if the walk is not over; moves behind the comma after it.
    fn value(&mut self) -> Option<Json<'a>> {
        self.skip_space();
        let bytes = self.text.as_bytes();
        if matches!(bytes.get(self.at), None | Some(b']' | b'}')) {
            return None;
        }
        let start = self.at;
        self.at = end_of_value(bytes, start);
        let value = Json(&self.text[start..self.at]);
        self.pass_comma();
        Some(value)
    }

    /// Moves behind the comma or the colon after a value; before the bracket that ends the walk it stays.
    fn pass_comma(&mut self) {
        self.skip_space();
        if matches!(self.text.as_bytes().get(self.at), Some(b',' | b':')) {
            self.at += 1;
        }
    }
}

/// One past the value that begins at `start`.
fn end_of_value(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of(bytes, at + 1);
                if depth == 0 {
                    return (at + 1).min(bytes.len());
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Items<'a>(Walk<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        self.0.value()
    }
}

impl<'a> Items<'a> {
    /// The members of the next element in one walk over it, as [`Json::members`] gives them; of an element that is no
    /// object, the element.
    pub fn next_members(&mut self) -> Option<std::result::Result<Members<'a>, Json<'a>>> {
        self.0.skip_space();
        let Walk { text, at } = self.0;
        if text.as_bytes().get(at) != Some(&b'{') {
            return self.0.value().map(Err);
        }
        let mut entries = Entries(Walk { text, at: at + 1 });
        let members = members_of(&mut entries);
        // The walk stands before the bracket, or where text that is no JSON made it stop.
        self.0.at = entries.0.at;
        if matches!(text.as_bytes().get(self.0.at), Some(b'}' | b']')) {
            self.0.at += 1;
        }
        self.0.pass_comma();
        Some(Ok(members))
    }
}

/// The keys and values of an object.
#[derive(Clone, Debug)]
pub struct Entries<'a>(Walk<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Str<'a>, Json<'a>);

    fn next(&mut self) -> Option<(Str<'a>, Json<'a>)> {
        // What follows a key is its colon, which `value` passes as it passes a comma.
        let key = self.0.value()?.as_str()?;
        Some((key, self.0.value()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Oracle;

    use super::*;

    /// The tree that the walks give.
    fn tree(value: Json<'_>) -> Oracle {
        match value.kind() {
            Kind::Array => Oracle::Array(value.items().map(tree).collect()),
            Kind::Object => Oracle::Object(
                value
                    .members()
                    .into_iter()
                    .map(|(key, value)| (key.decode().unwrap().into_owned(), tree(value)))
                    .collect(),
            ),
            Kind::String => Oracle::String(value.as_str().unwrap().decode().unwrap().into_owned()),
            _ => serde_json::from_str(value.text()).unwrap(),
        }
    }

    fn values() -> impl Strategy<Value = Oracle> {
        let leaf = prop_oneof![
            Just(Oracle::Null),
            any::<bool>().prop_map(Oracle::Bool),
            any::<i64>().prop_map(Oracle::from),
            "[ -~\\n\\\\\"{}\\[\\],:]{0,12}".prop_map(Oracle::String),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Oracle::Array),
                prop::collection::hash_map("[a-c\"\\\\]{0,3}", inner, 0..6)
                    .prop_map(|map| Oracle::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn walks_see_what_a_tree_parser_sees(value in values(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(tree(Json::parse(&text).unwrap()), value);
        }

        #[test]
        fn unchecked_text_never_panics(text in "[\\[\\]{}\",:\\\\ a1\u{e4}]{0,24}") {
            let value = Json::checked(&text);
            let _ = (value.items().count(), value.members().len(), value.get("a"), value.as_str());
            value.entries().for_each(|(_, inner)| drop(inner.members()));
            let mut items = value.items();
            for _ in 0..=text.len() {
                let _ = items.next_members();
            }
        }
    }

    #[test]
    fn members_of_elements_are_those_of_each_alone() {
        let list = Json::parse(r#" [ {"a":1, "b":{"c":[1]}} , 2,{},[{"a":1}], {"a":1,"a":"}"} ] "#).unwrap();
        let mut items = list.items();
        for element in list.items() {
            let members = items.next_members().unwrap();
            if element.kind() == Kind::Object {
                assert_eq!(members, Ok(element.members()));
            } else {
                assert_eq!(members, Err(element));
            }
        }
        assert_eq!(items.next_members(), None);
        assert_eq!(items.next_members(), None);
    }

    #[test]
    fn of_duplicate_keys_the_last_value_counts_in_the_first_place() {
        let value = Json::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        let members: Vec<_> = value
            .members()
            .into_iter()
            .map(|(key, value)| (key.escaped().to_owned(), value.text()))
            .collect();
        assert_eq!(members, [("a".to_owned(), "3"), ("b".to_owned(), "2")]);
        assert_eq!(value.get("a").unwrap().text(), "3");
        assert_eq!(value.get("c"), None);
    }

    #[test]
    fn a_hundred_thousand_keys_are_looked_at_once_each() {
        let keys = |n: usize| if n.is_multiple_of(2) { format!("k{n}") } else { format!("\\u006b{n}") };
        let once: Vec<String> = (0..100_000).map(|n| format!("\"{}\":{n}", keys(n))).collect();
        let twice = format!("{{{0},\"k7\":-1,\"\\u006b8\":-2}}", once.join(","));
        let members = Json::parse(&twice).unwrap().members();
        assert_eq!(members.len(), 100_000);
        assert_eq!((members[7].1.text(), members[8].1.text(), members[9].1.text()), ("-1", "-2", "9"));
    }

    #[test]
    fn any_kind_of_value_is_one() {
        for (text, kind) in [
            ("null", Kind::Null),
            (" true ", Kind::Bool),
            ("-1.5e9", Kind::Number),
            ("\"a\"", Kind::String),
            ("[1]", Kind::Array),
            ("{}", Kind::Object),
        ] {
            assert_eq!(Json::parse(text).unwrap().kind(), kind);
        }
        for text in ["", "nul", "1 2", "[1", "{\"a\"}", "\"a"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
