//! The whole search over texts in memory: exact duplicates, signatures, buckets, clusters, exact resolution.
//!
//! A text is looked at once: hashed whole by 128 bits and, if no equal one was met before, signed while it is
//! in cache, so a corpus of copies costs one hash each. All steps run on the current rayon pool; none of their results
//! depends on the number of threads. Memory beside the texts: 32 bytes a document, 8 bytes a band and distinct
//! text, and the shingles of the clusters being resolved.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering as AtomicOrdering};
use std::time::Instant;

use rayon::prelude::*;

use crate::cluster::Clusters;
use crate::content::TextHasher;
use crate::error::{Error, Result};
use crate::exact::{Classes, SeenTexts};
use crate::hash::Keys;
use crate::lsh::BandTable;
use crate::minhash::{Signer, tasks};
use crate::observe::{Observer, check};
use crate::outcome::{Outcome, Summary, Timings};
use crate::params::{DedupConfig, Keep};
use crate::precedence::{Precedence, Rank};
use crate::prefetch::prefetch;
use crate::resolve::{Resolution, Resolver, Texts};
use crate::secret::Secret;

/// Finds the duplicates among `texts`. A null text takes no part and is kept.
///
/// `ranks` has one rank a document for the policies [`Keep::Max`] and [`Keep::Min`], and is not looked at otherwise. The
/// `secret` keys the hashes that decide, so no text can be made against them; the outcome is the same with any other, but for a
/// chance of about 2^-60 for each pair that is compared.
///
/// # Errors
/// `Error::Parameter` if ranks are missing or too many, or there are more than 2^32 - 1 documents;
/// `Error::Cancelled` when the observer asks for it.
pub fn dedup(
    texts: &[Option<&str>],
    ranks: &[Rank],
    config: &DedupConfig,
    secret: &Secret,
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
    let (hashes, mut table) = sign(texts, config, secret, observer)?;
    timings.sign_s = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let classes = Classes::of_texts(texts, &hashes, precedence);
    drop(hashes);
    timings.exact_s = clock.elapsed().as_secs_f64();
    check(observer)?;

    let mut resolutions = Vec::new();
    let mut candidates = 0;
    if !config.exact_only {
        let clock = Instant::now();
        let standing = classes.standing(texts.len());
        table.relabel(|doc| standing[doc as usize]);
        let clusters = Clusters::of(&table, texts.len(), observer)?;
        drop(table);
        candidates = clusters.docs().len() as u64;
        timings.group_s = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        resolutions = verify(texts, &clusters, precedence, config, secret, observer)?;
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

/// A cluster is large if it has more than one in so many parts of a thread's share of the bytes.
const LARGE_PARTS: usize = 64;
/// Documents of the next cluster that are asked for ahead, and bytes of each.
const PREFETCHED_DOCS: usize = 16;
const PREFETCHED_BYTES: usize = 256;

/// The content hash of each document, and the band keys of one document of each distinct text.
type Signed = (Vec<Option<u128>>, BandTable);

/// Hashes every text whole and, of equal ones, signs and bands the one that comes first.
fn sign(
    texts: &[Option<&str>],
    config: &DedupConfig,
    secret: &Secret,
    observer: &dyn Observer,
) -> Result<Signed> {
    let bands = config.banding.bands();
    let hasher = TextHasher::new(secret);
    let seen = SeenTexts::with_capacity(texts.len());
    let parts: Vec<Signed> = tasks(texts)
        .into_par_iter()
        .map_init(
            || {
                (
                    Signer::with_keys(config.shingles, config.num_hashes, Keys::from_seed(config.seed)),
                    vec![0; bands],
                )
            },
            |(signer, keys), task| {
                check(observer)?;
                let hash_of = |text: Option<&str>| text.map(|text| hasher.hash(text.as_bytes()));
                let hashes: Vec<Option<u128>> = texts[task.clone()].iter().copied().map(hash_of).collect();
                let mut table = BandTable::with_capacity(bands, task.len());
                for (doc, hash) in task.clone().zip(&hashes) {
                    let (Some(text), Some(hash)) = (texts[doc], hash) else { continue };
                    if config.exact_only || !seen.insert(*hash) {
                        continue;
                    }
                    if let Some(signature) = signer.sign(text) {
                        config.banding.keys_into(signature, keys);
                        table.push(doc as u32, keys);
                    }
                }
                observer
                    .advance(task.len() as u64, texts[task].iter().flatten().map(|t| t.len() as u64).sum());
                Ok((hashes, table))
            },
        )
        .collect::<Result<_>>()?;
    let (hashes, tables): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok((hashes.concat(), BandTable::concat(bands, &tables)))
}

/// Resolves all clusters.
fn verify(
    texts: &[Option<&str>],
    clusters: &Clusters,
    precedence: Precedence<'_>,
    config: &DedupConfig,
    secret: &Secret,
    observer: &dyn Observer,
) -> Result<Vec<Resolution>> {
    let work = order_of_work(clusters, |doc| texts[doc as usize].map_or(0, str::len));
    // A loop a thread over a shared counter: clusters are too many for a state each and too uneven for ranges.
    let next = AtomicUsize::new(0);
    let parts: Vec<Vec<(usize, Resolution)>> = (0..rayon::current_num_threads())
        .into_par_iter()
        .with_max_len(1)
        .map(|_| {
            let mut resolver = Resolver::new(config, secret.keys());
            let mut done = Vec::new();
            while let Some(&(index, bytes)) = work.get(next.fetch_add(1, AtomicOrdering::Relaxed)) {
                // The next one is asked for, not claimed: another thread may be free before this one is.
                if let Some(&(following, _)) = work.get(next.load(AtomicOrdering::Relaxed)) {
                    for &doc in clusters.get(following).docs.iter().take(PREFETCHED_DOCS) {
                        prefetch(texts[doc as usize].unwrap_or_default().as_bytes(), PREFETCHED_BYTES);
                    }
                }
                let cluster = clusters.get(index);
                done.push((index, resolver.resolve(cluster, precedence, &Borrowed(texts), observer)?));
                observer.advance(cluster.docs.len() as u64, bytes as u64);
            }
            Ok(done)
        })
        .collect::<Result<_>>()?;
    let mut resolutions: Vec<(usize, Resolution)> = parts.into_iter().flatten().collect();
    resolutions.par_sort_unstable_by_key(|&(index, _)| index);
    Ok(resolutions.into_iter().map(|(_, resolution)| resolution).collect())
}

/// Each cluster with the bytes of its documents. Large ones come first, so that no thread is left with one at the end,
/// the others in order, for the sake of the caches.
fn order_of_work(clusters: &Clusters, bytes_of: impl Fn(u32) -> usize + Sync) -> Vec<(usize, usize)> {
    let mut work: Vec<(usize, usize)> = (0..clusters.len())
        .into_par_iter()
        .map(|index| (index, clusters.get(index).docs.iter().map(|&doc| bytes_of(doc)).sum()))
        .collect();
    let total: usize = work.iter().map(|&(_, bytes)| bytes).sum();
    let large = total / (LARGE_PARTS * rayon::current_num_threads());
    work.sort_by_key(|&(_, bytes)| Reverse(if bytes > large { bytes } else { 0 }));
    work
}

/// The caller's texts.
struct Borrowed<'a>(&'a [Option<&'a str>]);

impl Texts for Borrowed<'_> {
    fn text(&self, doc: u32) -> &str {
        self.0[doc as usize].unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
