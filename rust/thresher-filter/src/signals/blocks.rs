//! What 64 bytes of a text are, one bit a byte, without a branch for each.
//!
//! Of ASCII the bits come from a few vector instructions on x86-64, and from a loop elsewhere. Characters of several bytes
//! are looked up one by one: a blank one sets the bits of all its bytes, any other one that of its first.

use super::classes;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// The bytes of a block, the first one in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// Of a blank character, or behind the end of the text.
    pub(crate) blank: u64,
    /// The first one of a letter.
    pub(crate) alpha: u64,
    /// The first one of a character that is no symbol.
    pub(crate) plain: u64,
    /// Not the first one of its character.
    pub(crate) inner: u64,
}

/// Reads a text by blocks.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    text: &'a str,
    at: usize,
    /// Bytes of a blank character that the last block began.
    spilt: u32,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, spilt: 0 }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Masks;

    #[inline]
    fn next(&mut self) -> Option<Masks> {
        let bytes = self.text.as_bytes();
        let rest = bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (mut masks, non_ascii) = if let Some(block) = rest.first_chunk() {
            classify(block)
        } else {
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            classify(&block)
        };
        if non_ascii != 0 {
            self.look_up(&mut masks, non_ascii);
        }
        self.at += BLOCK;
        Some(masks)
    }
}

impl Blocks<'_> {
    fn look_up(&mut self, masks: &mut Masks, non_ascii: u64) {
        masks.blank |= (1 << self.spilt) - 1;
        self.spilt = 0;
        let mut leads = non_ascii & !masks.inner;
        while leads != 0 {
            let place = leads.trailing_zeros();
            leads &= leads - 1;
            let rest = self.text.get(self.at + place as usize..).unwrap_or_default();
            let Some(c) = rest.chars().next() else { continue };
            let class = classes::class(c);
            if class & classes::BLANK != 0 {
                let bytes = (1u64 << c.len_utf8()) - 1;
                masks.blank |= bytes << place;
                self.spilt = (place + c.len_utf8() as u32).saturating_sub(BLOCK as u32);
            }
            masks.alpha |= u64::from(class & classes::ALPHA != 0) << place;
            masks.plain |= u64::from(class & classes::PLAIN != 0) << place;
        }
    }
}

/// The masks of a block as far as ASCII goes, and which bytes are beyond it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> (Masks, u64) {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { sse2(block) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> (Masks, u64) {
    portable(block)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2(block: &[u8; BLOCK]) -> (Masks, u64) {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8, _mm_sub_epi8,
    };
    // Whether each byte is one of the `count` from `first` on.
    let within = |bytes: __m128i, first: u8, count: u8| {
        let from_first = _mm_sub_epi8(bytes, _mm_set1_epi8(first as i8));
        _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(count as i8 - 1)), from_first)
    };
    let mut masks = Masks::default();
    let mut non_ascii = 0;
    for (number, part) in block.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: a part holds 16 bytes.
        let bytes = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
        let bits = |mask: __m128i| u64::from(_mm_movemask_epi8(mask) as u16) << (16 * number);
        let blank = _mm_or_si128(within(bytes, b'\t', 5), within(bytes, 0x1C, 5));
        let alpha = within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), b'a', 26);
        masks.blank |= bits(blank);
        masks.alpha |= bits(alpha);
        masks.plain |= bits(_mm_or_si128(alpha, within(bytes, b'0', 10)));
        masks.inner |= bits(within(bytes, 0x80, 0x40));
        non_ascii |= bits(bytes);
    }
    (masks, non_ascii)
}

/// The same, a byte at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable(block: &[u8; BLOCK]) -> (Masks, u64) {
    let mut masks = Masks::default();
    let mut non_ascii = 0;
    for (place, &byte) in block.iter().enumerate() {
        masks.blank |= u64::from(matches!(byte, b'\t'..=b'\r' | 0x1C..=b' ')) << place;
        masks.alpha |= u64::from(byte.is_ascii_alphabetic()) << place;
        masks.plain |= u64::from(byte.is_ascii_alphanumeric()) << place;
        masks.inner |= u64::from(byte & 0xC0 == 0x80) << place;
        non_ascii |= u64::from(!byte.is_ascii()) << place;
    }
    (masks, non_ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_classify_like_the_loop(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let block: &[u8; BLOCK] = bytes.first_chunk().unwrap();
            prop_assert_eq!(classify(block), portable(block));
        }

        #[test]
        fn blocks_say_of_each_character_what_its_classes_are(text in "[a-c \u{a0}\u{85}\u{3000}\u{2028}é数।🌾#.\n\u{0}]{0,300}") {
            let masks: Vec<Masks> = Blocks::new(&text).collect();
            prop_assert_eq!(masks.len(), text.len().div_ceil(BLOCK));
            let bit = |mask: fn(&Masks) -> u64, at: usize| mask(&masks[at / BLOCK]) >> (at % BLOCK) & 1 == 1;
            for (at, c) in text.char_indices() {
                let class = classes::class(c);
                for byte in at..at + c.len_utf8() {
                    prop_assert_eq!(bit(|masks| masks.blank, byte), class & classes::BLANK != 0);
                    prop_assert_eq!(bit(|masks| masks.inner, byte), byte > at);
                }
                if class & classes::BLANK == 0 {
                    prop_assert_eq!(bit(|masks| masks.alpha, at), class & classes::ALPHA != 0);
                    prop_assert_eq!(bit(|masks| masks.plain, at), class & classes::PLAIN != 0);
                }
            }
            for at in text.len()..masks.len() * BLOCK {
                prop_assert!(bit(|masks| masks.blank, at));
            }
        }
    }
}
