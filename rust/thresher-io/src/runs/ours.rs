//! What is an output of thresher, so that a run does not take it for its input.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Whether `path` is a folder with a result of a run in it, or with one under construction.
pub(crate) fn is_our_output(path: &Path) -> bool {
    if path.join(".thresher/lock").is_file() {
        return true;
    }
    let report =
        fs::read(path.join("run.json")).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    report
        .is_some_and(|report| ["version", "config", "accounting"].iter().all(|key| report.get(key).is_some()))
}
