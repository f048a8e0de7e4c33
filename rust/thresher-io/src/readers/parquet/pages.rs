//! Where the pages of a row group lie, and how the group is cut into units.
//!
//! Many files are one row group, so a group has to feed all threads. Cutting it by rows alone would make every unit walk
//! over the headers of all pages before it, and decompress the page at each border twice. So the headers of a large
//! group are read once, units end where pages of the heaviest column end, and the decoder is given the places of the
//! pages (as if the file had a page index; one that the file brings is not used, since a damaged index
//! would silently give wrong rows where damaged headers give errors).
//!
//! The cut depends on the footer and the page headers alone. Headers are about 30 bytes for a page of about 1 MB.

use std::{io, sync::OnceLock};

use parquet::{
    basic::Type as PhysicalType,
    file::{
        metadata::{
            ColumnChunkMetaData, OffsetIndexBuilder, ParquetMetaData, RowGroupMetaData,
            page_index::PageIndexProvider,
        },
        page_index::{column_index::ColumnIndexMetaData, offset_index::OffsetIndexMetaData},
    },
};

use super::thrift::{self, PageHeader};
use crate::blob::Blob;

/// A unit has no more rows than this, however small they are.
const MAX_ROWS: usize = 1 << 20;
/// Columns below this size are cheap to walk over without knowing their pages.
const WORTH_A_SCAN: i64 = 1 << 20;
/// A dictionary is decoded again for every unit, so a unit is at least this many times its size.
const DICTIONARIES_PER_UNIT: u64 = 8;
/// First read of a page header; statistics inside can make it longer.
const HEADER_GUESS: usize = 512;
/// No sane page header is longer.
const HEADER_LIMIT: usize = 1 << 24;

/// The plan of each row group, made when it is first asked for.
#[derive(Debug)]
pub(super) struct PageMap {
    groups: Vec<OnceLock<GroupPlan>>,
}

#[derive(Debug)]
pub(super) struct GroupPlan {
    /// First row of each unit.
    pub(super) starts: Vec<usize>,
    /// Pages of each leaf column, where they were looked up.
    columns: Vec<Option<OffsetIndexMetaData>>,
}

impl PageMap {
    pub(super) fn new(groups: usize) -> Self {
        Self { groups: (0..groups).map(|_| OnceLock::new()).collect() }
    }

    /// The plan of one group; `file` is only read the first time.
    pub(super) fn plan(
        &self,
        metadata: &ParquetMetaData,
        group: usize,
        unit_bytes: u64,
        file: &dyn Blob,
    ) -> &GroupPlan {
        self.groups[group].get_or_init(|| plan(metadata.row_group(group), unit_bytes, file))
    }
}

impl PageIndexProvider for PageMap {
    fn has_offset_indexes(&self) -> bool {
        true
    }

    fn has_column_indexes(&self) -> bool {
        false
    }

    fn column_index(&self, _: usize, _: usize) -> Option<&ColumnIndexMetaData> {
        None
    }

    fn offset_index(&self, group: usize, column: usize) -> Option<&OffsetIndexMetaData> {
        self.groups.get(group)?.get()?.columns.get(column)?.as_ref()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn plan(group: &RowGroupMetaData, unit_bytes: u64, file: &dyn Blob) -> GroupPlan {
    let rows = usize::try_from(group.num_rows()).unwrap_or(0);
    let mut columns: Vec<Option<OffsetIndexMetaData>> = vec![None; group.num_columns()];
    let Some(heavy) = heaviest(group) else {
        return GroupPlan { starts: even(rows, 1), columns };
    };
    let bytes = |c: &ColumnChunkMetaData| c.uncompressed_size().max(0) as u64;
    let heavy_bytes = bytes(group.column(heavy));
    let all_bytes: u64 = group.columns().iter().map(bytes).sum();
    // The share of a unit that belongs to the heaviest column, but at least an eighth: in a wide table the run reads few
    // of the columns, and a unit has to stay worth its overhead.
    let share = (unit_bytes as f64 * heavy_bytes as f64 / all_bytes.max(1) as f64) as u64;
    let target =
        share.max(unit_bytes / 8).max(dictionary_bytes(group.column(heavy)) * DICTIONARIES_PER_UNIT).max(1);
    if heavy_bytes <= target && rows <= MAX_ROWS {
        return GroupPlan { starts: even(rows, 1), columns };
    }
    let mut starts = None;
    for (at, column) in group.columns().iter().enumerate() {
        if at != heavy && column.uncompressed_size() < WORTH_A_SCAN {
            continue;
        }
        let Ok(Some((index, pages))) = scan(file, column, rows) else { continue };
        if at == heavy {
            starts = Some(by_pages(&pages, target));
        }
        columns[at] = Some(index);
    }
    let starts = starts.unwrap_or_else(|| even(rows, heavy_bytes.div_ceil(target)));
    GroupPlan { starts, columns }
}

/// The column that decides the cut: the largest of byte strings, or the largest if there is none.
fn heaviest(group: &RowGroupMetaData) -> Option<usize> {
    let key = |c: &ColumnChunkMetaData| (c.column_type() == PhysicalType::BYTE_ARRAY, c.uncompressed_size());
    (0..group.num_columns()).max_by_key(|&i| (key(group.column(i)), std::cmp::Reverse(i)))
}

/// Uncompressed bytes of the dictionary, estimated from its share of the chunk.
fn dictionary_bytes(column: &ColumnChunkMetaData) -> u64 {
    let Some(at) = column.dictionary_page_offset() else { return 0 };
    let compressed = column.data_page_offset().saturating_sub(at).max(0) as f64;
    let ratio = column.uncompressed_size().max(0) as f64 / column.compressed_size().max(1) as f64;
    ((compressed * ratio) as u64).min(column.uncompressed_size().max(0) as u64)
}

fn even(rows: usize, units: u64) -> Vec<usize> {
    if rows == 0 {
        return Vec::new();
    }
    let units = usize::try_from(units).unwrap_or(usize::MAX).clamp(rows.div_ceil(MAX_ROWS), rows);
    (0..units).map(|i| (i as u128 * rows as u128 / units as u128) as usize).collect()
}

fn by_pages(pages: &[PageHeader], target: u64) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut row, mut bytes, mut rows) = (0, 0, 0);
    for page in pages {
        let page_rows = page.values.unwrap_or(0);
        if rows == 0 && page_rows > 0 {
            starts.push(row);
        }
        row += page_rows;
        rows += page_rows;
        bytes += page.plain_bytes as u64;
        if bytes >= target || rows >= MAX_ROWS {
            (bytes, rows) = (0, 0);
        }
    }
    starts
}

