//! Exchanges against the plain way: all rows in memory, each put in its places.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, types::Int32Type};
use parquet::arrow::ArrowWriter;
use thresher_core::json::Fields;

use super::census::{Census, kept};
use super::{Exchange, Order, RowNumber, shards};
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::{Piece, Position};
use crate::runs::lens::Lens;
use crate::runs::memory::Memory;
use crate::runs::options::RunOptions;
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Places of each row, by its number.
struct Given(Vec<Vec<u64>>);

impl Order for Given {
    fn places(&self) -> u64 {
        self.0.iter().map(|places| places.len() as u64).sum()
    }

    fn of(&self, row: RowNumber, places: &mut Vec<u64>) -> Result<()> {
        places.extend(&self.0[row.of_all as usize]);
        Ok(())
    }
}

/// Rows that are left out, come once, or come several times, in an order without any pattern.
fn some_order(rows: u64) -> Given {
    let copies = |row: u64| (row * 7 + row / 5) % 4;
    let all: u64 = (0..rows).map(copies).sum();
    let order = thresher_tokens::permute::Permutation::new(all, 3, 0);
    let mut next = 0;
    let places = |row: u64| {
        next += copies(row);
        order.places(next - copies(row)..next).collect()
    };
    Given((0..rows).map(places).collect())
}

fn sources(inputs: &[String], folder: &Path) -> (Vec<Source>, u64) {
    let (progress, crew) = (Progress::default(), Crew::new(2));
    let options = RunOptions { batch_bytes: 300, ..RunOptions::default() };
    let mut plan = Plan::new(options.reading(inputs, None), &Fields::default(), &progress).unwrap();
    plan.join().unwrap();
    let memory = Memory::of_tables(256 << 20);
    let census = Census {
        sources: &plan.sources,
        crew: &crew,
        memory,
        progress: &progress,
        strict: false,
        thorough: false,
    };
    let (ledger, _) = census.run(&folder.join("ledger")).unwrap();
    let rows = kept(&ledger).unwrap().docs;
    let mut lens = Lens::default();
    lens.push(ledger, None, &[]);
    (lens.over(std::mem::take(&mut plan.sources)).unwrap(), rows)
}

/// The pieces of an exchange in `count` shards, each read from its start or behind its first unit.
fn exchanged(
    inputs: &[String],
    folder: &Path,
    order: impl Fn(u64) -> Given,
    elements: bool,
) -> Result<Vec<Piece>> {
    let _ = fs::remove_dir_all(folder);
    let (sources, rows) = sources(inputs, folder);
    let order = order(rows);
    let (progress, crew) = (Progress::default(), Crew::new(2));
    let memory = Memory::of_tables(256 << 20);
    let exchange = Exchange {
        sources: &sources,
        order: &order,
        crew: &crew,
        memory,
        progress: &progress,
        elements,
        bytes: 9000,
    };
    let spilled = exchange.spill(&folder.join("rows"))?;
    let left_out = order.0.iter().filter(|places| places.is_empty()).count() as u64;
    assert_eq!(spilled.left_out, left_out);
    let shards = shards::cut(spilled.places(), Some(3), None, 1)?;
    let mut pieces = Vec::new();
    for source in spilled.into_sources(shards, sources.into_iter().next().unwrap(), None) {
        let Source::Placed(shard) = &source else { panic!("another source") };
        let mut from = Position::default();
        // A later run goes on behind any unit.
        while let Some(unit) = source.input().cut(from).unwrap().next(&|| Ok(())).unwrap() {
            from = unit.after();
            let (piece, rows, _) = shard.all(&unit)?;
            assert!(rows > 0);
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

fn lines_of(pieces: &[Piece]) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => {
                lines.extend(std::str::from_utf8(bytes).unwrap().split_inclusive('\n').map(str::to_owned));
            }
            Piece::Elements { bytes, ends } => {
                let starts = std::iter::once(&0).chain(ends);
                lines.extend(
                    starts
                        .zip(ends)
                        .map(|(&start, &end)| String::from_utf8(bytes[start..end].to_vec()).unwrap()),
                );
            }
            other => panic!("no lines: {other:?}"),
        }
    }
    lines
}

/// All rows in their places.
fn plainly(rows: &[String], order: &Given) -> Vec<String> {
    let mut placed: Vec<(u64, &String)> =
        rows.iter().zip(&order.0).flat_map(|(row, places)| places.iter().map(move |&at| (at, row))).collect();
    placed.sort();
    placed.into_iter().map(|(_, row)| row.clone()).collect()
}

