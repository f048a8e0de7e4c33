//! Pass 2: candidates are read again and decided in keep order, each against its kept neighbours.
//!
//! With `keep=first` the order of the inputs is the order of decisions, so a document is decided as it is read, and the shingle
//! sets of those that stay go to the spool, as far as later ones are compared with them. With other policies all sets go
//! there first. So no text is held, and a cluster of any size takes the memory of a batch.
//!
//! Batches are decided by the workers of the pass: the one that received the last documents asks, and who has read its unit helps.

use std::path::Path;

use thresher_core::content::TextHasher;
use thresher_core::resolve::Removal;
use thresher_core::resolve::decide::{Crowd, Decider, Turn};
use thresher_core::screen::Screen;
use thresher_core::{Evidence, Observer, RemovalReason, Shingler};

use super::Run;
use super::corpus::{Corpus, UnitPlace};
use super::links::Links;
use super::signatures::Signatures;
use super::spool::Spool;
use super::turns::{NeighbourReader, Neighbours, Turns};
use crate::error::{Error, Result};
use crate::input::Scratch;
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::pipeline::{Order, for_each_unit};
use crate::runs::spill::sort::{Row, Sorted, Sorter};

/// Documents that are decided at once.
const BATCH_DOCS: usize = 4096;
/// Their shingles.
const BATCH_SHINGLES: usize = 1 << 20;

/// What pass 2 found.
#[derive(Default)]
pub(crate) struct Decisions {
    /// Document, the kept one that it duplicates, and the bits of the similarity in 32 bits.
    pub(crate) near: Sorted<3>,
    pub(crate) counts: thresher_core::resolve::decide::Counts,
    /// Bytes of shingle sets on disk.
    pub(crate) spooled: u64,
}

/// Decides every candidate.
///
/// # Errors
/// I/O failures, inputs that changed, and the wish to stop.
pub(crate) fn decide(run: &Run<'_>, corpus: &Corpus, links: &Links) -> Result<Decisions> {
    run.begin(2);
    if links.candidates.is_empty() {
        return Ok(Decisions::default());
    }
    let turns = Turns::new(run, corpus, links)?;
    let search = &run.checked.search;
    let screen = Screen::new(search.threshold, search.num_hashes);
    // Signatures are asked for by members of large buckets alone.
    let room = if links.crowded.is_empty() { 0 } else { run.memory.part(4) };
    let (asked, last) = turns.asked(run)?;
    let mut court = Court {
        run,
        corpus,
        turns: &turns,
        neighbours: turns.neighbours(),
        signatures: Signatures::new(corpus, screen.bytes(), room)?,
        decider: Decider::new(search, turns.len() as usize),
        spool: Spool::new(&run.work, asked, last, run.memory.sets()),
        batch: Batch::default(),
        next: 0,
        near: Sorter::new(&run.work, run.memory.part(8)),
        is_read: turns.is_corpus_order(),
    };
    if turns.is_corpus_order() {
        read(run, corpus, links, Order::Inputs, |docs| court.take(docs))?;
    } else {
        let mut turn_of = vec![0; turns.len() as usize];
        for turn in 0..turns.len() {
            turn_of[links.candidates.rank(turns.doc(turn)) as usize] = turn;
        }
        read(run, corpus, links, Order::Free, |docs| {
            docs.iter().try_for_each(|(doc, shingles)| {
                court.spool.push(turn_of[links.candidates.rank(doc) as usize], shingles, 0)
            })
        })?;
        drop(turn_of);
        court.spool.flush()?;
        let (mut buffer, mut docs) = (Vec::new(), ReadDocs::default());
        for turn in 0..turns.len() {
            docs.push(turns.doc(turn), court.spool.read(turn, &mut buffer)?);
            if docs.shingles.len() >= BATCH_SHINGLES || turn + 1 == turns.len() {
                court.take(std::mem::take(&mut docs))?;
            }
        }
    }
    court.close()
}

/// Documents with their distinct shingles, one document's behind the other's.
#[derive(Default)]
struct ReadDocs {
    docs: Vec<u32>,
    ends: Vec<usize>,
    shingles: Vec<u64>,
}

