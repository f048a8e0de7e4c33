//! Token files against what the layouts say, read by code that shares none with the writers.

use std::fs;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, UInt32Builder};
use arrow_array::{ArrayRef, RecordBatch};
use thresher_tokens::layout::Dtype;

use super::*;
use crate::input::Output;
use crate::tokens::TokenFile;

/// Rows of ids; none for a null.
fn piece(rows: &[Option<Vec<u32>>]) -> Piece {
    let mut lists = ListBuilder::new(UInt32Builder::new());
    for row in rows {
        match row {
            Some(ids) => lists.append_value(ids.iter().copied().map(Some)),
            None => lists.append_null(),
        }
    }
    let column: ArrayRef = Arc::new(lists.finish());
    Piece::Batches(vec![RecordBatch::try_from_iter([(INPUT_IDS, column)]).unwrap()])
}

fn rows(count: u32) -> Vec<Option<Vec<u32>>> {
    (0..count).map(|row| (row % 7 != 3).then(|| (0..row % 11).map(|at| row * 100 + at).collect())).collect()
}

#[test]
fn tokens_and_index_of_rows_agree_and_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let all = rows(50);
    let whole = dir.path().join("whole.bin");
    let mut output = Box::new(MegatronOutput::open(&whole, Dtype::Uint16, None).unwrap());
    output.write(piece(&all), 50).unwrap();
    let written = output.finish_all().unwrap();
    assert_eq!((written.len(), written[0].rows), (2, 50));
    let file = TokenFile::open(&whole).unwrap();
    file.check(&|| Ok(())).unwrap();
    let lengths: Vec<u32> = all.iter().map(|row| row.as_ref().map_or(0, Vec::len) as u32).collect();
    assert_eq!(file.lengths(0..50).unwrap(), lengths);
    assert_eq!(file.documents(), 50);
    let ids: Vec<u32> = all.iter().flatten().flatten().copied().collect();
    assert_eq!(file.ids(0..file.tokens()).unwrap(), ids);

    // Rows behind the checkpoint are written, lost, and written again.
    let parts = dir.path().join("parts.bin");
    let mut output = MegatronOutput::open(&parts, Dtype::Uint16, None).unwrap();
    output.write(piece(&all[..20]), 20).unwrap();
    let at = output.checkpoint().unwrap().unwrap();
    output.write(piece(&all[20..30]), 10).unwrap();
    drop(output);
    let mut output = Box::new(MegatronOutput::open(&parts, Dtype::Uint16, Some((&at, &|| Ok(())))).unwrap());
    output.write(piece(&all[20..]), 30).unwrap();
    let resumed = output.finish_all().unwrap();
    for (one, other) in written.iter().zip(&resumed) {
        assert_eq!(one.xxh3_128, other.xxh3_128);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "something was left over");
}

#[test]
fn rows_go_on_over_the_ends_of_shards() {
    let dir = tempfile::tempdir().unwrap();
    let all = rows(50);
    let mut output = Box::new(NpyOutput::create(&dir.path().join("a.documents.npy"), Dtype::Uint16).unwrap());
    output.write(piece(&all[..13]), 13).unwrap();
    output.write(piece(&all[13..]), 37).unwrap();
    let written = output.finish_all().unwrap();
    let numbers = |name: &str, width: usize| -> Vec<u64> {
        let bytes = fs::read(dir.path().join(name)).unwrap();
        let head = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        let text = String::from_utf8(bytes[10..head].to_vec()).unwrap();
        let of = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        let numbers: Vec<u64> = bytes[head..].chunks(width).map(of).collect();
        assert!(text.contains(&format!("'shape': ({},)", numbers.len())), "{text}");
        numbers
    };
    let shards = written.len() - 1;
    assert!(shards > 2);
    let tokens: Vec<u64> = (0..shards).flat_map(|at| numbers(&format!("a-{at:05}.npy"), 2)).collect();
    let ids: Vec<u64> = all.iter().flatten().flatten().map(|&id| u64::from(id)).collect();
    assert_eq!(tokens, ids);
    let places = numbers("a.documents.npy", 8);
    let mut wanted = vec![0];
    for row in &all {
        wanted.push(wanted.last().unwrap() + row.as_ref().map_or(0, Vec::len) as u64);
    }
    assert_eq!(places, wanted);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), written.len(), "something was left over");
}

#[test]
fn no_row_at_all_is_files_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("a.bin");
    Box::new(MegatronOutput::open(&bin, Dtype::Int32, None).unwrap()).finish_all().unwrap();
    let file = TokenFile::open(&bin).unwrap();
    file.check(&|| Ok(())).unwrap();
    assert_eq!((file.sequences(), file.documents(), file.tokens()), (0, 0, 0));
    let output = Box::new(NpyOutput::create(&dir.path().join("b.documents.npy"), Dtype::Uint32).unwrap());
    assert_eq!(output.finish_all().unwrap().len(), 1);
}

#[test]
fn an_id_that_does_not_fit_ends_the_output() {
    let dir = tempfile::tempdir().unwrap();
    let mut output = MegatronOutput::open(&dir.path().join("a.bin"), Dtype::Uint16, None).unwrap();
    let said = output.write(piece(&[Some(vec![70_000])]), 1).unwrap_err().to_string();
    assert!(said.contains("`70000`"), "{said}");
}
