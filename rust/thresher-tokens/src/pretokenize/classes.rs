//! The class of every code point, as the regular expressions of the crate `tokenizers` see it.
//!
//! Its engine, Oniguruma, has tables of one version of Unicode. The runs in [`super::categories`] were asked of it, and a test
//! asks again for every code point, so a new version of the crate shows there. A lookup is two loads: a page of 256
//! code points, then the class in it; equal pages are stored once.

use std::sync::OnceLock;

use super::categories::RUNS;

/// Nothing of what follows: control characters, unassigned ones, separators that are no blank.
pub(crate) const OTHER: u8 = 0;
/// `\p{Lu}`: upper case.
pub(crate) const UPPER: u8 = 1;
/// `\p{Ll}`: lower case.
pub(crate) const LOWER: u8 = 2;
/// `\p{Lt}`: title case.
pub(crate) const TITLE: u8 = 3;
/// `\p{Lm}`: modifiers.
pub(crate) const MODIFIER: u8 = 4;
/// `\p{Lo}`: letters without case.
pub(crate) const LETTER: u8 = 5;
/// `\p{M}`: marks.
pub(crate) const MARK: u8 = 6;
/// `\p{N}`: numbers.
pub(crate) const NUMBER: u8 = 7;
/// `\p{P}`: punctuation.
pub(crate) const PUNCTUATION: u8 = 8;
/// `\p{S}`: symbols.
pub(crate) const SYMBOL: u8 = 9;
/// `\s`: white space.
pub(crate) const SPACE: u8 = 10;

/// What each class is in a pattern, in the order of the numbers above.
#[cfg(test)]
pub(super) const NAMES: [&str; 11] = [
    "", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{M}", r"\p{N}", r"\p{P}", r"\p{S}", r"\s",
];

/// A set of classes, one bit each.
pub(crate) type Set = u16;

/// The set of the classes named.
pub(crate) const fn set<const N: usize>(classes: [u8; N]) -> Set {
    let (mut set, mut at) = (0, 0);
    while at < N {
        set |= 1 << classes[at];
        at += 1;
    }
    set
}

/// `\p{L}`.
pub(crate) const LETTERS: Set = set([UPPER, LOWER, TITLE, MODIFIER, LETTER]);

/// Code points of a page.
const PAGE: usize = 256;

/// The class of every code point.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Which page holds 256 code points.
    index: [u8; 0x11_0000 / PAGE],
    pages: Vec<[u8; PAGE]>,
}

impl Classes {
    /// The table, made when it is first asked for.
    pub(crate) fn get() -> &'static Self {
        static CLASSES: OnceLock<Classes> = OnceLock::new();
        CLASSES.get_or_init(Self::unpack)
    }

    fn unpack() -> Self {
        let mut index = [0; 0x11_0000 / PAGE];
        let mut pages: Vec<[u8; PAGE]> = Vec::new();
        let mut runs = RUNS.iter().map(|&run| (run >> 4, (run & 15) as u8)).peekable();
        let mut class = OTHER;
        for (number, slot) in index.iter_mut().enumerate() {
            let mut page = [OTHER; PAGE];
            for (low, place) in page.iter_mut().enumerate() {
                while let Some((_, next)) = runs.next_if(|&(start, _)| start as usize <= number * PAGE + low)
                {
                    class = next;
                }
                *place = class;
            }
            // Most pages are equal to the one before or to one of the first ones.
            let known = pages.iter().rposition(|other| *other == page);
            *slot = known.unwrap_or_else(|| {
                pages.push(page);
                pages.len() - 1
            }) as u8;
        }
        debug_assert!(pages.len() <= 256);
        pages.resize(256, [OTHER; PAGE]);
        Self { index, pages }
    }

    /// The class of a code point.
    #[inline(always)]
    pub(crate) fn of(&self, code_point: u32) -> u8 {
        match self.index.get(code_point as usize / PAGE) {
            Some(&page) => self.pages[page as usize][code_point as usize % PAGE],
            None => OTHER,
        }
    }

    /// The character that begins at `at`: its code point, its class, its bytes. `text` is UTF-8, `at` a boundary within it.
    #[inline(always)]
    pub(crate) fn at(&self, text: &[u8], at: usize) -> Char {
        let first = text[at];
        if first < 0x80 {
            return Char { code_point: u32::from(first), class: ASCII[first as usize], len: 1 };
        }
        let next = |ahead: usize| u32::from(text.get(at + ahead).copied().unwrap_or(0) & 0x3F);
        let (code_point, len) = match first {
            0..0xE0 => (u32::from(first & 0x1F) << 6 | next(1), 2),
            0xE0..0xF0 => (u32::from(first & 0xF) << 12 | next(1) << 6 | next(2), 3),
            _ => (u32::from(first & 7) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4),
        };
        Char { code_point, class: self.of(code_point), len }
    }
}

