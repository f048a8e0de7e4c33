//! Signatures against the definition.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::hash::splitmix64;
use crate::observe::Unobserved;
use crate::params::ShingleUnit;
use crate::shingle::Shingler;

const LANES: [usize; 6] = [1, 2, 16, 100, 128, 1000];

/// The definition, over the set of shingles: the least low half of those whose high half chose the lane, or of
/// the lane's own permutation of all low halves if that leaves it empty.
fn naive(shingles: &BTreeSet<u64>, k: usize) -> Vec<u32> {
    let lane = |lane: usize| {
        let chosen = |shingle: &&u64| (u128::from(**shingle >> 32) * k as u128) >> 32 == lane as u128;
        let least = shingles.iter().filter(chosen).map(|&shingle| shingle as u32).min();
        let bits = splitmix64(lane as u64);
        let (factor, offset) = (u64::from(bits as u32 | 1), bits >> 32);
        let permuted = |&shingle: &u64| ((factor * (shingle & 0xFFFF_FFFF) + offset) % (1 << 32)) as u32;
        let refilled = || shingles.iter().map(permuted).min();
        least.filter(|&least| least != EMPTY).or_else(refilled).unwrap_or(EMPTY)
    };
    (0..k).map(lane).collect()
}

fn shingle_set(spec: ShingleSpec, text: &str) -> BTreeSet<u64> {
    let mut shingles = Vec::new();
    Shingler::new(spec).shingles_into(text, &mut shingles);
    shingles.into_iter().collect()
}

fn hashes(k: usize) -> NumHashes {
    NumHashes::try_new(k).unwrap()
}

fn signed(spec: ShingleSpec, k: usize, set: InstructionSet, text: &str) -> Option<Vec<u32>> {
    Signer::with_set(spec, hashes(k), Keys::PUBLIC, set).sign(text).map(<[u32]>::to_vec)
}

#[track_caller]
fn assert_is_naive(spec: ShingleSpec, text: &str, lanes: &[usize]) {
    let shingles = shingle_set(spec, text);
    for &k in lanes {
        let expected = (!shingles.is_empty()).then(|| naive(&shingles, k));
        for set in InstructionSet::available() {
            assert_eq!(signed(spec, k, set, text), expected, "{set:?}, {k} lanes, {} bytes", text.len());
        }
    }
}

/// Words named by number, so that a set of numbers is a set of 1-word shingles.
fn document(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ") + " "
}

fn text() -> impl Strategy<Value = String> {
    let pieces =
        prop_oneof![6 => "[a-zA-Z0-9]{1,8} ", 1 => "[ -~]{0,20}", 1 => "\\PC{0,6}", 1 => "[漢字ひカก] ?"];
    (prop::collection::vec(pieces, 0..60), prop_oneof![4 => Just(1), 1 => 2..20usize])
        .prop_map(|(pieces, repeat)| pieces.concat().repeat(repeat))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_signature_is_the_definition(text in text(), ngram in 1..7usize, chars: bool) {
        let unit = if chars { ShingleUnit::Char } else { ShingleUnit::Word };
        assert_is_naive(ShingleSpec::try_new(unit, ngram).unwrap(), &text, &LANES);
    }

    #[test]
    fn repeating_shingles_changes_nothing(numbers in prop::collection::vec(0..500u64, 1..80), times in 2..60usize, pick in 0..6usize) {
        let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
        let once = document(numbers);
        let set = InstructionSet::best();
        prop_assert_eq!(signed(spec, LANES[pick], set, &once), signed(spec, LANES[pick], set, &once.repeat(times)));
    }

    #[test]
    fn the_order_of_shingles_changes_nothing(numbers in prop::collection::vec(0..5_000u64, 1..3_000)) {
        let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
        let set = InstructionSet::best();
        let backwards = document(numbers.iter().rev().copied());
        prop_assert_eq!(signed(spec, 128, set, &document(numbers)), signed(spec, 128, set, &backwards));
    }
}

