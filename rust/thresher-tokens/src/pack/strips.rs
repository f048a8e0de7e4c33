//! Runs of bins that are alike, and what lengths take of them.

use std::ops::Range;

/// Bins `bin..bin + bins` with the same space left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) bin: u32,
    pub(super) bins: u32,
}

/// Bins `bin..bin + bins` each take `each` pieces of one length, from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) bin: u32,
    pub(super) bins: u32,
    pub(super) each: u32,
    pub(super) offset: u32,
}

/// Where all pieces go: the strips of each length, in the order in which its pieces fill them.
#[derive(Clone, Debug, Default)]
pub(super) struct Strips {
    all: Vec<Strip>,
    /// Where the strips of each length begin, and at last where all end.
    starts: Vec<usize>,
    /// Bins that were opened.
    pub(super) bins: u32,
}

/// What pieces of one length take of bins that are alike.
pub(super) struct Taken {
    /// Bins that take as many as they have room for; they come first.
    pub(super) filled: u32,
    /// Pieces in each of them.
    pub(super) each: u32,
    /// Pieces in the one bin behind them, which has room for more.
    pub(super) last: u32,
}

impl Taken {
    /// What `count` pieces of `length` take of up to `bins` bins with room for `space` tokens each; a piece fits.
    pub(super) fn of(count: u32, length: u32, space: u32, bins: u32) -> Self {
        let each = space / length;
        let filled = bins.min(count / each);
        let last = if filled < bins { count % each } else { 0 };
        Self { filled, each, last }
    }

    /// Pieces that are placed.
    pub(super) fn pieces(&self) -> u32 {
        self.filled * self.each + self.last
    }
}

impl Strips {
    /// The next length begins.
    pub(super) fn begin(&mut self) {
        self.starts.push(self.all.len());
    }

    /// All lengths are placed.
    pub(super) fn end(&mut self) {
        self.starts.push(self.all.len());
    }

    /// Notes what the bins from `bin` on take, from `offset` on; strips that continue each other become one.
    pub(super) fn take(&mut self, bin: u32, taken: &Taken, offset: u32) {
        if taken.filled > 0 {
            self.push(Strip { bin, bins: taken.filled, each: taken.each, offset });
        }
        if taken.last > 0 {
            self.push(Strip { bin: bin + taken.filled, bins: 1, each: taken.last, offset });
        }
    }

    fn push(&mut self, strip: Strip) {
        let begun = self.starts.last().copied().unwrap_or_default();
        if let Some(last) = self.all[begun..].last_mut()
            && last.bin + last.bins == strip.bin
            && (last.each, last.offset) == (strip.each, strip.offset)
        {
            last.bins += strip.bins;
            return;
        }
        self.all.push(strip);
    }

    /// All strips.
    pub(super) fn all(&self) -> &[Strip] {
        &self.all
    }

    /// Those of the length at `rank`.
    pub(super) fn of(&self, rank: usize) -> Range<usize> {
        self.starts[rank]..self.starts[rank + 1]
    }
}
