//! The first look at the lengths: how often each comes, and what becomes of those that fit no bin.

use std::collections::HashMap;

use super::lengths::Block;
use super::{Packer, Strategy};
use crate::error::{Error, Result};

/// Contexts up to this many tokens have a table with an entry for every length; beyond it only lengths that come have one.
const DENSE: u32 = 1 << 22;
/// The place of a length that does not come.
const NO_RANK: u32 = u32::MAX;
/// More tokens than there are anywhere. Sums of lengths stay far from the end of 64 bits.
const MAX_TOKENS: u64 = 1 << 62;

/// So many sequences, and so many tokens of theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Sequences.
    pub sequences: u64,
    /// Tokens.
    pub tokens: u64,
}

impl Tally {
    fn add(&mut self, tokens: u64) {
        self.sequences += 1;
        self.tokens += tokens;
    }
}

/// What was given, and where it went: `given = packed + truncated + dropped` in tokens, and `given.sequences` is the sum of
/// `packed`, `dropped`, `empty` and `missing` sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Accounts {
    /// All sequences.
    pub given: Tally,
    /// Sequences of which something lies in a bin, and their tokens there.
    pub packed: Tally,
    /// Of those, the ones cut because they are longer than the context; wrapping cuts others too.
    pub split: u64,
    /// Of those, the ones that lost their end, and the tokens that they lost.
    pub truncated: Tally,
    /// Sequences left out because they are longer than the context.
    pub dropped: Tally,
    /// Sequences without a token: they are in no bin.
    pub empty: u64,
    /// Sequences that are null: they are in no bin.
    pub missing: u64,
}

/// Counts lengths, one after the other.
#[derive(Clone, Debug)]
pub struct Survey {
    packer: Packer,
    counts: Counts,
    accounts: Accounts,
    /// Sequences longer than the context, with all of their tokens.
    overlong: Tally,
    /// Pieces of them that fill a bin.
    full: u64,
}

/// How often each length comes.
#[derive(Clone, Debug)]
enum Counts {
    Dense(Vec<u64>),
    Sparse(HashMap<u32, u64>),
}

/// What a survey found.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    /// Lengths of the pieces that do not fill a bin by being cut so, from the longest on, with how often each comes.
    pub(super) lengths: Vec<(u32, u32)>,
    /// The place of each length in that list.
    pub(super) ranks: Ranks,
    /// What was given.
    pub(super) accounts: Accounts,
    /// Pieces of longer sequences that fill a bin.
    pub(super) full: u32,
    /// All pieces; of wrapped sequences, the most that there can be.
    pub(super) pieces: u32,
}

/// The place of each length among those that come, from the longest on.
#[derive(Clone, Debug)]
pub(super) enum Ranks {
    Dense(Vec<u32>),
    Sparse(HashMap<u32, u32>),
}

impl Survey {
    /// A survey for packing with `packer`.
    #[must_use]
    pub fn new(packer: Packer) -> Self {
        let counts = if packer.context <= DENSE {
            Counts::Dense(vec![0; packer.context as usize + 1])
        } else {
            Counts::Sparse(HashMap::new())
        };
        Self { packer, counts, accounts: Accounts::default(), overlong: Tally::default(), full: 0 }
    }

    /// How the sequences are to be packed.
    pub(super) fn packer(&self) -> Packer {
        self.packer
    }

    /// Notes the length of the next sequence; none if it is null.
    ///
    /// # Errors
    /// `Error::Parameter` for one longer than the context, if that is an error, or for more than 2^62 tokens.
    #[inline]
    pub fn add(&mut self, length: Option<u64>) -> Result<()> {
        match length {
            Some(length) if length <= u64::from(self.packer.context) => {
                self.accounts.given.add(length);
                self.counts.add(length as u32);
                Ok(())
            }
            Some(length) => self.add_overlong(length),
            None => {
                self.accounts.given.sequences += 1;
                self.accounts.missing += 1;
                Ok(())
            }
        }
    }

