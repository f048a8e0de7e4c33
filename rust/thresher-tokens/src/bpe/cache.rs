//! Pre-tokens that were met before, with their ids: a table of fixed size, one a thread.
//!
//! ```text
//! line  | key, 15 bytes and length | up to 4 ids, count | key | ids |      64 bytes, two pre-tokens
//! line  | key, 31 bytes and length        | up to 10 ids, count      |      64 bytes, one pre-token
//! ```
//!
//! A key is the whole pre-token, so a hit is exact. What is new takes the first of two places, those of its line or of two
//! neighbouring lines; what was there takes the second, and what was there is forgotten: nothing grows, whatever the text. What is found in
//! the second place moves to the first, so where a pre-token is found can be foretold. A short pre-token of many ids goes to the second table.
//! Pre-tokens that are longer, or have more ids, are not kept. The hash is public; who forges collisions makes misses.

use thresher_core::prefetch::{in_large_pages, prefetch_line};

use crate::pretokenize::{AHEAD, WINDOW};

/// The longest pre-token of the first table.
pub(crate) const SHORT: usize = 15;

/// The longest pre-token of the second one.
pub(crate) const MEDIUM: usize = 31;

/// Numbers of a line: 64 bytes, those of a cache line.
const LINE: usize = 8;

/// Ids have 24 bits ([`crate::tokenizer::file::MAX_ID`]).
const ID: u32 = (1 << 24) - 1;

/// Lines of 64 bytes, which begin where cache lines do.
#[derive(Debug, Default)]
struct Lines {
    numbers: Vec<u64>,
    skip: usize,
    shift: u32,
}

impl Lines {
    fn new(bytes: usize) -> Self {
        let lines = (bytes / (8 * LINE)).max(2);
        let bits = usize::BITS - 1 - lines.leading_zeros();
        let mut numbers = vec![0_u64; (LINE << bits) + LINE];
        in_large_pages(&mut numbers);
        let skip = numbers.as_ptr().align_offset(8 * LINE).min(LINE);
        Self { numbers, skip, shift: 64 - bits }
    }

    /// What finds places.
    #[inline(always)]
    fn finder(&self) -> Finder {
        Finder { lines: self.lines().as_ptr(), shift: self.shift }
    }

    #[inline(always)]
    fn lines(&self) -> &[[u64; LINE]] {
        self.numbers[self.skip..].as_chunks().0
    }

    #[inline(always)]
    fn lines_mut(&mut self) -> &mut [[u64; LINE]] {
        self.numbers[self.skip..].as_chunks_mut().0
    }
}

/// A pre-token of up to 15 bytes. The default one is that of none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShortKey([u64; 2]);

impl ShortKey {
    /// Whether it is that of none.
    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0[1] == 0
    }

    /// Of `text[start..end]`, which has 1 to 15 bytes.
    #[inline(always)]
    pub(crate) fn new(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        debug_assert!((1..=SHORT).contains(&len));
        let bytes = text[start..].first_chunk::<16>().copied().unwrap_or_else(|| {
            let mut chunk = [0; 16];
            chunk[..len].copy_from_slice(&text[start..end]);
            chunk
        });
        Self::of(bytes, len)
    }

    /// Of a piece in a window, which has 1 to 15 bytes.
    #[inline(always)]
    pub(crate) fn within(window: &[u8; WINDOW + AHEAD], from: usize, to: usize) -> Self {
        let (len, from) = (to - from, from % WINDOW);
        debug_assert!((1..=SHORT).contains(&len));
        Self::of(window[from..].first_chunk().copied().unwrap_or_default(), len)
    }

    /// Of the first `len` bytes.
    #[inline(always)]
    fn of(bytes: [u8; AHEAD], len: usize) -> Self {
        let bytes = u128::from_le_bytes(bytes);
        let [low, high] = MASKS[len & 15];
        Self([bytes as u64 & low, (bytes >> 64) as u64 & high | (len as u64) << 56])
    }
}

/// A pre-token of 16 to 31 bytes, or a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediumKey([u64; 4]);

impl From<ShortKey> for MediumKey {
    /// Its length is at the end of its own half, where no longer one has all zeros behind it.
    fn from(ShortKey([low, high]): ShortKey) -> Self {
        Self([low, high, 0, 0])
    }
}

impl MediumKey {
    /// Of `text[start..end]`, which has 16 to 31 bytes.
    #[inline(always)]
    pub(crate) fn new(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        debug_assert!((SHORT + 1..=MEDIUM).contains(&len));
        let bytes = text[start..].first_chunk::<32>().copied().unwrap_or_else(|| {
            let mut chunk = [0; 32];
            chunk[..len].copy_from_slice(&text[start..end]);
            chunk
        });
        let mut key = [0; 4];
        for (number, chunk) in key.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*chunk);
        }
        let [low, high] = MASKS[len & 15];
        key[2] &= low;
        key[3] = key[3] & high | (len as u64) << 56;
        Self(key)
    }
}

