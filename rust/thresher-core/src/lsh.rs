//! Bands and buckets: documents that agree on all rows of a band become candidates.
//!
//! A band of a signature is folded to a 64-bit key. The records (key, document) of one *partition* (a band in memory,
//! a range of keys on disk) are grouped by key in linear time: scattered by their high bits into parts that
//! fit the cache, then grouped there by a small hash table. Buckets of one document vanish. Pairs are formed of small
//! buckets alone, so a bucket of a million documents costs a million steps. Keys are public, so texts can be made whose keys
//! fall on one place of that table; a part that costs too many steps is sorted instead.
//!
//! Indyk and Motwani 1998; the band form is that of *Mining of Massive Datasets*, ch. 3. Memory 12 bytes a
//! record, twice that while a partition is grouped.

use crate::hash::{K0, K1, mum};
use crate::params::Banding;
use crate::screen::Screen;

/// Bits of a band key that count, its upper ones. Of 330 million documents 50,000 pairs then share a key by chance; the screen
/// tells them from others.
pub const KEY_BITS: u32 = 40;

/// Documents of a bucket up to which it gives all its edges.
pub const LARGE: usize = 64;

/// Records that one part of a partition should hold: with its table it stays in the second-level cache.
pub(crate) const PART: usize = 8192;

impl Banding {
    /// Writes the key of each band of `signature` to `keys`.
    ///
    /// # Panics
    /// In debug builds, if `keys` has another length than the number of bands.
    pub fn keys_into(self, signature: &[u32], keys: &mut [u64]) {
        debug_assert_eq!(keys.len(), self.bands());
        for (index, (key, rows)) in keys.iter_mut().zip(signature.chunks_exact(self.rows())).enumerate() {
            let seed = (index as u64 + 1).wrapping_mul(K0);
            *key = rows.chunks(2).fold(seed, |state, pair| {
                let high = pair.get(1).map_or(0, |&lane| u64::from(lane) << 32);
                mum(state ^ (u64::from(pair[0]) | high), K1)
            });
        }
    }
}

/// Buckets of two or more documents, in compressed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    ends: Vec<usize>,
    members: Vec<u32>,
}

impl Buckets {
    /// The buckets, each with its documents in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.members[start..end])
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.members.clear();
    }

    /// Number of buckets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no bucket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Groups the records of one partition by key.
///
/// Time O(n); the buckets come in an order that depends on the records alone, and so do their members.
///
/// # Panics
/// In debug builds, if there are not as many keys as documents.
#[must_use]
pub fn group(keys: &[u64], docs: &[u32]) -> Buckets {
    debug_assert_eq!(keys.len(), docs.len());
    let mut buckets = Buckets::default();
    let mut grouper = Grouper::default();
    let part_bits = (keys.len() / PART).next_power_of_two().trailing_zeros();
    if part_bits == 0 {
        let records: Vec<(u64, u32)> = keys.iter().copied().zip(docs.iter().copied()).collect();
        grouper.group(&records, &mut buckets);
        return buckets;
    }
    let part_of = |key: u64| (key >> (64 - part_bits)) as usize;
    let mut starts = vec![0usize; (1 << part_bits) + 1];
    for &key in keys {
        starts[part_of(key) + 1] += 1;
    }
    for part in 1..starts.len() {
        starts[part] += starts[part - 1];
    }
    let mut places = starts.clone();
    let mut records = vec![(0, 0); keys.len()];
    for (&key, &doc) in keys.iter().zip(docs) {
        let place = &mut places[part_of(key)];
        records[*place] = (key, doc);
        *place += 1;
    }
    for part in starts.windows(2) {
        grouper.group(&records[part[0]..part[1]], &mut buckets);
    }
    buckets
}

/// Hands every *edge* of a bucket to `edge`: the pairs that pass the screen, the smaller document first.
///
/// `packed` has one packed signature a document, in the order of the bucket. A bucket of more than [`LARGE`] gives none: its
/// pairs are too many, and are found in another way when documents are decided ([`crate::resolve::decide`]).
pub fn edges(bucket: &[u32], packed: &[u8], screen: Screen, edge: &mut dyn FnMut(u32, u32)) {
    if bucket.len() > LARGE {
        return;
    }
    let of = |at: usize| &packed[at * screen.bytes()..][..screen.bytes()];
    for (at, &a) in bucket.iter().enumerate() {
        for (other, &b) in (at + 1..).zip(&bucket[at + 1..]) {
            if screen.passes(of(at), of(other)) {
                edge(a.min(b), a.max(b));
            }
        }
    }
}

/// Steps a record that the hash table of a part may cost; it takes about one.
const MAX_STEPS: usize = 8;

/// The hash table of one part, reused for the next.
#[derive(Default)]
pub(crate) struct Grouper {
    /// Index of a bucket's first record, plus one; 0 for a free place. A power of two long.
    table: Vec<u32>,
    /// For each record, the first one with its key.
    first: Vec<u32>,
    /// For a first record: how many there are, then where its next member goes.
    count: Vec<usize>,
}

impl Grouper {
    /// Finds the first record with each key by a hash table, unless that takes too many steps.
    fn find_first(&mut self, records: &[(u64, u32)]) -> bool {
        let mask = (2 * records.len()).next_power_of_two() - 1;
        self.table.clear();
        self.table.resize(mask + 1, 0);
        self.first.clear();
        let mut steps = MAX_STEPS * records.len();
        for (index, &(key, _)) in records.iter().enumerate() {
            let mut place = key as usize & mask;
            let first = loop {
                match self.table[place] {
                    0 => {
                        self.table[place] = index as u32 + 1;
                        break index;
                    }
                    taken if records[taken as usize - 1].0 == key => break taken as usize - 1,
                    _ if steps == 0 => return false,
                    _ => place = (place + 1) & mask,
                }
                steps -= 1;
            };
            self.first.push(first as u32);
        }
        true
    }

