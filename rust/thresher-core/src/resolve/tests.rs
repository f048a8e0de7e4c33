//! Resolution against its definition over sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::observe::Unobserved;
use crate::params::{Banding, Keep, NumHashes, ShingleSpec, ShingleUnit};

/// The definition, word for word, over sets.
fn naive(sets: &[BTreeSet<u64>], buckets: &[Vec<u32>], threshold: f64) -> BTreeMap<u32, (u32, f64)> {
    let (mut kept, mut removed) = (Vec::new(), BTreeMap::new());
    for doc in 0..sets.len() as u32 {
        let beside = |other: &u32| buckets.iter().any(|b| b.contains(&doc) && b.contains(other));
        let mut best: Option<(u32, f64)> = None;
        for other in kept.iter().copied().filter(beside) {
            let (a, b) = (&sets[doc as usize], &sets[other as usize]);
            let union = a.union(b).count();
            let similarity = if union == 0 { 0.0 } else { a.intersection(b).count() as f64 / union as f64 };
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

struct Strings<'a>(&'a [String]);

impl Texts for Strings<'_> {
    fn text(&self, doc: u32) -> &str {
        &self.0[doc as usize]
    }
}

/// A text whose 1-word shingles are the set.
fn text_of(set: &[u64]) -> String {
    let words: Vec<String> = set.iter().map(|word| format!("w{word} ")).collect();
    words.concat()
}

fn resolve_all(texts: &[String], ngram: usize, buckets: &[Vec<u32>], threshold: f64) -> Resolution {
    let docs: Vec<u32> = (0..texts.len() as u32).collect();
    let members: Vec<u32> = buckets.concat();
    let ends: Vec<usize> = buckets
        .iter()
        .scan(0, |end, bucket| {
            *end += bucket.len();
            Some(*end)
        })
        .collect();
    let spec = ShingleSpec::try_new(ShingleUnit::Word, ngram).unwrap();
    let banding = Banding::try_new(buckets.len().max(1), 1, NumHashes::try_new(1000).unwrap()).unwrap();
    let threshold = Threshold::try_new(threshold).unwrap();
    let num_hashes = NumHashes::default();
    let config = DedupConfig {
        threshold,
        shingles: spec,
        num_hashes,
        seed: 0,
        banding,
        keep: Keep::First,
        exact_only: false,
    };
    let mut resolver = Resolver::new(&config, Keys::PUBLIC);
    // A resolver that has worked on another cluster before.
    let mut resolve = || {
        let cluster = Cluster::new(&docs, &members, &ends);
        resolver.resolve(cluster, Precedence::First, &Strings(texts), &Unobserved).unwrap()
    };
    let first = resolve();
    assert_eq!(first, resolve());
    first
}

/// All documents in one cluster. Its size decides how candidates are found, so it may have `others` besides.
fn run_with(sets: &[Vec<u64>], buckets: &[Vec<u32>], threshold: f64, others: usize) -> Resolution {
    let mut texts: Vec<String> = sets.iter().map(|set| text_of(set)).collect();
    texts.resize(sets.len() + others, String::new());
    resolve_all(&texts, 1, buckets, threshold)
}

fn run(sets: &[Vec<u64>], buckets: &[Vec<u32>], threshold: f64) -> Resolution {
    run_with(sets, buckets, threshold, 0)
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
        for others in [0, 100] {
            let resolution = run_with(&sets, &buckets, threshold, others);
            let found: BTreeMap<u32, (u32, f64)> =
                resolution.removals.iter().map(|r| (r.doc, (r.duplicate_of, r.similarity))).collect();
            prop_assert_eq!(&found, &expected);
        }
    }
}

#[test]
fn a_chain_of_neighbours_removes_nothing_that_is_unlike_the_kept_one() {
    let sets: Vec<Vec<u64>> = (0..5).map(|i| (i..i + 4).collect()).collect();
    let removals = run(&sets, &[vec![0, 1, 2, 3, 4]], 0.6).removals;
    let pairs: Vec<(u32, u32)> = removals.iter().map(|r| (r.doc, r.duplicate_of)).collect();
    assert_eq!(pairs, [(1, 0), (3, 2)]);
}

