//! What a run did, for `run.json` and for the caller: parameters, inputs, outputs, and books that balance.

use std::collections::BTreeMap;

use serde::Serialize;
use thresher_core::hash::SCHEME_VERSION;
use thresher_core::resolve::{Resolution, Unchecked};
use thresher_core::{Outcome, RemovalReason, Tally};

use super::Run;
use super::config::DedupRun;
use super::sign::Corpus;
use super::write::{Ids, Sizes, name_of};
use crate::error::{Error, Result};
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::record::Reason;
use crate::runs::books::{Accounting, Count, InputReport, by_name, peak_rss_bytes};
use crate::runs::evidence::figures::{ClusterSizes, Similarities};
use crate::runs::output::{Files, Marker};

/// Removed documents that are named for each of the largest clusters.
const EXAMPLES: usize = 5;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// Version of the hash scheme.
    pub hash_scheme: u32,
    /// Kernels that ran.
    pub instruction_set: &'static str,
    /// The parameters.
    pub config: DedupRun,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Every file of the result.
    pub files: Files,
    /// What the user should know about the inputs.
    pub notes: Vec<String>,
    /// How signatures were banded.
    pub banding: BandingReport,
    /// Where every document and byte went.
    pub accounting: Accounting,
    /// How many of the records set aside are in quarantine.
    pub quarantine: QuarantineReport,
    /// Documents in a cluster of candidates.
    pub candidates: u64,
    /// Exact comparisons made.
    pub checks: u64,
    /// Documents that stay although some comparisons were left out.
    pub capped: u64,
    /// The pairs left out although they may be similar enough, by their likely similarity, rounded down to a tenth.
    pub unchecked: BTreeMap<String, u64>,
    /// Documents that went for a similar one, by their similarity, rounded down to a hundredth.
    pub similarities: BTreeMap<String, u64>,
    /// Kept documents that others duplicate.
    pub clusters: u64,
    /// Clusters by the power of two that the number of their documents reaches: `4` counts those of 4 to 7.
    pub cluster_sizes: BTreeMap<u64, u64>,
    /// The largest of them.
    pub largest_clusters: Vec<ClusterReport>,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

/// The banding and what it promises.
#[derive(Clone, Debug, Serialize)]
pub struct BandingReport {
    /// Number of bands.
    pub bands: usize,
    /// Rows of each.
    pub rows: usize,
    /// Probability that a pair at the threshold shares a band.
    pub recall_at_threshold: f64,
}

/// A kept document and what it stands for.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterReport {
    /// The kept document.
    pub id: String,
    /// Documents in the cluster, the kept one included.
    pub size: u64,
    /// Some of the removed ones.
    pub examples: Vec<String>,
}

/// What the passes found and wrote.
pub(crate) struct Found<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) ids: &'a Ids,
    pub(crate) sizes: &'a Sizes,
    pub(crate) candidates: u64,
    pub(crate) resolutions: &'a [Resolution],
    pub(crate) outputs: Vec<Written>,
    pub(crate) files: Files,
    pub(crate) quarantined: &'a BTreeMap<Reason, Tally>,
    pub(crate) quarantine: QuarantineReport,
}

