//! How much each kept document of a large cluster shares with the one at hand, without comparing them.
//!
//! Documents of one template share its shingles, and are told apart by those that few have. A shingle is *rare*
//! while at most [`RARE`] kept documents have it, and for each rare one it is known which they are. A walk over the
//! rare shingles of a document counts exactly how many of them each kept one shares; of the frequent ones, two documents
//! share at most what the poorer of them has. The sum bounds what they share at all, so nearly every pair of a template is
//! ruled out without being touched (the prefix filter of set-similarity joins: Bayardo, Ma, Srikant 2007; Xiao, Wang,
//! Lin, Yu 2008).
//!
//! Time is one look at each number of a document, many at a time, plus [`RARE`] steps for each rare shingle at most;
//! memory 4 bytes a number and 12 for each owner of a shared rare one.

use std::collections::{BTreeSet, HashMap};

use super::kept::KeptSets;
use super::numbering::{NumberSet, count_equal};
use crate::error::{Error, Result};
use crate::params::Threshold;

/// Kept documents that have a shingle, up to which it is rare.
pub(super) const RARE: u32 = 32;

/// The owner of a number that no kept document has.
const NOBODY: u32 = 0;
/// The owner of a number that more than [`RARE`] have.
const FREQUENT: u32 = u32::MAX;
/// Set in an owner that is a list of several: its first node. A single one is its place plus one.
const LIST: u32 = 1 << 31;
/// Behind the last node.
const END: u32 = u32::MAX;

/// One owner of a number that several have.
#[derive(Clone, Copy, Debug)]
struct Node {
    place: u32,
    next: u32,
    /// Owners from here to the end.
    count: u32,
}

/// What is known of the kept documents. Catches up with them when it is asked.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    /// Who has each number.
    owners: Vec<u32>,
    nodes: Vec<Node>,
    /// First of the nodes that are free.
    free: Option<u32>,
    /// How many frequent shingles each kept document has.
    frequent: Vec<u32>,
    /// The sizes that there are among kept documents.
    sizes: BTreeSet<usize>,
    /// Kept documents by the sum of their shingles, which is that of no other set but by chance.
    by_sum: HashMap<u64, u32>,
    /// For each kept document, how many rare shingles it shares with the one at hand.
    shared: Vec<u32>,
    /// Those that share any.
    sharing: Vec<u32>,
    /// How many frequent shingles the one at hand has.
    own_frequent: usize,
}

impl Likeness {
    pub(super) fn clear(&mut self) {
        self.owners.clear();
        self.nodes.clear();
        self.free = None;
        self.frequent.clear();
        self.sizes.clear();
        self.by_sum.clear();
        self.shared.clear();
        self.sharing.clear();
    }

    /// Takes in what was kept since it was asked last; `sum` adds up the shingles of a set.
    pub(super) fn catch_up(&mut self, kept: &KeptSets, sum: impl Fn(&[(u32, u32)]) -> u64) -> Result<()> {
        for place in self.frequent.len()..kept.len() {
            if place as u32 >= LIST - 1 {
                return Err(too_large());
            }
            let place = place as u32;
            let runs = kept.runs(place);
            self.by_sum.entry(sum(runs)).or_insert(place);
            self.sizes.insert(kept.size(place));
            self.frequent.push(0);
            self.shared.push(0);
            for &(start, end) in runs {
                self.add_owner(place, start as usize, end as usize)?;
            }
        }
        Ok(())
    }

    fn add_owner(&mut self, place: u32, start: usize, end: usize) -> Result<()> {
        let known = self.owners.len();
        if end > known {
            self.owners.resize(end, NOBODY);
            self.owners[start.max(known)..].fill(place + 1);
        }
        let end = end.min(known);
        if start >= end {
            return Ok(());
        }
        if count_equal(&self.owners[start..end], FREQUENT) == end - start {
            self.frequent[place as usize] += (end - start) as u32;
            return Ok(());
        }
        for number in start..end {
            self.owners[number] = match self.owners[number] {
                NOBODY => place + 1,
                FREQUENT => {
                    self.frequent[place as usize] += 1;
                    FREQUENT
                }
                list if list & LIST != 0 => {
                    let first = list & !LIST;
                    if self.nodes[first as usize].count == RARE {
                        self.make_frequent(first);
                        self.frequent[place as usize] += 1;
                        FREQUENT
                    } else {
                        LIST | self.add_node(place, first)?
                    }
                }
                single => {
                    let last = self.add_node(single - 1, END)?;
                    LIST | self.add_node(place, last)?
                }
            };
        }
        Ok(())
    }

