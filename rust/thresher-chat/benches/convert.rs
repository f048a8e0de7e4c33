//! Rows of one chat format to rows of another, the finding and checking of their JSON included.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start should stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::{Value, json};
use thresher_chat::{Converter, Format, RowLosses};
use thresher_core::json::Json;

/// Bytes of each corpus: more than the second-level cache holds.
const CORPUS_BYTES: usize = 4 << 20;
const WORDS: [&str; 12] = [
    "the", "answer", "follows", "from", "what", "is", "known", "about", "größe", "values", "数据", "function",
];

/// A small generator (`SplitMix64`: Steele, Lea, Flood, 2014), so that each run sees the same rows.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % end as u64) as usize
    }

    /// Text with line ends every 15 words or so, and quotes now and then.
    fn text(&mut self, n_words: usize) -> String {
        let mut text = String::new();
        for _ in 0..n_words {
            text.push_str(WORDS[self.below(WORDS.len())]);
            text.push_str(match self.below(30) {
                0 | 1 => "\n",
                2 => " \"quoted\" ",
                _ => " ",
            });
        }
        text
    }
}

/// Rows of about 1 KB: the same exchange in each of three formats.
fn exchanges() -> [Vec<String>; 3] {
    let mut random = Random(1);
    let mut corpora: [Vec<String>; 3] = Default::default();
    let mut bytes = 0;
    while bytes < CORPUS_BYTES {
        let (question_words, answer_words) = (10 + random.below(60), 60 + random.below(120));
        let (question, answer) = (random.text(question_words), random.text(answer_words));
        let rows = [
            json!({"instruction": question, "input": "", "output": answer}),
            json!({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}),
            json!({"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}),
        ];
        for (corpus, row) in corpora.iter_mut().zip(rows) {
            corpus.push(row.to_string());
        }
        bytes += corpora[0].last().map_or(0, String::len);
    }
    corpora
}

/// Conversations of short turns with calls, where the fields weigh more than the texts.
fn calls() -> [Vec<String>; 2] {
    let mut random = Random(2);
    let mut corpora: [Vec<String>; 2] = Default::default();
    let mut bytes = 0;
    while bytes < CORPUS_BYTES {
        let (mut messages, mut turns): (Vec<Value>, Vec<Value>) = Default::default();
        for _ in 0..3 {
            let (question, result, answer) = (random.text(12), random.text(20), random.text(25));
            let arguments = json!({"query": random.text(3), "limit": random.below(9)}).to_string();
            messages.extend([
                json!({"role": "user", "content": question}),
                json!({"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "search", "arguments": arguments}}]}),
                json!({"role": "tool", "content": result}),
                json!({"role": "assistant", "content": answer}),
            ]);
            let call = format!("{{\"name\": \"search\", \"arguments\": {arguments}}}");
            turns.extend([
                json!({"from": "human", "value": question}),
                json!({"from": "function_call", "value": call}),
                json!({"from": "observation", "value": result}),
                json!({"from": "gpt", "value": answer}),
            ]);
        }
        let rows = [json!({"messages": messages}), json!({"conversations": turns})];
        for (corpus, row) in corpora.iter_mut().zip(rows) {
            corpus.push(row.to_string());
        }
        bytes += corpora[0].last().map_or(0, String::len);
    }
    corpora
}

fn hop(criterion: &mut Criterion, group: &str, [from, to]: [&str; 2], rows: &[String], expected: &[String]) {
    let named = |name| Format::named(name).unwrap();
    let converter = Converter { from: named(from), to: named(to) };
    let (mut out, mut losses) = (String::new(), RowLosses::default());
    let mut convert = |row: &str| {
        out.clear();
        converter.convert(Json::parse(row).unwrap(), &mut out, &mut losses).unwrap();
        assert!(losses.is_empty());
        out.len()
    };
    for (row, expected) in rows.iter().zip(expected) {
        let mut out = String::new();
        converter.convert(Json::parse(row).unwrap(), &mut out, &mut RowLosses::default()).unwrap();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&out), value(expected));
    }
    let bytes: usize = rows.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::from_parameter(format!("{from} to {to}")), |bencher| {
        bencher.iter(|| rows.iter().map(|row| convert(black_box(row))).sum::<usize>());
    });
    group.finish();
}

fn parse(criterion: &mut Criterion, rows: &[String]) {
    let bytes: usize = rows.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("exchanges");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("checking the JSON alone", |bencher| {
        bencher.iter(|| rows.iter().filter(|row| Json::parse(black_box(row)).is_ok()).count());
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let [alpaca, openai, sharegpt] = exchanges();
    parse(&mut criterion, &alpaca);
    hop(&mut criterion, "exchanges", ["alpaca", "openai"], &alpaca, &openai);
    hop(&mut criterion, "exchanges", ["openai", "sharegpt"], &openai, &sharegpt);
    hop(&mut criterion, "exchanges", ["sharegpt", "openai"], &sharegpt, &openai);
    hop(&mut criterion, "exchanges", ["sharegpt", "alpaca"], &sharegpt, &alpaca);
    let [messages, turns] = calls();
    hop(&mut criterion, "calls", ["openai", "sharegpt"], &messages, &turns);
    criterion.final_summary();
}
