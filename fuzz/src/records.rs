//! What a reader hands over, as values that can be compared.

use thresher_core::json::{FieldPath, Fields};
use thresher_io::input::{Input, Piece, Position, Scratch};
use thresher_io::record::{BadRecord, Reason, Record, Visitor};
use thresher_io::{Error, Result};

/// One record: its text, id and rank, or why it was set aside.
#[derive(Debug, PartialEq)]
pub enum Seen {
    Good { text: String, id: Option<String>, rank: Option<String> },
    Bad(Reason),
}

impl Seen {
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good { .. })
    }
}

#[derive(Default)]
struct Collect(Vec<Seen>);

impl Visitor for Collect {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        assert_eq!(record.slot as usize, self.0.len(), "slots come in order and none is left out");
        let (id, rank) = (record.id.map(|id| format!("{id:?}")), record.rank.map(|rank| format!("{rank:?}")));
        self.0.push(Seen::Good { text: record.text.to_owned(), id, rank });
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        assert_eq!(bad.slot as usize, self.0.len(), "slots come in order and none is left out");
        self.0.push(Seen::Bad(bad.reason));
        Ok(())
    }
}

/// The fields `text`, `id` and `n`.
pub fn usual_fields() -> Fields {
    let path = |name: &str| FieldPath::parse(name).ok();
    Fields { text: path("text"), id: path("id"), rank: path("n") }
}

/// The records of every unit, or the error that ends a run over them: the input is no file of its format.
pub fn read(input: &dyn Input, fields: &Fields) -> Result<Vec<Vec<Seen>>> {
    let (mut read, mut scratch) = (Vec::new(), Scratch::default());
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| Ok(()))? {
        let mut seen = Collect::default();
        input.read(&unit, fields, None, &mut scratch, &mut seen)?;
        read.push(seen.0);
    }
    Ok(read)
}

/// The good records of every unit as the writer gets them, but for those that the input says it cannot copy.
pub fn copy(input: &dyn Input, records: &[Vec<Seen>]) -> Result<Vec<Piece>> {
    let (mut pieces, mut scratch) = (Vec::new(), Scratch::default());
    let mut cutter = input.cut(Position::default())?;
    while let Some(unit) = cutter.next(&|| Ok(()))? {
        let mut keep: Vec<bool> = records[unit.index].iter().map(Seen::is_good).collect();
        input.uncopyable(&unit)?.into_iter().for_each(|(slot, _)| keep[slot as usize] = false);
        pieces.push(input.copy(unit, &keep, &mut scratch)?);
    }
    Ok(pieces)
}

/// The error, unless it is one that a malformed file may cause. An internal error is a bug of ours.
pub fn no_bug<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error @ (Error::Internal(_) | Error::Uncopyable { .. })) => panic!("{error}"),
        Err(_) => None,
    }
}
