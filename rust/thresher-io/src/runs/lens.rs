//! Inputs as the steps so far have left them: without the rows that are gone, with edited texts and added columns.
//!
//! Nothing is stored but ledgers. A pass reads the input itself, skips what is gone, and edits what it hands on; the last
//! pass writes the same. Rows keep the places that they have in the input, so all evidence names those.

mod columns;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{ArrowError, FieldRef, Schema};
use arrow_select::filter::filter_record_batch;
use thresher_core::json::{FieldPath, Fields};

use super::changed::{Changes, changed};
use super::ledger::Ledger;
use super::source::Source;
use super::steps::Edits;
use super::steps::row::{edited_row, objects, text_of};
use crate::error::{Error, Result};
use crate::input::{Cutter, Input, Piece, Position, Scratch, SlotMask, Unit};
use crate::record::{BadRecord, Record, Visitor};

/// What the steps so far have decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lens {
    ledgers: Vec<Arc<Ledger>>,
    /// The field whose texts are edited.
    edited: Option<FieldPath>,
    /// Columns that are added, in order.
    columns: Vec<FieldRef>,
}

/// What they have decided about one unit.
#[derive(Debug, Default)]
struct Seen {
    kept: Vec<bool>,
    edits: Vec<(u32, Edits)>,
    added: Option<RecordBatch>,
}

impl Lens {
    /// Makes sure that a step may edit the texts of a field.
    ///
    /// # Errors
    /// `Error::Parameter` for another field than that of the texts edited before.
    pub(crate) fn check(&self, step: &str, edited: Option<&FieldPath>) -> Result<()> {
        edited.map_or(Ok(()), |edited| super::steps::fused::check_edited(step, self.edited.as_ref(), edited))
    }

    /// Adds what a further pass decided; it edited the texts of a field, and added columns.
    pub(crate) fn push(&mut self, ledger: Ledger, edited: Option<&FieldPath>, columns: &[FieldRef]) {
        if let Some(edited) = edited {
            self.edited = Some(edited.clone());
        }
        // A later column of a name takes the place of an earlier one.
        self.columns.retain(|known| columns.iter().all(|column| column.name() != known.name()));
        self.columns.extend_from_slice(columns);
        self.ledgers.push(Arc::new(ledger));
    }

    /// Whether everything is as it stands in the inputs.
    pub(crate) fn is_clear(&self) -> bool {
        self.ledgers.is_empty()
    }

    /// The columns that are added.
    pub(crate) fn columns(&self) -> &[FieldRef] {
        &self.columns
    }

    /// The sources through this lens.
    ///
    /// # Errors
    /// `Error::Data` for columns of a type that cannot be written again, beside others that change.
    pub(crate) fn over(&self, mut sources: Vec<Source>) -> Result<Vec<Source>> {
        if self.is_clear() {
            return Ok(sources);
        }
        if self.edited.is_some() || !self.columns.is_empty() {
            sources.iter_mut().try_for_each(Source::copy_by_types)?;
        }
        let lens = Arc::new(self.clone());
        let through =
            |(index, source)| Source::Seen(Box::new(SeenInput { source, lens: lens.clone(), index }));
        Ok(sources.into_iter().enumerate().map(through).collect())
    }

    fn unit(&self, input: usize, index: usize) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut added: Vec<(Vec<bool>, RecordBatch)> = Vec::new();
        for (at, ledger) in self.ledgers.iter().enumerate() {
            // A unit that a ledger does not know has no row for it.
            let rows = ledger.rows(input, index)?.unwrap_or_default();
            if at == 0 {
                seen.kept.clone_from(&rows.kept);
            } else {
                for (slot, kept) in seen.kept.iter_mut().enumerate() {
                    *kept &= rows.kept.get(slot).copied().unwrap_or_default();
                }
            }
            seen.edits = joined(std::mem::take(&mut seen.edits), rows.edits);
            if let Some(batch) = rows.added {
                added.push((rows.kept, batch));
            }
        }
        let kept = &seen.kept;
        seen.edits.retain(|(slot, _)| kept.get(*slot as usize) == Some(&true));
        if !self.columns.is_empty() {
            seen.added = Some(self.added(kept, &added)?);
        }
        Ok(seen)
    }

    /// The added columns of the rows that are still there.
    fn added(&self, kept: &[bool], added: &[(Vec<bool>, RecordBatch)]) -> Result<RecordBatch> {
        let failed = |error: ArrowError| Error::Internal(format!("added columns: {error}"));
        let filtered: Vec<RecordBatch> = added
            .iter()
            .map(|(had, batch)| filter_record_batch(batch, &among(had, kept)).map_err(failed))
            .collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(self.columns.clone()));
        let column = |column: &FieldRef| {
            let found = filtered.iter().rev().find_map(|batch| batch.column_by_name(column.name()));
            found.cloned().unwrap_or_else(|| {
                arrow_array::new_null_array(column.data_type(), kept.iter().filter(|kept| **kept).count())
            })
        };
        let columns = self.columns.iter().map(column).collect();
        RecordBatch::try_new(schema, columns).map_err(failed)
    }
}

