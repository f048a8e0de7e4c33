//! The hash of whole texts, XXH3-128, by which exact duplicates are found.
//!
//! The `xxhash-rust` crate chooses its vectors when it is compiled, so a portable build would hash with SSE2. Texts longer
//! than 240 bytes are hashed here instead, by the kernels that the processor has; the short ones are left to the crate.
//! The method and the constants are those of the XXH3 specification (Collet, xxHash 0.8, `doc/xxhash_spec.md`).

pub(crate) mod keyed;

use xxhash_rust::xxh3::xxh3_128;

use crate::kernels::{InstructionSet, Vector, multiversion};
pub use keyed::TextHasher;

/// Up to here a text is hashed by other steps.
const SHORT: usize = 240;
const STRIPE: usize = 64;
/// Stripes after which the accumulators are scrambled: the secret moves on by 8 bytes a stripe.
const BLOCK_STRIPES: usize = (SECRET.len() - STRIPE) / 8;
/// Where the secret of the last stripe begins, and those of the two halves of the result.
const LAST: usize = SECRET.len() - STRIPE - 7;
const LOW: usize = 11;
const HIGH: usize = SECRET.len() - STRIPE - 11;

const PRIME32_1: u64 = 0x9E37_79B1;
const PRIME32_2: u64 = 0x85EB_CA77;
const PRIME32_3: u64 = 0xC2B2_AE3D;
const PRIME64_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME64_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME64_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME64_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME64_5: u64 = 0x27D4_EB2F_1656_67C5;
const AVALANCHE: u64 = 0x1656_6791_9E37_79F9;

/// The default secret of the specification.
const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde,
    0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79,
    0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46,
    0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb,
    0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2,
    0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c,
    0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59,
    0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3,
    0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3,
    0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8,
    0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb,
    0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

type Lanes = [u64; 8];

/// Hashes whole texts.
#[derive(Clone, Copy, Debug)]
pub struct ContentHasher(InstructionSet);

impl Default for ContentHasher {
    fn default() -> Self {
        Self(InstructionSet::best())
    }
}

impl ContentHasher {
    /// The XXH3-128 of `text`, as every implementation of it gives it.
    ///
    /// ```
    /// use thresher_core::content::ContentHasher;
    /// assert_eq!(ContentHasher::default().hash(b""), 0x99aa06d3014798d86001c324468d497f);
    /// ```
    #[must_use]
    pub fn hash(self, text: &[u8]) -> u128 {
        if text.len() <= SHORT { xxh3_128(text) } else { long(self.0, text) }
    }
}

multiversion! {
    fn long(text: &[u8]) -> u128 = self::long_with;
}

#[inline(always)]
fn lanes_of(bytes: &[u8]) -> Lanes {
    std::array::from_fn(|lane| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[lane * 8..lane * 8 + 8]);
        u64::from_le_bytes(word)
    })
}

#[inline(always)]
fn scramble(state: &mut Lanes) {
    let secret = lanes_of(&SECRET[SECRET.len() - STRIPE..]);
    for (lane, secret) in state.iter_mut().zip(secret) {
        *lane = (*lane ^ (*lane >> 47) ^ secret).wrapping_mul(PRIME32_1);
    }
}

#[inline(always)]
fn merge(state: &Lanes, secret: &[u8], start: u64) -> u64 {
    let secret = lanes_of(secret);
    let mut merged = start;
    for pair in 0..4 {
        let (a, b) = (state[2 * pair] ^ secret[2 * pair], state[2 * pair + 1] ^ secret[2 * pair + 1]);
        merged = merged.wrapping_add(crate::hash::mum(a, b));
    }
    merged = (merged ^ (merged >> 37)).wrapping_mul(AVALANCHE);
    merged ^ (merged >> 32)
}

#[inline(always)]
fn long_with<V: Vector>(text: &[u8]) -> u128 {
    let mut state = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    // The last byte is always left to the last stripe, which may overlap the one before.
    let stripes = (text.len() - 1) / STRIPE;
    let (blocks, rest) = (stripes / BLOCK_STRIPES, stripes % BLOCK_STRIPES);
    let secret = SECRET.as_ptr();
    // SAFETY: `stripes` of them end before the last byte of the text, which is longer than a stripe; the secret of the
    // last stripe of a block ends with it, and `LAST` is a stripe and 7 bytes before its end. The caller was compiled for
    // the instruction set of `V`.
    unsafe {
        for block in 0..blocks {
            let at = text.as_ptr().add(block * BLOCK_STRIPES * STRIPE);
            V::accumulate(&mut state, at, BLOCK_STRIPES, secret);
            scramble(&mut state);
        }
        V::accumulate(&mut state, text.as_ptr().add(blocks * BLOCK_STRIPES * STRIPE), rest, secret);
        V::accumulate(&mut state, text.as_ptr().add(text.len() - STRIPE), 1, secret.add(LAST));
    }
    let len = text.len() as u64;
    let low = merge(&state, &SECRET[LOW..LOW + STRIPE], len.wrapping_mul(PRIME64_1));
    let high = merge(&state, &SECRET[HIGH..HIGH + STRIPE], !len.wrapping_mul(PRIME64_2));
    u128::from(low) | u128::from(high) << 64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_has_the_hash_of_the_crate_with_every_instruction_set() {
        let text: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for set in InstructionSet::available() {
            for len in
                (0..600).chain((600..5000).step_by(61)).chain([1024, 1025, 1087, 1088, 1089, 2048, 2049])
            {
                assert_eq!(
                    ContentHasher(set).hash(&text[..len]),
                    xxh3_128(&text[..len]),
                    "{len} {}",
                    set.name()
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_has_the_hash_of_the_crate(text in prop::collection::vec(any::<u8>(), 0..4000)) {
            for set in InstructionSet::available() {
                prop_assert_eq!(ContentHasher(set).hash(&text), xxh3_128(&text));
            }
        }
    }
}
