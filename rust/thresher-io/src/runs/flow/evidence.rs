//! The evidence of all steps of a pipeline in one: removals, clusters and quarantine, each with the step that it comes from,
//! and with the rows of the inputs rather than those that the step saw.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, Float32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::step::Done;
use crate::clusters::ClustersWriter;
use crate::commit::PendingFile;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::removed::{Kept, Removal, RemovedWriter};
use crate::runs::books::InputReport;
use crate::runs::output::RunOutput;
use crate::runs::passed::Rows;
use crate::runs::progress::Progress;

/// The steps so far, and where the rows of each came from.
#[derive(Default)]
pub(super) struct Trail {
    /// The inputs of the first step.
    pub(super) inputs: Vec<InputReport>,
    steps: Vec<Footprint>,
}

/// One step.
struct Footprint {
    name: String,
    /// Its output, beside or in which its evidence lies.
    output: PathBuf,
    /// The place of each input, by name.
    inputs: HashMap<String, usize>,
    /// Of each input, which one of the step before it was.
    before: Vec<usize>,
    /// The names of its outputs, in order; they are the inputs of the next step.
    outputs: Vec<String>,
    passed: Vec<Rows>,
    has_ids: bool,
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
    /// Adds a step that read `count` inputs, and before them references, and wrote to `output`.
    ///
    /// # Errors
    /// `Error::Parameter` if an input and a reference have one name, which evidence could not tell apart.
    pub(super) fn add(&mut self, name: &str, output: &Path, count: usize, done: &mut Done) -> Result<()> {
        let references: Vec<_> =
            done.inputs.drain(..done.inputs.len() - count.min(done.inputs.len())).collect();
        if let Some(both) =
            references.iter().find(|one| done.inputs.iter().any(|input| input.name == one.name))
        {
            return Err(Error::Parameter(format!(
                "an input and a reference of step {name} are both called `{}`; rename one of them",
                both.name
            )));
        }
        let before = match self.steps.last() {
            None => (0..done.inputs.len()).collect(),
            // The names below `data` are those of the inputs of the step before.
            Some(last) => {
                last.outputs.iter().map(|name| last.inputs.get(name).copied().unwrap_or(0)).collect()
            }
        };
        if self.steps.is_empty() {
            self.inputs.clone_from(&done.inputs);
        }
        let data = output.join("data");
        let below = |path: &Path| path.strip_prefix(&data).unwrap_or(path).to_string_lossy().into_owned();
        self.steps.push(Footprint {
            name: name.to_owned(),
            output: output.to_path_buf(),
            inputs: done
                .inputs
                .iter()
                .enumerate()
                .map(|(place, input)| (input.name.clone(), place))
                .collect(),
            before,
            outputs: done.outputs.iter().map(|output| below(&output.path)).collect(),
            passed: std::mem::take(&mut done.passed),
            has_ids: done.has_ids,
        });
        Ok(())
    }

    /// Where a row that a step saw stands in the inputs of the pipeline.
    fn origin(&self, step: usize, source: &str, row: u64) -> Result<(&str, u64)> {
        let lost =
            || Error::Internal(format!("row {row} of `{source}` in step {} came from nowhere", step + 1));
        let mut input = *self.steps[step].inputs.get(source).ok_or_else(lost)?;
        let mut row = row;
        for at in (0..step).rev() {
            input = *self.steps[at + 1].before.get(input).ok_or_else(lost)?;
            row = self.steps[at].passed.get(input).and_then(|rows| rows.origin(row)).ok_or_else(lost)?;
        }
        Ok((&self.inputs.get(input).ok_or_else(lost)?.name, row))
    }

    /// The same of a kept document, which may stand in a reference.
    fn kept<'a>(&'a self, step: usize, source: &'a str, row: u64) -> Result<(&'a str, u64)> {
        if self.steps[step].inputs.contains_key(source) {
            self.origin(step, source, row)
        } else {
            Ok((source, row))
        }
    }

    /// An id as it would be over the inputs: one that is the place of a row in a step becomes that of its origin.
    fn id(&self, step: usize, id: &str) -> Result<String> {
        let place = id.rsplit_once(':').and_then(|(source, row)| Some((source, row.parse().ok()?)));
        match place {
            Some((source, row))
                if !self.steps[step].has_ids && self.steps[step].inputs.contains_key(source) =>
            {
                let (source, row) = self.origin(step, source, row)?;
                Ok(format!("{source}:{row}"))
            }
            _ => Ok(id.to_owned()),
        }
    }

    /// Writes the evidence of all steps to where the new result is made.
    pub(super) fn write(&self, output: &RunOutput, progress: &Progress) -> Result<Vec<Written>> {
        let mut written = Vec::new();
        let has = |part: &str| self.steps.iter().any(|step| step.part(part).exists());
        if let Some(path) = output.removed_path().filter(|_| has("removed.parquet")) {
            written.push(self.removed(&path, progress)?);
        }
        if let Some(path) = output.clusters_path().filter(|_| has("clusters.parquet")) {
            written.push(self.clusters(&path, progress)?);
        }
        if let Some(path) = output.quarantine_file().filter(|_| has("quarantine/records.jsonl")) {
            written.push(self.quarantine(&path, progress)?);
        }
        Ok(written)
    }

    fn removed(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut all = RemovedWriter::create(path)?;
        for (at, step) in self.steps.iter().enumerate() {
            each_batch(&step.part("removed.parquet"), |batch| {
                progress.check()?;
                let [id, source, reason] = ["id", "source", "reason"].map(|name| texts(batch, name));
                let [kept, kept_source, detail] =
                    ["duplicate_of", "duplicate_of_source", "detail"].map(|name| texts(batch, name));
                let (id, source, reason, kept, kept_source, detail) =
                    (id?, source?, reason?, kept?, kept_source?, detail?);
                let (row, kept_row) = (numbers(batch, "row")?, numbers(batch, "duplicate_of_row")?);
                let similarity = similarities(batch)?;
                for index in 0..batch.num_rows() {
                    let (origin, origin_row) =
                        self.origin(at, source.value(index), row.value(index) as u64)?;
                    let id = self.id(at, id.value(index))?;
                    let stands = if kept.is_valid(index) {
                        let (source, row) =
                            self.kept(at, kept_source.value(index), kept_row.value(index) as u64)?;
                        Some((self.id(at, kept.value(index))?, source, row))
                    } else {
                        None
                    };
                    all.add(Removal {
                        id: &id,
                        source: origin,
                        row: origin_row,
                        step: &step.name,
                        reason: reason.value(index),
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
        for (at, step) in self.steps.iter().enumerate() {
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

    fn quarantine(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut all = PendingFile::create(path)?;
        let mut lines = 0;
        for (at, step) in self.steps.iter().enumerate() {
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
                let (source, row) = self.origin(at, &entry.source, entry.row)?;
                (entry.source, entry.row) = (source.to_owned(), row);
                entry.step.clone_from(&step.name);
                entry.offset = entry.offset.filter(|_| at == 0);
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
