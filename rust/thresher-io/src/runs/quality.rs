//! Training of a quality classifier on files: good texts and bad ones in, a model that fastText reads out.
//!
//! ```text
//! good, then bad ─read on all threads─> hashes of words, in order ─learn─> model.bin, checked by reading it
//! ```
//!
//! Texts are read in order and learned from in an order that follows from their numbers, so the bytes of the model depend on neither
//! threads nor memory. Nothing is kept for a run that is interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use thresher_core::Observer;
use thresher_core::json::{FieldPath, Fields};
use thresher_filter::fasttext::Model;
use thresher_filter::quality::{self, Examples, Hashed, LABELS, Options};

use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::{Scratch, Written};
use crate::quarantine::{BadRecords, Quarantine};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::aside::{check_bulk, count_bad};
use crate::runs::fields::{FieldWatch, Having};
use crate::runs::memory::Memory;
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::surveyed;

parameters! {
    /// What a training of a quality classifier is asked for; the inputs are the good texts.
    pub struct QualityTrainStep is "quality_train" {
        /// Files of texts like those to remove.
        bad: Vec<String> = Vec::new() => Kind::Texts("FILE"), required;
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Words of an n-gram at most.
        word_ngrams: usize = Options::default().word_ngrams => Kind::Whole { least: 1, most: 5 };
        /// Rows that n-grams of several words share; a row takes 4 bytes of the model.
        bucket: u32 = Options::default().bucket => Kind::Whole { least: 1, most: 1 << 28 };
        /// A word that occurs less often has no row of its own.
        min_count: u64 = Options::default().min_count => Kind::Whole { least: 1, most: i64::MAX as u64 };
        /// Words that have a row of their own at most, the most frequent ones.
        max_words: usize = Options::default().max_words => Kind::Whole { least: 0, most: 1 << 28 };
        /// How often each text is looked at.
        epochs: usize = Options::default().epochs => Kind::Whole { least: 1, most: 1000 };
        /// Texts of each kind that are learned from at most, the first ones.
        max_documents: usize = 200_000 => Kind::Whole { least: 1, most: 1 << 30 };
    }
}

/// The parameters of a run.
pub type QualityTrainRun = Config<QualityTrainStep>;

/// What was learned.
#[derive(Clone, Debug, Serialize)]
pub struct QualityTrainReport {
    /// The parameters.
    pub config: QualityTrainRun,
    /// The model.
    pub file: Written,
    /// Texts that were learned from, by label.
    pub documents: BTreeMap<&'static str, usize>,
    /// Records that were set aside, by reason.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Words that have a row of their own.
    pub words: usize,
    /// Texts that were held back, one in ten, and not learned from unless there are very few.
    pub held_back: usize,
    /// The share of these whose label the model tells right.
    pub accuracy: Option<f64>,
    /// The chance that the model scores a good one of these higher than a bad one.
    pub auc: Option<f64>,
}

/// The name of the step of the progress.
const READ: usize = 5;

