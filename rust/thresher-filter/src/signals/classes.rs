//! What a character is to the tools whose signals are computed here: the classes of Python's `str`, and two sets of datatrove.
//!
//! A class is a bit, looked up by pages of 256 characters that are filled when a text first needs them, so that a start
//! costs nothing. General categories are those of Unicode 17, where Python 3.11 has those of Unicode 14: the two differ on
//! characters that were assigned between them, and on no other.

use std::sync::OnceLock;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `str.isspace`.
pub(crate) const BLANK: u8 = 1;
/// `str.isalpha`: a letter. Unlike the property Alphabetic it leaves out marks and letter numbers.
pub(crate) const ALPHA: u8 = 1 << 1;
/// Not in datatrove's `PUNCTUATION_SET`: a word of such characters alone is a symbol to its Gopher rules.
pub(crate) const PLAIN: u8 = 1 << 2;
/// In datatrove's `TERMINAL_PUNCTUATION`.
pub(crate) const TERMINAL: u8 = 1 << 3;
/// `str.isalnum`.
pub(crate) const ALNUM: u8 = 1 << 4;
/// `str.isupper` of the character alone.
pub(crate) const UPPER: u8 = 1 << 5;
/// `str.isdigit`.
pub(crate) const DIGIT: u8 = 1 << 6;
/// Ends a line for `str.splitlines`.
pub(crate) const BREAK: u8 = 1 << 7;

const PAGE: usize = 256;

static PAGES: [OnceLock<Box<[u8; PAGE]>>; (char::MAX as usize + 1) / PAGE] =
    [const { OnceLock::new() }; (char::MAX as usize + 1) / PAGE];

/// The classes of `c`.
#[inline]
pub(crate) fn class(c: char) -> u8 {
    let page = PAGES[c as usize / PAGE].get_or_init(|| {
        let first = c as u32 & !(PAGE as u32 - 1);
        Box::new(std::array::from_fn(|place| char::from_u32(first + place as u32).map_or(0, compute)))
    });
    page[c as usize % PAGE]
}

/// Whether `c` is in a class.
#[inline]
pub(crate) fn is(c: char, classes: u8) -> bool {
    class(c) & classes != 0
}

fn compute(c: char) -> u8 {
    let letter = c.general_category_group() == GeneralCategoryGroup::Letter;
    let number = c.general_category_group() == GeneralCategoryGroup::Number;
    let digit = c.general_category() == GeneralCategory::DecimalNumber || contains(&DIGITS, c);
    let terminal = contains(&TERMINALS, c);
    let set = |bit: u8, is: bool| if is { bit } else { 0 };
    set(BLANK, contains(&BLANKS, c))
        | set(ALPHA, letter)
        | set(PLAIN, !terminal && !contains(&PUNCTUATION, c))
        | set(TERMINAL, terminal)
        | set(ALNUM, letter || number)
        | set(UPPER, c.is_uppercase())
        | set(DIGIT, digit)
        | set(BREAK, contains(&BREAKS, c))
}

fn contains(ranges: &[(u32, u32)], c: char) -> bool {
    let at = ranges.partition_point(|&(_, last)| last < c as u32);
    ranges.get(at).is_some_and(|&(first, _)| first <= c as u32)
}

/// `str.isspace`.
#[rustfmt::skip]
const BLANKS: [(u32, u32); 10] = [
    (0x9, 0xD), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
];

/// What `str.splitlines` names.
#[rustfmt::skip]
const BREAKS: [(u32, u32); 4] = [
    (0xA, 0xD), (0x1C, 0x1E), (0x85, 0x85), (0x2028, 0x2029),
];

/// `str.isdigit` beyond decimal numbers (Python 3.11).
#[rustfmt::skip]
const DIGITS: [(u32, u32); 20] = [
    (0xB2, 0xB3), (0xB9, 0xB9), (0x1369, 0x1371), (0x19DA, 0x19DA), (0x2070, 0x2070), (0x2074, 0x2079),
    (0x2080, 0x2089), (0x2460, 0x2468), (0x2474, 0x247C), (0x2488, 0x2490), (0x24EA, 0x24EA),
    (0x24F5, 0x24FD), (0x24FF, 0x24FF), (0x2776, 0x277E), (0x2780, 0x2788), (0x278A, 0x2792),
    (0x10A40, 0x10A43), (0x10E60, 0x10E68), (0x11052, 0x1105A), (0x1F100, 0x1F10A),
];