/// What is left of 16 bytes, by length.
static MASKS: [[u64; 2]; 16] = masks();

const fn masks() -> [[u64; 2]; 16] {
    let mut masks = [[0; 2]; 16];
    let mut len = 1;
    while len < 16 {
        masks[len] = if len < 8 { [!0 >> (64 - 8 * len), 0] } else { [!0, (1 << (8 * (len - 8))) - 1] };
        len += 1;
    }
    masks
}

/// The line of a pre-token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place(u32);

/// Up to four ids, each in 32 bits, and how many in the highest byte, which no id has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed([u64; 2]);

impl Packed {
    /// How many ids there can be.
    pub(crate) const MOST: usize = 4;

    /// Of at most [`Packed::MOST`] ids.
    fn of(ids: &[u32]) -> Option<Self> {
        let mut four = [0; Self::MOST];
        four.get_mut(..ids.len())?.copy_from_slice(ids);
        four[3] |= (ids.len() as u32) << 24;
        let [a, b, c, d] = four.map(u64::from);
        Some(Self([a | b << 32, c | d << 32]))
    }

    /// How many ids there are.
    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        (self.0[1] >> 56) as usize
    }

    /// The ids, and zeros behind them.
    #[inline(always)]
    pub(crate) fn ids(self) -> [u32; Self::MOST] {
        let [low, high] = self.0;
        [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32 & ID]
    }
}

/// Up to ten ids of 24 bits, and how many in the last byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedMany([u8; 32]);

impl PackedMany {
    /// How many ids there can be.
    pub(crate) const MOST: usize = 10;

    #[inline(always)]
    fn read(numbers: &[u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (chunk, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *chunk = number.to_le_bytes();
        }
        Self(bytes)
    }

    /// Of at most [`PackedMany::MOST`] ids.
    fn of(ids: &[u32]) -> Option<[u64; 4]> {
        if ids.len() > Self::MOST {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[31] = ids.len() as u8;
        for (chunk, id) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(ids) {
            chunk.copy_from_slice(&id.to_le_bytes()[..3]);
        }
        let mut numbers = [0; 4];
        for (number, chunk) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*chunk);
        }
        Some(numbers)
    }

    /// How many ids there are.
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        usize::from(self.0[31])
    }

    /// The ids, and zeros behind them.
    #[inline(always)]
    pub(crate) fn ids(&self) -> [u32; Self::MOST] {
        let mut ids = [0; Self::MOST];
        for (at, id) in ids.iter_mut().enumerate() {
            let four = [self.0[3 * at], self.0[3 * at + 1], self.0[3 * at + 2], self.0[3 * at + 3]];
            // At the end of the last one stands how many there are.
            *id = u32::from_le_bytes(four) & ID;
        }
        ids
    }
}

/// A product of both factors, folded.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Finds the places of hashes in a table, and asks for their memory, so that it is there a little later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder {
    lines: *const [u64; LINE],
    shift: u32,
}

impl Finder {
    #[inline(always)]
    fn place(self, hash: u64) -> Place {
        let place = hash >> self.shift;
        prefetch_line(self.lines.wrapping_add(place as usize));
        Place(place as u32)
    }

    /// Where the ids of a short pre-token are, or would be.
    #[inline(always)]
    pub(crate) fn short(self, key: ShortKey) -> Place {
        let [low, high] = key.0;
        self.place(fold(low ^ 0xA076_1D64_78BD_642F, high ^ 0xE703_7ED1_A0B4_28DB))
    }
}

/// The cache of one thread. The default one has no place, and is never asked.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    short: Lines,
    medium: Lines,
}

