use std::{fs, sync::Arc};

use arrow_array::{ArrayRef, DictionaryArray, StringArray, StringViewArray, types::Int32Type};
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::DataType;
use tempfile::TempDir;

use super::*;
use crate::readers::testing::{
    self, Seen, fields, for_every_damage, joined, many_types, one_text, read, read_unit, texts, units,
};

const CODECS: [Option<CompressionType>; 3] =
    [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)];

fn encode(batches: &[RecordBatch], kind: IpcKind, codec: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default()
        .try_with_compression(codec)
        .unwrap()
        .with_dictionary_handling(DictionaryHandling::Delta);
    let schema = batches[0].schema();
    match kind {
        IpcKind::File => {
            let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
            writer.write_metadata("made by", "a test");
            for batch in batches {
                writer.write(batch).unwrap();
            }
            writer.into_inner().unwrap()
        }
        IpcKind::Stream => {
            let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
            for batch in batches {
                writer.write(batch).unwrap();
            }
            writer.into_inner().unwrap()
        }
    }
}

fn open(bytes: &[u8], unit_bytes: u64) -> (TempDir, IpcInput) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.arrow");
    fs::write(&path, bytes).unwrap();
    let input = IpcInput::open(&path, "in.arrow", unit_bytes).unwrap();
    (dir, input)
}

fn copied(input: &IpcInput) -> RecordBatch {
    let mut batches = Vec::new();
    for unit in units(input) {
        let rows = read_unit(input, &unit, &fields("text", None, None), None).unwrap().len();
        let Piece::Batches(more) = input.copy(unit, &vec![true; rows], &mut Scratch::default()).unwrap()
        else {
            panic!("a piece without columns")
        };
        batches.extend(more);
    }
    joined(&batches)
}

#[test]
fn files_and_streams_read_and_copy_alike_with_every_codec() {
    let whole = many_types(300);
    let batches = [whole.slice(0, 120), whole.slice(120, 0), whole.slice(120, 180)];
    let expected: Vec<Option<String>> =
        (0..300).map(|i| (i % 3 != 1).then(|| format!("document {i} {}", "é".repeat(i % 40)))).collect();
    for kind in [IpcKind::File, IpcKind::Stream] {
        for codec in CODECS {
            let bytes = encode(&batches, kind, codec);
            // Small units slice the batches while they are listed.
            for unit_bytes in [1 << 20, 500] {
                let (_dir, input) = open(&bytes, unit_bytes);
                assert_eq!(units(&input).len() > 2, unit_bytes == 500);
                assert_eq!(texts(&input, "text"), expected);
                // Strings are copied as the bytes that they are.
                let schema = input.schema().unwrap();
                assert_eq!(conform(copied(&input), schema).unwrap(), whole);
                let form = input.form().unwrap();
                assert_eq!((form.kind, form.compression), (kind, codec));
                assert_eq!(form.metadata.len(), usize::from(kind == IpcKind::File));
            }
        }
    }
}

#[test]
fn nested_columns_come_by_dotted_path_from_a_projection() {
    let (_dir, input) = open(&encode(&[many_types(40)], IpcKind::File, None), 1 << 20);
    let seen = read(&input, &fields("meta.text", Some("lang"), Some("meta.n"))).unwrap().concat();
    let Seen::Good { slot, text, id, rank } = &seen[3] else { panic!("{:?}", seen[3]) };
    assert_eq!((*slot, text.as_str()), (3, "nested 3"));
    assert_eq!(*id, Some(testing::Owned::Text("de".to_owned())));
    assert_eq!(*rank, Some(testing::Owned::Int(3)));
    assert_eq!(seen[2], Seen::Bad { slot: 2, reason: Reason::NullText });
    assert!(input.check(&fields("list", None, None)).is_err());
}

