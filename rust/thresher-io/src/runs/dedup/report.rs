//! What a run did, for `run.json` and for the caller: parameters, inputs, outputs, and books that balance.

use std::collections::BTreeMap;

use serde::Serialize;
use thresher_core::Tally;
use thresher_core::hash::SCHEME_VERSION;
use thresher_core::resolve::decide::Counts;

use super::Run;
use super::config::DedupRun;
use super::corpus::Corpus;
use super::evidence::Clusters;
use super::write::Tallies;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::record::Reason;
use crate::runs::books::{Accounting, Count, InputReport, by_name, peak_rss_bytes};
use crate::runs::evidence::Reported;
use crate::runs::output::{Files, Marker};

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
    /// What was read, references first.
    pub inputs: Vec<InputReport>,
    /// How many of the inputs are references.
    pub num_references: usize,
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
    /// Clusters by the power of two that the number of their documents reaches: `4` counts those of 4 to 7.
    pub cluster_sizes: BTreeMap<u64, u64>,
    /// Kept documents that others duplicate.
    pub clusters: u64,
    /// The largest of them.
    pub largest_clusters: Vec<ClusterReport>,
    /// Bytes of temporary files, most of which were there at the same time.
    pub spilled_bytes: u64,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
    /// What the page shows of the data.
    #[serde(skip)]
    pub(crate) exhibits: Exhibits,
}

impl Reported for Report {
    fn verb(&self) -> &'static str {
        "dedup"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
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
    pub(crate) tallies: Tallies,
    pub(crate) candidates: u64,
    pub(crate) counts: &'a Counts,
    pub(crate) clusters: &'a Clusters,
    /// Bytes of the temporary files.
    pub(crate) spilled: u64,
    pub(crate) outputs: Vec<Written>,
    pub(crate) files: Files,
    pub(crate) quarantined: &'a BTreeMap<Reason, Tally>,
    pub(crate) quarantine: QuarantineReport,
    pub(crate) exhibits: Exhibits,
}

impl Report {
    pub(crate) fn new(
        run: &Run<'_>,
        corpus: &Corpus,
        found: Found<'_>,
        timings: Vec<(&'static str, f64)>,
    ) -> Result<Self> {
        let Found { outputs, files, counts, clusters, .. } = found;
        let accounting = account(corpus, found.tallies, found.quarantined)?;
        let written: u64 = outputs.iter().map(|output| output.rows).sum();
        if run.config.within.ledger.is_none() && written != accounting.kept.docs {
            let kept = accounting.kept.docs;
            return Err(Error::Internal(format!(
                "{written} rows were written, but {kept} documents are kept"
            )));
        }
        let search = &run.checked.search;
        Ok(Self {
            marker: Marker::default(),
            hash_scheme: SCHEME_VERSION,
            instruction_set: thresher_core::instruction_set(),
            config: run.config.clone(),
            inputs: inputs(run, corpus),
            num_references: run.plan.num_references,
            outputs,
            files,
            notes: run.plan.notes.iter().cloned().chain(clusters.figures.warning()).collect(),
            banding: BandingReport {
                bands: search.banding.bands(),
                rows: search.banding.rows(),
                recall_at_threshold: search.banding.recall_at(search.threshold.get()),
            },
            accounting,
            quarantine: found.quarantine,
            candidates: found.candidates,
            checks: counts.checks,
            capped: counts.capped,
            unchecked: counts
                .unchecked
                .steps()
                .map(|(tenths, pairs)| (format!("0.{tenths}"), pairs))
                .collect(),
            similarities: clusters.similarities.histogram(),
            cluster_sizes: clusters.figures.histogram().clone(),
            clusters: clusters.figures.clusters(),
            largest_clusters: clusters.largest(run, corpus)?,
            spilled_bytes: found.spilled,
            timings: timings.into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: run.config.options.threads(),
            exhibits: found.exhibits,
        })
    }
}

fn account(corpus: &Corpus, tallies: Tallies, quarantined: &BTreeMap<Reason, Tally>) -> Result<Accounting> {
    let accounting = Accounting {
        read: Count {
            docs: corpus.units.iter().map(super::corpus::UnitPlace::num_records).sum(),
            bytes: corpus.read_bytes,
        },
        made: 0,
        kept: tallies.kept,
        removed: tallies.removed().into_iter().map(|(reason, count)| (reason.into(), count)).collect(),
        references: tallies.references,
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
