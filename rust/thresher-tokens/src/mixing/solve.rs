//! Amounts of cells under caps and several families of floors and ceilings: by source, and by each field that has any.
//!
//! The groups of one family are disjoint, and one call of [`levels`] obeys them exactly. Families overlap, so they take
//! turns: each is filled with the wishes times the levels that the groups of the others have. That is ascent of the dual
//! problem by blocks, which converges to the one distribution that is nearest to the wishes and obeys all. One family is done
//! after one turn. Where no mix obeys all of them, the levels grow without bound, and the rounds end with what is left over.

use super::fill::{Group, amount, levels};

/// How far from its bound a group may be at the end, as a share of the total.
const MET: f64 = 1e-4;
/// How far it may be, and how much an amount may have changed, for the rounds to end early. Bounds that are all obeyed do not
/// suffice: a level may still be from when another family had others.
const EXACT: f64 = 1e-12;
/// Steps of all rounds together: a fraction of a second.
const STEPS: usize = 4_000_000;

/// What the rounds come to.
pub(super) enum Solved {
    /// The amount of each part.
    Met(Vec<f64>),
    /// A group that keeps outside of its bounds: its family, its place there, and its amount.
    Unmet { family: usize, group: usize, amount: f64 },
    /// The bounds of some families leave others nothing to be met with.
    Stuck,
}

/// The amounts nearest to the wishes that sum to `total` and obey caps and every family.
pub(super) fn nearest(wishes: &[f64], caps: &[f64], families: &[Vec<Group>], total: f64) -> Solved {
    let everything = [vec![Group { parts: (0..wishes.len()).collect(), floor: 0.0, ceiling: f64::INFINITY }]];
    let families = if families.is_empty() { &everything[..] } else { families };
    let mut factors: Vec<Vec<f64>> = families.iter().map(|_| vec![1.0; wishes.len()]).collect();
    let mut lifted = wishes.to_vec();
    let (mut amounts, mut before) = (Vec::new(), vec![0.0; wishes.len()]);
    let mut worst = None;
    let rounds = (STEPS / (wishes.len() * families.len()).max(1)).max(1_000);
    for _ in 0..rounds {
        for (place, family) in families.iter().enumerate() {
            // What the others make of the wishes.
            for (part, lifted) in lifted.iter_mut().enumerate() {
                let others = factors.iter().enumerate().filter(|(other, _)| *other != place);
                *lifted = others.fold(wishes[part], |wish, (_, factors)| wish * factors[part]);
            }
            if lifted.iter().any(|wish| !wish.is_finite()) {
                return worst.unwrap_or(Solved::Stuck);
            }
            let Some(found) = levels(&lifted, caps, family, total) else {
                return worst.unwrap_or(Solved::Stuck);
            };
            for (group, level) in family.iter().zip(found) {
                for part in &group.parts {
                    factors[place][*part] = level;
                }
            }
            let last = &factors[place];
            amounts = (0..wishes.len()).map(|part| amount(lifted[part], caps[part], last[part])).collect();
        }
        let (gap, found) = widest(families, &amounts, total);
        let moved = amounts.iter().zip(&before).map(|(now, then)| (now - then).abs()).fold(0.0, f64::max);
        if gap <= EXACT && (moved <= EXACT * total || families.len() == 1) {
            return Solved::Met(amounts);
        }
        before.clone_from(&amounts);
        worst = (gap > MET).then_some(found);
    }
    worst.unwrap_or(Solved::Met(amounts))
}

/// The group farthest from its bounds, and how far, as a share of the total.
fn widest(families: &[Vec<Group>], amounts: &[f64], total: f64) -> (f64, Solved) {
    let mut widest = (0.0, Solved::Stuck);
    for (family, groups) in families.iter().enumerate() {
        for (place, group) in groups.iter().enumerate() {
            let amount: f64 = group.parts.iter().map(|part| amounts[*part]).sum();
            let gap = (group.floor - amount).max(amount - group.ceiling) / total;
            if gap > widest.0 {
                widest = (gap, Solved::Unmet { family, group: place, amount });
            }
        }
    }
    widest
}
