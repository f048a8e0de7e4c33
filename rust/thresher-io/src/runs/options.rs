//! What every run over files is asked for besides its own parameters, and its check in one place.

use std::thread;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::machine;
use crate::runs::aside::check_share;
use crate::runs::parameters::{Kind, parameters};
use crate::runs::plan::Reading;
use crate::runs::within::Within;

/// More threads than any machine of today has cores; a larger number is a mistake.
pub const MAX_THREADS: usize = 4096;
/// The longest record by default: a longer one is a broken file rather than a document. It does not adapt to memory, or
/// what is set aside would.
pub const MAX_RECORD_BYTES: u64 = 32 << 20;
/// A run that sets aside more than this share of its records has the wrong input.
pub const MAX_QUARANTINE: f64 = 0.5;
/// Bytes of input that a thread works on at a time: they stay in cache, and outweigh what a batch costs.
pub const BATCH_BYTES: u64 = 4 << 20;

const BYTES: Kind = Kind::Whole { least: 1, most: i64::MAX as u64 };

parameters! {
    /// The options of every run over files.
    pub struct RunOptions is "options" {
        /// Threads to use. Default: as many as the process may use.
        threads: Option<usize> = None => Kind::Whole { least: 1, most: MAX_THREADS as u64 };
        /// Bound on the memory of the process, in bytes or as `4GB`, `512MB`, `1GiB`. Default: 60 % of what the
        /// machine or the control group allows.
        memory: Option<u64> = None => Kind::Size;
        /// Folder for temporary files. Default: the state folder of the output; for a copy of standard input, the folder
        /// of the system.
        tmp: Option<String> = None => Kind::Path("DIR");
        /// Stop at the first bad record, or loss; in a validation, take a warning for an error.
        strict: bool = false => Kind::Flag;
        /// Longest record in bytes; a longer one goes to quarantine.
        max_record_bytes: u64 = MAX_RECORD_BYTES => BYTES;
        /// Bytes of input that a thread works on at a time: more memory, less overhead. The output does not depend
        /// on it.
        batch_bytes: u64 = BATCH_BYTES => BYTES;
        /// Replace the finished result of an earlier run, or a data file of that name; it stays whole until the new one
        /// is complete. Other files are never touched.
        overwrite: bool = false => Kind::Flag;
        /// Start over where an earlier run was interrupted, instead of going on there.
        restart: bool = false => Kind::Flag;
        /// Share of the records, from 0 to 1, of which more may not be set aside; a run that sets aside more ends
        /// with an error and writes nothing.
        max_quarantine: f64 = MAX_QUARANTINE => Kind::Share;
    }
}

impl RunOptions {
    /// Checks every option that can be checked without reading.
    ///
    /// # Errors
    /// `Error::Parameter` for a value out of its range.
    pub fn check(&self) -> Result<()> {
        if let Some(threads) = self.threads.filter(|threads| !(1..=MAX_THREADS).contains(threads)) {
            return Err(Error::Parameter(format!(
                "threads is `{threads}`, but a run uses 1 to {MAX_THREADS} threads"
            )));
        }
        for (name, bytes) in [
            ("memory", self.memory),
            ("max_record_bytes", Some(self.max_record_bytes)),
            ("batch_bytes", Some(self.batch_bytes)),
        ] {
            if bytes == Some(0) {
                return Err(Error::Parameter(format!("{name} is `0`, but it is at least 1 byte")));
            }
        }
        check_share(self.max_quarantine)
    }

    /// The threads to use: as asked for, or as many as the process may use.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
    }

    /// The bound on the memory of the process in bytes: as asked for, or the default of this machine.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory.unwrap_or_else(machine::default_memory)
    }

    /// How inputs are read.
    pub(crate) fn reading<'a>(&'a self, inputs: &'a [String], glob: Option<&'a [String]>) -> Reading<'a> {
        Reading {
            inputs,
            glob,
            tmp: self.tmp.as_deref(),
            max_record_bytes: self.max_record_bytes,
            batch_bytes: self.batch_bytes,
        }
    }
}

