//! Pass 3: kept records go to the output in order, removals with their evidence to `removed.parquet`, and what stands for
//! what to `clusters.parquet`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use thresher_core::{Observer, Outcome, RemovalReason};

use super::Run;
use super::sign::{Corpus, UnitPlace};
use super::verify::changed;
use crate::clusters::ClustersWriter;
use crate::error::Result;
use crate::input::{Scratch, Written};
use crate::record::{BadRecord, Record, Visitor};
use crate::removed::{Kept, Removal, RemovedWriter};
use crate::runs::output::{DataFiles, RunOutput};
use crate::runs::pipeline::{Order, Pass, for_each_unit};
use crate::writers::Means;

/// The ids of the documents that evidence names.
pub(crate) type Ids = HashMap<u32, String>;

/// Of each kept document that others duplicate, how many documents its cluster has, itself included.
pub(crate) type Sizes = HashMap<u32, u64>;

/// Counts the documents of each cluster.
pub(crate) fn sizes(outcome: &Outcome) -> Sizes {
    let mut sizes = Sizes::new();
    for evidence in outcome.evidence.iter().flatten() {
        *sizes.entry(evidence.duplicate_of).or_insert(1) += 1;
    }
    sizes
}

/// Writes everything; gives the finished data files and evidence.
pub(crate) fn write(
    run: &Run<'_>,
    corpus: &Corpus,
    outcome: &Outcome,
    ids: &Ids,
    sizes: &Sizes,
    to: &RunOutput,
) -> Result<(Vec<Written>, Vec<Written>)> {
    run.plan.check_unchanged()?;
    let first_units = run.first_units(corpus);
    let sources = &run.plan.sources;
    let means = Means::new(&run.crew);
    let mut outputs =
        DataFiles::new(sources.len(), to.is_single(), |input| to.create_like(&sources[input], &means));
    run.begin(3);
    for_each_unit(
        run.pass(),
        Scratch::default,
        |scratch, input, unit| {
            let place = run.place(corpus, &first_units, input, unit.index)?;
            let keep = place.mask(|doc| outcome.evidence[doc as usize].is_none());
            let rows = keep.iter().filter(|&&keep| keep).count() as u64;
            let piece = sources[input].input().copy(unit, &keep, scratch)?;
            let docs = place.first_doc as usize..(place.first_doc + place.num_docs()) as usize;
            let bytes = corpus.record_bytes[docs].iter().map(|&bytes| u64::from(bytes)).sum();
            run.progress.advance(u64::from(place.num_docs()), bytes);
            Ok((piece, rows))
        },
        |input, (piece, rows)| outputs.write(input, piece, rows),
    )?;
    let finished = outputs.finish()?;
    run.plan.check_unchanged()?;
    let evidence = match (to.removed_path(), to.clusters_path()) {
        (Some(removed), Some(clusters)) => {
            let tables = (RemovedWriter::create(&removed)?, ClustersWriter::create(&clusters)?);
            write_evidence(run, corpus, outcome, ids, sizes, tables)?
        }
        _ => Vec::new(),
    };
    Ok((finished, evidence))
}

/// The ids of removed documents and of those that they duplicate, where the inputs have an id field.
pub(crate) fn read_ids(run: &Run<'_>, corpus: &Corpus, outcome: &Outcome) -> Result<Ids> {
    if run.checked.fields.id.is_none() || outcome.evidence.iter().all(Option::is_none) {
        return Ok(HashMap::new());
    }
    let mut asked = vec![false; outcome.evidence.len()];
    for (doc, evidence) in outcome.evidence.iter().enumerate() {
        if let Some(evidence) = evidence {
            asked[doc] = true;
            asked[evidence.duplicate_of as usize] = true;
        }
    }
    let ids = Mutex::new(HashMap::new());
    let first_units = run.first_units(corpus);
    for_each_unit(
        Pass { order: Order::Free, ..run.pass() },
        Scratch::default,
        |scratch, input, unit| {
            let place = run.place(corpus, &first_units, input, unit.index)?;
            let wanted = place.mask(|doc| asked[doc as usize]);
            if wanted.contains(&true) {
                let mut visitor = IdVisitor { run, place, ids: Vec::new() };
                run.plan.sources[input].input().read(
                    &unit,
                    &run.checked.fields,
                    Some(&wanted),
                    scratch,
                    &mut visitor,
                )?;
                ids.lock().unwrap_or_else(PoisonError::into_inner).extend(visitor.ids);
            }
            Ok(())
        },
        |_, ()| Ok(()),
    )?;
    Ok(ids.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct IdVisitor<'a> {
    run: &'a Run<'a>,
    place: &'a UnitPlace,
    ids: Vec<(u32, String)>,
}

impl Visitor for IdVisitor<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if let Some(id) = record.id {
            self.ids.push((self.place.doc_at(record.slot), id.to_string()));
        }
        Ok(())
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Err(changed(self.run, self.place))
    }
}

/// The name of a document: its id, the name of its row, or `source:row`.
pub(crate) fn name_of(run: &Run<'_>, corpus: &Corpus, ids: &Ids, doc: u32) -> String {
    if let Some(id) = ids.get(&doc) {
        return id.clone();
    }
    let unit = unit_of(corpus, doc);
    run.plan.sources[unit.input].name_row(unit.row_of(doc))
}

/// The unit that a document lies in.
fn unit_of(corpus: &Corpus, doc: u32) -> &UnitPlace {
    &corpus.units[corpus.units.partition_point(|unit| unit.first_doc + unit.num_docs() <= doc)]
}

/// One row for each removed document, and one for each document of a cluster, in input order.
fn write_evidence(
    run: &Run<'_>,
    corpus: &Corpus,
    outcome: &Outcome,
    ids: &Ids,
    sizes: &Sizes,
    (mut removed, mut clusters): (RemovedWriter, ClustersWriter),
) -> Result<Vec<Written>> {
    // Names of documents that are duplicated more than once are asked for in bursts.
    let mut last: Option<(u32, String)> = None;
    for unit in &corpus.units {
        run.progress.check()?;
        let source = &run.plan.sources[unit.input];
        for (row, doc) in unit.docs() {
            let evidence = outcome.evidence[doc as usize].as_ref();
            let kept_doc = evidence.map_or(doc, |evidence| evidence.duplicate_of);
            let Some(&size) = sizes.get(&kept_doc) else { continue };
            let id = ids.get(&doc).cloned().unwrap_or_else(|| source.name_row(row));
            let Some(evidence) = evidence else {
                clusters.add(&id, &id, size)?;
                continue;
            };
            let kept = match &last {
                Some((kept, name)) if *kept == kept_doc => name,
                _ => &last.insert((kept_doc, name_of(run, corpus, ids, kept_doc))).1,
            };
            clusters.add(&id, kept, size)?;
            let place = unit_of(corpus, kept_doc);
            removed.add(Removal {
                id: &id,
                source: source.input().name(),
                row,
                step: "dedup",
                reason: match evidence.reason {
                    RemovalReason::Exact => "exact",
                    RemovalReason::Near => "near",
                },
                duplicate_of: Some(Kept {
                    id: kept,
                    source: run.plan.sources[place.input].input().name(),
                    row: place.row_of(kept_doc),
                }),
                similarity: Some(evidence.similarity_f32()),
                detail: None,
            })?;
        }
    }
    Ok(vec![removed.finish()?, clusters.finish()?])
}
