//! Batches, chunks and rounds against one document after the other, with crowds as their rule has it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::crowd::{MARKS, MAX_SETTLED};
use super::super::marks::RARE;
use super::*;
use crate::hash::splitmix64;
use crate::observe::Unobserved;
use crate::parallel::Pool;
use crate::params::{NumHashes, ShingleSpec};

const LANES: usize = 64;

/// Cluster and buckets.
type Together = (u32, Vec<u32>);

/// A document as the tests have it; they are listed in keep order.
#[derive(Clone, Debug, Default)]
struct Page {
    doc: u32,
    set: Vec<u64>,
    earlier: Vec<u32>,
    crowd: Option<Together>,
    packed: Vec<u8>,
}

impl Page {
    fn turn(&self) -> Turn<'_> {
        Turn {
            doc: self.doc,
            shingles: &self.set,
            earlier: &self.earlier,
            crowd: self.crowd.as_ref().map(|(cluster, buckets)| Crowd {
                cluster: *cluster,
                buckets,
                packed: &self.packed,
            }),
        }
    }
}

fn config(threshold: f64) -> DedupConfig {
    let num_hashes = NumHashes::try_new(LANES).unwrap();
    DedupConfig::with_recall(Threshold::try_new(threshold).unwrap(), ShingleSpec::default(), num_hashes, 0.9)
        .unwrap()
}

/// MinHash, of which the screen takes its bits.
fn signature(set: &[u64]) -> Vec<u32> {
    let least =
        |lane: u64| set.iter().map(|&shingle| splitmix64(shingle * 1_000 + lane) as u32).min().unwrap_or(0);
    (0..LANES as u64).map(least).collect()
}

fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (a.iter().collect(), b.iter().collect());
    jaccard(a.intersection(&b).count(), a.len(), b.len())
}

/// The crowd of a cluster by its rule.
#[derive(Default)]
struct NaiveCrowd {
    members: Vec<usize>,
    frequent: BTreeSet<u64>,
    /// Of settled members.
    marks: Vec<BTreeSet<u64>>,
    is_known: Vec<bool>,
}

impl NaiveCrowd {
    fn settle(&mut self, docs: &[Page]) {
        while self.members.len() - self.marks.len() >= GROUP {
            let group = &self.members[self.marks.len()..][..GROUP];
            let mut owners: BTreeMap<u64, usize> = BTreeMap::new();
            for &member in group {
                docs[member].set.iter().for_each(|&shingle| *owners.entry(shingle).or_default() += 1);
            }
            self.frequent
                .extend(owners.iter().filter(|(_, count)| **count > RARE).map(|(&shingle, _)| shingle));
            let now = self.frequent.clone();
            self.marks.iter_mut().for_each(|marks| marks.retain(|shingle| !now.contains(shingle)));
            for &member in group {
                let rest: Vec<u64> = docs[member].set.iter().copied().filter(|s| !now.contains(s)).collect();
                let marks = rest.len().min(MARKS);
                self.is_known.push(marks == rest.len());
                self.marks.push(BTreeSet::new());
                for shingle in (0..marks).map(|mark| rest[mark * rest.len() / marks]) {
                    let owners = self.marks.iter().filter(|marks| marks.contains(&shingle)).count();
                    if self.frequent.contains(&shingle) {
                    } else if owners == RARE {
                        self.frequent.insert(shingle);
                        self.marks.iter_mut().for_each(|marks| marks.retain(|&other| other != shingle));
                    } else {
                        self.marks.last_mut().unwrap().insert(shingle);
                    }
                }
            }
        }
    }

