//! The crowd of a cluster: its kept documents that are in large buckets, and how those like a given one are found.
//!
//! Documents made from one template share giant buckets without being near-duplicates, and all pairs of 100,000 are out of
//! reach. They share the shingles of the template and are told apart by those that few have. So
//!
//! - kept documents join the crowd in keep order; each [`GROUP`] of them that follow each other is *settled* together. The shingles
//!   that more than [`RARE`] of a group have become *frequent* in the cluster, and each document of it gets up to [`MARKS`] *marks*:
//!   of its shingles that are not frequent, those at even distances in the order of its text. A shingle that would be a
//!   mark of more than [`RARE`] documents becomes frequent;
//! - a document is compared with the kept ones that are not settled yet, fewer than [`GROUP`]; with settled ones
//!   that have a mark among its shingles; and, where its frequent shingles alone may reach the threshold, with settled ones
//!   that share a large bucket with it. Who fails the screen is left out, and who by sizes and marks cannot reach the threshold;
//! - of settled ones at most [`MAX_SETTLED`] are compared: first those with the most marks among its shingles, then those with the
//!   most agreeing lanes, then the earlier ones. What is left out is counted by its likely similarity.
//!
//! All shingles of a document are looked up but few are noted, so memory is bounded by a few hundred bytes a kept document, and
//! a twin is found all the same: who shares a tenth of what is not template shares three marks. (Prefix filters of
//! set-similarity joins index by rareness too: Bayardo, Ma, Srikant 2007; Xiao, Wang, Lin, Yu 2008.)
//!
//! Between two settlements nothing changes but the list of the unsettled, so documents that follow each other can be looked up in
//! parallel ([`super::decide`]).

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::MAX_CHECKS;
use super::marks::{Marks, RARE};
use super::unchecked::Unchecked;
use crate::error::Result;
use crate::params::{Banding, Threshold, jaccard};
use crate::screen::Screen;

/// Kept documents that are settled together.
pub(super) const GROUP: usize = 64;
/// Marks of a document at most.
pub(super) const MARKS: usize = 32;
/// Settled documents that one document is compared with at most: with all the others they are [`MAX_CHECKS`].
pub(super) const MAX_SETTLED: usize = MAX_CHECKS - GROUP;
/// How many shingles ahead memory is asked for.
const AHEAD: usize = 24;
/// Entries of buckets that are looked at for one document at most.
const MAX_LISTED: usize = 32_768;

/// What all crowds have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) threshold: Threshold,
    pub(super) banding: Banding,
    pub(super) screen: Screen,
}

/// The document at hand.
#[derive(Clone, Copy)]
pub(super) struct AtHand<'a> {
    pub(super) shingles: &'a [u64],
    pub(super) buckets: &'a [u32],
    pub(super) packed: &'a [u8],
}

/// Kept documents of a cluster, in keep order; a document's *place* is its turn among them.
#[derive(Debug, Default)]
pub(super) struct Members {
    docs: Vec<u32>,
    packed: Vec<u8>,
    settled: Vec<Settled>,
    /// The others.
    waiting: Vec<Waiting>,
    marks: Marks,
    /// Settled members of each large bucket.
    buckets: HashMap<u32, Vec<u32>>,
    /// How many shingles settled ones have.
    sizes: BTreeSet<u32>,
}

/// A member that is not settled.
#[derive(Debug)]
struct Waiting {
    buckets: Box<[u32]>,
    /// What of it is rare, if that was looked up.
    rare: Option<Rare>,
}

/// What is known of a settled document.
#[derive(Clone, Copy, Debug)]
struct Settled {
    size: u32,
    /// Whether all its shingles were marks or frequent when it was settled.
    is_known: bool,
}

/// A settled document that may be similar enough.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    place: u32,
    /// Shingles that it shares at most.
    bound: usize,
    marks: u32,
    agreeing: u32,
}

