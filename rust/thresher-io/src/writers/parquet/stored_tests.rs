//! Values and schema of a copy are those of the file, whatever they mean.

use std::{fs, sync::Arc};

use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, StringArray, types::Int8Type};
use parquet::{
    arrow::ArrowWriter,
    basic::Type as PhysicalType,
    data_type::{
        ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
    },
    file::{
        metadata::RowGroupMetaData,
        properties::WriterProperties,
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::Field,
    schema::parser::parse_message_type,
};

use super::{Means, ParquetLayout, ParquetOutput};
use crate::{
    crew::Crew,
    input::{Input, Output, Scratch},
    readers::{
        parquet::{ParquetInput, alike::join},
        testing::copy,
    },
};

fn means() -> Means {
    Means::new(&Crew::new(2))
}

fn output(input: &ParquetInput, path: &std::path::Path) -> Box<dyn Output> {
    Box::new(ParquetOutput::create(path, ParquetLayout::like(input).unwrap(), &means()).unwrap())
}

/// A file of a text column and one more, which has `values` and no nulls.
fn file<T: DataType>(column: &str, values: &[T::T]) -> Vec<u8> {
    let message = format!("message odd_root {{ REQUIRED BYTE_ARRAY text (UTF8); REQUIRED {column}; }}");
    let root = Arc::new(parse_message_type(&message).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), root, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let texts: Vec<ByteArray> = (0..values.len()).map(|i| format!("text {i}").into_bytes().into()).collect();
    let mut writer = group.next_column().unwrap().unwrap();
    writer.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    writer.close().unwrap();
    let mut writer = group.next_column().unwrap().unwrap();
    writer.typed::<T>().write_batch(values, None, None).unwrap();
    writer.close().unwrap();
    group.close().unwrap();
    file.into_inner().unwrap()
}

fn reader(bytes: &[u8]) -> SerializedFileReader<fs::File> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    SerializedFileReader::new(file).unwrap()
}

fn second_column(bytes: &[u8]) -> (String, PhysicalType, Vec<Field>) {
    let reader = reader(bytes);
    let schema = reader.metadata().file_metadata().schema_descr();
    let kind = schema.column(1).physical_type();
    let mut printed = Vec::new();
    parquet::schema::printer::print_schema(&mut printed, schema.root_schema());
    let rows = reader.get_row_iter(None).unwrap();
    let values = rows.map(|row| row.unwrap().into_columns().remove(1).1).collect();
    (String::from_utf8(printed).unwrap(), kind, values)
}

fn copied(bytes: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("in.parquet"), dir.path().join("out.parquet"));
    fs::write(&path, bytes).unwrap();
    let input = ParquetInput::open(&path, "in.parquet", 1 << 20).unwrap();
    copy(&input, output(&input, &out), |_| true).unwrap();
    fs::read(out).unwrap()
}

fn int96(day: u32, nanos: u64) -> Int96 {
    let mut value = Int96::new();
    value.set_data(nanos as u32, (nanos >> 32) as u32, day);
    value
}

#[test]
fn times_of_96_bits_stay_as_they_are() {
    // 9999-12-31, 0001-01-01 and a day that no calendar has.
    let values = [int96(5_373_484, 86_399_999_999_999), int96(1_721_426, 0), int96(u32::MAX, u64::MAX)];
    let bytes = file::<Int96Type>("INT96 at", &values);
    let out = copied(&bytes);
    let reader = reader(&out);
    assert_eq!(
        reader.metadata().file_metadata().schema_descr().column(1).physical_type(),
        PhysicalType::INT96
    );
    let group = reader.get_row_group(0).unwrap();
    let mut found = Vec::new();
    let column = group.get_column_reader(1).unwrap();
    let mut column = parquet::column::reader::get_typed_column_reader::<Int96Type>(column);
    column.read_records(10, None, None, &mut found).unwrap();
    assert_eq!(found, values);
    assert!(group.metadata().column(1).statistics().is_none());
}

