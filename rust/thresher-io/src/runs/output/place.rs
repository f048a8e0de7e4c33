//! Where each part of a result lies, for every kind of output.
//!
//! ```text
//! part              in a folder OUT        of a single file OUT.jsonl      on standard output
//! data              OUT/data/NAME          OUT.jsonl                       the data, and nothing else
//! removed.parquet   OUT/removed.parquet    OUT.jsonl.removed.parquet
//! clusters.parquet  OUT/clusters.parquet   OUT.jsonl.clusters.parquet
//! quarantine        OUT/quarantine/        OUT.jsonl.quarantine/
//! report.html       OUT/report.html        OUT.jsonl.report.html
//! run.json          OUT/run.json           OUT.jsonl.run.json
//! state             OUT/.thresher/         .OUT.jsonl.thresher/
//! ```

use std::path::{Path, PathBuf};

use crate::commit::parent_of;

/// The records.
pub(super) const DATA: &str = "data";
/// The evidence of each removal.
pub(super) const REMOVED: &str = "removed.parquet";
/// What stands for what.
pub(super) const CLUSTERS: &str = "clusters.parquet";
/// Bad records.
pub(super) const QUARANTINE: &str = "quarantine";
/// The report as a page.
pub(super) const PAGE: &str = "report.html";
/// The report, which is published last.
pub(super) const RUN: &str = "run.json";
/// Every part that a result can have.
pub(super) const PARTS: [&str; 6] = [DATA, REMOVED, CLUSTERS, QUARANTINE, PAGE, RUN];

/// An output, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder with data and evidence inside.
    Folder(PathBuf),
    /// A data file with the evidence beside it.
    Single(PathBuf),
    /// Standard output, without evidence.
    Stdout,
}

impl Place {
    /// The final name of a part; none on standard output.
    pub(super) fn part(&self, part: &str) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.join(part)),
            Self::Single(path) if part == DATA => Some(path.clone()),
            Self::Single(path) => Some(beside(path, part)),
            Self::Stdout => None,
        }
    }

    /// The folder of what is under construction. It is on the file system of the parts, so that a rename publishes them.
    pub(super) fn state(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.join(".thresher")),
            Self::Single(path) => {
                let mut name = std::ffi::OsString::from(".");
                name.push(path.file_name()?);
                name.push(".thresher");
                Some(parent_of(path).join(name))
            }
            Self::Stdout => None,
        }
    }

    /// The folder that holds the parts.
    pub(super) fn home(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Single(path) => Some(parent_of(path)),
            Self::Stdout => None,
        }
    }

    /// The output as the user knows it.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Single(path) => path,
            Self::Stdout => Path::new("-"),
        }
    }

    /// The single output beside which a path lies as evidence, by its name.
    pub(super) fn beside_which(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let data = PARTS.iter().find_map(|part| name.strip_suffix(part)?.strip_suffix('.'))?;
        Some(Self::Single(path.with_file_name(data)))
    }
}

/// `OUT.jsonl` and `run.json` make `OUT.jsonl.run.json`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_of_a_single_output_leads_back_to_it() {
        let place = Place::Single(PathBuf::from("d/out.jsonl"));
        for part in PARTS.into_iter().filter(|part| *part != DATA) {
            assert_eq!(Place::beside_which(&place.part(part).unwrap()).as_ref(), Some(&place), "{part}");
        }
        assert_eq!(Place::beside_which(place.path()), None);
        assert_eq!(place.state().unwrap(), Path::new("d/.out.jsonl.thresher"));
        assert_eq!(Place::Single("a.jsonl".into()).state().unwrap(), Path::new("./.a.jsonl.thresher"));
    }
}
