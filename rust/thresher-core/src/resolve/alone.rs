//! One cluster by itself, as long as few of its documents stay: its texts are followed along each other's bytes.
//!
//! That is the fastest way where documents are near-copies ([`super::reader`]). Neighbours are the documents with an edge and, in
//! a crowd of which none is settled yet, all kept members that pass the screen ([`super::crowd`]); a crowd that has to be settled
//! is given up, and so is a cluster of which many stay. What is given up is decided otherwise ([`super::decide`]).
//!
//! A cluster that holds much of the corpus is resolved by several threads: each has read all that was kept, and
//! takes every so manyth document of the next ones. Their outcomes count up to the first that has a neighbour among those that
//! the same round kept; from there on the next round begins.

use rayon::prelude::*;

use super::crowd::GROUP;
use super::kept::KeptSets;
use super::numbering::NumberSet;
use super::reader::Reader;
use super::{DOCS_A_QUESTION, Removal, Resolution, Texts};
use crate::error::Result;
use crate::hash::Keys;
use crate::observe::{Observer, check};
use crate::params::{DedupConfig, Threshold, jaccard};
use crate::precedence::Precedence;
use crate::screen::Screen;

/// The place of a document that was not kept.
const NOWHERE: u32 = u32::MAX;
/// Documents that one thread takes in a round at most.
const ROUND: usize = 8;

/// A cluster of candidates.
#[derive(Clone, Copy, Debug)]
pub struct Alone<'a> {
    /// Its documents in ascending order.
    pub docs: &'a [u32],
    /// Its edges, the smaller document first.
    pub edges: &'a [(u32, u32)],
    /// Members of large buckets in ascending order.
    pub crowd: &'a [u32],
    /// Their packed signatures, one after the other.
    pub packed: &'a [u8],
    /// What pairs of them have to pass.
    pub screen: Screen,
}

/// Resolves clusters each by itself. Holds the buffers of one thread.
#[derive(Debug)]
pub struct Resolver {
    threshold: Threshold,
    reader: Reader,
    /// Documents read so far: each has a mark of its own.
    reads: u32,
    set: NumberSet,
    kept: KeptSets,
}

/// Who was kept, and who is beside whom. Documents are positions in the cluster.
struct Beside<'a> {
    cluster: Alone<'a>,
    /// For each document those it has an edge with, in compressed rows.
    ends: Vec<usize>,
    others: Vec<u32>,
    /// For each member of the crowd its place there.
    in_crowd: Vec<u32>,
    /// The kept documents, and the place of each among them.
    kept: Vec<u32>,
    places: Vec<u32>,
    /// Kept members of the crowd: their places among kept ones, and in the crowd.
    kept_crowd: Vec<(u32, u32)>,
}

impl<'a> Beside<'a> {
    fn new(cluster: Alone<'a>) -> Self {
        let n_docs = cluster.docs.len();
        let position = |doc: u32| cluster.docs.binary_search(&doc).unwrap_or_default();
        let edges = cluster.edges.iter().map(|&(a, b)| (position(a), position(b)));
        let both: Vec<(usize, usize)> = edges.flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        let mut ends = vec![0; n_docs + 1];
        for &(a, _) in &both {
            ends[a + 1] += 1;
        }
        for doc in 0..n_docs {
            ends[doc + 1] += ends[doc];
        }
        let mut others = vec![0; both.len()];
        for (a, b) in both {
            others[ends[a]] = b as u32;
            ends[a] += 1;
        }
        let mut in_crowd = vec![NOWHERE; if cluster.crowd.is_empty() { 0 } else { n_docs }];
        for (place, &doc) in (0..).zip(cluster.crowd) {
            in_crowd[position(doc)] = place;
        }
        let places = vec![NOWHERE; n_docs];
        Self { cluster, ends, others, in_crowd, kept: Vec::new(), places, kept_crowd: Vec::new() }
    }

    fn crowd_place(&self, doc: u32) -> Option<u32> {
        self.in_crowd.get(doc as usize).copied().filter(|&place| place != NOWHERE)
    }

