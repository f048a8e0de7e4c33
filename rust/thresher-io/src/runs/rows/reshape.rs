//! Steps that make new rows of rows: each row becomes one, several, or none.
//!
//! New rows are data, so they are written as they are made; where each came from is in the ledger of the pass. Both outlive the
//! process, each in its own time: the next run of the same goes on where the one that came less far stopped, and a unit that
//! only one of them lacks is made again for that one alone.

use std::path::Path;
use std::time::Instant;

use arrow_array::{RecordBatch, StringArray};
use serde_json::Value as Json;
use thresher_core::Observer;
use thresher_core::json::{Fields, Json as Row};

use super::shape::{self, Shape};
use super::write::{Forms, KnownColumns};
use super::{RowsReport, RowsRun};
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Input, Piece, Position, Scratch, Unit, Written};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::aside::count_bad;
use crate::runs::books::Count;
use crate::runs::fields::{FieldWatch, FormatWatch, Having};
use crate::runs::ledger::{Earlier, Ledger, LedgerWriter, StepBooks, UnitBooks, UnitRows};
use crate::runs::output::{DataFiles, RunOutput};
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::resume::{self, EVERY};
use crate::runs::steps::{Found, Refusal, evidence};
use crate::runs::survey::{survey, surveyed};
use crate::writers::Means;

/// Steps of the progress.
const SHAPE: usize = 4;
const ROWS: usize = 5;
/// The columns that the rows have, beside the ledger.
const COLUMNS: &str = "columns";

/// A step that makes new rows of rows.
pub trait Reshape: Send + Sync {
    /// The chat format that it takes the rows for. If none of many rows has its fields, that is an error of its name.
    fn format(&self) -> Option<&str> {
        None
    }

    /// What is read of a row: its text and its id, or all of it as a JSON object.
    fn fields(&self) -> Fields {
        Fields::default()
    }

    /// The columns of the new rows, if they are known before the first one. Then its workers make columns, else lines.
    fn columns(&self) -> Option<KnownColumns> {
        None
    }

    /// Bytes of what it holds for all threads, such as a model. They count against `--memory`.
    fn resident_bytes(&self) -> u64 {
        0
    }

    /// What one thread works with.
    fn worker(&self) -> Box<dyn ReshapeWorker + '_>;

    /// What the step reports of all rows, from what its workers found in each unit, in order.
    ///
    /// # Errors
    /// `Error::Internal` for what no worker of it has found.
    fn summary(&self, inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        let _ = inputs;
        for found in found {
            found?;
        }
        Ok(Json::Null)
    }
}

/// One thread of a reshape.
pub trait ReshapeWorker {
    /// Makes new rows of a row.
    ///
    /// # Errors
    /// Why nothing becomes of it; it goes to quarantine then, and lines that were made of it mean nothing. Of columns, nothing may
    /// have been made.
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal>;

    /// The new rows since the last call, where the step says its columns. It is asked for behind each unit.
    fn columns(&mut self) -> Option<RecordBatch> {
        None
    }

    /// What was found since the last call, for the report. It is asked for behind each unit.
    fn found(&mut self) -> String {
        String::new()
    }
}

/// New rows of a unit, as lines, or as columns that the worker keeps until the end of the unit.
#[derive(Debug, Default)]
pub struct NewRows {
    lines: String,
    ends: Vec<usize>,
    /// Of each row in columns, the slot of the row that it was made of, and its id.
    made_of: Vec<(u32, Option<String>)>,
    columns: Option<RecordBatch>,
    stopped: Option<String>,
}

impl NewRows {
    /// Where the next row is written: one JSON object, without a line end.
    pub fn text(&mut self) -> &mut String {
        &mut self.lines
    }

    /// The row that was written is complete.
    pub fn end(&mut self) {
        self.lines.push('\n');
        self.ends.push(self.lines.len());
    }

    /// A row that was made of this one was added to the columns.
    pub fn in_columns(&mut self, of: &Record<'_>) {
        self.made_of.push((of.slot, of.id.as_ref().map(ToString::to_string)));
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.ends.len() + self.made_of.len()
    }

    /// The lines.
    pub(super) fn take_lines(&mut self) -> String {
        std::mem::take(&mut self.lines)
    }

