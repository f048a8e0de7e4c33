//! Where each part of a result lies, for every kind of output.
//!
//! ```text
//! part              in a folder OUT        of a single file OUT.jsonl      on standard output
//! data              OUT/data/NAME          OUT.jsonl                       the data, and nothing else
//! removed.parquet   OUT/removed.parquet    OUT.jsonl.removed.parquet
//! clusters.parquet  OUT/clusters.parquet   OUT.jsonl.clusters.parquet
//! signals           OUT/signals/           OUT.jsonl.signals/
//! rejected.parquet  OUT/rejected.parquet   OUT.jsonl.rejected.parquet
//! lineage.parquet   OUT/lineage.parquet    OUT.jsonl.lineage.parquet
//! quarantine        OUT/quarantine/        OUT.jsonl.quarantine/
//! tokenizer.json    OUT/tokenizer.json     the data of OUT.json
//! README.md         OUT/README.md          OUT.jsonl.README.md
//! report.html       OUT/report.html        OUT.jsonl.report.html
//! run.json          OUT/run.json           OUT.jsonl.run.json
//! state             OUT/.thresher/         .OUT.jsonl.thresher/
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::codec::{Codec, DataFormat, names_array, split_suffix};
use crate::commit::parent_of;
use crate::error::{Error, Result};
use crate::runs::source::Form;

/// The records.
pub(super) const DATA: &str = "data";
/// The evidence of each removal.
pub(super) const REMOVED: &str = "removed.parquet";
/// What stands for what.
pub(super) const CLUSTERS: &str = "clusters.parquet";
/// The signals that steps have kept, a table for each step.
pub(super) const SIGNALS: &str = "signals";
/// What a generation made and did not keep, with the rules that it broke.
pub(super) const REJECTED: &str = "rejected.parquet";
/// What each generated row was made of.
pub(super) const LINEAGE: &str = "lineage.parquet";
/// The dataset card.
pub(super) const CARD: &str = "README.md";
/// A trained tokenizer, in a folder.
pub(super) const TOKENIZER: &str = "tokenizer.json";
/// What transformers reads beside it.
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Bad records.
pub(super) const QUARANTINE: &str = "quarantine";
/// The report as a page.
pub(super) const PAGE: &str = "report.html";
/// The report, which is published last.
pub(super) const RUN: &str = "run.json";
/// Every part that a result can have.
pub(super) const PARTS: [&str; 12] = [
    DATA,
    REMOVED,
    CLUSTERS,
    SIGNALS,
    REJECTED,
    LINEAGE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    QUARANTINE,
    CARD,
    PAGE,
    RUN,
];

/// Endings of files that no run writes under a name of their own. A folder of such a name would be taken for a file.
const OF_FILES: [&str; 12] =
    ["bin", "idx", "npy", "npz", "csv", "tsv", "txt", "gz", "zst", "bz2", "xz", "zip"];
/// Those of token files, of which there are several.
const OF_TOKENS: [&str; 3] = ["bin", "idx", "npy"];

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
    /// The kind of an output by its name, and the form that the name of a single file asks for. `kept` says which format an
    /// output of this name has to have; none if any will do.
    ///
    /// # Errors
    /// `Error::Parameter` for an output that cannot be, and the errors of `kept`.
    pub(super) fn of(
        output: &str,
        kept: impl Fn(&str) -> Result<Option<DataFormat>>,
    ) -> Result<(Self, Option<Form>)> {
        let plain = |format| Form { format, codec: Codec::Plain, is_array: false };
        if output == "-" {
            return Ok((Self::Stdout, Some(plain(kept("standard output")?.unwrap_or(DataFormat::Jsonl)))));
        }
        if output.is_empty() {
            return Err(Error::Parameter(
                "output is ``, but it is a folder, a data file, or `-` for standard output".into(),
            ));
        }
        let mut path = PathBuf::from(output);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some((format, codec)) = split_suffix(&name).filter(|_| !path.is_dir()) else {
            refuse_name_of_file(&path)?;
            return Ok((Self::Folder(path), None));
        };
        let inputs = kept(&format!("`{name}`"))?.unwrap_or(format);
        if inputs != format {
            return Err(Error::Parameter(format!(
                "output `{name}` is {format:?}, but the inputs are {inputs:?}; a run keeps the format, so choose a folder or \
                 a name of the inputs' format"
            )));
        }
        match fs::symlink_metadata(&path) {
            // The file that a link leads to is replaced, beside which there is room on its file system.
            Ok(found) if found.is_symlink() => {
                path = fs::canonicalize(&path).map_err(Error::io("follow the link", &path))?;
            }
            Ok(found) if !found.is_file() => {
                return Err(Error::Parameter(format!(
                    "output `{output}` is a device, pipe or socket; give the name of a file, or `-` for standard output"
                )));
            }
            _ => {}
        }
        Ok((Self::Single(path), Some(Form { format, codec, is_array: names_array(&name) })))
    }

    /// Makes sure that none of these files lies where the result goes.
    ///
    /// # Errors
    /// `Error::Parameter` with its name.
    pub(super) fn refuse_inputs<'p>(&self, inputs: impl IntoIterator<Item = &'p Path>) -> Result<()> {
        let taken: Vec<PathBuf> = match self {
            Self::Folder(folder) => vec![folder.clone()],
            _ => PARTS.iter().filter_map(|part| self.part(part)).collect(),
        };
        let taken: Vec<PathBuf> = taken.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
        for path in inputs {
            let Ok(real) = fs::canonicalize(path) else { continue };
            if taken.iter().any(|taken| real.starts_with(taken)) {
                return Err(Error::Parameter(format!(
                    "output `{}` would overwrite or hold the input `{}`; choose another output",
                    self.path().display(),
                    path.display()
                )));
            }
        }
        Ok(())
    }

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

/// Makes sure that a new folder does not look like a file.
fn refuse_name_of_file(path: &Path) -> Result<()> {
    let suffix = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if path.is_dir() || !OF_FILES.contains(&&*suffix) {
        return Ok(());
    }
    let why = if OF_TOKENS.contains(&&*suffix) {
        "token files go into a folder, so name that"
    } else {
        "name a file in .jsonl (.gz, .zst), .parquet or .arrow, or a folder"
    };
    Err(Error::Parameter(format!("output `{}` cannot be a file in .{suffix}; {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_not_called_like_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let said = |name: &str| {
            let place = Place::of(&dir.path().join(name).to_string_lossy(), |_| Ok(None));
            place.map_or_else(|error| error.to_string(), |(place, _)| format!("{place:?}"))
        };
        assert!(said("out.bin").contains("cannot be a file in .bin; token files go into a folder"));
        assert!(said("out.NPY").contains("cannot be a file in .npy; token files"));
        assert!(said("out.csv").contains("cannot be a file in .csv; name a file in .jsonl"));
        assert!(said("out.parquet.gz").contains("cannot be a file in .gz"));
        for fine in ["out", "out.v1", "run-0.3"] {
            assert!(said(fine).starts_with("Folder"), "{fine}");
        }
        fs::create_dir(dir.path().join("old.bin")).unwrap();
        assert!(said("old.bin").starts_with("Folder"));
    }

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
