//! Rows on their way out: read in order, given their places, held up to a bound, and spilled by ranges of places.
//!
//! ```text
//! task-000000   section 0: how far this has come (JSON) | 1: per range, place and length of each row | 2: per range, the rows
//! ```
//!
//! Within a file, rows lie in the order of their places. A file is complete when it has its name; the next run goes on behind
//! the last one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thresher_core::Observer;

use super::layout::{Layout, task_bytes};
use super::rows::{Held, Types, broken, encode};
use super::{Exchange, RowNumber, Spilled};
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::{Position, Scratch};
use crate::runs::books::Count;
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::source::Source;
use crate::runs::spill::file::{SpillFile, SpillWriter};
use crate::runs::spill::tasks;

/// Sections of a file.
const STATE: usize = 0;
pub(super) const TABLES: usize = 1;
pub(super) const ROWS: usize = 2;
/// The step of the progress.
const SPILL: usize = 7;
/// Says that no task is missing.
const WHOLE: &str = "whole";

/// How far the rows have come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Where each input goes on.
    from: Vec<Position>,
    /// The rows of each input, and of all.
    rows: Vec<u64>,
    all: u64,
    /// Places that are taken, and rows that took none.
    pub(super) placed: u64,
    pub(super) left_out: u64,
    /// What was read.
    read: Count,
    /// Tokens of the rows that were read.
    pub(super) tokens: u64,
}

impl State {
    /// What the last of the finished tasks says.
    fn of(done: &[SpillFile], inputs: usize) -> Result<Self> {
        let Some(last) = done.last() else {
            return Ok(Self {
                from: vec![Position::default(); inputs],
                rows: vec![0; inputs],
                ..Self::default()
            });
        };
        let mut json = Vec::new();
        last.read(STATE, 0..1, &mut json)?;
        let state: Self = serde_json::from_slice(&json).map_err(broken)?;
        if state.from.len() == inputs { Ok(state) } else { Err(broken("they are of other inputs")) }
    }

    /// A row of an input has taken so many places.
    fn note(&mut self, input: usize, places: u64) {
        self.rows[input] += 1;
        self.all += 1;
        self.placed += places;
        self.left_out += u64::from(places == 0);
    }
}

/// A row to be spilled.
struct Taken {
    place: u64,
    held: u32,
    row: u32,
}

/// Rows that are held, and the files of those that were spilled.
struct Tasks<'t> {
    folder: &'t Path,
    layout: Layout,
    most: u64,
    done: Vec<SpillFile>,
    held: Vec<Held>,
    taken: Vec<Taken>,
    size: u64,
}

impl Tasks<'_> {
    /// Adds a row, if it has any places.
    fn take(&mut self, held: u32, row: u32, places: &[u64]) -> Result<()> {
        for &place in places {
            if place >= self.layout.places {
                return Err(Error::Internal(format!("a row has place {place} of {}", self.layout.places)));
            }
            self.taken.push(Taken { place, held, row });
        }
        self.size += (size_of::<Taken>() * places.len()) as u64;
        Ok(())
    }

    /// Spills what is held, if it is much.
    fn spill_if_full(&mut self, state: &State) -> Result<()> {
        if self.size >= self.most { self.spill(state) } else { Ok(()) }
    }

    fn spill(&mut self, state: &State) -> Result<()> {
        self.taken.sort_unstable_by_key(|taken| taken.place);
        let mut file = SpillWriter::create(&tasks::path(self.folder, self.done.len()))?;
        file.section();
        file.part(&serde_json::to_vec(state).map_err(|error| Error::Internal(error.to_string()))?)?;
        let mut part = Vec::new();
        file.section();
        for (start, taken) in self.by_range() {
            part.clear();
            for Taken { place, held, row } in taken {
                part.extend_from_slice(&((place - start) as u32).to_ne_bytes());
                part.extend_from_slice(&self.held[*held as usize].len_of(*row)?.to_ne_bytes());
            }
            file.part(&part)?;
        }
        file.section();
        let mut rows = Vec::new();
        for (_, taken) in self.by_range() {
            rows.clear();
            rows.extend(taken.iter().map(|taken| (taken.held, taken.row)));
            encode(&self.held, &rows, &mut part)?;
            file.part(&part)?;
        }
        self.done.push(file.finish()?);
        self.held.clear();
        self.taken.clear();
        self.size = 0;
        Ok(())
    }

    /// The rows of each range, with its first place.
    fn by_range(&self) -> impl Iterator<Item = (u64, &[Taken])> {
        let mut rest = &self.taken[..];
        (0..self.layout.ranges()).map(move |range| {
            let places = self.layout.range(range);
            let (these, others) = rest.split_at(rest.partition_point(|taken| taken.place < places.end));
            rest = others;
            (places.start, these)
        })
    }
}

