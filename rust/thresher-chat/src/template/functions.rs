//! The functions that a template can call by name.

use super::error::{Failure, Outcome};
use super::eval::Machine;
use super::expr::Given;
use super::show;
use super::value::{Dict, Value};

const NAMES: [&str; 5] = ["range", "dict", "namespace", "raise_exception", "strftime_now"];
/// The longest range that jinja2's sandbox makes.
const MAX_RANGE: usize = 100_000;

/// The function of this name.
pub(super) fn named(name: &str) -> Option<Value> {
    NAMES.iter().find(|known| **known == name).map(|known| Value::Function(known))
}

/// Calls a function.
pub(super) fn call(machine: &mut Machine, name: &str, given: &Given) -> Outcome<Value> {
    match name {
        "range" => range(given),
        "dict" => members(machine, given)?.into_value(),
        "namespace" => {
            let members = members(machine, given)?;
            Ok(machine.namespace(members))
        }
        "raise_exception" => {
            given.only(&["message"])?;
            let message =
                given.get(0, "message").ok_or_else(|| Failure::error("`raise_exception` takes a message"))?;
            Err(Failure::raised(&show::to_str(message, &machine.budget)?))
        }
        _ => {
            given.only(&["format"])?;
            let format = given.get(0, "format").and_then(Value::as_text);
            let format = format.ok_or_else(|| Failure::error("`strftime_now` takes a format"))?;
            machine.budget.bytes(format.len().saturating_mul(8))?;
            let Some(now) = machine.now else {
                return Err(Failure::error(
                    "the template asks for the date by `strftime_now`, and only a given one makes the same text \
                     each time; pass `now`, as in `2024-07-26`",
                ));
            };
            now.format(format).map(Value::text)
        }
    }
}

fn range(given: &Given) -> Outcome<Value> {
    let mut bounds = [0i64; 3];
    let count = given.list.len();
    if !(1..=3).contains(&count) || !given.named.is_empty() {
        return Err(Failure::error("`range` takes one to three integers"));
    }
    for (bound, value) in bounds.iter_mut().zip(&given.list) {
        let value = value.as_int().and_then(|value| i64::try_from(value).ok());
        *bound = value.ok_or_else(|| Failure::error("`range` takes one to three integers"))?;
    }
    let range = match count {
        1 => Value::Range(0, bounds[0], 1),
        2 => Value::Range(bounds[0], bounds[1], 1),
        _ if bounds[2] == 0 => return Err(Failure::error("the step of `range` is 0")),
        _ => Value::Range(bounds[0], bounds[1], bounds[2]),
    };
    if range.len().is_some_and(|len| len > MAX_RANGE) {
        return Err(Failure::limit(&format!("a range is longer than {MAX_RANGE}")));
    }
    Ok(range)
}

fn members(machine: &Machine, given: &Given) -> Outcome<Dict> {
    let mut dict = match given.list.first() {
        None => Dict::default(),
        Some(Value::Dict(dict)) => {
            machine.budget.steps(dict.entries.len() as u64)?;
            Dict::clone(dict)
        }
        Some(pairs) => {
            let mut dict = Dict::default();
            for pair in &pairs.iterate(&machine.budget)?.items {
                match &pair.iterate(&machine.budget)?.items[..] {
                    [key, value] => dict.set(key.clone(), value.clone())?,
                    _ => return Err(Failure::error("a dict is made of pairs")),
                }
            }
            dict
        }
    };
    if given.list.len() > 1 {
        return Err(Failure::error("a dict is made of one mapping and named members"));
    }
    for (name, value) in &given.named {
        dict.set(Value::Text(name.clone()), value.clone())?;
    }
    Ok(dict)
}