/// Trains a classifier, and gives the report.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, too few texts or too little memory, `Error::Io` for what the
/// system refuses, `Error::Data` in strict mode or for bad data in bulk, `Error::Cancelled`.
pub fn run(config: &QualityTrainRun, progress: &Progress) -> Result<QualityTrainReport> {
    let QualityTrainStep { bad, text, word_ngrams, bucket, min_count, max_words, epochs, .. } = &config.step;
    config.options.check()?;
    let output = Path::new(config.output()?);
    if output.exists() && !config.options.overwrite {
        return Err(Error::Parameter(format!(
            "output `{}` is there already; use overwrite to replace it, or choose another output",
            output.display()
        )));
    }
    let options = Options {
        word_ngrams: *word_ngrams,
        bucket: *bucket,
        min_count: *min_count,
        max_words: *max_words,
        epochs: *epochs,
        ..Options::default()
    };
    let memory = Memory::of(&config.options)?;
    let learned_bytes = (u64::from(*bucket) + *max_words as u64) * 8;
    let fields = Fields { text: Some(FieldPath::parse(text)?), id: None, rank: None };
    progress.begin(READ, 0);
    let plans = [&config.inputs, bad]
        .map(|inputs| Plan::new(config.options.reading(inputs, None), &fields, progress));
    let crew = Crew::new(config.options.threads());
    let mut examples = Examples::default();
    let mut quarantined: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (plan, good) in plans.into_iter().zip([true, false]) {
        let plan = plan?;
        let reading = Reading { plan: &plan, fields: &fields, config, crew: &crew, memory, progress };
        let (texts, bad) = surveyed(&plan.sources, crew.threads(), progress, || {
            let room = memory.tables().saturating_sub(learned_bytes + examples.bytes() as u64);
            reading.texts(room)
        })?;
        plan.check_unchanged()?;
        for (reason, tally) in bad.tallies() {
            *quarantined.entry(reason.name()).or_default() += tally.docs;
        }
        for text in &texts {
            examples.add(text, good);
        }
    }
    let trained = quality::train(&examples, &options, progress)?;
    Model::read(&mut &*trained.model, trained.model.len() as u64)
        .map_err(|error| Error::Internal(format!("the model that was learned: {error}")))?;
    let file = Written::of(commit_bytes(output, &trained.model)?, 0);
    let number = |value: f64| Some(value).filter(|value| value.is_finite());
    Ok(QualityTrainReport {
        config: config.clone(),
        file,
        documents: LABELS.into_iter().zip(examples.counts()).collect(),
        quarantined,
        words: trained.words,
        held_back: trained.held_back,
        accuracy: number(trained.accuracy),
        auc: number(trained.auc),
    })
}

/// One pass over the texts of a label.
struct Reading<'r> {
    plan: &'r Plan,
    fields: &'r Fields,
    config: &'r QualityTrainRun,
    crew: &'r Crew,
    memory: Memory,
    progress: &'r Progress,
}

/// What a worker makes of a unit.
#[derive(Default)]
struct Texts {
    hashed: Vec<Hashed>,
    slots: u32,
    bad: BadRecords,
    docs: u64,
    most: usize,
}

impl Visitor for Texts {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.slots = record.slot + 1;
        self.docs += 1;
        if self.hashed.len() < self.most {
            self.hashed.push(Hashed::new(record.text));
        }
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.slots = bad.slot + 1;
        self.bad.push(bad);
        Ok(())
    }

    fn blank(&mut self, _: u64) {}
}

impl Reading<'_> {
    /// The first texts, as many as are asked for, in `room` bytes, and what was set aside.
    fn texts(&self, room: u64) -> Result<(Vec<Hashed>, Quarantine)> {
        let (sources, most) = (&self.plan.sources, self.config.step.max_documents);
        let mut watch = FieldWatch::new(sources, self.fields);
        let (mut found, mut bytes, mut docs) = (Vec::new(), 0, 0);
        let mut quarantine = Quarantine::counting();
        let mut rows = vec![0; sources.len()];
        for_each_unit(
            Pass::new(sources, self.crew, self.progress, self.memory),
            Scratch::default,
            |scratch, input, unit| {
                let mut texts = Texts { most, ..Texts::default() };
                sources[input].input().read(&unit, self.fields, None, scratch, &mut texts)?;
                self.progress.advance(texts.docs, 0);
                Ok(texts)
            },
            |input, unit| {
                watch.see(input, Having::of(unit.docs, &unit.bad, 0, 0))?;
                let source = sources[input].input();
                count_bad(self.progress, self.config.options.strict, source, rows[input], &unit.bad)?;
                quarantine.add(source.name(), rows[input], &unit.bad)?;
                rows[input] += u64::from(unit.slots);
                docs += u64::from(unit.slots);
                for text in unit.hashed.into_iter().take(most - found.len()) {
                    bytes += text.bytes() as u64;
                    found.push(text);
                }
                if bytes > room {
                    return Err(Error::Parameter(format!(
                        "the first {} texts take more than the {room} bytes that memory leaves for them; raise memory, or lower max_documents",
                        found.len()
                    )));
                }
                Ok(())
            },
        )?;
        watch.end()?;
        let first = sources.first().map(Source::input);
        check_bulk(&quarantine, docs, self.config.options.max_quarantine, first)?;
        Ok((found, quarantine))
    }
}
