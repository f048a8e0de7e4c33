//! Packing of files against packing in memory, with ranges and tasks of a few hundred bytes.

use std::fs::File;
use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, UInt8Type};
use arrow_array::{ArrayRef, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow_ipc::writer::FileWriter;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::{Just, ProptestConfig, prop, prop_assert_eq, prop_oneof, proptest};
use thresher_core::observe::Unobserved;
use thresher_tokens::pack::{Material, TokenLists, materialise};

use thresher_core::json::Fields;

use super::*;
use crate::runs::RunOptions;
use crate::runs::options::Config;
use crate::runs::output::RunOutput;

type Sequences = Vec<Option<Vec<i32>>>;

fn lists(rows: &Sequences) -> ListArray {
    ListArray::from_iter_primitive::<Int32Type, _, _>(
        rows.iter().map(|row| row.as_ref().map(|row| row.iter().map(|&token| Some(token)))),
    )
}

fn table(rows: &Sequences, first: usize) -> RecordBatch {
    let names: StringArray = (first..first + rows.len()).map(|row| Some(format!("d{row}"))).collect();
    let masks = ListArray::from_iter_primitive::<UInt8Type, _, _>(
        rows.iter().map(|row| row.as_ref().map(|row| row.iter().map(|&token| Some((token % 2) as u8)))),
    );
    RecordBatch::try_from_iter([
        ("document", Arc::new(names) as ArrayRef),
        ("input_ids", Arc::new(lists(rows)) as ArrayRef),
        ("assistant_masks", Arc::new(masks) as ArrayRef),
    ])
    .unwrap()
}

fn write(path: &Path, batch: &RecordBatch) -> String {
    let file = File::create(path).unwrap();
    if path.extension().is_some_and(|end| end == "arrow") {
        let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        for start in (0..batch.num_rows()).step_by(7) {
            writer.write(&batch.slice(start, 7.min(batch.num_rows() - start))).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
    }
    path.display().to_string()
}

fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(std::result::Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn config(inputs: Vec<String>, output: &Path, step: PackStep) -> PackRun {
    let options = RunOptions { threads: Some(2), batch_bytes: 64, ..RunOptions::default() };
    Config { inputs, output: Some(output.display().to_string()), step, options, ..Config::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 24 } else { 100 }))]

    #[test]
    fn files_are_packed_as_their_rows_in_memory_are(
        parts in prop::collection::vec(
            prop::collection::vec(prop::option::weighted(0.9, prop::collection::vec(0i32..1000, 0..40)), 0..60),
            1..4,
        ),
        context in 1u64..32,
        strategy in prop_oneof![Just("best_fit"), Just("first_fit"), Just("wrapped")],
        overlong in prop_oneof![Just("split"), Just("truncate"), Just("drop")],
        eos in prop::option::of(Just(7u32)),
        pad in prop::option::of(Just(0u32)),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut first = 0;
        let inputs: Vec<String> = parts.iter().enumerate().map(|(at, rows)| {
            let name = if at % 2 == 0 { format!("{at}.parquet") } else { format!("{at}.arrow") };
            first += rows.len();
            write(&dir.path().join(name), &table(rows, first - rows.len()))
        }).collect();
        let output = dir.path().join("out.parquet");
        let step = PackStep {
            context,
            strategy: strategy.to_owned(),
            overlong: overlong.to_owned(),
            eos,
            pad,
            cu_seqlens: true,
            ..PackStep::default()
        };
        let packer = step.packer().unwrap();
        let report = run(&config(inputs, &output, step), &Progress::default()).unwrap();
        let all: Sequences = parts.concat();
        let batch = table(&all, 0);
        let column = |name: &str| TokenLists::try_new(&[batch.column_by_name(name).unwrap().clone()], name).unwrap();
        let names: Vec<String> = (0..all.len()).map(|row| format!("d{row}")).collect();
        let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let form = Form {
            pad: pad.map(|pad| (packer.context(), pad)),
            positions: true,
            cu_seqlens: true,
            masked: true,
            documents: true,
        };
        let material = Material {
            tokens: &column("input_ids"),
            masks: Some(&column("assistant_masks")),
            documents: Some(&names),
            end: eos,
        };
        let (plan, batches) = materialise(&material, packer, form, &Unobserved).unwrap();
        prop_assert_eq!(read(&output), concat_batches(&form.schema(), &batches).unwrap());
        prop_assert_eq!(report.said.packing.accounts, plan.accounts);
        prop_assert_eq!(report.said.packing.bins, plan.bins);
    }
}

