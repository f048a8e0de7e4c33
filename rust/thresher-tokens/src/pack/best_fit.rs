//! Best fit decreasing: a piece goes into the bin with the least space that is enough for it.
//!
//! Runs wait in queues by the space that their bins have left. A length takes from the queue of the least space that is
//! enough; what has taken as much as it can has less space than the length, so the next queue is one with more space,
//! and each that is touched is emptied but for the last.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use thresher_core::Observer;

use super::Packer;
use super::strips::{Run, Strips, Taken};
use crate::error::{Error, Result};

/// Where pieces of `lengths` (from the longest on, with how often each comes) go.
///
/// # Errors
/// `Error::Cancelled` if the observer asks for it.
pub(super) fn place(lengths: &[(u32, u32)], packer: Packer, observer: &dyn Observer) -> Result<Strips> {
    let context = packer.context();
    let (mut strips, mut spaces) = (Strips::default(), Spaces::default());
    for &(length, count) in lengths {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        strips.begin();
        let mut left = count;
        while left > 0 {
            let Some((space, mut queue)) = spaces.take(length) else {
                left -= spaces.open(left, length, context, &mut strips);
                continue;
            };
            while left > 0
                && let Some(run) = queue.pop_front()
            {
                let taken = Taken::of(left, length, space, run.bins);
                strips.take(run.bin, &taken, context - space);
                left -= taken.pieces();
                if let Some(rest) = spaces.put_taken(run, &taken, space, length) {
                    queue.push_front(rest);
                }
            }
            spaces.put_back(space, queue);
        }
    }
    strips.end();
    Ok(strips)
}

/// Runs by the space that their bins have left; of one space, those first that have had it for longest.
#[derive(Default)]
struct Spaces(BTreeMap<u32, VecDeque<Run>>);

impl Spaces {
    /// The queue of the least space that is enough for `length`.
    fn take(&mut self, length: u32) -> Option<(u32, VecDeque<Run>)> {
        let space = *self.0.range(length..).next()?.0;
        self.0.remove(&space).map(|queue| (space, queue))
    }

    fn put_back(&mut self, space: u32, queue: VecDeque<Run>) {
        if !queue.is_empty() {
            self.0.insert(space, queue);
        }
    }

    fn put(&mut self, space: u32, run: Run) {
        if space == 0 {
            return;
        }
        let queue = self.0.entry(space).or_default();
        match queue.back_mut() {
            Some(last) if last.bin + last.bins == run.bin => last.bins += run.bins,
            _ => queue.push_back(run),
        }
    }

    /// Puts the bins of `run` where they belong after they have `taken` pieces of `length`; those that took none are left.
    fn put_taken(&mut self, run: Run, taken: &Taken, space: u32, length: u32) -> Option<Run> {
        let Run { bin, bins } = run;
        if taken.filled > 0 {
            self.put(space - taken.each * length, Run { bin, bins: taken.filled });
        }
        let mut used = taken.filled;
        if taken.last > 0 {
            self.put(space - taken.last * length, Run { bin: bin + used, bins: 1 });
            used += 1;
        }
        (used < bins).then(|| Run { bin: bin + used, bins: bins - used })
    }

    /// Opens as many bins as `count` pieces of `length` need.
    fn open(&mut self, count: u32, length: u32, context: u32, strips: &mut Strips) -> u32 {
        let taken = Taken::of(count, length, context, u32::MAX);
        let run = Run { bin: strips.bins, bins: taken.filled + u32::from(taken.last > 0) };
        strips.take(run.bin, &taken, 0);
        strips.bins += run.bins;
        self.put_taken(run, &taken, context, length);
        taken.pieces()
    }
}