    /// Members to compare with, and how many are left out.
    fn find(&self, docs: &[Page], at: usize, rules: Rules) -> (Vec<usize>, usize) {
        let (set, threshold) = (&docs[at].set, rules.threshold);
        let passes = |member: usize| rules.screen.passes(&docs[member].packed, &docs[at].packed);
        let frequent = set.iter().filter(|shingle| self.frequent.contains(shingle)).count();
        let sizes = self.members[..self.marks.len()].iter().map(|&member| docs[member].set.len());
        let frequent_may_do =
            sizes.into_iter().any(|size| threshold.reached(frequent.min(size), set.len(), size));
        let mut found = Vec::new();
        for (place, &member) in self.members[..self.marks.len()].iter().enumerate() {
            let size = docs[member].set.len();
            let marks = set.iter().filter(|shingle| self.marks[place].contains(shingle)).count();
            let buckets = |page: usize| docs[page].crowd.as_ref().map_or(&[][..], |(_, buckets)| buckets);
            let shares_one = buckets(at).iter().any(|bucket| buckets(member).contains(bucket));
            let beside = frequent_may_do && shares_one;
            let most = set.len().min(size);
            let bound =
                if self.is_known[place] || marks == 0 { most.min(most.min(frequent) + marks) } else { most };
            if (marks > 0 || beside) && threshold.reached(bound, set.len(), size) && passes(member) {
                let agreeing = Screen::agreeing(&docs[member].packed, &docs[at].packed);
                found.push((std::cmp::Reverse(marks), std::cmp::Reverse(agreeing), place, member));
            }
        }
        found.sort_unstable();
        let left_out = found.len().saturating_sub(MAX_SETTLED);
        let found = found.into_iter().take(MAX_SETTLED).map(|found| found.3);
        let unsettled = self.members[self.marks.len()..].iter().copied().filter(|&member| passes(member));
        (found.chain(unsettled).collect(), left_out)
    }
}

/// One document after the other.
fn naive(docs: &[Page], config: &DedupConfig) -> (Vec<Option<Removal>>, Counts) {
    let screen = Screen::new(config.threshold, config.num_hashes);
    let rules = Rules { threshold: config.threshold, banding: config.banding, screen };
    let mut kept: BTreeSet<usize> = BTreeSet::new();
    let mut crowds: BTreeMap<u32, NaiveCrowd> = BTreeMap::new();
    let mut counts = Counts::default();
    let mut removals = Vec::new();
    let place_of: BTreeMap<u32, usize> =
        docs.iter().enumerate().map(|(place, doc)| (doc.doc, place)).collect();
    for (at, doc) in docs.iter().enumerate() {
        let mut compared: BTreeSet<usize> = doc.earlier.iter().map(|doc| place_of[doc]).collect();
        compared.retain(|place| kept.contains(place));
        let mut left_out = 0;
        if let Some((cluster, _)) = &doc.crowd {
            let crowd = crowds.entry(*cluster).or_default();
            crowd.settle(docs);
            let (found, more) = crowd.find(docs, at, rules);
            compared.extend(found);
            left_out = more;
        }
        let mut best: Option<Removal> = None;
        for other in compared {
            let (a, b) = (doc.set.len(), docs[other].set.len());
            counts.checks += u64::from(config.threshold.reached(a.min(b), a, b));
            let similarity = similarity(&doc.set, &docs[other].set);
            if similarity >= config.threshold.get() && best.is_none_or(|best| similarity > best.similarity) {
                best = Some(Removal { doc: doc.doc, duplicate_of: docs[other].doc, similarity });
            }
        }
        if best.is_none() {
            kept.insert(at);
            if let Some((cluster, _)) = &doc.crowd {
                crowds.entry(*cluster).or_default().members.push(at);
            }
            counts.capped += u64::from(left_out > 0);
            counts.unchecked.add(0.0, left_out as u64);
        }
        removals.push(best);
    }
    (removals, counts)
}

/// The sets of documents that were kept in earlier batches, and of no others.
struct Store<'a> {
    sets: BTreeMap<u32, (usize, &'a [u64])>,
    tells_sizes: bool,
}

impl Kept for Store<'_> {
    fn shingles<'a>(&'a self, doc: u32, buffer: &'a mut Vec<u64>) -> Result<&'a [u64]> {
        // At hand, or brought.
        if self.tells_sizes {
            return Ok(self.sets[&doc].1);
        }
        buffer.clear();
        buffer.extend_from_slice(self.sets[&doc].1);
        Ok(buffer)
    }

    fn size(&self, doc: u32) -> Option<usize> {
        self.tells_sizes.then(|| self.sets[&doc].1.len())
    }

    fn before(&self, a: u32, b: u32) -> bool {
        self.sets[&a].0 < self.sets[&b].0
    }
}

