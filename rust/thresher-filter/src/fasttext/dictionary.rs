//! The dictionary of a model: which rows of the input matrix stand for a text.
//!
//! A word of the vocabulary has a row of its own, and with n-grams of characters (`minn` to `maxn`, of the word between `<` and
//! `>`) a row for each of them; n-grams of words have rows too. N-grams are told by FNV-1a hashes modulo `bucket`, whatever
//! collides; a pruned model keeps the rows of some. Bojanowski et al.: Enriching Word Vectors with Subword Information (2017).

use std::collections::HashMap;
use std::io::Result;

use super::Arguments;
use super::input::{Input, damaged};

/// The end of a line, which fastText puts behind every text.
const END: &[u8] = b"</s>";

/// What begins a label.
const LABEL: &[u8] = b"__label__";

/// Buckets that a pruned model may have; the bits of all of them are held.
const MAX_PRUNED_BUCKETS: u32 = 1 << 28;

/// Words and labels, and where n-grams are found.
#[derive(Debug)]
pub(super) struct Dictionary {
    entries: HashMap<Box<[u8]>, Entry>,
    words: usize,
    pub(super) labels: Vec<String>,
    /// How often each label was seen, from which the tree of labels is made.
    pub(super) counts: Vec<u64>,
    grams: Grams,
    minn: usize,
    maxn: usize,
    word_ngrams: usize,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Word(u32),
    Label,
}

/// The rows of n-grams.
#[derive(Debug)]
enum Grams {
    /// There are none.
    None,
    /// A row for each bucket, the first one behind those of the words.
    All(Modulus),
    /// Rows for some buckets.
    Some(Modulus, Kept),
}

/// Scratch space of [`Dictionary::rows`].
#[derive(Debug, Default)]
pub(super) struct Buffers {
    hashes: Vec<u32>,
    word: Vec<u8>,
}

impl Dictionary {
    pub(super) fn read(input: &mut Input<'_>, arguments: &Arguments) -> Result<Self> {
        let size = input.i32("the number of entries")?;
        let (n_words, n_labels) = (input.i32("the number of words")?, input.i32("the number of labels")?);
        let _tokens = input.i64("the number of tokens")?;
        let pruned = input.i64("the number of n-grams kept")?;
        // An entry takes a zero, a count and a type.
        let size = input.count(size.into(), 10, "the number of entries")?;
        if n_words < 0 || n_labels < 0 || n_words as usize + n_labels as usize != size {
            return Err(damaged(format!(
                "`{n_words}` words and `{n_labels}` labels make no dictionary of `{size}` entries; the file is damaged"
            )));
        }
        let words = n_words as usize;
        let mut entries = HashMap::new();
        let (mut labels, mut counts) = (Vec::new(), Vec::new());
        for place in 0..size {
            let name = input.word("an entry")?;
            let count = input.i64("the count of an entry")?;
            let is_label = input.flag("the type of an entry")?;
            if is_label != (place >= words) {
                return Err(damaged(format!(
                    "entry `{place}` of the dictionary is a {}, but words come first and there are {words}; the file is damaged",
                    if is_label { "label" } else { "word" }
                )));
            }
            let entry = if is_label {
                let shown = String::from_utf8_lossy(name.strip_prefix(LABEL).unwrap_or(&name));
                labels.push(shown.into_owned());
                counts.push(u64::try_from(count).map_err(|_| {
                    damaged(format!("label `{place}` was seen `{count}` times; the file is damaged"))
                })?);
                Entry::Label
            } else {
                Entry::Word(place as u32)
            };
            if entries.insert(name.into_boxed_slice(), entry).is_some() {
                return Err(damaged(format!(
                    "entry `{place}` of the dictionary is there twice; the file is damaged"
                )));
            }
        }
        let Arguments { minn, maxn, word_ngrams, bucket, .. } = *arguments;
        let uses_grams = maxn > 0 || word_ngrams > 1;
        let modulus = Modulus::new(bucket);
        let grams = match (modulus.filter(|_| uses_grams), pruned) {
            (_, ..-1) => return Err(damaged(format!("`{pruned}` n-grams are kept; the file is damaged"))),
            (Some(modulus), -1) => Grams::All(modulus),
            (None, -1) | (_, 0) => Grams::None,
            (Some(modulus), _) => Grams::Some(modulus, Kept::read(input, pruned, bucket)?),
            (None, _) => {
                return Err(damaged("n-grams are kept, but the model uses none; the file is damaged"));
            }
        };
        Ok(Self { entries, words, labels, counts, grams, minn, maxn, word_ngrams })
    }

