//! The kept documents that a given one has to be compared with: those that share a bucket with it and that are like it
//! as far as can be told without comparing.
//!
//! As long as they are few, all are compared. In a small cluster, and nearly all are, who is beside whom fits one word a
//! document; in a larger one each document has the list of its buckets, and each bucket that of its kept members.
//! Where more than [`FEW`] are beside a document, they are ranked ([`super::likeness`]): those that sizes and rare shingles
//! rule out are left out; of the others come first those that share the most rare shingles, then those that share the most
//! buckets, then the earlier ones. A kept document with the same shingles comes alone. At most [`MAX_CHECKS`] are given,
//! and the rest is counted by its likely similarity.

use std::cmp::Reverse;

use super::MAX_CHECKS;
use super::buckets::{Beside, Buckets};
use super::kept::KeptSets;
use super::likeness::Likeness;
use super::numbering::NumberSet;
use super::reader::Reader;
use super::unchecked::Unchecked;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::params::{Banding, Threshold, jaccard};

/// Documents of a cluster up to which neighbours are bits of a word, and kept ones beside a document up to which all are
/// compared.
const FEW: usize = 64;

/// A kept document, by its place, that may be similar enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) place: u32,
    /// Shingles that it shares at most.
    pub(super) bound: usize,
    rare: u32,
    buckets: u32,
}

/// The document at hand, and what is known of all before it.
#[derive(Clone, Copy)]
pub(super) struct AtHand<'a> {
    /// Its position in the cluster, with which its numbers are marked.
    pub(super) member: u32,
    pub(super) set: &'a NumberSet,
    pub(super) kept: &'a KeptSets,
    pub(super) reader: &'a Reader,
}

impl AtHand<'_> {
    /// Whether a kept document that shares at most `bound` shingles may be similar enough.
    fn may_reach(&self, threshold: Threshold, place: u32, bound: usize) -> bool {
        threshold.reached(bound, self.set.len(), self.kept.size(place))
    }
}

/// Who has to be compared with whom in one cluster. Holds its buffers from one to the next.
#[derive(Debug)]
pub(super) struct Candidates {
    threshold: Threshold,
    banding: Banding,
    is_small: bool,
    small: Small,
    buckets: Buckets,
    likeness: Likeness,
    beside: Vec<Beside>,
    list: Vec<Candidate>,
}

impl Candidates {
    pub(super) fn new(threshold: Threshold, banding: Banding) -> Self {
        Self {
            threshold,
            banding,
            is_small: false,
            small: Small { beside: Vec::new(), kept: 0, places: [0; FEW] },
            buckets: Buckets::default(),
            likeness: Likeness::default(),
            beside: Vec::new(),
            list: Vec::new(),
        }
    }

    /// Takes the buckets of a cluster.
    pub(super) fn begin(&mut self, cluster: Cluster<'_>) {
        self.is_small = cluster.docs.len() <= FEW;
        if self.is_small {
            self.small.begin(cluster);
        } else {
            self.buckets.begin(cluster);
            self.likeness.clear();
        }
    }

    /// The kept documents to compare the one at hand with. What is left out although it may be similar enough goes to
    /// `unchecked`.
    pub(super) fn find(&mut self, at_hand: AtHand<'_>, unchecked: &mut Unchecked) -> Result<&[Candidate]> {
        self.list.clear();
        self.beside.clear();
        if self.is_small {
            self.small.list_beside(at_hand.member, &mut self.beside);
        } else if !self.buckets.list_few(at_hand.member, FEW, &mut self.beside) {
            self.rank(at_hand, unchecked)?;
            return Ok(&self.list);
        }
        for &Beside { place, .. } in &self.beside {
            let bound = at_hand.set.len().min(at_hand.kept.size(place));
            if at_hand.may_reach(self.threshold, place, bound) {
                self.list.push(Candidate { place, bound, rare: 0, buckets: 0 });
            }
        }
        Ok(&self.list)
    }

    /// Lists those of many that are most like the one at hand.
    fn rank(&mut self, at_hand: AtHand<'_>, unchecked: &mut Unchecked) -> Result<()> {
        let AtHand { member, set, kept, reader } = at_hand;
        self.likeness.catch_up(kept, |runs| reader.sum(runs))?;
        if let Some(place) = self.likeness.with_sum(reader.sum(set.runs()))
            && kept.size(place) == set.len()
            && reader.count_marked(kept.runs(place), member) == set.len()
            && self.buckets.shared(member, kept.member(place)) > 0
        {
            self.list.push(Candidate { place, bound: set.len(), rare: 0, buckets: 0 });
            return Ok(());
        }
        let Self { threshold, buckets, likeness, beside, list, .. } = self;
        likeness.count(set);
        for &place in likeness.sharing() {
            let bound = likeness.bound(place);
            if at_hand.may_reach(*threshold, place, bound) {
                let shared = buckets.shared(member, kept.member(place));
                if shared > 0 {
                    list.push(Candidate { place, bound, rare: likeness.rare_shared(place), buckets: shared });
                }
            }
        }
        let mut unlisted = 0;
        if likeness.frequent_may_do(set.len(), *threshold) {
            beside.clear();
            unlisted = buckets.list_many(member, beside);
            for &Beside { place, buckets } in &*beside {
                let bound = likeness.bound(place);
                if likeness.rare_shared(place) == 0 && at_hand.may_reach(*threshold, place, bound) {
                    list.push(Candidate { place, bound, rare: 0, buckets });
                }
            }
        }
        self.list.sort_unstable_by_key(|c| (Reverse(c.rare), Reverse(c.buckets), c.place));
        for candidate in self.list.drain(MAX_CHECKS.min(self.list.len())..) {
            let most = jaccard(candidate.bound, set.len(), kept.size(candidate.place));
            unchecked.add(self.banding.likely_similarity(candidate.buckets as usize).min(most), 1);
        }
        unchecked.add(self.banding.likely_similarity(1), unlisted);
        Ok(())
    }

    /// `member` stays.
    pub(super) fn keep(&mut self, member: u32) {
        if self.is_small { self.small.keep(member) } else { self.buckets.keep(member) }
    }
}

/// At most 64 documents.
#[derive(Debug)]
struct Small {
    /// For each document, those that share a bucket with it, itself included.
    beside: Vec<u64>,
    kept: u64,
    /// The place of each kept document.
    places: [u8; FEW],
}

impl Small {
    fn begin(&mut self, cluster: Cluster<'_>) {
        self.beside.clear();
        self.beside.resize(cluster.docs.len(), 0);
        self.kept = 0;
        for bucket in cluster.buckets() {
            let members = bucket.iter().fold(0, |members, &doc| members | 1 << doc);
            for &doc in bucket {
                self.beside[doc as usize] |= members;
            }
        }
    }

    fn list_beside(&self, member: u32, list: &mut Vec<Beside>) {
        let mut rest = self.beside[member as usize] & self.kept;
        while rest != 0 {
            let place = u32::from(self.places[rest.trailing_zeros() as usize]);
            list.push(Beside { place, buckets: 1 });
            rest &= rest - 1;
        }
    }

    fn keep(&mut self, member: u32) {
        self.places[member as usize] = self.kept.count_ones() as u8;
        self.kept |= 1 << member;
    }
}
