use std::{fs, sync::Arc};

use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, StringArray, StringViewArray, types::Int32Type};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType},
    file::{
        properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    readers::testing::{
        self, Seen, fields, for_every_damage, many_types, one_text, read, read_unit, texts, units,
    },
    record::Reason,
};

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
}

fn encode(batches: &[RecordBatch], properties: WriterPropertiesBuilder) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), Some(properties.build())).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

fn open(bytes: &[u8], unit_bytes: u64) -> (TempDir, ParquetInput) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    fs::write(&path, bytes).unwrap();
    let input = ParquetInput::open(&path, "in.parquet", unit_bytes).unwrap();
    (dir, input)
}

fn spans(input: &ParquetInput) -> Vec<(usize, usize, usize)> {
    let span = |u: &Unit| Span::of(u).map(|s| (s.group, s.first_row, s.rows)).unwrap();
    units(input).iter().map(span).collect()
}

#[test]
fn one_row_group_is_cut_where_pages_end() {
    let docs: Vec<String> = (0..400).map(|i| format!("{i} {}", "word ".repeat(50))).collect();
    let small_pages = properties().set_dictionary_enabled(false).set_data_page_size_limit(4096);
    let (_dir, input) = open(&encode(&[one_text(&docs)], small_pages), 16_000);
    let spans = spans(&input);
    assert!(spans.len() > 4, "{spans:?}");
    let mut next = 0;
    for (group, first, rows) in &spans {
        assert_eq!((*group, *first), (0, next));
        next += rows;
    }
    assert_eq!(next, 400);
    // Every cut is the first row of a page.
    let pages = input.metadata().unwrap().page_index().unwrap().page_locations(0, 0).unwrap().clone();
    let firsts: Vec<usize> = pages.iter().map(|p| p.first_row_index as usize).collect();
    assert!(spans.iter().all(|(_, first, _)| firsts.contains(first)));
    assert_eq!(texts(&input, "text"), docs.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn units_and_texts_do_not_depend_on_page_version_or_encoding() {
    let docs: Vec<String> = (0..300).map(|i| format!("{i} {}", "x".repeat(i % 100))).collect();
    let expected: Vec<_> = docs.iter().cloned().map(Some).collect();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for dictionary in [false, true] {
            let settings = properties()
                .set_writer_version(version)
                .set_dictionary_enabled(dictionary)
                .set_data_page_size_limit(512)
                .set_write_batch_size(8)
                .set_max_row_group_row_count(Some(170));
            let (_dir, input) = open(&encode(&[one_text(&docs)], settings), 2000);
            assert_eq!(texts(&input, "text"), expected);
        }
    }
}

#[test]
fn all_kinds_of_text_read_alike() {
    let docs = ["one", "", "three, which is longer than twelve bytes", "one"];
    let expected: Vec<_> = docs.iter().map(|d| Some((*d).to_owned())).collect();
    let kinds: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(docs.to_vec())),
        Arc::new(arrow_array::LargeStringArray::from(docs.to_vec())),
        Arc::new(StringViewArray::from(docs.to_vec())),
        Arc::new(docs.into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for array in kinds {
        let batch = RecordBatch::try_from_iter([("text", array)]).unwrap();
        let (_dir, input) = open(&encode(&[batch], properties()), 1 << 20);
        assert_eq!(texts(&input, "text"), expected);
    }
}

#[test]
fn nested_text_id_and_rank_come_by_dotted_path() {
    let batch = many_types(50);
    let (_dir, input) = open(&encode(&[batch], properties()), 1 << 20);
    let seen = read(&input, &fields("meta.text", Some("meta.n"), Some("score"))).unwrap().concat();
    assert_eq!(seen.len(), 50);
    for (i, record) in seen.iter().enumerate() {
        let slot = i as u32;
        let rank = (i % 3 != 1).then(|| testing::Owned::Float(i as f64 / 8.0));
        let expected = if (i + 2) % 3 == 1 {
            Seen::Bad { slot, reason: Reason::NullText }
        } else {
            Seen::Good { slot, text: format!("nested {i}"), id: Some(testing::Owned::Int(i as i128)), rank }
        };
        assert_eq!(*record, expected);
    }
    // The same column may serve twice.
    let seen = read(&input, &fields("view", Some("view"), None)).unwrap().concat();
    assert!(matches!(&seen[1], Seen::Good { text, id: Some(testing::Owned::Text(id)), .. } if text == id));
}

#[test]
fn bytes_that_are_utf8_are_text() {
    let values: [&[u8]; 3] = [b"a", b"caf\xe9", "caf\u{e9}".as_bytes()];
    let array: ArrayRef = Arc::new(BinaryArray::from_vec(values.to_vec()));
    let id: ArrayRef = Arc::new(BinaryArray::from_vec(values.to_vec()));
    let batch = RecordBatch::try_from_iter([("text", array), ("id", id)]).unwrap();
    let (_dir, input) = open(&encode(&[batch], properties()), 1 << 20);
    let good = |slot, text: &str, id: &str| {
        let id = Some(testing::Owned::Text(id.to_owned()));
        Seen::Good { slot, text: text.to_owned(), id, rank: None }
    };
    let expected = vec![
        good(0, "a", "61"),
        Seen::Bad { slot: 1, reason: Reason::InvalidUtf8 },
        good(2, "caf\u{e9}", "636166c3a9"),
    ];
    assert_eq!(read(&input, &fields("text", Some("id"), None)).unwrap(), [expected]);
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    let (_dir, input) = open(&encode(&[many_types(3)], properties()), 1 << 20);
    let said = input.check(&fields("list", None, None)).unwrap_err().to_string();
    assert!(said.contains("in.parquet: column `list` is of type List(Int32), not text"), "{said}");
    assert!(read(&input, &fields("id", None, None)).is_err());
}

#[test]
fn text_in_another_encoding_costs_a_decoding_and_not_one_a_row() {
    let texts: Vec<Vec<u8>> = (0..60_000)
        .map(|i| if i % 2 == 0 { b"caf\xe9".to_vec() } else { format!("{i}").into_bytes() })
        .collect();
    for dictionary in [true, false] {
        let root = parse_message_type("message m { REQUIRED BYTE_ARRAY text (UTF8); }").unwrap();
        let settings = Arc::new(properties().set_dictionary_enabled(dictionary).build());
        let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(root), settings).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = texts.iter().cloned().map(ByteArray::from).collect();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        let (_dir, input) = open(&file.into_inner().unwrap(), 1 << 30);
        let seen = testing::texts(&input, "text");
        assert_eq!(seen.iter().filter(|text| text.is_none()).count(), 30_000);
        assert!(seen.iter().skip(1).step_by(2).all(Option::is_some));
    }
}

