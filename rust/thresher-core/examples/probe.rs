#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use thresher_core::*;
fn min_of(n: usize, mut f: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..n { let t = std::time::Instant::now(); f(); best = best.min(t.elapsed().as_secs_f64()); }
    best
}
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let data = std::fs::read_to_string(path).unwrap();
    let docs: Vec<String> = data.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["text"].as_str().unwrap().to_owned()).collect();
    drop(data);
    let bytes: usize = docs.iter().map(|d| d.len()).sum();
    println!("{} docs {} MB {}", docs.len(), bytes / 1_000_000, instruction_set());
    let n = std::env::var("N").ok().map_or(15, |n| n.parse().unwrap());
    let mut s = Signer::new(ShingleSpec::default(), NumHashes::default());
    let mut sh = Shingler::new(ShingleSpec::default());
    let mut x = 0u64; let mut v = Vec::new();
    { let sub: Vec<&String> = docs.iter().step_by(docs.len() / 200).collect(); let b: usize = sub.iter().map(|d| d.len()).sum();
      let e = min_of(20 * n, || for d in &sub { if let Some(sig) = s.sign(d) { x ^= sig[0] as u64; } });
      let e2 = min_of(20 * n, || for d in &sub { v.clear(); sh.shingles_into(d, &mut v); });
      println!("subset {} KB: sign {:.3} GB/s  shingles {:.3} GB/s", b / 1000, b as f64 / e / 1e9, b as f64 / e2 / 1e9); if n > 15 { return; } }
    let e = min_of(n, || for d in &docs { if let Some(sig) = s.sign(d) { x ^= sig[0] as u64; } });
    let e2 = min_of(n, || for d in &docs { v.clear(); sh.shingles_into(d, &mut v); });
    println!("sign {:.3} GB/s  shingles {:.3} GB/s  {x}", bytes as f64 / e / 1e9, bytes as f64 / e2 / 1e9);
    if n > 15 { return; }
    let texts: Vec<Option<&str>> = docs.iter().map(|d| Some(d.as_str())).collect();
    for threads in [1, 2] { for t in [0.7, 0.8, 0.9] {
        let cfg = DedupConfig::with_recall(Threshold::try_new(t).unwrap(), ShingleSpec::default(), NumHashes::default(), 0.995).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut out = None; let mut tm: Option<Timings> = None;
        let best = min_of(7, || { let o = pool.install(|| dedup(&texts, &[], &cfg, &Unobserved).unwrap());
            let y = o.summary.timings; tm = Some(tm.map_or(y, |m| Timings { exact_s: m.exact_s.min(y.exact_s), sign_s: m.sign_s.min(y.sign_s), group_s: m.group_s.min(y.group_s), verify_s: m.verify_s.min(y.verify_s) }));
            out = Some(o); });
        let o = out.unwrap();
        println!("threads {threads} t {t} {}x{} {:.3}s {:.0} MB/s kept {} cand {} checks {} capped {} {:?}", cfg.banding.bands(), cfg.banding.rows(), best, bytes as f64/best/1e6, o.summary.kept.docs, o.summary.candidates, o.summary.checks, o.summary.capped, tm.unwrap());
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
