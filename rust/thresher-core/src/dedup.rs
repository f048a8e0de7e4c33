//! The whole search over texts in memory: exact duplicates, signatures, buckets, clusters, exact resolution.
//!
//! Exact duplicates leave first, by a 128-bit hash: of equal texts only one (a *class*) is signed, so a corpus of
//! copies costs one hash each. All steps run on the current rayon pool; none of their results depends on the number of
//! threads. Memory beside the texts: 32 bytes a document, 8 bytes a band and class, and the shingles of
//! the clusters being resolved.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering as AtomicOrdering};
use std::time::Instant;

use rayon::prelude::*;

use crate::cluster::{Cluster, Clusters};
use crate::error::{Error, Result};
use crate::exact::Classes;
use crate::hash::content_hash;
use crate::lsh::{BandTable, Buckets, group};
use crate::minhash::{Signer, tasks};
use crate::observe::{Observer, check};
use crate::outcome::{Outcome, Summary, Timings};
use crate::params::{Banding, Keep, NumHashes, ShingleSpec, Threshold};
use crate::precedence::{Precedence, Rank};
use crate::resolve::{Resolution, Resolver};
use crate::shingle::Shingler;

/// Members of a large cluster whose shingles are computed side by side.
const BLOCK_DOCS: usize = 64;
/// Bytes of text from which on a cluster counts as large.
const LARGE_CLUSTER: usize = 1 << 20;

/// What to search for, and how. The default is a threshold of 0.8 over 5-word shingles and 128 lanes.
#[derive(Clone, Copy, Debug)]
pub struct DedupConfig {
    /// Similarity from which on a document goes.
    pub threshold: Threshold,
    /// How documents are cut.
    pub shingles: ShingleSpec,
    /// Lanes of a signature.
    pub num_hashes: NumHashes,
    /// How signatures are banded.
    pub banding: Banding,
    /// Which document of a group stays.
    pub keep: Keep,
    /// Only equal texts are duplicates.
    pub exact_only: bool,
}

impl DedupConfig {
    /// A configuration whose banding is chosen for `recall` at the threshold.
    ///
    /// # Errors
    /// `Error::Parameter` if `recall` is outside (0, 1).
    pub fn with_recall(
        threshold: Threshold,
        shingles: ShingleSpec,
        num_hashes: NumHashes,
        recall: f64,
    ) -> Result<Self> {
        let banding = Banding::choose(threshold, num_hashes, recall)?;
        Ok(Self { threshold, shingles, num_hashes, banding, keep: Keep::default(), exact_only: false })
    }
}

/// Finds the duplicates among `texts`. A null text takes no part and is kept.
///
/// `ranks` has one rank a document for the policies [`Keep::Max`] and [`Keep::Min`], and is not looked at otherwise.
///
/// # Errors
/// `Error::Parameter` if ranks are missing or too many, or there are more than 2^32 - 1 documents;
/// `Error::Cancelled` when the observer asks for it.
pub fn dedup(
    texts: &[Option<&str>],
    ranks: &[Rank],
    config: &DedupConfig,
    observer: &dyn Observer,
) -> Result<Outcome> {
    if u32::try_from(texts.len()).is_err() {
        return Err(Error::Parameter(format!(
            "`{}` documents are more than the 4,294,967,295 that one call takes; split them by content hash",
            texts.len()
        )));
    }
    if matches!(config.keep, Keep::Max | Keep::Min) && ranks.len() != texts.len() {
        return Err(Error::Parameter(format!(
            "`{}` ranks for `{}` documents; the policies max and min need one each",
            ranks.len(),
            texts.len()
        )));
    }
    let mut timings = Timings::default();
    let lengths: Vec<u64> = texts.iter().map(|text| text.map_or(0, |text| text.len() as u64)).collect();
    let precedence = Precedence::new(config.keep, &lengths, ranks);

    let clock = Instant::now();
    let hashes: Vec<Option<u128>> = texts
        .par_iter()
        .with_min_len(64)
        .map(|text| text.map(|text| content_hash(text.as_bytes())))
        .collect();
    check(observer)?;
    let classes = Classes::new(hashes.into_iter(), precedence);
    timings.exact_s = clock.elapsed().as_secs_f64();

    let mut resolutions = Vec::new();
    let mut candidates = 0;
    if !config.exact_only {
        let clock = Instant::now();
        let table = sign(texts, classes.docs(), config, observer)?;
        timings.sign_s = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let buckets: Vec<Buckets> =
            table.partitions().par_iter().map(|keys| group(keys, table.docs())).collect();
        let clusters = Clusters::new(texts.len(), &buckets);
        candidates = clusters.docs().len() as u64;
        timings.group_s = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        resolutions = verify(texts, &clusters, precedence, config, observer)?;
        timings.verify_s = clock.elapsed().as_secs_f64();
    }
    let mut outcome = Outcome::new(texts.len(), &classes, &resolutions);
    outcome.summary = Summary {
        candidates,
        timings,
        ..Summary::count(&outcome, &lengths, |doc| texts[doc].is_none(), &resolutions)
    };
    Ok(outcome)
}