    /// Rows that the input matrix needs to have.
    pub(super) fn least_rows(&self) -> u64 {
        let grams = match &self.grams {
            Grams::None => 0,
            Grams::All(modulus) => modulus.divisor.into(),
            Grams::Some(_, kept) => kept.most_rows,
        };
        self.words as u64 + grams
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let names: usize = self.entries.keys().map(|name| name.len() + 16).sum();
        let kept = if let Grams::Some(_, kept) = &self.grams { kept.bytes() } else { 0 };
        names + self.entries.capacity() * 32 + self.labels.len() * 64 + kept
    }

    /// Calls `found` with the row of each word and n-gram of a text.
    ///
    /// A text is one line to fastText, which ends at a line feed; here a line feed is a blank, as callers of fastText make it.
    /// A word `</s>` within the text, which ends it there, is a word like others here: else a text could hide behind it.
    pub(super) fn rows(&self, text: &str, buffers: &mut Buffers, mut found: impl FnMut(usize)) {
        buffers.hashes.clear();
        for word in cut(text) {
            self.word(word, buffers, &mut found);
        }
        self.word(END, buffers, &mut found);
        if self.word_ngrams > 1 {
            self.word_grams(&buffers.hashes, &mut found);
        }
    }

    fn word(&self, word: &[u8], buffers: &mut Buffers, found: &mut impl FnMut(usize)) {
        match self.entries.get(word) {
            Some(Entry::Label) => return,
            None if word.starts_with(LABEL) => return,
            Some(&Entry::Word(row)) => found(row as usize),
            None => {}
        }
        if self.word_ngrams > 1 {
            buffers.hashes.push(hash_of(word));
        }
        if self.maxn > 0 && word != END {
            buffers.word.clear();
            buffers.word.push(b'<');
            buffers.word.extend_from_slice(word);
            buffers.word.push(b'>');
            self.subwords(&buffers.word, found);
        }
    }

    /// The n-grams of a word between its brackets; each is hashed as it grows.
    #[inline]
    fn subwords(&self, word: &[u8], found: &mut impl FnMut(usize)) {
        for first in 0..word.len() {
            if is_inner(word[first]) {
                continue;
            }
            let (mut hash, mut at) = (FNV_OFFSET, first);
            for n in 1..=self.maxn {
                hash = fnv(hash, word[at]);
                at += 1;
                while at < word.len() && is_inner(word[at]) {
                    hash = fnv(hash, word[at]);
                    at += 1;
                }
                // A bracket alone says nothing.
                if n >= self.minn && !(n == 1 && (first == 0 || at == word.len())) {
                    self.gram(hash.into(), found);
                }
                if at == word.len() {
                    break;
                }
            }
        }
    }

    fn word_grams(&self, hashes: &[u32], found: &mut impl FnMut(usize)) {
        for (place, &hash) in hashes.iter().enumerate() {
            let mut joined = join_hashes(None, hash);
            for &next in hashes[place + 1..].iter().take(self.word_ngrams - 1) {
                joined = join_hashes(Some(joined), next);
                self.gram(joined, found);
            }
        }
    }

    #[inline]
    fn gram(&self, hash: u64, found: &mut impl FnMut(usize)) {
        match &self.grams {
            Grams::None => {}
            Grams::All(modulus) => found(self.words + modulus.of(hash) as usize),
            Grams::Some(modulus, kept) => {
                if let Some(row) = kept.row(modulus.of(hash)) {
                    found(self.words + row as usize);
                }
            }
        }
    }
}

/// The words of a text, but for those that spell a label, with their hashes.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (&[u8], u32)> {
    cut(text).filter(|word| !word.starts_with(LABEL)).map(|word| (word, hash_of(word)))
}

/// The hash of the end of a line.
pub(crate) const END_HASH: u32 = {
    let (mut hash, mut place) = (FNV_OFFSET, 0);
    while place < END.len() {
        hash = fnv(hash, END[place]);
        place += 1;
    }
    hash
};

/// The hash of some words and one more. Hashes of words are signed in fastText when they are joined, so they are here.
#[inline]
pub(crate) fn join_hashes(joined: Option<u64>, next: u32) -> u64 {
    let next = next.cast_signed() as i64 as u64;
    joined.map_or(next, |joined| joined.wrapping_mul(116_049_371).wrapping_add(next))
}

