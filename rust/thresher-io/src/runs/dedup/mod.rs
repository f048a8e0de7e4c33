//! Deduplication over files, in three streaming passes.
//!
//! ```text
//! 1 sign     read everything: content hash, band keys               holds 16 + 4 bytes a document, 8 a band and text
//!   group    buckets and clusters, in memory
//! 2 verify   read what collided: exact shingles, cluster by cluster  holds the texts of open clusters
//! 3 write    read everything: kept records to the output, evidence   holds a few units
//! ```
//!
//! Pass 1 decodes the columns that it needs. If pass 3 then finds a row damaged in another column, all is done again, this
//! time decoding every column in pass 1: a row that cannot be written must not be the one for which others go.
//!
//! The corpus itself is never held. Each pass sees the same units with the same slots, so a document is known
//! by its ordinal alone. The output depends on the inputs and the parameters, not on threads or timing.

pub mod config;
mod report;
mod sign;
mod verify;
mod write;

use std::sync::Arc;
use std::time::Instant;

use thresher_core::cluster::Clusters;
use thresher_core::exact::Classes;
use thresher_core::json::Fields;
use thresher_core::{Outcome, Precedence, Secret};

pub use config::{DedupRun, DedupStep};
pub use report::Report;

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::runs::aside::check_bulk;
use crate::runs::clock::Clock;
use crate::runs::output::RunOutput;
use crate::runs::pipeline::Pass;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::surveyed;
use crate::secret;
use config::Checked;
use sign::{Corpus, UnitPlace};

/// What every pass needs.
pub(crate) struct Run<'a> {
    pub(crate) config: &'a DedupRun,
    pub(crate) checked: Checked,
    /// Keys the hashes that decide which texts are equal and which are near.
    pub(crate) secret: Secret,
    pub(crate) plan: Plan,
    pub(crate) crew: Arc<Crew>,
    pub(crate) progress: &'a Progress,
    /// Columns that are only copied are decoded in pass 1 too, to find damaged rows before they are decided on.
    pub(crate) thorough: bool,
}

impl Run<'_> {
    fn begin(&self, step: usize) {
        self.progress.begin(step, self.plan.sources.iter().map(|source| source.input().size_on_disk()).sum());
    }

    /// A pass over all inputs.
    fn pass(&self) -> Pass<'_> {
        Pass::new(&self.plan.sources, &self.crew, self.progress)
    }

    /// The fields of a pass that looks at texts alone.
    fn text_only(&self) -> Fields {
        Fields { id: None, rank: None, ..self.checked.fields.clone() }
    }

    /// Index of the first unit of each input.
    fn first_units(&self, corpus: &Corpus) -> Vec<usize> {
        (0..self.plan.sources.len())
            .map(|input| corpus.units.partition_point(|unit| unit.input < input))
            .collect()
    }

    /// Where a unit's records are in the corpus.
    fn place<'c>(
        &self,
        corpus: &'c Corpus,
        first_units: &[usize],
        input: usize,
        index: usize,
    ) -> Result<&'c UnitPlace> {
        let place = corpus.units.get(first_units[input] + index).filter(|place| place.input == input);
        place.ok_or_else(|| {
            Error::data(
                self.plan.sources[input].input().path(),
                "the file grew while it was read; run again on files at rest",
            )
        })
    }
}

/// Removes duplicates from files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &DedupRun, progress: &Progress) -> Result<Report> {
    let started = Instant::now();
    let checked = config.check()?;
    progress.begin(0, 0);
    let mut plan = Plan::new(config.reading(), &checked.fields, progress)?;
    let output = RunOutput::open(config.output()?, config.options.overwrite, &plan, true)?;
    if output.is_single() {
        plan.join()?;
    }
    // What went to standard output cannot be taken back.
    let thorough = output.is_stream();
    let crew = Crew::new(config.options.threads());
    let mut run = Run { config, checked, secret: secret::draw()?, plan, crew, progress, thorough };
    let report = match attempt(&run, &output, started) {
        // A column that nobody had looked at. Its rows have to be set aside before one of them stands for duplicates.
        Err(Error::Uncopyable { .. }) => {
            run.thorough = true;
            progress.forget_quarantined();
            output.start_over()?;
            attempt(&run, &output, started)?
        }
        done => done?,
    };
    output.publish(&report)?;
    Ok(report)
}

fn attempt(run: &Run<'_>, output: &RunOutput, started: Instant) -> Result<Report> {
    let (config, progress) = (run.config, run.progress);
    let mut clock = Clock::default();

    let (mut corpus, quarantine) = clock.time("sign", || {
        surveyed(&run.plan.sources, config.options.threads(), progress, || {
            let mut quarantine = output.quarantine();
            Ok((sign::sign(run, &mut quarantine)?, quarantine))
        })
    })?;
    let docs = corpus.units.iter().map(|unit| u64::from(unit.num_slots)).sum();
    let first = run.plan.sources.first().map(Source::input);
    if let Err(error) = check_bulk(&quarantine, docs, config.options.max_quarantine, first) {
        return Err(output.reject(quarantine, error));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.options.threads())
        .build()
        .map_err(|error| Error::Internal(format!("no thread pool: {error}")))?;
    let hashes = std::mem::take(&mut corpus.hashes);
    let (lengths, ranks) = (std::mem::take(&mut corpus.lengths), std::mem::take(&mut corpus.ranks));
    let precedence = Precedence::new(run.checked.search.keep, &lengths, &ranks);
    let (classes, clusters) = clock.time("group", || {
        let classes = Classes::new(hashes.iter().copied().map(Some), precedence);
        progress.check()?;
        let standing = classes.standing(hashes.len());
        corpus.table.relabel(|doc| standing[doc as usize]);
        let clusters = pool.install(|| Clusters::of(&corpus.table, hashes.len(), progress))?;
        Ok::<_, Error>((classes, clusters))
    })?;
    corpus.table = thresher_core::lsh::BandTable::default();
    corpus.hashes = hashes;
    progress.check()?;
    let resolutions = clock.time("verify", || verify::verify(run, &corpus, &clusters, precedence))?;
    let outcome = Outcome::new(corpus.hashes.len(), &classes, &resolutions);
    let ids = clock.time("ids", || write::read_ids(run, &corpus, &outcome))?;
    let sizes = write::sizes(&outcome);
    let (written, evidence) =
        clock.time("write", || write::write(run, &corpus, &outcome, &ids, &sizes, output))?;
    let (quarantined, set_aside) = (quarantine.tallies().clone(), quarantine.report());
    let (outputs, files) = output.settle(written, evidence.into_iter().chain(quarantine.finish()?))?;
    clock.total(started);
    let found = report::Found {
        outcome: &outcome,
        ids: &ids,
        sizes: &sizes,
        candidates: clusters.docs().len() as u64,
        resolutions: &resolutions,
        outputs,
        files,
        quarantined: &quarantined,
        quarantine: set_aside,
    };
    Report::new(run, &corpus, found, clock.seconds)
}
