//! Packing over files: rows of tokens in, bins of tokens out.
//!
//! ```text
//! pass 1: lengths ─> counts ─> strips      pass 2: rows ─ places of each ─> spilled by ranges of bins      pass 3: ranges ─> bins
//! ```
//!
//! Nothing is held of a row between the passes: what pass 1 counts is what pass 2 asks for the places of each row in its turn
//! (see [`thresher_tokens::pack`]). Pass 1 reads the column `length`, if there is one, else the lists; pass 2 the tokens,
//! the mask and the documents; pass 3 puts the bins of a range together on one thread, while others do other ranges. Memory is 4 bytes a
//! bin, and units and ranges in flight; the disk takes the tokens once, at 4 bytes.
//!
//! **Conservation.** Pass 2 sums every row as it was read, and what of it is left out; pass 3 sums the bins as they are
//! written. Unless the sums agree, the run fails and nothing is published.
//!
//! What is spilled outlives a kill once pass 2 is through; the next run of the same goes on there.

mod config;
mod rows;
mod spill;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thresher_core::Observer;
use thresher_tokens::pack::{Accounts, Assigner, Form, Packer, Piece, Sum, Survey, Tally, Tokens, check};

pub use self::config::{PackRun, PackStep};
use self::rows::{Columns, Rows};
use self::spill::{Layout, Spilled, Tasks};
use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::quarantine::QuarantineReport;
use crate::runs::books::{Accounting, Count, InputReport};
use crate::runs::clock::Clock;
use crate::runs::gather::{self, Gather, GatherReport, Gathered, Gathering, NameOf};
use crate::runs::memory::Memory;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::spill::file::SpillFile;
use crate::runs::spill::tasks;
use crate::runs::steps::evidence::StepDone;

/// Steps of the progress.
const LENGTHS: usize = 4;
const ROWS: usize = 5;
/// What is known when all rows are spilled, and their files, in the folder of the temporary files.
const DONE: &str = "spilled.json";
const PIECES: &str = "pieces";
/// Bytes of a token in the books.
const TOKEN_BYTES: u64 = 4;

/// The contents of `run.json`. Its books count documents, and 4 bytes for each token, what ends a document included.
pub type PackReport = GatherReport<PackStep, PackSaid>;

/// What a packing says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct PackSaid {
    /// The books in sequences and tokens, and the bins.
    pub packing: Packing,
}

/// What packing has made.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Packing {
    /// What was given, and where it went.
    #[serde(flatten)]
    pub accounts: Accounts,
    /// Bins.
    pub bins: u32,
    /// The share of the bins that tokens fill.
    pub fill: f64,
}

/// What is known when all rows are spilled.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    layout: Layout,
    files: usize,
    accounts: Accounts,
    rows: Vec<u64>,
    sums: Sums,
}

/// Where a unit begins: rows before it in all inputs, and slots before it in its own.
#[derive(Clone, Copy)]
struct First {
    row: u64,
    slot: u64,
}

/// What was read, and what of it is left out: tokens, and masks.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Sums {
    given: Sum,
    left_out: Sum,
    given_masks: Sum,
    left_out_masks: Sum,
}

/// A packing on its way.
struct Packed<'p> {
    plan: &'p Plan,
    columns: Vec<Columns>,
    packer: Packer,
    form: Form,
    end: Option<u32>,
    crew: &'p Arc<Crew>,
    memory: Memory,
    progress: &'p Progress,
    names: &'p NameOf<'p>,
}

/// Packs the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses, `Error::Data` for
/// damaged files, rows that cannot be packed, and files that change meanwhile, `Error::Busy`, `Error::Cancelled`;
/// `Error::Tokens` if what is packed is not what was given.
pub fn run(config: &PackRun, progress: &Progress) -> Result<PackReport> {
    gather::run(config, progress)
}

impl Gather for PackStep {
    type Said = PackSaid;
    const KEEPS_ROWS: bool = false;
    const DONE: &'static str = DONE;

    fn check(&self) -> Result<()> {
        self.packer().map(drop)
    }

    fn check_inputs(&self, plan: &Plan) -> Result<()> {
        self.columns(plan).map(drop)
    }

