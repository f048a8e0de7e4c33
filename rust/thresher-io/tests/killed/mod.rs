//! Pipelines in a process of their own, which can be killed, and results that can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use thresher_io::runs::flow::FlowRun;

/// The variable that makes the test `pipeline` run the pipeline that it holds.
pub(crate) const PIPELINE: &str = "THRESHER_TEST_PIPELINE";

/// Starts this program with a pipeline in its environment, which its test `pipeline` runs.
pub(crate) fn start(config: &FlowRun) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pipeline", "--nocapture"])
        .env(PIPELINE, serde_json::to_string(config).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The files of a result with their bytes; of the reports only what does not tell of time and place.
pub(crate) fn result(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.extend((name != ".thresher").then_some(path));
            } else if name != "run.json" && name != "report.html" {
                files.insert(path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    files
}
