//! Pass 1: every record is read once, hashed whole, and signed if its text was not seen before.
//!
//! What stays of a document goes to the spill file of its task: its 128-bit content hash, keyed by the secret of the run, its
//! size, its id, and, if it was signed, its band keys and 4 bits of each lane. Of equal texts the first one is signed in any
//! case, and with ranks every one; whether others are too depends on the timing of the threads, and nothing else does.

use std::io::Write;
use std::iter::Peekable;
use std::path::Path;

use thresher_core::content::TextHasher;
use thresher_core::hash::Keys;
use thresher_core::screen::Screen;
use thresher_core::{DedupConfig, Keep, Observer, Signer};

use super::Run;
use super::corpus::Corpus;
use super::ranks::write_rank;
use super::records::{Layout, Records, UnitEntry, units_of};
use super::seen::Seen;
use crate::error::Result;
use crate::input::{Position, Scratch, Unit};
use crate::quarantine::BadRecords;
use crate::record::{BadRecord, Reason, Record, Visitor};
use crate::runs::aside::count_bad;
use crate::runs::fields::{FieldWatch, Having};
use crate::runs::pipeline::{Order, Pass, for_each_unit};
use crate::runs::spill::file::SpillFile;
use crate::runs::spill::tasks;

/// Bytes of records that a task has at most; its input is at most that much, by what is on average left of it.
const TASK_BYTES: usize = 24 << 20;
/// Batches of input that a task has at most: 256 MiB by default.
const TASK_BATCHES: u64 = 64;

/// What a worker makes of one unit.
struct SignedUnit {
    records: Records,
    /// Its place among the units of the input.
    index: usize,
    /// The place behind it.
    after: Position,
    bad: BadRecords,
    num_slots: u32,
    bad_slots: Vec<u32>,
    num_absent: u32,
    blank_bytes: u64,
    record_bytes: u64,
    /// Records with an id, and with a rank.
    ids: u64,
    ranked: u64,
}

struct SignVisitor<'a> {
    search: &'a DedupConfig,
    screen: Screen,
    hasher: &'a TextHasher,
    seen: &'a Seen,
    /// Where the unit is, for the order of equal texts.
    place: u64,
    with_ids: bool,
    signer: &'a mut Signer,
    keys: &'a mut [u64],
    unit: SignedUnit,
    /// Slots that could be read, but not copied.
    uncopyable: Peekable<std::vec::IntoIter<(u32, String)>>,
}

impl Visitor for SignVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if let Some((_, detail)) = self.uncopyable.next_if(|(slot, _)| *slot == record.slot) {
            let Record { slot, offset, text, bytes, .. } = record;
            let raw = text.as_bytes();
            return self.bad(BadRecord { slot, offset, reason: Reason::Corrupt, detail, raw, bytes });
        }
        let unit = &mut self.unit;
        let records = &mut unit.records;
        let place = records.hashes.len() as u32;
        unit.num_slots = record.slot + 1;
        unit.record_bytes += record.bytes;
        unit.ids += u64::from(record.id.is_some());
        unit.ranked += u64::from(record.rank.is_some());
        let hash = self.hasher.hash(record.text.as_bytes());
        records.hashes.push(hash);
        records.bytes.push(u32::try_from(record.bytes).unwrap_or(u32::MAX));
        if self.with_ids {
            records.ids.push(|ids| {
                if let Some(id) = record.id {
                    // A mark stands before each, so that an empty one is told from none. Writing to a vector does not fail.
                    let _ = write!(ids, "={id}");
                }
            });
        }
        match self.search.keep {
            Keep::First => {}
            Keep::Longest | Keep::Shortest => {
                records.lengths.push(u32::try_from(record.text.len()).unwrap_or(u32::MAX));
            }
            Keep::Max | Keep::Min => {
                records.ranks.push(|ranks| write_rank(&record.rank.as_ref().into(), ranks));
            }
        }
        if !self.search.exact_only
            && self.seen.is_first(hash, self.place)
            && let Some(signature) = self.signer.sign(record.text)
        {
            self.search.banding.keys_into(signature, self.keys);
            for (column, &key) in records.keys.iter_mut().zip(&*self.keys) {
                column.push(key);
            }
            self.screen.pack(signature, &mut records.packed);
            records.signed.push(place);
        }
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        let _ = self.uncopyable.next_if(|(slot, _)| *slot == bad.slot);
        let unit = &mut self.unit;
        unit.num_slots = bad.slot + 1;
        unit.bad_slots.push(bad.slot);
        unit.bad.push(bad);
        Ok(())
    }

    fn absent(&mut self, slot: u32) {
        let unit = &mut self.unit;
        unit.num_slots = slot + 1;
        unit.bad_slots.push(slot);
        unit.num_absent += 1;
    }

    fn blank(&mut self, bytes: u64) {
        self.unit.blank_bytes += bytes;
    }
}

/// Files of finished tasks, and the records of the one under way.
struct Tasks<'a> {
    folder: &'a Path,
    bands: usize,
    open: Records,
    input_bytes: u64,
    most_input: u64,
    done: Vec<SpillFile>,
}

