//! Rows of a unit in memory, and as the part of a spill file: raw lines as they stand, columns as one Arrow message.
//!
//! Lines keep every byte. Columns keep their Arrow types, which for Parquet are those in which the file stores its values (see
//! `readers/parquet/stored`), so nothing is rounded, re-encoded or read as text on the way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, StreamReader};
use arrow_ipc::writer::{
    DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, StreamWriter, write_message,
};
use arrow_ipc::{Block, MetadataVersion};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::interleave::interleave;

use crate::codec::DataFormat;
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::Piece;
use crate::readers::guard::guarded;
use crate::readers::jsonl::compact;
use crate::readers::parquet::alike::plain;
use crate::runs::source::Source;
use crate::writers::conform::conform;
use crate::writers::dictionaries::has_dictionary;
use crate::writers::tokens::INPUT_IDS;
use crate::writers::views;

/// The types of columns, in the folder of an exchange.
const TYPES: &str = "types.arrows";
/// Bytes in front of a message: the length of its head.
const HEAD: usize = 8;

/// Rows that stay together until they are spilled.
#[derive(Debug)]
pub(super) enum Held {
    /// Bytes one behind the other, and where each row ends.
    Lines {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    Columns(RecordBatch),
}

impl Held {
    /// The rows of a piece of a source. With `elements` rows of JSON are to be elements of an array, else lines.
    ///
    /// # Errors
    /// `Error::Data` for columns that cannot be exchanged.
    pub(super) fn of(piece: Piece, elements: bool, source: &Source) -> Result<Vec<Self>> {
        Ok(match piece {
            Piece::Bytes(mut bytes) => {
                bytes.shrink_to(bytes.len() + bytes.len() / 4);
                let ends = memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1).collect();
                vec![Self::Lines { bytes, ends }]
            }
            Piece::Elements { bytes, ends } if elements => vec![Self::Lines { bytes, ends }],
            Piece::Elements { bytes, ends } => {
                let (mut lines, mut ends_of_lines, mut start) = (Vec::new(), Vec::new(), 0);
                for end in ends {
                    compact(&bytes[start..end], &mut lines);
                    lines.push(b'\n');
                    ends_of_lines.push(lines.len());
                    start = end;
                }
                vec![Self::Lines { bytes: lines, ends: ends_of_lines }]
            }
            Piece::Batches(batches) => {
                let whole = |batch: RecordBatch| without_dictionaries(batch, source).map(Self::Columns);
                batches.into_iter().map(whole).collect::<Result<_>>()?
            }
            Piece::Group(..) => return Err(unshared(source)),
            Piece::Files(_) => return Err(Error::Internal("documents of a folder are no rows".into())),
        })
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Lines { ends, .. } => ends.len(),
            Self::Columns(batch) => batch.num_rows(),
        }
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Lines { bytes, ends } => (bytes.capacity() + 8 * ends.capacity()) as u64,
            Self::Columns(batch) => batch.get_array_memory_size() as u64,
        }
    }

    /// Tokens of all rows that are lists of ids, as a tokenisation writes them.
    pub(super) fn tokens(&self) -> u64 {
        let Self::Columns(batch) = self else { return 0 };
        let Some(column) = batch.column_by_name(INPUT_IDS) else { return 0 };
        // As a Parquet file stores it, a list is a struct around a repeated one.
        let inner =
            column.as_struct_opt().filter(|outer| outer.num_columns() == 1).map(|outer| outer.column(0));
        let lists = inner.unwrap_or(column).as_list_opt::<i32>();
        lists.map_or(0, |lists| {
            (0..lists.len())
                .filter(|row| lists.is_valid(*row))
                .map(|row| lists.value_length(row) as u64)
                .sum()
        })
    }

    /// Bytes of a row, in lines.
    fn line(&self, row: u32) -> &[u8] {
        match self {
            Self::Lines { bytes, ends } => {
                let row = row as usize;
                let start = row.checked_sub(1).map_or(0, |before| ends[before]);
                &bytes[start..ends[row]]
            }
            Self::Columns(_) => &[],
        }
    }

    /// The length of a row in its part; that of all rows of columns is told by the part alone.
    ///
    /// # Errors
    /// `Error::Parameter` for a row of 4 GiB.
    pub(super) fn len_of(&self, row: u32) -> Result<u32> {
        let len = self.line(row).len();
        u32::try_from(len).map_err(|_| {
            Error::Parameter(format!(
                "a row has `{len}` bytes, but rows of less than 4 GiB are exchanged; lower max_record_bytes"
            ))
        })
    }
}

/// A batch in types that rows of different batches can share: a Parquet file has the values of a dictionary, whose keys are made
/// anew when it is read.
fn without_dictionaries(batch: RecordBatch, source: &Source) -> Result<RecordBatch> {
    let has_any = |schema: &Schema| schema.fields().iter().any(|field| has_dictionary(field.data_type()));
    let schema = batch.schema();
    if !has_any(&schema) {
        return Ok(batch);
    }
    let types = Arc::new(Schema::new_with_metadata(plain(schema.fields()), schema.metadata().clone()));
    if source.format() != Some(DataFormat::Parquet) || has_any(&types) {
        return Err(unshared(source));
    }
    conform(batch, &types).map_err(|message| Error::data(source.input().path(), message))
}

