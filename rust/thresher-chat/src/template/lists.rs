//! The filters of jinja2 that work on lists.

use super::checks;
use super::error::{Failure, Outcome};
use super::eval::Machine;
use super::expr::Given;
use super::filters::{self, add_up, attribute_of};
use super::ops;
use super::show;
use super::value::{Budget, Items, Value};

/// Applies a filter, if it is one of these.
pub(super) fn apply(
    machine: &mut Machine,
    name: &str,
    value: &Value,
    given: &Given,
) -> Outcome<Option<Value>> {
    if matches!(name, "map" | "select" | "reject" | "selectattr" | "rejectattr") {
        return through(machine, name, value, given).map(Some);
    }
    let budget = &machine.budget;
    let items = || value.iterate(budget);
    Ok(Some(match name {
        "batch" => batch(value, given, budget)?,
        "slice" => slices(value, given, budget)?,
        "dictsort" => {
            let Value::Dict(dict) = value else {
                return Err(Failure::error(format!("a {} is no dict", value.type_name())));
            };
            let by_value = given.get(1, "by").and_then(Value::as_text) == Some("value");
            let exact = given.get(0, "case_sensitive").is_some_and(Value::is_true);
            let reversed = given.get(2, "reverse").is_some_and(Value::is_true);
            budget.steps(dict.entries.len() as u64)?;
            let keyed = dict.entries.iter().map(|(key, value)| {
                let by = if by_value { value } else { key };
                Ok((folded(by, exact, budget)?, Value::tuple(vec![key.clone(), value.clone()])?))
            });
            Value::list(sorted(keyed.collect::<Outcome<_>>()?, reversed, budget)?)?
        }
        "first" => items()?.items.first().cloned().unwrap_or_else(|| Value::undefined("the first item")),
        "last" => match value {
            Value::Iter(_) => return Err(Failure::error("an iterator has no last item")),
            _ => items()?.items.last().cloned().unwrap_or_else(|| Value::undefined("the last item")),
        },
        "groupby" => groups(value, given, budget)?,
        "items" => match value {
            Value::Undefined(_) => Value::iter(Vec::new())?,
            Value::Dict(_) => super::methods::call(value, "items", &Given::default(), budget)?,
            other => return Err(Failure::error(format!("a {} has no items", other.type_name()))),
        },
        "join" => {
            given.only(&["d", "attribute"])?;
            let between = given.get(0, "d").map_or(Ok(String::new()), |d| show::to_str(d, budget))?;
            let mut out = String::new();
            for (index, item) in items()?.items.iter().enumerate() {
                if index > 0 {
                    budget.bytes(between.len())?;
                    out.push_str(&between);
                }
                show::write_str(&mut out, &attribute_of(item, given.get(1, "attribute"), budget)?, budget)?;
            }
            Value::text(out)
        }
        "list" => Value::List(items()?),
        "max" | "min" => extreme(name == "max", value, given, budget)?,
        "reverse" => match value.as_text() {
            Some(text) => {
                budget.bytes(text.len())?;
                Value::text(text.chars().rev().collect::<String>())
            }
            None => Value::iter(items()?.items.iter().rev().cloned().collect())?,
        },
        "sort" => sort(value, given, budget)?,
        "sum" => {
            given.only(&["attribute", "start"])?;
            let numbers = items()?
                .items
                .iter()
                .map(|item| attribute_of(item, given.get(0, "attribute"), budget))
                .collect::<Outcome<Vec<_>>>()?;
            add_up(&numbers, given.get(1, "start").cloned().unwrap_or(Value::Int(0)), budget)?
        }
        "unique" => {
            given.only(&["case_sensitive", "attribute"])?;
            let exact = given.get(0, "case_sensitive").is_some_and(Value::is_true);
            let (mut seen, mut kept) = (super::value::Dict::default(), Vec::new());
            for item in &items()?.items {
                let by = folded(&attribute_of(item, given.get(1, "attribute"), budget)?, exact, budget)?;
                if seen.get(&by)?.is_none() {
                    seen.set(by, Value::None)?;
                    kept.push(item.clone());
                }
            }
            Value::iter(kept)?
        }
        _ => return Ok(None),
    }))
}

fn extreme(most: bool, value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    let exact = given.get(0, "case_sensitive").is_some_and(Value::is_true);
    let wanted = if most { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
    let mut best: Option<(Value, Value)> = None;
    for item in &value.iterate(budget)?.items {
        let by = folded(&attribute_of(item, given.get(1, "attribute"), budget)?, exact, budget)?;
        let better = match &best {
            None => true,
            Some((found, _)) => ops::order(&by, found, budget)? == Some(wanted),
        };
        if better {
            best = Some((by, item.clone()));
        }
    }
    Ok(best.map_or_else(|| Value::undefined("an item of an empty list"), |(_, item)| item))
}

fn sort(value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["reverse", "case_sensitive", "attribute"])?;
    let reversed = given.get(0, "reverse").is_some_and(Value::is_true);
    let exact = given.get(1, "case_sensitive").is_some_and(Value::is_true);
    let attributes: Vec<Value> = match given.get(2, "attribute") {
        Some(Value::Text(names)) if names.contains(',') => names.split(',').map(Value::text).collect(),
        Some(other) => vec![other.clone()],
        None => vec![Value::None],
    };
    let items = value.iterate(budget)?;
    let keyed = items.items.iter().map(|item| {
        let keys = attributes
            .iter()
            .map(|attribute| folded(&attribute_of(item, Some(attribute), budget)?, exact, budget));
        Ok((Value::tuple(keys.collect::<Outcome<_>>()?)?, item.clone()))
    });
    Value::list(sorted(keyed.collect::<Outcome<_>>()?, reversed, budget)?)
}

