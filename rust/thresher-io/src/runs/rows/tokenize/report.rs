//! What is counted while texts become tokens, and what the run reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::TokenizeRun;
use super::encode::Encoding;
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::input::Written;
use crate::runs::evidence::Reported;
use crate::runs::output::{Files, Marker};
use crate::runs::rows::RowsReport;
use crate::runs::rows::write::KnownFormat;
use crate::runs::steps::Found;

/// Documents, bytes and tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Texts that became tokens.
    pub documents: u64,
    /// Their bytes: of chat rows, those of the rendered text.
    pub text_bytes: u64,
    /// Their tokens, with those around them.
    pub tokens: u64,
    /// Texts of no token.
    pub empty: u64,
    /// Tokens of the longest text.
    pub longest: u64,
}

/// Which tokenizer it was.
#[derive(Clone, Debug, Serialize)]
pub struct TokenizerReport {
    /// Its file.
    pub path: String,
    /// What encoded: an encoder of ours, or the crate `tokenizers`, and why.
    pub encoder: String,
    /// Whether it was one of ours.
    pub own: bool,
    /// One more than the highest id, added tokens included.
    pub vocab_size: u32,
    /// What ids are stored as in files of tokens alone.
    pub dtype: Option<&'static str>,
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct TokenizeReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: TokenizeRun,
    /// The tokenizer.
    pub tokenizer: TokenizerReport,
    /// What became of the texts.
    pub tokens: TokenCounts,
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

impl Reported for TokenizeReport {
    fn verb(&self) -> &'static str {
        "tokenize"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

impl TokenizerReport {
    /// Of a tokenizer with what is asked of it.
    pub(super) fn of(encoding: &Encoding) -> Self {
        let path = encoding.tokenizer.path();
        let dtype = match encoding.format {
            Some(KnownFormat::Megatron(dtype) | KnownFormat::Npy(dtype)) => Some(dtype.name()),
            _ => None,
        };
        Self {
            path: encoding.path.display().to_string(),
            encoder: path.to_string(),
            own: path.is_own(),
            vocab_size: encoding.tokenizer.vocab_size(),
            dtype,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: serde_json::Error) -> Error {
    Error::Internal(format!("counts of tokens: {error}"))
}

impl TokenCounts {
    /// One more text.
    pub(super) fn add(&mut self, bytes: usize, tokens: usize) {
        self.documents += 1;
        self.text_bytes += bytes as u64;
        self.tokens += tokens as u64;
        self.empty += u64::from(tokens == 0);
        self.longest = self.longest.max(tokens as u64);
    }

    pub(super) fn to_json(&self) -> String {
        // Numbers have a JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Those of all units, as what a step reports.
    pub(super) fn summary(
        found: &mut dyn Iterator<Item = Result<Found>>,
        tokenizer: &TokenizerReport,
    ) -> Result<Json> {
        let mut all = Self::default();
        for unit in found {
            let one: Self = serde_json::from_str(&unit?.found).map_err(broken)?;
            all.documents += one.documents;
            all.text_bytes += one.text_bytes;
            all.tokens += one.tokens;
            all.empty += one.empty;
            all.longest = all.longest.max(one.longest);
        }
        Ok(json!({"tokenizer": tokenizer, "tokens": all}))
    }

    /// The counts in what [`Self::summary`] gave.
    pub(super) fn of_summary(summary: &Json) -> Result<Self> {
        serde_json::from_value(summary["tokens"].clone()).map_err(broken)
    }

    /// Makes sure that as many documents were written as became tokens, and where files are tokens alone, as many of these.
    ///
    /// # Errors
    /// `Error::Internal` if not.
    pub(super) fn check(
        &self,
        outputs: &[Written],
        format: Option<KnownFormat>,
        is_stream: bool,
    ) -> Result<()> {
        // Rows and bytes of the files whose names end in that.
        let sums = |end: &str| {
            let files = outputs.iter().filter(|file| file.path.to_string_lossy().ends_with(end));
            files.fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes))
        };
        let (documents, tokens) = match format {
            Some(KnownFormat::Megatron(dtype)) => {
                let (rows, bytes) = sums(".bin");
                (rows, Some(bytes / dtype.bytes()))
            }
            Some(KnownFormat::Npy(_)) => {
                let documents = sums(".documents.npy").0;
                (documents, Some(sums(".npy").0 - documents))
            }
            _ => (sums("").0, None),
        };
        let balance = documents == self.documents && tokens.is_none_or(|tokens| tokens == self.tokens);
        if balance || is_stream {
            return Ok(());
        }
        let Self { documents: made, tokens: encoded, .. } = self;
        let tokens = tokens.unwrap_or(*encoded);
        Err(Error::Internal(format!(
            "{made} documents became {encoded} tokens, but {documents} documents and {tokens} tokens were written"
        )))
    }
}
