//! The numbers that tokens are stored as.
//!
//! The width follows from the vocabulary with its added tokens: an id that does not fit would wrap around to another token, which
//! nobody would notice. So a width is chosen, or refused, before anything is written, and ids are checked again as they are written.

use crate::error::{Error, Result};

/// From this many ids on Megatron-LM stores 32 bits (`DType.optimal_dtype` in `megatron/core/datasets/indexed_dataset.py`).
const MEGATRON_WIDE: u32 = 65_500;

/// A type of numbers, by the codes of Megatron-LM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 8 bits.
    Uint8,
    /// 8 bits with a sign.
    Int8,
    /// 16 bits with a sign.
    Int16,
    /// 32 bits with a sign.
    Int32,
    /// 64 bits with a sign.
    Int64,
    /// 64 bits, floating.
    Float64,
    /// 32 bits, floating.
    Float32,
    /// 16 bits.
    Uint16,
    /// 32 bits. Megatron-LM has no code for it.
    Uint32,
}

/// Name, numpy's description, code of Megatron-LM, bytes.
type Facts = (&'static str, &'static str, Option<u8>, u64);

impl Dtype {
    /// Every type.
    const ALL: [Self; 9] = [
        Self::Uint8,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float64,
        Self::Float32,
        Self::Uint16,
        Self::Uint32,
    ];

    fn facts(self) -> Facts {
        match self {
            Self::Uint8 => ("uint8", "|u1", Some(1), 1),
            Self::Int8 => ("int8", "|i1", Some(2), 1),
            Self::Int16 => ("int16", "<i2", Some(3), 2),
            Self::Int32 => ("int32", "<i4", Some(4), 4),
            Self::Int64 => ("int64", "<i8", Some(5), 8),
            Self::Float64 => ("float64", "<f8", Some(6), 8),
            Self::Float32 => ("float32", "<f4", Some(7), 4),
            Self::Uint16 => ("uint16", "<u2", Some(8), 2),
            Self::Uint32 => ("uint32", "<u4", None, 4),
        }
    }

    /// Its name in numpy.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// How a `.npy` file describes it.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.facts().1
    }

    /// Its code in a `.idx` file.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        self.facts().2
    }

    /// The bytes of a number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.facts().3
    }

    /// The type of a code in a `.idx` file.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == Some(code))
    }

    /// The type of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The type that a `.npy` file describes like this.
    #[must_use]
    pub fn of_description(description: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.description() == description)
    }

    /// What Megatron-LM stores ids of such a vocabulary as.
    #[must_use]
    pub fn megatron(vocab_size: u32) -> Self {
        if vocab_size < MEGATRON_WIDE { Self::Uint16 } else { Self::Int32 }
    }

    /// The narrowest of 16 and 32 bits without a sign that holds ids of such a vocabulary.
    #[must_use]
    pub fn narrowest(vocab_size: u32) -> Self {
        if vocab_size <= 1 << 16 { Self::Uint16 } else { Self::Uint32 }
    }

    /// The greatest id that it holds; none if ids are not stored as it.
    #[must_use]
    pub fn greatest(self) -> Option<u32> {
        match self {
            Self::Uint8 => Some(u8::MAX.into()),
            Self::Int8 => Some(i8::MAX as u32),
            Self::Int16 => Some(i16::MAX as u32),
            Self::Uint16 => Some(u16::MAX.into()),
            Self::Int32 => Some(i32::MAX as u32),
            Self::Uint32 | Self::Int64 => Some(u32::MAX),
            Self::Float32 | Self::Float64 => None,
        }
    }

    /// Makes sure that every id of a vocabulary fits.
    ///
    /// # Errors
    /// `Error::Parameter` with the width that does.
    pub fn check(self, vocab_size: u32) -> Result<()> {
        if self.greatest().is_some_and(|greatest| vocab_size <= greatest.saturating_add(1)) {
            return Ok(());
        }
        let fits =
            if self.code().is_some() { Self::megatron(vocab_size) } else { Self::narrowest(vocab_size) };
        Err(Error::Parameter(format!(
            "dtype is `{}`, but the vocabulary has `{vocab_size}` ids with its added tokens, which do not fit; use `{}`, or `auto`",
            self.name(),
            fits.name()
        )))
    }

    /// Appends ids as numbers of this type.
    ///
    /// # Errors
    /// `Error::Layout` for an id that does not fit. Then nothing is appended.
    pub fn put(self, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
        let greatest = self.greatest().unwrap_or(0);
        // The maximum of all is found several at a time; to stop at the first that is too great is not.
        let found = ids.iter().copied().max().unwrap_or(0);
        if found > greatest {
            return Err(Error::Layout(format!("the id `{found}` does not fit in `{}`", self.name())));
        }
        match self.bytes() {
            1 => out.extend(ids.iter().map(|&id| id as u8)),
            2 => out.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            4 => out.extend(ids.iter().flat_map(|&id| id.to_le_bytes())),
            _ => out.extend(ids.iter().flat_map(|&id| u64::from(id).to_le_bytes())),
        }
        Ok(())
    }

    /// Appends the ids that are stored in whole numbers of this type; bytes behind the last whole number are left out.
    ///
    /// # Errors
    /// `Error::Layout` for a number that is no id.
    pub fn take(self, stored: &[u8], ids: &mut Vec<u32>) -> Result<()> {
        match self {
            Self::Uint8 => ids.extend(stored.iter().map(|&id| u32::from(id))),
            Self::Uint16 => ids.extend(numbers(stored).map(|two| u32::from(u16::from_le_bytes(two)))),
            Self::Uint32 => ids.extend(numbers(stored).map(u32::from_le_bytes)),
            Self::Int8 => take_whole(numbers(stored).map(|one| i8::from_le_bytes(one).into()), ids)?,
            Self::Int16 => take_whole(numbers(stored).map(|two| i16::from_le_bytes(two).into()), ids)?,
            Self::Int32 => take_whole(numbers(stored).map(|four| i32::from_le_bytes(four).into()), ids)?,
            Self::Int64 => take_whole(numbers(stored).map(i64::from_le_bytes), ids)?,
            Self::Float32 | Self::Float64 => {
                return Err(Error::Layout(format!("`{}` holds no ids", self.name())));
            }
        }
        Ok(())
    }
}

