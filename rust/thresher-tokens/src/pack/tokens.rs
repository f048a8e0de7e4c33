//! Tokens as they lie in Arrow: integers of any width, in lists of any kind.

use std::ops::{BitOr, Range};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use thresher_core::prefetch::prefetch_line;

use super::Lengths;
use crate::error::{Error, Result};

/// Does the same with numbers of every type.
macro_rules! each_type {
    ($tokens:expr, $kind:ident, $values:ident => $work:expr) => {
        match $tokens {
            $kind::U8($values) => $work,
            $kind::U16($values) => $work,
            $kind::U32($values) => $work,
            $kind::U64($values) => $work,
            $kind::I8($values) => $work,
            $kind::I16($values) => $work,
            $kind::I32($values) => $work,
            $kind::I64($values) => $work,
        }
    };
}

pub(super) use each_type;

/// The tokens of a sequence, or of a part of it.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is named for the type of its numbers")]
pub enum Tokens<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

/// A number that may be a token.
pub(super) trait Number: Copy + Default + BitOr<Output = Self> {
    /// The number in 64 bits; one below 0 has the upper ones set.
    fn wide(self) -> u64;
}

macro_rules! numbers {
    ($($number:ty),*) => { $(impl Number for $number {
        #[inline(always)]
        fn wide(self) -> u64 {
            self as u64
        }
    })* };
}

numbers!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Tokens<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        each_type!(self, Self, values => values.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last one, in 64 bits; one below 0 has the upper ones set.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        each_type!(self, Self, values => values.last().map(|value| value.wide()))
    }

    /// Those in a range that lies within them.
    #[must_use]
    pub fn within(&self, range: Range<usize>) -> Self {
        match self {
            Self::U8(values) => Self::U8(&values[range]),
            Self::U16(values) => Self::U16(&values[range]),
            Self::U32(values) => Self::U32(&values[range]),
            Self::U64(values) => Self::U64(&values[range]),
            Self::I8(values) => Self::I8(&values[range]),
            Self::I16(values) => Self::I16(&values[range]),
            Self::I32(values) => Self::I32(&values[range]),
            Self::I64(values) => Self::I64(&values[range]),
        }
    }

    /// Appends them to `to`; false if one is no number of 32 bits.
    #[must_use]
    pub fn append_to(&self, to: &mut Vec<u32>) -> bool {
        each_type!(self, Self, values => append(values, to) >> 32 == 0)
    }

    /// Appends the numbers of a mask to `to`; false if one is neither 0 nor 1.
    #[must_use]
    pub(super) fn append_mask_to(&self, to: &mut Vec<u8>) -> bool {
        each_type!(self, Self, values => {
            let mut bits = 0;
            to.extend(values.iter().map(|value| {
                bits |= value.wide();
                value.wide() as u8
            }));
            bits <= 1
        })
    }

    /// Asks for the memory of the first of them.
    #[inline]
    fn prefetch(&self) {
        fn prefetch<T>(values: &[T]) {
            values
                .chunks(64 / size_of::<T>())
                .take(AHEAD_LINES)
                .for_each(|line| prefetch_line(line.as_ptr()));
        }
        each_type!(self, Self, values => prefetch(values));
    }
}

/// Lines of 64 bytes of a sequence that are asked for ahead; the processor sees by itself how it goes on.
const AHEAD_LINES: usize = 32;

/// Appends the lower 32 bits of each number to `to`; gives all bits of all of them.
#[inline]
fn append<T: Number>(values: &[T], to: &mut Vec<u32>) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { append_avx2(values, to) };
    }
    append_of(values, to)
}

/// The same, with vectors twice as wide as every processor has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn append_avx2<T: Number>(values: &[T], to: &mut Vec<u32>) -> u64 {
    append_of(values, to)
}

#[inline(always)]
fn append_of<T: Number>(values: &[T], to: &mut Vec<u32>) -> u64 {
    let from = to.len();
    to.resize(from + values.len(), 0);
    let mut bits = T::default();
    for (to, &value) in to[from..].iter_mut().zip(values) {
        bits = bits | value;
        *to = value.wide() as u32;
    }
    bits.wide()
}

/// A column of lists of tokens, in chunks.
#[derive(Debug)]
pub struct TokenLists {
    chunks: Vec<Chunk>,
    /// The row at which each chunk begins, and at last how many there are.
    starts: Vec<usize>,
}

#[derive(Debug)]
struct Chunk {
    bounds: Bounds,
    nulls: Option<NullBuffer>,
    values: Values,
}

/// Where lists begin and end.
#[derive(Debug)]
enum Bounds {
    Small(OffsetBuffer<i32>),
    Large(OffsetBuffer<i64>),
    Fixed(usize),
}

#[derive(Debug)]
enum Values {
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
}

/// Whether a column of this type holds lists of tokens, or of the bits of a mask.
#[must_use]
pub fn is_token_lists(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_integer() || matches!(item.data_type(), DataType::Boolean | DataType::Null)
        }
        DataType::Null => true,
        _ => false,
    }
}

impl TokenLists {
    /// The lists of `chunks`; `name` is what errors call the column.
    ///
    /// # Errors
    /// `Error::Column` for a type that is no list of integers, and for a null within a list.
    pub fn try_new(chunks: &[ArrayRef], name: &str) -> Result<Self> {
        let mut starts = vec![0];
        let mut read = Vec::with_capacity(chunks.len());
        let mut row = 0;
        for chunk in chunks {
            read.push(Chunk::try_new(chunk, name, row)?);
            row += chunk.len();
            starts.push(row);
        }
        Ok(Self { chunks: read, starts })
    }

