//! From new rows to the outputs: lines as they are, columns by a schema that fits all rows.

use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_schema::{Schema, SchemaRef};

use super::shape::Shape;
use crate::codec::DataFormat;
use crate::error::{Error, Result};
use crate::input::{Output, Piece};
use crate::readers::ipc::IpcKind;
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
    shapes: Vec<Shape>,
    schemas: Vec<SchemaRef>,
}

impl Forms {
    /// What the output asks for: the format of the inputs in a folder, that of its name in a single file.
    pub(crate) fn new(output: &RunOutput, sources: &[Source]) -> Self {
        let of_inputs: Vec<_> = sources.iter().map(|source| output.form(source)).collect();
        let is_single = output.is_single();
        let shapes = if is_single { 1 } else { of_inputs.len() };
        Self { is_single, of_inputs, shapes: vec![Shape::default(); shapes], schemas: Vec::new() }
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

    /// Widens the columns of an input's output.
    ///
    /// # Errors
    /// A sentence about the column that has no one type.
    pub(crate) fn widen(&mut self, input: usize, shape: Shape) -> std::result::Result<(), String> {
        let place = self.place(input);
        self.shapes[place].merge(shape)
    }

    /// Fixes the columns.
    ///
    /// # Errors
    /// A sentence about the column that Parquet and Arrow have no type for.
    pub(crate) fn settle(&mut self) -> std::result::Result<(), String> {
        let schema = |shape: &Shape| Ok(Arc::new(Schema::new(shape.fields()?)));
        self.schemas = self.shapes.iter().map(schema).collect::<std::result::Result<_, String>>()?;
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

    /// Begins the output of an input.
    pub(crate) fn create(
        &self,
        output: &RunOutput,
        sources: &[Source],
        input: usize,
        means: &Means,
    ) -> Result<Box<dyn Output>> {
        let path = output.data_path(&sources[input])?;
        let schema = || self.schemas[self.place(input)].clone();
        let form = self.of_inputs[input];
        Ok(match form.format {
            DataFormat::Jsonl => Box::new(LinesOutput::create(&path, form.lines(), means)?),
            DataFormat::Parquet => {
                Box::new(ParquetOutput::create(&path, ParquetLayout::of(schema()), means)?)
            }
            DataFormat::Ipc => {
                let kind = IpcKind::of_name(&output.final_path(&sources[input]));
                Box::new(IpcOutput::create(&path, IpcLayout::of(schema(), kind))?)
            }
        })
    }
}