    fn add_node(&mut self, place: u32, next: u32) -> Result<u32> {
        let count = 1 + self.nodes.get(next as usize).map_or(0, |next| next.count);
        let node = Node { place, next, count };
        if let Some(at) = self.free {
            let after = std::mem::replace(&mut self.nodes[at as usize], node).next;
            self.free = (after != END).then_some(after);
            return Ok(at);
        }
        let at = self.nodes.len() as u32;
        if at >= LIST - 1 {
            return Err(too_large());
        }
        self.nodes.push(node);
        Ok(at)
    }

    /// Counts a number as frequent for all of its list, whose nodes become free.
    fn make_frequent(&mut self, first: u32) {
        let mut at = first;
        loop {
            let Node { place, next, .. } = self.nodes[at as usize];
            self.frequent[place as usize] += 1;
            if next == END {
                break;
            }
            at = next;
        }
        self.nodes[at as usize].next = self.free.unwrap_or(END);
        self.free = Some(first);
    }

    /// Counts what each kept document shares with `set`, which becomes the one at hand.
    pub(super) fn count(&mut self, set: &NumberSet) {
        let Self { owners, nodes, shared, sharing, .. } = self;
        for place in sharing.drain(..) {
            shared[place as usize] = 0;
        }
        let mut add = |place: u32, count: u32| {
            let known = &mut shared[place as usize];
            if *known == 0 {
                sharing.push(place);
            }
            *known += count;
        };
        self.own_frequent = 0;
        for &(start, end) in set.runs() {
            let end = (end as usize).min(owners.len());
            let Some(run) = owners.get(start as usize..end) else { continue };
            let frequent = count_equal(run, FREQUENT);
            self.own_frequent += frequent;
            if frequent == run.len() {
                continue;
            }
            // Numbers in a row mostly have one owner in common.
            let (mut single, mut count) = (NOBODY, 0);
            for &owner in run {
                if owner == single {
                    count += 1;
                    continue;
                }
                if owner == NOBODY || owner == FREQUENT {
                    continue;
                }
                if owner & LIST == 0 {
                    if single != NOBODY {
                        add(single - 1, count);
                    }
                    (single, count) = (owner, 1);
                    continue;
                }
                let mut at = owner & !LIST;
                while let Some(node) = nodes.get(at as usize) {
                    add(node.place, 1);
                    at = node.next;
                }
            }
            if single != NOBODY {
                add(single - 1, count);
            }
        }
    }

    /// The kept documents that share a rare shingle with the one at hand.
    pub(super) fn sharing(&self) -> &[u32] {
        &self.sharing
    }

    /// How many rare shingles a kept document shares with the one at hand.
    pub(super) fn rare_shared(&self, place: u32) -> u32 {
        self.shared[place as usize]
    }

    /// As many shingles as a kept document may share with the one at hand at most.
    pub(super) fn bound(&self, place: u32) -> usize {
        let frequent = self.own_frequent.min(self.frequent[place as usize] as usize);
        self.shared[place as usize] as usize + frequent
    }

    /// Whether a kept document without any rare shingle of the one at hand, which has `size` shingles, may reach the
    /// threshold by its own size.
    pub(super) fn frequent_may_do(&self, size: usize, threshold: Threshold) -> bool {
        // The more a size differs from the number of frequent shingles, the less similar a set of it can be.
        let most = self.own_frequent;
        let below = self.sizes.range(..=most).next_back();
        let above = self.sizes.range(most..).next();
        let may = |&other: &usize| threshold.reached(most.min(other), size, other);
        below.is_some_and(may) || above.is_some_and(may)
    }

    /// The kept document whose shingles add up to `sum`.
    pub(super) fn with_sum(&self, sum: u64) -> Option<u32> {
        self.by_sum.get(&sum).copied()
    }
}

/// The error for a cluster beyond what is counted in 31 bits.
fn too_large() -> Error {
    Error::Parameter(
        "a cluster of candidates has more than 2,147,483,646 kept documents or shared shingles; raise `threshold`, \
         or split the input"
            .into(),
    )
}
