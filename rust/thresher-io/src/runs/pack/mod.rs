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
use std::time::Instant;

use serde::{Deserialize, Serialize};
use thresher_core::Observer;
use thresher_core::json::Fields;
use thresher_tokens::pack::{Accounts, Assigner, Form, Packer, Piece, Sum, Survey, Tally, Tokens, check};

pub use self::config::{PackRun, PackStep};
use self::rows::{Columns, Rows};
use self::spill::{Layout, Spilled, Tasks};
use crate::commit::commit_bytes;
use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::QuarantineReport;
use crate::runs::books::{Accounting, Count, InputReport, peak_rss_bytes};
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::memory::Memory;
use crate::runs::output::{Files, Marker, RunOutput};
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;
use crate::runs::resume::Identity;
use crate::runs::space;
use crate::runs::spill::file::SpillFile;
use crate::runs::spill::tasks;
use crate::runs::worksite::in_worksite;

/// Steps of the progress.
const LENGTHS: usize = 4;
const ROWS: usize = 5;
/// What is known when all rows are spilled, and their files, in the folder of the temporary files.
const DONE: &str = "spilled.json";
const PIECES: &str = "pieces";
/// Bytes of a token in the books.
const TOKEN_BYTES: u64 = 4;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct PackReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: PackRun,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// What was written.
    pub outputs: Vec<Written>,
    /// Every file of the result.
    pub files: Files,
    /// What the user should know about the inputs.
    pub notes: Vec<String>,
    /// Where every document went; bytes are 4 for each token, what ends a document included.
    pub accounting: Accounting,
    /// Rows set aside: none, a file that cannot be read ends the run.
    pub quarantine: QuarantineReport,
    /// The same in sequences and tokens, and the bins.
    pub packing: Packing,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
    #[serde(skip)]
    exhibits: Exhibits,
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

impl Reported for PackReport {
    fn verb(&self) -> &'static str {
        "pack"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.exhibits
    }
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

/// What was read, and what of it is left out: tokens, and masks.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Sums {
    given: Sum,
    left_out: Sum,
    given_masks: Sum,
    left_out_masks: Sum,
}

/// A run.
struct Packed<'p> {
    plan: &'p Plan,
    columns: Vec<Columns>,
    packer: Packer,
    form: Form,
    end: Option<u32>,
    crew: Arc<Crew>,
    memory: Memory,
    progress: &'p Progress,
}

/// Packs the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses, `Error::Data` for
/// damaged files, rows that cannot be packed, and files that change meanwhile, `Error::Busy`, `Error::Cancelled`;
/// `Error::Tokens` if what is packed is not what was given.
pub fn run(config: &PackRun, progress: &Progress) -> Result<PackReport> {
    let started = Instant::now();
    let (step, options) = (&config.step, &config.options);
    options.check()?;
    let packer = step.packer()?;
    let memory = Memory::of(options)?;
    progress.begin(0, 0);
    let name = config.output()?;
    let mut plan = Plan::new(options.reading(&config.inputs, None), &Fields::default(), progress)?;
    plan.check_rows()?;
    plan.notes.extend(space::note(name, &plan));
    let columns = plan.sources.iter().map(|source| Columns::of(source, step)).collect::<Result<Vec<_>>>()?;
    let masked = columns.iter().filter(|columns| columns.have_mask()).count();
    if masked != 0 && masked != columns.len() {
        return Err(Error::Parameter(format!(
            "{masked} of {} inputs have a column `{}`; pack those with it and those without it apart, or name another `mask`",
            columns.len(),
            step.mask
        )));
    }
    let form = Form {
        pad: step.pad.map(|pad| (packer.context(), pad)),
        positions: step.position_ids,
        cu_seqlens: step.cu_seqlens,
        masked: masked > 0,
        documents: true,
    };
    let output = RunOutput::open(name, options.overwrite, &plan, false)?;
    let identity = plan.is_repeatable().then(|| Identity::of(config, &plan, false)).transpose()?;
    let has_done = |folder: &Path| folder.join(DONE).exists();
    let crew = Crew::new(options.threads());
    let packed = Packed { plan: &plan, columns, packer, form, end: step.eos, crew, memory, progress };
    in_worksite(Some(&output), options, options.tmp.as_deref(), identity, has_done, |folder| {
        let mut clock = Clock::default();
        let done = packed.done_in(folder, &mut clock)?;
        let spilled = Spilled {
            folder: folder.join(PIECES),
            layout: done.layout,
            form,
            end: step.eos,
            files: files(folder, done.files)?,
        };
        let (written, tokens, masks) = clock.time("write", || packed.write(spilled, &output))?;
        let Sums { given, left_out, given_masks, left_out_masks } = done.sums;
        check(given, tokens, left_out)?;
        check(given_masks, masks, left_out_masks)?;
        plan.check_unchanged()?;
        let (outputs, files) = output.settle(written, [])?;
        let accounting = books(&done.accounts);
        accounting.check()?;
        clock.total(started);
        let inputs =
            plan.sources.iter().zip(&done.rows).map(|(source, &rows)| InputReport::new(source, rows));
        let mut report = PackReport {
            marker: Marker::default(),
            config: config.clone(),
            inputs: inputs.collect(),
            outputs,
            files,
            notes: plan.notes.clone(),
            accounting,
            quarantine: QuarantineReport::default(),
            packing: Packing {
                accounts: done.accounts,
                bins: done.layout.bins,
                fill: fill(done.accounts.packed.tokens, done.layout.bins, packer),
            },
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: options.threads(),
            exhibits: Exhibits::default(),
        };
        output.publish(&mut report)?;
        Ok(report)
    })
}

