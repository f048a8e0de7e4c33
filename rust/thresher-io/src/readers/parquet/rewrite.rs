//! The footer as bytes: what is changed in it to copy rows, and put back in the copy.
//!
//! A copy must not depend on what this program makes of a type. So rows are copied as the values that Parquet stores: the
//! reader is given a footer whose schema has physical types alone ([`bare`]), and the footer of the copy gets the
//! schema of the input byte for byte ([`restore`]), with annotations that did not exist when this was written.
//!
//! The one physical type that the decoder changes is `INT96`: it becomes a time of 64 bits, which cannot hold every
//! value. Its values are 12 bytes in every encoding, so they are read and written as 12 bytes of no meaning.
//!
//! Structures: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use std::ops::Range;

use super::thrift::{BINARY, Cursor, I32, I64, LIST, STRUCT};

/// `Type.INT96`, `Type.BYTE_ARRAY` and `Type.FIXED_LEN_BYTE_ARRAY`.
const INT96: usize = 3;
const BYTE_ARRAY: usize = 6;
const FIXED: usize = 7;
/// `ConvertedType.DECIMAL`, and the fields of the union `LogicalType` that are no strings.
const CONVERTED_DECIMAL: usize = 5;
const LOGICAL_DECIMAL: i16 = 5;
const LOGICAL_UNKNOWN: i16 = 11;
/// Bytes of an `INT96`.
const INT96_BYTES: usize = 12;

/// A footer of physical types, and what it takes to undo that.
#[derive(Debug)]
pub(super) struct Bare {
    /// The footer.
    pub(super) footer: Vec<u8>,
    /// The schema of the original.
    pub(super) original: OriginalSchema,
}

/// The schema of a file as its footer has it, and the version of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginalSchema {
    /// The list of schema elements.
    elements: Vec<u8>,
    /// Which leaf columns are `INT96`.
    int96: Vec<bool>,
    /// `FileMetaData.version`, as its byte.
    version: Option<u8>,
}

/// Where in a footer the parts are that change.
#[derive(Default)]
struct Parts {
    /// Place of the version.
    version: Option<usize>,
    schema: Range<usize>,
    /// The number of rows.
    rows: Range<usize>,
    /// Leaf column and place of the physical type of each column chunk.
    chunks: Vec<(usize, usize)>,
    /// The first leaf column of which a chunk is encrypted.
    encrypted: Option<usize>,
}

/// Drops every annotation from the schema of `footer`.
pub(super) fn bare(footer: &[u8]) -> Option<Bare> {
    let parts = Parts::of(footer)?;
    let elements = footer.get(parts.schema.clone())?;
    let mut leaves = Vec::new();
    let schema = bare_elements(elements, &mut leaves)?;
    let int96: Vec<bool> = leaves.iter().map(|leaf| leaf.is_int96).collect();
    let version = parts.version.and_then(|place| footer.get(place)).copied().filter(|byte| *byte < 0x80);
    let mut bytes = footer.to_vec();
    retype(&mut bytes, &parts.chunks, &int96, INT96, FIXED)?;
    bytes.splice(parts.schema, schema);
    Some(Bare { footer: bytes, original: OriginalSchema { elements: elements.to_vec(), int96, version } })
}

/// Gives `footer`, written for bare columns, the schema of the original.
pub(crate) fn restore(mut footer: Vec<u8>, original: &OriginalSchema) -> Option<Vec<u8>> {
    let parts = Parts::of(&footer)?;
    retype(&mut footer, &parts.chunks, &original.int96, FIXED, INT96)?;
    if let (Some(place), Some(version)) = (parts.version, original.version) {
        *footer.get_mut(place).filter(|byte| **byte < 0x80)? = version;
    }
    footer.splice(parts.schema, original.elements.iter().copied());
    Some(footer)
}

/// Sets the number of rows of the file.
pub(super) fn with_rows(footer: &[u8], rows: u64) -> Option<Vec<u8>> {
    let place = Parts::of(footer)?.rows;
    let mut value = Vec::new();
    Struct { out: &mut value, last: 0 }.varint(rows << 1);
    let mut bytes = footer.to_vec();
    bytes.splice(place, value);
    Some(bytes)
}

/// Drops the annotations of byte strings from the schema of `footer`, so that they are read without being checked.
pub(super) fn strings_as_bytes(footer: &[u8]) -> Option<Vec<u8>> {
    let parts = Parts::of(footer)?;
    let elements = footer.get(parts.schema.clone())?;
    let schema = elements_without(elements, &mut Vec::new(), |element| {
        element.physical == Some(BYTE_ARRAY) && !element.is_number
    })?;
    let mut bytes = footer.to_vec();
    bytes.splice(parts.schema, schema);
    Some(bytes)
}

/// The name of the first column whose data is encrypted.
pub(super) fn encrypted_column(footer: &[u8]) -> Option<String> {
    let parts = Parts::of(footer)?;
    let leaf = parts.encrypted?;
    let mut leaves = Vec::new();
    bare_elements(footer.get(parts.schema)?, &mut leaves)?;
    leaves.into_iter().nth(leaf).map(|leaf| leaf.name)
}

fn retype(
    footer: &mut [u8],
    chunks: &[(usize, usize)],
    int96: &[bool],
    from: usize,
    to: usize,
) -> Option<()> {
    let places = chunks.iter().filter(|(leaf, _)| int96.get(*leaf) == Some(&true)).map(|chunk| chunk.1);
    for place in places {
        *footer.get_mut(place).filter(|byte| **byte == zigzag(from))? = zigzag(to);
    }
    Some(())
}

/// A small number as the byte that stands for it.
fn zigzag(n: usize) -> u8 {
    (n as u8) << 1
}

