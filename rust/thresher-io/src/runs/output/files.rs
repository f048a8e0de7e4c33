//! The outputs of a run, opened one after the other as the inputs come, and closed as soon as they are complete.
//!
//! With a journal, what is written outlives the process: now and then it notes which outputs are complete, how much of the open one
//! is on disk, and from which unit on rows have to come again. The next run of the same begins there.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::RunOutput;
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Output, Piece, Position, Written};
use crate::runs::resume::EVERY;
use crate::runs::source::Source;
use crate::writers::Means;

/// Outputs in the order of their inputs; one for each, or a single one for all.
pub(crate) struct DataFiles<'a> {
    inputs: usize,
    is_single: bool,
    create: Create<'a>,
    open: Option<(usize, Option<Box<dyn Output>>)>,
    finished: Vec<Written>,
    journal: Option<Journal>,
    /// Where an earlier run has come to.
    from: Vec<Position>,
    /// Rows that come again and are in the open output.
    skipped: u64,
}

/// Makes the output of an input; none for one of which nothing can be written.
type Create<'a> = Box<dyn Fn(usize) -> Result<Option<Box<dyn Output>>> + Send + 'a>;

/// Notes what is on disk.
struct Journal {
    path: PathBuf,
    noted: Instant,
    /// Rows of the open output.
    rows: u64,
    /// Behind which unit how many rows of it were there, since the last note.
    marks: VecDeque<Mark>,
}

/// A place between two units of an input, and the rows of the open output before it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mark {
    input: usize,
    from: Position,
    rows: u64,
}

/// What a journal says.
#[derive(Default, Serialize, Deserialize)]
struct Noted {
    finished: Vec<Written>,
    /// The inputs whose outputs are complete.
    done: usize,
    open: Option<(usize, Checkpoint, Mark)>,
}