#[test]
fn lines_go_where_the_order_says_as_often_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    // Rows of very different lengths: ranges that hold more than a unit may.
    let row = |at: usize| {
        let len = if at % 50 == 7 { 3000 } else { at % 40 };
        format!(
            "{{\"n\": {at}, \"x\": \"{}\"}}{}",
            "y".repeat(len),
            if at.is_multiple_of(9) { "\r\n" } else { "\n" }
        )
    };
    let rows: Vec<String> = (0..600).map(row).collect();
    let inputs: Vec<String> =
        (0..3).map(|at| dir.path().join(format!("{at}.jsonl")).display().to_string()).collect();
    for (input, rows) in inputs.iter().zip(rows.chunks(200)) {
        // Blank and bad lines are no rows.
        fs::write(input, format!("\n{}not JSON\n\n", rows.concat())).unwrap();
    }
    let pieces = exchanged(&inputs, &dir.path().join("a"), some_order, false).unwrap();
    assert!(pieces.len() > 20, "only {} units", pieces.len());
    assert_eq!(lines_of(&pieces), plainly(&rows, &some_order(600)));
}

#[test]
fn elements_of_arrays_become_lines_or_stay_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..60).map(|at| format!("{{\n \"n\": {at}}}")).collect();
    let input = dir.path().join("a.json").display().to_string();
    fs::write(&input, format!("[{}]", rows.join(",\n"))).unwrap();
    let inputs = [input];
    let stay = exchanged(&inputs, &dir.path().join("a"), some_order, true).unwrap();
    assert_eq!(lines_of(&stay), plainly(&rows, &some_order(60)));
    let lines = exchanged(&inputs, &dir.path().join("b"), some_order, false).unwrap();
    let flat: Vec<String> = rows.iter().map(|row| row.replace('\n', "") + "\n").collect();
    let without_blanks =
        |lines: Vec<String>| lines.iter().map(|line| line.replace(' ', "")).collect::<Vec<_>>();
    assert_eq!(without_blanks(lines_of(&lines)), without_blanks(plainly(&flat, &some_order(60))));
}

#[test]
fn columns_keep_their_types_and_values() {
    let dir = tempfile::tempdir().unwrap();
    let numbers: ArrayRef = Arc::new((0..400).map(|at| (at % 7 != 0).then_some(at)).collect::<Int64Array>());
    let texts: ArrayRef = Arc::new(
        (0..400)
            .map(|at| (at % 5 != 0).then(|| format!("{at} {}", "z".repeat(at % 90))))
            .collect::<StringArray>(),
    );
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>((0..400).map(|at| {
        (at % 3 != 0).then(|| (0..at % 6).map(|item| (item % 2 == 0).then_some(item)).collect::<Vec<_>>())
    })));
    let whole = RecordBatch::try_from_iter([("n", numbers), ("text", texts), ("list", lists)]).unwrap();
    let input = dir.path().join("a.parquet");
    let mut writer = ArrowWriter::try_new(fs::File::create(&input).unwrap(), whole.schema(), None).unwrap();
    for group in 0..8 {
        writer.write(&whole.slice(50 * group, 50)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let pieces = exchanged(&[input.display().to_string()], &dir.path().join("a"), some_order, false).unwrap();
    // Lists come as they are stored; the two plain columns tell the order.
    let mut found: Vec<(Option<i64>, Option<String>)> = Vec::new();
    for piece in pieces {
        let Piece::Batches(batches) = piece else { panic!("no columns") };
        for batch in batches {
            let n = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().clone();
            let text = arrow_cast::cast(batch.column(1), &arrow_schema::DataType::Utf8).unwrap();
            let text = text.as_any().downcast_ref::<StringArray>().unwrap().clone();
            found.extend(n.iter().zip(text.iter().map(|text| text.map(str::to_owned))));
        }
    }
    let row = |at: usize| {
        (
            (!at.is_multiple_of(7)).then_some(at as i64),
            (!at.is_multiple_of(5)).then(|| format!("{at} {}", "z".repeat(at % 90))),
        )
    };
    let order = some_order(400);
    let mut placed: Vec<(u64, usize)> = order
        .0
        .iter()
        .enumerate()
        .flat_map(|(row, places)| places.iter().map(move |&at| (at, row)))
        .collect();
    placed.sort_unstable();
    assert_eq!(found, placed.into_iter().map(|(_, at)| row(at)).collect::<Vec<_>>());
}

#[test]
fn a_place_that_is_taken_twice_or_never_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("a.jsonl").display().to_string();
    fs::write(&input, "{\"n\": 1}\n".repeat(4)).unwrap();
    let inputs = [input];
    for wrong in [[0, 1, 1, 3], [0, 1, 2, 4]] {
        let order = |_| Given(wrong.iter().map(|&place| vec![place]).collect());
        let error = exchanged(&inputs, &dir.path().join("a"), order, false).unwrap_err();
        assert!(matches!(&error, Error::Internal(_)), "{error}");
    }
}

#[test]
fn nothing_to_exchange_is_an_exchange_too() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("a.jsonl").display().to_string();
    fs::write(&input, "\n").unwrap();
    assert!(exchanged(&[input], &dir.path().join("a"), some_order, false).unwrap().is_empty());
}
