//! Documents to shingle hashes, in one pass and without building a single n-gram.
//!
//! Each word (or character) is hashed once, to 64 bits, and shingles are made of these hashes a chunk at a time, in loops of
//! which no turn waits for the one before (see [`crate::hash`] for what is computed). The polynomial of the scheme is evaluated
//! anew for each short shingle, since vectors do eight of them at once; longer ones roll (`P' = P*K + new - old*K^n`;
//! Karp and Rabin 1987), so that a shingle costs the same for every `n`.
//!
//! A document with fewer than `n` words has one shingle: all its words. One without a word has none.
//! Time O(bytes), memory one chunk.

mod distinct;

use std::cell::Cell;

use self::distinct::DistinctTable;
use crate::hash::{Folded, Keys, Mixer, Plain, Way, WordHasher, finalise, last_join};
use crate::kernels::{InstructionSet, Vector, multiversion};
use crate::params::{ShingleSpec, ShingleUnit};
use crate::text::scan::{CHUNK, Scanner};

/// Takes the shingles of a document, in text order, repetitions included.
pub(crate) trait ShingleSink {
    /// The next ones.
    fn take(&mut self, shingles: &[u64]);
}

/// Cuts documents into shingles. Holds the buffers of one thread.
#[derive(Debug)]
pub struct Shingler {
    spec: ShingleSpec,
    set: InstructionSet,
    pub(crate) buffers: Buffers,
    distinct: DistinctTable,
}

/// Scanner and item hashes of one thread.
#[derive(Debug)]
pub(crate) struct Buffers {
    scanner: Scanner,
    unit: ShingleUnit,
    ngram: usize,
    keys: Keys,
    /// The last items of the chunk before, up to `ngram - 1`, then those of this one.
    items: Box<[u64]>,
    /// How many items of the chunk before there are.
    held: usize,
    /// The shingles of the chunk.
    shingles: Box<[u64]>,
    /// Hash of each ASCII character, for `unit = char`.
    ascii: Box<[u64; 128]>,
    /// Whether words of more than 16 bytes were frequent in the chunk before.
    has_long_words: bool,
}

impl Buffers {
    pub(crate) fn new(spec: ShingleSpec, keys: Keys) -> Self {
        Self {
            scanner: Scanner::new(),
            unit: spec.unit(),
            ngram: spec.ngram(),
            keys,
            items: vec![0; spec.ngram() + 2 * CHUNK].into_boxed_slice(),
            held: 0,
            shingles: vec![0; spec.ngram() + 2 * CHUNK].into_boxed_slice(),
            ascii: Box::new(std::array::from_fn(|c| keys.word_hash(&[c as u8]))),
            has_long_words: false,
        }
    }

    /// Hashes the complete words of the chunk into `items`; gives their number.
    #[inline(always)]
    fn hash_words(&mut self) -> usize {
        match self.keys.way {
            Way::Polynomial { .. } => self.hash_words_by(self.keys.word_hasher(Plain)),
            Way::Joins { fold, .. } => self.hash_words_by(self.keys.word_hasher(Folded(fold))),
        }
    }

    #[inline(always)]
    fn hash_words_by<M: Mixer>(&mut self, hasher: WordHasher<M>) -> usize {
        let words = self.scanner.words();
        let lower = self.scanner.lower();
        let items = &mut self.items[self.held..][..words.len()];
        // SAFETY: words end within the first `CHUNK + 64` bytes of `lower`, 64 before its end.
        let block = |start: usize, length: usize| unsafe {
            let both = lower.as_ptr().add(start).cast::<[u64; 2]>().read_unaligned();
            let [mask_lo, mask_hi] = MASKS[length];
            hasher.block(u64::from_le(both[0]) & mask_lo, u64::from_le(both[1]) & mask_hi)
        };
        let mut long = 0;
        if self.has_long_words {
            for (&[start, end], item) in words.iter().zip(&mut *items) {
                let (start, length) = (usize::from(start), usize::from(end - start));
                let first = block(start, length.min(16));
                // Whether or not there is a second block, without a branch.
                let both = hasher.chain(first, block(start + 16, length.saturating_sub(16).min(16)));
                *item = if length <= 16 { first } else { both };
                long += usize::from(length > 16);
                if length > 32 {
                    *item = hasher.hash_from(both, &lower[start + 32..start + length]);
                }
            }
        } else {
            for (&[start, end], item) in words.iter().zip(&mut *items) {
                let (start, length) = (usize::from(start), usize::from(end - start));
                *item = if length <= 16 {
                    block(start, length)
                } else {
                    long += 1;
                    hasher.hash_from(0, &lower[start..start + length])
                };
            }
        }
        self.has_long_words = 16 * long > words.len();
        // The first word may have begun in an earlier chunk.
        if let (Some(item), &[[start, end], ..], 1..) = (items.first_mut(), words, self.scanner.front) {
            *item = hasher.hash_from(self.scanner.front, &lower[usize::from(start)..usize::from(end)]);
        }
        words.len()
    }

