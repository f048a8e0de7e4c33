//! One pass over all inputs: units are cut in order, worked on by all threads, and received in order again.
//!
//! ```text
//!  cutter ──units──> workers (threads) ──results──> receiver (the calling thread), in unit order
//!     ^                                                 │
//!     └───────────── tickets: so many in flight ────────┘
//! ```
//!
//! A ticket is taken before a unit is cut and given back when its result was received, so the memory in flight
//! is bounded however uneven the units are. With one thread everything happens on the calling thread.
//!
//! A panic in any part is a bug of ours and ends the pass with [`Error::Internal`]. It is caught where it happens:
//! the result of the unit would never come otherwise, and all others would wait for it.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};
use crate::input::Unit;
use crate::readers::guard::panic_message;
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Units in flight for each thread.
const TICKETS_PER_THREAD: usize = 4;

/// Runs `work` over every unit of `sources` on `threads` threads, each with a state of its own from `init`, and hands
/// the results to `receive` in order, with the index of the input.
///
/// # Errors
/// The first error of any part; the others stop then.
pub(crate) fn for_each_unit<S, T: Send>(
    sources: &[Source],
    threads: usize,
    progress: &Progress,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, Unit) -> Result<T> + Sync,
    mut receive: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    if threads <= 1 {
        return contained(|| {
            let mut state = init();
            for (index, source) in sources.iter().enumerate() {
                source.input().units(&mut |unit| {
                    progress.check()?;
                    receive(index, work(&mut state, index, unit)?)
                })?;
            }
            Ok(())
        });
    }
    let in_flight = TICKETS_PER_THREAD * threads;
    let (give_ticket, tickets) = bounded(in_flight);
    let (send_unit, units) = bounded(in_flight);
    let (send_result, results) = bounded(in_flight);
    for _ in 0..in_flight {
        give_ticket.send(()).map_err(|_| lost())?;
    }
    std::thread::scope(|scope| {
        let cutter = scope.spawn(|| contained(|| cut(sources, progress, &tickets, send_unit)));
        for _ in 0..threads {
            let (units, send_result) = (units.clone(), send_result.clone());
            let (init, work) = (&init, &work);
            scope.spawn(move || {
                let mut state = None;
                for (place, input, unit) in &units {
                    // After a failure the state is not used again.
                    let result = contained(|| work(state.get_or_insert_with(init), input, unit));
                    let failed = result.is_err();
                    if send_result.send((place, input, result)).is_err() || failed {
                        break;
                    }
                }
            });
        }
        // Only the workers' ends stay open, so that the end of the workers is the end of the loops.
        drop((units, send_result));
        let received = contained(|| receive_in_order(&results, give_ticket, &mut receive));
        drop(results);
        let cut = cutter.join().unwrap_or_else(|panic| Err(panicked(&*panic)));
        // A stopped receiver stops the cutter too; its own error is the cause then.
        received.and(cut)
    })
}

/// Does a part of the pass; a panic in it becomes its error.
fn contained<T>(part: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    Error::Internal(format!("a thread of the run panicked: {}", panic_message(panic)))
}

type Cut = (usize, usize, Unit);

fn cut(sources: &[Source], progress: &Progress, tickets: &Receiver<()>, units: Sender<Cut>) -> Result<()> {
    let mut place = 0;
    for (index, source) in sources.iter().enumerate() {
        source.input().units(&mut |unit| {
            progress.check()?;
            // Closed channels mean that the other side stopped, with an error of its own.
            tickets.recv().map_err(|_| Error::Cancelled)?;
            units.send((place, index, unit)).map_err(|_| Error::Cancelled)?;
            place += 1;
            Ok(())
        })?;
    }
    drop(units);
    Ok(())
}

fn receive_in_order<T>(
    results: &Receiver<(usize, usize, Result<T>)>,
    give_ticket: Sender<()>,
    receive: &mut impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (place, input, result) in results {
        early.insert(place, (input, result?));
        while let Some((input, result)) = early.remove(&next) {
            receive(input, result)?;
            next += 1;
            // The cutter may be done and gone.
            let _ = give_ticket.try_send(());
        }
    }
    drop(give_ticket);
    if early.is_empty() { Ok(()) } else { Err(lost()) }
}

fn lost() -> Error {
    Error::Internal("a worker thread ended before its work".into())
}

#[cfg(test)]
mod tests;
