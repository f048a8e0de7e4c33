//! Just enough of the Thrift compact protocol to look before the decoder leaps.
//!
//! Two needs: to find the pages of a column chunk without decompressing them, and to refuse a footer whose lists claim
//! more elements than it has bytes, or whose schema nests deeper than a stack, before a decoder reserves memory for
//! them or recurses. Reading never allocates, and every function answers `None` at the first byte that cannot be right.
//!
//! The wire format: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>;
//! field numbers: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
pub(super) const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Structs inside structs inside lists: the deepest Parquet structure has 8 levels.
const MAX_DEPTH: usize = 32;
/// Nesting of a schema. Readers recurse over it.
const MAX_SCHEMA_DEPTH: usize = 128;

/// What a page header says about the page behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Length of the header itself.
    pub(super) header_bytes: usize,
    /// Bytes behind the header.
    pub(super) compressed_bytes: usize,
    /// Bytes after decompression.
    pub(super) plain_bytes: usize,
    /// Values (rows, in a column without lists) of a data page; nothing for a dictionary or an index page.
    pub(super) values: Option<usize>,
    /// Whether it is a data page of version 2.
    pub(super) is_version_2: bool,
    /// Where a data page of version 2 says that it is not compressed.
    pub(super) compression_flag: Option<usize>,
}

/// Reads the page header at the start of `bytes`.
pub(super) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut at = Cursor::new(bytes);
    let (mut compressed, mut plain, mut values) = (None, None, None);
    let (mut is_version_2, mut compression_flag) = (false, None);
    let mut last = 0;
    while let Some((kind, id)) = at.field(&mut last)? {
        match (id, kind) {
            (2, I32) => plain = Some(at.size()?),
            (3, I32) => compressed = Some(at.size()?),
            // DataPageHeader and DataPageHeaderV2 both begin with the number of values.
            (5 | 8, STRUCT) => {
                is_version_2 = id == 8;
                let mut inner = 0;
                while let Some((kind, id)) = at.field(&mut inner)? {
                    match (id, kind) {
                        (1, I32) => values = Some(at.size()?),
                        // The header of the field, which is one byte behind a field before it, is its value.
                        (7, FALSE) if is_version_2 => compression_flag = Some(at.pos - 1),
                        _ => at.skip(kind, 0)?,
                    }
                }
            }
            _ => at.skip(kind, 0)?,
        }
    }
    let (compressed_bytes, plain_bytes) = (compressed?, plain?);
    Some(PageHeader {
        header_bytes: at.pos,
        compressed_bytes,
        plain_bytes,
        values,
        is_version_2,
        compression_flag,
    })
}

/// Whether `bytes` is a Thrift struct whose lists fit in it and whose schema (field 2) a reader can recurse over.
pub(super) fn footer_is_sane(bytes: &[u8]) -> bool {
    let mut at = Cursor::new(bytes);
    at.footer().is_some()
}

