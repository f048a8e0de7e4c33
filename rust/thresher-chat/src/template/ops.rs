//! Operators with the meaning they have in Python.

use std::cmp::Ordering;

use super::ast::{Binary, Compare};
use super::error::{Failure, Outcome};
use super::format;
use super::value::{Budget, Value};

/// Python's `==`.
pub(super) fn equal(a: &Value, b: &Value, budget: &Budget) -> Outcome<bool> {
    budget.steps(1)?;
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        budget.bytes(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return Ok(a == b);
    }
    if let (Some(x), Some(y)) = (a.as_float(), b.as_float()) {
        return Ok(x.partial_cmp(&y) == Some(Ordering::Equal)
            && !matches!((a, b), (Value::Digits(a), Value::Digits(b)) if a != b));
    }
    Ok(match (a, b) {
        (Value::None, Value::None) | (Value::Undefined(_), Value::Undefined(_)) => true,
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            if std::rc::Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            if a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Dict(a), Value::Dict(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                budget.steps(1)?;
                match b.get(key)? {
                    Some(other) if equal(value, other, budget)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Range(..), Value::Range(..)) => {
            let (a, b) = (a.iterate(budget)?, b.iterate(budget)?);
            equal(&Value::List(a), &Value::List(b), budget)?
        }
        (Value::Namespace(a), Value::Namespace(b)) => std::rc::Rc::ptr_eq(a, b),
        (Value::Iter(a), Value::Iter(b)) => std::rc::Rc::ptr_eq(a, b),
        (Value::Macro(a), Value::Macro(b)) => std::rc::Rc::ptr_eq(a, b),
        (Value::Function(a), Value::Function(b)) => a == b,
        _ => false,
    })
}

/// Python's order, where there is one.
pub(super) fn order(a: &Value, b: &Value, budget: &Budget) -> Outcome<Option<Ordering>> {
    budget.steps(2)?;
    if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
        budget.bytes(a.len().min(b.len()))?;
        return Ok(Some(a.cmp(b)));
    }
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
        return Ok(a.partial_cmp(&b));
    }
    match (a, b) {
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, budget)? {
                    return order(a, b, budget);
                }
            }
            Ok(Some(a.items.len().cmp(&b.items.len())))
        }
        _ => Err(Failure::error(format!("a {} and a {} have no order", a.type_name(), b.type_name()))),
    }
}

/// Sorts by a key, stably.
pub(super) fn sort_by<T>(items: &mut [T], key: impl Fn(&T) -> &Value, budget: &Budget) -> Outcome<()> {
    let mut failure = None;
    items.sort_by(|a, b| {
        if failure.is_some() {
            return Ordering::Equal;
        }
        match order(key(a), key(b), budget) {
            Ok(order) => order.unwrap_or(Ordering::Equal),
            Err(error) => {
                failure = Some(error);
                Ordering::Equal
            }
        }
    });
    failure.map_or(Ok(()), Err)
}

/// One comparison of a chain.
pub(super) fn compare(op: Compare, a: &Value, b: &Value, budget: &Budget) -> Outcome<bool> {
    use Ordering::{Greater, Less};
    Ok(match op {
        Compare::Eq => equal(a, b, budget)?,
        Compare::Ne => !equal(a, b, budget)?,
        Compare::Lt => order(a, b, budget)? == Some(Less),
        Compare::Gt => order(a, b, budget)? == Some(Greater),
        Compare::Le => order(a, b, budget)?.is_some_and(|order| order != Greater),
        Compare::Ge => order(a, b, budget)?.is_some_and(|order| order != Less),
        Compare::In => contains(b, a, budget)?,
        Compare::NotIn => !contains(b, a, budget)?,
    })
}

