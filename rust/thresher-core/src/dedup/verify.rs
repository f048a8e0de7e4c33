//! Exact resolution of all clusters.
//!
//! Most clusters are small: each is resolved by one thread, which follows the bytes that its texts share ([`Resolver`]), and one
//! that holds much of the corpus so by all threads ([`resolve_together`]). Those that this gives up, since many of their
//! documents stay, are decided together, in keep order and a batch at a time ([`Decider`]). Which way is taken changes nothing but
//! the time.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::links::{Cluster, Links};
use super::rows::Rows;
use crate::error::Result;
use crate::hash::Keys;
use crate::observe::{Observer, check};
use crate::parallel::Pool;
use crate::params::DedupConfig;
use crate::precedence::Precedence;
use crate::prefetch::prefetch;
use crate::resolve::alone::{Alone, Resolver, resolve_together};
use crate::resolve::decide::{Crowd, Decider, Kept, Turn};
use crate::resolve::spare::Spare;
use crate::resolve::{Removal, Resolution, Texts};
use crate::shingle::Shingler;

/// A cluster is giant if it has more than so many eighths of a thread's share of the bytes: with fewer, threads that take whole
/// clusters are about as busy.
const GIANT_EIGHTHS: usize = 5;
/// One is large if it has more than one in so many parts of that.
const LARGE_PARTS: usize = 32;
/// Documents of the next cluster that are asked for ahead, and bytes of each.
const PREFETCHED_DOCS: usize = 16;
const PREFETCHED_BYTES: usize = 256;
/// Documents that are decided at once, and bytes of their texts.
const BATCH_DOCS: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
/// Bytes of shingle sets of kept documents that are held; those of others are cut again.
const HELD_BYTES: usize = 128 << 20;

/// All that verification looks at.
#[derive(Clone, Copy)]
pub(super) struct Verification<'a> {
    pub(super) texts: &'a [Option<&'a str>],
    pub(super) precedence: Precedence<'a>,
    pub(super) config: &'a DedupConfig,
    pub(super) keys: Keys,
    pub(super) observer: &'a dyn Observer,
}

/// A cluster, and what it has.
#[derive(Clone, Copy)]
struct Sized {
    index: usize,
    docs: usize,
    bytes: usize,
}

