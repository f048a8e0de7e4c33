//! Figures on a search that are counted document by document: how large clusters are, and how similar what went.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A cluster of more documents than this is worth a look: it is boilerplate, a template, or a broken extraction.
pub(crate) const GIANT: u64 = 10_000;
/// Clusters that are named.
const LARGEST: usize = 10;

/// How many clusters of which size there are, and which are the largest. Holds a few numbers, whatever the corpus.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterSizes {
    histogram: BTreeMap<u64, u64>,
    /// The largest ones, the least of them on top: size and kept document; ties go to the earlier document.
    largest: BinaryHeap<Reverse<(u64, Reverse<u32>)>>,
    giants: u64,
}

impl ClusterSizes {
    /// Counts a cluster by its kept document and the number of its documents, the kept one included.
    pub(crate) fn add(&mut self, kept: u32, size: u64) {
        *self.histogram.entry(1 << size.max(1).ilog2()).or_default() += 1;
        self.giants += u64::from(size > GIANT);
        self.largest.push(Reverse((size, Reverse(kept))));
        if self.largest.len() > LARGEST {
            self.largest.pop();
        }
    }

    /// The number of clusters.
    pub(crate) fn clusters(&self) -> u64 {
        self.histogram.values().sum()
    }

    /// Clusters by the power of two that their size reaches: `4` counts those of 4 to 7 documents.
    pub(crate) fn histogram(&self) -> &BTreeMap<u64, u64> {
        &self.histogram
    }

    /// Kept document and size of the largest clusters, the largest first, ties in input order.
    pub(crate) fn largest(&self) -> Vec<(u32, u64)> {
        let mut found: Vec<_> =
            self.largest.iter().map(|&Reverse((size, Reverse(kept)))| (kept, size)).collect();
        found.sort_unstable_by_key(|&(kept, size)| (Reverse(size), kept));
        found
    }

    /// What the user should know about clusters that are too large to be true.
    pub(crate) fn warning(&self) -> Option<String> {
        let largest = self.largest().first().map_or(0, |&(_, size)| size);
        let clusters = if self.giants == 1 { "cluster has" } else { "clusters have" };
        (self.giants > 0).then(|| {
            format!(
                "{} {clusters} more than {GIANT} documents, the largest {largest}: look at `largest_clusters` in run.json, \
                 since pages of one template or a broken extraction look like duplicates",
                self.giants
            )
        })
    }
}

/// Removed near-duplicates by their similarity, in steps of a hundredth, rounded down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Similarities(BTreeMap<u8, u64>);

impl Similarities {
    /// Counts a document that went for one this similar, from 0 to 1.
    pub(crate) fn add(&mut self, similarity: f64) {
        // What is printed as 0.8 is 0.8, although its float lies a little lower.
        let hundredths = (similarity.clamp(0.0, 1.0) * 100.0 + 1e-6).floor() as u8;
        *self.0.entry(hundredths).or_default() += 1;
    }

    /// Documents by step, named as `0.85`.
    pub(crate) fn histogram(&self) -> BTreeMap<String, u64> {
        let name = |hundredths: u8| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        self.0.iter().map(|(&hundredths, &docs)| (name(hundredths), docs)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sizes_are_those_of_a_sorted_list(sizes in proptest::collection::vec(2_u64..30_000, 0..60)) {
            let mut counted = ClusterSizes::default();
            for (doc, &size) in sizes.iter().enumerate() {
                counted.add(doc as u32, size);
            }
            prop_assert_eq!(counted.clusters(), sizes.len() as u64);
            for (&least, &clusters) in counted.histogram() {
                let range = least..2 * least;
                prop_assert_eq!(clusters, sizes.iter().filter(|size| range.contains(*size)).count() as u64);
            }
            let mut sorted: Vec<(u32, u64)> = (0..).zip(sizes.iter().copied()).collect();
            sorted.sort_by_key(|&(_, size)| Reverse(size));
            sorted.truncate(LARGEST);
            prop_assert_eq!(counted.largest(), sorted);
            let giants = sizes.iter().filter(|&&size| size > GIANT).count();
            prop_assert_eq!(counted.warning().is_some(), giants > 0);
        }
    }

    #[test]
    fn a_similarity_is_counted_in_its_hundredth() {
        let mut counted = Similarities::default();
        for similarity in [0.8, 0.8 + 1e-8, 0.809_999, 0.81, 0.999, 1.0, 0.05, 7.0] {
            counted.add(similarity);
        }
        let found: Vec<_> = counted.histogram().into_iter().collect();
        let expected = [("0.05", 1), ("0.80", 3), ("0.81", 1), ("0.99", 1), ("1.00", 2)];
        assert_eq!(found, expected.map(|(name, docs)| (name.to_owned(), docs)));
    }
}