/// Signs the first document of each class and bands the signatures.
fn sign(
    texts: &[Option<&str>],
    docs: &[u32],
    config: &DedupConfig,
    observer: &dyn Observer,
) -> Result<BandTable> {
    let bands = config.banding.bands();
    let unique: Vec<Option<&str>> = docs.iter().map(|&doc| texts[doc as usize]).collect();
    let parts: Vec<(Vec<u32>, Vec<u64>)> = tasks(&unique)
        .into_par_iter()
        .map_init(
            || Signer::new(config.shingles, config.num_hashes),
            |signer, task| {
                check(observer)?;
                let mut rows = (Vec::with_capacity(task.len()), vec![0; task.len() * bands]);
                let mut bytes = 0;
                for index in task {
                    let Some(text) = unique[index] else { continue };
                    bytes += text.len() as u64;
                    if let Some(signature) = signer.sign(text) {
                        let row = rows.0.len() * bands;
                        config.banding.keys_into(signature, &mut rows.1[row..row + bands]);
                        rows.0.push(docs[index]);
                    }
                }
                rows.1.truncate(rows.0.len() * bands);
                observer.advance(rows.0.len() as u64, bytes);
                Ok(rows)
            },
        )
        .collect::<Result<_>>()?;
    let mut table = BandTable::new(bands);
    for (docs, keys) in &parts {
        table.append(docs, keys);
    }
    Ok(table)
}

/// Resolves all clusters, the largest first so that no thread is left with one at the end.
fn verify(
    texts: &[Option<&str>],
    clusters: &Clusters<'_>,
    precedence: Precedence<'_>,
    config: &DedupConfig,
    observer: &dyn Observer,
) -> Result<Vec<Resolution>> {
    let bytes_of = |doc: u32| texts[doc as usize].map_or(0, str::len);
    let mut work: Vec<(usize, Cluster<'_>)> = (0..clusters.len())
        .map(|index| clusters.get(index))
        .map(|cluster| (cluster.docs.iter().map(|&doc| bytes_of(doc)).sum(), cluster))
        .collect();
    work.par_sort_by_key(|&(bytes, cluster)| (std::cmp::Reverse(bytes), cluster.docs[0]));
    let resolve_one =
        |shingler: &mut Shingler, resolver: &mut Resolver, bytes: usize, cluster: Cluster<'_>| {
            check(observer)?;
            let text_of = |doc: u32| texts[doc as usize].unwrap_or_default();
            let resolution = if bytes < LARGE_CLUSTER {
                resolver.resolve(cluster, precedence, config.threshold, |doc, out| {
                    shingler.shingles_into(text_of(doc), out);
                    Ok(())
                })
            } else {
                resolve_large(cluster, precedence, config, &text_of, observer)
            };
            observer.advance(cluster.docs.len() as u64, bytes as u64);
            resolution
        };
    // A loop a thread over a shared counter: clusters are too many for a state each and too uneven for ranges.
    let next = AtomicUsize::new(0);
    let parts: Vec<Vec<(u32, Resolution)>> = (0..rayon::current_num_threads())
        .into_par_iter()
        .with_max_len(1)
        .map(|_| {
            let (mut shingler, mut resolver) = (Shingler::new(config.shingles), Resolver::default());
            let mut done = Vec::new();
            while let Some(&(bytes, cluster)) = work.get(next.fetch_add(1, AtomicOrdering::Relaxed)) {
                done.push((cluster.docs[0], resolve_one(&mut shingler, &mut resolver, bytes, cluster)?));
            }
            Ok(done)
        })
        .collect::<Result<_>>()?;
    let mut resolutions: Vec<(u32, Resolution)> = parts.into_iter().flatten().collect();
    resolutions.sort_unstable_by_key(|&(doc, _)| doc);
    Ok(resolutions.into_iter().map(|(_, resolution)| resolution).collect())
}

/// Resolves a cluster whose shingles are worth computing on several threads, a block of documents at a time.
fn resolve_large<'a>(
    cluster: Cluster<'_>,
    precedence: Precedence<'_>,
    config: &DedupConfig,
    text_of: &(dyn Fn(u32) -> &'a str + Sync),
    observer: &dyn Observer,
) -> Result<Resolution> {
    let mut order: Vec<u32> = cluster.docs.to_vec();
    order.sort_unstable_by(|&a, &b| -> Ordering { precedence.compare(a, b) });
    let mut blocks = order.chunks(BLOCK_DOCS);
    let mut ready = Vec::new().into_iter();
    Resolver::default().resolve(cluster, precedence, config.threshold, |doc, out| {
        if ready.len() == 0 {
            check(observer)?;
            let block: Vec<(u32, Vec<u64>)> = blocks
                .next()
                .unwrap_or_default()
                .par_iter()
                .map_init(
                    || Shingler::new(config.shingles),
                    |shingler, &doc| {
                        let mut shingles = Vec::with_capacity(text_of(doc).len() / 4);
                        shingler.shingles_into(text_of(doc), &mut shingles);
                        (doc, shingles)
                    },
                )
                .collect();
            ready = block.into_iter();
        }
        if let Some((next, shingles)) = ready.next() {
            debug_assert_eq!(next, doc);
            *out = shingles;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
