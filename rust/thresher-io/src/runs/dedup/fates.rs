//! What became of every document, put together from equal texts and decisions.

use thresher_core::RemovalReason;

use super::classes::Copies;
use super::decide::Decisions;
use crate::error::Result;
use crate::runs::spill::bits::{Bits, Marks, documents};

/// Why a document goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    /// The kept document that it duplicates.
    pub(crate) duplicate_of: u32,
    /// Their exact Jaccard similarity, rounded up to 32 bits.
    pub(crate) similarity: f32,
    pub(crate) reason: RemovalReason,
}

/// The fate of each document. Takes two bits of memory a document.
pub(crate) struct Fates {
    copies: Copies,
    decisions: Decisions,
    /// The documents with a decision against them.
    near: Bits,
}

impl Fates {
    /// Joins what both steps found among `n_docs` documents.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn new(n_docs: u32, copies: Copies, decisions: Decisions) -> Result<Self> {
        let near = Marks::new(n_docs as usize);
        decisions.near.iter().try_for_each(|row| row.map(|row| near.set(row[0])))?;
        Ok(Self { copies, decisions, near: near.finish() })
    }

    /// Whether a document stays.
    pub(crate) fn is_kept(&self, doc: u32) -> bool {
        !self.near.get(doc) && !self.copies.bits.get(doc)
    }

    /// Why it does not.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn of(&self, doc: u32) -> Result<Option<Fate>> {
        if self.copies.bits.get(doc) {
            let [_, standing] = self.copies.standing.get(u64::from(self.copies.bits.rank(doc)))?;
            // A copy of a removed text names what that one names.
            let equal = Fate { duplicate_of: standing, similarity: 1.0, reason: RemovalReason::Exact };
            return Ok(Some(self.decision(standing)?.unwrap_or(equal)));
        }
        self.decision(doc)
    }

    fn decision(&self, doc: u32) -> Result<Option<Fate>> {
        if !self.near.get(doc) {
            return Ok(None);
        }
        let [_, duplicate_of, bits] = self.decisions.near.get(u64::from(self.near.rank(doc)))?;
        Ok(Some(Fate { duplicate_of, similarity: f32::from_bits(bits), reason: RemovalReason::Near }))
    }

    /// The documents that go, ascending.
    pub(crate) fn removed(&self) -> impl Iterator<Item = u32> {
        let words = self.near.words().iter().zip(self.copies.bits.words());
        documents(words.map(|(near, copies)| near | copies))
    }

    /// The documents that go, and those of another set, ascending.
    pub(crate) fn removed_and(&self, others: &Bits) -> impl Iterator<Item = u32> {
        let words = self.near.words().iter().zip(self.copies.bits.words()).zip(others.words());
        documents(words.map(|((near, copies), others)| near | copies | others))
    }

    /// What decisions cost and left out.
    pub(crate) fn counts(&self) -> &thresher_core::resolve::decide::Counts {
        &self.decisions.counts
    }
}
