//! Items with edits in them: seeds of 5 words propose where one may stand, an alignment of words decides.
//!
//! ```text
//! piece    a field of 10 words or more; a long one in pieces of 128 to 255 words, each of which is looked for by itself
//! seed     5 words of a piece that the text has too: a vote for the diagonal, which is where the piece would begin
//! votes    at least an eighth of the seeds of the piece, on diagonals as near to each other as its edits can move them
//! align    words inserted, deleted or changed, in a band around the middle diagonal; at most a fifth of the piece, less one
//! ```
//!
//! One edit in ten words leaves two thirds of the seeds of a piece. Alignment is the recurrence of Sellers (1980) in the
//! band of Ukkonen (1985): the piece as a whole, from anywhere to anywhere in the text. It ends as soon as a row has too many edits, so a text that is
//! made of seeds costs a few rows for each vote. A seed of more than 64 places is a turn of phrase and proposes nothing. Texts are taken in segments of
//! 32,768 words that overlap by more than any piece, so memory does not grow with the text.

use super::index::{Index, SEED, is_telling};
use super::passages::{LEAST_EDITED, Looked};
use super::table::{NONE, Table, Width};

/// Words of a piece of a long field; the last one takes the rest, so it has less than twice as many.
const PIECE: usize = 128;
/// Places of a seed that proposes something.
const MOST_PLACES: usize = 64;
/// Words of a text that are looked at together.
pub(crate) const SEGMENT: usize = 1 << 15;
/// Words that two segments have in common: more than a piece and its edits on either side.
pub(crate) const OVERLAP: usize = 512;

/// Edits that a piece of so many words may have.
fn most_edits(words: usize) -> usize {
    (words / 5).saturating_sub(1).max(1)
}

/// Seeds that a text has to share with a piece of so many words before they are aligned.
fn least_votes(words: usize) -> usize {
    (words.saturating_sub(SEED - 1) / 8).max(1)
}

/// Words that are found as a whole.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    len: u32,
    entry: u32,
}

/// Seeds of all pieces.
#[derive(Debug)]
pub(crate) struct Seeds {
    pub(crate) table: Table,
    pub(crate) width: Width,
    next: Vec<u32>,
    pieces: Vec<Piece>,
    /// The first piece of each entry.
    first_of: Vec<u32>,
}

/// A piece that was found in a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) entry: u32,
    /// Share of its words that are not edited.
    pub(crate) overlap: f64,
    /// Words of the text, from the start of the segment.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Aligner {
    /// Pieces and diagonals.
    votes: Vec<u64>,
    /// Edits so far and where the piece began, by diagonal.
    above: Vec<(u32, u32)>,
    row: Vec<(u32, u32)>,
}

impl Seeds {
    pub(crate) fn of(index: &Index) -> Self {
        let (mut pieces, mut first_of) = (Vec::new(), Vec::with_capacity(index.entries.len()));
        for (number, entry) in index.entries.iter().enumerate() {
            let len = entry.len as usize;
            if entry.looked == Looked::Context || len < LEAST_EDITED {
                first_of.push(NONE);
                continue;
            }
            first_of.push(pieces.len() as u32);
            let count = (len / PIECE).max(1);
            for piece in 0..count {
                let start = piece * PIECE;
                let end = if piece + 1 == count { len } else { start + PIECE };
                pieces.push(Piece {
                    start: entry.start + start as u32,
                    len: (end - start) as u32,
                    entry: number as u32,
                });
            }
        }
        let seeds: usize = pieces.iter().map(|piece| piece.len as usize + 1 - SEED).sum();
        let mut table = Table::with_room(seeds);
        let mut next = vec![NONE; index.words.len()];
        let seed = |place: u32| &index.words[place as usize..place as usize + SEED];
        for piece in pieces.iter().rev() {
            for place in (piece.start..=piece.start + piece.len - SEED as u32).rev() {
                let words = seed(place);
                if !is_telling(words, |_| false) {
                    continue;
                }
                if let Some(later) = table.insert(index.hasher.of(words), place, |other| seed(other) == words)
                {
                    next[place as usize] = later;
                }
            }
        }
        let is_rare = |first: u32| places(&next, first).nth(MOST_PLACES).is_none();
        table.settle(is_rare, |place| index.hasher.of(seed(place)));
        Self { table, width: index.hasher.width(SEED), next, pieces, first_of }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + 4 * self.next.len() + size_of_val(&*self.pieces) + 4 * self.first_of.len()
    }

    /// Notes the pieces that have a seed at `place`, which the segment has at its word `at`.
    pub(crate) fn vote(&self, index: &Index, aligner: &mut Aligner, at: u32, place: u32) {
        for place in places(&self.next, place) {
            let entry = index.entry_of[place as usize];
            let into = (place - index.entries[entry as usize].start) as usize / PIECE;
            let first = self.first_of[entry as usize];
            // A place behind the last full piece belongs to that one.
            let mut number = first + into as u32;
            if self.pieces.get(number as usize).is_none_or(|piece| piece.entry != entry) {
                number -= 1;
            }
            let offset = place - self.pieces[number as usize].start;
            // Diagonals may begin in front of the segment.
            let diagonal = at + OVERLAP as u32 - offset;
            aligner.votes.push(u64::from(number) << 32 | u64::from(diagonal));
        }
    }

