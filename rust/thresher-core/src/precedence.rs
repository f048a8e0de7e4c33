//! Which of two duplicates stays: the keep policies as an order of documents.

use std::cmp::Ordering;

use crate::json::Scalar;
use crate::params::Keep;

/// The value of a rank field, for the policies `max` and `min`.
///
/// Numbers compare by value, texts byte by byte (so ISO 8601 dates compare by time), and every number comes
/// before every text. Whole numbers up to 2^127 compare exactly; others as the nearest double. NaN, which has no place
/// among numbers, counts as no value, wherever it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rank {
    /// No value, or NaN: never preferred.
    #[default]
    Missing,
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Box<str>),
}

impl From<Option<&Scalar<'_>>> for Rank {
    fn from(scalar: Option<&Scalar<'_>>) -> Self {
        match scalar {
            None => Self::Missing,
            Some(&Scalar::Int(x)) => Self::Int(x),
            Some(&Scalar::Float(x)) => Self::Float(x),
            Some(&Scalar::Number(text)) => match text.parse() {
                Ok(whole) => Self::Int(whole),
                Err(_) => text.parse().map_or(Self::Missing, Self::Float),
            },
            Some(&Scalar::Text(text)) => Self::Text(text.into()),
        }
    }
}

impl Rank {
    fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Float(x) => x.is_nan(),
            _ => false,
        }
    }

    /// Order of two present ranks.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (&Self::Int(a), &Self::Float(b)) => compare_exactly(a, b),
            (&Self::Float(a), &Self::Int(b)) => compare_exactly(b, a).reverse(),
            // Both zeros are one number; neither is NaN.
            (Self::Float(a), Self::Float(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Self::Missing, _) | (_, Self::Missing) => Ordering::Equal,
        }
    }
}

/// Order of a whole number and a float that is not NaN, by value. To round the whole number instead would make it
/// equal to floats beside it, and the order of three such ranks a circle.
fn compare_exactly(int: i128, float: f64) -> Ordering {
    const END: f64 = 2.0 * (1u128 << 126) as f64;
    if float >= END {
        Ordering::Less
    } else if float < -END {
        Ordering::Greater
    } else {
        let whole = float.trunc();
        int.cmp(&(whole as i128)).then(0.0f64.total_cmp(&(float - whole + 0.0)))
    }
}