/// Of the slots in `had`, which are in `kept` too.
fn among(had: &[bool], kept: &[bool]) -> BooleanArray {
    let slots = had.iter().enumerate().filter(|(_, had)| **had);
    slots.map(|(slot, _)| Some(kept.get(slot) == Some(&true))).collect()
}

/// Edits by slot, and later ones of the edited texts, as edits of the texts as they were.
fn joined(first: Vec<(u32, Edits)>, later: Vec<(u32, Edits)>) -> Vec<(u32, Edits)> {
    if first.is_empty() || later.is_empty() {
        return if first.is_empty() { later } else { first };
    }
    let mut all = Vec::with_capacity(first.len() + later.len());
    let mut later = later.into_iter().peekable();
    for (slot, edits) in first {
        while let Some(before) = later.next_if(|(next, _)| *next < slot) {
            all.push(before);
        }
        let edits = match later.next_if(|(next, _)| *next == slot) {
            Some((_, more)) => edits.then(&more),
            None => edits,
        };
        all.push((slot, edits));
    }
    all.extend(later);
    all
}

/// One input through a lens.
pub(crate) struct SeenInput {
    source: Source,
    lens: Arc<Lens>,
    /// Its place among the inputs.
    index: usize,
}

impl SeenInput {
    /// The input itself.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The columns that are added.
    pub(crate) fn columns(&self) -> &[FieldRef] {
        self.lens.columns()
    }

    /// As [`Source::copy_by_types`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn copy_by_types(&mut self) -> Result<()> {
        self.source.copy_by_types()
    }

    /// The same, for whoever has done with seeing it.
    pub(crate) fn into_source(self) -> Source {
        self.source
    }

    /// Which rows of a unit of so many slots are there.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn kept(&self, unit: &Unit, slots: usize) -> Result<Vec<bool>> {
        let mut kept = self.lens.unit(self.index, unit.index)?.kept;
        kept.resize(slots, false);
        Ok(kept)
    }

    /// All rows of a unit that are there, ready to be written, with their number and about their bytes.
    ///
    /// # Errors
    /// As [`Input::copy`].
    pub(crate) fn all(&self, unit: Unit, scratch: &mut Scratch) -> Result<(Piece, u64, u64)> {
        let seen = self.lens.unit(self.index, unit.index)?;
        let (rows, bytes) = (seen.kept.iter().filter(|kept| **kept).count(), unit.weight);
        let mask = seen.kept.clone();
        Ok((self.write(unit, seen, &mask, scratch)?, rows as u64, bytes))
    }

    /// The rows of a unit that are in `mask`, which are all there.
    fn write(&self, unit: Unit, mut seen: Seen, mask: &SlotMask, scratch: &mut Scratch) -> Result<Piece> {
        seen.edits.retain(|(slot, _)| mask[*slot as usize]);
        if seen.edits.is_empty() && seen.added.is_none() {
            return self.source.input().copy(unit, mask, scratch);
        }
        let texts = self.texts(&unit, seen.edits, scratch)?;
        let added = seen.added.map(|batch| filter_record_batch(&batch, &among(&seen.kept, mask))).transpose();
        let added = added.map_err(|error| Error::Internal(format!("added columns: {error}")))?;
        let changes = Changes { field: self.lens.edited.as_ref(), texts, added };
        changed(self.source.input().copy(unit, mask, scratch)?, mask, changes)
    }

    /// The texts of slots after their edits.
    fn texts(
        &self,
        unit: &Unit,
        mut edits: Vec<(u32, Edits)>,
        scratch: &mut Scratch,
    ) -> Result<Vec<(u32, String)>> {
        let Some(field) = self.lens.edited.as_ref().filter(|_| !edits.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        for (slot, _) in &edits {
            wanted.resize(*slot as usize, false);
            wanted.push(true);
        }
        let fields = Fields { text: Some(field.clone()), ..Fields::default() };
        edits.reverse();
        let mut visitor = EditVisitor { edits, texts: Vec::new(), path: self.source.input().path() };
        self.source.input().read(unit, &fields, Some(&wanted), scratch, &mut visitor)?;
        Ok(visitor.texts)
    }
}

struct EditVisitor<'v> {
    /// What is left to be done, the first one last.
    edits: Vec<(u32, Edits)>,
    texts: Vec<(u32, String)>,
    path: &'v Path,
}

impl Visitor for EditVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        match self.edits.pop() {
            Some((slot, edits)) if slot == record.slot => {
                self.texts.push((slot, edits.apply(record.text)));
                Ok(())
            }
            _ => Err(grown(self.path)),
        }
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Err(grown(self.path))
    }
}

fn grown(path: &Path) -> Error {
    Error::data(path, "the file changed while it was read; run again on files at rest")
}

