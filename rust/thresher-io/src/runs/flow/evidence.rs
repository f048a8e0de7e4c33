//! The evidence of all steps of a pipeline in one: removals, clusters and quarantine, each with the step that it comes from,
//! and with the rows of the inputs rather than those that the step saw.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::remade::{Left, Remade};
use crate::clusters::ClustersWriter;
use crate::commit::PendingFile;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::removed::{Kept, Removal, RemovedWriter};
use crate::runs::books::InputReport;
use crate::runs::output::RunOutput;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::signals::{KEYS, SignalsWriter};

/// The signals of a step, beside its other evidence.
pub(super) const SIGNALS: &str = "signals.parquet";

/// The steps so far, and where the rows of each came from.
#[derive(Default)]
pub(super) struct Trail {
    /// The inputs of the first step.
    pub(super) inputs: Vec<InputReport>,
    steps: Vec<Traced>,
    remade: Vec<Remade>,
}

/// One step.
pub(super) struct Footprint {
    pub(super) name: String,
    /// Its output, beside or in which its evidence lies.
    pub(super) output: PathBuf,
    /// Its ids come from a field.
    pub(super) has_ids: bool,
}

/// The same, and what it saw.
struct Traced {
    step: Footprint,
    /// The place of each input, by name.
    inputs: HashMap<String, usize>,
    /// Steps before it that made other rows.
    remade: usize,
}

/// A row of the inputs: its source, its number, and which of the rows that it became is meant.
struct Place<'t> {
    source: &'t str,
    row: u64,
    part: Option<u64>,
}

impl Place<'_> {
    /// Its name, where it has no id.
    fn id(&self) -> String {
        let part = self.part.map(|part| format!("#{part}")).unwrap_or_default();
        format!("{}:{}{part}", self.source, self.row)
    }
}

/// One line of a quarantine.
#[derive(Serialize, Deserialize)]
struct Entry {
    source: String,
    row: u64,
    /// Where in the file the record begins; none for what an earlier step has written.
    offset: Option<u64>,
    #[serde(default)]
    step: String,
    reason: String,
    detail: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    raw_truncated: bool,
}

impl Trail {
    /// Adds a step that read these inputs.
    pub(super) fn add(&mut self, step: Footprint, inputs: &[InputReport]) {
        if self.steps.is_empty() {
            self.inputs = inputs.to_vec();
        }
        let inputs = inputs.iter().enumerate().map(|(place, input)| (input.name.clone(), place)).collect();
        self.steps.push(Traced { step, inputs, remade: self.remade.len() });
    }

    /// The last step that was added has written to another place.
    pub(super) fn moved(&mut self, output: PathBuf) {
        if let Some(last) = self.steps.last_mut() {
            last.step.output = output;
        }
    }

    /// The last step that was added has made other rows.
    pub(super) fn remake(&mut self, remade: Remade) {
        self.remade.push(remade);
    }

