use std::{collections::HashMap, fs::File, sync::Arc};

use arrow_array::{ArrayRef, Int32Array, ListArray, StringArray, UInt32Array, types::UInt32Type};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, Encoding as PageEncoding},
    file::{
        metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaData},
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
    },
    schema::types::ColumnPath,
};

use super::*;
use crate::{
    crew::Crew,
    input::Input,
    readers::{
        parquet::ParquetInput,
        testing::{copy, joined, many_types, one_text},
    },
};

fn means(threads: usize, memory: u64) -> Means {
    Means { memory, resumable: true, ..Means::new(&Crew::new(threads)) }
}

fn read(path: &Path) -> (SchemaRef, Arc<ParquetMetaData>, RecordBatch) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let (schema, metadata) = (builder.schema().clone(), builder.metadata().clone());
    let mut batches: Vec<RecordBatch> = builder.build().unwrap().map(|b| b.unwrap()).collect();
    batches.push(RecordBatch::new_empty(batches.first().map_or(schema.clone(), RecordBatch::schema)));
    (schema, metadata, joined(&batches))
}

fn source(dir: &Path, batch: &RecordBatch, properties: WriterProperties) -> ParquetInput {
    let path = dir.join("in.parquet");
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.append_key_value_metadata(KeyValue::new("huggingface".to_owned(), "{}".to_owned()));
    writer.write(batch).unwrap();
    writer.close().unwrap();
    ParquetInput::open(&path, "in.parquet", 700).unwrap()
}

fn output(input: &ParquetInput, path: &Path) -> Box<dyn Output> {
    let layout = ParquetLayout::like(input).unwrap();
    Box::new(ParquetOutput::create(path, layout, &means(2, 1 << 30)).unwrap())
}

#[test]
fn kept_rows_keep_every_type_and_all_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let batch = many_types(200);
    let settings = WriterProperties::builder().set_max_row_group_row_count(Some(60)).build();
    let input = source(dir.path(), &batch, settings);
    let keep = |row: usize| !row.is_multiple_of(5);
    let written = copy(&input, output(&input, &out), keep).unwrap();
    // `copy` cannot keep rows without text.
    let mask: arrow_array::BooleanArray = (0..200).map(|i| Some(keep(i) && i % 3 != 1)).collect();
    let expected = arrow_select::filter::filter_record_batch(&batch, &mask).unwrap();
    assert_eq!(written.rows, expected.num_rows() as u64);
    assert_eq!(written.bytes, std::fs::metadata(&out).unwrap().len());
    let (schema, metadata, rows) = read(&out);
    let (schema_before, before, _) = read(input.path());
    assert_eq!(schema, schema_before);
    assert_eq!(schema.field(0).metadata(), batch.schema().field(0).metadata());
    assert_eq!(metadata.file_metadata().schema_descr(), before.file_metadata().schema_descr());
    assert_eq!(metadata.file_metadata().key_value_metadata(), before.file_metadata().key_value_metadata());
    for (column, field) in schema.fields().iter().enumerate() {
        assert_eq!(rows.column(column), expected.column(column), "column {}", field.name());
    }
}

#[test]
fn file_without_an_arrow_schema_keeps_its_parquet_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let message = "
        message spark_schema {
            OPTIONAL BYTE_ARRAY text (UTF8) = 7;
            OPTIONAL BYTE_ARRAY doc (JSON);
            REQUIRED INT64 id;
            OPTIONAL GROUP tags (LIST) { REPEATED GROUP bag { OPTIONAL BYTE_ARRAY array_element (UTF8); } }
        }";
    let root = Arc::new(parquet::schema::parser::parse_message_type(message).unwrap());
    let file = SerializedFileWriter::new(File::create(&path).unwrap(), root, Arc::default()).unwrap();
    file.close().unwrap();
    let input = ParquetInput::open(&path, "in", 1 << 20).unwrap();
    let out = dir.path().join("out.parquet");
    output(&input, &out).finish().unwrap();
    let (schema, metadata, _) = read(&out);
    assert_eq!(&schema, input.schema().unwrap());
    assert_eq!(
        metadata.file_metadata().schema_descr(),
        input.metadata().unwrap().file_metadata().schema_descr()
    );
}

