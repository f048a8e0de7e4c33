//! What became of one document of an earlier run, and why: from the tables of the result, and from the inputs, which are read
//! again where `run.json` says that they were.
//!
//! The tables alone tell what a document duplicates and how similar both are. The texts tell the rest: which bands they share, how
//! many lanes agree, where they differ, and what the policy saw. If they are no longer there, the answer says so and stays true.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thresher_core::Keep;

use super::compare::{Comparison, Marked};
use super::lookup::{Document, QuarantinedRow, Removals, RemovedRow, Wanted, document, quarantined};
use crate::error::{Error, Result};
use crate::runs::dedup::DedupRun;
use crate::runs::dedup::config::Checked;
use crate::runs::output::verify::{part_of, place_of, read_run};
use crate::runs::plan::reopen;
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::secret;

/// The step of the progress.
const STEP: usize = 2;

/// What to explain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRun {
    /// The output of a run: its folder or data file, or its `run.json`.
    pub output: String,
    /// The id of a document, as `removed.parquet` has it.
    pub id: String,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is in the output.
    Kept,
    /// It is not, since another one stands for it.
    Removed,
    /// It could not be used.
    Quarantined,
    /// It was compared with, and is no part of the output.
    Reference,
}

/// A document and its place.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// Its id.
    pub id: String,
    /// Name of the input it came from; none if nobody knows.
    pub source: Option<String>,
    /// Its row there, from 0.
    pub row: Option<u64>,
}

/// What a kept document stands for.
#[derive(Clone, Debug, Serialize)]
pub struct StandsFor {
    /// Documents that were removed for it.
    pub documents: u64,
    /// The first of them.
    pub first: Vec<RemovedRow>,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The document.
    pub document: Place,
    /// What became of it.
    pub fate: Fate,
    /// Why it was removed or set aside.
    pub reason: Option<String>,
    /// The kept document that stands for it.
    pub kept: Option<Place>,
    /// Their similarity, as the run wrote it.
    pub similarity: Option<f32>,
    /// Why the other one stays.
    pub policy: Option<String>,
    /// What both share, computed again.
    pub comparison: Option<Comparison>,
    /// The text, with the words marked that the kept one does not have.
    pub text: Option<Marked>,
    /// The text of the kept one, with the words marked that this one does not have.
    pub kept_text: Option<Marked>,
    /// What it stands for, if it is kept.
    pub stands_for: Option<StandsFor>,
    /// The record, if it was set aside.
    pub quarantined: Option<QuarantinedRow>,
    /// What the reader should know: texts that cannot be read any more, ids that are not unique.
    pub notes: Vec<String>,
}

/// Says what became of a document.
///
/// # Errors
/// `Error::Parameter` if the result has no such document, `Error::Io` and `Error::Data` if it is no result or cannot be read,
/// `Error::Cancelled`.
pub fn run(config: &ExplainRun, progress: &Progress) -> Result<Explanation> {
    progress.begin(STEP, 0);
    let place = place_of(Path::new(&config.output))?;
    let (path, json) = read_run(&place)?;
    let no_result = || Error::data(&path, "the file is no run.json of thresher");
    let run: Value = serde_json::from_slice(&json).map_err(|_| no_result())?;
    if run["tool"] != "thresher" {
        return Err(no_result());
    }
    let earlier = Earlier::of(&run);
    if let Some(removed) = part_of(&place, "removed.parquet").filter(|path| path.exists()) {
        let removals = Removals::of(&removed, &config.id, progress)?;
        if let Some(row) = &removals.removed {
            return removed_one(row, removals.namesakes, &earlier, progress);
        }
        if removals.members > 0 {
            return kept_one(&config.id, Some(removals), &earlier, progress);
        }
    }
    if let (Some((source, row)), Some(folder)) = (named_row(&config.id), part_of(&place, "quarantine"))
        && let Some(found) = quarantined(&folder.join("records.jsonl"), source, row, progress)?
    {
        return Ok(set_aside(&config.id, found));
    }
    kept_one(&config.id, None, &earlier, progress)
}

/// `source:row`.
fn named_row(id: &str) -> Option<(&str, u64)> {
    let (source, row) = id.rsplit_once(':')?;
    Some((source, row.parse().ok()?))
}

fn nothing(document: Place, fate: Fate) -> Explanation {
    Explanation {
        document,
        fate,
        reason: None,
        kept: None,
        similarity: None,
        policy: None,
        comparison: None,
        text: None,
        kept_text: None,
        stands_for: None,
        quarantined: None,
        notes: Vec::new(),
    }
}

fn set_aside(id: &str, found: QuarantinedRow) -> Explanation {
    let place = Place { id: id.to_owned(), source: Some(found.source.clone()), row: Some(found.row) };
    let reason = Some(found.reason.clone());
    Explanation { reason, quarantined: Some(found), ..nothing(place, Fate::Quarantined) }
}

