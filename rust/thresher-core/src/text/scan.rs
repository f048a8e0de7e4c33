//! The scanner: text in, lower-cased text and the places of its words out.
//!
//! ```text
//! text      ... "The café (" ...           64 bytes at a time
//! mask      ...  111 01111 00 ...          one bit a byte: part of a word?
//! lower     ... "the café (" ...           the same bytes, lower-cased, in a buffer that stays in cache
//! bounds    ... [0, 3, 4, 9] ...           where words start and end: start, end, start, end
//! ```
//!
//! A block of 64 bytes costs some twenty instructions, and the places where the mask changes are written without
//! a branch a word, so nothing stalls on the irregular lengths of words. Characters of two and three bytes are classified and
//! lower-cased in the block, by pages ([`super::pages`]). Only what does not fit there is decoded, a few characters at a
//! time: those of four bytes, and capitals whose lower-case form has another length.
//!
//! Text is taken in chunks of [`CHUNK`] bytes, so memory does not grow with the document. A word that a chunk
//! cuts is carried over; of one longer than the chunk only the hash so far is carried (see [`Scanner::carry`]).

use super::pages::{Pages, Recent};
use super::tables;
use crate::hash::Keys;
use crate::kernels::{BLOCK, OVERRUN, Vector, low};

/// Bytes of lower-cased text in a chunk: it, its bounds and its word hashes fit the first-level cache together.
pub(crate) const CHUNK: usize = 4096;

/// A chunk may pass `CHUNK` by a block and a few decoded characters; words are read 16 bytes at a time.
const SLACK: usize = BLOCK + 64;

/// A word and what parts it from the next one have two bytes, and two bounds; they are written past the last one.
const BOUNDS: usize = CHUNK + SLACK + OVERRUN;

/// A place in `lower`: half the memory of a `u32`, which a chunk never needs.
type Bound = u16;