    /// Where a row that a step saw stands in the inputs of the pipeline.
    fn origin(&self, step: usize, source: &str, row: u64) -> Result<Place<'_>> {
        let traced = &self.steps[step];
        let found = traced.inputs.get(source).and_then(|input| self.trace(traced.remade, *input, row));
        found.ok_or_else(|| {
            Error::Internal(format!("row {row} of `{source}` in step {} came from nowhere", step + 1))
        })
    }

    /// The name of a row of an input that the next step sees, by the row of the inputs of the pipeline that it comes from.
    ///
    /// # Errors
    /// `Error::Internal` for a row that there is not.
    pub(super) fn name(&self, input: usize, source: &Source, row: u64) -> Result<String> {
        if self.remade.is_empty() {
            return Ok(source.name_row(row));
        }
        let found = self.trace(self.remade.len(), input, row).map(|place| place.id());
        found.ok_or_else(|| Error::Internal(format!("row {row} of input {input} came from nowhere")))
    }

    /// The row of the inputs that a row comes from which lies behind the first of the steps that made other rows.
    fn trace(&self, remade: usize, mut input: usize, mut row: u64) -> Option<Place<'_>> {
        let mut part = None;
        for remade in self.remade[..remade].iter().rev() {
            let which;
            match remade.origin(input, row)? {
                Left::Row(before, (of, part_of)) => (input, row, which) = (before, of, part_of),
                Left::Nothing(source) => return Some(Place { source, row, part }),
            }
            part = which.or(part);
        }
        Some(Place { source: &self.inputs.get(input)?.name, row, part })
    }

    /// The same of a kept document, which may stand in a reference.
    fn kept<'a>(&'a self, step: usize, source: &'a str, row: u64) -> Result<Place<'a>> {
        if self.steps[step].inputs.contains_key(source) {
            self.origin(step, source, row)
        } else {
            Ok(Place { source, row, part: None })
        }
    }

    /// An id as it would be over the inputs: one that is the place of a row in a step becomes that of its origin.
    fn id(&self, step: usize, id: &str) -> Result<String> {
        let place = id.rsplit_once(':').and_then(|(source, row)| Some((source, row.parse().ok()?)));
        let traced = &self.steps[step];
        match place {
            Some((source, row)) if !traced.step.has_ids && traced.inputs.contains_key(source) => {
                Ok(self.origin(step, source, row)?.id())
            }
            _ => Ok(id.to_owned()),
        }
    }

    /// Writes the evidence of all steps to where the new result is made.
    pub(super) fn write(&self, output: &RunOutput, progress: &Progress) -> Result<Vec<Written>> {
        let mut written = Vec::new();
        let has = |part: &str| self.steps.iter().any(|traced| traced.step.part(part).exists());
        if let Some(path) = output.removed_path().filter(|_| has("removed.parquet")) {
            written.push(self.removed(&path, progress)?);
        }
        if let Some(path) = output.clusters_path().filter(|_| has("clusters.parquet")) {
            written.push(self.clusters(&path, progress)?);
        }
        for (at, Traced { step, .. }) in self.steps.iter().enumerate() {
            let from = step.part(SIGNALS);
            if let Some(path) = output.signals_path(&step.name).filter(|_| from.exists()) {
                written.push(self.signals(at, &from, &path, progress)?);
            }
        }
        if let Some(path) = output.quarantine_file().filter(|_| has("quarantine/records.jsonl")) {
            written.push(self.quarantine(&path, progress)?);
        }
        Ok(written)
    }

    fn removed(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut all = RemovedWriter::create(path)?;
        for (at, Traced { step, .. }) in self.steps.iter().enumerate() {
            each_batch(&step.part("removed.parquet"), |batch| {
                progress.check()?;
                let [id, source, reason] = ["id", "source", "reason"].map(|name| texts(batch, name));
                let [kept, kept_source, detail] =
                    ["duplicate_of", "duplicate_of_source", "detail"].map(|name| texts(batch, name));
                let (id, source, reason, kept, kept_source, detail) =
                    (id?, source?, reason?, kept?, kept_source?, detail?);
                let (row, kept_row) = (numbers(batch, "row")?, numbers(batch, "duplicate_of_row")?);
                let similarity = similarities(batch)?;
                let reasons_of = lists(batch, "reasons")?;
                for index in 0..batch.num_rows() {
                    let origin = self.origin(at, source.value(index), row.value(index) as u64)?;
                    let id = self.id(at, id.value(index))?;
                    let of_row = reasons_of.value(index);
                    let reasons = of_row.as_string::<i32>();
                    let stands = if kept.is_valid(index) {
                        let origin = self.kept(at, kept_source.value(index), kept_row.value(index) as u64)?;
                        Some((self.id(at, kept.value(index))?, origin.source, origin.row))
                    } else {
                        None
                    };
                    all.add(Removal {
                        id: &id,
                        source: origin.source,
                        row: origin.row,
                        step: &step.name,
                        reason: reason.value(index),
                        reasons: &reasons.iter().flatten().collect::<Vec<_>>(),
                        duplicate_of: stands.as_ref().map(|(id, source, row)| Kept { id, source, row: *row }),
                        similarity: similarity.is_valid(index).then(|| similarity.value(index)),
                        detail: detail.is_valid(index).then(|| detail.value(index)),
                    })?;
                }
                Ok(())
            })?;
        }
        all.finish()
    }

    fn clusters(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut all = ClustersWriter::create(path)?;
        for (at, Traced { step, .. }) in self.steps.iter().enumerate() {
            each_batch(&step.part("clusters.parquet"), |batch| {
                progress.check()?;
                let (document, cluster) = (texts(batch, "document")?, texts(batch, "cluster")?);
                let size = numbers(batch, "size")?;
                for index in 0..batch.num_rows() {
                    let (document, cluster) =
                        (self.id(at, document.value(index))?, self.id(at, cluster.value(index))?);
                    all.add(&document, &cluster, size.value(index) as u64)?;
                }
                Ok(())
            })?;
        }
        all.finish()
    }

    fn signals(&self, at: usize, from: &Path, path: &Path, progress: &Progress) -> Result<Written> {
        let names = columns_of(from)?;
        let names: Vec<&str> = names.iter().skip(KEYS.len()).map(String::as_str).collect();
        let mut all = SignalsWriter::create(path, &names)?;
        each_batch(from, |batch| {
            progress.check()?;
            let (id, source, row) = (texts(batch, "id")?, texts(batch, "source")?, numbers(batch, "row")?);
            let values: Vec<&Float64Array> =
                names.iter().map(|name| doubles(batch, name)).collect::<Result<_>>()?;
            for index in 0..batch.num_rows() {
                let origin = self.origin(at, source.value(index), row.value(index) as u64)?;
                let values = values.iter().map(|column| column.is_valid(index).then(|| column.value(index)));
                all.add(&self.id(at, id.value(index))?, origin.source, origin.row, values)?;
            }
            Ok(())
        })?;
        all.finish()
    }

    fn quarantine(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut all = PendingFile::create(path)?;
        let mut lines = 0;
        for (at, Traced { step, .. }) in self.steps.iter().enumerate() {
            let remade = self.steps[at].remade;
            let from = step.part("quarantine/records.jsonl");
            if !from.exists() {
                continue;
            }
            let file = File::open(&from).map_err(Error::io("open", &from))?;
            for line in BufReader::new(file).lines() {
                progress.check()?;
                let line = line.map_err(Error::io("read", &from))?;
                let broken =
                    |error: serde_json::Error| Error::Internal(format!("a quarantine of ours: {error}"));
                let mut entry: Entry = serde_json::from_str(&line).map_err(broken)?;
                let origin = self.origin(at, &entry.source, entry.row)?;
                (entry.row, entry.source) = (origin.row, origin.source.to_owned());
                entry.step.clone_from(&step.name);
                entry.offset = entry.offset.filter(|_| remade == 0);
                let mut line = serde_json::to_vec(&entry).map_err(broken)?;
                line.push(b'\n');
                all.write_all(&line).map_err(Error::io("write", path))?;
                lines += 1;
            }
        }
        Ok(Written::of(all.commit()?, lines))
    }
}

