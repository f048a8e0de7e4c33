//! Ledgers: what the steps of a pass decided about each row, without the rows.
//!
//! ```text
//! FOLDER/task-000000 ...   a task's units: which rows stay, edits, new columns; signals | evidence and books
//! FOLDER/whole             how many tasks there are, when the pass is through
//! ```
//!
//! A pass commits a ledger task by task, so that a run that was interrupted goes on behind the last one. Later passes read the
//! inputs through ledgers ([`crate::runs::lens`]); evidence and books are made of them at the end, in the order of the inputs.

mod unit;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use unit::{RemovedRow, StepBooks, UnitBooks, UnitRows};

use thresher_core::Observer;

use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::Position;
use crate::quarantine::BadRecords;
use crate::runs::books::Count;
use crate::runs::progress::Progress;
use crate::runs::resume::EVERY;
use crate::runs::spill::file::{SpillFile, SpillWriter};
use crate::runs::spill::tasks;

/// Sections of a task's file.
const ROWS: usize = 0;
const BOOKS: usize = 1;
/// Parts of a unit in the first: its rows, and the signals that steps keep of them.
const PARTS: usize = 2;
/// Says that no task is missing.
const WHOLE: &str = "whole";
/// Bytes of input that a task has at most; in tests, those of some units.
const TASK_INPUT: u64 = if cfg!(test) { 2 << 10 } else { 256 << 20 };
/// Bytes of evidence and books that wait for the end of a task.
const TASK_BOOKS: usize = 16 << 20;
/// The longest that a task lasts is this, or a hundredth of the pass so far: files stay few, and little is done again.
const TASK_TIME: Duration = if cfg!(test) { Duration::MAX } else { EVERY };
const TASKS_OF_A_PASS: u32 = 100;

/// A ledger under construction.
pub(crate) struct LedgerWriter {
    folder: PathBuf,
    done: Vec<SpillFile>,
    /// No task is missing.
    is_whole: bool,
    open: Option<SpillWriter>,
    /// Where each unit of the open task is, and its books.
    books: Vec<Vec<u8>>,
    held: usize,
    input_bytes: u64,
    began: Instant,
    task_began: Instant,
}

/// What an earlier run has done of a pass.
pub(crate) struct Earlier {
    /// Rows of each input.
    pub(crate) rows: Vec<u64>,
    /// All that was read.
    pub(crate) read: Count,
}

