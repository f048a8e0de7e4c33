//! Arrow IPC: files (`.arrow`, `.feather`) and streams (`.arrows`), with lz4, zstd or plain buffers.
//!
//! A unit is a record batch, decoded by the thread that works on it. A batch that is much larger than a unit (some tools
//! write a whole table as one) is decoded while the units are listed, and handed out in slices that share its memory.
//!
//! Arrow checks a batch as a whole, so a batch is also the unit of damage: if it cannot be decoded, each of its rows
//! becomes a bad record. What cannot even be counted is one bad record.

mod batches;
mod index;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_ipc::{CompressionType, reader::FileDecoder};
use arrow_schema::{Fields, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use self::batches::Batches;
pub use self::index::IpcKind;
use self::index::{Batch, Damage, Index, Place};
use super::{
    columns::{self, Places},
    guard::guarded,
    rows::{self, Look, Looked},
    strings,
};
use crate::writers::conform::conform;
use thresher_core::json::Fields as Asked;

use crate::{
    blob::{Blob, Original},
    error::{Error, Result},
    input::{Cutter, Input, Payload, Piece, Position, Scratch, SlotMask, Unit},
    record::{BadRecord, Reason, Visitor},
};

/// One Arrow IPC file or stream.
#[derive(Debug)]
pub struct IpcInput {
    file: Original,
    name: String,
    unit_bytes: u64,
    max_record_bytes: u64,
    content: std::result::Result<Content, Damage>,
    /// Rows are copied with strings that were checked, to be joined with rows of other types.
    by_types: bool,
}

#[derive(Debug)]
struct Content {
    index: Index,
    /// The schema with strings as bytes.
    bytes: SchemaRef,
    /// Decoders with their dictionaries, the last used for reading and for copying.
    decoders: Mutex<Vec<Arc<Prepared>>>,
}

/// A decoder for some columns of the batches that need the same dictionaries.
#[derive(Debug)]
struct Prepared {
    decoder: FileDecoder,
    dictionaries: Arc<Vec<Place>>,
    columns: Option<Vec<usize>>,
}

/// The form of a file, beside its schema.
#[derive(Debug)]
pub(crate) struct IpcForm<'a> {
    /// File or stream.
    pub(crate) kind: IpcKind,
    /// Codec of the buffers.
    pub(crate) compression: Option<CompressionType>,
    /// Key-value pairs of the footer.
    pub(crate) metadata: &'a [(String, String)],
}

impl IpcInput {
    /// Opens `path` and finds its record batches. `unit_bytes` is the size that a unit aims at.
    ///
    /// # Errors
    /// The system refused. A damaged file opens; it has one unit with one bad record.
    pub fn open(path: &Path, name: &str, unit_bytes: u64) -> Result<Self> {
        let (file, blob) = Original::open(path)?;
        let content = index::load(&*blob).map_err(Error::io("read", path))?.map(|index| {
            let bytes = Arc::new(Schema::new_with_metadata(
                strings::as_bytes(index.schema.fields()),
                index.schema.metadata().clone(),
            ));
            Content { index, bytes, decoders: Mutex::default() }
        });
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

    /// The types in which rows are copied: strings as bytes, as they are in the file.
    pub(crate) fn stored_schema(&self) -> Option<&SchemaRef> {
        let content = self.content.as_ref().ok()?;
        Some(if self.by_types { &content.index.schema } else { &content.bytes })
    }

    /// Prepares files that are written into one: if their types differ, strings are checked before they are converted.
    pub(crate) fn join(inputs: &mut [&mut Self]) {
        let mut types = inputs.iter().filter_map(|input| input.schema()).map(|schema| schema.fields());
        let first = types.next().cloned();
        let differ = types.any(|other| first.as_ref() != Some(other));
        for input in inputs {
            input.by_types = differ;
        }
    }

    /// Copies rows by their Arrow types from now on.
    pub(crate) fn copy_by_types(&mut self) {
        self.by_types = true;
    }

    /// The schema; nothing if the file is damaged beyond reading.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.content.as_ref().ok().map(|c| &c.index.schema)
    }

