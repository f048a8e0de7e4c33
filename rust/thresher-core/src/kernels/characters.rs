//! Characters of two and three bytes in a block, one after the other: the way of every instruction set that cannot look up
//! 64 places at once.
//!
//! Lead bytes are a mask, so the loop over them depends on nothing that it reads; a character's page says by single bits
//! what it is. Only a capital is a branch.

use super::{BLOCK, Classes};
use crate::text::pages::Pages;

/// What a block of text is made of, up to the first character that has to be decoded or that the end of the block cuts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Characters {
    /// All bytes of word characters that are part of a run.
    pub(crate) word: u64,
    /// The first of the three bytes of each character that is a word of its own.
    pub(crate) solo: u64,
    /// Bytes that the masks speak of; they are clear beyond.
    pub(crate) len: usize,
}

/// The first bytes of characters beyond ASCII.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leads {
    /// Of two, three and four bytes.
    pub(super) all: u64,
    /// Of four.
    pub(super) of_four: u64,
}

/// The low `count` bits.
#[inline(always)]
pub(crate) fn low(count: usize) -> u64 {
    if count < 64 { (1 << count) - 1 } else { u64::MAX }
}

/// Bytes up to the first character of four bytes and the one that the end of the block cuts.
///
/// # Safety
/// As for [`super::Vector::characters`]; the leads are those of the block.
#[inline(always)]
pub(super) unsafe fn whole(from: *const u8, leads: Leads) -> usize {
    let four = leads.of_four.trailing_zeros() as usize;
    let last = 63 - (leads.all | 1).leading_zeros() as usize;
    // SAFETY: `last` is below 64, and the caller vouches for 64 bytes.
    let bytes = 2 + usize::from(unsafe { *from.add(last) } >= 0xE0);
    let cut = if leads.all != 0 && last + bytes > BLOCK { last } else { BLOCK };
    four.min(cut)
}

/// [`super::Vector::characters`] in plain Rust.
///
/// # Safety
/// As there; the leads are those of the block.
#[inline(always)]
pub(super) unsafe fn one_by_one(
    pages: &Pages,
    from: *const u8,
    to: *mut u8,
    classes: Classes,
    leads: Leads,
) -> Characters {
    // SAFETY: the caller vouches for block and leads.
    let mut len = unsafe { whole(from, leads) };
    let (mut word, mut solo, mut odd) = (classes.word & !classes.non_ascii, 0, 0);
    let mut rest = leads.all & low(len);
    while rest != 0 {
        let at = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        // SAFETY: a character that begins before `len` ends within the block, and so does a third byte: one of two
        // bytes whose second is the last of the block is read no further.
        let (lead, second, third) =
            unsafe { (*from.add(at), *from.add(at + 1), *from.add((at + 2).min(BLOCK - 1))) };
        let is_three = lead >= 0xE0;
        let page = if is_three { pages.of_three(lead, second) } else { pages.of_two(lead) };
        let place = (if is_three { third } else { second }) & 0x3F;
        word |= ((page.word >> place & 1) * if is_three { 0b111 } else { 0b11 }) << at;
        solo |= (page.solo >> place & 1) << at;
        odd |= (page.odd >> place & 1) << at;
        if page.cased >> place & 1 == 1 {
            let forms = &pages.lower(page).0;
            let to_last = at + usize::from(is_three);
            // SAFETY: within the block, as above, and so within the 64 bytes of `to`.
            unsafe {
                *to.add(to_last) = forms[0][usize::from(place)];
                *to.add(to_last + 1) = forms[1][usize::from(place)];
            }
        }
    }
    len = len.min(odd.trailing_zeros() as usize);
    Characters { word: word & low(len), solo: solo & low(len), len }
}