impl ReadDocs {
    fn iter(&self) -> impl Iterator<Item = (u32, &[u64])> {
        (0..).zip(&self.docs).map(|(at, &doc)| (doc, part(&self.shingles, &self.ends, at)))
    }

    fn push(&mut self, doc: u32, shingles: &[u64]) {
        self.docs.push(doc);
        self.shingles.extend_from_slice(shingles);
        self.ends.push(self.shingles.len());
    }
}

struct DocVisitor<'a> {
    run: &'a Run<'a>,
    place: &'a UnitPlace,
    /// The ends of the hashes of all documents of the unit.
    checks: &'a [u32],
    hasher: &'a TextHasher,
    shingler: &'a mut Shingler,
    docs: ReadDocs,
    bytes: u64,
}

impl Visitor for DocVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let doc = self.place.doc_at(record.slot);
        let check = self.hasher.hash(record.text.as_bytes()) as u32;
        if check != self.checks[(doc - self.place.first_doc) as usize] {
            return Err(changed(self.run, self.place));
        }
        self.shingler.distinct_into(record.text, &mut self.docs.shingles);
        self.docs.docs.push(doc);
        self.docs.ends.push(self.docs.shingles.len());
        self.bytes += record.bytes;
        Ok(())
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Err(changed(self.run, self.place))
    }
}

/// The error for an input that is no longer what pass 1 read.
pub(crate) fn changed(run: &Run<'_>, place: &UnitPlace) -> Error {
    let path: &Path = run.plan.sources[place.input].input().path();
    Error::data(path, "the file changed while it was read; run again on files at rest")
}

/// Reads the candidates.
fn read(
    run: &Run<'_>,
    corpus: &Corpus,
    links: &Links,
    order: Order,
    mut take: impl FnMut(ReadDocs) -> Result<()> + Send,
) -> Result<()> {
    let first_units = run.first_units(corpus);
    let hasher = TextHasher::new(&run.secret);
    let fields = run.text_only();
    let search = &run.checked.search;
    let mut docs_read = 0;
    for_each_unit(
        run.pass(order),
        || (Shingler::with_keys(search.shingles, run.secret.keys()), 0, Scratch::default()),
        |(shingler, most, scratch), input, unit| {
            let place = run.place(corpus, &first_units, input, unit.index)?;
            let wanted = place.mask(|doc| links.candidates.get(doc));
            if !wanted.contains(&true) {
                return Ok(ReadDocs::default());
            }
            let checks = corpus.column(corpus.layout.checks(), place.range())?;
            let mut visitor = DocVisitor {
                run,
                place,
                checks: &checks,
                hasher: &hasher,
                shingler,
                docs: ReadDocs { shingles: Vec::with_capacity(*most), ..ReadDocs::default() },
                bytes: 0,
            };
            run.plan.sources[input].input().read(&unit, &fields, Some(&wanted), scratch, &mut visitor)?;
            run.progress.advance(visitor.docs.docs.len() as u64, visitor.bytes);
            // The next unit may have as many, and a vector that grows is copied.
            *most = visitor.docs.shingles.len().max(*most).min(BATCH_SHINGLES);
            Ok(visitor.docs)
        },
        |_, docs| {
            docs_read += docs.docs.len();
            take(docs)
        },
    )?;
    if docs_read != links.candidates.len() as usize {
        return Err(Error::Parameter(
            "an input changed while it was read; run again on files at rest".into(),
        ));
    }
    Ok(())
}

/// Takes candidates in the order of their turns and decides them, a batch at a time.
struct Court<'a> {
    run: &'a Run<'a>,
    corpus: &'a Corpus,
    turns: &'a Turns<'a>,
    neighbours: NeighbourReader<'a>,
    signatures: Signatures<'a>,
    decider: Decider,
    spool: Spool,
    batch: Batch,
    /// The turn of the next document.
    next: u32,
    near: Sorter<3>,
    /// Sets come from the inputs, and those of kept documents go to the spool.
    is_read: bool,
}

