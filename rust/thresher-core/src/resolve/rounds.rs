//! Decides the documents of one chunk among each other, in parallel rounds.
//!
//! A document stays when all earlier ones that it has to be compared with were decided and none is similar enough; it goes as
//! soon as one of those that stay is. So in each round the documents that stay since the last one are compared with
//! the later ones beside them, and the outcome of the round is known to the next. Comparisons are made with documents that stay, and
//! with no others: as many as one document after the other would take. A family of copies takes two rounds; a chain of
//! documents of which none goes takes as many rounds as it has links, with one comparison each.

use std::ops::Range;

use super::decide::{Batch, Best, Buffers, Kept, Opinion, Turn, at_least};
use super::spare::Spare;
use crate::parallel::{Threads, map};
use crate::params::Threshold;

/// Comparisons with one document that one thread makes at least.
const TOGETHER: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Stays,
    Goes,
}

/// How the documents of a chunk are compared.
#[derive(Clone, Copy)]
pub(super) struct Rounds<'a> {
    pub(super) threshold: Threshold,
    pub(super) buffers: &'a Spare<Buffers>,
    pub(super) threads: &'a dyn Threads,
}

impl Rounds<'_> {
    /// Brings the opinions of a chunk to an end: whoever then has no best one stays. Gives the comparisons made.
    pub(super) fn settle_within<K: Kept>(
        self,
        batch: &Batch<'_, K>,
        chunk: Range<usize>,
        opinions: &mut [Opinion],
    ) -> u64 {
        let turns = &batch.turns[chunk];
        let later = Later::new(opinions);
        let mut open: Vec<usize> = opinions.iter().map(|opinion| opinion.within.len()).collect();
        let mut status: Vec<Status> = (opinions.iter().zip(&open))
            .map(|(opinion, &open)| match opinion.best {
                Some(_) => Status::Goes,
                None if open == 0 => Status::Stays,
                None => Status::Open,
            })
            .collect();
        let mut decided: Vec<usize> =
            (0..turns.len()).filter(|&place| status[place] != Status::Open).collect();
        let mut checks = 0;
        while !decided.is_empty() {
            decided.retain(|&place| !later.of(place).is_empty());
            let (stay, go): (Vec<usize>, Vec<usize>) =
                decided.iter().partition(|&&place| status[place] == Status::Stays);
            let compared = map(self.threads, stay.len(), 1, |at| {
                (stay[at], self.compare(turns, opinions, stay[at], later.of(stay[at])))
            });
            decided.clear();
            let mut left = Vec::new();
            for (place, other) in
                go.iter().flat_map(|&place| later.of(place).iter().map(move |&o| (place, o)))
            {
                debug_assert!(place < other as usize);
                open[other as usize] -= 1;
                left.push(other as usize);
            }
            for (place, others) in compared {
                let doc = turns[place].doc;
                checks += others.len() as u64;
                for (other, similarity) in others {
                    let other = other as usize;
                    open[other] -= 1;
                    left.push(other);
                    let Some(similarity) = similarity else { continue };
                    if batch.is_better(similarity, doc, opinions[other].best) {
                        opinions[other].best = Some(Best { similarity, doc });
                    }
                    if status[other] == Status::Open {
                        status[other] = Status::Goes;
                        decided.push(other);
                    }
                }
            }
            for place in left {
                if status[place] == Status::Open && open[place] == 0 {
                    status[place] = Status::Stays;
                    decided.push(place);
                }
            }
        }
        checks
    }

    /// The similarity of each of `others` with the document at `place`, as far as it matters.
    fn compare(
        self,
        turns: &[Turn<'_>],
        opinions: &[Opinion],
        place: usize,
        others: &[u32],
    ) -> Vec<(u32, Option<f64>)> {
        let own = turns[place].shingles;
        let least = |other: u32| {
            opinions[other as usize].best.map_or(self.threshold, |best| at_least(best.similarity))
        };
        let cluster = |place: usize| turns[place].crowd.map(|crowd| crowd.cluster);
        self.buffers.lend(Buffers::default, |Buffers { filter, compared, .. }| {
            let rare = opinions[place].rare.as_ref();
            if let Some(rare) = rare {
                filter.fill(&rare.shingles);
            }
            compared.fill(own, others.len());
            let (filter, compared) = (&*filter, &*compared);
            map(self.threads, others.len(), TOGETHER, |at| {
                let other = others[at];
                let (theirs, least) = (turns[other as usize].shingles, least(other));
                // What is rare in one cluster says nothing of another.
                let their_rare = opinions[other as usize].rare.as_ref();
                let their_rare = their_rare.filter(|_| cluster(other as usize) == cluster(place));
                let is_out = rare.zip(their_rare).is_some_and(|(rare, their_rare)| {
                    let shared = least.least_shared(own.len(), theirs.len());
                    let rare_shared = shared.saturating_sub(rare.frequent.min(their_rare.frequent));
                    !filter.may_share(&their_rare.shingles, rare_shared)
                });
                let similarity = || {
                    self.buffers.lend(Buffers::default, |buffers| {
                        compared.similarity(own, theirs, least, &mut buffers.rest)
                    })
                };
                (other, if is_out { None } else { similarity() })
            })
        })
    }
}

/// For each document of a chunk, the later ones that have to be compared with it, in compressed rows.
struct Later {
    ends: Vec<usize>,
    others: Vec<u32>,
}

impl Later {
    fn new(opinions: &[Opinion]) -> Self {
        let mut ends = vec![0; opinions.len() + 1];
        for &earlier in opinions.iter().flat_map(|opinion| &opinion.within) {
            ends[earlier as usize + 1] += 1;
        }
        for place in 0..opinions.len() {
            ends[place + 1] += ends[place];
        }
        let mut others = vec![0; ends[opinions.len()]];
        for (place, opinion) in (0..).zip(opinions) {
            for &earlier in &opinion.within {
                let at = &mut ends[earlier as usize];
                others[*at] = place;
                *at += 1;
            }
        }
        Self { ends, others }
    }

    fn of(&self, place: usize) -> &[u32] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.others[start..self.ends[place]]
    }
}