#[test]
fn dictionaries_that_change_inside_a_stream_are_followed() {
    let batch = |texts: &[&str]| {
        let array: ArrayRef = Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_from_iter([("text", array)]).unwrap()
    };
    // New, the same and one more (a delta), replaced.
    let batches = [batch(&["a", "b", "a"]), batch(&["a", "b", "c"]), batch(&["x"]), batch(&["x", "x"])];
    let (_dir, input) = open(&encode(&batches, IpcKind::Stream, None), 1 << 20);
    let expected = ["a", "b", "a", "a", "b", "c", "x", "x", "x"].map(|t| Some(t.to_owned()));
    assert_eq!(texts(&input, "text"), expected);
    // Units may be worked on in any order.
    let mut backwards = units(&input);
    backwards.reverse();
    let fields = fields("text", None, None);
    let seen =
        backwards.iter().map(|u| read_unit(&input, u, &fields, None).unwrap()[0].text().map(str::to_owned));
    assert_eq!(seen.collect::<Vec<_>>(), ["x", "x", "a", "a"].map(|t| Some(t.to_owned())));
}

#[test]
fn wanted_slots_are_what_a_full_read_shows() {
    let (_dir, input) = open(&encode(&[many_types(90)], IpcKind::Stream, None), 600);
    for unit in units(&input) {
        let full = read_unit(&input, &unit, &fields("text", Some("id"), None), None).unwrap();
        let wanted: Vec<bool> = (0..full.len()).map(|i| i % 4 == 1).collect();
        let some = read_unit(&input, &unit, &fields("text", Some("id"), None), Some(&wanted)).unwrap();
        assert_eq!(some, full.into_iter().filter(|s| wanted[s.slot() as usize]).collect::<Vec<_>>());
    }
}

#[test]
fn cut_stream_keeps_its_whole_batches() {
    let batches = [one_text(&["a", "b"]), one_text(&["c", "d", "e"])];
    let whole = encode(&batches, IpcKind::Stream, None);
    // Without the end mark it is complete still.
    let (_dir, input) = open(&whole[..whole.len() - 8], 1 << 20);
    assert_eq!(texts(&input, "text").len(), 5);
    let (_dir, input) = open(&whole[..whole.len() - 9], 1 << 20);
    let seen = read(&input, &fields("text", None, None)).unwrap();
    assert_eq!(seen[0].iter().map(|s| s.text().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    let bad = (0..3).map(|slot| Seen::Bad { slot, reason: Reason::Truncated });
    assert_eq!(seen[1], bad.collect::<Vec<_>>());
}

#[test]
fn what_is_no_arrow_file_is_one_bad_record() {
    let whole = encode(&[one_text(&["a"])], IpcKind::File, None);
    let cases: [(&[u8], Reason); 5] = [
        (b"", Reason::Corrupt),
        (b"{\"text\": \"not what the name says\"}\n", Reason::Corrupt),
        (b"FEA1 and so on FEA1", Reason::Corrupt),
        (&whole[..whole.len() - 1], Reason::Truncated),
        (b"ARROW1\0\0\xff\xff\xff\x7fARROW1", Reason::Corrupt),
    ];
    for (bytes, reason) in cases {
        let (_dir, input) = open(bytes, 1 << 20);
        assert_eq!(read(&input, &fields("text", None, None)).unwrap(), [[Seen::Bad { slot: 0, reason }]]);
        let unit = units(&input).remove(0);
        assert!(
            matches!(input.copy(unit, &[false], &mut Scratch::default()), Ok(Piece::Batches(b)) if b.is_empty())
        );
    }
}

#[test]
fn buffer_that_claims_petabytes_is_refused_before_it_is_reserved() {
    let docs: Vec<String> = (0..100).map(|i| format!("a document that repeats itself {}", i % 3)).collect();
    let plain: usize = docs.iter().map(String::len).sum();
    for codec in &CODECS[1..] {
        let mut bytes = encode(&[one_text(&docs)], IpcKind::File, *codec);
        let at = bytes.windows(8).rposition(|w| w == (plain as i64).to_le_bytes()).unwrap();
        bytes[at..at + 8].copy_from_slice(&(1_i64 << 50).to_le_bytes());
        let (_dir, input) = open(&bytes, 1 << 20);
        let seen = read(&input, &fields("text", None, None)).unwrap().concat();
        assert_eq!(seen.len(), 100);
        assert!(seen.iter().all(|s| matches!(s, Seen::Bad { reason: Reason::Corrupt, .. })));
        let content = input.content.as_ref().unwrap();
        let (_, said) = input.decode(content, &content.index.batches[0], None).unwrap().unwrap_err();
        assert!(said.ends_with("claims to hold 1125899906842624"), "{said}");
    }
}

#[test]
fn every_damage_gives_rows_bad_records_or_an_error() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("the first"), None, Some("the third")]));
    let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "longer than twelve bytes"]));
    let lang: ArrayRef = Arc::new(["x", "y", "x"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("text", text, true),
        ("v", view, true),
        ("l", lang, true),
    ]);
    let batches = [batch.unwrap()];
    for (kind, codec) in [(IpcKind::File, CODECS[2]), (IpcKind::Stream, None)] {
        let whole = encode(&batches, kind, codec);
        let dir = tempfile::tempdir().unwrap();
        for_every_damage(&whole, dir.path(), |path, what| {
            let input = IpcInput::open(path, "x", 1 << 20).unwrap();
            for unit in units(&input) {
                let all = fields("text", Some("v"), Some("l"));
                let Ok(seen) = read_unit(&input, &unit, &all, None) else { continue };
                assert!(
                    !seen.is_empty() && seen.iter().enumerate().all(|(i, s)| s.slot() as usize == i),
                    "{what}"
                );
                let Payload::RowGroup { rows, .. } = unit.payload else { continue };
                let _ = input.copy(unit, &vec![true; rows], &mut Scratch::default());
            }
        });
    }
}

