//! The words of a text: what lies between blanks (`str.split` of Python), with all that is asked of each one.
//!
//! ```text
//! text      The  café, the ...      blocks of 64 bytes, one bit a byte: blank, letter, no symbol
//! words     [0,3] [5,6] [12,3]      where each begins, its bytes, its characters
//! joined    Thecafé,the...          the same bytes with nothing between, so that a run of words is one slice
//! hashes    one a word, keyed
//! ```

use super::blocks::{BLOCK, Blocks};
use super::hash::{Key, STEP};

/// Bytes behind the joined words, so that 32 bytes can be read from the start of each.
pub(crate) const PADDING: usize = 32;

/// Steps of 16 bytes, and one, after which the state of a hash is kept.
const CHAINED: usize = 16;

/// A word of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it begins, in bytes.
    pub(crate) at: u32,
    /// Its bytes.
    pub(crate) len: u32,
    /// Its characters.
    pub(crate) chars: u32,
}

impl Word {
    /// Where it ends, in bytes.
    #[inline(always)]
    pub(crate) fn end(self) -> usize {
        (self.at + self.len) as usize
    }

    /// It, in its text.
    #[inline(always)]
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.at as usize..self.end()).unwrap_or_default()
    }
}

/// The words of one text.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) all: Vec<Word>,
    /// Words with a letter.
    pub(crate) with_letter: u64,
    /// Words of more than symbols, and their characters.
    pub(crate) plain: u64,
    pub(crate) plain_chars: u64,
    /// Characters of all words.
    pub(crate) chars: u64,
    /// Characters of the longest one.
    pub(crate) longest: u32,
}

/// A word that goes on over the end of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    at: u32,
    chars: u32,
    alpha: u64,
    plain: u64,
}

impl Words {
    /// Finds the words of `text`, which has fewer than 2^32 bytes.
    pub(crate) fn find(&mut self, text: &str) {
        *self = Self { all: std::mem::take(&mut self.all), ..Self::default() };
        self.all.clear();
        let mut open = Open::default();
        let mut blank_before = 1;
        let mut base = 0;
        for masks in Blocks::new(text) {
            let mut changes = masks.blank ^ (masks.blank << 1 | blank_before);
            // Bits from `from` on are of the word that is open.
            let mut from = 0;
            if blank_before == 1 && changes != 0 {
                from = changes.trailing_zeros();
                changes &= changes - 1;
                open = Open { at: base + from, ..Open::default() };
            }
            let mut within = blank_before == 0 || masks.blank != u64::MAX;
            while changes != 0 {
                let end = changes.trailing_zeros();
                changes &= changes - 1;
                let range = ((1 << end) - 1) & (u64::MAX << from);
                let inner = if masks.inner == 0 { 0 } else { (masks.inner & range).count_ones() };
                let word =
                    Word { at: open.at, len: base + end - open.at, chars: open.chars + end - from - inner };
                let plain = u64::from(open.plain | masks.plain & range != 0);
                self.with_letter += u64::from(open.alpha | masks.alpha & range != 0);
                self.plain += plain;
                self.plain_chars += plain * u64::from(word.chars);
                self.chars += u64::from(word.chars);
                self.longest = self.longest.max(word.chars);
                self.all.push(word);
                within = changes != 0;
                if within {
                    from = changes.trailing_zeros();
                    changes &= changes - 1;
                    open = Open { at: base + from, ..Open::default() };
                }
            }
            if within {
                let range = u64::MAX << from;
                open.chars += (!masks.inner & range).count_ones();
                open.alpha |= masks.alpha & range;
                open.plain |= masks.plain & range;
            }
            blank_before = masks.blank >> (BLOCK - 1);
            base += BLOCK as u32;
        }
        if blank_before == 0 {
            // The text ends with a block that a word fills.
            self.all.push(Word { at: open.at, len: text.len() as u32 - open.at, chars: open.chars });
            let plain = u64::from(open.plain != 0);
            self.with_letter += u64::from(open.alpha != 0);
            self.plain += plain;
            self.plain_chars += plain * u64::from(open.chars);
            self.chars += u64::from(open.chars);
            self.longest = self.longest.max(open.chars);
        }
    }

