//! The documents of a run: their numbers over all inputs, and what pass 1 left of them on disk.
//!
//! A document's number is its place in the order of the inputs, bad records left out. Tasks hold units as they came, so a
//! *piece* of a task, the documents of consecutive units, is found by the number of its first document.

use thresher_core::Rank;

use super::ranks::read_rank;
use super::records::{Layout, RANGES, UnitEntry, units_of};
use crate::error::{Error, Result};
use crate::quarantine::{BadRecords, Quarantine};
use crate::runs::source::Source;
use crate::runs::spill::bits::Bits;
use crate::runs::spill::file::SpillFile;

/// The most documents of a run: the number behind them is needed as well.
const MOST_DOCS: u64 = u32::MAX as u64 - 1;

/// Where the records of one unit are in the whole corpus.
#[derive(Debug)]
pub(crate) struct UnitPlace {
    pub(crate) input: usize,
    /// Row of slot 0 in its file.
    pub(crate) first_row: u64,
    /// Number of its first document.
    pub(crate) first_doc: u32,
    pub(crate) num_slots: u32,
    /// Slots of bad records, and of those that an earlier step has taken out, ascending.
    pub(crate) bad_slots: Box<[u32]>,
    /// How many an earlier step has taken out.
    pub(crate) num_absent: u32,
}

impl UnitPlace {
    pub(crate) fn num_docs(&self) -> u32 {
        self.num_slots - self.bad_slots.len() as u32
    }

    /// Its records, without those that an earlier step has taken out.
    pub(crate) fn num_records(&self) -> u64 {
        u64::from(self.num_slots - self.num_absent)
    }

    /// The numbers of its documents.
    pub(crate) fn range(&self) -> std::ops::Range<u32> {
        self.first_doc..self.first_doc + self.num_docs()
    }

    /// The number of the document in a good slot.
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
        let nth = doc - self.first_doc;
        // Before the nth good slot lie all bad ones that have at most so many good ones before them.
        let (mut least, mut most) = (0, self.bad_slots.len());
        while least < most {
            let middle = least.midpoint(most);
            if self.bad_slots[middle] - middle as u32 <= nth {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        self.first_row + u64::from(nth) + least as u64
    }
}

/// Documents that are consecutive both in a task and in the corpus.
#[derive(Clone, Copy, Debug)]
struct Piece {
    first_doc: u32,
    task: u32,
    /// Number of the first document within the task.
    local: u32,
    /// Signed documents of the task before it.
    signed_before: u32,
}

/// What a task left, and where its documents are.
pub(crate) struct Task {
    pub(crate) file: SpillFile,
    /// Number within the task, and in the corpus, of the first document of each piece.
    pieces: Vec<(u32, u32)>,
}

impl Task {
    /// The number in the corpus of a document of the task.
    pub(crate) fn number(&self, local: u32) -> u32 {
        let piece = self.pieces.partition_point(|piece| piece.0 <= local).saturating_sub(1);
        let (first, number) = self.pieces[piece];
        number + (local - first)
    }
}

/// What pass 1 knows of the corpus.
pub(crate) struct Corpus {
    pub(crate) units: Vec<UnitPlace>,
    pub(crate) n_docs: u32,
    /// Documents of the references, which come first.
    pub(crate) num_references: u32,
    pub(crate) tasks: Vec<Task>,
    pub(crate) layout: Layout,
    /// The documents whose texts were signed.
    pub(crate) signed: Bits,
    /// Rank of each document, for the policies that look at them.
    pub(crate) ranks: Vec<Rank>,
    pub(crate) blank_bytes: u64,
    /// Bytes that were read.
    pub(crate) read_bytes: u64,
    /// Ascending by their first documents.
    pieces: Vec<Piece>,
    /// Where the bad records of units are that have any: unit, task and part.
    bad: Vec<(usize, usize, usize)>,
}

impl Corpus {
    /// Joins the files of all tasks.
    ///
    /// # Errors
    /// I/O failures and damaged files; `Error::Parameter` for too many documents.
    pub(crate) fn new(files: Vec<SpillFile>, layout: Layout) -> Result<Self> {
        let mut units: Vec<(u32, u32, usize, UnitEntry)> = Vec::new();
        for (task, file) in files.iter().enumerate() {
            let mut local = 0;
            for (part, unit) in units_of(file, layout)?.into_iter().enumerate() {
                let docs = unit.num_docs();
                units.push((task as u32, local, part, unit));
                local += docs;
            }
        }
        units.sort_unstable_by_key(|(.., unit)| (unit.input, unit.index));
        let all: u64 = units.iter().map(|(.., unit)| u64::from(unit.num_docs())).sum();
        if all > MOST_DOCS {
            return Err(Error::Parameter(format!(
                "a run takes up to 4,294,967,294 documents, but the inputs have `{all}`; split the inputs"
            )));
        }
        let mut corpus = Self {
            units: Vec::with_capacity(units.len()),
            n_docs: all as u32,
            num_references: 0,
            tasks: files.into_iter().map(|file| Task { file, pieces: Vec::new() }).collect(),
            layout,
            signed: Bits::default(),
            ranks: Vec::new(),
            blank_bytes: 0,
            read_bytes: 0,
            pieces: Vec::new(),
            bad: Vec::new(),
        };
        let (mut row, mut first_doc) = (0, 0);
        let mut next = None;
        for (task, local, part, unit) in units {
            if unit.index == 0 {
                row = 0;
            }
            let docs = unit.num_docs();
            if docs > 0 && next != Some((task, local)) {
                corpus.pieces.push(Piece { first_doc, task, local, signed_before: 0 });
                corpus.tasks[task as usize].pieces.push((local, first_doc));
            }
            if docs > 0 {
                next = Some((task, local + docs));
            }
            corpus.blank_bytes += unit.blank_bytes;
            corpus.read_bytes += unit.read_bytes;
            let UnitEntry { input, num_slots, bad_slots, num_absent, .. } = unit;
            if bad_slots.len() > num_absent as usize {
                corpus.bad.push((corpus.units.len(), task as usize, part));
            }
            corpus.units.push(UnitPlace {
                input,
                first_row: row,
                first_doc,
                num_slots,
                bad_slots,
                num_absent,
            });
            row += u64::from(num_slots);
            first_doc += docs;
        }
        for task in &mut corpus.tasks {
            task.pieces.sort_unstable();
        }
        corpus.mark_signed()?;
        corpus.load_ranks()?;
        Ok(corpus)
    }

