//! Which source each input belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::config::MixSource;
use crate::error::{Error, Result};
use crate::runs::find::find;
use crate::runs::source::Source;

/// The files of the sources, and whose each is.
pub(super) struct InputsOf {
    /// What is read, source by source.
    pub(super) names: Vec<String>,
    /// The place of the source that a file belongs to, by its real path.
    sources: BTreeMap<PathBuf, usize>,
}

impl InputsOf {
    /// Finds the files of every source.
    ///
    /// # Errors
    /// `Error::Parameter` for a source without inputs, a pipe, or a file in two sources; those of finding files.
    pub(super) fn find(sources: &BTreeMap<String, MixSource>) -> Result<Self> {
        let labels: Vec<&String> = sources.keys().collect();
        let (mut names, mut found) = (Vec::new(), BTreeMap::new());
        for (place, (label, source)) in sources.iter().enumerate() {
            if source.inputs.is_empty() {
                return Err(Error::Parameter(format!(
                    "source `{label}` has no inputs; name files, patterns or folders"
                )));
            }
            for name in &source.inputs {
                if name == "-" {
                    return Err(Error::Parameter(format!(
                        "source `{label}` reads standard input, which does not say where it ends for others; name a file"
                    )));
                }
                let mut files = Vec::new();
                find(Path::new(name), false, &mut files, &mut Vec::new())?;
                for file in files {
                    let path = real(&file.path);
                    if let Some(other) = found.insert(path, place).filter(|other| *other != place) {
                        return Err(Error::Parameter(format!(
                            "`{}` is in the sources `{}` and `{label}`, so its rows would count twice; name it in one of them",
                            file.path.display(),
                            labels[other]
                        )));
                    }
                }
                names.push(name.clone());
            }
        }
        Ok(Self { names, sources: found })
    }

    /// The source of each opened input.
    ///
    /// # Errors
    /// `Error::Internal` for one that was not found before.
    pub(super) fn of(&self, inputs: &[Source]) -> Result<Vec<usize>> {
        let of = |input: &Source| {
            let path = input.input().path();
            let source = self.sources.get(&real(path)).copied();
            source.ok_or_else(|| Error::Data {
                path: path.to_path_buf(),
                message: "the file came while the run began; run again on files at rest".into(),
            })
        };
        inputs.iter().map(of).collect()
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
