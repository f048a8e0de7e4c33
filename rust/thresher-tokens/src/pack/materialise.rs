//! Sequences in memory, packed: the bins of a plan with their tokens.

use std::ops::Range;

use arrow_array::RecordBatch;
use rayon::prelude::*;
use thresher_core::Observer;

use super::bins::no_mask;
use super::conserve::check;
use super::tokens::{TokenLists, Tokens};
use super::{Bins, Form, Lengths, Members, Packer, Plan, Segment, Sum, plan};
use crate::error::{Error, Result};

/// Tokens of a batch of bins: large enough for what a batch costs, small enough for all threads to have some.
const BATCH_TOKENS: u64 = 1 << 23;

/// Pieces whose tokens are asked for before it is their turn: those of a bin lie anywhere.
const AHEAD: usize = 4;

/// What is packed.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// The sequences.
    pub tokens: &'a TokenLists,
    /// One 0 or 1 for each token: whether it is to be learned.
    pub masks: Option<&'a TokenLists>,
    /// The id of each sequence.
    pub documents: Option<&'a [Option<&'a str>]>,
    /// What is put behind each sequence that has a token.
    pub end: Option<u32>,
}

/// Packs sequences into batches of bins. Threads are those of the current rayon pool; the result does not depend on them.
///
/// # Errors
/// Those of [`plan`]; `Error::Column` for a token that is no number of 32 bits or a mask that does not fit its sequence;
/// `Error::Conservation` if the bins do not hold what was given.
pub fn materialise(
    material: &Material<'_>,
    packer: Packer,
    form: Form,
    observer: &dyn Observer,
) -> Result<(Plan, Vec<RecordBatch>)> {
    material.check()?;
    let plan = plan(material, packer, observer)?;
    let batches = material.pack(&plan, packer, form, observer)?;
    Ok((plan, batches))
}

/// Bins that follow each other and have some number of tokens.
fn batches(plan: &Plan, packer: Packer) -> Vec<Range<u32>> {
    let each = u32::try_from(BATCH_TOKENS / u64::from(packer.context())).unwrap_or(u32::MAX).max(1);
    (0..plan.bins.div_ceil(each)).map(|batch| batch * each..plan.bins.min((batch + 1) * each)).collect()
}