    /// Hashes the characters of the chunk into `items`; gives their number.
    #[inline(always)]
    fn hash_chars(&mut self, gap: &mut CharGap) -> usize {
        let lower = self.scanner.lower();
        let items = &mut self.items[self.held..];
        let mut count = 0;
        let mut last_end = 0;
        let cut = self.scanner.cut_word().map(|start| (start, self.scanner.len()));
        let words = self.scanner.words().iter().map(|&[start, end]| (usize::from(start), usize::from(end)));
        for (start, end) in words.chain(cut) {
            gap.due |= start > last_end;
            last_end = end;
            if start == end {
                continue;
            }
            if gap.due && gap.any {
                items[count] = self.ascii[usize::from(b' ')];
                count += 1;
            }
            *gap = CharGap { due: false, any: true };
            let mut at = start;
            while at < end {
                let byte = lower[at];
                let length = utf8_length(byte);
                items[count] = match self.ascii.get(usize::from(byte)) {
                    Some(&hash) => hash,
                    None => self.keys.word_hash(&lower[at..at + length]),
                };
                count += 1;
                at += length;
            }
        }
        gap.due |= self.scanner.len() > last_end;
        count
    }

    /// Hands every shingle of `text` to `sink`; gives the number of words (or characters).
    #[inline(always)]
    pub(crate) fn shingles<V: Vector, S: ShingleSink>(&mut self, text: &str, sink: &mut S) -> usize {
        self.scanner.reset();
        self.held = 0;
        let mut gap = CharGap::default();
        let (mut at, mut total) = (0, 0usize);
        while at < text.len() {
            at = self.scanner.fill::<V>(text, at);
            let count = match self.unit {
                ShingleUnit::Word => self.hash_words(),
                ShingleUnit::Char => self.hash_chars(&mut gap),
            };
            total += count;
            self.join_chunk(count, sink);
            match self.unit {
                ShingleUnit::Word => self.scanner.carry(&self.keys),
                ShingleUnit::Char => self.scanner.carry_nothing(),
            }
        }
        if total > 0 && total < self.ngram {
            self.join(total, total, sink);
        }
        total
    }

    /// Hands the shingles that end in each of the `count` new items to `sink`, and holds what the next ones begin with.
    #[inline(always)]
    fn join_chunk<S: ShingleSink>(&mut self, count: usize, sink: &mut S) {
        let len = self.held + count;
        if len < self.ngram {
            self.held = len;
            return;
        }
        self.join(len, self.ngram, sink);
        self.held = self.ngram - 1;
        self.items.copy_within(len - self.held..len, 0);
    }

    /// Hands the shingles of `width` of the first `len` items to `sink`.
    #[inline(always)]
    fn join<S: ShingleSink>(&mut self, len: usize, width: usize, sink: &mut S) {
        let (items, shingles) = (&self.items[..len], &mut self.shingles[..len]);
        match &self.keys.way {
            &Way::Polynomial { base } => match width {
                1 => evaluate::<1>(base, items, shingles),
                2 => evaluate::<2>(base, items, shingles),
                3 => evaluate::<3>(base, items, shingles),
                4 => evaluate::<4>(base, items, shingles),
                5 => evaluate::<5>(base, items, shingles),
                _ => roll(base, width, items, shingles),
            },
            Way::Joins { fold, offsets } => join(Folded(*fold), offsets, width, items, shingles),
        }
        sink.take(&shingles[..len + 1 - width]);
    }