fn removed_one(
    row: &RemovedRow,
    namesakes: u64,
    earlier: &Earlier<'_>,
    progress: &Progress,
) -> Result<Explanation> {
    let place = Place { id: row.id.clone(), source: Some(row.source.clone()), row: Some(row.row) };
    let kept_id = row.duplicate_of.clone().unwrap_or_default();
    let kept_place = row.kept_place.clone();
    let mut answer = Explanation {
        reason: Some(row.reason.clone()),
        kept: Some(Place {
            id: kept_id,
            source: kept_place.as_ref().map(|(source, _)| source.clone()),
            row: kept_place.as_ref().map(|(_, row)| *row),
        }),
        similarity: row.similarity,
        ..nothing(place, Fate::Removed)
    };
    if namesakes > 0 {
        answer
            .notes
            .push(format!("{namesakes} more removed documents have this id; the first one is explained"));
    }
    let Some((kept_source, kept_row)) = kept_place else { return Ok(answer) };
    let texts = earlier.document(&row.source, row.row, progress).and_then(|text| {
        let kept = earlier.document(&kept_source, kept_row, progress)?;
        Ok((text, kept, earlier.search()?))
    });
    match texts {
        Ok((text, kept, checked)) => {
            let secret = secret::draw()?;
            let comparison = Comparison::of(&text.text, &kept.text, &checked.search, &secret);
            let is_other = row.similarity.is_some_and(|written| {
                let found = if comparison.equal { 1.0 } else { comparison.similarity };
                (f64::from(written) - found).abs() > 1e-6
            });
            if is_other {
                answer.notes.push(
                    "the texts are not what the run has read: their similarity is another one, so an input was changed since"
                        .into(),
                );
            }
            let is_reference = earlier.is_reference(&kept_source);
            answer.policy = Some(if is_reference {
                "the kept document is a reference (against), and references always stay".into()
            } else {
                why(checked.search.keep, &text, &kept, row, (&kept_source, kept_row))
            });
            answer.text = Some(Marked::against(&text.text, &kept.text, checked.search.shingles)?);
            answer.kept_text = Some(Marked::against(&kept.text, &text.text, checked.search.shingles)?);
            answer.comparison = Some(comparison);
        }
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => answer.notes.push(format!("the texts cannot be shown: {error}")),
    }
    Ok(answer)
}

/// What the policy saw in both.
fn why(keep: Keep, text: &Document, kept: &Document, row: &RemovedRow, kept_at: (&str, u64)) -> String {
    let rank = |document: &Document| document.rank.clone().unwrap_or_else(|| "none".into());
    let order =
        || format!("row {} of {} comes before row {} of {}", kept_at.1, kept_at.0, row.row, row.source);
    let (what, of_kept, of_text) = match keep {
        Keep::First => return format!("keep is first: {}", order()),
        Keep::Longest => ("longest", kept.text.len().to_string(), text.text.len().to_string()),
        Keep::Shortest => ("shortest", kept.text.len().to_string(), text.text.len().to_string()),
        Keep::Max => ("max", rank(kept), rank(text)),
        Keep::Min => ("min", rank(kept), rank(text)),
    };
    let unit = if matches!(keep, Keep::Longest | Keep::Shortest) { " bytes" } else { "" };
    let tie = if of_kept == of_text { format!(", and {}", order()) } else { String::new() };
    format!("keep is {what}: the kept document has {of_kept}{unit}, this one {of_text}{tie}")
}

fn kept_one(
    id: &str,
    removals: Option<Removals>,
    earlier: &Earlier<'_>,
    progress: &Progress,
) -> Result<Explanation> {
    let known =
        removals.as_ref().and_then(|found| found.named.first()).and_then(|row| row.kept_place.clone());
    let found = match known {
        Some((source, row)) => {
            earlier.document(&source, row, progress).map(|text| Some((source, row, Some(text))))
        }
        None => earlier.find(id, progress),
    };
    let mut notes = Vec::new();
    let (place, text) = match found {
        Ok(Some((source, row, text))) => ((Some(source), Some(row)), text),
        Ok(None) if removals.is_none() => return Err(earlier.unknown(id)),
        Ok(None) => ((None, None), None),
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        Err(error) => {
            notes.push(format!("the text cannot be shown: {error}"));
            if removals.is_none() {
                notes
                    .push("whether there is such a document at all cannot be told without the inputs".into());
            }
            ((None, None), None)
        }
    };
    let place = Place { id: id.to_owned(), source: place.0, row: place.1 };
    let is_reference = place.source.as_deref().is_some_and(|source| earlier.is_reference(source));
    let fate = if is_reference { Fate::Reference } else { Fate::Kept };
    let stands_for = match removals {
        Some(found) => StandsFor { documents: found.members, first: found.named },
        None => StandsFor { documents: 0, first: Vec::new() },
    };
    Ok(Explanation {
        text: text.map(|text| Marked::plain(&text.text)),
        stands_for: Some(stands_for),
        notes,
        ..nothing(place, fate)
    })
}

