//! Masks by 32-byte vectors, on `x86_64` processors with AVX2.

use std::arch::x86_64::{
    __m256i, _mm_setr_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::{BLOCK, Body, Escaped, Parsed, Specials, Unescaped};

/// Proof that the processor has AVX2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) struct Present(());

#[expect(clippy::unused_self, reason = "a `self` proves that the instructions are there")]
impl Present {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(super) fn skip(self, bytes: &[u8], start: usize) -> Parsed<Body> {
        // SAFETY: a `Present` is made only where AVX2 was detected.
        unsafe { skip(bytes, start) }
    }

    #[inline]
    pub(super) fn unescape(
        self,
        bytes: &[u8],
        start: usize,
        out: &mut Vec<u8>,
        at: usize,
    ) -> Parsed<(Body, Unescaped)> {
        // SAFETY: a `Present` is made only where AVX2 was detected.
        unsafe { unescape(bytes, start, out, at) }
    }
}

#[target_feature(enable = "avx2")]
fn skip(bytes: &[u8], start: usize) -> Parsed<Body> {
    super::skip(bytes, start, |block| specials(block), |block, mask| escaped(block, mask))
}

#[target_feature(enable = "avx2")]
fn unescape(bytes: &[u8], start: usize, out: &mut Vec<u8>, at: usize) -> Parsed<(Body, Unescaped)> {
    super::unescape(bytes, start, out, at, |block| specials(block))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(block: &[u8; BLOCK]) -> [__m256i; 2] {
    let at = block.as_ptr().cast::<__m256i>();
    // SAFETY: the block has 64 bytes, and the load needs no alignment.
    unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
}

#[inline]
#[target_feature(enable = "avx2")]
fn bits(low: __m256i, high: __m256i) -> u64 {
    _mm256_movemask_epi8(low) as u32 as u64 | (_mm256_movemask_epi8(high) as u32 as u64) << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal([low, high]: [__m256i; 2], byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    bits(_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte))
}

#[inline]
#[target_feature(enable = "avx2")]
fn specials(block: &[u8; BLOCK]) -> Specials {
    let halves = load(block);
    let [low, high] = halves;
    let limit = _mm256_set1_epi8(0x1f);
    // Not by `map`: a closure with AVX2 is not inlined into a function without.
    let low = _mm256_cmpeq_epi8(_mm256_min_epu8(low, limit), low);
    let high = _mm256_cmpeq_epi8(_mm256_min_epu8(high, limit), high);
    Specials { quote: equal(halves, b'"'), backslash: equal(halves, b'\\'), control: bits(low, high) }
}

/// Two look-ups by half a byte: each upper half that occurs has a bit, and each lower half the set of upper
/// halves it goes with. Upper 2: `"` and `/`; 5: `\`; 6: `b`, `f`, `n`; 7: `r`, `t`, `u`.
#[inline]
#[target_feature(enable = "avx2")]
fn escaped(block: &[u8; BLOCK], escaped: u64) -> Escaped {
    let upper = _mm_setr_epi8(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
    let lower = _mm_setr_epi8(0, 0, 1 | 4 | 8, 0, 8, 8, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1);
    let (upper, lower) = (_mm256_broadcastsi128_si256(upper), _mm256_broadcastsi128_si256(lower));
    let nibble = _mm256_set1_epi8(0x0f);
    let halves = load(block);
    let (mut upper_set, mut lower_set) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
    for (at, half) in halves.into_iter().enumerate() {
        upper_set[at] = _mm256_shuffle_epi8(upper, _mm256_and_si256(_mm256_srli_epi16::<4>(half), nibble));
        lower_set[at] = _mm256_shuffle_epi8(lower, _mm256_and_si256(half, nibble));
    }
    let zero = _mm256_setzero_si256();
    let low = _mm256_cmpeq_epi8(_mm256_and_si256(upper_set[0], lower_set[0]), zero);
    let high = _mm256_cmpeq_epi8(_mm256_and_si256(upper_set[1], lower_set[1]), zero);
    Escaped { bad: bits(low, high) & escaped, unicode: equal(halves, b'u') & escaped }
}