    /// The shingles of words that lie in `window` as a whole, and where each word ends.
    #[inline(always)]
    fn window<V: Vector>(&mut self, window: &str, out: &mut Window) {
        self.scanner.fill_tracked::<V>(window, &mut out.word_ends);
        self.scanner.front = 0;
        self.held = 0;
        let count = self.hash_words();
        out.shingles.clear();
        self.join_chunk(count, &mut out.shingles);
    }
}

/// The shingles of `N` of the items, each by itself.
#[inline(always)]
fn evaluate<const N: usize>(base: u64, items: &[u64], shingles: &mut [u64]) {
    // Loops over places: the compiler makes vectors of them in every profile, which it does not of iterators.
    let count = (items.len() + 1).saturating_sub(N).min(shingles.len());
    let mut at = 0;
    while at < count {
        let (mut value, mut word) = (0u64, 0);
        while word < N {
            value = value.wrapping_mul(base).wrapping_add(items[at + word]);
            word += 1;
        }
        shingles[at] = finalise(value);
        at += 1;
    }
}

/// The shingles of `width` of the items, each from the one before.
#[inline(always)]
fn roll(base: u64, width: usize, items: &[u64], shingles: &mut [u64]) {
    let leave = (0..width).fold(1, |power: u64, _| power.wrapping_mul(base));
    let step = |value: u64, new: u64| value.wrapping_mul(base).wrapping_add(new);
    let (first, rest) = items.split_at(width);
    let mut value = first.iter().fold(0, |value, &word| step(value, word));
    shingles[0] = finalise(value);
    for ((&old, &new), shingle) in items.iter().zip(rest).zip(&mut shingles[1..]) {
        value = step(value, new).wrapping_sub(old.wrapping_mul(leave));
        *shingle = finalise(value);
    }
}

/// The shingles of `width` of the items, joined level by level in place.
#[inline(always)]
fn join<M: Mixer>(mixer: M, offsets: &[[u64; 2]], width: usize, items: &[u64], shingles: &mut [u64]) {
    shingles.copy_from_slice(items);
    let last = last_join(width);
    let mut parts = Cell::from_mut(shingles).as_slice_of_cells();
    for (level, &[a, b]) in offsets[..=last].iter().enumerate() {
        let half = 1 << level;
        let ahead = if level < last { half } else { width - half };
        for (first, last) in parts.iter().zip(&parts[ahead..]) {
            first.set(mixer.mix(first.get() ^ a, last.get() ^ b));
        }
        parts = &parts[..parts.len() - ahead];
    }
}

/// Part of a text, cut by itself.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The shingles of words.
    pub(crate) shingles: Vec<u64>,
    /// Where each word ends, in bytes.
    pub(crate) word_ends: Vec<u32>,
}

impl Window {
    /// Bytes of text that a window may have.
    pub(crate) const MAX: usize = CHUNK / 2;
}

/// What lies between the last character of a chunk and the next one.
#[derive(Default)]
struct CharGap {
    /// Something that is no word character.
    due: bool,
    /// Whether there has been any character at all.
    any: bool,
}

/// Masks that keep the first 0 to 16 bytes of two little-endian words.
const MASKS: [[u64; 2]; 17] = {
    let mut masks = [[0; 2]; 17];
    let mut length = 1;
    while length <= 16 {
        masks[length][0] = if length >= 8 { u64::MAX } else { (1 << (8 * length)) - 1 };
        masks[length][1] = match length {
            0..=8 => 0,
            16.. => u64::MAX,
            _ => (1 << (8 * (length - 8))) - 1,
        };
        length += 1;
    }
    masks
};

/// Length of the character that starts with `byte`, in text that is valid.
#[inline(always)]
fn utf8_length(byte: u8) -> usize {
    match byte {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    }
}

impl ShingleSink for Vec<u64> {
    #[inline(always)]
    fn take(&mut self, shingles: &[u64]) {
        self.extend_from_slice(shingles);
    }
}

impl Shingler {
    /// A shingler of the hash scheme, with the fastest kernels that this processor has.
    #[must_use]
    pub fn new(spec: ShingleSpec) -> Self {
        Self::with_keys(spec, Keys::PUBLIC)
    }