    fn gather(&self, work: Gathering<'_>) -> Result<Gathered<PackSaid>> {
        let (columns, packer, mut clock) = (self.columns(work.plan)?, self.packer()?, Clock::default());
        let form = Form {
            pad: self.pad.map(|pad| (packer.context(), pad)),
            positions: self.position_ids,
            cu_seqlens: self.cu_seqlens,
            masked: columns.iter().any(Columns::have_mask),
            documents: true,
        };
        let packed = Packed {
            plan: work.plan,
            columns,
            packer,
            form,
            end: self.eos,
            crew: work.crew,
            memory: work.memory,
            progress: work.progress,
            names: work.names,
        };
        let (done, earlier) = packed.done_in(work.folder, &mut clock)?;
        let spilled = Spilled {
            folder: work.folder.join(PIECES),
            layout: done.layout,
            form,
            end: self.eos,
            files: files(work.folder, done.files)?,
        };
        let (written, tokens, masks) = clock.time("write", || packed.write(spilled, work.output))?;
        let Sums { given, left_out, given_masks, left_out_masks } = done.sums;
        check(given, tokens, left_out)?;
        check(given_masks, masks, left_out_masks)?;
        let accounting = books(&done.accounts);
        accounting.check()?;
        let inputs = work.plan.sources.iter().zip(&done.rows);
        let bins = done.layout.bins;
        let packing =
            Packing { accounts: done.accounts, bins, fill: fill(done.accounts.packed.tokens, bins, packer) };
        Ok(Gathered {
            inputs: inputs.map(|(source, &rows)| InputReport::new(source, rows)).collect(),
            written,
            done: StepDone {
                accounting,
                // Nothing is set aside: a file that cannot be read ends the run.
                quarantine: QuarantineReport::default(),
                exhibits: Exhibits::default(),
                summary: serde_json::Value::Null,
                evidence: Vec::new(),
            },
            said: PackSaid { packing },
            earlier,
            clock,
        })
    }
}

impl PackStep {
    /// The columns of every input, which all have a mask or none.
    fn columns(&self, plan: &Plan) -> Result<Vec<Columns>> {
        let columns =
            plan.sources.iter().map(|source| Columns::of(source, self)).collect::<Result<Vec<_>>>()?;
        let masked = columns.iter().filter(|columns| columns.have_mask()).count();
        if masked == 0 || masked == columns.len() {
            return Ok(columns);
        }
        Err(Error::Parameter(format!(
            "{masked} of {} inputs have a column `{}`; pack those with it and those without it apart, or name another `mask`",
            columns.len(),
            self.mask
        )))
    }
}

fn fill(tokens: u64, bins: u32, packer: Packer) -> f64 {
    if bins == 0 { 1.0 } else { tokens as f64 / (f64::from(bins) * f64::from(packer.context())) }
}

fn count(tally: Tally) -> Count {
    Count { docs: tally.sequences, bytes: TOKEN_BYTES * tally.tokens }
}

/// The accounts as the books of a run: documents, and 4 bytes a token.
fn books(accounts: &Accounts) -> Accounting {
    let none = |docs: u64| Count { docs, bytes: 0 };
    let mut kept = count(accounts.packed);
    // What is cut off a document is told by the accounts; in the books it goes with the document.
    kept.bytes += TOKEN_BYTES * accounts.truncated.tokens;
    let removed = [
        ("overlong", count(accounts.dropped)),
        ("empty", none(accounts.empty)),
        ("missing", none(accounts.missing)),
    ];
    Accounting {
        read: count(accounts.given),
        made: 0,
        kept,
        removed: removed
            .into_iter()
            .filter(|(_, count)| count.docs > 0)
            .map(|(name, count)| (name.into(), count))
            .collect(),
        references: Count::default(),
        quarantined: BTreeMap::new(),
        blank_bytes: 0,
    }
}

/// The files of the tasks of pass 2.
fn files(folder: &Path, count: usize) -> Result<Vec<SpillFile>> {
    (0..count).map(|task| SpillFile::open(&tasks::path(&folder.join(PIECES), task))).collect()
}