/// `TERMINAL_PUNCTUATION` of datatrove 0.10.1 (utils/text.py).
#[rustfmt::skip]
const TERMINALS: [(u32, u32); 82] = [
    (0x21, 0x21), (0x2E, 0x2E), (0x3F, 0x3F), (0x589, 0x589), (0x61D, 0x61F), (0x6D4, 0x6D4), (0x700, 0x702),
    (0x7F9, 0x7F9), (0x837, 0x837), (0x839, 0x839), (0x83D, 0x83E), (0x964, 0x965), (0x104A, 0x104B),
    (0x1362, 0x1362), (0x1367, 0x1368), (0x166E, 0x166E), (0x1735, 0x1736), (0x17D4, 0x17D6),
    (0x17D9, 0x17DA), (0x1803, 0x1803), (0x1809, 0x1809), (0x1944, 0x1945), (0x1AA8, 0x1AAB),
    (0x1B5A, 0x1B5B), (0x1B5E, 0x1B5F), (0x1B7D, 0x1B7E), (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F),
    (0x203C, 0x203D), (0x2047, 0x2049), (0x2E2E, 0x2E2E), (0x2E3C, 0x2E3C), (0x2E53, 0x2E54),
    (0x3002, 0x3002), (0xA4FF, 0xA4FF), (0xA60E, 0xA60F), (0xA6F3, 0xA6F3), (0xA6F7, 0xA6F7),
    (0xA876, 0xA877), (0xA8CE, 0xA8CF), (0xA92F, 0xA92F), (0xA9C8, 0xA9C9), (0xAA5D, 0xAA5F),
    (0xAAF0, 0xAAF1), (0xABEB, 0xABEB), (0xFE52, 0xFE52), (0xFE56, 0xFE57), (0xFF01, 0xFF01),
    (0xFF0E, 0xFF0E), (0xFF1F, 0xFF1F), (0xFF61, 0xFF61), (0x10A56, 0x10A57), (0x10F55, 0x10F59),
    (0x10F86, 0x10F89), (0x11047, 0x11048), (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6),
    (0x111CD, 0x111CD), (0x111DE, 0x111DF), (0x11238, 0x11239), (0x1123B, 0x1123C), (0x112A9, 0x112A9),
    (0x1144B, 0x1144C), (0x115C2, 0x115C3), (0x115C9, 0x115D7), (0x11641, 0x11642), (0x1173C, 0x1173E),
    (0x11944, 0x11944), (0x11946, 0x11946), (0x11A42, 0x11A43), (0x11A9B, 0x11A9C), (0x11C41, 0x11C42),
    (0x11EF7, 0x11EF8), (0x11F43, 0x11F44), (0x16A6E, 0x16A6F), (0x16AF5, 0x16AF5), (0x16B37, 0x16B38),
    (0x16B44, 0x16B44), (0x16E98, 0x16E98), (0x1BC9F, 0x1BC9F), (0x1DA88, 0x1DA88),
];

/// The rest of `PUNCTUATION_SET` of datatrove 0.10.1.
#[rustfmt::skip]
const PUNCTUATION: [(u32, u32); 27] = [
    (0x0, 0x8), (0xB, 0x1F), (0x22, 0x2D), (0x2F, 0x2F), (0x3A, 0x3E), (0x40, 0x40), (0x5B, 0x60),
    (0x7B, 0x9F), (0xAB, 0xAB), (0xB4, 0xB4), (0xBB, 0xBB), (0x2013, 0x2014), (0x2019, 0x2019),
    (0x201C, 0x201E), (0x2026, 0x2026), (0x2236, 0x2236), (0x2501, 0x2501), (0x25BA, 0x25BA),
    (0x3001, 0x3001), (0x3008, 0x300D), (0x3010, 0x3011), (0xFF05, 0xFF05), (0xFF08, 0xFF09),
    (0xFF0C, 0xFF0C), (0xFF11, 0xFF11), (0xFF1A, 0xFF1B), (0xFF5E, 0xFF5E),
];