fn decide(
    docs: &[Page],
    config: &DedupConfig,
    batch: usize,
    threads: usize,
) -> (Vec<Option<Removal>>, Counts) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut decider = Decider::new(config, docs.len());
        let mut store = Store { sets: BTreeMap::new(), tells_sizes: batch.is_multiple_of(2) };
        let mut removals = Vec::new();
        for docs in docs.chunks(batch) {
            let turns: Vec<Turn<'_>> = docs.iter().map(Page::turn).collect();
            let decided = decider.decide(&turns, &store, &Pool, &Unobserved).unwrap();
            for (doc, removal) in docs.iter().zip(&decided) {
                if removal.is_none() {
                    let turn = store.sets.len();
                    store.sets.insert(doc.doc, (turn, &doc.set));
                }
            }
            removals.extend(decided);
        }
        (removals, decider.counts())
    })
}

/// All but the likely similarities of what was left out, which the naive twin does not know.
fn comparable((removals, counts): (Vec<Option<Removal>>, Counts)) -> (Vec<Option<Removal>>, u64, u64, u64) {
    (removals, counts.checks, counts.capped, counts.unchecked.pairs())
}

/// Pages of a few templates with shingles of their own, copies and near-copies of each other.
fn pages(count: std::ops::Range<usize>, own: u64) -> impl Strategy<Value = Vec<Page>> {
    let links = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    let page = (0..3u64, 0..26usize, any::<prop::sample::Index>(), 0..6u64, links, 0..9u32, any::<bool>());
    (prop::collection::vec(page, count), any::<bool>()).prop_map(move |(pages, is_reversed)| {
        let n_docs = pages.len() as u32;
        let mut docs: Vec<Page> = Vec::new();
        for (place, (template, left_out, former, kind, links, buckets, in_crowd)) in (0..).zip(pages) {
            let mut set: Vec<u64> = (0..24).map(|i| 100 * template + i).collect();
            set.retain(|&shingle| shingle % 26 != left_out as u64);
            let first = 1_000 + 100 * u64::from(place);
            match (kind, docs.is_empty()) {
                (0, false) => set = former.get(&docs).set.iter().rev().copied().collect(),
                (1, false) => {
                    set.clone_from(&former.get(&docs).set);
                    set.truncate(set.len().saturating_sub(2).max(1));
                    set.push(first);
                }
                _ => set.extend(first..first + own + first / 100 % 5),
            }
            let mut doc =
                Page { doc: if is_reversed { n_docs - 1 - place } else { place }, ..Page::default() };
            let mut earlier: Vec<u32> =
                links.iter().filter(|_| !docs.is_empty()).map(|link| link.get(&docs).doc).collect();
            earlier.dedup();
            doc.earlier = earlier;
            if in_crowd || kind > 3 {
                let buckets = (0..3)
                    .filter(|bucket| buckets >> bucket & 1 == 0)
                    .map(|bucket| 3 * template as u32 + bucket);
                doc.crowd = Some((u32::from(template == 2), buckets.collect()));
            }
            let config = config(0.8);
            Screen::new(config.threshold, config.num_hashes).pack(&signature(&set), &mut doc.packed);
            doc.set = set;
            docs.push(doc);
        }
        docs
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn batches_and_threads_change_nothing(
        docs in pages(0..400, 4), threshold in prop::sample::select(vec![0.5, 0.7, 0.8, 0.95]),
        batch in prop::sample::select(vec![1, 2, 7, 64, 65, 150, 1000]), threads in prop::sample::select(vec![1, 2, 4]),
    ) {
        let config = config(threshold);
        let expected = comparable(naive(&docs, &config));
        prop_assert_eq!(comparable(decide(&docs, &config, batch, threads)), expected);
    }

    #[test]
    fn a_crowd_of_more_than_may_be_compared_is_cut_where_the_rule_says(
        docs in pages(380..420, 0), batch in prop::sample::select(vec![1, 30, 1000]),
    ) {
        let config = config(0.95);
        let expected = comparable(naive(&docs, &config));
        prop_assert_eq!(comparable(decide(&docs, &config, batch, 2)), expected);
    }
}

fn docs_of(sets: Vec<Vec<u64>>, earlier: impl Fn(u32) -> Vec<u32>, crowd: Option<&Together>) -> Vec<Page> {
    let screen = Screen::new(config(0.8).threshold, config(0.8).num_hashes);
    (0..)
        .zip(sets)
        .map(|(doc, set)| {
            let mut packed = Vec::new();
            screen.pack(&signature(&set), &mut packed);
            Page { doc, set, earlier: earlier(doc), crowd: crowd.cloned(), packed }
        })
        .collect()
}

#[test]
fn copies_cost_one_comparison_each() {
    let sets = vec![(1..50).collect::<Vec<u64>>(); 3_000];
    let edges = docs_of(sets.clone(), |doc| (doc.saturating_sub(63)..doc).collect(), None);
    let crowd = docs_of(sets, |_| Vec::new(), Some(&(7, vec![3])));
    let (removals, counts) = decide(&crowd, &config(0.8), 1_000, 2);
    assert_eq!((removals.iter().flatten().count(), counts.checks), (2_999, 2_999));
    assert!(removals.iter().flatten().all(|removal| removal.duplicate_of == 0 && removal.similarity >= 1.0));
    // Each copy of the first has an edge with it, and the next after these stays: 64 documents have one of 63 copies.
    let (removals, counts) = decide(&edges, &config(0.8), 1_000, 2);
    let stay = 3_000usize.div_ceil(64);
    assert_eq!((removals.iter().flatten().count(), counts.checks), (3_000 - stay, 3_000 - stay as u64));
}

#[test]
fn pages_of_one_template_cost_few_comparisons() {
    let own = |page: u64| (1..78u64).chain(1_000 * (page + 1)..1_000 * (page + 1) + 23).collect();
    let docs = docs_of((0..4_000).map(own).collect(), |_| Vec::new(), Some(&(0, vec![0, 1])));
    let (removals, counts) = decide(&docs, &config(0.8), 1_000, 2);
    assert_eq!(removals.iter().flatten().count(), 0);
    assert!(counts.checks <= 4_000 * GROUP as u64 / 2, "{} checks", counts.checks);
    assert_eq!((counts.capped, counts.unchecked.pairs()), (0, 0));
}

#[test]
fn references_stay_and_others_go_for_them() {
    let references = docs_of(vec![(1..50).collect(); 200], |_| Vec::new(), Some(&(0, vec![0])));
    let mut docs = docs_of(vec![(1..52).collect(); 3], |_| Vec::new(), Some(&(0, vec![0])));
    docs[2].crowd = None;
    (200..).zip(&mut docs).for_each(|(name, doc)| doc.doc = name);
    let mut decider = Decider::new(&config(0.8), 203);
    decider.stand(&references.iter().map(Page::turn).collect::<Vec<_>>()).unwrap();
    let sets = (0..).zip(&references).map(|(turn, doc)| (doc.doc, (turn, &doc.set[..]))).collect();
    let store = Store { sets, tells_sizes: true };
    let turns: Vec<Turn<'_>> = docs.iter().map(Page::turn).collect();
    let decided = decider.decide(&turns, &store, &Pool, &Unobserved).unwrap();
    let named: Vec<Option<u32>> = decided.iter().map(|removal| removal.map(|r| r.duplicate_of)).collect();
    // The most similar of all references is the first; who has neither an edge nor a crowd has no neighbour.
    assert_eq!(named, [Some(0), Some(0), None]);
}

#[test]
fn a_wish_to_stop_and_a_failure_to_read_end_the_batch() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    struct Broken;
    impl Kept for Broken {
        fn shingles<'a>(&'a self, _: u32, _: &'a mut Vec<u64>) -> Result<&'a [u64]> {
            Err(Error::Column("the spool is gone".into()))
        }

        fn before(&self, a: u32, b: u32) -> bool {
            a < b
        }
    }
    let docs = docs_of(vec![(1..50).collect(); 2], |doc| (0..doc).collect(), None);
    let turns: Vec<Turn<'_>> = docs.iter().map(Page::turn).collect();
    let mut decider = Decider::new(&config(0.8), 2);
    assert_eq!(decider.decide(&turns, &Broken, &Pool, &Stop), Err(Error::Cancelled));
    assert!(decider.decide(&turns[..1], &Broken, &Pool, &Unobserved).is_ok());
    assert!(matches!(decider.decide(&turns[1..], &Broken, &Pool, &Unobserved), Err(Error::Column(_))));
}