    /// What `str.strip` leaves: from the first word to the last.
    pub(crate) fn stripped<'t>(&self, text: &'t str) -> &'t str {
        match (self.all.first(), self.all.last()) {
            (Some(first), Some(last)) => text.get(first.at as usize..last.end()).unwrap_or_default(),
            _ => "",
        }
    }
}

/// The words of a text one after another, and their hashes.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    bytes: Vec<u8>,
    /// Where each word begins in `bytes`, and where the last one ends.
    starts: Vec<u32>,
    /// The same in characters.
    starts_in_chars: Vec<u32>,
    /// The hash of each word.
    pub(crate) hashes: Vec<u64>,
}

impl Joined {
    /// Forgets the text before, and makes room for `bytes` and `words`.
    pub(crate) fn reset(&mut self, bytes: usize, words: usize) {
        // What lies behind the words is overwritten by them or by the padding.
        if self.bytes.len() < bytes + PADDING {
            self.bytes.resize(bytes + PADDING, 0);
        }
        for starts in [&mut self.starts, &mut self.starts_in_chars] {
            starts.clear();
            starts.reserve(words + 1);
            starts.push(0);
        }
        self.hashes.clear();
        self.hashes.reserve(words);
    }

    /// Appends a word, which begins at `at` in `text`; gives its first bytes, with zeros behind them.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: &Key, text: &[u8], at: usize, len: usize, chars: u32) -> [u64; 2] {
        let start = self.end();
        let to = &mut self.bytes[start..];
        let first = if let Some(block) = text[at..].first_chunk::<STEP>() {
            to[..STEP].copy_from_slice(block);
            u128::from_le_bytes(*block) & below(len)
        } else {
            let mut block = [0; STEP];
            let len = len.min(STEP);
            block[..len].copy_from_slice(&text[at..at + len]);
            to[..STEP].copy_from_slice(&block);
            u128::from_le_bytes(block)
        };
        let first = [first as u64, (first >> 64) as u64];
        let hash = if len <= STEP {
            key.short(first, len)
        } else {
            let word = &text[at..at + len];
            to[..len].copy_from_slice(word);
            key.bytes(word)
        };
        self.hashes.push(hash);
        self.starts.push((start + len) as u32);
        self.starts_in_chars.push(self.starts_in_chars.last().copied().unwrap_or(0) + chars);
        first
    }

    /// Puts zeros behind the last word.
    pub(crate) fn finish(&mut self) {
        let end = self.end();
        self.bytes[end..end + PADDING].fill(0);
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.starts.last().copied().unwrap_or(0) as usize
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The hash of each run of words from `word` on that has as many words as `counts` says, in rising order: of its letters alone.
    /// 0 where the words end before.
    #[inline(always)]
    pub(crate) fn hash_runs<const N: usize>(&self, key: &Key, word: usize, counts: [usize; N]) -> [u64; N] {
        let starts = &self.starts[word..];
        let start = starts[0] as usize;
        let longest =
            counts.iter().rev().find_map(|&count| starts.get(count)).map_or(0, |&end| end as usize - start);
        // What has come after each 16 bytes is kept, so that a run is one step from there, without a branch.
        let mut states = [0; CHAINED];
        if longest < STEP * CHAINED {
            for block in 0..longest / STEP {
                states[block + 1] = key.chain(states[block], self.block(start + block * STEP, STEP));
            }
            return counts.map(|count| {
                let Some(&end) = starts.get(count) else { return 0 };
                let len = end as usize - start;
                let whole = len / STEP;
                key.end(states[whole % CHAINED], self.block(start + whole * STEP, len % STEP), len)
            });
        }
        let (mut state, mut chained) = (0, 0);
        counts.map(|count| {
            let Some(&end) = starts.get(count) else { return 0 };
            let len = end as usize - start;
            while chained + STEP <= len {
                state = key.chain(state, self.block(start + chained, STEP));
                chained += STEP;
            }
            key.end(state, self.block(start + chained, len - chained), len)
        })
    }

    /// Up to 16 bytes, zeros behind them.
    #[inline(always)]
    fn block(&self, at: usize, len: usize) -> [u64; 2] {
        let block =
            self.bytes[at..].first_chunk().map_or(0, |block| u128::from_le_bytes(*block)) & below(len);
        [block as u64, (block >> 64) as u64]
    }

    /// How many bytes `count` words from `word` on have.
    #[inline(always)]
    pub(crate) fn run_len(&self, word: usize, count: usize) -> usize {
        (self.starts[word + count] - self.starts[word]) as usize
    }

    /// How many characters `count` words from `word` on have.
    #[inline(always)]
    pub(crate) fn run_chars(&self, word: usize, count: usize) -> u64 {
        u64::from(self.starts_in_chars[word + count] - self.starts_in_chars[word])
    }

    /// The 32 bytes from the start of a word on, zeros behind the end.
    #[inline(always)]
    pub(crate) fn ahead(&self, word: usize) -> [u64; 4] {
        let start = self.starts[word] as usize;
        let (numbers, _) = self.bytes[start..start + PADDING].as_chunks::<8>();
        std::array::from_fn(|number| u64::from_le_bytes(numbers[number]))
    }
}

