//! Decides which candidates stay, a batch at a time: exact, parallel, and the same as one document after the other.
//!
//! Documents come in keep order. One goes if a kept one that is its neighbour has an exact Jaccard similarity of at least
//! the threshold, and names the most similar such document, of several the earliest. Its neighbours are the documents that it
//! has an edge with ([`crate::lsh::edges`]) and, for members of large buckets, those of the crowd ([`super::crowd`]).
//! The sets of kept documents are not held here: whoever calls gives them again ([`Kept`]).
//!
//! A batch is worked on in chunks, in two steps. First each document of the chunk is compared, in parallel, with what was kept before
//! the chunk. Then those within the chunk are compared with each other in rounds ([`super::rounds`]). A crowd does not
//! change within a chunk but for members that all are compared with, so nothing that was looked up turns out wrong.
//! Time is that of the comparisons, each at most linear in the two sets.

use std::collections::HashMap;
use std::ops::Range;

use super::Removal;
use super::crowd::{AtHand, GROUP, Members, Rare, Rules, Scratch};
use super::rounds::Rounds;
use super::sets::{Compared, Filter, Rest};
use super::spare::Spare;
use super::unchecked::Unchecked;
use crate::error::{Error, Result};
use crate::observe::{Observer, check};
use crate::parallel::{Threads, map};
use crate::params::{DedupConfig, Threshold, jaccard};
use crate::screen::Screen;

/// Documents of a chunk at most.
const CHUNK: usize = 1024;
/// Documents of a chunk that a thread takes at a time.
const GRAIN: usize = 8;

/// The documents that were kept in earlier batches.
pub trait Kept: Sync {
    /// The distinct keyed shingles of a kept document, in the order in which its [`Turn`] had them; in `buffer`, unless they
    /// are at hand.
    ///
    /// # Errors
    /// Whatever reading them may fail with.
    fn shingles<'a>(&'a self, doc: u32, buffer: &'a mut Vec<u64>) -> Result<&'a [u64]>;

    /// How many there are, if that can be told without reading them: a document that cannot be similar enough by its
    /// size is not read then.
    fn size(&self, doc: u32) -> Option<usize> {
        let _ = doc;
        None
    }

    /// Whether `a` comes before `b` in keep order.
    fn before(&self, a: u32, b: u32) -> bool;
}

/// A document whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The document.
    pub doc: u32,
    /// Its distinct keyed shingles, in the order of its text: so what is chosen among them does not depend on the keys.
    pub shingles: &'a [u64],
    /// The documents it has edges with that come earlier in keep order, whether they were kept or not, in any order.
    pub earlier: &'a [u32],
    /// What finds others like it if it is in a large bucket.
    pub crowd: Option<Crowd<'a>>,
}

/// The large buckets of a document.
#[derive(Clone, Copy, Debug)]
pub struct Crowd<'a> {
    /// Its cluster.
    pub cluster: u32,
    /// The buckets, numbered over the whole corpus.
    pub buckets: &'a [u32],
    /// Its packed signature.
    pub packed: &'a [u8],
}

/// What decisions cost, and what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pairs that were compared; the same for batches of any size.
    pub checks: u64,
    /// Documents that stay although some comparisons were left out.
    pub capped: u64,
    /// The comparisons of these that were left out although the documents may be similar enough.
    pub unchecked: Unchecked,
}

/// The most similar kept document so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub(super) similarity: f64,
    pub(super) doc: u32,
}

/// What is known of a document before it is compared with others of its chunk.
#[derive(Debug, Default)]
pub(super) struct Opinion {
    pub(super) best: Option<Best>,
    /// Turns of the chunk, by their places in it, that it has to be compared with if they stay; ascending.
    pub(super) within: Vec<u32>,
    /// What is rare of it in its crowd.
    pub(super) rare: Option<Rare>,
    checks: u64,
    left_out: Unchecked,
}

