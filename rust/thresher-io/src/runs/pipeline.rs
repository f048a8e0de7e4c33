//! One pass over all inputs: units are cut in order, worked on by all threads, and received in order again.
//!
//! ```text
//!             ┌─ receive the next result in order        (one worker at a time)
//! a worker ───┼─ do a job of an output: see `crew`
//! does what   ├─ cut a unit of an open input, work on it  (one worker at a time cuts an input: a stream is decoded there)
//! comes first └─ open one more input, and so on
//! ```
//!
//! There is no other thread than the workers, the calling thread is one of them, and whoever has nothing to do waits
//! for a change. A compressed file keeps one of them decoding and the rest working; as long as it does, further inputs
//! are opened.
//!
//! **Order.** Each input is received in its own order. With [`Order::Inputs`] the inputs follow each other too; results of
//! later ones wait. With [`Order::Free`] they do not.
//!
//! **Memory.** The weights of all units that were cut and whose results were not received yet stay within
//! `bytes_in_flight`; only a single unit may be larger, and a unit is only known to be larger than those before when it has
//! been cut. Half of that belongs to the input whose turn it is: were all of it taken by results that wait for their turn,
//! nobody would get on.
//!
//! **Failure.** An error counts when its turn comes, so that it is the same for every number of threads; the wish to
//! stop counts at once. A panic in any part is a bug of ours and ends the pass with [`Error::Internal`]; it is caught where
//! it happens, since all others would wait for that part.

mod board;

use std::sync::Mutex;

use crate::crew::{Crew, contained, lock};
use crate::error::{Error, Result};
use crate::input::{Input, Position, Unit};
use crate::runs::memory::Memory;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use board::{Board, Task};

/// In which order results of different inputs are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// In the order of the inputs.
    Inputs,
    /// As they come.
    Free,
}

/// Something that a pass can read.
pub(crate) trait Read: Sync {
    /// The reader.
    fn input(&self) -> &dyn Input;
}

impl Read for Source {
    fn input(&self) -> &dyn Input {
        self.input()
    }
}

/// Which inputs a pass goes over, and how.
pub(crate) struct Pass<'p, I = Source> {
    pub(crate) sources: &'p [I],
    pub(crate) order: Order,
    pub(crate) crew: &'p Crew,
    pub(crate) progress: &'p Progress,
    /// Where each input begins; each at its start if there are none.
    pub(crate) from: &'p [Position],
    /// Bytes of units that were cut and not received yet.
    pub(crate) bytes_in_flight: u64,
}

impl<I> Clone for Pass<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Pass<'_, I> {}

impl<'p, I: Read> Pass<'p, I> {
    /// A pass over all of `sources`, in order.
    pub(crate) fn new(sources: &'p [I], crew: &'p Crew, progress: &'p Progress, memory: Memory) -> Self {
        let bytes_in_flight = memory.in_flight();
        Self { sources, order: Order::Inputs, crew, progress, from: &[], bytes_in_flight }
    }

    /// Where an input begins.
    fn from(&self, input: usize) -> Position {
        self.from.get(input).copied().unwrap_or_default()
    }
}

/// Runs `work` over every unit of a pass on the threads of its crew, each with a state of its own from `init`, and hands the
/// results to `receive`, with the index of the input. `receive` runs on any of the threads, on one at a time.
///
/// # Errors
/// The first error of any part, in the order of the pass; the others stop then.
pub(crate) fn for_each_unit<I: Read, S, T: Send>(
    pass: Pass<'_, I>,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, Unit) -> Result<T> + Sync,
    receive: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<()> {
    if pass.crew.threads() == 1 {
        return contained(|| one_by_one(&pass, &init, &work, receive));
    }
    let go_on = || pass.progress.check();
    let (board, pass) = (Mutex::new(Board::new(&pass)), &pass);
    let shared = Shared { pass, board, receive: Mutex::new(receive) };
    let worker = || {
        let _entered = pass.crew.enter();
        let mut state = None;
        let work = |input, unit| {
            let result =
                contained(|| go_on().and_then(|()| work(state.get_or_insert_with(&init), input, unit)));
            if result.is_err() {
                // It may be broken.
                state = None;
            }
            result
        };
        if let Err(error) = contained(|| shared.run(work)) {
            lock(&shared.board).end(Err(error));
            pass.crew.change();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..pass.crew.threads() {
            scope.spawn(worker);
        }
        worker();
    });
    let ended = lock(&shared.board).ended();
    ended.unwrap_or_else(|| Err(Error::Internal("a pass ended before its work was done".into())))
}

/// The pass on the calling thread.
fn one_by_one<I: Read, S, T>(
    pass: &Pass<'_, I>,
    init: &impl Fn() -> S,
    work: &impl Fn(&mut S, usize, Unit) -> Result<T>,
    mut receive: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let go_on = || pass.progress.check();
    let mut state = init();
    for (input, source) in pass.sources.iter().enumerate() {
        let from = pass.from(input);
        if from == Position::END {
            continue;
        }
        go_on()?;
        let mut cutter = source.input().cut(from)?;
        while let Some(unit) = cutter.next(&go_on)? {
            go_on()?;
            receive(input, work(&mut state, input, unit)?)?;
        }
    }
    Ok(())
}

/// What the workers of a pass share.
struct Shared<'p, I, T, R> {
    pass: &'p Pass<'p, I>,
    board: Mutex<Board<'p, T>>,
    receive: Mutex<R>,
}

impl<I: Read, T, R: FnMut(usize, T) -> Result<()>> Shared<'_, I, T, R> {
    /// What one worker does from the beginning to the end of the pass.
    fn run(&self, mut work: impl FnMut(usize, Unit) -> Result<T>) -> Result<()> {
        let go_on = || self.pass.progress.check();
        loop {
            let seen = self.pass.crew.changes();
            if self.pass.crew.help() {
                continue;
            }
            let task = lock(&self.board).next();
            match task {
                Task::End => return Ok(()),
                Task::Wait => {
                    self.pass.crew.wait(seen);
                    continue;
                }
                Task::Receive(input, result) => {
                    let received = contained(|| {
                        go_on()?;
                        lock(&self.receive)(input, result?)
                    });
                    lock(&self.board).received(input, received);
                }
                Task::Cut(input, cutter) => {
                    let cut = contained(|| {
                        go_on()?;
                        let mut cutter = match cutter {
                            Some(cutter) => cutter,
                            None => self.pass.sources[input].input().cut(self.pass.from(input))?,
                        };
                        Ok(cutter.next(&go_on)?.map(|unit| (unit, cutter)))
                    });
                    let cut = cut.map(Option::unzip);
                    let unit = match cut {
                        Ok((unit, cutter)) => lock(&self.board).cut(input, cutter, unit),
                        Err(error) => {
                            lock(&self.board).broke(input, error);
                            None
                        }
                    };
                    self.pass.crew.change();
                    let Some((place, unit)) = unit else { continue };
                    let result = work(input, unit);
                    lock(&self.board).worked(input, place, result);
                }
            }
            self.pass.crew.change();
        }
    }
}

#[cfg(test)]
mod tests;
