//! From a ledger to evidence and books: what each step removed and set aside, in the order of the inputs, and what it reports.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::{Array, Float64Array};
use serde_json::Value as Json;

use super::Found;
use super::fused::Fused;
use super::signals::Kept;
use crate::error::Result;
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::quarantine::{BadRecords, Quarantine, QuarantineReport};
use crate::removed::{Removal, RemovedWriter};
use crate::runs::aside::check_bulk;
use crate::runs::books::{Accounting, Count, by_name};
use crate::runs::ledger::{Ledger, UnitBooks};
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::signals::SignalsWriter;

/// The reason in the books of rows of which a reshape made no row.
const EMPTY: &str = "no_row_made";

/// Where the evidence of a step goes.
pub(crate) struct Place<'p> {
    /// `removed.parquet`; nowhere if there is none.
    pub(crate) removed: Option<&'p Path>,
    /// The table of its signals; nowhere if there is none.
    pub(crate) signals: Option<&'p Path>,
    pub(crate) quarantine: Quarantine,
}

/// What is known of a step at its end.
pub(crate) struct StepDone {
    pub(crate) accounting: Accounting,
    pub(crate) quarantine: QuarantineReport,
    pub(crate) exhibits: Exhibits,
    /// What it reports by itself.
    pub(crate) summary: Json,
    pub(crate) evidence: Vec<Written>,
}

/// The steps of a ledger.
pub(crate) trait Steps {
    /// Their names in the evidence.
    fn names(&self) -> Vec<&str>;

    /// Whether a step may remove rows.
    fn removes(&self, step: usize) -> bool;

    /// The signals that a step keeps, by name.
    fn signals(&self, step: usize) -> Vec<&str> {
        let _ = step;
        Vec::new()
    }

    /// What a step reports of all rows.
    ///
    /// # Errors
    /// `Error::Internal` only.
    fn summary(
        &self,
        step: usize,
        inputs: &[String],
        found: &mut dyn Iterator<Item = Result<Found>>,
    ) -> Result<Json>;
}

impl Steps for Fused {
    fn names(&self) -> Vec<&str> {
        self.steps().iter().map(|named| named.name.as_str()).collect()
    }

    fn removes(&self, step: usize) -> bool {
        self.steps()[step].step.removes()
    }

    fn signals(&self, step: usize) -> Vec<&str> {
        self.steps()[step].step.signals()
    }

    fn summary(
        &self,
        step: usize,
        inputs: &[String],
        found: &mut dyn Iterator<Item = Result<Found>>,
    ) -> Result<Json> {
        self.steps()[step].step.summary(inputs, found)
    }
}

/// Why the evidence of a step is not complete: too much of it.
pub(crate) struct Rejected {
    /// The step, by its place.
    pub(crate) step: usize,
    pub(crate) quarantine: Quarantine,
    pub(crate) error: crate::error::Error,
}