/// What is compared if case does not matter.
fn folded(value: &Value, exact: bool, budget: &Budget) -> Outcome<Value> {
    Ok(match value.as_text() {
        Some(text) if !exact => {
            budget.bytes(text.len())?;
            Value::text(text.to_lowercase())
        }
        _ => value.clone(),
    })
}

fn sorted(mut keyed: Vec<(Value, Value)>, reversed: bool, budget: &Budget) -> Outcome<Vec<Value>> {
    // Equal ones keep their order, reversed or not.
    if reversed {
        keyed.reverse();
    }
    ops::sort_by(&mut keyed, |(key, _)| key, budget)?;
    if reversed {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// `map`, `select` and their kin.
fn through(machine: &mut Machine, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    // Nothing at all has no items here, which a loop would refuse.
    let items = if value.is_true() { value.iterate(&machine.budget)? } else { Items::new(Vec::new())? };
    if name == "map" {
        if let Some((_, attribute)) = given.named.iter().find(|(name, _)| **name == *"attribute") {
            let default =
                given.named.iter().find(|(name, _)| **name == *"default").map(|(_, value)| value.clone());
            let mapped = items.items.iter().map(|item| {
                let found = attribute_of(item, Some(attribute), &machine.budget)?;
                Ok(if found.is_undefined() { default.clone().unwrap_or(found) } else { found })
            });
            return Value::iter(mapped.collect::<Outcome<_>>()?);
        }
        let (filter, rest) = split_name(given, "filter")?;
        if !filters::NAMES.contains(&&*filter) {
            return Err(Failure::error(format!("there is no filter `{filter}`")));
        }
        let mapped = items
            .items
            .iter()
            .map(|item| machine.deeper(|machine| filters::apply(machine, &filter, item, &rest)));
        return Value::iter(mapped.collect::<Outcome<_>>()?);
    }
    let mut given = given.clone();
    let attribute = if name.ends_with("attr") {
        if given.list.is_empty() {
            return Err(Failure::error(format!("`{name}` takes the name of an attribute")));
        }
        Some(given.list.remove(0))
    } else {
        None
    };
    let test = if given.list.is_empty() { None } else { Some(split_name(&given, "test")?) };
    let budget = &machine.budget;
    let mut kept = Vec::new();
    for item in &items.items {
        let seen = attribute_of(item, attribute.as_ref(), budget)?;
        let holds = match &test {
            None => seen.is_true(),
            Some((test, _)) if !checks::NAMES.contains(&&**test) => {
                return Err(Failure::error(format!("there is no test `{test}`")));
            }
            Some((test, rest)) => checks::check(test, &seen, rest, budget)?,
        };
        if holds != name.starts_with("reject") {
            kept.push(item.clone());
        }
    }
    Value::iter(kept)
}

/// The name of a filter or test as the first argument, and the others.
fn split_name(given: &Given, what: &str) -> Outcome<(String, Given)> {
    let mut rest = given.clone();
    if rest.list.is_empty() {
        return Err(Failure::error(format!("the name of a {what} is missing")));
    }
    match rest.list.remove(0).as_text() {
        Some(name) => Ok((name.to_owned(), rest)),
        None => Err(Failure::error(format!("the name of a {what} is a text"))),
    }
}

fn count_of(given: &Given, name: &str, budget: &Budget) -> Outcome<usize> {
    let count = given.get(0, name).and_then(Value::as_int).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0);
    let count = count.ok_or_else(|| Failure::error("a count of at least 1 is taken"))?;
    budget.steps(count as u64)?;
    Ok(count)
}

fn batch(value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    let size = count_of(given, "linecount", budget)?;
    let fill = given.get(1, "fill_with").filter(|fill| !matches!(fill, Value::None));
    let mut batches: Vec<Vec<Value>> =
        value.iterate(budget)?.items.chunks(size).map(<[Value]>::to_vec).collect();
    if let (Some(fill), Some(last)) = (fill, batches.last_mut()) {
        last.resize(size, fill.clone());
    }
    Value::iter(batches.into_iter().map(Value::list).collect::<Outcome<_>>()?)
}

fn slices(value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    let count = count_of(given, "slices", budget)?;
    let fill = given.get(1, "fill_with").filter(|fill| !matches!(fill, Value::None));
    let items = value.iterate(budget)?;
    let (each, more) = (items.items.len() / count, items.items.len() % count);
    let mut at = 0;
    let mut slices = Vec::new();
    for index in 0..count {
        let len = each + usize::from(index < more);
        let mut slice = items.items[at..at + len].to_vec();
        at += len;
        if let (Some(fill), true) = (fill, index >= more) {
            slice.push(fill.clone());
        }
        slices.push(Value::list(slice)?);
    }
    Value::iter(slices)
}

fn groups(value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["attribute", "default", "case_sensitive"])?;
    let exact = given.get(2, "case_sensitive").is_some_and(Value::is_true);
    let items = value.iterate(budget)?;
    let mut keyed = Vec::new();
    for item in &items.items {
        let mut by = attribute_of(item, given.get(0, "attribute"), budget)?;
        if by.is_undefined() {
            by = given.get(1, "default").cloned().unwrap_or(by);
        }
        keyed.push((folded(&by, exact, budget)?, (by, item.clone())));
    }
    ops::sort_by(&mut keyed, |(key, _)| key, budget)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (key, (by, item)) in keyed {
        match groups.last_mut() {
            Some((last, _, members)) if ops::equal(last, &key, budget)? => members.push(item),
            _ => groups.push((key, by, vec![item])),
        }
    }
    let pairs = groups.into_iter().map(|(_, by, members)| Value::tuple(vec![by, Value::list(members)?]));
    Value::list(pairs.collect::<Outcome<_>>()?)
}