    /// What a copy has to be like.
    pub(crate) fn form(&self) -> Option<IpcForm<'_>> {
        let Index { kind, compression, metadata, .. } = &self.content.as_ref().ok()?.index;
        Some(IpcForm { kind: *kind, compression: *compression, metadata })
    }

    /// Checks that the columns of a run are there and of a type that can be read.
    ///
    /// # Errors
    /// `Error::Parameter` with the columns there are.
    pub fn check(&self, fields: &Asked) -> Result<()> {
        let Ok(content) = &self.content else { return Ok(()) };
        columns::check(&content.index.schema, fields, self.file.path())
    }

    /// Columns of a unit; strings are bytes.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for damage.
    pub(crate) fn columns(&self, unit: &Unit, names: &[&str]) -> Result<RecordBatch> {
        let damaged = |(_, detail): Damage| Error::data(self.file.path(), detail);
        let content = self.content.as_ref().map_err(|damage| damaged(damage.clone()))?;
        let index = |name: &&str| content.bytes.index_of(name).ok();
        let columns: Vec<usize> = names.iter().filter_map(index).collect();
        self.batch_of(unit, Some(&columns))?.map_err(damaged)
    }

    fn places(&self, content: &Content, fields: &Asked) -> Result<Places> {
        columns::resolve(&content.index.schema, fields)
            .map_err(|message| Error::data(self.file.path(), message))
    }

    /// Decodes a batch: all columns, or those listed. The inner error is damage.
    fn decode(
        &self,
        content: &Content,
        batch: &Batch,
        columns: Option<&[usize]>,
    ) -> Result<std::result::Result<RecordBatch, Damage>> {
        if let Some(damage) = &batch.damage {
            return Ok(Err(damage.clone()));
        }
        let file = self.file.reopen()?;
        let corrupt = |message: String| Ok(Err((Reason::Corrupt, message)));
        let prepared = match self.prepared(content, &*file, batch, columns)? {
            Ok(prepared) => prepared,
            Err(message) => return corrupt(format!("a dictionary is damaged: {message}")),
        };
        let bytes =
            match index::read_message(&*file, batch.at).map_err(Error::io("read", self.file.path()))? {
                Ok(bytes) => bytes,
                Err(message) => return corrupt(message),
            };
        match guarded(|| prepared.decoder.read_record_batch(&batch.at.block(), &bytes)) {
            Ok(Some(decoded)) if decoded.num_rows() == batch.rows as usize => Ok(Ok(decoded)),
            Ok(_) => corrupt("it does not have the rows that it claims".to_owned()),
            Err(message) => corrupt(message),
        }
    }

    fn prepared(
        &self,
        content: &Content,
        file: &dyn Blob,
        batch: &Batch,
        columns: Option<&[usize]>,
    ) -> Result<std::result::Result<Arc<Prepared>, String>> {
        let fits =
            |p: &Arc<Prepared>| p.columns.as_deref() == columns && p.dictionaries == batch.dictionaries;
        let kept = || content.decoders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().iter().find(|p| fits(p)) {
            return Ok(Ok(found.clone()));
        }
        let mut decoder = FileDecoder::new(content.bytes.clone(), content.index.version);
        for &at in batch.dictionaries.iter() {
            let bytes = match index::read_message(file, at).map_err(Error::io("read", self.file.path()))? {
                Ok(bytes) => bytes,
                Err(message) => return Ok(Err(message)),
            };
            if let Err(message) = guarded(|| decoder.read_dictionary(&at.block(), &bytes)) {
                return Ok(Err(message));
            }
        }
        if let Some(columns) = columns {
            decoder = decoder.with_projection(columns.to_vec());
        }
        let columns = columns.map(<[usize]>::to_vec);
        let fresh = Arc::new(Prepared { decoder, dictionaries: batch.dictionaries.clone(), columns });
        let mut decoders = kept();
        decoders.retain(|p| p.columns != fresh.columns);
        decoders.push(fresh.clone());
        Ok(Ok(fresh))
    }

    /// The batch behind a unit, or the damage that its slots share.
    fn batch_of(
        &self,
        unit: &Unit,
        columns: Option<&[usize]>,
    ) -> Result<std::result::Result<RecordBatch, Damage>> {
        match (&unit.payload, &self.content) {
            (_, Err(damage)) => Ok(Err(damage.clone())),
            (Payload::Batch(Ok(batch)), Ok(_)) => Ok(Ok(match columns {
                Some(columns) => batch.project(columns).map_err(|e| Error::Internal(e.to_string()))?,
                None => batch.clone(),
            })),
            (Payload::Batch(Err(message)), Ok(_)) => Ok(Err((Reason::Corrupt, message.clone()))),
            (Payload::RowGroup { group, .. }, Ok(content)) => {
                let batch = content.index.batches.get(*group).ok_or_else(foreign)?;
                self.decode(content, batch, columns)
            }
            _ => Err(foreign()),
        }
    }
}

fn foreign() -> Error {
    Error::Internal("an Arrow IPC file was given a unit that is not its own".to_owned())
}

