//! The whole search against brute force.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::prelude::*;

use super::*;
use crate::hash::splitmix64;
use crate::minhash::{Signer, tasks};
use crate::observe::Unobserved;
use crate::outcome::{Evidence, RemovalReason, Tally};
use crate::params::{Banding, NumHashes, ShingleSpec, ShingleUnit, Threshold, jaccard};
use crate::resolve::{DOCS_A_QUESTION, MAX_CHECKS};
use crate::shingle::Shingler;

mod forged;
mod traps;

const POLICIES: [Keep; 5] = [Keep::First, Keep::Longest, Keep::Shortest, Keep::Max, Keep::Min];

fn config(threshold: f64) -> DedupConfig {
    let threshold = Threshold::try_new(threshold).unwrap();
    DedupConfig::with_recall(threshold, ShingleSpec::default(), NumHashes::default(), 0.995).unwrap()
}

/// A secret that is another one each time.
fn secret() -> Secret {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let drawn = splitmix64(DRAWN.fetch_add(1, Relaxed));
    Secret::new(&std::array::from_fn(|at| splitmix64(drawn.wrapping_add(at as u64)) as u8))
}

fn borrowed(texts: &[Option<String>]) -> Vec<Option<&str>> {
    texts.iter().map(Option::as_deref).collect()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn search(texts: &[Option<&str>], ranks: &[Rank], config: &DedupConfig) -> Outcome {
    dedup(texts, ranks, config, &secret(), &Unobserved).unwrap()
}

fn shingle_set(spec: ShingleSpec, text: &str) -> BTreeSet<u64> {
    let mut shingles = Vec::new();
    Shingler::new(spec).shingles_into(text, &mut shingles);
    shingles.into_iter().collect()
}

fn similarity(a: &BTreeSet<u64>, b: &BTreeSet<u64>) -> f64 {
    jaccard(a.intersection(b).count(), a.len(), b.len())
}

fn keep_order(texts: &[Option<&str>], ranks: &[Rank], keep: Keep) -> Vec<u32> {
    let lengths: Vec<u64> = texts.iter().map(|text| text.map_or(0, |text| text.len() as u64)).collect();
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    let precedence = Precedence::new(keep, &lengths, ranks);
    order.sort_by(|&a, &b| precedence.compare(a, b));
    order
}

/// The definition, pair by pair: no buckets, no clusters, no numbering; candidates are pairs that share a band key.
fn naive(texts: &[Option<&str>], ranks: &[Rank], config: &DedupConfig) -> Vec<Option<Evidence>> {
    let mut signer = Signer::new(config.shingles, config.num_hashes);
    let mut keys = |text: &str| {
        let mut keys = vec![0; config.banding.bands()];
        signer.sign(text).map(|signature| config.banding.keys_into(signature, &mut keys)).map(|()| keys)
    };
    let mut evidence = vec![None; texts.len()];
    let mut first_with: HashMap<&str, u32> = HashMap::new();
    let mut kept: Vec<(u32, Vec<u64>, BTreeSet<u64>)> = Vec::new();
    let mut copies = Vec::new();
    for doc in keep_order(texts, ranks, config.keep) {
        let Some(text) = texts[doc as usize] else { continue };
        if let Some(&first) = first_with.get(text) {
            copies.push((doc, first));
            continue;
        }
        first_with.insert(text, doc);
        let Some(keys) = keys(text).filter(|_| !config.exact_only) else { continue };
        let set = shingle_set(config.shingles, text);
        let mut best: Option<(f64, u32)> = None;
        for (other, other_keys, other_set) in &kept {
            let similarity = similarity(&set, other_set);
            if keys.iter().zip(other_keys).any(|(a, b)| a == b)
                && similarity >= config.threshold.get()
                && best.is_none_or(|(most, _)| similarity > most)
            {
                best = Some((similarity, *other));
            }
        }
        match best {
            None => kept.push((doc, keys, set)),
            Some((similarity, duplicate_of)) => {
                evidence[doc as usize] =
                    Some(Evidence { duplicate_of, similarity, reason: RemovalReason::Near });
            }
        }
    }
    for (copy, first) in copies {
        let equal = Evidence { duplicate_of: first, similarity: 1.0, reason: RemovalReason::Exact };
        evidence[copy as usize] = Some(evidence[first as usize].unwrap_or(equal));
    }
    evidence
}

/// What holds for every outcome, whatever was found.
#[track_caller]
fn assert_sound(texts: &[Option<&str>], ranks: &[Rank], config: &DedupConfig, outcome: &Outcome) {
    assert_eq!(outcome.evidence.len(), texts.len());
    let order = keep_order(texts, ranks, config.keep);
    let place: HashMap<u32, usize> = order.iter().copied().zip(0..).collect();
    let (mut kept, mut exact, mut near) = (Tally::default(), Tally::default(), Tally::default());
    let mut named = BTreeSet::new();
    for (doc, evidence) in outcome.evidence.iter().enumerate() {
        let bytes = texts[doc].map_or(0, str::len) as u64;
        let Some(evidence) = evidence else {
            kept.add(bytes);
            continue;
        };
        let (text, other) = (texts[doc].unwrap(), texts[evidence.duplicate_of as usize].unwrap());
        assert!(outcome.evidence[evidence.duplicate_of as usize].is_none(), "{doc} names a removed document");
        assert!(place[&evidence.duplicate_of] < place[&(doc as u32)], "{doc} is preferred to the one kept");
        named.insert(evidence.duplicate_of);
        if evidence.reason == RemovalReason::Exact {
            exact.add(bytes);
            assert_eq!((text, evidence.similarity), (other, 1.0));
        } else {
            near.add(bytes);
            let exact = similarity(&shingle_set(config.shingles, text), &shingle_set(config.shingles, other));
            assert_eq!(evidence.similarity.to_bits(), exact.to_bits(), "similarity of {doc}");
            assert!(exact >= config.threshold.get() && text != other, "{doc} was removed at {exact}");
        }
    }
    let summary = outcome.summary;
    assert_eq!((summary.kept, summary.exact, summary.near), (kept, exact, near));
    assert_eq!(summary.documents.docs, kept.docs + exact.docs + near.docs);
    assert_eq!(summary.documents.bytes, kept.bytes + exact.bytes + near.bytes);
    assert_eq!(summary.documents.bytes, texts.iter().flatten().map(|text| text.len() as u64).sum::<u64>());
    assert_eq!(summary.null, texts.iter().filter(|text| text.is_none()).count() as u64);
    assert_eq!(summary.clusters, named.len() as u64);
    assert!(summary.candidates >= near.docs.min(1) && summary.candidates <= summary.documents.docs);
    assert!(summary.checks <= summary.candidates * MAX_CHECKS as u64);
}

/// The outcome without the clock.
fn timeless(outcome: &Outcome) -> Outcome {
    let summary = Summary { timings: Timings::default(), ..outcome.summary };
    Outcome { summary, ..outcome.clone() }
}

/// A word of no meaning, named by a number.
fn word(seed: u64) -> String {
    let mut bits = splitmix64(seed);
    (0..3 + bits % 6)
        .map(|_| {
            bits = splitmix64(bits);
            char::from(b'a' + (bits % 26) as u8)
        })
        .collect()
}

fn words(seed: u64, count: u64) -> Vec<String> {
    (0..count).map(|i| word(seed * 1_000_003 + i)).collect()
}

/// Documents of a small pool of sentences, with edits, copies, other spellings, and texts without a word.
fn corpus() -> impl Strategy<Value = Vec<Option<String>>> {
    let sentence = |i: u64| words(i, 4 + i % 9).join(" ") + ". ";
    let body = prop::collection::vec(0..12u64, 1..9)
        .prop_map(move |picks| picks.into_iter().map(sentence).collect());
    let body = body.prop_map(|body: String| body).boxed();
    let edited = (body.clone(), any::<prop::sample::Index>(), 0..6u8).prop_map(|(body, place, edit)| {
        let mut words: Vec<String> = body.split(' ').map(str::to_owned).collect();
        let place = place.index(words.len());
        match edit {
            0 => words[place] = "edited".to_owned(),
            1 => drop(words.remove(place)),
            2 => words.insert(place, "more".to_owned()),
            3 => words[place] = words[place].to_uppercase(),
            4 => words.push("and an end".to_owned()),
            _ => words.iter_mut().for_each(|word| word.push(',')),
        }
        words.join(" ")
    });
    let wordless = prop::sample::select(vec!["", " ", "...", "\0", "—", "👍"]).prop_map(str::to_owned);
    let few =
        prop::sample::select(vec!["one", "One!", "one two", "one two three four"]).prop_map(str::to_owned);
    let text = prop_oneof![4 => body, 8 => edited, 1 => wordless, 1 => few];
    let document = prop_oneof![12 => text.prop_map(Some), 1 => Just(None)];
    let copied =
        (prop::collection::vec(document, 0..40), prop::collection::vec(any::<prop::sample::Index>(), 0..12));
    copied.prop_map(|(mut documents, copies)| {
        for copy in copies.into_iter().take(documents.len()) {
            documents.push(documents[copy.index(documents.len())].clone());
        }
        documents
    })
}

fn rank() -> impl Strategy<Value = Rank> {
    prop_oneof![
        Just(Rank::Missing),
        (-3..3i128).prop_map(Rank::Int),
        prop::sample::select(vec![0.0, -0.0, 0.5, 2.0, f64::NAN, f64::INFINITY, -1e300])
            .prop_map(Rank::Float),
        prop::sample::select(vec!["", "2024-01-01", "2024-06-30"]).prop_map(|text| Rank::Text(text.into())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_search_is_the_definition(
        texts in corpus(), ranks in prop::collection::vec(rank(), 60), policy in 0..5usize,
        threshold in prop::sample::select(vec![0.3, 0.5, 0.7, 0.8, 0.9, 1.0]),
    ) {
        let texts = borrowed(&texts);
        let config = DedupConfig { keep: POLICIES[policy], ..config(threshold) };
        let outcome = search(&texts, &ranks[..texts.len()], &config);
        assert_sound(&texts, &ranks[..texts.len()], &config, &outcome);
        prop_assert_eq!(outcome.evidence, naive(&texts, &ranks[..texts.len()], &config));
    }

    #[test]
    fn other_shingles_and_exact_copies_only_follow_the_definition_too(texts in corpus(), ngram in 1..9usize, exact_only: bool) {
        let texts = borrowed(&texts);
        let shingles = ShingleSpec::try_new(ShingleUnit::Char, ngram).unwrap();
        let config = DedupConfig { shingles, exact_only, ..config(0.8) };
        let outcome = search(&texts, &[], &config);
        assert_sound(&texts, &[], &config, &outcome);
        prop_assert_eq!(outcome.evidence, naive(&texts, &[], &config));
    }

    #[test]
    fn what_was_kept_has_no_duplicates_left(texts in corpus()) {
        let texts = borrowed(&texts);
        let outcome = search(&texts, &[], &config(0.7));
        let kept: Vec<Option<&str>> =
            texts.iter().zip(&outcome.evidence).filter(|(_, evidence)| evidence.is_none()).map(|(text, _)| *text).collect();
        let again = search(&kept, &[], &config(0.7));
        prop_assert_eq!(again.summary.kept, again.summary.documents);
    }
}

#[test]
fn the_outcome_is_the_same_on_any_number_of_threads() {
    let texts: Vec<Option<String>> = (0..3_000u64)
        .map(|i| {
            let mut words = words(i % 700, 20 + i % 300);
            let place = splitmix64(i) as usize % words.len();
            words[place] = word(i);
            (i % 41 != 0).then(|| words.join(" "))
        })
        .collect();
    let texts = borrowed(&texts);
    for keep in [Keep::First, Keep::Longest] {
        let config = DedupConfig { keep, ..config(0.7) };
        let outcomes =
            [1, 2, 4].map(|threads| timeless(&on_threads(threads, || search(&texts, &[], &config))));
        assert_sound(&texts, &[], &config, &outcomes[0]);
        assert!(outcomes[0].summary.near.docs > 500, "the corpus has duplicates");
        assert_eq!(outcomes[0], outcomes[1]);
        assert_eq!(outcomes[0], outcomes[2]);
    }
}

#[test]
fn each_policy_keeps_the_one_it_is_named_for() {
    let body = words(1, 60).join(" ");
    let texts =
        [format!("{body} x"), format!("{body} xyz"), body.clone(), format!("{body} xyz"), "other".to_owned()];
    let texts: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
    let ranks = [2, 7, 1, 8, 0].map(Rank::Int);
    for (keep, stays) in POLICIES.into_iter().zip([0, 1, 2, 3, 2]) {
        let outcome = search(&texts, &ranks, &DedupConfig { keep, ..config(0.8) });
        let named: Vec<Option<u32>> = outcome.evidence.iter().map(|e| e.map(|e| e.duplicate_of)).collect();
        let expected: Vec<Option<u32>> =
            (0..5).map(|doc| (doc != stays && doc != 4).then_some(stays)).collect();
        assert_eq!(named, expected, "{keep:?}");
    }
}

#[test]
fn the_most_similar_kept_document_is_named() {
    let base = words(3, 200);
    let edit = |places: &[usize]| {
        let mut words = base.clone();
        for &place in places {
            words[place] = format!("edit{place}");
        }
        Some(words.join(" "))
    };
    // The first two differ from each other too much, and the third differs from both, less from the second.
    let texts = [edit(&[10, 20, 30, 40]), edit(&[110, 120, 130, 140, 150]), edit(&[110, 120, 130, 140])];
    let outcome = search(&borrowed(&texts), &[], &config(0.65));
    assert_eq!(outcome.evidence[1], None);
    assert_eq!(outcome.evidence[2].map(|e| e.duplicate_of), Some(1));
}

/// Pairs of documents of known similarity, none of which is like another pair.
fn pairs(count: u64, lowest: f64) -> Vec<(String, String, f64)> {
    let spec = ShingleSpec::default();
    (0..)
        .map(|i| {
            let left = words(10_000 + i, [12, 20, 40, 80, 150, 400][(i % 6) as usize]);
            let mut right = left.clone();
            for edit in 0..i / 6 % 5 {
                let place = splitmix64(i * 10 + edit) as usize % right.len();
                right[place] = word(i * 77 + edit);
            }
            let (left, right) = (left.join(" "), right.join(" ") + " indeed");
            let similarity = similarity(&shingle_set(spec, &left), &shingle_set(spec, &right));
            (left, right, similarity)
        })
        .filter(|pair| pair.2 >= lowest)
        .take(count as usize)
        .collect()
}

#[test]
fn recall_against_brute_force_is_what_the_curve_promises() {
    for (threshold, banding) in [(0.7, None), (0.8, None), (0.7, Some((16, 8))), (0.8, Some((8, 16)))] {
        let pairs = pairs(600, threshold);
        let texts: Vec<Option<&str>> =
            pairs.iter().flat_map(|(a, b, _)| [Some(a.as_str()), Some(b.as_str())]).collect();
        let mut config = config(threshold);
        if let Some((bands, rows)) = banding {
            config.banding = Banding::try_new(bands, rows, config.num_hashes).unwrap();
        }
        let outcome = search(&texts, &[], &config);
        let found = (0..pairs.len()).filter(|i| outcome.evidence[2 * i + 1].is_some()).count() as f64;
        let odds: Vec<f64> =
            pairs.iter().map(|&(_, _, similarity)| config.banding.recall_at(similarity)).collect();
        let promised: f64 = odds.iter().sum();
        let spread = odds.iter().map(|p| p * (1.0 - p)).sum::<f64>().sqrt();
        assert!(
            (found - promised).abs() <= 5.0 * spread + 1.0,
            "{found} pairs, {promised} promised at {threshold}"
        );
        if banding.is_none() {
            assert!(found >= 0.98 * pairs.len() as f64, "{found} of {} pairs at {threshold}", pairs.len());
        }
    }
}

#[test]
fn ranks_that_are_missing_or_too_many_are_refused_with_both_numbers() {
    let texts = [Some("one"), Some("two")];
    for keep in [Keep::Max, Keep::Min] {
        for ranks in [vec![], vec![Rank::Int(1)], vec![Rank::Int(1); 3]] {
            let error = dedup(&texts, &ranks, &DedupConfig { keep, ..config(0.8) }, &secret(), &Unobserved)
                .unwrap_err();
            let message = error.to_string();
            assert!(
                message.contains(&format!("`{}` ranks", ranks.len())) && message.contains("`2`"),
                "{message}"
            );
        }
    }
    assert!(dedup(&texts, &[], &config(0.8), &secret(), &Unobserved).is_ok());
}

/// Stops after a number of questions, and counts them.
struct Stopper {
    patience: u64,
    asked: AtomicU64,
}

impl Observer for Stopper {
    fn cancelled(&self) -> bool {
        self.asked.fetch_add(1, Relaxed) >= self.patience
    }
}

#[test]
fn a_wish_to_stop_is_granted_at_every_question() {
    let mut texts: Vec<Option<String>> =
        (0..600).map(|i| Some(words(i % 200, 30 + i / 200).join(" "))).collect();
    // A cluster that takes more than one question.
    texts.extend((0..300).map(|i| Some(words(9_999, 100).join(" ") + &word(i))));
    let texts = borrowed(&texts);
    for exact_only in [false, true] {
        let config = DedupConfig { exact_only, ..config(0.8) };
        let stop = |patience| {
            let observer = Stopper { patience, asked: AtomicU64::new(0) };
            (dedup(&texts, &[], &config, &secret(), &observer), observer.asked.into_inner())
        };
        let (outcome, questions) = stop(u64::MAX);
        assert!(outcome.is_ok() && questions > 0, "{questions} questions");
        for patience in (0..questions).step_by(if questions > 100 { 17 } else { 1 }) {
            assert_eq!(stop(patience).0, Err(Error::Cancelled), "after {patience} of {questions} questions");
        }
    }
}

#[test]
fn a_large_cluster_asks_again_and_again() {
    let texts: Vec<Option<String>> =
        (0..300).map(|i| Some(words(9_999, 1_500).join(" ") + &word(i))).collect();
    let texts = borrowed(&texts);
    let observer = Stopper { patience: u64::MAX, asked: AtomicU64::new(0) };
    let config = config(0.8);
    let outcome = dedup(&texts, &[], &config, &secret(), &observer).unwrap();
    assert_eq!(outcome.summary.near.docs, 299);
    // Before each task and each band, and while the cluster is resolved.
    let questions = tasks(&texts).len() + config.banding.bands() + texts.len().div_ceil(DOCS_A_QUESTION);
    assert!(observer.asked.into_inner() >= questions as u64);
}
