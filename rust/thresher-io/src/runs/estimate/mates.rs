//! Who is like whom in the sample, and what that says of the whole.
//!
//! Pairs of the sample are found as a run finds them: equal texts by their hashes, others by bands and the screen (*edges*), and
//! of those the ones that are near enough by their shingles (*mates*). A pair whose two documents lie near each other, in one
//! stretch of the sample, is seen if one of them is. Of any other pair the sample of a share q of the whole has one in q^2, so a
//! document has 1/q times as many as are seen. What becomes of documents with so many partners is in `partners.rs`.

use std::collections::{BTreeMap, HashMap};

use thresher_core::lsh::{LARGE, edges, group};
use thresher_core::{DedupConfig, Screen, Secret, Shingler};

use super::clock::Work;
use super::partners::{PRIOR, Partners, STEPS};
use super::sample::Sample;
use crate::error::Result;
use crate::runs::progress::Progress;

/// Bytes of text within which two documents are near each other.
const NEAR_BYTES: u64 = 4 << 20;
/// How far apart two documents are on the average that lie anywhere, as a share of the whole.
const ANYWHERE: f64 = 1.0 / 3.0;
/// Shingle sets that are there at once, by how many would be if all partners came at times of their own: who goes is asked for by
/// nobody. Fitted to runs over windows of 1 and 4 GB.
const AT_ONCE: f64 = 0.87;
/// Pairs whose shingles are compared at most; of more, so many by chance.
const MOST_PAIRS: usize = 200_000;
/// Pairs are not compared that agree in less lanes than those at the threshold by so many standard deviations.
const DEVIATIONS: f64 = 2.5;
/// Agreement of lanes by chance: of 4 bits.
const BY_CHANCE: f64 = 1.0 / 16.0;
/// Members of a large bucket that each other member is paired with, at its start and before it.
const PAIRED: usize = 2;
/// Members of a bucket of the sample from which on it tells how large it is in the whole.
const TELLING: usize = 5;
/// Texts that tell how many shingles one has.
const CUT: usize = 4000;
/// Shingles that are held while pairs are compared.
const HELD_SHINGLES: usize = 8 << 20;

/// What the sample says of the whole, as shares of its documents.
#[derive(Debug, Default)]
pub(crate) struct Mates {
    /// Documents of the sample that went for others of it.
    pub(crate) sampled: f64,
    /// Exact copies that go.
    pub(crate) exact: f64,
    /// Near-copies that go.
    pub(crate) near: f64,
    /// Documents that have an edge, or are in a large bucket.
    pub(crate) candidates: f64,
    /// Documents that stay, and that later ones are compared with: at any time, and at most at once.
    pub(crate) asked: f64,
    pub(crate) asked_at_once: f64,
    /// Members of large buckets.
    pub(crate) crowded: f64,
    /// Edges of a document, and in how many bands each is found.
    pub(crate) edges: f64,
    pub(crate) times: f64,
    /// Distinct shingles of a candidate that stays.
    pub(crate) shingles: f64,
    /// Seconds that one thread took to cut a byte of text, and to compare two sets.
    pub(crate) cut_seconds: f64,
    pub(crate) pair_seconds: f64,
    /// Clusters of the sample, by their documents.
    pub(crate) clusters: Vec<u64>,
}