#[test]
fn file_without_rows_has_a_schema_and_no_units() {
    let (_dir, input) = open(&encode(&[many_types(0)], properties()), 1 << 20);
    assert_eq!(spans(&input), []);
    assert_eq!(input.schema().unwrap().fields(), many_types(0).schema().fields());
    assert!(input.check(&fields("nothing", None, None)).is_err());
}

#[test]
fn text_that_is_not_utf8_costs_its_row_only() {
    let docs: Vec<String> = (0..50).map(|i| format!("document {i}")).collect();
    let plain = WriterProperties::builder().set_dictionary_enabled(false);
    let mut bytes = encode(&[one_text(&docs)], plain);
    let at = bytes.windows(11).position(|w| w == b"document 23").unwrap();
    bytes[at] = 0xff;
    let (_dir, input) = open(&bytes, 1 << 20);
    let seen = read(&input, &fields("text", None, None)).unwrap().concat();
    let bad: Vec<_> = seen.iter().filter(|s| s.text().is_none()).cloned().collect();
    assert_eq!(bad, [Seen::Bad { slot: 23, reason: Reason::InvalidUtf8 }]);
    // What is kept can be copied around it.
    let mut keep = vec![true; 50];
    keep[23] = false;
    let piece = input.copy(units(&input).remove(0), &keep, &mut Scratch::default()).unwrap();
    let Piece::Batches(batches) = piece else { panic!("{piece:?}") };
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 49);
}

