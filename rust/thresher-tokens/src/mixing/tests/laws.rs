//! Laws that every plan obeys: sums, caps, floors, ceilings, monotony, order of the sources, phases.

use proptest::prelude::*;

use super::super::{Bound, PhaseWish, Short, Weighting, plan};
use super::{amounts, cells, close, field, wishes};
use crate::mixing::Cell;

/// A source: size, weight, epochs, floor, ceiling.
type Source = (u64, f64, f64, f64, f64);

fn sources() -> impl Strategy<Value = Vec<Source>> {
    let weight = prop_oneof![1 => Just(0.0), 8 => 0.01..50.0];
    prop::collection::vec((0_u64..100_000, weight, 0.5..4.0, 0.0..0.2, 0.3..1.0), 1..10)
}

proptest! {
    #[test]
    fn a_plan_sums_to_the_target_within_all_bounds(sources in sources(), share in 0.01..1.0) {
        let mut wishes = wishes(sources.len());
        for (wish, (_, weight, epochs, floor, ceiling)) in wishes.sources.iter_mut().zip(&sources) {
            wish.weight = Some(*weight);
            (wish.max_epochs, wish.floor, wish.ceiling) = (*epochs, *floor, *ceiling);
        }
        let caps: Vec<f64> = sources.iter().map(|source| source.0 as f64 * source.2).collect();
        let target = (caps.iter().sum::<f64>() * share) as u64;
        wishes.target = Some(target.max(1));
        let sizes: Vec<u64> = sources.iter().map(|source| source.0).collect();
        let Ok(plan) = plan(&wishes, &cells(&sizes)) else { return Ok(()) };
        let phase = &plan.phases[0];
        prop_assert!(close(phase.amounts.iter().sum(), plan.size, plan.size));
        for (place, amount) in phase.amounts.iter().enumerate() {
            let (_, weight, _, floor, ceiling) = sources[place];
            prop_assert!(*amount >= 0.0 && *amount <= caps[place]);
            prop_assert!(*amount >= floor * plan.size - 1e-6 * plan.size);
            prop_assert!(*amount <= ceiling * plan.size + 1e-6 * plan.size);
            prop_assert!(weight > 0.0 || *amount == 0.0);
            prop_assert!(phase.bounds[place] != Bound::Cap || *amount >= caps[place]);
        }
    }

    #[test]
    fn a_greater_weight_never_gives_less(
        sources in sources(), which in any::<prop::sample::Index>(), factor in 1.0..10.0, share in 0.01..1.0,
    ) {
        let mut wishes = wishes(sources.len());
        for (wish, (_, weight, epochs, floor, ceiling)) in wishes.sources.iter_mut().zip(&sources) {
            wish.weight = Some(*weight + 0.01);
            (wish.max_epochs, wish.floor, wish.ceiling) = (*epochs, *floor, *ceiling);
        }
        let sum: f64 = sources.iter().map(|source| source.0 as f64 * source.2).sum();
        wishes.target = Some(((sum * share) as u64).max(1));
        let sizes: Vec<u64> = sources.iter().map(|source| source.0).collect();
        let Ok(before) = plan(&wishes, &cells(&sizes)) else { return Ok(()) };
        let which = which.index(sources.len());
        let weight = &mut wishes.sources[which].weight;
        *weight = weight.map(|weight| weight * factor);
        let after = amounts(&wishes, &cells(&sizes));
        prop_assert!(after[which] >= before.phases[0].amounts[which] - 1e-8 * before.size);
    }

    #[test]
    fn the_order_of_the_sources_does_not_matter(sources in sources(), share in 0.01..1.0) {
        let plan_of = |sources: &[Source]| {
            let mut wishes = wishes(sources.len());
            for (wish, (_, weight, epochs, floor, ceiling)) in wishes.sources.iter_mut().zip(sources) {
                wish.weight = Some(*weight);
                (wish.max_epochs, wish.floor, wish.ceiling) = (*epochs, *floor, *ceiling);
            }
            let sum: f64 = sources.iter().map(|source| source.0 as f64 * source.2).sum();
            wishes.target = Some(((sum * share) as u64).max(1));
            let sizes: Vec<u64> = sources.iter().map(|source| source.0).collect();
            plan(&wishes, &cells(&sizes)).map(|plan| plan.phases[0].amounts.clone())
        };
        let turned: Vec<Source> = sources.iter().rev().copied().collect();
        if let (Ok(one), Ok(mut other)) = (plan_of(&sources), plan_of(&turned)) {
            other.reverse();
            let size: f64 = one.iter().sum();
            prop_assert!(one.iter().zip(&other).all(|(a, b)| close(*a, *b, size)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn phases_share_the_caps(sizes in prop::collection::vec(1_u64..10_000, 2..6), share in 0.05..0.95, fill in 0.05..1.0) {
        let mut wishes = wishes(sizes.len());
        let mut last = vec![0.0; sizes.len()];
        last[0] = 1.0;
        wishes.phases = vec![
            PhaseWish { name: "most".into(), share, weights: None },
            PhaseWish { name: "last".into(), share: 1.0 - share, weights: Some(last) },
        ];
        wishes.target = Some(((sizes.iter().sum::<u64>() as f64 * fill) as u64).max(1));
        let Ok(plan) = plan(&wishes, &cells(&sizes)) else { return Ok(()) };
        prop_assert!(close(plan.phases.iter().map(|phase| phase.size).sum(), plan.size, plan.size));
        for (place, size) in sizes.iter().enumerate() {
            let taken: f64 = plan.phases.iter().map(|phase| phase.amounts[place]).sum();
            prop_assert!(taken <= *size as f64 * (1.0 + 1e-12));
        }
        for phase in &plan.phases {
            prop_assert!(close(phase.amounts.iter().sum(), phase.size, plan.size));
        }
    }
}

#[test]
fn without_a_target_each_document_is_taken_once() {
    assert_eq!(amounts(&wishes(3), &cells(&[7, 0, 5])), [7.0, 0.0, 5.0]);
}

#[test]
fn without_a_target_a_good_source_is_taken_as_often_as_it_is_upsampled() {
    let mut wishes = wishes(2);
    wishes.sources[1].upsample = 2.5;
    assert_eq!(amounts(&wishes, &cells(&[70, 20])), [70.0, 50.0]);
}

#[test]
fn without_a_target_weights_hold_to_the_end_of_the_first_source() {
    let mut wishes = wishes(2);
    (wishes.sources[0].weight, wishes.sources[1].weight) = (Some(3.0), Some(1.0));
    let got = amounts(&wishes, &cells(&[30, 1_000]));
    assert!(close(got[0], 30.0, 40.0) && close(got[1], 10.0, 40.0), "{got:?}");
}

#[test]
fn a_floor_takes_from_the_others_in_proportion() {
    let mut wishes = wishes(3);
    for (source, weight) in wishes.sources.iter_mut().zip([6.0, 3.0, 1.0]) {
        source.weight = Some(weight);
    }
    wishes.sources[2].floor = 0.4;
    wishes.target = Some(100);
    let got = amounts(&wishes, &cells(&[1_000; 3]));
    assert!(got.iter().zip([40.0, 20.0, 40.0]).all(|(a, b)| close(*a, b, 100.0)), "{got:?}");
}

#[test]
fn a_floor_of_a_field_lifts_its_rows_in_every_source() {
    let cell = |source, value, size| Cell { source, values: vec![value], size, documents: size };
    let cells = [
        cell(0, Some(0), 100),
        cell(0, None, 900),
        cell(1, Some(0), 500),
        cell(1, None, 500),
        cell(2, None, 1),
    ];
    let mut wishes = wishes(3);
    for (source, weight) in wishes.sources.iter_mut().zip([1.0, 1.0, 0.0]) {
        source.weight = Some(weight);
    }
    wishes.fields = vec![field("language", &[(0.5, 1.0)])];
    wishes.target = Some(200);
    let got = amounts(&wishes, &cells);
    // The weights give 10 and 50 of 200 tokens; both rise by one factor, to 100 together.
    let wanted = [100.0 / 6.0, 900.0 / 14.0, 500.0 / 6.0, 500.0 / 14.0, 0.0];
    assert!(got.iter().zip(wanted).all(|(a, b)| close(*a, b, 200.0)), "{got:?}");
}

#[test]
fn floors_that_sum_to_one_leave_nothing_to_others() {
    let mut wishes = wishes(3);
    (wishes.sources[0].floor, wishes.sources[1].floor) = (0.25, 0.75);
    wishes.target = Some(1_000);
    assert_eq!(amounts(&wishes, &cells(&[5_000; 3])), [250.0, 750.0, 0.0]);
}

#[test]
fn the_largest_sizes_keep_whole_tokens() {
    let mut wishes = wishes(2);
    (wishes.sources[0].weight, wishes.sources[1].weight) = (Some(1e300), Some(1e300));
    wishes.short = Short::Error;
    wishes.target = Some(1 << 50);
    assert_eq!(amounts(&wishes, &cells(&[1 << 50; 2])), [(1_u64 << 49) as f64; 2]);
    for source in &mut wishes.sources {
        source.weight = None;
    }
    wishes.weighting = Weighting::UniMax;
    assert_eq!(amounts(&wishes, &cells(&[1, 1 << 51])), [1.0, ((1_u64 << 50) - 1) as f64]);
}
