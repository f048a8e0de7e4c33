//! Where pre-tokens begin in 64 bytes of ASCII, all at once: a byte is a bit, a class a mask, and the alternatives of a pattern
//! are shifts of masks.
//!
//! ```text
//! text    He said,  "it's\n          a window begins where a pre-token does, so nothing before it matters:
//! letters ##.####....##.#..          a pattern never looks back
//! spaces  ..#.....##......#
//! starts  #.#....###.#.#..#          masks shifted by one tell what stands before and behind
//! ```
//!
//! A start is given only if the bytes of the window decide it; the next window begins at the last one. Patterns whose words are told by
//! case are left to the scanner, and so is what is not ASCII.

use super::pattern::{Contractions, Letters, Meant, Numbers, Pattern, Tail};

/// Bytes of a window.
pub(crate) const WINDOW: usize = 64;

/// The classes of 64 bytes, the first byte in the lowest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    letters: u64,
    numbers: u64,
    /// All white space of ASCII.
    spaces: u64,
    blanks: u64,
    breaks: u64,
    apostrophes: u64,
    /// Bytes of other characters than those of ASCII.
    pub(crate) beyond: u64,
}

impl Masks {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn of(window: &[u8; WINDOW]) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { Self::sse2(window) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "sse2")]
    #[inline]
    fn sse2(window: &[u8; WINDOW]) -> Self {
        use std::arch::x86_64::{
            __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128,
            _mm_set_epi64x, _mm_set1_epi8,
        };
        let mut masks = Self::NONE;
        // A range of bytes is moved to the lowest signed numbers, and then is what lies below a bound.
        let within = |bytes: __m128i, first: u8, count: u8| {
            let moved = _mm_add_epi8(bytes, _mm_set1_epi8(0x80_u8.wrapping_sub(first) as i8));
            _mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8(0x80_u8.wrapping_add(count) as i8))) as u16
        };
        let equal = |bytes: __m128i, byte: u8| {
            _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))) as u16
        };
        for (at, chunk) in window.as_chunks::<16>().0.iter().enumerate() {
            let chunk = u128::from_le_bytes(*chunk);
            let bytes = _mm_set_epi64x((chunk >> 64) as i64, chunk as i64);
            let put = |mask: &mut u64, bits: u16| *mask |= u64::from(bits) << (16 * at);
            put(&mut masks.letters, within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), b'a', 26));
            put(&mut masks.numbers, within(bytes, b'0', 10));
            put(&mut masks.spaces, within(bytes, b'\t', 5));
            put(&mut masks.blanks, equal(bytes, b' '));
            put(&mut masks.breaks, equal(bytes, b'\n') | equal(bytes, b'\r'));
            put(&mut masks.apostrophes, equal(bytes, b'\''));
            put(&mut masks.beyond, _mm_movemask_epi8(bytes) as u16);
        }
        masks.spaces |= masks.blanks;
        masks
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn of(window: &[u8; WINDOW]) -> Self {
        Self::one_by_one(window)
    }

    /// The same, byte by byte.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    fn one_by_one(window: &[u8; WINDOW]) -> Self {
        let mut masks = Self::NONE;
        for (at, &byte) in window.iter().enumerate() {
            let put = |mask: &mut u64, is: bool| *mask |= u64::from(is) << at;
            put(&mut masks.letters, byte.is_ascii_alphabetic());
            put(&mut masks.numbers, byte.is_ascii_digit());
            put(&mut masks.spaces, matches!(byte, b'\t'..=b'\r' | b' '));
            put(&mut masks.blanks, byte == b' ');
            put(&mut masks.breaks, byte == b'\n' || byte == b'\r');
            put(&mut masks.apostrophes, byte == b'\'');
            put(&mut masks.beyond, byte >= 0x80);
        }
        masks
    }

    const NONE: Self =
        Self { letters: 0, numbers: 0, spaces: 0, blanks: 0, breaks: 0, apostrophes: 0, beyond: 0 };
}

/// Of a run its first bit.
#[inline(always)]
fn firsts(runs: u64) -> u64 {
    runs & !(runs << 1)
}

/// The lowest `count` bits.
#[inline(always)]
fn lowest(count: u32) -> u64 {
    if count >= 64 { !0 } else { (1 << count) - 1 }
}

