//! NEON: 16 bytes or four numbers at a time.

use std::arch::aarch64::{
    uint8x16_t, vaddv_u8, vandq_u8, vcgeq_u8, vcltq_u8, vcombine_u32, vdupq_n_u8, vdupq_n_u32, vget_high_u8,
    vget_low_u8, vld1q_u8, vld1q_u64, vminq_u32, vminvq_u32, vmlaq_u32, vmovn_u64, vorrq_u8, vst1q_u8,
    vsubq_u8,
};

use super::characters::{Characters, Leads, one_by_one};
use super::{Classes, PermutedLane, Scalar, Vector};
use crate::text::pages::{Pages, Recent};

/// The vector unit of every 64-bit ARM processor.
pub(crate) struct Neon;

/// One bit a byte: the weights of the eight bytes of each half are summed.
#[inline(always)]
unsafe fn mask(bytes: uint8x16_t) -> u64 {
    const WEIGHTS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: NEON is part of the baseline; the load is of the constant's 16 bytes.
    unsafe {
        let weighed = vandq_u8(bytes, vld1q_u8(WEIGHTS.as_ptr()));
        u64::from(vaddv_u8(vget_low_u8(weighed))) | u64::from(vaddv_u8(vget_high_u8(weighed))) << 8
    }
}

impl Vector for Neon {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        let mut classes = Classes { word: 0, non_ascii: 0 };
        for quarter in 0..4 {
            // SAFETY: the caller vouches for 64 bytes on both sides.
            unsafe {
                let bytes = vld1q_u8(from.add(16 * quarter));
                let ascii = vcltq_u8(bytes, vdupq_n_u8(0x80));
                let lower = vorrq_u8(bytes, vandq_u8(ascii, vdupq_n_u8(0x20)));
                vst1q_u8(to.add(16 * quarter), lower);
                let letter = vcltq_u8(vsubq_u8(lower, vdupq_n_u8(b'a')), vdupq_n_u8(26));
                let digit = vcltq_u8(vsubq_u8(bytes, vdupq_n_u8(b'0')), vdupq_n_u8(10));
                classes.word |= mask(vorrq_u8(letter, digit)) << (16 * quarter);
                classes.non_ascii |= mask(vcgeq_u8(bytes, vdupq_n_u8(0x80))) << (16 * quarter);
            }
        }
        classes
    }

    #[inline(always)]
    unsafe fn characters(
        pages: &Pages,
        _: &mut Recent,
        from: *const u8,
        to: *mut u8,
        classes: Classes,
    ) -> Characters {
        let mut leads = Leads::default();
        for quarter in 0..4 {
            // SAFETY: the caller vouches for 64 bytes.
            unsafe {
                let bytes = vld1q_u8(from.add(16 * quarter));
                leads.all |= mask(vcgeq_u8(bytes, vdupq_n_u8(0xC0))) << (16 * quarter);
                leads.of_four |= mask(vcgeq_u8(bytes, vdupq_n_u8(0xF0))) << (16 * quarter);
            }
        }
        // SAFETY: as the caller says.
        unsafe { one_by_one(pages, from, to, classes, leads) }
    }

    #[inline(always)]
    unsafe fn expand(mask: u64, base: u16, to: *mut u16) {
        // SAFETY: the caller vouches for the places.
        unsafe { Scalar::expand(mask, base, to) }
    }

    #[inline(always)]
    unsafe fn expand_both(starts: u64, ends: u64, base: u16, to: *mut u16) {
        // SAFETY: as the caller says.
        unsafe { Scalar::expand_both(starts, ends, base, to) }
    }

    #[inline(always)]
    unsafe fn lower(lanes: &mut [PermutedLane], shingles: &[u64]) {
        let (fours, rest) = shingles.as_chunks::<4>();
        for lane in &mut *lanes {
            // SAFETY: NEON is part of the baseline; every load is of the four numbers of one chunk.
            lane.least = unsafe {
                let (factor, offset) = (vdupq_n_u32(lane.a), vdupq_n_u32(lane.b));
                let mut least = vdupq_n_u32(lane.least);
                for four in fours {
                    let low = vmovn_u64(vld1q_u64(four.as_ptr()));
                    let x = vcombine_u32(low, vmovn_u64(vld1q_u64(four.as_ptr().add(2))));
                    least = vminq_u32(least, vmlaq_u32(offset, x, factor));
                }
                vminvq_u32(least)
            };
        }
        // SAFETY: plain Rust.
        unsafe { Scalar::lower(lanes, rest) };
    }
}
