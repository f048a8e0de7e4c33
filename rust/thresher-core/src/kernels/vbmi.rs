//! AVX-512 with VBMI, VBMI2 and BITALG: 64 bytes looked up or packed at once.
//!
//! The characters of a block are taken page by page: comparisons find all that are of one page, and its sets of 64 bits are
//! asked for 64 places in one instruction. Text stays in a few pages, so those of the blocks before come first, none waiting
//! for the other; then the first character that is left names the next page. Han and Hangul, which are in many
//! pages, are found by their range.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi16, _mm512_bitshuffle_epi64_mask, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask,
    _mm512_cmpge_epu8_mask, _mm512_cmple_epu8_mask, _mm512_cvtepu8_epi16, _mm512_extracti64x4_epi64,
    _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_cmpeq_epi8_mask, _mm512_mask_cmpge_epu8_mask,
    _mm512_mask_cmple_epu8_mask, _mm512_mask_storeu_epi8, _mm512_maskz_compress_epi8, _mm512_maskz_mov_epi8,
    _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi64, _mm512_storeu_si512,
};

use std::arch::x86_64::_pdep_u64;

use super::characters::{Leads, whole};
use super::{Avx512, Characters, Classes, PermutedLane, Vector, low};
use crate::text::pages::{Page, Pages, Recent};

/// AVX-512 F, BW, VL, VBMI, VBMI2 and BITALG.
pub(crate) struct Vbmi;

/// The numbers from 0 on, a byte each, each one `times` times, from `first` on.
const fn numbers(times: usize, first: usize) -> [u8; 64] {
    let mut numbers = [0; 64];
    let mut at = 0;
    while at < 64 {
        let number = first + at / times;
        numbers[at] = if number < 64 { number as u8 } else { 63 };
        at += 1;
    }
    numbers
}

static PLACES: [u8; 64] = numbers(1, 0);
static PLACES_TWICE: [[u8; 64]; 2] = [numbers(2, 0), numbers(2, 32)];
static ONE_AHEAD: [u8; 64] = numbers(1, 1);
static TWO_AHEAD: [u8; 64] = numbers(1, 2);

#[inline(always)]
unsafe fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array has 64 bytes; the caller vouches for the instruction set.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Writes `base` plus each byte of `numbers` that `mask` chooses to `to`.
#[inline(always)]
unsafe fn compress(numbers: &[u8; 64], mask: u64, base: u16, to: *mut u16) {
    // SAFETY: the caller vouches for the instruction set and for 64 numbers at `to`.
    unsafe {
        // In a register: compressing into memory is slow on AMD's Zen 4.
        let packed = _mm512_maskz_compress_epi8(mask, load(numbers));
        let base = _mm512_set1_epi16(base as i16);
        let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed));
        let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(packed));
        _mm512_storeu_si512(to.cast(), _mm512_add_epi16(low, base));
        _mm512_storeu_si512(to.add(32).cast(), _mm512_add_epi16(high, base));
    }
}

impl Vector for Vbmi {
    #[inline(always)]
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes {
        // SAFETY: as the caller says.
        unsafe { Avx512::classify(from, to) }
    }

    #[inline(always)]
    unsafe fn characters(
        pages: &Pages,
        recent: &mut Recent,
        from: *const u8,
        to: *mut u8,
        classes: Classes,
    ) -> Characters {
        // SAFETY: as the caller says.
        unsafe { by_pages(pages, recent, from, to, classes) }
    }

    #[inline(always)]
    unsafe fn expand(mask: u64, base: u16, to: *mut u16) {
        // SAFETY: the caller vouches for the places and the instruction set.
        unsafe { compress(&PLACES, mask, base, to) }
    }

    #[inline(always)]
    unsafe fn expand_both(starts: u64, ends: u64, base: u16, to: *mut u16) {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        // SAFETY: the caller vouches for the places and the instruction set.
        unsafe {
            // Two bits a place, that of its end first.
            let both = |half: u32| _pdep_u64(ends >> half, EVEN) | _pdep_u64(starts >> half, !EVEN);
            let (front, back) = (both(0), both(32));
            compress(&PLACES_TWICE[0], front, base, to);
            compress(&PLACES_TWICE[1], back, base, to.add(front.count_ones() as usize));
        }
    }

    #[inline(always)]
    unsafe fn lower(lanes: &mut [PermutedLane], shingles: &[u64]) {
        // SAFETY: as the caller says.
        unsafe { Avx512::lower(lanes, shingles) }
    }
}

