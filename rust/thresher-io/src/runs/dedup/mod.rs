//! Deduplication over files, in three streaming passes.
//!
//! ```text
//! 1 sign     read everything            per task a spill file: band keys, content hashes, packed signatures
//!   group    range by range of keys     equal texts, pairs that pass the screen, large buckets
//! 2 decide   read the candidates        in keep order, each against its kept neighbours; their shingles lie in a spool
//! 3 write    read everything            kept records to the output, then the evidence
//! ```
//!
//! Neither texts nor tables of the corpus are held: a document costs a few bits of memory, a candidate 8 to 16 bytes, and
//! everything else goes to disk when its share of the memory is used up ([`crate::runs::memory`]).
//!
//! Pass 1 decodes the columns that it needs. If pass 3 then finds a row damaged in another column, all is done again, this
//! time decoding every column in pass 1: a row that cannot be written must not be the one for which others go.
//!
//! Each pass sees the same units with the same slots, so a document is known by its number alone. The output depends on
//! the inputs and the parameters, not on threads, memory or timing.

mod classes;
pub mod config;
mod corpus;
mod decide;
mod evidence;
mod extents;
mod fates;
mod links;
mod pairs;
mod ranks;
mod records;
mod report;
mod seen;
mod sign;
mod signatures;
mod spool;
mod state;
mod turns;
mod verdict;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use thresher_core::Secret;
use thresher_core::json::Fields;

pub use config::{DedupRun, DedupStep};
pub use report::Report;

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::runs::aside::check_bulk;
use crate::runs::books::Count;
use crate::runs::clock::Clock;
use crate::runs::memory::Memory;
use crate::runs::output::RunOutput;
use crate::runs::pipeline::{Order, Pass};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::{self, Identity, Workplace};
use crate::runs::source::Source;
use crate::runs::space;
use crate::runs::survey::surveyed;
use config::Checked;
use corpus::{Corpus, UnitPlace};
use evidence::Clusters;
use fates::Fates;

/// What every pass needs.
pub(crate) struct Run<'a> {
    pub(crate) config: &'a DedupRun,
    pub(crate) checked: Checked,
    /// Keys the hashes that decide which texts are equal and which are near.
    pub(crate) secret: Secret,
    pub(crate) plan: Plan,
    pub(crate) crew: Arc<Crew>,
    pub(crate) memory: Memory,
    /// The folder of temporary files.
    pub(crate) work: PathBuf,
    pub(crate) progress: &'a Progress,
    /// Columns that are only copied are decoded in pass 1 too, to find damaged rows before they are decided on.
    pub(crate) thorough: bool,
}

impl Run<'_> {
    fn begin(&self, step: usize) {
        self.progress.begin(step, self.plan.sources.iter().map(|source| source.input().size_on_disk()).sum());
    }

    /// A pass over all inputs.
    fn pass(&self, order: Order) -> Pass<'_> {
        Pass { order, ..Pass::new(&self.plan.sources, &self.crew, self.progress, self.memory) }
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
    let memory = Memory::of(&config.options)?;
    run_within(config, memory, progress)
}

fn run_within(config: &DedupRun, memory: Memory, progress: &Progress) -> Result<Report> {
    let started = Instant::now();
    let checked = config.check()?;
    progress.begin(0, 0);
    let mut plan = Plan::new(config.reading(), &checked.fields, progress)?;
    let output = RunOutput::open(config.output()?, config.options.overwrite, &plan, true)?;
    if output.is_single() {
        plan.join()?;
    }
    plan.sources = config.within.see(std::mem::take(&mut plan.sources))?;
    if !config.step.against.is_empty() {
        let references =
            plan.references(config.reading_references(), &checked.reference_fields(), progress)?;
        output.refuse_inputs(&references)?;
        plan.put_in_front(references);
    }
    // What went to standard output cannot be taken back.
    let mut thorough = output.is_stream();
    let temporary = if output.is_stream() { Some(temporary(config.options.tmp.as_deref())?) } else { None };
    let stays = output.work(config.options.tmp.as_deref());
    let folder = match (&temporary, &stays) {
        (Some(temporary), _) => temporary.path().to_path_buf(),
        (None, Some(folder)) => folder.clone(),
        (None, None) => return Err(Error::Internal("the run has no place for its files".into())),
    };
    // What is not taken over is not touched.
    output.keep_work(state::has_task(&folder));
    let goes_on = !config.options.restart && plan.is_repeatable();
    thorough |= goes_on && resume::was_thorough(&folder);
    let identity = Identity::of(config, &plan, thorough)?;
    let place = Workplace::take(&folder, &identity, !goes_on, state::has_task)?;
    if !place.is_resumed && !output.is_stream() {
        output.start_over()?;
    }
    if place.is_resumed {
        let layout = records::Layout { bands: checked.search.banding.bands() };
        let Count { docs, bytes } = state::done(&folder, layout)?;
        plan.notes.push(format!(
            "an interrupted run of the same command had read {docs} documents ({bytes} bytes), which were not read again for \
             their signatures"
        ));
    }
    plan.notes.extend(config.output.as_deref().and_then(|output| space::note(output, &plan)));
    let (crew, secret, work) = (Crew::new(config.options.threads()), place.secret, folder.clone());
    let mut run = Run { config, checked, secret, plan, crew, memory, work, progress, thorough };
    let mut done = attempt(&run, &output, started);
    if matches!(done, Err(Error::Uncopyable { .. })) {
        // A column that nobody had looked at. Its rows have to be set aside before one of them stands for duplicates.
        run.thorough = true;
        run.secret = Workplace::fresh(&folder, &Identity::of(config, &run.plan, true)?)?.secret;
        progress.forget_quarantined();
        output.start_over()?;
        done = attempt(&run, &output, started);
    }
    let done = done.and_then(|mut report| output.publish(&mut report).map(|()| report));
    // The same command would end in the same way, but for these.
    let may_go_on = matches!(done, Err(Error::Cancelled | Error::Io { .. } | Error::Internal(_)));
    let keeps = may_go_on && run.plan.is_repeatable() && state::has_task(&folder);
    output.keep_work(keeps);
    if !keeps && let Some(folder) = &stays {
        // Files may lie elsewhere than in the state of the output. What cannot be removed is no reason to fail.
        let _ = std::fs::remove_dir_all(folder);
    }
    done
}