fn fill(tokens: u64, bins: u32, packer: Packer) -> f64 {
    if bins == 0 { 1.0 } else { tokens as f64 / (f64::from(bins) * f64::from(packer.context())) }
}

/// The accounts as the books of a run: documents, and 4 bytes a token.
fn books(accounts: &Accounts) -> Accounting {
    let count = |tally: Tally| Count { docs: tally.sequences, bytes: TOKEN_BYTES * tally.tokens };
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
    /// All rows spilled, by an earlier run of the same or by this one.
    fn done_in(&self, folder: &Path, clock: &mut Clock) -> Result<Done> {
        let noted = folder.join(DONE);
        let earlier: Option<Done> = fs::read(&noted).ok().and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(done) = earlier.filter(|done| files(folder, done.files).is_ok()) {
            return Ok(done);
        }
        let pieces = folder.join(PIECES);
        fs::create_dir_all(&pieces).map_err(Error::io("make a folder at", &pieces))?;
        tasks::forget(&pieces, 0)?;
        let (assigner, first) = clock.time("lengths", || self.survey())?;
        let done = clock.time("rows", || self.spill(assigner, &first, &pieces))?;
        self.plan.check_unchanged()?;
        let json = serde_json::to_vec(&done).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(&noted, &json)?;
        Ok(done)
    }

    /// Counts lengths. Gives the number of the first row of each unit, over all inputs, too.
    fn survey(&self) -> Result<(Assigner, Vec<Vec<u64>>)> {
        self.begin(LENGTHS);
        let mut survey = Survey::new(self.packer);
        let (mut first, mut rows) = (vec![Vec::new(); self.plan.sources.len()], 0);
        for_each_unit(
            Pass::new(&self.plan.sources, &self.crew, self.progress, self.memory),
            || (),
            |(), input, unit| self.columns[input].lengths(&self.plan.sources[input], &unit),
            |input, lengths| {
                first[input].push(rows);
                rows += lengths.len() as u64;
                self.progress.advance(lengths.len() as u64, 0);
                lengths.into_iter().try_for_each(|length| survey.add(self.with_end(length)))?;
                Ok(())
            },
        )?;
        Ok((Assigner::new(survey, self.progress)?, first))
    }

    /// Gives every row its places, and spills it.
    fn spill(&self, mut assigner: Assigner, first: &[Vec<u64>], folder: &Path) -> Result<Done> {
        self.begin(ROWS);
        let sources = &self.plan.sources;
        let accounts = *assigner.accounts();
        let layout = Layout::new(assigner.bins(), accounts.packed.tokens, self.memory);
        let name = |sequence: u64| self.name(first, sequence);
        let mut tasks = Tasks::new(folder, layout, &name, self.memory);
        let (mut sums, mut rows, mut pieces) = (Sums::default(), vec![0; sources.len()], Vec::new());
        let last = sources.last().map_or(folder, |source| source.input().path());
        for_each_unit(
            Pass::new(sources, &self.crew, self.progress, self.memory),
            || (),
            |(), input, unit| {
                let changed =
                    || Error::data(sources[input].input().path(), "the file changed while it was read");
                let first = *first[input].get(unit.index).ok_or_else(changed)?;
                let rows = self.columns[input].rows(&sources[input], &unit)?;
                let sums = self.sums(&rows, first)?;
                Ok((rows, first, sums))
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

    /// The name of a document that has none: its input and its row there.
    fn name(&self, first: &[Vec<u64>], sequence: u64) -> String {
        let starts = first.iter().map(|units| units.first().copied());
        let input = starts.enumerate().rfind(|(_, start)| start.is_some_and(|start| start <= sequence));
        let (input, start) = input.map_or((0, 0), |(input, start)| (input, start.unwrap_or(0)));
        self.plan.sources[input].name_row(sequence - start)
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
