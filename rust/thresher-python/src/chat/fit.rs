//! What a template can do, and whether texts of one fit a model deployed with another.

use pyo3::prelude::*;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use thresher_chat::RowError;
use thresher_chat::template::mismatch::{Parts, RowDifference, compare};
use thresher_core::json::Json;
use thresher_core::observe::check;
use thresher_io::Result;
use thresher_io::runs::rows::format::{detected, format_of};
use thresher_io::runs::rows::render::{Origin, RenderStep};

use crate::chat::convert::sample;
use crate::chat::template::settings;
use crate::errors::{parameter, to_py};
use crate::texts::{NEVER_LITTLE, with_texts};

/// Rows whose differences and errors are shown.
const EXAMPLES: usize = 5;

/// Where the texts of a row part, or which of the templates refuses it.
type Compared = std::result::Result<Option<RowDifference>, (bool, RowError)>;

/// What a template can do, as JSON.
#[pyfunction]
pub(crate) fn probe(options_json: &str) -> PyResult<String> {
    let options = settings(options_json).map_err(to_py)?;
    let template = options.template.compile(options.name.as_deref()).map_err(to_py)?;
    Ok(json!(template.probe(&options.options().map_err(to_py)?)).to_string())
}

/// Two templates that are compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    /// How the training data was rendered.
    trained: RenderStep,
    /// The template that the model is deployed with.
    deployed: Origin,
}

/// Whether rows rendered with one template fit a model deployed with another: a report as JSON.
#[pyfunction]
#[pyo3(signature = (rows, options_json, threads))]
pub(crate) fn mismatch(
    rows: &Bound<'_, PyAny>,
    options_json: &str,
    threads: Option<i64>,
) -> PyResult<String> {
    let sides: Sides = serde_json::from_str(options_json)
        .map_err(|error| to_py(parameter(format!("the options: {error}"))))?;
    let options = &sides.trained;
    let trained = options.template.compile(None).map_err(to_py)?;
    let deployed = sides.deployed.compile(None).map_err(to_py)?;
    let render = options.options().map_err(to_py)?;
    let from = options.from_format.as_ref().map(format_of).transpose().map_err(to_py)?;
    let parts = Parts::of(&trained, &render).differences(&Parts::of(&deployed, &render));
    with_texts(rows, threads, NEVER_LITTLE, |rows, stop| {
        let format = from.map_or_else(|| detected(&sample(rows)), Ok)?;
        let one = |row: Option<&str>| -> Compared {
            let of_trained = |error: RowError| (false, error);
            let json = Json::parse(row.unwrap_or("null")).map_err(|error| of_trained(error.into()))?;
            compare(&trained, &deployed, &format.read(json).map_err(of_trained)?, &render)
        };
        let compared: Vec<Compared> = rows
            .par_iter()
            .map(|row| {
                check(stop)?;
                Ok(one(*row))
            })
            .collect::<Result<_>>()?;
        let (mut differences, mut errors) = (Vec::new(), Vec::new());
        let (mut different, mut failed) = (0, [0, 0]);
        for (row, done) in compared.iter().enumerate() {
            match done {
                Ok(None) => {}
                Ok(Some(difference)) => {
                    different += 1;
                    if differences.len() < EXAMPLES {
                        differences.push(json!({"row": row, "at": difference.at, "trained": difference.trained, "deployed": difference.deployed}));
                    }
                }
                Err((is_deployed, error)) => {
                    failed[usize::from(*is_deployed)] += 1;
                    if errors.len() < EXAMPLES {
                        let (reason, detail) = (error.reason.name(), &error.detail);
                        errors.push(
                            json!({"row": row, "deployed": is_deployed, "reason": reason, "detail": detail}),
                        );
                    }
                }
            }
        }
        let report = json!({
            "rows": rows.len(), "different": different, "failed_trained": failed[0], "failed_deployed": failed[1],
            "parts": parts, "differences": differences, "errors": errors,
        });
        Ok(report.to_string())
    })
}

/// Templates that texts may come from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Candidates {
    templates: Vec<(String, Origin)>,
    options: RenderStep,
}

/// The share of the parts of each template that texts have, on average: name and share as JSON.
#[pyfunction]
#[pyo3(signature = (texts, candidates_json, threads))]
pub(crate) fn fit(texts: &Bound<'_, PyAny>, candidates_json: &str, threads: Option<i64>) -> PyResult<String> {
    let candidates: Candidates = serde_json::from_str(candidates_json)
        .map_err(|error| to_py(parameter(format!("the candidates: {error}"))))?;
    let options = candidates.options.options().map_err(to_py)?;
    let mut parts = Vec::new();
    for (name, origin) in &candidates.templates {
        parts.push((name, Parts::of(&origin.compile(None).map_err(to_py)?, &options)));
    }
    with_texts(texts, threads, NEVER_LITTLE, |texts, stop| {
        check(stop)?;
        let count = texts.iter().flatten().count().max(1) as f64;
        let share =
            |parts: &Parts| texts.par_iter().flatten().map(|text| parts.fit(text)).sum::<f64>() / count;
        let shares: Vec<_> = parts.iter().map(|(name, parts)| json!([name, share(parts)])).collect();
        Ok(json!(shares).to_string())
    })
}
