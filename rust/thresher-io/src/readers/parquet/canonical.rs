//! A footer in the form that the decoder takes.
//!
//! Some writers put into a footer what the format does not have: values that are no strings among the key-value pairs, empty
//! lists of nothing, annotations of their own, a dictionary at offset 0. Other readers step over that; the decoder gives
//! up. Here the fields that a reader needs are taken over, and what has another type than the format says is left out.
//!
//! Structures: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use super::thrift::{BINARY, Cursor, I16, I32, I64, LIST, STRUCT};

/// What a field may be.
enum Kind {
    I16,
    I32,
    I64,
    /// An `I32` up to this.
    UpTo(usize),
    /// An `I64` that is not 0.
    Place,
    Binary,
    /// A struct that is taken over as it is.
    Whole,
    Struct(&'static [(i16, Kind)]),
    List(&'static Kind),
}

/// `ConvertedType.INTERVAL`, the last that the format has.
const LAST_CONVERTED_TYPE: usize = 21;

/// The number under which early writers annotated columns of nothing but nulls.
const EARLY_NULL: u64 = 24;
/// The field of a schema element that annotates it.
const LOGICAL_TYPE: i16 = 10;

static FILE: [(i16, Kind); 7] = [
    (1, Kind::I32),
    (2, Kind::List(&Kind::Struct(&ELEMENT))),
    (3, Kind::I64),
    (4, Kind::List(&Kind::Struct(&GROUP))),
    (5, Kind::List(&Kind::Struct(&KEY_VALUE))),
    (6, Kind::Binary),
    (7, Kind::List(&Kind::Whole)),
];
static ELEMENT: [(i16, Kind); 10] = [
    (1, Kind::I32),
    (2, Kind::I32),
    (3, Kind::I32),
    (4, Kind::Binary),
    (5, Kind::I32),
    (6, Kind::UpTo(LAST_CONVERTED_TYPE)),
    (7, Kind::I32),
    (8, Kind::I32),
    (9, Kind::I32),
    (10, Kind::Whole),
];
static GROUP: [(i16, Kind); 7] = [
    (1, Kind::List(&Kind::Struct(&CHUNK))),
    (2, Kind::I64),
    (3, Kind::I64),
    (4, Kind::List(&Kind::Whole)),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I16),
];
static CHUNK: [(i16, Kind); 7] = [
    (1, Kind::Binary),
    (2, Kind::I64),
    (3, Kind::Struct(&CHUNK_METADATA)),
    (4, Kind::I64),
    (5, Kind::I32),
    (6, Kind::I64),
    (7, Kind::I32),
];
static CHUNK_METADATA: [(i16, Kind); 13] = [
    (1, Kind::I32),
    (2, Kind::List(&Kind::I32)),
    (3, Kind::List(&Kind::Binary)),
    (4, Kind::I32),
    (5, Kind::I64),
    (6, Kind::I64),
    (7, Kind::I64),
    (8, Kind::List(&Kind::Struct(&KEY_VALUE))),
    (9, Kind::I64),
    (10, Kind::I64),
    (11, Kind::Place),
    (12, Kind::Whole),
    (13, Kind::List(&Kind::Whole)),
];
static KEY_VALUE: [(i16, Kind); 2] = [(1, Kind::Binary), (2, Kind::Binary)];

impl Kind {
    fn wire(&self) -> u8 {
        match self {
            Self::I16 => I16,
            Self::I32 | Self::UpTo(_) => I32,
            Self::I64 | Self::Place => I64,
            Self::Binary => BINARY,
            Self::Whole | Self::Struct(_) => STRUCT,
            Self::List(_) => LIST,
        }
    }
}

/// The footer that other readers see; nothing if it is broken.
pub(super) fn canonical(footer: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(footer.len());
    fields(&mut Cursor::new(footer), &FILE, &mut out)?;
    Some(out)
}

fn fields(at: &mut Cursor<'_>, known: &[(i16, Kind)], out: &mut Vec<u8>) -> Option<()> {
    let (mut last, mut written) = (0, 0);
    while let Some((wire, id)) = at.field(&mut last)? {
        let kind = known.iter().find(|(known, kind)| *known == id && kind.wire() == wire);
        let Some((_, kind)) = kind.filter(|_| id > written) else {
            at.skip(wire, 0)?;
            continue;
        };
        let start = out.len();
        if let (Kind::UpTo(_), Some(EARLY_NULL)) = (kind, peek(at)) {
            at.skip(wire, 0)?;
            // `LogicalType { 11: UNKNOWN }`, the name that the format has for it since.
            out.extend_from_slice(&[((LOGICAL_TYPE - written) as u8) << 4 | STRUCT, 0xbc, 0, 0]);
            written = LOGICAL_TYPE;
            continue;
        }
        out.push(((id - written) as u8) << 4 | wire);
        if value(at, kind, out)? {
            written = id;
        } else {
            out.truncate(start);
        }
    }
    out.push(0);
    Some(())
}

/// The number that comes next.
fn peek(at: &Cursor<'_>) -> Option<u64> {
    Cursor { bytes: at.bytes, pos: at.pos }.varint().map(|n| n >> 1)
}

/// Takes over a value; false if it is to be left out.
fn value(at: &mut Cursor<'_>, kind: &Kind, out: &mut Vec<u8>) -> Option<bool> {
    let start = at.pos;
    let keep = match kind {
        Kind::I16 | Kind::I32 | Kind::I64 => {
            at.varint()?;
            true
        }
        Kind::UpTo(most) => at.varint()? <= (*most as u64) << 1,
        Kind::Place => at.varint()? != 0,
        Kind::Binary => {
            at.binary()?;
            true
        }
        Kind::Whole => {
            at.skip(STRUCT, 0)?;
            true
        }
        Kind::Struct(known) => {
            fields(at, known, out)?;
            return Some(true);
        }
        Kind::List(item) => return list(at, item, out),
    };
    if keep {
        out.extend_from_slice(at.bytes.get(start..at.pos)?);
    }
    Some(keep)
}

fn list(at: &mut Cursor<'_>, item: &Kind, out: &mut Vec<u8>) -> Option<bool> {
    let start = at.pos;
    let (wire, n) = at.list()?;
    if n == 0 {
        out.push(item.wire());
        return Some(true);
    }
    if wire != item.wire() {
        at.pos = start;
        at.skip(LIST, 0)?;
        return Some(false);
    }
    out.extend_from_slice(at.bytes.get(start..at.pos)?);
    (0..n).try_for_each(|_| value(at, item, out).map(drop))?;
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FileMetaData { 1: 1, 2: [{ 4: "m", 5: 0 }], 3: 0, 4: [], 5: [{ 1: "k", 2: ... }] }` up to the value of the pair.
    const START: [u8; 22] = [
        0x15, 2, 0x19, 0x1c, 0x48, 1, b'm', 0x15, 0, 0, 0x16, 0, 0x19, 0x0c, 0x19, 0x1c, 0x18, 1, b'k', 0x18,
        1, b'v',
    ];

    #[test]
    fn what_is_right_stays_byte_for_byte() {
        let footer = [&START[..], &[0, 0]].concat();
        assert_eq!(canonical(&footer), Some(footer));
    }

    #[test]
    fn what_the_format_does_not_have_is_left_out() {
        // The value of the pair is a number.
        let number = [&START[..19], &[0x16, 2, 0, 0]].concat();
        assert_eq!(canonical(&number), Some([&START[..19], &[0, 0]].concat()));
        // The list of row groups is empty and of no type; a field 20 follows.
        let mut odd = START.to_vec();
        odd[13] = 0;
        odd.extend([0, 0xf5, 2, 0]);
        assert_eq!(canonical(&odd), Some([&START[..], &[0, 0]].concat()));
    }

    #[test]
    fn an_early_null_becomes_what_it_is_called_now() {
        let element = |annotation: &[u8]| {
            let head = [0x15, 2, 0x19, 0x1c, 0x15, 2, 0x25, 2, 0x18, 1, b'c'];
            [&head[..], annotation, &[0, 0x16, 0, 0x19, 0x0c, 0]].concat()
        };
        assert_eq!(canonical(&element(&[0x25, 48])), Some(element(&[0x6c, 0xbc, 0, 0])));
    }

    #[test]
    fn what_breaks_off_is_refused() {
        let footer = [&START[..], &[0, 0]].concat();
        for end in 0..footer.len() {
            assert_eq!(canonical(&footer[..end]), None, "{end}");
        }
    }
}
