#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use thresher_io::runs::{Progress, dedup::{DedupRun, run}};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let threads: usize = a[1].parse().unwrap();
    let config = DedupRun { inputs: a[3..].to_vec(), output: a[2].clone(), text: "text".into(), id: std::env::var("ID").ok(), threshold: 0.8, num_hashes: 128, ngram: 5, unit: "word".into(), recall: 0.995, keep: std::env::var("KEEP").unwrap_or("first".into()), exact_only: false, glob: None, threads, tmp: None, strict: false, max_record_bytes: 256 << 20 };
    let t = std::time::Instant::now();
    match run(&config, &Progress::default()) {
        Ok(r) => println!("{:.3}s {:?}\n{:?} rss {} MB cand {} checks {}\n{:?}", t.elapsed().as_secs_f64(), r.accounting, r.timings, r.peak_rss_bytes >> 20, r.candidates, r.checks, r.largest_clusters.iter().take(3).collect::<Vec<_>>()),
        Err(e) => println!("error: {e}"),
    }
}
