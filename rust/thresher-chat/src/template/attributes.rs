//! What `value.name` and `value[key]` mean: only data and the methods that change nothing can be reached.
//!
//! Python finds a method before a member of the same name, and a method that changes its value is refused by jinja2's
//! immutable sandbox. So `schema.items` is a method although a JSON schema has a member `items`.

use std::rc::Rc;
use std::sync::Arc;

use super::error::{Failure, Outcome};
use super::methods;
use super::ops;
use super::value::{Budget, LoopState, Value};

/// `value.name`
pub(super) fn attribute(value: &Value, name: &Arc<str>) -> Outcome<Value> {
    if let Value::Undefined(missing) = value {
        return Err(Failure::error(format!("`{missing}` is undefined, so it has no attribute `{name}`")));
    }
    let known = match value {
        Value::Text(_) | Value::Marked(_) => methods::TEXT.contains(&&**name),
        Value::Dict(_) => methods::DICT.contains(&&**name),
        Value::List(_) | Value::Tuple(_) => methods::LIST.contains(&&**name) && !is_list_only(value, name),
        Value::Loop(_) => matches!(&**name, "cycle" | "changed"),
        _ => false,
    };
    if known {
        return Ok(Value::Method(Rc::new((value.clone(), name.clone()))));
    }
    let found = match value {
        _ if name.starts_with("__") => None,
        Value::Dict(_) if methods::DICT_CHANGES.contains(&&**name) => None,
        Value::Dict(dict) => dict.get_text(name).cloned(),
        Value::Namespace(members) => members.borrow().get_text(name).cloned(),
        Value::Loop(state) => of_loop(state, name),
        Value::Macro(closure) if **name == *"name" => Some(Value::Text(closure.definition.name.clone())),
        _ => None,
    };
    Ok(found.unwrap_or_else(|| Value::Undefined(name.clone())))
}

fn is_list_only(value: &Value, name: &str) -> bool {
    matches!(value, Value::Tuple(_)) && name == "copy"
}

fn of_loop(state: &LoopState, name: &str) -> Option<Value> {
    let (index, len) = (state.index.get(), state.items.items.len());
    let int = |value: usize| Some(Value::Int(value as i128));
    match name {
        "index" => int(index + 1),
        "index0" => int(index),
        "revindex" => int(len - index),
        "revindex0" => int(len - index - 1),
        "first" => Some(Value::Bool(index == 0)),
        "last" => Some(Value::Bool(index + 1 == len)),
        "length" => int(len),
        "depth" => int(state.depth + 1),
        "depth0" => int(state.depth),
        "previtem" => index.checked_sub(1).and_then(|at| state.items.items.get(at)).cloned(),
        "nextitem" => state.items.items.get(index + 1).cloned(),
        _ => None,
    }
}

/// `value[key]`
pub(super) fn item(value: &Value, key: &Value, budget: &Budget) -> Outcome<Value> {
    if let Value::Undefined(missing) = value {
        return Err(Failure::error(format!("`{missing}` is undefined, so nothing can be taken out of it")));
    }
    let place = |len: usize| {
        let at = key.as_int()?;
        usize::try_from(if at < 0 { at + len as i128 } else { at }).ok()
    };
    let found = match value {
        Value::List(items) | Value::Tuple(items) => {
            place(items.items.len()).and_then(|at| items.items.get(at)).cloned()
        }
        Value::Text(_) | Value::Marked(_) if key.as_int().is_some() => {
            let text = value.as_text().unwrap_or_default();
            budget.bytes(text.len())?;
            let at = place(text.chars().count());
            at.and_then(|at| text.chars().nth(at)).map(|c| Value::text(&*c.encode_utf8(&mut [0; 4])))
        }
        Value::Range(start, _, step) => place(value.len().unwrap_or(0))
            .filter(|at| value.len().is_some_and(|len| *at < len))
            .map(|at| Value::Int(i128::from(*start) + at as i128 * i128::from(*step))),
        Value::Dict(dict) => dict.get(key).ok().flatten().cloned(),
        _ => None,
    };
    match (found, key.as_text()) {
        (Some(found), _) => Ok(found),
        (None, Some(name)) => attribute(value, &name.into()),
        (None, None) => {
            let mut name = String::new();
            super::show::write_repr(&mut name, key, budget, 0)?;
            Ok(Value::undefined(&name))
        }
    }
}

/// Follows `a.b.0`, as filters name attributes: members before methods.
pub(super) fn path(value: &Value, path: &Value, budget: &Budget) -> Outcome<Value> {
    let Some(path) = path.as_text() else { return item(value, path, budget) };
    let mut found = value.clone();
    for part in path.split('.') {
        let key = match part.parse::<u32>() {
            Ok(index) => Value::Int(i128::from(index)),
            Err(_) => Value::text(part),
        };
        found = item(&found, &key, budget)?;
    }
    Ok(found)
}

/// `loop.cycle(...)` and `loop.changed(...)`.
pub(super) fn call_loop(state: &LoopState, name: &str, values: &[Value], budget: &Budget) -> Outcome<Value> {
    if name == "cycle" {
        return match values.get(state.index.get() % values.len().max(1)) {
            Some(value) => Ok(value.clone()),
            None => Err(Failure::error("`loop.cycle` takes the values to go through")),
        };
    }
    let now = Value::tuple(values.to_vec())?;
    let mut last = state.last_changed.borrow_mut();
    let changed = match &*last {
        Some(last) => !ops::equal(last, &now, budget)?,
        None => true,
    };
    *last = Some(now);
    Ok(Value::Bool(changed))
}
