//! The second look at the lengths: each sequence, in its turn, is told its places.

use thresher_core::Observer;
use thresher_core::prefetch::{in_large_pages, prefetch_line};

use super::counts::{Ranks, Surveyed};
use super::strips::{Strip, Strips};
use super::{Accounts, Cut, Packer, Strategy, Survey, best_fit, first_fit};
use crate::error::{Error, Result};

/// A bin that has no number yet. No plan has so many bins.
const UNNAMED: u32 = u32::MAX;

/// Tokens of one sequence that lie in one bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bin.
    pub bin: u32,
    /// Where in the bin it begins.
    pub offset: u32,
    /// Where in the sequence it begins.
    pub start: u64,
    /// Its tokens.
    pub length: u32,
}

/// Tells every sequence its places, in the order in which the survey saw them.
#[derive(Debug)]
pub struct Assigner {
    packer: Packer,
    /// Bins that there are.
    bins: u32,
    /// All pieces; of wrapped sequences, the most that there can be.
    pieces: u32,
    accounts: Accounts,
    /// Sequences that were told theirs.
    index: u64,
    places: Places,
}

#[derive(Debug)]
enum Places {
    Fitted(Box<Fitted>),
    /// The bin that is being filled, and the tokens in it.
    Wrapped {
        bin: u32,
        filled: u32,
    },
}

#[derive(Debug)]
struct Fitted {
    ranks: Ranks,
    strips: Strips,
    /// Where the next piece of each length goes.
    cursors: Vec<Cursor>,
    /// The number of each bin, by the order in which bins were opened.
    names: Vec<u32>,
    named: u32,
}

/// The place of the next piece of a length.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    bin: u32,
    offset: u32,
    /// Pieces that go into this bin still, and into this strip.
    in_bin: u32,
    in_strip: u32,
    /// Pieces in each bin of the strip, and where the first of them begins.
    each: u32,
    first: u32,
    /// The strip behind this one, and the end of those of the length.
    next: u32,
    end: u32,
}

impl Assigner {
    /// Places for what a survey counted.
    ///
    /// # Errors
    /// `Error::Parameter` for more pieces than 32 bits can number, `Error::Cancelled` if the observer asks for it.
    pub fn new(survey: Survey, observer: &dyn Observer) -> Result<Self> {
        Self::with_room(survey, observer, |_| Vec::new())
    }

    /// The same, with the numbers of bins, 4 bytes each, in a vector that `room` makes for the number of pieces. There are at
    /// least as many of them.
    pub(super) fn with_room(
        survey: Survey,
        observer: &dyn Observer,
        room: impl FnOnce(usize) -> Vec<u32>,
    ) -> Result<Self> {
        let packer = survey.packer();
        let Surveyed { lengths, ranks, accounts, full, pieces } = survey.finish()?;
        if packer.strategy == Strategy::Wrapped {
            let bins = accounts.packed.tokens.div_ceil(u64::from(packer.context)) as u32;
            let places = Places::Wrapped { bin: 0, filled: 0 };
            return Ok(Self { packer, bins, pieces, accounts, index: 0, places });
        }
        let place = if packer.strategy == Strategy::BestFit { best_fit::place } else { first_fit::place };
        let strips = place(&lengths, packer, observer)?;
        let bins = strips.bins + full;
        let mut names = room(pieces as usize);
        names.reserve_exact(strips.bins as usize);
        in_large_pages(&mut names);
        names.resize(strips.bins as usize, UNNAMED);
        let cursors = (0..lengths.len()).map(|rank| Cursor::first(&strips, rank)).collect();
        let fitted = Fitted { ranks, strips, cursors, names, named: 0 };
        Ok(Self { packer, bins, pieces, accounts, index: 0, places: Places::Fitted(Box::new(fitted)) })
    }

    /// Bins that there are.
    #[must_use]
    pub fn bins(&self) -> u32 {
        self.bins
    }