impl Verification<'_> {
    /// Resolves all clusters; gives also the number of their documents.
    pub(super) fn run(self, rows: &Rows, links: &Links) -> Result<(Vec<Resolution>, u64)> {
        let sized = |index: usize| {
            let docs = links.cluster(index).docs();
            let bytes = docs.iter().map(|&doc| self.text(doc).len()).sum();
            Sized { index, docs: docs.len(), bytes }
        };
        let all: Vec<Sized> = (0..links.len()).into_par_iter().map(sized).collect();
        let total: usize = all.iter().map(|cluster| cluster.bytes).sum();
        let threads = rayon::current_num_threads();
        let giant = total / (8 * threads) * GIANT_EIGHTHS;
        let is_giant = |cluster: &Sized| threads > 1 && cluster.docs > 2 && cluster.bytes > giant;
        let (giants, mut small): (Vec<Sized>, Vec<Sized>) = all.iter().partition(|cluster| is_giant(cluster));
        // Large ones come first, so that no thread is left with one at the end, the others in order, for the sake of the caches.
        let large = giant / LARGE_PARTS;
        small.sort_by_key(|cluster| Reverse(if cluster.bytes > large { cluster.bytes } else { 0 }));
        let (mut resolutions, mut given_up) = (Vec::new(), Vec::new());
        let mut resolvers: Vec<Resolver> = Vec::new();
        for cluster in giants {
            let index = cluster.index;
            resolvers.resize_with(threads, || Resolver::new(self.config, self.keys));
            let (docs, crowd) = (links.cluster(index).docs(), CrowdRows::new(links.cluster(index), rows));
            let alone = crowd.alone(&docs, links.cluster(index), rows);
            match resolve_together(&mut resolvers, alone, self.precedence, &self, self.observer)? {
                Some(resolution) => resolutions.push(self.done(cluster, resolution)),
                None => given_up.push(cluster),
            }
        }
        drop(resolvers);
        for (resolution, more) in self.resolve(rows, links, &small)? {
            resolutions.push(resolution);
            given_up.extend(more);
        }
        given_up.sort_unstable_by_key(|cluster| cluster.index);
        resolutions.push(self.decide(rows, links, &given_up)?);
        Ok((resolutions, all.iter().map(|cluster| cluster.docs as u64).sum()))
    }

    fn done(&self, cluster: Sized, resolution: Resolution) -> Resolution {
        self.observer.advance(cluster.docs as u64, cluster.bytes as u64);
        resolution
    }

    fn text(&self, doc: u32) -> &str {
        self.texts[doc as usize].unwrap_or_default()
    }

    /// Resolves clusters each by itself; gives the sum of each thread, and what it gave up.
    fn resolve(self, rows: &Rows, links: &Links, work: &[Sized]) -> Result<Vec<(Resolution, Vec<Sized>)>> {
        // A loop a thread over a shared counter: clusters are too many for a state each and too uneven for ranges.
        let next = AtomicUsize::new(0);
        let threads = (0..rayon::current_num_threads()).into_par_iter().with_max_len(1);
        let parts = threads.map(|_| {
            let mut resolver = Resolver::new(self.config, self.keys);
            let (mut sum, mut given_up) = (Resolution::default(), Vec::new());
            while let Some(cluster) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                // The next one is asked for, not claimed: another thread may be free before this one is.
                if let Some(following) = work.get(next.load(Ordering::Relaxed)) {
                    for &(a, b) in links.cluster(following.index).edges.iter().take(PREFETCHED_DOCS / 2) {
                        prefetch(self.text(a).as_bytes(), PREFETCHED_BYTES);
                        prefetch(self.text(b).as_bytes(), PREFETCHED_BYTES);
                    }
                }
                let of_links = links.cluster(cluster.index);
                let (docs, crowd) = (of_links.docs(), CrowdRows::new(of_links, rows));
                let alone = crowd.alone(&docs, of_links, rows);
                match resolver.resolve(alone, self.precedence, &self, self.observer)? {
                    Some(resolution) => sum.add(self.done(*cluster, resolution)),
                    None => given_up.push(*cluster),
                }
            }
            Ok((sum, given_up))
        });
        parts.collect()
    }

    /// Decides clusters together.
    fn decide(self, rows: &Rows, links: &Links, big: &[Sized]) -> Result<Resolution> {
        let docket = Docket::new(links, big, self.precedence);
        let mut decider = Decider::new(self.config, docket.docs.len());
        let mut sets = Sets::new(self, &docket.docs);
        let mut resolution = Resolution::default();
        let mut start = 0;
        while start < docket.docs.len() {
            check(self.observer)?;
            let bytes = docket.docs[start..].iter().scan(0, |sum, &doc| {
                *sum += self.text(doc).len();
                Some(*sum)
            });
            let count = bytes.take(BATCH_DOCS).take_while(|&sum| sum <= BATCH_BYTES).count().max(1);
            let batch = start..start + count;
            let cut: Vec<Box<[u64]>> =
                batch.clone().into_par_iter().map(|turn| sets.cut(turn as u32)).collect();
            let of_batch = batch.clone().zip(&cut);
            let turns: Vec<Turn<'_>> = of_batch
                .map(|(turn, shingles)| Turn {
                    doc: turn as u32,
                    shingles,
                    earlier: docket.earlier(turn),
                    crowd: docket.crowd(turn, rows),
                })
                .collect();
            let decided = decider.decide(&turns, &sets, &Pool, self.observer)?;
            drop(turns);
            for ((turn, removal), shingles) in batch.clone().zip(decided).zip(cut) {
                match removal {
                    None => sets.keep(turn as u32, shingles),
                    Some(Removal { duplicate_of, similarity, .. }) => resolution.removals.push(Removal {
                        doc: docket.docs[turn],
                        duplicate_of: docket.docs[duplicate_of as usize],
                        similarity,
                    }),
                }
            }
            let bytes: usize = docket.docs[batch].iter().map(|&doc| self.text(doc).len()).sum();
            self.observer.advance(count as u64, bytes as u64);
            start += count;
        }
        let counts = decider.counts();
        (resolution.checks, resolution.capped, resolution.unchecked) =
            (counts.checks, counts.capped, counts.unchecked);
        Ok(resolution)
    }
}

impl Texts for Verification<'_> {
    fn text(&self, doc: u32) -> &str {
        self.texts[doc as usize].unwrap_or_default()
    }
}

/// The members of a cluster's large buckets.
struct CrowdRows {
    docs: Vec<u32>,
    packed: Vec<u8>,
}

impl CrowdRows {
    fn new(cluster: Cluster<'_>, rows: &Rows) -> Self {
        let mut docs: Vec<u32> = cluster.large.concat();
        docs.sort_unstable();
        docs.dedup();
        let packed = docs.iter().flat_map(|&doc| rows.packed(doc)).copied().collect();
        Self { docs, packed }
    }

    fn alone<'a>(&'a self, docs: &'a [u32], cluster: Cluster<'a>, rows: &Rows) -> Alone<'a> {
        let screen = rows.layout.screen;
        Alone { docs, edges: cluster.edges, crowd: &self.docs, packed: &self.packed, screen }
    }
}

/// Documents in keep order, and what the decider asks of each. A document's number there is its turn.
struct Docket {
    docs: Vec<u32>,
    clusters: Vec<u32>,
    /// Turns with an earlier one that they have an edge with, and members of large buckets with each of these; ascending.
    earlier: Rowed,
    buckets: Rowed,
}

