//! Memory, temporary disk and time of a run over a corpus of which a sample was looked at.
//!
//! Temporary disk is counted as the run writes it: what it leaves of each document stands in `dedup/records.rs`. Memory is shared out
//! by `runs/memory.rs`, and a share that is not used up is not taken; what a thing in it takes was fitted to the peaks of runs over
//! windows of 1 to 16 GB, revisions and look-alikes, with and without a bound. Time is work on one thread by the threads: of reading,
//! signing, cutting and comparing as the sample took it here, of the rest by constants, which are of the same runs on two cores of
//! an AMD EPYC with AVX-512. Files that the memory of the machine has no room for are read from disk in each pass.

use thresher_core::{DedupConfig, Keep, Screen};

use super::mates::Mates;
use super::sample::Sample;
use crate::machine::machine;
use crate::runs::dedup::DedupRun;
use crate::runs::memory::Memory;

/// Bytes of the task files for each document: hash with its number, size, check.
const DOCUMENT_BYTES: f64 = 28.0;
/// For each band of a signed document, and for a signed document besides.
const BAND_BYTES: f64 = 8.0;
const SIGNED_BYTES: f64 = 4.0;
/// The length of a text, and where an id or a rank ends.
const LENGTH_BYTES: f64 = 4.0;
const END_BYTES: f64 = 8.0;
/// An id or a rank itself, as most are.
const FIELD_BYTES: f64 = 12.0;
/// Bytes of a shingle in the spool.
const SHINGLE_BYTES: f64 = 8.0;

/// Bytes of memory of the program; of that and of what the allocator holds back behind the first passes.
const BASE: f64 = 24e6;
const BASE_OF_WRITE: f64 = 100e6;
/// For each thread while keys are grouped.
const GROUPING: f64 = 17e6;
/// The task under way, and the file that is made of one.
const TASKS: f64 = 48e6;
/// For a document: bits, turns, places of sets.
const OF_DOCUMENT: f64 = 12.0;
/// For a distinct text while signing.
const OF_TEXT: f64 = 48.0;
/// For an edge while it is found, and later on, with the room that its sorter takes.
const FOUND_EDGE: f64 = 25.0;
const OF_EDGE: f64 = 37.0;
/// As much of the share of edges is taken when they are on disk.
const EDGES_ON_DISK: f64 = 1.5;
/// For a kept member of a large bucket, and for a batch if all are.
const OF_CROWD: f64 = 400.0;
const OF_CROWDED_BATCH: f64 = 160e6;
/// Units wait for their turn up to this share of the input, and up to their share of memory; what is kept of them when writing, to this
/// share of that.
const WAITING: f64 = 0.45;
const WAITING_TO_WRITE: f64 = 0.8;

/// Seconds to sort and group one key of a band; and for a pair that is found in it.
const KEY_SECONDS: f64 = 50e-9;
const FOUND_SECONDS: f64 = 170e-9;
/// To read a text again and cut it, by what cutting alone takes.
const READING: f64 = 1.2;
/// To compare a pair, by what comparing its sets takes: of many the sizes alone say that they are not similar enough.
const COMPARING: f64 = 0.7;
/// To look up a shingle in a crowd.
const CROWD_SECONDS: f64 = 60e-9;
/// To write a byte: of the spool, of kept records; and to put down evidence of a removal.
const SPOOL_SECONDS: f64 = 1e-9;
const WRITE_SECONDS: f64 = 1.9e-9;
const REMOVAL_SECONDS: f64 = 1.6e-6;
/// To move a byte that memory has no room for.
const DISK_SECONDS: f64 = 0.9e-9;

/// The whole that the run goes over.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) documents: u64,
    pub(super) on_disk: u64,
    pub(super) decoded: u64,
    pub(super) text: u64,
}

/// What is known.
pub(super) struct Costs<'a> {
    pub(super) run: &'a DedupRun,
    pub(super) search: &'a DedupConfig,
    pub(super) memory: Memory,
    pub(super) whole: Whole,
    pub(super) sample: &'a Sample,
    pub(super) mates: &'a Mates,
}