fn rows(count: usize) -> Sequences {
    (0..count).map(|row| Some((0..row as i32 % 23).collect())).collect()
}

#[test]
fn documents_without_a_name_are_called_by_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = |rows: Sequences| {
        RecordBatch::try_from_iter([("input_ids", Arc::new(lists(&rows)) as ArrayRef)]).unwrap()
    };
    let inputs = vec![
        write(&dir.path().join("a.parquet"), &tokens(vec![Some(vec![1, 2]), Some(vec![3])])),
        write(&dir.path().join("b.parquet"), &tokens(vec![])),
        write(&dir.path().join("c.parquet"), &tokens(vec![None, Some(vec![4])])),
    ];
    let step = PackStep { context: 2, ..PackStep::default() };
    let output = dir.path().join("out.jsonl");
    run(&config(inputs, &output, step), &Progress::default()).unwrap();
    let lines = fs::read_to_string(output).unwrap();
    assert!(lines.contains(r#""document_ids":["a.parquet:0"]"#), "{lines}");
    assert!(lines.contains(r#""document_ids":["a.parquet:1","c.parquet:1"]"#), "{lines}");
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn lengths_are_taken_from_their_column_and_a_wrong_one_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Sequences = vec![Some(vec![1, 2, 3]), Some(vec![4])];
    let with = |lengths: Vec<u32>| {
        let columns: [(&str, ArrayRef); 2] =
            [("input_ids", Arc::new(lists(&rows))), ("length", Arc::new(UInt32Array::from(lengths)))];
        let input = write(&dir.path().join("in.parquet"), &RecordBatch::try_from_iter(columns).unwrap());
        let step = PackStep { context: 4, ..PackStep::default() };
        let output = dir.path().join("out.parquet");
        let mut config = config(vec![input], &output, step);
        (config.options.overwrite, config.options.restart) = (true, true);
        run(&config, &Progress::default())
    };
    assert_eq!(with(vec![3, 1]).unwrap().said.packing.bins, 1);
    for wrong in [vec![3, 2], vec![2, 1], vec![0, 1]] {
        let error = with(wrong).unwrap_err().to_string();
        assert!(error.contains("column `length`"), "{error}");
    }
}

#[test]
fn what_cannot_be_packed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.parquet");
    let said = |batch: &RecordBatch, step: PackStep| {
        let input = write(&dir.path().join("in.parquet"), batch);
        run(&config(vec![input], &output, step), &Progress::default()).unwrap_err().to_string()
    };
    let step = || PackStep { context: 4, ..PackStep::default() };
    let one = |column: ArrayRef| RecordBatch::try_from_iter([("input_ids", column)]).unwrap();
    let negative = one(Arc::new(lists(&vec![Some(vec![1, -1])])));
    assert!(said(&negative, step()).contains("`in.parquet:0` has an id below 0"));
    let wide = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1i64 << 32)])]);
    assert!(said(&one(Arc::new(wide)), step()).contains("above 4294967295"));
    let no_lists = one(Arc::new(UInt32Array::from(vec![1])));
    assert!(said(&no_lists, step()).contains("tokens is `input_ids`, but that column holds no lists"));
    let absent = said(&one(Arc::new(lists(&rows(2)))), PackStep { mask: "learn".to_owned(), ..step() });
    assert!(absent.contains("mask is `learn`, but there is no such column"), "{absent}");
    let long = said(&table(&rows(9), 0), PackStep { overlong: "error".to_owned(), ..step() });
    assert!(long.contains("sequence `5` has `5` tokens"), "{long}");
    let short = ListArray::from_iter_primitive::<UInt8Type, _, _>([Some([Some(1u8)])]);
    let columns: [(&str, ArrayRef); 2] =
        [("input_ids", Arc::new(lists(&vec![Some(vec![1, 2])]))), ("assistant_masks", Arc::new(short))];
    let unfit = said(&RecordBatch::try_from_iter(columns).unwrap(), step());
    assert!(unfit.contains("the mask of document `in.parquet:0`"), "{unfit}");
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &table(&rows(100), 0));
    let mut bytes = fs::read(&input).unwrap();
    bytes[20..60].fill(0xff);
    fs::write(&input, bytes).unwrap();
    let step = PackStep { context: 32, ..PackStep::default() };
    let error = run(&config(vec![input], &dir.path().join("out"), step), &Progress::default()).unwrap_err();
    assert!(matches!(&error, Error::Data { path, .. } if path.ends_with("in.parquet")), "{error}");
    assert!(!dir.path().join("out/run.json").exists());
}

