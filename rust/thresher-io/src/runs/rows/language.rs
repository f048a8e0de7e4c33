//! The language of each text over files: two columns beside the others, and, if asked, only the rows of some languages.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use arrow_schema::{DataType, Field};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use thresher_core::json::{FieldPath, Fields};
use thresher_filter::language::{self, Detector};

use super::{RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::fasttext;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::flow::{Opening, RowVerb};
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees, Value};
use crate::suggest::{listing, nearest};

parameters! {
    /// Which languages texts have, and which of them stay.
    pub struct LanguageStep is "language" {
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// A model of fastText (.bin, .ftz) whose labels are languages, such as lid.176.ftz. Default: the detector of the package.
        model: Option<String> = None => Kind::Path("FILE");
        /// Languages that stay, as `en`, or several with commas, as `en,de`. Default: all.
        keep: Vec<String> = Vec::new() => Kind::Texts("CODES");
        /// The least score of a text that stays.
        min_score: f64 = 0.0 => Kind::Share;
        /// The least score of texts of one language, in place of `min_score`.
        threshold: Map<String, Json> = Map::new() => Kind::Mapping;
        /// The column of the language; that of the score has `_score` behind. Columns of these names are replaced.
        column: String = "language".into() => Kind::Text("NAME");
        /// Bytes that are read of a longer text, in stretches from beginning to end; 0 reads all.
        sample_bytes: usize = language::SAMPLE_BYTES => Kind::Whole { least: 0, most: u32::MAX as u64 };
    }
}

/// The parameters of a run.
pub type LanguageRun = Config<LanguageStep>;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: LanguageRun,
    /// Texts by language, those that were removed included; those without one are under the empty name.
    pub languages: BTreeMap<String, u64>,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for LanguageReport {
    fn verb(&self) -> &'static str {
        "language"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Detects the languages of the texts of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &LanguageRun, progress: &Progress) -> Result<LanguageReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let detection = config.step.detection()?;
    let fields = Fields { text: Some(detection.text.clone()), id: detection.id.clone(), rank: None };
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: true,
        format: None,
        options: &config.options,
    };
    let rows_run = RowsRun::over_fields(setup, &fields, progress)?;
    rows_run.publish(config, |run, place| {
        let (rows, summary) = run.examine(LanguageStep::NAME, Box::new(detection), place, &mut clock)?;
        clock.total(started);
        Ok(LanguageReport {
            marker: Marker::default(),
            config: config.clone(),
            languages: counts_of(&summary["languages"].to_string())?,
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

impl RowVerb for LanguageStep {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(self.detection()?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Json>> {
        Some(run(config, progress).and_then(|report| {
            serde_json::to_value(report).map_err(|error| Error::Internal(error.to_string()))
        }))
    }
}

/// The detector of a path, or that of the package.
///
/// # Errors
/// Those of loading the model.
pub fn detector(model: Option<&str>, sample_bytes: usize) -> Result<Detector> {
    model.map_or_else(
        || Ok(Detector::built_in(sample_bytes)),
        |path| Ok(Detector::fasttext(fasttext::load("model", Path::new(path))?, sample_bytes)),
    )
}

/// The step, with its model.
struct Detection {
    detector: Detector,
    text: FieldPath,
    id: Option<FieldPath>,
    keep: Vec<String>,
    min_score: f32,
    thresholds: BTreeMap<String, f32>,
    column: String,
}

impl LanguageStep {
    fn detection(&self) -> Result<Detection> {
        if self.column.is_empty() {
            return Err(Error::Parameter(
                "column is empty, but the column of the language has a name".into(),
            ));
        }
        let detector = detector(self.model.as_deref(), self.sample_bytes)?;
        let known = |name: &str, language: &str| {
            let languages = detector.languages();
            if languages.contains(&language) {
                return Ok(());
            }
            let mut languages: Vec<String> = languages.into_iter().map(str::to_owned).collect();
            languages.sort_unstable();
            Err(Error::Parameter(format!(
                "{name} has `{language}`, which is no language of the model; {}{}",
                nearest(language, &languages),
                listing("it has", &languages)
            )))
        };
        let keep = self.keep.iter().flat_map(|codes| codes.split(',')).map(str::trim);
        let keep: Vec<String> = keep.filter(|code| !code.is_empty()).map(str::to_owned).collect();
        keep.iter().try_for_each(|language| known("keep", language))?;
        let mut thresholds = BTreeMap::new();
        for (language, score) in &self.threshold {
            known("threshold", language)?;
            let score = score.as_f64().filter(|score| (0.0..=1.0).contains(score)).ok_or_else(|| {
                Error::Parameter(format!(
                    "threshold has `{language}={score}`, but a score is a number from 0 to 1"
                ))
            })?;
            thresholds.insert(language.clone(), score as f32);
        }
        Ok(Detection {
            detector,
            text: FieldPath::parse(&self.text)?,
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            keep,
            min_score: self.min_score as f32,
            thresholds,
            column: self.column.clone(),
        })
    }
}

impl RowStep for Detection {
    fn sees(&self) -> Sees {
        Sees::Text(self.text.clone())
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn columns(&self) -> Vec<Field> {
        vec![
            Field::new(&self.column, DataType::Utf8, true),
            Field::new(format!("{}_score", self.column), DataType::Float32, true),
        ]
    }

    fn removes(&self) -> bool {
        !self.keep.is_empty() || self.min_score > 0.0 || !self.thresholds.is_empty()
    }

    fn resident_bytes(&self) -> u64 {
        self.detector.bytes() as u64
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker { detection: self, detector: self.detector.worker(), counts: BTreeMap::new() })
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for unit in found {
            for (language, count) in counts_of(&unit?.found)? {
                *all.entry(language).or_default() += count;
            }
        }
        Ok(json!({"languages": all}))
    }
}

fn counts_of(found: &str) -> Result<BTreeMap<String, u64>> {
    serde_json::from_str(found).map_err(|error| Error::Internal(format!("counts of languages: {error}")))
}

/// One thread of it.
struct Worker<'d> {
    detection: &'d Detection,
    detector: language::Worker<'d>,
    counts: BTreeMap<&'d str, u64>,
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        let Detection { keep, min_score, thresholds, .. } = self.detection;
        let found = self.detector.detect(text);
        *self.counts.entry(found.language.unwrap_or_default()).or_default() += 1;
        let shown = found.language.unwrap_or("no language");
        if !keep.is_empty() && found.language.is_none_or(|language| keep.iter().all(|kept| kept != language))
        {
            marks.remove("language", format!("{shown} ({:.3}); kept: {}", found.score, keep.join(", ")));
        }
        let least = found.language.and_then(|language| thresholds.get(language)).unwrap_or(min_score);
        if found.score < *least {
            marks.remove("language_score", format!("{shown} has {:.3}; at least {least}", found.score));
        }
        marks.value(found.language.map_or(Value::Null, Value::from));
        marks.value(f64::from(found.score));
    }

    fn found(&mut self) -> String {
        // Counts have a JSON.
        serde_json::to_string(&std::mem::take(&mut self.counts)).unwrap_or_default()
    }
}
