//! Values as text: Python's `str`, `repr` and `json.dumps`.

use std::fmt::{self, Write};

use super::error::{Failure, Outcome};
use super::value::{Budget, Dict, Value};

/// Containers that are shown in each other; a namespace can hold itself.
const MAX_DEPTH: usize = 300;

/// Appends what is formatted, which cannot fail.
fn put(out: &mut String, what: fmt::Arguments<'_>) {
    let _ = out.write_fmt(what);
}

/// Appends `str(value)`.
pub(super) fn write_str(out: &mut String, value: &Value, budget: &Budget) -> Outcome<()> {
    match value {
        Value::Undefined(_) => Ok(()),
        Value::Text(_) | Value::Marked(_) => {
            let text = value.as_text().unwrap_or_default();
            budget.bytes(text.len())?;
            out.push_str(text);
            Ok(())
        }
        _ => write_repr(out, value, budget, 0),
    }
}

/// `str(value)`.
pub(super) fn to_str(value: &Value, budget: &Budget) -> Outcome<String> {
    let mut out = String::new();
    write_str(&mut out, value, budget)?;
    Ok(out)
}

/// Appends `repr(value)`.
pub(super) fn write_repr(out: &mut String, value: &Value, budget: &Budget, depth: usize) -> Outcome<()> {
    budget.steps(1)?;
    if depth > MAX_DEPTH {
        return Err(Failure::limit("a value to be printed holds itself, or is too deep"));
    }
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Digits(text) => out.push_str(text),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(_) | Value::Marked(_) => {
            let text = value.as_text().unwrap_or_default();
            budget.bytes(text.len())?;
            quoted(out, text);
        }
        Value::List(items) => list(out, &items.items, ["[", "]"], budget, depth)?,
        Value::Tuple(items) => {
            let close = if items.items.len() == 1 { ",)" } else { ")" };
            list(out, &items.items, ["(", close], budget, depth)?;
        }
        Value::Dict(entries) => dict(out, entries, budget, depth)?,
        Value::Namespace(entries) => {
            out.push_str("<Namespace ");
            dict(out, &entries.borrow(), budget, depth)?;
            out.push('>');
        }
        Value::Range(start, stop, 1) => put(out, format_args!("range({start}, {stop})")),
        Value::Range(start, stop, step) => put(out, format_args!("range({start}, {stop}, {step})")),
        Value::Macro(closure) => {
            out.push_str("<Macro ");
            quoted(out, &closure.definition.name);
            out.push('>');
        }
        Value::Loop(state) => {
            put(out, format_args!("<LoopContext {}/{}>", state.index.get() + 1, state.items.items.len()));
        }
        Value::Iter(_) | Value::Function(_) | Value::Method(_) => {
            return Err(Failure::error(format!(
                "a {} is printed, which says nothing that is the same twice",
                value.type_name()
            )));
        }
    }
    Ok(())
}

fn list(out: &mut String, items: &[Value], ends: [&str; 2], budget: &Budget, depth: usize) -> Outcome<()> {
    out.push_str(ends[0]);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        write_repr(out, item, budget, depth + 1)?;
    }
    out.push_str(ends[1]);
    Ok(())
}

fn dict(out: &mut String, dict: &Dict, budget: &Budget, depth: usize) -> Outcome<()> {
    out.push('{');
    for (index, (key, value)) in dict.entries.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        write_repr(out, key, budget, depth + 1)?;
        out.push_str(": ");
        write_repr(out, value, budget, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

/// A text in quotes, as Python writes it.
fn quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            c if is_printable(c) => out.push(c),
            c => {
                let code = c as u32;
                match code {
                    0..=0xff => put(out, format_args!("\\x{code:02x}")),
                    0x100..=0xffff => put(out, format_args!("\\u{code:04x}")),
                    _ => put(out, format_args!("\\U{code:08x}")),
                }
            }
        }
    }
    out.push(quote);
}

