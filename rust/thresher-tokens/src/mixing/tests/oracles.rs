//! Naive twins: `UniMax` as its paper writes it, water-filling by rounds, and every mix of a grid.

use proptest::prelude::*;

use super::super::{Short, Weighting, plan};
use super::{amounts, cells, close, field, wishes};
use crate::mixing::Cell;

/// Algorithm 1 of Chung et al. 2023: from the smallest source on, an even part of what is left of the budget, or all epochs.
fn unimax(sizes: &[u64], epochs: f64, budget: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&place| sizes[place]);
    let (mut left, mut result) = (budget, vec![0.0; sizes.len()]);
    for (done, &place) in order.iter().enumerate() {
        let even = left / (sizes.len() - done) as f64;
        result[place] = even.min(sizes[place] as f64 * epochs);
        left -= result[place];
    }
    result
}

/// Shares out what is left by weight, again and again, and stops each source at its cap.
fn by_rounds(weights: &[f64], caps: &[f64], total: f64) -> Vec<f64> {
    let mut full = vec![false; caps.len()];
    loop {
        let left = total - (0..caps.len()).filter(|&i| full[i]).map(|i| caps[i]).sum::<f64>();
        let sum: f64 = (0..caps.len()).filter(|&i| !full[i]).map(|i| weights[i]).sum();
        let result: Vec<f64> =
            (0..caps.len()).map(|i| if full[i] { caps[i] } else { left * weights[i] / sum }).collect();
        let over: Vec<usize> = (0..caps.len()).filter(|&i| !full[i] && result[i] > caps[i]).collect();
        if over.is_empty() {
            return result;
        }
        for i in over {
            full[i] = true;
        }
    }
}

fn divergence(amounts: &[f64], wished: &[f64]) -> f64 {
    let each = amounts.iter().zip(wished);
    each.map(|(x, q)| if *x > 0.0 { x * (x / q).ln() } else { 0.0 }).sum()
}