/// [`Vector::characters`]. A call of its own: its many vectors would push those of the loop over ASCII out of their registers.
#[target_feature(
    enable = "avx512vbmi,avx512vbmi2,avx512bitalg,avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt"
)]
#[inline(never)]
unsafe fn by_pages(
    pages: &Pages,
    recent: &mut Recent,
    from: *const u8,
    to: *mut u8,
    classes: Classes,
) -> Characters {
    // SAFETY: the caller vouches for 64 bytes on both sides, for text in them, and for the instruction set.
    unsafe {
        let bytes = _mm512_loadu_si512(from.cast());
        let all = |byte: u8| _mm512_set1_epi8(byte as i8);
        let second = _mm512_permutexvar_epi8(load(&ONE_AHEAD), bytes);
        let third = _mm512_permutexvar_epi8(load(&TWO_AHEAD), bytes);
        let leads = Leads {
            all: _mm512_cmpge_epu8_mask(bytes, all(0xC0)),
            of_four: _mm512_cmpge_epu8_mask(bytes, all(0xF0)),
        };
        let len = whole(from, leads);
        let leads = leads.all & low(len);
        let of_three = _mm512_mask_cmpge_epu8_mask(leads, bytes, all(0xE0));
        let (mut word, mut solo) = (0u64, 0u64);
        let mut rest = leads;

        let eastern = _mm512_mask_cmpge_epu8_mask(of_three, bytes, all(0xE4));
        if eastern != 0 {
            // U+4E00 to U+9FFF are Han, E4 B8 80 to E9 BF BF; U+AC00 to U+D77F Hangul, EA B0 80 to ED 9D BF.
            let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, all(byte));
            let below_ea = _mm512_mask_cmple_epu8_mask(eastern, bytes, all(0xE9));
            let han = below_ea & !(is(0xE4) & !_mm512_cmpge_epu8_mask(second, all(0xB8)));
            let to_ed = _mm512_mask_cmple_epu8_mask(eastern & !below_ea, bytes, all(0xED));
            let hangul = to_ed
                & !(is(0xEA) & !_mm512_cmpge_epu8_mask(second, all(0xB0)))
                & !(is(0xED) & !_mm512_cmple_epu8_mask(second, all(0x9D)));
            solo = han;
            word = hangul;
            rest &= !(han | hangul);
        }

        let beside = _mm512_maskz_mov_epi8(of_three, second);
        let places = _mm512_mask_blend_epi8(of_three, second, third);
        let mut block = Block { bytes, beside, places, rest, word, special: 0, may_be_odd: false };
        // None of these waits for the one before, and their number stays the same for long.
        for &key in recent.keys.iter().take(recent.count) {
            block.take(pages, key, to);
        }
        while block.rest != 0 {
            let at = block.rest.trailing_zeros() as usize;
            // Every lead before `len` has all its bytes in the block.
            let (lead, next) = (*from.add(at), *from.add(at + 1));
            let key = (lead, if lead < 0xE0 { 0 } else { next }, Pages::number(lead, next));
            block.take(pages, key, to);
            recent.push(key);
        }
        let Block { mut word, special, may_be_odd, .. } = block;
        let odd = if may_be_odd { odd_ones(pages, from, special) } else { 0 };
        solo |= special & !odd;
        let len = len.min(odd.trailing_zeros() as usize);
        word |= word << 1 | (word & of_three) << 2;
        word |= classes.word & !classes.non_ascii;
        Characters { word: word & low(len), solo: solo & low(len), len }
    }
}

/// A block whose characters are taken page by page.
struct Block {
    bytes: __m512i,
    /// Of each lead byte: the one beside it that names the page too, if there is one, and the place in the page.
    beside: __m512i,
    places: __m512i,
    /// The leads that are left.
    rest: u64,
    /// Leads of word characters, and of those that are words of their own or odd.
    word: u64,
    special: u64,
    /// Whether some of a page that was taken are odd.
    may_be_odd: bool,
}

impl Block {
    /// Takes the characters of one page, given by its bytes and its number, and writes their lower case to `to`.
    #[inline(always)]
    unsafe fn take(&mut self, pages: &Pages, (lead, next, number): (u8, u8, u16), to: *mut u8) {
        let page = pages.numbered(number);
        // SAFETY: the caller vouches for the instruction set, and for 64 bytes at `to`.
        unsafe {
            let members = _mm512_mask_cmpeq_epi8_mask(self.rest, self.bytes, _mm512_set1_epi8(lead as i8))
                & _mm512_cmpeq_epi8_mask(self.beside, _mm512_set1_epi8(next as i8));
            self.rest &= !members;
            let places = self.places;
            let word = _mm512_bitshuffle_epi64_mask(_mm512_set1_epi64(page.word as i64), places);
            let special =
                _mm512_bitshuffle_epi64_mask(_mm512_set1_epi64((page.solo | page.odd) as i64), places);
            self.word |= members & word;
            self.special |= members & special;
            self.may_be_odd |= page.odd != 0;
            if page.cased != 0 {
                let capitals =
                    members & _mm512_bitshuffle_epi64_mask(_mm512_set1_epi64(page.cased as i64), places);
                lower(pages, page, capitals, places, to.add(1 + usize::from(lead >= 0xE0)));
            }
        }
    }
}

/// Which of the characters that are words of their own or odd are odd. There are few odd ones, so they have no set of their
/// own in the loop over pages.
#[inline(always)]
unsafe fn odd_ones(pages: &Pages, from: *const u8, special: u64) -> u64 {
    let (mut odd, mut rest) = (0, special);
    while rest != 0 {
        let at = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        // SAFETY: the caller vouches for characters that end in the block.
        unsafe {
            let (lead, second) = (*from.add(at), *from.add(at + 1));
            let (page, last) = if lead < 0xE0 {
                (pages.of_two(lead), second)
            } else {
                (pages.of_three(lead, second), *from.add(at + 2))
            };
            odd |= (page.odd >> (last & 0x3F) & 1) << at;
        }
    }
    odd
}

/// Writes the lower-case forms of the characters that begin at `capitals`; `to` is where the last byte of a character that
/// begins with the block goes.
#[inline(always)]
unsafe fn lower(pages: &Pages, page: &Page, capitals: u64, places: __m512i, to: *mut u8) {
    // SAFETY: the caller vouches for the instruction set; a masked store writes the last two bytes of characters that end
    // within the block, and nothing else.
    unsafe {
        let [before, last] = &pages.lower(page).0;
        let at = to.wrapping_sub(1).cast();
        _mm512_mask_storeu_epi8(at, capitals, _mm512_permutexvar_epi8(places, load(before)));
        _mm512_mask_storeu_epi8(to.cast(), capitals, _mm512_permutexvar_epi8(places, load(last)));
    }
}