    fn load_ranks(&mut self) -> Result<()> {
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for task in &self.tasks {
            task.file.read(self.layout.rank_ends(), 0..1, &mut ends)?;
            if ends.is_empty() {
                continue;
            }
            self.ranks.resize(self.n_docs as usize, Rank::Missing);
            task.file.read(self.layout.ranks(), 0..1, &mut bytes)?;
            let mut start = 0;
            for (local, &end) in (0..).zip(ends.as_chunks().0) {
                let end = u64::from_ne_bytes(end) as usize;
                self.ranks[task.number(local) as usize] = read_rank(&bytes[start..end]);
                start = end;
            }
        }
        Ok(())
    }

    /// Sets the bad records of all units aside, in order.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn set_aside(&self, sources: &[Source], quarantine: &mut Quarantine) -> Result<()> {
        let mut json = Vec::new();
        for &(unit, task, part) in &self.bad {
            self.tasks[task].file.read(self.layout.bad(), part..part + 1, &mut json)?;
            let unit = &self.units[unit];
            let name = sources[unit.input].input().name();
            quarantine.add(name, unit.first_row, &BadRecords::from_json(&json)?)?;
        }
        Ok(())
    }

    fn mark_signed(&mut self) -> Result<()> {
        let mut words = vec![0u64; (self.n_docs as usize).div_ceil(64)];
        let mut bytes = Vec::new();
        for (index, task) in self.tasks.iter().enumerate() {
            task.file.read(self.layout.signed(), 0..1, &mut bytes)?;
            let locals = numbers(&bytes);
            for &local in &locals {
                let doc = task.number(local);
                words[doc as usize / 64] |= 1 << (doc % 64);
            }
            for piece in self.pieces.iter_mut().filter(|piece| piece.task as usize == index) {
                piece.signed_before = locals.partition_point(|&local| local < piece.local) as u32;
            }
        }
        self.signed = Bits::new(words);
        Ok(())
    }

    /// Whether a document is one of the references.
    pub(crate) fn is_reference(&self, doc: u32) -> bool {
        doc < self.num_references
    }

    fn piece_of(&self, doc: u32) -> Piece {
        self.pieces[self.pieces.partition_point(|piece| piece.first_doc <= doc) - 1]
    }

    /// The unit of a document.
    pub(crate) fn unit_of(&self, doc: u32) -> &UnitPlace {
        &self.units[self.units.partition_point(|unit| unit.first_doc + unit.num_docs() <= doc)]
    }

