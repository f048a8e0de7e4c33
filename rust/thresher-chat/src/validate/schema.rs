//! JSON Schemas of strangers: compiled once, and only if checking against them is bounded.
//!
//! A schema comes with the data, so it may be made to hang: references that call each other without end, references to
//! references that double at each step, a regular expression that backtracks (only those that take linear time are taken). The evaluator follows references as if they
//! were written out. So they are written out here first, by counting ([`Bounds`]): a schema that does not end, or that
//! has more than [`MAX_NODES`] parts once written out, is refused. Recursion that goes down into the value (a tree) is
//! fine; the depth of the value then bounds it, and the product is what [`Schema::check`] compares with [`MAX_WORK`].
//! Nothing is fetched: references leave the schema only in schemas that are refused.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The longest schema, as text.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// How deep a schema may nest, references written out.
const MAX_DEPTH: usize = 64;
/// Parts of a schema, references written out.
const MAX_NODES: u64 = 20_000;
/// Parts of the schema times bytes of the value; a few times what a second does in the worst case.
const MAX_WORK: u64 = 1 << 26;
/// Bytes of a compiled regular expression.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// What a regular expression counts for.
const PATTERN_COST: usize = 256;
/// Violations that are told apart in one value.
const MAX_VIOLATIONS: usize = 16;

/// Why there is nothing to check against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no JSON Schema.
    Invalid(String),
    /// It may be one, but following it is not safe.
    Unsafe(String),
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    validator: jsonschema::Validator,
    bounds: Bounds,
}

/// One way in which a value breaks a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// Where in the value, as in `.stops[2].city`.
    pub(super) path: String,
    /// What stands there, as JSON.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) message: String,
}

impl Schema {
    pub(super) fn try_new(schema: &Value) -> Result<Self, Refusal> {
        let bounds = Bounds::of(schema)?;
        let patterns = jsonschema::PatternOptions::regex()
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES);
        let built = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(patterns)
            .build(schema);
        match built {
            Ok(validator) => Ok(Self { validator, bounds }),
            Err(error) if matches!(error.kind(), jsonschema::error::ValidationErrorKind::Referencing(_)) => {
                Err(Refusal::Unsafe(format!("a reference leads out of it ({error})")))
            }
            Err(error) => Err(Refusal::Invalid(error.to_string())),
        }
    }

    /// What it weighs in memory, roughly, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bounds.nodes as usize * 64
    }

    /// What is wrong with `value`, whose text has `bytes`; none if finding out would take too long.
    pub(super) fn check(&self, value: &Value, bytes: usize) -> Option<Vec<Violation>> {
        let depth = if self.bounds.returns > 1 { depth_of(value) } else { 0 };
        let paths = self.bounds.returns.max(1).saturating_pow(depth);
        let work = (bytes as u64).saturating_mul(self.bounds.nodes).saturating_mul(paths);
        if work > MAX_WORK {
            return None;
        }
        if self.validator.is_valid(value) {
            return Some(Vec::new());
        }
        let mut violations: Vec<Violation> = Vec::new();
        let mut more = 0usize;
        for error in self.validator.iter_errors(value) {
            let violation = Violation {
                path: path_of(error.instance_path().as_str()),
                value: error.instance().to_string(),
                message: error.masked_with("it").to_string(),
            };
            // References that lead to one schema twice find the same twice.
            if violations.contains(&violation) {
                continue;
            }
            if violations.len() < MAX_VIOLATIONS {
                violations.push(violation);
            } else {
                more += 1;
            }
        }
        if let Some(last) = violations.last_mut().filter(|_| more > 0) {
            let _ = write!(last.message, " (and there are {more} more violations)");
        }
        Some(violations)
    }
}

/// A JSON pointer as the path that people write.
fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.extend(["[", &part, "]"]);
        } else {
            path.extend([".", &part]);
        }
    }
    path
}

fn depth_of(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// How large a schema is once its references are written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds {
    /// Parts, each reference counted as what it refers to.
    nodes: u64,
    /// References back to a schema that they stand in.
    returns: u64,
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
    fn of(schema: &Value) -> Result<Self, Refusal> {
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
                super::row::shown(pattern)
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
                super::row::shown(target)
            )));
        };
        if let Some((_, entered)) = self.open.iter().find(|(open, _)| open == target) {
            if *entered == down {
                return Err(unsafe_because(format!(
                    "the reference {} leads back to itself",
                    super::row::shown(target)
                )));
            }
            self.bounds.returns = self.bounds.returns.saturating_add(weight);
            return Ok(());
        }
        let Some(schema) = self.root.pointer(pointer) else {
            return Err(Refusal::Invalid(format!(
                "the reference {} leads nowhere",
                super::row::shown(target)
            )));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let violations =
            tree.check(&json!({"children": [{"n": 1}, {"children": [{"n": "x"}]}]}), 40).unwrap();
        assert_eq!(violations[0].path, ".children[1].children[0].n");
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
        for pattern in ["^(?=(a+)+$)b", "(?=a)(a|a)*$", "^(?!a)b", "(?<!a)b", r"^(a+)\1+$", r"(?<n>a+)\k<n>"]
        {
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
}
