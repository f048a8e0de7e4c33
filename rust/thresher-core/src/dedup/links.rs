//! Who may be a duplicate of whom: the edges and the large buckets of all bands, and the clusters that they connect.
//!
//! The records of a band are scattered into parts that fit the cache and grouped there, a few bands at a time. A record is
//! 8 bytes: the part is chosen by the upper bits of a key, and what is left of it fits beside the document. An edge is kept
//! once, whatever the number of bands that show it.

use rayon::prelude::*;

use super::rows::{OWN_BITS, Rows};
use crate::cluster::UnionFind;
use crate::error::Result;
use crate::lsh::{Buckets, Grouper, KEY_BITS, LARGE, PART, edges};
use crate::observe::{Observer, check};

/// Bands whose records are in memory at a time.
const BANDS_AT_ONCE: usize = 3;
/// Bits of a key that choose a part, at least: the others fit 32 bits.
const MIN_PART_BITS: u32 = KEY_BITS - 32;

/// Edges that are collected before those that are there twice are dropped.
const MANY: usize = 1 << 20;

/// The two documents of an edge, the smaller one first.
type Edge = (u32, u32);

/// Edges, and large buckets with their documents in ascending order: those of one cluster after those of another.
#[derive(Debug, Default)]
pub(super) struct Links {
    edges: Vec<Edge>,
    large: Vec<Vec<u32>>,
    /// Where each cluster ends in both.
    ends: Vec<(usize, usize)>,
}

/// A cluster of candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster<'a> {
    /// Its edges in ascending order.
    pub(super) edges: &'a [Edge],
    /// Its large buckets, and the number of the first of them.
    pub(super) large: &'a [Vec<u32>],
    pub(super) first_large: usize,
}

impl Cluster<'_> {
    /// Its documents in ascending order.
    pub(super) fn docs(&self) -> Vec<u32> {
        let of_edges = self.edges.iter().flat_map(|&(a, b)| [a, b]);
        let mut docs: Vec<u32> = of_edges.chain(self.large.iter().flatten().copied()).collect();
        docs.sort_unstable();
        docs.dedup();
        docs
    }
}

impl Links {
    /// Finds the links of `rows` on the threads of the current rayon pool; they do not depend on their number.
    ///
    /// # Errors
    /// `Error::Cancelled` if `observer` wants to stop; it is asked before each band.
    pub(super) fn find(rows: &Rows, n_docs: usize, observer: &dyn Observer) -> Result<Self> {
        let (mut edges, mut large, mut distinct) = (Vec::new(), Vec::new(), 0);
        let bands: Vec<usize> = (0..rows.layout.banding.bands()).collect();
        for some in bands.chunks(BANDS_AT_ONCE.min(rayon::current_num_threads())) {
            let of_band = |&band: &usize| check(observer).map(|()| links_of_band(rows, band));
            for (more, buckets) in some.par_iter().map(of_band).collect::<Result<Vec<_>>>()? {
                edges.extend(more);
                large.extend(buckets);
            }
            // Similar documents share many bands, so what is there twice is dropped before the list has doubled.
            if edges.len() > 2 * distinct + MANY {
                sort_distinct(&mut edges);
                distinct = edges.len();
            }
        }
        sort_distinct(&mut edges);
        Ok(Self::connect(edges, large, n_docs))
    }

