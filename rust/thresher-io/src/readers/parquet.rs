//! Parquet files.
//!
//! The footer is read once; a unit is a range of rows of one row group (see [`pages`] for the cut) and opens the file for
//! itself, so that units share nothing but the footer. Reading decodes only the columns that the run asks for, as
//! string views into the decompressed pages: the text of a document is never copied on its way to the visitor. Copying
//! decodes the kept rows of all columns into the types that the file declares.
//!
//! Damage stays as small as the decoder allows: a damaged page costs its rows and few more, a string that is not UTF-8 its
//! row. A file without a footer is one bad record.

mod footer;
mod pages;
mod thrift;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields as ArrowFields, Schema, SchemaRef};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy, RowSelector,
        },
    },
    file::metadata::ParquetMetaData,
};

use self::{footer::Damage, pages::PageMap};
use super::{
    columns::{self, Places},
    guard::guarded,
    rows::{self, BatchSource},
};
use thresher_core::json::Fields;

use crate::{
    error::{Error, Result},
    input::{Input, Payload, Piece, Scratch, SlotMask, Unit},
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
    path: PathBuf,
    name: String,
    size: u64,
    unit_bytes: u64,
    content: std::result::Result<Content, Damage>,
}

#[derive(Debug)]
struct Content {
    /// Types as the file declares them.
    exact: ArrowReaderMetadata,
    /// Strings as views.
    views: ArrowReaderMetadata,
    pages: Arc<PageMap>,
}

impl ParquetInput {
    /// Opens `path` and reads its footer. `unit_bytes` is the amount of decoded text that a unit aims at (16 MB is good).
    ///
    /// # Errors
    /// The system refused. A damaged file opens; it has one unit with one bad record.
    pub fn open(path: &Path, name: &str, unit_bytes: u64) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let content = footer::load(&mut file, path, size)?.and_then(Content::new);
        Ok(Self {
            path: path.to_path_buf(),
            name: name.to_owned(),
            size,
            unit_bytes: unit_bytes.max(1),
            content,
        })
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

    /// Checks that the columns of a run are there and of a type that can be read. `read` checks too, but a file without
    /// rows is never read.
    ///
    /// # Errors
    /// `Error::Data` with the columns there are.
    pub fn check(&self, fields: &Fields) -> Result<()> {
        self.content.as_ref().map_or(Ok(()), |content| self.places(content, fields).map(drop))
    }

    fn places(&self, content: &Content, fields: &Fields) -> Result<Places> {
        columns::resolve(content.exact.schema(), fields).map_err(|message| Error::data(&self.path, message))
    }

    /// Opens the file for one unit, if it is still the file whose footer was read.
    fn reopen(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let size = file.metadata().map_err(Error::io("read", &self.path))?.len();
        if size == self.size {
            return Ok(file);
        }
        Err(Error::data(
            &self.path,
            format!("the file changed from {} to {size} bytes while it was read", self.size),
        ))
    }
}

impl Content {
    fn new(metadata: ParquetMetaData) -> std::result::Result<Self, Damage> {
        let pages = Arc::new(PageMap::new(metadata.num_row_groups()));
        let metadata = metadata.into_builder().set_page_index(Some(pages.clone())).build();
        let exact = footer::arrow_view(metadata)?;
        let schema = Arc::new(Schema::new_with_metadata(
            with_views(exact.schema().fields()),
            exact.schema().metadata().clone(),
        ));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let views = guarded(|| ArrowReaderMetadata::try_new(exact.metadata().clone(), options))
            .unwrap_or_else(|_| exact.clone());
        Ok(Self { exact, views, pages })
    }
}

/// The same fields with strings as views, in structs too.
fn with_views(fields: &ArrowFields) -> ArrowFields {
    let change = |field: &FieldRef| -> FieldRef {
        let kind = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Struct(children) => DataType::Struct(with_views(children)),
            _ => return field.clone(),
        };
        Arc::new(Field::clone(field).with_data_type(kind))
    };
    fields.iter().map(change).collect()
}

/// How many leaf columns a field has in Parquet.
pub(crate) fn leaf_count(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => leaf_count(f.data_type()),
        _ => 1,
    }
}

/// The leaf that `place` leads to.
fn leaf_index(schema: &Schema, place: &[usize]) -> usize {
    let mut index = 0;
    let mut fields = schema.fields();
    for &at in place {
        index += fields.iter().take(at).map(|f| leaf_count(f.data_type())).sum::<usize>();
        if let Some(DataType::Struct(children)) = fields.get(at).map(|f| f.data_type()) {
            fields = children;
        }
    }
    index
}

