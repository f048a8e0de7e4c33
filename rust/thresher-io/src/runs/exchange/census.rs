//! Which rows there are, and which cannot be used: a pass that asks nothing more of them, and leaves a ledger.
//!
//! Of lines each is checked to be one JSON object. Rows of columns are counted by what the footer says, without decoding any; only
//! if one turns out not to be copyable does the census look at all of them (`thorough`).

use std::path::Path;

use serde_json::Value as Json;
use thresher_core::Observer;
use thresher_core::json::Fields;

use crate::crew::Crew;
use crate::error::Result;
use crate::input::{Payload, Scratch, Unit};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Reason, Record, Visitor};
use crate::runs::aside::count_bad;
use crate::runs::books::Count;
use crate::runs::ledger::{Earlier, Ledger, LedgerWriter, StepBooks, UnitBooks, UnitRows};
use crate::runs::memory::Memory;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::steps::{Found, evidence};
use crate::runs::survey::surveyed;

/// The step of the progress.
const ROWS: usize = 5;

/// A pass over rows that are to be exchanged.
#[derive(Clone, Copy)]
pub(crate) struct Census<'c> {
    pub(crate) sources: &'c [Source],
    pub(crate) crew: &'c Crew,
    pub(crate) memory: Memory,
    pub(crate) progress: &'c Progress,
    /// The first bad row ends the run.
    pub(crate) strict: bool,
    /// Decode every column to find rows that cannot be copied.
    pub(crate) thorough: bool,
}

impl Census<'_> {
    /// Looks at everything behind what an earlier run has seen, and leaves a ledger in `folder`; says how much the earlier run did.
    ///
    /// # Errors
    /// I/O failures, the first bad row of a strict run, and the wish to stop.
    pub(crate) fn run(&self, folder: &Path) -> Result<(Ledger, Count)> {
        let mut goes_on = true;
        surveyed(self.sources, self.crew.threads(), self.progress, || {
            // A pass that begins anew, since there is damage, does not trust what was done before.
            if !std::mem::take(&mut goes_on) {
                LedgerWriter::start_over(folder)?;
            }
            self.attempt(LedgerWriter::open(folder)?)
        })
    }

    fn attempt(&self, mut writer: LedgerWriter) -> Result<(Ledger, Count)> {
        let sources = self.sources;
        self.progress.begin(ROWS, sources.iter().map(|source| source.input().size_on_disk()).sum());
        let from = writer.positions(sources.len())?;
        let Earlier { mut rows, read } = writer.earlier(&from, self.progress, |_, _| Ok(()))?;
        for_each_unit(
            Pass { from: &from, ..Pass::new(sources, self.crew, self.progress, self.memory) },
            Scratch::default,
            |scratch, input, unit| {
                let seen = self.unit(&sources[input], &unit, scratch)?;
                self.progress.advance(seen.books.read.docs, seen.books.read.bytes);
                Ok((seen.rows.to_bytes()?, seen.books, seen.bad))
            },
            |input, (kept, mut books, bad)| {
                count_bad(self.progress, self.strict, sources[input].input(), rows[input], &bad)?;
                rows[input] += u64::from(books.slots);
                books.input = input;
                writer.add(&kept, &books)
            },
        )?;
        Ok((writer.finish()?, read))
    }

    fn unit(&self, source: &Source, unit: &Unit, scratch: &mut Scratch) -> Result<Seen> {
        let mut seen = Seen::default();
        let counted = match &unit.payload {
            _ if !source.is_readable() => None,
            Payload::RowGroup { rows, .. } => Some(*rows),
            Payload::Batch(Ok(batch)) => Some(batch.num_rows()),
            _ => None,
        };
        match counted {
            None => {
                source.input().read(unit, &Fields::default(), None, scratch, &mut seen)?;
                let blank = seen.books.blank_bytes;
                seen.books.read.bytes = source.input().extent(unit).unwrap_or(seen.books.read.bytes + blank);
            }
            Some(rows) => {
                seen.rows.kept = match source {
                    Source::Seen(input) => input.kept(unit, rows)?,
                    _ => vec![true; rows],
                };
                let docs = seen.rows.kept.iter().filter(|kept| **kept).count() as u64;
                // Each row has an even part of the bytes.
                let bytes = u128::from(unit.weight) * u128::from(docs) / rows.max(1) as u128;
                let bytes = bytes as u64;
                let bad = if self.thorough { source.input().uncopyable(unit)? } else { Vec::new() };
                for (slot, detail) in bad {
                    seen.rows.kept[slot as usize] = false;
                    seen.bad.push(BadRecord {
                        slot,
                        offset: 0,
                        reason: Reason::Corrupt,
                        detail,
                        raw: &[],
                        bytes: 0,
                    });
                }
                seen.books.read = Count { docs, bytes };
                let bad = seen.bad.tally().docs;
                seen.books.kept = Count { docs: docs - bad, bytes };
            }
        }
        let stored = String::from_utf8(seen.bad.to_json()?);
        let bad = stored.map_err(|error| crate::error::Error::Internal(error.to_string()))?;
        let books = &mut seen.books;
        (books.index, books.next_offset) = (unit.index, unit.after().offset);
        books.slots = seen.rows.kept.len() as u32;
        books.steps.push(StepBooks { removed: Vec::new(), bad, found: String::new() });
        Ok(seen)
    }
}

/// What is known of a unit.
#[derive(Default)]
struct Seen {
    rows: UnitRows,
    books: UnitBooks,
    bad: BadRecords,
}

impl Visitor for Seen {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.books.read.add(1, record.bytes);
        self.books.kept.add(1, record.bytes);
        self.rows.kept.resize(record.slot as usize, false);
        self.rows.kept.push(true);
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.books.read.add(1, bad.bytes);
        self.rows.kept.resize(bad.slot as usize + 1, false);
        self.bad.push(bad);
        Ok(())
    }

    fn absent(&mut self, slot: u32) {
        self.rows.kept.resize(slot as usize + 1, false);
    }

    fn blank(&mut self, bytes: u64) {
        self.books.blank_bytes += bytes;
    }
}

/// A census as the step of a verb, for its evidence.
pub(crate) struct CensusOf<'n>(pub(crate) &'n str);

impl evidence::Steps for CensusOf<'_> {
    fn names(&self) -> Vec<&str> {
        vec![self.0]
    }

    fn removes(&self, _: usize) -> bool {
        false
    }

    fn summary(&self, _: usize, _: &[String], _: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        Ok(Json::Null)
    }
}

/// The rows that a ledger keeps, and their bytes.
///
/// # Errors
/// I/O failures, and a damaged file.
pub(crate) fn kept(ledger: &Ledger) -> Result<Count> {
    let mut kept = Count::default();
    for unit in ledger.books() {
        let unit = unit?;
        kept.add(unit.kept.docs, unit.kept.bytes);
    }
    Ok(kept)
}
