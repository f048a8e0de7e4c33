//! Row steps that follow each other, as one: each row is read once and goes through all of them, up to the one that takes it out.

use std::borrow::Cow;
use std::iter::Peekable;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{FieldRef, Schema};
use thresher_core::json::{FieldPath, Fields};

use super::row::{edited_row, text_of};
use super::signals::{self, SignalRows};
use super::{Edits, Marks, Refusal, RowStep, RowWorker, Sees, Value, values};
use crate::error::{Error, Result};
use crate::input::{Input, Scratch, Unit};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Reason, Record, Visitor};
use crate::runs::ledger::{RemovedRow, StepBooks, UnitBooks, UnitRows};

/// A step and its name in the evidence, such as `2.filter`.
pub(crate) struct NamedStep {
    pub(crate) name: String,
    pub(crate) step: Box<dyn RowStep>,
}

/// Several steps in one pass.
pub(crate) struct Fused {
    steps: Vec<NamedStep>,
    /// What is read of a record.
    fields: Fields,
    /// The field of the texts that are edited.
    edited: Option<FieldPath>,
    columns: Vec<FieldRef>,
    /// What each step looks at.
    sees: Vec<Sees>,
    /// Where the columns of each step end among all.
    ends: Vec<usize>,
}

/// What became of a unit.
pub(crate) struct Done {
    /// [`UnitRows::to_bytes`].
    pub(crate) rows: Vec<u8>,
    /// What steps keep of their rows, as [`signals::to_bytes`] gives it.
    pub(crate) signals: Vec<u8>,
    pub(crate) books: UnitBooks,
    /// Bad records of each step; those that could not be read are the first one's.
    pub(crate) bad: Vec<BadRecords>,
    /// Rows with an id.
    pub(crate) ids: u64,
}

impl Fused {
    /// Joins steps.
    ///
    /// # Errors
    /// `Error::Parameter` for a column that two of them add, or texts of two fields that are edited.
    pub(crate) fn new(steps: Vec<NamedStep>) -> Result<Self> {
        let mut columns: Vec<FieldRef> = Vec::new();
        let (mut ends, mut edited, mut seen) = (Vec::new(), None, None);
        let sees: Vec<Sees> = steps.iter().map(|named| named.step.sees()).collect();
        let mut sees_rows = false;
        for (NamedStep { name, step }, sees) in steps.iter().zip(&sees) {
            for column in step.columns() {
                if columns.iter().any(|known| known.name() == column.name()) {
                    return Err(Error::Parameter(format!(
                        "step {name} adds the column `{}`, but a step before it does so already; give it another name",
                        column.name()
                    )));
                }
                columns.push(Arc::new(column));
            }
            ends.push(columns.len());
            match sees {
                Sees::Row => sees_rows = true,
                Sees::Text(field) => {
                    if step.edits() {
                        check_edited(name, edited.as_ref(), field)?;
                        edited = Some(field.clone());
                    }
                    // Texts of several fields are found in whole rows.
                    sees_rows |= seen.as_ref().is_some_and(|seen| seen != field);
                    seen.get_or_insert_with(|| field.clone());
                }
            }
        }
        let id = steps.iter().find_map(|named| named.step.id().cloned());
        let fields = Fields { text: seen.filter(|_| !sees_rows), id, rank: None };
        Ok(Self { steps, fields, edited, columns, sees, ends })
    }

    /// The steps.
    pub(crate) fn steps(&self) -> &[NamedStep] {
        &self.steps
    }

    /// The columns that they add.
    pub(crate) fn columns(&self) -> &[FieldRef] {
        &self.columns
    }

    /// The field whose texts they edit.
    pub(crate) fn edited(&self) -> Option<&FieldPath> {
        self.edited.as_ref()
    }