impl Docket {
    fn new(links: &Links, big: &[Sized], precedence: Precedence<'_>) -> Self {
        let of_cluster = |cluster: &Sized| {
            let docs = links.cluster(cluster.index).docs();
            docs.into_iter().map(|doc| (doc, cluster.index as u32)).collect::<Vec<_>>()
        };
        let mut docs: Vec<(u32, u32)> = big.par_iter().flat_map_iter(of_cluster).collect();
        docs.par_sort_unstable_by(|a, b| precedence.compare(a.0, b.0));
        let (docs, clusters): (Vec<u32>, Vec<u32>) = docs.into_iter().unzip();
        let mut by_doc: Vec<(u32, u32)> = (0..).zip(&docs).map(|(turn, &doc)| (doc, turn)).collect();
        by_doc.par_sort_unstable();
        let turn_of =
            |doc: u32| by_doc.binary_search_by_key(&doc, |&(doc, _)| doc).map_or(0, |place| by_doc[place].1);
        let edges = |cluster: &Sized| {
            let turns = |&(a, b): &(u32, u32)| (turn_of(a), turn_of(b));
            links.cluster(cluster.index).edges.iter().map(turns).map(|(a, b)| (a.max(b), a.min(b)))
        };
        let members = |cluster: &Sized| {
            let Cluster { large, first_large, .. } = links.cluster(cluster.index);
            let of_bucket = |(bucket, docs): (usize, &'_ Vec<u32>)| {
                docs.iter().map(|&doc| (turn_of(doc), bucket as u32)).collect::<Vec<_>>()
            };
            (first_large..).zip(large).flat_map(of_bucket)
        };
        let earlier = Rowed::new(big.par_iter().flat_map_iter(edges).collect(), docs.len());
        let buckets = Rowed::new(big.par_iter().flat_map_iter(members).collect(), docs.len());
        Self { docs, clusters, earlier, buckets }
    }

    fn earlier(&self, turn: usize) -> &[u32] {
        self.earlier.row(turn)
    }

    fn crowd<'a>(&'a self, turn: usize, rows: &'a Rows) -> Option<Crowd<'a>> {
        let buckets = self.buckets.row(turn);
        let crowd = || Crowd { cluster: self.clusters[turn], buckets, packed: rows.packed(self.docs[turn]) };
        (!buckets.is_empty()).then(crowd)
    }
}

/// Pairs as compressed rows.
struct Rowed {
    ends: Vec<usize>,
    values: Vec<u32>,
}

impl Rowed {
    fn new(mut pairs: Vec<(u32, u32)>, rows: usize) -> Self {
        pairs.par_sort_unstable();
        let mut ends = vec![0; rows];
        for (end, &(row, _)) in (1..).zip(&pairs) {
            ends[row as usize] = end;
        }
        let mut last = 0;
        for end in &mut ends {
            last = last.max(*end);
            *end = last;
        }
        Self { ends, values: pairs.into_iter().map(|(_, value)| value).collect() }
    }

    fn row(&self, row: usize) -> &[u32] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.values[start..self.ends[row]]
    }
}

/// The shingle sets of kept documents: the latest ones, and the texts of all.
struct Sets<'a> {
    verification: Verification<'a>,
    docs: &'a [u32],
    sizes: Vec<u32>,
    held: HashMap<u32, Box<[u64]>>,
    order: VecDeque<u32>,
    bytes: usize,
    shinglers: Spare<(Shingler, Vec<u64>)>,
}

impl<'a> Sets<'a> {
    fn new(verification: Verification<'a>, docs: &'a [u32]) -> Self {
        Self {
            verification,
            docs,
            sizes: vec![0; docs.len()],
            held: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            shinglers: Spare::default(),
        }
    }

    fn cut(&self, turn: u32) -> Box<[u64]> {
        let new =
            || (Shingler::with_keys(self.verification.config.shingles, self.verification.keys), Vec::new());
        self.shinglers.lend(new, |(shingler, shingles)| {
            shingles.clear();
            shingler.distinct_into(self.verification.text(self.docs[turn as usize]), shingles);
            shingles.as_slice().into()
        })
    }

    fn keep(&mut self, turn: u32, shingles: Box<[u64]>) {
        self.sizes[turn as usize] = shingles.len() as u32;
        self.bytes += size_of_val(&*shingles);
        self.held.insert(turn, shingles);
        self.order.push_back(turn);
        while self.bytes > HELD_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.held.remove(&oldest).map_or(0, |shingles| size_of_val(&*shingles));
        }
    }
}

impl Kept for Sets<'_> {
    fn shingles<'b>(&'b self, turn: u32, buffer: &'b mut Vec<u64>) -> Result<&'b [u64]> {
        if let Some(shingles) = self.held.get(&turn) {
            return Ok(shingles);
        }
        buffer.clear();
        buffer.extend_from_slice(&self.cut(turn));
        Ok(buffer)
    }

    fn size(&self, turn: u32) -> Option<usize> {
        Some(self.sizes[turn as usize] as usize)
    }

    fn before(&self, a: u32, b: u32) -> bool {
        a < b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_rows() {
        let rows = Rowed::new(vec![(3, 1), (1, 7), (3, 0)], 5);
        let found: Vec<&[u32]> = (0..5).map(|row| rows.row(row)).collect();
        assert_eq!(found, [&[][..], &[7], &[], &[0, 1], &[]]);
    }
}
