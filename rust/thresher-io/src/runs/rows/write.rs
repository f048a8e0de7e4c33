//! From new rows to the outputs: lines as they are, columns by a schema that fits all rows.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_json::ReaderBuilder;
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use thresher_tokens::layout::Dtype;

use super::shape::Shape;
use crate::codec::{Codec, DataFormat};
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Output, Piece, Position};
use crate::readers::ipc::IpcKind;
use crate::runs::books::Count;
use crate::runs::output::RunOutput;
use crate::runs::source::{Form, Source};
use crate::writers::Means;
use crate::writers::ipc::{IpcLayout, IpcOutput};
use crate::writers::lines::LinesOutput;
use crate::writers::parquet::{ParquetLayout, ParquetOutput};
use crate::writers::tokens::{MegatronOutput, NpyOutput};

/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8192;
/// The column that says what a row of known columns was made of.
const DOCUMENT: &str = "document";

/// New rows whose columns are known before the first one, and what they are written as.
#[derive(Clone, Debug)]
pub struct KnownColumns {
    /// The columns, behind `document`, which names the row that each was made of.
    pub schema: SchemaRef,
    /// The format; that of the name of a single output, else Parquet, if nothing was asked for.
    pub format: Option<KnownFormat>,
}

/// What rows of known columns are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownFormat {
    /// Rows.
    Rows(DataFormat),
    /// The ids as `.bin` and `.idx` of Megatron-LM.
    Megatron(Dtype),
    /// The ids as shards of numpy.
    Npy(Dtype),
}

impl KnownFormat {
    fn suffix(self) -> &'static str {
        match self {
            Self::Rows(DataFormat::Jsonl) => "jsonl",
            Self::Rows(DataFormat::Parquet) => "parquet",
            Self::Rows(DataFormat::Ipc) => "arrow",
            Self::Megatron(_) => "bin",
            Self::Npy(_) => "documents.npy",
        }
    }

    /// Whether there are rows, which steps can read.
    pub(crate) fn is_rows(self) -> bool {
        matches!(self, Self::Rows(_))
    }

    /// Its name among parameters.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Megatron(_) => "megatron",
            Self::Npy(_) => "npy",
            Self::Rows(_) => self.suffix(),
        }
    }
}

/// The format of each input's output, and the columns of those that have any.
pub(crate) struct Forms {
    is_single: bool,
    of_inputs: Vec<Form>,
    seen: Seen,
    schemas: Vec<SchemaRef>,
    /// What it is if the columns were known beforehand.
    known: Option<KnownFormat>,
}

/// What the rows so far are like; an interrupted run leaves it to the next one.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    /// The columns of each output.
    shapes: Vec<Shape>,
    /// Where each input goes on.
    from: Vec<Position>,
    read: Count,
}

impl Forms {
    /// What the output asks for: the format of the inputs in a folder, that of its name in a single file.
    pub(crate) fn new(output: &RunOutput, sources: &[Source]) -> Self {
        let of_inputs: Vec<_> = sources.iter().map(|source| output.form(source)).collect();
        let is_single = output.is_single();
        let shapes = if is_single { 1 } else { of_inputs.len() };
        let seen = Seen {
            shapes: vec![Shape::default(); shapes],
            from: vec![Position::default(); of_inputs.len()],
            read: Count::default(),
        };
        Self { is_single, of_inputs, seen, schemas: Vec::new(), known: None }
    }

    /// What rows of known columns are written as.
    ///
    /// # Errors
    /// `Error::Parameter` for a format that an output of this name is not.
    pub(crate) fn known(output: &RunOutput, sources: &[Source], columns: &KnownColumns) -> Result<Self> {
        let mut forms = Self::new(output, sources);
        let by_name = forms.of_inputs.first().filter(|_| forms.is_single).copied();
        let parquet = KnownFormat::Rows(DataFormat::Parquet);
        let format = match (columns.format, by_name) {
            (Some(format), None) => format,
            (None, None) => parquet,
            (None, Some(form)) => KnownFormat::Rows(form.format),
            (Some(KnownFormat::Rows(format)), Some(form)) if format == form.format || output.is_stream() => {
                KnownFormat::Rows(format)
            }
            (Some(format), Some(_)) => {
                return Err(Error::Parameter(format!(
                    "format is `{}`, but output `{}` is one file of another; give the name of a folder",
                    format.name(),
                    output.final_name()
                )));
            }
        };
        if !forms.is_single {
            output.end_in(format.suffix());
        }
        if let KnownFormat::Rows(format) = format {
            let plain = Form { format, codec: Codec::Plain, is_array: false };
            let form = by_name.filter(|form| form.format == format).unwrap_or(plain);
            forms.of_inputs.fill(form);
        }
        let document = Arc::new(Field::new(DOCUMENT, DataType::Utf8, false));
        let fields: Vec<FieldRef> =
            std::iter::once(document).chain(columns.schema.fields().iter().cloned()).collect();
        forms.schemas = {
            let schema = Arc::new(Schema::new(fields));
            forms.seen.shapes.iter().map(|_| schema.clone()).collect()
        };
        forms.known = Some(format);
        Ok(forms)
    }

    /// Whether any output has columns.
    pub(crate) fn have_columns(&self) -> bool {
        self.of_inputs.iter().any(|form| form.format != DataFormat::Jsonl)
    }

