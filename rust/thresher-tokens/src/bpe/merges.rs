//! The merges of a BPE, and the ids of a piece by them: of all pairs that stand side by side the one of the least rank is
//! merged, the leftmost of equal ones, until none is left.
//!
//! A short piece is an array: the least rank is searched each time, which for `n` symbols costs `n` squared with a small constant.
//! A long one is a list with a queue of pairs by rank and place, `n log n`.

use std::{cmp::Reverse, collections::BinaryHeap};

/// The rank of a pair that has none.
pub(crate) const NONE: u32 = u32::MAX;

/// Symbols up to which a piece is an array.
const SHORT: usize = 48;

/// Ranks by pairs of ids, and what each rank makes.
#[derive(Debug)]
pub(crate) struct Merges {
    /// Pair and rank; open addressing, at most half full.
    slots: Vec<(u64, u32)>,
    mask: usize,
    shift: u32,
    made: Vec<u32>,
    /// A bit for each pair by its hash, at most one of eight set: most pairs that are asked for have no rank, and this
    /// fits into nearer memory.
    bits: Vec<u64>,
    bits_shift: u32,
}

/// Of a slot without a pair.
const EMPTY: u64 = u64::MAX;

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

impl Merges {
    /// Of merges in the order of their ranks: left, right, what they make. Of a pair that is there twice the last rank
    /// counts.
    pub(crate) fn new(merges: &[(u32, u32, u32)]) -> Self {
        let size = (merges.len() * 2).next_power_of_two().max(2);
        let shift = 64 - size.trailing_zeros();
        let made = merges.iter().map(|&(_, _, made)| made).collect();
        let bits = (size * 4).max(64);
        let mut table = Self {
            slots: vec![(EMPTY, NONE); size],
            mask: size - 1,
            shift,
            made,
            bits: vec![0; bits / 64],
            bits_shift: 64 - bits.trailing_zeros(),
        };
        for (rank, &(left, right, _)) in merges.iter().enumerate() {
            let at = table.slot(pair(left, right));
            table.slots[at] = (pair(left, right), rank as u32);
            let bit = table.bit(pair(left, right));
            table.bits[bit / 64] |= 1 << (bit % 64);
        }
        table
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<(u64, u32)>() + self.made.len() * 4 + self.bits.len() * 8
    }

    /// Where a pair is, or would be.
    #[inline(always)]
    fn slot(&self, pair: u64) -> usize {
        let mut at = (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize & self.mask;
        while self.slots[at].0 != pair && self.slots[at].0 != EMPTY {
            at = (at + 1) & self.mask;
        }
        at
    }

    #[inline(always)]
    fn bit(&self, pair: u64) -> usize {
        (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.bits_shift) as usize
    }

    /// The rank of a pair, or `NONE`.
    #[inline(always)]
    pub(crate) fn rank(&self, left: u32, right: u32) -> u32 {
        let pair = pair(left, right);
        let bit = self.bit(pair);
        if self.bits[bit / 64] >> (bit % 64) & 1 == 0 {
            return NONE;
        }
        self.slots[self.slot(pair)].1
    }

    /// Every pair: left, right, rank.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        let used = self.slots.iter().filter(|slot| slot.0 != EMPTY);
        used.map(|&(pair, rank)| ((pair >> 32) as u32, pair as u32, rank))
    }

    /// The two ids that the last merge of `ids` joins, if all of them become `made`.
    pub(crate) fn last_merge(&self, mut ids: Vec<u32>, made: u32) -> Option<(u32, u32)> {
        let mut ranks = vec![NONE; ids.len()];
        let len = self.reduce(&mut ids, &mut ranks, 2);
        let &[left, right] = &ids[..len] else { return None };
        let rank = self.rank(left, right);
        (rank != NONE && self.made[rank as usize] == made).then_some((left, right))
    }

    /// Merges `symbols` in place.
    pub(crate) fn apply(&self, symbols: &mut Vec<u32>, scratch: &mut Scratch) {
        if symbols.len() <= SHORT {
            let len = self.apply_short(symbols);
            symbols.truncate(len);
        } else {
            self.apply_long(symbols, scratch);
        }
    }

    /// Merges at the front of `ids`, and says how many are left.
    fn apply_short(&self, ids: &mut [u32]) -> usize {
        self.reduce(ids, &mut [NONE; SHORT], 1)
    }