    /// The columns, and the names of what each row was made of: ids, or what `name` calls the slots.
    pub(super) fn take_columns(
        &mut self,
        name: impl Fn(u32) -> Result<String>,
    ) -> Result<Option<(StringArray, RecordBatch)>> {
        let made_of = std::mem::take(&mut self.made_of).into_iter();
        let names = made_of.map(|(slot, id)| id.map_or_else(|| name(slot), Ok));
        let names = StringArray::from_iter_values(names.collect::<Result<Vec<_>>>()?);
        Ok(self.columns.take().map(|columns| (names, columns)))
    }

    /// The run ends with this as its error: a sentence that goes on behind the place of the row.
    pub fn stop(&mut self, message: impl Into<String>) {
        self.stopped.get_or_insert(message.into());
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.lines.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// A reshape and its name in the evidence.
pub(crate) struct NamedReshape<'n> {
    pub(crate) name: &'n str,
    pub(crate) reshape: &'n dyn Reshape,
}

impl evidence::Steps for NamedReshape<'_> {
    fn names(&self) -> Vec<&str> {
        vec![self.name]
    }

    fn removes(&self, _: usize) -> bool {
        false
    }

    fn summary(
        &self,
        _: usize,
        inputs: &[String],
        found: &mut dyn Iterator<Item = Result<Found>>,
    ) -> Result<Json> {
        self.reshape.summary(inputs, found)
    }
}

/// What became of all rows.
pub(crate) struct AllMade {
    pub(crate) ledger: Ledger,
    pub(crate) written: Vec<Written>,
    /// How much of it an earlier run did.
    pub(crate) earlier: Count,
}

/// What became of a unit.
struct Made {
    new: NewRows,
    num_rows: u64,
    rows: Vec<u8>,
    books: UnitBooks,
    bad: BadRecords,
    /// Rows with an id.
    ids: u64,
}

struct RowVisitor<'v, 'w> {
    worker: &'v mut (dyn ReshapeWorker + 'w),
    /// Every string has to be one that UTF-8 can carry.
    columnar: bool,
    new: NewRows,
    rows: UnitRows,
    books: UnitBooks,
    bad: BadRecords,
    ids: u64,
}

impl Visitor for RowVisitor<'_, '_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let (start, before, slot) = (self.new.ends.len(), self.new.count(), record.slot);
        self.ids += u64::from(record.id.is_some());
        self.books.read.add(1, record.bytes);
        self.rows.kept.resize(slot as usize, false);
        let mut worked = self.worker.row(&record, &mut self.new);
        if let Some(message) = self.new.stopped.take() {
            self.books.stopped = Some((slot, message));
            return Err(Error::Cancelled);
        }
        let made = self.new.count() - before;
        if worked.is_ok() && self.columnar {
            let from = start.checked_sub(1).map_or(0, |last| self.new.ends[last]);
            let mut lines = self.new.lines[from..].lines();
            worked = lines.try_for_each(|line| shape::check_text(Row::checked(line)).map_err(Refusal::from));
        }
        match worked {
            Ok(()) => {
                self.books.kept.add(1, record.bytes);
                self.rows.kept.push(true);
                if made != 1 {
                    self.rows.made.push((slot, made as u32));
                    self.books.made += (made as u64).saturating_sub(1);
                    self.books.empty.add(u64::from(made == 0), if made == 0 { record.bytes } else { 0 });
                }
            }
            Err(Refusal { reason, detail }) => {
                self.new.truncate(start);
                let Record { offset, text, bytes, .. } = record;
                self.rows.kept.push(false);
                self.bad.push(BadRecord { slot, offset, reason, detail, raw: text.as_bytes(), bytes });
            }
        }
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

