//! Verification: exact Jaccard decides, and only against a document that stays.
//!
//! The documents of a cluster are considered in keep order. One is removed if a document already *kept* that shares a
//! bucket with it has an exact Jaccard similarity of at least the threshold, and names the most similar
//! such document; otherwise it is kept. So there is no removal by a chain of neighbours and none on an estimate.
//!
//! The shingles of a cluster overlap a great deal, so each distinct one gets a small number from a hash table, once. A set is then
//! a list of numbers, and the size of an intersection is a count of marks: no sorting, no merging. Time is linear
//! in the shingles of the cluster plus, for each candidate pair, those of the kept document.
//!
//! A document is compared with at most [`MAX_CHECKS`] kept ones, those of its smallest buckets first: documents made from one
//! template share giant buckets without being near-duplicates, and all pairs of 100,000 are out of reach.
//! A true near-duplicate shares several buckets, so it is found among the small ones; the number of documents
//! whose list was cut is reported.

use crate::cluster::Cluster;
use crate::params::{Threshold, jaccard};
use crate::precedence::Precedence;

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

/// Resolves clusters. Holds the buffers of one thread.
#[derive(Debug, Default)]
pub struct Resolver {
    order: Vec<u32>,
    numbering: Numbering,
    candidates: Candidates,
    shingles: Vec<u64>,
    set: Vec<u32>,
    kept_sets: KeptSets,
}

impl Resolver {
    /// Resolves one cluster. `shingles_of` appends the shingles of a document, in any order, repetitions
    /// allowed; it is called once a document, in keep order.
    ///
    /// # Errors
    /// The first error of `shingles_of`.
    pub fn resolve<E>(
        &mut self,
        cluster: Cluster<'_>,
        precedence: Precedence<'_>,
        threshold: Threshold,
        mut shingles_of: impl FnMut(u32, &mut Vec<u64>) -> Result<(), E>,
    ) -> Result<Resolution, E> {
        let Self { order, numbering, candidates, shingles, set, kept_sets } = self;
        let before = |a: u32, b: u32| precedence.compare(cluster.docs[a as usize], cluster.docs[b as usize]);
        order.clear();
        order.extend(0..cluster.docs.len() as u32);
        order.sort_unstable_by(|&a, &b| before(a, b));
        candidates.begin(cluster);
        numbering.begin();
        kept_sets.begin(cluster.docs.len());
        let mut resolution = Resolution::default();
        for &member in &*order {
            shingles.clear();
            shingles_of(cluster.docs[member as usize], shingles)?;
            numbering.mark(shingles, member, set);
            let (kept, capped) = candidates.kept_beside(member);
            resolution.capped += u64::from(capped);
            let mut best: Option<(f64, u32)> = None;
            for &other in kept {
                let other_set = kept_sets.get(other);
                let (small, large) = (set.len().min(other_set.len()), set.len().max(other_set.len()));
                if !threshold.reached(small, small, large) {
                    continue;
                }
                resolution.checks += 1;
                let shared = numbering.count_marked(other_set, member);
                if threshold.reached(shared, set.len(), other_set.len()) {
                    let similarity = jaccard(shared, set.len(), other_set.len());
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
            }
        }
        Ok(resolution)
    }
}

/// The sets of the kept documents of a cluster, one after the other.
#[derive(Debug, Default)]
struct KeptSets {
    /// Where the set of each document is, if it is kept.
    places: Vec<(usize, usize)>,
    numbers: Vec<u32>,
}

impl KeptSets {
    fn begin(&mut self, n_docs: usize) {
        self.places.clear();
        self.places.resize(n_docs, (0, 0));
        self.numbers.clear();
    }

    fn keep(&mut self, doc: u32, set: &[u32]) {
        let start = self.numbers.len();
        self.numbers.extend_from_slice(set);
        self.places[doc as usize] = (start, self.numbers.len());
    }

    fn get(&self, doc: u32) -> &[u32] {
        let (start, end) = self.places[doc as usize];
        &self.numbers[start..end]
    }
}

/// Small numbers for the distinct shingles of a cluster, and the last document that had each.
///
/// Near-duplicates repeat each other's shingles in the same order, so the number that followed the last one before
/// is tried first; the hash table is asked where texts part.
#[derive(Debug, Default)]
struct Numbering {
    /// The shingle of each number.
    keys: Vec<u64>,
    /// The number that last followed each number.
    next: Vec<u32>,
    /// For each number, the last document marked, plus one.
    marks: Vec<u32>,
    /// Open addressing: numbers plus one, 0 where free. A power of two long, at most half full.
    table: Vec<u32>,
}

impl Numbering {
    /// Forgets the cluster before; memory stays, but the table starts small, so that no cluster pays for another's.
    fn begin(&mut self) {
        self.keys.clear();
        self.next.clear();
        self.marks.clear();
        self.table.clear();
    }

