//! Parquet files.
//!
//! The footer is read once; a unit is a range of rows of one row group (see [`pages`] for the cut) and opens the file for
//! itself, so that units share nothing but the footer. Reading decodes only the columns that the run asks for, as
//! string views into the decompressed pages: the text of a document is never copied on its way to the visitor. Copying
//! knows no types but those in which Parquet stores values (see [`stored`]).
//!
//! Damage stays as small as the decoder allows: a damaged page costs its rows and few more, a string that is not UTF-8 its
//! row. A file without a footer is one bad record.

pub(crate) mod alike;
mod canonical;
pub(crate) mod chunks;
mod flags;
mod footer;
mod groups;
mod pages;
mod projection;
pub(crate) mod rewrite;
pub(crate) mod stored;
mod thrift;

use std::{path::Path, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::{Fields as ArrowFields, Schema, SchemaRef};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
            RowSelectionPolicy, RowSelector,
        },
    },
    file::metadata::ParquetMetaData,
};

pub(crate) use self::projection::leaf_count;
use self::{
    flags::PageFile,
    footer::Damage,
    groups::Groups,
    pages::PageMap,
    projection::{leaf_index, looking_types, projected, pruned},
    rewrite::OriginalSchema,
    stored::Stored,
};
use super::{
    columns::{self, Places},
    guard::guarded,
    rows::{self, BatchSource, Look},
    strings,
};
use thresher_core::json::Fields;

use crate::{
    blob::Original,
    error::{Error, Result},
    input::{Cutter, Input, Payload, Piece, Position, Scratch, SlotMask, Unit},
    record::{BadRecord, Visitor},
};

/// Decoded bytes that a batch aims at when documents are read one after the other.
const READ_BATCH_BYTES: i64 = 1 << 20;
/// The same when rows are copied.
const COPY_BATCH_BYTES: i64 = 4 << 20;
/// Most rows of a batch.
const MAX_BATCH_ROWS: i64 = 8192;

/// One Parquet file.
#[derive(Debug)]
pub struct ParquetInput {
    file: Original,
    name: String,
    unit_bytes: u64,
    max_record_bytes: u64,
    content: std::result::Result<Content, Damage>,
    /// Rows are copied with their Arrow types, to be joined with those of files that store theirs differently.
    by_types: bool,
}

#[derive(Debug)]
struct Content {
    /// Types as the file declares them.
    exact: ArrowReaderMetadata,
    /// Strings as views of bytes, to be read.
    reading: ArrowReaderMetadata,
    /// As the values are stored.
    stored: Stored,
    /// Rows of different row groups are not to be mixed in a copy.
    keeps_groups: bool,
    pages: Arc<PageMap>,
}

impl ParquetInput {
    /// Opens `path` and reads its footer. `unit_bytes` is the amount of decoded text that a unit aims at (16 MB is good).
    ///
    /// # Errors
    /// The system refused. A damaged file opens; it has one unit with one bad record.
    pub fn open(path: &Path, name: &str, unit_bytes: u64) -> Result<Self> {
        let (file, blob) = Original::open(path)?;
        let content =
            footer::load(&*blob, path)?.and_then(|(footer, metadata)| Content::new(&footer, metadata));
        Ok(Self {
            file,
            name: name.to_owned(),
            unit_bytes: unit_bytes.max(1),
            max_record_bytes: u64::MAX,
            content,
            by_types: false,
        })
    }

    /// Sets a limit on texts; a row with a longer one is a bad record.
    #[must_use]
    pub fn with_max_record_bytes(mut self, limit: u64) -> Self {
        self.max_record_bytes = limit;
        self
    }

