//! Helpers of the tests of columnar readers and writers.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
    UInt64Array,
    builder::{Int32Builder, MapBuilder, StringBuilder},
    types::{Int8Type, Int32Type},
};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;

use thresher_core::json::{FieldPath, Fields, Scalar};

use crate::{
    error::Result,
    input::{Input, Output, Position, Scratch, Unit, Written},
    record::{BadRecord, Reason, Record, Visitor},
};

/// A record as a test sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Good { slot: u32, text: String, id: Option<Owned>, rank: Option<Owned> },
    Bad { slot: u32, reason: Reason },
}

/// A scalar that owns its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Owned {
    Int(i128),
    Float(f64),
    Number(String),
    Text(String),
}

impl From<Scalar<'_>> for Owned {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Int(v) => Self::Int(v),
            Scalar::Float(v) => Self::Float(v),
            Scalar::Number(v) => Self::Number(v.to_owned()),
            Scalar::Text(v) => Self::Text(v.to_owned()),
        }
    }
}

impl Seen {
    pub(crate) fn slot(&self) -> u32 {
        match self {
            Self::Good { slot, .. } | Self::Bad { slot, .. } => *slot,
        }
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Good { .. } => None,
            Self::Bad { reason, .. } => Some(*reason),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Good { text, .. } => Some(text),
            Self::Bad { .. } => None,
        }
    }
}

struct Collect(Vec<Seen>);

impl Visitor for Collect {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let Record { slot, text, id, rank, bytes, .. } = record;
        assert_eq!(bytes, text.len() as u64);
        let text = text.to_owned();
        self.0.push(Seen::Good { slot, text, id: id.map(Into::into), rank: rank.map(Into::into) });
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.0.push(Seen::Bad { slot: bad.slot, reason: bad.reason });
        Ok(())
    }
}

pub(crate) fn fields(text: &str, id: Option<&str>, rank: Option<&str>) -> Fields {
    let path = |p: &str| FieldPath::parse(p).unwrap();
    Fields { text: Some(path(text)), id: id.map(path), rank: rank.map(path) }
}

/// Every unit behind `from`.
pub(crate) fn units_from(input: &dyn Input, from: Position) -> Result<Vec<Unit>> {
    let (mut units, mut cutter) = (Vec::new(), input.cut(from)?);
    while let Some(unit) = cutter.next(&|| Ok(()))? {
        assert_eq!(unit.index, from.units + units.len());
        units.push(unit);
    }
    assert!(cutter.next(&|| Ok(()))?.is_none(), "the end stays");
    Ok(units)
}

/// Every unit.
pub(crate) fn units(input: &dyn Input) -> Vec<Unit> {
    units_from(input, Position::default()).unwrap()
}

/// Makes sure that behind each unit of `input` a later pass goes on with the same units, and says how many there are.
pub(crate) fn assert_goes_on(input: &dyn Input) -> usize {
    let shown = |units: Vec<Unit>| units.iter().map(|unit| format!("{unit:?}")).collect::<Vec<_>>();
    let whole = shown(units(input));
    for unit in units(input) {
        let rest = shown(units_from(input, unit.after()).unwrap());
        assert_eq!(rest, whole[unit.index + 1..]);
    }
    assert!(units_from(input, Position::END).unwrap().is_empty());
    whole.len()
}

/// What each unit hands over.
pub(crate) fn read(input: &dyn Input, fields: &Fields) -> Result<Vec<Vec<Seen>>> {
    units(input).iter().map(|unit| read_unit(input, unit, fields, None)).collect()
}

pub(crate) fn read_unit(
    input: &dyn Input,
    unit: &Unit,
    fields: &Fields,
    wanted: Option<&[bool]>,
) -> Result<Vec<Seen>> {
    let mut seen = Collect(Vec::new());
    input.read(unit, fields, wanted, &mut Scratch::default(), &mut seen)?;
    Ok(seen.0)
}

/// The texts of a file, in order; a bad record is `None`.
pub(crate) fn texts(input: &dyn Input, column: &str) -> Vec<Option<String>> {
    let seen = read(input, &fields(column, None, None)).unwrap();
    seen.iter().flatten().map(|s| s.text().map(str::to_owned)).collect()
}

