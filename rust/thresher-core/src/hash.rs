//! The hash scheme: how words and shingles become 64-bit numbers.
//!
//! Stored signatures outlive a process, so the scheme is a contract: it is the same on every processor, it has a
//! version, and anyone can recompute it (`python/thresher/_reference.py` does). Whatever changes a single bit
//! here, in the word classes or in the sketch raises [`SCHEME_VERSION`].
//!
//! - **Word.** Each block of 16 bytes, halves `lo` and `hi`, is mixed by itself: `g` is the folded product of `lo ^ k0` and
//!   `hi ^ k1` ("mum", Wang Yi's wyhash, 2019: the low half of the 128 bits xor the high half). The blocks are
//!   chained by `s = B(s) + g` with `B(s) = rotl(s, 29) * c`, `c` odd, from `s = 0`. A word of up to 16 bytes, nearly
//!   every word, is one product.
//! - **Shingle.** The words `w1 ... wn` are the coefficients of a polynomial, `w1 K^(n-1) + ... + wn` modulo 2^64, whose value
//!   goes through the output step of `splitmix64`, a bijection. Vectors of 64-bit numbers do that for many shingles at once.
//!
//! **No block vanishes.** A factor that is zero would make a block count for nothing. In the scheme no text makes
//! one: the lowest bytes of `k0` and `k1` are 0xFF, which occurs nowhere in UTF-8 (nor does the padding, 0, equal it),
//! so `lo ^ k0` and `hi ^ k1` are never zero. And no state can make one: `g` does not depend on the state, `B` is a
//! bijection (a rotation and an odd multiple), so for every state the sum is a bijection of `g`, and for every `g` one of
//! the state. What a block contributes is thus lost neither in its own step nor in a later one. Two words of equally many
//! blocks that differ in one block have the same hash only if `g` is the same for both. A block that is repeated or
//! swapped does not cancel: `B` is linear neither over the integers nor bit by bit.
//!
//! **Who can forge.** The constants of the scheme are public, so texts of one hash can be searched for. Signatures only
//! propose pairs, so that wins a comparison and nothing else. What decides is hashed with the keys of a
//! [`Secret`](crate::Secret), in a way that withstands who does not know them:
//!
//! - The high half of a product is multiplied by a secret odd number before it is folded. The plain fold follows the product
//!   modulo 2^64 - 1, which complementing both factors keeps: a block and its complement then collide for a share of the keys
//!   that falls by 0.78 a bit only, which makes 2^-23 at 64 bits.
//! - A shingle is joined from halves: with `m` the largest power of two below `n` (1 for `n = 1`), `h(n words) =
//!   mix(h(first m) ^ a, h(last m) ^ b)`, where `a` and `b` belong to `m` and the hash of one word inside it is the word's
//!   own. The polynomial would lose bits when words change places, since `K^m - 1` is even: 4 of 64 for 5
//!   words, 43 for 256 words in the order of Thue and Morse.
//!
//! No proof is known for a folded product with secret offsets, so collisions were counted over all keys at small widths
//! (`collisions_of_the_mixer`, in the tests): whatever the difference of two inputs, at most 4 times as many keys
//! collide as for a random function, at every width. Two different shingles of `n` words share their hash only if a word or a
//! product above it collides, `log2(n) + 2` chances of at most about 2^-62 each: 2^-60 for `n = 5`.

/// The version of the hash scheme, written beside every stored signature.
pub const SCHEME_VERSION: u32 = 2;

pub use crate::text::UNICODE_VERSION;

/// 2^64 divided by the golden ratio: the step of `splitmix64`, and the offset of band keys.
pub(crate) const K0: u64 = 0x9E37_79B9_7F4A_7C15;
/// The factor of band keys.
pub(crate) const K1: u64 = 0xD1B5_4A32_D192_ED03;

/// Joins by which two halves become a shingle: of 1, 2, 4, ... 128 words.
pub(crate) const JOINS: usize = 8;

/// Where the keys begin in the stream of a seed; the permutations of lanes stand before.
const FIRST_KEY: u64 = 1 << 32;

/// The constants of a family of hashes: the scheme itself, one that a seed names, or one that nobody can foresee.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Offsets of the halves of a block.
    pub(crate) word: [u64; 2],
    /// Odd factor that chains blocks.
    pub(crate) chain: u64,
    /// How words become shingles.
    pub(crate) way: Way,
    /// Start of the stream that permutes lanes.
    lanes: u64,
}

/// How a family mixes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a polynomial at `base`, which is odd; products are folded as they are.
    Polynomial { base: u64 },
    /// By joins, each with the offsets of its halves of 1, 2, 4, ... words; products are folded by an odd factor.
    Joins { fold: u64, offsets: [[u64; 2]; JOINS] },
}

impl Keys {
    /// The keys of the scheme, those of seed 0.
    pub const PUBLIC: Self = Self::from_seed(0);

