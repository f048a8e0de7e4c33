//! The evidence of a run, document by document in the order of the inputs: `removed.parquet` and `clusters.parquet`.
//!
//! A cluster is a kept document with all that it stands for. How large each is has to be known before the first row; that, and
//! everything else of which there is one a removed document, is sorted on disk. Ids are read where they are needed.

use std::collections::BTreeMap;

use thresher_core::RemovalReason;

use super::Run;
use super::corpus::Corpus;
use super::fates::Fates;
use super::report::ClusterReport;
use crate::clusters::ClustersWriter;
use crate::error::Result;
use crate::exhibits::{ClusterExhibit, Samples};
use crate::input::Written;
use crate::removed::{Kept, Removal, RemovedWriter};
use crate::runs::evidence::figures::{ClusterSizes, Similarities};
use crate::runs::output::RunOutput;
use crate::runs::spill::bits::{Bits, Marks};
use crate::runs::spill::sort::{Sorted, Sorter};

/// Removed documents that are named for each of the largest clusters.
const EXAMPLES: usize = 5;
/// Documents after which a wish to stop is looked for.
const DOCS_A_QUESTION: usize = 1024;

/// The clusters of duplicates.
pub(crate) struct Clusters {
    /// Each removed document behind the one that stands for it.
    members: Sorted<2>,
    /// The documents that stand for others, and the size of each one's cluster.
    heads: Bits,
    sizes: Sorted<2>,
    pub(crate) figures: ClusterSizes,
    pub(crate) similarities: Similarities,
}

impl Clusters {
    /// Counts the documents of each cluster.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn new(run: &Run<'_>, corpus: &Corpus, fates: &Fates) -> Result<Self> {
        let mut members = Sorter::new(&run.work, run.memory.part(8));
        let mut similarities = Similarities::default();
        for (turn, doc) in fates.removed().filter(|&doc| !corpus.is_reference(doc)).enumerate() {
            if turn % DOCS_A_QUESTION == 0 {
                run.progress.check()?;
            }
            let Some(fate) = fates.of(doc)? else { continue };
            members.extend(&[[fate.duplicate_of, doc]])?;
            if fate.reason == RemovalReason::Near {
                similarities.add(f64::from(fate.similarity));
            }
        }
        let members = members.finish()?;
        let (heads, mut figures) = (Marks::new(corpus.n_docs as usize), ClusterSizes::default());
        let mut sizes = Sorter::new(&run.work, run.memory.part(8));
        let mut open: Option<(u32, u32)> = None;
        let mut close = |cluster: Option<(u32, u32)>| -> Result<()> {
            let Some((kept, size)) = cluster else { return Ok(()) };
            heads.set(kept);
            figures.add(kept, u64::from(size));
            sizes.extend(&[[kept, size]])
        };
        for row in members.iter() {
            let [kept, _] = row?;
            if let Some((head, size)) = &mut open
                && *head == kept
            {
                *size += 1;
                continue;
            }
            close(open.replace((kept, 2)))?;
        }
        close(open)?;
        Ok(Self { members, heads: heads.finish(), sizes: sizes.finish()?, figures, similarities })
    }

    /// The number of documents in the cluster of a document that stands for others.
    fn size_of(&self, head: u32) -> Result<u64> {
        Ok(u64::from(self.sizes.get(u64::from(self.heads.rank(head)))?[1]))
    }

    /// The largest ones, each with the first documents that went for it.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn largest(&self, run: &Run<'_>, corpus: &Corpus) -> Result<Vec<ClusterReport>> {
        let largest = self.figures.largest();
        let mut examples: BTreeMap<u32, Vec<u32>> =
            largest.iter().map(|&(kept, _)| (kept, Vec::new())).collect();
        for row in self.members.iter() {
            let [kept, removed] = row?;
            if let Some(examples) = examples.get_mut(&kept).filter(|examples| examples.len() < EXAMPLES) {
                examples.push(removed);
            }
        }
        let name = |doc| name_of(run, corpus, doc);
        let report = |(kept, size): (u32, u64)| {
            let examples = examples.remove(&kept).unwrap_or_default();
            let examples = examples.into_iter().map(name).collect::<Result<_>>()?;
            Ok(ClusterReport { id: name(kept)?, size, examples })
        };
        largest.into_iter().map(report).collect()
    }
}

