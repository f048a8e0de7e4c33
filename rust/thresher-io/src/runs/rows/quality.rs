//! The score of a classifier over files: a column beside the others, and, if asked, only the rows whose score is high enough.
//!
//! Of a share of the texts, the best ones, the least score is not known before all are scored. So they are scored twice: a first
//! pass counts scores, to 12 bits behind the first, and nothing else is kept of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use arrow_schema::{DataType, Field};
use serde::Serialize;
use serde_json::{Value as Json, json};
use thresher_core::json::{FieldPath, Fields};
use thresher_filter::fasttext::{Model, Predictor};
use thresher_filter::quality::LABELS;

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
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees};
use crate::suggest::{listing, nearest};

parameters! {
    /// How a classifier scores texts, and which of them stay.
    pub struct QualityStep is "quality" {
        /// A model of fastText with labels (.bin, .ftz), such as one of `thresher quality train`.
        model: Option<String> = None => Kind::Path("FILE"), required;
        /// The label whose probability is the score. Default: `good`.
        label: String = LABELS[0].into() => Kind::Text("LABEL");
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// The least score of a text that stays.
        min_score: f64 = 0.0 => Kind::Share;
        /// The share of the texts to keep, those of the highest scores, in place of `min_score`; reads the inputs twice.
        keep_top: Option<f64> = None => Kind::Share;
        /// The column of the score. A column of this name is replaced.
        column: String = "quality".into() => Kind::Text("NAME");
    }
}

/// The parameters of a run.
pub type QualityRun = Config<QualityStep>;

/// Bits of a score that are not counted: of the 23 behind the first, 11.
const UNCOUNTED_BITS: u32 = 11;

/// How many texts have a score, by its counted bits, which order as scores do.
type Counts = BTreeMap<u32, u64>;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct QualityReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: QualityRun,
    /// The least score of a text that stayed: `min_score`, or what came of `keep_top`.
    pub least_score: f64,
    /// Texts by score in hundredths, removed ones included: `scores[i]` have a score from i/100 on.
    pub scores: Vec<u64>,
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