    /// Notes the lengths of the next sequences.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub(super) fn add_block(&mut self, block: Block<'_>) -> Result<()> {
        let context = self.packer.context;
        match block {
            Block::Plain(lengths) if lengths.iter().max().is_none_or(|&longest| longest <= context) => {
                self.accounts.given.sequences += lengths.len() as u64;
                self.accounts.given.tokens += lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
                for &length in lengths {
                    self.counts.add(length);
                }
                Ok(())
            }
            Block::Plain(lengths) => lengths.iter().try_for_each(|&length| self.add(Some(length.into()))),
            Block::Mixed(lengths) => lengths.iter().try_for_each(|&length| self.add(length)),
        }
    }

    #[cold]
    fn add_overlong(&mut self, length: u64) -> Result<()> {
        let accounts = &mut self.accounts;
        let cut = self.packer.cut(length, accounts.given.sequences)?;
        if accounts.given.tokens.saturating_add(length) > MAX_TOKENS {
            return Err(Error::Parameter(format!(
                "sequence `{}` has `{length}` tokens, and all up to it more than {MAX_TOKENS}; look at the lengths",
                accounts.given.sequences
            )));
        }
        accounts.given.add(length);
        self.overlong.add(length);
        if cut.is_nothing() {
            accounts.dropped.add(length);
            return Ok(());
        }
        accounts.packed.add(length - cut.lost);
        if cut.lost > 0 {
            accounts.truncated.add(cut.lost);
        } else {
            accounts.split += 1;
        }
        self.full = self.full.saturating_add(cut.full);
        if cut.rest > 0 {
            self.counts.add(cut.rest);
        }
        Ok(())
    }

    /// What was found.
    ///
    /// # Errors
    /// `Error::Parameter` for more pieces than 32 bits can number.
    pub(super) fn finish(self) -> Result<Surveyed> {
        let Self { packer, mut accounts, overlong, full, counts } = self;
        let (counted, ranks) = counts.ranked();
        accounts.empty = counted.empty;
        accounts.packed.sequences +=
            accounts.given.sequences - accounts.missing - overlong.sequences - counted.empty;
        accounts.packed.tokens += accounts.given.tokens - overlong.tokens;
        let pieces = if packer.strategy == Strategy::Wrapped {
            accounts.packed.sequences + accounts.packed.tokens.div_ceil(u64::from(packer.context))
        } else {
            counted.pieces.saturating_add(full)
        };
        let Some(pieces) = u32::try_from(pieces).ok().filter(|&pieces| pieces < u32::MAX) else {
            return Err(Error::Parameter(format!(
                "the sequences are cut into `{pieces}` pieces, but a plan has up to {}; choose a longer context, or pack \
                 them in parts",
                u32::MAX - 1
            )));
        };
        let lengths = counted.lengths.into_iter().map(|(length, count)| (length, count as u32)).collect();
        Ok(Surveyed { lengths, ranks, accounts, full: full as u32, pieces })
    }
}

/// Lengths from the longest on, how many pieces have one, and how many sequences have none.
#[derive(Default)]
struct Counted {
    lengths: Vec<(u32, u64)>,
    pieces: u64,
    empty: u64,
}

impl Counts {
    #[inline]
    fn add(&mut self, length: u32) {
        match self {
            Self::Dense(counts) => counts[length as usize] += 1,
            Self::Sparse(counts) => *counts.entry(length).or_default() += 1,
        }
    }

    /// The lengths in order, and the place of each.
    fn ranked(self) -> (Counted, Ranks) {
        let mut counted = Counted::default();
        let mut note = |length: u32, count: u64| {
            if length == 0 {
                counted.empty = count;
            } else if count > 0 {
                counted.lengths.push((length, count));
                counted.pieces += count;
            }
        };
        match self {
            Self::Dense(counts) => {
                (0..counts.len()).rev().for_each(|length| note(length as u32, counts[length]));
                let mut ranks = vec![NO_RANK; counts.len()];
                for (rank, &(length, _)) in counted.lengths.iter().enumerate() {
                    ranks[length as usize] = rank as u32;
                }
                (counted, Ranks::Dense(ranks))
            }
            Self::Sparse(counts) => {
                let mut all: Vec<(u32, u64)> = counts.into_iter().collect();
                all.sort_unstable_by(|a, b| b.cmp(a));
                for (length, count) in all {
                    note(length, count);
                }
                let ranks =
                    counted.lengths.iter().enumerate().map(|(rank, &(length, _))| (length, rank as u32));
                let ranks = ranks.collect();
                (counted, Ranks::Sparse(ranks))
            }
        }
    }
}

impl Ranks {
    /// The place of a length that came.
    #[inline]
    pub(super) fn of(&self, length: u32) -> Option<usize> {
        match self {
            Self::Dense(ranks) => ranks.get(length as usize).map(|&rank| rank as usize),
            Self::Sparse(ranks) => ranks.get(&length).map(|&rank| rank as usize),
        }
    }
}
