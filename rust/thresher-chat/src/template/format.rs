//! Python's two ways to fill in a text: `"%s" % value` and `"{}".format(value)`.

use super::error::{Failure, Outcome};
use super::show;
use super::value::{Budget, Value};

/// What stands between `%` or `:` and the letter.
#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: bool,
    comma: bool,
    width: usize,
    precision: Option<usize>,
    letter: Option<char>,
}

/// The widest field; a wider one is an attack.
const MAX_WIDTH: usize = 10_000;

fn bad(what: &str) -> Failure {
    Failure::error(format!("a text cannot be filled in: {what}"))
}

impl Spec {
    /// Reads what `format` knows; `old` is the way of `%`.
    fn parse(text: &str, old: bool) -> Outcome<Self> {
        let mut spec = Self::default();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
        if !old && is_align(chars.get(1)) {
            (spec.fill, spec.align, at) = (Some(chars[0]), Some(chars[1]), 2);
        } else if !old && is_align(chars.first()) {
            (spec.align, at) = (Some(chars[0]), 1);
        }
        while let Some(c @ ('-' | '+' | '0' | ' ' | '#')) = chars.get(at) {
            match c {
                '-' if old => spec.align = Some('<'),
                '+' => spec.sign = true,
                '0' if spec.align.is_none() => (spec.fill, spec.align) = (Some('0'), Some('=')),
                '-' | '0' => {}
                _ => return Err(bad(&format!("`{text}` is not supported"))),
            }
            at += 1;
        }
        let number = |at: &mut usize| -> Outcome<Option<usize>> {
            let start = *at;
            while chars.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            if start == *at {
                return Ok(None);
            }
            let digits: String = chars[start..*at].iter().collect();
            match digits.parse() {
                Ok(width) if width <= MAX_WIDTH => Ok(Some(width)),
                _ => Err(Failure::limit(&format!("a field is wider than {MAX_WIDTH}"))),
            }
        };
        spec.width = number(&mut at)?.unwrap_or(0);
        if chars.get(at) == Some(&',') {
            (spec.comma, at) = (true, at + 1);
        }
        if chars.get(at) == Some(&'.') {
            at += 1;
            spec.precision = Some(number(&mut at)?.unwrap_or(0));
        }
        spec.letter = chars.get(at).copied();
        if at + usize::from(spec.letter.is_some()) != chars.len() {
            return Err(bad(&format!("`{text}` is not supported")));
        }
        Ok(spec)
    }

    fn apply(&self, value: &Value, budget: &Budget) -> Outcome<String> {
        let wrong = || bad(&format!("a {} is no value for this field", value.type_name()));
        let is_text = value.as_text().is_some();
        let letter = self.letter.unwrap_or(if is_text { 's' } else { '\0' });
        let (body, numeric) = match letter {
            's' | '\0' if is_text || self.is_plain() || letter == 's' => {
                let mut text = show::to_str(value, budget)?;
                if let Some(precision) = self.precision {
                    text = text.chars().take(precision).collect();
                }
                (text, value.as_float().is_some())
            }
            'r' => {
                let mut text = String::new();
                show::write_repr(&mut text, value, budget, 0)?;
                (text, false)
            }
            'd' | 'i' | 'u' => (self.grouped(&Self::integer(value).ok_or_else(wrong)?.to_string()), true),
            'x' | 'X' | 'o' | 'b' => {
                let value = value.as_int().ok_or_else(wrong)?;
                let digits = match letter {
                    'x' => format!("{:x}", value.unsigned_abs()),
                    'X' => format!("{:X}", value.unsigned_abs()),
                    'o' => format!("{:o}", value.unsigned_abs()),
                    _ => format!("{:b}", value.unsigned_abs()),
                };
                (format!("{}{digits}", if value < 0 { "-" } else { "" }), true)
            }
            'f' | 'F' => {
                let value = value.as_float().ok_or_else(wrong)?;
                (self.grouped(&format!("{value:.*}", self.precision.unwrap_or(6))), true)
            }
            '%' => {
                let value = value.as_float().ok_or_else(wrong)?;
                (format!("{:.*}%", self.precision.unwrap_or(6), value * 100.0), true)
            }
            '\0' if value.as_int().is_some() && self.precision.is_none() => {
                (self.grouped(&value.as_int().unwrap_or(0).to_string()), true)
            }
            '\0' if value.as_float().is_some() && self.precision.is_none() => {
                (self.grouped(&show::to_str(value, budget)?), true)
            }
            _ => return Err(bad("this kind of field is not supported")),
        };
        Ok(self.padded(body, numeric))
    }

