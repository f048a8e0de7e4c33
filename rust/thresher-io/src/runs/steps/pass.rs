//! One pass of row steps over the inputs, which leaves a ledger.

use std::path::Path;

use thresher_core::Observer;
use thresher_core::json::Fields;

use super::Sees;
use super::fused::{Done, Fused};
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::Scratch;
use crate::quarantine::BadRecords;
use crate::record::Reason;
use crate::runs::aside::count_bad;
use crate::runs::books::Count;
use crate::runs::fields::{FieldWatch, FormatWatch, Having};
use crate::runs::ledger::{Earlier, Ledger, LedgerWriter, UnitBooks};
use crate::runs::memory::Memory;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::runs::survey::surveyed;

/// The step of the progress.
const ROWS: usize = 5;

/// What a pass of row steps goes over.
#[derive(Clone, Copy)]
pub(crate) struct RowPass<'p> {
    pub(crate) sources: &'p [Source],
    pub(crate) crew: &'p Crew,
    pub(crate) memory: Memory,
    pub(crate) progress: &'p Progress,
    /// The first bad row ends the run, unless the step is for finding them.
    pub(crate) strict: bool,
}

impl RowPass<'_> {
    /// Does the steps on every row behind what an earlier run has done in `folder`, and leaves a ledger there; says how much the
    /// earlier run did.
    ///
    /// # Errors
    /// I/O failures, fields that no row has, the first bad row of a strict run, a row at which a step ends the run, and the wish
    /// to stop.
    pub(crate) fn run(&self, fused: &Fused, folder: &Path) -> Result<(Ledger, Count)> {
        let mut goes_on = true;
        surveyed(self.sources, self.crew.threads(), self.progress, || {
            // A pass that begins anew, since there is damage, does not trust what was done before.
            if !std::mem::take(&mut goes_on) {
                LedgerWriter::start_over(folder)?;
            }
            self.attempt(fused, LedgerWriter::open(folder)?)
        })
    }

    fn attempt(&self, fused: &Fused, mut writer: LedgerWriter) -> Result<(Ledger, Count)> {
        let sources = self.sources;
        self.progress.begin(ROWS, sources.iter().map(|source| source.input().size_on_disk()).sum());
        let watched = watched(fused);
        let mut watch = Watch::new(fused, sources, &watched);
        let from = writer.positions(sources.len())?;
        let Earlier { mut rows, read } = writer.earlier(&from, self.progress, |_, _| Ok(()))?;
        watch.is_settled = read.docs > 0;
        for_each_unit(
            Pass { from: &from, ..Pass::new(sources, self.crew, self.progress, self.memory) },
            || (fused.workers(), Scratch::default()),
            |(workers, scratch), input, unit| {
                let done = fused.unit(workers, scratch, sources[input].input(), &unit)?;
                self.progress.advance(done.books.read.docs, done.books.read.bytes);
                Ok(done)
            },
            |input, mut done: Done| {
                let source = sources[input].input();
                watch.see(input, &done)?;
                for (bad, named) in done.bad.iter().zip(fused.steps()) {
                    let strict = self.strict && named.step.is_strict();
                    count_bad(self.progress, strict, source, rows[input], bad)?;
                }
                if let Some((slot, message)) = &done.books.stopped {
                    let row = rows[input] + u64::from(*slot);
                    return Err(Error::data(source.path(), format!("row {row} {message}")));
                }
                rows[input] += u64::from(done.books.slots);
                done.books.input = input;
                writer.add_with(&done.rows, &done.signals, &done.books)
            },
        )?;
        watch.end()?;
        Ok((writer.finish()?, read))
    }
}

/// The fields that the rows must have: those of the first step that sees texts, and the id.
fn watched(fused: &Fused) -> Fields {
    let text = fused.steps().iter().find_map(|named| match named.step.sees() {
        Sees::Text(field) => Some(field),
        Sees::Row => None,
    });
    Fields { text, id: fused.fields().id.clone(), rank: None }
}

/// Tells a wrong field, or a wrong format, from rows that lack it by chance.
struct Watch<'w> {
    fused: &'w Fused,
    fields: FieldWatch<'w>,
    formats: Vec<FormatWatch<'w>>,
    /// The first step that sees texts.
    texts: Option<usize>,
    /// An earlier run came past this.
    is_settled: bool,
}

impl<'w> Watch<'w> {
    fn new(fused: &'w Fused, sources: &'w [Source], fields: &'w Fields) -> Self {
        Self {
            fused,
            fields: FieldWatch::new(sources, fields),
            formats: fused.steps().iter().map(|_| FormatWatch::new(sources)).collect(),
            texts: fused.steps().iter().position(|named| matches!(named.step.sees(), Sees::Text(_))),
            is_settled: false,
        }
    }

    fn see(&mut self, input: usize, done: &Done) -> Result<()> {
        if self.is_settled {
            return Ok(());
        }
        if let Some(bad) = self.texts.and_then(|at| done.bad.get(at)) {
            let of_fields =
                [Reason::MissingText, Reason::NullText, Reason::TextNotString, Reason::LoneSurrogate];
            let is_whole = self.fused.fields().text.is_none();
            let lacking: u64 =
                if is_whole { of_fields.iter().map(|&reason| bad.docs_of(reason)).sum() } else { 0 };
            let docs =
                seen_by(&done.books, &done.bad, self.texts.unwrap_or_default()).saturating_sub(lacking);
            self.fields.see(input, Having::of(docs, bad, done.ids, 0))?;
        }
        for (at, (watch, named)) in self.formats.iter_mut().zip(self.fused.steps()).enumerate() {
            if let Some(format) = named.step.format() {
                let good = seen_by(&done.books, &done.bad, at)
                    - done.bad[at].tally().docs.min(seen_by(&done.books, &done.bad, at));
                watch.see(format, good, &done.bad[at])?;
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<()> {
        if self.is_settled {
            return Ok(());
        }
        if self.texts.is_some() {
            self.fields.end()?;
        }
        for (watch, named) in self.formats.iter().zip(self.fused.steps()) {
            if let Some(format) = named.step.format() {
                watch.end(format)?;
            }
        }
        Ok(())
    }
}

/// Readable rows of a unit that the step at `at` saw.
fn seen_by(books: &UnitBooks, bad: &[BadRecords], at: usize) -> u64 {
    let gone: u64 = (0..at).map(|step| bad[step].tally().docs + books.steps[step].removed.len() as u64).sum();
    books.read.docs - gone.min(books.read.docs)
}
