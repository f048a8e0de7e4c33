//! Clusters: documents connected through shared buckets, the unit of work of verification.
//!
//! Union-find over star edges (each member of a bucket to its first), linked towards the smaller document with path
//! halving, so the root of a cluster is its smallest document whatever the order of the edges.
//! Time O(edges * α(n)), memory 4 bytes a document.

use crate::lsh::Buckets;

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

    /// Connects two documents.
    pub fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

/// A cluster of candidates with the buckets that connect it.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// Its documents in ascending order.
    pub docs: &'a [u32],
    buckets: &'a [&'a [u32]],
}

impl<'a> Cluster<'a> {
    /// A cluster of `docs` (ascending) connected by `buckets`, whose members are all in `docs`.
    #[must_use]
    pub fn new(docs: &'a [u32], buckets: &'a [&'a [u32]]) -> Self {
        Self { docs, buckets }
    }

    /// Its buckets.
    #[must_use]
    pub fn buckets(&self) -> &'a [&'a [u32]] {
        self.buckets
    }
}

/// All clusters of a corpus.
#[derive(Debug)]
pub struct Clusters<'a> {
    docs: Vec<u32>,
    doc_ends: Vec<usize>,
    buckets: Vec<&'a [u32]>,
    bucket_ends: Vec<usize>,
}

impl<'a> Clusters<'a> {
    /// The clusters of the documents below `n_docs` that the buckets of all `partitions` connect.
    #[must_use]
    pub fn new(n_docs: usize, partitions: &'a [Buckets]) -> Self {
        let mut sets = UnionFind::new(n_docs);
        let mut connected = vec![false; n_docs];
        for bucket in partitions.iter().flat_map(Buckets::iter) {
            for &doc in bucket {
                sets.union(bucket[0], doc);
                connected[doc as usize] = true;
            }
        }
        let roots: Vec<u32> = (0..n_docs as u32).map(|doc| sets.root(doc)).collect();
        let members = || (0..n_docs as u32).filter(|&doc| connected[doc as usize]);
        let numbers = number_roots(&roots, &connected);
        let number_of = |doc: u32| numbers[roots[doc as usize] as usize] as usize;
        let num_clusters = members().filter(|&doc| roots[doc as usize] == doc).count();
        let (docs, doc_ends) = distribute(num_clusters, members, number_of);
        let all = || partitions.iter().flat_map(Buckets::iter);
        let (buckets, bucket_ends) = distribute(num_clusters, all, |bucket: &[u32]| number_of(bucket[0]));
        Self { docs, doc_ends, buckets, bucket_ends }
    }

    /// Number of clusters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.doc_ends.len()
    }

    /// Whether there is no cluster.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.doc_ends.is_empty()
    }

    /// Documents in clusters of two or more.
    #[must_use]
    pub fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// One cluster; they are numbered by their smallest document.
    #[must_use]
    pub fn get(&self, index: usize) -> Cluster<'_> {
        let range = |ends: &[usize]| (if index == 0 { 0 } else { ends[index - 1] })..ends[index];
        Cluster { docs: &self.docs[range(&self.doc_ends)], buckets: &self.buckets[range(&self.bucket_ends)] }
    }
}

/// Numbers the roots of connected documents in ascending order.
fn number_roots(roots: &[u32], connected: &[bool]) -> Vec<u32> {
    let mut numbers = vec![0; roots.len()];
    let mut next = 0;
    for (doc, &root) in roots.iter().enumerate() {
        if connected[doc] && root as usize == doc {
            numbers[doc] = next;
            next += 1;
        }
    }
    numbers
}

/// Counting sort of `items` by cluster: the items, and where each cluster ends.
fn distribute<T: Copy, I: Iterator<Item = T>>(
    num_clusters: usize,
    items: impl Fn() -> I,
    cluster_of: impl Fn(T) -> usize,
) -> (Vec<T>, Vec<usize>) {
    let mut places = vec![0usize; num_clusters + 1];
    for item in items() {
        places[cluster_of(item) + 1] += 1;
    }
    for cluster in 1..places.len() {
        places[cluster] += places[cluster - 1];
    }
    let Some(any) = items().next() else { return (Vec::new(), vec![0; num_clusters]) };
    let mut sorted = vec![any; places[num_clusters]];
    for item in items() {
        let place = &mut places[cluster_of(item)];
        sorted[*place] = item;
        *place += 1;
    }
    places.pop();
    (sorted, places)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lsh::group;

    #[test]
    fn a_chain_of_buckets_is_one_cluster_named_by_its_smallest_document() {
        let partitions = [group(&[1, 2, 1, 3], &[5, 4, 3, 2]), group(&[9, 9, 8, 7], &[4, 2, 5, 3])];
        let clusters = Clusters::new(7, &partitions);
        assert_eq!(clusters.len(), 2);
        assert_eq!(clusters.get(0).docs, [2, 4]);
        assert_eq!(clusters.get(1).docs, [3, 5]);
        assert_eq!(clusters.get(1).buckets(), [&[3, 5]]);
    }

    proptest! {
        #[test]
        fn clusters_are_the_connected_components(edges in prop::collection::vec((0..30u32, 0..30u32), 0..40)) {
            let partitions: Vec<Buckets> = edges.iter().filter(|(a, b)| a != b).map(|&(a, b)| group(&[0, 0], &[a, b])).collect();
            let clusters = Clusters::new(30, &partitions);
            let mut label: Vec<u32> = (0..30).collect();
            for _ in 0..30 {
                for &(a, b) in &edges {
                    let least = label[a as usize].min(label[b as usize]);
                    (label[a as usize], label[b as usize]) = (least, least);
                }
            }
            for index in 0..clusters.len() {
                let docs = clusters.get(index).docs;
                let expected: Vec<u32> = (0..30).filter(|&doc| label[doc as usize] == docs[0]).collect();
                prop_assert_eq!(docs, expected);
                prop_assert!(clusters.get(index).buckets().iter().all(|b| b.iter().all(|doc| docs.contains(doc))));
            }
            let members: usize = (0..clusters.len()).map(|i| clusters.get(i).docs.len()).sum();
            let touched: std::collections::HashSet<u32> = edges.iter().filter(|(a, b)| a != b).flat_map(|&(a, b)| [a, b]).collect();
            prop_assert_eq!(members, touched.len());
        }
    }
}
