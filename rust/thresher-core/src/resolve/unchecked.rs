//! Comparisons that were left out, counted by how similar the two documents are likely to be.

/// Pairs by their likely similarity, in tenths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unchecked([u64; Unchecked::STEPS]);

impl Unchecked {
    const STEPS: usize = 10;

    /// Counts pairs that are likely to have this similarity.
    pub fn add(&mut self, similarity: f64, pairs: u64) {
        // 0.7 is not quite seven tenths.
        let step = (similarity * Self::STEPS as f64 + 1e-9) as usize;
        self.0[step.min(Self::STEPS - 1)] += pairs;
    }

    /// Adds the counts of another part of the work.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// All pairs.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The least similarity of each step in tenths, and its pairs; steps without any are left out.
    pub fn steps(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.into_iter().enumerate().filter(|&(_, pairs)| pairs > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similarity_counts_for_the_tenth_it_reaches() {
        let mut unchecked = Unchecked::default();
        for similarity in [0.0, 0.69, 0.7, 0.7999, 1.0] {
            unchecked.add(similarity, 2);
        }
        unchecked.merge(&unchecked.clone());
        assert_eq!(unchecked.steps().collect::<Vec<_>>(), [(0, 4), (6, 4), (7, 8), (9, 4)]);
        assert_eq!(unchecked.pairs(), 20);
    }
}