fn cut(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|&byte| is_blank(byte)).filter(|word| !word.is_empty())
}

fn hash_of(word: &[u8]) -> u32 {
    word.iter().fold(FNV_OFFSET, |hash, &byte| fnv(hash, byte))
}

/// What ends a word for fastText.
#[inline]
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0)
}

/// Not the first byte of its character.
#[inline]
fn is_inner(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

const FNV_OFFSET: u32 = 2_166_136_261;

/// FNV-1a, of bytes with their sign.
#[inline]
const fn fnv(hash: u32, byte: u8) -> u32 {
    (hash ^ byte.cast_signed() as u32).wrapping_mul(16_777_619)
}

/// Remainders by one divisor. Those of 32 bits take two products (Lemire, Kaser, Kurz: Faster remainder by direct computation,
/// 2019).
#[derive(Clone, Copy, Debug)]
struct Modulus {
    divisor: u32,
    inverse: u64,
}

impl Modulus {
    fn new(divisor: u32) -> Option<Self> {
        (divisor > 0).then(|| Self { divisor, inverse: (u64::MAX / u64::from(divisor)).wrapping_add(1) })
    }

    #[inline]
    fn of(self, value: u64) -> u32 {
        if let Ok(value) = u32::try_from(value) {
            let fraction = self.inverse.wrapping_mul(value.into());
            return ((u128::from(fraction) * u128::from(self.divisor)) >> 64) as u32;
        }
        (value % u64::from(self.divisor)) as u32
    }
}

/// The buckets that a pruned model keeps: a bit for each bucket, and the rows in the order of the buckets.
#[derive(Debug)]
struct Kept {
    bits: Vec<u64>,
    /// Bits set in front of each word of them.
    before: Vec<u32>,
    rows: Vec<u32>,
    /// One more than the greatest row.
    most_rows: u64,
}

impl Kept {
    fn read(input: &mut Input<'_>, count: i64, bucket: u32) -> Result<Self> {
        let count = input.count(count, 8, "the number of n-grams kept")?;
        if bucket > MAX_PRUNED_BUCKETS {
            return Err(damaged(format!(
                "a pruned model has `{bucket}` buckets, but at most {MAX_PRUNED_BUCKETS} can be used; the file is damaged"
            )));
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            let (bucket_of, row) = (input.i32("an n-gram")?, input.i32("the row of an n-gram")?);
            let pair = u32::try_from(bucket_of).ok().filter(|&of| of < bucket).zip(u32::try_from(row).ok());
            pairs.push(pair.ok_or_else(|| {
                damaged(format!(
                    "bucket `{bucket_of}` has row `{row}`, of {bucket} buckets; the file is damaged"
                ))
            })?);
        }
        pairs.sort_unstable();
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(damaged(format!("bucket `{}` has two rows; the file is damaged", pair[0].0)));
        }
        let mut bits = vec![0u64; bucket.div_ceil(64) as usize];
        for &(of, _) in &pairs {
            bits[of as usize / 64] |= 1 << (of % 64);
        }
        let mut set = 0;
        let before = bits.iter().map(|bits| {
            set += bits.count_ones();
            set - bits.count_ones()
        });
        let before = before.collect();
        let most_rows = pairs.iter().map(|&(_, row)| u64::from(row) + 1).max().unwrap_or(0);
        Ok(Self { bits, before, rows: pairs.into_iter().map(|(_, row)| row).collect(), most_rows })
    }

    fn bytes(&self) -> usize {
        self.bits.len() * 12 + self.rows.len() * 4
    }

    #[inline]
    fn row(&self, bucket: u32) -> Option<u32> {
        let (word, bit) = (bucket as usize / 64, bucket % 64);
        let bits = self.bits[word];
        if bits >> bit & 1 == 0 {
            return None;
        }
        let inner = (bits & ((1 << bit) - 1)).count_ones();
        Some(self.rows[(self.before[word] + inner) as usize])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn remainders_are_those_of_division(divisor in 1u32.., value in any::<u64>()) {
            let modulus = Modulus::new(divisor).unwrap();
            for value in [value, value >> 32, value >> 50, u64::from(divisor), u64::from(divisor) - 1] {
                prop_assert_eq!(u64::from(modulus.of(value)), value % u64::from(divisor));
            }
        }
    }
}
