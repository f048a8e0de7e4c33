//! Pass 2: only documents that collided are read again; a cluster is resolved as soon as its last one was read.
//!
//! The texts of a cluster are held from its first document to its last, so the memory of this pass is that
//! of the clusters that are open at one time.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use thresher_core::cluster::Clusters;
use thresher_core::content::TextHasher;
use thresher_core::resolve::{Resolution, Resolver, Texts};
use thresher_core::{Observer, Precedence};

use super::Run;
use super::sign::{Corpus, UnitPlace};
use crate::error::{Error, Result};
use crate::input::Scratch;
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::pipeline::{Order, Pass, for_each_unit};

/// No cluster.
const NONE: u32 = u32::MAX;

/// The texts of the documents of one cluster that were read so far.
#[derive(Default)]
struct ReadTexts(Vec<(u32, Box<str>)>);

impl Texts for ReadTexts {
    fn text(&self, doc: u32) -> &str {
        self.0.binary_search_by_key(&doc, |text| text.0).map_or("", |place| &self.0[place].1)
    }
}

/// Clusters on their way to resolution.
struct Open<'a> {
    clusters: &'a Clusters,
    /// The cluster of each document, and where its text goes.
    cluster_of: Vec<u32>,
    texts: Vec<Mutex<ReadTexts>>,
    missing: Vec<AtomicU32>,
    resolutions: Mutex<Vec<(usize, Resolution)>>,
    precedence: Precedence<'a>,
    hasher: TextHasher,
    run: &'a Run<'a>,
}

impl<'a> Open<'a> {
    fn new(run: &'a Run<'a>, n_docs: usize, clusters: &'a Clusters, precedence: Precedence<'a>) -> Self {
        let mut cluster_of = vec![NONE; n_docs];
        let mut missing = Vec::with_capacity(clusters.len());
        for index in 0..clusters.len() {
            let docs = clusters.get(index).docs;
            for &doc in docs {
                cluster_of[doc as usize] = index as u32;
            }
            missing.push(AtomicU32::new(docs.len() as u32));
        }
        let texts = (0..clusters.len()).map(|_| Mutex::default()).collect();
        let resolutions = Mutex::default();
        let hasher = TextHasher::new(&run.secret);
        Self { clusters, cluster_of, texts, missing, resolutions, precedence, hasher, run }
    }

    /// Takes the text of a document, and resolves its cluster if it was the last one.
    fn add(&self, resolver: &mut Resolver, doc: u32, text: &str) -> Result<()> {
        let index = self.cluster_of[doc as usize] as usize;
        self.texts[index].lock().unwrap_or_else(PoisonError::into_inner).0.push((doc, text.into()));
        if self.missing[index].fetch_sub(1, Ordering::AcqRel) != 1 {
            return Ok(());
        }
        let mut texts =
            std::mem::take(&mut *self.texts[index].lock().unwrap_or_else(PoisonError::into_inner));
        texts.0.sort_unstable_by_key(|text| text.0);
        let cluster = self.clusters.get(index);
        let resolution = resolver.resolve(cluster, self.precedence, &texts, self.run.progress)?;
        self.resolutions.lock().unwrap_or_else(PoisonError::into_inner).push((index, resolution));
        Ok(())
    }
}

struct VerifyVisitor<'a> {
    open: &'a Open<'a>,
    corpus: &'a Corpus,
    place: &'a UnitPlace,
    resolver: &'a mut Resolver,
    docs: u64,
    bytes: u64,
}

impl Visitor for VerifyVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let doc = self.place.doc_at(record.slot);
        if self.open.hasher.hash(record.text.as_bytes()) != self.corpus.hashes[doc as usize] {
            return Err(changed(self.open.run, self.place));
        }
        self.open.add(self.resolver, doc, record.text)?;
        self.docs += 1;
        self.bytes += record.bytes;
        Ok(())
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Err(changed(self.open.run, self.place))
    }
}

/// The error for an input that is no longer what pass 1 read.
pub(crate) fn changed(run: &Run<'_>, place: &UnitPlace) -> Error {
    Error::data(
        run.plan.sources[place.input].input().path(),
        "the file changed while it was read; run again on files at rest",
    )
}

/// Resolves all clusters; the resolutions come in order of their smallest document.
pub(crate) fn verify(
    run: &Run<'_>,
    corpus: &Corpus,
    clusters: &Clusters,
    precedence: Precedence<'_>,
) -> Result<Vec<Resolution>> {
    run.begin(2);
    if clusters.is_empty() {
        return Ok(Vec::new());
    }
    let search = &run.checked.search;
    let open = Open::new(run, corpus.hashes.len(), clusters, precedence);
    let units_read = AtomicUsize::new(0);
    let first_unit = run.first_units(corpus);
    for_each_unit(
        Pass { order: Order::Free, ..run.pass() },
        || (Resolver::new(search, run.secret.keys()), Scratch::default()),
        |(resolver, scratch), input, unit| {
            let place = run.place(corpus, &first_unit, input, unit.index)?;
            let wanted = place.mask(|doc| open.cluster_of[doc as usize] != NONE);
            if wanted.contains(&true) {
                let mut visitor = VerifyVisitor { open: &open, corpus, place, resolver, docs: 0, bytes: 0 };
                let fields = run.text_only();
                run.plan.sources[input].input().read(&unit, &fields, Some(&wanted), scratch, &mut visitor)?;
                run.progress.advance(visitor.docs, visitor.bytes);
            }
            units_read.fetch_add(1, Ordering::Relaxed);
            Ok(())
        },
        |_, ()| Ok(()),
    )?;
    let mut resolutions = open.resolutions.into_inner().unwrap_or_else(PoisonError::into_inner);
    if units_read.into_inner() != corpus.units.len() || resolutions.len() != clusters.len() {
        return Err(Error::Parameter(
            "an input changed while it was read; run again on files at rest".into(),
        ));
    }
    resolutions.sort_unstable_by_key(|&(index, _)| index);
    Ok(resolutions.into_iter().map(|(_, resolution)| resolution).collect())
}