/// Python's `in`.
pub(super) fn contains(container: &Value, item: &Value, budget: &Budget) -> Outcome<bool> {
    match container {
        Value::Undefined(_) => Ok(false),
        Value::Text(_) | Value::Marked(_) => {
            let text = container.as_text().unwrap_or_default();
            budget.bytes(text.len())?;
            match item.as_text() {
                Some(item) => Ok(text.contains(item)),
                None => Err(Failure::error(format!("a {} is looked for in a str", item.type_name()))),
            }
        }
        Value::Dict(dict) => Ok(dict.get(item)?.is_some()),
        Value::List(_) | Value::Tuple(_) | Value::Iter(_) | Value::Range(..) => {
            for other in &container.iterate(budget)?.items {
                if equal(other, item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        other => Err(Failure::error(format!("nothing can be looked for in a {}", other.type_name()))),
    }
}

fn overflow() -> Failure {
    Failure::limit("an integer is beyond 127 bits")
}

/// A binary operator.
pub(super) fn binary(op: Binary, a: &Value, b: &Value, budget: &Budget) -> Outcome<Value> {
    match (op, a, b) {
        (Binary::Add, Value::List(x), Value::List(y)) | (Binary::Add, Value::Tuple(x), Value::Tuple(y)) => {
            budget.steps((x.items.len() + y.items.len()) as u64)?;
            let items = x.items.iter().chain(&y.items).cloned().collect();
            return if matches!(a, Value::List(_)) { Value::list(items) } else { Value::tuple(items) };
        }
        (Binary::Mod, Value::Text(_) | Value::Marked(_), _) => {
            return format::percent(a.as_text().unwrap_or_default(), b, budget).map(Value::text);
        }
        (Binary::Mul, _, _) => {
            for (container, times) in [(a, b), (b, a)] {
                if let Some(times) = times.as_int()
                    && let Some(repeated) = repeat(container, times, budget)?
                {
                    return Ok(repeated);
                }
            }
        }
        _ => {}
    }
    if let (Binary::Add, Some(x), Some(y)) = (op, a.as_text(), b.as_text()) {
        budget.bytes(x.len() + y.len())?;
        return Ok(Value::text([x, y].concat()));
    }
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return integers(op, a, b);
    }
    if matches!(a, Value::Digits(_)) || matches!(b, Value::Digits(_)) {
        return Err(overflow());
    }
    if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
        return floats(op, a, b).map(Value::Float);
    }
    let missing = [a, b].into_iter().find_map(|value| match value {
        Value::Undefined(name) => Some(name.clone()),
        _ => None,
    });
    Err(match missing {
        Some(name) => Failure::error(format!("`{name}` is undefined")),
        None => Failure::error(format!(
            "a {} and a {} cannot be put together by an operator",
            a.type_name(),
            b.type_name()
        )),
    })
}

fn repeat(container: &Value, times: i128, budget: &Budget) -> Outcome<Option<Value>> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    Ok(Some(match container {
        Value::Text(_) | Value::Marked(_) => {
            let text = container.as_text().unwrap_or_default();
            budget.bytes(text.len().saturating_mul(times))?;
            Value::text(text.repeat(times))
        }
        Value::List(items) | Value::Tuple(items) => {
            budget.steps((items.items.len() as u64).saturating_mul(times as u64))?;
            let rounds = if items.items.is_empty() { 0 } else { times };
            let all = (0..rounds).flat_map(|_| items.items.iter().cloned()).collect();
            if matches!(container, Value::List(_)) { Value::list(all)? } else { Value::tuple(all)? }
        }
        _ => return Ok(None),
    }))
}

fn integers(op: Binary, a: i128, b: i128) -> Outcome<Value> {
    let zero = || Failure::error("a division by zero");
    let value = match op {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div | Binary::FloorDiv | Binary::Mod if b == 0 => return Err(zero()),
        Binary::Div => return Ok(Value::Float(a as f64 / b as f64)),
        Binary::FloorDiv => {
            a.checked_div_euclid(b).map(|_| a / b - i128::from(a % b != 0 && (a < 0) != (b < 0)))
        }
        Binary::Mod => {
            a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Binary::Pow if b < 0 => return floats(op, a as f64, b as f64).map(Value::Float),
        Binary::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
    };
    value.map(Value::Int).ok_or_else(overflow)
}

fn floats(op: Binary, a: f64, b: f64) -> Outcome<f64> {
    let zero = || Failure::error("a division by zero");
    Ok(match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div | Binary::FloorDiv | Binary::Mod if b == 0.0 => return Err(zero()),
        Binary::Div => a / b,
        Binary::FloorDiv => (a / b).floor(),
        Binary::Mod => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
        Binary::Pow if a == 0.0 && b < 0.0 => return Err(zero()),
        Binary::Pow => {
            let power = a.powf(b);
            if power.is_infinite() && a.is_finite() && b.is_finite() {
                return Err(Failure::error("a float is too large"));
            }
            power
        }
    })
}