impl Input for SeenInput {
    fn path(&self) -> &Path {
        self.source.input().path()
    }

    fn name(&self) -> &str {
        self.source.input().name()
    }

    fn size_on_disk(&self) -> u64 {
        self.source.input().size_on_disk()
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        self.source.input().cut(from)
    }

    fn extent(&self, _: &Unit) -> Option<u64> {
        // Rows that are gone belong to no book.
        None
    }

    fn read(
        &self,
        unit: &Unit,
        fields: &Fields,
        wanted: Option<&SlotMask>,
        scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let seen = self.lens.unit(self.index, unit.index)?;
        let mut mask = seen.kept.clone();
        if let Some(wanted) = wanted {
            for (slot, kept) in mask.iter_mut().enumerate() {
                *kept &= wanted.get(slot) == Some(&true);
            }
        }
        let is_row = fields.text.is_none();
        let edited =
            self.lens.edited.as_ref().filter(|edited| is_row || fields.text.as_ref() == Some(*edited));
        let members = match &seen.added {
            Some(added) if is_row => objects(added)?,
            _ => Vec::new(),
        };
        let mut through = SeenVisitor {
            visitor,
            next: 0,
            wants_all: wanted.is_none(),
            kept: &seen.kept,
            edits: if edited.is_some() { &seen.edits } else { &[] },
            edited: edited.filter(|_| is_row),
            members: members.iter(),
            names: self.lens.columns(),
        };
        self.source.input().read(unit, fields, Some(&mask), scratch, &mut through)?;
        through.end();
        Ok(())
    }

    fn uncopyable(&self, unit: &Unit) -> Result<Vec<(u32, String)>> {
        let seen = self.lens.unit(self.index, unit.index)?;
        let mut found = self.source.input().uncopyable(unit)?;
        found.retain(|(slot, _)| seen.kept.get(*slot as usize) == Some(&true));
        Ok(found)
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, scratch: &mut Scratch) -> Result<Piece> {
        let seen = self.lens.unit(self.index, unit.index)?;
        let mut mask = seen.kept.clone();
        for (slot, kept) in mask.iter_mut().enumerate() {
            *kept &= keep.get(slot) == Some(&true);
        }
        self.write(unit, seen, &mask, scratch)
    }
}

/// Hands on what is seen of the records of a unit, and which slots are gone.
struct SeenVisitor<'v> {
    visitor: &'v mut dyn Visitor,
    /// The slot behind the last one that was handed on.
    next: u32,
    /// Which slots are gone matters only to whoever wants all others.
    wants_all: bool,
    kept: &'v [bool],
    edits: &'v [(u32, Edits)],
    /// The field of the edited texts, if whole rows are handed on.
    edited: Option<&'v FieldPath>,
    /// Members of each kept row, if whole rows are handed on.
    members: std::slice::Iter<'v, String>,
    names: &'v [FieldRef],
}

impl<'v> SeenVisitor<'v> {
    /// The slots before `slot` are gone, or were not asked for.
    fn advance(&mut self, slot: u32) {
        for gone in self.next..slot {
            if self.kept.get(gone as usize) == Some(&true) {
                self.members.next();
            } else if self.wants_all {
                self.visitor.absent(gone);
            }
        }
        self.next = slot + 1;
    }

    fn end(&mut self) {
        self.advance(self.kept.len() as u32);
    }

    fn edits_of(&self, slot: u32) -> Option<&'v Edits> {
        let at = self.edits.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        Some(&self.edits[at].1)
    }
}

impl Visitor for SeenVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.advance(record.slot);
        let members = self.members.next();
        let edits = self.edits_of(record.slot);
        let text = match (edits, self.edited) {
            (None, _) if members.is_none() => Cow::Borrowed(record.text),
            (Some(edits), None) if members.is_none() => Cow::Owned(edits.apply(record.text)),
            (edits, field) => {
                let text = match (edits, field) {
                    (Some(edits), Some(field)) => {
                        Some((field, edits.apply(&edited_text(record.text, field)?)))
                    }
                    _ => None,
                };
                let text = text.as_ref().map(|(field, text)| (*field, text.as_str()));
                let added = members.map(|members| (self.names, members.as_str()));
                Cow::Owned(edited_row(record.text, text, added)?)
            }
        };
        let Record { slot, offset, id, rank, bytes, .. } = record;
        self.visitor.record(Record { slot, offset, text: &text, id, rank, bytes })
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.advance(bad.slot);
        self.members.next();
        self.visitor.bad(bad)
    }

    fn blank(&mut self, _: u64) {
        // They were counted when the input was read first.
    }
}

/// The text of a row that was edited, and so is there.
fn edited_text(row: &str, field: &FieldPath) -> Result<String> {
    text_of(row, field)
        .map_err(|refusal| Error::Internal(format!("a row that was edited: {}", refusal.detail)))
}
