//! Personal data and secrets in the texts of files: tags or pseudonyms take their place, or the record goes.
//!
//! The step edits the text and nothing else. What it found is counted by type; no value stands in a report, in the
//! evidence or in a message, and the key of pseudonyms comes from the environment and is told by a fingerprint alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thresher_core::json::{FieldPath, Fields};
use thresher_filter::pii::{Detector, Key, Kind as Type, Kinds, Redactor, Span, Tag, counts};

use super::{RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees};

parameters! {
    /// What becomes of personal data.
    pub struct PiiStep is "pii" {
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// Types to look for. Default: all.
        types: Vec<String> = Vec::new() => Kind::Choices("TYPE", types);
        /// Write a tag in the place of what is found, write a pseudonym, or drop the document.
        action: String = "redact".into() => Kind::Choice(|| vec!["redact", "pseudonym", "drop"]);
        /// What redact writes; `{type}` is the type in capitals.
        tag: String = Tag::DEFAULT.into() => Kind::Text("TEMPLATE");
        /// The variable of the environment that holds the key of pseudonyms, of 16 bytes or more.
        key_env: Option<String> = None => Kind::Variable("NAME");
        /// Look for what is reserved for documentation too, as addresses at example.com.
        reserved: bool = false => Kind::Flag;
    }
}

fn types() -> Vec<&'static str> {
    Type::ALL.iter().map(|one| one.name()).collect()
}

/// The parameters of a run.
pub type PiiRun = Config<PiiStep>;

/// What was found, by type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PiiCounts {
    /// Documents with something in them.
    pub documents: u64,
    /// What was found, by type; types of which there is nothing are left out.
    pub spans: BTreeMap<Cow<'static, str>, u64>,
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct PiiReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: PiiRun,
    /// What was found.
    pub found: PiiCounts,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

impl Reported for PiiReport {
    fn verb(&self) -> &'static str {
        "pii"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Looks for personal data in the texts of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &PiiRun, progress: &Progress) -> Result<PiiReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let search = config.step.open()?;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: true,
        format: None,
        options: &config.options,
    };
    let fields = Fields { text: Some(search.text.clone()), id: search.id.clone(), rank: None };
    RowsRun::over_fields(setup, &fields, progress)?.publish(config, |run, place| {
        let (rows, mut summary) = run.examine(PiiStep::NAME, Box::new(search), place, &mut clock)?;
        clock.total(started);
        Ok(PiiReport {
            marker: Marker::default(),
            config: config.clone(),
            found: serde_json::from_value(summary["found"].take()).map_err(broken)?,
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

/// The search in every row.
pub(crate) struct Search {
    text: FieldPath,
    id: Option<FieldPath>,
    detector: Detector,
    /// What is written; nothing if the document goes.
    redactor: Option<Redactor>,
}

impl PiiStep {
    /// The step of these parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for a type, an action or a tag that cannot be, and for a key that is missing, too short, or not needed.
    pub(crate) fn open(&self) -> Result<Search> {
        let kinds = Kinds::of_names(self.types.iter().map(String::as_str))?;
        let tag = Tag::of_template(&self.tag)?;
        if self.key_env.is_some() && self.action != "pseudonym" {
            return Err(Error::Parameter(format!(
                "key_env is given, but action is `{}`; a key is for pseudonyms, so leave it out or set action to `pseudonym`",
                self.action
            )));
        }
        let redactor = match &*self.action {
            "redact" => Some(Redactor::Tag(tag.into())),
            "pseudonym" => Some(Redactor::Pseudonym(self.key()?)),
            "drop" => None,
            other => {
                return Err(Error::Parameter(format!(
                    "action is `{other}`, but it is redact, pseudonym or drop"
                )));
            }
        };
        Ok(Search {
            text: FieldPath::parse(&self.text)?,
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            detector: Detector::new(kinds).with_reserved(self.reserved),
            redactor,
        })
    }

    fn key(&self) -> Result<Key> {
        let name = self.key_env.as_deref().ok_or_else(|| {
            Error::Parameter(
                "action is `pseudonym`, but key_env is not given; it names the variable of the environment that holds the key"
                    .to_owned(),
            )
        })?;
        key_of_variable(name)
    }
}

/// The key in a variable of the environment.
///
/// # Errors
/// `Error::Parameter` if there is no such variable, or its value is too short; the message does not show it.
pub(crate) fn key_of_variable(name: &str) -> Result<Key> {
    let named = !name.is_empty() && !name.contains(['=', '\0']);
    let secret = named.then(|| std::env::var_os(name)).flatten().ok_or_else(|| {
        Error::Parameter(format!(
            "key_env is `{name}`, but there is no such variable; set it first, as in `export {name}=$(openssl rand -hex 32)`"
        ))
    })?;
    Ok(Key::of_secret(secret.as_encoded_bytes())?)
}

impl RowStep for Search {
    fn sees(&self) -> Sees {
        Sees::Text(self.text.clone())
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn removes(&self) -> bool {
        self.redactor.is_none()
    }

    fn edits(&self) -> bool {
        self.redactor.is_some()
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker { search: self, spans: Vec::new(), found: PiiCounts::default() })
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        let mut all = PiiCounts::default();
        for unit in found {
            let one: PiiCounts = serde_json::from_str(&unit?.found).map_err(broken)?;
            all.documents += one.documents;
            for (name, count) in one.spans {
                *all.spans.entry(name).or_default() += count;
            }
        }
        Ok(json!({"found": all}))
    }
}

/// One thread of it.
struct Worker<'s> {
    search: &'s Search,
    spans: Vec<Span>,
    found: PiiCounts,
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        self.search.detector.find_into(text, &mut self.spans);
        self.found.documents += u64::from(!self.spans.is_empty());
        let counted = || Type::ALL.into_iter().zip(counts(&self.spans)).filter(|(_, count)| *count > 0);
        for (kind, count) in counted() {
            *self.found.spans.entry(kind.name().into()).or_default() += count;
        }
        if let Some(redactor) = &self.search.redactor {
            for span in &self.spans {
                marks.edit(span.range(), redactor.replacement(span.kind, &text[span.range()]));
            }
        } else {
            let all: Vec<String> =
                counted().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
            let all = all.join(", ");
            counted().for_each(|(kind, _)| marks.remove(kind.name(), all.as_str()));
        }
    }

    fn found(&mut self) -> String {
        // Counts have a JSON.
        serde_json::to_string(&std::mem::take(&mut self.found)).unwrap_or_default()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: serde_json::Error) -> Error {
    Error::Internal(format!("counts of personal data: {error}"))
}
