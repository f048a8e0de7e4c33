//! Verification: exact Jaccard decides, and only against a document that stays.
//!
//! The documents of a cluster are considered in keep order. One is removed if a document already *kept* that shares a
//! bucket with it has an exact Jaccard similarity of at least the threshold, and names the most similar
//! such document; otherwise it is kept. So there is no removal by a chain of neighbours and none on an estimate.
//!
//! The shingles of a cluster overlap a great deal, so each distinct one gets a small number, once, and text that was
//! read before is not cut again (see [`reader`]). A set is then a few runs of numbers, and the size of an
//! intersection is a count of marks: no sorting, no merging. Time is at most linear in the text of the cluster plus, for
//! each candidate pair, the shingles of the kept document.
//!
//! Documents made from one template share giant buckets without being near-duplicates, and all pairs of 100,000 are out of
//! reach. So where many kept documents are beside one, those that may be similar enough are found by the shingles that few
//! have, and at most [`MAX_CHECKS`] are compared, the likeliest first (see [`candidates`]). What that leaves
//! unchecked is reported.

mod buckets;
mod candidates;
mod crowd;
pub mod decide;
mod kept;
mod likeness;
mod marks;
mod numbering;
mod reader;
mod rounds;
mod sets;
mod spare;
mod unchecked;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::hash::Keys;
use crate::observe::{Observer, check};
use crate::params::{DedupConfig, Threshold, jaccard};
use crate::precedence::Precedence;
use candidates::{AtHand, Candidates};
use kept::KeptSets;
use numbering::NumberSet;
use reader::Reader;
pub use reader::Texts;
pub use unchecked::Unchecked;

/// Kept documents that one document is compared with at most.
pub const MAX_CHECKS: usize = 256;

/// A document that goes, the kept one it duplicates, and their exact similarity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Removal {
    /// The removed document.
    pub doc: u32,
    /// The kept document.
    pub duplicate_of: u32,
    /// Exact Jaccard similarity of their shingle sets.
    pub similarity: f64,
}

/// What a cluster's resolution cost and found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// The documents that go, in keep order.
    pub removals: Vec<Removal>,
    /// Exact comparisons made.
    pub checks: u64,
    /// Documents that stay although some comparisons were left out.
    pub capped: u64,
    /// The comparisons of these that were left out although the documents may be similar enough.
    pub unchecked: Unchecked,
}

/// Documents after which a wish to stop is asked for.
pub(crate) const DOCS_A_QUESTION: usize = 256;

/// Resolves clusters. Holds the buffers of one thread.
#[derive(Debug)]
pub struct Resolver {
    threshold: Threshold,
    order: Vec<u32>,
    reader: Reader,
    candidates: Candidates,
    set: NumberSet,
    kept_sets: KeptSets,
}

impl Resolver {
    /// A resolver for documents cut and brought together as `config` says. What it compares are hashes by `keys`: those of
    /// a secret, if texts may have been made to hash alike.
    #[must_use]
    pub fn new(config: &DedupConfig, keys: Keys) -> Self {
        let threshold = config.threshold;
        Self {
            threshold,
            order: Vec::new(),
            reader: Reader::new(config.shingles, keys),
            candidates: Candidates::new(threshold, config.banding),
            set: NumberSet::default(),
            kept_sets: KeptSets::default(),
        }
    }

    /// Resolves one cluster.
    ///
    /// # Errors
    /// `Error::Cancelled` when the observer asks for it; `Error::Parameter` for a cluster of more than 2^32 - 2 distinct
    /// shingles.
    pub fn resolve(
        &mut self,
        cluster: Cluster<'_>,
        precedence: Precedence<'_>,
        texts: &impl Texts,
        observer: &dyn Observer,
    ) -> Result<Resolution> {
        let Self { threshold, order, reader, candidates, set, kept_sets } = self;
        let before = |a: u32, b: u32| precedence.compare(cluster.docs[a as usize], cluster.docs[b as usize]);
        order.clear();
        order.extend(0..cluster.docs.len() as u32);
        order.sort_unstable_by(|&a, &b| before(a, b));
        candidates.begin(cluster);
        reader.begin();
        kept_sets.clear();
        let mut resolution = Resolution::default();
        for (turn, &member) in order.iter().enumerate() {
            if turn % DOCS_A_QUESTION == 0 {
                check(observer)?;
            }
            let doc = cluster.docs[member as usize];
            reader.read(texts, doc, member, set)?;
            let mut left_out = Unchecked::default();
            let at_hand = AtHand { member, set, kept: kept_sets, reader };
            let mut best: Option<(f64, u32)> = None;
            for candidate in candidates.find(at_hand, &mut left_out)? {
                let (place, size) = (candidate.place, kept_sets.size(candidate.place));
                // Places are in keep order.
                let better = |similarity: f64, (most, first): (f64, u32)| {
                    similarity.total_cmp(&most).then(first.cmp(&place)).is_gt()
                };
                let most = jaccard(candidate.bound, set.len(), size);
                if best.is_some_and(|best| !better(most, best)) {
                    continue;
                }
                resolution.checks += 1;
                let shared = reader.count_marked(kept_sets.runs(place), member);
                let similarity = jaccard(shared, set.len(), size);
                if threshold.reached(shared, set.len(), size)
                    && best.is_none_or(|best| better(similarity, best))
                {
                    best = Some((similarity, place));
                }
            }
            if let Some((similarity, place)) = best {
                let duplicate_of = cluster.docs[kept_sets.member(place) as usize];
                resolution.removals.push(Removal { doc, duplicate_of, similarity });
            } else {
                resolution.capped += u64::from(left_out.pairs() > 0);
                resolution.unchecked.merge(&left_out);
                kept_sets.push(member, set);
                candidates.keep(member);
                reader.keep(doc);
            }
        }
        Ok(resolution)
    }
}

#[cfg(test)]
mod tests;
