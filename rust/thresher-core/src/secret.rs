//! The secret of a run: random bytes that key every hash by which it decides.
//!
//! Public constants let anyone search for texts that hash alike. A run that draws its keys at random and keeps them
//! to itself decides the same for the same inputs, and no input can be prepared against it. The core has no
//! source of randomness: who calls it draws the bytes (`getrandom`), once a run, and keeps them where nobody else reads.

use crate::content;
use crate::hash::Keys;

/// Random bytes of full length: each key is random by itself, none is stretched from a shorter one, so what is proven
/// of the hashes holds as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8; Secret::LEN]>);

/// Where the numbers of [`content::TextHasher`] begin; those of words and shingles stand before.
pub(crate) const TEXT_KEYS: usize = Keys::NUMBERS;

impl Secret {
    /// Bytes of a secret.
    pub const LEN: usize = 8 * (TEXT_KEYS + content::NUMBERS);

    /// A secret from random bytes.
    ///
    /// ```
    /// use thresher_core::Secret;
    /// let drawn = [7; Secret::LEN]; // at random, outside of an example
    /// let secret = Secret::new(&drawn);
    /// assert_ne!(secret.keys(), thresher_core::hash::Keys::PUBLIC);
    /// ```
    #[must_use]
    pub fn new(random: &[u8; Self::LEN]) -> Self {
        Self(Box::new(*random))
    }

    /// The bytes, for who stores it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Keys of words and shingles.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys::from_numbers(&self.numbers(0))
    }

    /// Numbers from `first` on.
    pub(crate) fn numbers<const N: usize>(&self, first: usize) -> [u64; N] {
        let (words, _) = self.0[8 * first..8 * (first + N)].as_chunks();
        std::array::from_fn(|index| u64::from_le_bytes(words[index]))
    }
}

/// Nothing of the bytes.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}
