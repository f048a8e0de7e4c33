//! Items of benchmarks in texts in memory.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder,
    StructBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, BooleanArray, LargeStringArray, StructArray};
use arrow_schema::{DataType, Field, Fields};
use pyo3::prelude::*;
use thresher_filter::contamination::{Cutter, Findings, Index, Verdict, check_all};
use thresher_io::runs::rows::decontaminate::{DecontaminateStep, table};
use thresher_io::runs::{Progress, benchmarks};
use thresher_io::{Error, Result};

use crate::arrow_out::ArrowArray;
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

/// What was found: columns over the documents, and a table of the matches.
#[pyclass(frozen, get_all, module = "thresher._core.filter")]
pub(crate) struct Contamination {
    /// bool: whether the document stays.
    keep: Py<ArrowArray>,
    /// list of struct: start and end of all that was found in it, in bytes.
    spans: Py<ArrowArray>,
    /// string: the texts as they stay, null for removed and missing ones; none unless they were to be cut.
    texts: Option<Py<ArrowArray>>,
    /// struct: one entry a match.
    matches: Py<ArrowArray>,
    /// What was found of each benchmark, as JSON.
    benchmarks: String,
}

struct Columns {
    keep: ArrayRef,
    spans: ArrayRef,
    texts: Option<ArrayRef>,
    matches: ArrayRef,
    benchmarks: String,
}

/// Finds what benchmarks hold in texts.
#[pyfunction]
#[pyo3(signature = (texts, step_json, rows, threads))]
#[expect(clippy::needless_pass_by_value, reason = "as Python hands it over")]
pub(crate) fn decontaminate(
    texts: &Bound<'_, PyAny>,
    step_json: &str,
    rows: Vec<(String, Vec<String>)>,
    threads: Option<i64>,
) -> PyResult<Contamination> {
    let py = texts.py();
    let step: DecontaminateStep = serde_json::from_str(step_json)
        .map_err(|error| to_py(parameter(format!("a parameter of the call: {error}"))))?;
    let found = with_texts(texts, threads, NEVER_LITTLE, |texts, stop| {
        let more = rows
            .iter()
            .map(|(name, rows)| benchmarks::of_rows(name, rows, &step.prompts, &step.answers))
            .collect::<Result<Vec<_>>>()?;
        let (index, cutter) = step.prepare(more, &Progress::default())?;
        let verdicts = check_all(texts, &index, stop)?;
        columns(texts, &verdicts, &index, cutter)
    })?;
    let wrap = |array: ArrayRef| Py::new(py, ArrowArray(array));
    Ok(Contamination {
        keep: wrap(found.keep)?,
        spans: wrap(found.spans)?,
        texts: found.texts.map(wrap).transpose()?,
        matches: wrap(found.matches)?,
        benchmarks: found.benchmarks,
    })
}

fn columns(
    texts: &[Option<&str>],
    verdicts: &[Option<Verdict>],
    index: &Index,
    cutter: Option<Cutter>,
) -> Result<Columns> {
    let mut findings = Findings::default();
    verdicts.iter().flatten().for_each(|verdict| findings.add(verdict));
    let json = |error: serde_json::Error| Error::Internal(error.to_string());
    let benchmarks = serde_json::to_string(&table(index, &findings)).map_err(json)?;
    let (spans, matches) = (spans(verdicts), Arc::new(matches(verdicts, index)));
    let Some(cutter) = cutter else {
        let keep: BooleanArray = verdicts.iter().map(|verdict| Some(verdict.is_none())).collect();
        return Ok(Columns { keep: Arc::new(keep), spans, texts: None, matches, benchmarks });
    };
    let left: Vec<Option<String>> = texts
        .iter()
        .zip(verdicts)
        .map(|(text, verdict)| match (text, verdict) {
            (Some(text), Some(verdict)) => cutter.cut(text, &verdict.spans).apply(text),
            (text, _) => text.map(str::to_owned),
        })
        .collect();
    let gone = |(text, verdict): (&Option<String>, &Option<Verdict>)| text.is_none() && verdict.is_some();
    let keep: BooleanArray = left.iter().zip(verdicts).map(|both| Some(!gone(both))).collect();
    let texts: LargeStringArray = left.into_iter().collect();
    Ok(Columns { keep: Arc::new(keep), spans, texts: Some(Arc::new(texts)), matches, benchmarks })
}

/// Start and end of all that was found in each text.
fn spans(verdicts: &[Option<Verdict>]) -> ArrayRef {
    let field = |name| Field::new(name, DataType::Int64, false);
    let fields = Fields::from(vec![field("start"), field("end")]);
    let item = Field::new("item", DataType::Struct(fields.clone()), false);
    let builders =
        StructBuilder::new(fields, vec![Box::new(Int64Builder::new()), Box::new(Int64Builder::new())]);
    let mut lists = ListBuilder::new(builders).with_field(item);
    for verdict in verdicts {
        for span in verdict.iter().flat_map(|verdict| &verdict.spans) {
            for (at, place) in [span.start, span.end].into_iter().enumerate() {
                if let Some(column) = lists.values().field_builder::<Int64Builder>(at) {
                    column.append_value(place as i64);
                }
            }
            lists.values().append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// One entry for each field of an item that a text holds.
fn matches(verdicts: &[Option<Verdict>], index: &Index) -> StructArray {
    let numbers = || Int64Builder::new();
    let (mut documents, mut items, mut starts, mut ends) = (numbers(), numbers(), numbers(), numbers());
    let (mut benchmarks, mut fields) =
        (StringDictionaryBuilder::<Int32Type>::new(), StringDictionaryBuilder::<Int32Type>::new());
    let (mut sides, mut overlaps, mut edited) =
        (StringBuilder::new(), Float64Builder::new(), BooleanBuilder::new());
    for (document, verdict) in verdicts.iter().enumerate() {
        for found in verdict.iter().flat_map(|verdict| &verdict.matches) {
            documents.append_value(document as i64);
            benchmarks.append_value(&index.benchmarks()[found.benchmark as usize].name);
            items.append_value(i64::from(found.row));
            fields.append_value(found.field(index));
            sides.append_value(found.side.name());
            overlaps.append_value(found.overlap);
            edited.append_value(found.edited);
            starts.append_value(found.span.start as i64);
            ends.append_value(found.span.end as i64);
        }
    }
    let columns: [(&str, ArrayRef); 9] = [
        ("document", Arc::new(documents.finish())),
        ("benchmark", Arc::new(benchmarks.finish())),
        ("item", Arc::new(items.finish())),
        ("field", Arc::new(fields.finish())),
        ("side", Arc::new(sides.finish())),
        ("overlap", Arc::new(overlaps.finish())),
        ("edited", Arc::new(edited.finish())),
        ("start", Arc::new(starts.finish())),
        ("end", Arc::new(ends.finish())),
    ];
    let named =
        columns.map(|(name, column)| (Arc::new(Field::new(name, column.data_type().clone(), false)), column));
    StructArray::from(named.to_vec())
}