impl<'a> DataFiles<'a> {
    /// Outputs like `sources`, which go on where an earlier run has noted that it came to.
    ///
    /// # Errors
    /// I/O failures, and the error of `go_on`.
    pub(crate) fn going_on(
        to: &'a RunOutput,
        sources: &'a [Source],
        means: &Means,
        go_on: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Self> {
        let create = |input: usize, means: &Means, from: Option<(&Checkpoint, GoOn<'_>)>| {
            to.create_like_from(&sources[input], means, from)
        };
        Self::going_on_with(to, sources, means, create, go_on)
    }

    /// The same with outputs of another kind: `create` makes one when its turn has come, or goes on with it at a checkpoint.
    ///
    /// # Errors
    /// As `going_on`.
    pub(crate) fn going_on_with(
        to: &'a RunOutput,
        sources: &'a [Source],
        means: &Means,
        create: impl Fn(usize, &Means, Option<(&Checkpoint, GoOn<'_>)>) -> Result<Option<Box<dyn Output>>>
        + Send
        + 'a,
        go_on: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Self> {
        let path = to.journal();
        let means = Means { resumable: path.is_some(), ..means.clone() };
        let mut files = Self {
            inputs: sources.len(),
            is_single: to.is_single(),
            create: Box::new(|_| Ok(None)),
            open: None,
            finished: Vec::new(),
            journal: None,
            from: Vec::new(),
            skipped: 0,
        };
        if let Some(path) = path {
            let mut noted = Noted::read(&path);
            let (mut rows, mut marks) = (0, VecDeque::new());
            let open = noted.open.as_ref().map(|(input, ..)| &sources[*input]);
            to.tidy(&noted.finished, open)?;
            if let Some((input, checkpoint, mark)) = noted.open {
                match create(input, &means, Some((&checkpoint, go_on))) {
                    Ok(output) => {
                        files.open = Some((input, output));
                        (files.skipped, rows) = (checkpoint.rows - mark.rows, mark.rows);
                        files.from = vec![Position::END; mark.input];
                        files.from.push(mark.from);
                        // Until more is whole, the next run begins there too.
                        marks.push_back(mark);
                    }
                    // After a loss of power less may be there than was noted; then this one begins anew.
                    Err(Error::Data { .. } | Error::Io { .. }) => {
                        noted.done = if files.is_single { 0 } else { input };
                        to.tidy(&noted.finished, None)?;
                    }
                    Err(error) => return Err(error),
                }
            }
            if files.open.is_none() {
                files.from = vec![Position::END; noted.done];
            }
            files.finished = noted.finished;
            files.journal = Some(Journal { path, noted: Instant::now(), rows, marks });
            if files.open.is_none() && noted.done > 0 {
                // Their outputs are complete.
                files.open = Some((noted.done - 1, None));
            }
        }
        files.from.resize(sources.len(), Position::default());
        files.create = Box::new(move |input| create(input, &means, None));
        Ok(files)
    }

    /// Where each input goes on.
    pub(crate) fn from(&self) -> Vec<Position> {
        self.from.clone()
    }

    /// Appends a piece of `rows` rows of an input, whose units before `after` are through then. Inputs come in order.
    ///
    /// # Errors
    /// I/O failures, and rows of an input that has no output.
    pub(crate) fn write(&mut self, input: usize, piece: Piece, rows: u64, after: Position) -> Result<()> {
        self.advance_to(input)?;
        let again = self.skipped.min(rows);
        let (piece, new) =
            if again > 0 { (behind(piece, again as usize)?, rows - again) } else { (piece, rows) };
        self.skipped -= again;
        match &mut self.open {
            Some((_, Some(output))) => output.write(piece, new)?,
            _ if rows == 0 => {}
            _ => return Err(Error::Internal("there are rows to write, but no output is open".into())),
        }
        if let Some(journal) = &mut self.journal {
            journal.rows += rows;
            journal.marks.push_back(Mark { input, from: after, rows: journal.rows });
            if journal.is_due() && self.skipped == 0 {
                self.note()?;
            }
        }
        Ok(())
    }

    /// Makes what is written outlive the process.
    fn note(&mut self) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.noted = Instant::now();
        let checkpoint = match &mut self.open {
            Some((input, Some(output))) => output.checkpoint()?.map(|checkpoint| (*input, checkpoint)),
            _ => None,
        };
        let done = match &self.open {
            Some((input, None)) => input + 1,
            // A single output is complete when the last input is.
            Some((input, Some(_))) if !self.is_single => *input,
            _ => 0,
        };
        let mut open = None;
        if let Some((input, checkpoint)) = checkpoint {
            let reached = journal.marks.partition_point(|mark| mark.rows <= checkpoint.rows);
            journal.marks.drain(..reached.saturating_sub(1));
            open = journal.marks.front().filter(|_| reached > 0).map(|mark| (input, checkpoint, *mark));
        }
        let noted = Noted { finished: self.finished.clone(), done, open };
        let json = serde_json::to_vec(&noted).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(&journal.path, &json).map(drop)
    }

    /// Completes all of them; inputs without a single unit have outputs too.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(mut self) -> Result<Vec<Written>> {
        if let Some(last) = self.inputs.checked_sub(1) {
            self.advance_to(last)?;
            if let Some((_, Some(output))) = self.open.replace((last, None)) {
                self.finished.extend(output.finish_all()?);
            }
            // What follows may be interrupted too.
            if self.journal.as_ref().is_some_and(|journal| journal.path.exists() || journal.is_due()) {
                self.note()?;
            }
        }
        Ok(self.finished)
    }

    /// Finishes the outputs before that of `input` and opens it.
    fn advance_to(&mut self, input: usize) -> Result<()> {
        let mut next = self.open.as_ref().map_or(0, |(current, _)| current + 1);
        while next <= input {
            match &mut self.open {
                Some((current, _)) if self.is_single => *current = next,
                open => {
                    if let Some((current, Some(output))) = open.take() {
                        self.finished.extend(output.finish_all()?);
                        self.open = Some((current, None));
                    }
                    if let Some(journal) = &mut self.journal {
                        journal.rows = 0;
                        journal.marks.clear();
                        if journal.is_due() {
                            self.note()?;
                        }
                    }
                    self.open = Some((next, (self.create)(next)?));
                }
            }
            next += 1;
        }
        Ok(())
    }
}

impl Journal {
    fn is_due(&self) -> bool {
        self.noted.elapsed() >= EVERY
    }
}

impl Noted {
    /// What an earlier run has noted, if it still holds.
    fn read(path: &Path) -> Self {
        let noted: Option<Self> = fs::read(path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let is_there = |file: &Written| {
            fs::metadata(&file.path).is_ok_and(|found| found.is_dir() || found.len() == file.bytes)
        };
        noted.filter(|noted| noted.finished.iter().all(is_there)).unwrap_or_default()
    }
}

/// The rows of a piece behind the first ones.
fn behind(piece: Piece, rows: usize) -> Result<Piece> {
    Ok(match piece {
        Piece::Bytes(mut lines) => {
            let mut ends = memchr::memchr_iter(b'\n', &lines);
            let end = rows.checked_sub(1).and_then(|last| ends.nth(last));
            lines.drain(..end.map_or(0, |end| end + 1));
            Piece::Bytes(lines)
        }
        Piece::Elements { mut bytes, mut ends } => {
            let start = rows.checked_sub(1).map_or(0, |last| ends[last]);
            bytes.drain(..start);
            ends.drain(..rows);
            for end in &mut ends {
                *end -= start;
            }
            Piece::Elements { bytes, ends }
        }
        Piece::Batches(batches) => Piece::Batches(batches_behind(batches, rows)),
        Piece::Group(input, group, batches) => Piece::Group(input, group, batches_behind(batches, rows)),
        Piece::Files(_) => {
            return Err(Error::Internal("a folder of documents cannot be gone on with".into()));
        }
    })
}

fn batches_behind(batches: Vec<arrow_array::RecordBatch>, mut rows: usize) -> Vec<arrow_array::RecordBatch> {
    let mut left = Vec::with_capacity(batches.len());
    for batch in batches {
        let gone = rows.min(batch.num_rows());
        rows -= gone;
        if gone < batch.num_rows() {
            left.push(batch.slice(gone, batch.num_rows() - gone));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use thresher_core::json::Fields;

    use super::*;
    use crate::crew::Crew;
    use crate::input::{Payload, Scratch, Unit};
    use crate::runs::options::RunOptions;
    use crate::runs::plan::Plan;
    use crate::runs::progress::Progress;

    /// The rows of a unit of a Parquet file, or of lines of one length.
    fn rows_of(unit: &Unit, line: u64) -> usize {
        match unit.payload {
            Payload::RowGroup { rows, .. } => rows,
            Payload::Range { start, end } => ((end - start) / line) as usize,
            _ => panic!("another unit"),
        }
    }

    /// Writes two of three rows up to `stop` units, and says what was finished and how many rows came again.
    fn write(inputs: &[String], out: &Path, stop: usize, line: u64) -> (Option<Vec<u8>>, u64) {
        let (progress, crew) = (Progress::default(), Crew::new(1));
        let options = RunOptions { batch_bytes: 500, ..RunOptions::default() };
        let plan = Plan::new(options.reading(inputs, None), &Fields::default(), &progress).unwrap();
        let output = RunOutput::open(&out.display().to_string(), true, &plan, true).unwrap();
        output.keep_work(true);
        let mut files = DataFiles::going_on(&output, &plan.sources, &Means::new(&crew), &|| Ok(())).unwrap();
        let (from, again) = (files.from(), files.skipped);
        let mut scratch = Scratch::default();
        for (input, (source, from)) in plan.sources.iter().zip(from).enumerate() {
            if from == Position::END {
                continue;
            }
            let mut units = source.input().cut(from).unwrap();
            while let Some(unit) = units.next(&|| Ok(())).unwrap() {
                if unit.index + 1000 * input >= stop {
                    return (None, again);
                }
                let keep: Vec<bool> =
                    (0..rows_of(&unit, line)).map(|row| (row + unit.index) % 3 > 0).collect();
                let (rows, after) = (keep.iter().filter(|kept| **kept).count() as u64, unit.after());
                let piece = source.input().copy(unit, &keep, &mut scratch).unwrap();
                files.write(input, piece, rows, after).unwrap();
            }
        }
        let written = files.finish().unwrap();
        let bytes = written.iter().flat_map(|file| fs::read(&file.path).unwrap()).collect();
        output.keep_work(false);
        (Some(bytes), again)
    }

    /// However often a run is stopped behind a unit, it ends with the bytes of one that is not; says how many rows came again.
    fn goes_on(inputs: &[String], dir: &Path, line: u64) -> u64 {
        let whole = write(inputs, &dir.join("whole"), usize::MAX, line).0.unwrap();
        let mut again = 0;
        for stop in (0..40).step_by(3) {
            let out = dir.join(format!("out{stop}"));
            for stop in [stop, stop + 1, stop + 5, 1000 + stop / 2] {
                again += write(inputs, &out, stop, line).1;
            }
            let (bytes, more) = write(inputs, &out, usize::MAX, line);
            again += more;
            assert!(bytes.unwrap() == whole, "stopped at unit {stop}");
        }
        again
    }

    #[test]
    fn rows_that_are_in_a_file_are_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let texts: StringArray =
            (0..2000).map(|row| Some(format!("text {row:08} {}", "x".repeat(20)))).collect();
        let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as _)]).unwrap();
        let inputs: Vec<String> =
            (0..2).map(|at| dir.path().join(format!("{at}.parquet")).display().to_string()).collect();
        for input in &inputs {
            let mut writer =
                ArrowWriter::try_new(fs::File::create(input).unwrap(), batch.schema(), None).unwrap();
            for group in 0..10 {
                writer.write(&batch.slice(200 * group, 200)).unwrap();
                writer.flush().unwrap();
            }
            writer.close().unwrap();
        }
        assert!(goes_on(&inputs, dir.path(), 0) > 0, "no row ever came again");
        let lines: String =
            (0..2000).map(|row| format!("{{\"text\":\"{row:08}\"}}\n")).collect::<Vec<_>>().concat();
        let dir = tempfile::tempdir().unwrap();
        let inputs: Vec<String> =
            (0..2).map(|at| dir.path().join(format!("{at}.jsonl")).display().to_string()).collect();
        for input in &inputs {
            fs::write(input, &lines).unwrap();
        }
        goes_on(&inputs, dir.path(), lines.len() as u64 / 2000);
    }
}
