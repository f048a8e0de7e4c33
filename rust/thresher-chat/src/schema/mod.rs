//! JSON Schemas of strangers: compiled once, and only if checking against them is bounded.
//!
//! A schema comes with the data, so it may be made to hang: references that call each other without end, references to
//! references that double at each step, a regular expression that backtracks (only those that take linear time are taken). The
//! evaluator follows references as if they were written out. So they are written out here first, by counting (`bounds`): a
//! schema that does not end, or that has too many parts once written out, is refused. Recursion that goes down into the
//! value (a tree) is fine; the depth of the value then bounds it, and the product is what [`Schema::check`] compares with
//! `MAX_WORK`. Nothing is fetched: references leave the schema only in schemas that are refused. `format` is an annotation,
//! as the standard has it, and is not checked.

mod bounds;

use std::fmt::{self, Display, Formatter, Write as _};

use serde_json::Value;

use crate::shown::{one_line, shown};
use bounds::Bounds;

/// The longest schema, as text.
const MAX_BYTES: usize = 256 << 10;
/// Parts of the schema times bytes of the value; a few times what a second does in the worst case.
const MAX_WORK: u64 = 1 << 26;
/// Bytes of a compiled regular expression.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Violations that are told apart in one value.
const MAX_VIOLATIONS: usize = 20;

/// Why there is nothing to check against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON Schema.
    Invalid(String),
    /// It may be one, but following it is not safe.
    Unsafe(String),
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (what, why) = match self {
            Self::Invalid(why) => ("the schema is no JSON Schema", why),
            Self::Unsafe(why) => ("the schema is refused", why),
        };
        write!(f, "{what}: {}", one_line(why))
    }
}

impl std::error::Error for Refusal {}

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: jsonschema::Validator,
    bounds: Bounds,
}

/// One way in which a value breaks a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where in the value, as a JSON Pointer (RFC 6901): `/stops/2/city`, empty for the value as a whole.
    pub pointer: String,
    /// What stands there, as JSON.
    pub value: String,
    /// What is wrong with it.
    pub message: String,
}

impl Violation {
    /// The place as people write it in programs: `.stops[2].city`.
    #[must_use]
    pub fn path(&self) -> String {
        path_of(&self.pointer)
    }
}

impl Display for Violation {
    /// The place, what is wrong there, and what was found.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { AS_A_WHOLE } else { &self.pointer };
        write!(f, "{place}: {}; found {}", one_line(&self.message), shown(&self.value))
    }
}

/// How a sentence calls the place of a value that is in no other.
const AS_A_WHOLE: &str = "the value as a whole";

impl Schema {
    /// Compiles a schema that is an object of JSON.
    ///
    /// # Errors
    /// It is no JSON, no JSON Schema, or none that can be followed safely.
    pub fn parse(schema: &str) -> Result<Self, Refusal> {
        if schema.len() > MAX_BYTES {
            return Err(Refusal::Unsafe(format!("it is longer than {MAX_BYTES} bytes")));
        }
        match serde_json::from_str(schema) {
            Ok(schema @ Value::Object(_)) => Self::try_new(&schema),
            Ok(_) => Err(Refusal::Invalid("it is not an object".into())),
            Err(error) => Err(Refusal::Invalid(error.to_string())),
        }
    }

    fn try_new(schema: &Value) -> Result<Self, Refusal> {
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
    pub(crate) fn weight(&self) -> usize {
        self.bounds.nodes as usize * 64
    }

    /// What is wrong with a text that is to be JSON of this schema, in sentences that each begin with the place. At most 20;
    /// the last one counts those that are left out.
    #[must_use]
    pub fn errors(&self, text: &str) -> Vec<String> {
        let whole = |what: String| vec![format!("{AS_A_WHOLE}: {what}")];
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return whole(format!("it is not JSON ({error}); found {}", shown(text))),
        };
        match self.check(&value, text.len()) {
            Some(violations) => violations.iter().map(Violation::to_string).collect(),
            None => {
                whole(format!("checking its {} bytes against the schema would take too long", text.len()))
            }
        }
    }

    /// What is wrong with `value`, whose text has `bytes`; none if finding out would take too long.
    #[must_use]
    pub fn check(&self, value: &Value, bytes: usize) -> Option<Vec<Violation>> {
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
                pointer: error.instance_path().as_str().to_owned(),
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

#[cfg(test)]
mod tests;
