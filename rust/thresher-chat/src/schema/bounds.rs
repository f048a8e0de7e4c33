//! How large a schema is once its references are written out, and whether it ends.

use serde_json::{Map, Value};

use super::Refusal;
use crate::shown::shown;

/// How deep a schema may nest, references written out.
const MAX_DEPTH: usize = 64;
/// Parts of a schema, references written out.
const MAX_NODES: u64 = 20_000;
/// What a regular expression counts for.
const PATTERN_COST: usize = 256;

/// How large a schema is once its references are written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Parts, each reference counted as what it refers to.
    pub(super) nodes: u64,
    /// References back to a schema that they stand in.
    pub(super) returns: u64,
}

/// Keywords that hold one schema for the value itself; for its members; and so on for lists and maps of schemas.
const HERE: [&str; 4] = ["not", "if", "then", "else"];
const HERE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const HERE_MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];
const BELOW: [&str; 7] = [
    "additionalProperties",
    "additionalItems",
    "propertyNames",
    "contains",
    "items",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const BELOW_LISTS: [&str; 2] = ["prefixItems", "items"];
const BELOW_MAPS: [&str; 2] = ["properties", "patternProperties"];
/// What evaluates its neighbours a second time.
const TWICE: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];
/// References that depend on how one came.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

impl Bounds {
    pub(super) fn of(schema: &Value) -> Result<Self, Refusal> {
        let mut walk =
            Walk { root: schema, open: vec![("#".to_owned(), 0)], bounds: Self::default(), twice: false };
        walk.visit(schema, 0, 0, 1)?;
        if walk.twice && walk.bounds.returns > 0 {
            return Err(unsafe_because(
                "it is recursive and has `unevaluated...`, which may double its cost at each step",
            ));
        }
        Ok(walk.bounds)
    }
}

/// Whether a regular expression has what takes more than linear time.
fn backtracks(pattern: &str) -> bool {
    let refers_back = |pair: &[u8]| pair[0] == b'\\' && (matches!(pair[1], b'1'..=b'9') || pair[1] == b'k');
    ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| pattern.contains(look))
        || pattern.as_bytes().windows(2).any(refers_back)
}

fn unsafe_because(why: impl Into<String>) -> Refusal {
    Refusal::Unsafe(why.into())
}

struct Walk<'s> {
    root: &'s Value,
    /// References that are being followed, and how far down in the value each was.
    open: Vec<(String, usize)>,
    bounds: Bounds,
    twice: bool,
}

impl<'s> Walk<'s> {
    /// Counts `schema`, `depth` schemas and `down` values deep, `weight` times.
    fn visit(&mut self, schema: &'s Value, depth: usize, down: usize, weight: u64) -> Result<(), Refusal> {
        let Value::Object(keywords) = schema else { return self.count(weight) };
        if depth > MAX_DEPTH {
            return Err(unsafe_because(format!(
                "it nests more than {MAX_DEPTH} deep once its references are followed"
            )));
        }
        let listed = |name: &str| keywords.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let own = 1 + keywords.len() + listed("enum") + listed("required");
        let by_key =
            keywords.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let patterns: Vec<&str> = keywords
            .get("pattern")
            .and_then(Value::as_str)
            .into_iter()
            .chain(by_key.map(String::as_str))
            .collect();
        if let Some(pattern) = patterns.iter().find(|pattern| backtracks(pattern)) {
            return Err(unsafe_because(format!(
                "the regular expression {} looks around or back, which may take forever",
                shown(pattern)
            )));
        }
        self.count(weight.saturating_mul((own + PATTERN_COST * patterns.len()) as u64))?;
        if let Some(name) = DYNAMIC.into_iter().find(|name| keywords.contains_key(*name)) {
            return Err(unsafe_because(format!("it has `{name}`; refer to the definition by `$ref`")));
        }
        if depth > 0 && keywords.get("$id").is_some_and(Value::is_string) {
            return Err(unsafe_because(
                "a schema inside it has an `$id`, which changes what references mean",
            ));
        }
        let twice = TWICE.iter().any(|name| keywords.contains_key(*name));
        self.twice |= twice;
        let weight = weight.saturating_mul(if twice { 2 } else { 1 });
        if let Some(Value::String(target)) = keywords.get("$ref") {
            self.follow(target, depth, down, weight)?;
        }
        self.members(keywords, &HERE, &HERE_LISTS, &HERE_MAPS, (depth + 1, down, weight))?;
        self.members(keywords, &BELOW, &BELOW_LISTS, &BELOW_MAPS, (depth + 1, down + 1, weight))
    }

    fn members(
        &mut self,
        keywords: &'s Map<String, Value>,
        single: &[&str],
        lists: &[&str],
        maps: &[&str],
        (depth, down, weight): (usize, usize, u64),
    ) -> Result<(), Refusal> {
        let singles = single.iter().filter_map(|name| keywords.get(*name)).filter(|value| !value.is_array());
        let lists = lists.iter().filter_map(|name| keywords.get(*name)?.as_array()).flatten();
        let maps = maps.iter().filter_map(|name| keywords.get(*name)?.as_object()).flat_map(Map::values);
        for schema in singles.chain(lists).chain(maps) {
            self.visit(schema, depth, down, weight)?;
        }
        Ok(())
    }

    fn follow(&mut self, target: &str, depth: usize, down: usize, weight: u64) -> Result<(), Refusal> {
        let pointer =
            target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let Some(pointer) = pointer.filter(|pointer| !pointer.contains('%')) else {
            return Err(unsafe_because(format!(
                "it refers to {}, and nothing is fetched; put the definition into `$defs` and refer to it by \
                 `#/$defs/...`",
                shown(target)
            )));
        };
        if let Some((_, entered)) = self.open.iter().find(|(open, _)| open == target) {
            if *entered == down {
                return Err(unsafe_because(format!("the reference {} leads back to itself", shown(target))));
            }
            self.bounds.returns = self.bounds.returns.saturating_add(weight);
            return Ok(());
        }
        let Some(schema) = self.root.pointer(pointer) else {
            return Err(Refusal::Invalid(format!("the reference {} leads nowhere", shown(target))));
        };
        self.open.push((target.to_owned(), down));
        self.visit(schema, depth + 1, down, weight)?;
        self.open.pop();
        Ok(())
    }

    fn count(&mut self, nodes: u64) -> Result<(), Refusal> {
        self.bounds.nodes = self.bounds.nodes.saturating_add(nodes);
        if self.bounds.nodes > MAX_NODES {
            return Err(unsafe_because(format!(
                "it has more than {MAX_NODES} parts once its references are followed"
            )));
        }
        Ok(())
    }
}