/// An earlier run, as its `run.json` has it.
struct Earlier<'r> {
    run: &'r Value,
    /// Its parameters, if it was a deduplication of this version.
    config: Option<DedupRun>,
}

impl<'r> Earlier<'r> {
    fn of(run: &'r Value) -> Self {
        Self { run, config: serde_json::from_value(run["config"].clone()).ok() }
    }

    fn search(&self) -> Result<Checked> {
        let foreign = || {
            Error::Parameter(
                "its parameters are not those of a deduplication by this version of thresher, so it cannot be computed again"
                    .into(),
            )
        };
        self.config.as_ref().ok_or_else(foreign)?.check()
    }

    fn inputs(&self) -> impl Iterator<Item = (&'r str, &'r str, u64)> {
        self.run["inputs"].as_array().into_iter().flatten().filter_map(|input| {
            Some((input["name"].as_str()?, input["path"].as_str()?, input["rows"].as_u64()?))
        })
    }

    /// Whether an input was read for comparison only: then no file of the result goes by its name.
    fn is_reference(&self, source: &str) -> bool {
        let has_references = self.config.as_ref().is_some_and(|config| !config.step.against.is_empty());
        let place = self.inputs().position(|input| input.0 == source);
        let references = self.run["num_references"].as_u64().unwrap_or_default();
        has_references && place.is_some_and(|place| (place as u64) < references)
    }

    fn open(&self, name: &str) -> Result<Source> {
        let missing = || Error::Parameter(format!("the run had no input `{name}`"));
        let (_, path, _) = self.inputs().find(|input| input.0 == name).ok_or_else(missing)?;
        if path == "-" {
            return Err(Error::Parameter(format!(
                "`{name}` came through a pipe, which gives its content once; explain runs over files"
            )));
        }
        let config = self.config.clone().unwrap_or_default();
        reopen(Path::new(path), name.to_owned(), config.reading()).map_err(|error| match error {
            Error::Io { source, path, .. } if source.kind() == std::io::ErrorKind::NotFound => Error::Parameter(format!(
                "the input `{}` is not where the run has read it; put it back, or explain in the folder in which the run was \
                 started",
                path.display()
            )),
            error => error,
        })
    }

    /// The document in a place.
    fn document(&self, name: &str, row: u64, progress: &Progress) -> Result<Document> {
        let source = self.open(name)?;
        let fields = self.search()?.fields;
        document(&source, &fields, Wanted::Row(row), progress)?.ok_or_else(|| {
            Error::data(
                source.input().path(),
                format!("there is no readable row {row} any more; the file was changed since the run"),
            )
        })
    }

    /// The document of an id: where it is, and its text.
    fn find(&self, id: &str, progress: &Progress) -> Result<Option<(String, u64, Option<Document>)>> {
        let Ok(Checked { fields, .. }) = self.search() else {
            // The rows of other runs have no ids but their places.
            let place = named_row(id)
                .filter(|(name, row)| self.inputs().any(|input| input.0 == *name && *row < input.2));
            return Ok(place.map(|(name, row)| (name.to_owned(), row, None)));
        };
        if fields.id.is_some() {
            for (name, _, _) in self.inputs() {
                if let Some(found) = document(&self.open(name)?, &fields, Wanted::Id(id), progress)? {
                    return Ok(Some((name.to_owned(), found.row, Some(found))));
                }
            }
        }
        if let Some((name, row)) = named_row(id)
            && self.inputs().any(|input| input.0 == name && row < input.2)
        {
            return self.document(name, row, progress).map(|text| Some((name.to_owned(), row, Some(text))));
        }
        for (name, _, _) in self.inputs().filter(|input| Path::new(input.1).is_dir()) {
            if let Source::Folder(folder) = self.open(name)? {
                let row = (0..folder.n_files()).find(|&row| folder.name_of_file(row) == id);
                if let Some(row) = row {
                    return self
                        .document(name, row as u64, progress)
                        .map(|text| Some((name.to_owned(), row as u64, Some(text))));
                }
            }
        }
        Ok(None)
    }

    fn unknown(&self, id: &str) -> Error {
        let field = self.config.as_ref().and_then(|config| config.step.id.clone());
        let names: Vec<_> = self.inputs().take(3).map(|input| format!("`{}`", input.0)).collect();
        let ids = field.map_or_else(
            || format!("an id is `input:row` with a row from 0, and the inputs are {}", names.join(", ")),
            |field| format!("an id is what stands in the field `{field}`"),
        );
        Error::Parameter(format!("id is `{id}`, but the run has read no such document; {ids}"))
    }
}