    /// What is read of a record.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Bytes that they hold for all threads.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.steps.iter().map(|named| named.step.resident_bytes()).sum()
    }

    /// What one thread works with.
    pub(crate) fn workers(&self) -> Workers<'_> {
        Workers {
            steps: self.steps.iter().map(|named| named.step.worker()).collect(),
            marks: Marks::default(),
        }
    }

    /// Takes a unit of an input through all steps.
    ///
    /// # Errors
    /// I/O failures, and what only a step with a bug does.
    pub(crate) fn unit(
        &self,
        workers: &mut Workers<'_>,
        scratch: &mut Scratch,
        input: &dyn Input,
        unit: &Unit,
    ) -> Result<Done> {
        // What text alone was read of may still not be copied, which would be found too late.
        let uncopyable = if self.fields.text.is_some() { input.uncopyable(unit)? } else { Vec::new() };
        let mut visitor = UnitVisitor {
            fused: self,
            workers,
            uncopyable: uncopyable.into_iter().peekable(),
            rows: UnitRows::default(),
            books: UnitBooks::default(),
            bad: self.steps.iter().map(|_| BadRecords::default()).collect(),
            values: vec![Vec::new(); self.columns.len()],
            of_row: Vec::new(),
            signals: self.steps.iter().map(|named| SignalRows::new(named.step.signals())).collect(),
            ids: 0,
        };
        visitor.books.steps.resize_with(self.steps.len(), StepBooks::default);
        match input.read(unit, &self.fields, None, scratch, &mut visitor) {
            // A step has ended the run; that counts when the turn of the unit comes.
            Err(Error::Cancelled) if visitor.books.stopped.is_some() => {}
            read => read?,
        }
        visitor.done(input, unit)
    }
}

/// Makes sure that all edits of a pipeline are of one field.
///
/// # Errors
/// `Error::Parameter` with both.
pub(crate) fn check_edited(step: &str, before: Option<&FieldPath>, field: &FieldPath) -> Result<()> {
    match before.filter(|before| *before != field) {
        None => Ok(()),
        Some(before) => Err(Error::Parameter(format!(
            "step {step} edits the texts of `{field}`, but a step before it edits those of `{before}`; edit one field in each run"
        ))),
    }
}

/// What one thread works with.
pub(crate) struct Workers<'s> {
    steps: Vec<Box<dyn RowWorker + 's>>,
    marks: Marks,
}

struct UnitVisitor<'v, 's> {
    fused: &'v Fused,
    workers: &'v mut Workers<'s>,
    uncopyable: Peekable<std::vec::IntoIter<(u32, String)>>,
    rows: UnitRows,
    books: UnitBooks,
    bad: Vec<BadRecords>,
    /// Values of kept rows, by column.
    values: Vec<Vec<Value>>,
    /// Those of the row that is being worked on.
    of_row: Vec<Value>,
    signals: Vec<SignalRows>,
    ids: u64,
}

impl Visitor for UnitVisitor<'_, '_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if let Some((_, detail)) = self.uncopyable.next_if(|(slot, _)| *slot == record.slot) {
            let Record { slot, offset, text, bytes, .. } = record;
            return self.bad(BadRecord {
                slot,
                offset,
                reason: Reason::Corrupt,
                detail,
                raw: text.as_bytes(),
                bytes,
            });
        }
        self.ids += u64::from(record.id.is_some());
        self.books.read.add(1, record.bytes);
        self.rows.kept.resize(record.slot as usize, false);
        let kept = self.work(&record)?;
        self.rows.kept.push(kept);
        if kept {
            self.books.kept.add(1, record.bytes);
        }
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        let _ = self.uncopyable.next_if(|(slot, _)| *slot == bad.slot);
        self.books.read.add(1, bad.bytes);
        self.rows.kept.resize(bad.slot as usize + 1, false);
        if let Some(first) = self.bad.first_mut() {
            first.push(bad);
        }
        Ok(())
    }

    fn absent(&mut self, slot: u32) {
        self.rows.kept.resize(slot as usize + 1, false);
    }

    fn blank(&mut self, bytes: u64) {
        self.books.blank_bytes += bytes;
    }
}

