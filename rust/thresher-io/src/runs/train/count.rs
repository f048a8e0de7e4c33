//! The one pass of a training: every text is cut into pre-tokens, which are counted, each thread in a table of its own.
//!
//! Tables lie in a pool: a thread takes one for each unit, so there are as many as threads work at the same time. When all
//! of them together would take more than their share of the memory, one is joined to a common table, by which
//! what they have twice goes away; a common table that is too large by itself ends the run with an error that says so.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use thresher_core::parallel::{Pool, Threads};
use thresher_core::{Observer, Secret};
use thresher_tokens::train::Counts;

use super::config::{TrainRun, Training, too_little};
use super::groups::Groups;
use crate::crew::{Crew, lock};
use crate::error::{Error, Result};
use crate::input::Scratch;
use crate::quarantine::{BadRecords, Quarantine};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::aside::count_bad;
use crate::runs::books::Count;
use crate::runs::fields::{FieldWatch, Having};
use crate::runs::memory::Memory;
use crate::runs::output::RunOutput;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::plan::Plan;
use crate::runs::progress::Progress;

/// What the pass has counted.
pub(super) struct Counted {
    pub(super) counts: Counts,
    pub(super) groups: Groups,
    /// Records of each input, bad ones included.
    pub(super) rows: Vec<u64>,
    pub(super) kept: Count,
    pub(super) blank_bytes: u64,
    pub(super) quarantine: Quarantine,
}

/// What a worker makes of one unit.
#[derive(Default)]
struct CountedUnit {
    kept: Count,
    ids: u64,
    num_slots: u32,
    blank_bytes: u64,
    bad: BadRecords,
}

struct CountVisitor<'a> {
    training: &'a Training,
    counts: &'a mut Counts,
    groups: &'a mut Groups,
    /// The input, and the place of the unit in it.
    place: (usize, usize),
    unit: CountedUnit,
}

impl Visitor for CountVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let unit = &mut self.unit;
        unit.num_slots = record.slot + 1;
        unit.kept.add(1, record.bytes);
        unit.ids += u64::from(record.id.is_some());
        let text = record.text.as_bytes();
        let counts = &mut *self.counts;
        self.training.cut.each(record.text, |start, end| counts.add_within(text, start, end));
        self.groups.see(self.place, record.slot, record.text, record.id.as_ref())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        self.unit.num_slots = bad.slot + 1;
        self.unit.bad.push(bad);
        Ok(())
    }

    fn blank(&mut self, bytes: u64) {
        self.unit.blank_bytes += bytes;
    }
}

/// Tables that no thread has at the moment.
struct Tables<'a> {
    secret: &'a Secret,
    inputs: usize,
    free: Mutex<Vec<(Counts, Groups)>>,
    /// What tables that grew too large have become.
    common: Mutex<Option<Counts>>,
    /// Bytes of all tables but the common one, as of their last unit.
    bytes: AtomicU64,
    room: u64,
}

impl Tables<'_> {
    fn take(&self) -> (Counts, Groups) {
        lock(&self.free).pop().unwrap_or_else(|| (Counts::new(self.secret), Groups::new(self.inputs)))
    }

    fn put(&self, (mut counts, groups): (Counts, Groups), was: u64) -> Result<()> {
        let now = counts.resident_bytes();
        let all = self.bytes.fetch_add(now.wrapping_sub(was), Relaxed).wrapping_add(now).wrapping_sub(was);
        if all > self.room / 2 {
            let mut common = lock(&self.common);
            let full = std::mem::replace(&mut counts, Counts::new(self.secret));
            let joined = match common.take() {
                None => Some(full),
                Some(earlier) => Counts::join(vec![earlier, full], &OneThread),
            };
            self.bytes.fetch_sub(now, Relaxed);
            if let Some(joined) = &joined
                && joined.resident_bytes() > self.room / 2
            {
                return Err(too_little(joined.len(), 2 * joined.resident_bytes(), self.room));
            }
            *common = joined;
        }
        lock(&self.free).push((counts, groups));
        Ok(())
    }
}

/// The thread that is in a pass already.
struct OneThread;

impl Threads for OneThread {
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..parts).for_each(work);
    }
}

