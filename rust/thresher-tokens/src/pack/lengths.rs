//! Lengths from wherever they come: numbers in memory, a column of integers of any width.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::DataType;

use super::tokens::Number;
use crate::error::{Error, Result};

/// Lengths of a block, between two looks at the observer: few enough to stay in the first cache.
pub(super) const BLOCK: usize = 1024;

/// Lengths of sequences that follow each other, up to [`BLOCK`] of them.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    /// Of 32 bits each, and none is null: as nearly all are.
    Plain(&'a [u32]),
    /// Any; none for one that is null.
    Mixed(&'a [Option<u64>]),
}

/// Lengths that can be gone through twice.
pub trait Lengths {
    /// Calls `visit` with each length in order; none for one that is null.
    ///
    /// # Errors
    /// Those of `visit`, and of lengths that cannot be read.
    fn each(&self, visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()>;

    /// Calls `visit` with all lengths in order, in blocks: what is done to each length is one loop then, whatever type
    /// they have.
    ///
    /// # Errors
    /// Those of `visit`, and of lengths that cannot be read.
    fn blocks(&self, mut visit: impl FnMut(Block<'_>) -> Result<()>) -> Result<()> {
        let mut mixed = Vec::with_capacity(BLOCK);
        let mut plain = Vec::with_capacity(BLOCK);
        let mut flush = |mixed: &mut Vec<Option<u64>>| {
            plain.clear();
            plain.extend(mixed.iter().map_while(|length| u32::try_from((*length)?).ok()));
            let is_plain = plain.len() == mixed.len();
            let visited = visit(if is_plain { Block::Plain(&plain) } else { Block::Mixed(mixed) });
            mixed.clear();
            visited
        };
        self.each(|length| {
            mixed.push(length);
            if mixed.len() < BLOCK { Ok(()) } else { flush(&mut mixed) }
        })?;
        flush(&mut mixed)
    }
}

impl Lengths for [u32] {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|&length| visit(Some(length.into())))
    }

    fn blocks(&self, mut visit: impl FnMut(Block<'_>) -> Result<()>) -> Result<()> {
        self.chunks(BLOCK).try_for_each(|block| visit(Block::Plain(block)))
    }
}

/// A column of integers, in chunks.
#[derive(Clone, Copy, Debug)]
pub struct LengthColumn<'a>(&'a [ArrayRef]);

impl<'a> LengthColumn<'a> {
    /// The lengths in `chunks`.
    ///
    /// # Errors
    /// `Error::Column` for a type other than integers.
    pub fn try_new(chunks: &'a [ArrayRef]) -> Result<Self> {
        for chunk in chunks {
            let data_type = chunk.data_type();
            if !(data_type.is_integer() || matches!(data_type, DataType::Null)) {
                return Err(Error::Column(format!(
                    "lengths are of type `{data_type}`, but they are integers"
                )));
            }
        }
        Ok(Self(chunks))
    }
}

/// Does the same with a chunk of every type of integers; without a type all are null.
macro_rules! with_array {
    ($chunk:expr, $array:ident => $work:expr, $nulls:expr) => {
        match $chunk.data_type() {
            DataType::UInt8 => with_array!(@ $chunk, UInt8Type, $array => $work),
            DataType::UInt16 => with_array!(@ $chunk, UInt16Type, $array => $work),
            DataType::UInt32 => with_array!(@ $chunk, UInt32Type, $array => $work),
            DataType::UInt64 => with_array!(@ $chunk, UInt64Type, $array => $work),
            DataType::Int8 => with_array!(@ $chunk, Int8Type, $array => $work),
            DataType::Int16 => with_array!(@ $chunk, Int16Type, $array => $work),
            DataType::Int32 => with_array!(@ $chunk, Int32Type, $array => $work),
            DataType::Int64 => with_array!(@ $chunk, Int64Type, $array => $work),
            _ => $nulls,
        }
    };
    (@ $chunk:expr, $kind:ty, $array:ident => $work:expr) => {{
        let $array = $chunk.as_primitive::<$kind>();
        $work
    }};
}

impl Lengths for LengthColumn<'_> {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        let mut row = 0;
        for chunk in self.0 {
            with_array!(
                chunk,
                array => array.iter().enumerate().try_for_each(|(at, length)| visit(length_at(row + at, length)?)),
                (0..chunk.len()).try_for_each(|_| visit(None))
            )?;
            row += chunk.len();
        }
        Ok(())
    }

    fn blocks(&self, mut visit: impl FnMut(Block<'_>) -> Result<()>) -> Result<()> {
        let mut row = 0;
        for chunk in self.0 {
            with_array!(
                chunk,
                array => blocks_of(array, row, &mut visit),
                std::iter::repeat_n(BLOCK, chunk.len() / BLOCK)
                    .chain([chunk.len() % BLOCK])
                    .try_for_each(|nulls| visit(Block::Mixed(&[None; BLOCK][..nulls])))
            )?;
            row += chunk.len();
        }
        Ok(())
    }
}

/// The length at `row`.
fn length_at<T: Copy + std::fmt::Display>(row: usize, length: Option<T>) -> Result<Option<u64>>
where
    u64: TryFrom<T>,
{
    let Some(number) = length else { return Ok(None) };
    u64::try_from(number)
        .map(Some)
        .map_err(|_| Error::Column(format!("length `{row}` is `{number}`, but a length is 0 or more")))
}

/// Visits the numbers of an array whose first one is at `row`.
fn blocks_of<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
    visit: &mut impl FnMut(Block<'_>) -> Result<()>,
) -> Result<()>
where
    T::Native: Number + std::fmt::Display,
    u64: TryFrom<T::Native>,
{
    let (mut plain, mut mixed) = ([0; BLOCK], Vec::new());
    for (number, block) in array.values().chunks(BLOCK).enumerate() {
        let first = number * BLOCK;
        let plain = &mut plain[..block.len()];
        let mut bits = 0;
        for (to, from) in plain.iter_mut().zip(block) {
            bits |= from.wide();
            *to = from.wide() as u32;
        }
        if array.null_count() == 0 && bits >> 32 == 0 {
            visit(Block::Plain(plain))?;
            continue;
        }
        mixed.clear();
        for at in first..first + block.len() {
            mixed.push(length_at(row + at, array.is_valid(at).then(|| array.value(at)))?);
        }
        visit(Block::Mixed(&mixed))?;
    }
    Ok(())
}
