//! What a deduplication of files is asked to do, as inert data, and its check before anything is read.

use thresher_core::json::{FieldPath, Fields};
use thresher_core::{Banding, DedupConfig, Keep, NumHashes, ShingleSpec, ShingleUnit, Threshold};

use crate::error::{Error, Result};
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::plan::Reading;

parameters! {
    /// What a deduplication is asked for.
    pub struct DedupStep is "dedup" {
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// Exact Jaccard similarity of shingle sets from which on a document goes, above 0.
        threshold: f64 = 0.8 => Kind::Share;
        /// Which duplicate stays: first, longest, shortest, max:FIELD or min:FIELD.
        keep: String = "first".into() => Kind::Text("POLICY");
        /// Lanes of a signature.
        num_hashes: usize = 128 => Kind::Whole { least: 1, most: 65_536 };
        /// Words or characters in a shingle.
        ngram: usize = 5 => Kind::Whole { least: 1, most: 256 };
        /// What a shingle is made of.
        unit: String = "word".into() => Kind::Choice(|| vec!["word", "char"]);
        /// Family of the hashes that sign; what is removed is checked exactly with any.
        seed: u64 = 0 => Kind::Whole { least: 0, most: u64::MAX };
        /// Probability that a pair exactly at the threshold is found.
        recall: f64 = 0.995 => Kind::Share;
        /// Only equal texts are duplicates.
        exact_only: bool = false => Kind::Flag;
        /// Patterns of the files of an input folder that are documents. Default: all files.
        glob: Option<Vec<String>> = None => Kind::Texts("PATTERN");
        /// Reference files: a document that duplicates one of theirs is removed; they are only read.
        against: Vec<String> = Vec::new() => Kind::Texts("REF");
    }
}

/// The parameters of a run.
pub type DedupRun = Config<DedupStep>;

/// The same, checked and in the types of the core.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) search: DedupConfig,
    pub(crate) fields: Fields,
}

impl Checked {
    /// What is looked for in references: they are kept whatever their ranks.
    pub(crate) fn reference_fields(&self) -> Fields {
        Fields { id: None, rank: None, ..self.fields.clone() }
    }
}

impl DedupRun {
    /// Checks every parameter that can be checked without reading.
    pub(crate) fn check(&self) -> Result<Checked> {
        let (keep, rank) = self.keep_policy()?;
        let step = &self.step;
        let unit = match step.unit.as_str() {
            "word" => ShingleUnit::Word,
            "char" => ShingleUnit::Char,
            other => {
                return Err(Error::Parameter(format!(
                    "unit is `{other}`, but a shingle is made of `word` or `char`"
                )));
            }
        };
        self.options.check()?;
        let num_hashes = NumHashes::try_new(step.num_hashes)?;
        let threshold = Threshold::try_new(step.threshold)?;
        let search = DedupConfig {
            threshold,
            shingles: ShingleSpec::try_new(unit, step.ngram)?,
            num_hashes,
            seed: step.seed,
            banding: Banding::choose(threshold, num_hashes, step.recall)?,
            keep,
            exact_only: step.exact_only,
        };
        let fields = Fields {
            text: Some(FieldPath::parse(&step.text)?),
            id: step.id.as_deref().map(FieldPath::parse).transpose()?,
            rank,
        };
        Ok(Checked { search, fields })
    }

    /// What is read, and how.
    pub(crate) fn reading(&self) -> Reading<'_> {
        self.options.reading(&self.inputs, self.step.glob.as_deref())
    }

    /// The references, and how they are read.
    pub(crate) fn reading_references(&self) -> Reading<'_> {
        self.options.reading(&self.step.against, self.step.glob.as_deref())
    }

    fn keep_policy(&self) -> Result<(Keep, Option<FieldPath>)> {
        let (policy, field) = match self.step.keep.split_once(':') {
            Some((policy, field)) => (policy, Some(FieldPath::parse(field)?)),
            None => (self.step.keep.as_str(), None),
        };
        match (policy, field) {
            ("first", None) => Ok((Keep::First, None)),
            ("longest", None) => Ok((Keep::Longest, None)),
            ("shortest", None) => Ok((Keep::Shortest, None)),
            ("max", Some(field)) => Ok((Keep::Max, Some(field))),
            ("min", Some(field)) => Ok((Keep::Min, Some(field))),
            _ => Err(Error::Parameter(format!(
                "keep is `{}`, but a policy is first, longest, shortest, max:FIELD or min:FIELD",
                self.step.keep
            ))),
        }
    }
}
