//! Megabytes a second that one thread checks, over generated rows: plain exchanges, and exchanges with calls.
//!
//! ```text
//! cargo run --release -p thresher-chat --example check_speed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it measured")]
#![expect(clippy::format_push_string, reason = "rows are made before the clock runs")]

use std::time::Instant;

use thresher_chat::validate::{Options, Report, Validator};
use thresher_chat::{Format, Problem};

const BYTES: usize = 64 << 20;
const WORDS: [&str; 16] = [
    "the",
    "weather",
    "in",
    "Paris",
    "is",
    "mild",
    "today,",
    "\\\"quoted\\\"",
    "and",
    "a",
    "line\\n",
    "ends",
    "1 < 2",
    "na\u{ef}ve",
    "answer",
    "follows.",
];

fn text(words: usize, seed: &mut usize) -> String {
    let mut text = String::new();
    for _ in 0..words {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(*seed >> 33) % WORDS.len()]);
        text.push(' ');
    }
    text
}

fn rows(calls: bool) -> Vec<String> {
    let (mut rows, mut bytes, mut seed) = (Vec::new(), 0, 1);
    while bytes < BYTES {
        let mut row = String::from(r#"{"messages":[{"role":"system","content":"You are brief."}"#);
        for turn in 0..3 {
            let [question, answer] = [20, 120].map(|words| text(words, &mut seed));
            row += &format!(r#",{{"role":"user","content":"{turn} {question}"}}"#);
            if calls {
                row += &format!(
                    r#",{{"role":"assistant","content":null,"tool_calls":[{{"id":"c{turn}","type":"function","function":{{"name":"weather","arguments":"{{\"city\": \"Paris\", \"days\": {turn}}}"}}}}]}},{{"role":"tool","tool_call_id":"c{turn}","content":"{{\"mild\": true}}"}}"#
                );
            }
            row += &format!(r#",{{"role":"assistant","content":"{turn} {answer}"}}"#);
        }
        row.push(']');
        if calls {
            row.push_str(r#","tools":[{"type":"function","function":{"name":"weather","description":"The weather of a city","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":0}},"required":["city"]}}}]"#);
        }
        row.push('}');
        bytes += row.len();
        rows.push(row);
    }
    rows
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let format = Format::named("openai").ok_or("there is a format `openai`")?;
    for (name, calls) in [("plain", false), ("calls", true)] {
        let rows = rows(calls);
        let bytes: usize = rows.iter().map(String::len).sum();
        let mut seconds: Vec<f64> = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            let mut validator = Validator::try_new(&Options::default())?;
            let (mut report, mut problems): (_, Vec<Problem>) = (Report::new(10), Vec::new());
            for (at, row) in (0..).zip(&rows) {
                validator.check_text(row, &format, &mut problems);
                report.add(at, &mut problems);
            }
            seconds.push(started.elapsed().as_secs_f64());
            if report.valid != rows.len() as u64 {
                return Err(format!("{name}: {:?}", report.problems).into());
            }
        }
        seconds.sort_by(f64::total_cmp);
        let speed = |seconds: f64| bytes as f64 / 1e6 / seconds;
        println!(
            "{name}: {} rows of {} bytes, {:.0} MB/s (median of 5; {:.0} to {:.0})",
            rows.len(),
            bytes / rows.len(),
            speed(seconds[2]),
            speed(seconds[4]),
            speed(seconds[0])
        );
    }
    Ok(())
}
