use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, Int32Array, RecordBatch,
    StructArray, TimestampSecondArray, types::Int32Type,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::readers::testing::{fields, many_types};

fn message(text: &str, id: Option<&str>) -> String {
    resolve(many_types(1).schema_ref(), &fields(text, id, None)).unwrap_err()
}

#[test]
fn missing_column_is_named_with_a_suggestion_and_the_columns() {
    let said = message("txt", None);
    assert!(said.starts_with("no column `txt`; did you mean `text`? the columns are `id`, `text`"), "{said}");
    assert!(said.contains("`meta.text`"), "{said}");
    let said = message("quite.different", None);
    assert!(!said.contains("did you mean"), "{said}");
    assert!(message("text.inner", None).starts_with("no column `text.inner`"));
    assert!(message("text", Some("idd")).contains("did you mean `id`?"));
}

#[test]
fn column_of_another_type_is_named_with_the_text_columns() {
    let said = message("list", None);
    assert!(said.starts_with("column `list` is of type List(") && said.contains("not text"), "{said}");
    assert!(said.ends_with("the text columns are `text`, `view`, `lang`, `meta.text`"), "{said}");
    assert!(message("text", Some("meta")).contains("neither a number nor a string"));
    let numbers = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
    assert!(
        resolve(&numbers, &fields("n", None, None))
            .unwrap_err()
            .ends_with("there is no such column in the file")
    );
    assert!(
        resolve(&Schema::empty(), &fields("n", None, None)).unwrap_err().ends_with("the file has no columns")
    );
}

#[test]
fn dots_in_names_are_escaped_in_suggestions_and_paths() {
    let schema = Schema::new(vec![Field::new("meta.text", DataType::Utf8, true)]);
    let said = resolve(&schema, &fields("meta.text", None, None)).unwrap_err();
    assert!(said.contains(r"did you mean `meta\.text`?"), "{said}");
    assert_eq!(resolve(&schema, &fields(r"meta\.text", None, None)).unwrap().text.unwrap(), [0]);
}

#[test]
fn long_lists_of_columns_are_cut_short() {
    let schema =
        Schema::new((0..100).map(|i| Field::new(format!("c{i}"), DataType::Utf8, true)).collect::<Vec<_>>());
    let said = resolve(&schema, &fields("elsewhere", None, None)).unwrap_err();
    assert!(said.ends_with("`c19` and 80 more"), "{said}");
}

fn ids(array: ArrayRef) -> Vec<Option<String>> {
    let rows = array.len();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"; rows]));
    let batch = RecordBatch::try_from_iter([("text", text), ("id", array)]).unwrap();
    let places = resolve(batch.schema_ref(), &fields("text", Some("id"), None)).unwrap();
    let prepared = Rows::of(&batch, &places).unwrap();
    (0..rows)
        .map(|row| {
            prepared.id(row).map(|id| match id {
                Scalar::Int(v) => format!("int {v}"),
                Scalar::Float(v) => format!("float {v}"),
                Scalar::Number(v) => format!("number {v}"),
                Scalar::Text(v) => format!("text {v}"),
            })
        })
        .collect()
}

#[test]
fn scalars_keep_their_value() {
    let some = |s: &str| Some(s.to_owned());
    assert_eq!(
        ids(Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        [some("int 18446744073709551615"), None]
    );
    assert_eq!(ids(Arc::new(arrow_array::Int8Array::from(vec![-128]))), [some("int -128")]);
    assert_eq!(ids(Arc::new(arrow_array::Float32Array::from(vec![0.5]))), [some("float 0.5")]);
    let key = Decimal128Array::from(vec![i128::from(u64::MAX) * 10]).with_precision_and_scale(38, 0).unwrap();
    assert_eq!(ids(Arc::new(key)), [some("int 184467440737095516150")]);
    let price = Decimal128Array::from(vec![1250]).with_precision_and_scale(10, 3).unwrap();
    assert_eq!(ids(Arc::new(price)), [some("number 1.250")]);
    assert_eq!(ids(Arc::new(BooleanArray::from(vec![true]))), [None]);
    assert_eq!(ids(Arc::new(arrow_array::NullArray::new(1))), [None]);
    let names: DictionaryArray<Int32Type> = ["b", "a", "b"].into_iter().collect();
    assert_eq!(ids(Arc::new(names)), [some("text b"), some("text a"), some("text b")]);
    assert_eq!(ids(Arc::new(BinaryArray::from_vec(vec![b"\x00\xff"]))), [some("text 00ff")]);
}

#[test]
fn times_become_iso_8601() {
    let some = |s: &str| Some(s.to_owned());
    let time = TimestampSecondArray::from(vec![Some(951_782_400), None, Some(i64::MAX)]);
    assert_eq!(ids(Arc::new(time.clone())), [some("text 2000-02-29T00:00:00"), None, None]);
    // A named zone needs a table of zones; the instant is enough.
    let zoned = time.slice(0, 1).with_timezone("Europe/Berlin");
    assert_eq!(ids(Arc::new(zoned)), [some("text 2000-02-29T00:00:00Z")]);
    assert_eq!(ids(Arc::new(arrow_array::Date32Array::from(vec![1]))), [some("text 1970-01-02")]);
}

#[test]
fn null_struct_hides_the_text_inside() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("hidden"), None]));
    let field = Arc::new(Field::new("text", DataType::Utf8, true));
    let nulls = NullBuffer::from(vec![true, false, true]);
    let outer: ArrayRef = Arc::new(StructArray::new(vec![field].into(), vec![text], Some(nulls)));
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let batch =
        RecordBatch::try_from_iter_with_nullable([("n", number, true), ("meta", outer, true)]).unwrap();
    let places = resolve(batch.schema_ref(), &fields("meta.text", None, None)).unwrap();
    assert_eq!(places.text, Some(vec![1, 0]));
    let rows = Rows::of(&batch, &places).unwrap();
    assert_eq!([rows.text(0), rows.text(1), rows.text(2)], [Some("a"), None, None]);
    let sliced = Rows::of(&batch.slice(1, 2), &places).unwrap();
    assert_eq!([sliced.text(0), sliced.text(1)], [None, None]);
}

#[test]
fn a_whole_row_is_one_object_without_its_nulls() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a\n\"b\""), None]));
    let number: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2)]));
    let batch = RecordBatch::try_from_iter_with_nullable([("n", number, true), ("t", text, true)]).unwrap();
    let places = resolve(batch.schema_ref(), &Fields::default()).unwrap();
    let rows = Rows::of(&batch, &places).unwrap();
    assert_eq!([rows.text(0), rows.text(1)], [Some(r#"{"n":1,"t":"a\n\"b\""}"#), Some(r#"{"n":2}"#)]);
}
