//! The filters of jinja2 that a chat template has use for, and Hugging Face's `tojson`.
//!
//! Not there: `urlize`, `xmlattr`, `striptags`, `filesizeformat`, `urlencode`, `wordwrap`, `pprint`, `random`, `sum` of
//! texts, `forceescape`. A template that names one is refused when it is compiled.

use super::ast::Binary;
use super::attributes::path;
use super::error::{Failure, Outcome};
use super::eval::Machine;
use super::expr::Given;
use super::lists;
use super::methods;
use super::numbers;
use super::ops;
use super::show::{self, Dump};
use super::value::{Budget, Value};

/// All filters.
pub(super) const NAMES: [&str; 45] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "wordcount",
];

/// Applies a filter.
pub(super) fn apply(machine: &mut Machine, name: &str, value: &Value, given: &Given) -> Outcome<Value> {
    if let Some(done) = lists::apply(machine, name, value, given)? {
        return Ok(done);
    }
    if let Some(done) = numbers::apply(name, value, given)? {
        return Ok(done);
    }
    let budget = &machine.budget;
    let text = || show::to_str(value, budget);
    Ok(match name {
        "attr" => {
            let wanted = given.get(0, "name").and_then(Value::as_text);
            let wanted = wanted.ok_or_else(|| Failure::error("`attr` takes a name"))?;
            match value {
                // The filter looks at attributes only, and data has none but its methods.
                Value::Namespace(_) | Value::Loop(_) | Value::Undefined(_) => {
                    super::attributes::attribute(value, &wanted.into())?
                }
                _ => match super::attributes::attribute(value, &wanted.into())? {
                    found @ Value::Method(_) => found,
                    _ => Value::undefined(wanted),
                },
            }
        }
        "capitalize" => Value::text(methods::capitalize(&text()?)),
        "center" => {
            let width = given.get(0, "width").cloned().unwrap_or(Value::Int(80));
            let given = Given { list: vec![width], named: Vec::new() };
            methods::call(&Value::text(text()?), "center", &given, budget)?
        }
        "count" | "length" => match value.len() {
            Some(len) => Value::Int(len as i128),
            None => return Err(Failure::error(format!("a {} has no length", value.type_name()))),
        },
        "d" | "default" => {
            given.only(&["default_value", "boolean"])?;
            let even_if_false = given.get(1, "boolean").is_some_and(Value::is_true);
            if value.is_undefined() || (even_if_false && !value.is_true()) {
                given.get(0, "default_value").cloned().unwrap_or(Value::text(""))
            } else {
                value.clone()
            }
        }
        "e" | "escape" => Value::text(escaped(&text()?, budget)?),
        "format" => {
            let values = if given.named.is_empty() {
                Value::tuple(given.list.clone())?
            } else {
                let mut dict = super::value::Dict::default();
                for (name, value) in &given.named {
                    dict.put(name, value.clone());
                }
                dict.into_value()?
            };
            Value::text(super::format::percent(&text()?, &values, budget)?)
        }
        "indent" => match value.as_text() {
            Some(text) => indent(text, given, budget)?,
            None => return Err(Failure::error(format!("a {} cannot be indented", value.type_name()))),
        },
        "lower" => Value::text(text()?.to_lowercase()),
        "replace" => methods::replace(&text()?, given, budget)?,
        "safe" => match value {
            Value::Marked(_) => value.clone(),
            _ => Value::text(text()?),
        },
        "string" if value.as_text().is_some() => value.clone(),
        "string" => Value::text(text()?),
        "title" => {
            let starts = |before| super::lex::is_space(before) || "-({[<".contains(before);
            Value::text(methods::titled(&text()?, starts))
        }
        "tojson" => tojson(value, given, budget)?,
        "trim" => {
            let text = text()?;
            let trimmed = methods::strip(&text, "strip", given.get(0, "chars"));
            Value::text(trimmed.ok_or_else(|| Failure::error("`trim` takes a text of characters"))?)
        }
        "truncate" => truncate(value, given)?,
        "upper" => Value::text(text()?.to_uppercase()),
        "wordcount" => {
            let text = text()?;
            let words =
                text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty());
            Value::Int(words.count() as i128)
        }
        _ => return Err(Failure::error(format!("there is no filter `{name}`"))),
    })
}

