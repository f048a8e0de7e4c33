//! An input of a run in its format, and the output that goes with it: what readers and writers have in common.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;
use thresher_core::json::Fields;

use crate::codec::{Codec, DataFormat};
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Input, Output, Unit};
use crate::readers::columns::SlotBatch;
use crate::readers::folder::FolderInput;
use crate::readers::ipc::IpcInput;
use crate::readers::jsonl::JsonlInput;
use crate::readers::parquet::ParquetInput;
use crate::runs::exchange::PlacedInput;
use crate::runs::lens::SeenInput;
use crate::writers::Means;
use crate::writers::folder::FolderOutput;
use crate::writers::ipc::{IpcLayout, IpcOutput};
use crate::writers::lines::{LinesLayout, LinesOutput};
use crate::writers::parquet::{ParquetLayout, ParquetOutput};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) format: DataFormat,
    /// The compression of lines; columns are compressed inside.
    pub(crate) codec: Codec,
    /// Rows of JSON are the elements of one array.
    pub(crate) is_array: bool,
}

impl Form {
    /// The layout of rows of JSON.
    pub(crate) fn lines(self) -> LinesLayout {
        LinesLayout { codec: self.codec, is_array: self.is_array }
    }
}

/// Columns of a unit.
pub(crate) struct WholeColumns {
    pub(crate) batches: Vec<RecordBatch>,
    /// Slots of the unit.
    pub(crate) slots: u64,
    /// Those of the rows, if not all are there.
    pub(crate) kept: Option<Vec<u32>>,
}

/// One input, opened.
pub(crate) enum Source {
    Lines(JsonlInput, Codec),
    Parquet(ParquetInput),
    Ipc(IpcInput),
    Folder(FolderInput),
    /// One of these, as the steps of a pipeline have left it.
    Seen(Box<SeenInput>),
    /// Rows of some of these, in another order.
    Placed(Box<PlacedInput>),
}

impl Source {
    /// The reader.
    pub(crate) fn input(&self) -> &dyn Input {
        match self {
            Self::Lines(input, _) => input,
            Self::Parquet(input) => input,
            Self::Ipc(input) => input,
            Self::Folder(input) => input,
            Self::Seen(input) => &**input,
            Self::Placed(input) => &**input,
        }
    }

    /// The source as it is stored, whatever it is seen through.
    pub(crate) fn stored(&self) -> &Self {
        match self {
            Self::Seen(input) => input.source().stored(),
            source => source,
        }
    }

    /// The same of a source that is done with.
    pub(crate) fn into_stored(self) -> Self {
        match self {
            Self::Seen(input) => input.into_source().into_stored(),
            source => source,
        }
    }

    /// The data format; none for a folder of documents.
    pub(crate) fn format(&self) -> Option<DataFormat> {
        match self {
            Self::Lines(..) => Some(DataFormat::Jsonl),
            Self::Parquet(_) => Some(DataFormat::Parquet),
            Self::Ipc(_) => Some(DataFormat::Ipc),
            Self::Folder(_) => None,
            Self::Seen(input) => input.source().format(),
            Self::Placed(input) => input.like().format(),
        }
    }

    /// The form of the data; lines for a folder of documents.
    pub(crate) fn form(&self) -> Form {
        let format = self.format().unwrap_or(DataFormat::Jsonl);
        match self {
            Self::Lines(input, codec) => Form { format, codec: *codec, is_array: input.is_array() },
            Self::Seen(input) => input.source().form(),
            Self::Placed(input) => input.like().form(),
            _ => Form { format, codec: Codec::Plain, is_array: false },
        }
    }

