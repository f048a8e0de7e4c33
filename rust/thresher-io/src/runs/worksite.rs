//! The folder of a run's temporary files: what an interrupted run left there is gone on with, and what is of use to nobody
//! is removed.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::runs::options::RunOptions;
use crate::runs::output::RunOutput;
use crate::runs::resume::{Identity, Workplace};

/// Does the `work` of a run in the folder of its temporary files, which for standard output, or without an output, is gone
/// behind it; a run without an identity cannot be gone on with either. `done` says whether a run has left anything in a folder that is worth going on with.
///
/// # Errors
/// Those of the work; `Error::Parameter` if another run has left its state there.
pub(crate) fn in_worksite<R>(
    output: Option<&RunOutput>,
    options: &RunOptions,
    tmp: Option<&str>,
    identity: Option<Identity>,
    done: impl Fn(&Path) -> bool,
    work: impl FnOnce(&Path) -> Result<R>,
) -> Result<R> {
    let place = output.and_then(|output| Some((output, output.work(tmp)?)));
    let (Some((output, folder)), Some(identity)) = (place, identity) else {
        let tmp = options.tmp.as_ref().map_or_else(std::env::temp_dir, PathBuf::from);
        if let Some(output) = output.filter(|output| !output.is_stream()) {
            // Data that a killed run has left is of other rows.
            output.start_over()?;
        }
        let made = tempfile::Builder::new().prefix(".thresher-").tempdir_in(&tmp);
        return work(made.map_err(Error::io("make a folder in", &tmp))?.path());
    };
    // What is not taken over is not touched.
    output.keep_work(done(&folder));
    if !Workplace::take(&folder, &identity, options.restart, &done)?.is_resumed {
        output.start_over()?;
    }
    let result = work(&folder);
    // The same command would end in the same way, but for these.
    let may_go_on = matches!(result, Err(Error::Cancelled | Error::Io { .. } | Error::Internal(_)));
    output.keep_work(may_go_on && done(&folder));
    if !may_go_on {
        // Files may lie elsewhere than in the state of the output. What cannot be removed is no reason to fail.
        let _ = std::fs::remove_dir_all(&folder);
    }
    result
}