/// The configuration of a run of one step. Written to `run.json` as it is, all parameters beside each other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config<P> {
    /// Files, patterns and folders to read, or `-`.
    pub inputs: Vec<String>,
    /// A folder, a data file, or `-`; some runs need none.
    pub output: Option<String>,
    /// The parameters of the step.
    #[serde(flatten)]
    pub step: P,
    /// The options of every run.
    #[serde(flatten)]
    pub options: RunOptions,
    /// Its place in a pipeline.
    #[serde(skip)]
    pub within: Within,
}

impl<P> Config<P> {
    /// The output of a run that needs one.
    ///
    /// # Errors
    /// `Error::Parameter` if there is none.
    pub fn output(&self) -> Result<&str> {
        self.output.as_deref().ok_or_else(|| {
            Error::Parameter(
                "no output is given; name a folder, a data file, or `-` for standard output".into(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::dedup::DedupStep;
    use crate::runs::mix::MixStep;
    use crate::runs::pack::PackStep;
    use crate::runs::parameters::{Step, fields_of};
    use crate::runs::rows::convert::ConvertStep;
    use crate::runs::rows::decontaminate::DecontaminateStep;
    use crate::runs::rows::filter::FilterStep;
    use crate::runs::rows::pii::PiiStep;
    use crate::runs::rows::render::RenderStep;
    use crate::runs::rows::validate::ValidateStep;

    /// A configuration with nothing but its inputs is one of defaults; one with a name that is nowhere is refused.
    fn law<P: Step>() {
        let text = r#"{"inputs": ["a"], "output": null}"#;
        let config: Config<P> = serde_json::from_str(text).unwrap();
        assert_eq!(fields_of(&config.step), fields_of(&P::default()));
        assert_eq!(config.options.max_record_bytes, MAX_RECORD_BYTES);
        let written = serde_json::to_string(&config).unwrap();
        let again: Config<P> = serde_json::from_str(&written).unwrap();
        assert_eq!(fields_of(&again), fields_of(&config));
        let wrong = r#"{"inputs": ["a"], "output": null, "treshold": 1}"#;
        let error = serde_json::from_str::<Config<P>>(wrong).unwrap_err().to_string();
        assert!(error.contains("treshold"), "{error}");
        let names: Vec<&str> = P::parameters().iter().map(|parameter| parameter.name).collect();
        let fields = fields_of(&P::default());
        assert_eq!(names.len(), fields.len());
        for parameter in RunOptions::parameters() {
            assert!(!names.contains(&parameter.name), "{} would be given twice", parameter.name);
        }
        for parameter in P::parameters() {
            assert!(parameter.about.ends_with('.') && fields.contains_key(parameter.name), "{parameter:?}");
            assert!(!parameter.about.contains("  "), "{}", parameter.about);
        }
    }

    #[test]
    fn the_parameters_of_each_step_stand_beside_the_options() {
        law::<DedupStep>();
        law::<ConvertStep>();
        law::<DecontaminateStep>();
        law::<FilterStep>();
        law::<PackStep>();
        law::<PiiStep>();
        law::<RenderStep>();
        law::<ValidateStep>();
        law::<MixStep>();
    }

    #[test]
    fn an_option_out_of_its_range_is_named_with_its_value() {
        let said = |options: RunOptions| options.check().unwrap_err().to_string();
        let usual = RunOptions::default;
        assert!(usual().check().is_ok());
        assert!(said(RunOptions { threads: Some(0), ..usual() }).contains("threads is `0`"));
        assert!(said(RunOptions { memory: Some(0), ..usual() }).contains("memory is `0`"));
        assert!(said(RunOptions { batch_bytes: 0, ..usual() }).contains("batch_bytes is `0`"));
        assert!(said(RunOptions { max_quarantine: 1.5, ..usual() }).contains("max_quarantine is `1.5`"));
    }
}
