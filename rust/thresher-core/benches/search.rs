//! Band keys, buckets and exact resolution.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start should stop")]

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use thresher_core::hash::Keys;
use thresher_core::lsh::group;
use thresher_core::params::jaccard;
use thresher_core::resolve::alone::{Alone, Resolver};
use thresher_core::resolve::{Resolution, Texts};
use thresher_core::{
    Banding, DedupConfig, NumHashes, Precedence, Screen, Secret, ShingleSpec, Shingler, Threshold,
    Unobserved, dedup, sign_all,
};

mod corpus;

use corpus::{Language, Random};

fn band_keys(criterion: &mut Criterion) {
    let texts = Language::new(1).texts(100, 1 << 20, 2);
    let texts: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
    let k = NumHashes::default();
    let signatures = sign_all(&texts, ShingleSpec::default(), k, 0, &Unobserved).unwrap();
    let banding = Banding::choose(Threshold::default(), k, Banding::DEFAULT_RECALL).unwrap();
    let keys = |doc: usize| {
        let mut keys = vec![0; banding.bands()];
        banding.keys_into(signatures.row(doc).unwrap(), &mut keys);
        keys
    };
    let distinct: BTreeSet<u64> = (0..texts.len()).flat_map(keys).collect();
    assert!(distinct.len() > texts.len() * banding.bands() * 99 / 100, "random texts share hardly a band");
    let mut group = criterion.benchmark_group("band keys");
    group.throughput(Throughput::Elements(texts.len() as u64));
    let mut keys = vec![0; banding.bands()];
    group.bench_function(format!("{} bands of {} rows", banding.bands(), banding.rows()), |bencher| {
        bencher.iter(|| {
            for doc in 0..signatures.len() {
                banding.keys_into(black_box(signatures.row(doc).unwrap()), &mut keys);
                black_box(&keys);
            }
        });
    });
    group.finish();
}

fn buckets(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("group");
    for n_docs in [10_000u32, 1_000_000] {
        let mut random = Random(4);
        // Every tenth document has the key of the one before, and all of the last hundredth have one key.
        let mut keys: Vec<u64> = Vec::with_capacity(n_docs as usize);
        for doc in 0..n_docs {
            let key = if doc >= n_docs / 100 * 99 { 7 } else { random.next() };
            keys.push(if doc % 10 == 9 { keys[doc as usize - 1] } else { key });
        }
        let docs: Vec<u32> = (0..n_docs).collect();
        let buckets = group(&keys, &docs);
        assert_eq!(buckets.len() as u32, n_docs / 10 * 99 / 100 + 1);
        assert!(buckets.iter().any(|bucket| bucket.len() as u32 == n_docs / 100));
        bench.throughput(Throughput::Elements(u64::from(n_docs)));
        bench.bench_function(BenchmarkId::from_parameter(n_docs), |bencher| {
            bencher.iter(|| group(black_box(&keys), black_box(&docs)));
        });
    }
    bench.finish();
}

/// Revisions of one page, each with one more word changed than the one before.
fn revisions(n_docs: usize, n_words: usize) -> Vec<String> {
    let language = Language::new(1);
    let mut random = Random(5);
    let mut words: Vec<String> = (0..n_words).map(|_| language.word(&mut random).to_owned()).collect();
    (0..n_docs)
        .map(|revision| {
            let text = words.join(" ");
            words[random.below(n_words as u64) as usize] = format!("revision{revision}");
            text
        })
        .collect()
}

/// What resolution has to find when all documents have edges, from sets and pairs.
fn brute_force(sets: &[BTreeSet<u64>], threshold: f64) -> Vec<(u32, u32)> {
    let (mut kept, mut removed): (Vec<u32>, _) = (Vec::new(), Vec::new());
    for (doc, set) in sets.iter().enumerate() {
        let similarity = |&other: &u32| {
            let other = &sets[other as usize];
            jaccard(set.intersection(other).count(), set.len(), other.len())
        };
        let best = kept.iter().rev().max_by(|a, b| similarity(a).total_cmp(&similarity(b))).copied();
        match best.filter(|best| similarity(best) >= threshold) {
            Some(best) => removed.push((doc as u32, best)),
            None => kept.push(doc as u32),
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

fn resolution(criterion: &mut Criterion) {
    let texts = revisions(200, 2_000);
    let mut shingler = Shingler::new(ShingleSpec::default());
    let mut set_of = |text: &String| {
        let mut shingles = Vec::new();
        shingler.shingles_into(text, &mut shingles);
        shingles.into_iter().collect()
    };
    let sets: Vec<BTreeSet<u64>> = texts.iter().map(&mut set_of).collect();
    let docs: Vec<u32> = (0..texts.len() as u32).collect();
    let edges: Vec<(u32, u32)> = docs.iter().flat_map(|&b| (0..b).map(move |a| (a, b))).collect();
    let config = DedupConfig::with_recall(
        Threshold::default(),
        ShingleSpec::default(),
        NumHashes::default(),
        Banding::DEFAULT_RECALL,
    )
    .unwrap();
    let screen = Screen::new(config.threshold, config.num_hashes);
    let mut resolver = Resolver::new(&config, Keys::PUBLIC);
    let mut run = || -> Resolution {
        let cluster = Alone { docs: &docs, edges: &edges, crowd: &[], packed: &[], screen };
        let resolution = resolver.resolve(cluster, Precedence::First, &Strings(&texts), &Unobserved);
        resolution.unwrap().unwrap()
    };
    let found: Vec<(u32, u32)> =
        run().removals.iter().map(|removal| (removal.doc, removal.duplicate_of)).collect();
    assert_eq!(found, brute_force(&sets, Threshold::default().get()));
    let mut group = criterion.benchmark_group("resolve");
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.bench_function("200 revisions of a page", |bencher| bencher.iter(&mut run));
    group.finish();
}

fn whole_search(criterion: &mut Criterion) {
    let mut texts = Language::new(1).texts(500, 16 << 20, 6);
    // Every tenth page comes again with a word more.
    let again: Vec<String> = texts.iter().step_by(10).map(|text| format!("{text} Indeed.")).collect();
    let planted = again.len() as u64;
    texts.extend(again);
    let config =
        DedupConfig::with_recall(Threshold::default(), ShingleSpec::default(), NumHashes::default(), 0.995)
            .unwrap();
    let texts: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
    let secret = Secret::new(&[7; Secret::LEN]);
    let outcome = dedup(&texts, &[], &config, &secret, &Unobserved).unwrap();
    assert_eq!(outcome.summary.near.docs, planted, "{:?}", outcome.summary);
    let mut group = criterion.benchmark_group("dedup");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(outcome.summary.documents.bytes));
    group.bench_function("pages of 500 words", |bencher| {
        bencher.iter_batched(
            || &texts,
            |texts| dedup(texts, &[], &config, &secret, &Unobserved),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    band_keys(&mut criterion);
    buckets(&mut criterion);
    resolution(&mut criterion);
    whole_search(&mut criterion);
    criterion.final_summary();
}