/// The buffers of one document's work.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) compared: Compared,
    pub(super) rest: Rest,
    pub(super) filter: Filter,
    set: Vec<u64>,
    candidates: Vec<u32>,
    scratch: Scratch,
}

/// Decides batches of documents in keep order.
#[derive(Debug)]
pub struct Decider {
    rules: Rules,
    /// A bit for each document that was kept.
    kept: Vec<u64>,
    crowds: HashMap<u32, Members>,
    counts: Counts,
    buffers: Spare<Buffers>,
}

/// The turns of a batch, and the sets of all documents that were kept before.
pub(super) struct Batch<'a, K> {
    pub(super) turns: &'a [Turn<'a>],
    places: HashMap<u32, u32>,
    kept: &'a K,
}

impl<'a, K: Kept> Batch<'a, K> {
    fn new(turns: &'a [Turn<'a>], kept: &'a K) -> Self {
        let places = (0..).zip(turns).map(|(place, turn)| (turn.doc, place)).collect();
        Self { turns, places, kept }
    }

    fn turn(&self, doc: u32) -> Option<&'a Turn<'a>> {
        self.places.get(&doc).map(|&place| &self.turns[place as usize])
    }

    fn size(&self, doc: u32) -> Option<usize> {
        self.turn(doc).map_or_else(|| self.kept.size(doc), |turn| Some(turn.shingles.len()))
    }

    fn set<'s>(&'s self, doc: u32, buffer: &'s mut Vec<u64>) -> Result<&'s [u64]> {
        if let Some(turn) = self.turn(doc) {
            return Ok(turn.shingles);
        }
        self.kept.shingles(doc, buffer)
    }

    fn before(&self, a: u32, b: u32) -> bool {
        match (self.places.get(&a), self.places.get(&b)) {
            (None, None) => self.kept.before(a, b),
            (a, b) => a < b,
        }
    }

    /// Whether a document with this similarity is to be named rather than the best one so far.
    pub(super) fn is_better(&self, similarity: f64, doc: u32, best: Option<Best>) -> bool {
        best.is_none_or(|best| {
            similarity > best.similarity || similarity >= best.similarity && self.before(doc, best.doc)
        })
    }
}

impl Decider {
    /// Nothing is kept yet of `n_docs` documents.
    #[must_use]
    pub fn new(config: &DedupConfig, n_docs: usize) -> Self {
        let screen = Screen::new(config.threshold, config.num_hashes);
        Self {
            rules: Rules { threshold: config.threshold, banding: config.banding, screen },
            kept: vec![0; n_docs.div_ceil(64)],
            crowds: HashMap::new(),
            counts: Counts::default(),
            buffers: Spare::default(),
        }
    }