/// The order in which documents are considered: the earlier one of two duplicates stays.
#[derive(Clone, Copy, Debug)]
pub enum Precedence<'a> {
    /// Input order.
    First,
    /// More bytes first; the slice holds the bytes of each document.
    Longest(&'a [u64]),
    /// Fewer bytes first.
    Shortest(&'a [u64]),
    /// Greater rank first.
    Max(&'a [Rank]),
    /// Lesser rank first.
    Min(&'a [Rank]),
}

impl<'a> Precedence<'a> {
    /// The order of a policy over documents with these lengths and ranks; what the policy does not look at
    /// may be empty.
    #[must_use]
    pub fn new(keep: Keep, lengths: &'a [u64], ranks: &'a [Rank]) -> Self {
        match keep {
            Keep::First => Self::First,
            Keep::Longest => Self::Longest(lengths),
            Keep::Shortest => Self::Shortest(lengths),
            Keep::Max => Self::Max(ranks),
            Keep::Min => Self::Min(ranks),
        }
    }

    /// `Less` if `a` is to be kept rather than `b`. Ties go by input order, so the order is total.
    #[must_use]
    pub fn compare(self, a: u32, b: u32) -> Ordering {
        let (i, j) = (a as usize, b as usize);
        let by_policy = match self {
            Self::First => Ordering::Equal,
            Self::Longest(lengths) => lengths[j].cmp(&lengths[i]),
            Self::Shortest(lengths) => lengths[i].cmp(&lengths[j]),
            Self::Max(ranks) => by_rank(&ranks[i], &ranks[j], Ordering::reverse),
            Self::Min(ranks) => by_rank(&ranks[i], &ranks[j], std::convert::identity),
        };
        by_policy.then(a.cmp(&b))
    }
}

fn by_rank(a: &Rank, b: &Rank, direction: fn(Ordering) -> Ordering) -> Ordering {
    match (a.is_missing(), b.is_missing()) {
        (false, false) => direction(a.order(b)),
        (a, b) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(precedence: Precedence<'_>, n_docs: u32) -> Vec<u32> {
        let mut docs: Vec<u32> = (0..n_docs).collect();
        docs.sort_by(|&a, &b| precedence.compare(a, b));
        docs
    }

    #[test]
    fn numbers_as_they_are_written_rank_by_value() {
        let written =
            ["-0", "1.10", "1.1", "1e2", "99", "27000000000000000000000001", "27000000000000000000000002"];
        let ranks = written.map(|number| Rank::from(Some(&Scalar::Number(number))));
        assert_eq!(sorted(Precedence::Max(&ranks), 7), [6, 5, 3, 4, 1, 2, 0]);
        assert_eq!(ranks[0], Rank::Int(0));
        assert_eq!(Rank::from(Some(&Scalar::Number("1e999"))), Rank::Float(f64::INFINITY));
        assert_eq!(Rank::from(None), Rank::Missing);
    }

    #[test]
    fn lengths_order_by_policy_and_ties_by_input() {
        let lengths = [3, 9, 3, 1];
        assert_eq!(sorted(Precedence::First, 4), [0, 1, 2, 3]);
        assert_eq!(sorted(Precedence::Longest(&lengths), 4), [1, 0, 2, 3]);
        assert_eq!(sorted(Precedence::Shortest(&lengths), 4), [3, 0, 2, 1]);
    }

    #[test]
    fn missing_ranks_come_last_under_both_policies() {
        let ranks =
            [Rank::Missing, Rank::Int(2), Rank::Float(f64::NAN), Rank::Float(2.5), Rank::Text("2024".into())];
        assert_eq!(sorted(Precedence::Max(&ranks), 5), [4, 3, 1, 0, 2]);
        assert_eq!(sorted(Precedence::Min(&ranks), 5), [1, 3, 4, 0, 2]);
    }

    /// Ranks where rounding a whole number to a float would lose the order, and the far ends of both.
    fn awkward() -> Vec<Rank> {
        let ints = [
            1 << 53,
            (1 << 53) + 1,
            (1 << 53) + 2,
            -(1 << 53) - 1,
            0,
            1,
            i128::MAX,
            i128::MAX - 1,
            i128::MIN,
        ];
        let floats =
            [2f64.powi(53), -(2f64.powi(53)), 0.0, -0.0, 0.5, -0.5, 2f64.powi(127), -(2f64.powi(127)), 1e300];
        let others = [Rank::Float(f64::INFINITY), Rank::Float(f64::NEG_INFINITY), Rank::Text("1".into())];
        ints.into_iter().map(Rank::Int).chain(floats.map(Rank::Float)).chain(others).collect()
    }

    #[test]
    fn ranks_of_all_kinds_have_one_total_order() {
        let ranks = awkward();
        for a in &ranks {
            for b in &ranks {
                assert_eq!(a.order(b), b.order(a).reverse(), "{a:?} {b:?}");
                for c in &ranks {
                    if a.order(b).is_le() && b.order(c).is_le() {
                        assert!(a.order(c).is_le(), "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn mixed_ranks_sort_without_a_contradiction() {
        let awkward = awkward();
        let ranks: Vec<Rank> = (0..2_000)
            .map(|i| awkward[crate::hash::splitmix64(i) as usize % awkward.len()].clone())
            .collect();
        let mut docs: Vec<u32> = (0..2_000).collect();
        docs.sort_unstable_by(|&a, &b| Precedence::Min(&ranks).compare(a, b));
        assert!(docs.is_sorted_by(|&a, &b| Precedence::Min(&ranks).compare(a, b).is_lt()));
    }

    #[test]
    fn ranks_beyond_53_bits_are_told_apart() {
        let ranks = [Rank::Int(9_007_199_254_740_992), Rank::Int(9_007_199_254_740_993)];
        assert_eq!(sorted(Precedence::Max(&ranks), 2), [1, 0]);
    }
}
