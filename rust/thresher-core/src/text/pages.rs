//! Characters of two and three bytes by pages of 64: what a block needs to know of them, without decoding one.
//!
//! All bytes of such a character but the last one name a page, the low six bits of the last one a place in it; so a page is
//! a few sets of 64 bits, and a lower-case form that is written as long as its capital is one of two bytes each. Most pages
//! are of one kind throughout (Han, Hangul), and a text stays in a few of them.
//!
//! Built from [`tables`](super::tables) and the mapping of `std` when the first scanner is made, in about a millisecond.

use std::sync::LazyLock;

use super::tables;

/// Pages of the characters of up to three bytes.
const NUM_PAGES: usize = 0x1_0000 / 64;

/// The characters that share all bytes but the last; one bit a character.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    /// Part of a word.
    pub(crate) word: u64,
    /// A word of its own. Such characters have three bytes.
    pub(crate) solo: u64,
    /// Lower-cased to something of another length or another first of three bytes: left to who decodes.
    pub(crate) odd: u64,
    /// Lower-cased in place, by `lower`.
    pub(crate) cased: u64,
    /// The lower-case forms, by their place in [`Pages::lower`].
    lower: u32,
}

/// The last two bytes of each character's lower-case form: those before the last, then the last ones.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Lower(pub(crate) [[u8; 64]; 2]);

/// The pages that the blocks before were in, so that a block need not find out one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recent {
    /// The lead byte of each, the second one or 0, and its number.
    pub(crate) keys: [(u8, u8, u16); 8],
    pub(crate) count: usize,
}

impl Recent {
    /// Remembers a page, if there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: (u8, u8, u16)) {
        if let Some(place) = self.keys.get_mut(self.count) {
            *place = key;
            self.count += 1;
        }
    }
}

/// All pages.
#[derive(Debug)]
pub(crate) struct Pages {
    pages: Box<[Page; NUM_PAGES]>,
    lower: Vec<Lower>,
}

impl Pages {
    /// The pages, made once.
    pub(crate) fn get() -> &'static Self {
        static PAGES: LazyLock<Pages> = LazyLock::new(Pages::new);
        &PAGES
    }

    #[expect(clippy::large_stack_arrays, reason = "40 KB, once")]
    fn new() -> Self {
        let mut pages = Box::new([Page::default(); NUM_PAGES]);
        let mut lower = vec![Lower([[0; 64]; 2])];
        for (number, page) in pages.iter_mut().enumerate().skip(2) {
            let forms = page.fill(number as u32);
            if page.cased != 0 {
                page.lower = lower.len() as u32;
                lower.push(forms);
            }
        }
        Self { pages, lower }
    }

    /// The page of characters of two bytes that begin with `lead`.
    #[inline(always)]
    pub(crate) fn of_two(&self, lead: u8) -> &Page {
        &self.pages[usize::from(lead & 0x1F)]
    }

    /// The page of characters of three bytes that begin with `lead` and `second`.
    #[inline(always)]
    pub(crate) fn of_three(&self, lead: u8, second: u8) -> &Page {
        &self.pages[usize::from(lead & 0xF) << 6 | usize::from(second & 0x3F)]
    }

    /// The page of characters that begin with `lead`, and `second` if they have three bytes, by its number.
    #[inline(always)]
    pub(crate) fn number(lead: u8, second: u8) -> u16 {
        let three = u16::from(lead & 0xF) << 6 | u16::from(second & 0x3F);
        if lead < 0xE0 { u16::from(lead & 0x1F) } else { three }
    }

    /// A page by its number.
    #[inline(always)]
    pub(crate) fn numbered(&self, number: u16) -> &Page {
        &self.pages[usize::from(number) % NUM_PAGES]
    }

    /// The lower-case forms of a page.
    #[inline(always)]
    pub(crate) fn lower(&self, page: &Page) -> &Lower {
        &self.lower[page.lower as usize]
    }

    /// Whether a character has to be decoded: it has four bytes, or a lower-case form that does not fit in its place.
    pub(crate) fn is_odd(&self, c: char) -> bool {
        let code_point = c as usize;
        self.pages.get(code_point / 64).is_none_or(|page| page.odd >> (code_point % 64) & 1 == 1)
    }
}

impl Page {
    /// Fills in the page of a number, and gives its lower-case forms.
    fn fill(&mut self, number: u32) -> Lower {
        let mut forms = Lower([[0; 64]; 2]);
        for place in 0..64 {
            let Some(c) = char::from_u32(number << 6 | place) else { continue };
            let bit = 1 << place;
            match tables::class(c as u32) {
                tables::SEPARATOR => {}
                tables::SOLO => self.solo |= bit,
                tables::WORD_WITH_LOWER => match lower_in_place(c) {
                    Some(bytes) => {
                        self.word |= bit;
                        self.cased |= bit;
                        for (form, byte) in forms.0.iter_mut().zip(bytes) {
                            form[place as usize] = byte;
                        }
                    }
                    None => self.odd |= bit,
                },
                _ => self.word |= bit,
            }
        }
        forms
    }
}

/// The last two bytes of the lower-case form of `c`, if they are all that it changes.
fn lower_in_place(c: char) -> Option<[u8; 2]> {
    let (mut from, mut to) = ([0; 4], [0; 4]);
    let mut lower = c.to_lowercase();
    let (from, to) = (c.encode_utf8(&mut from).as_bytes(), lower.next()?.encode_utf8(&mut to).as_bytes());
    let (front, last) = to.split_last_chunk::<2>()?;
    (lower.next().is_none() && from.len() == to.len() && from.starts_with(front)).then_some(*last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_in_its_page_what_the_tables_say() {
        let pages = Pages::get();
        for c in ('\u{80}'..='\u{FFFF}').chain(['\u{10000}', '\u{10FFFF}']) {
            let mut bytes = [0; 4];
            let page = match *c.encode_utf8(&mut bytes).as_bytes() {
                [lead, _] => pages.of_two(lead),
                [lead, second, _] => pages.of_three(lead, second),
                _ => {
                    assert!(pages.is_odd(c));
                    continue;
                }
            };
            let second = if c.len_utf8() == 3 { bytes[1] } else { 0 };
            assert!(std::ptr::eq(page, pages.numbered(Pages::number(bytes[0], second))), "{c:?}");
            let place = c as usize % 64;
            let [word, solo, odd, cased] =
                [page.word, page.solo, page.odd, page.cased].map(|set| set >> place & 1 == 1);
            let class = tables::class(c as u32);
            assert_eq!(solo, class == tables::SOLO, "{c:?}");
            assert_eq!(word || odd, class == tables::WORD || class == tables::WORD_WITH_LOWER, "{c:?}");
            assert_eq!(cased || odd, class == tables::WORD_WITH_LOWER, "{c:?}");
            assert_eq!(pages.is_odd(c), odd, "{c:?}");
            if cased {
                let len = c.len_utf8();
                bytes[len - 2] = pages.lower(page).0[0][place];
                bytes[len - 1] = pages.lower(page).0[1][place];
                let lower: String = c.to_lowercase().collect();
                assert_eq!(std::str::from_utf8(&bytes[..len]), Ok(lower.as_str()), "{c:?}");
            }
            assert!(!solo || c.len_utf8() == 3, "{c:?}");
        }
        assert!(pages.is_odd('\u{130}') && pages.is_odd('\u{212A}') && pages.is_odd('\u{1E9E}'));
        assert!(!pages.is_odd('\u{416}') && !pages.is_odd('\u{1EBE}'));
    }
}