/// Documents of a few templates, each with shingles of its own, some of them with those of a former one.
fn pages() -> impl Strategy<Value = Vec<Vec<u64>>> {
    let page = (0..3u64, 0..40usize, any::<prop::sample::Index>(), 0..4u64);
    prop::collection::vec(page, 150..220).prop_map(|pages| {
        let mut sets: Vec<Vec<u64>> = Vec::new();
        for (number, (template, left_out, former, kind)) in (0..).zip(pages) {
            let mut set: Vec<u64> = (0..20).map(|i| 100 * template + i).collect();
            set.retain(|&i| left_out > 12 || i % 13 != left_out as u64);
            let own = 1_000 + 10 * number;
            match (kind, sets.is_empty()) {
                (0, false) => set = former.get(&sets).iter().rev().copied().collect(),
                (1, false) => {
                    set.clone_from(former.get(&sets));
                    set.truncate(set.len() - 2);
                    set.push(own);
                }
                _ => set.extend(own..own + 4 + number % 5),
            }
            sets.push(set);
        }
        sets
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_rare_shingles_rule_out_is_not_similar(
        sets in pages(), cut in 1..150u32, threshold in prop::sample::select(vec![0.5, 0.7, 0.75, 0.8, 0.95]),
    ) {
        let n_docs = sets.len() as u32;
        let buckets: [Vec<u32>; 3] = [(0..n_docs).collect(), (0..=cut).collect(), (cut - 1..n_docs).collect()];
        let expected = naive(&sets.iter().map(|s| s.iter().copied().collect()).collect::<Vec<_>>(), &buckets, threshold);
        let resolution = run(&sets, &buckets, threshold);
        let found: BTreeMap<u32, (u32, f64)> =
            resolution.removals.iter().map(|r| (r.doc, (r.duplicate_of, r.similarity))).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!((resolution.capped, resolution.unchecked.pairs()), (0, 0));
    }
}

#[test]
fn one_giant_bucket_of_unlike_documents_costs_few_comparisons() {
    let n_docs = 3000u64;
    let sets: Vec<Vec<u64>> = (0..n_docs).map(|i| [1, 2, 3, 1000 + 2 * i, 1001 + 2 * i].to_vec()).collect();
    let resolution = run(&sets, &[(0..n_docs as u32).collect()], 0.8);
    assert_eq!(resolution.removals, []);
    assert!(resolution.checks <= 65 * 64 / 2, "{} checks", resolution.checks);
    assert_eq!((resolution.capped, resolution.unchecked.pairs()), (0, 0));
}

#[test]
fn what_is_left_unchecked_is_counted() {
    // Each document leaves out three shingles of forty of which none is rare, so the sizes rule out nothing.
    let n_docs = 1000u64;
    let leave_out =
        |i: u64| move |&shingle: &u64| ![i % 13, 13 + i / 13 % 13, 26 + i / 169].contains(&shingle);
    let sets: Vec<Vec<u64>> = (0..n_docs).map(|i| (0..40).filter(leave_out(i)).collect()).collect();
    let resolution = run(&sets, &[(0..n_docs as u32).collect()], 0.99);
    assert_eq!(resolution.removals, []);
    let over = n_docs - 1 - MAX_CHECKS as u64;
    assert_eq!((resolution.capped, resolution.unchecked.pairs()), (over, over * (over + 1) / 2));
    assert_eq!(resolution.unchecked.steps().collect::<Vec<_>>(), [(9, over * (over + 1) / 2)]);
}

#[test]
fn equal_sets_meet_however_many_are_as_likely() {
    let n_docs = 1000u64;
    let leave_out =
        |i: u64| move |&shingle: &u64| ![i % 13, 13 + i / 13 % 13, 26 + i / 169].contains(&shingle);
    let mut sets: Vec<Vec<u64>> = (0..n_docs).map(|i| (0..40).filter(leave_out(i)).collect()).collect();
    for i in 0..n_docs as usize {
        sets.push(sets[(i * 619) % 1000].iter().rev().copied().collect());
    }
    let resolution = run(&sets, &[(0..2 * n_docs as u32).collect()], 0.99);
    let found: Vec<(u32, u32)> = resolution.removals.iter().map(|r| (r.doc, r.duplicate_of)).collect();
    let expected: Vec<(u32, u32)> = (0..1000).map(|i| (1000 + i, (i * 619) % 1000)).collect();
    assert_eq!(found, expected);
}