/// All bits of the first `len` bytes.
#[inline(always)]
fn below(len: usize) -> u128 {
    static BELOW: [u128; STEP + 1] = {
        let (mut below, mut len) = ([u128::MAX; STEP + 1], 0);
        while len < STEP {
            below[len] = (1 << (8 * len)) - 1;
            len += 1;
        }
        below
    };
    BELOW[len.min(STEP)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::classes::{self, ALPHA, BLANK, PLAIN};
    use super::*;

    proptest! {
        #[test]
        fn words_are_what_blanks_part(text in "([a-z]{0,9}|[a-z0-9#.…é数]{60,140}|[ \u{a0}\n\u{3000}]{1,70}){0,9}") {
            let mut words = Words::default();
            words.find(&text);
            let expected: Vec<&str> =
                text.split(|c| classes::is(c, BLANK)).filter(|word| !word.is_empty()).collect();
            let found: Vec<&str> = words.all.iter().map(|word| word.of(&text)).collect();
            prop_assert_eq!(&found, &expected);
            let count = |class| expected.iter().filter(|word| word.chars().any(|c| classes::is(c, class))).count();
            prop_assert_eq!(words.with_letter, count(ALPHA) as u64);
            prop_assert_eq!(words.plain, count(PLAIN) as u64);
            let chars = |word: &&str| word.chars().count() as u64;
            prop_assert_eq!(words.chars, expected.iter().map(chars).sum::<u64>());
            prop_assert_eq!(u64::from(words.longest), expected.iter().map(chars).max().unwrap_or(0));
            let plain = expected.iter().filter(|word| word.chars().any(|c| classes::is(c, PLAIN)));
            prop_assert_eq!(words.plain_chars, plain.map(chars).sum::<u64>());

            let mut joined = Joined::default();
            joined.reset(text.len(), found.len());
            let key = Key::new(7);
            for word in &words.all {
                joined.push(&key, text.as_bytes(), word.at as usize, word.len as usize, word.chars);
            }
            joined.finish();
            for (from, word) in expected.iter().enumerate() {
                prop_assert_eq!(joined.hashes[from], key.bytes(word.as_bytes()));
                let counts = [1, 2, 3, 5, 8, 13, 21];
                for (count, hash) in counts.into_iter().zip(joined.hash_runs(&key, from, counts)) {
                    if from + count > expected.len() {
                        prop_assert_eq!(hash, 0);
                        continue;
                    }
                    let run = expected[from..from + count].concat();
                    prop_assert_eq!(joined.run_len(from, count), run.len());
                    prop_assert_eq!(joined.run_chars(from, count), run.chars().count() as u64);
                    let mut alone = Joined::default();
                    alone.reset(run.len(), 1);
                    alone.push(&key, run.as_bytes(), 0, run.len(), 0);
                    alone.finish();
                    prop_assert_eq!(alone.hash_runs(&key, 0, [1]), [hash]);
                }
            }
        }
    }
}
