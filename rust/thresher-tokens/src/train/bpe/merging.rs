//! The merges, most frequent pair first: what one merge changes, and the queue of what is next.
//!
//! A merge visits the places of its pair only. Which pairs lose and gain there is added up by neighbour, in arrays that symbols
//! index, and reaches the table of pairs once for each neighbour. Counts of a pair only fall after the merge that
//! made it, so an entry of the queue is an upper bound: one that is too high goes back with its true count.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::corpus::{Corpus, EMPTY, END};
use super::pairs::Pair;

/// Both symbols of a pair in one number, by which equal counts are told apart: the smaller one is merged first.
fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The pairs that may be merged next: those with at least `floor` occurrences.
pub(super) struct Queue {
    floor: u64,
    pairs: HashMap<u64, Pair, BuildPairHasher>,
    heap: BinaryHeap<(u64, Reverse<u64>)>,
}

impl Queue {
    pub(super) fn new(floor: u64, pairs: Vec<Pair>) -> Self {
        let mut queue = Self {
            floor,
            pairs: HashMap::with_capacity_and_hasher(pairs.len(), BuildPairHasher),
            heap: BinaryHeap::with_capacity(pairs.len()),
        };
        for pair in pairs {
            queue.put(pair);
        }
        queue
    }

    fn put(&mut self, pair: Pair) {
        let key = key(pair.left, pair.right);
        self.heap.push((pair.count, Reverse(key)));
        self.pairs.insert(key, pair);
    }

    /// The most frequent pair, of equally frequent ones that of the smallest symbols; it leaves the queue.
    pub(super) fn pop(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(key))) = self.heap.pop() {
            let Entry::Occupied(entry) = self.pairs.entry(key) else { continue };
            let now = entry.get().count;
            if now == count {
                return Some(entry.remove());
            }
            if now >= self.floor {
                self.heap.push((now, Reverse(key)));
            } else {
                // It cannot rise again.
                entry.remove();
            }
        }
        None
    }

    fn lower(&mut self, left: u32, right: u32, by: u64) {
        if let Some(pair) = self.pairs.get_mut(&key(left, right)) {
            pair.count -= by;
        }
    }
}

/// What a merge changes for one neighbour, on one side.
#[derive(Clone, Copy, Default)]
struct Change {
    /// Occurrences that its pair with the old symbol loses.
    lost: u64,
    /// Occurrences that its pair with the new symbol has.
    gained: u64,
    /// Places noted for the new pair; then its number among the new pairs that are queued, counted from 1.
    places: u32,
    /// Whether it is in the list of neighbours.
    is_listed: bool,
}

/// The neighbours on one side of the places of a merge.
#[derive(Default)]
struct Side {
    changes: Vec<Change>,
    listed: Vec<u32>,
    /// Neighbour, and the place of its pair with the new symbol.
    noted: Vec<(u32, u32)>,
}

impl Side {
    fn at(&mut self, neighbour: u32) -> &mut Change {
        let change = &mut self.changes[neighbour as usize];
        if !change.is_listed {
            change.is_listed = true;
            self.listed.push(neighbour);
        }
        change
    }

    /// An occurrence of a new pair.
    fn gain(&mut self, neighbour: u32, weight: u64, place: u32) {
        let change = self.at(neighbour);
        change.gained += weight;
        change.places += 1;
        self.noted.push((neighbour, place));
    }

    /// Tells the queue of all changes, and forgets them.
    fn settle(
        &mut self,
        queue: &mut Queue,
        is_allowed: impl Fn(u32) -> bool,
        old: impl Fn(u32) -> (u32, u32),
        new: impl Fn(u32) -> (u32, u32),
    ) {
        let mut made: Vec<Pair> = Vec::new();
        for &neighbour in &self.listed {
            let change = &mut self.changes[neighbour as usize];
            if change.lost > 0 {
                let (left, right) = old(neighbour);
                queue.lower(left, right, change.lost);
            }
            if change.gained >= queue.floor && is_allowed(neighbour) {
                let (left, right) = new(neighbour);
                let places = Vec::with_capacity(change.places as usize);
                made.push(Pair { left, right, count: change.gained, places });
                change.places = made.len() as u32;
            } else {
                change.places = 0;
            }
        }
        for (neighbour, place) in self.noted.drain(..) {
            let number = self.changes[neighbour as usize].places as usize;
            if let Some(pair) = number.checked_sub(1).and_then(|at| made.get_mut(at)) {
                pair.places.push(place);
            }
        }
        for pair in made {
            queue.put(pair);
        }
        for neighbour in self.listed.drain(..) {
            self.changes[neighbour as usize] = Change::default();
        }
    }
}

/// Carries out merges.
#[derive(Default)]
pub(super) struct Merger {
    before: Side,
    behind: Side,
}

impl Merger {
    /// Puts `new` wherever the symbols of `pair` follow each other, from left to right, and brings the queue up to date. No
    /// pair with a neighbour that `is_allowed` refuses is queued.
    pub(super) fn merge(
        &mut self,
        corpus: &mut Corpus,
        queue: &mut Queue,
        pair: &Pair,
        new: u32,
        is_allowed: impl Fn(u32) -> bool,
    ) {
        let (left, right) = (pair.left, pair.right);
        let of_left = corpus.lengths[left as usize];
        let of_new = of_left + corpus.lengths[right as usize];
        corpus.add_symbol(new, of_new);
        for side in [&mut self.before, &mut self.behind] {
            side.changes.resize(corpus.lengths.len(), Change::default());
        }
        let (slots, lengths, mut weights) = corpus.parts();
        for &place in &pair.places {
            let at = place as usize;
            let middle = at + of_left as usize;
            if slots[at] != left || slots[middle] != right {
                continue;
            }
            let weight = weights.at(place);
            let end = at + of_new as usize;
            let before = slots[at - 1];
            if before == new {
                // The symbol before was merged just now, and then took `left` for its neighbour.
                self.behind.at(left).gained -= weight;
                self.before.gain(new, weight, place - of_new);
            } else if before != END {
                self.before.at(before).lost += weight;
                self.before.gain(before, weight, place - lengths[before as usize]);
            }
            let behind = slots[end];
            if behind != END {
                self.behind.at(behind).lost += weight;
                self.behind.gain(behind, weight, place);
            }
            slots[middle - 1] = EMPTY;
            slots[middle] = EMPTY;
            slots[at] = new;
            slots[end - 1] = new;
        }
        self.before.settle(queue, &is_allowed, |other| (other, left), |other| (other, new));
        self.behind.settle(queue, &is_allowed, |other| (right, other), |other| (new, other));
    }
}

/// Hashes the key of a pair by one product. Nobody can prepare symbols: they are numbered in the order of merges.
#[derive(Clone, Copy, Default)]
struct BuildPairHasher;

#[derive(Default)]
struct PairHasher(u64);

impl std::hash::BuildHasher for BuildPairHasher {
    type Hasher = PairHasher;

    fn build_hasher(&self) -> PairHasher {
        PairHasher::default()
    }
}

impl std::hash::Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let product = u128::from(key ^ 0x9E37_79B9_7F4A_7C15) * 0xD1B5_4A32_D192_ED03;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}