    fn packed(&self, place: u32) -> &[u8] {
        let bytes = self.cluster.screen.bytes();
        &self.cluster.packed[place as usize * bytes..][..bytes]
    }

    /// Whether the crowd has to be settled before this document, or so many were kept that it is given up.
    fn is_given_up(&self, doc: u32, most: usize) -> bool {
        self.kept.len() > most || self.kept_crowd.len() == GROUP && self.crowd_place(doc).is_some()
    }

    /// Lists the kept documents beside `doc` by their places.
    fn list(&self, doc: u32, list: &mut Vec<u32>) {
        let doc_at = doc as usize;
        let start = if doc_at == 0 { 0 } else { self.ends[doc_at - 1] };
        list.clear();
        let of_edges = self.others[start..self.ends[doc_at]].iter().map(|&other| self.places[other as usize]);
        list.extend(of_edges.filter(|&place| place != NOWHERE));
        if let Some(own) = self.crowd_place(doc) {
            let passes =
                |&(_, other): &(u32, u32)| self.cluster.screen.passes(self.packed(own), self.packed(other));
            list.extend(self.kept_crowd.iter().copied().filter(passes).map(|(place, _)| place));
            list.sort_unstable();
            list.dedup();
        }
    }

    fn keep(&mut self, doc: u32) {
        let place = self.kept.len() as u32;
        self.places[doc as usize] = place;
        self.kept.push(doc);
        if let Some(own) = self.crowd_place(doc) {
            self.kept_crowd.push((place, own));
        }
    }

    fn order(&self, precedence: Precedence<'_>) -> Vec<u32> {
        let docs = self.cluster.docs;
        let mut order: Vec<u32> = (0..docs.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| precedence.compare(docs[a as usize], docs[b as usize]));
        order
    }

    fn removal(&self, doc: u32, (similarity, place): (f64, u32)) -> Removal {
        let docs = self.cluster.docs;
        let duplicate_of = docs[self.kept[place as usize] as usize];
        Removal { doc: docs[doc as usize], duplicate_of, similarity }
    }
}

/// The most similar kept document, by its place, if any is similar enough, and the comparisons made.
type Found = (Option<(f64, u32)>, u64);

impl Resolver {
    /// A resolver for documents cut and brought together as `config` says. What it compares are hashes by `keys`: those of
    /// a secret, if texts may have been made to hash alike.
    #[must_use]
    pub fn new(config: &DedupConfig, keys: Keys) -> Self {
        Self {
            threshold: config.threshold,
            reader: Reader::new(config.shingles, keys),
            reads: 0,
            set: NumberSet::default(),
            kept: KeptSets::default(),
        }
    }

    /// Resolves one cluster; nothing if it is given up.
    ///
    /// # Errors
    /// `Error::Cancelled` when the observer asks for it; `Error::Parameter` for a cluster of more than 2^32 - 2 distinct
    /// shingles.
    pub fn resolve(
        &mut self,
        cluster: Alone<'_>,
        precedence: Precedence<'_>,
        texts: &impl Texts,
        observer: &dyn Observer,
    ) -> Result<Option<Resolution>> {
        let mut beside = Beside::new(cluster);
        let mut resolution = Resolution::default();
        let mut list = Vec::new();
        self.begin();
        for (turn, doc) in beside.order(precedence).into_iter().enumerate() {
            if turn % DOCS_A_QUESTION == 0 {
                check(observer)?;
            }
            if beside.is_given_up(doc, usize::MAX) {
                return Ok(None);
            }
            self.read(texts, cluster.docs[doc as usize])?;
            beside.list(doc, &mut list);
            let (best, checks) = self.best_of(&list);
            resolution.checks += checks;
            if let Some(best) = best {
                resolution.removals.push(beside.removal(doc, best));
            } else {
                self.keep(cluster.docs[doc as usize]);
                beside.keep(doc);
            }
        }
        Ok(Some(resolution))
    }

    fn begin(&mut self) {
        self.reader.begin();
        self.reads = 0;
        self.kept.clear();
    }

