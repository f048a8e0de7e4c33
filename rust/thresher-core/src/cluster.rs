//! Clusters: documents connected through shared buckets, the unit of work of verification.
//!
//! Union-find over star edges (each member of a bucket to its first), linked towards the smaller document with path
//! halving, so the root of a cluster is its smallest document whatever the order of the edges.
//! Time O(edges * α(n)), memory 4 bytes a document.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::error::Result;
use crate::lsh::{BandTable, Buckets, group};
use crate::observe::{Observer, check};

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

impl Ends {
    fn plus(self, more: Self) -> Self {
        Self {
            docs: self.docs + more.docs,
            buckets: self.buckets + more.buckets,
            members: self.members + more.members,
        }
    }
}

/// Clusters that are still to be handed out, with the room for their members and bucket ends.
struct Rest<'r>(&'r mut [Ends], &'r mut [u32], &'r mut [usize]);

impl Rest<'_> {
    /// The first clusters, and all others.
    fn split(self, clusters: usize, members: usize, buckets: usize) -> (Self, Self) {
        let (at, more_at) = self.0.split_at_mut(clusters);
        let (part, more_members) = self.1.split_at_mut(members);
        let (ends, more_ends) = self.2.split_at_mut(buckets);
        (Rest(at, part, ends), Rest(more_at, more_members, more_ends))
    }
}

/// The cluster of a document without one.
const NONE: u32 = u32::MAX;

/// Which documents buckets connect. Buckets may come in any order, from any thread.
#[derive(Debug)]
pub struct Links {
    sets: UnionFind,
    connected: Vec<bool>,
}

impl Links {
    /// No links among `n_docs` documents.
    #[must_use]
    pub fn new(n_docs: usize) -> Self {
        Self { sets: UnionFind::new(n_docs), connected: vec![false; n_docs] }
    }

    /// Connects the documents of each bucket.
    pub fn add(&mut self, buckets: &Buckets) {
        for bucket in buckets.iter() {
            for &doc in bucket {
                self.sets.union(bucket[0], doc);
                self.connected[doc as usize] = true;
            }
        }
    }
}

impl Clusters {
    /// The clusters of the documents below `n_docs` by the bands of a table: partitions are grouped on the threads of the
    /// current rayon pool, and linked as they come.
    ///
    /// # Errors
    /// `Error::Cancelled` if `observer` wants to stop; it is asked before each partition.
    pub fn of(table: &BandTable, n_docs: usize, observer: &dyn Observer) -> Result<Self> {
        let links = Mutex::new(Links::new(n_docs));
        let grouped = |keys: &Vec<u64>| {
            if observer.cancelled() {
                return Buckets::default();
            }
            let buckets = group(keys, table.docs());
            links.lock().unwrap_or_else(PoisonError::into_inner).add(&buckets);
            buckets
        };
        let buckets: Vec<Buckets> = table.partitions().par_iter().map(grouped).collect();
        check(observer)?;
        Ok(Self::new(links.into_inner().unwrap_or_else(PoisonError::into_inner), &buckets))
    }

    /// The clusters that the buckets of all `partitions` connect, with the links that were made of the same buckets. The
    /// clusters are filled on the threads of the current rayon pool, each thread a range of them.
    #[must_use]
    pub fn new(links: Links, partitions: &[Buckets]) -> Self {
        let Links { mut sets, connected } = links;
        let n_docs = connected.len();
        let buckets = || partitions.iter().flat_map(Buckets::iter);
        // A root is the smallest of its cluster, so it is met, and numbered, before all others.
        let mut cluster_of = vec![NONE; n_docs];
        let mut positions = vec![0u32; n_docs];
        let mut at: Vec<Ends> = Vec::new();
        for doc in (0..n_docs as u32).filter(|&doc| connected[doc as usize]) {
            let root = sets.root(doc);
            if root == doc {
                cluster_of[doc as usize] = at.len() as u32;
                at.push(Ends::default());
            }
            let cluster = cluster_of[root as usize];
            cluster_of[doc as usize] = cluster;
            let counts = &mut at[cluster as usize];
            positions[doc as usize] = counts.docs as u32;
            counts.docs += 1;
        }
        for bucket in buckets() {
            let counts = &mut at[cluster_of[bucket[0] as usize] as usize];
            counts.buckets += 1;
            counts.members += bucket.len();
        }
        // Counts become starts, and each start moves to the end of its cluster while that is filled.
        let mut total = Ends::default();
        for counts in &mut at {
            let next = total.plus(*counts);
            *counts = std::mem::replace(&mut total, next);
        }
        let mut docs = vec![0; total.docs];
        for (doc, &cluster) in cluster_of.iter().enumerate().filter(|(_, cluster)| **cluster != NONE) {
            let place = &mut at[cluster as usize].docs;
            docs[*place] = doc as u32;
            *place += 1;
        }
        let (mut members, mut bucket_ends) = (vec![0; total.members], vec![0; total.buckets]);
        let mut parts = Vec::new();
        let (mut rest, mut first, mut start) =
            (Rest(&mut at, &mut members, &mut bucket_ends), 0, Ends::default());
        let each = rest.0.len().div_ceil(rayon::current_num_threads()).max(1);
        while !rest.0.is_empty() {
            let count = each.min(rest.0.len());
            let end = rest.0.get(count).copied().unwrap_or(total);
            let (part, others) = rest.split(count, end.members - start.members, end.buckets - start.buckets);
            parts.push((first, start, part));
            (rest, first, start) = (others, first + count, end);
        }
        parts.into_par_iter().for_each(|(first, start, Rest(at, members, bucket_ends))| {
            for bucket in buckets() {
                let cluster = (cluster_of[bucket[0] as usize] as usize).wrapping_sub(first);
                let Some(place) = at.get_mut(cluster) else { continue };
                let begin = place.members - start.members;
                place.members += bucket.len();
                for (member, &doc) in members[begin..].iter_mut().zip(bucket) {
                    *member = positions[doc as usize];
                }
                bucket_ends[place.buckets - start.buckets] = place.members;
                place.buckets += 1;
            }
        });
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

    fn clusters(n_docs: usize, partitions: &[Buckets]) -> Clusters {
        let mut links = Links::new(n_docs);
        partitions.iter().rev().for_each(|buckets| links.add(buckets));
        Clusters::new(links, partitions)
    }

    #[test]
    fn a_chain_of_buckets_is_one_cluster_named_by_its_smallest_document() {
        let partitions = [group(&[1, 2, 1, 3], &[5, 4, 3, 2]), group(&[9, 9, 8, 7], &[4, 2, 5, 3])];
        let clusters = clusters(7, &partitions);
        assert_eq!(clusters.len(), 2);
        assert_eq!(clusters.get(0).docs, [2, 4]);
        assert_eq!(clusters.get(1).docs, [3, 5]);
        assert_eq!(clusters.get(1).buckets().collect::<Vec<_>>(), [[0, 1]]);
    }

    #[test]
    fn grouping_stops_when_it_is_asked_to() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let mut table = BandTable::new(2);
        (0..10).for_each(|doc| table.push(doc, &[7, 7]));
        assert!(matches!(Clusters::of(&table, 10, &Stop), Err(crate::Error::Cancelled)));
        assert_eq!(Clusters::of(&table, 10, &crate::observe::Unobserved).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn clusters_are_the_connected_components(edges in prop::collection::vec((0..30u32, 0..30u32), 0..40)) {
            let partitions: Vec<Buckets> = edges.iter().filter(|(a, b)| a != b).map(|&(a, b)| group(&[0, 0], &[a, b])).collect();
            let clusters = clusters(30, &partitions);
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
