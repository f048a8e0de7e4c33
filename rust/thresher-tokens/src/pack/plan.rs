//! A plan as a whole, in memory.

use thresher_core::Observer;

use super::{Accounts, Assigner, Lengths, Packer, Piece, Survey};
use crate::error::{Error, Result};

/// Lengths that are worked on at a time, between two looks at the observer: what is done to each is one loop then, whatever
/// type the lengths have.
const BLOCK: usize = 1024;

/// Where every piece lies. Entry `p` of each column is about piece `p`; pieces are in the order of the sequences, and those of one
/// sequence in the order of its tokens.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The bin of each piece.
    pub bin: Vec<u32>,
    /// Where in its bin each piece begins.
    pub offset: Vec<u32>,
    /// The tokens of each piece.
    pub length: Vec<u32>,
    /// The sequence that each piece is of; empty where piece `i` is sequence `i`.
    pub sequence: Vec<u32>,
    /// Where in its sequence each piece begins; empty where all begin at 0.
    pub start: Vec<u64>,
    /// Number of bins.
    pub bins: u32,
    /// What was given, and where it went.
    pub accounts: Accounts,
}

/// The plan for sequences of these lengths. Time: one pass to count, `O(min(n, D²) log D)` for `D` different lengths, one
/// pass to assign. Memory beyond the plan: 4 bytes a bin, 16 a strip, and what a survey takes.
///
/// # Errors
/// `Error::Parameter` for a sequence longer than the context, if that is an error, and for more than 2^32 - 2 sequences or pieces.
pub fn plan<L: Lengths + ?Sized>(lengths: &L, packer: Packer, observer: &dyn Observer) -> Result<Plan> {
    let mut survey = Survey::new(packer);
    in_blocks(lengths, observer, |block| block.iter().try_for_each(|&length| survey.add(length)))?;
    let mut assigner = Assigner::new(survey, observer)?;
    let accounts = *assigner.accounts();
    if accounts.given.sequences >= u64::from(u32::MAX) {
        return Err(Error::Parameter(format!(
            "a plan is of up to {} sequences, but there are `{}`; pack them in parts",
            u32::MAX - 1,
            accounts.given.sequences
        )));
    }
    let whole = assigner.is_one_to_one();
    let mut plan = Plan { bins: assigner.bins(), accounts, ..Plan::default() };
    plan.reserve(assigner.most_pieces() as usize, whole);
    let mut sequence = 0;
    in_blocks(lengths, observer, |block| {
        for &length in block {
            assigner.assign(length, |piece| {
                plan.push(piece);
                if !whole {
                    plan.sequence.push(sequence);
                    plan.start.push(piece.start);
                }
                Ok(())
            })?;
            sequence += 1;
        }
        Ok(())
    })?;
    assigner.finish()?;
    Ok(plan)
}

/// Calls `work` with all lengths in order, some at a time.
fn in_blocks<L: Lengths + ?Sized>(
    lengths: &L,
    observer: &dyn Observer,
    mut work: impl FnMut(&[Option<u64>]) -> Result<()>,
) -> Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    lengths.each(|length| {
        block.push(length);
        if block.len() < BLOCK {
            return Ok(());
        }
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let worked = work(&block);
        block.clear();
        worked
    })?;
    work(&block)
}

/// The pieces of each bin: those of bin `b` are `pieces[starts[b]..starts[b + 1]]`, by their offsets.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Where the pieces of each bin begin, and at last how many there are.
    pub starts: Vec<u32>,
    /// Pieces of a plan.
    pub pieces: Vec<u32>,
}

impl Members {
    /// Which pieces lie in each of so many bins, by the bin and the offset of each. Takes 4 bytes a piece and 4 a bin.
    #[must_use]
    pub fn of_pieces(bin: &[u32], offset: &[u32], bins: u32) -> Self {
        let mut starts = vec![0u32; bins as usize + 2];
        for &bin in bin {
            starts[bin as usize + 2] += 1;
        }
        for bin in 2..starts.len() {
            starts[bin] += starts[bin - 1];
        }
        // Entry `b + 1` says where the next piece of `b` goes, and so in the end where those of `b + 1` begin.
        let mut pieces = vec![0; bin.len()];
        for (piece, &bin) in bin.iter().enumerate() {
            let at = &mut starts[bin as usize + 1];
            pieces[*at as usize] = piece as u32;
            *at += 1;
        }
        starts.pop();
        for bin in starts.windows(2) {
            pieces[bin[0] as usize..bin[1] as usize].sort_unstable_by_key(|&piece| offset[piece as usize]);
        }
        Self { starts, pieces }
    }

    /// The pieces of `bin`, by their offsets.
    #[must_use]
    pub fn of(&self, bin: usize) -> &[u32] {
        &self.pieces[self.starts[bin] as usize..self.starts[bin + 1] as usize]
    }
}

impl Plan {
    /// Which pieces lie in each bin.
    #[must_use]
    pub fn members(&self) -> Members {
        Members::of_pieces(&self.bin, &self.offset, self.bins)
    }

    /// The sequence that a piece is of, and where in it the piece begins.
    #[must_use]
    pub fn origin(&self, piece: usize) -> (u32, u64) {
        let sequence = self.sequence.get(piece).copied().unwrap_or(piece as u32);
        (sequence, self.start.get(piece).copied().unwrap_or(0))
    }

    /// The share of the bins that tokens fill; 1 if there is no bin.
    #[must_use]
    pub fn fill(&self, packer: Packer) -> f64 {
        if self.bins == 0 {
            return 1.0;
        }
        self.accounts.packed.tokens as f64 / (f64::from(self.bins) * f64::from(packer.context()))
    }

    fn reserve(&mut self, pieces: usize, whole: bool) {
        for column in [&mut self.bin, &mut self.offset, &mut self.length] {
            column.reserve_exact(pieces);
        }
        if !whole {
            self.sequence.reserve_exact(pieces);
            self.start.reserve_exact(pieces);
        }
    }

    #[inline]
    fn push(&mut self, piece: Piece) {
        self.bin.push(piece.bin);
        self.offset.push(piece.offset);
        self.length.push(piece.length);
    }
}
