//! Parameters as inert, checked values, and the arithmetic of banding.
//!
//! With `b` bands of `r` rows, two documents of Jaccard similarity `j` share a band with probability
//! `1 - (1 - j^r)^b`, the S-curve (Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, ch. 3). Candidates
//! are verified exactly afterwards, so banding only has to find them: it is chosen for recall at the
//! threshold, with as many rows as that recall leaves room for, since rows are what keeps false candidates away.

use crate::error::{Error, Result};

/// What a shingle is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShingleUnit {
    /// Words.
    #[default]
    Word,
    /// Characters of the words, with one blank where the text has anything between two words.
    Char,
}

/// How a document is cut into shingles: `ngram` consecutive units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShingleSpec {
    unit: ShingleUnit,
    ngram: usize,
}

impl ShingleSpec {
    /// The longest shingle.
    pub const MAX_NGRAM: usize = 256;

    /// Shingles of `ngram` units.
    ///
    /// # Errors
    /// `Error::Parameter` unless `1 <= ngram <= 256`.
    pub fn try_new(unit: ShingleUnit, ngram: usize) -> Result<Self> {
        if (1..=Self::MAX_NGRAM).contains(&ngram) {
            return Ok(Self { unit, ngram });
        }
        Err(Error::Parameter(format!("ngram is `{ngram}`, but a shingle has 1 to {} units", Self::MAX_NGRAM)))
    }

    /// Words or characters.
    #[must_use]
    pub fn unit(self) -> ShingleUnit {
        self.unit
    }

    /// Units in a shingle.
    #[must_use]
    pub fn ngram(self) -> usize {
        self.ngram
    }
}

impl Default for ShingleSpec {
    fn default() -> Self {
        Self { unit: ShingleUnit::Word, ngram: 5 }
    }
}

/// Number of lanes of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumHashes(usize);

impl NumHashes {
    /// The longest signature.
    pub const MAX: usize = 65_536;

    /// A signature of `num_hashes` lanes.
    ///
    /// # Errors
    /// `Error::Parameter` unless `1 <= num_hashes <= 65536`.
    pub fn try_new(num_hashes: usize) -> Result<Self> {
        if (1..=Self::MAX).contains(&num_hashes) {
            return Ok(Self(num_hashes));
        }
        Err(Error::Parameter(format!(
            "num_hashes is `{num_hashes}`, but a signature has 1 to {} lanes",
            Self::MAX
        )))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for NumHashes {
    fn default() -> Self {
        Self(128)
    }
}

/// The exact Jaccard similarity from which on two documents count as near-duplicates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// A threshold in (0, 1].
    ///
    /// # Errors
    /// `Error::Parameter` for anything else, NaN included.
    pub fn try_new(threshold: f64) -> Result<Self> {
        if threshold > 0.0 && threshold <= 1.0 {
            return Ok(Self(threshold));
        }
        Err(Error::Parameter(format!(
            "threshold is `{threshold}`, but a Jaccard similarity to ask for lies in (0, 1]"
        )))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether `shared` common shingles of sets of `a` and `b` shingles reach the threshold.
    #[inline]
    #[must_use]
    pub(crate) fn reached(self, shared: usize, a: usize, b: usize) -> bool {
        jaccard(shared, a, b) >= self.0
    }

    /// How many shingles sets of `a` and `b` have to share at least; more than there are in one of them if no number is
    /// enough.
    #[must_use]
    pub(crate) fn least_shared(self, a: usize, b: usize) -> usize {
        let most = a.min(b);
        // `s / (a + b - s) >= t` from `t (a + b) / (1 + t)` on, but for what rounding does.
        let about = (self.0 * (a + b) as f64 / (1.0 + self.0)) as usize;
        let start = about.saturating_sub(1).min(most);
        (start..=most).find(|&shared| self.reached(shared, a, b)).unwrap_or(most + 1)
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self(0.8)
    }
}

/// Exact Jaccard similarity from the sizes of two sets and of what they share; 0 for two empty sets.
#[inline]
#[must_use]
pub fn jaccard(shared: usize, a: usize, b: usize) -> f64 {
    let union = a + b - shared;
    if union == 0 { 0.0 } else { shared as f64 / union as f64 }
}

/// How a signature is cut into bands of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Banding {
    bands: usize,
    rows: usize,
}

impl Banding {
    /// The recall at the threshold that [`Banding::choose`] is asked for by default.
    pub const DEFAULT_RECALL: f64 = 0.995;

    /// `bands` bands of `rows` rows.
    ///
    /// # Errors
    /// `Error::Parameter` if there are none of either, or more rows in all than the signature has lanes.
    pub fn try_new(bands: usize, rows: usize, num_hashes: NumHashes) -> Result<Self> {
        let lanes = bands.saturating_mul(rows);
        if lanes >= 1 && lanes <= num_hashes.get() {
            return Ok(Self { bands, rows });
        }
        Err(Error::Parameter(format!(
            "`{bands}` bands of `{rows}` rows do not fit a signature of {} lanes; choose bands * rows from 1 to {}",
            num_hashes.get(),
            num_hashes.get()
        )))
    }

