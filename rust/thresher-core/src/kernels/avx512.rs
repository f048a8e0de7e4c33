//! AVX-512: 64 bytes or sixteen numbers at a time, masks straight from the comparisons.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_cmpge_epu8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512,
    _mm512_maskz_set1_epi8, _mm512_min_epu32, _mm512_movepi8_mask, _mm512_mullo_epi32, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::avx2::expand_by_table;
use super::characters::{Characters, Leads, one_by_one};
use super::{Classes, PermutedLane, Scalar, Vector, lower_in_registers};
use crate::text::pages::{Pages, Recent};

/// AVX-512 F, BW and VL.
pub(crate) struct Avx512;

impl Vector for Avx512 {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        // SAFETY: the caller vouches for 64 bytes on both sides and for AVX-512.
        unsafe {
            let bytes = _mm512_loadu_si512(from.cast());
            let non_ascii = _mm512_movepi8_mask(bytes);
            let ascii = _mm512_maskz_set1_epi8(!non_ascii, 0x20);
            let lower = _mm512_or_si512(bytes, ascii);
            _mm512_storeu_si512(to.cast(), lower);
            let from_a = _mm512_sub_epi8(lower, _mm512_set1_epi8(b'a' as i8));
            let from_0 = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b'0' as i8));
            let letter = _mm512_cmplt_epu8_mask(from_a, _mm512_set1_epi8(26));
            let digit = _mm512_cmplt_epu8_mask(from_0, _mm512_set1_epi8(10));
            Classes { word: letter | digit, non_ascii }
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
            let bytes = _mm512_loadu_si512(from.cast());
            let above = |floor: u8| _mm512_cmpge_epu8_mask(bytes, _mm512_set1_epi8(floor as i8));
            one_by_one(pages, from, to, classes, Leads { all: above(0xC0), of_four: above(0xF0) })
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
        __m512i,
        16,
        _mm512_set1_epi32,
        _mm512_mullo_epi32,
        _mm512_add_epi32,
        _mm512_min_epu32
    );
}
