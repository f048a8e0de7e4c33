//! Text to signature for each instruction set and each script, and the hash of a word beside XXH3.
//!
//! `cargo bench -p thresher-core --bench sign -- --scripts` (`make bench-scripts`) prints one table of all scripts instead:
//! MB/s of one thread for long and for short documents. There each 50 KB are timed by themselves, and of many times
//! the least is taken, so that a busy machine does not blur it.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start should stop")]

use std::collections::HashSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use thresher_core::hash::Keys;
use thresher_core::{NumHashes, ShingleSpec, Shingler, Signer, instruction_set, instruction_sets};
use xxhash_rust::xxh3::xxh3_64;

mod corpus;
#[path = "corpus/scripts.rs"]
mod scripts;

use corpus::{Language, Random};
use scripts::{SCRIPTS, Script};

/// Bytes of text in each corpus: more than the second-level cache holds.
const CORPUS_BYTES: usize = 8 << 20;

fn sign(criterion: &mut Criterion) {
    let language = Language::new(1);
    let spec = ShingleSpec::default();
    for (name, n_words) in
        [("messages of 40 words", 40), ("pages of 500 words", 500), ("books of 200,000 words", 200_000)]
    {
        let texts = language.texts(n_words, CORPUS_BYTES, 2);
        let bytes: usize = texts.iter().map(String::len).sum();
        let mut group = criterion.benchmark_group(format!("sign {name}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        let k = NumHashes::default();
        for set in instruction_sets() {
            let mut signer = Signer::with_instruction_set(spec, k, set).unwrap();
            let mut portable = Signer::with_instruction_set(spec, k, "scalar").unwrap();
            for text in &texts {
                assert_eq!(signer.sign(text), portable.sign(text));
            }
            group.bench_function(BenchmarkId::from_parameter(set), |bencher| {
                bencher.iter(|| {
                    for text in &texts {
                        black_box(signer.sign(black_box(text)));
                    }
                });
            });
        }
        group.finish();
    }
}

/// Bytes of a long document and of a short one.
const LONG: usize = 50_000;
const SHORT: usize = 700;

fn scripts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign pages of 50 KB");
    for script in &SCRIPTS {
        let texts = script.texts(LONG, CORPUS_BYTES / 4, 2);
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        let mut signer = Signer::new(ShingleSpec::default(), NumHashes::default());
        group.bench_function(BenchmarkId::from_parameter(script.name), |bencher| {
            bencher.iter(|| {
                for text in &texts {
                    black_box(signer.sign(black_box(text)));
                }
            });
        });
    }
    group.finish();
}

/// MB/s over documents of one length.
fn speed(script: &Script, each: usize, set: &str) -> f64 {
    let texts = script.texts(each, CORPUS_BYTES / 4, 2);
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut signer = Signer::with_instruction_set(ShingleSpec::default(), NumHashes::default(), set).unwrap();
    let batches: Vec<&[String]> = texts.chunks((LONG / each).max(1)).collect();
    let mut least = vec![Duration::MAX; batches.len()];
    for _ in 0..15 {
        for (batch, least) in batches.iter().zip(&mut least) {
            let clock = Instant::now();
            for text in *batch {
                black_box(signer.sign(black_box(text)));
            }
            *least = clock.elapsed().min(*least);
        }
    }
    bytes as f64 / 1e6 / least.iter().sum::<Duration>().as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn table() {
    println!("MB/s of one thread, 128 lanes, shingles of 5 words\n");
    println!("| script | instructions | documents of 50 KB | of 0.7 KB |\n|---|---|---|---|");
    for script in &SCRIPTS {
        for set in instruction_sets().into_iter().rev() {
            let [long, short] = [LONG, SHORT].map(|each| speed(script, each, set));
            println!("| {} | {set} | {long:.0} | {short:.0} |", script.name);
        }
    }
}

fn shingles(criterion: &mut Criterion) {
    let texts = Language::new(1).texts(500, CORPUS_BYTES, 2);
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("shingle pages of 500 words");
    group.throughput(Throughput::Bytes(bytes as u64));
    let mut shingler = Shingler::new(ShingleSpec::default());
    let mut shingles = Vec::new();
    for text in &texts {
        shingles.clear();
        shingler.shingles_into(text, &mut shingles);
        assert_eq!(shingles.len(), 496);
    }
    group.bench_function(BenchmarkId::from_parameter(instruction_set()), |bencher| {
        bencher.iter(|| {
            for text in &texts {
                shingles.clear();
                shingler.shingles_into(black_box(text), &mut shingles);
                black_box(shingles.last());
            }
        });
    });
    group.finish();
}

/// The words of running text in one buffer, and the place of each.
struct Words {
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
}

impl Words {
    fn new(n_words: usize) -> Self {
        let language = Language::new(1);
        let mut random = Random(3);
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for _ in 0..n_words {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(language.word(&mut random).as_bytes());
            places.push((start, bytes.len() as u32));
            bytes.push(b' ');
        }
        // Words are read 16 bytes at a time.
        bytes.extend_from_slice(&[0; 16]);
        Self { bytes, places }
    }

    fn hash_all(&self, hash: impl Fn(&[u8]) -> u64) -> u64 {
        self.places.iter().fold(0, |sum, &(start, end)| sum ^ hash(&self.bytes[start as usize..end as usize]))
    }

    /// The way of the fused pass, which is private: one masked load for a word of up to 16 bytes.
    fn hash_all_in_place(&self) -> u64 {
        self.places.iter().fold(0, |sum, &(start, end)| {
            let (start, length) = (start as usize, (end - start) as usize);
            let hash = if length <= 16 {
                let both = u128::from_le_bytes(*self.bytes[start..].first_chunk().unwrap());
                let kept = both & MASKS[length];
                one_step(kept as u64, (kept >> 64) as u64)
            } else {
                Keys::PUBLIC.word_hash(&self.bytes[start..start + length])
            };
            sum ^ hash
        })
    }
}

fn scheme(word: &[u8]) -> u64 {
    Keys::PUBLIC.word_hash(word)
}

/// The hash of a word of up to 16 bytes, by the definition of hash scheme 2.
fn one_step(lo: u64, hi: u64) -> u64 {
    let product = u128::from(lo ^ 0x4609_3CF9_861E_C2FF) * u128::from(hi ^ 0xE7FF_814E_1D99_A4FF);
    (product as u64) ^ (product >> 64) as u64
}

/// Masks that keep the first 0 to 16 bytes.
const MASKS: [u128; 17] = {
    let mut masks = [u128::MAX; 17];
    let mut length = 0;
    while length < 16 {
        masks[length] = (1 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

fn word_hash(criterion: &mut Criterion) {
    let vocabulary: HashSet<String> = Language::new(1).words.into_iter().collect();
    let hashes: HashSet<u64> =
        vocabulary.iter().map(|word| Keys::PUBLIC.word_hash(word.as_bytes())).collect();
    assert_eq!(hashes.len(), vocabulary.len(), "no two words have the same hash");
    // A processor learns the lengths of 2,000 words that come again and again; running text is the longer one.
    for n_words in [2_000, 50_000] {
        let words = Words::new(n_words);
        assert_eq!(words.hash_all(scheme), words.hash_all_in_place());
        let mut group = criterion.benchmark_group(format!("hash each of {n_words} words"));
        group.throughput(Throughput::Elements(n_words as u64));
        group.bench_function("scheme 2, in place", |bencher| {
            bencher.iter(|| black_box(&words).hash_all_in_place());
        });
        group.bench_function("scheme 2, any slice", |bencher| {
            bencher.iter(|| black_box(&words).hash_all(scheme));
        });
        group.bench_function("XXH3", |bencher| bencher.iter(|| black_box(&words).hash_all(xxh3_64)));
        group.finish();
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "--scripts") {
        return table();
    }
    let mut criterion = Criterion::default().configure_from_args();
    sign(&mut criterion);
    scripts(&mut criterion);
    shingles(&mut criterion);
    word_hash(&mut criterion);
    criterion.final_summary();
}
