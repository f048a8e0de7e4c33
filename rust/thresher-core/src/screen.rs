//! The screen: a few bits of each signature tell most pairs of a bucket apart before a text is read.
//!
//! Documents of one bucket agree in the lanes of one band, which unlike documents do often enough when there are many
//! of them. Each document leaves four bits of every lane: b-bit minwise hashing (Li, König 2010). They are the upper ones of a
//! product, since the low bits of a lane that a permutation filled depend on the low bits of the shingle alone. Two lanes
//! agree in them with probability `j + (1 - j) / 16` at a Jaccard similarity of `j`, so the number of agreeing lanes is binomial. A
//! pair passes if at least `least` lanes agree: the largest number that a pair exactly at the threshold misses with a
//! probability of at most [`MISSES`]. At 128 lanes and a threshold of 0.8 that is 81, which one pair in a hundred passes at
//! a similarity of 0.5. Who fails is no candidate, and what is no candidate connects no cluster.

use crate::params::{NumHashes, Threshold};

/// Bits of a lane.
const BITS: u32 = 4;
/// The odd factor of the product: 2^32 divided by the golden ratio.
const SPREAD: u32 = 0x9E37_79B1;
/// Lanes that share a byte.
const LANES_A_BYTE: usize = (u8::BITS / BITS) as usize;
/// Probability with which the screen loses a pair exactly at the threshold, at most.
const MISSES: f64 = 1e-6;
/// The lowest bit of each lane in a word.
const LOWEST: u64 = 0x1111_1111_1111_1111;
/// Bytes whose lanes are counted in nibbles of one word, of which each holds up to 15.
const BLOCK: usize = 64;

/// Which pairs of a bucket are worth a look at their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    bytes: usize,
    /// Lanes that have to agree, counted as [`Screen::agreeing`] counts them.
    least: u32,
}

impl Screen {
    /// The screen of signatures of `num_hashes` lanes at a threshold.
    #[must_use]
    pub fn new(threshold: Threshold, num_hashes: NumHashes) -> Self {
        let lanes = num_hashes.get();
        let bytes = lanes.div_ceil(LANES_A_BYTE);
        // What fills the last byte agrees in every pair.
        let filled = bytes * LANES_A_BYTE - lanes;
        Self { bytes, least: (least_agreeing(threshold.get(), lanes) + filled) as u32 }
    }

    /// Bytes of a packed signature.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// Appends the bits that each lane of `signature` leaves to `out`, the even lanes in the low halves of bytes.
    pub fn pack(self, signature: &[u32], out: &mut Vec<u8>) {
        let left = |lane: u32| (lane.wrapping_mul(SPREAD) >> (u32::BITS - BITS)) as u8;
        out.extend(
            signature
                .chunks(LANES_A_BYTE)
                .map(|pair| left(pair[0]) | pair.get(1).map_or(0, |&lane| left(lane) << BITS)),
        );
    }

    /// In how many lanes two packed signatures agree; what fills a last byte counts as a lane.
    ///
    /// ```
    /// use thresher_core::screen::Screen;
    /// assert_eq!(Screen::agreeing(&[0x12, 0x34], &[0x12, 0x35]), 3);
    /// ```
    #[inline]
    #[must_use]
    pub fn agreeing(a: &[u8], b: &[u8]) -> u32 {
        let (a_blocks, b_blocks) = (a.as_chunks::<BLOCK>(), b.as_chunks::<BLOCK>());
        let whole: u32 = a_blocks.0.iter().zip(b_blocks.0).map(|(a, b)| differing(a, b)).sum();
        let mut last = ([0; BLOCK], [0; BLOCK]);
        last.0[..a_blocks.1.len()].copy_from_slice(a_blocks.1);
        last.1[..b_blocks.1.len()].copy_from_slice(b_blocks.1);
        let rest = if a_blocks.1.is_empty() { 0 } else { differing(&last.0, &last.1) };
        (a.len() * LANES_A_BYTE) as u32 - whole - rest
    }

    /// Whether two packed signatures agree in enough lanes.
    #[inline]
    #[must_use]
    pub fn passes(self, a: &[u8], b: &[u8]) -> bool {
        self.is_enough(Self::agreeing(a, b))
    }

    /// Whether so many lanes that agree are enough.
    #[inline]
    pub(crate) fn is_enough(self, agreeing: u32) -> bool {
        agreeing >= self.least
    }

