//! Rows as JSON: the text in a field, and a row with another text and further members. Every byte beside these stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::FieldRef;
use thresher_core::json::{FieldPath, Json, Kind, Str};

use super::Refusal;
use crate::error::{Error, Result};
use crate::record::Reason;

/// The text in a field of a row.
pub(crate) fn text_of(row: &str, field: &FieldPath) -> std::result::Result<String, Refusal> {
    let refuse = |reason, detail: String| Refusal { reason, detail };
    let mut value = Json::checked(row);
    for part in field.parts() {
        value =
            value.get(part).ok_or_else(|| refuse(Reason::MissingText, format!("`{field}` is missing")))?;
    }
    let Some(text) = value.as_str() else {
        let reason = if value.kind() == Kind::Null { Reason::NullText } else { Reason::TextNotString };
        return Err(refuse(reason, format!("`{field}` is {}", value.kind().name())));
    };
    text.decode()
        .map(Cow::into_owned)
        .map_err(|error| refuse(Reason::LoneSurrogate, format!("`{field}` has {error}")))
}

/// The rows of a batch, each as a JSON object with every column.
///
/// # Errors
/// `Error::Internal` for a type that has no JSON.
pub(crate) fn objects(batch: &RecordBatch) -> Result<Vec<String>> {
    let failed = |error: arrow_schema::ArrowError| Error::Internal(format!("added columns as JSON: {error}"));
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(failed)?;
    let lines = String::from_utf8(writer.into_inner()).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(lines.lines().map(str::to_owned).collect())
}

/// A row, a JSON object, with another text in a field, and with the members of another object at its end, which take the place of
/// members of their names.
///
/// # Errors
/// `Error::Internal` for a row without that field.
pub(crate) fn edited_row(
    row: &str,
    text: Option<(&FieldPath, &str)>,
    added: Option<(&[FieldRef], &str)>,
) -> Result<String> {
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    if let Some((field, text)) = text {
        let value = field.parts().iter().try_fold(Json::checked(row), |value, part| value.get(part));
        let value = value
            .ok_or_else(|| Error::Internal(format!("a row whose `{field}` is edited has no such field")))?;
        splices.push((place(row, value.text()), format!("\"{}\"", Str::encode(text).escaped())));
    }
    if let Some((names, object)) = added {
        let (dropped, is_empty) = dropped(row, names);
        splices.extend(dropped.into_iter().map(|span| (span, String::new())));
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let comma = if is_empty || members.is_empty() { "" } else { "," };
        let end = row.trim_end().len().saturating_sub(1);
        splices.push((end..end, format!("{comma}{members}")));
    }
    splices.sort_by_key(|(span, _)| span.start);
    let mut edited = String::with_capacity(row.len());
    let mut at = 0;
    for (span, new) in splices {
        // A text inside of a member that is dropped goes with it.
        if span.start < at {
            continue;
        }
        edited.push_str(&row[at..span.start]);
        edited.push_str(&new);
        at = span.end;
    }
    edited.push_str(&row[at..]);
    Ok(edited)
}

/// The members of an object that are called like one of the columns, each with the comma that goes with it; and whether no other
/// member is left.
fn dropped(row: &str, names: &[FieldRef]) -> (Vec<Range<usize>>, bool) {
    let mut spans = Vec::new();
    let mut kept_before = false;
    let entries: Vec<_> = Json::checked(row).entries().collect();
    for (at, (key, value)) in entries.iter().enumerate() {
        if !names.iter().any(|column| key.is(column.name())) {
            kept_before = true;
            continue;
        }
        let value = place(row, value.text());
        let span = if kept_before {
            // From the comma in front, which stands behind the value before.
            place(row, entries[at - 1].1.text()).end..value.end
        } else {
            // Up to the next key, or to the brace.
            let start = row.find('{').map_or(0, |brace| brace + 1);
            let from =
                if at == 0 { start } else { spans.last().map_or(start, |last: &Range<usize>| last.end) };
            let behind = row[value.end..].find([',', '}']).map_or(value.end, |found| value.end + found);
            from..if row.as_bytes().get(behind) == Some(&b',') { behind + 1 } else { behind }
        };
        spans.push(span);
    }
    (spans, !kept_before)
}

/// Where a part of a text lies in it.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn columns(names: &[&str]) -> Vec<FieldRef> {
        names.iter().map(|name| Arc::new(Field::new(*name, DataType::Utf8, true))).collect()
    }

    #[test]
    fn all_bytes_beside_the_text_and_the_members_stay() {
        let path = FieldPath::parse("m.text").unwrap();
        let row = r#" { "a" : 1.0e0 ,"m":{"x":[1, 2],"text" : "old" } , "lang":"de", "b":null } "#;
        let edited = edited_row(row, Some((&path, "n\"ew\n")), None).unwrap();
        assert_eq!(edited, row.replace("\"old\"", r#""n\"ew\n""#));
        let added =
            edited_row(row, None, Some((&columns(&["lang", "n"]), r#"{"lang":"en","n":2}"#))).unwrap();
        assert_eq!(
            added,
            r#" { "a" : 1.0e0 ,"m":{"x":[1, 2],"text" : "old" }, "b":null ,"lang":"en","n":2} "#
        );
        let all =
            edited_row(r#"{"lang":1,"lang" : 2}"#, None, Some((&columns(&["lang"]), r#"{"lang":"en"}"#)));
        assert_eq!(all.unwrap(), r#"{"lang":"en"}"#);
    }

    proptest! {
        #[test]
        fn a_row_with_members_is_the_object_with_them(
            keys in proptest::collection::vec("[abc]", 0..6),
            blanks in proptest::collection::vec("[ \t]{0,2}", 30),
            text in "\\PC{0,8}",
        ) {
            let mut blank = blanks.iter().cycle();
            let mut row = String::from("{");
            for (at, key) in keys.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                for part in [comma, &format!("\"{key}\""), ":", &format!("\"{at}\"")] {
                    row.push_str(part);
                    row.push_str(blank.next().unwrap());
                }
            }
            row.push('}');
            let object = json!({"a": text, "d": {"e": [1]}});
            let edited = edited_row(&row, None, Some((&columns(&["a", "d"]), &object.to_string()))).unwrap();
            let mut wanted: Map<String, Value> = serde_json::from_str(&row).unwrap();
            wanted.extend(object.as_object().unwrap().clone());
            prop_assert_eq!(serde_json::from_str::<Map<String, Value>>(&edited).unwrap(), wanted);
            prop_assert_eq!(Json::parse(&edited).unwrap().entries().filter(|(key, _)| key.is("a")).count(), 1);
        }
    }
}
