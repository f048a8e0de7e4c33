//! Which documents of a crowd are known by which shingles, and which shingles are too frequent to know one by.
//!
//! A *mark* is a shingle that was noted for a document. One that more than [`RARE`] would have is *frequent*: it is noted as
//! such, and for nobody. Frequent shingles are few, and most looks end at them: a table of their own stays in cache. Marks
//! lie in an open-addressing table, 12 bytes an entry; one that several documents have has an entry for each.

use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::hash::K0;
use crate::prefetch::{in_large_pages, prefetch_line};

/// Documents that a shingle may be a mark of before it is frequent.
pub(super) const RARE: usize = 32;

/// In the place of a free entry.
const FREE: u32 = u32::MAX;
/// In the place of an entry that was given up.
const GONE: u32 = u32::MAX - 1;

/// Entries of the first table.
const FIRST: usize = 64;

/// A shingle, in halves so that an entry has no gap, and a place.
#[derive(Clone, Copy, Debug)]
struct Entry {
    shingle: [u32; 2],
    place: u32,
}

impl Entry {
    const NONE: Self = Self { shingle: [0, 0], place: FREE };

    fn of(shingle: u64, place: u32) -> Self {
        Self { shingle: halves(shingle), place }
    }
}

fn halves(shingle: u64) -> [u32; 2] {
    [shingle as u32, (shingle >> 32) as u32]
}

/// Places a shingle in the table of frequent ones; for numbers that are no hashes, as tests have them.
fn spread(shingle: u64) -> u64 {
    shingle.wrapping_mul(K0)
}

/// The marks of one crowd.
#[derive(Debug, Default)]
pub(super) struct Marks {
    frequent: HashTable<u64>,
    /// At most half full: most searches end at the first entry.
    entries: Vec<Entry>,
    /// How many are not free.
    used: usize,
}

impl Marks {
    /// Where the search for a shingle begins.
    #[inline]
    fn start(&self, [low, high]: [u32; 2]) -> usize {
        let shingle = u64::from(high) << 32 | u64::from(low);
        // Spread, for numbers that are no hashes; the high bits choose.
        let spread = spread(shingle) >> 32;
        ((spread * self.entries.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    /// Whether a shingle is frequent.
    #[inline]
    pub(super) fn is_frequent(&self, shingle: u64) -> bool {
        self.frequent.find(spread(shingle), |&known| known == shingle).is_some()
    }

    /// Asks for the memory that [`Marks::owners`] will look at.
    #[inline]
    pub(super) fn prefetch(&self, shingle: u64) {
        if let Some(entry) = self.entries.get(self.start(halves(shingle))) {
            prefetch_line(entry);
        }
    }

    /// Appends the places of which a shingle is a mark.
    #[inline]
    pub(super) fn owners(&self, shingle: u64, places: &mut Vec<u32>) {
        if self.entries.is_empty() {
            return;
        }
        let shingle = halves(shingle);
        let mut at = self.start(shingle);
        while self.entries[at].place != FREE {
            let entry = self.entries[at];
            if entry.shingle == shingle && entry.place != GONE {
                places.push(entry.place);
            }
            at = self.after(at);
        }
    }

    /// Notes a shingle as a mark of the document at `place`, or as frequent if too many have it.
    ///
    /// # Errors
    /// `Error::Parameter` for more places than there may be.
    pub(super) fn add(&mut self, shingle: u64, place: u32) -> Result<()> {
        if place >= GONE {
            return Err(too_large());
        }
        if self.is_frequent(shingle) {
            return Ok(());
        }
        self.reserve();
        let wanted = halves(shingle);
        let mut at = self.start(wanted);
        let mut owners = 0;
        while self.entries[at].place != FREE {
            owners += usize::from(self.entries[at].shingle == wanted && self.entries[at].place != GONE);
            at = self.after(at);
        }
        if owners == RARE {
            self.make_frequent(shingle);
        } else {
            self.entries[at] = Entry::of(shingle, place);
            self.used += 1;
        }
        Ok(())
    }

    /// Notes a shingle as frequent, and as a mark of nobody.
    pub(super) fn make_frequent(&mut self, shingle: u64) {
        if self.is_frequent(shingle) {
            return;
        }
        self.frequent.insert_unique(spread(shingle), shingle, |&known| spread(known));
        if self.entries.is_empty() {
            return;
        }
        let wanted = halves(shingle);
        let mut at = self.start(wanted);
        while self.entries[at].place != FREE {
            if self.entries[at].shingle == wanted {
                self.entries[at].place = GONE;
            }
            at = self.after(at);
        }
    }

    /// Makes room for one entry more.
    fn reserve(&mut self) {
        if 2 * (self.used + 1) <= self.entries.len() {
            return;
        }
        let wanted = (self.entries.len() + self.entries.len() / 2).max(FIRST);
        let mut room = Vec::with_capacity(wanted);
        in_large_pages(&mut room);
        room.resize(wanted, Entry::NONE);
        let entries = std::mem::replace(&mut self.entries, room);
        self.used = 0;
        for entry in entries.into_iter().filter(|entry| entry.place < GONE) {
            let mut at = self.start(entry.shingle);
            while self.entries[at].place != FREE {
                at = self.after(at);
            }
            self.entries[at] = entry;
            self.used += 1;
        }
    }
}

/// The error for a crowd beyond what its places are counted in.
fn too_large() -> Error {
    Error::Parameter(
        "a cluster of candidates has more than 4,294,967,294 kept documents; raise `threshold`, or split the input"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_are_those_of_a_plain_map(
            steps in prop::collection::vec((0..60u64, any::<bool>(), 0..40u32), 0..3000), spread: u64,
        ) {
            let (mut marks, mut owners, mut frequent) = (Marks::default(), BTreeMap::new(), BTreeSet::new());
            for (turn, (shingle, is_rare, frequently)) in (0..).zip(steps) {
                let shingle = shingle.wrapping_mul(spread | 1);
                if frequently == 0 {
                    marks.make_frequent(shingle);
                    frequent.insert(shingle);
                } else if is_rare {
                    marks.add(shingle, turn).unwrap();
                    let known: &mut Vec<u32> = owners.entry(shingle).or_default();
                    known.push(turn);
                    if known.len() > RARE {
                        frequent.insert(shingle);
                    }
                }
            }
            for shingle in (0..70u64).map(|shingle| shingle.wrapping_mul(spread | 1)) {
                let mut places = Vec::new();
                let is_frequent = marks.is_frequent(shingle);
                marks.prefetch(shingle);
                marks.owners(shingle, &mut places);
                prop_assert_eq!(is_frequent, frequent.contains(&shingle));
                places.sort_unstable();
                let expected = owners.get(&shingle).filter(|_| !is_frequent);
                prop_assert_eq!(places, expected.cloned().unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_place_beyond_the_last_one_is_an_error() {
        assert!(Marks::default().add(1, GONE - 1).is_ok());
        let error = Marks::default().add(1, GONE).unwrap_err().to_string();
        assert!(error.contains("4,294,967,294"), "{error}");
    }
}
