//! Signals of texts in memory, and the rules that they fail.

use std::sync::Arc;

use arrow_array::types::Int16Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int16Array, ListArray, StringArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::Field;
use pyo3::prelude::*;
use rayon::prelude::*;
use serde_json::{Map, Value};
use thresher_core::observe::check;
use thresher_filter::rules::{Preset, Rules};
use thresher_filter::signals::{C4Lines, Extractor, Group, Signal};
use thresher_io::runs::rows::filter::choice;
use thresher_io::runs::rows::filter::counts::Counts;
use thresher_io::{Error, Result, secret};

use crate::arrow_out::ArrowArray;
use crate::boundary::Stop;
use crate::errors::{parameter, to_py};
use crate::texts::with_texts;

/// Texts that one task looks at.
const TASK_TEXTS: usize = 256;
/// Bytes of text that one thread works through about as fast as a second one starts.
const LITTLE_BYTES: usize = 64 << 10;

/// Presets with their rules, and signals, as JSON.
#[pyfunction]
pub(crate) fn catalogue() -> String {
    choice::catalogue().to_string()
}

/// A column of each signal of some presets and groups.
#[pyfunction]
#[pyo3(signature = (texts, *, presets, groups, unended_lines, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 hands over lists as vectors")]
pub(crate) fn signals(
    texts: &Bound<'_, PyAny>,
    presets: Vec<String>,
    groups: Vec<String>,
    unended_lines: bool,
    threads: Option<i64>,
) -> PyResult<Vec<(&'static str, ArrowArray)>> {
    let mut wanted = vec![Group::Lengths];
    wanted.extend(choice::presets_of(&presets).map_err(to_py)?.into_iter().map(Preset::group));
    wanted.extend(choice::groups_of(&groups).map_err(to_py)?);
    let wanted = if presets.is_empty() && groups.is_empty() { Group::ALL.to_vec() } else { wanted };
    let kept: Vec<Signal> =
        Signal::ALL.iter().copied().filter(|signal| wanted.contains(&signal.group())).collect();
    with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
        let extracting = Extracting { groups: &wanted, lines: lines(unended_lines), key: secret::key()? };
        let tasks = extracting.over(texts, stop, |extractor, texts| table(extractor, &kept, texts))?;
        let column = |at: usize| {
            let values = tasks.iter().flat_map(|task| &task[at]).copied();
            Arc::new(
                values.map(|value| Some(value).filter(|value| !value.is_nan())).collect::<Float64Array>(),
            )
        };
        let columns: Vec<ArrayRef> =
            (0..kept.len()).into_par_iter().map(|at| column(at) as ArrayRef).collect();
        Ok(kept.iter().map(|signal| signal.name()).zip(columns.into_iter().map(ArrowArray)).collect())
    })
}

/// Whether each text stays, the rules that it fails, and what each rule did, as JSON.
#[pyfunction]
#[pyo3(signature = (texts, *, presets, set_json, unended_lines, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 hands over lists as vectors")]
pub(crate) fn apply(
    texts: &Bound<'_, PyAny>,
    presets: Vec<String>,
    set_json: &str,
    unended_lines: bool,
    threads: Option<i64>,
) -> PyResult<(ArrowArray, ArrowArray, String)> {
    let set: Map<String, Value> =
        serde_json::from_str(set_json).map_err(|error| to_py(parameter(format!("set: {error}"))))?;
    let rules = choice::rules_of(&presets, &set).map_err(to_py)?;
    let groups = rules.groups();
    with_texts(texts, threads, LITTLE_BYTES, |texts, stop| {
        let extracting = Extracting { groups: &groups, lines: lines(unended_lines), key: secret::key()? };
        let tasks = extracting.over(texts, stop, |extractor, texts| verdicts(extractor, &rules, texts))?;
        let mut counts = Counts::new(rules.as_slice().len());
        for task in &tasks {
            counts.merge(&task.counts);
        }
        let json = serde_json::to_string(&counts.of(&rules));
        let json = json.map_err(|error| Error::Internal(error.to_string()))?;
        let keep: BooleanArray = tasks.iter().flat_map(Verdicts::keep).collect();
        let failing = failing(&tasks, &rules)?;
        Ok((ArrowArray(Arc::new(keep)), ArrowArray(failing), json))
    })
}