impl Cache {
    /// Of up to `bytes` bytes, half of them for each table.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { short: Lines::new(bytes / 2), medium: Lines::new(bytes / 2) }
    }

    /// Bytes that it takes, now and ever.
    pub(crate) fn bytes(&self) -> usize {
        (self.short.numbers.len() + self.medium.numbers.len()) * 8
    }

    /// What finds the places of short pre-tokens.
    #[inline(always)]
    pub(crate) fn finder(&self) -> Finder {
        self.short.finder()
    }

    /// What it knows.
    #[inline(always)]
    pub(crate) fn known(&mut self) -> Known<'_> {
        Known { short: self.short.lines_mut(), medium: self.medium.lines_mut() }
    }

    /// Keeps the ids of a short pre-token; says whether there is a place for so many.
    pub(crate) fn keep_short(&mut self, place: Place, key: ShortKey, ids: &[u32]) -> bool {
        let Some(Packed(packed)) = Packed::of(ids) else { return false };
        let line = &mut self.short.lines_mut()[place.0 as usize];
        line.copy_within(..4, 4);
        line[..2].copy_from_slice(&key.0);
        line[2..4].copy_from_slice(&packed);
        true
    }

    /// The same for a pre-token of 16 to 31 bytes, or a shorter one of many ids.
    #[inline(always)]
    pub(crate) fn medium_place(&self, key: &MediumKey) -> Place {
        let key = key.0;
        let hash = fold(key[0] ^ 0xA076_1D64_78BD_642F, key[1] ^ 0xE703_7ED1_A0B4_28DB)
            ^ fold(key[2] ^ 0x8EBC_6AF0_9C88_C6E3, key[3] ^ 0x5899_65CC_7537_4CC3).rotate_left(32);
        self.medium.finder().place(hash)
    }

    /// Keeps the ids of a pre-token of the second table.
    pub(crate) fn keep_medium(&mut self, place: Place, key: &MediumKey, ids: &[u32]) {
        let Some(packed) = PackedMany::of(ids) else { return };
        let place = place.0 as usize;
        let lines = self.medium.lines_mut();
        lines.swap(place, place ^ 1);
        let line = &mut lines[place];
        line[..4].copy_from_slice(&key.0);
        line[4..].copy_from_slice(&packed);
    }
}

/// What a cache knows, as long as nothing is added.
#[derive(Debug)]
pub(crate) struct Known<'c> {
    short: &'c mut [[u64; LINE]],
    medium: &'c mut [[u64; LINE]],
}

impl Known<'_> {
    /// The ids of a short pre-token, which moves to the first place of its line.
    #[inline(always)]
    pub(crate) fn short(&mut self, place: Place, key: ShortKey) -> Option<Packed> {
        let line = &mut self.short[place.0 as usize];
        if (line[0] ^ key.0[0]) | (line[1] ^ key.0[1]) != 0 {
            if (line[4] ^ key.0[0]) | (line[5] ^ key.0[1]) != 0 {
                return None;
            }
            line.rotate_left(4);
        }
        Some(Packed([line[2], line[3]]))
    }

    /// The ids of a pre-token of the second table, which moves to the first of its two lines.
    #[inline(always)]
    pub(crate) fn medium(&mut self, place: Place, key: &MediumKey) -> Option<PackedMany> {
        let place = place.0 as usize;
        if self.medium[place][..4] != key.0 {
            if self.medium[place ^ 1][..4] != key.0 {
                return None;
            }
            self.medium.swap(place, place ^ 1);
        }
        let [_, _, _, _, ids @ ..] = &self.medium[place];
        Some(PackedMany::read(ids))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_was_kept(
            pieces in prop::collection::vec((prop::collection::vec(0_u8..4, 1..=MEDIUM), prop::collection::vec(0_u32..1 << 24, 0..12)), 1..200),
        ) {
            let mut cache = Cache::new(4096);
            let size = cache.bytes();
            let mut kept = HashMap::new();
            for (piece, ids) in pieces {
                let text = [&piece[..], b"what follows in the text"].concat();
                let is_short = piece.len() <= SHORT;
                let short = if is_short { ShortKey::new(&text, 0, piece.len()) } else { ShortKey::default() };
                let medium = if is_short { short.into() } else { MediumKey::new(&text, 0, piece.len()) };
                if is_short {
                    prop_assert_eq!(short, ShortKey::new(&piece, 0, piece.len()));
                    let mut window = [7; WINDOW + AHEAD];
                    window[WINDOW - 1..][..piece.len()].copy_from_slice(&piece);
                    prop_assert_eq!(short, ShortKey::within(&window, WINDOW - 1, WINDOW - 1 + piece.len()));
                } else {
                    prop_assert_eq!(medium, MediumKey::new(&piece, 0, piece.len()));
                }
                let places = (cache.finder().short(short), cache.medium_place(&medium));
                let known = cache.known().short(places.0, short).filter(|_| is_short);
                let known = known.map(|ids| ids.ids()[..ids.count()].to_vec());
                let many = cache.known().medium(places.1, &medium).map(|ids| ids.ids()[..ids.count()].to_vec());
                // What is not kept does not push out what is.
                let wanted = kept.get(&piece);
                prop_assert!(known.is_none() || known.as_ref() == wanted, "{:?} {:?}", known, wanted);
                prop_assert!(many.is_none() || known.is_some() || many.as_ref() == wanted, "{:?} {:?}", many, wanted);
                if known.is_none() && many.is_none() {
                    if !is_short || !cache.keep_short(places.0, short, &ids) {
                        cache.keep_medium(places.1, &medium, &ids);
                    }
                    kept.insert(piece, ids);
                }
            }
            prop_assert_eq!(cache.bytes(), size);
        }
    }
}
