//! The length of the longest common subsequence, 64 tokens of one text at a time.
//!
//! A word of bits stands for 64 tokens of one text, the *pattern*; each token of the other text takes a few operations on
//! it (Crochemore, Iliopoulos, Pinzon, Reid 2001, in the form of Hyyrö 2004), and in the end every zero is a token of the
//! subsequence. A pattern of up to 64 tokens is loaded once and compared with many texts. In a longer one the addition
//! carries from word to word: the text passes each word as a whole and leaves a bit of carry for each of its tokens. So
//! memory is linear in the lengths and in the number of different tokens, which a bit for each pair of them would not be.

use thresher_core::observe::check;
use thresher_core::{Observer, Result};

/// Tokens in a word of bits.
pub(crate) const BITS: usize = u64::BITS as usize;

/// The scratch of one thread.
#[derive(Debug, Default)]
pub(crate) struct Lcs {
    /// Of each token, where the loaded pattern has it.
    masks: Vec<u64>,
    /// The pattern that is loaded.
    loaded: Vec<u32>,
    /// A bit for each token of a text that passes the words of a long pattern.
    carries: Vec<u64>,
    /// Of each token, how often a text has it; zeros between two calls.
    counts: Vec<u32>,
}

impl Lcs {
    /// Makes room for tokens below `tokens`, in all that follows.
    pub(crate) fn make_room(&mut self, tokens: usize) {
        if self.masks.len() < tokens {
            self.masks.resize(tokens, 0);
            self.counts.resize(tokens, 0);
        }
    }

    /// Loads a pattern of up to 64 tokens.
    pub(crate) fn load(&mut self, pattern: &[u32]) {
        for token in self.loaded.drain(..) {
            self.masks[token as usize] = 0;
        }
        for (bit, &token) in pattern.iter().enumerate() {
            self.masks[token as usize] |= 1 << bit;
        }
        self.loaded.extend_from_slice(pattern);
    }

    /// The length for the loaded pattern and `text`.
    #[inline]
    pub(crate) fn of_loaded(&self, text: &[u32]) -> usize {
        let mut bits = u64::MAX;
        for &token in text {
            let matches = bits & self.masks[token as usize];
            bits = bits.wrapping_add(matches) | (bits & !matches);
        }
        self.zeros(bits)
    }

