//! What a deduplication would take, from a sample of its inputs: documents, recall, memory, temporary disk, time, giant clusters.
//!
//! The sample is bounded (256 MB of input, a third of the memory) and spread: places at equal distances of plain lines, of row
//! groups and of folders; the start of what can only be decoded from its start. Its documents are read and signed here, so speed
//! is that of this machine, whatever else it does meanwhile. What the whole corpus has is told from that:
//!
//! - *Documents and bytes* grow with the bytes on disk of each input; columnar files and folders say how many rows they have.
//! - *Duplicates* meet more often in the whole than in a sample; `mates.rs` says how much more.
//! - *Memory, temporary disk and time* are counted as the run takes them (`costs.rs`).
//! - *Another size* (`total_bytes`) is so many times as much of the same: shares stay as they are, counts grow.

mod clock;
mod costs;
mod mates;
mod partners;
mod sample;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::runs::dedup::DedupRun;
use crate::runs::evidence::figures::GIANT;
use crate::runs::memory::Memory;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::secret;
use costs::{Costs, Whole};
use mates::Mates;
use sample::Sample;

/// The step of the progress.
const STEP: usize = 1;
/// The sample is held in memory, and may take one part in so many of it.
const MEMORY_PARTS: u64 = 3;
/// Clusters of the sample from which on one is no accident.
const LEAST_OF_SAMPLE: u64 = 5;
/// Giant clusters that are listed.
const LISTED: usize = 10;

parameters! {
    /// What a plan is asked for.
    pub struct PlanStep is "plan" {
        /// Bytes on disk of all inputs, if those that are given are a part of them: the rest is taken to be like them.
        total_bytes: Option<u64> = None => Kind::Size;
    }
}

/// A run, and what to tell of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRun {
    /// The run.
    pub run: DedupRun,
    /// The parameters of the plan.
    pub plan: PlanStep,
}

/// What a run would take.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// The parameters.
    pub config: PlanRun,
    /// Inputs found.
    pub inputs: usize,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Documents in them.
    pub documents: u64,
    /// Bytes of the texts.
    pub text_bytes: u64,
    /// Documents that were looked at.
    pub sampled_documents: u64,
    /// Bytes of their texts.
    pub sampled_bytes: u64,
    /// Share of the documents that duplicate another one of the sample.
    pub sampled_duplicates: f64,
    /// The same in the whole.
    pub expected_duplicates: f64,
    /// Bands of a signature.
    pub bands: usize,
    /// Lanes in a band.
    pub rows: usize,
    /// Probability that a pair exactly at the threshold is found.
    pub expected_recall: f64,
    /// The bound on memory that the run would have.
    pub memory_limit_bytes: u64,
    /// Memory that it would take.
    pub memory_bytes: u64,
    /// Temporary disk.
    pub disk_bytes: u64,
    /// Threads that it would use.
    pub threads: usize,
    /// Seconds of each step, in order.
    pub steps: Vec<(&'static str, f64)>,
    /// Seconds of all.
    pub seconds: f64,
    /// Documents of the clusters that would have more than 10,000, the largest first.
    pub giant_clusters: Vec<u64>,
    /// What the user should know about the inputs and the sample.
    pub notes: Vec<String>,
}

/// Estimates what a run with these parameters would take. Nothing is written.
///
/// # Errors
/// As those of the run, for what can be known before it; `Error::Data` if no document of the sample can be read.
pub fn run(config: &PlanRun, progress: &Progress) -> Result<Estimate> {
    let (run, checked) = (&config.run, config.run.check()?);
    let memory = Memory::of(&run.options)?;
    progress.begin(0, 0);
    let plan = Plan::new(run.reading(), &checked.fields, progress)?;
    let on_disk = plan.sources.iter().map(|source| source.input().size_on_disk()).sum();
    if let Some(total) = config.plan.total_bytes.filter(|&total| total < on_disk) {
        return Err(Error::Parameter(format!(
            "total_bytes is `{total}`, but the inputs that are here have {on_disk} already; give the bytes of all, or leave it out"
        )));
    }
    let most = (run.options.memory() / MEMORY_PARTS).min(sample::MOST_BYTES);
    progress.begin(STEP, most.min(on_disk));
    let secret = secret::draw()?;
    let sample = Sample::take(&plan.sources, &checked.fields, &checked.search, &secret, most, progress)?;
    let n_sampled = sample.texts.len() as u64;
    if n_sampled == 0 {
        let path = plan.sources.first().map_or(Path::new("inputs"), |source| source.input().path());
        return Err(Error::data(
            path,
            "no document of the sample can be read; run `thresher dedup` to see why",
        ));
    }
    let growth = sample.documents.max(n_sampled) as f64 / n_sampled as f64;
    let mates = Mates::find(&sample, &checked.search, &secret, growth, progress)?;

    let bytes = config.plan.total_bytes.unwrap_or(on_disk);
    let scale = bytes as f64 / on_disk.max(1) as f64;
    let scaled = |count: u64| (count as f64 * scale).round() as u64;
    let whole = Whole {
        documents: scaled(sample.documents.max(n_sampled)),
        on_disk: bytes,
        decoded: scaled(sample.decoded_bytes),
        text: scaled(sample.text_bytes),
    };
    let costs = Costs { run, search: &checked.search, memory, whole, sample: &sample, mates: &mates };
    let steps = costs.steps();
    let mut notes = plan.notes.clone();
    notes.extend(sample.notes.clone());
    if bytes != on_disk {
        notes.push(format!("the inputs stand for {scale:.1} times as much like them"));
    }
    Ok(Estimate {
        config: config.clone(),
        inputs: plan.sources.len(),
        bytes,
        documents: whole.documents,
        text_bytes: whole.text,
        sampled_documents: n_sampled,
        sampled_bytes: sample.texts.iter().map(|text| text.len() as u64).sum(),
        sampled_duplicates: mates.sampled,
        expected_duplicates: mates.exact + mates.near,
        bands: checked.search.banding.bands(),
        rows: checked.search.banding.rows(),
        expected_recall: checked.search.banding.recall_at(checked.search.threshold.get()),
        memory_limit_bytes: run.options.memory(),
        memory_bytes: costs.memory(),
        disk_bytes: costs.disk(),
        threads: run.options.threads(),
        seconds: steps.iter().map(|step| step.1).sum(),
        steps,
        giant_clusters: giants(&mates.clusters, growth),
        notes,
    })
}

/// The clusters of the whole that would be giants, by those of the sample, the largest first.
fn giants(clusters: &[u64], growth: f64) -> Vec<u64> {
    let mut giants: Vec<u64> = clusters
        .iter()
        .filter(|&&size| size >= LEAST_OF_SAMPLE || growth <= 1.0)
        .map(|&size| (size as f64 * growth) as u64)
        .filter(|&size| size > GIANT)
        .collect();
    giants.sort_unstable_by(|a, b| b.cmp(a));
    giants.truncate(LISTED);
    giants
}