fn lines(unended: bool) -> C4Lines {
    C4Lines { ended: !unended, ..C4Lines::default() }
}

/// What a worker computes.
struct Extracting<'e> {
    groups: &'e [Group],
    lines: C4Lines,
    key: u64,
}

impl Extracting<'_> {
    /// Calls `work` with the texts of each task, on all threads.
    fn over<T: Send>(
        &self,
        texts: &[Option<&str>],
        stop: &Stop,
        work: impl Fn(&mut Extractor, &[Option<&str>]) -> thresher_core::Result<T> + Sync,
    ) -> Result<Vec<T>> {
        texts
            .par_chunks(TASK_TEXTS)
            .map_init(
                || Extractor::with_c4_lines(self.groups, self.key, self.lines),
                |extractor, texts| {
                    check(stop)?;
                    Ok(work(extractor, texts)?)
                },
            )
            .collect()
    }
}

/// The values of some texts, by signal; NaN of a missing one.
fn table(
    extractor: &mut Extractor,
    kept: &[Signal],
    texts: &[Option<&str>],
) -> thresher_core::Result<Vec<Vec<f64>>> {
    let mut columns: Vec<Vec<f64>> = kept.iter().map(|_| Vec::with_capacity(texts.len())).collect();
    for text in texts {
        let signals = text.map(|text| extractor.compute(text)).transpose()?;
        for (column, signal) in columns.iter_mut().zip(kept) {
            column.push(signals.map_or(f64::NAN, |signals| signals.get(*signal)));
        }
    }
    Ok(columns)
}

/// What became of the texts of a task.
struct Verdicts {
    /// How many rules each fails; none of a missing one.
    fails: Vec<Option<u16>>,
    /// The places of those rules.
    failing: Vec<i16>,
    counts: Counts,
}

impl Verdicts {
    fn keep(&self) -> impl Iterator<Item = Option<bool>> {
        self.fails.iter().map(|fails| fails.map(|fails| fails == 0))
    }
}

fn verdicts(
    extractor: &mut Extractor,
    rules: &Rules,
    texts: &[Option<&str>],
) -> thresher_core::Result<Verdicts> {
    let mut found =
        Verdicts { fails: Vec::new(), failing: Vec::new(), counts: Counts::new(rules.as_slice().len()) };
    let mut of_text = Vec::new();
    for text in texts {
        let Some(text) = text else {
            found.fails.push(None);
            continue;
        };
        let signals = extractor.compute(text)?;
        let failing = rules.as_slice().iter().enumerate().filter(|(_, rule)| rule.fails(signals));
        of_text.clear();
        of_text.extend(failing.map(|(at, _)| at));
        found.counts.add(&of_text);
        found.fails.push(Some(of_text.len() as u16));
        found.failing.extend(of_text.iter().map(|&at| at as i16));
    }
    Ok(found)
}

/// The failing rules of each text, as lists of names; null of a missing text.
fn failing(tasks: &[Verdicts], rules: &Rules) -> Result<ArrayRef> {
    let failed = |error: arrow_schema::ArrowError| Error::Internal(format!("failing rules: {error}"));
    let lengths = tasks.iter().flat_map(|task| &task.fails);
    let nulls: NullBuffer = lengths.clone().map(Option::is_some).collect();
    let places: Int16Array = tasks.iter().flat_map(|task| &task.failing).copied().collect();
    if i32::try_from(places.len()).is_err() {
        return Err(parameter("the texts fail more than 2^31 rules together; give fewer texts at a time"));
    }
    let names: StringArray = rules.as_slice().iter().map(|rule| Some(rule.name)).collect();
    let names = DictionaryArray::<Int16Type>::try_new(places, Arc::new(names)).map_err(failed)?;
    let offsets = OffsetBuffer::from_lengths(lengths.map(|fails| usize::from(fails.unwrap_or_default())));
    let item = Arc::new(Field::new("item", names.data_type().clone(), false));
    let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(names), nulls).map_err(failed)?))
}
