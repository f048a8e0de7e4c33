//! What a deduplication of files is asked to do, as inert data, and its check before anything is read.

use serde::{Deserialize, Serialize};
use thresher_core::json::{FieldPath, Fields};
use thresher_core::{Banding, DedupConfig, Keep, NumHashes, ShingleSpec, ShingleUnit, Threshold};

use crate::error::{Error, Result};
use crate::runs::aside::check_share;
use crate::runs::plan::Reading;

/// The parameters of a run. Written to `run.json` as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DedupRun {
    /// Files, patterns and folders to read, or `-`.
    pub inputs: Vec<String>,
    /// A folder, a data file, or `-`.
    pub output: String,
    /// Whether a finished result may be replaced.
    pub overwrite: bool,
    /// Dotted path of the text field.
    pub text: String,
    /// Dotted path of the id field.
    pub id: Option<String>,
    /// Exact Jaccard similarity from which on a document goes.
    pub threshold: f64,
    /// Lanes of a signature.
    pub num_hashes: usize,
    /// The family of hashes that signs; 0 is the scheme itself.
    pub seed: u64,
    /// Units in a shingle.
    pub ngram: usize,
    /// `word` or `char`.
    pub unit: String,
    /// Share of the pairs at the threshold that must share a band.
    pub recall: f64,
    /// `first`, `longest`, `shortest`, `max:FIELD` or `min:FIELD`.
    pub keep: String,
    /// Only equal texts are duplicates.
    pub exact_only: bool,
    /// Patterns of the files of a folder that are documents.
    pub glob: Option<Vec<String>>,
    /// Threads to use.
    pub threads: usize,
    /// Folder for temporary files.
    pub tmp: Option<String>,
    /// Whether the first bad record stops the run.
    pub strict: bool,
    /// Share of the records, from 0 to 1, of which more may not be set aside.
    pub max_quarantine: f64,
    /// Longest record, in bytes; a longer one is set aside.
    pub max_record_bytes: u64,
    /// Bytes of input that a thread works on at a time; the output does not depend on it.
    pub batch_bytes: u64,
}

/// The same, checked and in the types of the core.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) search: DedupConfig,
    pub(crate) fields: Fields,
}

impl DedupRun {
    /// Checks every parameter that can be checked without reading.
    pub(crate) fn check(&self) -> Result<Checked> {
        let (keep, rank) = self.keep_policy()?;
        let unit = match self.unit.as_str() {
            "word" => ShingleUnit::Word,
            "char" => ShingleUnit::Char,
            other => {
                return Err(Error::Parameter(format!(
                    "unit is `{other}`, but a shingle is made of `word` or `char`"
                )));
            }
        };
        if self.threads == 0 {
            return Err(Error::Parameter("threads is `0`, but a run needs at least 1".into()));
        }
        check_share(self.max_quarantine)?;
        let num_hashes = NumHashes::try_new(self.num_hashes)?;
        let threshold = Threshold::try_new(self.threshold)?;
        let search = DedupConfig {
            threshold,
            shingles: ShingleSpec::try_new(unit, self.ngram)?,
            num_hashes,
            seed: self.seed,
            banding: Banding::choose(threshold, num_hashes, self.recall)?,
            keep,
            exact_only: self.exact_only,
        };
        let fields = Fields {
            text: Some(FieldPath::parse(&self.text)?),
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            rank,
        };
        Ok(Checked { search, fields })
    }

    /// What is read, and how.
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading {
            inputs: &self.inputs,
            glob: self.glob.as_deref(),
            tmp: self.tmp.as_deref(),
            max_record_bytes: self.max_record_bytes,
            batch_bytes: self.batch_bytes,
        }
    }

    fn keep_policy(&self) -> Result<(Keep, Option<FieldPath>)> {
        let (policy, field) = match self.keep.split_once(':') {
            Some((policy, field)) => (policy, Some(FieldPath::parse(field)?)),
            None => (self.keep.as_str(), None),
        };
        match (policy, field) {
            ("first", None) => Ok((Keep::First, None)),
            ("longest", None) => Ok((Keep::Longest, None)),
            ("shortest", None) => Ok((Keep::Shortest, None)),
            ("max", Some(field)) => Ok((Keep::Max, Some(field))),
            ("min", Some(field)) => Ok((Keep::Min, Some(field))),
            _ => Err(Error::Parameter(format!(
                "keep is `{}`, but a policy is first, longest, shortest, max:FIELD or min:FIELD",
                self.keep
            ))),
        }
    }
}
