//! The first pass of a mix: how large each row is and which cell it belongs to, in a ledger.
//!
//! Of columns only those are decoded that say so; if it turns out that a row cannot be copied, all are (`thorough`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use serde::{Deserialize, Serialize};
use thresher_core::Observer;
use thresher_core::json::Fields;

use super::look::{Look, Looker, Seen, Unsized};
use crate::codec::DataFormat;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::{Scratch, Unit};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Reason, Record, Visitor};
use crate::runs::aside::count_bad;
use crate::runs::books::Count;
use crate::runs::ledger::{Earlier, Ledger, LedgerWriter, StepBooks, UnitBooks, UnitRows};
use crate::runs::memory::Memory;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::surveyed;

/// The step of the progress.
const ROWS: usize = 5;
/// The columns of the ledger.
pub(super) const CELL: &str = "cell";
pub(super) const SIZE: &str = "size";
pub(super) const BYTES: &str = "bytes";

/// A pass over the rows of all sources.
#[derive(Clone, Copy)]
pub(super) struct Measure<'m> {
    pub(super) sources: &'m [Source],
    /// The source of the mix that each input belongs to.
    pub(super) of_inputs: &'m [usize],
    pub(super) look: &'m Look,
    pub(super) crew: &'m Crew,
    pub(super) memory: Memory,
    pub(super) progress: &'m Progress,
    pub(super) strict: bool,
    pub(super) thorough: bool,
}

/// What a unit adds up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Documents and size of each cell.
    pub(super) cells: BTreeMap<usize, (u64, u64)>,
    /// Rows that had something in each field of the wishes.
    pub(super) had: Vec<u64>,
}