/// Whether Python shows the character as it is. Rust escapes the same ones in the middle of a text.
fn is_printable(c: char) -> bool {
    !c.is_control() && (c == ' ' || !c.is_whitespace()) && {
        let text: String = ['a', c].iter().collect();
        text.escape_debug().eq(text.chars())
    }
}

/// A float as Python writes it.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let exact = format!("{value:e}");
    let (digits, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// How `json.dumps` writes.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) ensure_ascii: bool,
    pub(super) indent: Option<String>,
    pub(super) item: String,
    pub(super) key: String,
    pub(super) sort_keys: bool,
}

impl Dump {
    /// Appends `json.dumps(value)`.
    pub(super) fn write(
        &self,
        out: &mut String,
        value: &Value,
        budget: &Budget,
        depth: usize,
    ) -> Outcome<()> {
        budget.steps(1)?;
        match value {
            Value::None => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Float(value) if value.is_nan() => out.push_str("NaN"),
            Value::Float(value) if value.is_infinite() => {
                out.push_str(if *value > 0.0 { "Infinity" } else { "-Infinity" });
            }
            Value::Int(_) | Value::Digits(_) | Value::Float(_) => write_repr(out, value, budget, 0)?,
            Value::Text(_) | Value::Marked(_) => {
                let text = value.as_text().unwrap_or_default();
                budget.bytes(text.len())?;
                self.string(out, text);
            }
            Value::List(items) | Value::Tuple(items) => {
                out.push('[');
                for (index, item) in items.items.iter().enumerate() {
                    self.next(out, index, depth + 1, budget)?;
                    self.write(out, item, budget, depth + 1)?;
                }
                self.close(out, items.items.len(), ']', depth, budget)?;
            }
            Value::Dict(dict) => {
                out.push('{');
                let mut entries: Vec<&(Value, Value)> = dict.entries.iter().collect();
                if self.sort_keys {
                    super::ops::sort_by(&mut entries, |entry| &entry.0, budget)?;
                }
                for (index, (key, value)) in entries.into_iter().enumerate() {
                    self.next(out, index, depth + 1, budget)?;
                    self.name(out, key, budget)?;
                    out.push_str(&self.key);
                    self.write(out, value, budget, depth + 1)?;
                }
                self.close(out, dict.entries.len(), '}', depth, budget)?;
            }
            other => return Err(Failure::error(format!("a {} has no form in JSON", other.type_name()))),
        }
        Ok(())
    }

    fn name(&self, out: &mut String, key: &Value, budget: &Budget) -> Outcome<()> {
        if let Some(text) = key.as_text() {
            budget.bytes(text.len())?;
            self.string(out, text);
            return Ok(());
        }
        if matches!(key, Value::Tuple(_) | Value::Undefined(_)) {
            return Err(Failure::error(format!("a {} cannot be a key in JSON", key.type_name())));
        }
        let mut inner = String::new();
        self.write(&mut inner, key, budget, 0)?;
        self.string(out, &inner);
        Ok(())
    }

    fn next(&self, out: &mut String, index: usize, depth: usize, budget: &Budget) -> Outcome<()> {
        if index > 0 {
            budget.bytes(self.item.len())?;
            out.push_str(&self.item);
        }
        self.line(out, depth, budget)
    }

    fn close(&self, out: &mut String, len: usize, end: char, depth: usize, budget: &Budget) -> Outcome<()> {
        if len > 0 {
            self.line(out, depth, budget)?;
        }
        out.push(end);
        Ok(())
    }

    fn line(&self, out: &mut String, depth: usize, budget: &Budget) -> Outcome<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        budget.bytes(indent.len().saturating_mul(depth))?;
        out.push('\n');
        out.push_str(&indent.repeat(depth));
        Ok(())
    }

    fn string(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                c if (c as u32) < 0x20 => put(out, format_args!("\\u{:04x}", c as u32)),
                c if self.ensure_ascii && !(' '..='~').contains(&c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        put(out, format_args!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
