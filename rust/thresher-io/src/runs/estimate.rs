//! What a deduplication would take, from a sample of its inputs: documents, recall, memory, temporary disk, time, giant clusters.
//!
//! The sample is bounded (64 MB of input) and spread: places at equal distances of plain lines, of row groups and of folders; the
//! start of what can only be decoded from its start. Its documents are read and signed here, so speed is that of this machine, and
//! they are deduplicated in memory. What the whole corpus has is told from that:
//!
//! - *Documents and bytes* grow with the bytes on disk of each input; columnar files and folders say how many rows they have.
//! - *Duplicates* that lie near each other, in one unit of the sample, are found by it. Those that lie anywhere meet more often in
//!   the whole: a document has as many more of them as the whole is larger. So with `near` and `far` pairs among n documents, a
//!   document has m = 2 (near + far N/n) / n mates, and of m + 1 documents that are alike one stays. This is right where clusters
//!   are of one size, and too much where a few are giants.
//! - *Temporary disk* is counted as the run writes it, for each text that is signed, and for the shingles of kept candidates.
//! - *Time* is that of reading and signing the sample, on as many threads as asked for; the constants below are of the other steps.

mod sample;

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;
use thresher_core::{DedupConfig, Outcome, Shingler};

use crate::error::{Error, Result};
use crate::runs::dedup::DedupRun;
use crate::runs::evidence::figures::GIANT;
use crate::runs::memory::Memory;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::secret;
use sample::Sample;

/// The step of the progress.
const STEP: usize = 1;
/// Bytes of the spill for a band of a signed document: its key.
const BAND_BYTES: u64 = 8;
/// Bytes for a signed document besides: number, content hash.
const DOCUMENT_BYTES: u64 = 20;
/// Bytes of a shingle in the spool, where those of kept candidates lie.
const SHINGLE_BYTES: f64 = 8.0;
/// Texts of the sample that tell how many shingles one has.
const CUT: usize = 1000;
/// Memory of the program and of its buffers.
const BASE_BYTES: u64 = 96 << 20;
/// Memory of units on their way, for each thread.
const THREAD_BYTES: u64 = 32 << 20;
/// Memory for eight documents: bits of what is equal, near, and a head.
const EIGHT_DOCUMENTS_BYTES: u64 = 6;
/// Memory for a candidate.
const CANDIDATE_BYTES: u64 = 8;
/// Seconds to sort and group one key of a band, on one thread.
const KEY_SECONDS: f64 = 60e-9;
/// Bytes a second at which kept records are copied, whatever the threads: the disk.
const WRITE_BYTES_A_SECOND: f64 = 400e6;
/// Clusters of the sample from which on one is no accident.
const LEAST_OF_SAMPLE: u64 = 5;
/// Giant clusters that are listed.
const LISTED: usize = 10;