impl LedgerWriter {
    /// A ledger in `folder`, behind the tasks that an earlier run left there.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let done = tasks::open(folder)?;
        let is_whole = is_whole(folder, &done);
        if !is_whole {
            // Other tasks may come to as many.
            remove(&folder.join(WHOLE))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            done,
            is_whole,
            open: None,
            books: Vec::new(),
            held: 0,
            input_bytes: 0,
            began: Instant::now(),
            task_began: Instant::now(),
        })
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn start_over(folder: &Path) -> Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// What the finished tasks say, in order.
    fn done(&self) -> impl Iterator<Item = Result<UnitBooks>> {
        books(&self.done)
    }

    /// Where each of so many inputs goes on, behind the last of its units that is in a finished task. Units come in the order of
    /// the inputs.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn positions(&self, inputs: usize) -> Result<Vec<Position>> {
        if self.is_whole {
            return Ok(vec![Position::END; inputs]);
        }
        let mut from = vec![Position::default(); inputs];
        let mut last = None;
        for unit in self.done() {
            let unit = unit?;
            let place =
                from.get_mut(unit.input).ok_or_else(|| Error::Internal("a ledger of other inputs".into()))?;
            *place = unit.after();
            last = Some(unit.input);
        }
        if let Some(last) = last {
            from[..last].fill(Position::END);
        }
        Ok(from)
    }

    /// What an earlier run has done before the places where the inputs go on, which counts for the progress. `see` hears of each
    /// unit, with the bad records of each step.
    ///
    /// # Errors
    /// I/O failures, and the errors of `see`.
    pub(crate) fn earlier(
        &self,
        from: &[Position],
        progress: &Progress,
        mut see: impl FnMut(&UnitBooks, &BadRecords) -> Result<()>,
    ) -> Result<Earlier> {
        let mut earlier = Earlier { rows: vec![0; from.len()], read: Count::default() };
        for unit in self.done() {
            let unit = unit?;
            if unit.index >= from[unit.input].units {
                continue;
            }
            earlier.rows[unit.input] += u64::from(unit.slots);
            earlier.read.add(unit.read.docs, unit.read.bytes);
            progress.advance(unit.read.docs, unit.read.bytes);
            for step in &unit.steps {
                let bad = BadRecords::from_json(step.bad.as_bytes())?;
                progress.quarantine(bad.tally().docs);
                see(&unit, &bad)?;
            }
        }
        Ok(earlier)
    }

    /// Adds a unit, whose rows were made to bytes.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn add(&mut self, rows: &[u8], books: &UnitBooks) -> Result<()> {
        self.add_with(rows, &[], books)
    }

    /// The same, with the signals of its rows.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn add_with(&mut self, rows: &[u8], signals: &[u8], books: &UnitBooks) -> Result<()> {
        let file = match &mut self.open {
            Some(file) => file,
            none => {
                self.task_began = Instant::now();
                let mut file = SpillWriter::create(&tasks::path(&self.folder, self.done.len()))?;
                file.section();
                none.insert(file)
            }
        };
        file.part(rows)?;
        file.part(signals)?;
        let json = serde_json::to_vec(books).map_err(|error| Error::Internal(error.to_string()))?;
        self.held += json.len();
        self.books.push(json);
        self.input_bytes += books.read.bytes;
        let most = TASK_TIME.max(self.began.elapsed() / TASKS_OF_A_PASS);
        if self.input_bytes >= TASK_INPUT || self.held >= TASK_BOOKS || self.task_began.elapsed() >= most {
            self.commit()?;
        }
        Ok(())
    }

    /// Completes the open task.
    fn commit(&mut self) -> Result<()> {
        let Some(mut file) = self.open.take() else { return Ok(()) };
        file.section();
        for books in self.books.drain(..) {
            file.part(&books)?;
        }
        self.done.push(file.finish()?);
        (self.held, self.input_bytes) = (0, 0);
        Ok(())
    }

    /// Completes the ledger.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(mut self) -> Result<Ledger> {
        self.commit()?;
        if !self.is_whole {
            commit_bytes(&self.folder.join(WHOLE), self.done.len().to_string().as_bytes())?;
        }
        Ledger::of(self.done)
    }
}

/// A finished ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    files: Vec<SpillFile>,
    /// The file of each unit and its place there, by input and index.
    places: HashMap<(usize, usize), (usize, usize)>,
}

