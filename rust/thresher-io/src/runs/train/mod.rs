//! Training of a tokenizer on files: one pass counts pre-tokens on all threads, then the vocabulary is learned.
//!
//! ```text
//! inputs ─count─> one table a thread ─join─> words ─train─> tokenizer.json, checked by loading it ─> report, publish
//!            └──> a sample of each source and language ─────────────encoded with it ──────────────────┘
//! ```
//!
//! Nothing is kept for a run that is interrupted: the pass is one reading of the inputs, and the same command starts over.

mod config;
mod count;
mod groups;
mod report;

use std::time::Instant;

use thresher_tokens::tokenizer::Tokenizer;
use thresher_tokens::train::Findings;

use crate::crew::Crew;
use crate::error::Result;
use crate::exhibits::Exhibits;
use crate::runs::aside::check_bulk;
use crate::runs::books::{Accounting, Count, InputReport, by_name, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::memory::Memory;
use crate::runs::output::{Marker, RunOutput};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::survey::surveyed;
pub use config::{TrainRun, TrainStep, Training};
use count::Counted;
pub use count::count_texts;
pub use groups::Fit;
pub use report::TrainReport;

/// The step of the progress.
const COUNT: usize = 5;

/// A vocabulary as files, and what is said of it.
pub struct Trained {
    /// tokenizer.json.
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`.
    pub config: Vec<u8>,
    /// Figures.
    pub findings: Findings,
}

/// Trains a tokenizer on files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &TrainRun, progress: &Progress) -> Result<TrainReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let options = &config.options;
    options.check()?;
    let training = config.step.check()?;
    let memory = Memory::of(options)?;
    progress.begin(0, 0);
    let fields = training.fields.clone();
    let mut plan =
        Plan::new(options.reading(&config.inputs, config.step.glob.as_deref()), &fields, progress)?;
    let output = RunOutput::open_for_tokenizer(config.output()?, options.overwrite, &plan)?;
    let crew = Crew::new(options.threads());
    let secret = crate::secret::draw()?;
    let counted = clock.time("count", || {
        surveyed(&plan.sources, crew.threads(), progress, || {
            count::count(&plan, &training, &secret, &crew, memory, config, &output, progress)
        })
    })?;
    plan.check_unchanged()?;
    let Counted { counts, groups, rows, kept, blank_bytes, quarantine } = counted;
    let docs = kept.docs + quarantine.tallies().values().map(|tally| tally.docs).sum::<u64>();
    let first = plan.sources.first().map(crate::runs::source::Source::input);
    if let Err(error) = check_bulk(&quarantine, docs, options.max_quarantine, first) {
        return Err(output.reject(quarantine, error));
    }
    let trained = clock.time("train", || {
        if counts.is_empty() {
            return Err(count::no_words());
        }
        training.train(counts, memory.tables(), &*crew, progress)
    })?;
    let tokenizer = Tokenizer::from_json(&trained.tokenizer)?;
    let (sources, by) = clock.time("encode", || groups.report(&plan.sources, &tokenizer))?;
    let (outputs, mut files) = output.write_tokenizer(&trained.tokenizer, &trained.config)?;
    let quarantined = by_name(quarantine.tallies());
    let (set_aside, exhibits) =
        (quarantine.report(), Exhibits { bad: quarantine.exhibits(), ..Exhibits::default() });
    files.extend(output.settle(Vec::new(), quarantine.finish()?)?.1);
    let read = Count {
        docs,
        bytes: kept.bytes + blank_bytes + quarantined.values().map(|count| count.bytes).sum::<u64>(),
    };
    let accounting = Accounting {
        read,
        made: 0,
        kept,
        removed: std::collections::BTreeMap::new(),
        references: Count::default(),
        quarantined,
        blank_bytes,
    };
    accounting.check()?;
    plan.notes.extend(training.notes(&trained.findings));
    clock.total(started);
    let mut report = TrainReport {
        marker: Marker::default(),
        config: config.clone(),
        inputs: plan.sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect(),
        outputs,
        files,
        notes: plan.notes.clone(),
        accounting,
        quarantine: set_aside,
        vocabulary: trained.findings,
        encoder: tokenizer.path().to_string(),
        sources,
        by,
        timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
        peak_rss_bytes: peak_rss_bytes(),
        threads: options.threads(),
        exhibits,
    };
    output.publish(&mut report)?;
    Ok(report)
}