impl Mates {
    /// Finds them in a sample that is one part in `growth` of the whole.
    ///
    /// # Errors
    /// The wish to stop.
    pub(crate) fn find(
        sample: &Sample,
        search: &DedupConfig,
        secret: &Secret,
        growth: f64,
        progress: &Progress,
    ) -> Result<Self> {
        let n_docs = sample.texts.len();
        let share = 1.0 / growth.max(1.0);
        let same = Graph::of(n_docs, sample.equal_pairs());
        let found =
            if search.exact_only { Found::default() } else { Found::of(sample, search, share, progress)? };
        let checked = Checked::of(&found.edges, sample, search, secret, progress)?;
        let edges = Graph::of(n_docs, found.edges.iter().copied());
        let mates = Graph::of(n_docs, checked.mates.iter().copied());

        let distinct = n_docs - sample.copies();
        let of_same = same.partners(sample, n_docs, share);
        let of_edges = edges.partners(sample, distinct, share);
        let of_mates = mates.partners(sample, distinct, share / checked.step.max(1.0));
        let exact = 1.0 - of_same.kept(1.0, |_| 1.0);
        let closed = mates.closed();
        let signed = 1.0 - exact;
        let near = signed * (1.0 - of_mates.kept(closed, |_| 1.0));
        let with_edge = 1.0 - of_edges.generating(0.0);
        let crowded = found.crowded as f64 / distinct.max(1) as f64;
        let asked = of_mates.kept(closed, |time| 1.0 - of_edges.generating(time)).max(crowded);
        let at_once = (1..STEPS)
            .step_by(20)
            .map(|step| {
                let time = step as f64 / STEPS as f64;
                of_mates.kept(closed, |at| if at <= time { 1.0 - of_edges.generating(time) } else { 0.0 })
            })
            .fold(0.0, f64::max);
        let at_once = (at_once * edges.spread(sample, share) * AT_ONCE).max(crowded);
        let decided = mates.decided(&same);
        let of_sample = |docs: usize| docs as f64 / n_docs.max(1) as f64;
        let (exact, near) = if share < 1.0 {
            // No less than the sample has.
            (exact.max(of_sample(decided.exact)), near.max(of_sample(decided.near)))
        } else {
            (of_sample(decided.exact), of_sample(decided.near))
        };
        Ok(Self {
            sampled: of_sample(decided.exact + decided.near),
            exact,
            near,
            candidates: signed * with_edge.max(crowded),
            asked: signed * asked,
            asked_at_once: signed * at_once,
            crowded: signed * crowded,
            edges: signed * of_edges.mean() / 2.0,
            times: found.times,
            shingles: edges.shingles(&mates, sample, search, share / checked.step.max(1.0)),
            cut_seconds: checked.cut_seconds,
            pair_seconds: checked.pair_seconds,
            clusters: decided.clusters,
        })
    }
}

/// Edges of the sample.
#[derive(Default)]
struct Found {
    edges: Vec<(u32, u32)>,
    /// In how many bands each is found on the average.
    times: f64,
    crowded: usize,
}

impl Found {
    /// Of a sample that is a `share` of the whole.
    fn of(sample: &Sample, search: &DedupConfig, share: f64, progress: &Progress) -> Result<Self> {
        let screen = Screen::new(search.threshold, search.num_hashes);
        let (mut pairs, mut crowded, mut packed) = (Vec::new(), vec![false; sample.texts.len()], Vec::new());
        let (signed, bands) = sample.keys();
        for keys in bands {
            progress.check()?;
            for bucket in group(keys, signed).iter() {
                let mut edges_of = |members: &[u32]| {
                    packed.clear();
                    for &doc in members {
                        packed.extend_from_slice(sample.packed(doc));
                    }
                    edges(members, &packed, screen, &mut |a, b| pairs.push((a.min(b), a.max(b))));
                };
                if bucket.len() as f64 / share > LARGE as f64 && bucket.len() >= TELLING {
                    for &doc in bucket {
                        crowded[doc as usize] = true;
                    }
                }
                if bucket.len() <= LARGE {
                    edges_of(bucket);
                    continue;
                }
                for (at, &doc) in bucket.iter().enumerate().skip(PAIRED) {
                    let others =
                        bucket[..PAIRED].iter().chain(&bucket[at.saturating_sub(PAIRED).max(PAIRED)..at]);
                    others.for_each(|&other| edges_of(&[other, doc]));
                }
            }
        }
        let all = pairs.len();
        pairs.sort_unstable();
        pairs.dedup();
        let times = all as f64 / pairs.len().max(1) as f64;
        Ok(Self { edges: pairs, times, crowded: crowded.into_iter().filter(|&is| is).count() })
    }
}