    /// Merges until `least_len` are left, or none can be merged; `ranks` has room for all.
    fn reduce(&self, ids: &mut [u32], ranks: &mut [u32], least_len: usize) -> usize {
        let mut len = ids.len();
        for (rank, pair) in ranks.iter_mut().zip(ids.windows(2)) {
            *rank = self.rank(pair[0], pair[1]);
        }
        while len > least_len {
            let (mut at, mut least) = (0, NONE);
            for (place, &rank) in ranks[..len - 1].iter().enumerate() {
                if rank < least {
                    (at, least) = (place, rank);
                }
            }
            if least == NONE {
                break;
            }
            ids[at] = self.made[least as usize];
            ids.copy_within(at + 2..len, at + 1);
            ranks.copy_within(at + 1..len - 1, at);
            len -= 1;
            ranks[len - 1] = NONE;
            if at + 1 < len {
                ranks[at] = self.rank(ids[at], ids[at + 1]);
            }
            if at > 0 {
                ranks[at - 1] = self.rank(ids[at - 1], ids[at]);
            }
        }
        len
    }

    fn apply_long(&self, ids: &mut Vec<u32>, scratch: &mut Scratch) {
        let len = ids.len();
        let Scratch { ranks, next, before, queue } = scratch;
        ranks.clear();
        ranks.extend(ids.windows(2).map(|pair| self.rank(pair[0], pair[1])));
        ranks.push(NONE);
        next.clear();
        next.extend(1..=len as u32);
        before.clear();
        before.extend((0..len as u32).map(|at| at.wrapping_sub(1)));
        let entry = |rank: u32, at: usize| Reverse(u64::from(rank) << 32 | at as u64);
        let mut first = std::mem::take(queue).into_vec();
        first.clear();
        first.extend(
            ranks.iter().enumerate().filter(|(_, rank)| **rank != NONE).map(|(at, &rank)| entry(rank, at)),
        );
        *queue = BinaryHeap::from(first);
        while let Some(Reverse(top)) = queue.pop() {
            let (rank, at) = ((top >> 32) as u32, top as u32 as usize);
            // A pair that changed since has another rank; what was merged away has none.
            if ranks[at] != rank {
                continue;
            }
            let right = next[at] as usize;
            let behind = next[right] as usize;
            ids[at] = self.made[rank as usize];
            ranks[right] = NONE;
            next[at] = behind as u32;
            ranks[at] = NONE;
            if behind < len {
                before[behind] = at as u32;
                ranks[at] = self.rank(ids[at], ids[behind]);
                if ranks[at] != NONE {
                    queue.push(entry(ranks[at], at));
                }
            }
            let left = before[at] as usize;
            if left < len {
                ranks[left] = self.rank(ids[left], ids[at]);
                if ranks[left] != NONE {
                    queue.push(entry(ranks[left], left));
                }
            }
        }
        let (mut at, mut kept) = (0, 0);
        while at < len {
            ids[kept] = ids[at];
            kept += 1;
            at = next[at] as usize;
        }
        ids.truncate(kept);
        scratch.shrink();
    }
}

/// What a long piece needs; one a thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    ranks: Vec<u32>,
    next: Vec<u32>,
    before: Vec<u32>,
    queue: BinaryHeap<Reverse<u64>>,
}

impl Scratch {
    /// Symbols for which room is kept.
    pub(crate) const KEPT: usize = 1 << 16;

    /// Gives back what one very long piece took.
    fn shrink(&mut self) {
        if self.ranks.capacity() > Self::KEPT {
            *self = Self::default();
        }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        (self.ranks.capacity() + self.next.capacity() + self.before.capacity()) * 4
            + self.queue.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, step by step.
    fn naive(merges: &[(u32, u32, u32)], mut ids: Vec<u32>) -> Vec<u32> {
        let rank = |pair: &[u32]| merges.iter().rposition(|&(left, right, _)| pair == [left, right]);
        while let Some((rank, at)) =
            ids.windows(2).enumerate().filter_map(|(at, pair)| Some((rank(pair)?, at))).min()
        {
            ids.splice(at..at + 2, [merges[rank].2]);
        }
        ids
    }

    proptest! {
        #[test]
        fn both_ways_merge_as_the_definition_says(
            made in prop::collection::vec((0..9_usize, 0..9_usize), 0..12),
            ids in prop::collection::vec(0..3_u32, 1..40),
        ) {
            let merges: Vec<(u32, u32, u32)> = made
                .iter()
                .enumerate()
                .map(|(at, &(left, right))| {
                    let known = at + 3;
                    ((left % known) as u32, (right % known) as u32, known as u32)
                })
                .collect();
            let table = Merges::new(&merges);
            let expected = naive(&merges, ids.clone());
            let mut short = ids.clone();
            let len = table.apply_short(&mut short);
            prop_assert_eq!(&short[..len], &expected[..]);
            let mut long = ids;
            table.apply_long(&mut long, &mut Scratch::default());
            prop_assert_eq!(long, expected);
        }
    }
}