/// Minus.
pub(super) fn negative(value: &Value) -> Outcome<Value> {
    match (value.as_int(), value) {
        (Some(value), _) => value.checked_neg().map(Value::Int).ok_or_else(overflow),
        (None, Value::Float(value)) => Ok(Value::Float(-value)),
        _ => Err(Failure::error(format!("a {} has no minus", value.type_name()))),
    }
}

/// The places that a slice takes, as `range` gives them: first, one past the last in its direction, and step.
struct Bounds {
    start: i128,
    stop: i128,
    step: i128,
}

impl Bounds {
    /// The bounds within `len` items.
    fn new([start, stop, step]: [Option<i128>; 3], len: usize) -> Self {
        let (len, step) = (len as i128, step.unwrap_or(1));
        let clamp = |bound: i128| {
            let bound = if bound < 0 { bound.saturating_add(len) } else { bound };
            if step > 0 { bound.clamp(0, len) } else { bound.clamp(-1, len - 1) }
        };
        Self {
            start: start.map_or(if step > 0 { 0 } else { len - 1 }, clamp),
            stop: stop.map_or(if step > 0 { len } else { -1 }, clamp),
            step,
        }
    }

    fn places(&self) -> Vec<usize> {
        let mut at = self.start;
        let mut places = Vec::new();
        while (self.step > 0 && at < self.stop) || (self.step < 0 && at > self.stop) {
            places.push(at as usize);
            at = at.saturating_add(self.step);
        }
        places
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(value: &Value, bounds: &[Option<Value>; 3], budget: &Budget) -> Outcome<Value> {
    let len = match value {
        Value::Undefined(name) => return Err(Failure::error(format!("`{name}` is undefined"))),
        Value::Text(_) | Value::Marked(_) | Value::List(_) | Value::Tuple(_) | Value::Range(..) => {
            value.len()
        }
        other => return Err(Failure::error(format!("a {} cannot be sliced", other.type_name()))),
    };
    let mut parts = [None; 3];
    for (part, bound) in parts.iter_mut().zip(bounds) {
        match (bound, bound.as_ref().and_then(Value::as_int)) {
            (None | Some(Value::None), _) => {}
            (_, Some(place)) => *part = Some(place),
            _ => return Err(Failure::error("a slice is bounded by ints")),
        }
    }
    if parts[2] == Some(0) {
        return Err(Failure::error("the step of a slice is 0"));
    }
    let bounds = Bounds::new(parts, len.unwrap_or(0));
    match value {
        Value::Range(start, _, step) => {
            let (start, step) = (i128::from(*start), i128::from(*step));
            let place = |at: i128| i64::try_from(start + step * at).ok();
            let by = i64::try_from(step.saturating_mul(bounds.step)).ok();
            match (place(bounds.start), place(bounds.stop), by) {
                (Some(start), Some(stop), Some(step)) => Ok(Value::Range(start, stop, step)),
                _ => Err(overflow()),
            }
        }
        Value::List(items) | Value::Tuple(items) => {
            budget.steps(items.items.len() as u64)?;
            let taken = bounds.places().into_iter().map(|at| items.items[at].clone()).collect();
            if matches!(value, Value::Tuple(_)) { Value::tuple(taken) } else { Value::list(taken) }
        }
        _ => {
            let text = value.as_text().unwrap_or_default();
            budget.bytes(text.len().saturating_mul(4))?;
            let chars: Vec<char> = text.chars().collect();
            Ok(Value::text(bounds.places().into_iter().map(|at| chars[at]).collect::<String>()))
        }
    }
}
