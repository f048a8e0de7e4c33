//! The model of scripts that several languages share: how much the next letter costs in each language, behind up to three others.
//!
//! A language is a model of its letters of order four with back-off, of which the n-grams are kept that tell languages apart best;
//! an n-gram that is not kept is told by its end. A cost is -ln P, less the least of its row, in steps of 1/20, in one byte.
//! Letters have codes of one byte, so an n-gram is a number of 32 bits, and its ends are that number modulo 2^24, 2^16, 2^8.
//!
//! `model.bin` is made by `make language-model` from the n-gram tables of lingua 1.8 (Apache-2.0, see `NOTICE` beside it), which
//! hold relative frequencies in news, web pages and Wikipedia. Its form, all numbers little-endian: for each group of languages
//! a byte with their number, their names (4 bytes each, filled with zeros), the number of letters (u16) and these (u32), the
//! number of n-grams (u32), these (u32), and their costs, a byte for each language.

use super::scripts::{Class, SHARED, class};

/// Costs of a row are read in parts of so many bytes.
pub(super) const LANES: usize = 16;

/// Parts of a line of the cache.
const LINE: usize = 64 / LANES;

/// Four parts that lie in one line of the cache; rows of one, two or four parts lie in one line too.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([[u8; LANES]; LINE]);

/// The groups of languages that share a script, and what every letter is.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) groups: Vec<Group>,
    /// Classes and codes by pages of 256 characters; the first page stands for all characters that have none.
    pages: Vec<[Letter; 256]>,
    page_of: Vec<u16>,
}

/// A letter: its class, and its code in the group of its script, or 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Letter {
    pub(super) class: Class,
    pub(super) code: u8,
}

/// Languages of one script.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) languages: Vec<String>,
    /// Places of a power of two: an n-gram and its row, or zeros.
    slots: Vec<(u32, u32)>,
    shift: u32,
    /// Costs of all rows; a row has `parts` parts.
    costs: Vec<Line>,
    /// A power of two, 4 at most.
    pub(super) parts: usize,
}

impl Model {
    /// The model of the package.
    pub(super) fn embedded() -> Self {
        Self::read(include_bytes!("model.bin")).unwrap_or_else(|| Self {
            groups: Vec::new(),
            pages: vec![[Letter::default(); 256]],
            page_of: vec![0; 0x1100],
        })
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut groups = Vec::new();
        let mut letters = Vec::new();
        for _ in SHARED {
            let (group, alphabet) = Group::read(&mut rest)?;
            groups.push(group);
            letters.push(alphabet);
        }
        let mut pages = vec![[Letter::default(); 256]];
        let page_of = (0..0x1100u32).map(|number| {
            let letter = |place: usize| {
                char::from_u32(number << 8 | place as u32)
                    .map_or(Letter::default(), |c| letter_of(c, &letters))
            };
            let page: [Letter; 256] = std::array::from_fn(letter);
            if page.iter().all(|letter| letter.class == Class::None) {
                return 0;
            }
            pages.push(page);
            pages.len() as u16 - 1
        });
        let page_of = page_of.collect();
        rest.is_empty().then_some(Self { groups, pages, page_of })
    }

    #[inline]
    pub(super) fn letter(&self, c: char) -> Letter {
        let page = self.page_of[c as usize >> 8];
        self.pages[usize::from(page)][c as usize & 255]
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let groups: usize =
            self.groups.iter().map(|group| group.slots.len() * 8 + group.costs.len() * 64).sum();
        groups + self.pages.len() * 256 * size_of::<Letter>()
    }
}

