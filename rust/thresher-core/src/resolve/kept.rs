//! The shingle sets of the kept documents of a cluster, in keep order. A document's *place* is its turn among them.

use super::numbering::NumberSet;

/// Sets as runs of numbers, one after the other.
#[derive(Debug, Default)]
pub(super) struct KeptSets {
    /// The size of each set, and where its runs end.
    places: Vec<(usize, usize)>,
    runs: Vec<(u32, u32)>,
}

impl KeptSets {
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.runs.clear();
    }

    /// Takes the set of a document that stays.
    pub(super) fn push(&mut self, set: &NumberSet) {
        self.runs.extend_from_slice(set.runs());
        self.places.push((set.len(), self.runs.len()));
    }

    /// How many documents were kept.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many shingles a kept document has.
    pub(super) fn size(&self, place: u32) -> usize {
        self.places[place as usize].0
    }

    /// The numbers of its shingles.
    pub(super) fn runs(&self, place: u32) -> &[(u32, u32)] {
        let place = place as usize;
        let start = if place == 0 { 0 } else { self.places[place - 1].1 };
        &self.runs[start..self.places[place].1]
    }
}