    /// Marks the shingles of `doc` and puts the numbers of the distinct ones into `set`.
    fn mark(&mut self, shingles: &[u64], doc: u32, set: &mut Vec<u32>) {
        set.clear();
        self.reserve(shingles.len());
        let mut last = None;
        for &shingle in shingles {
            let guess = last.map_or(0, |last: usize| self.next[last] as usize);
            let number = match self.keys.get(guess) {
                Some(&key) if key == shingle => guess,
                _ => {
                    let number = self.find(shingle);
                    if let Some(last) = last {
                        self.next[last] = number as u32;
                    }
                    number
                }
            };
            let mark = &mut self.marks[number];
            if *mark != doc + 1 {
                *mark = doc + 1;
                set.push(number as u32);
            }
            last = Some(number);
        }
    }

    /// The number of a shingle, a new one if it has none.
    fn find(&mut self, shingle: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut place = shingle as usize & mask;
        loop {
            match self.table[place] as usize {
                0 => {
                    let number = self.keys.len();
                    self.keys.push(shingle);
                    self.next.push(number as u32 + 1);
                    self.marks.push(0);
                    self.table[place] = number as u32 + 1;
                    return number;
                }
                taken if self.keys[taken - 1] == shingle => return taken - 1,
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// How many of the numbers in `set` are marked by `doc`, which was marked last.
    fn count_marked(&self, set: &[u32], doc: u32) -> usize {
        set.iter().filter(|&&number| self.marks[number as usize] == doc + 1).count()
    }

    /// Keeps the table at most half full with `more` new shingles.
    fn reserve(&mut self, more: usize) {
        let wanted = (2 * (self.keys.len() + more)).next_power_of_two().max(64);
        if wanted <= self.table.len() {
            return;
        }
        self.table.clear();
        self.table.resize(wanted, 0);
        for (number, &key) in self.keys.iter().enumerate() {
            let mut place = key as usize & (wanted - 1);
            while self.table[place] != 0 {
                place = (place + 1) & (wanted - 1);
            }
            self.table[place] = number as u32 + 1;
        }
    }
}

/// The kept documents that share a bucket with a given one. Documents are positions in the cluster.
#[derive(Debug, Default)]
struct Candidates {
    /// The buckets of each document, in compressed rows.
    bucket_ends: Vec<usize>,
    buckets: Vec<u32>,
    /// The kept documents of each bucket.
    kept: Vec<Vec<u32>>,
    /// The last document for which a kept one was listed, plus one.
    listed_for: Vec<u32>,
    list: Vec<u32>,
}

impl Candidates {
    /// Takes the buckets of a cluster. Equal ones count once, and their order does not depend on how they were found.
    fn begin(&mut self, cluster: Cluster<'_>) {
        let mut distinct: Vec<&[u32]> = cluster.buckets().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let position = |doc: u32| cluster.docs.binary_search(&doc).unwrap_or_default();
        let n_docs = cluster.docs.len();
        self.bucket_ends.clear();
        self.bucket_ends.resize(n_docs + 1, 0);
        for &doc in distinct.iter().copied().flatten() {
            self.bucket_ends[position(doc) + 1] += 1;
        }
        for doc in 0..n_docs {
            self.bucket_ends[doc + 1] += self.bucket_ends[doc];
        }
        self.buckets.clear();
        self.buckets.resize(self.bucket_ends[n_docs], 0);
        for (bucket, docs) in distinct.iter().enumerate() {
            for &doc in *docs {
                let place = &mut self.bucket_ends[position(doc)];
                self.buckets[*place] = bucket as u32;
                *place += 1;
            }
        }
        self.kept.truncate(distinct.len());
        self.kept.iter_mut().for_each(Vec::clear);
        self.kept.resize(distinct.len(), Vec::new());
        self.listed_for.clear();
        self.listed_for.resize(n_docs, 0);
    }

    fn buckets_of(&self, doc: u32) -> std::ops::Range<usize> {
        let doc = doc as usize;
        (if doc == 0 { 0 } else { self.bucket_ends[doc - 1] })..self.bucket_ends[doc]
    }

    /// The kept documents beside `doc`, those of its smallest buckets first, and whether the list was cut.
    fn kept_beside(&mut self, doc: u32) -> (&[u32], bool) {
        let range = self.buckets_of(doc);
        let Self { buckets, kept, listed_for, list, .. } = self;
        let mine = &mut buckets[range];
        mine.sort_by_key(|&bucket| (kept[bucket as usize].len(), bucket));
        list.clear();
        for &bucket in mine.iter() {
            for &other in &kept[bucket as usize] {
                if listed_for[other as usize] != doc + 1 {
                    if list.len() == MAX_CHECKS {
                        return (list, true);
                    }
                    listed_for[other as usize] = doc + 1;
                    list.push(other);
                }
            }
        }
        (list, false)
    }

    fn keep(&mut self, doc: u32) {
        for &bucket in &self.buckets[self.buckets_of(doc)] {
            self.kept[bucket as usize].push(doc);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word, over sets.
    fn naive(sets: &[BTreeSet<u64>], buckets: &[Vec<u32>], threshold: f64) -> BTreeMap<u32, (u32, f64)> {
        let (mut kept, mut removed) = (Vec::new(), BTreeMap::new());
        for doc in 0..sets.len() as u32 {
            let beside = |other: &u32| buckets.iter().any(|b| b.contains(&doc) && b.contains(other));
            let mut best: Option<(u32, f64)> = None;
            for other in kept.iter().copied().filter(beside) {
                let (a, b) = (&sets[doc as usize], &sets[other as usize]);
                let union = a.union(b).count();
                let similarity =
                    if union == 0 { 0.0 } else { a.intersection(b).count() as f64 / union as f64 };
                if similarity >= threshold && best.is_none_or(|(_, most)| similarity > most) {
                    best = Some((other, similarity));
                }
            }
            match best {
                Some(best) => drop(removed.insert(doc, best)),
                None => kept.push(doc),
            }
        }
        removed
    }

    fn run(sets: &[Vec<u64>], buckets: &[Vec<u32>], threshold: f64) -> Resolution {
        let docs: Vec<u32> = (0..sets.len() as u32).collect();
        let buckets: Vec<&[u32]> = buckets.iter().map(Vec::as_slice).collect();
        let threshold = Threshold::try_new(threshold).unwrap();
        let mut last = Resolution::default();
        // A resolver that has worked on another cluster before.
        let mut resolver = Resolver::default();
        for _ in 0..2 {
            let shingles_of = |doc: u32, out: &mut Vec<u64>| {
                out.extend_from_slice(&sets[doc as usize]);
                Ok::<_, Infallible>(())
            };
            let cluster = Cluster::new(&docs, &buckets);
            last = resolver.resolve(cluster, Precedence::First, threshold, shingles_of).unwrap();
        }
        last
    }

    proptest! {
        #[test]
        fn resolution_is_the_definition(
            sets in prop::collection::vec(prop::collection::vec(0..12u64, 0..14), 1..12),
            picks in prop::collection::vec(prop::collection::btree_set(0..12u32, 2..6), 0..8),
            threshold in 0.2f64..1.0,
        ) {
            let n_docs = sets.len() as u32;
            let buckets: Vec<Vec<u32>> = picks.into_iter()
                .map(|b| b.into_iter().filter(|&doc| doc < n_docs).collect::<Vec<u32>>())
                .filter(|b| b.len() > 1).collect();
            let expected = naive(&sets.iter().map(|s| s.iter().copied().collect()).collect::<Vec<_>>(), &buckets, threshold);
            let found: BTreeMap<u32, (u32, f64)> =
                run(&sets, &buckets, threshold).removals.iter().map(|r| (r.doc, (r.duplicate_of, r.similarity))).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_chain_of_neighbours_removes_nothing_that_is_unlike_the_kept_one() {
        let sets: Vec<Vec<u64>> = (0..5).map(|i| (i..i + 4).collect()).collect();
        let removals = run(&sets, &[vec![0, 1, 2, 3, 4]], 0.6).removals;
        let pairs: Vec<(u32, u32)> = removals.iter().map(|r| (r.doc, r.duplicate_of)).collect();
        assert_eq!(pairs, [(1, 0), (3, 2)]);
    }

    #[test]
    fn one_giant_bucket_of_unlike_documents_costs_a_bounded_number_of_checks() {
        let n_docs = 3000u64;
        let sets: Vec<Vec<u64>> =
            (0..n_docs).map(|i| [1, 2, 3, 1000 + 2 * i, 1001 + 2 * i].to_vec()).collect();
        let resolution = run(&sets, &[(0..n_docs as u32).collect()], 0.8);
        assert_eq!(resolution.removals, []);
        assert!(resolution.checks <= n_docs * MAX_CHECKS as u64);
        assert_eq!(resolution.capped, n_docs - 1 - MAX_CHECKS as u64);
    }
}