impl Measure<'_> {
    /// Looks at everything behind what an earlier run has seen, and leaves a ledger in `folder`; says how much the earlier run did.
    ///
    /// # Errors
    /// I/O failures, the first bad row of a strict run, and the wish to stop.
    pub(super) fn run(&self, folder: &Path) -> Result<(Ledger, Count)> {
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
            || (self.look.looker(), Scratch::default()),
            |(looker, scratch), input, unit| {
                let measured = self.unit(looker, scratch, input, &unit)?;
                self.progress.advance(measured.1.read.docs, measured.1.read.bytes);
                Ok(measured)
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

    fn unit(
        &self,
        looker: &mut Looker<'_>,
        scratch: &mut Scratch,
        input: usize,
        unit: &Unit,
    ) -> Result<(Vec<u8>, UnitBooks, BadRecords)> {
        let source = &self.sources[input];
        let mut measured = Measured::new(looker, self.of_inputs[input] * self.look.kinds());
        let is_columnar = source.is_readable() && source.format() != Some(DataFormat::Jsonl);
        if is_columnar {
            self.columns(source, unit, &mut measured)?;
        } else {
            source.input().read(unit, &Fields::default(), None, scratch, &mut measured)?;
            let read = &mut measured.books.read;
            read.bytes = source.input().extent(unit).unwrap_or(read.bytes + measured.books.blank_bytes);
        }
        measured.done(unit)
    }

    /// Rows of columns, of which the books count the bytes of the unit.
    fn columns(&self, source: &Source, unit: &Unit, measured: &mut Measured<'_, '_>) -> Result<()> {
        let mut uncopyable = if self.thorough { source.input().uncopyable(unit)? } else { Vec::new() };
        uncopyable.reverse();
        let names: Vec<&str> = self
            .look
            .measured()
            .into_iter()
            .chain(self.look.fields())
            .map(|path| path.parts()[0].as_str())
            .collect();
        source.columns(unit, &names, &mut |slots, batch| {
            let seen = match batch {
                Ok(batch) => measured.looker.batch(&batch)?,
                Err(message) => vec![Err((Reason::Corrupt, message.to_owned())); slots.len()],
            };
            for (&slot, mut seen) in slots.iter().zip(seen) {
                if let Some((_, detail)) = uncopyable.pop_if(|(bad, _)| *bad == slot) {
                    seen = Err((Reason::Corrupt, detail));
                }
                measured.take(slot, 0, &[], 0, seen);
            }
            Ok(())
        })?;
        let rows = measured.kept.len() as u64;
        // Each good row has an even part of the bytes.
        let good = measured.bytes.len() as u64;
        let bytes = if good > 0 { unit.weight } else { 0 };
        measured.books.read = Count { docs: rows, bytes };
        measured.books.kept.bytes = bytes;
        for (at, bytes) in (0..).zip(&mut measured.bytes) {
            *bytes = unit.weight / good + u64::from(at < unit.weight % good);
        }
        Ok(())
    }
}

/// What is known of a unit so far.
struct Measured<'m, 'l> {
    looker: &'m mut Looker<'l>,
    /// The first cell of the source.
    first: usize,
    kept: Vec<bool>,
    cells: Vec<u32>,
    sizes: Vec<u64>,
    /// Bytes of the inputs.
    bytes: Vec<u64>,
    sums: Sums,
    books: UnitBooks,
    bad: BadRecords,
}

impl<'m, 'l> Measured<'m, 'l> {
    fn new(looker: &'m mut Looker<'l>, first: usize) -> Self {
        Self {
            looker,
            first,
            kept: Vec::new(),
            cells: Vec::new(),
            sizes: Vec::new(),
            bytes: Vec::new(),
            sums: Sums::default(),
            books: UnitBooks::default(),
            bad: BadRecords::default(),
        }
    }

    /// Takes a row with what is seen in it.
    fn take(
        &mut self,
        slot: u32,
        offset: u64,
        raw: &[u8],
        bytes: u64,
        seen: std::result::Result<Seen, Unsized>,
    ) {
        self.kept.resize(slot as usize, false);
        self.kept.push(seen.is_ok());
        match seen {
            Ok(Seen { size, kind }) => {
                let cell = self.first + kind;
                let sums = self.sums.cells.entry(cell).or_default();
                *sums = (sums.0 + 1, sums.1.saturating_add(size));
                self.cells.push(cell as u32);
                self.sizes.push(size);
                self.bytes.push(bytes);
                self.books.kept.add(1, bytes);
            }
            Err((reason, detail)) => self.bad.push(BadRecord { slot, offset, reason, detail, raw, bytes }),
        }
    }

    fn done(mut self, unit: &Unit) -> Result<(Vec<u8>, UnitBooks, BadRecords)> {
        self.sums.had = self.looker.had();
        let json =
            |sums: &Sums| serde_json::to_string(sums).map_err(|error| Error::Internal(error.to_string()));
        let found = json(&self.sums)?;
        let stored =
            String::from_utf8(self.bad.to_json()?).map_err(|error| Error::Internal(error.to_string()))?;
        let mut books = self.books;
        (books.index, books.next_offset) = (unit.index, unit.after().offset);
        books.slots = self.kept.len() as u32;
        books.steps.push(StepBooks { removed: Vec::new(), bad: stored, found });
        let columns: [(&str, ArrayRef); 3] = [
            (CELL, Arc::new(UInt32Array::from(self.cells))),
            (SIZE, Arc::new(UInt64Array::from(self.sizes))),
            (BYTES, Arc::new(UInt64Array::from(self.bytes))),
        ];
        let added =
            RecordBatch::try_from_iter(columns).map_err(|error| Error::Internal(error.to_string()))?;
        let rows = UnitRows { kept: self.kept, added: Some(added), ..UnitRows::default() };
        Ok((rows.to_bytes()?, books, self.bad))
    }
}

impl Visitor for Measured<'_, '_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let Record { slot, offset, text, bytes, .. } = record;
        self.books.read.add(1, bytes);
        let seen = self.looker.row(text)?;
        self.take(slot, offset, text.as_bytes(), bytes, seen);
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.books.read.add(1, bad.bytes);
        self.kept.resize(bad.slot as usize + 1, false);
        self.bad.push(bad);
        Ok(())
    }

    fn absent(&mut self, slot: u32) {
        self.kept.resize(slot as usize + 1, false);
    }

    fn blank(&mut self, bytes: u64) {
        self.books.blank_bytes += bytes;
    }
}
