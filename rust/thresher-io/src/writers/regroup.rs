//! Cuts a stream of record batches into groups by content alone.
//!
//! Kept rows arrive in pieces whose borders depend on how the input was cut. What is written must not: a group ends with
//! the row that fills it, wherever the pieces end, and inside a group the encoder is fed chunks of a fixed number of
//! rows. So equal rows give equal bytes. Whole chunks inside one batch are slices; only chunks across a border are copied.

use std::{collections::VecDeque, ops::Range};

use arrow_array::{
    Array, ArrayRef, RecordBatch, RunArray,
    cast::AsArray,
    types::{BinaryViewType, ByteViewType, Int16Type, Int32Type, Int64Type, StringViewType},
};
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;

/// When a group is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of content, as [`content_bytes`] counts them.
    pub(crate) bytes: u64,
    /// Rows.
    pub(crate) rows: usize,
}

/// Rows that are encoded together.
#[derive(Debug, Default)]
pub(crate) struct Group {
    batches: Vec<RecordBatch>,
    /// Number of rows.
    pub(crate) rows: usize,
    /// Their content.
    pub(crate) bytes: u64,
}

/// Collects batches until a group is full.
#[derive(Debug)]
pub(crate) struct Regroup {
    limits: Limits,
    open: Group,
    full: VecDeque<Group>,
}

impl Regroup {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, open: Group::default(), full: VecDeque::new() }
    }

    /// Adds rows; full groups are then handed out by `next_full`.
    pub(crate) fn push(&mut self, mut batch: RecordBatch) {
        while batch.num_rows() > 0 {
            let rows = self.rows_that_fill(&batch);
            let bytes = batch_bytes(&batch, 0..rows);
            self.open.batches.push(batch.slice(0, rows));
            self.open.rows += rows;
            self.open.bytes += bytes;
            if self.open.bytes >= self.limits.bytes || self.open.rows >= self.limits.rows {
                self.full.push_back(std::mem::take(&mut self.open));
            }
            batch = batch.slice(rows, batch.num_rows() - rows);
        }
    }

    /// The next full group.
    pub(crate) fn next_full(&mut self) -> Option<Group> {
        self.full.pop_front()
    }

    /// What is left at the end.
    pub(crate) fn rest(&mut self) -> Option<Group> {
        Some(std::mem::take(&mut self.open)).filter(|g| g.rows > 0)
    }

    /// The fewest rows of `batch` that fill the open group, or all of them.
    fn rows_that_fill(&self, batch: &RecordBatch) -> usize {
        let most = batch.num_rows().min(self.limits.rows - self.open.rows);
        let room = self.limits.bytes - self.open.bytes;
        if batch_bytes(batch, 0..most) < room {
            return most;
        }
        let (mut low, mut high) = (1, most);
        while low < high {
            let middle = low.midpoint(high);
            if batch_bytes(batch, 0..middle) >= room { high = middle } else { low = middle + 1 }
        }
        low
    }
}

impl Group {
    /// The same rows with something done to each batch.
    pub(crate) fn map(
        &self,
        change: impl Fn(&RecordBatch) -> Result<RecordBatch, ArrowError>,
    ) -> Result<Self, ArrowError> {
        let batches: Result<Vec<RecordBatch>, ArrowError> = self.batches.iter().map(change).collect();
        Ok(Self { batches: batches?, rows: self.rows, bytes: self.bytes })
    }

    /// The values of one column in chunks of `rows` rows; the last chunk is shorter.
    pub(crate) fn chunks(
        &self,
        column: usize,
        rows: usize,
    ) -> impl Iterator<Item = Result<ArrayRef, ArrowError>> {
        let rows = rows.max(1);
        let (mut batch, mut at) = (0, 0);
        std::iter::from_fn(move || {
            let mut parts: Vec<ArrayRef> = Vec::new();
            let mut missing = rows;
            while missing > 0 && batch < self.batches.len() {
                let array = self.batches[batch].column(column);
                let n = missing.min(array.len() - at);
                if n > 0 {
                    parts.push(array.slice(at, n));
                }
                missing -= n;
                at += n;
                if at == array.len() {
                    (batch, at) = (batch + 1, 0);
                }
            }
            match parts.len() {
                0 => None,
                1 => parts.pop().map(Ok),
                _ => {
                    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                    Some(concat(&parts))
                }
            }
        })
    }
}

fn batch_bytes(batch: &RecordBatch, rows: Range<usize>) -> u64 {
    batch.columns().iter().map(|c| content_bytes(c, rows.clone())).sum()
}