impl Report {
    pub(crate) fn new(
        run: &Run<'_>,
        corpus: &Corpus,
        found: Found<'_>,
        timings: Vec<(&'static str, f64)>,
    ) -> Result<Self> {
        let Found { outcome, ids, outputs, files, .. } = found;
        let accounting = account(corpus, outcome, found.quarantined)?;
        let written: u64 = outputs.iter().map(|output| output.rows).sum();
        if written != accounting.kept.docs {
            let kept = accounting.kept.docs;
            return Err(Error::Internal(format!(
                "{written} rows were written, but {kept} documents are kept"
            )));
        }
        let search = &run.checked.search;
        let mut sizes = ClusterSizes::default();
        for (&kept, &size) in found.sizes {
            sizes.add(kept, size);
        }
        let mut notes = run.plan.notes.clone();
        notes.extend(sizes.warning());
        Ok(Self {
            marker: Marker::default(),
            hash_scheme: SCHEME_VERSION,
            instruction_set: thresher_core::instruction_set(),
            config: run.config.clone(),
            inputs: inputs(run, corpus),
            outputs,
            files,
            notes,
            banding: BandingReport {
                bands: search.banding.bands(),
                rows: search.banding.rows(),
                recall_at_threshold: search.banding.recall_at(search.threshold.get()),
            },
            accounting,
            quarantine: found.quarantine,
            candidates: found.candidates,
            checks: found.resolutions.iter().map(|resolution| resolution.checks).sum(),
            capped: found.resolutions.iter().map(|resolution| resolution.capped).sum(),
            unchecked: unchecked(found.resolutions),
            similarities: similarities(outcome),
            clusters: sizes.clusters(),
            cluster_sizes: sizes.histogram().clone(),
            largest_clusters: largest(run, corpus, outcome, ids, &sizes),
            timings: timings.into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: run.config.options.threads(),
        })
    }
}

fn unchecked(resolutions: &[Resolution]) -> BTreeMap<String, u64> {
    let mut all = Unchecked::default();
    for resolution in resolutions {
        all.merge(&resolution.unchecked);
    }
    all.steps().map(|(tenths, pairs)| (format!("0.{tenths}"), pairs)).collect()
}

fn account(corpus: &Corpus, outcome: &Outcome, quarantined: &BTreeMap<Reason, Tally>) -> Result<Accounting> {
    let (mut kept, mut exact, mut near) = (Tally::default(), Tally::default(), Tally::default());
    for (evidence, &bytes) in outcome.evidence.iter().zip(&corpus.record_bytes) {
        let tally = match evidence.map(|evidence| evidence.reason) {
            None => &mut kept,
            Some(RemovalReason::Exact) => &mut exact,
            Some(RemovalReason::Near) => &mut near,
        };
        tally.add(u64::from(bytes));
    }
    let accounting = Accounting {
        read: Count {
            docs: corpus.units.iter().map(|unit| u64::from(unit.num_slots)).sum(),
            bytes: corpus.read_bytes,
        },
        kept: kept.into(),
        removed: [("exact", exact.into()), ("near", near.into())].into(),
        quarantined: by_name(quarantined),
        blank_bytes: corpus.blank_bytes,
    };
    accounting.check()?;
    Ok(accounting)
}

fn inputs(run: &Run<'_>, corpus: &Corpus) -> Vec<InputReport> {
    let mut rows = vec![0; run.plan.sources.len()];
    for unit in &corpus.units {
        rows[unit.input] += u64::from(unit.num_slots);
    }
    run.plan.sources.iter().zip(rows).map(|(source, rows)| InputReport::new(source, rows)).collect()
}

fn similarities(outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut counted = Similarities::default();
    let near = outcome.evidence.iter().flatten().filter(|evidence| evidence.reason == RemovalReason::Near);
    near.for_each(|evidence| counted.add(f64::from(evidence.similarity_f32())));
    counted.histogram()
}

/// The largest clusters, each with the first documents that went for it.
fn largest(
    run: &Run<'_>,
    corpus: &Corpus,
    outcome: &Outcome,
    ids: &Ids,
    sizes: &ClusterSizes,
) -> Vec<ClusterReport> {
    let name = |doc| name_of(run, corpus, ids, doc);
    let report = |(kept, size): (u32, u64)| {
        let members = outcome.evidence.iter().enumerate();
        let of_this =
            members.filter(|(_, evidence)| evidence.is_some_and(|evidence| evidence.duplicate_of == kept));
        let examples = of_this.take(EXAMPLES).map(|(member, _)| name(member as u32)).collect();
        ClusterReport { id: name(kept), size, examples }
    };
    sizes.largest().into_iter().map(report).collect()
}
