//! How fast a tokenizer encodes a file: `TOKENIZER=tokenizer.json TEXTS=texts.jsonl cargo bench -p thresher-tokens --bench encode`.
//!
//! `TEXTS` is JSON lines with a member `text`. `THREADS` (2) encode documents, `ROUNDS` (5) times, and each round is printed with its speed; the
//! first one starts with empty caches, and so does every round if `COLD` is set. `CACHE` is the bytes of the cache of a thread. The checksum is over all ids in the order of the documents, so that it can be
//! compared with what another encoder gives: XOR of `(position + 1) * (id + 1)`, in 64 bits, position and id from 0.
//! Without `TOKENIZER` nothing is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and one that cannot start should stop"
)]

use std::{
    env, fs,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use thresher_tokens::tokenizer::{Options, Tokenizer, Worker};

/// Documents that a thread takes at once, in bytes.
const GRAIN: usize = 1 << 20;

fn number(name: &str, default: usize) -> usize {
    env::var(name).ok().map_or(default, |value| value.parse().unwrap())
}

fn main() {
    let Ok(tokenizer) = env::var("TOKENIZER") else {
        println!("TOKENIZER names no tokenizer.json: nothing is measured");
        return;
    };
    let json = fs::read(tokenizer).unwrap();
    let tokenizer = Tokenizer::from_json(&json).unwrap();
    println!("{}", tokenizer.path());
    let lines = fs::read_to_string(env::var("TEXTS").unwrap()).unwrap();
    let text = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned()
    };
    let texts: Vec<String> = lines.lines().map(text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let (threads, rounds, cold) = (number("THREADS", 2), number("ROUNDS", 5), env::var("COLD").is_ok());
    let default = Options::default();
    let options = Options { cache_bytes: number("CACHE", default.cache_bytes), ..default };
    let mut parts = vec![(0, 0)];
    for (at, text) in texts.iter().enumerate() {
        match parts.last_mut() {
            Some((_, size)) if *size < GRAIN => *size += text.len(),
            _ => parts.push((at, text.len())),
        }
    }
    let starts: Vec<usize> = parts.iter().map(|&(start, _)| start).chain([texts.len()]).collect();
    for _ in 0..rounds {
        // The caches of workers stay with their tokenizer.
        let loaded_again = cold.then(|| Tokenizer::from_json(&json).unwrap());
        let tokenizer = loaded_again.as_ref().unwrap_or(&tokenizer);
        let mut workers: Vec<Worker<'_>> = (0..threads).map(|_| tokenizer.worker(&options)).collect();
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        let mut made: Vec<(usize, Vec<u32>)> = thread::scope(|scope| {
            let run = |worker: &mut Worker<'_>| {
                let mut made = Vec::new();
                loop {
                    let part = next.fetch_add(1, Relaxed);
                    if part + 1 >= starts.len() {
                        return made;
                    }
                    let mut ids = Vec::with_capacity(GRAIN / 2);
                    for text in &texts[starts[part]..starts[part + 1]] {
                        worker.encode(text, &mut ids).unwrap();
                    }
                    made.push((part, ids));
                }
            };
            let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(move || run(worker))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let seconds = start.elapsed().as_secs_f64();
        made.sort_unstable_by_key(|part| part.0);
        let ids = made.iter().flat_map(|(_, ids)| ids);
        let checksum = ids
            .clone()
            .enumerate()
            .fold(0_u64, |sum, (at, &id)| sum ^ (at as u64 + 1).wrapping_mul(u64::from(id) + 1));
        println!(
            "{:.1} MB/s, {} ids, checksum {checksum:016x}, {} bytes a worker",
            bytes as f64 / seconds / 1e6,
            ids.count(),
            workers[0].bytes()
        );
    }
}
