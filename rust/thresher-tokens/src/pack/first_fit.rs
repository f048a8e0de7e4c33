//! First fit decreasing: a piece goes into the bin opened first of those that have room for it.
//!
//! Runs stand in the order of their bins, in blocks; a tree over the blocks knows the most space in each, so blocks
//! without room are passed over by halves. A run without room for the shortest length is forgotten.

use thresher_core::Observer;

use super::Packer;
use super::strips::{Run, Strips, Taken};
use crate::error::{Error, Result};

/// Runs of a block that is split: few enough to go through quickly, and enough that there are few blocks.
const BLOCK: usize = 256;

/// Where pieces of `lengths` (from the longest on, with how often each comes) go.
///
/// # Errors
/// `Error::Cancelled` if the observer asks for it.
pub(super) fn place(lengths: &[(u32, u32)], packer: Packer, observer: &dyn Observer) -> Result<Strips> {
    let least = lengths.last().map_or(0, |&(length, _)| length);
    let mut row = Row { context: packer.context(), least, blocks: Vec::new(), most: Tree::default() };
    let mut strips = Strips::default();
    for &(length, count) in lengths {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        strips.begin();
        let (mut left, mut from) = (count, 0);
        while left > 0 {
            match row.most.first_at_least(length, from) {
                Some(block) => {
                    row.take(block, length, &mut left, &mut strips);
                    from = block + 1;
                }
                None => row.open(length, &mut left, &mut strips),
            }
        }
        row.split_blocks();
    }
    strips.end();
    Ok(strips)
}

/// Bins with the same space left.
#[derive(Clone, Copy)]
struct Open {
    run: Run,
    space: u32,
}

/// All bins with room, in the order in which they were opened.
struct Row {
    context: u32,
    /// The shortest length.
    least: u32,
    blocks: Vec<Vec<Open>>,
    /// The most space in each block.
    most: Tree,
}

impl Row {
    /// Places what there is room for in a block.
    fn take(&mut self, block: usize, length: u32, left: &mut u32, strips: &mut Strips) {
        let before = std::mem::take(&mut self.blocks[block]);
        let mut after = Vec::with_capacity(before.len() + 2);
        for open in before {
            if *left == 0 || open.space < length {
                self.keep(&mut after, open);
                continue;
            }
            let taken = Taken::of(*left, length, open.space, open.run.bins);
            strips.take(open.run.bin, &taken, self.context - open.space);
            *left -= taken.pieces();
            self.keep_taken(&mut after, open, &taken, length);
        }
        self.most.set(block, after.iter().map(|open| open.space).max().unwrap_or(0));
        self.blocks[block] = after;
    }

    /// Opens as many bins as are needed.
    fn open(&mut self, length: u32, left: &mut u32, strips: &mut Strips) {
        let taken = Taken::of(*left, length, self.context, u32::MAX);
        let run = Run { bin: strips.bins, bins: taken.filled + u32::from(taken.last > 0) };
        strips.take(run.bin, &taken, 0);
        strips.bins += run.bins;
        *left -= taken.pieces();
        let mut last = self.blocks.pop().unwrap_or_default();
        self.keep_taken(&mut last, Open { run, space: self.context }, &taken, length);
        let most = last.iter().map(|open| open.space).max().unwrap_or(0);
        self.blocks.push(last);
        if self.blocks.len() > self.most.len() {
            self.rebuild();
        } else {
            self.most.set(self.blocks.len() - 1, most);
        }
    }

    /// Keeps the bins of a run after they have `taken` pieces of `length`.
    fn keep_taken(&self, runs: &mut Vec<Open>, open: Open, taken: &Taken, length: u32) {
        let Open { run: Run { bin, bins }, space } = open;
        let mut used = 0;
        let parts = [(taken.filled, taken.each), (u32::from(taken.last > 0), taken.last), (u32::MAX, 0)];
        for (part, pieces) in parts {
            let run = Run { bin: bin + used, bins: part.min(bins - used) };
            used += run.bins;
            self.keep(runs, Open { run, space: space - pieces * length });
        }
    }

    fn keep(&self, runs: &mut Vec<Open>, open: Open) {
        if open.run.bins == 0 || open.space < self.least {
            return;
        }
        match runs.last_mut() {
            Some(last) if last.space == open.space && last.run.bin + last.run.bins == open.run.bin => {
                last.run.bins += open.run.bins;
            }
            _ => runs.push(open),
        }
    }

    /// Splits blocks that have grown too large.
    fn split_blocks(&mut self) {
        if self.blocks.iter().all(|block| block.len() <= BLOCK) {
            return;
        }
        let blocks = std::mem::take(&mut self.blocks);
        for block in blocks {
            if block.len() <= BLOCK {
                self.blocks.push(block);
            } else {
                self.blocks.extend(block.chunks(BLOCK / 2).map(<[Open]>::to_vec));
            }
        }
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let most = |block: &Vec<Open>| block.iter().map(|open| open.space).max().unwrap_or(0);
        self.most = Tree::new(&self.blocks.iter().map(most).collect::<Vec<u32>>());
    }
}

/// The greatest of numbers, for every half, quarter and so on of them.
#[derive(Default)]
struct Tree {
    /// The root at 1, the halves of `node` at `2 * node` and the next; the numbers are the last half.
    nodes: Vec<u32>,
    leaves: usize,
    len: usize,
}

impl Tree {
    fn new(numbers: &[u32]) -> Self {
        let (len, leaves) = (numbers.len(), numbers.len().next_power_of_two());
        let mut nodes = vec![0; 2 * leaves];
        nodes[leaves..leaves + len].copy_from_slice(numbers);
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].max(nodes[2 * node + 1]);
        }
        Self { nodes, leaves, len }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn set(&mut self, at: usize, number: u32) {
        let mut node = self.leaves + at;
        self.nodes[node] = number;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
        }
    }

    /// The first place from `from` on with a number of at least `least`.
    fn first_at_least(&self, least: u32, from: usize) -> Option<usize> {
        if from >= self.len {
            return None;
        }
        let mut node = self.leaves + from;
        // Up to a subtree that has one and begins at or behind `from`, then down to its first.
        while self.nodes[node] < least {
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.leaves {
            node *= 2;
            if self.nodes[node] < least {
                node += 1;
            }
        }
        Some(node - self.leaves)
    }
}