    /// Keeps documents whatever they are like, before all others: reference documents.
    ///
    /// # Errors
    /// `Error::Parameter` for a document of more than 2^32 - 1 shingles.
    pub fn stand(&mut self, turns: &[Turn<'_>]) -> Result<()> {
        check_sizes(turns)?;
        for turn in turns {
            self.keep(turn, None);
        }
        Ok(())
    }

    /// Decides a batch in keep order, on `threads`: gives the removal of each document that goes. The
    /// outcome is that of one document after the other, for batches of any size and any number of threads.
    ///
    /// # Errors
    /// `Error::Cancelled` when the observer asks for it, `Error::Parameter` for a document of more than 2^32 - 1 shingles,
    /// and whatever `kept` fails with. Nothing can be decided after an error.
    pub fn decide(
        &mut self,
        turns: &[Turn<'_>],
        kept: &impl Kept,
        threads: &dyn Threads,
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Removal>>> {
        check_sizes(turns)?;
        let batch = Batch::new(turns, kept);
        let mut decided = Vec::with_capacity(turns.len());
        while decided.len() < turns.len() {
            check(observer)?;
            let start = decided.len();
            let (end, crowds) = self.next_chunk(&batch, start, threads)?;
            self.decide_chunk(&batch, start..end, &crowds, (threads, observer), &mut decided)?;
        }
        Ok(decided)
    }

    /// What all decisions cost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn is_kept(&self, doc: u32) -> bool {
        self.kept[doc as usize / 64] & 1 << (doc % 64) != 0
    }

    fn keep(&mut self, turn: &Turn<'_>, rare: Option<Rare>) {
        self.kept[turn.doc as usize / 64] |= 1 << (turn.doc % 64);
        if let Some(crowd) = turn.crowd {
            let members = self.crowds.entry(crowd.cluster).or_default();
            members.push(turn.doc, crowd.buckets, crowd.packed, rare);
        }
    }

    /// Settles what has to be settled before the turn at `start`, and gives the end of the turns from there on in which nothing can
    /// have to be, and those among them in each crowd.
    fn next_chunk<K: Kept>(
        &mut self,
        batch: &Batch<'_, K>,
        start: usize,
        threads: &dyn Threads,
    ) -> Result<(usize, HashMap<u32, Vec<usize>>)> {
        let mut crowds: HashMap<u32, Vec<usize>> = HashMap::new();
        let end = batch.turns.len().min(start + CHUNK);
        for (place, turn) in (start..end).zip(&batch.turns[start..end]) {
            let Some(crowd) = turn.crowd else { continue };
            let members = self.crowds.entry(crowd.cluster).or_default();
            if !crowds.contains_key(&crowd.cluster) {
                settle(members, batch, &self.buffers, threads)?;
            }
            let here = crowds.entry(crowd.cluster).or_default();
            if members.unsettled() + here.len() == GROUP {
                return Ok((place, crowds));
            }
            here.push(place);
        }
        Ok((end, crowds))
    }

    fn decide_chunk<K: Kept>(
        &mut self,
        batch: &Batch<'_, K>,
        chunk: Range<usize>,
        crowds: &HashMap<u32, Vec<usize>>,
        (threads, observer): (&dyn Threads, &dyn Observer),
        decided: &mut Vec<Option<Removal>>,
    ) -> Result<()> {
        let opinion = |at: usize| {
            check(observer)?;
            let place = chunk.start + at;
            self.buffers
                .lend(Buffers::default, |buffers| self.look(batch, chunk.start, place, crowds, buffers))
        };
        let opinions = map(threads, chunk.len(), GRAIN, opinion).into_iter();
        let mut opinions = opinions.collect::<Result<Vec<Opinion>>>()?;
        let rounds = Rounds { threshold: self.rules.threshold, buffers: &self.buffers, threads };
        self.counts.checks += rounds.settle_within(batch, chunk.clone(), &mut opinions);
        for (turn, opinion) in batch.turns[chunk].iter().zip(opinions) {
            self.counts.checks += opinion.checks;
            decided.push(opinion.best.map(|Best { similarity, doc }| Removal {
                doc: turn.doc,
                duplicate_of: doc,
                similarity,
            }));
            if opinion.best.is_none() {
                self.keep(turn, opinion.rare);
                self.counts.capped += u64::from(opinion.left_out.pairs() > 0);
                self.counts.unchecked.merge(&opinion.left_out);
            }
        }
        Ok(())
    }

    /// Compares the document at `place` with what was kept before the chunk that begins at `start`, and lists those of the chunk that
    /// it may have to be compared with.
    fn look<K: Kept>(
        &self,
        batch: &Batch<'_, K>,
        start: usize,
        place: usize,
        crowds: &HashMap<u32, Vec<usize>>,
        buffers: &mut Buffers,
    ) -> Result<Opinion> {
        let turn = &batch.turns[place];
        let Buffers { compared, rest, set, candidates, scratch, .. } = buffers;
        let mut opinion = Opinion::default();
        let size = turn.shingles.len();
        let may_do = |other: usize| self.rules.threshold.reached(size.min(other), size, other);
        candidates.clear();
        for &doc in turn.earlier {
            if self.is_kept(doc) {
                candidates.push(doc);
            } else if let Some(&other) = batch.places.get(&doc)
                && (start..place).contains(&(other as usize))
            {
                opinion.within.push(other - start as u32);
            }
        }
        if let Some(crowd) = turn.crowd {
            let at_hand = AtHand { shingles: turn.shingles, buckets: crowd.buckets, packed: crowd.packed };
            if let Some(members) = self.crowds.get(&crowd.cluster) {
                opinion.rare = members.find(self.rules, at_hand, scratch, candidates, &mut opinion.left_out);
            }
            let here = crowds.get(&crowd.cluster).into_iter().flatten().take_while(|&&other| other < place);
            let passes = |other: &&usize| {
                let packed = batch.turns[**other].crowd.map_or(&[][..], |crowd| crowd.packed);
                self.rules.screen.passes(packed, crowd.packed)
            };
            opinion.within.extend(here.filter(passes).map(|other| (other - start) as u32));
        }
        for list in [&mut *candidates, &mut opinion.within] {
            list.sort_unstable();
            list.dedup();
        }
        opinion.within.retain(|&other| may_do(batch.turns[start + other as usize].shingles.len()));
        let mut is_filled = false;
        for &doc in &*candidates {
            let most = |other: usize| jaccard(size.min(other), size, other);
            if batch.size(doc).is_some_and(|other| !may_do(other)) {
                continue;
            }
            if let Some(other) = batch.size(doc)
                && !batch.is_better(most(other), doc, opinion.best)
            {
                opinion.checks += 1;
                continue;
            }
            let others = batch.set(doc, set)?;
            if !may_do(others.len()) {
                continue;
            }
            opinion.checks += 1;
            if !std::mem::replace(&mut is_filled, true) {
                compared.fill(turn.shingles, candidates.len());
            }
            let least = opinion.best.map_or(self.rules.threshold, |best| at_least(best.similarity));
            if let Some(similarity) = compared.similarity(turn.shingles, others, least, rest)
                && batch.is_better(similarity, doc, opinion.best)
            {
                opinion.best = Some(Best { similarity, doc });
            }
        }
        Ok(opinion)
    }
}

/// A similarity that was found, as one to ask for.
pub(super) fn at_least(similarity: f64) -> Threshold {
    Threshold::try_new(similarity).unwrap_or_default()
}

/// Settles the members of a crowd as far as they are enough.
fn settle<K: Kept>(
    members: &mut Members,
    batch: &Batch<'_, K>,
    buffers: &Spare<Buffers>,
    threads: &dyn Threads,
) -> Result<()> {
    while let Some(mut group) = members.next_group() {
        let unknown: Vec<usize> = (0..group.len()).filter(|&at| group[at].1.is_none()).collect();
        let rare_of = |at: usize| {
            let doc = group[unknown[at]].0;
            buffers.lend(Buffers::default, |buffers| Ok(members.rare(batch.set(doc, &mut buffers.set)?)))
        };
        let found = map(threads, unknown.len(), 1, rare_of);
        for (at, rare) in unknown.into_iter().zip(found) {
            group[at].1 = Some(rare?);
        }
        members.settle(group.into_iter().filter_map(|(_, rare)| rare).collect())?;
    }
    Ok(())
}

fn check_sizes(turns: &[Turn<'_>]) -> Result<()> {
    match turns.iter().find(|turn| u32::try_from(turn.shingles.len()).is_err()) {
        None => Ok(()),
        Some(turn) => Err(Error::Parameter(format!(
            "document `{}` has `{}` distinct shingles, but 4,294,967,295 are the most that one may have; split it",
            turn.doc,
            turn.shingles.len()
        ))),
    }
}

#[cfg(test)]
mod tests;
