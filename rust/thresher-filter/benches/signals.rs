//! How fast signals are computed, in MB/s on one thread, for each preset, for all of English, and for everything.
//!
//! `cargo bench -p thresher-filter --bench signals [-- FILE.jsonl FIELD]` takes the texts of a file instead of generated ones. Each
//! figure is the best of several runs over the whole corpus, in time of the processor where the system tells it, so that a busy
//! machine does not matter much. Before the clock starts, the signals are held against
//! a slow count of the same text, and those of one preset alone against those of all together.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::float_cmp,
    reason = "a bench prints, and stops where it is wrong"
)]

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::time::Instant;

use thresher_filter::rules::{Preset, Rules};
use thresher_filter::signals::{Extractor, Group, Signal, Signals};

/// Bytes of generated text for each script.
const BYTES: usize = 8_000_000;

/// Runs of which the best counts.
const RUNS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let corpora = match arguments.as_slice() {
        [] => generated(),
        [file, rest @ ..] => vec![(file.clone(), read(file, rest.first().map_or("text", String::as_str)))],
    };
    for (name, texts) in corpora {
        let bytes: usize = texts.iter().map(String::len).sum();
        println!("{name}: {} texts, {:.1} MB", texts.len(), bytes as f64 / 1e6);
        check(&texts);
        let english = [Preset::Gopher, Preset::GopherRepetition, Preset::C4, Preset::FineWeb];
        for preset in Preset::ALL {
            report(preset.name(), &[preset.group()], &[preset], &texts);
        }
        report("gopher + gopher-repetition + c4 + fineweb", &english.map(Preset::group), &english, &texts);
        report("redpajama", &[Group::RedPajama], &[], &texts);
        report("everything", Group::ALL, &Preset::ALL, &texts);
    }
}

fn report(name: &str, groups: &[Group], presets: &[Preset], texts: &[String]) {
    let mut extractor = Extractor::new(groups, 7);
    let rules = Rules::new(presets);
    let bytes: usize = texts.iter().map(String::len).sum();
    let (mut best, mut removed) = (f64::INFINITY, 0);
    for _ in 0..RUNS {
        let start = seconds();
        removed = 0;
        for text in texts {
            let signals = extractor.compute(text).expect("a text of less than 4 GB");
            removed += usize::from(rules.failing(signals).next().is_some());
        }
        best = best.min(seconds() - start);
    }
    println!("{:>8.1} MB/s  {name}, {removed} removed", bytes as f64 / 1e6 / best);
}

/// Seconds that this thread ran, or since the first call where Linux does not say.
fn seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let ran = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = ran.as_deref().and_then(|ran| ran.split(' ').next()?.parse::<f64>().ok());
    ran.map_or_else(
        || START.get_or_init(Instant::now).elapsed().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}

/// Holds some signals against what plain code counts.
fn check(texts: &[String]) {
    let mut all = Extractor::new(Group::ALL, 7);
    let mut alone: Vec<Extractor> = Group::ALL.iter().map(|&group| Extractor::new(&[group], 9)).collect();
    for text in texts.iter().take(300) {
        let signals = all.compute(text).expect("a text of less than 4 GB").clone();
        for (extractor, &group) in alone.iter_mut().zip(Group::ALL) {
            let alone = extractor.compute(text).expect("a text of less than 4 GB");
            for &signal in Signal::ALL.iter().filter(|signal| signal.group() == group) {
                let (alone, together) = (alone.get(signal), signals.get(signal));
                assert!(alone.to_bits() == together.to_bits(), "{}: {alone} {together}", signal.name());
            }
        }
        check_one(text, &signals);
    }
}

fn check_one(text: &str, signals: &Signals) {
    // Blanks of Python that are none of Rust do not occur here.
    let words: Vec<&str> = text.split_whitespace().collect();
    let chars = text.chars().count() as f64;
    assert_eq!(signals.get(Signal::Words), words.len() as f64);
    assert_eq!(signals.get(Signal::Chars), chars);
    let mut counts: HashMap<&[&str], usize> = HashMap::new();
    for gram in words.windows(3) {
        *counts.entry(gram).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let first = words.windows(3).find(|gram| counts[gram] == most);
    let top = first.map_or(0, |gram| gram.join(" ").chars().count() * most);
    assert_eq!(signals.get(Signal::Top3Gram), top as f64 / chars);
    let (mut seen, mut repeated, mut at) = (HashSet::new(), 0, 0);
    while at + 5 <= words.len() {
        let gram = words[at..at + 5].concat();
        if seen.contains(&gram) {
            repeated += gram.chars().count();
            at += 5;
        } else {
            seen.insert(gram);
            at += 1;
        }
    }
    assert_eq!(signals.get(Signal::Duplicate5Grams), repeated as f64 / chars);
}

fn read(file: &str, field: &str) -> Vec<String> {
    let lines = std::fs::read_to_string(file).expect("a file of UTF-8");
    let text = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        record[field].as_str().expect("a field with a text").to_owned()
    };
    lines.lines().map(text).collect()
}

/// Pages of sentences in several scripts; words are drawn by a power law, and one sentence in ten was there before.
fn generated() -> Vec<(String, Vec<String>)> {
    let scripts: [(&str, &str, &str, &str); 5] = [
        ("English", "abcdefghijklmnoprstuvwy", " ", ". "),
        ("Russian", "абвгдежзийклмнопрстуфхцчшщыьюя", " ", ". "),
        ("Arabic", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", " ", "؟ "),
        ("Hindi", "कखगघचछजझटठडढणतथदधनपफबभमयरलवशसह", " ", "। "),
        (
            "Chinese",
            "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生",
            "",
            "。",
        ),
    ];
    let generate = |(name, letters, blank, end): (&str, &str, &str, &str)| {
        let letters: Vec<char> = letters.chars().collect();
        let mut random = Random(11);
        let vocabulary: Vec<String> = (0..20_000)
            .map(|_| (0..2 + random.below(7)).map(|_| letters[random.below(letters.len())]).collect())
            .collect();
        let (mut texts, mut bytes) = (Vec::new(), 0);
        while bytes < BYTES {
            let text = page(&mut random, &vocabulary, blank, end);
            bytes += text.len();
            texts.push(text);
        }
        (format!("generated {name}"), texts)
    };
    scripts.map(generate).into()
}

fn page(random: &mut Random, vocabulary: &[String], blank: &str, end: &str) -> String {
    let (mut text, mut sentences) = (String::new(), Vec::<String>::new());
    for _ in 0..10 + random.below(150) {
        let sentence = if !sentences.is_empty() && random.below(10) == 0 {
            sentences[random.below(sentences.len())].clone()
        } else {
            let words = (0..4 + random.below(20)).map(|_| {
                let rank = (vocabulary.len() as f64).powf(random.unit()) as usize;
                vocabulary[rank.min(vocabulary.len() - 1)].as_str()
            });
            words.collect::<Vec<_>>().join(blank) + end
        };
        text.push_str(&sentence);
        if random.below(4) == 0 {
            text.push_str(if random.below(3) == 0 { "\n\n" } else { "\n" });
        }
        sentences.push(sentence);
    }
    text
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 20) as usize % bound
    }

    fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
}