impl Ledger {
    /// The ledger that an earlier run has finished in `folder`; none if it did not come so far.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>> {
        if !folder.exists() {
            return Ok(None);
        }
        let files = tasks::open(folder)?;
        if is_whole(folder, &files) { Self::of(files).map(Some) } else { Ok(None) }
    }

    fn of(files: Vec<SpillFile>) -> Result<Self> {
        let mut places = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            for (part, unit) in books(std::slice::from_ref(file)).enumerate() {
                let unit = unit?;
                places.insert((unit.input, unit.index), (at, part));
            }
        }
        Ok(Self { files, places })
    }

    /// What it says of the rows of a unit; none of a unit that it does not know.
    ///
    /// # Errors
    /// I/O failures, and a damaged file.
    pub(crate) fn rows(&self, input: usize, index: usize) -> Result<Option<UnitRows>> {
        self.part(input, index, 0)?.map(|bytes| UnitRows::from_bytes(&bytes)).transpose()
    }

    /// The signals that steps have kept of the rows of a unit, as they were added.
    ///
    /// # Errors
    /// I/O failures, and a damaged file.
    pub(crate) fn signals(&self, input: usize, index: usize) -> Result<Vec<u8>> {
        Ok(self.part(input, index, 1)?.unwrap_or_default())
    }

    fn part(&self, input: usize, index: usize, part: usize) -> Result<Option<Vec<u8>>> {
        let Some(&(file, unit)) = self.places.get(&(input, index)) else { return Ok(None) };
        let at = PARTS * unit + part;
        let mut bytes = Vec::new();
        self.files[file].read(ROWS, at..at + 1, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The rows of each of so many inputs.
    ///
    /// # Errors
    /// I/O failures, and a damaged file.
    pub(crate) fn input_rows(&self, inputs: usize) -> Result<Vec<u64>> {
        let mut rows = vec![0; inputs];
        for unit in self.books() {
            let unit = unit?;
            rows[unit.input] += u64::from(unit.slots);
        }
        Ok(rows)
    }

    /// Evidence and books of all units, in the order of the inputs.
    pub(crate) fn books(&self) -> impl Iterator<Item = Result<UnitBooks>> {
        books(&self.files)
    }
}

/// Whether these are all tasks of a pass that is through.
fn is_whole(folder: &Path, tasks: &[SpillFile]) -> bool {
    fs::read_to_string(folder.join(WHOLE)).is_ok_and(|noted| noted == tasks.len().to_string())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn books(files: &[SpillFile]) -> impl Iterator<Item = Result<UnitBooks>> {
    let mut bytes = Vec::new();
    files.iter().flat_map(|file| (0..file.parts(BOOKS)).map(move |part| (file, part))).map(
        move |(file, part)| {
            file.read(BOOKS, part..part + 1, &mut bytes)?;
            serde_json::from_slice(&bytes)
                .map_err(|error| Error::Internal(format!("a ledger of the run: {error}")))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(input: usize, index: usize) -> UnitBooks {
        UnitBooks { input, index, next_offset: 10 * index as u64 + 10, slots: 3, ..UnitBooks::default() }
    }

    fn rows(input: usize, index: usize) -> UnitRows {
        UnitRows { kept: vec![input > 0, index > 0, true], ..UnitRows::default() }
    }

    fn signals(input: usize, index: usize) -> Vec<u8> {
        vec![7; input + 2 * index]
    }

    fn add(writer: &mut LedgerWriter, input: usize, index: usize) {
        let (rows, signals) = (rows(input, index).to_bytes().unwrap(), signals(input, index));
        writer.add_with(&rows, &signals, &unit(input, index)).unwrap();
    }

    #[test]
    fn a_ledger_goes_on_behind_its_last_whole_task() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ledger");
        let mut writer = LedgerWriter::open(&folder).unwrap();
        (0..2).for_each(|index| add(&mut writer, 0, index));
        writer.commit().unwrap();
        add(&mut writer, 1, 0);
        writer.commit().unwrap();
        // This one is lost.
        add(&mut writer, 1, 1);
        drop(writer);
        assert!(Ledger::load(&folder).unwrap().is_none());
        let mut writer = LedgerWriter::open(&folder).unwrap();
        assert_eq!(writer.done().count(), 3);
        let from = writer.positions(3).unwrap();
        assert_eq!(from, [Position::END, Position { units: 1, offset: 10 }, Position::default()]);
        add(&mut writer, 1, 1);
        add(&mut writer, 2, 0);
        let ledger = writer.finish().unwrap();
        let seen: Vec<_> =
            ledger.books().map(|unit| unit.map(|unit| (unit.input, unit.index)).unwrap()).collect();
        assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]);
        let again = Ledger::load(&folder).unwrap().unwrap();
        for (input, index) in seen {
            assert_eq!(again.rows(input, index).unwrap().unwrap(), rows(input, index));
            assert_eq!(again.signals(input, index).unwrap(), signals(input, index));
        }
        assert!(again.rows(0, 2).unwrap().is_none());
        // After a loss of power a file may be missing.
        fs::remove_file(tasks::path(&folder, 1)).unwrap();
        assert!(Ledger::load(&folder).unwrap().is_none());
    }
}
