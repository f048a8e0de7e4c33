//! Methods of texts, lists and dicts, as Python has them. Those that change their value are not there.

use super::attributes::call_loop;
use super::error::{Failure, Outcome};
use super::expr::Given;
use super::format;
use super::lex::is_space;
use super::ops;
use super::value::{Budget, Value};

/// Methods of a text.
pub(super) const TEXT: [&str; 39] = [
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "startswith",
    "endswith",
    "replace",
    "upper",
    "lower",
    "title",
    "capitalize",
    "swapcase",
    "casefold",
    "find",
    "rfind",
    "index",
    "rindex",
    "count",
    "join",
    "format",
    "isdigit",
    "isnumeric",
    "isdecimal",
    "isalpha",
    "isalnum",
    "isspace",
    "isupper",
    "islower",
    "isascii",
    "removeprefix",
    "removesuffix",
    "zfill",
    "center",
    "ljust",
    "rjust",
    "partition",
    "rpartition",
];
/// Methods of a dict that change nothing.
pub(super) const DICT: [&str; 5] = ["get", "items", "keys", "values", "copy"];
/// Methods of a dict that jinja2's sandbox refuses.
pub(super) const DICT_CHANGES: [&str; 6] = ["clear", "pop", "popitem", "setdefault", "update", "fromkeys"];
/// Methods of a list that change nothing.
pub(super) const LIST: [&str; 3] = ["count", "index", "copy"];

/// Calls a method.
pub(super) fn call(value: &Value, name: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    budget.steps(1)?;
    match value {
        Value::Text(_) | Value::Marked(_) => text(value.as_text().unwrap_or_default(), name, given, budget),
        Value::Loop(state) => call_loop(state, name, &given.list, budget),
        Value::Dict(dict) => {
            budget.steps(dict.entries.len() as u64 / 8)?;
            let keys = || dict.entries.iter().map(|(key, _)| key.clone());
            if name == "get" {
                let key = given.list.first().ok_or_else(|| Failure::error("`get` takes a key"))?;
                let default = given.list.get(1).cloned().unwrap_or(Value::None);
                return Ok(dict.get(key)?.cloned().unwrap_or(default));
            }
            given.only(&[])?;
            match name {
                "items" => {
                    let pairs = dict
                        .entries
                        .iter()
                        .map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()]));
                    Value::iter(pairs.collect::<Outcome<_>>()?)
                }
                "keys" => Value::iter(keys().collect()),
                "values" => Value::iter(dict.entries.iter().map(|(_, value)| value.clone()).collect()),
                _ => Ok(value.clone()),
            }
        }
        Value::List(items) | Value::Tuple(items) => {
            if name == "copy" {
                return Ok(value.clone());
            }
            let wanted =
                given.list.first().ok_or_else(|| Failure::error(format!("`{name}` takes a value")))?;
            let mut found = Vec::new();
            for (at, item) in items.items.iter().enumerate() {
                if ops::equal(item, wanted, budget)? {
                    found.push(at);
                }
            }
            match (name, found.first()) {
                ("count", _) => Ok(Value::Int(found.len() as i128)),
                (_, Some(at)) => Ok(Value::Int(*at as i128)),
                (_, None) => Err(Failure::error("the value of `index` is not in the list")),
            }
        }
        other => Err(Failure::error(format!("a {} has no method `{name}`", other.type_name()))),
    }
}

