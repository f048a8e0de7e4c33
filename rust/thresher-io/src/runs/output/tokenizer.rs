//! A trained tokenizer as a result: a folder that transformers loads, or one file with the report beside it.

use super::marker::{FileEntry, Files};
use super::place::{DATA, Place, TOKENIZER, TOKENIZER_CONFIG};
use super::stage::RunOutput;
use crate::codec::Codec;
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::Written;
use crate::runs::plan::Plan;

impl RunOutput {
    /// Takes an output for a tokenizer: a folder, or a file whose name ends in `.json`.
    ///
    /// # Errors
    /// As [`RunOutput::open`]; `Error::Parameter` for standard output and for names of other files.
    pub(crate) fn open_for_tokenizer(output: &str, overwrite: bool, plan: &Plan) -> Result<Self> {
        let (place, asked) = Place::of(output, |_| Ok(None))?;
        let is_json = asked.is_none_or(|form| form.is_array && form.codec == Codec::Plain);
        if place == Place::Stdout || !is_json {
            return Err(Error::Parameter(format!(
                "output `{output}` is neither a folder nor a file whose name ends in .json; give it one of these names"
            )));
        }
        place.refuse_inputs(plan.sources.iter().map(|source| source.input().path()))?;
        Self::take(place, asked, overwrite)
    }

    /// Makes the files of a tokenizer; its configuration goes into a folder only. Lists what it wrote under the names
    /// that they will have, and for `run.json`.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn write_tokenizer(&self, tokenizer: &[u8], config: &[u8]) -> Result<(Vec<Written>, Files)> {
        let staging = self.staging()?;
        let parts: &[(&str, &[u8])] = if self.is_single() {
            &[(DATA, tokenizer)]
        } else {
            &[(TOKENIZER, tokenizer), (TOKENIZER_CONFIG, config)]
        };
        let (mut outputs, mut files) = (Vec::new(), Files::new());
        for (part, content) in parts {
            let mut made = commit_bytes(&staging.join(part), content)?;
            files.insert((*part).to_owned(), FileEntry::without_rows(made.clone()));
            made.path = self.final_part(part)?;
            outputs.push(Written::of(made, 0));
        }
        Ok((outputs, files))
    }
}
