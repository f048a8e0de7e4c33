//! The hash scheme: how words and shingles become 64-bit numbers, and texts 128-bit ones.
//!
//! Stored signatures outlive a process, so the scheme is a contract: it is the same on every processor, it has a
//! version, and anyone can recompute it (`python/thresher/_reference.py` does). Whatever changes a single bit
//! here, in the word classes or in the sketch raises [`SCHEME_VERSION`].
//!
//! The mixer is the folded product of two 64-bit numbers ("mum", Wang Yi's wyhash, 2019): one multiplication a
//! word of up to 16 bytes, where XXH3 spends several on such short inputs. Whole texts are hashed by XXH3-128
//! ([`crate::content`]).

/// The version of the hash scheme, written beside every stored signature.
pub const SCHEME_VERSION: u32 = 1;

pub use crate::text::UNICODE_VERSION;

/// Offset of the first lane of every product; 2^64 divided by the golden ratio.
pub(crate) const K0: u64 = 0x9E37_79B9_7F4A_7C15;
/// Offset of the second lane. Its lowest byte, 0x03, and that of `K0`, 0x15, are in no word, so no text zeroes a factor.
pub(crate) const K1: u64 = 0xD1B5_4A32_D192_ED03;
/// Base of the shingle polynomial.
pub(crate) const K2: u64 = 0xD6E8_FEB8_6659_FD93;
/// Factor of the shingle finaliser.
pub(crate) const K3: u64 = 0xA076_1D64_78BD_642F;

/// Folded product: the low half of the 128-bit product xor its high half.
#[inline(always)]
pub(crate) fn mum(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// One 16-byte step of a word's hash.
#[inline(always)]
pub(crate) fn word_step(state: u64, lo: u64, hi: u64) -> u64 {
    mum(lo ^ K0 ^ state, hi ^ K1)
}

/// Continues a word's hash over `bytes`; the last block is padded with zeros, which no word contains.
///
/// A word may be hashed in pieces if every piece but the last is a multiple of 16 bytes long.
pub(crate) fn word_hash_from(mut state: u64, bytes: &[u8]) -> u64 {
    for block in bytes.chunks(16) {
        let mut padded = [0u8; 16];
        padded[..block.len()].copy_from_slice(block);
        let whole = u128::from_le_bytes(padded);
        state = word_step(state, whole as u64, (whole >> 64) as u64);
    }
    state
}

/// Hash of one lower-cased word given as UTF-8; 0 for an empty one.
///
/// ```
/// use thresher_core::hash::word_hash;
/// assert_ne!(word_hash(b"listen"), word_hash(b"silent"));
/// ```
#[must_use]
pub fn word_hash(word: &[u8]) -> u64 {
    word_hash_from(0, word)
}

/// The last step of a shingle's hash, over its polynomial.
#[inline(always)]
pub(crate) fn finish_shingle(polynomial: u64) -> u64 {
    mum(polynomial ^ K0, K3)
}

/// `splitmix64` (Steele, Lea, Flood 2014): the `index`-th number of the stream that seeds the sketch lanes.
pub(crate) fn splitmix64(index: u64) -> u64 {
    let mut z = index.wrapping_add(1).wrapping_mul(K0);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_hashed_in_pieces_of_16_bytes_keeps_its_hash() {
        let word: Vec<u8> = (0..100).map(|i| b'a' + i % 26).collect();
        for cut in (0..100).step_by(16) {
            let state = word_hash_from(0, &word[..cut]);
            assert_eq!(word_hash_from(state, &word[cut..]), word_hash(&word));
        }
    }

    #[test]
    fn every_length_has_its_own_hash() {
        let hashes: std::collections::HashSet<u64> = (0..200).map(|n| word_hash(&vec![b'a'; n])).collect();
        assert_eq!(hashes.len(), 200);
    }
}
