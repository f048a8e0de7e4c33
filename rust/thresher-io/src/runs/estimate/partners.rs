//! What becomes of documents that have partners: how many in the whole, by how many are seen in the sample, and how many stay.
//!
//! - Not the mean alone counts: a few documents with hundreds of mates and many without go otherwise than if all have two. If the
//!   numbers seen vary no less than by chance, each document has a mean of its own, and the shares of the means are those that
//!   make what is seen most likely (a mixture of Poisson distributions: Laird 1978, by expectation and maximisation). If they vary
//!   less, as where everything has one copy, they are binomial with the mean and variance that were seen.
//! - Documents come in keep order at times spread evenly from 0 to 1, and one stays if no mate before it stays. A mate stays
//!   if none of its own mates before it does; those that it shares with the document have no say in it, since they rule the
//!   document out themselves. With the share of triples that close, which the sample says, that is a differential equation for
//!   the probability that a mate rules out: exact for groups in which all are alike, and for trees (greedy independent sets:
//!   Gamarnik, Goldberg 2010). For windows at random places of a line, of 1.5 mates each, it gives 0.5505, and Rényi's formula
//!   for parking 0.5535.

use std::collections::BTreeMap;
use std::iter;

/// What is known beforehand of variances and triples, as so many pairs of mates of one document: without any, mates come by
/// chance, and half of the triples close.
pub(super) const PRIOR: f64 = 2.0;
/// Partners up to which a mean is looked for; who has more is taken at its word.
const FEW: u32 = 64;
/// Rounds of expectation and maximisation: more of them change the shares of means, and what goes by them hardly.
const ROUNDS: usize = 300;
/// Steps of the integrals over time.
pub(super) const STEPS: usize = 400;

/// How many partners documents have in the whole.
#[derive(Debug)]
pub(super) struct Partners {
    /// Share of the sampled documents that have so many partners near them.
    near: BTreeMap<u32, f64>,
    /// Those that lie anywhere.
    others: Others,
}

/// How many partners lie anywhere.
#[derive(Debug)]
enum Others {
    /// Of so many possible ones, each is one with a probability.
    Binomial { trials: f64, probability: f64 },
    /// A share of the documents has so many on the average.
    Mixture(Vec<(f64, f64)>),
}

impl Others {
    /// By how many of `docs` documents have each number of partners in a sample of a `share`.
    fn of(seen: &BTreeMap<u32, f64>, docs: f64, share: f64) -> Self {
        let sum = |count: &dyn Fn(f64) -> f64| {
            seen.iter().map(|(&partners, docs)| count(f64::from(partners)) * docs).sum::<f64>()
        };
        let (ones, twos) = (sum(&|partners| partners), sum(&|partners| partners * (partners - 1.0)));
        // Of the triples at one document, so many are seen if they come by chance.
        let spread = (twos + PRIOR) / (ones * ones / docs + PRIOR);
        let mean = ones / docs / share;
        if spread < 1.0 {
            // At least as many trials as have the mean.
            let trials = (1.0 / (1.0 - spread)).max(mean);
            return Self::Binomial { trials, probability: mean / trials };
        }
        Self::Mixture(mixture(seen, docs, share))
    }

    fn mean(&self) -> f64 {
        match self {
            Self::Binomial { trials, probability } => trials * probability,
            Self::Mixture(parts) => parts.iter().map(|(share, mean)| share * mean).sum(),
        }
    }

    /// The mean of z to the number of partners.
    fn generating(&self, z: f64) -> f64 {
        match self {
            Self::Binomial { trials, probability } => (1.0 - probability * (1.0 - z)).max(0.0).powf(*trials),
            Self::Mixture(parts) => parts.iter().map(|(share, mean)| share * (-mean * (1.0 - z)).exp()).sum(),
        }
    }
}