/// The types in which `columns` are looked at; bytes at `text` are a string.
fn looking_schema(schema: &Schema, text: Option<&[usize]>, columns: &[usize]) -> SchemaRef {
    let mut fields = strings::readable(schema.fields());
    if let Some(text) = text {
        fields = strings::text_type(&fields, text);
    }
    Arc::new(Schema::new(columns.iter().map(|&at| fields[at].clone()).collect::<Fields>()))
}

/// Top-level columns of `places` in file order, and the places among them.
fn projected(places: &Places, schema: &Schema) -> (Vec<usize>, Places) {
    let Some(all) = places.all() else { return ((0..schema.fields().len()).collect(), places.clone()) };
    let mut columns: Vec<usize> = all.filter_map(|place| place.first().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    let among = |place: &[usize]| -> Vec<usize> {
        let first = place.first().map(|at| columns.iter().take_while(|c| *c < at).count());
        first.into_iter().chain(place.iter().skip(1).copied()).collect()
    };
    let places = Places {
        text: places.text.as_deref().map(among),
        id: places.id.as_deref().map(among),
        rank: places.rank.as_deref().map(among),
    };
    (columns, places)
}

impl Input for IpcInput {
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
        Ok(Box::new(Batches::new(self, from)))
    }

    fn read(
        &self,
        unit: &Unit,
        fields: &Asked,
        wanted: Option<&SlotMask>,
        _scratch: &mut Scratch,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let rows = match &unit.payload {
            Payload::RowGroup { rows, .. } => *rows,
            Payload::Batch(Ok(batch)) => batch.num_rows(),
            _ => 1,
        };
        let slots = rows::slots(rows, wanted);
        let (content, text, (columns, places)) = match &self.content {
            Ok(content) => {
                let places = self.places(content, fields)?;
                let among = projected(&places, &content.index.schema);
                (content, places.text, among)
            }
            Err((reason, detail)) => {
                let detail = detail.clone();
                let bad = BadRecord {
                    slot: 0,
                    offset: 0,
                    reason: *reason,
                    detail,
                    raw: &[],
                    bytes: self.file.len(),
                };
                return if slots.is_empty() { Ok(()) } else { visitor.bad(bad) };
            }
        };
        if slots.is_empty() {
            return Ok(());
        }
        let schema = looking_schema(&content.index.schema, text.as_deref(), &columns);
        let look = Look { places: &places, schema: &schema, max_record_bytes: self.max_record_bytes };
        let decoded = self.batch_of(unit, Some(&columns))?.and_then(|batch| {
            guarded(|| Looked::at(&batch, &look)).map_err(|message| (Reason::Corrupt, message))
        });
        match decoded {
            Ok(looked) => {
                let rows = slots.iter().map(|&slot| (slot as usize, slot));
                looked.emit_rows(rows, self.max_record_bytes, visitor)
            }
            Err((reason, detail)) => rows::damaged(&slots, reason, &detail, visitor),
        }
    }

    fn uncopyable(&self, unit: &Unit) -> Result<Vec<(u32, String)>> {
        let (Payload::RowGroup { rows, .. }, Ok(_)) = (&unit.payload, &self.content) else {
            return Ok(Vec::new());
        };
        let Err((_, message)) = self.batch_of(unit, None)? else { return Ok(Vec::new()) };
        Ok((0..*rows as u32).map(|slot| (slot, format!("another column is damaged: {message}"))).collect())
    }

    fn copy(&self, unit: Unit, keep: &SlotMask, _scratch: &mut Scratch) -> Result<Piece> {
        if !keep.contains(&true) {
            return Ok(Piece::Batches(Vec::new()));
        }
        let damaged = |message: String| {
            let message = format!("unit {} cannot be copied, a column is damaged: {message}", unit.index);
            Error::Uncopyable { path: self.file.path().to_path_buf(), message }
        };
        let mut batch = self.batch_of(&unit, None)?.map_err(|(_, message)| damaged(message))?;
        if let (true, Some(schema)) = (self.by_types, self.schema()) {
            batch = conform(batch, schema).map_err(damaged)?;
        }
        if keep.len() != batch.num_rows() {
            return Err(Error::Internal(format!(
                "{} slots kept of a unit of {}",
                keep.len(),
                batch.num_rows()
            )));
        }
        if !keep.contains(&false) {
            return Ok(Piece::Batches(vec![batch]));
        }
        let mask = BooleanArray::from(keep.to_vec());
        let kept = guarded(|| filter_record_batch(&batch, &mask)).map_err(damaged)?;
        Ok(Piece::Batches(vec![kept]))
    }
}

#[cfg(test)]
mod tests;