impl Footprint {
    /// Where a part of its evidence lies.
    fn part(&self, part: &str) -> PathBuf {
        if self.output.is_dir() {
            return self.output.join(part);
        }
        let mut name = self.output.as_os_str().to_owned();
        name.push(".");
        name.push(part);
        PathBuf::from(name)
    }
}

/// The names of the columns of a table of ours.
fn columns_of(path: &Path) -> Result<Vec<String>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file);
    let reader = reader.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(reader.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Calls `each` with the batches of a table of ours, if there is one.
fn each_batch(path: &Path, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
    for batch in reader.map_err(|error| Error::Internal(error.to_string()))? {
        each(&batch.map_err(|error| Error::Internal(error.to_string()))?)?;
    }
    Ok(())
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b dyn Array> {
    let found = batch.column_by_name(name);
    Ok(&**found.ok_or_else(|| Error::Internal(format!("evidence of ours has no column `{name}`")))?)
}

fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    let plain = arrow_cast::cast(column(batch, name)?, &DataType::Utf8);
    Ok(plain.map_err(|error| Error::Internal(error.to_string()))?.as_string::<i32>().clone())
}

fn numbers<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b Int64Array> {
    let found = column(batch, name)?.as_primitive_opt::<Int64Type>();
    found.ok_or_else(|| Error::Internal(format!("`{name}` of evidence of ours is no number")))
}

fn similarities(batch: &RecordBatch) -> Result<&Float32Array> {
    let found = column(batch, "similarity")?.as_primitive_opt::<Float32Type>();
    found.ok_or_else(|| Error::Internal("`similarity` of evidence of ours is no number".into()))
}

fn doubles<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b Float64Array> {
    let found = column(batch, name)?.as_primitive_opt::<Float64Type>();
    found.ok_or_else(|| Error::Internal(format!("`{name}` of evidence of ours is no double")))
}

fn lists<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ListArray> {
    let found = column(batch, name)?.as_list_opt::<i32>();
    found.ok_or_else(|| Error::Internal(format!("`{name}` of evidence of ours is no list")))
}