/// Where `places` end up in a batch that has only them: columns keep their order, the others are gone.
fn projected(places: &Places) -> Places {
    let Some(all) = places.all() else { return places.clone() };
    let all: Vec<&[usize]> = all.collect();
    let among = |place: &[usize]| -> Vec<usize> {
        (0..place.len())
            .map(|depth| {
                let mut seen: Vec<usize> = all
                    .iter()
                    .filter(|other| other.len() > depth && other[..depth] == place[..depth])
                    .map(|other| other[depth])
                    .filter(|&at| at < place[depth])
                    .collect();
                seen.sort_unstable();
                seen.dedup();
                seen.len()
            })
            .collect()
    };
    Places {
        text: places.text.as_deref().map(among),
        id: places.id.as_deref().map(among),
        rank: places.rank.as_deref().map(among),
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

/// Opens one unit again and again, each time for some of its slots.
struct Source<'a> {
    input: &'a ParquetInput,
    content: &'a Content,
    span: Span,
    mask: ProjectionMask,
}

impl BatchSource for Source<'_> {
    type Batches = ParquetRecordBatchReader;

    fn open(&self, slots: &[u32], batch_rows: usize) -> Result<std::result::Result<Self::Batches, String>> {
        let file = self.input.reopen()?;
        let mut wanted = vec![false; self.span.rows];
        for &slot in slots {
            wanted[slot as usize] = true;
        }
        let selection = self.span.select(|s| wanted[s]);
        Ok(guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.content.views.clone())
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
        &self.path
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn size_on_disk(&self) -> u64 {
        self.size
    }

    fn units(&self, emit: &mut dyn FnMut(Unit) -> Result<()>) -> Result<()> {
        let Ok(content) = &self.content else {
            return emit(Unit { index: 0, payload: Payload::RowGroup { group: 0, first_row: 0, rows: 1 } });
        };
        let file = self.reopen()?;
        let metadata = content.exact.metadata();
        let mut index = 0;
        for (group, about) in metadata.row_groups().iter().enumerate() {
            let rows = usize::try_from(about.num_rows()).unwrap_or(0);
            let starts = &content.pages.plan(metadata, group, self.unit_bytes, &file).starts;
            let ends = starts.iter().skip(1).copied().chain([rows]);
            for (&first_row, end) in starts.iter().zip(ends) {
                let payload = Payload::RowGroup { group, first_row, rows: end - first_row };
                emit(Unit { index, payload })?;
                index += 1;
            }
        }
        Ok(())
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
                    bytes: self.size,
                };
                return visitor.bad(bad);
            }
        };
        let places = self.places(content, fields)?;
        let leaves: Vec<usize> = match places.all() {
            Some(places) => places.map(|place| leaf_index(content.exact.schema(), place)).collect(),
            None => (0..content.views.parquet_schema().num_columns()).collect(),
        };
        let metadata = content.views.metadata();
        content.pages.plan(metadata, span.group, self.unit_bytes, &self.reopen()?);
        let batch_rows = batch_rows(metadata, span.group, &leaves, READ_BATCH_BYTES);
        let mask = ProjectionMask::leaves(content.views.parquet_schema(), leaves);
        let source = Source { input: self, content, span, mask };
        rows::visit(&source, &projected(&places), &rows::slots(span.rows, wanted), batch_rows, visitor)
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
        let file = self.reopen()?;
        let metadata = content.exact.metadata();
        content.pages.plan(metadata, span.group, self.unit_bytes, &file);
        let all: Vec<usize> = (0..metadata.row_group(span.group).num_columns()).collect();
        let selection = span.select(|s| keep[s]);
        let batches: std::result::Result<Vec<RecordBatch>, String> = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, content.exact.clone())
                .with_row_groups(vec![span.group])
                .with_batch_size(batch_rows(metadata, span.group, &all, COPY_BATCH_BYTES))
                // Selectors step over rows without decoding them: a row set aside for its damage does no harm here.
                .with_row_selection_policy(RowSelectionPolicy::Selectors)
                .with_row_selection(selection)
                .build()?
                .map(|batch| batch.map_err(parquet::errors::ParquetError::from))
                .collect::<std::result::Result<_, parquet::errors::ParquetError>>()
        });
        let kept = keep.iter().filter(|k| **k).count();
        match batches {
            Ok(batches) if batches.iter().map(RecordBatch::num_rows).sum::<usize>() == kept => {
                Ok(Piece::Batches(batches))
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
        Error::data(
            &self.path,
            format!(
                "the rows {first_row} to {last} of row group {group} cannot be copied, a column is damaged: {message}"
            ),
        )
    }
}

#[cfg(test)]
mod tests;
