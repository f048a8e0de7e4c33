//! From new rows to the outputs: lines as they are, columns by a schema that fits all rows.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_schema::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::codec::DataFormat;
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

/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8192;

/// The format of each input's output, and the columns of those that have any.
pub(crate) struct Forms {
    is_single: bool,
    of_inputs: Vec<Form>,
    seen: Seen,
    schemas: Vec<SchemaRef>,
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
        Self { is_single, of_inputs, seen, schemas: Vec::new() }
    }

    /// Whether any output has columns.
    pub(crate) fn have_columns(&self) -> bool {
        self.of_inputs.iter().any(|form| form.format != DataFormat::Jsonl)
    }

    /// Whether the output of this input has columns.
    pub(crate) fn is_columnar(&self, input: usize) -> bool {
        self.of_inputs[input].format != DataFormat::Jsonl
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