fn letter_of(c: char, alphabets: &[Vec<char>]) -> Letter {
    let class = class(c);
    let Class::Shared(group) = class else { return Letter { class, code: 0 } };
    let mut lower = c.to_lowercase();
    let lower = if lower.len() == 1 { lower.next().unwrap_or(c) } else { c };
    let place = alphabets[usize::from(group)].iter().position(|letter| *letter == lower);
    Letter { class, code: place.map_or(0, |place| place as u8 + 1) }
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

fn take_u32s(rest: &mut &[u8], count: usize) -> Option<Vec<u32>> {
    let (head, tail) = rest.split_at_checked(count.checked_mul(4)?)?;
    *rest = tail;
    Some(head.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}

impl Group {
    fn read(rest: &mut &[u8]) -> Option<(Self, Vec<char>)> {
        let count = usize::from(take::<1>(rest)?[0]);
        let mut languages = Vec::new();
        for _ in 0..count {
            let name = std::str::from_utf8(take::<4>(rest)?).ok()?;
            languages.push(name.trim_end_matches('\0').to_owned());
        }
        let letters = usize::from(u16::from_le_bytes(*take(rest)?));
        let alphabet =
            take_u32s(rest, letters)?.into_iter().map(char::from_u32).collect::<Option<Vec<char>>>()?;
        let rows = u32::from_le_bytes(*take(rest)?) as usize;
        let grams = take_u32s(rest, rows)?;
        let (packed, tail) = rest.split_at_checked(rows.checked_mul(count)?)?;
        *rest = tail;
        let parts = count.div_ceil(LANES).next_power_of_two();
        if count == 0 || parts > LINE {
            return None;
        }
        let mut costs = vec![Line([[0; LANES]; LINE]); rows.div_ceil(LINE / parts)];
        let rows_of =
            costs.iter_mut().flat_map(|line| line.0.as_flattened_mut().chunks_exact_mut(parts * LANES));
        for (row, packed) in rows_of.zip(packed.chunks_exact(count)) {
            row[..count].copy_from_slice(packed);
        }
        let bits = (2 * rows).next_power_of_two().trailing_zeros().max(1);
        let mut group = Self { languages, slots: vec![(0, 0); 1 << bits], shift: 32 - bits, costs, parts };
        for (row, gram) in grams.into_iter().enumerate() {
            let mut slot = group.slot(gram);
            while group.slots[slot].0 != 0 {
                slot = (slot + 1) % group.slots.len();
            }
            group.slots[slot] = (gram, row as u32);
        }
        Some((group, alphabet))
    }

    #[inline(always)]
    fn slot(&self, gram: u32) -> usize {
        (gram.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    #[inline(always)]
    fn row(&self, gram: u32) -> Option<u32> {
        let mut slot = self.slot(gram);
        loop {
            let (found, row) = self.slots[slot];
            if found == gram {
                return Some(row);
            }
            if found == 0 {
                return None;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The row of the longest end of up to four letters that the model has.
    #[inline(always)]
    pub(super) fn row_of(&self, letters: u32) -> Option<u32> {
        let ends = [letters, letters & 0xFF_FFFF, letters & 0xFFFF, letters & 0xFF];
        ends.into_iter().find_map(|end| self.row(end))
    }

    /// Adds the costs of rows, at most 257, to sums of each language.
    pub(super) fn add(&self, rows: &[u32], sums: &mut [u32]) {
        match self.parts {
            1 => self.add_parts::<1>(rows, sums),
            2 => self.add_parts::<2>(rows, sums),
            _ => self.add_parts::<4>(rows, sums),
        }
    }

    fn add_parts<const PARTS: usize>(&self, rows: &[u32], sums: &mut [u32]) {
        // Of 257 bytes the sum fits in 16 bits, so these stay in registers.
        let mut block = [[0u16; LANES]; PARTS];
        for &row in rows {
            let place = row as usize * PARTS;
            let costs = self.costs[place / LINE].0[place % LINE..].iter();
            for (sums, costs) in block.iter_mut().zip(costs) {
                sums.iter_mut().zip(costs).for_each(|(sum, &cost)| *sum += u16::from(cost));
            }
        }
        for (sum, block) in sums.iter_mut().zip(block.as_flattened()) {
            *sum = sum.saturating_add(u32::from(*block));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_of_the_package_is_whole() {
        let model = Model::read(include_bytes!("model.bin")).unwrap();
        assert_eq!(model.groups.len(), SHARED.len());
        let languages: usize = model.groups.iter().map(|group| group.languages.len()).sum();
        assert!(languages > 50, "{languages}");
        for (group, c) in [(0, 'E'), (0, 'é'), (1, 'Ж'), (2, 'ب'), (3, 'क')] {
            let letter = model.letter(c);
            assert_eq!(letter.class, Class::Shared(group));
            assert!(letter.code > 0, "{c}");
            assert!(model.groups[usize::from(group)].row_of(letter.code.into()).is_some());
        }
    }

    #[test]
    fn a_model_that_is_cut_off_is_none() {
        let whole = include_bytes!("model.bin");
        for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
            assert!(Model::read(&whole[..length]).is_none());
        }
    }
}