    /// Brings links into the order of the clusters that they connect; `edges` are distinct.
    fn connect(mut edges: Vec<Edge>, mut large: Vec<Vec<u32>>, n_docs: usize) -> Self {
        if edges.is_empty() && large.is_empty() {
            return Self::default();
        }
        let mut sets = UnionFind::new(n_docs);
        for &(a, b) in &edges {
            sets.union(a, b);
        }
        for bucket in &large {
            for &doc in bucket {
                sets.union(bucket[0], doc);
            }
        }
        let roots = sets.into_roots();
        let root = |doc: u32| roots[doc as usize];
        edges.par_sort_unstable_by_key(|&(a, b)| (root(a), a, b));
        large.sort_by_key(|bucket| root(bucket[0]));
        let mut ends = Vec::new();
        let (mut edge, mut bucket) = (0, 0);
        while edge < edges.len() || bucket < large.len() {
            let next = [edges.get(edge).map(|edge| edge.0), large.get(bucket).map(|bucket| bucket[0])];
            let least = next.into_iter().flatten().map(root).min();
            edge += edges[edge..].iter().take_while(|edge| Some(root(edge.0)) == least).count();
            bucket += large[bucket..].iter().take_while(|bucket| Some(root(bucket[0])) == least).count();
            ends.push((edge, bucket));
        }
        Self { edges, large, ends }
    }

    /// Number of clusters.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// One cluster; they are numbered by their smallest document.
    pub(super) fn cluster(&self, index: usize) -> Cluster<'_> {
        let start = if index == 0 { (0, 0) } else { self.ends[index - 1] };
        let end = self.ends[index];
        Cluster {
            edges: &self.edges[start.0..end.0],
            large: &self.large[start.1..end.1],
            first_large: start.1,
        }
    }
}

fn sort_distinct(edges: &mut Vec<Edge>) {
    edges.par_sort_unstable_by_key(|&(a, b)| u64::from(a) << 32 | u64::from(b));
    edges.dedup();
}

/// The edges of one band, and its large buckets by their first documents.
fn links_of_band(rows: &Rows, band: usize) -> (Vec<Edge>, Vec<Vec<u32>>) {
    let n_rows = rows.len();
    let part_bits = (n_rows / PART).next_power_of_two().trailing_zeros().clamp(MIN_PART_BITS, OWN_BITS);
    let part_of = |key: u64| (key >> (KEY_BITS - part_bits)) as usize;
    let mut ends = vec![0usize; (1 << part_bits) + 1];
    rows.upper_bits(band).for_each(|upper| ends[(upper >> (OWN_BITS - part_bits)) as usize + 1] += 1);
    for part in 1..ends.len() {
        ends[part] += ends[part - 1];
    }
    let mut records = vec![0u64; n_rows];
    for (key, doc) in rows.keys(band) {
        let place = &mut ends[part_of(key)];
        records[*place] = key << 32 | u64::from(doc);
        *place += 1;
    }
    // Each end is now that of its part.
    let mut parts = Vec::new();
    let mut rest = records.as_slice();
    let mut start = 0;
    for &end in &ends[..1 << part_bits] {
        let (part, others) = rest.split_at(end - start);
        (rest, start) = (others, end);
        if part.len() > 1 {
            parts.push(part);
        }
    }
    let screen = rows.layout.screen;
    let of_part = |(grouper, buckets, records, packed): &mut Room, part: &&[u64]| {
        let (mut found, mut large) = (Vec::new(), Vec::new());
        records.clear();
        records.extend(part.iter().map(|&record| (record >> 32, record as u32)));
        buckets.clear();
        grouper.group(records, buckets);
        for bucket in buckets.iter() {
            if bucket.len() > LARGE {
                large.push(bucket.to_vec());
                continue;
            }
            packed.clear();
            for &doc in bucket {
                packed.extend_from_slice(rows.packed(doc));
            }
            edges(bucket, packed, screen, &mut |a, b| found.push((a, b)));
        }
        (found, large)
    };
    let found: Vec<(Vec<Edge>, Vec<Vec<u32>>)> =
        parts.par_iter().with_min_len(16).map_init(Room::default, of_part).collect();
    let (found, large): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let (found, mut large) = (found.concat(), large.concat());
    large.sort_unstable_by_key(|bucket| bucket[0]);
    (found, large)
}

