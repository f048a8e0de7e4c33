//! English-like text from a seed: the same bytes on every machine, and nothing to download.
//!
//! A vocabulary of 20,000 words is drawn by Zipf's law, so few words are most of the text, as in a language.
//! Their lengths are those of running English: 4.7 letters on average, the most frequent words short. Sentences
//! begin with a capital and end with a full stop; some words carry a comma, some sentences a curly quote.

/// `splitmix64` (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

/// A language: its words, and how many chances in 2^32 each has together with those before it.
pub(crate) struct Language {
    pub(crate) words: Vec<String>,
    chances: Vec<u64>,
}

impl Language {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let words: Vec<String> = (0..20_000u64)
            .map(|rank| {
                // 1 to 4 letters for the first hundred, growing by about one for each doubling of the rank.
                let typical = 2 + u64::from((rank + 8).ilog2()) / 2;
                let length = 1 + random.below(typical) + random.below(typical);
                (0..length)
                    .map(|_| char::from(b"etaoinshrdlucmfwypvbgkjqxz"[random.below(20) as usize]))
                    .collect()
            })
            .collect();
        let weights = (0..words.len()).map(|rank| 1.0 / (rank as f64 + 2.7));
        let total: f64 = weights.clone().sum();
        let chances = weights
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some((*sum / total * 4_294_967_296.0) as u64)
            })
            .collect();
        Self { words, chances }
    }

    pub(crate) fn word(&self, random: &mut Random) -> &str {
        let chance = random.next() >> 32;
        let rank = self.chances.partition_point(|&until| until <= chance);
        &self.words[rank.min(self.words.len() - 1)]
    }

    /// A text of `n_words` words.
    pub(crate) fn text(&self, n_words: usize, random: &mut Random) -> String {
        let mut text = String::with_capacity(6 * n_words);
        let mut left = 0;
        for _ in 0..n_words {
            let word = self.word(random);
            if left == 0 {
                left = 4 + random.below(24);
                if !text.is_empty() {
                    text.push_str(if random.below(12) == 0 { ".” " } else { ". " });
                }
                text.push_str(&word[..1].to_uppercase());
                text.push_str(&word[1..]);
            } else {
                text.push_str(if random.below(14) == 0 { ", " } else { " " });
                text.push_str(word);
            }
            left -= 1;
        }
        text.push('.');
        text
    }

    /// Texts of `n_words` words each, about `bytes` in all.
    pub(crate) fn texts(&self, n_words: usize, bytes: usize, seed: u64) -> Vec<String> {
        let mut random = Random(seed);
        let (mut texts, mut total) = (Vec::new(), 0);
        while total < bytes {
            texts.push(self.text(n_words, &mut random));
            total += texts[texts.len() - 1].len();
        }
        texts
    }
}