/// A place in Thrift bytes.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.pos)?;
        self.pos += 1;
        Some(byte)
    }

    fn advance(&mut self, n: u64) -> Option<()> {
        let end = self.pos.checked_add(usize::try_from(n).ok()?)?;
        (end <= self.bytes.len()).then(|| self.pos = end)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A byte string, as its place.
    pub(super) fn binary(&mut self) -> Option<std::ops::Range<usize>> {
        let n = self.varint()?;
        let start = self.pos;
        self.advance(n)?;
        Some(start..self.pos)
    }

    fn int(&mut self) -> Option<i64> {
        let v = self.varint()?;
        Some((v >> 1) as i64 ^ -((v & 1) as i64))
    }

    /// A 32-bit number that cannot be negative.
    pub(super) fn size(&mut self) -> Option<usize> {
        let v = self.int()?;
        (v <= i64::from(i32::MAX)).then(|| usize::try_from(v).ok()).flatten()
    }

    /// Type and id of the next field; `Some(None)` at the end of the struct.
    #[expect(clippy::option_option, reason = "`?` on damage, `while let` on fields")]
    pub(super) fn field(&mut self, last: &mut i16) -> Option<Option<(u8, i16)>> {
        let head = self.byte()?;
        if head == STOP {
            return Some(None);
        }
        *last = match head >> 4 {
            0 => i16::try_from(self.int()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        Some(Some((head & 0x0f, *last)))
    }

    /// Element type and number of elements of a list. No element takes less than one byte.
    pub(super) fn list(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let size = match head >> 4 {
            15 => self.varint()?,
            n => u64::from(n),
        };
        (size <= (self.bytes.len() - self.pos) as u64).then_some((head & 0x0f, size as usize))
    }

    pub(super) fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.advance(1),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.advance(8),
            UUID => self.advance(16),
            BINARY => self.binary().map(drop),
            LIST | SET => {
                let (element, n) = self.list()?;
                (0..n).try_for_each(|_| self.skip_element(element, depth + 1))
            }
            MAP => {
                let n = self.varint()?;
                if n == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..n).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth + 1)?;
                    self.skip_element(kinds & 0x0f, depth + 1)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Some((kind, _)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// In lists a boolean is a byte of its own; in fields it is in the type.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { self.advance(1) } else { self.skip(kind, depth) }
    }

    fn footer(&mut self) -> Option<()> {
        let mut last = 0;
        while let Some((kind, id)) = self.field(&mut last)? {
            if id == 2 && kind == LIST { self.schema()? } else { self.skip(kind, 0)? }
        }
        Some(())
    }

    /// The schema is the tree in depth-first order, each element with its number of children (field 5).
    fn schema(&mut self) -> Option<()> {
        let (kind, n) = self.list()?;
        let mut open: Vec<usize> = Vec::new();
        for _ in 0..n {
            let mut children = 0;
            let mut last = 0;
            if kind != STRUCT {
                return None;
            }
            while let Some((kind, id)) = self.field(&mut last)? {
                if id == 5 && kind == I32 { children = self.size()? } else { self.skip(kind, 0)? }
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            open.push(children);
            if open.len() > MAX_SCHEMA_DEPTH {
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PageHeader { type 0, plain 300, compressed 120, data_page_header { num_values 7, 0, 3, 3 } }`.
    const PAGE: [u8; 18] =
        [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0xf0, 0x01, 0x2c, 0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6, 0];

    #[test]
    fn page_header_gives_sizes_and_values() {
        let mut bytes = PAGE.to_vec();
        bytes.extend([0, 9, 9, 9]);
        let expected = PageHeader {
            header_bytes: PAGE.len() + 1,
            compressed_bytes: 120,
            plain_bytes: 300,
            values: Some(7),
            is_version_2: false,
            compression_flag: None,
        };
        assert_eq!(page_header(&bytes), Some(expected));
    }

    #[test]
    fn every_truncation_of_a_page_header_is_refused() {
        for end in 0..=PAGE.len() {
            assert_eq!(page_header(&PAGE[..end]), None);
        }
    }

    #[test]
    fn list_longer_than_its_bytes_is_refused() {
        // Field 4 (row_groups): a list of 2^31 - 1 structs in a footer of 8 bytes.
        assert!(!footer_is_sane(&[0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0]));
        assert!(footer_is_sane(&[0x49, 0x1c, 0, 0]));
    }

    #[test]
    fn nested_structs_do_not_exhaust_the_stack() {
        assert!(!footer_is_sane(&vec![0x1c; 1 << 20]));
        assert!(!footer_is_sane(&vec![0x19; 1 << 20]));
    }

    #[test]
    fn schema_nested_like_a_bomb_is_refused() {
        let chain = |n: usize| {
            let mut bytes = vec![0x29, 0xfc];
            let mut size = n;
            while size >= 0x80 {
                bytes.push(size as u8 | 0x80);
                size >>= 7;
            }
            bytes.push(size as u8);
            bytes.extend([0x55, 2, 0].repeat(n));
            bytes.push(0);
            bytes
        };
        assert!(footer_is_sane(&chain(MAX_SCHEMA_DEPTH)));
        assert!(!footer_is_sane(&chain(MAX_SCHEMA_DEPTH + 1)));
        assert!(!footer_is_sane(&chain(100_000)));
    }
}
