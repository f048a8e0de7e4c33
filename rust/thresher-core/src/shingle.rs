//! Documents to shingle hashes, in one pass and without building a single n-gram.
//!
//! Each word (or character) is hashed once, to 64 bits. A shingle of `n` of them is the polynomial
//! `w1*K^(n-1) + ... + wn` modulo 2^64, which rolls: `P' = P*K + new - old*K^n`, so a shingle costs the same for
//! every `n`. A last mixing step makes all its bits usable (Karp and Rabin 1987 for the rolling form; the words
//! are hashed well before, so nothing is lost modulo a power of two).
//!
//! A document with fewer than `n` words has one shingle: all its words. One without a word has none.
//! Time O(bytes), memory one chunk.

use crate::hash::{K2, finish_shingle, word_hash, word_hash_from, word_step};
use crate::kernels::{InstructionSet, Vector, multiversion};
use crate::params::{ShingleSpec, ShingleUnit};
use crate::text::scan::{CHUNK, Scanner};

/// Takes the shingles of a document, in text order, repetitions included.
pub(crate) trait ShingleSink {
    /// Makes room: at most `more` shingles come before the next call.
    fn reserve(&mut self, more: usize);

    /// One shingle.
    ///
    /// # Safety
    /// `reserve` was called for it.
    unsafe fn take(&mut self, shingle: u64);
}

/// Cuts documents into shingles. Holds the buffers of one thread.
#[derive(Debug)]
pub struct Shingler {
    spec: ShingleSpec,
    set: InstructionSet,
    pub(crate) buffers: Buffers,
}

/// Scanner and item hashes of one thread.
#[derive(Debug)]
pub(crate) struct Buffers {
    scanner: Scanner,
    unit: ShingleUnit,
    ngram: usize,
    /// `K2^ngram`, by which the oldest item leaves the polynomial.
    leave: u64,
    /// The last `ngram` items of the chunk before (zeros at the start), then those of this one.
    items: Box<[u64]>,
    /// Hash of each ASCII character, for `unit = char`.
    ascii: Box<[u64; 128]>,
}

impl Buffers {
    pub(crate) fn new(spec: ShingleSpec) -> Self {
        Self {
            scanner: Scanner::new(),
            unit: spec.unit(),
            ngram: spec.ngram(),
            leave: (0..spec.ngram()).fold(1, |power: u64, _| power.wrapping_mul(K2)),
            items: vec![0; spec.ngram() + 2 * CHUNK].into_boxed_slice(),
            ascii: Box::new(std::array::from_fn(|c| word_hash(&[c as u8]))),
        }
    }

    /// Hashes the complete words of the chunk into `items`; gives their number.
    #[inline(always)]
    fn hash_words(&mut self) -> usize {
        let words = self.scanner.words();
        let lower = self.scanner.lower();
        let items = &mut self.items[self.ngram..][..words.len()];
        for (&[start, end], item) in words.iter().zip(&mut *items) {
            let (start, end) = (usize::from(start), usize::from(end));
            let length = end - start;
            *item = if length <= 16 {
                // SAFETY: words end within the first `CHUNK + 64` bytes of `lower`, 64 before its end.
                let both = unsafe { lower.as_ptr().add(start).cast::<[u64; 2]>().read_unaligned() };
                let [mask_lo, mask_hi] = MASKS[length];
                word_step(0, u64::from_le(both[0]) & mask_lo, u64::from_le(both[1]) & mask_hi)
            } else {
                word_hash_from(0, &lower[start..end])
            };
        }
        // The first word may have begun in an earlier chunk.
        if let (Some(item), &[[start, end], ..], 1..) = (items.first_mut(), words, self.scanner.front) {
            *item = word_hash_from(self.scanner.front, &lower[usize::from(start)..usize::from(end)]);
        }
        words.len()
    }

    /// Hashes the characters of the chunk into `items`; gives their number.
    #[inline(always)]
    fn hash_chars(&mut self, gap: &mut CharGap) -> usize {
        let lower = self.scanner.lower();
        let items = &mut self.items[self.ngram..];
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
                    None => word_hash(&lower[at..at + length]),
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
        self.items[..self.ngram].fill(0);
        let mut gap = CharGap::default();
        let (mut at, mut total, mut polynomial) = (0, 0usize, 0u64);
        while at < text.len() {
            at = self.scanner.fill::<V>(text, at);
            let count = match self.unit {
                ShingleUnit::Word => self.hash_words(),
                ShingleUnit::Char => self.hash_chars(&mut gap),
            };
            polynomial = self.roll(polynomial, count, (self.ngram - 1).saturating_sub(total), sink);
            total += count;
            self.items.copy_within(count..count + self.ngram, 0);
            match self.unit {
                ShingleUnit::Word => self.scanner.carry(),
                ShingleUnit::Char => self.scanner.carry_nothing(),
            }
        }
        if total > 0 && total < self.ngram {
            sink.reserve(1);
            // SAFETY: once.
            unsafe { sink.take(finish_shingle(polynomial)) };
        }
        total
    }

    /// Hands the shingles that end in each of the first `count` items, but for `incomplete` ones, to `sink`.
    #[inline(always)]
    fn roll<S: ShingleSink>(
        &self,
        mut polynomial: u64,
        count: usize,
        incomplete: usize,
        sink: &mut S,
    ) -> u64 {
        let (old, new) = (&self.items[..count], &self.items[self.ngram..self.ngram + count]);
        let incomplete = incomplete.min(count);
        let leave = self.leave;
        sink.reserve(count);
        let mut roll = |old: u64, new: u64| {
            polynomial = polynomial.wrapping_mul(K2).wrapping_add(new.wrapping_sub(old.wrapping_mul(leave)));
            polynomial
        };
        for (&old, &new) in old[..incomplete].iter().zip(new) {
            roll(old, new);
        }
        for (&old, &new) in old[incomplete..].iter().zip(&new[incomplete..]) {
            // SAFETY: at most `count` times.
            unsafe { sink.take(finish_shingle(roll(old, new))) };
        }
        polynomial
    }

    /// The shingles of words that lie in `window` as a whole, and where each word ends.
    #[inline(always)]
    fn window<V: Vector>(&mut self, window: &str, out: &mut Window) {
        self.scanner.fill_tracked::<V>(window, &mut out.word_ends);
        self.scanner.front = 0;
        let count = self.hash_words();
        self.items[..self.ngram].fill(0);
        out.shingles.clear();
        self.roll(0, count, self.ngram - 1, &mut out.shingles);
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
    fn reserve(&mut self, more: usize) {
        Self::reserve(self, more);
    }

    #[inline(always)]
    unsafe fn take(&mut self, shingle: u64) {
        let length = self.len();
        // SAFETY: the caller reserved the place, which is then initialised.
        unsafe {
            self.as_mut_ptr().add(length).write(shingle);
            self.set_len(length + 1);
        }
    }
}

impl Shingler {
    /// A shingler with the fastest kernels that this processor has.
    #[must_use]
    pub fn new(spec: ShingleSpec) -> Self {
        Self::with_set(spec, InstructionSet::best())
    }

    pub(crate) fn with_set(spec: ShingleSpec, set: InstructionSet) -> Self {
        Self { spec, set, buffers: Buffers::new(spec) }
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
