//! Pass 1: every record is read once, hashed whole, and signed if its text was not seen before.
//!
//! What stays of a document: its 128-bit content hash, keyed by the secret of the run, its size, its rank if the policy asks for one, and,
//! for one document of each distinct text, the band keys. Which of several equal texts is signed depends on the
//! timing of the threads; their keys are the same, so nothing else does.

use std::iter::Peekable;

use thresher_core::content::TextHasher;
use thresher_core::exact::SeenTexts;
use thresher_core::hash::Keys;
use thresher_core::lsh::BandTable;
use thresher_core::{DedupConfig, Keep, Observer, Rank, Signer};

use super::Run;
use crate::error::{Error, Result};
use crate::input::Scratch;
use crate::quarantine::{BadRecords, Quarantine};
use crate::record::{BadRecord, Reason, Record, Visitor};
use crate::runs::aside::set_aside;
use crate::runs::fields::{FieldWatch, Having};
use crate::runs::pipeline::for_each_unit;

/// Where the records of one unit are in the whole corpus.
#[derive(Debug)]
pub(crate) struct UnitPlace {
    pub(crate) input: usize,
    /// Row of slot 0 in its file.
    pub(crate) first_row: u64,
    /// Ordinal of its first document.
    pub(crate) first_doc: u32,
    pub(crate) num_slots: u32,
    /// Slots of bad records, ascending.
    pub(crate) bad_slots: Box<[u32]>,
}

impl UnitPlace {
    pub(crate) fn num_docs(&self) -> u32 {
        self.num_slots - self.bad_slots.len() as u32
    }

    /// The ordinal of the document in a good slot.
    pub(crate) fn doc_at(&self, slot: u32) -> u32 {
        self.first_doc + slot - self.bad_slots.partition_point(|&bad| bad < slot) as u32
    }

    /// Which slots hold a document that `test` accepts. Slots beyond the known ones are never asked for.
    pub(crate) fn mask(&self, test: impl Fn(u32) -> bool) -> Vec<bool> {
        let mut mask = vec![false; self.num_slots as usize];
        let mut bad = self.bad_slots.iter().copied().peekable();
        let mut doc = self.first_doc;
        for slot in 0..self.num_slots {
            if bad.next_if_eq(&slot).is_none() {
                mask[slot as usize] = test(doc);
                doc += 1;
            }
        }
        mask
    }

    /// The row in its file of one of its documents.
    pub(crate) fn row_of(&self, doc: u32) -> u64 {
        let mut slot = doc - self.first_doc;
        for &bad in &self.bad_slots {
            slot += u32::from(bad <= slot);
        }
        self.first_row + u64::from(slot)
    }

    /// The rows and ordinals of its documents.
    pub(crate) fn docs(&self) -> impl Iterator<Item = (u64, u32)> {
        let mut bad = self.bad_slots.iter().copied().peekable();
        let good = (0..self.num_slots).filter(move |slot| bad.next_if_eq(slot).is_none());
        good.zip(self.first_doc..).map(|(slot, doc)| (self.first_row + u64::from(slot), doc))
    }
}

/// What pass 1 knows of the corpus.
#[derive(Debug, Default)]
pub(crate) struct Corpus {
    pub(crate) units: Vec<UnitPlace>,
    pub(crate) hashes: Vec<u128>,
    /// Bytes of each record, for the books.
    pub(crate) record_bytes: Vec<u32>,
    /// Bytes of each text, for the policies that look at them.
    pub(crate) lengths: Vec<u64>,
    /// Rank of each document, for the policies that look at them.
    pub(crate) ranks: Vec<Rank>,
    pub(crate) table: BandTable,
    pub(crate) blank_bytes: u64,
    /// Bytes that were read, counted by the units and not by their records where that is possible.
    pub(crate) read_bytes: u64,
}

/// What a worker makes of one unit.
struct SignedUnit {
    corpus: Corpus,
    num_slots: u32,
    bad_slots: Vec<u32>,
    bad: BadRecords,
    /// Records with an id, and with a rank.
    ids: u64,
    ranked: u64,
    /// Band keys of the documents that were signed, by their place in the unit.
    table: BandTable,
}

struct SignVisitor<'a> {
    search: &'a DedupConfig,
    hasher: &'a TextHasher,
    seen: &'a SeenTexts,
    signer: &'a mut Signer,
    keys: &'a mut [u64],
    unit: SignedUnit,
    /// Slots that could be read, but not copied.
    uncopyable: Peekable<std::vec::IntoIter<(u32, String)>>,
}