    /// The name of the format in reports.
    pub(crate) fn format_name(&self) -> &'static str {
        match self {
            Self::Lines(input, _) if input.is_array() => "json",
            Self::Lines(_, Codec::Plain) => "jsonl",
            Self::Lines(_, Codec::Gzip) => "jsonl.gz",
            Self::Lines(_, Codec::Zstd) => "jsonl.zst",
            Self::Parquet(_) => "parquet",
            Self::Ipc(_) => "arrow",
            Self::Folder(_) => "folder",
            Self::Seen(input) => input.source().format_name(),
            Self::Placed(input) => input.like().format_name(),
        }
    }

    /// Checks that the fields of a run can be there, as far as that is known before reading.
    pub(crate) fn check(&self, fields: &Fields) -> Result<()> {
        match self {
            Self::Lines(..) | Self::Folder(_) => Ok(()),
            Self::Parquet(input) => input.check(fields),
            Self::Ipc(input) => input.check(fields),
            Self::Seen(input) => input.source().check(fields),
            Self::Placed(input) => input.like().check(fields),
        }
    }

    /// Hands over the columns of these names, as far as there are any, of every slot of a unit of a columnar file. `receive` gets
    /// the slots and a batch of them, or why they cannot be decoded.
    ///
    /// # Errors
    /// I/O failures, those of `receive`, and `Error::Internal` for rows of another format.
    pub(crate) fn columns(&self, unit: &Unit, names: &[&str], receive: SlotBatch<'_>) -> Result<()> {
        match self {
            Self::Parquet(input) => input.columns(unit, names, receive),
            Self::Ipc(input) => input.columns(unit, names, receive),
            _ => Err(Error::Internal("rows of these have no columns".into())),
        }
    }

    /// The columns of a columnar file, and those that steps have added to rows of any format; none if there are no columns at all.
    pub(crate) fn fields(&self) -> Option<Vec<FieldRef>> {
        match self {
            Self::Parquet(input) => input.schema().map(|schema| schema.fields().to_vec()),
            Self::Ipc(input) => input.schema().map(|schema| schema.fields().to_vec()),
            Self::Seen(input) => {
                let (own, added) = (input.source().fields(), input.columns());
                if own.is_none() && added.is_empty() {
                    return None;
                }
                let mut fields = own.unwrap_or_default();
                fields.retain(|field| added.iter().all(|added| added.name() != field.name()));
                fields.extend_from_slice(added);
                Some(fields)
            }
            Self::Lines(..) | Self::Folder(_) | Self::Placed(_) => None,
        }
    }

    /// Columns of a unit as they are, of the rows that are there. A damaged file is an error.
    ///
    /// # Errors
    /// I/O failures, `Error::Data` for damage, and `Error::Internal` for rows of another format.
    pub(crate) fn whole_columns(&self, unit: &Unit, names: &[&str]) -> Result<WholeColumns> {
        let all = |batches: Vec<RecordBatch>| {
            let slots = batches.iter().map(|batch| batch.num_rows() as u64).sum();
            WholeColumns { batches, slots, kept: None }
        };
        match self {
            Self::Parquet(input) => input.whole_columns(unit, names).map(all),
            Self::Ipc(input) => input.whole_columns(unit, names).map(|batch| all(vec![batch])),
            Self::Seen(input) => input.whole_columns(unit, names),
            _ => Err(Error::Internal("rows of these have no columns".into())),
        }
    }

    /// The name of a row of this input: the file of a folder, else `source:row`.
    pub(crate) fn name_row(&self, row: u64) -> String {
        match self {
            Self::Folder(input) => input.name_of_file(row as usize).to_owned(),
            Self::Seen(input) => input.source().name_row(row),
            _ => format!("{}:{row}", self.input().name()),
        }
    }

    /// A writer of the same format and layout at `path`, which begins anew or goes on at a checkpoint. Rows of JSON take the
    /// layout of `form`.
    pub(crate) fn create_output(
        &self,
        path: &Path,
        form: Form,
        means: &Means,
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Box<dyn Output>> {
        self.create_with(path, form, means, &[], from)
    }

    /// The same with added columns, which take the place of those of their names.
    fn create_with(
        &self,
        path: &Path,
        form: Form,
        means: &Means,
        added: &[FieldRef],
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Box<dyn Output>> {
        // Of a file that cannot be read nothing can be kept, and an empty file of no schema is no Parquet file.
        let unreadable =
            || Error::data(self.input().path(), "the file has no readable schema, so no output can be made");
        Ok(match (self, from) {
            (Self::Lines(..), from) => Box::new(LinesOutput::open(path, form.lines(), means, from)?),
            (Self::Parquet(input), from) => {
                let layout = ParquetLayout::like(input).ok_or_else(unreadable)?.with_added(added);
                Box::new(ParquetOutput::open(path, layout, means, from)?)
            }
            (Self::Ipc(input), None) => {
                let layout = IpcLayout::like(input).ok_or_else(unreadable)?.with_added(added);
                Box::new(IpcOutput::create(path, layout)?)
            }
            (Self::Folder(_), None) => Box::new(FolderOutput::create(path)?),
            (Self::Seen(input), from) => {
                let mut all = input.columns().to_vec();
                all.retain(|column| added.iter().all(|added| added.name() != column.name()));
                all.extend_from_slice(added);
                return input.source().create_with(path, form, means, &all, from);
            }
            (Self::Placed(input), from) => {
                return input.like().create_with(path, form, means, input.columns(), from);
            }
            (Self::Ipc(_) | Self::Folder(_), Some(_)) => {
                return Err(Error::Internal(format!("`{}` cannot be gone on with", path.display())));
            }
        })
    }

    /// Copies rows of columns by their Arrow types from now on, so that they can be changed.
    ///
    /// # Errors
    /// `Error::Data` for a column of a type that cannot be written again in that way.
    pub(crate) fn copy_by_types(&mut self) -> Result<()> {
        match self {
            Self::Parquet(input) => input.copy_by_types(),
            Self::Ipc(input) => {
                input.copy_by_types();
                Ok(())
            }
            Self::Seen(input) => input.copy_by_types(),
            // What is placed was copied before.
            Self::Lines(..) | Self::Folder(_) | Self::Placed(_) => Ok(()),
        }
    }

    /// Whether an output can be made: not for a columnar file without a readable schema.
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            Self::Lines(..) | Self::Folder(_) => true,
            Self::Parquet(input) => input.schema().is_some(),
            Self::Ipc(input) => input.schema().is_some(),
            Self::Seen(input) => input.source().is_readable(),
            Self::Placed(input) => input.like().is_readable(),
        }
    }
}