    /// Pieces that there are; of wrapped sequences, the most that there can be.
    #[must_use]
    pub fn most_pieces(&self) -> u32 {
        self.pieces
    }

    /// Whether every sequence is one piece that begins where the sequence does.
    #[must_use]
    pub fn is_one_to_one(&self) -> bool {
        self.packer.strategy != Strategy::Wrapped
            && self.accounts.split == 0
            && self.accounts.packed.sequences == self.accounts.given.sequences
    }

    /// What was given, and where it goes.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Calls `emit` with each piece of the next sequence, which has this length; none if it is null.
    ///
    /// # Errors
    /// `Error::Conservation` for a length that the survey did not see in such a number; and those of `emit`.
    #[inline]
    pub fn assign(&mut self, length: Option<u64>, mut emit: impl FnMut(Piece) -> Result<()>) -> Result<()> {
        let index = self.index;
        self.index += 1;
        let Some(length) = length.filter(|&length| length > 0) else { return Ok(()) };
        if let Places::Fitted(fitted) = &mut self.places
            && length <= u64::from(self.packer.context)
        {
            return emit(fitted.piece(length as u32, 0, index)?);
        }
        let cut = self.packer.cut(length, index)?;
        self.assign_cut(cut, index, &mut emit)
    }

    /// The bin and the offset of each of the next sequences, if each is one piece; else false, and nothing is done.
    ///
    /// # Errors
    /// `Error::Conservation` for a length that the survey did not see in such a number.
    pub(super) fn assign_whole(
        &mut self,
        lengths: &[u32],
        bins: &mut [u32],
        offsets: &mut [u32],
    ) -> Result<bool> {
        let context = self.packer.context;
        // One less than 0 is the greatest number.
        let are_whole = lengths.iter().map(|length| length.wrapping_sub(1)).max() < Some(context);
        let Places::Fitted(fitted) = &mut self.places else { return Ok(false) };
        if are_whole {
            fitted.pieces(lengths, self.index, bins, offsets)?;
            self.index += lengths.len() as u64;
        }
        Ok(are_whole)
    }

    /// Checks that all places were given away.
    ///
    /// # Errors
    /// `Error::Conservation` if the survey counted more than was assigned.
    pub fn finish(&self) -> Result<()> {
        let given = self.accounts.given.sequences;
        let is_done = match &self.places {
            Places::Fitted(fitted) => {
                fitted.named == self.bins && fitted.cursors.iter().all(|cursor| cursor.in_strip == 0)
            }
            Places::Wrapped { bin, filled } => {
                let tokens = u64::from(*bin) * u64::from(self.packer.context) + u64::from(*filled);
                tokens == self.accounts.packed.tokens
            }
        };
        if is_done && self.index == given {
            return Ok(());
        }
        Err(Error::Conservation(format!(
            "`{given}` sequences were counted and `{}` assigned, but not to all of their places",
            self.index
        )))
    }

    /// The vector with the numbers of bins.
    pub(super) fn into_room(self) -> Vec<u32> {
        match self.places {
            Places::Fitted(fitted) => fitted.names,
            Places::Wrapped { .. } => Vec::new(),
        }
    }

    fn assign_cut(&mut self, cut: Cut, index: u64, emit: &mut dyn FnMut(Piece) -> Result<()>) -> Result<()> {
        let context = self.packer.context;
        match &mut self.places {
            Places::Fitted(fitted) => {
                for full in 0..cut.full {
                    let piece = Piece {
                        bin: fitted.named,
                        offset: 0,
                        start: full * u64::from(context),
                        length: context,
                    };
                    fitted.named += 1;
                    emit(piece)?;
                }
                if cut.rest > 0 {
                    emit(fitted.piece(cut.rest, cut.full * u64::from(context), index)?)?;
                }
            }
            Places::Wrapped { bin, filled } => {
                let (mut start, end) = (0, cut.full * u64::from(context) + u64::from(cut.rest));
                while start < end {
                    if *filled == context {
                        (*bin, *filled) = (*bin + 1, 0);
                    }
                    let length = u64::from(context - *filled).min(end - start) as u32;
                    emit(Piece { bin: *bin, offset: *filled, start, length })?;
                    *filled += length;
                    start += u64::from(length);
                }
            }
        }
        Ok(())
    }
}