    /// The banding with the most rows whose recall at `threshold` is at least `recall`; one row if none is.
    ///
    /// # Errors
    /// `Error::Parameter` unless `recall` lies in (0, 1).
    pub fn choose(threshold: Threshold, num_hashes: NumHashes, recall: f64) -> Result<Self> {
        if !(recall > 0.0 && recall < 1.0) {
            return Err(Error::Parameter(format!(
                "recall is `{recall}`, but the share of pairs to be found lies between 0 and 1, both excluded"
            )));
        }
        let with_rows = |rows| Self { bands: num_hashes.get() / rows, rows };
        let best =
            (1..=num_hashes.get()).rev().map(with_rows).find(|b| b.recall_at(threshold.get()) >= recall);
        Ok(best.unwrap_or_else(|| with_rows(1)))
    }

    /// Number of bands.
    #[must_use]
    pub fn bands(self) -> usize {
        self.bands
    }

    /// Lanes in a band.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The S-curve: the probability that two documents of Jaccard similarity `jaccard` share a band.
    #[must_use]
    pub fn recall_at(self, jaccard: f64) -> f64 {
        1.0 - (1.0 - jaccard.powf(self.rows as f64)).powf(self.bands as f64)
    }

    /// The similarity at which two documents share `bands` bands on the average.
    #[must_use]
    pub fn likely_similarity(self, bands: usize) -> f64 {
        (bands as f64 / self.bands as f64).powf(1.0 / self.rows as f64)
    }
}

/// Which document of a group of duplicates stays. Ties go to the earlier one in input order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The first in input order.
    #[default]
    First,
    /// The one with the most bytes of text.
    Longest,
    /// The one with the fewest bytes of text.
    Shortest,
    /// The one with the greatest rank; those without a rank come last.
    Max,
    /// The one with the least rank; those without a rank come last.
    Min,
}

/// What to search for, and how. The default is a threshold of 0.8 over 5-word shingles and 128 lanes.
#[derive(Clone, Copy, Debug)]
pub struct DedupConfig {
    /// Similarity from which on a document goes.
    pub threshold: Threshold,
    /// How documents are cut.
    pub shingles: ShingleSpec,
    /// Lanes of a signature.
    pub num_hashes: NumHashes,
    /// The family of hashes that signs; 0 is the scheme itself.
    pub seed: u64,
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
        Ok(Self {
            threshold,
            shingles,
            num_hashes,
            seed: 0,
            banding,
            keep: Keep::default(),
            exact_only: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(threshold: f64, num_hashes: usize, recall: f64) -> (usize, usize) {
        let threshold = Threshold::try_new(threshold).unwrap();
        let banding = Banding::choose(threshold, NumHashes::try_new(num_hashes).unwrap(), recall).unwrap();
        assert!(banding.rows() == 1 || banding.recall_at(threshold.get()) >= recall);
        (banding.bands(), banding.rows())
    }

    #[test]
    fn banding_takes_as_many_rows_as_the_recall_allows() {
        assert_eq!(chosen(0.8, 128, 0.995), (21, 6));
        assert_eq!(chosen(0.8, 128, 0.98), (18, 7));
        assert_eq!(chosen(0.7, 128, 0.995), (32, 4));
        assert_eq!(chosen(0.01, 4, 0.99), (4, 1));
        assert_eq!(chosen(1.0, 128, 0.995), (1, 128));
    }

    #[test]
    fn the_least_that_sets_share_is_the_first_number_that_reaches_the_threshold() {
        for threshold in [0.01, 0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 0.95, 1.0] {
            let threshold = Threshold::try_new(threshold).unwrap();
            for (a, b) in (0..60).flat_map(|a| (0..60).map(move |b| (a, b))) {
                let first = (0..=a.min(b)).find(|&shared| threshold.reached(shared, a, b));
                assert_eq!(
                    threshold.least_shared(a, b),
                    first.unwrap_or(a.min(b) + 1),
                    "{threshold:?} {a} {b}"
                );
            }
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        for bad in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            let message = Threshold::try_new(bad).unwrap_err().to_string();
            assert!(message.contains(&format!("`{bad}`")) && message.contains("(0, 1]"), "{message}");
        }
        assert!(ShingleSpec::try_new(ShingleUnit::Word, 0).is_err());
        assert!(NumHashes::try_new(0).is_err());
        assert!(Banding::try_new(usize::MAX, 2, NumHashes::default()).is_err());
        assert!(Banding::choose(Threshold::default(), NumHashes::default(), 1.0).is_err());
    }
}