#[test]
fn codecs_and_dictionaries_follow_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let n = 3000;
    let text: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("{i} {}", "x".repeat(999)))));
    let lang: ArrayRef = Arc::new(StringArray::from_iter_values((0..n).map(|i| ["de", "en"][i % 2])));
    let number: ArrayRef = Arc::new(Int32Array::from_iter_values(0..n as i32));
    let batch = RecordBatch::try_from_iter([("text", text), ("lang", lang), ("n", number)]).unwrap();
    let settings = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_compression(ColumnPath::from("lang"), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(ColumnPath::from("n"), false);
    let input = source(dir.path(), &batch, settings.build());
    copy(&input, output(&input, &out), |_| true).unwrap();
    let (_, metadata, rows) = read(&out);
    assert_eq!(rows.columns(), batch.columns());
    let columns = metadata.row_group(0).columns();
    assert_eq!(columns[0].compression(), Compression::SNAPPY);
    assert_eq!(columns[1].compression(), Compression::UNCOMPRESSED);
    let dictionaries: Vec<bool> = columns.iter().map(|c| c.dictionary_page_offset().is_some()).collect();
    // The dictionary of the text overflowed in the input, so it is not tried again.
    assert_eq!(dictionaries, [false, true, false]);
    assert!(columns[0].encodings().any(|e| e == PageEncoding::PLAIN));
}

#[test]
fn settings_follow_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let batch = many_types(100);
    let plain = WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(30));
    let rich = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_encoding(ColumnPath::from("id"), PageEncoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from("id"), false)
        .set_column_bloom_filter_enabled(ColumnPath::from("id"), true);
    for (settings, is_rich) in [(plain, false), (rich, true)] {
        let input = source(dir.path(), &batch, settings.build());
        copy(&input, output(&input, &out), |_| true).unwrap();
        let metadata = read(&out).1;
        let file = metadata.file_metadata();
        assert!(file.created_by().unwrap().starts_with("thresher version"));
        assert_eq!(file.version(), if is_rich { 2 } else { 1 });
        let id = metadata.row_group(0).column(0);
        assert_eq!(id.statistics().is_some(), is_rich);
        assert_eq!(id.column_index_offset().is_some(), is_rich);
        assert_eq!(id.offset_index_offset().is_some(), is_rich);
        assert_eq!(id.bloom_filter_offset().is_some(), is_rich);
        assert_eq!(id.encodings().any(|e| e == PageEncoding::DELTA_BINARY_PACKED), is_rich);
        assert_eq!(metadata.num_row_groups() > 1, !is_rich);
        let copy = ParquetInput::open(&out, "out", 1).unwrap();
        assert_eq!(copy.has_pages_of_version_2(), is_rich);
    }
}

#[test]
fn no_rows_is_a_valid_file_with_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let batch = many_types(0);
    let output =
        Box::new(ParquetOutput::create(&out, ParquetLayout::of(batch.schema()), &means(2, 1 << 30)).unwrap());
    let written = output.finish().unwrap();
    assert_eq!(written.rows, 0);
    let (schema, metadata, _) = read(&out);
    assert_eq!(schema, batch.schema());
    assert_eq!(metadata.num_row_groups(), 0);
}

/// Rows for three row groups, so that several are in flight.
fn large() -> RecordBatch {
    let texts: Vec<String> =
        (0..70_000_usize).map(|i| format!("{i} {}", "lorem ipsum ".repeat(i * 7919 % 400))).collect();
    let id: ArrayRef = Arc::new(Int32Array::from_iter_values(0..70_000));
    let even: ArrayRef =
        Arc::new((0..70_000).map(|i| (i % 11 != 0).then_some(["x", "y"][i % 2])).collect::<StringArray>());
    let text = one_text(&texts).column(0).clone();
    RecordBatch::try_from_iter_with_nullable([("id", id, true), ("even", even, true), ("text", text, false)])
        .unwrap()
}