    /// Finds the first record with each key by sorting.
    fn sort_first(&mut self, records: &[(u64, u32)]) {
        let mut order: Vec<u32> = (0..records.len() as u32).collect();
        order.sort_unstable_by_key(|&index| (records[index as usize].0, index));
        self.first.clear();
        self.first.resize(records.len(), 0);
        for equal in order.chunk_by(|&a, &b| records[a as usize].0 == records[b as usize].0) {
            for &index in equal {
                self.first[index as usize] = equal[0];
            }
        }
    }

    /// Groups the records of one part by key, whose low bits place them in the table.
    pub(crate) fn group(&mut self, records: &[(u64, u32)], buckets: &mut Buckets) {
        self.count.clear();
        self.count.resize(records.len(), 0);
        if !self.find_first(records) {
            self.sort_first(records);
        }
        for &first in &self.first {
            self.count[first as usize] += 1;
        }
        let known = buckets.ends.len();
        for (index, &(_, doc)) in records.iter().enumerate() {
            let first = self.first[index] as usize;
            if first == index {
                let size = self.count[index];
                if size == 1 {
                    continue;
                }
                self.count[index] = buckets.members.len();
                buckets.members.resize(buckets.members.len() + size, 0);
                buckets.ends.push(buckets.members.len());
            }
            buckets.members[self.count[first]] = doc;
            self.count[first] += 1;
        }
        let mut start = if known == 0 { 0 } else { buckets.ends[known - 1] };
        for &end in &buckets.ends[known..] {
            buckets.members[start..end].sort_unstable();
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::params::{NumHashes, Threshold};

    fn naive(keys: &[u64], docs: &[u32]) -> Vec<Vec<u32>> {
        let mut by_key: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (&key, &doc) in keys.iter().zip(docs) {
            by_key.entry(key).or_default().push(doc);
        }
        let mut buckets: Vec<Vec<u32>> = by_key.into_values().filter(|bucket| bucket.len() > 1).collect();
        for bucket in &mut buckets {
            bucket.sort_unstable();
        }
        buckets.sort();
        buckets
    }

    fn grouped(keys: &[u64], docs: &[u32]) -> Vec<Vec<u32>> {
        let mut buckets: Vec<Vec<u32>> = group(keys, docs).iter().map(<[u32]>::to_vec).collect();
        buckets.sort();
        buckets
    }

    proptest! {
        #[test]
        fn grouping_equals_the_naive_one(keys in prop::collection::vec(0..40u64, 0..200), spread: u64) {
            let keys: Vec<u64> = keys.into_iter().map(|key| key.wrapping_mul(spread | 1)).collect();
            let docs: Vec<u32> = (0..keys.len() as u32).rev().collect();
            prop_assert_eq!(grouped(&keys, &docs), naive(&keys, &docs));
        }
    }

    #[test]
    fn a_bucket_gives_the_pairs_that_pass_the_screen_and_a_large_one_none() {
        let screen = Screen::new(Threshold::try_new(0.8).unwrap(), NumHashes::default());
        let signature = |doc: u32| -> Vec<u32> { (0..128).map(|lane| u32::from(lane < doc)).collect() };
        let edges_of = |bucket: &[u32]| {
            let mut packed = Vec::new();
            for &doc in bucket {
                screen.pack(&signature(doc), &mut packed);
            }
            let mut found = Vec::new();
            edges(bucket, &packed, screen, &mut |a, b| found.push((a, b)));
            found
        };
        // The first ones agree in 128 - 47 lanes, which are enough, and in 128 - 48.
        assert_eq!(edges_of(&[47, 0]), [(0, 47)]);
        assert_eq!(edges_of(&[0, 47, 48]), [(0, 47), (47, 48)]);
        assert_eq!(edges_of(&[1; LARGE]).len(), LARGE * (LARGE - 1) / 2);
        assert_eq!(edges_of(&[1; LARGE + 1]), []);
    }

    #[test]
    fn many_parts_group_like_one() {
        let keys: Vec<u64> = (0..100_000u64).map(|i| crate::hash::splitmix64(i % 70_000)).collect();
        let docs: Vec<u32> = (0..keys.len() as u32).collect();
        assert_eq!(grouped(&keys, &docs), naive(&keys, &docs));
    }

    #[test]
    fn keys_that_fall_on_one_place_are_grouped_like_any_others() {
        // Forged keys: equal in their low and in their high bits, so the table of one part has them all on one place. A step
        // for each pair of them would be ten thousand million.
        let keys: Vec<u64> = (0..100_000u64).map(|i| (i % 70_000) << 24 | 0x00AB_CDEF).collect();
        let docs: Vec<u32> = (0..keys.len() as u32).rev().collect();
        assert_eq!(grouped(&keys, &docs), naive(&keys, &docs));
        let records: Vec<(u64, u32)> = keys.into_iter().zip(docs).collect();
        let mut grouper = Grouper::default();
        assert!(!grouper.find_first(&records), "too many steps are noticed");
        grouper.sort_first(&records);
        let sorted = grouper.first.clone();
        let spread: Vec<(u64, u32)> =
            records.iter().map(|&(key, doc)| (crate::hash::splitmix64(key), doc)).collect();
        assert!(grouper.find_first(&spread), "honest keys take few steps");
        assert_eq!(grouper.first, sorted);
    }

    #[test]
    fn one_bucket_of_all_documents_is_one_bucket() {
        let docs: Vec<u32> = (0..300_000).collect();
        let buckets = group(&vec![7; docs.len()], &docs);
        assert_eq!(buckets.iter().collect::<Vec<_>>(), [docs.as_slice()]);
    }
}