/// Bytes of the values in `rows`: a measure of content that adds up over ranges and does not see buffers, offsets
/// or the form of strings.
pub(crate) fn content_bytes(array: &dyn Array, rows: Range<usize>) -> u64 {
    let n = rows.len() as u64;
    match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets(), &rows) + 4 * n,
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets(), &rows) + 4 * n,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets(), &rows) + 4 * n,
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets(), &rows) + 4 * n,
        DataType::Utf8View => views::<StringViewType>(array, rows) + 4 * n,
        DataType::BinaryView => views::<BinaryViewType>(array, rows) + 4 * n,
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|c| content_bytes(c, rows.clone())).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let inner = list.value_offsets()[rows.start] as usize..list.value_offsets()[rows.end] as usize;
            content_bytes(list.values(), inner) + 4 * n
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let inner = list.value_offsets()[rows.start] as usize..list.value_offsets()[rows.end] as usize;
            content_bytes(list.values(), inner) + 4 * n
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let inner = map.value_offsets()[rows.start] as usize..map.value_offsets()[rows.end] as usize;
            content_bytes(map.entries(), inner) + 4 * n
        }
        DataType::FixedSizeList(_, size) => {
            let size = *size as usize;
            content_bytes(array.as_fixed_size_list().values(), rows.start * size..rows.end * size)
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let each = rows.map(|row| (list.value_offset(row) as usize, list.value_size(row) as usize));
            each.map(|(start, n)| content_bytes(list.values(), start..start + n)).sum::<u64>() + 8 * n
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let each = rows.map(|row| (list.value_offset(row) as usize, list.value_size(row) as usize));
            each.map(|(start, n)| content_bytes(list.values(), start..start + n)).sum::<u64>() + 8 * n
        }
        DataType::RunEndEncoded(_, _) => {
            let each = rows.filter_map(|row| run_of(array, row));
            each.map(|(values, at)| content_bytes(values, at..at + 1)).sum()
        }
        DataType::Union(_, _) => {
            let union = array.as_union();
            let each = rows.map(|row| (union.child(union.type_id(row)), union.value_offset(row)));
            each.map(|(values, at)| content_bytes(values, at..at + 1)).sum::<u64>() + n
        }
        DataType::FixedSizeBinary(size) => *size as u64 * n,
        DataType::Null => 0,
        kind => kind.primitive_width().unwrap_or(4) as u64 * n,
    }
}

/// The values of an array of runs, and which of them a row has.
fn run_of(array: &dyn Array, row: usize) -> Option<(&ArrayRef, usize)> {
    let any = array.as_any();
    if let Some(runs) = any.downcast_ref::<RunArray<Int16Type>>() {
        return Some((runs.values(), runs.get_physical_index(row)));
    }
    if let Some(runs) = any.downcast_ref::<RunArray<Int32Type>>() {
        return Some((runs.values(), runs.get_physical_index(row)));
    }
    let runs = any.downcast_ref::<RunArray<Int64Type>>()?;
    Some((runs.values(), runs.get_physical_index(row)))
}

fn span<O: Copy + Into<i64>>(offsets: &[O], rows: &Range<usize>) -> u64 {
    (offsets[rows.end].into() - offsets[rows.start].into()) as u64
}

fn views<T: ByteViewType>(array: &dyn Array, rows: Range<usize>) -> u64 {
    // The low 32 bits of a view are the length of its value.
    array.as_byte_view::<T>().views()[rows].iter().map(|&v| u64::from(v as u32)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(texts: &[String]) -> RecordBatch {
        let ids: Int32Array = (0..texts.len() as i32).collect();
        let texts = StringArray::from_iter_values(texts);
        RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("text", Arc::new(texts))]).unwrap()
    }

    fn cut(whole: &RecordBatch, borders: &[usize], limits: Limits) -> Vec<(usize, u64, Vec<ArrayRef>)> {
        let mut regroup = Regroup::new(limits);
        let mut from = 0;
        for &to in borders.iter().chain([&whole.num_rows()]) {
            let to = to.clamp(from, whole.num_rows());
            regroup.push(whole.slice(from, to - from));
            from = to;
        }
        let mut groups: Vec<Group> = std::iter::from_fn(|| regroup.next_full()).collect();
        groups.extend(regroup.rest());
        groups.iter().map(|g| (g.rows, g.bytes, g.chunks(1, 3).map(Result::unwrap).collect())).collect()
    }

    proptest! {
        #[test]
        fn groups_do_not_depend_on_the_pieces(
            texts in prop::collection::vec("[a-z]{0,20}", 0..60),
            mut borders in prop::collection::vec(0_usize..60, 0..8),
            bytes in 1_u64..200,
            rows in 1_usize..30,
        ) {
            borders.sort_unstable();
            let whole = batch(&texts);
            let limits = Limits { bytes, rows };
            let groups = cut(&whole, &borders, limits);
            prop_assert_eq!(&groups, &cut(&whole, &[], limits));
            prop_assert_eq!(groups.iter().map(|g| g.0).sum::<usize>(), texts.len());
            // Full, and not fuller than one row makes it.
            for (n, size, _) in groups.iter().take(groups.len().saturating_sub(1)) {
                prop_assert!(*n == rows || *size >= bytes);
                prop_assert!(*size < bytes + 4 + 4 + 20);
            }
        }
    }

    #[test]
    fn content_is_measured_alike_for_strings_and_views() {
        let strings: ArrayRef =
            Arc::new(StringArray::from(vec![Some("ab"), None, Some("a longer one than twelve")]));
        let views = arrow_cast::cast(&strings, &DataType::Utf8View).unwrap();
        for rows in [0..3, 1..3, 2..2] {
            assert_eq!(content_bytes(&strings, rows.clone()), content_bytes(&views, rows));
        }
    }
}
