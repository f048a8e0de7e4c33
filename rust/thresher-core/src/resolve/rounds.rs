//! Decides the documents of one chunk among each other, in parallel rounds.
//!
//! A document stays when all earlier ones that it has to be compared with were decided and none is similar enough; it goes as
//! soon as one of those that stay is. So in each round the documents that stay since the last one are compared with
//! the later ones beside them, and the outcome of the round is known to the next. Comparisons are made with documents that stay, and
//! with no others: as many as one document after the other would take. A family of copies takes two rounds; a chain of
//! documents of which none goes takes as many rounds as it has links, with one comparison each.

use std::ops::Range;

use rayon::prelude::*;

use super::decide::{Batch, Best, Buffers, Kept, Opinion, Turn, at_least};
use super::sets::{Filter, SetTable};
use super::spare::Spare;
use crate::params::Threshold;

/// Comparisons with one document that one thread makes at least.
const TOGETHER: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Stays,
    Goes,
}

/// Brings the opinions of a chunk to an end: whoever then has no best one stays. Gives the comparisons made.
pub(super) fn settle_within<K: Kept>(
    batch: &Batch<'_, K>,
    chunk: Range<usize>,
    threshold: Threshold,
    opinions: &mut [Opinion],
    buffers: &Spare<Buffers>,
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
    let mut decided: Vec<usize> = (0..turns.len()).filter(|&place| status[place] != Status::Open).collect();
    let mut checks = 0;
    while !decided.is_empty() {
        decided.retain(|&place| !later.of(place).is_empty());
        let (stay, go): (Vec<usize>, Vec<usize>) =
            decided.iter().partition(|&&place| status[place] == Status::Stays);
        let compare = |&place: &usize| {
            buffers.lend(Buffers::default, |Buffers { table, filter, .. }| {
                (place, compare(turns, opinions, threshold, place, later.of(place), (filter, table)))
            })
        };
        let compared: Vec<(usize, Vec<_>)> = stay.par_iter().map(compare).collect();
        decided.clear();
        let mut left = Vec::new();
        for (place, other) in go.iter().flat_map(|&place| later.of(place).iter().map(move |&o| (place, o))) {
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
    turns: &[Turn<'_>],
    opinions: &[Opinion],
    threshold: Threshold,
    place: usize,
    others: &[u32],
    (filter, table): (&mut Filter, &mut SetTable),
) -> Vec<(u32, Option<f64>)> {
    let shingles = turns[place].shingles;
    let least =
        |other: u32| opinions[other as usize].best.map_or(threshold, |best| at_least(best.similarity));
    let mut ruled_out = vec![false; others.len()];
    if let Some(rare) = &opinions[place].rare {
        filter.fill(&rare.shingles);
        let is_out = |&other: &u32| {
            opinions[other as usize].rare.as_ref().is_some_and(|theirs| {
                let shared = least(other).least_shared(shingles.len(), turns[other as usize].shingles.len());
                let rare_shared = shared.saturating_sub(rare.frequent.min(theirs.frequent));
                !filter.may_share(&theirs.shingles, rare_shared)
            })
        };
        ruled_out = others.par_iter().with_min_len(TOGETHER).map(is_out).collect();
    }
    if ruled_out.contains(&false) {
        table.fill(shingles);
    }
    let similar = |(&other, &is_out): (&u32, &bool)| {
        let similarity = || table.similarity(turns[other as usize].shingles, least(other));
        (other, if is_out { None } else { similarity() })
    };
    others.par_iter().zip(&ruled_out).with_min_len(TOGETHER).map(similar).collect()
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