impl Packed<'_> {
    /// All rows spilled, by an earlier run of the same or by this one; and what the earlier one had done.
    fn done_in(&self, folder: &Path, clock: &mut Clock) -> Result<(Done, Count)> {
        let noted = folder.join(DONE);
        let earlier: Option<Done> = fs::read(&noted).ok().and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(done) = earlier.filter(|done| files(folder, done.files).is_ok()) {
            let given = done.accounts.given;
            return Ok((done, count(given)));
        }
        let pieces = folder.join(PIECES);
        fs::create_dir_all(&pieces).map_err(Error::io("make a folder at", &pieces))?;
        tasks::forget(&pieces, 0)?;
        let (assigner, first) = clock.time("lengths", || self.survey())?;
        let done = clock.time("rows", || self.spill(assigner, &first, &pieces))?;
        self.plan.check_unchanged()?;
        let json = serde_json::to_vec(&done).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(&noted, &json)?;
        Ok((done, Count::default()))
    }

    /// Counts lengths, and says where each unit begins.
    fn survey(&self) -> Result<(Assigner, Vec<Vec<First>>)> {
        self.begin(LENGTHS);
        let mut survey = Survey::new(self.packer);
        let (mut first, mut rows) = (vec![Vec::new(); self.plan.sources.len()], 0);
        let mut slots = vec![0; self.plan.sources.len()];
        for_each_unit(
            Pass::new(&self.plan.sources, self.crew, self.progress, self.memory),
            || (),
            |(), input, unit| self.columns[input].lengths(&self.plan.sources[input], &unit),
            |input, (lengths, of_unit)| {
                first[input].push(First { row: rows, slot: slots[input] });
                rows += lengths.len() as u64;
                slots[input] += of_unit;
                self.progress.advance(lengths.len() as u64, 0);
                lengths.into_iter().try_for_each(|length| survey.add(self.with_end(length)))?;
                Ok(())
            },
        )?;
        Ok((Assigner::new(survey, self.progress)?, first))
    }

    /// Gives every row its places, and spills it.
    fn spill(&self, mut assigner: Assigner, first: &[Vec<First>], folder: &Path) -> Result<Done> {
        self.begin(ROWS);
        let sources = &self.plan.sources;
        let accounts = *assigner.accounts();
        let layout = Layout::new(assigner.bins(), accounts.packed.tokens, self.memory);
        let name = |input: usize, slot: u64| (self.names)(input, &sources[input], slot);
        let mut tasks = Tasks::new(folder, layout, &name, self.memory);
        let (mut sums, mut rows, mut pieces) = (Sums::default(), vec![0; sources.len()], Vec::new());
        let last = sources.last().map_or(folder, |source| source.input().path());
        for_each_unit(
            Pass::new(sources, self.crew, self.progress, self.memory),
            || (),
            |(), input, unit| {
                let changed =
                    || Error::data(sources[input].input().path(), "the file changed while it was read");
                let First { row, slot } = *first[input].get(unit.index).ok_or_else(changed)?;
                let rows = self.columns[input].rows(&sources[input], &unit, (input, slot))?;
                let sums = self.sums(&rows, row)?;
                Ok((rows, row, sums))
            },
            |input, (unit, first, of_unit)| {
                sums.merge(of_unit);
                rows[input] += unit.len() as u64;
                let path = sources[input].input().path();
                for row in 0..unit.len() {
                    let length = unit.tokens(row).map(|tokens| tokens.len() as u64);
                    pieces.clear();
                    let note = |piece: Piece| {
                        pieces.push(piece);
                        Ok(())
                    };
                    assigner.assign(self.with_end(length), note).map_err(|_| unlike(path))?;
                    for &piece in &pieces {
                        tasks.place(row as u32, first + row as u64, piece);
                    }
                }
                self.progress.advance(unit.len() as u64, 0);
                tasks.hold(unit, path)
            },
        )?;
        assigner.finish().map_err(|_| unlike(last))?;
        Ok(Done { layout, files: tasks.finish(last)?, accounts, rows, sums })
    }

    /// The length of a sequence with what ends it.
    fn with_end(&self, length: Option<u64>) -> Option<u64> {
        let end = u64::from(self.end.is_some());
        length.map(|length| if length == 0 { 0 } else { length + end })
    }

    /// The sums of the rows of a unit.
    fn sums(&self, rows: &Rows, first: u64) -> Result<Sums> {
        let mut sums = Sums::default();
        for row in 0..rows.len() {
            let Some(tokens) = rows.tokens(row).filter(|tokens| !tokens.is_empty()) else { continue };
            let sequence = first + row as u64;
            let inside = tokens.len() as u64;
            let whole = inside + u64::from(self.end.is_some());
            let kept = self.packer.kept(whole, sequence)?;
            let behind = kept.min(inside);
            let end = Tokens::U32(self.end.as_slice());
            sums.given.add(tokens, sequence, 0);
            sums.given.add(end, sequence, inside);
            sums.left_out.add(tokens.within(behind as usize..tokens.len()), sequence, behind);
            if kept < whole {
                sums.left_out.add(end, sequence, inside);
            }
            if let Some(mask) = rows.mask(row).filter(|mask| !mask.is_empty()) {
                sums.given_masks.add(mask, sequence, 0);
                sums.left_out_masks.add(mask.within(behind as usize..mask.len()), sequence, behind);
            }
        }
        Ok(sums)
    }

    fn begin(&self, step: usize) {
        self.progress.begin(step, self.plan.sources.iter().map(|source| source.input().size_on_disk()).sum());
    }
}

fn unlike(path: &Path) -> Error {
    Error::data(
        path,
        "the lists of tokens are not as long as the column `length` says; drop that column, or tokenise again",
    )
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.given.merge(other.given);
        self.left_out.merge(other.left_out);
        self.given_masks.merge(other.given_masks);
        self.left_out_masks.merge(other.left_out_masks);
    }
}
