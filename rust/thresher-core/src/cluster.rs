//! Clusters: documents connected through edges and large buckets, the unit of work of verification.
//!
//! Union-find, linked towards the smaller document with path halving, so the root of a cluster is its smallest document
//! whatever the order of the edges. Time O(edges * α(n)), memory 4 bytes a document.

/// Disjoint sets of documents; the root of each is its smallest member.
#[derive(Debug)]
pub struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// `n_docs` sets of one document.
    #[must_use]
    pub fn new(n_docs: usize) -> Self {
        Self { parents: (0..n_docs as u32).collect() }
    }

    /// The smallest document connected with `doc`.
    pub fn root(&mut self, mut doc: u32) -> u32 {
        while self.parents[doc as usize] != doc {
            let grandparent = self.parents[self.parents[doc as usize] as usize];
            self.parents[doc as usize] = grandparent;
            doc = grandparent;
        }
        doc
    }

    /// The root of each document.
    #[must_use]
    pub fn into_roots(mut self) -> Vec<u32> {
        for doc in 0..self.parents.len() {
            // A parent is a smaller document, whose root is known by now.
            self.parents[doc] = self.parents[self.parents[doc] as usize];
        }
        self.parents
    }

    /// Connects two documents.
    pub fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn roots_are_the_least_of_connected_components(edges in prop::collection::vec((0..30u32, 0..30u32), 0..40)) {
            let mut sets = UnionFind::new(30);
            for &(a, b) in &edges {
                sets.union(a, b);
            }
            let mut label: Vec<u32> = (0..30).collect();
            for _ in 0..30 {
                for &(a, b) in &edges {
                    let least = label[a as usize].min(label[b as usize]);
                    (label[a as usize], label[b as usize]) = (least, least);
                }
            }
            prop_assert_eq!((0..30).map(|doc| sets.root(doc)).collect::<Vec<_>>(), label.clone());
            prop_assert_eq!(sets.into_roots(), label);
        }
    }
}