impl Visitor for SignVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if let Some((_, detail)) = self.uncopyable.next_if(|(slot, _)| *slot == record.slot) {
            let Record { slot, offset, text, bytes, .. } = record;
            let raw = text.as_bytes();
            return self.bad(BadRecord { slot, offset, reason: Reason::Corrupt, detail, raw, bytes });
        }
        let unit = &mut self.unit;
        let place = unit.corpus.hashes.len() as u32;
        unit.num_slots = record.slot + 1;
        unit.ids += u64::from(record.id.is_some());
        unit.ranked += u64::from(record.rank.is_some());
        let hash = self.hasher.hash(record.text.as_bytes());
        unit.corpus.hashes.push(hash);
        unit.corpus.record_bytes.push(u32::try_from(record.bytes).unwrap_or(u32::MAX));
        match self.search.keep {
            Keep::First => {}
            Keep::Longest | Keep::Shortest => unit.corpus.lengths.push(record.text.len() as u64),
            Keep::Max | Keep::Min => unit.corpus.ranks.push(record.rank.as_ref().into()),
        }
        if !self.search.exact_only
            && self.seen.insert(hash)
            && let Some(signature) = self.signer.sign(record.text)
        {
            self.search.banding.keys_into(signature, self.keys);
            unit.table.push(place, self.keys);
        }
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        let _ = self.uncopyable.next_if(|(slot, _)| *slot == bad.slot);
        let unit = &mut self.unit;
        unit.num_slots = bad.slot + 1;
        unit.bad_slots.push(bad.slot);
        unit.bad.push(bad);
        Ok(())
    }

    fn blank(&mut self, bytes: u64) {
        self.unit.corpus.blank_bytes += bytes;
    }
}

/// Reads and signs everything; bad records go to `quarantine`.
pub(crate) fn sign(run: &Run<'_>, quarantine: &mut Quarantine) -> Result<Corpus> {
    let search = &run.checked.search;
    let bands = search.banding.bands();
    let (hasher, seen) = (TextHasher::new(&run.secret), SeenTexts::with_capacity(0));
    let mut corpus = Corpus { table: BandTable::new(bands), ..Corpus::default() };
    let (mut row, mut last_input) = (0, 0);
    let mut watch = FieldWatch::new(&run.plan.sources, &run.checked.fields);
    run.begin(1);
    for_each_unit(
        run.pass(),
        || {
            (
                Signer::with_keys(search.shingles, search.num_hashes, Keys::from_seed(search.seed)),
                vec![0; bands],
                Scratch::default(),
            )
        },
        |(signer, keys, scratch), input, unit| {
            let unit_out = SignedUnit {
                corpus: Corpus::default(),
                num_slots: 0,
                bad_slots: Vec::new(),
                bad: BadRecords::default(),
                ids: 0,
                ranked: 0,
                table: BandTable::new(bands),
            };
            let extent = unit.extent();
            let reader = run.plan.sources[input].input();
            let uncopyable = if run.thorough { reader.uncopyable(&unit)? } else { Vec::new() };
            let uncopyable = uncopyable.into_iter().peekable();
            let mut visitor = SignVisitor {
                search,
                hasher: &hasher,
                seen: &seen,
                signer,
                keys,
                unit: unit_out,
                uncopyable,
            };
            reader.read(&unit, &run.checked.fields, None, scratch, &mut visitor)?;
            let mut done = visitor.unit;
            let bytes = done.corpus.record_bytes.iter().map(|&bytes| u64::from(bytes)).sum();
            done.corpus.read_bytes = extent.unwrap_or(bytes + done.bad.tally().bytes);
            run.progress.advance(done.corpus.hashes.len() as u64, bytes);
            Ok(done)
        },
        |input, mut unit| {
            if input != last_input {
                (row, last_input) = (0, input);
            }
            watch
                .see(input, Having::of(unit.corpus.hashes.len() as u64, &unit.bad, unit.ids, unit.ranked))?;
            set_aside(
                quarantine,
                run.progress,
                run.config.options.strict,
                run.plan.sources[input].input(),
                row,
                &unit.bad,
            )?;
            let first_doc = corpus.hashes.len();
            let limit = u32::MAX as usize - unit.corpus.hashes.len();
            if first_doc >= limit {
                return Err(Error::Parameter(
                    "a run takes up to 4,294,967,295 documents; split the inputs".into(),
                ));
            }
            let first_doc = first_doc as u32;
            corpus.table.append(&unit.table, first_doc);
            corpus.hashes.append(&mut unit.corpus.hashes);
            corpus.record_bytes.append(&mut unit.corpus.record_bytes);
            corpus.lengths.append(&mut unit.corpus.lengths);
            corpus.ranks.append(&mut unit.corpus.ranks);
            corpus.blank_bytes += unit.corpus.blank_bytes;
            corpus.read_bytes += unit.corpus.read_bytes;
            let num_slots = unit.num_slots;
            let bad_slots = unit.bad_slots.into_boxed_slice();
            corpus.units.push(UnitPlace { input, first_row: row, first_doc, num_slots, bad_slots });
            row += u64::from(num_slots);
            Ok(())
        },
    )?;
    watch.end()?;
    Ok(corpus)
}
