//! A plan as a whole, in memory.

use thresher_core::Observer;
use thresher_core::prefetch::with_room;

use super::lengths::BLOCK;
use super::{Accounts, Assigner, Block, Lengths, Packer, Piece, Survey};
use crate::error::{Error, Result};

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
/// pass to assign. Memory beyond the plan: 16 bytes a strip and what a survey takes, and 4 bytes a bin unless every sequence is one piece.
///
/// # Errors
/// `Error::Parameter` for a sequence longer than the context, if that is an error, and for more than 2^32 - 2 sequences or pieces.
pub fn plan<L: Lengths + ?Sized>(lengths: &L, packer: Packer, observer: &dyn Observer) -> Result<Plan> {
    let context = packer.context();
    let mut survey = Survey::new(packer);
    in_blocks(lengths, observer, |block| survey.add_block(block))?;
    let mut assigner = Assigner::with_room(survey, observer, with_room)?;
    let accounts = *assigner.accounts();
    if accounts.given.sequences >= u64::from(u32::MAX) {
        return Err(Error::Parameter(format!(
            "a plan is of up to {} sequences, but there are `{}`; pack them in parts",
            u32::MAX - 1,
            accounts.given.sequences
        )));
    }
    let mut columns = Columns::new(&assigner);
    in_blocks(lengths, observer, |block| match block {
        Block::Plain(lengths) => columns.push_plain(lengths, &mut assigner),
        Block::Mixed(lengths) => lengths.iter().try_for_each(|&length| columns.push(length, &mut assigner)),
    })?;
    assigner.finish()?;
    let Columns { is_whole, mut plan, .. } = columns;
    (plan.bins, plan.accounts) = (assigner.bins(), accounts);
    if is_whole {
        plan.length = assigner.into_room();
        plan.length.clear();
        in_blocks(lengths, observer, |block| {
            match block {
                Block::Plain(lengths) => {
                    plan.length.extend(lengths.iter().map(|&length| length.min(context)));
                }
                Block::Mixed(lengths) => {
                    let lengths = lengths.iter().flatten();
                    plan.length.extend(lengths.map(|&length| length.min(context.into()) as u32));
                }
            }
            Ok(())
        })?;
    }
    Ok(plan)
}

/// Calls `work` with all lengths in order, some at a time.
fn in_blocks<L: Lengths + ?Sized>(
    lengths: &L,
    observer: &dyn Observer,
    mut work: impl FnMut(Block<'_>) -> Result<()>,
) -> Result<()> {
    lengths.blocks(|block| if observer.cancelled() { Err(Error::Cancelled) } else { work(block) })
}

/// The columns of a plan while they grow.
struct Columns {
    /// Every sequence is one piece that begins where the sequence does. Then lengths come last: until they do, the numbers of
    /// bins lie where they will.
    is_whole: bool,
    /// Sequences that have their places.
    sequences: u32,
    plan: Plan,
}

impl Columns {
    fn new(assigner: &Assigner) -> Self {
        let (is_whole, pieces) = (assigner.is_one_to_one(), assigner.most_pieces() as usize);
        let mut plan = Plan { bin: with_room(pieces), offset: with_room(pieces), ..Plan::default() };
        if !is_whole {
            (plan.length, plan.sequence, plan.start) =
                (with_room(pieces), with_room(pieces), with_room(pieces));
        }
        Self { is_whole, sequences: 0, plan }
    }

    /// Notes the places of the next sequence.
    fn push(&mut self, length: Option<u64>, assigner: &mut Assigner) -> Result<()> {
        let Self { is_whole, sequences, plan } = self;
        assigner.assign(length, |Piece { bin, offset, start, length }| {
            plan.bin.push(bin);
            plan.offset.push(offset);
            if !*is_whole {
                plan.length.push(length);
                plan.sequence.push(*sequences);
                plan.start.push(start);
            }
            Ok(())
        })?;
        *sequences += 1;
        Ok(())
    }

    /// Notes the places of the next sequences, which have these lengths.
    fn push_plain(&mut self, lengths: &[u32], assigner: &mut Assigner) -> Result<()> {
        let (mut bins, mut offsets) = ([0; BLOCK], [0; BLOCK]);
        let (bins, offsets) = (&mut bins[..lengths.len()], &mut offsets[..lengths.len()]);
        if !assigner.assign_whole(lengths, bins, offsets)? {
            return lengths.iter().try_for_each(|&length| self.push(Some(length.into()), assigner));
        }
        let next = self.sequences + lengths.len() as u32;
        self.plan.bin.extend_from_slice(bins);
        self.plan.offset.extend_from_slice(offsets);
        if !self.is_whole {
            self.plan.length.extend_from_slice(lengths);
            self.plan.sequence.extend(self.sequences..next);
            self.plan.start.resize(self.plan.bin.len(), 0);
        }
        self.sequences = next;
        Ok(())
    }
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
}
