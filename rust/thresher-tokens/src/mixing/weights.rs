//! From sizes and wishes to the share that each source is wished to have, before caps, floors and ceilings.

use super::wishes::{Weighting, Wishes};

/// The wished shares of sources of these sizes; they sum to 1, unless there is nothing to take, then all are 0.
pub(super) fn shares(wishes: &Wishes, sizes: &[f64]) -> Vec<f64> {
    let counted = |place: usize| sizes[place] * wishes.sources[place].upsample;
    let given = wishes.sources.iter().any(|source| source.weight.is_some());
    let weights = (0..sizes.len()).map(|place| match wishes.weighting {
        Weighting::Given if given => {
            wishes.sources[place].weight.unwrap_or(0.0) * wishes.sources[place].upsample
        }
        Weighting::Given => counted(place),
        Weighting::Temperature(t) => counted(place).powf(1.0 / t),
        Weighting::UniMax => wishes.sources[place].upsample,
    });
    normalized(weights.collect())
}

/// Weights as shares of their sum.
pub(super) fn normalized(mut weights: Vec<f64>) -> Vec<f64> {
    // The greatest comes first to 1, so that no sum of finite weights overflows.
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    if greatest > 0.0 {
        let sum: f64 = weights.iter().map(|weight| weight / greatest).sum();
        for weight in &mut weights {
            *weight = *weight / greatest / sum;
        }
    }
    weights
}
