//! Water-filling: amounts in proportion to wishes, under caps, with bounds on the sums of disjoint groups.
//!
//! A part has a wish `w` and a cap `c`; at level `t` it holds `min(c, w t)`. A group holds what its parts do, but at least
//! its floor and at most its ceiling: where its own sum at the common level would break a bound, its parts stand at the level
//! at which the bound is met exactly. This is the distribution nearest to the wishes, by Kullback-Leibler divergence,
//! that obeys caps and bounds (its multipliers are the levels). Sums are piecewise linear in the level, so the level is found
//! exactly: by bisection over the sorted bends, then on a straight line. O(n log n) for n parts.

/// Parts whose sum has bounds. Groups of one call hold every part once.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) parts: Vec<usize>,
    pub(super) floor: f64,
    pub(super) ceiling: f64,
}

/// The amount of a part at a level.
pub(super) fn amount(wish: f64, cap: f64, level: f64) -> f64 {
    // A wish of 0 stays 0 at a level without bound.
    if wish == 0.0 { 0.0 } else { cap.min(wish * level) }
}

/// The level of each group at which all of them sum to `total` within their bounds; none if there is no such level.
pub(super) fn levels(wishes: &[f64], caps: &[f64], groups: &[Group], total: f64) -> Option<Vec<f64>> {
    let curves: Vec<Curve> = groups.iter().map(|group| Curve::new(wishes, caps, &group.parts)).collect();
    let mut ends = Vec::with_capacity(groups.len());
    for (curve, group) in curves.iter().zip(groups) {
        let low = curve.level_of(group.floor)?;
        ends.push((low, curve.level_of(group.ceiling).unwrap_or(f64::INFINITY).max(low)));
    }
    let held = |level: f64| -> f64 {
        curves.iter().zip(&ends).map(|(curve, (low, high))| curve.sum_at(level.clamp(*low, *high))).sum()
    };
    let mut bends = vec![0.0];
    for (curve, (low, high)) in curves.iter().zip(&ends) {
        let inner = curve.bends.iter().copied().filter(|bend| low < bend && bend < high);
        bends.extend(inner.chain([*low, *high]).filter(|bend| bend.is_finite()));
    }
    bends.sort_unstable_by(f64::total_cmp);
    // Rounding of sums may leave the total just outside of what is within reach.
    let near = total.abs() * 1e-12;
    if held(0.0) > total + near {
        return None;
    }
    let after = bends.partition_point(|bend| held(*bend) <= total);
    let from = bends[after.saturating_sub(1)];
    let (at, to) = (held(from), bends.get(after).copied());
    let slope = match to {
        Some(to) => (held(to) - at) / (to - from),
        // Behind the last bend only parts without a cap go on, in groups without a ceiling.
        None => curves.iter().zip(&ends).filter(|(_, end)| end.1.is_infinite()).map(|(c, _)| c.slope()).sum(),
    };
    let level = if slope > 0.0 { from + ((total - at) / slope).max(0.0) } else { from };
    if held(level) < total - near {
        return None;
    }
    Some(ends.iter().map(|(low, high)| level.clamp(*low, *high)).collect())
}

/// The sum of some parts as a function of the level.
struct Curve {
    /// Levels at which a part reaches its cap, ascending.
    bends: Vec<f64>,
    /// The caps of the parts up to each bend.
    full: Vec<f64>,
    /// The wishes of the parts from each bend on, and of those without a cap.
    rising: Vec<f64>,
}

impl Curve {
    fn new(wishes: &[f64], caps: &[f64], parts: &[usize]) -> Self {
        let mut bent: Vec<(f64, f64, f64)> = parts
            .iter()
            .filter(|part| wishes[**part] > 0.0)
            .map(|&part| (caps[part] / wishes[part], caps[part], wishes[part]))
            .collect();
        bent.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let finite = bent.partition_point(|(bend, ..)| bend.is_finite());
        let mut rising = vec![bent[finite..].iter().map(|(.., wish)| wish).sum::<f64>()];
        let mut sum = rising[0];
        for (.., wish) in bent[..finite].iter().rev() {
            sum += wish;
            rising.push(sum);
        }
        rising.reverse();
        let mut full = vec![0.0];
        let mut sum = 0.0;
        for (_, cap, _) in &bent[..finite] {
            sum += cap;
            full.push(sum);
        }
        Self { bends: bent[..finite].iter().map(|(bend, ..)| *bend).collect(), full, rising }
    }

    fn sum_at(&self, level: f64) -> f64 {
        let reached = self.bends.partition_point(|bend| *bend <= level);
        let rising = self.rising[reached];
        self.full[reached] + if rising > 0.0 { rising * level } else { 0.0 }
    }

    /// How fast the sum rises behind the last bend.
    fn slope(&self) -> f64 {
        self.rising.last().copied().unwrap_or(0.0)
    }

    /// The least level at which the sum is `wanted`; none if it never is.
    fn level_of(&self, wanted: f64) -> Option<f64> {
        let below = self.bends.partition_point(|bend| self.sum_at(*bend) < wanted);
        let (full, rising) = (self.full[below], self.rising[below]);
        let from = if below == 0 { 0.0 } else { self.bends[below - 1] };
        if wanted <= 0.0 {
            return Some(0.0);
        }
        if rising > 0.0 {
            return Some(((wanted - full) / rising).max(from));
        }
        // All parts are full; what is missing may be rounding.
        (wanted - full <= wanted * 1e-12).then_some(from)
    }
}