    /// Number of lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Whether there is no list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens at `row`; none if they are null.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Tokens<'_>> {
        let chunk = self.starts.partition_point(|&start| start <= row).checked_sub(1)?;
        let within = row - self.starts[chunk];
        self.chunks.get(chunk)?.get(within)
    }
}

impl TokenLists {
    /// Asks for the memory of some tokens of a row.
    pub(super) fn prefetch(&self, row: usize, start: usize, length: usize) {
        if let Some(tokens) = self.get(row) {
            let end = tokens.len().min(start + length);
            tokens.within(start.min(end)..end).prefetch();
        }
    }
}

impl Lengths for TokenLists {
    fn each(&self, mut visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        for (chunk, rows) in self.chunks.iter().zip(self.starts.windows(2)) {
            for row in 0..rows[1] - rows[0] {
                visit(chunk.is_valid(row).then(|| chunk.bounds.of(row).len() as u64))?;
            }
        }
        Ok(())
    }
}

impl Bounds {
    fn of(&self, row: usize) -> Range<usize> {
        match self {
            Self::Small(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::Large(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

impl Chunk {
    fn try_new(array: &ArrayRef, name: &str, first_row: usize) -> Result<Self> {
        let (bounds, values) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Bounds::Small(list.offsets().clone()), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Bounds::Large(list.offsets().clone()), list.values())
            }
            DataType::FixedSizeList(_, size) => {
                (Bounds::Fixed(*size as usize), array.as_fixed_size_list().values())
            }
            DataType::Null => return Ok(Self::of_nulls(array.len())),
            other => return Err(no_lists(name, other)),
        };
        let chunk = Self { bounds, nulls: array.nulls().cloned(), values: Values::try_new(values, name)? };
        chunk.check(array.len(), values, name, first_row)?;
        Ok(chunk)
    }

    fn of_nulls(len: usize) -> Self {
        let values = Values::U32(ScalarBuffer::from(Vec::new()));
        Self { bounds: Bounds::Fixed(0), nulls: Some(NullBuffer::new_null(len)), values }
    }

    /// Checks that all lists lie within the values and none has a null; what lies outside of lists may be anything.
    fn check(&self, rows: usize, values: &ArrayRef, name: &str, first_row: usize) -> Result<()> {
        let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
        for row in (0..rows).filter(|&row| self.is_valid(row)) {
            let bounds = self.bounds.of(row);
            if bounds.start > bounds.end || bounds.end > values.len() {
                return Err(Error::Column(format!(
                    "row `{}` of {name} has bounds that do not lie in its column; the Arrow data is broken",
                    first_row + row
                )));
            }
            if nulls.is_some_and(|nulls| nulls.slice(bounds.start, bounds.len()).null_count() > 0) {
                return Err(Error::Column(format!(
                    "row `{}` of {name} has a null within its list; leave it out, or make the whole list null",
                    first_row + row
                )));
            }
        }
        Ok(())
    }

    fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    fn get(&self, row: usize) -> Option<Tokens<'_>> {
        self.is_valid(row).then(|| self.values.within(self.bounds.of(row)))
    }
}

impl Values {
    fn try_new(values: &ArrayRef, name: &str) -> Result<Self> {
        Ok(match values.data_type() {
            DataType::UInt8 => Self::U8(values.as_primitive::<UInt8Type>().values().clone()),
            DataType::UInt16 => Self::U16(values.as_primitive::<UInt16Type>().values().clone()),
            DataType::UInt32 => Self::U32(values.as_primitive::<UInt32Type>().values().clone()),
            DataType::UInt64 => Self::U64(values.as_primitive::<UInt64Type>().values().clone()),
            DataType::Int8 => Self::I8(values.as_primitive::<Int8Type>().values().clone()),
            DataType::Int16 => Self::I16(values.as_primitive::<Int16Type>().values().clone()),
            DataType::Int32 => Self::I32(values.as_primitive::<Int32Type>().values().clone()),
            DataType::Int64 => Self::I64(values.as_primitive::<Int64Type>().values().clone()),
            DataType::Boolean => Self::U8(values.as_boolean().values().iter().map(u8::from).collect()),
            DataType::Null => Self::U32(ScalarBuffer::from(vec![0; values.len()])),
            other => return Err(no_lists(name, other)),
        })
    }

    fn within(&self, range: Range<usize>) -> Tokens<'_> {
        match self {
            Self::U8(values) => Tokens::U8(&values[range]),
            Self::U16(values) => Tokens::U16(&values[range]),
            Self::U32(values) => Tokens::U32(&values[range]),
            Self::U64(values) => Tokens::U64(&values[range]),
            Self::I8(values) => Tokens::I8(&values[range]),
            Self::I16(values) => Tokens::I16(&values[range]),
            Self::I32(values) => Tokens::I32(&values[range]),
            Self::I64(values) => Tokens::I64(&values[range]),
        }
    }
}

fn no_lists(name: &str, found: &DataType) -> Error {
    Error::Column(format!("{name} is of type `{found}`, but it is a column of lists of integers"))
}
