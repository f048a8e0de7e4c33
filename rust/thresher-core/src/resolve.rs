//! Verification: exact Jaccard decides, and only against a document that stays.
//!
//! The documents of a cluster are considered in keep order. One is removed if a document already *kept* that is its
//! neighbour has an exact Jaccard similarity of at least the threshold, and names the most similar
//! such document, of several the earliest; otherwise it is kept. So there is no removal by a chain of neighbours and none on an
//! estimate. Neighbours have an edge ([`crate::lsh::edges`]), or are in the crowd of a large bucket ([`crowd`]).
//!
//! Two ways lead to the same outcome: [`alone`] resolves a cluster of which few documents stay, along the text that its
//! documents share; [`decide`] decides documents of any clusters, batch by batch, by sets that somebody else holds.

pub mod alone;
mod crowd;
pub mod decide;
mod kept;
mod marks;
mod numbering;
mod reader;
mod rounds;
mod sets;
pub(crate) mod spare;
mod unchecked;

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

impl Resolution {
    /// Adds what another cluster's resolution cost and found.
    pub(crate) fn add(&mut self, other: Self) {
        self.removals.extend(other.removals);
        self.checks += other.checks;
        self.capped += other.capped;
        self.unchecked.merge(&other.unchecked);
    }
}

/// Documents after which a wish to stop is asked for.
pub(crate) const DOCS_A_QUESTION: usize = 256;