#[test]
fn text_that_is_not_utf8_costs_its_row_only() {
    let docs: Vec<String> = (0..50).map(|i| format!("document {i}")).collect();
    let plain = one_text(&docs);
    let dictionary = arrow_cast::cast(
        plain.column(0),
        &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
    )
    .unwrap();
    let coded = RecordBatch::try_from_iter([("text", dictionary)]).unwrap();
    for batch in [plain, coded] {
        let mut bytes = encode(&[batch], IpcKind::File, None);
        let at = bytes.windows(11).position(|w| w == b"document 23").unwrap();
        bytes[at] = 0xff;
        let (_dir, input) = open(&bytes, 1 << 20);
        let found = texts(&input, "text");
        let expected: Vec<_> =
            docs.iter().enumerate().map(|(i, doc)| (i != 23).then(|| doc.clone())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn bytes_are_text_and_long_texts_are_set_aside() {
    let values: [&[u8]; 3] = [b"a", b"\xe9", b"a long one"];
    let array: ArrayRef = Arc::new(arrow_array::LargeBinaryArray::from_vec(values.to_vec()));
    let batch = RecordBatch::try_from_iter([("text", array)]).unwrap();
    let (_dir, input) = open(&encode(&[batch], IpcKind::Stream, None), 1 << 20);
    let input = input.with_max_record_bytes(5);
    let seen = read(&input, &fields("text", None, None)).unwrap().concat();
    let reasons: Vec<_> = seen.iter().filter_map(Seen::reason).collect();
    assert_eq!(reasons, [Reason::InvalidUtf8, Reason::TooLong]);
}

#[test]
fn a_later_pass_goes_on_behind_any_unit() {
    let rows = many_types(5000);
    let batches: Vec<_> = [(0, 10), (10, 0), (10, 4000), (4010, 1)].map(|(at, n)| rows.slice(at, n)).into();
    for kind in [IpcKind::File, IpcKind::Stream] {
        let (_dir, input) = open(&encode(&batches, kind, None), 5000);
        assert!(testing::assert_goes_on(&input) > 4);
    }
    let (_dir, broken) = open(b"no arrow file", 100);
    assert_eq!(testing::assert_goes_on(&broken), 1);
}