/// What `runs` has from each of `seeds` on, which are bits of it, to the end of the run.
#[inline(always)]
fn flood(seeds: u64, runs: u64) -> u64 {
    (runs.wrapping_add(seeds) ^ runs) & runs
}

impl Pattern {
    /// Whether [`Pattern::starts`] can be asked.
    pub(crate) fn has_blocks(&self) -> bool {
        let letters = matches!(self.letters, Letters::Spaced | Letters::Prefixed);
        letters && self.others.meant == Meant::All && self.others.tail != Tail::BreaksAndSlashes
    }

    /// Where pre-tokens begin behind the first byte of `window`, at which one begins, as far as its first `limit` bytes
    /// decide it; these are ASCII, and at least 2.
    #[inline(always)]
    pub(crate) fn starts(&self, window: &[u8; WINDOW], masks: &Masks, limit: u32) -> u64 {
        let inside = lowest(limit);
        let Masks { letters, numbers, spaces, blanks, breaks, .. } = *masks;
        let others = !(letters | numbers | spaces) & inside;
        // A blank before other characters begins their pre-token, whatever the pattern.
        let other_starts = firsts(others) & !(blanks << 1);
        let mut known = lowest(limit - 1);

        // White space: what a pre-token of other characters takes, what ends in a line break, what is left; of that the last
        // character stands alone, or begins what follows.
        let (mut spaces_left, mut tails) = (spaces & inside, spaces & inside);
        if self.breaks || self.others.tail != Tail::No {
            let breaks = breaks & inside;
            if breaks != 0 {
                if self.others.tail != Tail::No {
                    spaces_left &= !flood(breaks & (others << 1), breaks);
                }
                tails = spaces_left;
                if self.breaks {
                    let soft = spaces_left & !breaks;
                    let ends = soft & !(spaces_left >> 1);
                    tails = flood(ends.reverse_bits(), soft.reverse_bits()).reverse_bits();
                }
            }
            // Of white space that goes on behind the window only the start is known.
            if spaces & (1 << (limit - 1)) != 0 {
                let run = (spaces << (64 - limit)).leading_ones();
                let before = lowest(limit - run);
                let start = firsts(spaces_left) & !before;
                known &= before | start & start.wrapping_neg();
            }
        }
        let space_starts = firsts(spaces_left) | firsts(tails) | tails & !(spaces >> 1);

        let mut starts = other_starts | space_starts;
        let prefixes = if self.letters == Letters::Spaced {
            blanks
        } else {
            spaces & !breaks | other_starts & !(others >> 1)
        };
        starts |= firsts(letters) & !(prefixes << 1);
        match self.numbers {
            Numbers::Spaced => starts |= firsts(numbers) & !(blanks << 1),
            Numbers::UpTo(1) => starts |= numbers,
            Numbers::UpTo(most) => {
                let mut groups = firsts(numbers);
                if most < 64 {
                    // Bits that `most` digits stand before.
                    let mut full = numbers;
                    for back in 1..=most {
                        full &= numbers << back;
                    }
                    let mut next = groups << most & full;
                    while next != 0 {
                        groups |= next;
                        next = next << most & full;
                    }
                }
                starts |= groups;
            }
            Numbers::No => {}
        }
        if self.contractions != Contractions::No {
            let mut found = masks.apostrophes & other_starts & lowest(limit - 1);
            while found != 0 {
                let at = found.trailing_zeros();
                found &= found - 1;
                let len = contraction(window, at as usize, self.contractions == Contractions::AnyCase);
                if len > 0 {
                    starts &= !(2 << at);
                    starts |= (2 << at) << len;
                }
            }
        }
        starts & known & !1
    }
}

/// How many letters make the apostrophe at `at` a contraction; 0 if none do.
#[inline(always)]
fn contraction(window: &[u8; WINDOW], at: usize, any_case: bool) -> u32 {
    let letter = |place: usize| {
        let byte = window.get(place).copied().unwrap_or(0);
        if any_case { byte | 0x20 } else { byte }
    };
    match (letter(at + 1), letter(at + 2)) {
        (b's' | b't' | b'm' | b'd', _) => 1,
        (b'r' | b'v', b'e') | (b'l', b'l') => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn masks_by_vectors_are_those_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), WINDOW)) {
            let window = bytes.first_chunk().unwrap();
            prop_assert_eq!(Masks::of(window), Masks::one_by_one(window));
        }
    }
}
