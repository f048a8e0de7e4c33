//! The F of ROUGE-L, and which ones can still be reached.

/// F of ROUGE-L from the length of the longest common subsequence and the numbers of tokens: the expression of
/// rouge-score 0.1.2, operation by operation, since its rounding decides. Of the 531 shapes of up to 150 tokens whose F is
/// exactly 0.7 it is greater in 272.
///
/// Which text comes first makes no difference: doubling is exact, and sums and products do not depend on their order. It
/// grows with `lcs`: of lengths below 2^48 two neighbours differ by more than all five roundings.
#[inline]
#[must_use]
pub fn f_measure(lcs: usize, target: usize, prediction: usize) -> f64 {
    // No token in common, or none at all.
    if lcs == 0 {
        return 0.0;
    }
    let precision = lcs as f64 / prediction as f64;
    let recall = lcs as f64 / target as f64;
    2.0 * precision * recall / (precision + recall)
}

/// An F that is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor(f64);

impl Floor {
    /// F is `2 * lcs / (m + n)` but for rounding, which this leaves room for.
    const SLACK: f64 = 1.0 - 1e-12;

    /// Everything that has an F of at least `f` is admitted, and nothing much below it.
    pub(crate) fn new(f: f64) -> Self {
        Self(f * Self::SLACK)
    }

    /// Whether texts of `sum` tokens together, of which one has at most `most` in common with the other, may reach it.
    #[inline(always)]
    pub(crate) fn admits(self, most: usize, sum: usize) -> bool {
        2.0 * most as f64 >= self.0 * sum as f64
    }

    /// The least common subsequence that texts of `sum` tokens together need.
    pub(crate) fn least(self, sum: usize) -> usize {
        (self.0 * sum as f64 / 2.0).ceil() as usize
    }

    /// How many tokens a text of `m` shares at least with one that reaches it: from 1 to `m`.
    pub(crate) fn least_shared(self, m: usize) -> usize {
        // Short texts need the fewest, and one of `n` tokens can share `n`.
        let about = (self.0 * m as f64 / (2.0 - self.0)) as usize;
        let shortest = (about.saturating_sub(1).max(1)..m).find(|&n| self.admits(n, m + n));
        self.least(m + shortest.unwrap_or(m)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_shapes_with_an_f_of_seven_tenths_half_are_greater_in_doubles() {
        let (mut shapes, mut greater) = (0, 0);
        for (m, n) in (1..=150usize).flat_map(|m| (1..=150).map(move |n| (m, n))) {
            let lcs = 7 * (m + n) / 20;
            if 7 * (m + n) % 20 == 0 && lcs <= m.min(n) {
                shapes += 1;
                greater += usize::from(f_measure(lcs, m, n) > 0.7);
            }
        }
        assert_eq!((shapes, greater), (531, 272));
    }

    #[test]
    fn f_grows_with_the_common_subsequence_and_knows_no_first_text() {
        let large = [1 << 20, (1 << 31) - 1, 1 << 40, (1 << 47) + 1];
        let shapes = (1..=90).flat_map(|m| (1..=90).map(move |n| (m, n)));
        let shapes = shapes.chain(large.into_iter().flat_map(|m| large.map(|n| (m, n))));
        for (m, n) in shapes {
            let most: usize = m.min(n);
            let mut last = -1.0;
            for lcs in (0..=most.min(90)).chain(most.saturating_sub(90).max(91)..=most) {
                let f = f_measure(lcs, m, n);
                assert!(
                    f > last && f <= 1.0 && f.to_bits() == f_measure(lcs, n, m).to_bits(),
                    "{lcs} {m} {n}"
                );
                last = f;
            }
            assert_eq!(last >= 1.0, m == n);
        }
        assert_eq!(f_measure(0, 0, 0).to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn bounds_lose_nothing_and_are_tight() {
        for f in [0.0, 1e-9, 0.1, 0.3, 0.5, 0.55, 0.7, 0.7 + f64::EPSILON, 0.75, 0.9, 0.999, 1.0] {
            let floor = Floor::new(f);
            for m in 1..=80usize {
                let mut least_shared = m;
                for n in 1..=170 {
                    let most = m.min(n);
                    let needed = (1..=most).find(|&lcs| f_measure(lcs, m, n) >= f).unwrap_or(most + 1);
                    let least = floor.least(m + n);
                    for lcs in 1..=most {
                        assert_eq!(floor.admits(lcs, m + n), least <= lcs, "{f} {m} {n} {lcs}");
                    }
                    // One that is exactly at F in real numbers may fall below it in doubles.
                    assert!(least.min(most + 1) <= needed && needed <= least + 1, "{f} {m} {n}");
                    if needed <= most {
                        least_shared = least_shared.min(needed);
                    }
                }
                assert!(floor.least_shared(m) <= least_shared, "{f} {m}");
                assert!(floor.least_shared(m) + 1 >= least_shared, "{f} {m}");
                assert!(floor.least_shared(m) >= 1);
            }
        }
    }
}
