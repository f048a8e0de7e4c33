//! Cutting what was found out of a text, as GPT-3 did (Brown et al. 2020, appendix C).
//!
//! Each stretch goes with 200 characters on either side, which splits the text into pieces; pieces of fewer than 200
//! characters go too, and a text of more than 10 pieces goes as a whole. GPT-3 made a document of each piece; here a text
//! stays one, and its pieces are parted by a blank line.

use std::ops::Range;

/// How texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutter {
    /// Characters that go on either side of a stretch.
    pub window: usize,
    /// Characters of a piece that stays.
    pub min_piece: usize,
    /// Pieces of a text that stays.
    pub max_pieces: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { window: 200, min_piece: 200, max_pieces: 10 }
    }
}

/// What stands between two pieces.
pub const GAP: &str = "\n\n";

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It stays without these bytes, in order; between two pieces that stay, [`GAP`] takes their place.
    Without(Vec<(Range<usize>, &'static str)>),
    /// It splits into more pieces than may be.
    TooManyPieces(usize),
    /// No piece is long enough to stay.
    NothingLeft,
}

impl Cut {
    /// What is left of the text; nothing if it goes.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        let Self::Without(gone) = self else { return None };
        let mut left = String::with_capacity(text.len());
        let mut at = 0;
        for (range, new) in gone {
            left.push_str(&text[at..range.start]);
            left.push_str(new);
            at = range.end;
        }
        left.push_str(&text[at..]);
        Some(left)
    }
}

impl Cutter {
    /// Cuts spans out of a text; they are in order, and apart from each other.
    ///
    /// ```
    /// use thresher_filter::contamination::{Cut, Cutter};
    /// let cutter = Cutter { window: 1, min_piece: 2, max_pieces: 10 };
    /// assert_eq!(cutter.cut("abcdXefgh", &[4..5]), Cut::Without(vec![(3..6, "\n\n")]));
    /// assert_eq!(cutter.cut("abX", &[2..3]), Cut::NothingLeft);
    /// ```
    #[must_use]
    pub fn cut(&self, text: &str, spans: &[Range<usize>]) -> Cut {
        let mut pieces = Vec::new();
        let mut at = 0;
        for span in spans {
            let start = back(text, span.start, self.window);
            if start > at {
                pieces.push(at..start);
            }
            at = at.max(ahead(text, span.end, self.window));
        }
        if at < text.len() {
            pieces.push(at..text.len());
        }
        if pieces.len() > self.max_pieces {
            return Cut::TooManyPieces(pieces.len());
        }
        pieces.retain(|piece| !is_short(text, piece, self.min_piece));
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Cut::NothingLeft };
        let mut gone = Vec::with_capacity(pieces.len() + 1);
        if first.start > 0 {
            gone.push((0..first.start, ""));
        }
        gone.extend(pieces.windows(2).map(|two| (two[0].end..two[1].start, GAP)));
        if last.end < text.len() {
            gone.push((last.end..text.len(), ""));
        }
        Cut::Without(gone)
    }
}

fn is_short(text: &str, piece: &Range<usize>, least: usize) -> bool {
    least > 0 && text[piece.clone()].char_indices().nth(least - 1).is_none()
}

/// So many characters before a place.
fn back(text: &str, place: usize, count: usize) -> usize {
    if count == 0 {
        return place;
    }
    text[..place].char_indices().rev().nth(count - 1).map_or(0, |(at, _)| at)
}

/// So many characters behind a place.
fn ahead(text: &str, place: usize, count: usize) -> usize {
    text[place..].char_indices().nth(count).map_or(text.len(), |(at, _)| place + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text as a list of characters, of which each is gone, or of one of the pieces.
    fn naive(cutter: Cutter, text: &str, spans: &[Range<usize>]) -> Option<String> {
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let mut stays = vec![true; chars.len()];
        for span in spans {
            let inside = |at: usize| span.contains(&chars[at].0);
            for at in (0..chars.len()).filter(|&at| inside(at)) {
                let (from, to) = (at.saturating_sub(cutter.window), at + cutter.window);
                stays.iter_mut().take(to + 1).skip(from).for_each(|stays| *stays = false);
            }
        }
        let mut pieces: Vec<String> = vec![String::new()];
        for ((_, c), stays) in chars.iter().zip(&stays) {
            match (stays, pieces.last_mut()) {
                (true, Some(last)) => last.push(*c),
                (false, Some(last)) if !last.is_empty() => pieces.push(String::new()),
                _ => {}
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        if pieces.len() > cutter.max_pieces {
            return None;
        }
        pieces.retain(|piece| piece.chars().count() >= cutter.min_piece);
        (!pieces.is_empty()).then(|| pieces.join(GAP))
    }

    proptest! {
        #[test]
        fn what_stays_is_what_is_far_enough_from_every_span(
            text in "[aé数😀]{0,60}",
            places in prop::collection::vec((0..60usize, 1..4usize), 0..6),
            (window, min_piece, max_pieces) in (0..5usize, 0..6usize, 1..5usize),
        ) {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut spans: Vec<Range<usize>> = places
                .into_iter()
                .filter(|(start, len)| start + len < bounds.len())
                .map(|(start, len)| bounds[start]..bounds[start + len])
                .collect();
            spans.sort_by_key(|span| span.start);
            super::super::detect::joined(&mut spans);
            let cutter = Cutter { window, min_piece, max_pieces };
            let cut = cutter.cut(&text, &spans);
            if let Cut::Without(gone) = &cut {
                prop_assert!(gone.iter().all(|(range, _)| range.start < range.end));
                prop_assert!(gone.windows(2).all(|two| two[0].0.end < two[1].0.start));
            }
            prop_assert_eq!(cut.apply(&text), naive(cutter, &text, &spans));
        }
    }
}
