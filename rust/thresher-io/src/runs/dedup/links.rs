//! Candidate pairs: documents of a bucket that pass the screen, and the buckets that are too large for pairs.
//!
//! Band by band and range by range, records of all tasks are grouped by key, so no more of them are in memory than a chunk on
//! each thread. A bucket of up to [`LARGE`] documents gives the pairs that pass the screen; a larger one is noted with
//! its members. Copies of another text take no part: the document that stands for them does.

use thresher_core::cluster::UnionFind;
use thresher_core::lsh::{LARGE, edges, group};
use thresher_core::parallel::map;
use thresher_core::screen::Screen;

use super::Run;
use super::corpus::{Corpus, chunks};
use super::pairs::{FEW, Pairs};
use super::signatures::Signatures;
use crate::error::Result;
use crate::runs::spill::bits::{Bits, Marks};
use crate::runs::spill::sort::{Row, SharedSorter, Sorted, Sorter};

/// Bytes of a record in its file.
const RECORD: usize = 8;
/// Bytes that a record of a chunk takes while it is grouped.
const WORKING_BYTES: u64 = 64;
/// Records of a chunk at most: so all threads have work, and a wish to stop is heard soon.
const MOST_RECORDS: u64 = 1 << 18;
/// Pairs that a thread collects before it hands them on.
pub(super) const HANDED_ON: usize = 1 << 15;
/// Buckets whose signatures are asked for before they are looked at.
const AHEAD: usize = 8;
/// Spreads keys over all bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Who may be a duplicate of whom.
#[derive(Default)]
pub(crate) struct Links {
    /// Pairs that passed the screen, the later document first.
    pub(crate) edges: Sorted<2>,
    /// Members of large buckets: the document, and the number of the bucket.
    pub(crate) large: Sorted<2>,
    /// Documents that are in either.
    pub(crate) candidates: Bits,
    /// The members of large buckets, and the cluster of each.
    pub(crate) crowded: Bits,
    pub(crate) clusters: Vec<u32>,
}

/// What all threads add to.
struct Found<'a> {
    edges: SharedSorter<2>,
    /// Band, first document, document.
    large: SharedSorter<3>,
    candidates: Marks,
    crowded: Marks,
    signatures: Signatures<'a>,
    /// Those of small buckets, when signatures are on disk.
    pairs: Option<Pairs>,
    screen: Screen,
}

/// Finds the links between the documents that are no copies.
///
/// # Errors
/// I/O failures, and the wish to stop.
pub(crate) fn find(run: &Run<'_>, corpus: &Corpus, copies: &Bits) -> Result<Links> {
    let search = &run.checked.search;
    if search.exact_only || corpus.signed.is_empty() {
        return Ok(Links::default());
    }
    let screen = Screen::new(search.threshold, search.num_hashes);
    let n_docs = corpus.n_docs as usize;
    let room = run.memory.part(3);
    let signatures = Signatures::new(corpus, screen.bytes(), room)?;
    let pairs = matches!(signatures, Signatures::Files { .. })
        .then(|| Pairs::new(run, corpus, screen.bytes(), room, run.memory.part(4)));
    let found = Found {
        edges: SharedSorter::new(&run.work, run.memory.part(4), corpus.n_docs),
        large: SharedSorter::new(&run.work, run.memory.part(12), corpus.layout.bands as u32),
        candidates: Marks::new(n_docs),
        crowded: Marks::new(n_docs),
        signatures,
        pairs,
        screen,
    };
    let share = run.memory.part(4 * run.crew.threads() as u64);
    let work: Vec<(usize, std::ops::Range<usize>)> = (0..corpus.layout.bands)
        .flat_map(|band| {
            let chunks = chunks(&corpus.per_range(band, RECORD), (share / WORKING_BYTES).min(MOST_RECORDS));
            chunks.into_iter().map(move |chunk| (band, chunk))
        })
        .collect();
    let find = |at: usize| {
        run.progress.check()?;
        let (band, chunk) = work[at].clone();
        let (keys, docs) = load(corpus, copies, band, chunk)?;
        found.take(run, corpus, band as u32, &keys, &docs)
    };
    map(&*run.crew, work.len(), 1, find).into_iter().collect::<Result<()>>()?;
    found.finish(run, corpus)
}