fn text(text: &str, name: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    budget.bytes(text.len())?;
    let wrong = || Failure::error(format!("`{name}` of a str is called with other arguments than it takes"));
    let word = |at: usize| given.list.get(at).and_then(Value::as_text).ok_or_else(wrong);
    let chars = |test: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(test));
    let cased = |upper: bool| {
        let is = |c: char| if upper { c.is_uppercase() } else { c.is_lowercase() };
        let other = |c: char| if upper { c.is_lowercase() } else { c.is_uppercase() };
        Value::Bool(text.chars().any(is) && !text.chars().any(other))
    };
    Ok(match name {
        "strip" | "lstrip" | "rstrip" => {
            Value::text(strip(text, name, given.list.first()).ok_or_else(wrong)?)
        }
        "split" | "rsplit" => return split(text, name, given, budget),
        "splitlines" => {
            let keep = given.get(0, "keepends").is_some_and(Value::is_true);
            let lines = split_lines(text, keep).into_iter().map(Value::text).collect::<Vec<_>>();
            budget.steps(lines.len() as u64)?;
            Value::list(lines)?
        }
        "startswith" | "endswith" => {
            let fits =
                |word: &str| if name == "startswith" { text.starts_with(word) } else { text.ends_with(word) };
            match &given.list[..] {
                [Value::Tuple(words)] => {
                    let words: Option<Vec<&str>> = words.items.iter().map(Value::as_text).collect();
                    Value::Bool(words.ok_or_else(wrong)?.into_iter().any(fits))
                }
                [one] => Value::Bool(fits(one.as_text().ok_or_else(wrong)?)),
                _ => return Err(wrong()),
            }
        }
        "replace" => return replace(text, given, budget),
        "upper" => Value::text(text.to_uppercase()),
        "lower" | "casefold" => Value::text(text.to_lowercase()),
        "title" => Value::text(title(text)),
        "capitalize" => Value::text(capitalize(text)),
        "swapcase" => Value::text(text.chars().map(swapped).collect::<String>()),
        "find" | "rfind" | "index" | "rindex" => {
            let wanted = word(0)?;
            if given.list.len() > 1 {
                return Err(wrong());
            }
            let at = if name.starts_with('r') { text.rfind(wanted) } else { text.find(wanted) };
            match at {
                Some(at) => Value::Int(text[..at].chars().count() as i128),
                None if name.ends_with("find") => Value::Int(-1),
                None => return Err(Failure::error(format!("the text of `{name}` is not there"))),
            }
        }
        "count" => {
            let wanted = word(0)?;
            let found =
                if wanted.is_empty() { text.chars().count() + 1 } else { text.matches(wanted).count() };
            Value::Int(found as i128)
        }
        "join" => {
            let items = given.list.first().ok_or_else(wrong)?.iterate(budget)?;
            let words: Option<Vec<&str>> = items.items.iter().map(Value::as_text).collect();
            let words = words.ok_or_else(|| Failure::error("`join` of a str joins texts only"))?;
            let bytes: usize = words.iter().map(|word| word.len() + text.len()).sum();
            budget.bytes(bytes)?;
            Value::text(words.join(text))
        }
        "format" => Value::text(format::braces(text, &given.list, &given.named, budget)?),
        "isdigit" | "isdecimal" => chars(|c| c.is_numeric() && (c.is_ascii_digit() || !c.is_ascii())),
        "isnumeric" => chars(char::is_numeric),
        "isalpha" => chars(char::is_alphabetic),
        "isalnum" => chars(char::is_alphanumeric),
        "isspace" => chars(is_space),
        "isascii" => Value::Bool(text.is_ascii()),
        "isupper" => cased(true),
        "islower" => cased(false),
        "removeprefix" => Value::text(text.strip_prefix(word(0)?).unwrap_or(text)),
        "removesuffix" => Value::text(text.strip_suffix(word(0)?).unwrap_or(text)),
        "zfill" | "center" | "ljust" | "rjust" => return padded(text, name, given, budget),
        _ => {
            let wanted = word(0)?;
            if wanted.is_empty() {
                return Err(Failure::error("the separator is empty"));
            }
            let parts = if name == "partition" { text.split_once(wanted) } else { text.rsplit_once(wanted) };
            let parts = match parts {
                Some((before, after)) => [before, wanted, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Value::tuple(parts.into_iter().map(Value::text).collect())?
        }
    })
}

/// `strip`, `lstrip` and `rstrip`; none if `chars` is no text.
pub(super) fn strip<'t>(text: &'t str, name: &str, chars: Option<&Value>) -> Option<&'t str> {
    let set: Option<Vec<char>> = match chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(chars.as_text()?.chars().collect()),
    };
    let goes = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    Some(match name {
        "lstrip" => text.trim_start_matches(goes),
        "rstrip" => text.trim_end_matches(goes),
        _ => text.trim_matches(goes),
    })
}