    /// A column of 32 bits of the documents `docs`.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn column(&self, section: usize, docs: std::ops::Range<u32>) -> Result<Vec<u32>> {
        let mut column = Vec::with_capacity(docs.len());
        let mut bytes = Vec::new();
        let mut doc = docs.start;
        while doc < docs.end {
            let at = self.pieces.partition_point(|piece| piece.first_doc <= doc);
            let piece = self.pieces[at - 1];
            let end = self.pieces.get(at).map_or(docs.end, |next| next.first_doc.min(docs.end));
            let local = piece.local + (doc - piece.first_doc);
            bytes.resize(4 * (end - doc) as usize, 0);
            self.tasks[piece.task as usize].file.read_at(section, 4 * u64::from(local), &mut bytes)?;
            column.extend(numbers(&bytes));
            doc = end;
        }
        Ok(column)
    }

    /// The task of a signed document, and its place among the signed documents of that task.
    pub(crate) fn signature_of(&self, doc: u32) -> (usize, u64) {
        let piece = self.piece_of(doc);
        let since = self.signed.rank(doc) - self.signed.rank(piece.first_doc);
        (piece.task as usize, u64::from(piece.signed_before + since))
    }

    /// The packed signatures, of `size` bytes each, of the signed ones of the documents `docs`, in order.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn packed(&self, docs: std::ops::Range<u32>, size: usize, packed: &mut Vec<u8>) -> Result<()> {
        packed.clear();
        let mut doc = docs.start;
        while doc < docs.end {
            let at = self.pieces.partition_point(|piece| piece.first_doc <= doc);
            let end = self.pieces.get(at).map_or(docs.end, |next| next.first_doc.min(docs.end));
            // The rank of a document behind the last one is not known.
            let count =
                self.signed.rank(end - 1) + u32::from(self.signed.get(end - 1)) - self.signed.rank(doc);
            let (task, place) = self.signature_of(doc);
            let from = packed.len();
            packed.resize(from + count as usize * size, 0);
            let file = &self.tasks[task].file;
            file.read_at(self.layout.packed(), place * size as u64, &mut packed[from..])?;
            doc = end;
        }
        Ok(())
    }

    /// The id of a document, where the inputs have an id field and the record has one.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn id_of(&self, doc: u32) -> Result<Option<String>> {
        let piece = self.piece_of(doc);
        let file = &self.tasks[piece.task as usize].file;
        if file.len(self.layout.id_ends()) == 0 {
            return Ok(None);
        }
        let local = u64::from(piece.local + (doc - piece.first_doc));
        let mut ends = [0; 16];
        if local == 0 {
            file.read_at(self.layout.id_ends(), 0, &mut ends[8..])?;
        } else {
            file.read_at(self.layout.id_ends(), 8 * (local - 1), &mut ends)?;
        }
        let (pair, _) = ends.as_chunks::<8>();
        let [start, end] = [pair[0], pair[1]].map(u64::from_ne_bytes);
        let mut id = vec![0; (end - start) as usize];
        file.read_at(self.layout.ids(), start, &mut id)?;
        Ok(id.split_first().map(|(_, id)| String::from_utf8_lossy(id).into_owned()))
    }

    /// Bytes of the files of all tasks.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.tasks.iter().map(|task| task.file.bytes()).sum()
    }

    /// Documents per range of keys or hashes, over all tasks, of records of so many bytes.
    pub(crate) fn per_range(&self, section: usize, record: usize) -> Vec<u64> {
        let count = |range| {
            let bytes: u64 =
                self.tasks.iter().map(|task| task.file.parts_len(section, range..range + 1)).sum();
            bytes / record as u64
        };
        (0..RANGES).map(count).collect()
    }
}

/// Consecutive ranges that together have up to `most` records, or are one range.
pub(crate) fn chunks(per_range: &[u64], most: u64) -> Vec<std::ops::Range<usize>> {
    let mut chunks: Vec<std::ops::Range<usize>> = Vec::new();
    let mut records = 0;
    for (range, &more) in per_range.iter().enumerate() {
        match chunks.last_mut() {
            Some(chunk) if records + more <= most => chunk.end = range + 1,
            _ => {
                chunks.push(range..range + 1);
                records = 0;
            }
        }
        records += more;
    }
    chunks
}

/// The 32-bit numbers in `bytes`.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|&number| u32::from_ne_bytes(number)).collect()
}