#[test]
fn damaged_page_costs_its_rows_and_copying_says_so() {
    let docs: Vec<String> = (0..4000).map(|i| format!("{i} {}", "word ".repeat(100))).collect();
    let settings = properties().set_dictionary_enabled(false).set_data_page_size_limit(64 << 10);
    let mut bytes = encode(&[one_text(&docs)], settings);
    let (_dir, input) = open(&bytes, 1);
    units(&input);
    let pages = input.metadata().unwrap().page_index().unwrap().page_locations(0, 0).unwrap().clone();
    let page = &pages[pages.len() / 2];
    let end = (page.offset + i64::from(page.compressed_page_size)) as usize;
    bytes[end - 100..end].fill(0x55);
    let (_dir, input) = open(&bytes, 1 << 30);
    let seen = read(&input, &fields("text", None, None)).unwrap().concat();
    assert_eq!(seen.len(), 4000);
    let good = seen.iter().filter(|s| s.text().is_some()).count();
    // The page has 130 rows.
    assert!((3600..4000).contains(&good), "{good} of 4000 rows are left");
    for (i, record) in seen.iter().enumerate() {
        assert_eq!(record.slot() as usize, i);
        assert!(record.text().is_none_or(|t| t == docs[i]));
    }
    // Without the rows that are known to be beyond copying the others can be copied.
    let uncopyable: Vec<u32> =
        input.uncopyable(&units(&input)[0]).unwrap().into_iter().map(|(slot, _)| slot).collect();
    assert!((1..400).contains(&uncopyable.len()), "{}", uncopyable.len());
    let keep: Vec<bool> = (0..4000).map(|slot| !uncopyable.contains(&slot)).collect();
    assert!(input.copy(units(&input).remove(0), &keep, &mut Scratch::default()).is_ok());
    let said = input.copy(units(&input).remove(0), &vec![true; 4000], &mut Scratch::default()).unwrap_err();
    assert!(matches!(said, Error::Uncopyable { .. }));
    assert!(said.to_string().contains("the rows 0 to 4000 of row group 0 cannot be copied"), "{said}");
}

#[test]
fn what_is_no_parquet_file_is_one_bad_record() {
    let whole = encode(&[one_text(&["a"])], properties());
    let cases: [(&[u8], Reason); 4] = [
        (b"", Reason::Truncated),
        (b"{\"text\": \"not what the name says\"}\n", Reason::Corrupt),
        (&whole[..whole.len() - 1], Reason::Truncated),
        (b"PAR1\x00\x00\x00\x00\xff\xff\xff\x7fPAR1", Reason::Corrupt),
    ];
    for (bytes, reason) in cases {
        let (_dir, input) = open(bytes, 1 << 20);
        assert!(input.schema().is_none());
        let all = fields("text", None, None);
        assert_eq!(read(&input, &all).unwrap(), [[Seen::Bad { slot: 0, reason }]]);
        let unit = units(&input).remove(0);
        assert!(read_unit(&input, &unit, &all, Some(&[false])).unwrap().is_empty());
        assert!(
            matches!(input.copy(unit, &[false], &mut Scratch::default()), Ok(Piece::Batches(b)) if b.is_empty())
        );
    }
}

#[test]
fn groups_are_believed_before_the_file_about_rows() {
    let mut bytes = encode(&[one_text(&["a", "b", "c"])], properties());
    // `num_rows: 3` behind the schema, whose last element has no children and ends.
    let end = bytes.len() - 8;
    let start = end - u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let at = start + bytes[start..end].windows(4).position(|w| w == [0, 0x16, 6, 0x19]).unwrap();
    bytes[at + 2] = 0;
    let (_dir, input) = open(&bytes, 1 << 20);
    assert_eq!(input.metadata().unwrap().file_metadata().num_rows(), 3);
    assert_eq!(texts(&input, "text").len(), 3);
    assert!(input.copy(units(&input).remove(0), &[true; 3], &mut Scratch::default()).is_ok());
}

#[test]
fn early_pages_of_version_2_are_compressed_whatever_they_say() {
    let docs: Vec<String> = (0..200).map(|i| format!("{i} {}", "word ".repeat(20))).collect();
    let settings = properties()
        .set_created_by("parquet-cpp version 1.5.1-SNAPSHOT".to_owned())
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(2000)
        .set_write_batch_size(8);
    let mut bytes = encode(&[one_text(&docs)], settings);
    let (_dir, input) = open(&bytes, 1);
    units(&input);
    let pages = input.metadata().unwrap().page_index().unwrap().page_locations(0, 0).unwrap().clone();
    assert!(pages.len() > 5);
    for page in &pages {
        let page = &mut bytes[page.offset as usize..];
        let flag = (0..60).find(|&at| {
            let was = page[at];
            page[at] = was & 0xf0 | 2;
            let found = thrift::page_header(page).is_some_and(|header| header.compression_flag == Some(at));
            page[at] = if found { page[at] } else { was };
            found
        });
        assert!(flag.is_some());
    }
    let expected: Vec<_> = docs.iter().cloned().map(Some).collect();
    // With the places of pages, and without.
    for unit_bytes in [1, 1 << 30] {
        let (_dir, input) = open(&bytes, unit_bytes);
        assert_eq!(texts(&input, "text"), expected);
        for unit in units(&input) {
            let rows = Span::of(&unit).unwrap().rows;
            assert!(input.copy(unit, &vec![true; rows], &mut Scratch::default()).is_ok());
        }
    }
}