impl UnitVisitor<'_, '_> {
    /// Takes a record through the steps, and says whether it stays.
    fn work(&mut self, record: &Record<'_>) -> Result<bool> {
        let fused = self.fused;
        let is_row = fused.fields.text.is_none();
        let mut row = Cow::Borrowed(record.text);
        let mut edits = Edits::default();
        self.of_row.clear();
        for (at, NamedStep { name, step }) in fused.steps.iter().enumerate() {
            let sees = &fused.sees[at];
            let seen = match sees {
                Sees::Text(field) if is_row => match text_of(&row, field) {
                    Ok(text) => Cow::Owned(text),
                    Err(refusal) => {
                        self.refuse(at, record, refusal);
                        return Ok(false);
                    }
                },
                _ => Cow::Borrowed(&*row),
            };
            let marks = &mut self.workers.marks;
            marks.clear(record.slot);
            self.workers.steps[at].row(&seen, marks);
            if let Some(message) = marks.stopped.take() {
                self.books.stopped = Some((record.slot, message));
                return Err(Error::Cancelled);
            }
            if let Some(refusal) = marks.refused.take() {
                self.refuse(at, record, refusal);
                return Ok(false);
            }
            let id = || record.id.as_ref().map(ToString::to_string);
            self.signals[at].add(record.slot, id, &marks.signals).map_err(|what| bug(name, &what))?;
            if !marks.removed.is_empty() {
                let reasons = &marks.removed;
                let detail = joined(reasons.iter().map(|(_, detail)| detail.as_str()));
                self.books.steps[at].removed.push(RemovedRow {
                    slot: record.slot,
                    id: id(),
                    reasons: reasons.iter().map(|(reason, _)| (*reason).to_owned()).collect(),
                    detail,
                    bytes: record.bytes,
                });
                return Ok(false);
            }
            let mut own = Edits::default();
            for (span, new) in marks.spans.drain(..) {
                own.push(&seen, span, &new).map_err(|what| bug(name, &what))?;
            }
            let columns = fused.ends[at] - self.of_row.len();
            if marks.values.len() > columns {
                let what = format!("it has {columns} columns, but gave {} values", marks.values.len());
                return Err(bug(name, &what));
            }
            self.of_row.append(&mut marks.values);
            self.of_row.resize(fused.ends[at], Value::Null);
            if !own.is_empty() {
                if !step.edits() {
                    return Err(bug(name, "it edits a text, and does not say that it does"));
                }
                let text = own.apply(&seen);
                drop(seen);
                row = match sees {
                    Sees::Text(field) if is_row => Cow::Owned(edited_row(&row, Some((field, &text)), None)?),
                    _ => Cow::Owned(text),
                };
                edits = edits.then(&own);
            }
        }
        if !edits.is_empty() {
            self.rows.edits.push((record.slot, edits));
        }
        for (column, value) in self.values.iter_mut().zip(self.of_row.drain(..)) {
            column.push(value);
        }
        Ok(true)
    }

    fn refuse(&mut self, step: usize, record: &Record<'_>, refusal: Refusal) {
        let Refusal { reason, detail } = refusal;
        let (slot, offset, bytes) = (record.slot, record.offset, record.bytes);
        self.bad[step].push(BadRecord { slot, offset, reason, detail, raw: record.text.as_bytes(), bytes });
    }

    fn done(self, input: &dyn Input, unit: &Unit) -> Result<Done> {
        let Self { fused, workers, mut rows, mut books, bad, values, signals, ids, .. } = self;
        if !fused.columns.is_empty() {
            let bug = |what: String| Error::Internal(format!("a column that a step adds: {what}"));
            let arrays = fused
                .columns
                .iter()
                .zip(&values)
                .map(|(column, values)| values::column(column.data_type(), values));
            let arrays = arrays.collect::<std::result::Result<Vec<_>, _>>().map_err(bug)?;
            let schema = Arc::new(Schema::new(fused.columns.clone()));
            let options = RecordBatchOptions::new().with_row_count(Some(books.kept.docs as usize));
            let batch = RecordBatch::try_new_with_options(schema, arrays, &options);
            rows.added = Some(batch.map_err(|error| bug(error.to_string()))?);
        }
        books.index = unit.index;
        books.next_offset = unit.after().offset;
        books.slots = rows.kept.len() as u32;
        // The cut knows more about blank bytes than the reader.
        books.read.bytes = input.extent(unit).unwrap_or(books.read.bytes + books.blank_bytes);
        for ((step, bad), worker) in books.steps.iter_mut().zip(&bad).zip(&mut workers.steps) {
            step.bad =
                String::from_utf8(bad.to_json()?).map_err(|error| Error::Internal(error.to_string()))?;
            step.found = worker.found();
        }
        Ok(Done { rows: rows.to_bytes()?, signals: signals::to_bytes(signals)?, books, bad, ids })
    }
}

/// The error of a step that does what it does not say.
fn bug(step: &str, what: &str) -> Error {
    Error::Internal(format!("step {step}: {what}"))
}

/// What is said of each reason, in one.
fn joined<'d>(details: impl Iterator<Item = &'d str>) -> String {
    let mut details: Vec<&str> = details.filter(|detail| !detail.is_empty()).collect();
    details.dedup();
    details.join("; ")
}