/// The shares of documents with each mean, by what is seen of them.
fn mixture(seen: &BTreeMap<u32, f64>, docs: f64, share: f64) -> Vec<(f64, f64)> {
    // Who has many is taken at its word.
    let (few, many): (Vec<_>, Vec<_>) =
        seen.iter().map(|(&partners, &of)| (partners, of / docs)).partition(|few| few.0 <= FEW);
    let largest = f64::from(few.last().map_or(0, |few| few.0)) / share * 2.0;
    let means = iter::once(0.0)
        .chain(iter::successors(Some(0.25), |mean| Some(mean * 1.5)).take_while(|&mean| mean <= largest));
    let means: Vec<f64> = means.collect();
    // The probability of what is seen, but for a factor that all means share.
    let likely: Vec<Vec<f64>> = (few.iter())
        .map(|&(partners, _)| {
            let logs = means.iter().map(|mean| {
                let expected: f64 = mean * share;
                if partners == 0 { -expected } else { f64::from(partners) * expected.ln() - expected }
            });
            let logs: Vec<f64> = logs.collect();
            let most = logs.iter().copied().fold(f64::MIN, f64::max);
            logs.iter().map(|log| (log - most).exp()).collect()
        })
        .collect();
    let all: f64 = few.iter().map(|few| few.1).sum();
    // All rounds leave the mean as it is: it has to be right at the beginning, of the shares that are as even as it allows.
    let seen: f64 = few.iter().map(|few| f64::from(few.0) * few.1).sum::<f64>() / share / all;
    let falling = |scale: f64| -> Vec<f64> {
        let weights: Vec<f64> = means.iter().map(|mean| (-mean / scale).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| all * weight / sum).collect()
    };
    let mean_of =
        |shares: &[f64]| shares.iter().zip(&means).map(|(share, mean)| share * mean).sum::<f64>() / all;
    let (mut least, mut most) = (1e-3_f64, 1e6_f64);
    for _ in 0..50 {
        let middle = (least * most).sqrt();
        if mean_of(&falling(middle)) < seen { least = middle } else { most = middle }
    }
    let mut shares = falling(most);
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; means.len()];
        for (&(_, of), likely) in few.iter().zip(&likely) {
            let sum: f64 = likely.iter().zip(&shares).map(|(likely, share)| likely * share).sum();
            for ((next, likely), share) in next.iter_mut().zip(likely).zip(&shares) {
                *next += of * likely * share / sum.max(f64::MIN_POSITIVE);
            }
        }
        shares = next;
    }
    let many = many.into_iter().map(|(partners, of)| (of, f64::from(partners) / share));
    shares.into_iter().zip(means).chain(many).collect()
}

impl Partners {
    /// Of documents of which the sample is a `share`, by how many of its `docs` have each number of partners near them and elsewhere.
    pub(super) fn of(near: &BTreeMap<u32, f64>, far: &BTreeMap<u32, f64>, docs: f64, share: f64) -> Self {
        let near = near.iter().map(|(&count, of)| (count, of / docs)).collect();
        Self { near, others: Others::of(far, docs, share) }
    }

    /// The mean number of partners.
    pub(super) fn mean(&self) -> f64 {
        self.near.iter().map(|(&count, share)| f64::from(count) * share).sum::<f64>() + self.others.mean()
    }

    /// The mean of z to the number of partners.
    pub(super) fn generating(&self, z: f64) -> f64 {
        let near: f64 = self.near.iter().map(|(&count, share)| share * z.powi(count as i32)).sum();
        near * self.others.generating(z)
    }