impl Exchange<'_> {
    /// Spills all rows behind what an earlier run has spilled in `folder`.
    ///
    /// # Errors
    /// I/O failures, rows that cannot be copied, the wish to stop; `Error::Internal` if not every place is taken once.
    pub(crate) fn spill(&self, folder: &Path) -> Result<Spilled> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let layout =
            Layout::new(self.order.places(), self.bytes, self.elements, self.memory, self.crew.threads());
        let layout = layout.noted_in(folder)?;
        let done = tasks::open(folder)?;
        let inputs = self.sources.len();
        let mut state = State::of(&done, inputs)?;
        let (earlier, mut types) = (state.read, Types::noted_in(folder));
        let whole = folder.join(WHOLE);
        let mut tasks = Tasks {
            folder,
            layout,
            most: task_bytes(self.memory),
            done,
            held: Vec::new(),
            taken: Vec::new(),
            size: 0,
        };
        if !fs::read_to_string(&whole).is_ok_and(|noted| noted == tasks.done.len().to_string()) {
            self.pass(&mut tasks, &mut state, &mut types)?;
            // The last one also says how far the inputs were read.
            tasks.spill(&state)?;
            commit_bytes(&whole, tasks.done.len().to_string().as_bytes())?;
        }
        Spilled::new(folder, tasks.layout, tasks.done, types, &state, earlier)
    }

    fn pass(&self, tasks: &mut Tasks<'_>, state: &mut State, types: &mut Types) -> Result<()> {
        let sources = self.sources;
        self.progress.begin(SPILL, sources.iter().map(|source| source.input().size_on_disk()).sum());
        self.progress.advance(state.read.docs, state.read.bytes);
        let from = state.from.clone();
        let (elements, folder): (bool, PathBuf) = (tasks.layout.elements, tasks.folder.to_path_buf());
        let mut places = Vec::new();
        for_each_unit(
            Pass { from: &from, ..Pass::new(sources, self.crew, self.progress, self.memory) },
            Scratch::default,
            |scratch, input, unit| {
                let Source::Seen(seen) = &sources[input] else {
                    return Err(Error::Internal("what no step has seen is not exchanged".into()));
                };
                let after = unit.after();
                let (piece, rows, bytes) = seen.all(unit, scratch)?;
                let held = Held::of(piece, elements, &sources[input])?;
                if held.iter().map(Held::rows).sum::<usize>() as u64 != rows {
                    return Err(Error::Internal(format!("a unit of {rows} rows came as others")));
                }
                self.progress.advance(rows, bytes);
                let tokens: u64 = held.iter().map(Held::tokens).sum();
                Ok((held, rows, bytes, after, tokens))
            },
            |input, (held, rows, bytes, after, tokens)| {
                state.from[..input].fill(Position::END);
                state.from[input] = after;
                state.read.add(rows, bytes);
                state.tokens += tokens;
                for held in held {
                    let held = types.apply(held, &folder, sources[input].input().path())?;
                    let at = tasks.held.len() as u32;
                    let taken = tasks.taken.len();
                    for row in 0..held.rows() as u32 {
                        places.clear();
                        let number = RowNumber { input, row: state.rows[input], of_all: state.all };
                        self.order.of(number, &mut places)?;
                        state.note(input, places.len() as u64);
                        tasks.take(at, row, &places)?;
                    }
                    if tasks.taken.len() > taken {
                        tasks.size += held.size();
                        tasks.held.push(held);
                    }
                }
                tasks.spill_if_full(state)
            },
        )
    }
}
