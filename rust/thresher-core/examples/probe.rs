#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use thresher_core::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let data = std::fs::read_to_string(path).unwrap();
    let docs: Vec<String> = data.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["text"].as_str().unwrap().to_owned()).collect();
    let bytes: usize = docs.iter().map(|d| d.len()).sum();
    println!("{} docs {} MB {}", docs.len(), bytes / 1_000_000, instruction_set());
    let mut s = Signer::new(ShingleSpec::default(), NumHashes::default());
    let mut sh = Shingler::new(ShingleSpec::default());
    for _ in 0..5 {
        let t = std::time::Instant::now();
        let mut x = 0u64;
        for d in &docs { if let Some(sig) = s.sign(d) { x ^= sig[0] as u64; } }
        let e = t.elapsed().as_secs_f64();
        let t = std::time::Instant::now();
        let mut v = Vec::new(); let mut n = 0;
        for d in &docs { v.clear(); sh.shingles_into(d, &mut v); n += v.len(); }
        let e2 = t.elapsed().as_secs_f64();
        println!("sign {:.3} GB/s  shingles {:.3} GB/s ({} B/shingle) {x}", bytes as f64 / e / 1e9, bytes as f64 / e2 / 1e9, bytes as f64 / n as f64);
    }
    let texts: Vec<Option<&str>> = docs.iter().map(|d| Some(d.as_str())).collect();
    for threads in [1, 2] { for t in [0.7, 0.8, 0.9] {
        let cfg = DedupConfig::with_recall(Threshold::try_new(t).unwrap(), ShingleSpec::default(), NumHashes::default(), 0.995).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut best = f64::MAX; let mut out = None;
        for _ in 0..3 { let c = std::time::Instant::now();
        out = Some(pool.install(|| dedup(&texts, &[], &cfg, &Unobserved).unwrap())); best = best.min(c.elapsed().as_secs_f64()); }
        let o = out.unwrap();
        println!("threads {threads} t {t} {}x{} {:.3}s {:.0} MB/s {:?}", cfg.banding.bands(), cfg.banding.rows(), best, bytes as f64/best/1e6, o.summary);
        if let Some(p) = std::env::args().nth(2) {
            let pairs = std::fs::read_to_string(p).unwrap();
            let (mut all, mut miss) = (0, 0);
            for l in pairs.lines() { let f: Vec<&str> = l.split('\t').collect(); let j: f64 = f[2].parse().unwrap();
                if j >= t + 0.02 { all += 1; let a: usize = f[0].parse().unwrap(); let b: usize = f[1].parse().unwrap();
                  if o.evidence[a].is_none() && o.evidence[b].is_none() { miss += 1; } } }
            println!("   recall pairs {all} missed {miss} -> {:.5}", 1.0 - miss as f64/all as f64);
        }
    }}
}
