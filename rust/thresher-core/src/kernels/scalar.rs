//! The portable twin: plain Rust, the definition that all others are held against.

use super::characters::{Characters, Leads, one_by_one};
use super::{BLOCK, Classes, PermutedLane, Vector};
use crate::text::pages::{Pages, Recent};

/// Plain Rust, one byte or number at a time.
pub(crate) struct Scalar;

impl Vector for Scalar {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        let mut classes = Classes { word: 0, non_ascii: 0 };
        for i in 0..BLOCK {
            // SAFETY: the caller vouches for 64 bytes on both sides.
            let byte = unsafe { *from.add(i) };
            // SAFETY: as above.
            unsafe { *to.add(i) = byte | (!byte >> 2 & 0x20) };
            classes.word |= u64::from(byte.is_ascii_alphanumeric()) << i;
            classes.non_ascii |= u64::from(byte >> 7) << i;
        }
        classes
    }

    #[inline(always)]
    unsafe fn expand(mut mask: u64, base: u16, mut to: *mut u16) {
        while mask != 0 {
            // SAFETY: the caller vouches for a place for each set bit, and a next one.
            unsafe {
                to.write(base + mask.trailing_zeros() as u16);
                to = to.add(1);
            }
            mask &= mask - 1;
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
        let mut leads = Leads::default();
        for i in 0..BLOCK {
            // SAFETY: the caller vouches for 64 bytes.
            let byte = unsafe { *from.add(i) };
            leads.all |= u64::from(byte >= 0xC0) << i;
            leads.of_four |= u64::from(byte >= 0xF0) << i;
        }
        // SAFETY: as the caller says.
        unsafe { one_by_one(pages, from, to, classes, leads) }
    }

    #[inline(always)]
    unsafe fn expand_both(starts: u64, ends: u64, base: u16, mut to: *mut u16) {
        let mut rest = starts | ends;
        while rest != 0 {
            let place = rest.trailing_zeros();
            // SAFETY: the caller vouches for a place for each set bit, and for the next ones.
            unsafe {
                // Whether one or both, the place is written twice, and the number of bits counts.
                to.cast::<[u16; 2]>().write_unaligned([base + place as u16; 2]);
                to = to.add((starts >> place & 1) as usize + (ends >> place & 1) as usize);
            }
            rest &= rest - 1;
        }
    }

    #[inline(always)]
    unsafe fn lower(lanes: &mut [PermutedLane], shingles: &[u64]) {
        for lane in lanes {
            let permuted = shingles.iter().map(|&x| (x as u32).wrapping_mul(lane.a).wrapping_add(lane.b));
            lane.least = permuted.fold(lane.least, u32::min);
        }
    }
}