proptest! {
    #[test]
    fn unimax_is_that_of_its_paper(
        sizes in prop::collection::vec(1_u64..1_000_000, 1..12),
        epochs in 1.0..5.0,
        share in 0.01..1.0,
    ) {
        let all: u64 = sizes.iter().sum();
        let budget = ((all as f64 * epochs * share) as u64).max(1);
        let mut wishes = wishes(sizes.len());
        wishes.weighting = Weighting::UniMax;
        wishes.target = Some(budget);
        for source in &mut wishes.sources { source.max_epochs = epochs; }
        let got = amounts(&wishes, &cells(&sizes));
        for (got, wanted) in got.iter().zip(unimax(&sizes, epochs, budget as f64)) {
            prop_assert!(close(*got, wanted, budget as f64), "{got} {wanted}");
        }
    }

    #[test]
    fn caps_are_filled_as_by_rounds(
        sources in prop::collection::vec((1_u64..1_000_000, 0.001..100.0, 0.1..4.0), 1..12),
        share in 0.01..0.999,
    ) {
        let mut wishes = wishes(sources.len());
        for (wish, (_, weight, epochs)) in wishes.sources.iter_mut().zip(&sources) {
            (wish.weight, wish.max_epochs) = (Some(*weight), *epochs);
        }
        let weights: Vec<f64> = sources.iter().map(|source| source.1).collect();
        let caps: Vec<f64> = sources.iter().map(|source| source.0 as f64 * source.2).collect();
        let total = ((caps.iter().sum::<f64>() * share) as u64).max(1);
        prop_assume!(total as f64 <= caps.iter().sum());
        wishes.target = Some(total);
        let sizes: Vec<u64> = sources.iter().map(|source| source.0).collect();
        for (got, wanted) in amounts(&wishes, &cells(&sizes)).iter().zip(by_rounds(&weights, &caps, total as f64)) {
            prop_assert!(close(*got, wanted, total as f64), "{got} {wanted}");
        }
    }

    /// Two fields of two values and the rest, in two sources with bounds of their own: no mix of whole tokens that obeys all
    /// bounds is nearer to the weights, and if there is one then there is a plan.
    #[test]
    fn no_mix_of_a_grid_is_better(
        sizes in prop::collection::vec(0_u64..7, 8),
        epochs in prop::sample::select(vec![0.5, 1.0, 2.0]),
        weight in 1_u32..10,
        floors in prop::collection::vec(0_u32..4, 3),
        ceilings in prop::collection::vec(4_u32..9, 3),
        total in 2_u64..6,
    ) {
        let cells: Vec<Cell> = (0..8)
            .map(|i| Cell {
                source: i / 4,
                values: vec![(i & 1 == 0).then_some(0), (i & 2 == 0).then_some(0)],
                size: sizes[i],
                documents: sizes[i],
            })
            .collect();
        prop_assume!(sizes[..4].iter().sum::<u64>() > 0 && sizes[4..].iter().sum::<u64>() > 0);
        let mut wishes = wishes(2);
        let bound = |i: usize| (f64::from(floors[i]) / 8.0, f64::from(ceilings[i]) / 8.0);
        wishes.sources[0].weight = Some(f64::from(weight));
        wishes.sources[1].weight = Some(3.0);
        for source in &mut wishes.sources { source.max_epochs = epochs; }
        (wishes.sources[0].floor, wishes.sources[0].ceiling) = bound(0);
        wishes.fields = vec![field("language", &[bound(1)]), field("kind", &[bound(2)])];
        wishes.target = Some(total);
        let of_source = |i: usize| sizes[i / 4 * 4..][..4].iter().sum::<u64>() as f64;
        let shares = [f64::from(weight) / f64::from(weight + 3), 3.0 / f64::from(weight + 3)];
        let wished: Vec<f64> = (0..8).map(|i| shares[i / 4] * sizes[i] as f64 / of_source(i)).collect();
        let caps: Vec<f64> = sizes.iter().map(|size| *size as f64 * epochs).collect();
        let groups: [&dyn Fn(usize) -> bool; 3] = [&|i| i < 4, &|i| i & 1 == 0, &|i| i & 2 == 0];
        // By how much the most broken bound is broken.
        let broken = |x: &[f64]| -> f64 {
            let each = groups.iter().enumerate().map(|(g, of)| {
                let sum: f64 = (0..8).filter(|i| of(*i)).map(|i| x[i]).sum();
                let (floor, ceiling) = bound(g);
                (floor * total as f64 - sum).max(sum - ceiling * total as f64)
            });
            (0..8).map(|i| x[i] - caps[i]).chain(each).fold(f64::NEG_INFINITY, f64::max)
        };
        let found = plan(&wishes, &cells).map(|plan| plan.phases[0].amounts.clone());
        if let Ok(found) = &found {
            prop_assert!(broken(found) <= 2e-4 * total as f64, "{found:?}");
            prop_assert!(close(found.iter().sum(), total as f64, total as f64));
        }
        // All mixes of half tokens.
        let most: Vec<u64> = caps.iter().map(|cap| (cap * 2.0) as u64).collect();
        let mut mixes = Vec::new();
        each_mix(&most, total * 2, &mut Vec::new(), &mut mixes);
        for mix in mixes {
            let mix: Vec<f64> = mix.iter().map(|halves| *halves as f64 / 2.0).collect();
            if broken(&mix) > 0.0 {
                continue;
            }
            match &found {
                Ok(found) => {
                    let (ours, theirs) = (divergence(found, &wished), divergence(&mix, &wished));
                    prop_assert!(ours <= theirs + 1e-3, "{found:?} {ours} {mix:?} {theirs}");
                }
                // On the edge of what can be met the rounds may not come near enough.
                Err(error) => prop_assert!(broken(&mix) > -1e-9, "{error}: {mix:?}"),
            }
        }
    }
}

/// Every way to take `left` of parts that have at most so much.
fn each_mix(most: &[u64], left: u64, taken: &mut Vec<u64>, mixes: &mut Vec<Vec<u64>>) {
    let Some((first, rest)) = most.split_first() else {
        if left == 0 {
            mixes.push(taken.clone());
        }
        return;
    };
    for amount in 0..=left.min(*first) {
        taken.push(amount);
        each_mix(rest, left - amount, taken, mixes);
        taken.pop();
    }
}

#[test]
fn a_temperature_is_a_power_of_the_size() {
    let mut wishes = wishes(3);
    wishes.weighting = Weighting::Temperature(2.0);
    wishes.target = Some(600);
    wishes.short = Short::Error;
    // Roots of 10,000, 40,000 and 90,000: one, two and three parts.
    let got = amounts(&wishes, &cells(&[10_000, 40_000, 90_000]));
    assert!(got.iter().zip([100.0, 200.0, 300.0]).all(|(a, b)| close(*a, b, 600.0)), "{got:?}");
}