/// Lower-cased text of one chunk with the bounds of its words.
#[derive(Debug)]
pub(crate) struct Scanner {
    lower: Box<[u8; CHUNK + SLACK]>,
    /// Start and end of each word in `lower`, alternating.
    bounds: Box<[Bound; BOUNDS]>,
    num_bounds: usize,
    /// Bytes used in `lower`.
    len: usize,
    /// Whether the last character was part of a word that may go on.
    open: bool,
    /// Whether it was a word of its own whose end is not written yet.
    due: bool,
    /// Hash of the front of the first word, which earlier chunks held; 0 as a rule.
    pub(crate) front: u64,
    /// Whether `places` is filled.
    tracks: bool,
    /// Places in `lower` from which on the distance to the text is another, with their places in the text.
    places: Vec<(Bound, u32)>,
    pages: &'static Pages,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self {
            lower: Box::new([0; CHUNK + SLACK]),
            bounds: Box::new([0; BOUNDS]),
            num_bounds: 0,
            len: 0,
            open: false,
            due: false,
            front: 0,
            tracks: false,
            places: Vec::new(),
            pages: Pages::get(),
        }
    }

    /// Forgets the document before.
    #[inline(always)]
    pub(crate) fn reset(&mut self) {
        self.num_bounds = 0;
        self.len = 0;
        self.open = false;
        self.due = false;
        self.front = 0;
    }

    /// Takes a whole text of up to half a chunk, and puts the end of each word in it, in bytes, into `ends`.
    #[inline(always)]
    pub(crate) fn fill_tracked<V: Vector>(&mut self, text: &str, ends: &mut Vec<u32>) {
        debug_assert!(text.len() <= CHUNK / 2, "lower case may be longer");
        self.reset();
        self.tracks = true;
        self.places.clear();
        let at = self.fill::<V>(text, 0);
        self.tracks = false;
        debug_assert_eq!(at, text.len());
        let (mut next, mut shift) = (0, 0);
        ends.clear();
        for &[_, end] in self.bounds[..self.num_bounds].as_chunks().0 {
            while let Some(&(place, in_text)) = self.places.get(next).filter(|place| place.0 <= end) {
                shift = in_text.wrapping_sub(u32::from(place));
                next += 1;
            }
            ends.push(u32::from(end).wrapping_add(shift));
        }
    }

    /// Start and end of each complete word.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[[Bound; 2]] {
        self.bounds[..self.num_bounds].as_chunks().0
    }

    /// Lower-cased text. What lies between words is not text.
    #[inline(always)]
    pub(crate) fn lower(&self) -> &[u8; CHUNK + SLACK] {
        &self.lower
    }

    /// The word that the end of the chunk cut, if any: its start; it ends at [`Scanner::len`].
    pub(crate) fn cut_word(&self) -> Option<usize> {
        (self.num_bounds % 2 == 1).then(|| self.bounds[self.num_bounds - 1] as usize)
    }

    /// Bytes used in the buffer.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes text from `at` on until the chunk is full or the text ends; gives the place to go on from.
    #[inline(always)]
    pub(crate) fn fill<V: Vector>(&mut self, text: &str, mut at: usize) -> usize {
        let bytes = text.as_bytes();
        let mut recent = Recent::default();
        while at < bytes.len() && self.len < CHUNK {
            let rest = bytes.len() - at;
            let mut tail = [0u8; BLOCK];
            let from = if rest >= BLOCK {
                bytes[at..].as_ptr()
            } else {
                tail[..rest].copy_from_slice(&bytes[at..]);
                tail.as_ptr()
            };
            // SAFETY: `from` holds a block; `len < CHUNK` leaves more than a block in `lower`; the caller was
            // compiled for the instruction set of `V`.
            let classes = unsafe { V::classify(from, self.lower.as_mut_ptr().add(self.len)) };
            if classes.non_ascii == 0 {
                let count = rest.min(BLOCK);
                self.push_words::<V>(classes.word, count);
                at += count;
                continue;
            }
            // SAFETY: as above; `at` is where a character begins, in a text that is valid, and zeros are characters.
            let found = unsafe {
                V::characters(self.pages, &mut recent, from, self.lower.as_mut_ptr().add(self.len), classes)
            };
            let count = rest.min(found.len);
            if found.solo == 0 && !self.due {
                self.push_words::<V>(found.word, count);
            } else {
                self.push_mixed::<V>(found.word, found.solo, count);
            }
            at += count;
            if count < BLOCK && at < bytes.len() {
                at = self.fill_decoded(text, at);
            }
        }
        self.end_solo();
        if at == bytes.len() {
            self.close();
        }
        at
    }

    /// Adds the bounds of words in the first `count` bits of `mask`; the text itself is already in `lower`.
    #[inline(always)]
    fn push_words<V: Vector>(&mut self, mask: u64, count: usize) {
        if self.due {
            return self.push_mixed::<V>(mask, 0, count);
        }
        let changes = (mask ^ (mask << 1 | u64::from(self.open))) & low(count);
        if count > 0 {
            self.open = mask >> (count - 1) & 1 == 1;
        }
        // SAFETY: there are at most as many bounds as bytes in `lower`, and `OVERRUN` more places behind them; the
        // caller was compiled for the instruction set of `V`.
        unsafe { V::expand(changes, self.len as Bound, self.bounds.as_mut_ptr().add(self.num_bounds)) };
        self.num_bounds += changes.count_ones() as usize;
        self.len += count;
    }

    /// The same where some words are single characters of three bytes, which begin at the bits of `solo`.
    #[inline(always)]
    fn push_mixed<V: Vector>(&mut self, mask: u64, solo: u64, count: usize) {
        if count == 0 {
            return;
        }
        let before = mask << 1 | u64::from(self.open);
        let starts = (mask & !before | solo) & low(count);
        let ends = (!mask & before | solo << 3 | u64::from(self.due)) & low(count);
        self.open = mask >> (count - 1) & 1 == 1;
        self.due = solo << 2 >> (count - 1) & 1 == 1;
        // SAFETY: as above; a character that is a word has three bytes, so bounds are fewer than bytes.
        unsafe {
            V::expand_both(starts, ends, self.len as Bound, self.bounds.as_mut_ptr().add(self.num_bounds));
        }
        self.num_bounds += (starts.count_ones() + ends.count_ones()) as usize;
        self.len += count;
    }

    /// Takes characters one by one as long as they have to be decoded. There may be none: one that a block cut.
    #[inline(never)]
    fn fill_decoded(&mut self, text: &str, mut at: usize) -> usize {
        for c in text[at..].chars() {
            if self.len >= CHUNK || !self.pages.is_odd(c) {
                break;
            }
            self.end_solo();
            at += c.len_utf8();
            match tables::class(c as u32) {
                tables::SEPARATOR => {
                    self.close();
                    self.len += c.len_utf8();
                }
                tables::SOLO => {
                    self.close();
                    self.push_bound();
                    self.push_char(c);
                    self.push_bound();
                }
                class => {
                    if !self.open {
                        self.push_bound();
                        self.open = true;
                    }
                    if class == tables::WORD_WITH_LOWER {
                        c.to_lowercase().for_each(|c| self.push_char(c));
                        if self.tracks {
                            self.places.push((self.len as Bound, at as u32));
                        }
                    } else {
                        self.push_char(c);
                    }
                }
            }
        }
        at
    }

    #[inline(always)]
    fn end_solo(&mut self) {
        if self.due {
            self.push_bound();
            self.due = false;
        }
    }

    #[inline(always)]
    fn close(&mut self) {
        if self.open {
            self.push_bound();
            self.open = false;
        }
    }

    #[inline(always)]
    fn push_bound(&mut self) {
        self.bounds[self.num_bounds] = self.len as Bound;
        self.num_bounds += 1;
    }

    #[inline(always)]
    fn push_char(&mut self, c: char) {
        self.len += c.encode_utf8(&mut self.lower[self.len..]).len();
    }

    /// Makes room for the next chunk. A word that the chunk cut moves to the front; if it fills half the chunk,
    /// all but its last 1 to 16 bytes go into [`Scanner::front`].
    #[inline(always)]
    pub(crate) fn carry(&mut self, keys: &Keys) {
        let cut = self.cut_word();
        // A carried front belongs to the first word; it is spent unless that word is the one still open.
        let front = if cut.is_some() && self.num_bounds == 1 { self.front } else { 0 };
        self.num_bounds = 0;
        self.front = front;
        let end = std::mem::take(&mut self.len);
        if let Some(mut start) = cut {
            if end - start > CHUNK / 2 {
                let hashed = (end - start - 1) / 16 * 16;
                self.front = keys.word_hash_from(front, &self.lower[start..start + hashed]);
                start += hashed;
            }
            self.lower.copy_within(start..end, 0);
            self.bounds[0] = 0;
            self.num_bounds = 1;
            self.len = end - start;
        }
    }

    /// Makes room for the next chunk when whoever reads the words has used up the cut one too.
    #[inline(always)]
    pub(crate) fn carry_nothing(&mut self) {
        self.num_bounds = usize::from(self.open);
        self.bounds[0] = 0;
        self.len = 0;
    }
}