impl Reported for QualityReport {
    fn verb(&self) -> &'static str {
        "quality"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Scores the texts of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &QualityRun, progress: &Progress) -> Result<QualityReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let mut scoring = config.step.scoring()?;
    if let Some(share) = config.step.keep_top {
        scoring.min_score = clock.time("rank", || least_of(share, config, progress))?;
    }
    let least_score = f64::from(scoring.min_score);
    let fields = Fields { text: Some(scoring.text.clone()), id: scoring.id.clone(), rank: None };
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: true,
        format: None,
        options: &config.options,
    };
    let rows_run = RowsRun::over_fields(setup, &fields, progress)?;
    rows_run.publish(config, |run, place| {
        let (rows, summary) = run.examine(QualityStep::NAME, Box::new(scoring), place, &mut clock)?;
        clock.total(started);
        Ok(QualityReport {
            marker: Marker::default(),
            config: config.clone(),
            least_score,
            scores: hundredths(&counts_of(&summary["scores"].to_string())?),
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

/// The least score among a share of the texts, the best ones: all of equal counted bits are among them.
fn least_of(share: f64, config: &QualityRun, progress: &Progress) -> Result<f32> {
    let scoring = QualityStep { keep_top: None, min_score: 0.0, ..config.step.clone() }.scoring()?;
    let fields = Fields { text: Some(scoring.text.clone()), id: scoring.id.clone(), rank: None };
    let setup = Setup {
        inputs: &config.inputs,
        output: None,
        keeps_format: true,
        format: None,
        options: &config.options,
    };
    let looking = Config { output: None, ..config.clone() };
    let mut counts = Counts::new();
    RowsRun::over_fields(setup, &fields, progress)?.publish(&looking, |run, place| {
        let (rows, summary) =
            run.examine(QualityStep::NAME, Box::new(scoring), place, &mut Clock::default())?;
        counts = counts_of(&summary["scores"].to_string())?;
        Ok(Looked(rows))
    })?;
    let wanted = (counts.values().sum::<u64>() as f64 * share).ceil() as u64;
    let mut kept = 0;
    let least = counts.iter().rev().find(|(_, count)| {
        kept += **count;
        kept >= wanted
    });
    Ok(least.map_or(0.0, |(bits, _)| f32::from_bits(bits << UNCOUNTED_BITS)))
}

/// What a pass that only looks reports: nothing of it is written.
#[derive(Clone, Debug, Serialize)]
struct Looked(#[serde(skip)] RowsReport);

impl Reported for Looked {
    fn verb(&self) -> &'static str {
        "quality"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.0.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.0.exhibits
    }
}

impl RowVerb for QualityStep {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        if let Some(share) = self.keep_top {
            return Err(Error::Parameter(format!(
                "keep_top is `{share}`, but as a step of several `quality` cannot score the texts twice; run it by itself, or \
                 give min_score"
            )));
        }
        Ok(Box::new(self.scoring()?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Json>> {
        Some(run(config, progress).and_then(|report| {
            serde_json::to_value(report).map_err(|error| Error::Internal(error.to_string()))
        }))
    }
}

/// A model, and the place of a label among its labels.
///
/// # Errors
/// Those of loading the model; `Error::Parameter` for a label that it has not.
pub fn model(path: &str, label: &str) -> Result<(Model, usize)> {
    let model = fasttext::load("model", Path::new(path))?;
    let label = label.strip_prefix("__label__").unwrap_or(label);
    let place = model.labels().iter().position(|known| known == label).ok_or_else(|| {
        Error::Parameter(format!(
            "label is `{label}`, which is no label of the model; {}{}",
            nearest(label, model.labels()),
            listing("it has", model.labels())
        ))
    })?;
    Ok((model, place))
}

/// The step, with its model.
struct Scoring {
    model: Model,
    label: usize,
    text: FieldPath,
    id: Option<FieldPath>,
    min_score: f32,
    column: String,
}

impl QualityStep {
    fn scoring(&self) -> Result<Scoring> {
        if self.column.is_empty() {
            return Err(Error::Parameter("column is empty, but the column of the score has a name".into()));
        }
        let (model, label) = model(self.model.as_deref().unwrap_or_default(), &self.label)?;
        Ok(Scoring {
            model,
            label,
            text: FieldPath::parse(&self.text)?,
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            min_score: self.min_score as f32,
            column: self.column.clone(),
        })
    }
}

impl RowStep for Scoring {
    fn sees(&self) -> Sees {
        Sees::Text(self.text.clone())
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn columns(&self) -> Vec<Field> {
        vec![Field::new(&self.column, DataType::Float32, true)]
    }

    fn removes(&self) -> bool {
        self.min_score > 0.0
    }

    fn resident_bytes(&self) -> u64 {
        self.model.bytes() as u64
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker { scoring: self, predictor: self.model.predictor(), counts: Counts::new() })
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        let mut all = Counts::new();
        for unit in found {
            for (bits, count) in counts_of(&unit?.found)? {
                *all.entry(bits).or_default() += count;
            }
        }
        Ok(json!({"scores": all}))
    }
}

fn counts_of(found: &str) -> Result<Counts> {
    serde_json::from_str(found).map_err(|error| Error::Internal(format!("counts of scores: {error}")))
}

/// Counts by hundredths of scores.
fn hundredths(counts: &Counts) -> Vec<u64> {
    let mut parts = vec![0; 100];
    for (bits, count) in counts {
        let score = f32::from_bits(bits << UNCOUNTED_BITS);
        parts[((score * 100.0) as usize).min(99)] += count;
    }
    parts
}

/// One thread of it.
struct Worker<'s> {
    scoring: &'s Scoring,
    predictor: Predictor<'s>,
    counts: Counts,
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        let Scoring { label, min_score, .. } = *self.scoring;
        let score = self.predictor.probability(text, label).clamp(0.0, 1.0);
        *self.counts.entry(score.to_bits() >> UNCOUNTED_BITS).or_default() += 1;
        if score < min_score {
            marks.remove("quality", format!("{score:.4}; at least {min_score}"));
        }
        marks.value(f64::from(score));
    }

    fn found(&mut self) -> String {
        // Counts have a JSON.
        serde_json::to_string(&std::mem::take(&mut self.counts)).unwrap_or_default()
    }
}