    /// The length for two texts of any length; None if it is below `least`.
    ///
    /// # Errors
    /// `Error::Cancelled` if the observer wants to stop.
    pub(crate) fn of_long(
        &mut self,
        a: &[u32],
        b: &[u32],
        least: usize,
        observer: &dyn Observer,
    ) -> Result<Option<usize>> {
        let front = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let (a, b) = (&a[front..], &b[front..]);
        let back = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        let (a, b) = (&a[..a.len() - back], &b[..b.len() - back]);
        let (pattern, text) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let mut found = front + back;
        if found + self.shared(pattern, text) < least {
            return Ok(None);
        }
        self.carries.clear();
        self.carries.resize(text.len().div_ceil(BITS), 0);
        let mut left = pattern.len();
        for part in pattern.chunks(BITS) {
            check(observer)?;
            self.load(part);
            let bits = self.pass(text);
            found += self.zeros(bits);
            left -= part.len();
            if found + left < least {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Lets a text pass the loaded word of a longer pattern.
    fn pass(&mut self, text: &[u32]) -> u64 {
        let mut bits = u64::MAX;
        for (tokens, carries) in text.chunks(BITS).zip(&mut self.carries) {
            let (before, mut behind) = (*carries, 0);
            for (place, &token) in tokens.iter().enumerate() {
                let matches = bits & self.masks[token as usize];
                let (sum, over) = bits.overflowing_add(matches);
                let (sum, over_again) = sum.overflowing_add(before >> place & 1);
                behind |= u64::from(over | over_again) << place;
                bits = sum | (bits & !matches);
            }
            *carries = behind;
        }
        bits
    }

    /// How many zeros a word has where the loaded pattern has tokens.
    #[inline]
    fn zeros(&self, bits: u64) -> usize {
        let tokens = self.loaded.len();
        let used = if tokens == BITS { u64::MAX } else { (1 << tokens) - 1 };
        (!bits & used).count_ones() as usize
    }

    /// How many tokens two texts have in common, whatever their order.
    fn shared(&mut self, a: &[u32], b: &[u32]) -> usize {
        for &token in a {
            self.counts[token as usize] += 1;
        }
        let mut shared = 0;
        for &token in b {
            let count = &mut self.counts[token as usize];
            shared += usize::from(*count > 0);
            *count = count.saturating_sub(1);
        }
        for &token in a {
            self.counts[token as usize] = 0;
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thresher_core::{Error, Unobserved};

    use super::*;
    use crate::novelty::tests::lcs_by_definition;

    fn text(longest: usize) -> impl Strategy<Value = Vec<u32>> {
        (1..40u32).prop_flat_map(move |tokens| prop::collection::vec(0..tokens, 0..longest))
    }

    /// A text and a variant of it: the same with pieces cut out and others put in.
    fn alike() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
        (text(400), text(30), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
            |(a, piece, from, to)| {
                let [from, to] = [from, to].map(|index| index.index(a.len() + 1));
                let cut = a[..from.min(to)].iter().chain(&piece).chain(&a[from.max(to)..]);
                (a.clone(), cut.copied().collect())
            },
        )
    }

    struct Stopped;

    impl Observer for Stopped {
        fn cancelled(&self) -> bool {
            true
        }
    }

    proptest! {
        #[test]
        fn short_patterns_give_what_the_table_gives(pattern in text(65), texts in prop::collection::vec(text(150), 3)) {
            let mut lcs = Lcs::default();
            lcs.make_room(40);
            lcs.load(&pattern);
            for text in &texts {
                prop_assert_eq!(lcs.of_loaded(text), lcs_by_definition(&pattern, text));
            }
        }

        #[test]
        fn long_texts_give_what_the_table_gives(
            (a, b) in prop_oneof![(text(400), text(400)), alike()],
            least in 0..400usize,
        ) {
            let mut lcs = Lcs::default();
            lcs.make_room(40);
            let expected = lcs_by_definition(&a, &b);
            prop_assert_eq!(lcs.of_long(&a, &b, 0, &Unobserved), Ok(Some(expected)));
            prop_assert_eq!(lcs.of_long(&b, &a, least, &Unobserved), Ok((expected >= least).then_some(expected)));
            prop_assert!(lcs.counts.iter().all(|&count| count == 0));
        }
    }

    #[test]
    fn long_texts_of_few_or_of_many_different_tokens_take_linear_memory() {
        let mut lcs = Lcs::default();
        lcs.make_room(100_000);
        let distinct: Vec<u32> = (0..100_000).collect();
        let reversed: Vec<u32> = distinct.iter().rev().copied().collect();
        assert_eq!(lcs.of_long(&distinct[..9_000], &reversed, 0, &Unobserved), Ok(Some(1)));
        assert_eq!(lcs.of_long(&distinct, &reversed, 70_000, &Unobserved), Ok(None));
        let mut edited = distinct.clone();
        edited[0] = 7;
        edited[99_999] = 7;
        edited.drain(50_000..99_000);
        assert_eq!(lcs.of_long(&distinct[..9_000], &edited[..9_000], 0, &Unobserved), Ok(Some(8_999)));
        assert_eq!(lcs.of_long(&vec![3; 100_000], &vec![3; 60_000], 0, &Unobserved), Ok(Some(60_000)));
        assert!(lcs.carries.len() <= 100_000 / BITS + 1);
    }

    #[test]
    fn who_wants_to_stop_is_heard() {
        let mut lcs = Lcs::default();
        lcs.make_room(3);
        assert_eq!(lcs.of_long(&[0, 1, 2], &[1, 2, 0], 0, &Stopped), Err(Error::Cancelled));
        assert_eq!(lcs.of_long(&[0, 1, 2], &[1, 2, 0], 0, &Unobserved), Ok(Some(2)));
    }
}
