//! The filters of jinja2 that make numbers.

use super::error::{Failure, Outcome};
use super::expr::Given;
use super::ops;
use super::value::Value;

/// Applies a filter, if it is one of these.
pub(super) fn apply(name: &str, value: &Value, given: &Given) -> Outcome<Option<Value>> {
    if let ("abs" | "float" | "int" | "round", Value::Undefined(missing)) = (name, value) {
        return Err(Failure::error(format!("`{missing}` is undefined, so it is no number")));
    }
    Ok(Some(match name {
        "abs" => match value.as_float() {
            Some(number) if number < 0.0 => ops::negative(value)?,
            Some(_) => value.as_int().map_or_else(|| value.clone(), Value::Int),
            None => return Err(Failure::error(format!("a {} has no absolute value", value.type_name()))),
        },
        "float" => {
            let parsed = value.as_text().map_or_else(|| value.as_float(), |text| python_float(text.trim()));
            let default = || given.get(0, "default").cloned().unwrap_or(Value::Float(0.0));
            parsed.map_or_else(default, Value::Float)
        }
        "int" => {
            let default = || given.get(0, "default").cloned().unwrap_or(Value::Int(0));
            let whole =
                |value: f64| value.is_finite().then(|| value.trunc()).filter(|value| value.abs() < 1e38);
            match value {
                Value::Digits(_) => value.clone(),
                Value::Float(value) => whole(*value).map_or_else(default, |value| Value::Int(value as i128)),
                _ => match (value.as_int(), value.as_text()) {
                    (Some(int), _) => Value::Int(int),
                    (None, Some(text)) => {
                        let text = text.trim().replace('_', "");
                        let parsed = text.parse().ok();
                        let parsed =
                            parsed.or_else(|| python_float(&text).and_then(whole).map(|value| value as i128));
                        parsed.map_or_else(default, Value::Int)
                    }
                    _ => default(),
                },
            }
        }
        "round" => round(value, given)?,
        _ => return Ok(None),
    }))
}

/// A float as Python's `float` reads it.
fn python_float(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}

fn round(value: &Value, given: &Given) -> Outcome<Value> {
    given.only(&["precision", "method"])?;
    let precision =
        given.get(0, "precision").map_or(Some(0), Value::as_int).and_then(|p| i32::try_from(p).ok());
    let method = given.get(1, "method").map_or(Some("common"), Value::as_text);
    let (Some(precision), Some(method)) = (precision.filter(|p| (-30..=30).contains(p)), method) else {
        return Err(Failure::error("`round` takes a precision from -30 to 30 and a method"));
    };
    let Some(number) = value.as_float() else {
        return Err(Failure::error(format!("a {} cannot be rounded", value.type_name())));
    };
    let scale = 10f64.powi(precision);
    match method {
        "common" if matches!(value, Value::Digits(_)) => Ok(value.clone()),
        "common" if precision >= 0 && value.as_int().is_some() => {
            Ok(value.as_int().map_or(Value::None, Value::Int))
        }
        "common" if precision >= 0 => {
            // Printing rounds half to even on the exact value, as Python does.
            let rounded = format!("{number:.*}", precision as usize);
            Ok(Value::Float(rounded.parse().unwrap_or(number)))
        }
        "common" => Ok(Value::Float((number * scale).round_ties_even() / scale)),
        "ceil" => Ok(Value::Float((number * scale).ceil() / scale)),
        "floor" => Ok(Value::Float((number * scale).floor() / scale)),
        _ => Err(Failure::error("the method of `round` is common, ceil or floor")),
    }
}