/// What a thread groups parts with.
type Room = (Grouper, Buckets, Vec<(u64, u32)>, Vec<u8>);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::rows::Layout;
    use super::*;
    use crate::hash::splitmix64;
    use crate::observe::Unobserved;
    use crate::params::{Banding, NumHashes, Threshold};
    use crate::screen::Screen;

    const LANES: usize = 12;

    fn rows_of(signatures: &[Vec<u32>]) -> Rows {
        let num_hashes = NumHashes::try_new(LANES).unwrap();
        let banding = Banding::try_new(4, 3, num_hashes).unwrap();
        let layout = Layout { screen: Screen::new(Threshold::try_new(0.95).unwrap(), num_hashes), banding };
        let mut rows = Rows::new(layout, signatures.len());
        let (bytes, signed) = rows.parts();
        for (doc, signature) in signatures.iter().enumerate().filter(|(_, signature)| !signature.is_empty()) {
            let row = &mut bytes[doc * layout.bytes()..][..layout.bytes()];
            layout.write(signature, &mut Vec::new(), &mut [0; 4], row);
            signed.note(doc);
        }
        rows
    }

    proptest! {
        #[test]
        fn links_are_those_of_all_pairs(
            lanes in prop::collection::vec(prop::collection::vec(0..3u64, 4), 0..200), none in 0..5usize,
        ) {
            // Each band takes one of three values, so some have large buckets.
            let signature = |(doc, bands): (usize, &Vec<u64>)| -> Vec<u32> {
                let rare = if doc % 3 == 0 { doc as u64 } else { 0 };
                let lane = |lane: usize| splitmix64(bands[lane / 3] + 10 * lane as u64 + 1_000 * (rare / 9)) as u32;
                if doc % 7 == none { Vec::new() } else { (0..LANES).map(lane).collect() }
            };
            let signatures: Vec<Vec<u32>> = lanes.iter().enumerate().map(signature).collect();
            let rows = rows_of(&signatures);
            let links = Links::find(&rows, signatures.len(), &Unobserved).unwrap();
            let (mut edges, mut large) = (BTreeSet::new(), Vec::new());
            for band in 0..4 {
                let lanes_of = |doc: usize| signatures[doc].get(3 * band..3 * band + 3);
                for doc in (0..signatures.len()).filter(|&doc| lanes_of(doc).is_some()) {
                    let bucket: Vec<u32> =
                        (0..signatures.len()).filter(|&other| lanes_of(other) == lanes_of(doc)).map(|other| other as u32).collect();
                    if bucket.len() <= LARGE {
                        let passes = |other: &u32| *other < doc as u32 && rows.layout.screen.passes(rows.packed(*other), rows.packed(doc as u32));
                        edges.extend(bucket.into_iter().filter(passes).map(|other| (other, doc as u32)));
                    } else if bucket[0] == doc as u32 {
                        large.push(bucket);
                    }
                }
            }
            let mut sets = UnionFind::new(signatures.len());
            for &(a, b) in &edges {
                sets.union(a, b);
            }
            for bucket in &large {
                bucket.windows(2).for_each(|pair| sets.union(pair[0], pair[1]));
            }
            let clusters: Vec<Cluster<'_>> = (0..links.len()).map(|index| links.cluster(index)).collect();
            prop_assert_eq!(clusters.iter().flat_map(|c| c.edges).copied().collect::<BTreeSet<_>>(), edges);
            let mut found: Vec<Vec<u32>> = clusters.iter().flat_map(|c| c.large).cloned().collect();
            found.sort();
            large.sort();
            prop_assert_eq!(found, large);
            let mut least = None;
            for cluster in clusters {
                let docs = cluster.docs();
                let root = sets.root(docs[0]);
                prop_assert!(least < Some(docs[0]) && root == docs[0]);
                let all: Vec<u32> = (0..signatures.len() as u32).filter(|&doc| sets.root(doc) == root).collect();
                prop_assert_eq!(&docs, &all);
                least = Some(docs[0]);
            }
        }
    }
}
