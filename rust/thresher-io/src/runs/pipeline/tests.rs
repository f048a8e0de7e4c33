//! Panics in each part of a pass. Each would leave the other parts waiting for ever if it were not caught; so the
//! tests wait with a limit, which says that something hangs and measures nothing.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::codec::Codec;
use crate::readers::jsonl::{JsonlInput, Limits};

/// As many units as a file has lines.
const UNITS: usize = 50;
const HANGS: Duration = Duration::from_mins(1);

/// Which part panics, and at which unit.
#[derive(Clone, Copy, Debug)]
enum Part {
    Init,
    Work(usize),
    Receive(usize),
}

fn lines() -> (tempfile::TempDir, Vec<Source>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{}\n".repeat(UNITS)).unwrap();
    let limits = Limits { unit_bytes: 1, ..Limits::default() };
    let input = JsonlInput::open(path, "a.jsonl".into(), Codec::Plain, limits).unwrap();
    (folder, vec![Source::Lines(input, Codec::Plain)])
}

fn pass(part: Option<Part>, threads: usize) -> (Result<()>, usize) {
    let (_folder, sources) = lines();
    let mut received = 0;
    let panic_at = |here: bool| assert!(!here, "planned");
    let result = for_each_unit(
        &sources,
        threads,
        &Progress::default(),
        || panic_at(matches!(part, Some(Part::Init))),
        |(), _, unit| {
            panic_at(matches!(part, Some(Part::Work(at)) if at == unit.index));
            Ok(unit.index)
        },
        |_, index| {
            assert_eq!(index, received);
            panic_at(matches!(part, Some(Part::Receive(at)) if at == index));
            received += 1;
            Ok(())
        },
    );
    (result, received)
}

#[test]
fn every_unit_is_received_in_order() {
    for threads in [1, 2, 7] {
        let (result, received) = pass(None, threads);
        result.unwrap();
        assert_eq!(received, UNITS);
    }
}

#[test]
fn a_panic_in_any_part_ends_the_pass_with_an_internal_error() {
    let last = UNITS - 1;
    let parts = [
        Part::Init,
        Part::Work(0),
        Part::Work(3),
        Part::Work(last),
        Part::Receive(0),
        Part::Receive(3),
        Part::Receive(last),
    ];
    for threads in [1, 2, 5] {
        for part in parts {
            let (send, receive) = mpsc::channel();
            std::thread::spawn(move || send.send(pass(Some(part), threads).0));
            let result =
                receive.recv_timeout(HANGS).unwrap_or_else(|_| panic!("{part:?} on {threads} hangs"));
            let error = result.unwrap_err();
            assert!(
                matches!(&error, Error::Internal(message) if message.contains("planned")),
                "{part:?}: {error}"
            );
        }
    }
}