#[test]
fn a_small_decimal_costs_no_column_its_annotation() {
    let value = |v: u8| FixedLenByteArray::from(ByteArray::from(vec![0, 0, v]));
    let bytes = file::<FixedLenByteArrayType>(
        "FIXED_LEN_BYTE_ARRAY(3) price (DECIMAL(5, 2)) = 7",
        &[value(1), value(200)],
    );
    assert_eq!(second_column(&copied(&bytes)), second_column(&bytes));
    let bytes = file::<FixedLenByteArrayType>("FIXED_LEN_BYTE_ARRAY(3) other = 9", &[value(1), value(200)]);
    assert_eq!(second_column(&copied(&bytes)), second_column(&bytes));
}

#[test]
fn annotations_of_the_future_are_kept_byte_for_byte() {
    // The annotation is `BSON`, as converted and as logical type; field 64 of `LogicalType` is not there yet.
    let bytes =
        file::<ByteArrayType>("BYTE_ARRAY future (BSON)", &[ByteArray::from("a"), ByteArray::from("b")]);
    let known = [b"future".as_slice(), &[0x25, 0x28, 0x4c, 0xdc, 0, 0, 0]].concat();
    let unknown = [b"future".as_slice(), &[0x6c, 0x0c, 0x80, 0x01, 0, 0, 0]].concat();
    let at = bytes.windows(known.len()).position(|w| w == known).unwrap();
    let mut odd = bytes;
    odd.splice(at..at + known.len(), unknown.iter().copied());
    assert!(copied(&odd).windows(unknown.len()).any(|w| w == unknown));
}

/// Row groups of up to 100 values each, different ones in each, with keys of 8 bits.
fn narrow(dir: &std::path::Path, name: &str, first: usize) -> ParquetInput {
    let path = dir.join(name);
    let part = |from: usize| {
        let values: Vec<String> = (from..from + 100).map(|i| format!("value {i}")).collect();
        let column: DictionaryArray<Int8Type> = values.iter().map(String::as_str).collect();
        let text: ArrayRef = Arc::new(StringArray::from(values));
        RecordBatch::try_from_iter([("text", text), ("c", Arc::new(column) as ArrayRef)]).unwrap()
    };
    let settings = WriterProperties::builder().set_max_row_group_row_count(Some(100)).build();
    let batch = part(0);
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), Some(settings)).unwrap();
    for group in 0..3 {
        writer.write(&part(first + group * 100)).unwrap();
    }
    writer.close().unwrap();
    ParquetInput::open(&path, name, 1 << 20).unwrap()
}

#[test]
fn narrow_keys_keep_their_row_groups_apart() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let mut inputs = [narrow(dir.path(), "a.parquet", 0), narrow(dir.path(), "b.parquet", 1000)];
    let [a, b] = &mut inputs;
    join(&mut [a, b]).unwrap();
    let mut to = output(&inputs[0], &out);
    for input in &inputs {
        for unit in crate::readers::testing::units(input) {
            let piece = input.copy(unit, &[true; 100], &mut Scratch::default()).unwrap();
            to.write(piece, 100).unwrap();
        }
    }
    to.finish().unwrap();
    let reader = SerializedFileReader::new(fs::File::open(&out).unwrap()).unwrap();
    let rows: Vec<i64> = reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [100; 6]);
}

#[test]
fn files_of_other_types_are_converted_or_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: Vec<u8>| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        ParquetInput::open(&path, name, 1 << 20).unwrap()
    };
    let mut millis = open("a", file::<parquet::data_type::Int64Type>("INT64 at (TIMESTAMP_MILLIS)", &[1500]));
    let mut micros = open("b", file::<parquet::data_type::Int64Type>("INT64 at (TIMESTAMP_MICROS)", &[2000]));
    join(&mut [&mut millis, &mut micros]).unwrap();
    let out = dir.path().join("out.parquet");
    let mut to = output(&millis, &out);
    for input in [&millis, &micros] {
        let unit = crate::readers::testing::units(input).remove(0);
        to.write(input.copy(unit, &[true], &mut Scratch::default()).unwrap(), 1).unwrap();
    }
    to.finish().unwrap();
    let (_, _, values) = second_column(&fs::read(&out).unwrap());
    assert_eq!(values, [Field::TimestampMillis(1500), Field::TimestampMillis(2)]);
    let mut old = open("c", file::<Int96Type>("INT96 at", &[int96(1, 1)]));
    let said = join(&mut [&mut millis, &mut old]).unwrap_err().to_string();
    assert!(
        said.contains("c: column `at` has a type that cannot be converted, but column `at` differs"),
        "{said}"
    );
}