    /// The schema; nothing if the file is damaged beyond reading.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.content.as_ref().ok().map(|c| c.exact.schema())
    }

    /// The footer; nothing if the file is damaged beyond reading.
    #[must_use]
    pub fn metadata(&self) -> Option<&Arc<ParquetMetaData>> {
        self.content.as_ref().ok().map(|c| c.exact.metadata())
    }

    /// The types in which rows are copied, and the schema that the copy gets; nothing if they are copied by their Arrow
    /// types.
    pub(crate) fn stored(&self) -> Option<(&SchemaRef, &Arc<OriginalSchema>)> {
        let content = self.content.as_ref().ok().filter(|_| !self.by_types)?;
        Some((content.stored.schema(), &content.stored.original))
    }

    /// Whether data pages are of version 2, as far as the first one says.
    pub(crate) fn has_pages_of_version_2(&self) -> bool {
        let sample = self.metadata().and_then(|m| m.row_groups().iter().find(|group| group.num_rows() > 0));
        let first = sample.and_then(|group| group.columns().first());
        first.is_some_and(|column| self.file.reopen().is_ok_and(|file| pages::is_version_2(&*file, column)))
    }

    /// Checks that the columns of a run are there and of a type that can be read. `read` checks too, but a file without
    /// rows is never read.
    ///
    /// # Errors
    /// `Error::Parameter` with the columns there are.
    pub fn check(&self, fields: &Fields) -> Result<()> {
        let Ok(content) = &self.content else { return Ok(()) };
        columns::check(content.exact.schema(), fields, self.file.path())
    }

    /// Columns of a unit, with the types that the file declares.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for damage.
    pub(crate) fn columns(&self, unit: &Unit, names: &[&str]) -> Result<Vec<RecordBatch>> {
        let damaged = |message: String| Error::data(self.file.path(), message);
        let content = self.content.as_ref().map_err(|(_, detail)| damaged(detail.clone()))?;
        let (span, view) = (Span::of(unit)?, &content.exact);
        content.pages.plan(view.metadata(), span.group, self.unit_bytes, &*self.file.reopen()?);
        let mask = ProjectionMask::columns(view.parquet_schema(), names.iter().copied());
        let source = Source { input: self, view, span, mask };
        let batches =
            source.open(&rows::slots(span.rows, None), MAX_BATCH_ROWS as usize)?.map_err(damaged)?;
        guarded(|| batches.collect::<std::result::Result<_, _>>()).map_err(damaged)
    }

    fn places(&self, content: &Content, fields: &Fields) -> Result<Places> {
        columns::resolve(content.exact.schema(), fields)
            .map_err(|message| Error::data(self.file.path(), message))
    }

    fn copying_view<'a>(&self, content: &'a Content) -> &'a ArrowReaderMetadata {
        if self.by_types { &content.exact } else { &content.stored.metadata }
    }
}

impl Content {
    fn new(footer: &[u8], metadata: ParquetMetaData) -> std::result::Result<Self, Damage> {
        let pages = Arc::new(PageMap::new(metadata.num_row_groups()));
        let metadata = metadata.into_builder().set_page_index(Some(pages.clone())).build();
        let exact = footer::arrow_view(metadata)?;
        let reading = footer::reading_view(footer, pages.clone(), exact.schema().fields())?;
        let stored = Stored::new(footer, pages.clone())?;
        let keeps_groups =
            exact.schema().fields().iter().any(|field| alike::has_narrow_keys(field.data_type()));
        Ok(Self { exact, reading, stored, keeps_groups, pages })
    }

    /// The types in which the columns at `places`, and no others, are looked at.
    fn looking_schema(&self, places: &Places) -> SchemaRef {
        let mut fields: ArrowFields = looking_types(self.exact.schema().fields());
        if let Some(text) = &places.text {
            fields = strings::text_type(&fields, text);
        }
        if let Some(all) = places.all() {
            fields = pruned(&fields, &all.collect::<Vec<_>>());
        }
        Arc::new(Schema::new(fields))
    }
}

/// Rows of one row group.
#[derive(Clone, Copy)]
struct Span {
    group: usize,
    first_row: usize,
    rows: usize,
}

impl Span {
    fn of(unit: &Unit) -> Result<Self> {
        match unit.payload {
            Payload::RowGroup { group, first_row, rows } => Ok(Self { group, first_row, rows }),
            _ => Err(Error::Internal("a Parquet file was given a unit that is not its own".to_owned())),
        }
    }

    /// A selection of the slots for which `wanted` holds.
    fn select(self, wanted: impl Fn(usize) -> bool) -> RowSelection {
        let mut runs = vec![RowSelector::skip(self.first_row)];
        let mut slot = 0;
        while slot < self.rows {
            let take = wanted(slot);
            let run = (slot..self.rows).take_while(|&s| wanted(s) == take).count();
            runs.push(if take { RowSelector::select(run) } else { RowSelector::skip(run) });
            slot += run;
        }
        RowSelection::from(runs)
    }
}

/// Rows to a batch so that it holds about `target` decoded bytes.
fn batch_rows(metadata: &ParquetMetaData, group: usize, leaves: &[usize], target: i64) -> usize {
    let group = metadata.row_group(group);
    let bytes: i64 = leaves.iter().map(|&i| group.column(i).uncompressed_size().max(1)).sum();
    (target.saturating_mul(group.num_rows()) / bytes.max(1)).clamp(16, MAX_BATCH_ROWS) as usize
}

/// The same for rows that are copied.
fn copy_batch_rows(metadata: &ParquetMetaData, group: usize) -> usize {
    let all: Vec<usize> = (0..metadata.row_group(group).num_columns()).collect();
    batch_rows(metadata, group, &all, COPY_BATCH_BYTES)
}

/// Opens one unit again and again, each time for some of its slots.
struct Source<'a> {
    input: &'a ParquetInput,
    view: &'a ArrowReaderMetadata,
    span: Span,
    mask: ProjectionMask,
}

impl BatchSource for Source<'_> {
    type Batches = ParquetRecordBatchReader;

    fn open(&self, slots: &[u32], batch_rows: usize) -> Result<std::result::Result<Self::Batches, String>> {
        let file = self.input.file.reopen()?;
        let mut wanted = vec![false; self.span.rows];
        for &slot in slots {
            wanted[slot as usize] = true;
        }
        let selection = self.span.select(|s| wanted[s]);
        Ok(guarded(|| {
            let file = PageFile::new(file, self.view.metadata());
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.view.clone())
                .with_row_groups(vec![self.span.group])
                .with_projection(self.mask.clone())
                .with_batch_size(batch_rows)
                .with_row_selection(selection)
                .build()
        }))
    }
}