    fn is_plain(&self) -> bool {
        self.width == 0 && self.precision.is_none() && !self.comma && !self.sign
    }

    fn integer(value: &Value) -> Option<i128> {
        value.as_int().or_else(|| match value {
            Value::Float(value) if value.is_finite() && value.abs() < 1e30 => Some(value.trunc() as i128),
            _ => None,
        })
    }

    fn grouped(&self, digits: &str) -> String {
        let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
        let sign = if sign.is_empty() && self.sign { "+" } else { sign };
        if !self.comma {
            return format!("{sign}{rest}");
        }
        let (whole, fraction) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
        let mut out = String::from(sign);
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out + fraction
    }

    fn padded(&self, body: String, numeric: bool) -> String {
        let missing = self.width.saturating_sub(body.chars().count());
        if missing == 0 {
            return body;
        }
        let fill = |count: usize| self.fill.unwrap_or(' ').to_string().repeat(count);
        match self.align.unwrap_or(if numeric { '>' } else { '<' }) {
            '<' => body + &fill(missing),
            '^' => fill(missing / 2) + &body + &fill(missing - missing / 2),
            '=' if numeric && body.starts_with(['-', '+']) => {
                format!("{}{}{}", &body[..1], fill(missing), &body[1..])
            }
            '=' if !numeric => body + &fill(missing),
            _ => fill(missing) + &body,
        }
    }
}

/// `text % values`.
pub(super) fn percent(text: &str, values: &Value, budget: &Budget) -> Outcome<String> {
    budget.bytes(text.len())?;
    let mut positional = match values {
        Value::Tuple(items) => items.items.clone(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut named = false;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut value = None;
        if let Some(inside) = rest.strip_prefix('(') {
            let (name, after) = inside.split_once(')').ok_or_else(|| bad("a name does not end"))?;
            let Value::Dict(dict) = values else { return Err(bad("names need a dict")) };
            value = Some(dict.get_text(name).cloned().ok_or_else(|| bad(&format!("`{name}` is missing")))?);
            (named, rest) = (true, after);
        }
        let len = rest
            .find(|c: char| c.is_ascii_alphabetic() || c == '%')
            .ok_or_else(|| bad("a `%` stands alone"))?;
        let (spec, after) = rest.split_at(len + 1);
        rest = after;
        if spec == "%" {
            out.push('%');
            continue;
        }
        let value = value.or_else(|| positional.next()).ok_or_else(|| bad("there are too few values"))?;
        let field = Spec::parse(spec, true)?.apply(&value, budget)?;
        budget.bytes(field.len())?;
        out.push_str(&field);
    }
    out.push_str(rest);
    // What has items by key may hold more than the text asks for.
    let has_keys = matches!(values, Value::Dict(_) | Value::List(_) | Value::Range(..));
    if !named && positional.next().is_some() && !has_keys {
        return Err(bad("there are too many values"));
    }
    Ok(out)
}

/// `text.format(...)`.
pub(super) fn braces(
    text: &str,
    list: &[Value],
    named: &[(std::sync::Arc<str>, Value)],
    budget: &Budget,
) -> Outcome<String> {
    budget.bytes(text.len())?;
    let mut out = String::new();
    let (mut rest, mut next) = (text, 0);
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            out.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{").ok_or_else(|| bad("a brace stands alone"))?;
        let field = &rest[..end];
        rest = &rest[end + 1..];
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
        let value = if name.is_empty() {
            next += 1;
            list.get(next - 1)
        } else if let Ok(index) = name.parse::<usize>() {
            list.get(index)
        } else {
            named.iter().find(|(other, _)| **other == *name).map(|(_, value)| value)
        };
        let value = value.ok_or_else(|| bad(&format!("there is no value for `{{{field}}}`")))?;
        let converted = match conversion {
            "" => value.clone(),
            "s" => Value::text(show::to_str(value, budget)?),
            "r" => {
                let mut text = String::new();
                show::write_repr(&mut text, value, budget, 0)?;
                Value::text(text)
            }
            _ => return Err(bad(&format!("`!{conversion}` is not supported"))),
        };
        let filled = Spec::parse(spec, false)?.apply(&converted, budget)?;
        budget.bytes(filled.len())?;
        out.push_str(&filled);
    }
    out.push_str(rest);
    Ok(out)
}