    /// Whether the lines of this input become columns.
    pub(crate) fn is_columnar(&self, input: usize) -> bool {
        self.known.is_none() && self.of_inputs[input].format != DataFormat::Jsonl
    }

    fn place(&self, input: usize) -> usize {
        if self.is_single { 0 } else { input }
    }

    /// Goes on where an earlier run has come to, as it noted in a file; says where each input goes on, and how much was read.
    pub(crate) fn go_on(&mut self, path: &Path) -> (Vec<Position>, Count) {
        let noted: Option<Seen> = fs::read(path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let fits = |seen: &Seen| {
            (seen.shapes.len(), seen.from.len()) == (self.seen.shapes.len(), self.of_inputs.len())
        };
        if let Some(seen) = noted.filter(fits) {
            self.seen = seen;
        }
        (self.seen.from.clone(), self.seen.read)
    }

    /// Notes how far this has come.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn note(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec(&self.seen).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(path, &json).map(drop)
    }

    /// Widens the columns of an input's output by those of a unit, behind which it goes on. Units come in the order of the inputs.
    ///
    /// # Errors
    /// A sentence about the column that has no one type.
    pub(crate) fn widen(
        &mut self,
        input: usize,
        shape: Shape,
        after: Position,
        read: Count,
    ) -> std::result::Result<(), String> {
        let place = self.place(input);
        self.seen.from[..input].fill(Position::END);
        self.seen.from[input] = after;
        self.seen.read.add(read.docs, read.bytes);
        self.seen.shapes[place].merge(shape)
    }

    /// There are no more rows: fixes the columns.
    ///
    /// # Errors
    /// A sentence about the column that Parquet and Arrow have no type for.
    pub(crate) fn settle(&mut self) -> std::result::Result<(), String> {
        let schema = |shape: &Shape| Ok(Arc::new(Schema::new(shape.fields()?)));
        self.seen.from.fill(Position::END);
        self.schemas = self.seen.shapes.iter().map(schema).collect::<std::result::Result<_, String>>()?;
        Ok(())
    }

    /// Columns that are known beforehand, behind the names of what their rows were made of, as a piece of any output.
    pub(crate) fn known_piece(&self, columns: Option<(StringArray, RecordBatch)>) -> Result<Piece> {
        let failed = |error: arrow_schema::ArrowError| Error::Internal(format!("columns of a step: {error}"));
        let (names, batch) = columns.ok_or_else(|| Error::Internal("a step made no columns".into()))?;
        if !matches!(self.known, Some(KnownFormat::Rows(_))) {
            return Ok(Piece::Batches(vec![batch]));
        }
        let schema = self.schemas.first().cloned().unwrap_or_else(|| batch.schema());
        let arrays = std::iter::once(Arc::new(names) as ArrayRef).chain(batch.columns().iter().cloned());
        let batch = RecordBatch::try_new(schema, arrays.collect()).map_err(failed)?;
        if self.known != Some(KnownFormat::Rows(DataFormat::Jsonl)) {
            return Ok(Piece::Batches(vec![batch]));
        }
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
        writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
        Ok(Piece::Bytes(writer.into_inner()))
    }

    /// Whether the columns are known beforehand.
    pub(crate) fn are_known(&self) -> bool {
        self.known.is_some()
    }

    /// Lines as a piece of the output of an input.
    pub(crate) fn piece(&self, input: usize, lines: String) -> Result<Piece> {
        if !self.is_columnar(input) {
            return Ok(Piece::Bytes(lines.into_bytes()));
        }
        let internal = |error: arrow_schema::ArrowError| {
            Error::Internal(format!("rows do not fit the columns that were found for them: {error}"))
        };
        let schema = self.schemas[self.place(input)].clone();
        let reader = ReaderBuilder::new(schema).with_batch_size(BATCH_ROWS).build(lines.as_bytes());
        let batches = reader.map_err(internal)?.collect::<std::result::Result<_, _>>().map_err(internal)?;
        Ok(Piece::Batches(batches))
    }

    /// Begins the output of an input, or goes on with it at a checkpoint.
    pub(crate) fn create(
        &self,
        output: &RunOutput,
        sources: &[Source],
        input: usize,
        means: &Means,
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Box<dyn Output>> {
        let path = output.data_path(&sources[input])?;
        let schema = || self.schemas[self.place(input)].clone();
        let form = self.of_inputs[input];
        match self.known {
            Some(KnownFormat::Megatron(dtype)) => {
                return Ok(Box::new(MegatronOutput::open(&path, dtype, from)?));
            }
            Some(KnownFormat::Npy(dtype)) => return Ok(Box::new(NpyOutput::create(&path, dtype)?)),
            _ => {}
        }
        Ok(match form.format {
            DataFormat::Jsonl => Box::new(LinesOutput::open(&path, form.lines(), means, from)?),
            DataFormat::Parquet => {
                Box::new(ParquetOutput::open(&path, ParquetLayout::of(schema()), means, from)?)
            }
            DataFormat::Ipc => {
                let kind = IpcKind::of_name(&output.final_path(&sources[input]));
                Box::new(IpcOutput::create(&path, IpcLayout::of(schema(), kind))?)
            }
        })
    }
}