/// Whether the first data page of a column is of version 2; what cannot be read is not.
pub(super) fn is_version_2(file: &dyn Blob, column: &ColumnChunkMetaData) -> bool {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let Ok(mut pos) = u64::try_from(start) else { return false };
    // A dictionary, and the first page behind it.
    for _ in 0..2 {
        let some = file.len().saturating_sub(pos).min(HEADER_LIMIT as u64 >> 8);
        let bytes = file.bytes_at(pos, some).ok();
        let Some(header) = bytes.and_then(|bytes| thrift::page_header(&bytes)) else { return false };
        if header.values.is_some() {
            return header.is_version_2;
        }
        pos += (header.header_bytes + header.compressed_bytes) as u64;
    }
    false
}

type Scanned = (OffsetIndexMetaData, Vec<PageHeader>);

/// Walks over the page headers of a column without lists. Nothing comes back if they do not add up to `rows`.
fn scan(file: &dyn Blob, column: &ColumnChunkMetaData, rows: usize) -> io::Result<Option<Scanned>> {
    if column.column_descr().max_rep_level() > 0 {
        return Ok(None);
    }
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let Ok(mut pos) = u64::try_from(start) else { return Ok(None) };
    let end = pos.saturating_add(column.compressed_size().max(0) as u64).min(file.len());
    let mut index = OffsetIndexBuilder::new();
    let (mut pages, mut seen) = (Vec::new(), 0_usize);
    while seen < rows {
        let mut guess = HEADER_GUESS;
        let header = loop {
            let buffer = file.bytes_at(pos, (guess as u64).min(end.saturating_sub(pos)))?;
            match thrift::page_header(&buffer) {
                Some(header) => break header,
                None if buffer.len() == guess && guess < HEADER_LIMIT => guess *= 16,
                None => return Ok(None),
            }
        };
        let size = header.header_bytes + header.compressed_bytes;
        if pos + size as u64 > end {
            return Ok(None);
        }
        if let (Some(values), Ok(offset), Ok(bytes)) =
            (header.values, i64::try_from(pos), i32::try_from(size))
        {
            index.append_offset_and_size(offset, bytes);
            index.append_row_count(values as i64);
            seen += values;
            pages.push(header);
        }
        pos += size as u64;
    }
    Ok((seen == rows).then(|| (index.build(), pages)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(values: usize, plain_bytes: usize) -> PageHeader {
        let values = Some(values);
        PageHeader {
            header_bytes: 20,
            compressed_bytes: 10,
            plain_bytes,
            values,
            is_version_2: false,
            compression_flag: None,
        }
    }

    #[test]
    fn units_end_with_pages_and_cover_every_row() {
        let pages = [page(10, 60), page(10, 60), page(0, 5), page(5, 300), page(1, 1)];
        assert_eq!(by_pages(&pages, 100), [0, 20, 25]);
        assert_eq!(by_pages(&pages, 1), [0, 10, 20, 25]);
        assert_eq!(by_pages(&pages, u64::MAX), [0]);
        assert_eq!(by_pages(&[page(MAX_ROWS, 1), page(3, 1)], 100), [0, MAX_ROWS]);
    }

    #[test]
    fn even_cut_has_no_empty_and_no_oversized_unit() {
        assert_eq!(even(0, 5), [0; 0]);
        assert_eq!(even(3, 10), [0, 1, 2]);
        assert_eq!(even(10, 3), [0, 3, 6]);
        assert_eq!(even(3 * MAX_ROWS, 1), [0, MAX_ROWS, 2 * MAX_ROWS]);
    }
}
