//! A file that is interrupted goes on at a checkpoint and ends with the same bytes.

use std::{fs, io::Write};

use parquet::{
    arrow::ArrowWriter,
    file::properties::{EnabledStatistics, WriterProperties},
};
use proptest::prelude::*;

use super::*;
use crate::{
    crew::Crew,
    input::{Input, Payload, Scratch, Unit},
    readers::{
        parquet::ParquetInput,
        testing::{many_types, units},
    },
};

fn layout(batch: &RecordBatch, group_rows: usize) -> ParquetLayout {
    let mut layout = ParquetLayout::of(batch.schema());
    layout.group_rows = group_rows;
    layout
}

fn means() -> Means {
    Means { resumable: true, ..Means::new(&Crew::new(2)) }
}

fn write(output: &mut ParquetOutput, batch: &RecordBatch, rows: std::ops::Range<usize>, step: usize) {
    for start in rows.clone().step_by(step) {
        let piece = batch.slice(start, step.min(rows.end - start));
        let rows = piece.num_rows() as u64;
        output.write(Piece::Batches(vec![piece]), rows).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_interrupted_file_goes_on_at_any_checkpoint(
        rows in 1_usize..400,
        group_rows in 1_usize..90,
        step in 1_usize..50,
        (first, second) in (0.0..1.0_f64, 0.0..1.0_f64),
        garbage in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (whole, path) = (dir.path().join("whole"), dir.path().join("file"));
        let batch = many_types(rows);
        let mut output = ParquetOutput::create(&whole, layout(&batch, group_rows), &means()).unwrap();
        write(&mut output, &batch, 0..rows, 100);
        Box::new(output).finish().unwrap();
        // Interrupted twice, each time behind a checkpoint.
        let mut from = Checkpoint::default();
        let mut output = ParquetOutput::create(&path, layout(&batch, group_rows), &means()).unwrap();
        for share in [first, second] {
            let start = from.rows as usize;
            let middle = start + (share * (rows - start) as f64) as usize;
            write(&mut output, &batch, start..middle, step);
            from = output.checkpoint().unwrap().unwrap();
            write(&mut output, &batch, middle..rows, step);
            drop(output);
            for name in ["file.part", "file.part.groups"] {
                let mut file = fs::OpenOptions::new().append(true).open(dir.path().join(name)).unwrap();
                file.write_all(&garbage).unwrap();
            }
            output = ParquetOutput::resume(&path, layout(&batch, group_rows), &means(), &from, &|| Ok(())).unwrap();
        }
        write(&mut output, &batch, from.rows as usize..rows, step + 3);
        let written = Box::new(output).finish().unwrap();
        prop_assert_eq!(written.rows, rows as u64);
        prop_assert!(fs::read(&whole).unwrap() == fs::read(&path).unwrap());
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

/// Bloom filters, indexes of pages, dictionaries, and the schema of another writer byte for byte.
#[test]
fn a_copy_goes_on_with_all_that_its_input_has() {
    let dir = tempfile::tempdir().unwrap();
    let settings = WriterProperties::builder()
        .set_bloom_filter_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(7)
        .set_max_row_group_row_count(Some(20))
        .build();
    let file = fs::File::create(dir.path().join("in.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, many_types(1).schema(), Some(settings)).unwrap();
    writer.write(&many_types(200)).unwrap();
    writer.close().unwrap();
    let input = ParquetInput::open(&dir.path().join("in.parquet"), "in.parquet", 1 << 20).unwrap();
    let layout = || ParquetLayout::like(&input).unwrap();
    let pieces = || {
        let unit = |unit: Unit| {
            let Payload::RowGroup { rows, .. } = unit.payload else { panic!("no row group") };
            (input.copy(unit, &vec![true; rows], &mut Scratch::default()).unwrap(), rows as u64)
        };
        units(&input).into_iter().map(unit)
    };
    let (whole, path) = (dir.path().join("whole"), dir.path().join("file"));
    let mut output = ParquetOutput::create(&whole, layout(), &means()).unwrap();
    pieces().for_each(|(piece, rows)| output.write(piece, rows).unwrap());
    Box::new(output).finish().unwrap();
    let mut output = ParquetOutput::create(&path, layout(), &means()).unwrap();
    pieces().take(6).for_each(|(piece, rows)| output.write(piece, rows).unwrap());
    while !output.in_flight.is_empty() {
        output.append_oldest().unwrap();
    }
    let from = output.checkpoint().unwrap().unwrap();
    assert_eq!(from.rows, 120);
    drop(output);
    let mut output = ParquetOutput::resume(&path, layout(), &means(), &from, &|| Ok(())).unwrap();
    pieces().skip(6).for_each(|(piece, rows)| output.write(piece, rows).unwrap());
    Box::new(output).finish().unwrap();
    assert!(fs::read(&whole).unwrap() == fs::read(&path).unwrap());
}

#[test]
fn going_on_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let batch = many_types(20);
    let mut output = ParquetOutput::create(&path, layout(&batch, 10), &means()).unwrap();
    write(&mut output, &batch, 0..20, 20);
    output.append_oldest().unwrap();
    let from = output.checkpoint().unwrap().unwrap();
    drop(output);
    let stopped =
        ParquetOutput::resume(&path, layout(&batch, 10), &means(), &from, &|| Err(Error::Cancelled));
    assert!(matches!(stopped.err(), Some(Error::Cancelled)));
}

#[test]
fn a_log_that_is_damaged_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let batch = many_types(50);
    let mut output = ParquetOutput::create(&path, layout(&batch, 10), &means()).unwrap();
    write(&mut output, &batch, 0..50, 50);
    while !output.in_flight.is_empty() {
        output.append_oldest().unwrap();
    }
    let from = output.checkpoint().unwrap().unwrap();
    assert_eq!(from.rows, 50);
    drop(output);
    let log = dir.path().join("file.part.groups");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let error = ParquetOutput::resume(&path, layout(&batch, 10), &means(), &from, &|| Ok(())).err().unwrap();
    assert!(error.to_string().contains("not noted"), "{error}");
}