/// Counts the pre-tokens of all inputs.
///
/// # Errors
/// I/O failures, fields that no record has, bad records of a strict run, more words than fit in memory, and the wish to stop.
#[expect(clippy::too_many_arguments, reason = "they are what every pass needs")]
pub(super) fn count(
    plan: &Plan,
    training: &Training,
    secret: &Secret,
    crew: &Crew,
    memory: Memory,
    config: &TrainRun,
    output: &RunOutput,
    progress: &Progress,
) -> Result<Counted> {
    let sources = &plan.sources;
    progress.begin(super::COUNT, sources.iter().map(|source| source.input().size_on_disk()).sum());
    let tables = Tables {
        secret,
        inputs: sources.len(),
        free: Mutex::default(),
        common: Mutex::default(),
        bytes: AtomicU64::new(0),
        room: memory.tables(),
    };
    let mut watch = FieldWatch::new(sources, &training.fields).with_id_as("by");
    let (mut rows, mut kept, mut blank_bytes) = (vec![0; sources.len()], Count::default(), 0);
    let mut quarantine = output.quarantine();
    for_each_unit(
        Pass::new(sources, crew, progress, memory),
        Scratch::default,
        |scratch, input, unit| {
            let reader = sources[input].input();
            let (mut counts, mut groups) = tables.take();
            let was = counts.resident_bytes();
            let mut visitor = CountVisitor {
                training,
                counts: &mut counts,
                groups: &mut groups,
                place: (input, unit.index),
                unit: CountedUnit::default(),
            };
            reader.read(&unit, &training.fields, None, scratch, &mut visitor)?;
            let mut done = visitor.unit;
            tables.put((counts, groups), was)?;
            progress.advance(done.kept.docs, done.kept.bytes);
            // Blank bytes are in the extent of a unit where the cut tells it.
            if let Some(extent) = reader.extent(&unit) {
                done.blank_bytes = extent.saturating_sub(done.kept.bytes + done.bad.tally().bytes);
            }
            Ok(done)
        },
        |input, unit| {
            watch.see(input, Having::of(unit.kept.docs, &unit.bad, unit.ids, 0))?;
            let source = sources[input].input();
            count_bad(progress, config.options.strict, source, rows[input], &unit.bad)?;
            quarantine.add(source.name(), rows[input], &unit.bad)?;
            rows[input] += u64::from(unit.num_slots);
            kept.add(unit.kept.docs, unit.kept.bytes);
            blank_bytes += unit.blank_bytes;
            Ok(())
        },
    )?;
    watch.end()?;
    let (mut all, groups): (Vec<Counts>, Vec<Groups>) =
        tables.free.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().unzip();
    all.extend(tables.common.into_inner().unwrap_or_else(PoisonError::into_inner));
    let counts = Counts::join(all, crew).unwrap_or_else(|| Counts::new(secret));
    let groups = Groups::join(groups, sources.len())?;
    if counts.resident_bytes() > tables.room {
        return Err(too_little(counts.len(), 2 * counts.resident_bytes(), tables.room));
    }
    Ok(Counted { counts, groups, rows, kept, blank_bytes, quarantine })
}

/// Texts that a thread counts at a time.
const BATCH: usize = 1 << 12;

/// Counts the pre-tokens of texts in memory, on the threads of the current pool. A null has none.
///
/// # Errors
/// `Error::Parameter` if there is no text, `Error::Cancelled`.
pub fn count_texts(
    texts: &[Option<&str>],
    training: &Training,
    secret: &Secret,
    observer: &dyn Observer,
) -> Result<Counts> {
    let free: Mutex<Vec<Counts>> = Mutex::default();
    let batches: Vec<&[Option<&str>]> = texts.chunks(BATCH).collect();
    Pool.each(batches.len(), &|batch| {
        if observer.cancelled() {
            return;
        }
        let mut counts = lock(&free).pop().unwrap_or_else(|| Counts::new(secret));
        for text in batches[batch].iter().flatten() {
            training.cut.each(text, |start, end| counts.add_within(text.as_bytes(), start, end));
        }
        lock(&free).push(counts);
    });
    thresher_core::observe::check(observer)?;
    let all = free.into_inner().unwrap_or_else(PoisonError::into_inner);
    Counts::join(all, &Pool).filter(|counts| !counts.is_empty()).ok_or_else(no_words)
}

/// What a training without words is told.
pub(super) fn no_words() -> Error {
    Error::Parameter("the inputs have no text to train on; name inputs with texts".into())
}
