//! How fast personal data is looked for, in MB/s on one thread: in prose, in records full of it, and in lines of one megabyte that are
//! made to take long.
//!
//! `cargo bench -p thresher-filter --bench pii [-- FILE.jsonl FIELD]` adds the texts of a file. Each figure is the best of
//! several runs, in time of the processor where the system tells it. Before the clock starts, what was put into the records has to be found.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and stops where it is wrong")]

use std::sync::OnceLock;
use std::time::Instant;

use thresher_filter::pii::{Detector, Kinds, Span};

/// Bytes of each text; the task of all adversarial ones.
const BYTES: usize = 1_000_000;
/// Runs of which the best counts, and passes of a run: the system counts in steps of some milliseconds.
const RUNS: usize = 5;
const PASSES: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let detector = Detector::new(Kinds::ALL);
    check(&detector);
    println!("prose and records");
    let mut corpora = vec![
        ("words", vec![words()]),
        ("words and numbers", vec![numbers()]),
        ("records of personal data", vec![records()]),
    ];
    if let [file, rest @ ..] = arguments.as_slice() {
        corpora.push(("the file", read(file, rest.first().map_or("text", String::as_str))));
    }
    for (name, texts) in &corpora {
        report(&detector, name, texts);
    }
    println!("adversarial lines");
    let mut slowest = f64::INFINITY;
    for (name, text) in adversarial() {
        slowest = slowest.min(report(&detector, name, &[text]));
    }
    println!("{slowest:>8.0} MB/s  the slowest");
}

fn report(detector: &Detector, name: &str, texts: &[String]) -> f64 {
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut spans: Vec<Span> = Vec::new();
    let (mut best, mut found) = (f64::INFINITY, 0);
    for _ in 0..RUNS {
        let start = seconds();
        for _ in 0..PASSES {
            found = 0;
            for text in texts {
                detector.find_into(text, &mut spans);
                found += spans.len();
            }
        }
        best = best.min((seconds() - start) / PASSES as f64);
    }
    let speed = bytes as f64 / 1e6 / best;
    println!("{speed:>8.0} MB/s  {name}, {found} found");
    speed
}

fn check(detector: &Detector) {
    let records = records();
    let lines = records.lines().count();
    assert_eq!(detector.find(&records).len(), 4 * lines, "an address, a number, a host and a card a line");
    assert!(detector.find(&words()).is_empty());
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

fn read(file: &str, field: &str) -> Vec<String> {
    let lines = std::fs::read_to_string(file).expect("a file of UTF-8");
    let text = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        record[field].as_str().expect("a field with a text").to_owned()
    };
    lines.lines().map(text).collect()
}

/// A text of `part` again and again.
fn repeated(part: &str) -> String {
    part.repeat(BYTES / part.len())
}

fn words() -> String {
    let mut random = Random(5);
    let mut text = String::new();
    while text.len() < BYTES {
        for _ in 0..2 + random.below(8) {
            text.push(char::from(b'a' + random.below(26) as u8));
        }
        text.push_str(["", "", "", ",", ".", " -", ":"][random.below(7)]);
        text.push(' ');
    }
    text
}

fn numbers() -> String {
    let mut random = Random(6);
    let mut text = String::new();
    while text.len() < BYTES {
        let number = random.below(1_000_000);
        let line = match random.below(4) {
            0 => format!("{number}, "),
            1 => format!("{}.{number:06} ", number % 100),
            2 => format!("v{}.{}.{} ", number % 9, number % 7, number % 31),
            _ => format!("20{:02}-{:02}-{:02}\n", number % 30, number % 12 + 1, number % 28 + 1),
        };
        text.push_str(&line);
    }
    text
}

fn records() -> String {
    let mut random = Random(7);
    let mut text = String::new();
    while text.len() < BYTES {
        let number = random.below(10_000);
        let line = format!(
            "user{number}@mail{}.net, +49 30 {}, from 81.2.{}.{}, 4556 7375 8689 9855\n",
            number % 97,
            1_000_000 + number,
            number % 256,
            100 + number % 155,
        );
        text.push_str(&line);
    }
    text
}

fn adversarial() -> Vec<(&'static str, String)> {
    let mut random = Random(8);
    let mut drawn = |letters: &[u8]| -> String {
        (0..BYTES).map(|_| char::from(letters[random.below(letters.len())])).collect()
    };
    let hex = drawn(b"0123456789abcdef");
    let capital_hex = drawn(b"0123456789ABCDEF");
    let base64 = drawn(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    let marks = drawn(b"0a@:-.+ ");
    let digits = drawn(b"0123456789");
    let spaced = drawn(b"0123456789 ");
    let mut lines = vec![
        ("random digits", digits),
        ("random digits and blanks", spaced),
        ("random hexadecimal digits", hex),
        ("random hexadecimal digits, capitals", capital_hex),
        ("random Base64", base64),
        ("random marks", marks),
    ];
    let parts = [
        ("all digits", "7"),
        ("all @", "@"),
        ("a.a.a", "a."),
        ("a@a.a@a.a", "a@a.a"),
        ("a@", "a@"),
        (":", ":"),
        ("-", "-"),
        ("ab:", "ab:"),
        ("2001:", "2001:"),
        ("81.2.69.", "81.2.69."),
        ("1 1 1", "1 "),
        ("4111 4111", "4111 "),
        ("12 12 12", "12 "),
        ("01 01 01", "01 "),
        ("+1+1", "+1"),
        ("+49 +49", "+49 "),
        ("tel 0123456", "tel 0123456 "),
        ("415-555", "415-555-"),
        ("415-555-2671", "415-555-2671 "),
        ("eyJ", "eyJ"),
        ("key=", "key="),
        ("password:", "password:"),
        ("secret=a1", "secret=a1b2c3d4e5f6g7h8 "),
        ("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"),
        ("a://a:", "a://a:"),
        ("DE11", "DE11 "),
        ("ghp_", "ghp_"),
        ("born 1.1.1980", "born 1.1.1980 "),
        ("0xabc", "0xabc"),
        ("123-45-", "123-45-"),
        ("addresses", "jo@mail.net "),
        ("accounts", "DE89370400440532013000 "),
        ("cards", "4556737586899855 "),
        ("wallets of Ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed "),
        ("wallets of Bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa "),
        ("like wallets of Bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb "),
        ("keys of AWS", "AKIA2QX7MZL4VTR9WBJE "),
        ("Chinese", "电话号码"),
    ];
    lines.extend(parts.map(|(name, part)| (name, repeated(part))));
    lines
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
}