/// The records of a range of keys of a band, without copies.
fn load(
    corpus: &Corpus,
    copies: &Bits,
    band: usize,
    chunk: std::ops::Range<usize>,
) -> Result<(Vec<u64>, Vec<u32>)> {
    let (mut keys, mut docs, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for task in &corpus.tasks {
        task.file.read(band, chunk.clone(), &mut bytes)?;
        let mut rest = bytes.as_slice();
        for range in chunk.clone() {
            let (part, behind) = rest.split_at(task.file.parts_len(band, range..range + 1) as usize);
            rest = behind;
            for record in part.as_chunks::<RECORD>().0 {
                let record = u64::from_ne_bytes(*record);
                let doc = task.number(record as u32);
                if !copies.get(doc) {
                    let key = (record >> 32 | (range as u64) << 32).wrapping_mul(SPREAD);
                    keys.push(key ^ key >> 32);
                    docs.push(doc);
                }
            }
        }
    }
    Ok((keys, docs))
}

impl Found<'_> {
    fn take(&self, run: &Run<'_>, corpus: &Corpus, band: u32, keys: &[u64], docs: &[u32]) -> Result<()> {
        let (mut pairs, mut later, mut packed): (Vec<Row<2>>, Vec<Row<2>>, Vec<u8>) = Default::default();
        let mut members: Vec<Row<3>> = Vec::new();
        let buckets = group(keys, docs);
        let mut ahead = buckets.iter().skip(AHEAD);
        for bucket in buckets.iter() {
            for &doc in ahead.next().filter(|later| later.len() <= LARGE).into_iter().flatten() {
                self.signatures.prefetch(doc);
            }
            if bucket.len() > LARGE {
                for &doc in bucket {
                    self.candidates.set(doc);
                    self.crowded.set(doc);
                    members.push([band, bucket[0], doc]);
                }
                self.large.extend(&mut members)?;
                members.clear();
                continue;
            }
            if let Some(all) = &self.pairs
                && bucket.len() <= FEW
            {
                for (at, &a) in bucket.iter().enumerate() {
                    let others = bucket[at + 1..].iter().map(|&b| [a.max(b), a.min(b)]);
                    later.extend(others.filter(|&[b, _]| !corpus.is_reference(b)));
                }
                if later.len() >= HANDED_ON {
                    all.extend(&mut later)?;
                    run.progress.check()?;
                }
                continue;
            }
            packed.clear();
            bucket.iter().try_for_each(|&doc| self.signatures.append(doc, &mut packed))?;
            edges(bucket, &packed, self.screen, &mut |a, b| {
                // References are not compared with each other.
                if !corpus.is_reference(b) {
                    pairs.push([b, a]);
                }
            });
            if pairs.len() >= HANDED_ON {
                self.hand_on(&mut pairs)?;
                run.progress.check()?;
            }
        }
        if let Some(all) = &self.pairs {
            all.extend(&mut later)?;
        }
        self.hand_on(&mut pairs)
    }

    fn hand_on(&self, pairs: &mut Vec<Row<2>>) -> Result<()> {
        for &[a, b] in &*pairs {
            self.candidates.set(a);
            self.candidates.set(b);
        }
        self.edges.extend(pairs)?;
        pairs.clear();
        Ok(())
    }

    fn finish(mut self, run: &Run<'_>, corpus: &Corpus) -> Result<Links> {
        if let Some(pairs) = self.pairs.take() {
            pairs.screen(run, corpus, self.screen, &|passed| self.hand_on(passed))?;
        }
        let n_docs = corpus.n_docs as usize;
        let edges = self.edges.finish(&run.crew, run.progress)?;
        let members = self.large.finish(&run.crew, run.progress)?;
        let (mut large, mut last, mut bucket) = (Sorter::new(&run.work, run.memory.part(6)), None, 0);
        let crowded = self.crowded.finish();
        let mut clusters = Vec::new();
        if !members.is_empty() {
            let mut sets = UnionFind::new(n_docs);
            for (turn, pair) in edges.iter().enumerate() {
                ask(run, turn)?;
                let [a, b] = pair?;
                sets.union(a, b);
            }
            for (turn, member) in members.iter().enumerate() {
                ask(run, turn)?;
                let [band, first, doc] = member?;
                bucket += u32::from(last.is_some_and(|last| last != (band, first)));
                last = Some((band, first));
                large.extend(&[[doc, bucket]])?;
                sets.union(first, doc);
            }
            clusters = crowded.iter().map(|doc| sets.root(doc)).collect();
        }
        let candidates = self.candidates.finish();
        Ok(Links { edges, large: large.finish()?, candidates, crowded, clusters })
    }
}

/// Asks for a wish to stop from time to time, in a loop over many records.
pub(super) fn ask(run: &Run<'_>, turn: usize) -> Result<()> {
    if turn.is_multiple_of(HANDED_ON) { run.progress.check() } else { Ok(()) }
}
