//! Rendering of rows with the chat template of a model.

use std::sync::Arc;

use arrow_array::builder::LargeStringBuilder;
use arrow_array::{Array, Int32Array, LargeStringArray, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use arrow_select::concat::concat;
use pyo3::prelude::*;
use rayon::prelude::*;
use serde_json::json;
use thresher_chat::template::{Limits, Moment, RenderOptions, Rendered, Source, Template};
use thresher_chat::{Format, RowError};
use thresher_core::json::Json;
use thresher_core::observe::check;
use thresher_io::runs::rows::format::{detected, format_of};
use thresher_io::runs::rows::render::RenderStep;
use thresher_io::{Error, Result};

use crate::arrow_out::ArrowArray;
use crate::chat::convert::sample;
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

/// Rows that one task renders.
const TASK_ROWS: usize = 64;

/// How rows are rendered, from JSON.
pub(super) fn settings(text: &str) -> Result<RenderStep> {
    serde_json::from_str(text).map_err(|error| parameter(format!("the options: {error}")))
}

/// Rows as texts, null where one could not be rendered; the spans of each in characters; and a report as JSON.
#[pyfunction]
#[pyo3(signature = (rows, options_json, threads))]
pub(crate) fn render(
    rows: &Bound<'_, PyAny>,
    options_json: &str,
    threads: Option<i64>,
) -> PyResult<(ArrowArray, ArrowArray, String)> {
    let options = settings(options_json).map_err(to_py)?;
    let template = options.template.compile(options.name.as_deref()).map_err(to_py)?;
    let how = options.options().map_err(to_py)?;
    let from = options.from_format.as_ref().map(format_of).transpose().map_err(to_py)?;
    with_texts(rows, threads, NEVER_LITTLE, |rows, stop| {
        let format = from.map_or_else(|| detected(&sample(rows)), Ok)?;
        let parts: Vec<Part> = rows
            .par_chunks(TASK_ROWS)
            .map(|rows| {
                check(stop)?;
                Ok(Part::of(&template, &format, &how, rows))
            })
            .collect::<Result<_>>()?;
        gather(&parts, format.name())
    })
}

/// What one task made of its rows.
struct Part {
    texts: LargeStringArray,
    spans: Vec<Option<Vec<(i32, i32)>>>,
    errors: Vec<(u64, RowError)>,
}

impl Part {
    fn of(template: &Template, format: &Format, options: &RenderOptions, rows: &[Option<&str>]) -> Self {
        let mut texts = LargeStringBuilder::with_capacity(rows.len(), 0);
        let (mut spans, mut errors) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, text) in (0..).zip(rows) {
            match rendered(template, format, options, text.unwrap_or("null")) {
                Ok(done) => {
                    texts.append_value(&done.text);
                    spans.push(Some(done.character_spans()));
                }
                Err(error) => {
                    texts.append_null();
                    spans.push(None);
                    errors.push((row, error));
                }
            }
        }
        Self { texts: texts.finish(), spans, errors }
    }
}

fn rendered(
    template: &Template,
    format: &Format,
    options: &RenderOptions,
    row: &str,
) -> std::result::Result<Rendered, RowError> {
    template.render(&format.read(Json::parse(row)?)?, options)
}

fn gather(parts: &[Part], from: &str) -> Result<(ArrowArray, ArrowArray, String)> {
    let texts: Vec<&dyn Array> = parts.iter().map(|part| &part.texts as _).collect();
    let texts = match &texts[..] {
        [] => Arc::new(LargeStringArray::new_null(0)),
        texts => concat(texts).map_err(|error| Error::Internal(error.to_string()))?,
    };
    let mut errors = Vec::new();
    let mut first_row = 0;
    for part in parts {
        errors.extend(part.errors.iter().map(|(row, error)| {
            json!({"row": first_row + row, "reason": error.reason.name(), "detail": error.detail})
        }));
        first_row += part.texts.len() as u64;
    }
    let spans = span_column(parts.iter().flat_map(|part| &part.spans))?;
    let report = json!({"from": from, "errors": errors}).to_string();
    Ok((ArrowArray(texts), ArrowArray(Arc::new(spans)), report))
}

/// `list<struct<start: int32, end: int32>>`
fn span_column<'p>(rows: impl Iterator<Item = &'p Option<Vec<(i32, i32)>>>) -> Result<ListArray> {
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for row in rows {
        valid.push(row.is_some());
        let spans = row.as_deref().unwrap_or_default();
        lengths.push(spans.len());
        starts.extend(spans.iter().map(|(start, _)| *start));
        ends.extend(spans.iter().map(|(_, end)| *end));
    }
    let field = |name: &str| Field::new(name, DataType::Int32, false);
    let fields = Fields::from(vec![field("start"), field("end")]);
    let columns: Vec<Arc<dyn Array>> =
        vec![Arc::new(Int32Array::from(starts)), Arc::new(Int32Array::from(ends))];
    let internal = |error: arrow_schema::ArrowError| Error::Internal(error.to_string());
    let spans = StructArray::try_new(fields.clone(), columns, None).map_err(internal)?;
    let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
    let offsets = OffsetBuffer::from_lengths(lengths);
    ListArray::try_new(item, offsets, Arc::new(spans), Some(NullBuffer::from(valid))).map_err(internal)
}

/// Renders a template with these variables (a JSON object) and nothing else, and gives the text.
#[pyfunction]
#[pyo3(signature = (template, variables_json, now))]
pub(crate) fn render_variables(template: &str, variables_json: &str, now: Option<&str>) -> PyResult<String> {
    let bad = |error: RowError| to_py(parameter(format!("{}: {}", error.reason.name(), error.detail)));
    let template = Template::compile(&Source::text(template), &Limits::default()).map_err(bad)?;
    let options = RenderOptions { now: now.and_then(Moment::parse), ..RenderOptions::default() };
    let variables = Json::parse(variables_json).map_err(|error| bad(error.into()))?;
    Ok(template.render_variables(variables, &options).map_err(bad)?.text)
}
