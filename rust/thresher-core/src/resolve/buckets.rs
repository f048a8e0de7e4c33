//! The buckets of a large cluster, and which kept documents are in them. Documents are positions in the cluster, kept ones
//! their places in keep order.

use crate::cluster::Cluster;

/// Entries of buckets that are looked at for one document at most.
const MAX_LISTED: usize = 32_768;

/// A kept document that shares buckets with the one at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub(super) place: u32,
    /// How many they share, as far as was counted.
    pub(super) buckets: u32,
}

/// Who is in which bucket.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// Where the buckets of each document end, and the buckets, ascending for each: compressed rows.
    ends: Vec<usize>,
    of_docs: Vec<u32>,
    /// Room for the members of each bucket, of which those kept so far come first.
    kept: Vec<u32>,
    /// Where the kept members of each bucket are.
    kept_places: Vec<(usize, usize)>,
    num_kept: u32,
    /// For each kept document, the turn in which it was last listed, and the buckets that were counted then.
    listed: Vec<(u32, u32)>,
    turn: u32,
    /// The buckets of the document at hand, by the number of their kept members.
    by_size: Vec<u32>,
}

impl Buckets {
    pub(super) fn begin(&mut self, cluster: Cluster<'_>) {
        let n_docs = cluster.docs.len();
        self.ends.clear();
        self.ends.resize(n_docs + 1, 0);
        self.kept_places.clear();
        let mut members = 0;
        for bucket in cluster.buckets() {
            self.kept_places.push((members, members));
            members += bucket.len();
            for &doc in bucket {
                self.ends[doc as usize + 1] += 1;
            }
        }
        for doc in 0..n_docs {
            self.ends[doc + 1] += self.ends[doc];
        }
        self.kept.resize(members, 0);
        self.of_docs.clear();
        self.of_docs.resize(members, 0);
        for (bucket, docs) in cluster.buckets().enumerate() {
            for &doc in docs {
                let place = &mut self.ends[doc as usize];
                self.of_docs[*place] = bucket as u32;
                *place += 1;
            }
        }
        self.num_kept = 0;
        self.listed.clear();
        self.turn = 0;
    }

    fn of(&self, doc: u32) -> std::ops::Range<usize> {
        let doc = doc as usize;
        (if doc == 0 { 0 } else { self.ends[doc - 1] })..self.ends[doc]
    }

    fn kept_of(&self, bucket: u32) -> &[u32] {
        let (start, end) = self.kept_places[bucket as usize];
        &self.kept[start..end]
    }

    /// Lists the kept documents beside `doc`; whether they are `few` at most, or else the list is cut.
    pub(super) fn list_few(&mut self, doc: u32, few: usize, list: &mut Vec<Beside>) -> bool {
        if self.of_docs[self.of(doc)].iter().any(|&bucket| self.kept_of(bucket).len() > few) {
            return false;
        }
        self.begin_turn();
        for at in self.of(doc) {
            self.list_bucket(self.of_docs[at], list);
            if list.len() > few {
                return false;
            }
        }
        true
    }

    /// Lists the kept documents beside `doc` with the number of buckets they share. The entries of its buckets are
    /// looked at from the smallest bucket on, as many as [`MAX_LISTED`]; says how many were not.
    pub(super) fn list_many(&mut self, doc: u32, list: &mut Vec<Beside>) -> u64 {
        let mut mine = std::mem::take(&mut self.by_size);
        mine.clear();
        mine.extend_from_slice(&self.of_docs[self.of(doc)]);
        mine.sort_unstable_by_key(|&bucket| (self.kept_of(bucket).len(), bucket));
        self.begin_turn();
        let (mut looked_at, mut rest) = (0, 0);
        for &bucket in &mine {
            let size = self.kept_of(bucket).len();
            if looked_at + size <= MAX_LISTED {
                looked_at += size;
                self.list_bucket(bucket, list);
            } else {
                rest += size as u64;
            }
        }
        self.by_size = mine;
        for beside in list {
            beside.buckets = self.listed[beside.place as usize].1;
        }
        rest
    }

    fn begin_turn(&mut self) {
        if self.turn == u32::MAX {
            self.listed.fill((0, 0));
            self.turn = 0;
        }
        self.turn += 1;
    }

    /// Adds the kept members of a bucket that are not in the list yet.
    fn list_bucket(&mut self, bucket: u32, list: &mut Vec<Beside>) {
        let (start, end) = self.kept_places[bucket as usize];
        for &place in &self.kept[start..end] {
            let listed = &mut self.listed[place as usize];
            if listed.0 != self.turn {
                *listed = (self.turn, 0);
                list.push(Beside { place, buckets: 1 });
            }
            listed.1 += 1;
        }
    }

    /// How many buckets two documents share.
    pub(super) fn shared(&self, a: u32, b: u32) -> u32 {
        let (mut a, mut b) = (&self.of_docs[self.of(a)], &self.of_docs[self.of(b)]);
        let mut shared = 0;
        while let (Some((first, rest_a)), Some((other, rest_b))) = (a.split_first(), b.split_first()) {
            shared += u32::from(first == other);
            (a, b) = match first.cmp(other) {
                std::cmp::Ordering::Less => (rest_a, b),
                std::cmp::Ordering::Greater => (a, rest_b),
                std::cmp::Ordering::Equal => (rest_a, rest_b),
            };
        }
        shared
    }

    /// `doc` stays.
    pub(super) fn keep(&mut self, doc: u32) {
        for at in self.of(doc) {
            let place = &mut self.kept_places[self.of_docs[at] as usize];
            self.kept[place.1] = self.num_kept;
            place.1 += 1;
        }
        self.num_kept += 1;
        self.listed.push((0, 0));
    }
}
