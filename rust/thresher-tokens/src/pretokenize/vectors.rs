//! The classes of 64 bytes of ASCII, by the vectors of each instruction set, and the choice among them.
//!
//! What cuts a text is compiled once for each set, with all that its pre-tokens are handed to: the masks of a window are worked on
//! bit by bit, for which newer processors have instructions too.

use super::blocks::{Masks, WINDOW};

/// An instruction set.
pub(super) trait Vectors {
    /// The classes of 64 bytes, as far as ASCII tells them.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn masks(window: &[u8; WINDOW]) -> Masks;
}

/// The sets that this processor may have, the slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// What every processor has.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Set {
    /// The fastest that this processor has.
    #[inline]
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
        {
            let is_wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            return if is_wide { Self::Avx512 } else { Self::Avx2 };
        }
        Self::Plain
    }
}

/// SSE2 where there is one, else byte by byte.
pub(super) struct Plain;

#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2;

#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

/// What `equal` and `within` (first byte, number of bytes) say of 64 bytes, as masks.
macro_rules! masks {
    ($equal:expr, $within:expr, $letters:expr, $beyond:expr) => {{
        let (equal, within) = ($equal, $within);
        let (letters, capitals) = ($letters, within(b'A', 26));
        let blanks = equal(b' ');
        Masks {
            letters,
            capitals,
            lower: letters & !capitals,
            numbers: within(b'0', 10),
            blanks,
            spaces: within(b'\t', 5) | blanks,
            breaks: equal(b'\n') | equal(b'\r'),
            apostrophes: equal(b'\''),
            slashes: equal(b'/'),
            beyond: $beyond,
            inner: within(0x80, 64),
        }
    }};
}

impl Vectors for Plain {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn masks(window: &[u8; WINDOW]) -> Masks {
        use std::arch::x86_64::{
            __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8,
            _mm_or_si128, _mm_set1_epi8,
        };
        // SAFETY: 64 bytes are read, by SSE2, which is part of x86-64.
        unsafe {
            let from = window.as_ptr().cast::<__m128i>();
            let parts: [__m128i; 4] = std::array::from_fn(|at| _mm_loadu_si128(from.add(at)));
            let of_each = |is: &dyn Fn(__m128i) -> __m128i| {
                let bits = |at: usize| u64::from(_mm_movemask_epi8(is(parts[at])) as u16) << (16 * at);
                bits(0) | bits(1) | bits(2) | bits(3)
            };
            // A range of bytes is moved to the lowest signed numbers, and then is what lies below a bound.
            let is_within = |bytes: __m128i, first: u8, count: u8| {
                let moved = _mm_add_epi8(bytes, _mm_set1_epi8(0x80_u8.wrapping_sub(first) as i8));
                _mm_cmplt_epi8(moved, _mm_set1_epi8(0x80_u8.wrapping_add(count) as i8))
            };
            masks!(
                |byte: u8| of_each(&|bytes| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))),
                |first: u8, count: u8| of_each(&|bytes| is_within(bytes, first, count)),
                of_each(&|bytes| is_within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), b'a', 26)),
                of_each(&|bytes| bytes)
            )
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    unsafe fn masks(window: &[u8; WINDOW]) -> Masks {
        byte_by_byte(window)
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for Avx2 {
    #[inline(always)]
    unsafe fn masks(window: &[u8; WINDOW]) -> Masks {
        use std::arch::x86_64::{
            __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256,
            _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
        };
        // SAFETY: 64 bytes are read; the processor has the instruction set.
        unsafe {
            let from = window.as_ptr().cast::<__m256i>();
            let (low, high) = (_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1)));
            let of_both = |is: &dyn Fn(__m256i) -> __m256i| {
                let bits = |bytes| u64::from(_mm256_movemask_epi8(is(bytes)) as u32);
                bits(low) | bits(high) << 32
            };
            let is_within = |bytes: __m256i, first: u8, count: u8| {
                let moved = _mm256_add_epi8(bytes, _mm256_set1_epi8(0x80_u8.wrapping_sub(first) as i8));
                _mm256_cmpgt_epi8(_mm256_set1_epi8(0x80_u8.wrapping_add(count) as i8), moved)
            };
            masks!(
                |byte: u8| of_both(&|bytes| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))),
                |first: u8, count: u8| of_both(&|bytes| is_within(bytes, first, count)),
                of_both(&|bytes| is_within(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'a', 26)),
                of_both(&|bytes| bytes)
            )
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for Avx512 {
    #[inline(always)]
    unsafe fn masks(window: &[u8; WINDOW]) -> Masks {
        use std::arch::x86_64::{
            __m512i, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_movepi8_mask,
            _mm512_or_si512, _mm512_set1_epi8, _mm512_sub_epi8,
        };
        // SAFETY: 64 bytes are read; the processor has the instruction set.
        unsafe {
            let bytes = _mm512_loadu_si512(window.as_ptr().cast::<__m512i>());
            let within = |bytes, first: u8, count: u8| {
                let moved = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
                _mm512_cmplt_epu8_mask(moved, _mm512_set1_epi8(count as i8))
            };
            masks!(
                |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8)),
                |first: u8, count: u8| within(bytes, first, count),
                within(_mm512_or_si512(bytes, _mm512_set1_epi8(0x20)), b'a', 26),
                _mm512_movepi8_mask(bytes)
            )
        }
    }
}

/// The same without vectors.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn byte_by_byte(window: &[u8; WINDOW]) -> Masks {
    let of_each = |is: &dyn Fn(u8) -> bool| {
        window.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u64::from(is(byte)) << at)
    };
    masks!(
        |wanted: u8| of_each(&|byte| byte == wanted),
        |first: u8, count: u8| of_each(&|byte| byte.wrapping_sub(first) < count),
        of_each(&|byte| byte.is_ascii_alphabetic()),
        of_each(&|byte| byte >= 0x80)
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn masks_by_vectors_are_those_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), WINDOW)) {
            let window = bytes.first_chunk().unwrap();
            let wanted = byte_by_byte(window);
            // SAFETY: only sets that this processor has.
            unsafe {
                prop_assert_eq!(Plain::masks(window), wanted);
                #[cfg(target_arch = "x86_64")]
                if Set::best() != Set::Plain {
                    prop_assert_eq!(Avx2::masks(window), wanted);
                }
                #[cfg(target_arch = "x86_64")]
                if Set::best() == Set::Avx512 {
                    prop_assert_eq!(Avx512::masks(window), wanted);
                }
            }
        }
    }
}