fn split(text: &str, name: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["sep", "maxsplit"])?;
    let limit = match given.get(1, "maxsplit") {
        None => usize::MAX,
        Some(limit) => {
            let limit = limit.as_int().ok_or_else(|| Failure::error("`maxsplit` is an int"))?;
            usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_add(1))
        }
    };
    let from_right = name == "rsplit";
    let mut parts: Vec<&str> = match given.get(0, "sep") {
        None | Some(Value::None) => by_space(text, limit, from_right),
        Some(sep) => {
            let sep = sep.as_text().ok_or_else(|| Failure::error("a separator is a str"))?;
            if sep.is_empty() {
                return Err(Failure::error("the separator is empty"));
            }
            if from_right { text.rsplitn(limit, sep).collect() } else { text.splitn(limit, sep).collect() }
        }
    };
    if from_right {
        parts.reverse();
    }
    budget.steps(parts.len() as u64)?;
    Value::list(parts.into_iter().map(Value::text).collect())
}

/// Parts between white space, at most `limit`; from the right in that order.
fn by_space(text: &str, limit: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_right { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            return parts;
        }
        if parts.len() + 1 == limit {
            // The last part keeps the white space at its other end.
            parts.push(rest);
            return parts;
        }
        if from_right {
            let at =
                rest.rfind(is_space).map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
            parts.push(&rest[at..]);
            rest = &rest[..at];
        } else {
            let at = rest.find(is_space).unwrap_or(rest.len());
            parts.push(&rest[..at]);
            rest = &rest[at..];
        }
    }
}

/// Lines as Python knows them, which has more line ends than most.
fn split_lines(text: &str, keep: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_end) {
        let end = if rest[at..].starts_with("\r\n") {
            at + 2
        } else {
            at + rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(&rest[..if keep { end } else { at }]);
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `replace`, of a text and as a filter.
pub(super) fn replace(text: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    given.only(&["old", "new", "count"])?;
    let word = |at: usize, name: &str| {
        given
            .get(at, name)
            .and_then(Value::as_text)
            .ok_or_else(|| Failure::error("`replace` takes two texts"))
    };
    let (old, new) = (word(0, "old")?, word(1, "new")?);
    let count = match given.get(2, "count") {
        None | Some(Value::None) => usize::MAX,
        Some(count) => {
            let count = count.as_int().ok_or_else(|| Failure::error("the count of `replace` is an int"))?;
            usize::try_from(count).unwrap_or(usize::MAX)
        }
    };
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    budget.bytes(text.len() + found.min(count).saturating_mul(new.len()))?;
    Ok(Value::text(text.replacen(old, new, count)))
}

fn padded(text: &str, name: &str, given: &Given, budget: &Budget) -> Outcome<Value> {
    let width = given.list.first().and_then(Value::as_int);
    let width = width.ok_or_else(|| Failure::error(format!("`{name}` takes a width")))?;
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    let fill = match given.list.get(1).map(Value::as_text) {
        None => " ",
        Some(Some(fill)) if fill.chars().count() == 1 => fill,
        _ => return Err(Failure::error(format!("`{name}` fills up with one character"))),
    };
    let len = text.chars().count();
    let missing = width.saturating_sub(len);
    budget.bytes(missing.saturating_mul(fill.len()))?;
    Ok(Value::text(match name {
        "ljust" => format!("{text}{}", fill.repeat(missing)),
        "rjust" => format!("{}{text}", fill.repeat(missing)),
        "zfill" => {
            let (sign, rest) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            format!("{sign}{}{rest}", "0".repeat(missing))
        }
        _ => {
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left))
        }
    }))
}

fn swapped(c: char) -> char {
    if c.is_uppercase() { c.to_lowercase().next().unwrap_or(c) } else { c.to_uppercase().next().unwrap_or(c) }
}

/// The first letter upper case, the others lower.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.as_str().to_lowercase().chars()).collect(),
        None => String::new(),
    }
}

/// Python's `str.title`: a letter after what is no letter is upper case.
fn title(text: &str) -> String {
    let is_cased = |c: char| c.is_lowercase() || c.is_uppercase();
    titled(text, |before| !is_cased(before))
}

/// Upper case where a word starts, which the character before it says; lower case elsewhere.
pub(super) fn titled(text: &str, starts: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if starts(before) {
            out.extend(c.to_uppercase());
        } else if c == 'Σ' && !chars.peek().is_some_and(|next| next.is_alphabetic()) {
            out.push('ς');
        } else {
            out.extend(c.to_lowercase());
        }
        before = c;
    }
    out
}
