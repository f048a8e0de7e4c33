//! The last pass: ranges of bins become rows of the output.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;
use thresher_core::Observer;
use thresher_core::json::Fields;
use thresher_tokens::pack::Sum;

use super::Packed;
use super::spill::Spilled;
use crate::codec::DataFormat;
use crate::error::{Error, Result};
use crate::input::{Cutter, GoOn, Input, Output, Payload, Piece, Position, Scratch, SlotMask, Unit, Written};
use crate::readers::ipc::IpcKind;
use crate::record::Visitor;
use crate::runs::output::RunOutput;
use crate::runs::pipeline::{Pass, Read, for_each_unit};
use crate::writers::Means;
use crate::writers::ipc::{IpcLayout, IpcOutput};
use crate::writers::lines::LinesOutput;
use crate::writers::parquet::{ParquetLayout, ParquetOutput};

/// The step of the progress.
const WRITE: usize = 3;
/// The file in a folder.
const FILE: &str = "packed.parquet";
/// A range takes so many times its bytes while it is worked on: as it is read, its tokens and their positions.
const TIMES: u64 = 4;

impl Packed<'_> {
    /// Writes all bins; gives the sums of what was written too, of tokens and of masks.
    pub(super) fn write(&self, spilled: Spilled, output: &RunOutput) -> Result<(Vec<Written>, Sum, Sum)> {
        let ranges = [Ranges(spilled)];
        let [Ranges(spilled)] = &ranges;
        self.progress.begin(WRITE, ranges[0].size_on_disk());
        let format = output.form_of_columns().format;
        let mut file = self.create(output)?;
        let (mut tokens, mut masks) = (Sum::default(), Sum::default());
        for_each_unit(
            Pass::new(&ranges, self.crew, self.progress, self.memory),
            || (),
            |(), _, unit| {
                let (batch, tokens, masks) = spilled.bins(unit.index)?;
                self.progress.advance(batch.num_rows() as u64, spilled.bytes(unit.index));
                let rows = batch.num_rows() as u64;
                let piece = match format {
                    DataFormat::Jsonl => Piece::Bytes(lines(&batch)?),
                    _ => Piece::Batches(vec![batch]),
                };
                Ok((piece, rows, tokens, masks))
            },
            |_, (piece, rows, of_tokens, of_masks)| {
                tokens.merge(of_tokens);
                masks.merge(of_masks);
                file.write(piece, rows)
            },
        )?;
        Ok((vec![file.finish()?], tokens, masks))
    }

    fn create(&self, output: &RunOutput) -> Result<Box<dyn Output>> {
        let means = Means { memory: self.memory.output(), ..Means::new(self.crew) };
        let (path, form, schema) = (output.named_path(FILE), output.form_of_columns(), self.form.schema());
        Ok(match form.format {
            DataFormat::Jsonl => Box::new(LinesOutput::create(&path, form.lines(), &means)?),
            DataFormat::Parquet => Box::new(ParquetOutput::create(&path, ParquetLayout::of(schema), &means)?),
            DataFormat::Ipc => {
                let kind = IpcKind::of_name(&output.final_named(FILE));
                Box::new(IpcOutput::create(&path, IpcLayout::of(schema, kind))?)
            }
        })
    }
}

/// Bins as lines of JSON.
fn lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    let written = writer.write(batch).and_then(|()| writer.finish());
    written.map_err(|error| Error::Internal(format!("bins as lines: {error}")))?;
    Ok(writer.into_inner())
}

/// The ranges of what is spilled, as units.
struct Ranges(Spilled);

impl Read for Ranges {
    fn input(&self) -> &dyn Input {
        self
    }
}

impl Input for Ranges {
    fn path(&self) -> &Path {
        &self.0.folder
    }

    fn name(&self) -> &str {
        FILE
    }

    fn size_on_disk(&self) -> u64 {
        (0..self.0.layout.ranges()).map(|range| self.0.bytes(range)).sum()
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        Ok(Box::new(Cut { spilled: &self.0, next: from.units }))
    }

    fn read(
        &self,
        _: &Unit,
        _: &Fields,
        _: Option<&SlotMask>,
        _: &mut Scratch,
        _: &mut dyn Visitor,
    ) -> Result<()> {
        Err(Error::Internal("ranges of bins have no records".into()))
    }

    fn copy(&self, _: Unit, _: &SlotMask, _: &mut Scratch) -> Result<Piece> {
        Err(Error::Internal("ranges of bins are not copied".into()))
    }
}

struct Cut<'r> {
    spilled: &'r Spilled,
    next: usize,
}

impl Cutter for Cut<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        go_on()?;
        let range = self.next;
        if range >= self.spilled.layout.ranges() {
            return Ok(None);
        }
        self.next += 1;
        let payload = Payload::RowGroup { group: range, first_row: 0, rows: 0 };
        Ok(Some(Unit { index: range, weight: TIMES * self.spilled.bytes(range), payload }))
    }
}