    /// A shingler of another family of hashes, at the same speed.
    #[must_use]
    pub fn with_keys(spec: ShingleSpec, keys: Keys) -> Self {
        Self::with_set(spec, keys, InstructionSet::best())
    }

    pub(crate) fn with_set(spec: ShingleSpec, keys: Keys, set: InstructionSet) -> Self {
        Self { spec, set, buffers: Buffers::new(spec, keys), distinct: DistinctTable::default() }
    }

    /// How it cuts.
    #[must_use]
    pub fn spec(&self) -> ShingleSpec {
        self.spec
    }

    /// Cuts up to [`Window::MAX`] bytes of a text into shingles of words, as if they were all of it.
    pub(crate) fn window(&mut self, text: &str, out: &mut Window) {
        cut_window(self.set, &mut self.buffers, text, out);
    }

    /// Appends the hashes of the shingles of `text` to `out`, in text order, repetitions included; gives the number
    /// of words (or characters), of which a text with fewer than a shingle's has one shingle all the same.
    ///
    /// ```
    /// use thresher_core::{ShingleSpec, Shingler};
    /// let mut shingles = Vec::new();
    /// Shingler::new(ShingleSpec::default()).shingles_into("One, two, three, four, five, six.", &mut shingles);
    /// assert_eq!(shingles.len(), 2);
    /// ```
    pub fn shingles_into(&mut self, text: &str, out: &mut Vec<u64>) -> usize {
        collect(self.set, &mut self.buffers, text, out)
    }

    /// Hands the hashes of the shingles of `text` to `take`, in text order, repetitions included, some hundred or thousand at a
    /// time, so that none of a long text have to be held; gives the number of words (or characters).
    ///
    /// ```
    /// use thresher_core::{ShingleSpec, Shingler};
    /// let mut count = 0;
    /// Shingler::new(ShingleSpec::default()).each_part("One, two, three, four, five, six.", &mut |part| count += part.len());
    /// assert_eq!(count, 2);
    /// ```
    pub fn each_part(&mut self, text: &str, take: &mut dyn FnMut(&[u64])) -> usize {
        hand_out(self.set, &mut self.buffers, text, &mut Parts(take))
    }

    /// Appends the hashes of the distinct shingles of `text` to `out`, in the order in which the text first has each.
    ///
    /// ```
    /// use thresher_core::{ShingleSpec, Shingler};
    /// let mut shingles = Vec::new();
    /// Shingler::new(ShingleSpec::default()).distinct_into("a b c d e a b c d e a", &mut shingles);
    /// assert_eq!(shingles.len(), 5);
    /// ```
    pub fn distinct_into(&mut self, text: &str, out: &mut Vec<u64>) {
        let start = out.len();
        self.shingles_into(text, out);
        self.distinct.keep_first(out, start);
    }
}

/// Shingles go to a function, part by part.
struct Parts<'f>(&'f mut dyn FnMut(&[u64]));

impl ShingleSink for Parts<'_> {
    #[inline(always)]
    fn take(&mut self, shingles: &[u64]) {
        (self.0)(shingles);
    }
}

#[inline(always)]
fn hand_out_with<V: Vector>(buffers: &mut Buffers, text: &str, parts: &mut Parts<'_>) -> usize {
    buffers.shingles::<V, _>(text, parts)
}

multiversion! {
    fn hand_out(buffers: &mut Buffers, text: &str, parts: &mut Parts<'_>) -> usize = self::hand_out_with;
}

#[inline(always)]
fn collect_with<V: Vector>(buffers: &mut Buffers, text: &str, out: &mut Vec<u64>) -> usize {
    buffers.shingles::<V, _>(text, out)
}

multiversion! {
    fn collect(buffers: &mut Buffers, text: &str, out: &mut Vec<u64>) -> usize = self::collect_with;
}

#[inline(always)]
fn cut_window_with<V: Vector>(buffers: &mut Buffers, text: &str, out: &mut Window) {
    buffers.window::<V>(text, out);
}

multiversion! {
    fn cut_window(buffers: &mut Buffers, text: &str, out: &mut Window) = self::cut_window_with;
}

#[cfg(test)]
mod tests;
