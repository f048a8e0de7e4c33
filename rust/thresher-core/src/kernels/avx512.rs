//! AVX-512: 64 bytes or sixteen numbers at a time, masks straight from the comparisons.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_min_epu32,
    _mm512_movepi8_mask, _mm512_mullo_epi32, _mm512_or_si512, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_storeu_si512, _mm512_sub_epi8,
};

use super::avx2::expand_by_table;
use super::{Classes, PermutedLane, Vector};

/// AVX-512 F, BW and VL.
pub(crate) struct Avx512;

impl Vector for Avx512 {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        // SAFETY: the caller vouches for 64 bytes on both sides and for AVX-512.
        unsafe {
            let bytes = _mm512_loadu_si512(from.cast());
            let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            _mm512_storeu_si512(to.cast(), lower);
            let from_a = _mm512_sub_epi8(lower, _mm512_set1_epi8(b'a' as i8));
            let from_0 = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b'0' as i8));
            let letter = _mm512_cmplt_epu8_mask(from_a, _mm512_set1_epi8(26));
            let digit = _mm512_cmplt_epu8_mask(from_0, _mm512_set1_epi8(10));
            Classes { word: letter | digit, non_ascii: _mm512_movepi8_mask(bytes) }
        }
    }

    #[inline(always)]
    unsafe fn expand(mask: u64, base: u16, to: *mut u16) {
        // SAFETY: the caller vouches for the places and the instruction set.
        unsafe { expand_by_table(mask, base, to) }
    }

    #[inline(always)]
    unsafe fn lower(lanes: &mut [PermutedLane], values: &[u32]) {
        for group in lanes.chunks_mut(64) {
            // SAFETY: the caller vouches for AVX-512; the number of vectors is that of the group.
            unsafe {
                match group.len().div_ceil(16) {
                    1 => lower_group::<1>(group, values),
                    2 => lower_group::<2>(group, values),
                    3 => lower_group::<3>(group, values),
                    _ => lower_group::<4>(group, values),
                }
            }
        }
    }
}

/// Up to `16 * N` lanes, side by side: a value is spread over a vector and permuted for all of them.
#[inline(always)]
unsafe fn lower_group<const N: usize>(lanes: &mut [PermutedLane], values: &[u32]) {
    let (mut a, mut b, mut least) = ([[0u32; 16]; N], [[0u32; 16]; N], [[u32::MAX; 16]; N]);
    for (place, lane) in lanes.iter().enumerate() {
        a[place / 16][place % 16] = lane.a;
        b[place / 16][place % 16] = lane.b;
        least[place / 16][place % 16] = lane.least;
    }
    // SAFETY: the caller vouches for AVX-512; an array of sixteen numbers is a vector.
    unsafe {
        let a: [__m512i; N] = std::mem::transmute_copy(&a);
        let b: [__m512i; N] = std::mem::transmute_copy(&b);
        let mut minima: [__m512i; N] = std::mem::transmute_copy(&least);
        for &value in values {
            let x = _mm512_set1_epi32(value as i32);
            let mut vector = 0;
            while vector < N {
                let permuted = _mm512_add_epi32(_mm512_mullo_epi32(x, a[vector]), b[vector]);
                minima[vector] = _mm512_min_epu32(minima[vector], permuted);
                vector += 1;
            }
        }
        least = std::mem::transmute_copy(&minima);
    }
    for (place, lane) in lanes.iter_mut().enumerate() {
        lane.least = least[place / 16][place % 16];
    }
}
