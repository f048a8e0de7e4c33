//! JSON lines and arrays: the cut into units does not matter, and what is kept is read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thresher_core::json::Fields;
use thresher_fuzz::file::ScratchFile;
use thresher_fuzz::records::{Seen, copy, no_bug, read, usual_fields};
use thresher_io::codec::Codec;
use thresher_io::input::Piece;
use thresher_io::readers::jsonl::{JsonlInput, Limits};

thread_local!(static FILES: [ScratchFile; 2] = [ScratchFile::new(".jsonl"), ScratchFile::new(".json")]);

const LARGE: Limits = Limits { unit_bytes: 4 << 20, max_record_bytes: 1 << 20 };

fn records(path: &std::path::Path, fields: &Fields, limits: Limits) -> Option<(JsonlInput, Vec<Vec<Seen>>)> {
    let input = no_bug(JsonlInput::open(path, "fuzz".to_owned(), Codec::Plain, limits))?;
    let records = no_bug(read(&input, fields))?;
    Some((input, records))
}

fuzz_target!(|data: &[u8]| FILES.with(|[lines, either]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let file = if choice & 1 == 0 { lines } else { either };
    let fields = if choice & 2 == 0 { usual_fields() } else { Fields::default() };
    let max_record_bytes = if choice & 4 == 0 { LARGE.max_record_bytes } else { 40 };
    let path = file.holding(data);

    let limits = Limits { max_record_bytes, ..LARGE };
    let Some((input, large)) = records(path, &fields, limits) else { return };
    let unit_bytes = usize::from(choice >> 3) + 1;
    let Some((_, small)) = records(path, &fields, Limits { unit_bytes, ..limits }) else {
        panic!("what large units read small ones read too")
    };
    let good = |records: Vec<Vec<Seen>>| -> Vec<Seen> { records.into_iter().flatten().collect() };

    let kept = copy(&input, &large).expect("lines can be copied");
    let bytes: Vec<u8> = kept
        .into_iter()
        .flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            other => panic!("lines became {other:?}"),
        })
        .collect();
    let large = good(large);
    assert_eq!(large, good(small));
    let Some((_, again)) = records(lines.holding(&bytes), &fields, LARGE) else {
        panic!("kept lines are lines")
    };
    let kept: Vec<Seen> = large.into_iter().filter(Seen::is_good).collect();
    assert_eq!(good(again), kept);
}));