    fn read(&mut self, texts: &impl Texts, doc: u32) -> Result<()> {
        self.reads += 1;
        self.reader.read(texts, doc, self.reads, &mut self.set)
    }

    /// The document that was read last stays.
    fn keep(&mut self, doc: u32) {
        self.kept.push(&self.set);
        self.reader.keep(doc);
    }

    /// Compares the document that was read last with the kept ones at `places`.
    fn best_of(&self, places: &[u32]) -> Found {
        let (size, mut best, mut checks) = (self.set.len(), None, 0);
        for &place in places {
            let other = self.kept.size(place);
            let most = jaccard(size.min(other), size, other);
            if most < self.threshold.get() {
                continue;
            }
            checks += 1;
            // Places are in keep order.
            let is_better = |similarity: f64, best: Option<(f64, u32)>| {
                best.is_none_or(|(most, first)| similarity.total_cmp(&most).then(first.cmp(&place)).is_gt())
            };
            if !is_better(most, best) {
                continue;
            }
            let shared = self.reader.count_marked(self.kept.runs(place), self.reads);
            let similarity = jaccard(shared, size, other);
            if similarity >= self.threshold.get() && is_better(similarity, best) {
                best = Some((similarity, place));
            }
        }
        (best, checks)
    }
}

/// Resolves one cluster by several threads, each with a resolver of its own; nothing if it is given up.
///
/// # Errors
/// As for [`Resolver::resolve`].
pub fn resolve_together(
    resolvers: &mut [Resolver],
    cluster: Alone<'_>,
    precedence: Precedence<'_>,
    texts: &(impl Texts + Sync),
    observer: &dyn Observer,
) -> Result<Option<Resolution>> {
    let threads = resolvers.len();
    let mut beside = Beside::new(cluster);
    let mut resolution = Resolution::default();
    let order = beside.order(precedence);
    let mut list = Vec::new();
    resolvers.iter_mut().for_each(Resolver::begin);
    let (mut at, mut round) = (0, threads);
    while at < order.len() {
        check(observer)?;
        let some = &order[at..order.len().min(at + round)];
        let look = |(first, resolver): (usize, &mut Resolver)| {
            for &doc in &beside.kept[resolver.kept.len()..] {
                resolver.read(texts, cluster.docs[doc as usize])?;
                resolver.keep(cluster.docs[doc as usize]);
            }
            let mut list = Vec::new();
            let find = |&doc: &u32| {
                resolver.read(texts, cluster.docs[doc as usize])?;
                beside.list(doc, &mut list);
                Ok(resolver.best_of(&list))
            };
            some.iter().skip(first).step_by(threads).map(find).collect::<Result<Vec<Found>>>()
        };
        let found = resolvers.par_iter_mut().with_max_len(1).enumerate().map(look);
        let found = found.collect::<Result<Vec<_>>>()?;
        let kept_before = beside.kept.len() as u32;
        let mut taken = 0;
        for (turn, &doc) in some.iter().enumerate() {
            if beside.is_given_up(doc, GROUP) {
                return Ok(None);
            }
            if beside.kept.len() as u32 > kept_before {
                beside.list(doc, &mut list);
                if list.iter().any(|&place| place >= kept_before) {
                    break;
                }
            }
            let (best, checks) = found[turn % threads][turn / threads];
            resolution.checks += checks;
            match best {
                Some(best) => resolution.removals.push(beside.removal(doc, best)),
                None => beside.keep(doc),
            }
            taken += 1;
        }
        at += taken;
        round = if taken == some.len() { (2 * round).min(ROUND * threads) } else { taken.max(threads) };
    }
    Ok(Some(resolution))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::observe::Unobserved;
    use crate::params::{NumHashes, ShingleSpec, ShingleUnit};

    struct Pages(Vec<String>);

    impl Texts for Pages {
        fn text(&self, doc: u32) -> &str {
            &self.0[doc as usize]
        }
    }

    fn config() -> DedupConfig {
        let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
        DedupConfig::with_recall(Threshold::try_new(0.8).unwrap(), spec, NumHashes::default(), 0.9).unwrap()
    }

    /// One document after the other, and all sets as sets; nothing if the crowd has to be settled, or too many stay.
    fn naive(sets: &[BTreeSet<u32>], cluster: Alone<'_>, most: usize) -> Option<(Vec<Removal>, u64)> {
        let (mut kept, mut removals, mut checks) = (Vec::new(), Vec::new(), 0);
        let packed = |doc: u32| {
            let place = cluster.crowd.binary_search(&doc).ok()?;
            Some(&cluster.packed[place * cluster.screen.bytes()..][..cluster.screen.bytes()])
        };
        for &doc in cluster.docs {
            let in_crowd = kept.iter().filter(|&&other| packed(other).is_some()).count();
            if kept.len() > most || in_crowd == GROUP && packed(doc).is_some() {
                return None;
            }
            let mut best: Option<Removal> = None;
            for &other in &kept {
                let together = packed(doc).zip(packed(other));
                let beside = cluster.edges.contains(&(other, doc))
                    || together.is_some_and(|(a, b)| cluster.screen.passes(a, b));
                let (a, b) = (&sets[doc as usize], &sets[other as usize]);
                if beside && jaccard(a.len().min(b.len()), a.len(), b.len()) >= 0.8 {
                    checks += 1;
                    let similarity = jaccard(a.intersection(b).count(), a.len(), b.len());
                    if similarity >= 0.8 && best.is_none_or(|best| similarity > best.similarity) {
                        best = Some(Removal { doc, duplicate_of: other, similarity });
                    }
                }
            }
            match best {
                Some(best) => removals.push(best),
                None => kept.push(doc),
            }
        }
        Some((removals, checks))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn one_or_several_threads_decide_like_the_definition(
            pages in prop::collection::vec((0..6u32, 0..9u32, any::<bool>(), 0..3u8), 0..160),
            edges in prop::collection::vec((0..160u32, 0..160u32), 0..400), threads in 1..5usize,
        ) {
            let n_docs = pages.len() as u32;
            // Families of near-copies, and pages with much of their own.
            let sets: Vec<BTreeSet<u32>> = (0..).zip(&pages).map(|(doc, &(family, left_out, _, own))| {
                let family = (0..20).filter(|&word| word != left_out).map(|word| 100 * family + word);
                family.chain((0..5 * u32::from(own / 2)).map(|word| 1_000 + 10 * doc + word)).collect()
            }).collect();
            let text = |set: &BTreeSet<u32>| {
                let words: Vec<String> = set.iter().map(|word| format!("w{word}")).collect();
                words.join(" ")
            };
            let texts = Pages(sets.iter().map(text).collect());
            let docs: Vec<u32> = (0..n_docs).collect();
            let mut edges: Vec<(u32, u32)> = edges.into_iter().filter(|&(a, b)| a < b && b < n_docs).collect();
            edges.sort_unstable();
            edges.dedup();
            let crowd: Vec<u32> = docs.iter().copied().filter(|&doc| pages[doc as usize].2).collect();
            let screen = Screen::new(config().threshold, config().num_hashes);
            let packed: Vec<u8> = crowd.iter().flat_map(|&doc| vec![pages[doc as usize].0 as u8 % 2; screen.bytes()]).collect();
            let cluster = Alone { docs: &docs, edges: &edges, crowd: &crowd, packed: &packed, screen };
            let mut resolvers: Vec<Resolver> = (0..threads).map(|_| Resolver::new(&config(), Keys::PUBLIC)).collect();
            let same = |resolution: Resolution| (resolution.removals, resolution.checks);
            let by_one = resolvers[0].resolve(cluster, Precedence::First, &texts, &Unobserved).unwrap().map(same);
            prop_assert_eq!(by_one, naive(&sets, cluster, usize::MAX));
            let by_all = resolve_together(&mut resolvers, cluster, Precedence::First, &texts, &Unobserved);
            prop_assert_eq!(by_all.unwrap().map(same), naive(&sets, cluster, GROUP));
        }
    }
}