#[test]
fn a_long_text_of_few_shingles_is_read_again_for_its_empty_lanes() {
    let spec = ShingleSpec::default();
    assert_is_naive(spec, &"the ".repeat(250_000), &[1, 16, 128]);
    let phrases =
        ["all work and no play makes jack a dull boy ", "the quick brown fox jumps over the lazy dog "];
    let alternating: String = (0..8_000).map(|i| phrases[i % 2]).collect();
    assert!(shingle_set(spec, &alternating).len() < 30);
    assert_is_naive(spec, &alternating, &[2, 100, 1000]);
    assert_is_naive(spec, &(alternating + "and then the dog got up and said no more"), &[2, 100, 1000]);
}

#[test]
fn texts_about_as_long_as_the_memory_for_refilling_agree_with_the_definition() {
    let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
    for k in [1, 16, 100, 128] {
        let held = 16 * k.max(16);
        for words in [held - 1, held, held + 1, 2 * held - 1, 2 * held, 2 * held + 1] {
            // Eleven distinct words leave lanes empty, whatever the length; most of them are the last ones.
            let text = document((0..words as u64).map(|i| (i + 10).saturating_sub(words as u64)));
            let expected = Some(naive(&shingle_set(spec, &text), k));
            for set in InstructionSet::available() {
                assert_eq!(signed(spec, k, set, &text), expected, "{set:?}, {k} lanes, {words} words");
            }
        }
    }
}

#[test]
fn each_named_instruction_set_signs_alike_and_others_are_refused() {
    let (spec, k) = (ShingleSpec::default(), NumHashes::default());
    let best = Signer::new(spec, k).sign("a b c d e f").map(<[u32]>::to_vec);
    for name in crate::instruction_sets() {
        let mut signer = Signer::with_instruction_set(spec, k, name).unwrap();
        assert_eq!(signer.sign("a b c d e f").map(<[u32]>::to_vec), best, "{name}");
    }
    assert!(Signer::with_instruction_set(spec, k, "abacus").is_none());
}

#[test]
fn a_signer_remembers_nothing_of_the_document_before() {
    let long = document(0..40_000);
    let again = "the ".repeat(40_000);
    let mut signer = Signer::new(ShingleSpec::default(), NumHashes::default());
    for text in ["a b c", &long, "a b c", "", &again, "one two three four five six", "...", "a b c"] {
        let expected = signed(ShingleSpec::default(), 128, InstructionSet::best(), text);
        assert_eq!(signer.sign(text).map(<[u32]>::to_vec), expected);
    }
}

