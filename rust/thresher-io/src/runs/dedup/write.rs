//! Pass 3: kept records go to the output in order.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use thresher_core::{Observer, RemovalReason};

use super::Run;
use super::corpus::{Corpus, UnitPlace};
use super::fates::Fates;
use crate::error::Result;
use crate::exhibits::{SampleVisitor, Samples};
use crate::input::{Position, Scratch, Written};
use crate::runs::books::Count;
use crate::runs::output::{DataFiles, RunOutput};
use crate::runs::pipeline::{Order, Pass, for_each_unit};
use crate::writers::Means;

/// Where the documents of the inputs went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) kept: Count,
    pub(crate) exact: Count,
    pub(crate) near: Count,
    /// Documents that were references, and so are in no output.
    pub(crate) references: Count,
}

impl Tallies {
    /// The removed ones, by reason.
    pub(crate) fn removed(&self) -> BTreeMap<&'static str, Count> {
        [("exact", self.exact), ("near", self.near)].into()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in [
            (&mut self.kept, other.kept),
            (&mut self.exact, other.exact),
            (&mut self.near, other.near),
            (&mut self.references, other.references),
        ] {
            count.add(more.docs, more.bytes);
        }
    }
}

/// Writes everything that stays, and takes the samples on the way; gives the finished data files, and where the documents went.
///
/// # Errors
/// I/O failures, inputs that changed, and the wish to stop.
pub(crate) fn write(
    run: &Run<'_>,
    corpus: &Corpus,
    fates: &Fates,
    samples: &Samples,
    to: &RunOutput,
) -> Result<(Vec<Written>, Tallies)> {
    run.plan.check_unchanged()?;
    let first_units = run.first_units(corpus);
    let sources = &run.plan.sources;
    let references = run.plan.num_references;
    let means = Means { memory: run.memory.output(), ..Means::new(&run.crew) };
    let mut outputs = DataFiles::going_on(to, &sources[references..], &means, &|| run.progress.check())?;
    run.begin(3);
    let from = outputs.from();
    let tallies = Mutex::new(before(run, corpus, fates, samples, &from)?);
    for_each_unit(
        Pass { sources: &sources[references..], from: &from, ..run.pass(Order::Inputs) },
        Scratch::default,
        |scratch, input, unit| {
            let input = references + input;
            let place = run.place(corpus, &first_units, input, unit.index)?;
            let keep = place.mask(|doc| fates.is_kept(doc));
            if samples.want_any(place.range()) {
                let wanted = place.mask(|doc| samples.want(doc));
                let mut visitor = SampleVisitor { samples, doc_at: |slot| place.doc_at(slot) };
                let input = sources[input].input();
                input.read(&unit, &run.text_only(), Some(&wanted), scratch, &mut visitor)?;
            }
            let rows = keep.iter().filter(|&&keep| keep).count() as u64;
            let after = unit.after();
            let piece = sources[input].input().copy(unit, &keep, scratch)?;
            let (counts, all) = tally(corpus, fates, place)?;
            tallies.lock().unwrap_or_else(PoisonError::into_inner).merge(&counts);
            run.progress.advance(u64::from(place.num_docs()), all);
            Ok((piece, rows, after))
        },
        |input, (piece, rows, after)| outputs.write(input, piece, rows, after),
    )?;
    let finished = outputs.finish()?;
    run.plan.check_unchanged()?;
    let mut tallies = tallies.into_inner().unwrap_or_else(PoisonError::into_inner);
    for unit in corpus.units.iter().filter(|unit| unit.input < references) {
        let bytes = corpus.column(corpus.layout.bytes(), unit.range())?;
        let bytes = bytes.into_iter().map(u64::from).sum();
        tallies.references.add(u64::from(unit.num_docs()), bytes);
    }
    Ok((finished, tallies))
}

/// Where the documents of a unit went, and their bytes.
pub(super) fn tally(corpus: &Corpus, fates: &Fates, place: &UnitPlace) -> Result<(Tallies, u64)> {
    let (mut counts, mut all) = (Tallies::default(), 0);
    let sizes = corpus.column(corpus.layout.bytes(), place.range())?;
    for (doc, bytes) in place.range().zip(sizes) {
        let count = match fates.of(doc)?.map(|fate| fate.reason) {
            None => &mut counts.kept,
            Some(RemovalReason::Exact) => &mut counts.exact,
            Some(RemovalReason::Near) => &mut counts.near,
        };
        count.add(1, u64::from(bytes));
        all += u64::from(bytes);
    }
    Ok((counts, all))
}

/// Where the documents before the given places went, whose rows an earlier run has written; their samples are taken here.
fn before(
    run: &Run<'_>,
    corpus: &Corpus,
    fates: &Fates,
    samples: &Samples,
    from: &[Position],
) -> Result<Tallies> {
    let (references, first_units) = (run.plan.num_references, run.first_units(corpus));
    let mut tallies = Tallies::default();
    let mut wants_samples = false;
    for (at, unit) in corpus.units.iter().enumerate().filter(|(_, unit)| unit.input >= references) {
        if at - first_units[unit.input] < from[unit.input - references].units {
            run.progress.check()?;
            tallies.merge(&tally(corpus, fates, unit)?.0);
            wants_samples |= samples.want_any(unit.range());
        }
    }
    if wants_samples {
        for_each_unit(
            run.pass(Order::Free),
            Scratch::default,
            |scratch, input, unit| {
                let place = run.place(corpus, &first_units, input, unit.index)?;
                if input < references
                    || unit.index >= from[input - references].units
                    || !samples.want_any(place.range())
                {
                    return Ok(());
                }
                let wanted = place.mask(|doc| samples.want(doc));
                let mut visitor = SampleVisitor { samples, doc_at: |slot| place.doc_at(slot) };
                let input = run.plan.sources[input].input();
                input.read(&unit, &run.text_only(), Some(&wanted), scratch, &mut visitor)
            },
            |_, ()| Ok(()),
        )?;
    }
    Ok(tallies)
}