/// The shingles of a document that are not frequent, and how many of it are. Of two documents of one crowd this
/// bounds what they share: most pairs of a template are ruled out by the few shingles that are not the template's.
#[derive(Debug)]
pub(super) struct Rare {
    pub(super) shingles: Box<[u64]>,
    pub(super) frequent: usize,
}

/// The buffers of one search.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    marked: Vec<u32>,
    candidates: Vec<Candidate>,
    /// A bit for each place that was seen.
    seen: Vec<u64>,
}

impl Members {
    /// How many kept documents are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a document that stays, and what of it is rare if [`Members::find`] said so.
    pub(super) fn push(&mut self, doc: u32, buckets: &[u32], packed: &[u8], rare: Option<Rare>) {
        self.docs.push(doc);
        self.packed.extend_from_slice(packed);
        self.waiting.push(Waiting { buckets: buckets.into(), rare });
    }

    /// The documents that are to be settled next, if there are enough of them, each with what of it is rare if that is known. It
    /// cannot have changed: nothing becomes frequent but when others are settled.
    pub(super) fn next_group(&mut self) -> Option<Vec<(u32, Option<Rare>)>> {
        let start = self.settled.len();
        let mut group = self.waiting.get_mut(..GROUP)?.iter_mut().map(|waiting| waiting.rare.take());
        Some(self.docs[start..start + GROUP].iter().map(|&doc| (doc, group.next().flatten())).collect())
    }

    /// What of a document is rare.
    pub(super) fn rare(&self, shingles: &[u64]) -> Rare {
        let rare = shingles.iter().copied().filter(|&shingle| !self.marks.is_frequent(shingle));
        let rare: Box<[u64]> = rare.collect();
        Rare { frequent: shingles.len() - rare.len(), shingles: rare }
    }

    /// Settles the next documents, of which the rare shingles are given.
    pub(super) fn settle(&mut self, group: Vec<Rare>) -> Result<()> {
        let mut all: Vec<u64> = group.iter().flat_map(|rare| &rare.shingles).copied().collect();
        all.sort_unstable();
        let of_many = all.chunk_by(|a, b| a == b).filter(|same| same.len() > RARE).map(|same| same[0]);
        let frequent: Vec<u64> = of_many.collect();
        for &shingle in &frequent {
            self.marks.make_frequent(shingle);
        }
        let waiting = self.waiting.drain(..group.len()).collect::<Vec<_>>();
        for (Rare { shingles, frequent: many }, Waiting { buckets, .. }) in group.into_iter().zip(waiting) {
            let place = self.settled.len() as u32;
            let size = shingles.len() + many;
            let mut rest = shingles.into_vec();
            rest.retain(|shingle| frequent.binary_search(shingle).is_err());
            let marks = rest.len().min(MARKS);
            for mark in 0..marks {
                self.marks.add(rest[mark * rest.len() / marks], place)?;
            }
            self.settled.push(Settled { size: size as u32, is_known: marks == rest.len() });
            self.sizes.insert(size as u32);
            for &bucket in &buckets {
                self.buckets.entry(bucket).or_default().push(place);
            }
        }
        Ok(())
    }

    fn agreeing(&self, place: u32, packed: &[u8]) -> u32 {
        Screen::agreeing(&self.packed[place as usize * packed.len()..][..packed.len()], packed)
    }

    /// Appends to `docs` the kept documents that the one at hand is to be compared with, in keep order. What is left out
    /// although it may be similar enough goes to `unchecked`. Gives what of it is rare, once anything is frequent.
    pub(super) fn find(
        &self,
        rules: Rules,
        at_hand: AtHand<'_>,
        scratch: &mut Scratch,
        docs: &mut Vec<u32>,
        unchecked: &mut Unchecked,
    ) -> Option<Rare> {
        let rare = self.find_settled(rules, at_hand, scratch, unchecked);
        docs.extend(scratch.candidates.iter().map(|candidate| self.docs[candidate.place as usize]));
        for place in self.settled.len()..self.docs.len() {
            if rules.screen.is_enough(self.agreeing(place as u32, at_hand.packed)) {
                docs.push(self.docs[place]);
            }
        }
        rare
    }