#[test]
fn bytes_depend_on_rows_alone() {
    let dir = tempfile::tempdir().unwrap();
    let batch = large();
    let write = |name: &str, cut: usize, means: &Means| {
        let path = dir.path().join(name);
        let layout = ParquetLayout::of(batch.schema());
        let mut output = Box::new(ParquetOutput::create(&path, layout, means).unwrap());
        for start in (0..batch.num_rows()).step_by(cut) {
            let piece = batch.slice(start, cut.min(batch.num_rows() - start));
            let rows = piece.num_rows() as u64;
            output.write(Piece::Batches(vec![piece]), rows).unwrap();
        }
        output.finish().unwrap().xxh3_128
    };
    let reference = write("a", usize::MAX >> 8, &means(1, 0));
    assert_eq!(reference, write("b", 1009, &means(3, 1 << 30)));
    assert_eq!(reference, write("c", 40_000, &means(2, 0)));
    let (_, metadata, rows) = read(&dir.path().join("a"));
    assert_eq!(metadata.num_row_groups(), 3);
    assert_eq!(rows, batch);
}

#[test]
fn rows_of_another_type_are_converted_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::LargeUtf8, false)]));
    let path = dir.path().join("out.parquet");
    let mut output =
        Box::new(ParquetOutput::create(&path, ParquetLayout::of(schema), &means(2, 1 << 30)).unwrap());
    output.write(Piece::Batches(vec![one_text(&["a"])]), 1).unwrap();
    let other: ArrayRef = Arc::new(StringArray::from(vec!["b"]));
    let other = RecordBatch::try_from_iter([("txt", other)]).unwrap();
    let said = output.write(Piece::Batches(vec![other]), 1).unwrap_err().to_string();
    assert!(said.contains("column `txt` arrived where the file has `text`"), "{said}");
    assert!(output.write(Piece::Batches(vec![one_text(&["a"])]), 2).is_err());
    drop(output);
    // Given up: nothing is left behind.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn null_in_a_column_without_nulls_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let path = dir.path().join("out.parquet");
    let mut output =
        Box::new(ParquetOutput::create(&path, ParquetLayout::of(schema), &means(2, 1 << 30)).unwrap());
    let text: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let batch = RecordBatch::try_from_iter_with_nullable([("text", text, true)]).unwrap();
    assert!(output.write(Piece::Batches(vec![batch]), 1).is_err());
}

#[test]
fn lists_of_integers_are_in_no_dictionary_unless_the_input_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let ids: ArrayRef = Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(
        (0..2000_u32).map(|row| Some((0..row % 9).map(move |at| Some(row * at % 37)))),
    ));
    let number: ArrayRef = Arc::new(UInt32Array::from_iter_values((0..2000).map(|row| row % 7)));
    let batch = RecordBatch::try_from_iter([("input_ids", ids), ("number", number)]).unwrap();
    let (path, out) =
        (ColumnPath::new(["input_ids", "list", "item"].map(str::to_owned).to_vec()), dir.path().join("out"));
    let layout = ParquetLayout::of(batch.schema());
    let mut output = Box::new(ParquetOutput::create(&out, layout, &means(1, 1 << 30)).unwrap());
    output.write(Piece::Batches(vec![batch.clone()]), 2000).unwrap();
    output.finish().unwrap();
    let (_, metadata, rows) = read(&out);
    assert_eq!(rows.columns(), batch.columns());
    let columns = metadata.row_group(0).columns();
    assert_eq!(*columns[0].column_path(), path);
    let has_dictionary = |column: &ColumnChunkMetaData| column.dictionary_page_offset().is_some();
    assert_eq!(columns.iter().map(has_dictionary).collect::<Vec<_>>(), [false, true]);
    let input = source(dir.path(), &batch, WriterProperties::default());
    let (_, settings) = ParquetLayout::like(&input).unwrap().build().unwrap();
    assert!(settings.dictionary_enabled(&path));
}

#[test]
fn wide_files_do_not_mix_up_columns() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    let columns = (0..40).map(|c| {
        let array: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..100).map(|i| format!("{c}:{i}").repeat(c % 7 + 1))));
        (format!("c{c}"), array)
    });
    let mut all: HashMap<String, ArrayRef> = columns.collect();
    all.insert("text".to_owned(), Arc::new(StringArray::from_iter_values((0..100).map(|i| i.to_string()))));
    let batch = RecordBatch::try_from_iter(all).unwrap();
    let input = source(dir.path(), &batch, WriterProperties::default());
    copy(&input, output(&input, &out), |_| true).unwrap();
    assert_eq!(read(&out).2.columns(), batch.columns());
}
