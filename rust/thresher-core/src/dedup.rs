//! The whole search over texts in memory: exact duplicates, signatures, edges, clusters, exact resolution.
//!
//! A text is looked at once: hashed whole by 128 bits and, if no equal one was met before, signed while it is
//! in cache, so a corpus of copies costs one hash each. All steps run on the current rayon pool; none of their results
//! depends on the number of threads. Memory beside the texts: about 10 bytes a document to tell equal texts, 127 for its row
//! ([`rows`]), 8 to 24 while bands are grouped, 8 an edge, and the shingles of the clusters being resolved.

mod links;
mod rows;
mod sign;
mod verify;

use std::time::Instant;

use crate::error::{Error, Result};
use crate::exact::Classes;
use crate::observe::{Observer, check};
use crate::outcome::{Outcome, Summary, Timings};
use crate::params::{DedupConfig, Keep};
use crate::precedence::{Precedence, Rank};
use crate::secret::Secret;
use links::Links;
use verify::Verification;

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
    let bytes_of = |doc: usize| texts[doc].map_or(0, |text| text.len() as u64);
    let by_length = matches!(config.keep, Keep::Longest | Keep::Shortest);
    let lengths: Vec<u64> = if by_length { (0..texts.len()).map(bytes_of).collect() } else { Vec::new() };
    let precedence = Precedence::new(config.keep, &lengths, ranks);

    let clock = Instant::now();
    let (mut rows, copies) = sign::sign(texts, config, secret, observer)?;
    timings.sign_s = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let (classes, standing_for) = Classes::of_copies(copies, precedence);
    timings.exact_s = clock.elapsed().as_secs_f64();
    check(observer)?;

    let mut resolutions = Vec::new();
    let mut candidates = 0;
    if !config.exact_only {
        let clock = Instant::now();
        for (signed, standing) in standing_for {
            rows.hand_over(signed, standing);
        }
        let links = Links::find(&rows, texts.len(), observer)?;
        timings.group_s = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let verification = Verification { texts, precedence, config, keys: secret.keys(), observer };
        (resolutions, candidates) = verification.run(&rows, &links)?;
        timings.verify_s = clock.elapsed().as_secs_f64();
    }
    drop(rows);
    let mut outcome = Outcome::new(texts.len(), &classes, &resolutions);
    outcome.summary = Summary {
        candidates,
        timings,
        ..Summary::count(&outcome, bytes_of, |doc| texts[doc].is_none(), &resolutions)
    };
    Ok(outcome)
}

#[cfg(test)]
mod tests;