fn unshared(source: &Source) -> Error {
    Error::data(
        source.input().path(),
        "a column has a dictionary that rows from all over a file cannot share: in an Arrow file, inside a list or struct, or with keys \
         of 8 or 16 bits; store its values instead of keys (in pyarrow: `column.dictionary_decode()`)",
    )
}

/// The bytes of a part: rows, each by the place of what holds it and its place in there.
///
/// # Errors
/// `Error::Internal` for columns that Arrow cannot put together.
pub(super) fn encode(held: &[Held], rows: &[(u32, u32)], part: &mut Vec<u8>) -> Result<()> {
    part.clear();
    let Some(&(first, _)) = rows.first() else { return Ok(()) };
    if let Held::Lines { .. } = held[first as usize] {
        for &(unit, row) in rows {
            part.extend_from_slice(held[unit as usize].line(row));
        }
        return Ok(());
    }
    let batches = held.iter().filter_map(|held| match held {
        Held::Columns(batch) => Some(batch),
        Held::Lines { .. } => None,
    });
    let batches: Vec<&RecordBatch> = batches.collect();
    let rows: Vec<(usize, usize)> = rows.iter().map(|&(unit, row)| (unit as usize, row as usize)).collect();
    let message = || -> std::result::Result<Vec<u8>, ArrowError> {
        let batch = gathered(&batches, &rows)?;
        let (options, mut none) = (IpcWriteOptions::default(), DictionaryTracker::new(false));
        let mut buffers = IpcWriteContext::default();
        let (_, data) = IpcDataGenerator::default().encode(&batch, &mut none, &options, &mut buffers)?;
        let mut bytes = vec![0; HEAD];
        let (head, _) = write_message(&mut bytes, data, &options)?;
        bytes[..HEAD].copy_from_slice(&(head as u64).to_ne_bytes());
        Ok(bytes)
    };
    *part = guarded(message).map_err(broken)?;
    Ok(())
}

/// The columns of a part.
///
/// # Errors
/// `Error::Internal` for bytes that are none.
pub(super) fn decode(part: Vec<u8>, types: &SchemaRef) -> Result<RecordBatch> {
    let short = || broken("a part is cut short");
    let head = part.get(..HEAD).and_then(|head| head.try_into().ok()).map(u64::from_ne_bytes);
    let head = head.ok_or_else(short)?;
    let body = (part.len() - HEAD).checked_sub(head as usize).ok_or_else(short)?;
    let message = Buffer::from_vec(part).slice(HEAD);
    let block = Block::new(0, head as i32, body as i64);
    let decoder = FileDecoder::new(types.clone(), MetadataVersion::V5);
    guarded(|| decoder.read_record_batch(&block, &message)).map_err(broken)?.ok_or_else(short)
}

/// Rows of several batches as one that owns what it needs.
///
/// # Errors
/// Types that Arrow cannot put together.
pub(super) fn gathered(
    batches: &[&RecordBatch],
    rows: &[(usize, usize)],
) -> std::result::Result<RecordBatch, ArrowError> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), |batch| batch.schema());
    let columns = (0..schema.fields().len()).map(|column| {
        let parts: Vec<_> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
        views::compact(&interleave(&parts, rows)?, |_, _| true)
    });
    let columns = columns.collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

pub(super) fn broken(message: impl std::fmt::Display) -> Error {
    Error::Internal(format!("rows of an exchange: {message}"))
}

/// The types of the columns that all batches come to: those of the first one, noted in the folder of the exchange.
#[derive(Default)]
pub(super) struct Types(Option<SchemaRef>);

impl Types {
    /// What an earlier run has noted.
    pub(super) fn noted_in(folder: &Path) -> Self {
        let noted = fs::read(folder.join(TYPES)).ok();
        Self(noted.and_then(|bytes| Some(StreamReader::try_new(&bytes[..], None).ok()?.schema())))
    }

    /// Brings columns to these types.
    ///
    /// # Errors
    /// I/O failures; `Error::Data` for columns of the input at `path` that have others.
    pub(super) fn apply(&mut self, held: Held, folder: &Path, path: &Path) -> Result<Held> {
        let Held::Columns(batch) = held else { return Ok(held) };
        if self.0.is_none() {
            let schema = batch.schema();
            let mut bytes = Vec::new();
            StreamWriter::try_new(&mut bytes, &schema)
                .and_then(|mut stream| stream.finish())
                .map_err(|error| Error::data(path, format!("rows cannot be exchanged: {error}")))?;
            commit_bytes(&folder.join(TYPES), &bytes)?;
            self.0 = Some(schema);
        }
        let types = self.0.as_ref().filter(|types| **types != batch.schema());
        types.map_or(Ok(batch.clone()), |types| conform(batch, types)).map(Held::Columns).map_err(|message| {
            Error::data(path, format!("its columns are not those of the first input: {message}"))
        })
    }

    pub(super) fn get(&self) -> Option<&SchemaRef> {
        self.0.as_ref()
    }
}