#[test]
fn memory_and_threads_change_no_byte_and_what_was_spilled_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &table(&rows(400), 0));
    let made = |name: &str, threads: usize, memory: Option<u64>| {
        let output = dir.path().join(name);
        let step = PackStep { context: 32, ..PackStep::default() };
        let mut config = config(vec![input.clone()], &output, step);
        config.options = RunOptions { threads: Some(threads), memory, ..config.options };
        run(&config, &Progress::default()).unwrap();
        fs::read(output).unwrap()
    };
    let first = made("1.parquet", 1, None);
    assert_eq!(first, made("2.parquet", 2, Some(1 << 30)));
    assert_eq!(first, made("4.parquet", 4, Some(400 << 20)));
}

#[test]
fn a_lost_piece_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &table(&rows(100), 0));
    let plan = |folder: &Path| {
        let config = config(
            vec![input.clone()],
            &folder.join("out.parquet"),
            PackStep { context: 32, ..PackStep::default() },
        );
        let progress = Progress::default();
        let plan =
            Plan::new(config.options.reading(&config.inputs, None), &Fields::default(), &progress).unwrap();
        let crew = Crew::new(1);
        let packed = Packed {
            columns: plan.sources.iter().map(|source| Columns::of(source, &config.step).unwrap()).collect(),
            plan: &plan,
            packer: config.step.packer().unwrap(),
            form: Form { masked: true, documents: true, ..Form::default() },
            end: None,
            crew: &crew,
            names: &|_, source, slot| Ok(source.name_row(slot)),
            memory: Memory::of(&config.options).unwrap(),
            progress: &progress,
        };
        let (done, earlier) = packed.done_in(folder, &mut Clock::default()).unwrap();
        assert_eq!(earlier, Count::default());
        let mut files = files(folder, done.files).unwrap();
        assert!(files.len() > 2 && done.layout.ranges() > 2);
        // What was spilled is found again.
        let (again, earlier) = packed.done_in(folder, &mut Clock::default()).unwrap();
        assert_eq!(earlier.docs, 100);
        assert_eq!((again.files, again.layout), (done.files, done.layout));
        files.remove(0);
        let spilled =
            Spilled { folder: folder.join(PIECES), layout: done.layout, form: packed.form, end: None, files };
        let output = RunOutput::open(config.output().unwrap(), false, &plan, false).unwrap();
        packed
            .write(spilled, &output)
            .map(|(_, tokens, _)| check(done.sums.given, tokens, done.sums.left_out))
    };
    let lost = plan(dir.path());
    let is_noticed = matches!(
        lost,
        Err(Error::Internal(_) | Error::Tokens(thresher_tokens::Error::Conservation(_)))
            | Ok(Err(thresher_tokens::Error::Conservation(_)))
    );
    assert!(is_noticed, "{:?}", lost.map_err(|error| error.to_string()));
}