    /// A family of its own: signatures of different seeds have nothing in common.
    ///
    /// ```
    /// use thresher_core::hash::Keys;
    /// assert_eq!(Keys::from_seed(0), Keys::PUBLIC);
    /// assert_ne!(Keys::from_seed(1), Keys::PUBLIC);
    /// ```
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        let start = finalise(seed);
        Self {
            word: [stream(start, FIRST_KEY) | 0xFF, stream(start, FIRST_KEY + 1) | 0xFF],
            chain: stream(start, FIRST_KEY + 2) | 1,
            way: Way::Polynomial { base: stream(start, FIRST_KEY + 3) | 1 },
            lanes: start,
        }
    }

    /// How many random numbers make secret keys.
    pub(crate) const NUMBERS: usize = 5 + 2 * JOINS;

    /// Secret keys made of random numbers.
    pub(crate) fn from_numbers(numbers: &[u64; Self::NUMBERS]) -> Self {
        let [k0, k1, chain, fold, lanes, rest @ ..] = *numbers;
        let offsets = std::array::from_fn(|half| [rest[2 * half], rest[2 * half + 1]]);
        Self { word: [k0, k1], chain: chain | 1, way: Way::Joins { fold: fold | 1, offsets }, lanes }
    }

    /// Hash of one lower-cased word given as UTF-8; 0 for an empty one.
    ///
    /// ```
    /// use thresher_core::hash::Keys;
    /// assert_ne!(Keys::PUBLIC.word_hash(b"listen"), Keys::PUBLIC.word_hash(b"silent"));
    /// ```
    #[must_use]
    pub fn word_hash(&self, word: &[u8]) -> u64 {
        self.word_hash_from(0, word)
    }

    /// Continues a word's hash over `bytes`; the last block is padded with zeros, which no word contains.
    ///
    /// A word may be hashed in pieces if every piece but the last is a multiple of 16 bytes long.
    pub(crate) fn word_hash_from(&self, state: u64, bytes: &[u8]) -> u64 {
        match self.way {
            Way::Polynomial { .. } => self.word_hasher(Plain).hash_from(state, bytes),
            Way::Joins { fold, .. } => self.word_hasher(Folded(fold)).hash_from(state, bytes),
        }
    }

    /// What hashes words by the given mixer, which is that of these keys.
    #[inline(always)]
    pub(crate) fn word_hasher<M: Mixer>(&self, mixer: M) -> WordHasher<M> {
        WordHasher { offsets: self.word, chain: self.chain, mixer }
    }

    /// Factor (odd) and offset of the permutation that fills a lane which no shingle fell into.
    pub(crate) fn permutation(&self, lane: usize) -> (u32, u32) {
        let bits = stream(self.lanes, lane as u64);
        (bits as u32 | 1, (bits >> 32) as u32)
    }
}

/// The product by which a family mixes two numbers.
pub(crate) trait Mixer: Copy {
    /// Mixes.
    fn mix(self, a: u64, b: u64) -> u64;
}

/// Of the scheme: the low half of the product xor its high half.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Mixer for Plain {
    #[inline(always)]
    fn mix(self, a: u64, b: u64) -> u64 {
        mum(a, b)
    }
}

/// Of a secret: the high half is multiplied by this first.
#[derive(Clone, Copy)]
pub(crate) struct Folded(pub(crate) u64);

impl Mixer for Folded {
    #[inline(always)]
    fn mix(self, a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64).wrapping_mul(self.0)
    }
}

/// Hashes words, with all that it needs at hand.
#[derive(Clone, Copy)]
pub(crate) struct WordHasher<M> {
    offsets: [u64; 2],
    chain: u64,
    mixer: M,
}

impl<M: Mixer> WordHasher<M> {
    /// What one block of a word contributes.
    #[inline(always)]
    pub(crate) fn block(self, lo: u64, hi: u64) -> u64 {
        self.mixer.mix(lo ^ self.offsets[0], hi ^ self.offsets[1])
    }

    /// A word's hash with one block more.
    #[inline(always)]
    pub(crate) fn chain(self, state: u64, block: u64) -> u64 {
        state.rotate_left(29).wrapping_mul(self.chain).wrapping_add(block)
    }

    /// [`Keys::word_hash_from`].
    pub(crate) fn hash_from(self, mut state: u64, bytes: &[u8]) -> u64 {
        for block in bytes.chunks(16) {
            let mut padded = [0u8; 16];
            padded[..block.len()].copy_from_slice(block);
            let whole = u128::from_le_bytes(padded);
            state = self.chain(state, self.block(whole as u64, (whole >> 64) as u64));
        }
        state
    }
}

/// Nothing of the keys: they may be a secret.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Folded product: the low half of the 128-bit product xor its high half.
#[inline(always)]
pub(crate) const fn mum(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product as u64) ^ (product >> 64) as u64
}

/// The join of a shingle of `ngram` words, by its place in [`Keys`]; its halves have 2 to that power words.
pub(crate) fn last_join(ngram: usize) -> usize {
    ngram.saturating_sub(1).max(1).ilog2() as usize
}

/// The `index`-th number of the stream of `splitmix64` (Steele, Lea, Flood 2014) that starts at `start`.
const fn stream(start: u64, index: u64) -> u64 {
    finalise(start.wrapping_add(index.wrapping_add(1).wrapping_mul(K0)))
}

/// The `index`-th number of the stream that starts at 0.
#[cfg(test)]
pub(crate) const fn splitmix64(index: u64) -> u64 {
    stream(0, index)
}

/// The output step of `splitmix64`, a bijection that keeps 0; the last step of a shingle's hash.
#[inline(always)]
#[must_use]
pub const fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
