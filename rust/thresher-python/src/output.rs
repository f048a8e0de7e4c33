//! Outputs of runs whose files are made in Python: taken, staged and published like every other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use thresher_io::codec::{Codec, DataFormat};
use thresher_io::runs::{MadeOutput, Progress};
use thresher_io::{Error, Result};

use crate::boundary::{here, watch};
use crate::errors::parameter;

/// An output that is taken.
#[pyclass(frozen, module = "thresher._core.runs")]
pub(crate) struct Output {
    /// None once it is closed.
    made: Mutex<Option<MadeOutput>>,
    form: Option<(DataFormat, Codec)>,
    work: OsString,
}

#[pymethods]
impl Output {
    #[new]
    #[pyo3(signature = (output, overwrite, verb, inputs = Vec::new()))]
    fn new(
        py: Python<'_>,
        output: &str,
        overwrite: bool,
        verb: &str,
        inputs: Vec<PathBuf>,
    ) -> PyResult<Self> {
        here(py, move |_| {
            let made = MadeOutput::open(output, overwrite, verb, &inputs)?;
            Ok(Self { form: made.form(), work: made.work().into(), made: Mutex::new(Some(made)) })
        })
    }

    /// What is written: a folder, or one file of this format.
    #[getter]
    fn form(&self) -> &'static str {
        match self.form {
            None => "folder",
            Some((DataFormat::Jsonl, _)) => "jsonl",
            Some((DataFormat::Parquet, _)) => "parquet",
            Some((DataFormat::Ipc, _)) => "arrow",
        }
    }

    /// How the one file is compressed as a whole.
    #[getter]
    fn codec(&self) -> &'static str {
        match self.form {
            None | Some((_, Codec::Plain)) => "plain",
            Some((_, Codec::Gzip)) => "gzip",
            Some((_, Codec::Zstd)) => "zstd",
        }
    }

    /// A folder for temporary files.
    #[getter]
    fn work(&self) -> OsString {
        self.work.clone()
    }

    /// Where a part is to be made.
    fn path(&self, py: Python<'_>, part: &str) -> PyResult<OsString> {
        here(py, |_| self.with(|made| made.path(part).map(PathBuf::into_os_string)))
    }

    /// Publishes what was made with a report, and gives the whole report back.
    fn publish(&self, py: Python<'_>, report_json: &str, rows: BTreeMap<String, u64>) -> PyResult<String> {
        let progress = &Progress::default();
        let work = move || self.with(|made| made.publish(report_json, &rows, progress));
        watch(py, &|| progress.cancel(), |_| Ok(()), work)
    }

    /// Lets go of the output.
    fn close(&self, py: Python<'_>, keep: bool) -> PyResult<()> {
        here(py, |_| {
            if let Some(made) = self.lock().take() {
                made.close(keep);
            }
            Ok(())
        })
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Option<MadeOutput>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut MadeOutput) -> Result<T>) -> Result<T> {
        match &mut *self.lock() {
            Some(made) => work(made),
            None => Err(closed()),
        }
    }
}

fn closed() -> Error {
    parameter("the output is closed; take it anew")
}