    /// The similarity at which two documents agree in so many lanes on the average.
    pub(crate) fn likely_similarity(self, agreeing: u32) -> f64 {
        let by_chance = 1.0 / f64::from(1 << BITS);
        let share = f64::from(agreeing) / (self.bytes * LANES_A_BYTE) as f64;
        ((share - by_chance) / (1.0 - by_chance)).max(0.0)
    }
}

/// In how many lanes of a block two signatures differ.
#[inline(always)]
fn differing(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> u32 {
    let (a, b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    // Each nibble counts its lane over the words of the block: eight at most.
    let mut counts = 0u64;
    for (a, b) in a.iter().zip(b) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        let halves = differs | differs >> 2;
        counts += (halves | halves >> 1) & LOWEST;
    }
    let bytes = (counts & 0x0F0F_0F0F_0F0F_0F0F) + (counts >> 4 & 0x0F0F_0F0F_0F0F_0F0F);
    (bytes.wrapping_mul(0x0101_0101_0101_0101) >> 56) as u32
}

/// The largest number of lanes, of `lanes`, of which fewer agree with a probability of at most [`MISSES`] for two documents whose
/// similarity is `threshold`.
fn least_agreeing(threshold: f64, lanes: usize) -> usize {
    let agree = threshold + (1.0 - threshold) / f64::from(1 << BITS);
    if agree >= 1.0 {
        return lanes;
    }
    // Probabilities of 0, 1, 2, ... agreeing lanes, by their logarithms: the first ones are far below the least float.
    let (mut log, mut below) = (lanes as f64 * (1.0 - agree).ln(), 0.0);
    for count in 0..lanes {
        below += log.exp();
        if below > MISSES {
            return count;
        }
        log += ((lanes - count) as f64 / (count + 1) as f64).ln() + (agree / (1.0 - agree)).ln();
    }
    lanes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn screen(threshold: f64, lanes: usize) -> Screen {
        Screen::new(Threshold::try_new(threshold).unwrap(), NumHashes::try_new(lanes).unwrap())
    }

    fn packed(screen: Screen, signature: &[u32]) -> Vec<u8> {
        let mut packed = Vec::new();
        screen.pack(signature, &mut packed);
        packed
    }

    #[test]
    fn so_many_lanes_have_to_agree() {
        // By exact fractions: `sum(comb(n, i) * p**i * (1-p)**(n-i) for i in range(k)) <= 1e-6` in Python.
        let least = [(0.5, 41), (0.7, 67), (0.8, 81), (0.95, 108), (1.0, 128)];
        for (threshold, expected) in least {
            assert_eq!(least_agreeing(threshold, 128), expected, "{threshold}");
        }
        assert_eq!([1, 2, 7].map(|lanes| least_agreeing(0.8, lanes)), [0, 0, 0]);
        assert_eq!(least_agreeing(0.8, 65_536), 52_771);
    }

    proptest! {
        #[test]
        fn agreeing_lanes_are_those_that_leave_equal_bits(
            lanes in prop::collection::vec((0..64u32, 0..64u32), 1..300), threshold in 0.05..1.0f64,
        ) {
            let (a, b): (Vec<u32>, Vec<u32>) = lanes.iter().copied().unzip();
            let screen = screen(threshold, lanes.len());
            let (packed_a, packed_b) = (packed(screen, &a), packed(screen, &b));
            prop_assert_eq!((packed_a.len(), packed_b.len()), (screen.bytes(), screen.bytes()));
            let bits = |lane: u32| (u64::from(lane) * 0x9E37_79B1) >> 28 & 15;
            let equal = lanes.iter().filter(|(a, b)| bits(*a) == bits(*b)).count();
            let filled = lanes.len() % 2;
            prop_assert_eq!(Screen::agreeing(&packed_a, &packed_b) as usize, equal + filled);
            prop_assert_eq!(screen.passes(&packed_a, &packed_b), equal >= least_agreeing(threshold, lanes.len()));
        }
    }

    #[test]
    fn the_likely_similarity_is_that_of_the_average() {
        assert!((screen(0.8, 128).likely_similarity(104) - 0.8).abs() < 1e-9);
        assert!(screen(0.8, 128).likely_similarity(0) < 1e-9);
        assert!((screen(0.8, 128).likely_similarity(128) - 1.0).abs() < 1e-9);
    }
}
