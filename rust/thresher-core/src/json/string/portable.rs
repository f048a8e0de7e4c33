//! Masks by 64-bit words, on any processor.

use super::{BLOCK, ESCAPES, Escaped, Specials};

const LOW: u64 = 0x0101_0101_0101_0101;

#[inline(always)]
pub(super) fn specials(block: &[u8; BLOCK]) -> Specials {
    let mut found = Specials { quote: 0, backslash: 0, control: 0 };
    for (index, word) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let shift = index * 8;
        found.quote |= zeros(word ^ (LOW * b'"' as u64)) << shift;
        found.backslash |= zeros(word ^ (LOW * b'\\' as u64)) << shift;
        found.control |= zeros(word & (LOW * 0xe0)) << shift;
    }
    found
}

/// One bit for each zero byte, the lowest byte first.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    const REST: u64 = LOW * 0x7f;
    // The top bit of a byte is set if any of its bits is; the sum never carries into the next byte.
    let nonzero = ((word & REST) + REST) | word;
    let zero = (!nonzero & !REST) >> 7;
    // The product moves bit 8*i to bit 56+i, and no two terms meet.
    zero.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
pub(super) fn escaped(block: &[u8; BLOCK], escaped: u64) -> Escaped {
    let mut found = Escaped { bad: 0, unicode: 0 };
    let mut rest = escaped;
    while rest != 0 {
        let bit = rest & rest.wrapping_neg();
        let letter = block[rest.trailing_zeros() as usize];
        if letter == b'u' {
            found.unicode |= bit;
        } else if ESCAPES[letter as usize] == 0 {
            found.bad |= bit;
        }
        rest ^= bit;
    }
    found
}