/// A character of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Char {
    pub(crate) code_point: u32,
    pub(crate) class: u8,
    pub(crate) len: usize,
}

impl Char {
    /// Whether its class is one of `set`.
    #[inline(always)]
    pub(crate) fn is(self, set: Set) -> bool {
        set >> self.class & 1 == 1
    }
}

/// The classes of ASCII.
pub(crate) static ASCII: [u8; 128] = ascii();

const fn ascii() -> [u8; 128] {
    let mut classes = [OTHER; 128];
    let mut at = 0;
    while at < 128 {
        classes[at] = match at as u8 {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => NUMBER,
            b'\t'..=b'\r' | b' ' => SPACE,
            b'$' | b'+' | b'<'..=b'>' | b'^' | b'`' | b'|' | b'~' => SYMBOL,
            b'!'..=b'/' | b':'..=b'@' | b'['..=b'_' | b'{' | b'}' => PUNCTUATION,
            _ => OTHER,
        };
        at += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use tokenizers::utils::SysRegex;

    use super::*;

    /// The class of every code point by the engine itself.
    fn asked() -> Vec<u8> {
        let all: String = (0..0x11_0000).filter_map(char::from_u32).collect();
        let mut classes = vec![OTHER; 0x11_0000];
        for (class, name) in NAMES.iter().enumerate().skip(1) {
            for (start, end) in SysRegex::new(&format!("{name}+")).unwrap().find_iter(&all) {
                for c in all[start..end].chars() {
                    assert_eq!(
                        std::mem::replace(&mut classes[c as usize], class as u8),
                        OTHER,
                        "{c:?} has two classes"
                    );
                }
            }
        }
        classes
    }

    #[test]
    fn every_code_point_has_the_class_that_the_engine_gives_it() {
        let asked = asked();
        let differs =
            |&c: &usize| asked[c] != Classes::get().of(c as u32) || (c < 128 && asked[c] != ASCII[c]);
        let wrong: Vec<usize> = (0..asked.len()).filter(differs).collect();
        assert!(
            wrong.is_empty(),
            "{} differ, the first at {:#X}; run `write_categories`",
            wrong.len(),
            wrong[0]
        );
    }

    /// Writes `categories.rs` anew, when the crate has a new version of Unicode.
    #[test]
    #[ignore = "writes a source file"]
    fn write_categories() {
        let asked = asked();
        let runs = (0..asked.len()).filter(|&c| c == 0 || asked[c] != asked[c - 1]);
        let runs: Vec<u32> = runs.map(|c| (c as u32) << 4 | u32::from(asked[c])).collect();
        let mut source = String::from(
            "//! Where the class of code points changes: code point times 16 plus class, as `classes.rs` numbers them.\n\
             //!\n//! Written by the test `write_categories` of `classes.rs`, which asks Oniguruma in the version of the crate `tokenizers`.\n\n\
             #[rustfmt::skip]\n#[expect(clippy::unreadable_literal, reason = \"a table\")]\npub(super) static RUNS: &[u32] = &[\n",
        );
        for row in runs.chunks(14) {
            let row: Vec<String> = row.iter().map(|run| format!("{run:#X}")).collect();
            writeln!(source, "    {},", row.join(", ")).unwrap();
        }
        source.push_str("];\n");
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pretokenize/categories.rs"), source)
            .unwrap();
    }
}
