//! The tests of jinja2: `value is name`.

use super::ast::Compare;
use super::error::{Failure, Outcome};
use super::expr::Given;
use super::ops;
use super::value::{Budget, Value};

/// All tests.
pub(super) const NAMES: [&str; 39] = [
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "filter",
    "test",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "escaped",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
];

/// Whether `value is name(given)`.
pub(super) fn check(name: &str, value: &Value, given: &Given, budget: &Budget) -> Outcome<bool> {
    let other =
        || given.list.first().ok_or_else(|| Failure::error(format!("the test `{name}` takes a value")));
    let compare = |op: Compare| ops::compare(op, value, other()?, budget);
    let rest = |by: i128| -> Outcome<f64> {
        let rest = ops::binary(super::ast::Binary::Mod, value, &Value::Int(by), budget)?;
        Ok(rest.as_float().unwrap_or(f64::NAN))
    };
    Ok(match name {
        "odd" => (rest(2)? - 1.0).abs() < f64::EPSILON,
        "even" => rest(2)? == 0.0,
        "divisibleby" => {
            let by = other()?.as_int().ok_or_else(|| Failure::error("`divisibleby` takes an int"))?;
            rest(by)? == 0.0
        }
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "filter" => value.as_text().is_some_and(|name| super::filters::NAMES.contains(&name)),
        "test" => value.as_text().is_some_and(|name| NAMES.contains(&name)),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "false" => matches!(value, Value::Bool(false)),
        "true" => matches!(value, Value::Bool(true)),
        "integer" => matches!(value, Value::Int(_) | Value::Digits(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => matches!(value, Value::Bool(_) | Value::Int(_) | Value::Digits(_) | Value::Float(_)),
        "lower" | "upper" => {
            let text = super::show::to_str(value, budget)?;
            let is = |c: char| if name == "lower" { c.is_lowercase() } else { c.is_uppercase() };
            let not = |c: char| if name == "lower" { c.is_uppercase() } else { c.is_lowercase() };
            text.chars().any(is) && !text.chars().any(not)
        }
        "string" => value.as_text().is_some(),
        "mapping" => matches!(value, Value::Dict(_)),
        "sequence" => matches!(
            value,
            Value::Undefined(_)
                | Value::Text(_)
                | Value::Marked(_)
                | Value::List(_)
                | Value::Tuple(_)
                | Value::Dict(_)
                | Value::Range(..)
        ),
        "iterable" => matches!(
            value,
            Value::Undefined(_)
                | Value::Text(_)
                | Value::Marked(_)
                | Value::List(_)
                | Value::Tuple(_)
                | Value::Iter(_)
                | Value::Dict(_)
                | Value::Range(..)
                | Value::Loop(_)
        ),
        "callable" => {
            matches!(
                value,
                Value::Undefined(_)
                    | Value::Macro(_)
                    | Value::Function(_)
                    | Value::Method(_)
                    | Value::Loop(_)
            )
        }
        "sameas" => same(value, other()?, budget)?,
        "escaped" => false,
        "in" => compare(Compare::In)?,
        "==" | "eq" | "equalto" => compare(Compare::Eq)?,
        "!=" | "ne" => compare(Compare::Ne)?,
        ">" | "gt" | "greaterthan" => compare(Compare::Gt)?,
        ">=" | "ge" => compare(Compare::Ge)?,
        "<" | "lt" | "lessthan" => compare(Compare::Lt)?,
        _ => compare(Compare::Le)?,
    })
}

/// Python's `is`, as far as it means something: the same container, or an equal small value of one type.
fn same(a: &Value, b: &Value, budget: &Budget) -> Outcome<bool> {
    use std::rc::Rc;
    Ok(match (a, b) {
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b) && ops::equal(a, b, budget)?,
    })
}
