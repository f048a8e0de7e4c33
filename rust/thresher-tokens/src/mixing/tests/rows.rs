//! What becomes of single rows: how often they are taken, where they go, and what that sums to.

use proptest::prelude::*;

use super::super::{
    Arrangement, Bound, Cutting, MixOrder, PhaseWish, Plan, Weighting, Wishes, plan, stream_of,
};
use super::wishes;
use crate::mixing::{Cell, Placed, Short, SourceWish};

/// Documents of each cell, by size.
type Documents = Vec<Vec<u64>>;

fn cells_of(documents: &Documents) -> Vec<Cell> {
    let cells = documents.iter().enumerate();
    let cell = |(source, sizes): (usize, &Vec<u64>)| Cell {
        source,
        values: Vec::new(),
        size: sizes.iter().sum(),
        documents: sizes.len() as u64,
    };
    cells.map(cell).collect()
}

const SEED: u64 = 7;

fn cut(plan: &Plan, wishes: &Wishes, cells: &[Cell], documents: &Documents) -> Vec<Vec<u64>> {
    let most: Vec<f64> = wishes.sources.iter().map(SourceWish::most_epochs).collect();
    let mut cutting = Cutting::new(plan, cells, &most);
    if cutting.needs_sizes() {
        for round in 0..2 {
            for (cell, sizes) in documents.iter().enumerate() {
                let stream = stream_of(SEED, cell, sizes.len() as u64);
                for (number, size) in (0..).zip(sizes) {
                    cutting.see(cell, stream.place(number).unwrap(), *size);
                }
            }
            if round == 0 {
                cutting.half().unwrap();
            }
        }
    }
    cutting.finish()
}

fn documents() -> impl Strategy<Value = Documents> {
    let size = prop_oneof![1 => Just(0_u64), 20 => 1_u64..50, 1 => 1_000_u64..5_000];
    prop::collection::vec(prop::collection::vec(size, 0..60), 1..5)
}

