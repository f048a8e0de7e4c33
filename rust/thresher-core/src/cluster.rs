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
    /// Members of its buckets, as positions in `docs`.
    members: &'a [u32],
    /// Where each bucket ends in `members`, plus `base`.
    bucket_ends: &'a [usize],
    base: usize,
}

impl<'a> Cluster<'a> {
    /// A cluster of `docs` (ascending); `members` are positions in it, bucket by bucket, and `bucket_ends` says where
    /// each bucket ends.
    #[must_use]
    pub fn new(docs: &'a [u32], members: &'a [u32], bucket_ends: &'a [usize]) -> Self {
        Self { docs, members, bucket_ends, base: 0 }
    }

    /// Its buckets, each as ascending positions in `docs`.
    pub fn buckets(self) -> impl Iterator<Item = &'a [u32]> {
        let mut start = 0;
        self.bucket_ends.iter().map(move |&end| {
            let bucket = &self.members[start..end - self.base];
            start = end - self.base;
            bucket
        })
    }
}

/// All clusters of a corpus.
#[derive(Debug, Default)]
pub struct Clusters {
    docs: Vec<u32>,
    /// Members of the buckets of all clusters, as positions in their cluster.
    members: Vec<u32>,
    /// Where each bucket ends in `members`.
    bucket_ends: Vec<usize>,
    /// Where each cluster ends in `docs`, `bucket_ends` and `members`.
    ends: Vec<Ends>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    docs: usize,
    buckets: usize,
    members: usize,
}

/// The cluster of a document without one.
const NONE: u32 = u32::MAX;

impl Clusters {
    /// The clusters of the documents below `n_docs` that the buckets of all `partitions` connect.
    #[must_use]
    pub fn new(n_docs: usize, partitions: &[Buckets]) -> Self {
        let buckets = || partitions.iter().flat_map(Buckets::iter);
        let mut sets = UnionFind::new(n_docs);
        let mut connected = vec![false; n_docs];
        for bucket in buckets() {
            for &doc in bucket {
                sets.union(bucket[0], doc);
                connected[doc as usize] = true;
            }
        }
        // A root is the smallest of its cluster, so it is met, and numbered, before all others.
        let mut cluster_of = vec![NONE; n_docs];
        let mut at: Vec<Ends> = Vec::new();
        for doc in (0..n_docs as u32).filter(|&doc| connected[doc as usize]) {
            let root = sets.root(doc);
            if root == doc {
                cluster_of[doc as usize] = at.len() as u32;
                at.push(Ends::default());
            }
            let cluster = cluster_of[root as usize];
            cluster_of[doc as usize] = cluster;
            at[cluster as usize].docs += 1;
        }
        for bucket in buckets() {
            let counts = &mut at[cluster_of[bucket[0] as usize] as usize];
            counts.buckets += 1;
            counts.members += bucket.len();
        }
        // Counts become starts, and each start moves to the end of its cluster while that is filled.
        let mut total = Ends::default();
        for counts in &mut at {
            let next = Ends {
                docs: total.docs + counts.docs,
                buckets: total.buckets + counts.buckets,
                members: total.members + counts.members,
            };
            *counts = std::mem::replace(&mut total, next);
        }
        let mut docs = vec![0; total.docs];
        let mut positions = vec![0u32; n_docs];
        let starts: Vec<usize> = at.iter().map(|start| start.docs).collect();
        for doc in (0..n_docs).filter(|&doc| cluster_of[doc] != NONE) {
            let cluster = cluster_of[doc] as usize;
            let place = &mut at[cluster].docs;
            positions[doc] = (*place - starts[cluster]) as u32;
            docs[*place] = doc as u32;
            *place += 1;
        }
        let mut members = vec![0; total.members];
        let mut bucket_ends = vec![0; total.buckets];
        for bucket in buckets() {
            let place = &mut at[cluster_of[bucket[0] as usize] as usize];
            let start = place.members;
            place.members += bucket.len();
            for (member, &doc) in members[start..place.members].iter_mut().zip(bucket) {
                *member = positions[doc as usize];
            }
            bucket_ends[place.buckets] = place.members;
            place.buckets += 1;
        }
        Self { docs, members, bucket_ends, ends: at }
    }

    /// Number of clusters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no cluster.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Documents in clusters of two or more.
    #[must_use]
    pub fn docs(&self) -> &[u32] {
        &self.docs
    }

    /// One cluster; they are numbered by their smallest document.
    #[must_use]
    pub fn get(&self, index: usize) -> Cluster<'_> {
        let start = if index == 0 { Ends::default() } else { self.ends[index - 1] };
        let end = self.ends[index];
        Cluster {
            docs: &self.docs[start.docs..end.docs],
            members: &self.members[start.members..end.members],
            bucket_ends: &self.bucket_ends[start.buckets..end.buckets],
            base: start.members,
        }
    }
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
        assert_eq!(clusters.get(1).buckets().collect::<Vec<_>>(), [[0, 1]]);
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
                let of = |bucket: &[u32]| bucket.iter().map(|&at| docs[at as usize]).collect::<Vec<_>>();
                let buckets: Vec<Vec<u32>> = clusters.get(index).buckets().map(of).collect();
                let expected: Vec<&[u32]> =
                    partitions.iter().flat_map(Buckets::iter).filter(|b| docs.contains(&b[0])).collect();
                prop_assert_eq!(buckets, expected);
            }
            let members: usize = (0..clusters.len()).map(|i| clusters.get(i).docs.len()).sum();
            let touched: std::collections::HashSet<u32> = edges.iter().filter(|(a, b)| a != b).flat_map(|&(a, b)| [a, b]).collect();
            prop_assert_eq!(members, touched.len());
        }
    }
}