impl Tasks<'_> {
    fn add(&mut self, unit: Records, input_bytes: u64) -> Result<()> {
        self.open.append(unit);
        self.input_bytes += input_bytes;
        if self.open.size() >= TASK_BYTES || self.input_bytes >= self.most_input {
            self.close()
        } else {
            Ok(())
        }
    }

    /// Where each input goes on behind the finished tasks, and what is in them.
    fn done(&self, layout: Layout, inputs: usize) -> Result<Done> {
        let mut done = Done { from: vec![Position::default(); inputs], ..Done::default() };
        done.rows.resize(inputs, 0);
        for file in &self.done {
            for unit in units_of(file, layout)? {
                let next = Position { units: unit.index + 1, offset: unit.next_offset };
                if next.units > done.from[unit.input].units {
                    done.from[unit.input] = next;
                }
                done.rows[unit.input] += u64::from(unit.num_slots);
                done.docs += u64::from(unit.num_docs());
                done.bad += unit.bad_slots.len() as u64 - u64::from(unit.num_absent);
                done.bytes += unit.read_bytes;
            }
        }
        Ok(done)
    }

    fn close(&mut self) -> Result<()> {
        let records = std::mem::replace(&mut self.open, Records::new(self.bands));
        self.input_bytes = 0;
        if !records.units.is_empty() {
            self.done.push(records.write(&tasks::path(self.folder, self.done.len()))?);
        }
        Ok(())
    }
}

/// What an earlier run has done of pass 1.
#[derive(Default)]
struct Done {
    /// Where each input goes on.
    from: Vec<Position>,
    rows: Vec<u64>,
    docs: u64,
    bad: u64,
    bytes: u64,
}

/// How spill files of a run are laid out.
pub(crate) fn layout(run: &Run<'_>) -> Layout {
    Layout { bands: run.checked.search.banding.bands() }
}

/// Reads and signs everything behind the tasks that are `done`; bad records go to `quarantine`, and what stays of the documents to spill files.
///
/// # Errors
/// I/O failures, fields that no record has, bad records of a strict run, and the wish to stop.
pub(crate) fn sign(run: &Run<'_>, done: Vec<SpillFile>) -> Result<Corpus> {
    let search = &run.checked.search;
    let layout = layout(run);
    let screen = Screen::new(search.threshold, search.num_hashes);
    // With ranks, another one of equal texts than the first may stand for them, so each is signed.
    let by_rank = matches!(search.keep, Keep::Max | Keep::Min);
    let room = if by_rank { 0 } else { run.memory.part(3) };
    let (hasher, seen) = (TextHasher::new(&run.secret), Seen::new(room));
    let mut tasks = Tasks {
        folder: &run.work,
        bands: layout.bands,
        open: Records::new(layout.bands),
        input_bytes: 0,
        most_input: TASK_BATCHES.saturating_mul(run.config.options.batch_bytes),
        done,
    };
    let mut watch = FieldWatch::new(&run.plan.sources, &run.checked.fields);
    run.begin(1);
    let Done { from, mut rows, docs, bad, bytes } = tasks.done(layout, run.plan.sources.len())?;
    run.progress.advance(docs, bytes);
    run.progress.quarantine(bad);
    // What was done has the fields, or it would not have been done.
    let is_watched = tasks.done.is_empty();
    let pass = Pass { from: &from, ..run.pass(Order::Free) };
    for_each_unit(
        pass,
        || {
            let keys = Keys::from_seed(search.seed);
            let signer = Signer::with_keys(search.shingles, search.num_hashes, keys);
            (signer, vec![0; layout.bands], Scratch::default())
        },
        |(signer, keys, scratch), input, unit| {
            let visitor = SignVisitor {
                search,
                screen,
                hasher: &hasher,
                seen: &seen,
                place: (input as u64) << 32 | unit.index as u64,
                with_ids: run.checked.fields.id.is_some(),
                signer,
                keys,
                unit: SignedUnit::new(layout),
                uncopyable: Vec::new().into_iter().peekable(),
            };
            sign_unit(run, visitor, input, &unit, scratch)
        },
        |input, unit| {
            let docs = unit.records.hashes.len() as u64;
            if is_watched {
                watch.see(input, Having::of(docs, &unit.bad, unit.ids, unit.ranked))?;
            }
            let source = run.plan.sources[input].input();
            count_bad(run.progress, run.config.options.strict, source, rows[input], &unit.bad)?;
            rows[input] += u64::from(unit.num_slots);
            let mut records = unit.records;
            let read_bytes = unit.record_bytes;
            records.bad.push(unit.bad.to_json()?);
            records.units.push(UnitEntry {
                input,
                index: unit.index,
                num_slots: unit.num_slots,
                bad_slots: unit.bad_slots.into_boxed_slice(),
                num_absent: unit.num_absent,
                blank_bytes: unit.blank_bytes,
                read_bytes,
                next_offset: unit.after.offset,
            });
            tasks.add(records, read_bytes)
        },
    )?;
    watch.end()?;
    tasks.close()?;
    Corpus::new(tasks.done, layout)
}

impl SignedUnit {
    fn new(layout: Layout) -> Self {
        Self {
            records: Records::new(layout.bands),
            index: 0,
            after: Position::default(),
            bad: BadRecords::default(),
            num_slots: 0,
            bad_slots: Vec::new(),
            num_absent: 0,
            blank_bytes: 0,
            record_bytes: 0,
            ids: 0,
            ranked: 0,
        }
    }
}

fn sign_unit(
    run: &Run<'_>,
    mut visitor: SignVisitor<'_>,
    input: usize,
    unit: &Unit,
    scratch: &mut Scratch,
) -> Result<SignedUnit> {
    let reader = run.plan.sources[input].input();
    if run.thorough {
        visitor.uncopyable = reader.uncopyable(unit)?.into_iter().peekable();
    }
    reader.read(unit, &run.checked.fields, None, scratch, &mut visitor)?;
    let mut done = visitor.unit;
    (done.index, done.after) = (unit.index, unit.after());
    run.progress.advance(done.records.hashes.len() as u64, done.record_bytes);
    // Blank bytes are in the extent of a unit where the cut tells it, and in none where it does not.
    done.record_bytes = reader.extent(unit).unwrap_or(done.record_bytes + done.bad.tally().bytes);
    Ok(done)
}