/// Numbers of `N` bytes.
fn numbers<const N: usize>(stored: &[u8]) -> impl Iterator<Item = [u8; N]> {
    stored.as_chunks::<N>().0.iter().copied()
}

fn take_whole(stored: impl Iterator<Item = i64>, ids: &mut Vec<u32>) -> Result<()> {
    for number in stored {
        let id = u32::try_from(number);
        ids.push(id.map_err(|_| Error::Layout(format!("`{number}` is stored as an id, and is none")))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_width_follows_from_the_vocabulary_as_in_megatron() {
        assert_eq!(Dtype::megatron(65_499), Dtype::Uint16);
        assert_eq!(Dtype::megatron(65_500), Dtype::Int32);
        assert_eq!(Dtype::narrowest(65_536), Dtype::Uint16);
        assert_eq!(Dtype::narrowest(65_537), Dtype::Uint32);
    }

    #[test]
    fn a_vocabulary_that_does_not_fit_in_16_bits_is_refused_before_anything_is_written() {
        assert!(Dtype::Uint16.check(65_536).is_ok());
        let said = Dtype::Uint16.check(65_537).unwrap_err().to_string();
        assert!(said.contains("`uint16`") && said.contains("`65537`") && said.contains("`int32`"), "{said}");
        assert!(Dtype::Uint8.check(257).is_err() && Dtype::Uint8.check(256).is_ok());
        assert!(Dtype::Float32.check(1).is_err());
        assert!(Dtype::Uint32.check(u32::MAX).is_ok());
    }

    #[test]
    fn an_id_that_does_not_fit_appends_nothing() {
        let mut out = vec![7];
        let said = Dtype::Uint16.put(&[1, 65_536, 2], &mut out).unwrap_err().to_string();
        assert!(said.contains("`65536`"), "{said}");
        assert_eq!(out, [7]);
        assert!(Dtype::Float64.put(&[1], &mut out).is_err());
    }

    #[test]
    fn a_number_that_is_no_id_is_named() {
        let said = Dtype::Int32.take(&(-5_i32).to_le_bytes(), &mut Vec::new()).unwrap_err().to_string();
        assert!(said.contains("`-5`"), "{said}");
        assert!(Dtype::Int64.take(&(1_i64 << 32).to_le_bytes(), &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn ids_come_back_as_they_were_stored(ids in proptest::collection::vec(any::<u32>(), 0..50), at in 0usize..9) {
            let dtype = Dtype::ALL[at];
            let Some(greatest) = dtype.greatest() else { return Ok(()) };
            let ids: Vec<u32> = ids.iter().map(|id| id & greatest).collect();
            let mut stored = Vec::new();
            dtype.put(&ids, &mut stored).unwrap();
            prop_assert_eq!(stored.len() as u64, ids.len() as u64 * dtype.bytes());
            let mut back = Vec::new();
            dtype.take(&stored, &mut back).unwrap();
            prop_assert_eq!(back, ids);
        }
    }
}
