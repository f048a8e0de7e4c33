//! AVX2: 32 bytes or eight numbers at a time.

use std::arch::x86_64::{
    __m256i, _mm_add_epi16, _mm_cvtepu8_epi16, _mm_cvtsi64_si128, _mm_set1_epi16, _mm_storeu_si128,
    _mm256_add_epi8, _mm256_add_epi32, _mm256_and_si256, _mm256_cmpgt_epi8, _mm256_loadu_si256,
    _mm256_min_epu32, _mm256_movemask_epi8, _mm256_mullo_epi32, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_set1_epi32, _mm256_storeu_si256,
};

use super::characters::{Characters, Leads, one_by_one};
use super::{Classes, PermutedLane, Scalar, Vector, lower_in_registers};
use crate::text::pages::{Pages, Recent};

/// AVX2 with the bit instructions that came with it.
pub(crate) struct Avx2;

/// Half a block: word mask and non-ASCII mask of 32 bytes.
#[inline(always)]
unsafe fn half(from: *const u8, to: *mut u8) -> (u32, u32) {
    // SAFETY: the caller vouches for 32 bytes on both sides and for AVX2.
    unsafe {
        let bytes = _mm256_loadu_si256(from.cast::<__m256i>());
        let ascii = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(-1));
        let lower = _mm256_or_si256(bytes, _mm256_and_si256(ascii, _mm256_set1_epi8(0x20)));
        _mm256_storeu_si256(to.cast::<__m256i>(), lower);
        // A signed add moves the range to the top of the signed bytes, where one comparison finds it.
        let letter = _mm256_cmpgt_epi8(
            _mm256_add_epi8(lower, _mm256_set1_epi8((127 - b'z') as i8)),
            _mm256_set1_epi8(127 - 26),
        );
        let digit = _mm256_cmpgt_epi8(
            _mm256_add_epi8(bytes, _mm256_set1_epi8((127 - b'9') as i8)),
            _mm256_set1_epi8(127 - 10),
        );
        let word = _mm256_movemask_epi8(_mm256_or_si256(letter, digit)) as u32;
        (word, _mm256_movemask_epi8(bytes) as u32)
    }
}

/// The bytes of a block, as signed ones, that are above `floor` and below zero.
#[inline(always)]
unsafe fn above(from: *const u8, floor: i8) -> u64 {
    // SAFETY: the caller vouches for 64 bytes and for AVX2.
    unsafe {
        let half = |at: usize| {
            let bytes = _mm256_loadu_si256(from.add(at).cast::<__m256i>());
            let above = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(floor));
            u64::from((_mm256_movemask_epi8(above) & _mm256_movemask_epi8(bytes)) as u32)
        };
        half(0) | half(32) << 32
    }
}

/// For each byte, the places of its set bits, lowest first, a byte each.
static PLACES: [u64; 256] = {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut shift) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte] |= bit << shift;
                shift += 8;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Eight table look-ups and no branch, however the bits are spread (as in Lemire's and Langdale's simdjson, 2019).
#[inline(always)]
pub(super) unsafe fn expand_by_table(mask: u64, base: u16, to: *mut u16) {
    let mut step = 0;
    while step < 8 {
        let shift = 8 * step;
        let before = (mask & ((1u64 << shift) - 1)).count_ones() as usize;
        // SAFETY: a byte is a valid index; the caller vouches for eight places from each bit's on, and for AVX2.
        unsafe {
            let places = _mm_cvtsi64_si128(PLACES[(mask >> shift & 0xFF) as usize] as i64);
            let offset = _mm_set1_epi16((base + shift as u16) as i16);
            let numbers = _mm_add_epi16(_mm_cvtepu8_epi16(places), offset);
            _mm_storeu_si128(to.add(before).cast(), numbers);
        }
        step += 1;
    }
}

impl Vector for Avx2 {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        // SAFETY: the caller vouches for 64 bytes on both sides and for AVX2.
        unsafe {
            let (word_lo, wide_lo) = half(from, to);
            let (word_hi, wide_hi) = half(from.add(32), to.add(32));
            Classes {
                word: u64::from(word_lo) | u64::from(word_hi) << 32,
                non_ascii: u64::from(wide_lo) | u64::from(wide_hi) << 32,
            }
        }
    }

    #[inline(always)]
    unsafe fn characters(
        pages: &Pages,
        _: &mut Recent,
        from: *const u8,
        to: *mut u8,
        classes: Classes,
    ) -> Characters {
        // SAFETY: as the caller says.
        unsafe {
            let leads = Leads { all: above(from, 0xBFu8 as i8), of_four: above(from, 0xEFu8 as i8) };
            one_by_one(pages, from, to, classes, leads)
        }
    }

    #[inline(always)]
    unsafe fn expand(mask: u64, base: u16, to: *mut u16) {
        // SAFETY: the caller vouches for the places and the instruction set.
        unsafe { expand_by_table(mask, base, to) }
    }

    #[inline(always)]
    unsafe fn expand_both(starts: u64, ends: u64, base: u16, to: *mut u16) {
        // SAFETY: as the caller says.
        unsafe { Scalar::expand_both(starts, ends, base, to) }
    }

    lower_in_registers!(
        __m256i,
        8,
        _mm256_set1_epi32,
        _mm256_mullo_epi32,
        _mm256_add_epi32,
        _mm256_min_epu32
    );
}