/// Writes the evidence of all steps of a ledger, and balances their books.
///
/// # Errors
/// I/O failures; in the inner result, more bad records than `max_quarantine` allows.
pub(crate) fn write(
    ledger: &Ledger,
    steps: &dyn Steps,
    sources: &[Source],
    places: Vec<Place<'_>>,
    max_quarantine: f64,
    progress: &Progress,
) -> Result<std::result::Result<Vec<StepDone>, Box<Rejected>>> {
    let named = steps.names();
    let mut removed = places
        .iter()
        .map(|place| place.removed.map(RemovedWriter::create).transpose())
        .collect::<Result<Vec<_>>>()?;
    let mut tables = SignalTables::create(steps, &places)?;
    let mut quarantines: Vec<Quarantine> = places.into_iter().map(|place| place.quarantine).collect();
    let mut by_reason: Vec<BTreeMap<String, Count>> = vec![BTreeMap::new(); named.len()];
    let (mut read, mut blank_bytes) = (Count::default(), 0);
    let mut made = 0;
    let mut rows = vec![0; sources.len()];
    for unit in ledger.books() {
        progress.check()?;
        let unit = unit?;
        read.add(unit.read.docs, unit.read.bytes);
        blank_bytes += unit.blank_bytes;
        made += unit.made;
        if let Some(first) = by_reason.first_mut().filter(|_| !unit.empty.is_none()) {
            first.entry(EMPTY.to_owned()).or_default().add(unit.empty.docs, unit.empty.bytes);
        }
        let (source, first_row) = (&sources[unit.input], rows[unit.input]);
        for (at, step) in unit.steps.iter().enumerate() {
            let bad = BadRecords::from_json(step.bad.as_bytes())?;
            quarantines[at].add(source.input().name(), first_row, &bad)?;
            for row in &step.removed {
                let reason = row.reasons.first().map_or("", String::as_str);
                by_reason[at].entry(reason.to_owned()).or_default().add(1, row.bytes);
                let Some(table) = &mut removed[at] else { continue };
                let number = first_row + u64::from(row.slot);
                let id = row.id.clone().unwrap_or_else(|| source.name_row(number));
                let reasons: Vec<&str> = row.reasons.iter().map(String::as_str).collect();
                table.add(Removal {
                    id: &id,
                    source: source.input().name(),
                    row: number,
                    step: named[at],
                    reason,
                    reasons: &reasons,
                    duplicate_of: None,
                    similarity: None,
                    detail: Some(&row.detail).filter(|detail| !detail.is_empty()).map(String::as_str),
                })?;
            }
        }
        tables.add(ledger, &unit, source, first_row)?;
        rows[unit.input] += u64::from(unit.slots);
    }
    let names: Vec<String> = sources.iter().map(|source| source.input().name().to_owned()).collect();
    let first = sources.first().map(Source::input);
    let mut done = Vec::with_capacity(named.len());
    for (at, ((quarantine, table), signals)) in quarantines.into_iter().zip(removed).zip(tables.0).enumerate()
    {
        if let Err(error) = check_bulk(&quarantine, read.docs, max_quarantine, first) {
            return Ok(Err(Box::new(Rejected { step: at, quarantine, error })));
        }
        let quarantined = by_name(quarantine.tallies());
        let removed = std::mem::take(&mut by_reason[at]);
        let gone = removed.values().chain(quarantined.values());
        let (docs, bytes) = gone.fold((0, blank_bytes), |sum, gone| (sum.0 + gone.docs, sum.1 + gone.bytes));
        let kept = Count { docs: read.docs + made - docs, bytes: read.bytes - bytes };
        let removed = removed.into_iter().map(|(reason, count)| (reason.into(), count)).collect();
        let accounting =
            Accounting { read, made, kept, removed, references: Count::default(), quarantined, blank_bytes };
        accounting.check()?;
        let mut first_rows = vec![0; sources.len()];
        let mut found = ledger.books().map(|unit| {
            let mut unit = unit?;
            let first_row = first_rows[unit.input];
            first_rows[unit.input] += u64::from(unit.slots);
            let found = unit.steps.get_mut(at).map(|step| std::mem::take(&mut step.found));
            Ok(Found { input: unit.input, first_row, found: found.unwrap_or_default() })
        });
        let summary = steps.summary(at, &names, &mut found)?;
        let report = quarantine.report();
        let exhibits = Exhibits { bad: quarantine.exhibits(), ..Exhibits::default() };
        let table = table.map(RemovedWriter::finish).transpose()?;
        let signals = signals.map(SignalsWriter::finish).transpose()?;
        let evidence = table.into_iter().chain(signals).chain(quarantine.finish()?).collect();
        done.push(StepDone { accounting, quarantine: report, exhibits, summary, evidence });
        // What one step keeps is what the next one sees.
        (read, blank_bytes, made) = (kept, 0, 0);
    }
    Ok(Ok(done))
}

/// The tables of the signals that steps keep.
struct SignalTables(Vec<Option<SignalsWriter>>);

impl SignalTables {
    fn create(steps: &dyn Steps, places: &[Place<'_>]) -> Result<Self> {
        let table = |(at, place): (usize, &Place<'_>)| {
            let names = steps.signals(at);
            let path = place.signals.filter(|_| !names.is_empty());
            path.map(|path| SignalsWriter::create(path, &names)).transpose()
        };
        places.iter().enumerate().map(table).collect::<Result<_>>().map(Self)
    }

    /// Adds the rows of a unit.
    fn add(&mut self, ledger: &Ledger, unit: &UnitBooks, source: &Source, first_row: u64) -> Result<()> {
        if self.0.iter().all(Option::is_none) {
            return Ok(());
        }
        for (at, kept) in Kept::from_bytes(&ledger.signals(unit.input, unit.index)?)? {
            let Some(Some(table)) = self.0.get_mut(at) else { continue };
            let columns: Vec<&Float64Array> = kept.columns().collect();
            for row in 0..kept.len() {
                let number = first_row + u64::from(kept.slot(row));
                let named;
                let id = if let Some(id) = kept.id(row) {
                    id
                } else {
                    named = source.name_row(number);
                    &named
                };
                let values = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row)));
                table.add(id, source.input().name(), number, values)?;
            }
        }
        Ok(())
    }
}