impl Material<'_> {
    fn check(&self) -> Result<()> {
        let rows = self.tokens.len();
        let others =
            [("masks", self.masks.map(TokenLists::len)), ("documents", self.documents.map(<[_]>::len))];
        for (name, found) in others {
            if let Some(found) = found.filter(|&found| found != rows) {
                return Err(Error::Column(format!("there are `{rows}` sequences, but `{found}` {name}")));
            }
        }
        Ok(())
    }

    /// The bins of a plan, checked.
    pub(super) fn pack(
        &self,
        plan: &Plan,
        packer: Packer,
        form: Form,
        observer: &dyn Observer,
    ) -> Result<Vec<RecordBatch>> {
        let members = plan.members();
        let built: Vec<(RecordBatch, Sum, Sum)> = batches(plan, packer)
            .into_par_iter()
            .map(|bins| self.build(plan, &members, form, bins, observer))
            .collect::<Result<_>>()?;
        let (mut packed, mut masked) = (Sum::default(), Sum::default());
        let batches = built.into_iter().map(|(batch, tokens, masks)| {
            packed.merge(tokens);
            masked.merge(masks);
            batch
        });
        let batches = batches.collect();
        let [given, left_out, given_masks, left_out_masks] = self.sums(packer)?;
        check(given, packed, left_out)?;
        check(given_masks, masked, left_out_masks)?;
        Ok(batches)
    }

    /// A part of the bins.
    fn build(
        &self,
        plan: &Plan,
        members: &Members,
        form: Form,
        bins: Range<u32>,
        observer: &dyn Observer,
    ) -> Result<(RecordBatch, Sum, Sum)> {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let pieces = &members.pieces
            [members.starts[bins.start as usize] as usize..members.starts[bins.end as usize] as usize];
        let filled = pieces.iter().map(|&piece| plan.length[piece as usize] as usize).sum();
        let room = form.pad.map_or(filled, |(context, _)| bins.len() * context as usize);
        let mut built = Bins::new(form, room);
        for bin in bins {
            let places = members.starts[bin as usize] as usize..members.starts[bin as usize + 1] as usize;
            for place in places {
                if let Some(&ahead) = members.pieces.get(place + AHEAD) {
                    let (sequence, start) = plan.origin(ahead as usize);
                    let length = plan.length[ahead as usize] as usize;
                    self.tokens.prefetch(sequence as usize, start as usize, length);
                }
                let piece = members.pieces[place];
                let (sequence, start) = plan.origin(piece as usize);
                built.push(self.segment(sequence, start, plan.length[piece as usize])?)?;
            }
            built.end_bin()?;
        }
        built.finish()
    }

    /// A piece of a sequence.
    fn segment(&self, sequence: u32, start: u64, length: u32) -> Result<Segment<'_>> {
        let row = sequence as usize;
        let tokens = self.tokens.get(row).unwrap_or(Tokens::U32(&[]));
        let (from, to) = (start as usize, start as usize + length as usize);
        let inside = from..to.min(tokens.len());
        let mask = self.masks.map(|masks| match masks.get(row) {
            Some(mask) if mask.len() == tokens.len() => Ok(mask.within(inside.clone())),
            _ => Err(no_mask(sequence.into())),
        });
        Ok(Segment {
            sequence: sequence.into(),
            start,
            tokens: tokens.within(inside),
            mask: mask.transpose()?,
            end: self.end.filter(|_| to > tokens.len()).map(|end| (end, self.learns_end(row))),
            document: self.documents.and_then(|documents| documents[row]),
        })
    }

    /// Whether what ends a sequence is to be learned: as what it ends with, since a model learns to stop where it has spoken.
    fn learns_end(&self, row: usize) -> bool {
        self.masks.and_then(|masks| masks.get(row)?.last()).is_none_or(|bit| bit != 0)
    }

    /// The sums of what was given and of what is left out: of tokens, and of masks.
    fn sums(&self, packer: Packer) -> Result<[Sum; 4]> {
        let rows = 0..self.tokens.len();
        let each = rows.into_par_iter().with_min_len(256).map(|row| {
            let mut sums = [Sum::default(); 4];
            let Some(tokens) = self.tokens.get(row).filter(|tokens| !tokens.is_empty()) else {
                return Ok(sums);
            };
            let sequence = row as u64;
            let inside = tokens.len() as u64;
            let whole = inside + u64::from(self.end.is_some());
            let kept = packer.kept(whole, sequence)?;
            let end = self.end.as_slice();
            let behind = kept.min(inside) as usize..tokens.len();
            sums[0].add(tokens, sequence, 0);
            sums[0].add(Tokens::U32(end), sequence, inside);
            sums[1].add(tokens.within(behind.clone()), sequence, kept.min(inside));
            if kept < whole {
                sums[1].add(Tokens::U32(end), sequence, inside);
            }
            if let Some(mask) = self.masks.and_then(|masks| masks.get(row)) {
                sums[2].add(mask, sequence, 0);
                // A mask that does not fit is looked at only if something of its sequence is packed.
                sums[3].add(
                    mask.within(behind.start.min(mask.len())..mask.len()),
                    sequence,
                    kept.min(inside),
                );
            }
            Ok(sums)
        });
        each.try_reduce(
            || [Sum::default(); 4],
            |mut left, right| {
                left.iter_mut().zip(right).for_each(|(left, right)| left.merge(right));
                Ok(left)
            },
        )
    }
}

impl Lengths for Material<'_> {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        let end = u64::from(self.end.is_some());
        self.tokens.each(|length| visit(length.map(|length| if length == 0 { 0 } else { length + end })))
    }
}