/// Documents to be decided at once, in the order of their turns.
#[derive(Default)]
struct Batch {
    docs: Vec<ReadDocs>,
    turns: Vec<u32>,
    num_shingles: usize,
    num_references: usize,
    earlier: Vec<u32>,
    earlier_ends: Vec<usize>,
    buckets: Vec<u32>,
    bucket_ends: Vec<usize>,
    packed: Vec<u8>,
    packed_ends: Vec<usize>,
    clusters: Vec<Option<u32>>,
}

impl Batch {
    fn turns(&self) -> Vec<Turn<'_>> {
        let sets = self.docs.iter().flat_map(|docs| docs.iter().map(|(_, shingles)| shingles));
        let turn = |(at, shingles)| {
            let buckets = part(&self.buckets, &self.bucket_ends, at);
            let packed = part(&self.packed, &self.packed_ends, at);
            Turn {
                doc: self.turns[at],
                shingles,
                earlier: part(&self.earlier, &self.earlier_ends, at),
                crowd: self.clusters[at].map(|cluster| Crowd { cluster, buckets, packed }),
            }
        };
        (0..).zip(sets).map(turn).collect()
    }
}

/// The `at`-th part of `all`, by where parts end.
fn part<'a, T>(all: &'a [T], ends: &[usize], at: usize) -> &'a [T] {
    let start = if at == 0 { 0 } else { ends[at - 1] };
    &all[start..ends[at]]
}

fn evidence(removal: &Removal) -> Evidence {
    let Removal { duplicate_of, similarity, .. } = *removal;
    Evidence { duplicate_of, similarity, reason: RemovalReason::Near }
}

impl Court<'_> {
    /// Takes the documents whose turns come next.
    fn take(&mut self, docs: ReadDocs) -> Result<()> {
        let batch = &mut self.batch;
        let mut neighbours = Neighbours::default();
        for &doc in &docs.docs {
            let turn = self.next;
            self.next += 1;
            debug_assert_eq!(doc, self.turns.doc(turn));
            batch.num_references += usize::from(self.corpus.is_reference(doc));
            self.neighbours.of(turn, &mut neighbours)?;
            batch.turns.push(turn);
            batch.earlier.append(&mut neighbours.earlier);
            batch.earlier_ends.push(batch.earlier.len());
            batch.buckets.append(&mut neighbours.buckets);
            batch.bucket_ends.push(batch.buckets.len());
            let cluster = self.turns.cluster(doc);
            if cluster.is_some() {
                self.signatures.append(doc, &mut batch.packed)?;
            }
            batch.packed_ends.push(batch.packed.len());
            batch.clusters.push(cluster);
        }
        batch.num_shingles += docs.shingles.len();
        batch.docs.push(docs);
        let is_full = batch.turns.len() >= BATCH_DOCS || batch.num_shingles >= BATCH_SHINGLES;
        if is_full { self.decide() } else { Ok(()) }
    }

    /// Decides the batch.
    fn decide(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let Self { decider, spool, run, .. } = self;
        let turns = batch.turns();
        // References have the first turns of all, and others are compared with them.
        let (references, others) = turns.split_at(batch.num_references);
        decider.stand(references)?;
        let now = self.next.saturating_sub(1);
        if self.is_read {
            references.iter().try_for_each(|turn| spool.push(turn.doc, turn.shingles, 0))?;
        }
        spool.flush()?;
        let decisions = decider.decide(others, &*spool, &*run.crew, run.progress);
        let decisions = decisions.map_err(|error| spool.cause(error))?;
        let mut near: Vec<Row<3>> = Vec::new();
        for (turn, decision) in others.iter().zip(decisions) {
            match decision {
                Some(removal) => near.push([
                    self.turns.doc(turn.doc),
                    self.turns.doc(removal.duplicate_of),
                    evidence(&removal).similarity_f32().to_bits(),
                ]),
                None if self.is_read => spool.push(turn.doc, turn.shingles, now)?,
                None => {}
            }
        }
        if self.is_read {
            batch.earlier.iter().for_each(|&earlier| spool.let_go(earlier, now));
        }
        self.near.extend(&near)
    }

    fn close(mut self) -> Result<Decisions> {
        self.decide()?;
        Ok(Decisions {
            near: self.near.finish()?,
            counts: self.decider.counts(),
            spooled: self.spool.bytes(),
        })
    }
}
