//! The kept documents that share a bucket with a given one. Documents are positions in their cluster.
//!
//! In a small cluster, and nearly all are, who is beside whom fits one word a document. In a larger one each
//! document has the list of its buckets, and each bucket that of its kept members.

use super::MAX_CHECKS;
use crate::cluster::Cluster;

/// Documents of a cluster up to which neighbours are bits of a word.
const SMALL: usize = 64;

/// Who has to be compared with whom in one cluster. Holds its buffers from one to the next.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    is_small: bool,
    small: Small,
    large: Large,
    list: Vec<u32>,
}

impl Candidates {
    /// Takes the buckets of a cluster.
    pub(super) fn begin(&mut self, cluster: Cluster<'_>) {
        self.is_small = cluster.docs.len() <= SMALL;
        if self.is_small { self.small.begin(cluster) } else { self.large.begin(cluster) }
    }

    /// The kept documents beside `doc`, those of its smallest buckets first, and whether the list was cut.
    pub(super) fn kept_beside(&mut self, doc: u32) -> (&[u32], bool) {
        self.list.clear();
        let cut = if self.is_small {
            self.small.list_beside(doc, &mut self.list);
            false
        } else {
            self.large.list_beside(doc, &mut self.list)
        };
        (&self.list, cut)
    }

    /// `doc` stays.
    pub(super) fn keep(&mut self, doc: u32) {
        if self.is_small { self.small.kept |= 1 << doc } else { self.large.keep(doc) }
    }
}

/// At most 64 documents: fewer than the candidates that one document may have.
#[derive(Debug, Default)]
struct Small {
    /// For each document, those that share a bucket with it, itself included.
    beside: Vec<u64>,
    kept: u64,
}

impl Small {
    fn begin(&mut self, cluster: Cluster<'_>) {
        self.beside.clear();
        self.beside.resize(cluster.docs.len(), 0);
        self.kept = 0;
        for bucket in cluster.buckets() {
            let members = bucket.iter().fold(0, |members, &doc| members | 1 << doc);
            for &doc in bucket {
                self.beside[doc as usize] |= members;
            }
        }
    }

    fn list_beside(&self, doc: u32, list: &mut Vec<u32>) {
        let mut rest = self.beside[doc as usize] & self.kept;
        while rest != 0 {
            list.push(rest.trailing_zeros());
            rest &= rest - 1;
        }
    }
}

/// Any number of documents.
#[derive(Debug, Default)]
struct Large {
    /// The buckets of each document, in compressed rows.
    bucket_ends: Vec<usize>,
    buckets: Vec<u32>,
    /// Room for the members of each bucket, of which those kept so far come first.
    kept: Vec<u32>,
    /// Where the kept members of each bucket are.
    kept_places: Vec<(usize, usize)>,
    /// The last document for which a kept one was listed, plus one.
    listed_for: Vec<u32>,
}

impl Large {
    /// Equal buckets count once, and their order does not depend on how they were found.
    fn begin(&mut self, cluster: Cluster<'_>) {
        let mut distinct: Vec<&[u32]> = cluster.buckets().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let n_docs = cluster.docs.len();
        self.bucket_ends.clear();
        self.bucket_ends.resize(n_docs + 1, 0);
        self.kept_places.clear();
        let mut members = 0;
        for bucket in &distinct {
            self.kept_places.push((members, members));
            members += bucket.len();
            for &doc in *bucket {
                self.bucket_ends[doc as usize + 1] += 1;
            }
        }
        for doc in 0..n_docs {
            self.bucket_ends[doc + 1] += self.bucket_ends[doc];
        }
        self.kept.resize(members, 0);
        self.buckets.clear();
        self.buckets.resize(members, 0);
        for (bucket, docs) in distinct.iter().enumerate() {
            for &doc in *docs {
                let place = &mut self.bucket_ends[doc as usize];
                self.buckets[*place] = bucket as u32;
                *place += 1;
            }
        }
        self.listed_for.clear();
        self.listed_for.resize(n_docs, 0);
    }

    fn buckets_of(&self, doc: u32) -> std::ops::Range<usize> {
        let doc = doc as usize;
        (if doc == 0 { 0 } else { self.bucket_ends[doc - 1] })..self.bucket_ends[doc]
    }

    /// Lists the kept documents beside `doc`, and says whether there are more than may be compared.
    fn list_beside(&mut self, doc: u32, list: &mut Vec<u32>) -> bool {
        let range = self.buckets_of(doc);
        let Self { buckets, kept, kept_places, listed_for, .. } = self;
        let kept_of = |bucket: u32| kept_places[bucket as usize];
        let mine = &mut buckets[range];
        mine.sort_unstable_by_key(|&bucket| (kept_of(bucket).1 - kept_of(bucket).0, bucket));
        for &bucket in mine.iter() {
            let (start, end) = kept_of(bucket);
            for &other in &kept[start..end] {
                if listed_for[other as usize] != doc + 1 {
                    if list.len() == MAX_CHECKS {
                        return true;
                    }
                    listed_for[other as usize] = doc + 1;
                    list.push(other);
                }
            }
        }
        false
    }

    fn keep(&mut self, doc: u32) {
        for &bucket in &self.buckets[self.buckets_of(doc)] {
            let place = &mut self.kept_places[bucket as usize];
            self.kept[place.1] = doc;
            place.1 += 1;
        }
    }
}