/// Edges whose shingles were compared.
#[derive(Default)]
struct Checked {
    mates: Vec<(u32, u32)>,
    /// Of so many pairs one was compared.
    step: f64,
    cut_seconds: f64,
    pair_seconds: f64,
}

impl Checked {
    fn of(
        edges: &[(u32, u32)],
        sample: &Sample,
        search: &DedupConfig,
        secret: &Secret,
        progress: &Progress,
    ) -> Result<Self> {
        let mut shingler = Shingler::with_keys(search.shingles, secret.keys());
        let mut sets: HashMap<u32, Vec<u64>> = HashMap::new();
        let (mut done, mut cut, mut compared) = (Self::default(), Work::default(), Work::default());
        let (mut held, mut bytes) = (0, 0);
        let likely = search.threshold.get() * (1.0 - BY_CHANCE) + BY_CHANCE;
        let lanes = search.num_hashes.get() as f64;
        let least = (lanes * likely - DEVIATIONS * (lanes * likely * (1.0 - likely)).sqrt()) as u32;
        let near = |&&(a, b): &&(u32, u32)| Screen::agreeing(sample.packed(a), sample.packed(b)) >= least;
        let edges: Vec<(u32, u32)> = edges.iter().filter(near).copied().collect();
        let step = edges.len().div_ceil(MOST_PAIRS).max(1);
        done.step = step as f64;
        let drawn = |&&(a, b): &&(u32, u32)| mixed(a, b).is_multiple_of(step as u64);
        for (turn, &(a, b)) in edges.iter().filter(drawn).enumerate() {
            if turn.is_multiple_of(1024) {
                progress.check()?;
            }
            if held > HELD_SHINGLES {
                sets.clear();
                held = 0;
            }
            for doc in [a, b] {
                sets.entry(doc).or_insert_with(|| {
                    let text = &sample.texts[doc as usize];
                    let mut set = Vec::new();
                    cut.of(|| shingler.distinct_into(text, &mut set));
                    set.sort_unstable();
                    held += set.len();
                    bytes += text.len();
                    set
                });
            }
            let common = compared.of(|| common(&sets[&a], &sets[&b]));
            let all = sets[&a].len() + sets[&b].len() - common;
            if all > 0 && common as f64 / all as f64 >= search.threshold.get() {
                done.mates.push((a, b));
            }
        }
        done.cut_seconds = cut.seconds() / bytes.max(1) as f64;
        done.pair_seconds = compared.seconds() / edges.len().div_ceil(step).max(1) as f64;
        Ok(done)
    }
}