impl Clusters {
    /// The kept document of each of the largest clusters, its size, and the first document that went for it.
    fn shown(&self) -> Result<Vec<(u32, u64, u32)>> {
        let largest = self.figures.largest();
        let mut first: BTreeMap<u32, u32> = BTreeMap::new();
        for row in self.members.iter() {
            let [kept, removed] = row?;
            if largest.iter().any(|&(head, _)| head == kept) {
                first.entry(kept).or_insert(removed);
            }
        }
        let shown = |(kept, size)| first.get(&kept).map(|&removed| (kept, size, removed));
        Ok(largest.into_iter().filter_map(shown).collect())
    }

    /// The documents whose texts the page shows.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn samples(&self) -> Result<Samples> {
        Ok(Samples::new(self.shown()?.into_iter().flat_map(|(kept, _, removed)| [kept, removed]).collect()))
    }

    /// The largest clusters with the texts that were read of them.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn exhibits(
        &self,
        run: &Run<'_>,
        corpus: &Corpus,
        fates: &Fates,
        samples: &Samples,
    ) -> Result<Vec<ClusterExhibit>> {
        let mut exhibits = Vec::new();
        for (kept, size, removed) in self.shown()? {
            let Some(fate) = fates.of(removed)? else { continue };
            exhibits.push(ClusterExhibit {
                size,
                kept: (name_of(run, corpus, kept)?, samples.text(kept)),
                removed: (name_of(run, corpus, removed)?, samples.text(removed)),
                reason: name_of_reason(fate.reason),
                similarity: fate.similarity,
            });
        }
        Ok(exhibits)
    }
}

/// The name of a reason in the evidence.
fn name_of_reason(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Exact => "exact",
        RemovalReason::Near => "near",
    }
}

/// The name of a document: its id, the name of its row, or `source:row`.
///
/// # Errors
/// I/O failures.
pub(crate) fn name_of(run: &Run<'_>, corpus: &Corpus, doc: u32) -> Result<String> {
    if let Some(id) = corpus.id_of(doc)? {
        return Ok(id);
    }
    let unit = corpus.unit_of(doc);
    Ok(run.plan.sources[unit.input].name_row(unit.row_of(doc)))
}

/// Writes one row for each removed document, and one for each document of a cluster, if there is a place for them.
///
/// # Errors
/// I/O failures, and the wish to stop.
pub(crate) fn write(
    run: &Run<'_>,
    corpus: &Corpus,
    fates: &Fates,
    clusters: &Clusters,
    to: &RunOutput,
) -> Result<Vec<Written>> {
    let (Some(removed), Some(table)) = (to.removed_path(), to.clusters_path()) else { return Ok(Vec::new()) };
    let (mut removed, mut table) = (RemovedWriter::create(&removed)?, ClustersWriter::create(&table)?);
    // Names of documents that are duplicated more than once are asked for in bursts.
    let mut last: Option<(u32, String)> = None;
    for (turn, doc) in fates.removed_and(&clusters.heads).enumerate() {
        if turn % DOCS_A_QUESTION == 0 {
            run.progress.check()?;
        }
        let id = name_of(run, corpus, doc)?;
        if clusters.heads.get(doc) {
            table.add(&id, &id, clusters.size_of(doc)?)?;
            continue;
        }
        let fate = if corpus.is_reference(doc) { None } else { fates.of(doc)? };
        let Some(fate) = fate else { continue };
        let kept = fate.duplicate_of;
        let name = match &last {
            Some((known, name)) if *known == kept => name,
            _ => &last.insert((kept, name_of(run, corpus, kept)?)).1,
        };
        table.add(&id, name, clusters.size_of(kept)?)?;
        let (unit, place) = (corpus.unit_of(doc), corpus.unit_of(kept));
        removed.add(Removal {
            id: &id,
            source: run.plan.sources[unit.input].input().name(),
            row: unit.row_of(doc),
            step: "dedup",
            reason: name_of_reason(fate.reason),
            reasons: &[],
            duplicate_of: Some(Kept {
                id: name,
                source: run.plan.sources[place.input].input().name(),
                row: place.row_of(kept),
            }),
            similarity: Some(fate.similarity),
            detail: None,
        })?;
    }
    Ok(vec![removed.finish()?, table.finish()?])
}
