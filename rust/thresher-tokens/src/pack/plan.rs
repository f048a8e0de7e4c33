//! A plan as a whole, in memory.

use thresher_core::Observer;

use super::{Accounts, Assigner, Packer, Piece, Survey};
use crate::error::{Error, Result};

/// Sequences between two looks at the observer.
const LOOK_EVERY: u64 = 1 << 16;

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

/// Lengths that can be gone through twice.
pub trait Lengths {
    /// Calls `visit` with each length in order; none for one that is null.
    ///
    /// # Errors
    /// Those of `visit`, and of lengths that cannot be read.
    fn each(&self, visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()>;
}

impl Lengths for [u32] {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|&length| visit(Some(length.into())))
    }
}

/// The plan for sequences of these lengths. Time: one pass to count, `O(min(n, D²) log D)` for `D` different lengths, one
/// pass to assign. Memory beyond the plan: 4 bytes a bin, 16 a strip, and what a survey takes.
///
/// # Errors
/// `Error::Parameter` for a sequence longer than the context, if that is an error, and for more than 2^32 - 2 sequences or pieces.
pub fn plan<L: Lengths + ?Sized>(lengths: &L, packer: Packer, observer: &dyn Observer) -> Result<Plan> {
    let mut survey = Survey::new(packer);
    let mut looked = 0u64;
    let mut look = || {
        looked += 1;
        if looked.is_multiple_of(LOOK_EVERY) && observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    };
    lengths.each(|length| {
        look()?;
        survey.add(length)
    })?;
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
    lengths.each(|length| {
        look()?;
        assigner.assign(length, |piece| {
            plan.push(piece);
            if !whole {
                plan.sequence.push(sequence);
                plan.start.push(piece.start);
            }
            Ok(())
        })?;
        sequence += 1;
        Ok(())
    })?;
    assigner.finish()?;
    Ok(plan)
}

impl Plan {
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