/// A text with what means something in HTML written otherwise.
fn escaped(text: &str, budget: &Budget) -> Outcome<String> {
    budget.bytes(text.len() * 5)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn indent(text: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["width", "first", "blank"])?;
    let unit = match given.get(0, "width") {
        None => " ".repeat(4),
        Some(width) => match (width.as_int(), width.as_text()) {
            (Some(width), _) => {
                let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
                budget.bytes(width)?;
                " ".repeat(width)
            }
            (None, Some(unit)) => unit.to_owned(),
            _ => return Err(Failure::error("the width of `indent` is an int or a text")),
        },
    };
    let is = |at: usize, name: &str| given.get(at, name).is_some_and(Value::is_true);
    let (first, blank) = (is(1, "first"), is(2, "blank"));
    let lines: Vec<&str> = text.split('\n').collect();
    budget.bytes(text.len() + lines.len().saturating_mul(unit.len()))?;
    let mut out = String::with_capacity(text.len());
    for (index, line) in lines.into_iter().enumerate() {
        out.push_str(if index > 0 { "\n" } else { "" });
        if (index == 0 && first) || (index > 0 && (blank || !line.is_empty())) {
            out.push_str(&unit);
        }
        out.push_str(line);
    }
    Ok(Value::text(out))
}

/// `json.dumps` with the defaults that Hugging Face gives it.
fn tojson(value: &Value, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["ensure_ascii", "indent", "separators", "sort_keys"])?;
    let is = |at: usize, name: &str| given.get(at, name).is_some_and(Value::is_true);
    let indent = match given.get(1, "indent") {
        None | Some(Value::None) => None,
        Some(indent) => Some(match (indent.as_int(), indent.as_text()) {
            (Some(width), _) => {
                let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
                budget.bytes(width)?;
                " ".repeat(width)
            }
            (None, Some(unit)) => unit.to_owned(),
            _ => return Err(Failure::error("the indent of `tojson` is an int or a text")),
        }),
    };
    let (item, key) = match given.get(2, "separators") {
        None | Some(Value::None) => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(separators) => match &separators.iterate(budget)?.items[..] {
            [item, key] => (show::to_str(item, budget)?, show::to_str(key, budget)?),
            _ => return Err(Failure::error("the separators of `tojson` are two texts")),
        },
    };
    let dump = Dump { ensure_ascii: is(0, "ensure_ascii"), indent, item, key, sort_keys: is(3, "sort_keys") };
    let mut out = String::new();
    dump.write(&mut out, value, budget, 0)?;
    Ok(Value::text(out))
}

fn truncate(value: &Value, given: &Given) -> Outcome<Value> {
    given.only(&["length", "killwords", "end", "leeway"])?;
    let int = |at: usize, name: &str, default: i128| given.get(at, name).map_or(Some(default), Value::as_int);
    let (Some(length), Some(leeway)) = (int(0, "length", 255), int(3, "leeway", 5)) else {
        return Err(Failure::error("`truncate` takes a length and a leeway"));
    };
    let end = given.get(2, "end").map_or(Some("..."), Value::as_text);
    let end = end.ok_or_else(|| Failure::error("the end of `truncate` is a text"))?;
    match value.len() {
        Some(len) if len as i128 <= length.saturating_add(leeway) => return Ok(value.clone()),
        _ => {}
    }
    let Some(text) = value.as_text() else {
        return Err(Failure::error(format!("a {} cannot be truncated", value.type_name())));
    };
    let chars: Vec<char> = text.chars().collect();
    let keep = length.saturating_sub(end.chars().count() as i128);
    let keep = usize::try_from(keep).map_err(|_| Failure::error("`truncate` leaves no room for its end"))?;
    let mut kept: String = chars[..keep].iter().collect();
    if !given.get(1, "killwords").is_some_and(Value::is_true)
        && let Some(space) = kept.rfind(' ')
    {
        kept.truncate(space);
    }
    Ok(Value::text(kept + end))
}

/// The sum of numbers.
pub(super) fn add_up(items: &[Value], start: Value, budget: &Budget) -> Outcome<Value> {
    items.iter().try_fold(start, |sum, item| ops::binary(Binary::Add, &sum, item, budget))
}

/// The attribute that `map`, `sort` and others look at.
pub(super) fn attribute_of(value: &Value, attribute: Option<&Value>, budget: &Budget) -> Outcome<Value> {
    match attribute {
        None | Some(Value::None) => Ok(value.clone()),
        Some(attribute) => path(value, attribute, budget),
    }
}
