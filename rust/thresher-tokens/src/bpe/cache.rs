//! Pre-tokens that were met before, with their ids: a table of fixed size, one a thread.
//!
//! ```text
//! line  | key, 15 bytes and length | up to 5 ids of 24 bits, count | key | ids |      64 bytes, two pre-tokens
//! line  | key, 31 bytes and length                   | up to 10 ids, count     |      64 bytes, one pre-token
//! ```
//!
//! A key is the whole pre-token, so a hit is exact. What is new takes the first place of its line, what was there the
//! second, and what was there is forgotten: nothing grows, whatever the text. Pre-tokens that are longer, or have more ids,
//! are not kept. The hash is public; who forges collisions makes misses.

use thresher_core::prefetch::prefetch_line;

/// The longest pre-token of the first table.
pub(crate) const SHORT: usize = 15;

/// The longest pre-token of the second one.
pub(crate) const MEDIUM: usize = 31;

/// Numbers of a line: 64 bytes, those of a cache line.
const LINE: usize = 8;

const ID: u64 = (1 << 24) - 1;

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
        let numbers = vec![0_u64; (LINE << bits) + LINE];
        let skip = numbers.as_ptr().align_offset(8 * LINE).min(LINE);
        Self { numbers, skip, shift: 64 - bits }
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

/// A pre-token of up to 15 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShortKey([u64; 2]);

impl ShortKey {
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
        let bytes = u128::from_le_bytes(bytes);
        let [low, high] = MASKS[len & 15];
        Self([bytes as u64 & low, (bytes >> 64) as u64 & high | (len as u64) << 56])
    }
}

/// A pre-token of 16 to 31 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediumKey([u64; 4]);

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
pub(crate) struct Place(u64);

/// Up to five ids, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed(u64, u64);

impl Packed {
    /// How many ids there can be.
    const MOST: usize = 5;

    /// Appends the ids: all places are written, which is faster than to copy so many.
    #[inline(always)]
    pub(crate) fn append_to(self, ids: &mut Vec<u32>) {
        let Self(low, high) = self;
        ids.reserve(Self::MOST);
        let len = ids.len();
        let [a, b, c, d, e, ..] = ids.spare_capacity_mut() else { return };
        a.write((low & ID) as u32);
        b.write((low >> 24 & ID) as u32);
        c.write(((low >> 48 | high << 16) & ID) as u32);
        d.write((high >> 8 & ID) as u32);
        e.write((high >> 32 & ID) as u32);
        let count = (high >> 56) as usize;
        // SAFETY: five places behind the end were written, and no more than five count.
        unsafe { ids.set_len(len + count.min(Self::MOST)) };
    }
}