/// A number that looks drawn by chance for each pair.
fn mixed(a: u32, b: u32) -> u64 {
    let mixed = (u64::from(a) << 32 | u64::from(b)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32
}

/// How many numbers two ascending lists share.
fn common(a: &[u64], b: &[u64]) -> usize {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        common += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    common
}

/// Whether two documents lie near each other in one stretch.
fn is_near(sample: &Sample, a: usize, b: usize) -> bool {
    sample.distance(a, b).is_some_and(|distance| distance <= NEAR_BYTES)
}

/// Pairs of documents, by each of the two.
struct Graph {
    partners: Vec<Vec<u32>>,
}

impl Graph {
    fn of(n_docs: usize, pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut partners = vec![Vec::new(); n_docs];
        for (a, b) in pairs {
            partners[a as usize].push(b);
            partners[b as usize].push(a);
        }
        for of in &mut partners {
            of.sort_unstable();
        }
        Self { partners }
    }

    /// How many partners documents have in the whole, of which the sample is a `share`; `docs` of the sample could have some.
    fn partners(&self, sample: &Sample, docs: usize, share: f64) -> Partners {
        let (mut near, mut far) = (BTreeMap::new(), BTreeMap::new());
        let docs = docs.max(1) as f64;
        let mut some = 0.0;
        for (doc, partners) in self.partners.iter().enumerate().filter(|(_, partners)| !partners.is_empty()) {
            let near_by = |&&other: &&u32| is_near(sample, doc, other as usize);
            let n_near = if share < 1.0 { partners.iter().filter(near_by).count() } else { partners.len() };
            *near.entry(n_near as u32).or_insert(0.0) += 1.0;
            *far.entry((partners.len() - n_near) as u32).or_insert(0.0) += 1.0;
            some += 1.0;
        }
        // Who has none at all.
        for counts in [&mut near, &mut far] {
            *counts.entry(0).or_insert(0.0) += (docs - some).max(0.0);
        }
        Partners::of(&near, &far, docs, share)
    }

    /// Share of the pairs of partners of one document that are partners of each other.
    fn closed(&self) -> f64 {
        let (mut all, mut closed) = (0.0, 0.0);
        for of in &self.partners {
            for (at, &a) in of.iter().take(LARGE).enumerate() {
                for b in &of[..at] {
                    all += 1.0;
                    closed += f64::from(u8::from(self.partners[a as usize].binary_search(b).is_ok()));
                }
            }
        }
        (closed + PRIOR / 2.0) / (all + PRIOR)
    }

    /// How far apart the documents of a pair are in the whole, as a share of what they are if each lies anywhere.
    fn spread(&self, sample: &Sample, share: f64) -> f64 {
        let (mut all, mut apart) = (0.0, 0.0);
        let docs = self.partners.len() as f64;
        for (doc, of) in self.partners.iter().enumerate() {
            for other in of.iter().map(|&other| other as usize).take_while(|&other| other < doc) {
                let weight = if is_near(sample, doc, other) { 1.0 } else { 1.0 / share };
                all += weight;
                // The sample is spread evenly over the whole, and in its order.
                apart += weight * (doc - other) as f64 / docs;
            }
        }
        if all > 0.0 { (apart / all / ANYWHERE).min(1.0) } else { 1.0 }
    }

    /// How many distinct shingles a document with an edge has, if it stays: with many mates it hardly does.
    fn shingles(&self, mates: &Self, sample: &Sample, search: &DedupConfig, share: f64) -> f64 {
        let mut shingler = Shingler::new(search.shingles);
        let with_edge: Vec<usize> =
            (0..sample.texts.len()).filter(|&doc| !self.partners[doc].is_empty()).collect();
        let (mut set, mut all, mut docs) = (Vec::new(), 0.0, 0.0);
        for &doc in with_edge.iter().step_by(with_edge.len().div_ceil(CUT).max(1)) {
            set.clear();
            shingler.distinct_into(&sample.texts[doc], &mut set);
            let stays = 1.0 / (1.0 + mates.partners[doc].len() as f64 / share);
            all += stays * set.len() as f64;
            docs += stays;
        }
        if docs > 0.0 { all / docs } else { 0.0 }
    }

    /// What becomes of the documents of the sample, in its order.
    fn decided(&self, same: &Self) -> Decided {
        let mut kept_for: Vec<Option<u32>> = Vec::with_capacity(self.partners.len());
        let (mut decided, mut sizes) = (Decided::default(), HashMap::new());
        for doc in 0..self.partners.len() as u32 {
            let first_copy = same.partners[doc as usize].first().copied().filter(|&first| first < doc);
            let mut earlier = self.partners[doc as usize].iter().copied().take_while(|&other| other < doc);
            let kept = match first_copy {
                Some(first) => Some(kept_for[first as usize].unwrap_or(first)),
                None => earlier.find(|&other| kept_for[other as usize].is_none()),
            };
            decided.exact += usize::from(first_copy.is_some());
            decided.near += usize::from(first_copy.is_none() && kept.is_some());
            kept_for.push(kept);
            if let Some(kept) = kept {
                *sizes.entry(kept).or_insert(1) += 1;
            }
        }
        decided.clusters = sizes.into_values().collect();
        decided
    }
}

/// What becomes of the sample.
#[derive(Default)]
struct Decided {
    exact: usize,
    near: usize,
    /// Documents of each cluster.
    clusters: Vec<u64>,
}