/// Makes new rows of a unit.
fn made(
    worker: &mut (dyn ReshapeWorker + '_),
    scratch: &mut Scratch,
    columnar: bool,
    fields: &Fields,
    input: &dyn Input,
    unit: &Unit,
) -> Result<Made> {
    let mut visitor = RowVisitor {
        worker,
        columnar,
        new: NewRows::default(),
        rows: UnitRows::default(),
        books: UnitBooks::default(),
        bad: BadRecords::default(),
        ids: 0,
    };
    match input.read(unit, fields, None, scratch, &mut visitor) {
        // The step has ended the run; that counts when the turn of the unit comes.
        Err(Error::Cancelled) if visitor.books.stopped.is_some() => {}
        read => read?,
    }
    let RowVisitor { worker, mut new, rows, mut books, bad, ids, .. } = visitor;
    new.columns = worker.columns();
    let in_columns = new.columns.as_ref().map_or(0, RecordBatch::num_rows);
    if in_columns != new.made_of.len() {
        let said = new.made_of.len();
        return Err(Error::Internal(format!("a step made {said} rows, but its columns have {in_columns}")));
    }
    books.index = unit.index;
    books.next_offset = unit.after().offset;
    books.slots = rows.kept.len() as u32;
    books.read.bytes = input.extent(unit).unwrap_or(books.read.bytes + books.blank_bytes);
    let stored = String::from_utf8(bad.to_json()?).map_err(|error| Error::Internal(error.to_string()))?;
    books.steps.push(StepBooks { removed: Vec::new(), bad: stored, found: worker.found() });
    Ok(Made { num_rows: new.count() as u64, new, rows: rows.to_bytes()?, books, bad, ids })
}

impl RowsRun<'_> {
    /// Makes new rows of all rows, and writes them.
    ///
    /// # Errors
    /// Those of the pass.
    pub(crate) fn reshape(&mut self, named: &NamedReshape<'_>, folder: &Path) -> Result<(RowsReport, Json)> {
        let AllMade { ledger, written, earlier } = self.make_all(named, &folder.join(super::LEDGER))?;
        self.plan.notes.extend(resume::note(earlier));
        let done = self.evidence(&ledger, named)?;
        let rows = ledger.input_rows(self.plan.sources.len())?;
        let summary = done.summary.clone();
        Ok((self.report(done, rows, written)?, summary))
    }

    /// Makes new rows of all rows behind what an earlier run has done, with a ledger of where they came from in `folder`.
    ///
    /// # Errors
    /// I/O failures, rows that are of another format, the first bad row of a strict run, a row at which the step ends the run, and
    /// the wish to stop.
    pub(crate) fn make_all(&self, named: &NamedReshape<'_>, folder: &Path) -> Result<AllMade> {
        let output = self.output.as_ref();
        let output = output.ok_or_else(|| Error::Internal("new rows have no output".into()))?;
        let threads = self.crew.threads();
        if output.is_stream() {
            // What went to standard output cannot be taken back.
            survey(&self.plan.sources, threads, self.progress)?;
        }
        let mut goes_on = true;
        let made = surveyed(&self.plan.sources, threads, self.progress, || {
            // A pass that begins anew, since there is damage, does not trust what was done before.
            if !std::mem::take(&mut goes_on) {
                LedgerWriter::start_over(folder)?;
                if !output.is_stream() {
                    output.start_over()?;
                }
            }
            self.make(named.reshape, output, folder)
        })?;
        self.plan.check_unchanged()?;
        Ok(made)
    }

    fn make(&self, reshape: &dyn Reshape, output: &RunOutput, folder: &Path) -> Result<AllMade> {
        let sources = &self.plan.sources;
        let mut ledger = LedgerWriter::open(folder)?;
        let forms = self.forms(reshape, output, &folder.join(COLUMNS))?;
        self.begin(ROWS);
        let means = Means { memory: self.memory.output(), ..Means::new(&self.crew) };
        let create = |input: usize, means: &Means, from: Option<(&Checkpoint, GoOn<'_>)>| {
            forms.create(output, sources, input, means, from).map(Some)
        };
        let mut outputs =
            DataFiles::going_on_with(output, sources, &means, create, &|| self.progress.check())?;
        let (noted, written) = (ledger.positions(sources.len())?, outputs.from());
        let from: Vec<Position> = noted.iter().zip(&written).map(|(a, b)| a.earlier(*b)).collect();
        let mut watch = FormatWatch::new(sources);
        let Earlier { mut rows, read } = ledger.earlier(&from, self.progress, |unit, bad| {
            reshape.format().map_or(Ok(()), |format| watch.see(format, unit.kept.docs, bad))
        })?;
        let fields = reshape.fields();
        // What an earlier run has read had the fields.
        let mut fields_watch =
            (fields.text.is_some() && read.docs == 0).then(|| FieldWatch::new(sources, &fields));
        let memory = self.memory.without(reshape.resident_bytes())?;
        for_each_unit(
            Pass { from: &from, ..Pass::new(sources, &self.crew, self.progress, memory) },
            || (reshape.worker(), Scratch::default()),
            |(worker, scratch), input, unit| {
                let source = sources[input].input();
                let mut made =
                    made(&mut **worker, scratch, forms.is_columnar(input), &fields, source, &unit)?;
                self.progress.advance(made.books.read.docs, made.books.read.bytes);
                // Columns become a piece in order, when it is known which row is the first one.
                let piece =
                    if forms.are_known() { None } else { Some(forms.piece(input, made.new.take_lines())?) };
                Ok((made, piece))
            },
            |input, (mut made, piece): (Made, Option<Piece>)| {
                let source = sources[input].input();
                if let Some(format) = reshape.format() {
                    watch.see(format, made.books.kept.docs, &made.bad)?;
                }
                if let Some(watch) = &mut fields_watch {
                    watch.see(input, Having::of(made.books.kept.docs, &made.bad, made.ids, 0))?;
                }
                count_bad(self.progress, self.options.strict, source, rows[input], &made.bad)?;
                if let Some((slot, message)) = &made.books.stopped {
                    let row = rows[input] + u64::from(*slot);
                    return Err(Error::data(source.path(), format!("row {row} {message}")));
                }
                let first_row = rows[input];
                rows[input] += u64::from(made.books.slots);
                if made.books.index >= written[input].units {
                    let name = |slot: u32| (self.names)(input, &sources[input], first_row + u64::from(slot));
                    let piece = match piece {
                        Some(piece) => piece,
                        None => forms.known_piece(made.new.take_columns(name)?)?,
                    };
                    outputs.write(input, piece, made.num_rows, made.books.after())?;
                }
                made.books.input = input;
                if made.books.index >= noted[input].units {
                    ledger.add(&made.rows, &made.books)?;
                }
                Ok(())
            },
        )?;
        if let Some(format) = reshape.format() {
            watch.end(format)?;
        }
        if let Some(watch) = &fields_watch {
            watch.end()?;
        }
        let written = outputs.finish()?;
        Ok(AllMade { ledger: ledger.finish()?, written, earlier: read })
    }

    fn begin(&self, step: usize) {
        self.progress.begin(step, self.plan.sources.iter().map(|source| source.input().size_on_disk()).sum());
    }

    /// The formats of the outputs; for columns, all rows are worked on once, and what is found is noted in a file.
    fn forms(&self, reshape: &dyn Reshape, output: &RunOutput, noted: &Path) -> Result<Forms> {
        if let Some(columns) = reshape.columns() {
            return Forms::known(output, &self.plan.sources, &columns);
        }
        let mut forms = Forms::new(output, &self.plan.sources);
        if !forms.have_columns() {
            return Ok(forms);
        }
        self.begin(SHAPE);
        let (from, read) = forms.go_on(noted);
        self.progress.advance(read.docs, read.bytes);
        let mut since = Instant::now();
        let mixed = |input: usize, what: String| {
            let detail = format!("a column has one type, but `{what}`; write JSONL instead");
            Error::data(self.plan.sources[input].input().path(), detail)
        };
        for_each_unit(
            Pass { from: &from, ..Pass::new(&self.plan.sources, &self.crew, self.progress, self.memory) },
            || (reshape.worker(), Scratch::default()),
            |(worker, scratch), input, unit| {
                let after = unit.after();
                let source = self.plan.sources[input].input();
                let made = made(&mut **worker, scratch, true, &reshape.fields(), source, &unit)?;
                self.progress.advance(made.books.read.docs, made.books.read.bytes);
                let mut shape = Shape::default();
                for line in made.new.lines.lines() {
                    let row = Shape::of(Row::checked(line)).and_then(|row| shape.merge(row));
                    row.map_err(|what| mixed(input, what))?;
                }
                Ok((shape, after, made.books.read))
            },
            |input, (shape, after, read)| {
                forms.widen(input, shape, after, read).map_err(|what| mixed(input, what))?;
                if since.elapsed() >= EVERY {
                    since = Instant::now();
                    forms.note(noted)?;
                }
                Ok(())
            },
        )?;
        forms.settle().map_err(|what| mixed(0, what))?;
        if noted.exists() {
            forms.note(noted)?;
        }
        Ok(forms)
    }
}
