//! How fast texts are held against benchmarks, in MB/s on one thread, and how long an index of two million n-grams takes.
//!
//! `cargo bench -p thresher-filter --bench contamination [-- FILE.jsonl FIELD]` takes the texts of a file instead of generated ones.
//! The references are generated of their words, so that seeds and fragments of them occur as they would. Figures are the best of several
//! runs, in time of the processor where the system tells it. Before the clock starts, planted items have to be found, and nothing else.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and stops where it is wrong")]

use std::sync::OnceLock;
use std::time::Instant;

use thresher_core::Secret;
use thresher_core::words::for_each_word;
use thresher_filter::contamination::{Benchmark, Detector, Field, Index, Item, Options, Rule, Side};

/// N-grams of the references.
const NGRAMS: usize = 2_000_000;
/// Bytes of generated text.
const BYTES: usize = 32_000_000;
/// Runs of which the best counts.
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let texts = match arguments.as_slice() {
        [] => generated(),
        [file, rest @ ..] => read(file, rest.first().map_or("text", String::as_str)),
    };
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{} texts, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    let references = references(&texts);
    for (rule, fuzzy) in
        [("gpt3-13", false), ("palm-70", false), ("llama3-8", false), ("ngram:8", false), ("gpt3-13", true)]
    {
        let options = Options { rule: Rule::named(rule, None).expect("a rule"), fuzzy, common: 10 };
        let secret = Secret::new(&std::array::from_fn(|at| (at * 37 % 251) as u8));
        let build = || Index::build(std::slice::from_ref(&references), options, &secret).expect("an index");
        let (build_s, index) = best(build);
        let (check_s, found) = best(|| {
            let mut detector = Detector::new(&index);
            texts.iter().filter(|text| detector.check(text).is_some()).count()
        });
        check(&index, &references, &texts);
        let fuzzy = if fuzzy { " with edits" } else { "" };
        println!(
            "{:>8.1} MB/s  {rule}{fuzzy}; index of {} n-grams in {build_s:.2} s, {:.0} MB; {found} texts found",
            bytes as f64 / 1e6 / check_s,
            index.ngrams(),
            index.bytes() as f64 / 1e6,
        );
    }
}

/// Holds some texts with an item in the middle against the index.
fn check(index: &Index, references: &Benchmark, texts: &[String]) {
    let mut detector = Detector::new(index);
    for (item, text) in references.items.iter().step_by(97).zip(texts) {
        let mut at = text.len() / 2;
        while !text.is_char_boundary(at) {
            at += 1;
        }
        let leaked = format!("{} {} {}", &text[..at], item.fields[0].text, &text[at..]);
        let found = detector.check(&leaked).expect("a planted item is found");
        assert!(found.matches.iter().any(|found| u64::from(found.row) == item.row));
    }
}

/// The least seconds of several runs, and what the last one made.
fn best<T>(run: impl Fn() -> T) -> (f64, T) {
    let timed = || {
        let start = seconds();
        let made = run();
        (seconds() - start, made)
    };
    let (mut least, mut made) = timed();
    for _ in 1..RUNS {
        let (took, again) = timed();
        (least, made) = (least.min(took), again);
    }
    (least, made)
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

/// Items of 60 words: half of each is drawn from the words of the texts one by one, half is phrases of six words of them.
fn references(texts: &[String]) -> Benchmark {
    let mut words = Vec::new();
    for text in texts {
        if words.len() > 2_000_000 {
            break;
        }
        for_each_word(text, |word| words.push(word.to_owned()));
    }
    let mut random = Random(17);
    let item = |row: usize| {
        let mut some = Vec::new();
        while some.len() < 60 {
            let at = random.below(words.len() - 6);
            let count = if random.below(7) == 0 { 6 } else { 1 };
            some.extend(words[at..at + count].iter().map(String::as_str));
        }
        let field = Field { name: "question".into(), side: Side::Prompt, text: some.join(" ") };
        Item { row: row as u64, fields: vec![field] }
    };
    Benchmark { name: "generated".into(), items: (0..NGRAMS / 48).map(item).collect() }
}

fn read(file: &str, field: &str) -> Vec<String> {
    let lines = std::fs::read_to_string(file).expect("a file of UTF-8");
    let text = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        record[field].as_str().expect("a field with a text").to_owned()
    };
    lines.lines().map(text).collect()
}

/// Pages of words that are drawn by a power law.
fn generated() -> Vec<String> {
    let letters: Vec<char> = "abcdefghijklmnoprstuvwy".chars().collect();
    let mut random = Random(11);
    let vocabulary: Vec<String> = (0..20_000)
        .map(|_| (0..2 + random.below(7)).map(|_| letters[random.below(letters.len())]).collect())
        .collect();
    let (mut texts, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES {
        let mut text = String::new();
        for _ in 0..100 + random.below(1500) {
            let rank = (vocabulary.len() as f64).powf(random.unit()) as usize;
            text += &vocabulary[rank.min(vocabulary.len() - 1)];
            text += if random.below(12) == 0 { ".\n" } else { " " };
        }
        bytes += text.len();
        texts.push(text);
    }
    texts
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