/// Wishes of two phases, the second with weights of its own.
fn wishes_of(epochs: &[f64], floor: f64, target: u64, share: f64) -> Wishes {
    let mut wishes = wishes(epochs.len());
    for (wish, epochs) in wishes.sources.iter_mut().zip(epochs) {
        wish.max_epochs = *epochs;
    }
    wishes.sources[0].floor = floor;
    wishes.weighting = Weighting::UniMax;
    wishes.short = Short::Fill;
    wishes.target = Some(target);
    let weights = (0..epochs.len()).map(|place| (place + 1) as f64).collect();
    wishes.phases = vec![
        PhaseWish { name: "one".into(), share, weights: None },
        PhaseWish { name: "two".into(), share: 1.0 - share, weights: Some(weights) },
    ];
    wishes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn rows_are_taken_evenly_and_fill_the_mix_once(
        documents in documents(),
        epochs in prop::collection::vec(0.3..3.5, 5),
        floor in prop_oneof![Just(0.0), 0.1..0.5],
        fill in 0.05..1.0,
        share in 0.1..0.9,
        interleaved in any::<bool>(),
    ) {
        let cells = cells_of(&documents);
        let epochs = &epochs[..cells.len()];
        let most: f64 = cells.iter().zip(epochs).map(|(cell, epochs)| cell.size as f64 * epochs).sum();
        let wishes = wishes_of(epochs, floor, ((most * fill) as u64).max(1), share);
        let Ok(plan) = plan(&wishes, &cells) else { return Ok(()) };
        let cuts = cut(&plan, &wishes, &cells, &documents);
        let arrangement = if interleaved { Arrangement::Interleaved } else { Arrangement::Shuffled };
        let order = MixOrder::new(&cells, cells.len(), cuts, SEED, arrangement);
        let starts: Vec<u64> = order.starts().collect();
        let mut seen = vec![false; order.len() as usize];
        let mut of_phases = vec![0; plan.phases.len()];
        for (cell, sizes) in documents.iter().enumerate() {
            let mut counts: Vec<Vec<u64>> = Vec::new();
            for number in 0..sizes.len() as u64 {
                let mut count = vec![0; plan.phases.len() + 1];
                for (taken, epoch) in order.copies(cell, number).zip(0..) {
                    prop_assert!(!std::mem::replace(&mut seen[taken.place as usize], true));
                    prop_assert_eq!(taken.epoch, epoch);
                    let placed = Placed { cell, phase: taken.phase, epoch };
                    prop_assert_eq!(order.at(taken.place), Some(placed));
                    let after = starts.get(taken.phase + 1).copied().unwrap_or(order.len());
                    prop_assert!((starts[taken.phase]..after).contains(&taken.place));
                    count[taken.phase] += 1;
                    count[plan.phases.len()] += 1;
                }
                counts.push(count);
            }
            // Floor or ceil: in each phase and in all of them.
            for part in 0..=plan.phases.len() {
                let each = counts.iter().map(|count| count[part]);
                prop_assert!(each.clone().max().unwrap_or(0) - each.min().unwrap_or(0) <= 1);
            }
            let largest = sizes.iter().copied().max().unwrap_or(0) as f64;
            let (mut wanted, mut got) = (0.0, 0);
            for (phase, planned) in plan.phases.iter().enumerate() {
                let taken: u64 = counts.iter().zip(sizes).map(|(count, size)| count[phase] * size).sum();
                of_phases[phase] += taken;
                wanted += planned.amounts[cell];
                got += taken;
                // Each phase is met to within one document.
                let near = largest * (phase + 1) as f64 + 1e-6 * wanted;
                prop_assert!((got as f64 - wanted).abs() <= near, "{got} {wanted}");
                let cap = cells[cell].size as f64 * epochs[cell];
                // A floor that whole documents cannot hold otherwise takes one more, beyond a cap too.
                let beyond = if floor > 0.0 { largest } else { 0.0 };
                prop_assert!(got as f64 <= cap * (1.0 + 1e-8) + beyond, "{got} {cap}");
            }
        }
        prop_assert!(seen.iter().all(|seen| *seen));
        prop_assert_eq!(order.at(order.len()), None);
    }

    #[test]
    fn a_floor_is_held_by_whole_documents(
        documents in prop::collection::vec(prop::collection::vec(1_u64..50, 5..60), 2..5),
        floor in 0.1..0.9,
        fill in 0.05..0.6,
    ) {
        let cells = cells_of(&documents);
        let mut wishes = wishes(cells.len());
        wishes.sources[0].floor = floor;
        wishes.target = Some(((cells.iter().map(|cell| cell.size).sum::<u64>() as f64 * fill) as u64).max(1));
        let Ok(plan) = plan(&wishes, &cells) else { return Ok(()) };
        if plan.phases[0].bounds[0] != Bound::Floor {
            return Ok(());
        }
        let cuts = cut(&plan, &wishes, &cells, &documents);
        let order = MixOrder::new(&cells, cells.len(), cuts, SEED, Arrangement::Shuffled);
        let of_cell = |cell: usize| -> u64 {
            let sizes = documents[cell].iter();
            (0..).zip(sizes).map(|(number, size)| size * order.copies(cell, number).count() as u64).sum()
        };
        let all: u64 = (0..cells.len()).map(of_cell).sum();
        prop_assert!(of_cell(0) as f64 >= floor * all as f64 * (1.0 - 1e-9));
    }

    #[test]
    fn interleaving_sorts_the_even_points_of_all_sources(counts in prop::collection::vec(0_u64..40, 1..5)) {
        let documents: Documents = counts.iter().map(|count| vec![1; *count as usize]).collect();
        let cells = cells_of(&documents);
        let cuts = counts.iter().map(|count| vec![*count]).collect();
        let order = MixOrder::new(&cells, cells.len(), cuts, SEED, Arrangement::Interleaved);
        let mut got = vec![usize::MAX; order.len() as usize];
        for (cell, count) in counts.iter().enumerate() {
            for number in 0..*count {
                for taken in order.copies(cell, number) {
                    got[taken.place as usize] = cell;
                }
            }
        }
        // By points over a common denominator, sources in order where they are equal.
        let common: u64 = counts.iter().map(|count| (2 * count).max(1)).product();
        let mut points: Vec<(u64, usize)> = Vec::new();
        for (cell, count) in counts.iter().enumerate() {
            points.extend((0..*count).map(|j| ((2 * j + 1) * (common / (2 * count)), cell)));
        }
        points.sort_unstable();
        prop_assert_eq!(&got, &points.iter().map(|point| point.1).collect::<Vec<_>>());
        // Every beginning has of each source what is due, to within the number of sources.
        let mut so_far = vec![0.0; counts.len()];
        for (place, cell) in got.iter().enumerate() {
            so_far[*cell] += 1.0;
            for (count, so_far) in counts.iter().zip(&so_far) {
                let due = (place + 1) as f64 * *count as f64 / got.len() as f64;
                prop_assert!((so_far - due).abs() <= counts.len() as f64);
            }
        }
    }
}

#[test]
fn one_huge_document_is_taken_or_left_whole() {
    let documents = vec![vec![1_000_000], vec![1; 1_000]];
    let cells = cells_of(&documents);
    let mut wishes = wishes(2);
    (wishes.sources[0].weight, wishes.sources[1].weight) = (Some(0.3), Some(0.7));
    wishes.target = Some(1_000);
    let plan = plan(&wishes, &cells).unwrap();
    assert_eq!(cut(&plan, &wishes, &cells, &documents), [[0], [700]]);
}

#[test]
fn sizes_that_are_not_those_of_the_plan_are_an_error() {
    let documents = vec![vec![5; 10]];
    let cells = cells_of(&documents);
    let mut wishes = wishes(1);
    wishes.target = Some(12);
    let plan = plan(&wishes, &cells).unwrap();
    let mut cutting = Cutting::new(&plan, &cells, &[1.0]);
    cutting.see(0, 3, 6);
    assert!(cutting.half().unwrap_err().to_string().contains("size 50"));
}

#[test]
fn the_order_of_a_seed_stays_as_it_is() {
    let documents = vec![vec![1; 5], vec![1; 3]];
    let cells = cells_of(&documents);
    let places = |arrangement| -> Vec<u64> {
        let order = MixOrder::new(&cells, 2, vec![vec![7], vec![3]], 1, arrangement);
        let rows = (0..5).map(|number| (0, number)).chain((0..3).map(|number| (1, number)));
        rows.flat_map(|(cell, number)| order.copies(cell, number).collect::<Vec<_>>())
            .map(|t| t.place)
            .collect()
    };
    assert_eq!(places(Arrangement::Shuffled), [3, 1, 4, 0, 6, 8, 7, 2, 9, 5]);
    assert_eq!(places(Arrangement::Interleaved), [6, 2, 4, 3, 7, 9, 0, 1, 5, 8]);
}