fn corpus() -> Vec<Option<String>> {
    let mut texts: Vec<Option<String>> = (0..1_500u64)
        .map(|i| (i % 13 != 0).then(|| document((0..i % 97).map(|j| splitmix64(i ^ j << 20) % 1_000))))
        .collect();
    texts[700] = Some(document(0..200_000));
    texts[701] = Some("!? — \0".to_owned());
    texts
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn many_documents_are_signed_as_one_by_one_on_any_number_of_threads() {
    let corpus = corpus();
    let texts: Vec<Option<&str>> = corpus.iter().map(Option::as_deref).collect();
    let (spec, k) = (ShingleSpec::default(), NumHashes::default());
    let mut signer = Signer::new(spec, k);
    for threads in [1, 2, 4] {
        let matrix = on_threads(threads, || sign_all(&texts, spec, k, 0, &Unobserved)).unwrap();
        assert_eq!(matrix.len(), texts.len());
        for (doc, text) in texts.iter().enumerate() {
            let wordless = vec![EMPTY; k.get()];
            let expected = text.map(|text| signer.sign(text).map_or(wordless, <[u32]>::to_vec));
            assert_eq!(matrix.row(doc).map(<[u32]>::to_vec), expected, "document {doc}, {threads} threads");
        }
        assert_eq!(matrix.row(texts.len()), None);
    }
}

#[test]
fn no_documents_have_no_signatures() {
    let matrix = sign_all(&[], ShingleSpec::default(), NumHashes::default(), 0, &Unobserved).unwrap();
    assert!(matrix.is_empty());
    assert_eq!(matrix.row(0), None);
}

#[test]
fn tasks_cover_all_documents_once_and_bound_their_work() {
    let long = "x".repeat(TASK_BYTES);
    let texts: Vec<Option<&str>> = (0..2_000)
        .map(|i| (i % 3 != 0).then_some(if i % 500 == 499 { &long[..] } else { "short" }))
        .collect();
    let tasks = tasks(&texts);
    assert_eq!(tasks.iter().flat_map(Range::clone).collect::<Vec<_>>(), (0..2_000).collect::<Vec<_>>());
    assert!(tasks.iter().all(|task| !task.is_empty() && task.len() <= TASK_DOCS));
    assert!(super::tasks(&[]).is_empty());
}

/// Stops after a number of questions, and counts what it is told.
struct Stopper {
    questions: AtomicU64,
    docs: AtomicU64,
    bytes: AtomicU64,
}

impl Stopper {
    fn after(questions: u64) -> Self {
        Self { questions: questions.into(), docs: 0.into(), bytes: 0.into() }
    }
}

impl Observer for Stopper {
    fn advance(&self, docs: u64, bytes: u64) {
        self.docs.fetch_add(docs, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.questions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn an_observer_sees_every_document_and_may_stop_at_any_time() {
    let corpus = corpus();
    let texts: Vec<Option<&str>> = corpus.iter().map(Option::as_deref).collect();
    let sign = |observer: &Stopper| sign_all(&texts, ShingleSpec::default(), hashes(16), 0, observer);
    let patient = Stopper::after(u64::MAX);
    assert!(sign(&patient).is_ok());
    assert_eq!(patient.docs.into_inner(), texts.len() as u64);
    assert_eq!(patient.bytes.into_inner(), texts.iter().flatten().map(|text| text.len() as u64).sum::<u64>());
    for questions in 0..tasks(&texts).len() as u64 {
        assert_eq!(sign(&Stopper::after(questions)), Err(Error::Cancelled));
    }
}

/// The share of equal lanes of random pairs of sets, against their exact similarity.
#[test]
fn estimates_stay_within_five_standard_errors_of_the_exact_similarity() {
    let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
    let (mut all_errors, mut variances) = (0.0, 0.0);
    for k in [64, 128, 256] {
        let mut signer = Signer::new(spec, hashes(k));
        for (trial, union) in
            [3u64, 5, 12, 40, 100, 128, 400, 3_000].into_iter().cycle().take(320).enumerate()
        {
            let shared = splitmix64(trial as u64) % (union + 1);
            let only = (union - shared) / 2;
            let base = 1_000_000 * (trial as u64 * 1_000 + k as u64);
            let a = document(base..base + shared + only);
            let b = document((base..base + shared).chain(base + shared + only..base + union));
            let exact = shared as f64 / union as f64;
            let Some(left) = signer.sign(&a).map(<[u32]>::to_vec) else { continue };
            let Some(right) = signer.sign(&b) else { continue };
            let equal = left.iter().zip(right).filter(|(x, y)| x == y).count();
            let error = equal as f64 / k as f64 - exact;
            let variance = exact * (1.0 - exact) / k as f64;
            assert!(error.abs() <= 5.0 * variance.sqrt() + 1e-9, "{error} for {exact} of {union}, {k} lanes");
            all_errors += error;
            variances += variance;
        }
    }
    // Errors that lean to one side would hide in the bound above, but not in their sum.
    assert!(all_errors.abs() <= 5.0 * variances.sqrt(), "bias {all_errors} beside {}", variances.sqrt());
}