impl Input for ParquetInput {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn size_on_disk(&self) -> u64 {
        self.file.len()
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        Ok(Box::new(Groups::new(self, from)?))
    }

    fn read(
        &self,
        unit: &Unit,
        fields: &Fields,
        wanted: Option<&SlotMask>,
        _scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let span = Span::of(unit)?;
        let content = match &self.content {
            Ok(content) => content,
            Err(_) if wanted.is_some_and(|w| w.first() != Some(&true)) => return Ok(()),
            Err((reason, detail)) => {
                let bad = BadRecord {
                    slot: 0,
                    offset: 0,
                    reason: *reason,
                    detail: detail.clone(),
                    raw: &[],
                    bytes: self.file.len(),
                };
                return visitor.bad(bad);
            }
        };
        let places = self.places(content, fields)?;
        let leaves: Vec<usize> = match places.all() {
            Some(places) => places.map(|place| leaf_index(content.exact.schema(), place)).collect(),
            None => (0..content.reading.parquet_schema().num_columns()).collect(),
        };
        let metadata = content.reading.metadata();
        content.pages.plan(metadata, span.group, self.unit_bytes, &*self.file.reopen()?);
        let batch_rows = batch_rows(metadata, span.group, &leaves, READ_BATCH_BYTES);
        let mask = ProjectionMask::leaves(content.reading.parquet_schema(), leaves);
        let source = Source { input: self, view: &content.reading, span, mask };
        let schema = content.looking_schema(&places);
        let places = projected(&places);
        let look = Look { places: &places, schema: &schema, max_record_bytes: self.max_record_bytes };
        rows::visit(&source, &look, &rows::slots(span.rows, wanted), batch_rows, visitor)
    }

    fn uncopyable(&self, unit: &Unit) -> Result<Vec<(u32, String)>> {
        let span = Span::of(unit)?;
        let Ok(content) = &self.content else { return Ok(Vec::new()) };
        let view = self.copying_view(content);
        content.pages.plan(view.metadata(), span.group, self.unit_bytes, &*self.file.reopen()?);
        let source = Source { input: self, view, span, mask: ProjectionMask::all() };
        let mut found = Vec::new();
        let rows = copy_batch_rows(view.metadata(), span.group);
        rows::scan(&source, &rows::slots(span.rows, None), rows, &|_| Ok(()), &mut |slots, decoded| {
            if let Err(message) = decoded {
                found.extend(
                    slots.iter().map(|&slot| (slot, format!("another column is damaged: {message}"))),
                );
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, _scratch: &mut Scratch) -> Result<Piece> {
        let span = Span::of(&unit)?;
        let Ok(content) = &self.content else { return Ok(Piece::Batches(Vec::new())) };
        if !keep.contains(&true) {
            return Ok(Piece::Batches(Vec::new()));
        }
        if keep.len() != span.rows {
            return Err(Error::Internal(format!("{} slots kept of a unit of {}", keep.len(), span.rows)));
        }
        let file = self.file.reopen()?;
        let view = self.copying_view(content);
        let metadata = view.metadata();
        content.pages.plan(metadata, span.group, self.unit_bytes, &*file);
        let selection = span.select(|s| keep[s]);
        let batches: std::result::Result<Vec<RecordBatch>, String> = guarded(|| {
            let file = PageFile::new(file, metadata);
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, view.clone())
                .with_row_groups(vec![span.group])
                .with_batch_size(copy_batch_rows(metadata, span.group))
                // Selectors step over rows without decoding them: a row set aside for its damage does no harm here.
                .with_row_selection_policy(RowSelectionPolicy::Selectors)
                .with_row_selection(selection)
                .build()?
                .map(|batch| Ok(stored::thin(&batch?)?))
                .collect::<std::result::Result<_, parquet::errors::ParquetError>>()
        });
        let kept = keep.iter().filter(|k| **k).count();
        match batches {
            Ok(batches) if batches.iter().map(RecordBatch::num_rows).sum::<usize>() == kept => {
                Ok(if content.keeps_groups {
                    Piece::Group(self.name.as_str().into(), span.group, batches)
                } else {
                    Piece::Batches(batches)
                })
            }
            Ok(_) => Err(self.undecodable(span, "it has fewer rows than the footer says")),
            Err(message) => Err(self.undecodable(span, &message)),
        }
    }
}

impl ParquetInput {
    fn undecodable(&self, span: Span, message: &str) -> Error {
        let Span { group, first_row, rows } = span;
        let last = first_row + rows;
        let message = format!(
            "the rows {first_row} to {last} of row group {group} cannot be copied, a column is damaged: {message}"
        );
        Error::Uncopyable { path: self.file.path().to_path_buf(), message }
    }
}

#[cfg(test)]
mod tests;
