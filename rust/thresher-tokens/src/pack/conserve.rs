//! What went in is what came out: tokens are counted, and summed under keys, on both sides.
//!
//! The key of a token is made of its sequence and its position there, and the sum does not depend on how sequences are cut
//! or in which order pieces come. So the sum over all sequences is the sum over all bins and all that is reported as left
//! out, or something was lost, doubled, swapped or changed. A single wrong token always changes the sum, and other faults
//! go unnoticed with a chance of about 2^-32. Keys are public: this finds faults of ours, it does not keep anybody out.
//!
//! Within 1,024 positions a sum is a scalar product with a fixed table, `Σ (token + 1) * table[position]`, which every
//! processor computes at the speed of its memory; what it is multiplied by says which sequence and which 1,024 positions.

use super::tokens::{Number, Tokens, each_type};
use crate::error::{Error, Result};

/// Positions that share a factor.
const BLOCK: u64 = 1024;
static TABLE: [u32; BLOCK as usize] = table();
/// The sum of the first entries of the table, for every number of them: what the 1 of each `token + 1` adds.
static SUMS: [u64; BLOCK as usize + 1] = sums();

/// A number of tokens and their sum under keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    /// Tokens.
    pub tokens: u64,
    sum: u64,
}

impl Sum {
    /// Adds tokens of `sequence` that begin at position `start` of it.
    pub fn add(&mut self, tokens: Tokens<'_>, sequence: u64, start: u64) {
        each_type!(tokens, Tokens, values => self.add_numbers(values, sequence, start));
    }

    fn add_numbers<T: Number>(&mut self, tokens: &[T], sequence: u64, start: u64) {
        self.tokens += tokens.len() as u64;
        let (mut rest, mut position) = (tokens, start);
        while !rest.is_empty() {
            let at = (position % BLOCK) as usize;
            let (block, behind) = rest.split_at(rest.len().min(BLOCK as usize - at));
            let keys = SUMS[at + block.len()].wrapping_sub(SUMS[at]);
            let product = product(block, &TABLE[at..]).wrapping_add(keys);
            let of_block = product.wrapping_mul(factor(sequence, position / BLOCK));
            self.sum = self.sum.wrapping_add(of_block);
            position += block.len() as u64;
            rest = behind;
        }
    }

    /// Adds what another sum counts.
    pub fn merge(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// Checks that `given` is what is `packed` and what is `left_out` together.
///
/// # Errors
/// `Error::Conservation` if it is not.
pub fn check(given: Sum, packed: Sum, left_out: Sum) -> Result<()> {
    let mut found = packed;
    found.merge(left_out);
    if found == given {
        return Ok(());
    }
    Err(Error::Conservation(format!(
        "`{}` tokens were given, `{}` packed and `{}` left out, and they are not the same; nothing is written",
        given.tokens, packed.tokens, left_out.tokens
    )))
}

/// `Σ token * table`, modulo 2^64.
#[inline]
fn product<T: Number>(tokens: &[T], table: &[u32]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { product_avx2(tokens, table) };
    }
    product_of(tokens, table)
}

/// The same, with vectors twice as wide as every processor has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn product_avx2<T: Number>(tokens: &[T], table: &[u32]) -> u64 {
    product_of(tokens, table)
}

#[inline(always)]
fn product_of<T: Number>(tokens: &[T], table: &[u32]) -> u64 {
    tokens
        .iter()
        .zip(table)
        .fold(0, |sum: u64, (&token, &key)| sum.wrapping_add(u64::from(token.wide() as u32) * u64::from(key)))
}

/// An odd factor for a block of positions of a sequence.
fn factor(sequence: u64, block: u64) -> u64 {
    mixed(mixed(sequence) ^ block) | 1
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, 2014).
const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const fn table() -> [u32; BLOCK as usize] {
    let mut table = [0; BLOCK as usize];
    let mut at = 0;
    while at < table.len() {
        // Odd, so that a single token that differs always changes the sum.
        table[at] = mixed(at as u64) as u32 | 1;
        at += 1;
    }
    table
}

const fn sums() -> [u64; BLOCK as usize + 1] {
    let (table, mut sums) = (table(), [0; BLOCK as usize + 1]);
    let mut at = 0;
    while at < table.len() {
        sums[at + 1] = sums[at] + table[at] as u64;
        at += 1;
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, prop_assert_ne, proptest};

    use super::*;

    fn sum(tokens: &[u32], sequence: u64, start: u64) -> Sum {
        let mut sum = Sum::default();
        sum.add(Tokens::U32(tokens), sequence, start);
        sum
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(tokens in prop::collection::vec(any::<u32>(), 1..5000), at in any::<prop::sample::Index>(), start in 0u64..1 << 40) {
            let at = at.index(tokens.len());
            let mut parts = sum(&tokens[at..], 7, start + at as u64);
            parts.merge(sum(&tokens[..at], 7, start));
            prop_assert_eq!(parts, sum(&tokens, 7, start));
        }

        #[test]
        fn another_token_another_place_or_another_sequence_is_another_sum(
            tokens in prop::collection::vec(any::<u32>(), 2..3000),
            at in any::<prop::sample::Index>(),
            other in any::<u32>(),
        ) {
            let whole = sum(&tokens, 7, 0);
            let at = at.index(tokens.len() - 1);
            let mut changed = tokens.clone();
            changed[at] = other;
            prop_assert_eq!(sum(&changed, 7, 0) == whole, changed == tokens);
            let mut swapped = tokens.clone();
            swapped.swap(at, tokens.len() - 1);
            prop_assert_eq!(sum(&swapped, 7, 0) == whole, swapped == tokens);
            prop_assert_ne!(sum(&tokens, 8, 0), whole);
            prop_assert_ne!(sum(&tokens, 7, 1), whole);
            prop_assert_ne!(sum(&tokens[1..], 7, 1), whole);
        }
    }

    #[test]
    fn what_is_lost_or_doubled_is_an_error() {
        let (a, b) = (sum(&[1, 2, 3], 0, 0), sum(&[4, 5], 1, 0));
        let mut given = a;
        given.merge(b);
        assert!(check(given, a, b).is_ok());
        assert!(matches!(check(given, a, a), Err(Error::Conservation(_))));
        assert!(matches!(check(given, a, Sum::default()), Err(Error::Conservation(_))));
        assert!(matches!(check(given, given, b), Err(Error::Conservation(_))));
    }
}