    /// The mean of z to the number of further partners of a partner.
    fn of_partner(&self, z: f64) -> f64 {
        let step = 1e-4;
        let slope = |z: f64| (self.generating(z + step) - self.generating(z - step)) / (2.0 * step);
        let at_one = slope(1.0 - step);
        if at_one > 0.0 { (slope(z) / at_one).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Share of the documents that stay, each counted by the `weight` of its time, if such a share of triples is `closed`.
    pub(super) fn kept(&self, closed: f64, weight: impl Fn(f64) -> f64) -> f64 {
        let width = 1.0 / STEPS as f64;
        let (mut kept, mut rules_out) = (0.0, 0.0);
        for step in 0..STEPS {
            // A partner rules a document out if it came before and if none of those that are its alone rules it out.
            let by = |rules_out: f64| self.of_partner(1.0 - (1.0 - closed) * rules_out);
            let middle = rules_out + by(rules_out) * width / 2.0;
            kept += weight((step as f64 + 0.5) * width) * width * self.generating(1.0 - middle);
            rules_out += by(middle) * width;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(near: u32, others: Others) -> Partners {
        Partners { near: [(near, 1.0)].into(), others }
    }

    #[test]
    fn kept_shares_are_those_that_are_known() {
        // Pairs: one of two stays, wherever it lies.
        let pairs = partners(1, Others::Mixture(vec![(1.0, 0.0)]));
        assert!((pairs.kept(1.0, |_| 1.0) - 0.5).abs() < 1e-3);
        let far = partners(0, Others::Binomial { trials: 1.0, probability: 1.0 });
        assert!((far.kept(1.0, |_| 1.0) - 0.5).abs() < 1e-3);
        // Windows of one length: three of four triples close. Rényi 1958.
        let windows = partners(0, Others::Mixture(vec![(1.0, 1.48)])).kept(0.75, |_| 1.0);
        assert!((windows - 0.5535).abs() < 5e-3, "{windows}");
        // Greedy independent sets of a random graph: ln(1 + m) / m.
        for mean in [0.3, 1.5, 6.0] {
            let by_chance = partners(0, Others::Mixture(vec![(1.0, mean)]));
            let found = by_chance.kept(0.0, |_| 1.0);
            assert!((found - (1.0 + mean).ln() / mean).abs() < 2e-3, "{mean}: {found}");
            let alone = by_chance.kept(1.0, |_| 1.0);
            assert!((alone - (1.0 - (-mean).exp()) / mean).abs() < 2e-3, "{mean}: {alone}");
        }
    }

    /// How many documents of 100,000 have each number of partners, if a share of them has a mean.
    fn seen(parts: &[(f64, f64)]) -> BTreeMap<u32, f64> {
        let probability =
            |mean: f64, count: u32| (1..=count).fold((-mean).exp(), |p, k| p * mean / f64::from(k));
        let of =
            |count| 1e5 * parts.iter().map(|(share, mean)| share * probability(*mean, count)).sum::<f64>();
        (0..40).map(|count| (count, of(count))).collect()
    }

    #[test]
    fn a_few_with_many_partners_are_told_from_many_with_few() {
        // A tenth of what is in the whole is seen.
        let whole = [(0.5, 0.0), (0.45, 2.0), (0.05, 60.0)];
        let tenth: Vec<(f64, f64)> = whole.iter().map(|&(share, mean)| (share, mean / 10.0)).collect();
        let kept = |others| partners(0, others).kept(1.0, |_| 1.0);
        let truth = kept(Others::Mixture(whole.to_vec()));
        let found = Others::of(&seen(&tenth), 1e5, 0.1);
        assert!((found.mean() - 3.9).abs() < 0.05, "{}", found.mean());
        let found = kept(found);
        assert!((found - truth).abs() < 0.04, "{found} {truth}");
        assert!(kept(Others::Mixture(vec![(1.0, 3.9)])) < truth - 0.3, "the mean alone is not enough");
    }

    #[test]
    fn one_copy_of_everything_is_no_chance() {
        // Of pairs a sample of a fifth sees the other one at every fifth document, and never two.
        let found = Others::of(&[(0, 8e4), (1, 2e4)].into(), 1e5, 0.2);
        let kept = partners(0, found).kept(1.0, |_| 1.0);
        assert!((kept - 0.5).abs() < 1e-2, "{kept}");
    }
}