/// A folder for a run that leaves nothing to the next one.
fn temporary(tmp: Option<&str>) -> Result<tempfile::TempDir> {
    let tmp = tmp.map_or_else(std::env::temp_dir, PathBuf::from);
    let made = tempfile::Builder::new().prefix(".thresher-").tempdir_in(&tmp);
    made.map_err(Error::io("make a folder in", &tmp))
}

fn attempt(run: &Run<'_>, output: &RunOutput, started: Instant) -> Result<Report> {
    let (config, progress) = (run.config, run.progress);
    let mut clock = Clock::default();

    let mut goes_on = true;
    let mut corpus = clock.time("sign", || {
        surveyed(&run.plan.sources, run.crew.threads(), progress, || {
            // A pass that begins anew, since there is damage, does not trust what was done before.
            if !std::mem::take(&mut goes_on) {
                state::forget(&run.work, 0)?;
            }
            let done = state::tasks(&run.work)?;
            if state::is_signed(&run.work, done.len()) {
                return Corpus::new(done, sign::layout(run));
            }
            let corpus = sign::sign(run, done)?;
            state::mark_signed(&run.work, corpus.tasks.len())?;
            Ok(corpus)
        })
    })?;
    let mut quarantine = output.quarantine();
    corpus.set_aside(&run.plan.sources, &mut quarantine)?;
    let references = run.plan.num_references;
    let of_references = corpus.units.iter().take_while(|unit| unit.input < references);
    corpus.num_references = of_references.map(UnitPlace::num_docs).sum();
    let docs = corpus.units.iter().map(UnitPlace::num_records).sum();
    let first = run.plan.sources.first().map(Source::input);
    if let Err(error) = check_bulk(&quarantine, docs, config.options.max_quarantine, first) {
        return Err(output.reject(quarantine, error));
    }
    let found = if let Some(found) = state::Found::load(&run.work)? {
        found
    } else {
        let found = find(run, &corpus, &mut clock)?;
        found.store(&run.work)?;
        found
    };
    let spilled = corpus.spilled_bytes() + found.decisions.spooled;
    let candidates = found.candidates;
    let fates = Fates::new(corpus.n_docs, found.copies, found.decisions)?;
    let clusters = clock.time("clusters", || Clusters::new(run, &corpus, &fates))?;
    let samples = clusters.samples()?;
    let (written, tallies) = match config.within.decisions()? {
        Some(ledger) => (Vec::new(), verdict::write(run, &corpus, &fates, ledger)?),
        None => clock.time("write", || write::write(run, &corpus, &fates, &samples, output))?,
    };
    let evidence = clock.time("evidence", || evidence::write(run, &corpus, &fates, &clusters, output))?;
    let exhibits =
        Exhibits { clusters: clusters.exhibits(run, &corpus, &fates, &samples)?, bad: quarantine.exhibits() };
    let (quarantined, set_aside) = (quarantine.tallies().clone(), quarantine.report());
    let (outputs, files) = output.settle(written, evidence.into_iter().chain(quarantine.finish()?))?;
    clock.total(started);
    let found = report::Found {
        tallies,
        candidates: u64::from(candidates),
        counts: fates.counts(),
        clusters: &clusters,
        spilled,
        outputs,
        files,
        quarantined: &quarantined,
        quarantine: set_aside,
        exhibits,
    };
    Report::new(run, &corpus, found, clock.seconds)
}

/// Finds what becomes of every document.
fn find(run: &Run<'_>, corpus: &Corpus, clock: &mut Clock) -> Result<state::Found> {
    let (copies, links) = clock.time("group", || {
        let copies = classes::find(run, corpus)?;
        let links = links::find(run, corpus, &copies.bits)?;
        Ok::<_, Error>((copies, links))
    })?;
    let decisions = clock.time("verify", || decide::decide(run, corpus, &links))?;
    Ok(state::Found { copies, decisions, candidates: links.candidates.len() })
}

#[cfg(test)]
mod tests;
