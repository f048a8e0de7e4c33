//! Lengths from wherever they come: numbers in memory, a column of integers of any width.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// Lengths that can be gone through twice.
pub trait Lengths {
    /// Calls `visit` with each length in order; none for one that is null.
    ///
    /// # Errors
    /// Those of `visit`, and of lengths that cannot be read.
    fn each(&self, visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()>;
}

impl Lengths for [u32] {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|&length| visit(Some(length.into())))
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

impl Lengths for LengthColumn<'_> {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        let mut row = 0;
        for chunk in self.0 {
            match chunk.data_type() {
                DataType::UInt8 => numbers(chunk.as_primitive::<UInt8Type>(), row, &mut visit)?,
                DataType::UInt16 => numbers(chunk.as_primitive::<UInt16Type>(), row, &mut visit)?,
                DataType::UInt32 => numbers(chunk.as_primitive::<UInt32Type>(), row, &mut visit)?,
                DataType::UInt64 => numbers(chunk.as_primitive::<UInt64Type>(), row, &mut visit)?,
                DataType::Int8 => numbers(chunk.as_primitive::<Int8Type>(), row, &mut visit)?,
                DataType::Int16 => numbers(chunk.as_primitive::<Int16Type>(), row, &mut visit)?,
                DataType::Int32 => numbers(chunk.as_primitive::<Int32Type>(), row, &mut visit)?,
                DataType::Int64 => numbers(chunk.as_primitive::<Int64Type>(), row, &mut visit)?,
                _ => (0..chunk.len()).try_for_each(|_| visit(None))?,
            }
            row += chunk.len();
        }
        Ok(())
    }
}

/// Visits the numbers of an array whose first one is at `row`.
fn numbers<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
    visit: &mut impl FnMut(Option<u64>) -> Result<()>,
) -> Result<()>
where
    u64: TryFrom<T::Native>,
{
    let length = |at: usize, number: T::Native| {
        u64::try_from(number).map_err(|_| {
            Error::Column(format!("length `{}` is `{number:?}`, but a length is 0 or more", row + at))
        })
    };
    if array.null_count() == 0 {
        return array
            .values()
            .iter()
            .enumerate()
            .try_for_each(|(at, &number)| visit(Some(length(at, number)?)));
    }
    array
        .iter()
        .enumerate()
        .try_for_each(|(at, number)| visit(number.map(|number| length(at, number)).transpose()?))
}