/// A product of both factors, folded.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
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

    /// Where the ids of a short pre-token are, or would be. The memory is asked for, so that it is there a little later.
    #[inline(always)]
    pub(crate) fn place(&self, key: ShortKey) -> Place {
        let [low, high] = key.0;
        let place =
            Place(fold(low ^ 0xA076_1D64_78BD_642F, high ^ 0xE703_7ED1_A0B4_28DB) >> self.short.shift);
        prefetch_line(&raw const self.short.lines()[place.0 as usize]);
        place
    }

    /// The ids of a short pre-token that is known.
    #[inline(always)]
    pub(crate) fn short(&self, place: Place, key: ShortKey) -> Option<Packed> {
        let line = &self.short.lines()[place.0 as usize];
        let [first, second] = [line[..2] == key.0, line[4..6] == key.0];
        if !(first | second) {
            return None;
        }
        let at = if first { 2 } else { 6 };
        Some(Packed(line[at], line[at + 1]))
    }

    /// Keeps the ids of a short pre-token.
    pub(crate) fn keep_short(&mut self, place: Place, key: ShortKey, ids: &[u32]) {
        if ids.len() > Packed::MOST {
            return;
        }
        let mut packed = (ids.len() as u128) << 120;
        for (at, &id) in ids.iter().enumerate() {
            packed |= u128::from(id) << (24 * at);
        }
        let line = &mut self.short.lines_mut()[place.0 as usize];
        line.copy_within(..4, 4);
        line[..2].copy_from_slice(&key.0);
        line[2..4].copy_from_slice(&[packed as u64, (packed >> 64) as u64]);
    }

    /// The same for a pre-token of 16 to 31 bytes.
    #[inline(always)]
    pub(crate) fn medium_place(&self, key: &MediumKey) -> Place {
        let key = key.0;
        let hash = fold(key[0] ^ 0xA076_1D64_78BD_642F, key[1] ^ 0xE703_7ED1_A0B4_28DB)
            ^ fold(key[2] ^ 0x8EBC_6AF0_9C88_C6E3, key[3] ^ 0x5899_65CC_7537_4CC3).rotate_left(32);
        let place = Place(hash >> self.medium.shift);
        prefetch_line(&raw const self.medium.lines()[place.0 as usize]);
        place
    }

    /// Appends the ids of a pre-token of 16 to 31 bytes if it is known.
    #[inline(always)]
    pub(crate) fn medium(&self, place: Place, key: &MediumKey, ids: &mut Vec<u32>) -> bool {
        let line = &self.medium.lines()[place.0 as usize];
        if line[..4] != key.0 {
            return false;
        }
        let mut bytes = [0; 32];
        for (chunk, number) in bytes.as_chunks_mut().0.iter_mut().zip(&line[4..]) {
            *chunk = number.to_le_bytes();
        }
        let count = bytes[31] as usize;
        ids.extend(
            bytes.as_chunks::<3>().0.iter().take(count).map(|&[a, b, c]| u32::from_le_bytes([a, b, c, 0])),
        );
        true
    }

    /// Keeps the ids of a pre-token of 16 to 31 bytes.
    pub(crate) fn keep_medium(&mut self, place: Place, key: &MediumKey, ids: &[u32]) {
        if ids.len() > 10 {
            return;
        }
        let mut bytes = [0; 32];
        bytes[31] = ids.len() as u8;
        for (chunk, id) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(ids) {
            chunk.copy_from_slice(&id.to_le_bytes()[..3]);
        }
        let line = &mut self.medium.lines_mut()[place.0 as usize];
        line[..4].copy_from_slice(&key.0);
        for (number, chunk) in line[4..].iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*chunk);
        }
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
            pieces in prop::collection::vec((prop::collection::vec(0_u8..4, 1..=MEDIUM), prop::collection::vec(0_u32..1 << 24, 1..12)), 1..200),
        ) {
            let mut cache = Cache::new(4096);
            let size = cache.bytes();
            let mut kept = HashMap::new();
            for (piece, ids) in pieces {
                let text = [&piece[..], b"what follows in the text"].concat();
                let mut found = Vec::new();
                let known = if piece.len() <= SHORT {
                    let key = ShortKey::new(&text, 0, piece.len());
                    prop_assert_eq!(key, ShortKey::new(&piece, 0, piece.len()));
                    let place = cache.place(key);
                    let known = cache.short(place, key);
                    if let Some(packed) = &known {
                        packed.append_to(&mut found);
                    }
                    cache.keep_short(place, key, &ids);
                    known.is_some()
                } else {
                    let key = MediumKey::new(&text, 0, piece.len());
                    prop_assert_eq!(key, MediumKey::new(&piece, 0, piece.len()));
                    let place = cache.medium_place(&key);
                    let known = cache.medium(place, &key, &mut found);
                    cache.keep_medium(place, &key, &ids);
                    known
                };
                if known {
                    // Ids that are too many are not kept, so those of before stay.
                    prop_assert_eq!(Some(&found), kept.get(&piece));
                }
                if ids.len() <= if piece.len() <= SHORT { 5 } else { 10 } {
                    kept.insert(piece, ids);
                }
            }
            prop_assert_eq!(cache.bytes(), size);
        }
    }
}