impl Fitted {
    /// The place of the next piece of `length`.
    #[inline]
    fn piece(&mut self, length: u32, start: u64, index: u64) -> Result<Piece> {
        let Some((opened, offset)) = self.place(length) else { return Err(unseen(length, index)) };
        let bin = self.name(opened);
        Ok(Piece { bin, offset, start, length })
    }

    /// The places of pieces that are whole sequences, the first of which is `index`. The places come first and the numbers of
    /// their bins behind: a number is a wait for main memory, and so they are waited for together.
    fn pieces(&mut self, lengths: &[u32], index: u64, bins: &mut [u32], offsets: &mut [u32]) -> Result<()> {
        for (at, ((&length, bin), offset)) in
            lengths.iter().zip(bins.iter_mut()).zip(offsets.iter_mut()).enumerate()
        {
            let place = self.place(length);
            (*bin, *offset) = place.ok_or_else(|| unseen(length, index + at as u64))?;
            prefetch_line(self.names.as_ptr().wrapping_add(*bin as usize));
        }
        for bin in bins {
            *bin = self.name(*bin);
        }
        Ok(())
    }

    /// The place of the next piece of `length`, as the bin in the order of opening and the offset; none if all are taken.
    #[inline]
    fn place(&mut self, length: u32) -> Option<(u32, u32)> {
        let rank = self.ranks.of(length)?;
        self.cursors.get_mut(rank)?.next(length, self.strips.all())
    }

    /// The number of a bin; the next one if it has none. Without a branch: which bins are new cannot be foreseen.
    #[inline]
    fn name(&mut self, opened: u32) -> u32 {
        let name = &mut self.names[opened as usize];
        let is_new = *name == UNNAMED;
        *name = if is_new { self.named } else { *name };
        self.named += u32::from(is_new);
        *name
    }
}

impl Cursor {
    fn first(strips: &Strips, rank: usize) -> Self {
        let of_rank = strips.of(rank);
        let mut cursor = Self { next: of_rank.start as u32, end: of_rank.end as u32, ..Self::default() };
        cursor.step(strips.all());
        cursor
    }

    /// To the next strip, if there is one.
    fn step(&mut self, strips: &[Strip]) {
        if self.next < self.end {
            let Strip { bin, bins, each, offset } = strips[self.next as usize];
            let (next, end) = (self.next + 1, self.end);
            // No more than there are pieces of the length.
            let in_strip = bins * each;
            *self = Self { bin, offset, in_bin: each, in_strip, each, first: offset, next, end };
        }
    }

    /// The place of a piece of `length`, as the bin in the order of opening and the offset; none if all are taken.
    #[inline]
    fn next(&mut self, length: u32, strips: &[Strip]) -> Option<(u32, u32)> {
        if self.in_strip == 0 {
            return None;
        }
        let place = (self.bin, self.offset);
        self.in_strip -= 1;
        if self.in_strip == 0 {
            self.step(strips);
            return Some(place);
        }
        // Without a branch: how many pieces a bin takes differs from strip to strip.
        let in_bin = self.in_bin - 1;
        let is_full = in_bin == 0;
        self.bin += u32::from(is_full);
        self.offset = if is_full { self.first } else { self.offset + length };
        self.in_bin = if is_full { self.each } else { in_bin };
        Some(place)
    }
}

#[cold]
fn unseen(length: u32, index: u64) -> Error {
    Error::Conservation(format!(
        "sequence `{index}` has a length of `{length}`, which came less often when lengths were counted"
    ))
}