    /// Aligns the pieces that have enough votes with the words of the segment, and forgets the votes.
    pub(crate) fn settle(&self, index: &Index, aligner: &mut Aligner, text: &[u64], found: &mut Vec<Found>) {
        let mut votes = std::mem::take(&mut aligner.votes);
        votes.sort_unstable();
        for of_piece in votes.chunk_by(|one, other| one >> 32 == other >> 32) {
            let Piece { start, len, entry } = self.pieces[(of_piece[0] >> 32) as usize];
            let words = &index.words[start as usize..(start + len) as usize];
            let (edits, least) = (most_edits(words.len()), least_votes(words.len()));
            let mut at = 0;
            while at + least <= of_piece.len() {
                let near = of_piece[at..].partition_point(|vote| vote - of_piece[at] <= edits as u64);
                if near < least {
                    at += 1;
                    continue;
                }
                let middle = i64::from(of_piece[at + near / 2] as u32) - OVERLAP as i64;
                if let Some((count, start, end)) = aligner.align(words, text, middle, edits) {
                    let overlap = 1.0 - count as f64 / words.len() as f64;
                    found.push(Found { entry, overlap, start, end });
                    at += near;
                } else {
                    at += (near / 2).max(1);
                }
            }
        }
        votes.clear();
        aligner.votes = votes;
    }
}

impl Aligner {
    /// The fewest edits by which a piece becomes a stretch of the text that begins within `edits` words of `diagonal`, and that
    /// stretch; nothing if they are more than `edits`.
    fn align(
        &mut self,
        piece: &[u64],
        text: &[u64],
        diagonal: i64,
        edits: usize,
    ) -> Option<(usize, usize, usize)> {
        let width = 2 * edits + 1;
        let first = diagonal - edits as i64;
        let inside = |place: i64| (0..=text.len() as i64).contains(&place);
        let far = (u32::MAX / 2, 0);
        self.above.clear();
        self.above.extend((0..width as i64).map(|k| {
            let place = first + k;
            if inside(place) { (0, place as u32) } else { far }
        }));
        for (at, &word) in piece.iter().enumerate() {
            let first = first + at as i64 + 1;
            self.row.clear();
            let mut least = u32::MAX;
            let mut left = far;
            for k in 0..width {
                let place = first + k as i64;
                let mut best = far;
                if inside(place) {
                    if place > 0 {
                        let (cost, start) = self.above[k];
                        best = (cost + u32::from(text[place as usize - 1] != word), start);
                        best = best.min((left.0 + 1, left.1));
                    }
                    if let Some(&(cost, start)) = self.above.get(k + 1) {
                        best = best.min((cost + 1, start));
                    }
                }
                least = least.min(best.0);
                left = best;
                self.row.push(best);
            }
            if least as usize > edits {
                return None;
            }
            std::mem::swap(&mut self.above, &mut self.row);
        }
        let first = first + piece.len() as i64;
        let ends = self.above.iter().enumerate();
        let (k, &(count, start)) = ends.min_by_key(|&(k, &(cost, _))| (cost, k))?;
        (count as usize <= edits).then(|| (count as usize, start as usize, (first + k as i64) as usize))
    }
}

/// The places of a seed, from the first one on.
fn places(next: &[u32], first: u32) -> impl Iterator<Item = u32> + '_ {
    std::iter::successors(Some(first), |&place| Some(next[place as usize]).filter(|&next| next != NONE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sellers' table as it is defined: the piece against every stretch of the text.
    fn by_definition(piece: &[u64], text: &[u64]) -> usize {
        let mut above = vec![0; text.len() + 1];
        for (at, word) in piece.iter().enumerate() {
            let mut row = vec![at + 1];
            for (place, other) in text.iter().enumerate() {
                row.push(
                    (above[place] + usize::from(word != other)).min(above[place + 1] + 1).min(row[place] + 1),
                );
            }
            above = row;
        }
        above.into_iter().min().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn an_alignment_has_the_fewest_edits_of_all_in_its_band(
            piece in prop::collection::vec(0..4u64, 10..30),
            text in prop::collection::vec(0..4u64, 0..60),
            edits in 1..8usize,
        ) {
            let mut aligner = Aligner::default();
            let found = (-60..120)
                .filter_map(|diagonal| aligner.align(&piece, &text, diagonal, edits))
                .min();
            let least = by_definition(&piece, &text);
            prop_assert_eq!(found.map(|found| found.0), Some(least).filter(|&least| least <= edits));
            if let Some((count, start, end)) = found {
                prop_assert!(start <= end && end <= text.len());
                prop_assert_eq!(by_definition(&piece, &text[start..end]), count);
            }
        }
    }

    #[test]
    fn edits_grow_with_the_piece() {
        assert_eq!([10, 14, 15, 20, 46, 255].map(most_edits), [1, 1, 2, 3, 8, 50]);
        assert_eq!([10, 13, 20, 46, 255].map(least_votes), [1, 1, 2, 5, 31]);
        // What lies in the overlap of two segments is found as a whole in one of them.
        assert!(2 * PIECE - 1 + 2 * most_edits(2 * PIECE - 1) < OVERLAP);
    }
}
