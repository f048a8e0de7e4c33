//! The bytes at which a look is worth while, one bit a byte, found 64 at a time.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// The bytes of a block, the first one in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Triggers {
    /// Digits.
    pub(super) digits: u64,
    /// `@`, `:` and `-`.
    pub(super) marks: u64,
}

impl Triggers {
    /// Of the bytes from `at` on; behind the end of the text there are none.
    #[inline]
    pub(super) fn of(bytes: &[u8], at: usize) -> Self {
        let rest = &bytes[at..];
        if let Some(block) = rest.first_chunk() {
            return classify(block);
        }
        let mut block = [b' '; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        classify(&block)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> Triggers {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { sse2(block) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> Triggers {
    portable(block)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2(block: &[u8; BLOCK]) -> Triggers {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_sub_epi8,
    };
    let mut found = Triggers::default();
    for (number, part) in block.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: a part holds 16 bytes.
        let bytes = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
        let from_zero = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
        let digits = _mm_cmpeq_epi8(_mm_min_epu8(from_zero, _mm_set1_epi8(9)), from_zero);
        let is = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
        let marks = _mm_or_si128(_mm_or_si128(is(b'@'), is(b':')), is(b'-'));
        found.digits |= u64::from(_mm_movemask_epi8(digits) as u16) << (16 * number);
        found.marks |= u64::from(_mm_movemask_epi8(marks) as u16) << (16 * number);
    }
    found
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable(block: &[u8; BLOCK]) -> Triggers {
    let mut found = Triggers::default();
    for (place, byte) in block.iter().enumerate() {
        found.digits |= u64::from(byte.is_ascii_digit()) << place;
        found.marks |= u64::from(matches!(byte, b'@' | b':' | b'-')) << place;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_find_what_a_loop_finds(block in prop::array::uniform32(any::<u8>()), dense in any::<bool>()) {
            let mut bytes = [0; BLOCK];
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = block[place % 32].wrapping_add(place as u8);
                if dense {
                    *byte = b"/0189:;@-A"[usize::from(*byte) % 10];
                }
            }
            prop_assert_eq!(classify(&bytes), portable(&bytes));
        }
    }
}