/// What a run would take.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// The parameters.
    pub config: DedupRun,
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
    /// The same in the whole, if clusters are about of one size.
    pub expected_duplicates: f64,
    /// Bands of a signature.
    pub bands: usize,
    /// Lanes in a band.
    pub rows: usize,
    /// Probability that a pair exactly at the threshold is found.
    pub expected_recall: f64,
    /// The bound on memory that the run would have.
    pub memory_limit_bytes: u64,
    /// Memory that it would take without a bound, or the bound.
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
pub fn run(config: &DedupRun, progress: &Progress) -> Result<Estimate> {
    let checked = config.check()?;
    let _ = Memory::of(&config.options)?;
    progress.begin(0, 0);
    let plan = Plan::new(config.reading(), &checked.fields, progress)?;
    let bytes = plan.sources.iter().map(|source| source.input().size_on_disk()).sum();
    progress.begin(STEP, sample::MOST_BYTES.min(bytes));
    let sample = Sample::take(&plan.sources, &checked.fields, &checked.search, progress)?;
    let n_sampled = sample.texts.len();
    if n_sampled == 0 {
        let path = plan.sources.first().map_or(Path::new("inputs"), |source| source.input().path());
        return Err(Error::data(
            path,
            "no document of the sample can be read; run `thresher dedup` to see why",
        ));
    }
    let outcome = search(config, &sample, &checked.search, progress)?;
    let (documents, text_bytes) = (sample.documents.max(n_sampled as u64), sample.text_bytes);
    let growth = documents as f64 / n_sampled as f64;
    let clusters = clusters(&outcome);
    let removed = outcome.summary.exact.docs + outcome.summary.near.docs;
    let sampled_duplicates = removed as f64 / n_sampled as f64;
    let expected_duplicates =
        if growth > 1.0 { grown(&clusters, &sample.units, growth) } else { sampled_duplicates };
    let expected_duplicates = expected_duplicates.max(sampled_duplicates);

    let banding = checked.search.banding;
    let bands = if config.step.exact_only { 0 } else { banding.bands() as u64 };
    // Copies that the sample has are the least that there are; all others may have to be signed.
    let exact = outcome.summary.exact.docs as f64 / n_sampled as f64;
    let signed = (documents as f64 * (1.0 - exact)).ceil() as u64;
    let screen = if bands == 0 { 0 } else { config.step.num_hashes.div_ceil(2) as u64 };
    let near = outcome.summary.near.docs;
    let kept_candidates = if near == 0 {
        0.0
    } else {
        let share_of_near = near as f64 / removed as f64;
        let kept = outcome.summary.clusters as f64 / removed as f64;
        expected_duplicates * documents as f64 * share_of_near * kept
    };
    let spool = kept_candidates * mean_shingles(&sample, &checked.search) * SHINGLE_BYTES;
    let disk_bytes = signed * (BAND_BYTES * bands + screen + DOCUMENT_BYTES) + spool as u64;
    let threads = config.options.threads();
    let candidates =
        (outcome.summary.candidates as f64 / n_sampled as f64).max(expected_duplicates) * documents as f64;
    let wanted = BASE_BYTES
        + THREAD_BYTES * threads as u64
        + documents * EIGHT_DOCUMENTS_BYTES / 8
        + candidates as u64 * CANDIDATE_BYTES
        + disk_bytes;
    let limit = config.options.memory();

    let sign = sample.seconds / sample.bytes.max(1) as f64 * sample.decoded_bytes as f64 / threads as f64;
    let again = candidates / documents as f64;
    let verified = outcome.summary.timings.verify_s * growth;
    let steps = vec![
        ("sign", sign),
        ("group", signed as f64 * bands as f64 * KEY_SECONDS / threads as f64),
        ("verify", again * sign + verified),
        ("write", bytes as f64 * (1.0 - expected_duplicates) / WRITE_BYTES_A_SECOND),
    ];
    let mut giants: Vec<u64> = clusters
        .values()
        .map(|members| members.len() as u64)
        .filter(|&size| size >= LEAST_OF_SAMPLE || growth <= 1.0)
        .map(|size| (size as f64 * growth) as u64)
        .filter(|&size| size > GIANT)
        .collect();
    giants.sort_unstable_by(|a, b| b.cmp(a));
    giants.truncate(LISTED);
    let mut notes = plan.notes.clone();
    notes.extend(sample.notes);
    Ok(Estimate {
        config: config.clone(),
        inputs: plan.sources.len(),
        bytes,
        documents,
        text_bytes,
        sampled_documents: n_sampled as u64,
        sampled_bytes: sample.texts.iter().map(|text| text.len() as u64).sum(),
        sampled_duplicates,
        expected_duplicates,
        bands: banding.bands(),
        rows: banding.rows(),
        expected_recall: banding.recall_at(checked.search.threshold.get()),
        memory_limit_bytes: limit,
        memory_bytes: wanted.min(limit),
        disk_bytes,
        threads,
        seconds: steps.iter().map(|step| step.1).sum(),
        steps,
        giant_clusters: giants,
        notes,
    })
}

/// How many shingles a text of the sample has, repetitions included.
fn mean_shingles(sample: &Sample, search: &DedupConfig) -> f64 {
    let mut shingler = Shingler::new(search.shingles);
    let step = sample.texts.len().div_ceil(CUT).max(1);
    let (mut shingles, mut texts) = (Vec::new(), 0);
    let mut all = 0;
    for text in sample.texts.iter().step_by(step) {
        shingles.clear();
        shingler.shingles_into(text, &mut shingles);
        all += shingles.len();
        texts += 1;
    }
    all as f64 / f64::from(texts.max(1))
}

/// Deduplicates the sample in memory.
fn search(config: &DedupRun, sample: &Sample, search: &DedupConfig, progress: &Progress) -> Result<Outcome> {
    let texts: Vec<Option<&str>> = sample.texts.iter().map(|text| Some(&**text)).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.options.threads())
        .build()
        .map_err(|error| Error::Internal(format!("no thread pool: {error}")))?;
    let secret = secret::draw()?;
    // Which of a cluster stays changes no figure here, and the sample has no ranks.
    let search = DedupConfig { keep: thresher_core::Keep::First, ..*search };
    Ok(pool.install(|| thresher_core::dedup(&texts, &[], &search, &secret, progress))?)
}

/// The documents of each cluster of the sample.
fn clusters(outcome: &Outcome) -> HashMap<u32, Vec<u32>> {
    let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
    for (doc, evidence) in outcome.evidence.iter().enumerate() {
        if let Some(evidence) = evidence {
            let kept = evidence.duplicate_of;
            members.entry(kept).or_insert_with(|| vec![kept]).push(doc as u32);
        }
    }
    members
}

/// The share of duplicates in a corpus of which the sample is one part in `growth`; `units` says from where each document is.
fn grown(clusters: &HashMap<u32, Vec<u32>>, units: &[u32], growth: f64) -> f64 {
    let pairs = |documents: f64| documents * (documents - 1.0) / 2.0;
    let (mut near, mut far) = (0.0, 0.0);
    for members in clusters.values() {
        let mut of_unit: HashMap<u32, f64> = HashMap::new();
        for &doc in members {
            *of_unit.entry(units[doc as usize]).or_default() += 1.0;
        }
        let of_units: f64 = of_unit.values().map(|&documents| pairs(documents)).sum();
        near += of_units;
        far += pairs(members.len() as f64) - of_units;
    }
    let mates = 2.0 * (near + far * growth) / units.len() as f64;
    mates / (mates + 1.0)
}