#[test]
fn file_that_changed_is_refused() {
    let (dir, input) = open(&encode(&[one_text(&["a"])], properties()), 1 << 20);
    fs::write(dir.path().join("in.parquet"), b"shorter").unwrap();
    let said = read_unit(
        &input,
        &Unit { index: 0, weight: 0, payload: Payload::RowGroup { group: 0, first_row: 0, rows: 1 } },
        &fields("text", None, None),
        None,
    );
    assert!(said.unwrap_err().to_string().contains("the file changed"));
}

#[test]
fn every_damage_gives_rows_bad_records_or_an_error() {
    let docs = ["the first", "", "the third", "the fourth is longer than the others"];
    for dictionary in [true, false] {
        let settings = properties().set_dictionary_enabled(dictionary).set_max_row_group_row_count(Some(3));
        let whole = encode(&[one_text(&docs)], settings);
        let dir = tempfile::tempdir().unwrap();
        for_every_damage(&whole, dir.path(), |path, what| {
            let input = ParquetInput::open(path, "x", 1).unwrap();
            for unit in units(&input) {
                let rows = Span::of(&unit).unwrap().rows;
                let Ok(seen) = read_unit(&input, &unit, &fields("text", None, None), None) else { continue };
                assert_eq!(seen.len(), rows, "{what}");
                assert!(seen.iter().enumerate().all(|(i, s)| s.slot() as usize == i), "{what}");
                let keep: Vec<bool> = seen.iter().map(|s| s.text().is_some()).collect();
                let _ = input.copy(unit, &keep, &mut Scratch::default());
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn wanted_slots_are_what_a_full_read_shows(
        rows in 1_usize..200,
        seed in any::<u64>(),
        unit_bytes in prop::sample::select(vec![1_u64, 600, 1 << 20]),
        nested in any::<bool>(),
    ) {
        let settings = properties().set_data_page_size_limit(256).set_write_batch_size(5);
        let (_dir, input) = open(&encode(&[many_types(rows)], settings), unit_bytes);
        let fields = fields(if nested { "meta.text" } else { "text" }, Some("id"), Some("time"));
        let mut state = seed | 1;
        for unit in units(&input) {
            let full = read_unit(&input, &unit, &fields, None).unwrap();
            let wanted: Vec<bool> = full.iter().map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 62 == 0
            }).collect();
            let some = read_unit(&input, &unit, &fields, Some(&wanted)).unwrap();
            let expected: Vec<_> = full.into_iter().filter(|s| wanted[s.slot() as usize]).collect();
            prop_assert_eq!(some, expected);
        }
    }

    #[test]
    fn projection_finds_the_same_leaves_as_the_schema(text in 0_usize..3, id in 0_usize..4, rank in 0_usize..4) {
        let paths = ["text", "meta.text", "lang"];
        let others = ["id", "meta.n", "big", "time"];
        let chosen = fields(paths[text], Some(others[id]), Some(others[rank]));
        let batch = many_types(9);
        let (_dir, input) = open(&encode(std::slice::from_ref(&batch), properties()), 1 << 20);
        let seen = read(&input, &chosen).unwrap().concat();
        let places = columns::resolve(batch.schema_ref(), &chosen).unwrap();
        let rows = columns::Rows::of(&batch, &places).unwrap();
        for (row, record) in seen.iter().enumerate() {
            if let Seen::Good { text, id, rank, .. } = record {
                prop_assert_eq!(Some(text.as_str()), rows.text(row));
                prop_assert_eq!(id.clone(), rows.id(row).map(Into::into));
                prop_assert_eq!(rank.clone(), rows.rank(row).map(Into::into));
            } else {
                prop_assert_eq!(rows.text(row), None);
            }
        }
    }
}

#[test]
fn a_later_pass_goes_on_behind_any_unit() {
    let docs: Vec<String> = (0..400).map(|i| format!("{i} {}", "word ".repeat(50))).collect();
    let settings = properties()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(4096)
        .set_max_row_group_row_count(Some(150));
    let (_dir, input) = open(&encode(&[one_text(&docs)], settings), 16_000);
    assert!(testing::assert_goes_on(&input) > 5);
    let (_dir, broken) = open(b"no parquet file", 100);
    assert_eq!(testing::assert_goes_on(&broken), 1);
}