impl Costs<'_> {
    /// Bytes of temporary files.
    pub(super) fn disk(&self) -> u64 {
        (self.tasks() + self.spooled()) as u64
    }

    /// The peak of memory over the steps.
    pub(super) fn memory(&self) -> u64 {
        let peaks =
            [self.memory_of_sign(), self.memory_of_group(), self.memory_of_verify(), self.memory_of_write()];
        (peaks.into_iter().fold(0.0, f64::max) as u64).min(self.run.options.memory())
    }

    /// Seconds of each step, in order.
    pub(super) fn steps(&self) -> Vec<(&'static str, f64)> {
        let (mates, decoded) = (self.mates, self.whole.decoded as f64);
        let threads = self.run.options.threads() as f64;
        let sign = decoded * self.sample.sign_seconds();
        let keys = self.documents(self.signed()) * self.search.banding.bands() as f64;
        let edges = self.edges();
        let group = keys * KEY_SECONDS + edges * mates.times * FOUND_SECONDS;
        let again = self.whole.text as f64 * mates.candidates * mates.cut_seconds * READING;
        let crowd = self.documents(mates.crowded) * mates.shingles * CROWD_SECONDS;
        let verify = again + crowd + edges * mates.pair_seconds * COMPARING + self.spool().0 * SPOOL_SECONDS;
        let write = decoded * self.kept() * WRITE_SECONDS;
        let evidence = self.documents(1.0 - self.kept()) * REMOVAL_SECONDS;
        let read = self.beyond_memory(self.whole.on_disk as f64) * DISK_SECONDS;
        let temporary = self.beyond_memory(self.tasks() + self.spooled()) * DISK_SECONDS;
        let written = self.beyond_memory(self.whole.on_disk as f64 * self.kept()) * DISK_SECONDS;
        vec![
            ("sign", sign / threads + read),
            ("group", group / threads),
            ("verify", verify / threads + if again > 0.0 { read } else { 0.0 } + temporary),
            ("write", write / threads + evidence + read + written),
        ]
    }

    fn documents(&self, share: f64) -> f64 {
        self.whole.documents as f64 * share
    }

    /// Share of the documents that stay.
    fn kept(&self) -> f64 {
        1.0 - self.mates.exact - self.mates.near
    }

    /// Share of the documents that are signed.
    fn signed(&self) -> f64 {
        if self.search.exact_only {
            0.0
        } else if self.is_by_rank() {
            1.0
        } else {
            1.0 - self.mates.exact
        }
    }

    /// Whether any of equal texts may be the one that stays.
    fn is_by_rank(&self) -> bool {
        matches!(self.search.keep, Keep::Max | Keep::Min)
    }

    /// Bytes of a signature as the screen looks at it.
    fn packed(&self) -> f64 {
        Screen::new(self.search.threshold, self.search.num_hashes).bytes() as f64
    }

    /// Bytes of the files of all tasks.
    fn tasks(&self) -> f64 {
        let of_signed = BAND_BYTES * self.search.banding.bands() as f64 + self.packed() + SIGNED_BYTES;
        let by_length = matches!(self.search.keep, Keep::Longest | Keep::Shortest);
        let lengths = if by_length { LENGTH_BYTES } else { 0.0 };
        let fields = f64::from(u8::from(self.run.step.id.is_some()) + u8::from(self.is_by_rank()));
        self.documents(1.0) * (DOCUMENT_BYTES + lengths + fields * (END_BYTES + FIELD_BYTES))
            + self.documents(self.signed()) * of_signed
    }

    /// Bytes of shingle sets: of all that later documents are compared with, and the most that are there at once.
    fn spool(&self) -> (f64, f64) {
        // Other policies put all sets there first, and let none go.
        let of_all = (self.mates.candidates, self.mates.candidates);
        let (all, at_once) = match self.search.keep {
            Keep::First => (self.mates.asked, self.mates.asked_at_once),
            _ => of_all,
        };
        let bytes = |share| self.documents(share) * self.mates.shingles * SHINGLE_BYTES;
        (bytes(all), bytes(at_once))
    }

    /// Bytes of those that are in memory.
    fn held(&self) -> f64 {
        self.spool().1.min(self.memory.sets() as f64)
    }

    /// Bytes of those that are on disk.
    fn spooled(&self) -> f64 {
        self.spool().1 - self.held()
    }

    /// How much of so many bytes of files does not stay in the memory of the machine.
    fn beyond_memory(&self, bytes: f64) -> f64 {
        let kept = self.whole.on_disk as f64 * self.kept();
        let files = self.whole.on_disk as f64 + kept + self.tasks() + self.spooled();
        let room = machine().memory_bytes.unwrap_or(u64::MAX) as f64 - self.memory() as f64;
        if files > room { bytes } else { 0.0 }
    }

    /// Bytes of signatures in a share of the memory, if they fit there.
    fn signatures(&self, parts: u64) -> f64 {
        let bytes = self.documents(self.signed()) * self.packed();
        if bytes > self.memory.part(parts) as f64 { 0.0 } else { bytes }
    }

    /// Edges, of which members of large buckets have none among themselves.
    fn edges(&self) -> f64 {
        self.documents(self.mates.edges) * (1.0 - self.mates.crowded)
    }

    /// Bytes for edges, of which each takes `each`.
    fn memory_of_edges(&self, each: f64) -> f64 {
        (self.edges() * each).min(self.memory.part(4) as f64 * EDGES_ON_DISK)
    }

    /// Bytes of units on their way.
    fn waiting(&self) -> f64 {
        (self.whole.decoded as f64 * WAITING).min(self.memory.in_flight() as f64)
    }

    fn memory_of_sign(&self) -> f64 {
        let texts = if self.search.exact_only || self.is_by_rank() { 0.0 } else { OF_TEXT };
        let seen = (self.documents(1.0 - self.mates.exact) * texts).min(self.memory.part(3) as f64);
        BASE + TASKS.min(self.tasks()) + seen + self.documents(OF_DOCUMENT) + self.waiting() / 4.0
    }

    fn memory_of_group(&self) -> f64 {
        let threads = self.run.options.threads() as f64;
        BASE + GROUPING * threads
            + self.signatures(3)
            + self.memory_of_edges(FOUND_EDGE)
            + self.documents(OF_DOCUMENT)
    }

    fn memory_of_verify(&self) -> f64 {
        if self.mates.candidates == 0.0 {
            return 0.0;
        }
        // Edges alone need no signatures.
        let signatures = if self.mates.crowded > 0.0 { self.signatures(4) } else { 0.0 };
        let crowd = self.mates.crowded * (OF_CROWDED_BATCH + self.documents(self.kept()) * OF_CROWD);
        let sets = self.held() + signatures + crowd + self.memory_of_edges(OF_EDGE);
        BASE + self.waiting() + sets + self.documents(OF_DOCUMENT)
    }

    fn memory_of_write(&self) -> f64 {
        let base = BASE_OF_WRITE.min(BASE + self.whole.decoded as f64 * WAITING);
        base + self.waiting() * self.kept() * WAITING_TO_WRITE + self.documents(OF_DOCUMENT)
    }
}