impl Parts {
    fn of(footer: &[u8]) -> Option<Self> {
        let mut parts = Self::default();
        let mut at = Cursor::new(footer);
        let mut last = 0;
        while let Some((kind, id)) = at.field(&mut last)? {
            match (id, kind) {
                (1, I32) => {
                    parts.version = Some(at.pos);
                    at.skip(kind, 0)?;
                }
                (2, LIST) => {
                    let start = at.pos;
                    at.skip(LIST, 0)?;
                    parts.schema = start..at.pos;
                }
                (3, I64) => {
                    let start = at.pos;
                    at.skip(kind, 0)?;
                    parts.rows = start..at.pos;
                }
                (4, LIST) => {
                    let (_, groups) = at.list()?;
                    (0..groups).try_for_each(|_| parts.group(&mut at))?;
                }
                _ => at.skip(kind, 0)?,
            }
        }
        (!parts.schema.is_empty()).then_some(parts)
    }

    fn group(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let mut last = 0;
        while let Some((kind, id)) = at.field(&mut last)? {
            if (id, kind) == (1, LIST) {
                let (_, columns) = at.list()?;
                (0..columns).try_for_each(|leaf| self.chunk(at, leaf))?;
            } else {
                at.skip(kind, 0)?;
            }
        }
        Some(())
    }

    fn chunk(&mut self, at: &mut Cursor<'_>, leaf: usize) -> Option<()> {
        let mut last = 0;
        while let Some((kind, id)) = at.field(&mut last)? {
            match (id, kind) {
                (3, STRUCT) => {
                    let mut inner = 0;
                    while let Some((kind, id)) = at.field(&mut inner)? {
                        if (id, kind) == (1, I32) {
                            self.chunks.push((leaf, at.pos));
                        }
                        at.skip(kind, 0)?;
                    }
                }
                // crypto_metadata, encrypted_column_metadata
                (8 | 9, _) => {
                    self.encrypted.get_or_insert(leaf);
                    at.skip(kind, 0)?;
                }
                _ => at.skip(kind, 0)?,
            }
        }
        Some(())
    }
}

/// A leaf of a schema.
struct Leaf {
    name: String,
    is_int96: bool,
}

/// The elements of a schema with type, length, repetition, name and number of children alone; `INT96` as bytes.
fn bare_elements(list: &[u8], leaves: &mut Vec<Leaf>) -> Option<Vec<u8>> {
    elements_without(list, leaves, |_| true)
}

/// What is read of an element of a schema.
#[derive(Default)]
struct Element {
    physical: Option<usize>,
    length: Option<usize>,
    repetition: Option<usize>,
    name: Range<usize>,
    children: Option<usize>,
    /// Its bytes are a number or nothing, and not to be read as a string.
    is_number: bool,
}

impl Element {
    fn read(at: &mut Cursor<'_>) -> Option<Self> {
        let mut element = Self::default();
        let mut last = 0;
        while let Some((kind, id)) = at.field(&mut last)? {
            match (id, kind) {
                (1, I32) => element.physical = Some(at.size()?),
                (2, I32) => element.length = Some(at.size()?),
                (3, I32) => element.repetition = Some(at.size()?),
                (4, BINARY) => element.name = at.binary()?,
                (5, I32) => element.children = Some(at.size()?),
                (6, I32) => element.is_number |= at.size()? == CONVERTED_DECIMAL,
                (10, STRUCT) => {
                    let start = at.pos;
                    let annotation = at.field(&mut 0)?.map(|(_, id)| id);
                    element.is_number |= matches!(annotation, Some(LOGICAL_DECIMAL | LOGICAL_UNKNOWN));
                    at.pos = start;
                    at.skip(STRUCT, 0)?;
                }
                _ => at.skip(kind, 0)?,
            }
        }
        Some(element)
    }
}

/// The elements of a schema, those that `bare` accepts without annotations.
fn elements_without(list: &[u8], leaves: &mut Vec<Leaf>, bare: impl Fn(&Element) -> bool) -> Option<Vec<u8>> {
    let mut at = Cursor::new(list);
    let (kind, n) = at.list()?;
    if kind != STRUCT {
        return None;
    }
    let mut out = list.get(..at.pos)?.to_vec();
    for _ in 0..n {
        let start = at.pos;
        let mut element = Element::read(&mut at)?;
        let name = list.get(element.name.clone())?;
        let is_int96 = element.physical == Some(INT96);
        if element.physical.is_some() && element.children.unwrap_or(0) == 0 {
            leaves.push(Leaf { name: String::from_utf8_lossy(name).into_owned(), is_int96 });
        }
        if !bare(&element) {
            out.extend_from_slice(list.get(start..at.pos)?);
            continue;
        }
        if is_int96 {
            (element.physical, element.length) = (Some(FIXED), Some(INT96_BYTES));
        }
        let mut fields = Struct { out: &mut out, last: 0 };
        fields.number(1, element.physical);
        fields.number(2, element.length);
        fields.number(3, element.repetition);
        fields.string(4, name);
        fields.number(5, element.children);
        out.push(0);
    }
    Some(out)
}

/// Writes the fields of a struct.
struct Struct<'a> {
    out: &'a mut Vec<u8>,
    last: u8,
}

impl Struct<'_> {
    fn header(&mut self, id: u8, kind: u8) {
        self.out.push((id - self.last) << 4 | kind);
        self.last = id;
    }

    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.out.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }

    fn number(&mut self, id: u8, value: Option<usize>) {
        if let Some(value) = value {
            self.header(id, I32);
            self.varint((value as u64) << 1);
        }
    }

    fn string(&mut self, id: u8, value: &[u8]) {
        self.header(id, BINARY);
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }
}
