use std::{fs::File, sync::Arc};

use arrow_array::{DictionaryArray, StringArray, cast::AsArray, types::Int32Type};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::DataType;
use arrow_select::filter::filter_record_batch;

use super::*;
use crate::readers::testing::{copy, joined, many_types, one_text, units};

fn read(path: &Path, kind: IpcKind) -> (SchemaRef, RecordBatch) {
    let file = File::open(path).unwrap();
    let (schema, mut batches): (SchemaRef, Vec<RecordBatch>) = match kind {
        IpcKind::File => {
            let reader = FileReader::try_new(file, None).unwrap();
            (reader.schema(), reader.map(|b| b.unwrap()).collect())
        }
        IpcKind::Stream => {
            let reader = StreamReader::try_new(file, None).unwrap();
            (reader.schema(), reader.map(|b| b.unwrap()).collect())
        }
    };
    batches.push(RecordBatch::new_empty(schema.clone()));
    (schema, joined(&batches))
}

fn write(path: &Path, layout: IpcLayout, pieces: impl IntoIterator<Item = RecordBatch>) -> Written {
    let mut output = Box::new(IpcOutput::create(path, layout).unwrap());
    for piece in pieces {
        let rows = piece.num_rows() as u64;
        output.write(Piece::Batches(vec![piece]), rows).unwrap();
    }
    output.finish().unwrap()
}

#[test]
fn kept_rows_keep_every_type_form_and_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let batch = many_types(200);
    for kind in [IpcKind::File, IpcKind::Stream] {
        for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            let (before, after) = (dir.path().join("in.arrow"), dir.path().join("out.arrow"));
            let mut layout = IpcLayout::of(batch.schema(), kind);
            layout.compression = compression;
            if kind == IpcKind::File {
                layout.metadata.push(("origin".to_owned(), "test".to_owned()));
            }
            write(&before, layout.clone(), [batch.clone()]);
            let input = IpcInput::open(&before, "in.arrow", 700).unwrap();
            let like = IpcLayout::like(&input).unwrap();
            assert_eq!((like.kind, like.compression, &like.metadata), (kind, compression, &layout.metadata));
            let written =
                copy(&input, Box::new(IpcOutput::create(&after, like).unwrap()), |row| row % 5 != 0).unwrap();
            let mask: arrow_array::BooleanArray = (0..200).map(|i| Some(i % 5 != 0 && i % 3 != 1)).collect();
            let expected = filter_record_batch(&batch, &mask).unwrap();
            assert_eq!(written.rows, expected.num_rows() as u64);
            let (schema, rows) = read(&after, kind);
            assert_eq!(schema, batch.schema());
            assert_eq!(rows, expected);
        }
    }
}

#[test]
fn no_rows_is_a_valid_file_with_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    for kind in [IpcKind::File, IpcKind::Stream] {
        let path = dir.path().join("out.arrow");
        let schema = many_types(0).schema();
        assert_eq!(write(&path, IpcLayout::of(schema.clone(), kind), []).rows, 0);
        assert_eq!(read(&path, kind).0, schema);
        assert!(units(&IpcInput::open(&path, "x", 1).unwrap()).is_empty());
    }
}

#[test]
fn bytes_depend_on_rows_alone() {
    let dir = tempfile::tempdir().unwrap();
    // A slice of something larger, with other bits behind its last row.
    let batch = many_types(3013).slice(0, 2999);
    for kind in [IpcKind::File, IpcKind::Stream] {
        let hash = |cut: usize| {
            let pieces = (0..2999).step_by(cut).map(|at| batch.slice(at, cut.min(2999 - at)));
            write(&dir.path().join("out.arrow"), IpcLayout::of(batch.schema(), kind), pieces).xxh3_128
        };
        let reference = hash(3000);
        assert_eq!([hash(1), hash(7), hash(1001)], [&*reference; 3]);
    }
}

#[test]
fn slices_of_views_do_not_drag_their_buffers_along() {
    let dir = tempfile::tempdir().unwrap();
    let docs: Vec<String> = (0..5000).map(|i| format!("{i} is a document of some length")).collect();
    let views = arrow_cast::cast(one_text(&docs).column(0), &DataType::Utf8View).unwrap();
    let nested: ArrayRef = Arc::new(arrow_array::StructArray::from(vec![(
        Arc::new(arrow_schema::Field::new("inner", DataType::Utf8View, true)),
        views.clone(),
    )]));
    let batch = RecordBatch::try_from_iter([("text", views), ("outer", nested)]).unwrap();
    let mut layout = IpcLayout::of(batch.schema(), IpcKind::File);
    layout.compression = None;
    let path = dir.path().join("out.arrow");
    let written = write(&path, layout, [batch.slice(10, 5)]);
    assert!(written.bytes < 4000, "{} bytes for 5 rows", written.bytes);
    assert_eq!(read(&path, IpcKind::File).1, batch.slice(10, 5));
}

#[test]
fn stream_takes_dictionaries_that_change() {
    let dir = tempfile::tempdir().unwrap();
    let batch = |texts: &[&str]| {
        let array: ArrayRef = Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_from_iter([("text", array)]).unwrap()
    };
    let path = dir.path().join("out.arrows");
    let batches = [batch(&["a", "b"]), batch(&["c"]), batch(&["b", "c"])];
    let layout = IpcLayout::of(batches[0].schema(), IpcKind::Stream);
    write(&path, layout, batches);
    let rows = read(&path, IpcKind::Stream).1;
    let texts = arrow_cast::cast(rows.column(0), &DataType::Utf8).unwrap();
    assert_eq!(texts.as_string::<i32>(), &StringArray::from(vec!["a", "b", "c", "b", "c"]));
}
