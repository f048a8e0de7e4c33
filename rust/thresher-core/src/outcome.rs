//! What a search found: for each document whether it stays, and the evidence if it does not.

use crate::exact::Classes;
use crate::resolve::{Resolution, Unchecked};

/// Why a document goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalReason {
    /// Its text equals that of a kept document.
    Exact,
    /// Its shingles are those of a kept document, to at least the threshold.
    Near,
}

/// The evidence for one removed document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The kept document that it duplicates.
    pub duplicate_of: u32,
    /// Exact Jaccard similarity with that document; 1 for equal texts.
    pub similarity: f64,
    /// How it was found.
    pub reason: RemovalReason,
}

impl Evidence {
    /// The similarity in 32 bits, rounded up: so it is never below the threshold for want of bits.
    #[must_use]
    pub fn similarity_f32(&self) -> f32 {
        let near = self.similarity as f32;
        if f64::from(near) < self.similarity { near.next_up() } else { near }
    }
}

/// Documents and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Documents.
    pub docs: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    /// Counts one document.
    pub fn add(&mut self, bytes: u64) {
        self.docs += 1;
        self.bytes += bytes;
    }
}

/// Wall-clock seconds of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Hashing whole texts; words, shingles, signatures, bands.
    pub sign_s: f64,
    /// Grouping equal texts.
    pub exact_s: f64,
    /// Buckets and clusters.
    pub group_s: f64,
    /// Exact resolution.
    pub verify_s: f64,
}

/// The books of a search: `documents = kept + exact + near`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// All documents.
    pub documents: Tally,
    /// Those that stay, null texts included.
    pub kept: Tally,
    /// Those removed because a kept one has the same text.
    pub exact: Tally,
    /// Those removed because a kept one is near enough.
    pub near: Tally,
    /// Documents without a text.
    pub null: u64,
    /// Documents in a cluster of two or more, exact copies apart: those that have an edge or are in a large bucket.
    pub candidates: u64,
    /// Exact comparisons made.
    pub checks: u64,
    /// Documents that stay although some comparisons were left out.
    pub capped: u64,
    /// The comparisons of these that were left out although the documents may be similar enough.
    pub unchecked: Unchecked,
    /// Kept documents that others duplicate.
    pub clusters: u64,
    /// Where the time went.
    pub timings: Timings,
}

impl Summary {
    /// Counts an outcome.
    pub(crate) fn count(
        outcome: &Outcome,
        bytes_of: impl Fn(usize) -> u64,
        is_null: impl Fn(usize) -> bool,
        resolutions: &[Resolution],
    ) -> Self {
        let mut summary = Self::default();
        let mut duplicated = vec![false; outcome.evidence.len()];
        for (doc, evidence) in outcome.evidence.iter().enumerate() {
            let bytes = bytes_of(doc);
            summary.documents.add(bytes);
            summary.null += u64::from(is_null(doc));
            match evidence {
                None => summary.kept.add(bytes),
                Some(evidence) => {
                    let tally = match evidence.reason {
                        RemovalReason::Exact => &mut summary.exact,
                        RemovalReason::Near => &mut summary.near,
                    };
                    tally.add(bytes);
                    let first = !std::mem::replace(&mut duplicated[evidence.duplicate_of as usize], true);
                    summary.clusters += u64::from(first);
                }
            }
        }
        summary.checks = resolutions.iter().map(|r| r.checks).sum();
        summary.capped = resolutions.iter().map(|r| r.capped).sum();
        for resolution in resolutions {
            summary.unchecked.merge(&resolution.unchecked);
        }
        summary
    }
}

/// The result of a search: the evidence for each document, in input order; none for those that stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// One entry a document.
    pub evidence: Vec<Option<Evidence>>,
    /// The books.
    pub summary: Summary,
}

impl Outcome {
    /// Joins exact classes and cluster resolutions. A copy of a removed text names what that one names.
    #[must_use]
    pub fn new(n_docs: usize, classes: &Classes, resolutions: &[Resolution]) -> Self {
        let mut evidence = vec![None; n_docs];
        for removal in resolutions.iter().flat_map(|r| &r.removals) {
            evidence[removal.doc as usize] = Some(Evidence {
                duplicate_of: removal.duplicate_of,
                similarity: removal.similarity,
                reason: RemovalReason::Near,
            });
        }
        for &(copy, standing) in classes.copies() {
            let equal = Evidence { duplicate_of: standing, similarity: 1.0, reason: RemovalReason::Exact };
            evidence[copy as usize] = Some(evidence[standing as usize].unwrap_or(equal));
        }
        Self { evidence, summary: Summary::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similarity_in_32_bits_never_falls_below_the_exact_one() {
        for (shared, union) in (1..200u32).flat_map(|u| (1..=u).map(move |s| (s, u))) {
            let similarity = f64::from(shared) / f64::from(union);
            let evidence = Evidence { duplicate_of: 0, similarity, reason: RemovalReason::Near };
            let rounded = f64::from(evidence.similarity_f32());
            assert!(rounded >= similarity && rounded - similarity < 1e-7);
        }
    }
}