    fn find_settled(
        &self,
        rules: Rules,
        at_hand: AtHand<'_>,
        scratch: &mut Scratch,
        unchecked: &mut Unchecked,
    ) -> Option<Rare> {
        let Scratch { marked, candidates, seen } = scratch;
        candidates.clear();
        marked.clear();
        if self.settled.is_empty() {
            return None;
        }
        let size = at_hand.shingles.len();
        let rare = self.rare(at_hand.shingles);
        let frequent = rare.frequent;
        for (at, &shingle) in rare.shingles.iter().enumerate() {
            if let Some(&ahead) = rare.shingles.get(at + AHEAD) {
                self.marks.prefetch(ahead);
            }
            self.marks.owners(shingle, marked);
        }
        let may_reach = |bound: usize, other: usize| rules.threshold.reached(bound, size, other);
        seen.clear();
        seen.resize(self.settled.len().div_ceil(64), 0);
        let mut consider = |place: u32, marks: usize| {
            let Settled { size: other, is_known } = self.settled[place as usize];
            let other = other as usize;
            let most = size.min(other);
            let bound = if is_known || marks == 0 { most.min(frequent) + marks } else { most }.min(most);
            if may_reach(bound, other) {
                let agreeing = self.agreeing(place, at_hand.packed);
                if rules.screen.is_enough(agreeing) {
                    candidates.push(Candidate { place, bound, marks: marks as u32, agreeing });
                }
            }
        };
        marked.sort_unstable();
        for same in marked.chunk_by(|a, b| a == b) {
            seen[same[0] as usize / 64] |= 1 << (same[0] % 64);
            consider(same[0], same.len());
        }
        let mut unlisted = 0;
        if self.frequent_may_do(frequent, may_reach) {
            let lists = at_hand.buckets.iter().filter_map(|bucket| self.buckets.get_key_value(bucket));
            let mut lists: Vec<(&u32, &Vec<u32>)> = lists.collect();
            lists.sort_unstable_by_key(|(bucket, list)| (list.len(), **bucket));
            let mut looked_at = 0;
            for (_, list) in lists {
                if looked_at + list.len() > MAX_LISTED {
                    unlisted += list.len() as u64;
                    continue;
                }
                looked_at += list.len();
                for &place in list {
                    let (word, bit) = (&mut seen[place as usize / 64], 1 << (place % 64));
                    if *word & bit == 0 {
                        *word |= bit;
                        consider(place, 0);
                    }
                }
            }
        }
        let rank = |c: &Candidate| (Reverse(c.marks), Reverse(c.agreeing), c.place);
        if candidates.len() > MAX_SETTLED {
            candidates.select_nth_unstable_by_key(MAX_SETTLED, rank);
            for left_out in candidates.drain(MAX_SETTLED..) {
                let most = jaccard(left_out.bound, size, self.settled[left_out.place as usize].size as usize);
                unchecked.add(rules.screen.likely_similarity(left_out.agreeing).min(most), 1);
            }
        }
        candidates.sort_unstable_by_key(|candidate| candidate.place);
        unchecked.add(rules.banding.likely_similarity(1), unlisted);
        Some(rare)
    }

    /// Whether a settled document that has no mark in common with the one at hand may reach the threshold by `frequent`
    /// shingles.
    fn frequent_may_do(&self, frequent: usize, may_reach: impl Fn(usize, usize) -> bool) -> bool {
        // The more a size differs from the number of frequent shingles, the less similar a set of it can be.
        let most = u32::try_from(frequent).unwrap_or(u32::MAX);
        let below = self.sizes.range(..=most).next_back();
        let above = self.sizes.range(most..).next();
        let may = |&other: &u32| may_reach(frequent.min(other as usize), other as usize);
        below.is_some_and(may) || above.is_some_and(may)
    }
}
