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
//! A document is compared with at most [`MAX_CHECKS`] kept ones, those of its smallest buckets first: documents made from one
//! template share giant buckets without being near-duplicates, and all pairs of 100,000 are out of reach.
//! A true near-duplicate shares several buckets, so it is found among the small ones; the number of documents
//! whose list was cut is reported.

mod candidates;
mod numbering;
mod reader;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::observe::{Observer, check};
use crate::params::{ShingleSpec, Threshold, jaccard};
use crate::precedence::Precedence;
use candidates::Candidates;
use numbering::NumberSet;
use reader::Reader;
pub use reader::Texts;

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
    /// Documents with more than [`MAX_CHECKS`] candidates.
    pub capped: u64,
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
    /// A resolver for documents cut by `spec`, of which near-duplicates are those from `threshold` on.
    #[must_use]
    pub fn new(spec: ShingleSpec, threshold: Threshold) -> Self {
        Self {
            threshold,
            order: Vec::new(),
            reader: Reader::new(spec),
            candidates: Candidates::default(),
            set: NumberSet::default(),
            kept_sets: KeptSets::default(),
        }
    }

    /// Resolves one cluster.
    ///
    /// # Errors
    /// `Error::Cancelled` when the observer asks for it.
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
        kept_sets.begin(cluster.docs.len());
        let mut resolution = Resolution::default();
        for (turn, &member) in order.iter().enumerate() {
            if turn % DOCS_A_QUESTION == 0 {
                check(observer)?;
            }
            reader.read(texts, cluster.docs[member as usize], member, set);
            let (kept, capped) = candidates.kept_beside(member);
            resolution.capped += u64::from(capped);
            let mut best: Option<(f64, u32)> = None;
            for &other in kept {
                let (other_len, other_runs) = kept_sets.get(other);
                let (small, large) = (set.len().min(other_len), set.len().max(other_len));
                if !threshold.reached(small, small, large) {
                    continue;
                }
                resolution.checks += 1;
                let shared = reader.count_marked(other_runs, member);
                if threshold.reached(shared, set.len(), other_len) {
                    let similarity = jaccard(shared, set.len(), other_len);
                    let better = |(most, doc): (f64, u32)| {
                        similarity.total_cmp(&most).then_with(|| before(doc, other)).is_gt()
                    };
                    if best.is_none_or(better) {
                        best = Some((similarity, other));
                    }
                }
            }
            if let Some((similarity, other)) = best {
                let (doc, duplicate_of) = (cluster.docs[member as usize], cluster.docs[other as usize]);
                resolution.removals.push(Removal { doc, duplicate_of, similarity });
            } else {
                kept_sets.keep(member, set);
                candidates.keep(member);
                reader.keep(cluster.docs[member as usize]);
            }
        }
        Ok(resolution)
    }
}

/// The sets of the kept documents of a cluster, one after the other.
#[derive(Debug, Default)]
struct KeptSets {
    /// The size of the set of each document and where its runs are, if it is kept.
    places: Vec<(usize, usize, usize)>,
    runs: Vec<(u32, u32)>,
}

impl KeptSets {
    fn begin(&mut self, n_docs: usize) {
        self.places.clear();
        self.places.resize(n_docs, (0, 0, 0));
        self.runs.clear();
    }

    fn keep(&mut self, doc: u32, set: &NumberSet) {
        let start = self.runs.len();
        self.runs.extend_from_slice(set.runs());
        self.places[doc as usize] = (set.len(), start, self.runs.len());
    }

    fn get(&self, doc: u32) -> (usize, &[(u32, u32)]) {
        let (len, start, end) = self.places[doc as usize];
        (len, &self.runs[start..end])
    }
}

#[cfg(test)]
mod tests;