/// Copies the rows of `input` whose number `keep` accepts.
pub(crate) fn copy(
    input: &dyn Input,
    mut output: Box<dyn Output>,
    keep: impl Fn(usize) -> bool,
) -> Result<Written> {
    let mut row = 0;
    for unit in units(input) {
        let seen = read_unit(input, &unit, &fields("text", None, None), None)?;
        let mask: Vec<bool> =
            seen.iter().enumerate().map(|(i, s)| s.text().is_some() && keep(row + i)).collect();
        row += mask.len();
        let kept = mask.iter().filter(|k| **k).count() as u64;
        output.write(input.copy(unit, &mask, &mut Scratch::default())?, kept)?;
    }
    output.finish()
}

/// Rows of many types; every third text and other values are null.
pub(crate) fn many_types(rows: usize) -> RecordBatch {
    let numbers = || (0..rows).map(|i| i as i64);
    let some = |i: i64| i % 3 != 1;
    let text: StringArray =
        numbers().map(|i| some(i).then(|| format!("document {i} {}", "é".repeat(i as usize % 40)))).collect();
    let view: StringViewArray =
        numbers().map(|i| some(i + 1).then(|| format!("a view of number {i}"))).collect();
    let dictionary: DictionaryArray<Int8Type> =
        numbers().map(|i| some(i).then_some(["de", "en", "fr"][i as usize % 3])).collect();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(
        numbers()
            .map(|i| some(i).then(|| (0..i as i32 % 5).map(|v| (v != 2).then_some(v)).collect::<Vec<_>>())),
    );
    let decimal = numbers().map(|i| some(i).then_some(i128::from(i) * 12345)).collect::<Decimal128Array>();
    let time = numbers().map(|i| some(i).then_some(i * 1_000_003)).collect::<TimestampMicrosecondArray>();
    let nested: StringArray = numbers().map(|i| some(i + 2).then(|| format!("nested {i}"))).collect();
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("n", DataType::Int32, true)),
            Arc::new(numbers().map(|i| i as i32).collect::<Int32Array>()) as ArrayRef,
        ),
        (Arc::new(Field::new("text", DataType::Utf8, true)), Arc::new(nested) as ArrayRef),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for i in numbers() {
        map.keys().append_value(format!("key {}", i % 2));
        map.values().append_option(some(i).then_some(i as i32));
        map.append(some(i)).unwrap();
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(numbers().collect::<Int64Array>())),
        ("text", Arc::new(text)),
        ("view", Arc::new(view)),
        ("lang", Arc::new(dictionary)),
        ("list", Arc::new(list)),
        ("price", Arc::new(decimal.with_precision_and_scale(20, 4).unwrap())),
        ("time", Arc::new(time.with_timezone("Europe/Berlin"))),
        ("meta", Arc::new(inner)),
        ("map", Arc::new(map.finish())),
        ("big", Arc::new(numbers().map(|i| u64::MAX - i as u64).collect::<UInt64Array>())),
        ("score", Arc::new(numbers().map(|i| some(i).then_some(i as f64 / 8.0)).collect::<Float64Array>())),
        ("flag", Arc::new(numbers().map(|i| some(i).then_some(i % 2 == 0)).collect::<BooleanArray>())),
        ("day", Arc::new(numbers().map(|i| some(i).then_some(i as i32)).collect::<Date32Array>())),
    ];
    let fields = columns.iter().map(|(name, array)| {
        let field = Field::new(*name, array.data_type().clone(), true);
        field.with_metadata(HashMap::from([("note".to_owned(), (*name).to_owned())]))
    });
    let schema = Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        HashMap::from([("origin".to_owned(), "test".to_owned())]),
    );
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

/// A batch of one text column.
pub(crate) fn one_text<S: AsRef<str>>(texts: &[S]) -> RecordBatch {
    let array: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("text", array)]).unwrap()
}

/// One batch of all rows.
pub(crate) fn joined(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(batches[0].schema_ref(), batches).unwrap()
}

/// Runs `check` on a file for every damage of `whole`: each truncation, and each byte with its lowest or all bits turned.
pub(crate) fn for_every_damage(whole: &[u8], dir: &Path, mut check: impl FnMut(&Path, &str)) {
    let path = dir.join("damaged");
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        check(&path, &format!("cut at {end}"));
    }
    for at in 0..whole.len() {
        for flip in [0x01, 0xff] {
            let mut bytes = whole.to_vec();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            check(&path, &format!("byte {at} ^ {flip:#x}"));
        }
    }
}
